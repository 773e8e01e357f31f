//! JSON text of what the editor and its extensions write: binary data is also in byte maps
//! `{"0":137,"1":80,...}` and in byte lists of pasted images.

use crate::adapters::clean::{CONTENT, Cleaner, RECORD};
use crate::adapters::json::{Json, ObjectWriter};

/// What of a record is stored.
pub(super) const CLEAN: Cleaner = RECORD.with_byte_lists().also(&["pendingRequests"]);

/// Appends a value of a record as JSON text.
pub(super) fn write_clean(value: Json<'_, '_>, out: &mut String) {
    CLEAN.write(value, out);
}

/// Appends what was said to a tool or by it as JSON text.
pub(super) fn write_content(value: Json<'_, '_>, out: &mut String) {
    CONTENT.with_byte_lists().write(value, out);
}

/// Writes every field of `object` that is not named in `used` and says something.
pub(super) fn rest(object: Json<'_, '_>, used: &[&str], writer: &mut ObjectWriter<'_>) {
    CLEAN.rest(object, |key, _| !used.contains(&key), writer);
}

/// The JSON object that `fill` writes, or `None` when it stays empty.
pub(super) fn extra(fill: impl FnOnce(&mut ObjectWriter<'_>)) -> Option<String> {
    let mut out = String::new();
    let mut writer = ObjectWriter::new(&mut out);
    fill(&mut writer);
    writer.end().then_some(out)
}
