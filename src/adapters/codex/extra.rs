//! Texts out of content lists, and what stands beside them.

use crate::adapters::clean::write_content;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;

/// Text of a string, of one content item, or of a list of them; several are joined by newlines in
/// `buffer`. `None` when there is no text at all.
pub(super) fn text_of<'a>(content: Json<'_, 'a>, buffer: &'a mut String) -> Option<&'a str> {
    if let Some(text) = content.as_str() {
        return Some(text);
    }
    if content.is_object() {
        return item_text(content);
    }
    let mut texts = content.items().filter_map(item_text);
    let first = texts.next()?;
    let Some(second) = texts.next() else { return Some(first) };
    buffer.clear();
    buffer.push_str(first);
    for text in std::iter::once(second).chain(texts) {
        if !buffer.ends_with('\n') {
            buffer.push('\n');
        }
        buffer.push_str(text);
    }
    Some(buffer)
}

fn item_text<'i>(item: Json<'_, 'i>) -> Option<&'i str> {
    item.as_str().or_else(|| item.get("text").and_then(Json::as_str))
}

/// True for a part of a content list that is a text, or one that only the provider can read.
pub(super) fn is_text(item: Json<'_, '_>) -> bool {
    item_text(item).is_some() || item.get("encrypted_content").is_some()
}

/// Appends what a content list holds beside text (images, audio, files) as `attachments`.
pub(super) fn attachments(content: Json<'_, '_>, extra: &mut Extra) {
    if content.items().all(is_text) {
        return;
    }
    extra.with("attachments", |out| {
        let mut separator = '[';
        for item in content.items().filter(|item| !is_text(*item)) {
            out.push(separator);
            separator = ',';
            write_content(item, out);
        }
        out.push(']');
    });
}
