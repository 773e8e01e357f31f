//! The column `extra`: what of a record found no column, as one JSON object.
//!
//! - what says nothing (null, an empty text, list or object) and what is never stored
//!   ([`secret`](super::secret)) is left out, binary data becomes `{sha256, bytes, media_type}`
//! - no key comes twice ([`ObjectWriter`])
//! - the buffers are used again from row to row

use crate::adapters::clean::{RECORD, write_blob, write_text};
use crate::adapters::json::{Json, Members, ObjectWriter, write_str};
use crate::adapters::kit::secret::is_secret;

/// One JSON object under construction, without text until it has a field.
#[derive(Debug, Default, Clone)]
pub(in crate::adapters) struct Extra {
    text: String,
    members: Members,
}

/// What counts: a number, or none.
pub(in crate::adapters) trait Count {
    /// The number.
    fn count(self) -> Option<i64>;
}

impl Count for i64 {
    fn count(self) -> Option<i64> {
        Some(self)
    }
}

impl Count for Option<i64> {
    fn count(self) -> Option<i64> {
        self
    }
}

impl Count for u64 {
    fn count(self) -> Option<i64> {
        Some(i64::try_from(self).unwrap_or(i64::MAX))
    }
}

impl Count for usize {
    fn count(self) -> Option<i64> {
        Some(i64::try_from(self).unwrap_or(i64::MAX))
    }
}

impl Extra {
    /// Starts over.
    pub(in crate::adapters) fn begin(&mut self) -> &mut Self {
        self.text.clear();
        self.members.clear();
        self
    }

    /// Adds what `write` writes as JSON.
    pub(in crate::adapters) fn with(&mut self, key: &str, write: impl FnOnce(&mut String)) -> &mut Self {
        self.write(|object| object.with(key, write))
    }

