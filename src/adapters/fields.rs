//! The column `extra` of records that are decoded one at a time, and fields in the forms that agents give
//! them.

use std::fmt::Write as _;

use crate::adapters::clean::{Cleaner, is_blank};
use crate::adapters::json::{Json, write_str};
use crate::adapters::time;

/// One JSON object under construction: the column `extra`.
#[derive(Debug, Default)]
pub(super) struct Extra(String);

impl Extra {
    fn key(&mut self, key: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        write_str(key, &mut self.0);
        self.0.push(':');
    }

    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        write_str(value, &mut self.0);
    }

    pub(super) fn number(&mut self, key: &str, value: i64) {
        self.key(key);
        write!(self.0, "{value}").unwrap_or_default();
    }

    pub(super) fn real(&mut self, key: &str, value: f64) {
        self.key(key);
        match serde_json::Number::from_f64(value) {
            Some(number) if value.fract() != 0.0 => write!(self.0, "{number}").unwrap_or_default(),
            Some(_) => write!(self.0, "{value:.0}").unwrap_or_default(),
            None => self.0.push_str("null"),
        }
    }

    /// A value that is JSON text already.
    pub(super) fn json(&mut self, key: &str, value: &str) {
        self.key(key);
        self.0.push_str(value);
    }

    pub(super) fn value(&mut self, key: &str, value: Json<'_, '_>) {
        self.key(key);
        write_clean(value, &mut self.0);
    }

    /// A list of texts.
    pub(super) fn texts<'t>(&mut self, key: &str, values: impl Iterator<Item = &'t str>) {
        self.key(key);
        self.0.push('[');
        for (i, value) in values.enumerate() {
            if i > 0 {
                self.0.push(',');
            }
            write_str(value, &mut self.0);
        }
        self.0.push(']');
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
        (!self.0.is_empty()).then(|| {
            self.0.push('}');
            self.0
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
