//! Values at pointers, as the columns of `events` hold them.

use std::borrow::Cow;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeZone};
use chrono_tz::Tz;

use crate::adapters::json::Json;
use crate::adapters::time;
use crate::schema::{Condition, Constant, Pointer, Test, TimeFormat};

/// The value that `pointer` leads to.
pub(super) fn at<'t, 'i>(json: Json<'t, 'i>, pointer: &Pointer) -> Option<Json<'t, 'i>> {
    pointer.0.iter().try_fold(json, |json, part| {
        if json.is_array() {
            part.parse().ok().and_then(|index: usize| json.items().nth(index))
        } else {
            json.get(part)
        }
    })
}

/// True when the condition holds for `record`.
pub(super) fn holds(record: Json<'_, '_>, condition: &Condition) -> bool {
    let value = at(record, &condition.pointer).filter(|value| !value.is_null());
    match &condition.test {
        Test::Exists(wanted) => value.is_some() == *wanted,
        Test::OneOf(all) => value.is_some_and(|value| all.iter().any(|constant| equals(value, constant))),
    }
}

fn equals(value: Json<'_, '_>, constant: &Constant) -> bool {
    match constant {
        Constant::Text(text) => value.as_str() == Some(text),
        Constant::Integer(number) => value.as_i64() == Some(*number),
        Constant::Float(number) => value.as_f64() == Some(*number),
        Constant::Bool(is) => value.as_bool() == Some(*is),
    }
}

/// Text of a string; anything else as JSON.
pub(super) fn text<'i>(value: Json<'_, 'i>) -> Cow<'i, str> {
    value.as_str().map_or_else(|| Cow::Owned(value.to_json()), Cow::Borrowed)
}

/// JSON text: a string that is an object or array itself (arguments of tools often are) stays as it is.
pub(super) fn json(value: Json<'_, '_>) -> String {
    let inner = value.as_str().filter(|text| text.trim_start().starts_with(['{', '[']));
    let inner = inner.filter(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    inner.map_or_else(|| value.to_json(), str::to_owned)
}

/// A whole number, also one written as text.
pub(super) fn number(value: Json<'_, '_>) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the bounds keep the value in range")]
    let rounded = |number: f64| (number.is_finite() && number.abs() < 9e15).then_some(number.round() as i64);
    value
        .as_i64()
        .or_else(|| value.as_f64().and_then(rounded))
        .or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()))
}

/// A number, also one written as text.
pub(super) fn decimal(value: Json<'_, '_>) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()))
}

/// Billionths of a number.
pub(super) fn nano(number: f64) -> Option<i64> {
    let nano = number * 1e9;
    #[expect(clippy::cast_possible_truncation, reason = "the bound keeps the value in range")]
    (nano.is_finite() && nano.abs() < 9e17).then_some(nano.round() as i64)
}

/// A truth value, also as number or text.
pub(super) fn truth(value: Json<'_, '_>) -> Option<bool> {
    value.as_bool().or_else(|| match (value.as_i64(), value.as_str()) {
        (Some(0), _) | (_, Some("false" | "no" | "0")) => Some(false),
        (Some(1), _) | (_, Some("true" | "yes" | "1")) => Some(true),
        _ => None,
    })
}

/// A time in microseconds since 1970.
pub(super) fn time_us(value: Json<'_, '_>, format: &TimeFormat) -> Option<i64> {
    match format {
        TimeFormat::Rfc3339 => time::rfc3339_us(value.as_str()?),
        TimeFormat::Auto(zone) => match value.as_str().map(str::trim) {
            Some(text) => time::rfc3339_us(text).or_else(|| zoneless_us(text, *zone)).or_else(|| sized_us(text)),
            None => value.as_i64().map(time::unix_us).or_else(|| unix_us(value, 1)),
        },
        TimeFormat::Unix(per_second) => unix_us(value, *per_second),
        TimeFormat::Pattern(pattern, zone) => {
            let text = value.as_str()?.trim();
            if let Ok(time) = DateTime::parse_from_str(text, pattern) {
                return Some(time.timestamp_micros());
            }
            let local = NaiveDateTime::parse_from_str(text, pattern).ok();
            let local = local.or_else(|| NaiveDate::parse_from_str(text, pattern).ok()?.and_hms_opt(0, 0, 0))?;
            local_us(local, *zone)
        }
    }
}

/// A time that comes twice, when clocks go back, is the earlier one.
fn local_us(local: NaiveDateTime, zone: Tz) -> Option<i64> {
    zone.from_local_datetime(&local).earliest().map(|time| time.timestamp_micros())
}

/// `2026-05-01T10:00:00.123456` or `2026-05-01 10:00:00`, by the clocks of `zone`. Times before 1970 are those of
/// programs that have none.
fn zoneless_us(text: &str, zone: Tz) -> Option<i64> {
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
    let local = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    local_us(local, zone).filter(|us| *us >= 0)
}

/// A Unix time written as text; the size of a whole number tells its unit, one with a fraction counts seconds.
fn sized_us(text: &str) -> Option<i64> {
    text.parse().ok().map(time::unix_us).or_else(|| seconds_us(text.parse().ok()?, 1))
}

fn unix_us(value: Json<'_, '_>, per_second: i64) -> Option<i64> {
    let whole = value.as_i64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
    if let Some(whole) = whole {
        return whole.checked_mul(1_000_000 / per_second);
    }
    seconds_us(decimal(value)?, per_second)
}

/// Microseconds of a number of units, so many of which are a second.
fn seconds_us(number: f64, per_second: i64) -> Option<i64> {
    #[expect(clippy::cast_precision_loss, reason = "a million at most")]
    let us = number * 1e6 / per_second as f64;
    #[expect(clippy::cast_possible_truncation, reason = "the bound keeps the value in range")]
    (us.is_finite() && us.abs() < 9e17).then_some(us.round() as i64)
}
