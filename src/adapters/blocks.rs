//! What lists of content blocks hold: texts, and the rest as `extra`.

use std::fmt::Write as _;

use crate::adapters::clean::Cleaner;
use crate::adapters::json::{Json, write_str};

/// Room for most objects: growing step by step took a tenth of the time of a decoder of short lines.
const USUAL_BYTES: usize = 192;

/// One JSON object under construction; empty until it has a key.
#[derive(Debug, Default, Clone)]
pub(super) struct Extra(String);

impl Extra {
    fn key(&mut self, key: &str) -> &mut String {
        if self.0.is_empty() {
            self.0.reserve(USUAL_BYTES);
        }
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        write_str(key, &mut self.0);
        self.0.push(':');
        &mut self.0
    }

    /// Adds a text; an empty one is left out.
    pub(super) fn text(&mut self, key: &str, value: &str) -> &mut Self {
        if !value.is_empty() {
            write_str(value, self.key(key));
        }
        self
    }

    /// Adds a number.
    pub(super) fn number(&mut self, key: &str, value: impl TryInto<i64>) -> &mut Self {
        let value = value.try_into().unwrap_or(i64::MAX);
        write!(self.key(key), "{value}").unwrap_or_default();
        self
    }

    /// Adds a value, without the blobs in it.
    pub(super) fn value(&mut self, key: &str, value: Json<'_, '_>) -> &mut Self {
        write_scrubbed(value, self.key(key));
        self
    }

    /// Adds every field of `object` that is not in `used`, not null and not empty.
    pub(super) fn rest(&mut self, object: Json<'_, '_>, used: &[&str]) -> &mut Self {
        for (key, value) in object.entries() {
            let blank = value.is_null() || ((value.is_array() || value.is_object()) && value.is_empty());
            if !blank && !used.contains(&key) {
                self.value(key, value);
            }
        }
        self
    }

    /// Adds every text, number and truth value of `object` that is not in `used`.
    pub(super) fn scalars(&mut self, object: Json<'_, '_>, used: &[&str]) -> &mut Self {
        for (key, value) in object.entries() {
            if !value.is_null() && !value.is_array() && !value.is_object() && !used.contains(&key) {
                self.value(key, value);
            }
        }
        self
    }

    /// The object; `None` when it has no keys.
    pub(super) fn end(&mut self) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        self.0.push('}');
        Some(&self.0)
    }
}

/// Appends `value` as JSON; base64 data in it becomes digest, size and media type.
pub(super) fn write_scrubbed(value: Json<'_, '_>, out: &mut String) {
    Cleaner::without(&[]).write(value, out);
}

/// `value` as JSON text without blobs.
pub(super) fn scrubbed(value: Json<'_, '_>) -> String {
    Cleaner::without(&[]).json(value)
}

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
