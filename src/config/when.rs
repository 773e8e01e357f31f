//! Points in time as people write them: `2026-11-01`, `yesterday`, `last week`, `7d`, RFC 3339.
//!
//! - days, weeks, months and years are whole ones of the user's zone: `7d` is today and the six days before
//! - hours and smaller units count back from now to the microsecond

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveDateTime, Weekday};

use super::parse_duration;
use crate::zone::Zone;

/// Which side of a range a point bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// The first instant: `2026-11-01` is that day's midnight, `7d` the first of the last seven days.
    Since,
    /// The instant after the last: `2026-11-01` is the next day's midnight, so the day is in; `7d` ends
    /// where `Since` begins.
    Until,
    /// The instant before which things are old: `2026-11-01` is that day's midnight, `7d` is exactly so
    /// long ago.
    Before,
}

/// A point in time that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a point in time; write 2026-11-01, 2026-11, today, yesterday, last week, monday, 7d (the last \
     seven days), 36h (that long ago) or 2026-11-01T09:30:00Z"
)]
pub struct ParseWhenError {
    /// What was given.
    pub text: String,
}

/// Reads a point in time as microseconds since 1970, days and months in `zone`.
///
/// ```
/// use devlog::config::{Edge, parse_when};
/// let zone = devlog::zone::Zone::named("Europe/Berlin").unwrap();
/// let since = parse_when("2026-11-01", Edge::Since, zone, 0).unwrap();
/// let until = parse_when("2026-11-01", Edge::Until, zone, 0).unwrap();
/// assert_eq!(since, 1_793_487_600_000_000);
/// assert_eq!(until - since, 24 * 3_600_000_000);
/// ```
///
/// # Errors
///
/// When the text is none of the forms.
pub fn parse_when(text: &str, edge: Edge, zone: Zone, now_us: i64) -> Result<i64, ParseWhenError> {
    parse(text.trim(), edge, zone, now_us).ok_or_else(|| ParseWhenError { text: text.to_owned() })
}

fn parse(text: &str, edge: Edge, zone: Zone, now_us: i64) -> Option<i64> {
    let today = zone.date(now_us)?;
    let lower = text.to_ascii_lowercase();
    if lower == "now" {
        return Some(now_us);
    }
    if let Some((first, next)) = named(&lower, today).or_else(|| calendar(&lower)) {
        return zone.start_of(if edge == Edge::Until { next } else { first });
    }
    if let Some((count, unit)) = whole(&lower) {
        return back(count, unit, edge, today, zone, now_us);
    }
    if let Ok(ago) = parse_duration(&lower) {
        return now_us.checked_sub(i64::try_from(ago.as_micros()).ok()?);
    }
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Some(instant.timestamp_micros());
    }
    let local = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    let local = local.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    zone.first_at(local)
}

/// A range of days: its first, and the one after its last.
type Range = (NaiveDate, NaiveDate);

fn one_day(day: NaiveDate) -> Option<Range> {
    Some((day, day.succ_opt()?))
}

fn month_of(first: NaiveDate) -> Option<Range> {
    Some((first, first.checked_add_months(Months::new(1))?))
}

/// `today`, `last week`, `monday`: ranges that are named from today.
fn named(text: &str, today: NaiveDate) -> Option<Range> {
    let monday = today.week(Weekday::Mon).first_day();
    let month = today.with_day(1)?;
    let january = month.with_month(1)?;
    match text.replace(['-', '_'], " ").as_str() {
        "today" => one_day(today),
        "yesterday" => one_day(today.pred_opt()?),
        "this week" => Some((monday, monday.checked_add_days(Days::new(7))?)),
        "last week" => Some((monday.checked_sub_days(Days::new(7))?, monday)),
        "this month" => month_of(month),
        "last month" => month_of(month.checked_sub_months(Months::new(1))?),
        "this year" => Some((january, january.checked_add_months(Months::new(12))?)),
        "last year" => Some((january.checked_sub_months(Months::new(12))?, january)),
        // The latest one, today included.
        day => {
            let ago = today.weekday().days_since(day.parse().ok()?);
            one_day(today.checked_sub_days(Days::new(ago.into()))?)
        }
    }
}

/// `2026-11-01`, `20261101`, `2026-11`, `2026`.
fn calendar(text: &str) -> Option<Range> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let date = |text: &str, form| NaiveDate::parse_from_str(text, form).ok();
    match text.len() {
        4 if digits => {
            let first = NaiveDate::from_ymd_opt(text.parse().ok()?, 1, 1)?;
            Some((first, first.checked_add_months(Months::new(12))?))
        }
        8 if digits => one_day(date(text, "%Y%m%d")?),
        _ => match date(text, "%Y-%m-%d") {
            Some(day) => one_day(day),
            None => month_of(date(&format!("{text}-01"), "%Y-%m-%d").filter(|first| first.day() == 1)?),
        },
    }
}

