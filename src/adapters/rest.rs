//! `extra` and `tool_input`: what found no column, as JSON without binary contents and signatures.

use crate::adapters::clean::{Cleaner, write_text};
use crate::adapters::json::{Json, write_str};

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

const CLEAN: Cleaner = Cleaner::without(SEALED);

/// Appends what a tool was given or has answered as JSON text without binary contents: no name in it is
/// the provider's.
pub(super) fn write_clean(value: Json<'_, '_>, out: &mut String) {
    Cleaner::without(&[]).write(value, out);
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

    /// Adds a number with a fraction.
    pub(super) fn real(&mut self, key: &str, value: f64) -> &mut Self {
        if let Some(number) = serde_json::Number::from_f64(value) {
            let text = number.to_string();
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
        self.filled(key, |out| CLEAN.write(value, out))
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
                self.filled(key, |out| CLEAN.write_member(object, key, value, out));
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
        use base64::Engine as _;
        let blob = base64::engine::general_purpose::STANDARD.encode([7u8; 200]);
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

    #[test]
    fn what_a_tool_says_of_a_signature_is_content() {
        let mut out = String::new();
        let line = br#"{"signature":"fn a(b: u8)","encrypted_content":"x"}"#;
        Parser::default().each(line, |json| write_clean(json, &mut out)).unwrap();
        assert_eq!(out.as_bytes(), line);
    }
}
