//! JSON text of what agents write, without what is no content.
//!
//! - base64 data becomes `{sha256, bytes, media_type}`: under the names that agents give it, and in `data:`
//!   URLs
//! - what only a provider can read (encrypted reasoning, its signatures) is left out, by the names that each
//!   agent gives it

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::adapters::json::{Json, ObjectWriter, write_str};

/// Shorter data stays as it is.
const SMALLEST_BLOB: usize = 128;

/// Members that say of what kind the data beside them is.
const KINDS: [&str; 7] = ["media_type", "mimeType", "mime_type", "mediaType", "MIMEType", "mime", "type"];

/// What of an agent's JSON is no content.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cleaner {
    /// Members that are left out wherever they stand.
    pub(super) sealed: &'static [&'static str],
    /// True when lists of bytes, and maps from index to byte, hold binary data.
    pub(super) byte_lists: bool,
}

impl Cleaner {
    /// Leaves out the members called so.
    pub(super) const fn without(sealed: &'static [&'static str]) -> Self {
        Self { sealed, byte_lists: false }
    }

    /// Appends `value` as JSON text.
    pub(super) fn write(&self, value: Json<'_, '_>, out: &mut String) {
        if let Some(bytes) = byte_values(value).filter(|_| self.byte_lists) {
            write_blob(&bytes, None, out);
        } else if value.is_array() {
            out.push('[');
            for (i, item) in value.items().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                self.write(item, out);
            }
            out.push(']');
        } else if value.is_object() {
            let mut object = ObjectWriter::new(out);
            for (key, inner) in value.entries().filter(|(key, _)| !self.sealed.contains(key)) {
                object.with(key, |out| self.write_member(value, key, inner, out));
            }
            object.end();
        } else {
            match value.as_str() {
                Some(text) => write_text(text, out),
                None => value.write(out),
            }
        }
    }

    /// Appends the value at `key` of `object`.
    pub(super) fn write_member(&self, object: Json<'_, '_>, key: &str, value: Json<'_, '_>, out: &mut String) {
        let named = matches!(key, "data" | "Data" | "base64" | "base64Data" | "bytes" | "value");
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

/// True for what says nothing: null, an empty text, list or object.
pub(super) fn is_blank(value: Json<'_, '_>) -> bool {
    value.is_null() || ((value.is_array() || value.is_object()) && value.is_empty()) || value.as_str() == Some("")
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
        let out = clean(Cleaner::without(&[]), &value);
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
        let out = clean(Cleaner::without(&["sealed"]), &value);
        assert_eq!(out, json!({"x": [{"kept": 1}], "list": list}));
        let out = clean(Cleaner { sealed: &[], byte_lists: true }, &value);
        assert_eq!(out["list"]["bytes"], 200);
    }
}