/// Units of whole days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Year,
}

/// `7d`, `4w`, `3mo`, `1y`; a fraction of a day is a duration like hours are.
fn whole(text: &str) -> Option<(u32, Unit)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (count, unit) = text.split_at(end);
    let unit = match unit.trim() {
        "d" | "day" | "days" => Unit::Day,
        "w" | "week" | "weeks" => Unit::Week,
        "mo" | "month" | "months" => Unit::Month,
        "y" | "year" | "years" => Unit::Year,
        _ => return None,
    };
    Some((count.parse().ok()?, unit))
}

fn back(count: u32, unit: Unit, edge: Edge, today: NaiveDate, zone: Zone, now_us: i64) -> Option<i64> {
    const DAY_US: i64 = 86_400_000_000;
    if count == 0 {
        return None;
    }
    let months = |each: u32| today.checked_sub_months(Months::new(count.checked_mul(each)?));
    let days = |each: u32| today.checked_sub_days(Days::new(u64::from(count) * u64::from(each)));
    let before = match unit {
        Unit::Day | Unit::Week if edge == Edge::Before => {
            let days = i64::from(count) * if unit == Unit::Day { 1 } else { 7 };
            return now_us.checked_sub(days.checked_mul(DAY_US)?);
        }
        Unit::Day => days(1)?,
        Unit::Week => days(7)?,
        Unit::Month => months(1)?,
        Unit::Year => months(12)?,
    };
    // The last seven days begin on the day after the one that was seven days ago.
    zone.start_of(if edge == Edge::Before { before } else { before.succ_opt()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_795_435_200_000_000; // 2026-11-23T12:00:00Z

    fn zone(name: &str) -> Zone {
        Zone::named(name).unwrap()
    }

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
            ("36H", Edge::Until, "2026-11-22T00:00:00Z"),
            ("1.5d", Edge::Since, "2026-11-22T00:00:00Z"),
            ("1d", Edge::Since, "2026-11-22T23:00:00Z"),
            ("7d", Edge::Since, "2026-11-16T23:00:00Z"),
            ("7days", Edge::Since, "2026-11-16T23:00:00Z"),
            ("1w", Edge::Since, "2026-11-16T23:00:00Z"),
            ("7D", Edge::Until, "2026-11-16T23:00:00Z"),
            ("7d", Edge::Before, "2026-11-16T12:00:00Z"),
            ("4w", Edge::Before, "2026-10-26T12:00:00Z"),
            // Summer time ended in between: days are those of the calendar.
            ("30d", Edge::Since, "2026-10-24T22:00:00Z"),
            ("1mo", Edge::Since, "2026-10-23T22:00:00Z"),
            ("1y", Edge::Since, "2025-11-23T23:00:00Z"),
            ("Yesterday", Edge::Until, "2026-11-22T23:00:00Z"),
            ("last week", Edge::Since, "2026-11-15T23:00:00Z"),
            ("last-week", Edge::Until, "2026-11-22T23:00:00Z"),
            ("this month", Edge::Since, "2026-10-31T23:00:00Z"),
            ("last month", Edge::Until, "2026-10-31T23:00:00Z"),
            ("monday", Edge::Since, "2026-11-22T23:00:00Z"),
            ("Sunday", Edge::Until, "2026-11-22T23:00:00Z"),
            ("tue", Edge::Since, "2026-11-16T23:00:00Z"),
            ("20261101", Edge::Since, "2026-10-31T23:00:00Z"),
            ("2026", Edge::Since, "2025-12-31T23:00:00Z"),
            ("2025", Edge::Until, "2025-12-31T23:00:00Z"),
            ("2026-11-01T09:30:00+01:00", Edge::Since, "2026-11-01T08:30:00Z"),
            ("2026-11-01 09:30", Edge::Since, "2026-11-01T08:30:00Z"),
        ];
        for (input, edge, expected) in cases {
            assert_eq!(
                parse_when(input, edge, zone("Europe/Berlin"), NOON).map(text),
                Ok(expected.to_owned()),
                "{input}"
            );
        }
    }

    #[test]
    fn a_midnight_that_the_clock_skipped_is_the_first_instant_after_it() {
        // Brazil began summer time at midnight of 2018-11-04.
        assert_eq!(
            parse_when("2018-11-04", Edge::Since, zone("America/Sao_Paulo"), NOON).map(text),
            Ok("2018-11-04T03:00:00Z".to_owned())
        );
    }

    #[test]
    fn nonsense_is_refused_with_examples() {
        for input in
            ["", "soon", "2026-13-01", "2026-02-30", "13/01/2026", "0d", "-7d", "7x", "20261301", "99999999999d"]
        {
            let error = parse_when(input, Edge::Since, Zone::UTC, NOON).unwrap_err();
            assert!(error.to_string().contains("yesterday"), "{input}");
        }
    }
}
