//! Fields in the forms that agents give them.

use crate::adapters::clean::write_content;
use crate::adapters::json::Json;
use crate::adapters::time;

/// A text, or the JSON of anything else.
pub(super) fn text_or_json(value: Json<'_, '_>) -> String {
    value.as_str().map_or_else(
        || {
            let mut out = String::new();
            write_content(value, &mut out);
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
