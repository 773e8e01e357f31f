//! JSON text of what the editor and its extensions write, without what is no content: binary data (also
//! byte maps `{"0":137,"1":80,...}` and byte lists of pasted images), encrypted reasoning, the provider's
//! state markers and account data.

use crate::adapters::clean::Cleaner;
pub(super) use crate::adapters::clean::is_blank;
use crate::adapters::json::{Json, ObjectWriter};

/// Members that are no content.
const DROPPED: &[&str] = &["encrypted", "encrypted_content", "statefulMarker", "auth", "inputState", "accessToken"];

/// Appends `value` as JSON text.
pub(super) fn write_clean(value: Json<'_, '_>, out: &mut String) {
    Cleaner { sealed: DROPPED, byte_lists: true }.write(value, out);
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
