//! The `extra` column, texts out of content lists, amounts of money.

use std::fmt::Write as _;

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use crate::adapters::json::{Json, ObjectWriter, write_str};

/// Shorter base64 texts stay as they are.
const BLOB_BYTES: usize = 128;

/// One JSON object under construction; empty until it has a key.
#[derive(Debug, Default, Clone)]
pub(in crate::adapters) struct Extra(String);

impl Extra {
    fn key(&mut self, key: &str) -> &mut String {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        write_str(key, &mut self.0);
        self.0.push(':');
        &mut self.0
    }

    /// Adds a text; an empty one is left out.
    pub(in crate::adapters) fn text(&mut self, key: &str, value: &str) -> &mut Self {
        if !value.is_empty() {
            write_str(value, self.key(key));
        }
        self
    }

    /// Adds a number.
    pub(in crate::adapters) fn number(&mut self, key: &str, value: impl TryInto<i64>) -> &mut Self {
        let value = value.try_into().unwrap_or(i64::MAX);
        write!(self.key(key), "{value}").unwrap_or_default();
        self
    }

    /// Adds a value, without the blobs in it.
    pub(in crate::adapters) fn value(&mut self, key: &str, value: Json<'_, '_>) -> &mut Self {
        write_scrubbed(value, self.key(key));
        self
    }

    /// Adds every field of `object` that is not in `used`, not null and not empty.
    pub(in crate::adapters) fn rest(&mut self, object: Json<'_, '_>, used: &[&str]) -> &mut Self {
        for (key, value) in object.entries() {
            let blank = value.is_null() || ((value.is_array() || value.is_object()) && value.is_empty());
            if !blank && !used.contains(&key) {
                self.value(key, value);
            }
        }
        self
    }

    /// Adds every text, number and truth value of `object` that is not in `used`.
    pub(in crate::adapters) fn scalars(&mut self, object: Json<'_, '_>, used: &[&str]) -> &mut Self {
        for (key, value) in object.entries() {
            if !value.is_null() && !value.is_array() && !value.is_object() && !used.contains(&key) {
                self.value(key, value);
            }
        }
        self
    }

    /// The object; `None` when it has no keys.
    pub(in crate::adapters) fn end(&mut self) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        self.0.push('}');
        Some(&self.0)
    }
}

/// Appends `value` as JSON; base64 data in it becomes digest, size and media type.
pub(in crate::adapters) fn write_scrubbed(value: Json<'_, '_>, out: &mut String) {
    if value.is_object() {
        let mut object = ObjectWriter::new(out);
        for (key, inner) in value.entries() {
            match inner.as_str().filter(|_| key == "data").and_then(decoded) {
                Some(bytes) => object.with(key, |out| write_blob(&bytes, value.str_at("media_type"), out)),
                None => object.with(key, |out| write_scrubbed(inner, out)),
            }
        }
        object.end();
    } else if value.is_array() {
        out.push('[');
        for (i, inner) in value.items().enumerate() {
            if i > 0 {
                out.push(',');
            }
            write_scrubbed(inner, out);
        }
        out.push(']');
    } else if let Some((media_type, bytes)) = value.as_str().and_then(data_url) {
        write_blob(&bytes, Some(media_type), out);
    } else {
        value.write(out);
    }
}

/// `value` as JSON text without blobs.
pub(in crate::adapters) fn scrubbed(value: Json<'_, '_>) -> String {
    let mut out = String::new();
    write_scrubbed(value, &mut out);
    out
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    (text.len() >= BLOB_BYTES).then(|| base64::engine::general_purpose::STANDARD.decode(text).ok()).flatten()
}

fn data_url(text: &str) -> Option<(&str, Vec<u8>)> {
    let (media_type, rest) = text.strip_prefix("data:")?.split_once(";base64,")?;
    Some((media_type, decoded(rest)?))
}

fn write_blob(bytes: &[u8], media_type: Option<&str>, out: &mut String) {
    out.push_str("{\"sha256\":\"");
    for byte in Sha256::digest(bytes) {
        write!(out, "{byte:02x}").unwrap_or_default();
    }
    write!(out, "\",\"bytes\":{}", bytes.len()).unwrap_or_default();
    if let Some(media_type) = media_type {
        out.push_str(",\"media_type\":");
        write_str(media_type, out);
    }
    out.push('}');
}

/// Text of a content: of a string, or of the text blocks of a list, joined by newlines.
pub(in crate::adapters) fn text_of(content: Json<'_, '_>) -> String {
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
pub(in crate::adapters) fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Billionths of a dollar of an amount in dollars.
#[expect(clippy::cast_possible_truncation, reason = "the guard keeps it far below 2^63")]
pub(in crate::adapters) fn nano_usd(dollars: f64) -> Option<i64> {
    (dollars.is_finite() && dollars.abs() < 1e9).then(|| (dollars * 1e9).round() as i64)
}
