//! `extra` and `tool_input`: what found no column, as JSON without binary contents and signatures.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use crate::adapters::json::{Json, ObjectWriter, write_str};

/// Shorter texts are kept as they are.
const SMALLEST_BLOB: usize = 128;

/// Keys whose texts only a provider can read.
const SEALED: &[&str] = &[
    "signature",
    "thought_signature",
    "thoughtSignature",
    "encrypted_content",
    "encryptedContent",
    "reasoningEncryptedContent",
    "redactedData",
];

/// Appends `value` as JSON text: base64 data becomes `{sha256, bytes, media_type}`, sealed texts are
/// left out.
pub(super) fn write_clean(value: Json<'_, '_>, out: &mut String) {
    if value.is_array() {
        out.push('[');
        for (i, item) in value.items().enumerate() {
            if i > 0 {
                out.push(',');
            }
            write_clean(item, out);
        }
        out.push(']');
    } else if value.is_object() {
        let mut object = ObjectWriter::new(out);
        for (key, inner) in value.entries().filter(|(key, _)| !SEALED.contains(key)) {
            object.with(key, |out| write_member(value, key, inner, out));
        }
        object.end();
    } else {
        match value.as_str() {
            Some(text) => write_text(text, out),
            None => value.write(out),
        }
    }
}

/// Appends the value at `key` of `object`; base64 data under the names that agents give it as what it
/// holds.
fn write_member(object: Json<'_, '_>, key: &str, value: Json<'_, '_>, out: &mut String) {
    let is_named = matches!(key, "data" | "Data" | "base64");
    match value.as_str().filter(|_| is_named).and_then(decoded) {
        Some(bytes) => {
            let kinds = ["media_type", "mimeType", "mime_type", "MIMEType", "mime"];
            describe(&bytes, kinds.iter().find_map(|kind| object.str_at(kind)), out);
        }
        None => write_clean(value, out),
    }
}

/// Appends a text as JSON; a `data:` URL as what it holds.
pub(super) fn write_text(text: &str, out: &mut String) {
    match data_url(text) {
        Some((media_type, bytes)) => describe(&bytes, Some(media_type), out),
        None => write_str(text, out),
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    if text.len() < SMALLEST_BLOB {
        return None;
    }
    STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()
}

fn data_url(text: &str) -> Option<(&str, Vec<u8>)> {
    let (media_type, rest) = text.strip_prefix("data:")?.split_once(";base64,")?;
    Some((media_type, decoded(rest)?))
}

fn describe(bytes: &[u8], media_type: Option<&str>, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digest = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        digest.push(char::from(DIGITS[usize::from(byte >> 4)]));
        digest.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    let mut object = ObjectWriter::new(out);
    object.text("sha256", &digest);
    object.number("bytes", i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    if let Some(media_type) = media_type {
        object.text("media_type", media_type);
    }
    object.end();
}

/// One JSON object under construction, its buffer used again and again.
#[derive(Debug, Default, Clone)]
pub(super) struct Extra(String);

impl Extra {
    /// Starts over.
    pub(super) fn begin(&mut self) -> &mut Self {
        self.0.clear();
        self
    }

    fn key(&mut self, key: &str) -> &mut String {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        write_str(key, &mut self.0);
        self.0.push(':');
        &mut self.0
    }

    /// Adds a text that is not empty.
    pub(super) fn text(&mut self, key: &str, value: &str) -> &mut Self {
        if !value.is_empty() {
            write_text(value, self.key(key));
        }
        self
    }

    /// Adds a number.
    pub(super) fn number(&mut self, key: &str, value: Option<i64>) -> &mut Self {
        if let Some(value) = value {
            let text = value.to_string();
            self.key(key).push_str(&text);
        }
        self
    }

    /// Adds what `write` writes as JSON.
    pub(super) fn with(&mut self, key: &str, write: impl FnOnce(&mut String)) -> &mut Self {
        write(self.key(key));
        self
    }

    /// Adds a value that is neither null nor empty.
    pub(super) fn value(&mut self, key: &str, value: Json<'_, '_>) -> &mut Self {
        self.filled(key, |out| write_clean(value, out))
    }

    fn filled(&mut self, key: &str, write: impl FnOnce(&mut String)) -> &mut Self {
        let before = self.0.len();
        self.key(key);
        let start = self.0.len();
        write(&mut self.0);
        if matches!(self.0.get(start..), Some("null" | "{}" | "[]" | "\"\"")) {
            self.0.truncate(before);
        }
        self
    }

    /// Adds every field of `object` that is not named in `used`, not null, not empty and not sealed.
    pub(super) fn rest(&mut self, object: Json<'_, '_>, used: &[&str]) -> &mut Self {
        for (key, value) in object.entries() {
            if !used.contains(&key) && !SEALED.contains(&key) {
                self.filled(key, |out| write_member(object, key, value, out));
            }
        }
        self
    }

    /// Ends the object; `None` when it has no keys. Nothing may be added before the next `begin`.
    pub(super) fn end(&mut self) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        self.0.push('}');
        Some(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::line::Parser;

    #[test]
    fn binary_contents_become_digests_and_sealed_texts_are_left_out() {
        let blob = STANDARD.encode([7u8; 200]);
        let line = format!(
            r#"{{"a":{{"data":"{blob}","mimeType":"image/png"}},"b":"data:image/gif;base64,{blob}","signature":"s","c":null,"d":{{}},"e":"x"}}"#
        );
        let mut extra = Extra::default();
        Parser::default()
            .each(line.as_bytes(), |json| {
                extra.begin().rest(json, &["e"]).number("n", Some(3)).number("m", None).text("t", "");
            })
            .unwrap();
        let value: serde_json::Value = serde_json::from_str(extra.end().unwrap()).unwrap();
        assert_eq!(value["a"]["data"]["bytes"], 200);
        assert_eq!(value["a"]["data"]["media_type"], "image/png");
        assert_eq!(value["b"]["media_type"], "image/gif");
        assert_eq!(value.as_object().unwrap().keys().collect::<Vec<_>>(), ["a", "b", "n"]);
        assert_eq!(extra.begin().end(), None);
    }
}
