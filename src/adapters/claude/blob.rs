//! JSON text of a value, with base64 data replaced by what it is: digest, size, media type.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest, Sha256};

use crate::adapters::json::{Json, ObjectWriter};

/// Shorter texts are kept as they are.
const SMALLEST_BLOB: usize = 128;

/// Appends `value` as JSON text without its binary contents.
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
        for (key, inner) in value.entries() {
            if matches!(key, "data" | "base64")
                && let Some(bytes) = inner.as_str().and_then(decoded)
            {
                let media_type = value.str_at("media_type").or_else(|| value.str_at("type"));
                object.object(key, |o| describe(&bytes, media_type, o));
            } else {
                object.with(key, |out| write_clean(inner, out));
            }
        }
        object.end();
    } else if let Some((media_type, bytes)) = value.as_str().and_then(data_url) {
        let mut object = ObjectWriter::new(out);
        describe(&bytes, Some(media_type), &mut object);
        object.end();
    } else {
        value.write(out);
    }
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

fn describe(bytes: &[u8], media_type: Option<&str>, object: &mut ObjectWriter<'_>) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digest = Sha256::digest(bytes);
    object.with("sha256", |out| {
        out.push('"');
        for byte in digest {
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        out.push('"');
    });
    object.number("bytes", i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    if let Some(media_type) = media_type {
        object.text("media_type", media_type);
    }
}
