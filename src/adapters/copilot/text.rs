//! Texts as they stand in responses: Markdown, references inside sentences, results of tools.

use super::uri;
use crate::adapters::json::Json;

/// Text of a Markdown value: `"text"`, `{"value":"text"}`, `{"content":{"value":"text"}}`.
pub(super) fn markdown<'i>(value: Json<'_, 'i>) -> Option<&'i str> {
    if let Some(text) = value.as_str() {
        return Some(text);
    }
    value.get("value").or_else(|| value.get("content")).or_else(|| value.get("message")).and_then(markdown)
}

/// What a reference inside a sentence shows: its name, a symbol's name, or a file's.
pub(super) fn reference(part: Json<'_, '_>) -> Option<String> {
    if let Some(name) = part.str_at("name") {
        return Some(name.to_owned());
    }
    let target = part.get("inlineReference")?;
    if let Some(name) = target.str_at("name") {
        return Some(name.to_owned());
    }
    uri::path_of(target).map(|path| uri::base_name(&path).to_owned())
}

/// Text of a thought: a string, or a list of strings.
pub(super) fn thought(value: Json<'_, '_>) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => value.items().filter_map(Json::as_str).collect::<Vec<_>>().join(""),
    }
}

/// Text of what a tool answered: `{content: [{value}]}` of texts, nested lists, and trees of rendered
/// nodes (`{node: {children: [{text, lineBreakBefore}]}}`).
pub(super) fn result(value: Json<'_, '_>, out: &mut String) {
    if let Some(text) = value.as_str() {
        out.push_str(text);
    } else if value.is_array() {
        for item in value.items() {
            if !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
            result(item, out);
        }
    } else if let Some(inner) =
        ["content", "value", "text"].iter().find_map(|key| value.get(key)).filter(|v| !v.is_null())
    {
        result(inner, out);
    } else if let Some(node) = value.get("node") {
        rendered(node, out);
    }
}

fn rendered(node: Json<'_, '_>, out: &mut String) {
    if node.get("lineBreakBefore").and_then(Json::as_bool) == Some(true) && !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    if let Some(text) = node.get("text").and_then(Json::as_str) {
        out.push_str(text);
    }
    node.get("children").into_iter().flat_map(Json::items).for_each(|child| rendered(child, out));
}

/// Terminal output without its control sequences.
pub(super) fn without_escapes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            if c != '\u{7}' {
                out.push(c);
            }
            continue;
        }
        match rest.next() {
            // A sequence ends with its first letter (or `@`, `~`, ...).
            Some('[') => while rest.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
            // A command to the terminal ends with a bell, or with an escape and a backslash.
            Some(']') => {
                while let Some(c) = rest.next() {
                    if c == '\u{7}' {
                        break;
                    }
                    if c == '\u{1b}' {
                        rest.next_if_eq(&'\\');
                        break;
                    }
                }
            }
            _ => {}
        }
    }
    out.replace("\r\n", "\n")
}

/// The prompt as its participant got it: the message without the names of participant and command.
pub(super) fn prompt(message: Json<'_, '_>) -> String {
    let parts = message.get("parts").filter(|parts| parts.is_array() && !parts.is_empty());
    let Some(parts) = parts else {
        return message.as_str().or_else(|| message.str_at("text")).unwrap_or_default().trim().to_owned();
    };
    let is_name = |part: &Json<'_, '_>| matches!(part.str_at("kind"), Some("agent" | "subcommand"));
    let texts = parts.items().filter(|part| !is_name(part));
    texts.filter_map(|p| p.get("text").and_then(Json::as_str)).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_output_loses_its_colours_only() {
        assert_eq!(without_escapes("\u{1b}[31mred\u{1b}[0m \u{1b}]633;C\u{7}x\r\ny\u{1b}"), "red x\ny");
        assert_eq!(without_escapes("plain é"), "plain é");
    }
}
