//! JSON text of what agents write, without what is no content.
//!
//! - base64 data becomes `{sha256, bytes, media_type}`: under the names that agents give it, and in `data:`
//!   URLs
//! - what is never stored is left out

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::adapters::json::{Json, ObjectWriter, write_str};
use crate::adapters::kit::secret::{is_sealed, is_secret};

/// Shorter data stays as it is.
const SMALLEST_BLOB: usize = 128;

/// Members that say of what kind the data beside them is.
const KINDS: [&str; 7] = ["media_type", "mimeType", "mime_type", "mediaType", "MIMEType", "mime", "type"];

/// What of an agent's JSON is stored.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cleaner {
    /// True for a field that is left out wherever it stands.
    leaves_out: fn(&str, Json<'_, '_>) -> bool,
    /// What the agent adds to the list of what is never stored.
    also: &'static [&'static str],
    /// True when lists of bytes, and maps from index to byte, hold binary data.
    byte_lists: bool,
    /// True when fields that say nothing are left out at any depth.
    sparse: bool,
}

/// What records say.
pub(super) const RECORD: Cleaner = Cleaner { leaves_out: is_secret, also: &[], byte_lists: false, sparse: false };

/// What is said to tools and by them.
pub(super) const CONTENT: Cleaner = Cleaner { leaves_out: is_sealed, ..RECORD };

impl Cleaner {
    /// The same without the fields called so.
    pub(super) const fn also(self, also: &'static [&'static str]) -> Self {
        Self { also, ..self }
    }

    /// The same for logs in which lists of bytes, and maps from index to byte, hold binary data.
    pub(super) const fn with_byte_lists(self) -> Self {
        Self { byte_lists: true, ..self }
    }

    /// The same for logs that are full of fields that say nothing: they are left out at any depth.
    pub(super) const fn sparse(self) -> Self {
        Self { sparse: true, ..self }
    }

    /// True for a field that is written.
    pub(super) fn keeps(&self, key: &str, value: Json<'_, '_>) -> bool {
        let is_left_out = (self.leaves_out)(key, value) || self.also.contains(&key);
        !is_left_out && (!self.sparse || !is_empty(value))
    }

    /// Appends `value` as JSON text.
    pub(super) fn write(&self, value: Json<'_, '_>, out: &mut String) {
        if let Some(bytes) = byte_values(value).filter(|_| self.byte_lists) {
            write_blob(&bytes, None, out);
        } else if value.is_array() {
            out.push('[');
            for (i, item) in value.items().filter(|item| !(self.sparse && is_empty(*item))).enumerate() {
                if i > 0 {
                    out.push(',');
                }
                self.write(item, out);
            }
            out.push(']');
        } else if value.is_object() {
            value.write_fields(
                out,
                |key, inner| self.keeps(key, inner),
                |key, inner, out| self.write_member(value, key, inner, out),
            );
        } else {
            match value.as_str() {
                Some(text) => write_text(text, out),
                None => value.write(out),
            }
        }
    }

    /// Adds every field of `object` that says something and that `counts` accepts.
    pub(super) fn rest<'i>(
        &self,
        object: Json<'_, 'i>,
        counts: impl Fn(&str, Json<'_, 'i>) -> bool,
        out: &mut ObjectWriter<'_>,
    ) {
        for (key, value) in object.fields() {
            if !value.is_blank() && self.keeps(key, value) && counts(key, value) {
                out.with(key, |out| self.write_member(object, key, value, out));
            }
        }
    }

    /// Adds one field, unless it says nothing or is never stored.
    pub(super) fn field(&self, key: &str, value: Json<'_, '_>, out: &mut ObjectWriter<'_>) {
        if !value.is_blank() && self.keeps(key, value) {
            out.with(key, |out| self.write(value, out));
        }
    }

    /// Appends the value at `key` of `object`.
    fn write_member(&self, object: Json<'_, '_>, key: &str, value: Json<'_, '_>, out: &mut String) {
        let named = matches!(key, "data" | "Data" | "base64" | "base64Data" | "bytes" | "image" | "value");
        let blob = value.as_str().filter(|_| named).and_then(decoded);
        match (blob, blob_kind(object, named)) {
            (Some(bytes), kind) if key != "value" || kind.is_some() => write_blob(&bytes, kind, out),
            _ => self.write(value, out),
        }
    }

    /// `value` as JSON text.
    pub(super) fn json(&self, value: Json<'_, '_>) -> String {
        let mut out = String::new();
        self.write(value, &mut out);
        out
    }
}

/// Appends a value of a record as JSON text.
pub(super) fn write_record(value: Json<'_, '_>, out: &mut String) {
    RECORD.write(value, out);
}

/// Appends what was said to a tool or by it as JSON text.
pub(super) fn write_content(value: Json<'_, '_>, out: &mut String) {
    CONTENT.write(value, out);
}

