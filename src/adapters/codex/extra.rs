//! The `extra` column, and texts out of content lists.
//!
//! - encrypted content is left out, base64 blobs become `{sha256, bytes, media_type}`
//! - the buffers are reused from row to row; writing to them cannot fail

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::adapters::clean::{Cleaner, write_blob};
use crate::adapters::json::{Json, write_str};

/// One JSON object under construction.
#[derive(Debug, Default, Clone)]
pub(super) struct Extra {
    buffer: String,
}

impl Extra {
    /// Starts over.
    pub(super) fn begin(&mut self) -> &mut Self {
        self.buffer.clear();
        self.buffer.push('{');
        self
    }

    /// Adds the keys of `object`, an ended object or nothing, to this ended one.
    pub(super) fn merge(&mut self, object: &str) {
        let Some(inner) = object.strip_prefix('{') else { return };
        if self.buffer.pop().is_some() {
            self.buffer.push(',');
        } else {
            self.buffer.push('{');
        }
        self.buffer.push_str(inner);
    }

    fn key(&mut self, key: &str) {
        if self.buffer.len() > 1 {
            self.buffer.push(',');
        }
        write_str(key, &mut self.buffer);
        self.buffer.push(':');
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        write_str(value, &mut self.buffer);
    }

    pub(super) fn number(&mut self, key: &str, value: i64) {
        self.key(key);
        write!(self.buffer, "{value}").unwrap_or_default();
    }

    pub(super) fn value(&mut self, key: &str, value: Json<'_, '_>) {
        self.key(key);
        write_scrubbed(value, &mut self.buffer);
    }

    pub(super) fn blob(&mut self, key: &str, base64_text: &str, media_type: &str) {
        self.key(key);
        let decoded = STANDARD.decode(base64_text);
        write_blob(decoded.as_deref().unwrap_or(base64_text.as_bytes()), Some(media_type), &mut self.buffer);
    }

    /// Appends every field of `object` that is not named in `used`, not null and not empty.
    pub(super) fn rest(&mut self, object: Json<'_, '_>, used: &[&str]) {
        for (key, value) in object.entries() {
            let blank = value.is_null() || ((value.is_array() || value.is_object()) && value.is_empty());
            if !blank && key != "encrypted_content" && !used.contains(&key) {
                self.value(key, value);
            }
        }
    }

    /// Ends the object.
    pub(super) fn end(&mut self) {
        if self.buffer.len() > 1 {
            self.buffer.push('}');
        } else {
            self.buffer.clear();
        }
    }

    /// The ended object; `None` when it has no keys.
    pub(super) fn get(&self) -> Option<&str> {
        (!self.buffer.is_empty()).then_some(&*self.buffer)
    }
}

/// Appends `value` as JSON without encrypted content and without blobs.
pub(super) fn write_scrubbed(value: Json<'_, '_>, out: &mut String) {
    Cleaner::without(&["encrypted_content"]).write(value, out);
}

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
    extra.key("attachments");
    let mut separator = '[';
    for item in content.items().filter(|item| !is_text(*item)) {
        extra.buffer.push(separator);
        separator = ',';
        write_scrubbed(item, &mut extra.buffer);
    }
    extra.buffer.push(']');
}
