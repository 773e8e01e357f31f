//! The column `extra` of records that are decoded one at a time, and fields in the forms that agents give
//! them.

use std::fmt::Write as _;
use std::ops::Range;

use crate::adapters::clean::{Cleaner, is_blank};
use crate::adapters::json::{Json, write_str};
use crate::adapters::time;

/// One JSON object under construction: the column `extra`. Several objects of a record may go into one: a key that
/// comes again with the same value is there once, another value of it gets a number (`key_2`).
#[derive(Debug, Default)]
pub(super) struct Extra {
    text: String,
    /// Keys so far, and where their values stand.
    values: Vec<(String, Range<usize>)>,
}

impl Extra {
    fn put(&mut self, key: &str, write: impl FnOnce(&mut String)) {
        if !self.values.iter().any(|(known, _)| known == key) {
            return self.append(key, write);
        }
        let mut value = String::new();
        write(&mut value);
        let mut number = 1;
        let mut name = key.to_owned();
        while let Some((_, known)) = self.values.iter().find(|(known, _)| *known == name) {
            if self.text.get(known.clone()) == Some(&value) {
                return;
            }
            number += 1;
            name = format!("{key}_{number}");
        }
        self.append(&name, |out| out.push_str(&value));
    }

    fn append(&mut self, key: &str, write: impl FnOnce(&mut String)) {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        write_str(key, &mut self.text);
        self.text.push(':');
        let start = self.text.len();
        write(&mut self.text);
        self.values.push((key.to_owned(), start..self.text.len()));
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.put(key, |out| write_str(value, out));
    }

    pub(super) fn number(&mut self, key: &str, value: i64) {
        self.put(key, |out| write!(out, "{value}").unwrap_or_default());
    }

    pub(super) fn real(&mut self, key: &str, value: f64) {
        self.put(key, |out| match serde_json::Number::from_f64(value) {
            Some(number) if value.fract() != 0.0 => write!(out, "{number}").unwrap_or_default(),
            Some(_) => write!(out, "{value:.0}").unwrap_or_default(),
            None => out.push_str("null"),
        });
    }

    /// A value that is JSON text already.
    pub(super) fn json(&mut self, key: &str, value: &str) {
        self.put(key, |out| out.push_str(value));
    }

    pub(super) fn value(&mut self, key: &str, value: Json<'_, '_>) {
        self.put(key, |out| write_clean(value, out));
    }

    /// A list of texts.
    pub(super) fn texts<'t>(&mut self, key: &str, values: impl Iterator<Item = &'t str>) {
        self.put(key, |out| {
            out.push('[');
            for (i, value) in values.enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_str(value, out);
            }
            out.push(']');
        });
    }

    /// Appends every field of `object` that is not named in `used` and says something.
    pub(super) fn rest(&mut self, object: Json<'_, '_>, used: &[&str]) {
        for (key, value) in object.entries() {
            if !is_blank(value) && !SECRET.contains(&key) && !used.contains(&key) {
                self.value(key, value);
            }
        }
    }

    /// The whole object; `None` when it has no keys.
    pub(super) fn end(mut self) -> Option<String> {
        (!self.text.is_empty()).then(|| {
            self.text.push('}');
            self.text
        })
    }
}

/// Encrypted reasoning and signatures of it.
const SECRET: &[&str] = &["encryptedContent", "encrypted_content", "reasoningOpaque", "thoughtSignature"];

/// Appends `value` as JSON without encrypted content and without blobs.
pub(super) fn write_clean(value: Json<'_, '_>, out: &mut String) {
    Cleaner::without(SECRET).write(value, out);
}

/// A text, or the JSON of anything else.
pub(super) fn text_or_json(value: Json<'_, '_>) -> String {
    value.as_str().map_or_else(
        || {
            let mut out = String::new();
            write_clean(value, &mut out);
            out
        },
        str::to_owned,
    )
}

/// Time in a field: RFC 3339, or a Unix time of any unit.
pub(super) fn time_at(json: Json<'_, '_>, key: &str) -> Option<i64> {
    let value = json.get(key)?;
    value.as_str().and_then(time::rfc3339_us).or_else(|| value.as_i64().map(time::unix_us))
}

/// A number that fits the column.
pub(super) fn small(number: i64) -> Option<i32> {
    i32::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_no_key_twice_and_loses_no_value() {
        let mut extra = Extra::default();
        extra.text("model", "a");
        extra.number("n", 1);
        extra.text("model", "a");
        extra.text("model", "b");
        extra.text("model", "c");
        extra.text("model", "b");
        assert_eq!(extra.end().as_deref(), Some(r#"{"model":"a","n":1,"model_2":"b","model_3":"c"}"#));
        assert_eq!(Extra::default().end(), None);
    }
}
