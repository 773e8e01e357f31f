//! Timestamps as agents write them.

use chrono::DateTime;

/// Microseconds since 1970 of an RFC 3339 time such as `2026-02-11T18:12:29.875Z`.
///
/// The form that all JavaScript and Rust agents write is read without a library; every other valid
/// form goes through `chrono`. Anything else is `None`, and so are times before 1970 or after 2199: no
/// agent lived then, programs write such times (Go's zero is in the year 1) where they have none.
///
/// ```
/// assert_eq!(devlog::adapters::time::rfc3339_us("1970-01-01T00:00:01.5Z"), Some(1_500_000));
/// ```
#[must_use]
pub fn rfc3339_us(text: &str) -> Option<i64> {
    let us = fixed_form(text.as_bytes())
        .or_else(|| DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_micros()))?;
    (0..YEAR_2200_US).contains(&us).then_some(us)
}

/// The first microsecond of the year 2200.
const YEAR_2200_US: i64 = 84_006 * 86_400_000_000;

fn fixed_form(b: &[u8]) -> Option<i64> {
    let separators = b.len() >= 20
        && b[4] == b'-'
        && b[7] == b'-'
        && b[10] == b'T'
        && b[13] == b':'
        && b[16] == b':'
        && b[b.len() - 1] == b'Z';
    if !separators {
        return None;
    }
    let number = |range: std::ops::Range<usize>| -> Option<i64> {
        b[range].iter().try_fold(0i64, |n, d| d.is_ascii_digit().then(|| n * 10 + i64::from(d - b'0')))
    };
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    if year == 0 || !(1..=12).contains(&month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    if day < 1 || day > longest[usize::try_from(month - 1).ok()?] {
        return None;
    }
    let fraction = &b[19..b.len() - 1];
    let micros = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => {
            let value = number(20..b.len() - 1)?;
            let scale = 10i64.pow(u32::try_from(digits.len()).ok()?);
            value * 1_000_000 / scale
        }
        _ => return None,
    };
    Some((days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second) * 1_000_000 + micros)
}

/// Days between 1970-01-01 and the given day of the Gregorian calendar
/// (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `days_from_civil`).
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Microseconds since 1970 of a Unix time of unknown unit: seconds, milliseconds, microseconds or
/// nanoseconds, told apart by size (valid for 1973 to 5138 in seconds).
#[must_use]
pub const fn unix_us(number: i64) -> i64 {
    match number.unsigned_abs() {
        0..100_000_000_000 => number.saturating_mul(1_000_000),
        100_000_000_000..100_000_000_000_000 => number.saturating_mul(1_000),
        100_000_000_000_000..100_000_000_000_000_000 => number,
        _ => number / 1_000,
    }
}

/// Microseconds since 1970 at which a UUID of version 7 was made.
#[must_use]
pub fn uuid7_us(uuid: &str) -> Option<i64> {
    let b = uuid.as_bytes();
    if b.len() != 36 || b[8] != b'-' || b[14] != b'7' {
        return None;
    }
    let hex = b[..8].iter().chain(&b[9..13]);
    let millis = hex.copied().try_fold(0i64, |n, d| char::from(d).to_digit(16).map(|d| n * 16 + i64::from(d)))?;
    Some(millis * 1_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_fast_form_agrees_with_the_library(us in -62_000_000_000_000_000i64..250_000_000_000_000_000) {
            let time = DateTime::from_timestamp_micros(us).unwrap();
            for format in [chrono::SecondsFormat::Secs, chrono::SecondsFormat::Millis, chrono::SecondsFormat::Micros, chrono::SecondsFormat::Nanos] {
                let text = time.to_rfc3339_opts(format, true);
                let expected = DateTime::parse_from_rfc3339(&text).unwrap().timestamp_micros();
                prop_assert_eq!(fixed_form(text.as_bytes()), Some(expected), "{}", text);
                let lived = (0..YEAR_2200_US).contains(&expected);
                prop_assert_eq!(rfc3339_us(&text), lived.then_some(expected), "{}", text);
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            prop_assert!(rfc3339_us(&text).is_none_or(|us| us.abs() < i64::MAX));
            prop_assert!(uuid7_us(&text).is_none_or(|us| us >= 0));
        }
    }

    #[test]
    fn other_forms_go_through_the_library_and_nonsense_is_none() {
        assert_eq!(rfc3339_us("1970-01-01T01:00:00+01:00"), Some(0));
        assert_eq!(rfc3339_us("2026-02-30T00:00:00Z"), None);
        assert_eq!(rfc3339_us("0001-01-01T00:00:00Z"), None, "no time at all");
        assert_eq!(
            (rfc3339_us("2199-12-31T23:59:59.999999Z"), rfc3339_us("2200-01-01T00:00:00Z")),
            (Some(YEAR_2200_US - 1), None)
        );
        assert_eq!(rfc3339_us("[trimmed]"), None);
        assert_eq!(unix_us(1_767_862_800), unix_us(1_767_862_800_000));
        assert_eq!(uuid7_us("019d7e2f-0000-7000-8000-000000000000"), Some(0x019d_7e2f_0000 * 1_000));
    }
}