/// What was said to a tool or by it as JSON text.
pub(super) fn content_json(value: Json<'_, '_>) -> String {
    CONTENT.json(value)
}

/// True when there is nothing in it: null, an empty text, or a list or object of such.
pub(super) fn is_empty(value: Json<'_, '_>) -> bool {
    if value.is_array() {
        value.items().all(is_empty)
    } else if value.is_object() {
        value.entries().all(|(_, inner)| is_empty(inner))
    } else {
        value.is_blank()
    }
}

/// Appends a text as JSON; a `data:` URL as what it holds.
pub(super) fn write_text(text: &str, out: &mut String) {
    match data_url(text) {
        Some((media_type, bytes)) => write_blob(&bytes, Some(media_type), out),
        None => write_str(text, out),
    }
}

/// Appends what binary data is.
pub(super) fn write_blob(bytes: &[u8], media_type: Option<&str>, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut object = ObjectWriter::new(out);
    object.with("sha256", |out| {
        out.push('"');
        for byte in Sha256::digest(bytes) {
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        out.push('"');
    });
    object.number("bytes", i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    if let Some(media_type) = media_type {
        object.text("media_type", media_type);
    }
    object.end();
}

/// The kind of the data in `object`; `type` counts when it is a media type.
fn blob_kind<'i>(object: Json<'_, 'i>, wanted: bool) -> Option<&'i str> {
    let kind = |key: &&str| object.str_at(key).filter(|kind| *key != "type" || kind.contains('/'));
    if wanted { KINDS.iter().find_map(kind) } else { None }
}

/// Base64 text that is long enough to be data.
fn decoded(text: &str) -> Option<Vec<u8>> {
    if text.len() < SMALLEST_BLOB {
        return None;
    }
    STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()
}

/// Media type and bytes of a `data:image/png;base64,...` text.
fn data_url(text: &str) -> Option<(&str, Vec<u8>)> {
    let (media_type, rest) = text.strip_prefix("data:")?.split_once(";base64,")?;
    Some((media_type, decoded(rest)?))
}

/// The bytes of a list of bytes, or of a map from index to byte, if it is a long one.
fn byte_values(value: Json<'_, '_>) -> Option<Vec<u8>> {
    if value.len() < SMALLEST_BLOB {
        return None;
    }
    let byte = |v: Json<'_, '_>| v.as_i64().and_then(|n| u8::try_from(n).ok());
    if value.is_array() {
        return value.items().map(byte).collect();
    }
    let mut bytes = vec![None; value.len()];
    for (key, v) in value.entries() {
        *bytes.get_mut(key.parse::<usize>().ok()?)? = Some(byte(v)?);
    }
    bytes.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::adapters::line::Parser;

    fn clean(cleaner: Cleaner, value: &Value) -> Value {
        let mut out = String::new();
        Parser::default().each(value.to_string().as_bytes(), |json| cleaner.write(json, &mut out)).unwrap();
        serde_json::from_str(&out).unwrap()
    }

    #[test]
    fn binary_data_becomes_what_it_is_under_every_name() {
        let data = STANDARD.encode([7u8; 300]);
        let value = json!({"a": {"data": data, "mimeType": "image/png"}, "b": {"type": "base64", "base64": data},
            "c": [{"type": "image/gif", "data": data}], "u": format!("data:a/b;base64,{data}"), "value": data, "s": "data"});
        let out = clean(CONTENT, &value);
        let blob = |kind: Option<&str>| {
            let mut blob = json!({"sha256": out["u"]["sha256"], "bytes": 300});
            if let Some(kind) = kind {
                blob["media_type"] = json!(kind);
            }
            blob
        };
        assert_eq!(out["a"]["data"], blob(Some("image/png")));
        assert_eq!(out["b"], json!({"type": "base64", "base64": blob(None)}));
        assert_eq!(out["c"][0]["data"], blob(Some("image/gif")));
        assert_eq!(out["u"], blob(Some("a/b")));
        assert_eq!((&out["value"], &out["s"]), (&json!(data), &json!("data")), "no data by its name");
        assert_eq!(out["u"]["sha256"].as_str().unwrap().len(), 64);
    }

    #[test]
    fn sealed_members_are_left_out_at_any_depth_and_numbers_stay_where_they_are_no_bytes() {
        let list: Vec<u8> = (0..200).collect();
        let value = json!({"x": [{"sealed": "s", "kept": 1}], "sealed": 2, "list": list});
        let out = clean(RECORD.also(&["sealed"]), &value);
        assert_eq!(out, json!({"x": [{"kept": 1}], "list": list}));
        let out = clean(CONTENT.with_byte_lists(), &value);
        assert_eq!(out["list"]["bytes"], 200);
    }
}
