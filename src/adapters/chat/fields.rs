//! The `extra` column under construction.

use crate::adapters::clean::{Cleaner, is_blank};
use crate::adapters::json::{Json, write_str};

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

const CLEAN: Cleaner = Cleaner::without(&["encrypted_content"]);

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

/// `value` as JSON text without encrypted and binary contents.
pub(in crate::adapters) fn clean_json(value: Json<'_, '_>) -> String {
    CLEAN.json(value)
}

/// Appends `value` as JSON text without encrypted and binary contents.
pub(super) fn write_clean(value: Json<'_, '_>, out: &mut String) {
    CLEAN.write(value, out);
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

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
