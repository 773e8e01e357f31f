//! JSON text of what the editor and its extensions write, without what is no content.
//!
//! - binary data becomes `{sha256, bytes, media_type}`: base64 under `data`, `base64Data` and in `data:`
//!   URLs, byte maps (`{"0":137,"1":80,...}`) and byte lists of pasted images
//! - encrypted reasoning, the provider's state markers and account data are left out

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::adapters::json::{Json, ObjectWriter};

/// Shorter data stays as it is.
const BLOB_BYTES: usize = 128;

/// Members that are no content.
const DROPPED: [&str; 6] = ["encrypted", "encrypted_content", "statefulMarker", "auth", "inputState", "accessToken"];

/// Appends `value` as JSON text.
pub(super) fn write_clean(value: Json<'_, '_>, out: &mut String) {
    if let Some(bytes) = byte_values(value) {
        let mut object = ObjectWriter::new(out);
        describe(&bytes, None, &mut object);
        object.end();
    } else if value.is_array() {
        out.push('[');
        for (i, item) in value.items().enumerate() {
            if i > 0 {
                out.push(',');
            }
            write_clean(item, out);
        }
        out.push(']');
    } else if value.is_object() {
        let media_type = ["mimeType", "media_type", "mime"].iter().find_map(|key| value.str_at(key));
        let mut object = ObjectWriter::new(out);
        for (key, inner) in value.entries().filter(|(key, _)| !DROPPED.contains(key)) {
            let data = matches!(key, "data" | "base64Data" | "base64" | "value");
            match inner.as_str().filter(|_| data).and_then(decoded) {
                Some(bytes) if key != "value" || media_type.is_some() => {
                    object.object(key, |o| describe(&bytes, media_type, o));
                }
                _ => object.with(key, |out| write_clean(inner, out)),
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

/// The bytes of a list of bytes, or of a map from index to byte, if it is a long one.
fn byte_values(value: Json<'_, '_>) -> Option<Vec<u8>> {
    if value.len() < BLOB_BYTES {
        return None;
    }
    let byte = |v: Json<'_, '_>| v.as_i64().and_then(|n| u8::try_from(n).ok());
    if value.is_array() {
        return value.items().map(byte).collect();
    }
    let mut bytes = vec![None; value.len()];
    for (key, v) in value.entries() {
        *bytes.get_mut(key.parse::<usize>().ok()?)? = Some(byte(v)?);
    }
    bytes.into_iter().collect()
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    if text.len() < BLOB_BYTES {
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
    use std::fmt::Write as _;
    let digest = Sha256::digest(bytes);
    object.with("sha256", |out| {
        out.push('"');
        digest.iter().for_each(|byte| write!(out, "{byte:02x}").unwrap_or_default());
        out.push('"');
    });
    object.number("bytes", i64::try_from(bytes.len()).unwrap_or(i64::MAX));
    if let Some(media_type) = media_type {
        object.text("media_type", media_type);
    }
}

/// True for what says nothing: null, empty text, list or object.
pub(super) fn is_blank(value: Json<'_, '_>) -> bool {
    value.is_null()
        || ((value.is_array() || value.is_object()) && value.is_empty())
        || value.as_str().is_some_and(str::is_empty)
}

/// Writes every member of `object` that is not named in `used` and says something.
pub(super) fn rest(object: Json<'_, '_>, used: &[&str], writer: &mut ObjectWriter<'_>) {
    for (key, value) in object.entries() {
        if !used.contains(&key) && !DROPPED.contains(&key) && !is_blank(value) {
            writer.with(key, |out| write_clean(value, out));
        }
    }
}

/// The JSON object that `fill` writes, or `None` when it stays empty.
pub(super) fn extra(fill: impl FnOnce(&mut ObjectWriter<'_>)) -> Option<String> {
    let mut out = String::new();
    let mut writer = ObjectWriter::new(&mut out);
    fill(&mut writer);
    writer.end().then_some(out)
}
