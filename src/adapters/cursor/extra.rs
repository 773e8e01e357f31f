//! The `extra` column: every field that found no column, without what is empty, secret or binary.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use crate::adapters::json::{Json, ObjectWriter, write_str};

/// Shorter texts and lists of numbers are kept as they are.
const SMALLEST_BLOB: usize = 256;

/// True for a field whose value must not be stored: keys, tokens, encrypted reasoning.
fn is_secret(key: &str) -> bool {
    let ends = ["EncryptionKey", "encryptionKey", "accessToken", "refreshToken", "apiKey", "encrypted_content"];
    ends.iter().any(|end| key.ends_with(end)) || matches!(key, "encryptedReasoning" | "signature")
}

/// True when there is nothing in it: null, an empty text, or a list or object of such.
pub(super) fn is_blank(value: Json<'_, '_>) -> bool {
    if value.is_array() {
        value.items().all(is_blank)
    } else if value.is_object() {
        value.entries().all(|(_, inner)| is_blank(inner))
    } else {
        value.is_null() || value.as_str() == Some("")
    }
}

/// Adds the fields of `object` that are not in `used`.
pub(super) fn rest(object: Json<'_, '_>, used: &[&str], out: &mut ObjectWriter<'_>) {
    for (key, value) in object.entries() {
        if !used.contains(&key) {
            field(key, value, out);
        }
    }
}

/// Adds the fields of `object` that are texts, numbers or truth values and not in `used`.
pub(super) fn scalars(object: Json<'_, '_>, used: &[&str], out: &mut ObjectWriter<'_>) {
    for (key, value) in object.entries() {
        if !used.contains(&key) && !value.is_array() && !value.is_object() {
            field(key, value, out);
        }
    }
}

/// Adds one field, unless it is blank or secret.
pub(super) fn field(key: &str, value: Json<'_, '_>, out: &mut ObjectWriter<'_>) {
    if !is_blank(value) && !is_secret(key) {
        out.with(key, |out| write_kept(key, value, out));
    }
}

/// Appends `value` as JSON text; `key` is its name.
pub(super) fn write_kept(key: &str, value: Json<'_, '_>, out: &mut String) {
    if let Some((bytes, media_type)) = binary(key, value) {
        let mut object = ObjectWriter::new(out);
        describe(&bytes, media_type, &mut object);
        object.end();
    } else if value.is_object() {
        let mut object = ObjectWriter::new(out);
        rest(value, &[], &mut object);
        object.end();
    } else if value.is_array() {
        out.push('[');
        for (i, item) in value.items().filter(|item| !is_blank(*item)).enumerate() {
            if i > 0 {
                out.push(',');
            }
            write_kept("", item, out);
        }
        out.push(']');
    } else {
        value.write(out);
    }
}

/// The bytes of a picture or file: base64 text, a `data:` URL, or a list of numbers.
fn binary<'i>(key: &str, value: Json<'_, 'i>) -> Option<(Vec<u8>, Option<&'i str>)> {
    if let Some(text) = value.as_str() {
        if text.len() < SMALLEST_BLOB {
            return None;
        }
        if let Some((media_type, rest)) = text.strip_prefix("data:").and_then(|t| t.split_once(";base64,")) {
            return Some((base64(rest)?, Some(media_type)));
        }
        return if matches!(key, "data" | "base64" | "image") { Some((base64(text)?, None)) } else { None };
    }
    if value.len() < SMALLEST_BLOB {
        return None;
    }
    let byte = |item: Json<'_, '_>| u8::try_from(item.as_i64()?).ok();
    let bytes: Option<Vec<u8>> = if value.is_array() {
        value.items().map(byte).collect()
    } else {
        let numbered = |(i, (key, item)): (usize, (&str, Json<'_, '_>))| {
            if key.parse() == Ok(i) { byte(item) } else { None }
        };
        value.entries().enumerate().map(numbered).collect()
    };
    Some((bytes?, None))
}

fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text)).ok()
}

fn describe(bytes: &[u8], media_type: Option<&str>, object: &mut ObjectWriter<'_>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digest = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        digest.push(char::from(DIGITS[usize::from(byte >> 4)]));
        digest.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    object.text("sha256", &digest);
    object.number("bytes", i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    if let Some(media_type) = media_type {
        object.text("media_type", media_type);
    }
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
