//! The `extra` column: every field that found no column. Cursor writes many fields that say nothing.

pub(super) use crate::adapters::clean::is_empty as is_blank;
use crate::adapters::clean::{CONTENT, Cleaner, RECORD};
use crate::adapters::json::{Json, ObjectWriter, write_str};

const CLEAN: Cleaner = RECORD.with_byte_lists().sparse();

/// Adds the fields of `object` that are not in `used`.
pub(super) fn rest(object: Json<'_, '_>, used: &[&str], out: &mut ObjectWriter<'_>) {
    CLEAN.rest(object, |key, _| !used.contains(&key), out);
}

/// Adds the fields of `object` that are texts, numbers or truth values and not in `used`.
pub(super) fn scalars(object: Json<'_, '_>, used: &[&str], out: &mut ObjectWriter<'_>) {
    CLEAN.rest(object, |key, value| !used.contains(&key) && !value.is_array() && !value.is_object(), out);
}

/// Adds one field, unless it is blank or secret.
pub(super) fn field(key: &str, value: Json<'_, '_>, out: &mut ObjectWriter<'_>) {
    CLEAN.field(key, value, out);
}

/// Appends what was said to a tool or by it as JSON text.
pub(super) fn write_content(value: Json<'_, '_>, out: &mut String) {
    CONTENT.with_byte_lists().write(value, out);
}

/// `text` as JSON: itself when it is a JSON value already, else as a JSON text.
pub(super) fn as_json(text: &str) -> String {
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok() {
        return text.to_owned();
    }
    let mut out = String::new();
    write_str(text, &mut out);
    out
}
