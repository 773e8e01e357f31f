//! `--since` and `--until`: a date, a time, or how long ago.

use chrono::{DateTime, Days, NaiveDate};

use crate::query::zone::{DAY_US, SECOND_US, Zone};

/// A text that names no time.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{text}` is no time; use 2026-03-01, 2026-03-01T12:00:00Z, today, yesterday, or how long ago: 30m, 24h, 7d, 4w"
)]
pub struct WhenError {
    /// What was given.
    pub text: String,
}

enum When {
    Instant(i64),
    Day(NaiveDate),
}

/// The first instant that `text` means: a day begins at its midnight in `zone`; `7d` are the last
/// seven days, today included.
///
/// # Errors
///
/// A text that names no time.
pub fn since(text: &str, zone: Zone, now_us: i64) -> Result<i64, WhenError> {
    let wrong = || WhenError { text: text.to_owned() };
    match parse(text, zone, now_us).ok_or_else(wrong)? {
        When::Instant(us) => Ok(us),
        When::Day(day) => zone.start_of(day).ok_or_else(wrong),
    }
}

/// The first instant after what `text` means: a day ends where the next begins.
///
/// # Errors
///
/// A text that names no time.
pub fn until(text: &str, zone: Zone, now_us: i64) -> Result<i64, WhenError> {
    let wrong = || WhenError { text: text.to_owned() };
    match parse(text, zone, now_us).ok_or_else(wrong)? {
        When::Instant(us) => Ok(us),
        When::Day(day) => zone.end_of(day).ok_or_else(wrong),
    }
}

fn parse(text: &str, zone: Zone, now_us: i64) -> Option<When> {
    let text = text.trim();
    let today = zone.date(now_us)?;
    match text.to_ascii_lowercase().as_str() {
        "now" => return Some(When::Instant(now_us)),
        "today" => return Some(When::Day(today)),
        "yesterday" => return today.checked_sub_days(Days::new(1)).map(When::Day),
        _ => {}
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Some(When::Instant(time.timestamp_micros()));
    }
    if text.len() == 10
        && let Ok(day) = text.parse::<NaiveDate>()
    {
        return Some(When::Day(day));
    }
    ago(text, today, now_us)
}

fn ago(text: &str, today: NaiveDate, now_us: i64) -> Option<When> {
    let unit = text.chars().last().filter(char::is_ascii_alphabetic)?;
    let count: u32 = text.strip_suffix(unit)?.parse().ok()?;
    let back = |us: i64| now_us.checked_sub(us.checked_mul(i64::from(count))?).map(When::Instant);
    let days = |each: u64| {
        let days = (u64::from(count) * each)
            .saturating_sub(1)
            .min(i64::MAX.cast_unsigned() / 1_000 / (DAY_US / 1_000).cast_unsigned());
        today.checked_sub_days(Days::new(days)).map(When::Day)
    };
    match unit {
        's' => back(SECOND_US),
        'm' => back(60 * SECOND_US),
        'h' => back(3_600 * SECOND_US),
        'd' => days(1),
        'w' => days(7),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let berlin = Zone::named("Europe/Berlin").unwrap();
        // 00:30 on 30 March in Berlin, the night after the clocks went forward; still 29 March in UTC.
        let now = at("2026-03-29T22:30:00Z");
        let since = |text: &str| super::since(text, berlin, now).unwrap();
        let until = |text: &str| super::until(text, berlin, now).unwrap();
        assert_eq!(since("today"), at("2026-03-30T00:00:00+02:00"));
        assert_eq!(until("today"), at("2026-03-31T00:00:00+02:00"));
        assert_eq!(since("yesterday"), at("2026-03-29T00:00:00+01:00"));
        assert_eq!(until("yesterday") - since("yesterday"), 23 * 3_600 * SECOND_US);
        assert_eq!(since("2026-03-29"), since("yesterday"));
        assert_eq!(since("1d"), since("today"));
        assert_eq!(since("7d"), at("2026-03-24T00:00:00+01:00"));
        assert_eq!(since("1w"), since("7d"));
        assert_eq!(since("24h"), now - 24 * 3_600 * SECOND_US);
        assert_eq!(since("90m"), now - 90 * 60 * SECOND_US);
        assert_eq!(until("2026-03-01T12:00:00+01:00"), at("2026-03-01T11:00:00Z"));
    }

    #[test]
    fn nonsense_is_refused_with_examples() {
        for text in ["", "soon", "7x", "d", "-7d", "2026-13-01", "99999999999d", "2026-3-1", "ü"] {
            let error = since(text, Zone::UTC, 0).expect_err(text);
            assert!(error.to_string().contains("24h, 7d"), "{error}");
        }
    }
}
