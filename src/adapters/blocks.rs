//! What lists of content blocks hold.

use crate::adapters::json::Json;

/// Text of a content: of a string, or of the text blocks of a list, joined by newlines.
pub(super) fn text_of(content: Json<'_, '_>) -> String {
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    let mut out = String::new();
    for text in content.items().filter_map(|b| b.as_str().or_else(|| b.get("text").and_then(Json::as_str))) {
        if !out.is_empty() {
            out.push('\n');
        }
        out.push_str(text);
    }
    out
}

/// The text, unless it is empty.
pub(super) fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
