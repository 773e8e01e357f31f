//! The `extra` column under construction.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::adapters::json::{Json, write_str};

/// Shorter base64 texts stay as they are.
const SMALLEST_BLOB: usize = 128;

/// Opaque tokens of providers: encrypted reasoning and signatures.
const OPAQUE: [&str; 7] = [
    "encrypted_content",
    "signature",
    "thinkingSignature",
    "textSignature",
    "thoughtSignature",
    "reasoning_signature",
    "redactedContent",
];

/// One JSON object; its buffer is reused from row to row.
#[derive(Debug, Default, Clone)]
pub(in crate::adapters) struct Fields {
    buffer: String,
}

impl Fields {
    /// Starts over.
    pub(in crate::adapters) fn begin(&mut self) -> &mut Self {
        self.buffer.clear();
        self.buffer.push('{');
        self
    }

    fn key(&mut self, key: &str) {
        if self.buffer.len() > 1 {
            self.buffer.push(',');
        }
        write_str(key, &mut self.buffer);
        self.buffer.push(':');
    }

    pub(in crate::adapters) fn text(&mut self, key: &str, value: &str) -> &mut Self {
        self.key(key);
        write_str(value, &mut self.buffer);
        self
    }

    pub(in crate::adapters) fn value(&mut self, key: &str, value: Json<'_, '_>) -> &mut Self {
        self.key(key);
        write_clean(value, &mut self.buffer);
        self
    }

    /// Adds a field that is there and says something.
    pub(in crate::adapters) fn maybe(&mut self, key: &str, value: Option<Json<'_, '_>>) -> &mut Self {
        if let Some(value) = value.filter(|v| !is_blank(*v)) {
            self.value(key, value);
        }
        self
    }

    /// Adds a value that is JSON text already.
    pub(in crate::adapters) fn raw(&mut self, key: &str, json: &str) -> &mut Self {
        self.key(key);
        self.buffer.push_str(json);
        self
    }

    /// Adds every field of `object` that is not named in `used` and says something.
    pub(in crate::adapters) fn rest(&mut self, object: Json<'_, '_>, used: &[&str]) -> &mut Self {
        for (key, value) in object.entries() {
            if !is_blank(value) && !OPAQUE.contains(&key) && !used.contains(&key) {
                self.value(key, value);
            }
        }
        self
    }

    /// Ends the object.
    pub(in crate::adapters) fn end(&mut self) {
        if self.buffer.len() > 1 {
            self.buffer.push('}');
        } else {
            self.buffer.clear();
        }
    }

    /// The ended object; `None` when it has no fields.
    pub(in crate::adapters) fn get(&self) -> Option<&str> {
        (!self.buffer.is_empty()).then_some(&*self.buffer)
    }
}

fn is_blank(value: Json<'_, '_>) -> bool {
    value.is_null() || ((value.is_array() || value.is_object()) && value.is_empty()) || value.as_str() == Some("")
}

/// `value` as JSON text without encrypted and binary contents.
pub(in crate::adapters) fn clean_json(value: Json<'_, '_>) -> String {
    let mut out = String::new();
    write_clean(value, &mut out);
    out
}

/// Appends `value` as JSON text without encrypted and binary contents.
pub(super) fn write_clean(value: Json<'_, '_>, out: &mut String) {
    if value.is_array() {
        let mut separator = '[';
        for item in value.items() {
            out.push(separator);
            separator = ',';
            write_clean(item, out);
        }
        out.push_str(if separator == '[' { "[]" } else { "]" });
    } else if value.is_object() {
        let mut separator = '{';
        for (key, inner) in value.entries().filter(|(key, _)| *key != "encrypted_content") {
            out.push(separator);
            separator = ',';
            write_str(key, out);
            out.push(':');
            let bytes =
                if matches!(key, "data" | "base64" | "bytes") { inner.as_str().and_then(decoded) } else { None };
            match bytes {
                Some(bytes) => write_blob(&bytes, media_type(value), out),
                None => write_clean(inner, out),
            }
        }
        out.push_str(if separator == '{' { "{}" } else { "}" });
    } else if let Some((media_type, bytes)) = value.as_str().and_then(data_url) {
        write_blob(&bytes, Some(media_type), out);
    } else {
        value.write(out);
    }
}

fn media_type<'i>(object: Json<'_, 'i>) -> Option<&'i str> {
    ["media_type", "mimeType", "mime_type", "type"].iter().find_map(|key| object.str_at(key))
}

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

#[cfg(test)]
mod tests {
    use base64::Engine as _;

    use super::*;
    use crate::adapters::line::Parser;

    fn rest(json: &str, used: &[&str]) -> String {
        let mut fields = Fields::default();
        Parser::default()
            .each(json.as_bytes(), |json| {
                fields.begin().rest(json, used);
                fields.end();
            })
            .unwrap();
        fields.get().unwrap_or_default().to_owned()
    }

    #[test]
    fn blank_used_and_opaque_fields_are_left_out_at_any_depth() {
        let text = rest(
            r#"{"a":1,"b":null,"c":[],"d":"","signature":"x","e":{"encrypted_content":"x","f":[{}]},"u":2}"#,
            &["u"],
        );
        assert_eq!(text, r#"{"a":1,"e":{"f":[{}]}}"#);
        assert_eq!(rest(r#"{"b":null}"#, &[]), "");
    }

    #[test]
    fn binary_data_becomes_its_digest() {
        let image = STANDARD.encode([7u8; 300]);
        let text =
            rest(&format!(r#"{{"i":{{"mimeType":"image/png","data":"{image}"}},"u":"data:a/b;base64,{image}"}}"#), &[]);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["i"]["data"]["bytes"], 300);
        assert_eq!(value["i"]["data"]["media_type"], "image/png");
        assert_eq!(value["u"]["media_type"], "a/b");
        assert_eq!(value["u"]["sha256"], value["i"]["data"]["sha256"]);
    }
}
