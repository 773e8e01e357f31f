//! Points in time as people write them: `2026-11-01`, `yesterday`, `7d`, RFC 3339.

use chrono::{DateTime, Datelike, Days, Duration, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

use super::parse_duration;

/// Which side of a range a point bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The first instant: `2026-11-01` is that day's midnight.
    Since,
    /// The instant after the last: `2026-11-01` is the next day's midnight, so the day is in.
    Until,
}

/// A point in time that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a point in time; write 2026-11-01, 2026-11, today, yesterday, 7d (that long ago) or \
     2026-11-01T09:30:00Z"
)]
pub struct ParseWhenError {
    /// What was given.
    pub text: String,
}

/// Reads a point in time as microseconds since 1970, days and months in `zone`.
///
/// ```
/// use devlog::config::{Edge, parse_when};
/// let zone = chrono_tz::Europe::Berlin;
/// let since = parse_when("2026-11-01", Edge::Since, zone, 0).unwrap();
/// let until = parse_when("2026-11-01", Edge::Until, zone, 0).unwrap();
/// assert_eq!(since, 1_793_487_600_000_000);
/// assert_eq!(until - since, 24 * 3_600_000_000);
/// ```
///
/// # Errors
///
/// When the text is none of the forms.
pub fn parse_when(text: &str, edge: Edge, zone: Tz, now_us: i64) -> Result<i64, ParseWhenError> {
    parse(text.trim(), edge, zone, now_us).ok_or_else(|| ParseWhenError { text: text.to_owned() })
}

fn parse(text: &str, edge: Edge, zone: Tz, now_us: i64) -> Option<i64> {
    let now = DateTime::<Utc>::from_timestamp_micros(now_us)?;
    let today = now.with_timezone(&zone).date_naive();
    let day = match text {
        "now" => return Some(now_us),
        "today" => Some(today),
        "yesterday" => today.pred_opt(),
        _ => NaiveDate::parse_from_str(text, "%Y-%m-%d").ok(),
    };
    if let Some(day) = day {
        let first = if edge == Edge::Since { day } else { day.checked_add_days(Days::new(1))? };
        return midnight(first, zone);
    }
    if let Some(first) = NaiveDate::parse_from_str(&format!("{text}-01"), "%Y-%m-%d").ok().filter(|d| d.day() == 1) {
        let first = if edge == Edge::Since { first } else { first.checked_add_months(Months::new(1))? };
        return midnight(first, zone);
    }
    if let Ok(ago) = parse_duration(text) {
        return now_us.checked_sub(i64::try_from(ago.as_micros()).ok()?);
    }
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.timestamp_micros());
    }
    let local = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let local = local.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    instant(local, zone)
}

fn midnight(day: NaiveDate, zone: Tz) -> Option<i64> {
    instant(day.and_time(NaiveTime::MIN), zone)
}

/// The first instant at or after a local time; clocks that jump forward skip some.
fn instant(local: NaiveDateTime, zone: Tz) -> Option<i64> {
    (0..=24 * 4).find_map(|quarters| {
        let shifted = local.checked_add_signed(Duration::minutes(15 * quarters))?;
        zone.from_local_datetime(&shifted).earliest().map(|instant| instant.timestamp_micros())
    })
}

#[cfg(test)]
mod tests {
    use chrono_tz::{America::Sao_Paulo, Europe::Berlin, UTC};

    use super::*;

    const NOON: i64 = 1_795_435_200_000_000; // 2026-11-23T12:00:00Z

    fn text(us: i64) -> String {
        DateTime::from_timestamp_micros(us).unwrap().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
    }

    #[test]
    fn every_form_is_read_in_the_zone() {
        let cases = [
            ("2026-11-01", Edge::Since, "2026-10-31T23:00:00Z"),
            ("2026-11-01", Edge::Until, "2026-11-01T23:00:00Z"),
            ("2026-10", Edge::Since, "2026-09-30T22:00:00Z"),
            ("2026-10", Edge::Until, "2026-10-31T23:00:00Z"),
            ("today", Edge::Since, "2026-11-22T23:00:00Z"),
            ("yesterday", Edge::Since, "2026-11-21T23:00:00Z"),
            ("now", Edge::Since, "2026-11-23T12:00:00Z"),
            ("36h", Edge::Since, "2026-11-22T00:00:00Z"),
            ("7d", Edge::Until, "2026-11-16T12:00:00Z"),
            ("2026-11-01T09:30:00+01:00", Edge::Since, "2026-11-01T08:30:00Z"),
            ("2026-11-01 09:30", Edge::Since, "2026-11-01T08:30:00Z"),
        ];
        for (input, edge, expected) in cases {
            assert_eq!(parse_when(input, edge, Berlin, NOON).map(text), Ok(expected.to_owned()), "{input}");
        }
    }

    #[test]
    fn a_midnight_that_the_clock_skipped_is_the_first_instant_after_it() {
        // Brazil began summer time at midnight of 2018-11-04.
        assert_eq!(
            parse_when("2018-11-04", Edge::Since, Sao_Paulo, NOON).map(text),
            Ok("2018-11-04T03:00:00Z".to_owned())
        );
    }

    #[test]
    fn nonsense_is_refused_with_examples() {
        for input in ["", "soon", "2026-13-01", "2026-02-30", "13/01/2026"] {
            let error = parse_when(input, Edge::Since, UTC, NOON).unwrap_err();
            assert!(error.to_string().contains("yesterday"), "{input}");
        }
    }
}