    fn write(&mut self, fill: impl FnOnce(&mut ObjectWriter<'_>)) -> &mut Self {
        let mut object = ObjectWriter::again(&mut self.text, std::mem::take(&mut self.members));
        fill(&mut object);
        self.members = object.pause();
        self
    }

    /// Adds a text that is not empty.
    pub(in crate::adapters) fn text(&mut self, key: &str, value: &str) -> &mut Self {
        if value.is_empty() { self } else { self.with(key, |out| write_text(value, out)) }
    }

    /// Adds a number, if there is one.
    pub(in crate::adapters) fn number(&mut self, key: &str, value: impl Count) -> &mut Self {
        match value.count() {
            Some(number) => self.write(|object| object.number(key, number)),
            None => self,
        }
    }

    /// Adds a number with a fraction; what is no number is left out.
    pub(in crate::adapters) fn real(&mut self, key: &str, value: f64) -> &mut Self {
        match serde_json::Number::from_f64(value) {
            Some(_) if value.fract() == 0.0 => self.with(key, |out| out.push_str(&format!("{value:.0}"))),
            Some(number) => self.with(key, |out| out.push_str(&number.to_string())),
            None => self,
        }
    }

    /// Adds a value that is JSON text already.
    pub(in crate::adapters) fn raw(&mut self, key: &str, json: &str) -> &mut Self {
        self.with(key, |out| out.push_str(json))
    }

    /// Adds a value, unless it says nothing.
    pub(in crate::adapters) fn value(&mut self, key: &str, value: Json<'_, '_>) -> &mut Self {
        if value.is_blank() || is_secret(key, value) {
            return self;
        }
        self.with(key, |out| RECORD.write(value, out))
    }

    /// Adds the value of a field that may be missing.
    pub(in crate::adapters) fn maybe(&mut self, key: &str, value: Option<Json<'_, '_>>) -> &mut Self {
        match value {
            Some(value) => self.value(key, value),
            None => self,
        }
    }

    /// Adds a list of texts.
    pub(in crate::adapters) fn texts<'t>(&mut self, key: &str, values: impl Iterator<Item = &'t str>) -> &mut Self {
        self.with(key, |out| {
            out.push('[');
            for (i, value) in values.enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_str(value, out);
            }
            out.push(']');
        })
    }

    /// Adds what base64 data is.
    pub(in crate::adapters) fn blob(&mut self, key: &str, base64_text: &str, media_type: &str) -> &mut Self {
        use base64::Engine as _;
        let decoded = base64::engine::general_purpose::STANDARD.decode(base64_text);
        let bytes = decoded.as_deref().unwrap_or(base64_text.as_bytes());
        self.with(key, |out| write_blob(bytes, Some(media_type), out))
    }

    /// Adds every field of `object` that is not named in `used`.
    pub(in crate::adapters) fn rest(&mut self, object: Json<'_, '_>, used: &[&str]) -> &mut Self {
        self.write(|writer| RECORD.rest(object, |key, _| !used.contains(&key), writer))
    }

    /// Adds every text, number and truth value of `object` that is not named in `used`.
    pub(in crate::adapters) fn scalars(&mut self, object: Json<'_, '_>, used: &[&str]) -> &mut Self {
        let plain = |value: Json<'_, '_>| !value.is_array() && !value.is_object();
        self.write(|writer| RECORD.rest(object, |key, value| plain(value) && !used.contains(&key), writer))
    }

    /// Adds the fields of `object`, an ended one or nothing.
    pub(in crate::adapters) fn merge(&mut self, object: &str) -> &mut Self {
        if self.text.ends_with('}') && !self.members.is_empty() {
            self.text.pop();
        }
        let inner = object.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or_default();
        self.write(|writer| writer.inner(inner));
        self.end();
        self
    }

    /// Ends the object; `None` when it has no fields. Nothing may be added before the next
    /// [`begin`](Self::begin).
    pub(in crate::adapters) fn end(&mut self) -> Option<&str> {
        if self.members.is_empty() {
            self.text.clear();
        } else {
            self.text.push('}');
        }
        self.get()
    }

    /// The ended object.
    pub(in crate::adapters) fn get(&self) -> Option<&str> {
        (!self.text.is_empty()).then_some(&*self.text)
    }

    /// Ends the object and hands it out.
    pub(in crate::adapters) fn finish(mut self) -> Option<String> {
        self.end()?;
        Some(self.text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::adapters::line::Parser;

    fn made(line: &str, fill: impl Fn(&mut Extra, Json<'_, '_>)) -> Value {
        let mut extra = Extra::default();
        Parser::default().each(line.as_bytes(), |json| fill(extra.begin(), json)).unwrap();
        extra.end().map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
    }

    fn rest(extra: &mut Extra, json: Json<'_, '_>) {
        extra.rest(json, &[]);
    }

    #[test]
    fn what_says_nothing_what_has_a_column_and_what_is_never_stored_is_left_out() {
        let line = r#"{"a":1,"b":null,"c":[],"d":"","signature":"x","e":{"encrypted_content":"x","f":[{}]},"u":2}"#;
        let found = made(line, |extra, json| {
            extra.rest(json, &["u"]).number("n", 3_i64).number("m", None).text("t", "").real("r", 2.0);
        });
        assert_eq!(found, json!({"a": 1, "e": {"f": [{}]}, "n": 3, "r": 2}));
        assert_eq!(made("{}", rest), Value::Null);
    }

    #[test]
    fn no_key_comes_twice() {
        let found = made(r#"{"model":"a","id":"x","inner":{"k":1,"k":2},"id":"y"}"#, |extra, json| {
            extra.rest(json, &[]).text("model", "a").text("id", "z").number("id", 3_i64);
        });
        assert_eq!(found, json!({"model": "a", "id": "y", "id_2": "z", "id_3": 3, "inner": {"k": 2}}));
    }

    #[test]
    fn ended_objects_are_merged() {
        let mut extra = Extra::default();
        extra.begin().text("a", "x").end();
        extra.merge(r#"{"a":"x","b":[1,{"c":"}, \"d\":"}],"e":2}"#).merge("");
        assert_eq!(extra.get(), Some(r#"{"a":"x","b":[1,{"c":"}, \"d\":"}],"e":2}"#));
        extra.begin().end();
        assert_eq!(extra.merge("").get(), None);
        assert_eq!(extra.merge(r#"{"b":1}"#).get(), Some(r#"{"b":1}"#));
    }
}
