//! Texts out of contents, and texts that no person wrote.

use crate::adapters::clean::write_content;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;

/// Types of content blocks that have rows or columns of their own.
const TOLD: [&str; 8] =
    ["text", "thinking", "tool_use", "toolCall", "tool_result", "toolResult", "redacted_thinking", "reasoning"];

fn text_of<'i>(item: Json<'_, 'i>) -> Option<&'i str> {
    if let Some(text) = item.as_str() {
        return Some(text);
    }
    let kind = item.str_at("type").or_else(|| item.str_at("kind")).unwrap_or("text");
    let wanted = matches!(kind, "text" | "input_text" | "output_text");
    let text = item.get("text").or_else(|| item.get("data"));
    text.filter(|_| wanted).and_then(Json::as_str)
}

/// Text of a string, or the texts of a list of blocks joined by newlines; `None` when there is none.
pub(in crate::adapters) fn joined_text(content: Json<'_, '_>) -> Option<String> {
    if let Some(text) = text_of(content).filter(|_| !content.is_array()) {
        return Some(text.to_owned()).filter(|t| !t.is_empty());
    }
    let mut joined = String::new();
    for text in content.items().filter_map(text_of).filter(|t| !t.is_empty()) {
        if !joined.is_empty() && !joined.ends_with('\n') {
            joined.push('\n');
        }
        joined.push_str(text);
    }
    Some(joined).filter(|t| !t.is_empty())
}

/// What a tool answered, as text: texts as they are, anything else as JSON without binary contents.
pub(in crate::adapters) fn output_text(value: Json<'_, '_>) -> Option<String> {
    if value.is_null() {
        return None;
    }
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    let mut out = String::new();
    let only_texts = value.is_array() && !value.is_empty() && value.items().all(|item| text_of(item).is_some());
    if only_texts {
        return joined_text(value).or(Some(out));
    }
    write_content(value, &mut out);
    Some(out)
}

/// Adds what a list of blocks holds beside texts and tools (images, files) as `attachments`.
pub(in crate::adapters) fn attachments(content: Json<'_, '_>, fields: &mut Extra) {
    let told = |item: Json<'_, '_>| {
        item.is_null() || text_of(item).is_some() || item.str_at("type").is_some_and(|kind| TOLD.contains(&kind))
    };
    let mut list = String::new();
    for item in content.items().filter(|item| !told(*item)) {
        list.push(if list.is_empty() { '[' } else { ',' });
        write_content(item, &mut list);
    }
    if !list.is_empty() {
        list.push(']');
        fields.raw("attachments", &list);
    }
}

/// True when nothing is left of a text without its leading `<tag>…</tag>` stretches: an agent put it
/// into the conversation.
pub(in crate::adapters) fn injected(text: &str, tags: &[&str]) -> bool {
    let mut rest = text.trim_start();
    let mut any = false;
    while let Some((tag, after)) = rest.strip_prefix('<').and_then(|r| r.split_once('>')) {
        if !tags.contains(&tag) {
            return false;
        }
        any = true;
        let end = format!("</{tag}>");
        rest = after.split_once(&*end).map_or("", |(_, behind)| behind).trim_start();
    }
    any && rest.is_empty()
}

/// Name of a file without folders and ending.
pub(in crate::adapters) fn file_stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.split_once(".jsonl").or_else(|| name.rsplit_once('.')).map_or(name, |(stem, _)| stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn injected_text_is_told_from_prompts() {
        let tags = ["system-reminder"];
        assert!(injected("<system-reminder>\nx\n</system-reminder>", &tags));
        assert!(injected("<system-reminder>a</system-reminder>\n<system-reminder>b", &tags));
        assert!(!injected("<system-reminder>\nx\n</system-reminder>\nDo it", &tags));
        assert!(!injected("<div>", &tags));
        assert!(!injected("", &tags));
    }

    #[test]
    fn a_files_stem_is_its_name_without_the_ending() {
        assert_eq!(file_stem("/a/b.jsonl.zst"), "b");
        assert_eq!(file_stem("C:\\a\\b.c.json"), "b.c");
        assert_eq!(file_stem("plain"), "plain");
    }
}
