//! What names a record that has no id of its own: its values, in a form that does not depend on how JSON is
//! written.
//!
//! The bytes are hashed into event ids, so they are a contract: a change of the form is a new [`VERSION`], and new
//! ids for all such records.
//!
//! - spaces, escapes, the order of fields and the way a number is written (`2`, `2.0`, `2e0`) do not matter
//! - a field that is null or empty is none: newer versions of an agent write fields that older ones left out

use crate::adapters::json::Json;

/// First byte of every content.
const VERSION: u8 = 1;

/// The content of a record under construction.
#[derive(Debug, Clone)]
pub(in crate::adapters) struct Content(Vec<u8>);

impl Default for Content {
    fn default() -> Self {
        Self(vec![VERSION])
    }
}

impl Content {
    /// The content of one value.
    pub(in crate::adapters) fn of(value: Json<'_, '_>) -> Self {
        let mut content = Self::default();
        content.value(value);
        content
    }

    /// Starts over.
    pub(in crate::adapters) fn begin(&mut self) -> &mut Self {
        self.0.truncate(1);
        self
    }

    /// Adds a text.
    pub(in crate::adapters) fn text(&mut self, text: &str) -> &mut Self {
        self.0.push(b's');
        self.0.extend_from_slice(&(text.len() as u64).to_le_bytes());
        self.0.extend_from_slice(text.as_bytes());
        self
    }

    /// Adds a value.
    pub(in crate::adapters) fn value(&mut self, value: Json<'_, '_>) -> &mut Self {
        if let Some(text) = value.as_str() {
            return self.text(text);
        }
        if value.is_object() {
            return self.fields(value, |_| true);
        }
        if value.is_array() {
            self.0.push(b'a');
            for item in value.items() {
                self.value(item);
            }
            self.0.push(b'z');
        } else if let Some(truth) = value.as_bool() {
            self.0.push(if truth { b't' } else { b'f' });
        } else if let Some(number) = value.as_integer() {
            self.0.push(b'i');
            self.0.extend_from_slice(&number.to_le_bytes());
        } else if let Some(number) = value.as_f64() {
            self.0.push(b'd');
            self.0.extend_from_slice(&number.to_bits().to_le_bytes());
        } else {
            self.0.push(b'n');
        }
        self
    }

    /// Adds the fields of an object that are not empty and that `counts` accepts.
    pub(in crate::adapters) fn fields(&mut self, object: Json<'_, '_>, counts: impl Fn(&str) -> bool) -> &mut Self {
        let mut fields: Vec<_> = object.entries().filter(|(key, value)| !value.is_blank() && counts(key)).collect();
        fields.sort_by_key(|(key, _)| *key);
        self.0.push(b'o');
        for (i, (key, value)) in fields.iter().enumerate() {
            // Of equal keys the last one counts.
            if fields.get(i + 1).is_none_or(|(next, _)| next != key) {
                self.text(key).value(*value);
            }
        }
        self.0.push(b'z');
        self
    }

    /// What is hashed.
    pub(in crate::adapters) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::line::Parser;

    fn of(line: &str) -> Vec<u8> {
        let mut content = Content::default();
        Parser::default().each(line.as_bytes(), |json| content = Content::of(json)).unwrap();
        content.bytes().to_vec()
    }

    #[test]
    fn the_form_never_changes() {
        let hash = blake3::hash(&of(r#"{"b":[1,-2.5,true,null],"a":"é","c":{"d":false}}"#));
        assert_eq!(hash.to_hex().get(..16), Some("753d977242856d80"));
    }

    #[test]
    fn how_a_record_is_written_does_not_matter() {
        let plain = of(r#"{"a":"x/é","n":2,"list":[{"b":1,"c":2}]}"#);
        for same in [
            r#" { "n" : 2.0, "list": [ {"c":2, "b":1} ], "a": "x\/\u00e9" } "#,
            r#"{"a":"old","n":2e0,"list":[{"b":1,"c":2}],"a":"x/é"}"#,
            r#"{"a":"x/é","n":2,"list":[{"b":1,"c":2,"d":null,"e":[]}],"f":"","g":{}}"#,
        ] {
            assert_eq!(of(same), plain, "{same}");
        }
    }

    #[test]
    fn what_a_record_says_does() {
        let all = [
            "{}",
            "[]",
            "null",
            "0",
            "1",
            "-1",
            "1.5",
            "true",
            "false",
            r#""""#,
            r#""1""#,
            "[1]",
            "[[1]]",
            "[1,null]",
            "[null,1]",
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":[1]}"#,
            r#"["a",1]"#,
            r#"[{"a":1},{"b":2}]"#,
            r#"[{"a":1,"b":2}]"#,
            "18446744073709551615",
            "-9223372036854775808",
        ];
        for (i, one) in all.iter().enumerate() {
            for other in all.iter().skip(i + 1) {
                assert_ne!(of(one), of(other), "{one} and {other}");
            }
        }
    }
}
