//! What does the clock on the wall show?
//!
//! Local days and times in one IANA zone.
//!
//! - instants are microseconds since 1970 in UTC; a [`Zone`] only says how they look on a wall
//! - a local day is a half-open range of instants; on the days that clocks change it has 23 or 25 hours

use std::fmt;

use chrono::{DateTime, Days, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone};
use chrono_tz::Tz;

/// Microseconds of one second.
pub const SECOND_US: i64 = 1_000_000;
/// Microseconds of a day without a clock change.
pub const DAY_US: i64 = 86_400 * SECOND_US;
/// Offsets change only at multiples of this (checked per bucket, so an exception costs time, not truth).
const BUCKET_US: i64 = 3_600 * SECOND_US;

/// An IANA time zone.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Zone(Tz);

impl Zone {
    /// Universal time.
    pub const UTC: Self = Self(Tz::UTC);

    /// The zone called `name`, whatever its case; `None` when the IANA database of this build has none.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let name = name.trim();
        let exact = name.parse().ok();
        exact.or_else(|| chrono_tz::TZ_VARIANTS.iter().find(|z| z.name().eq_ignore_ascii_case(name)).copied()).map(Self)
    }

    /// The name in the IANA database.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// The zone as the library of zones knows it.
    #[must_use]
    pub const fn tz(self) -> Tz {
        self.0
    }

    /// Names of all zones, for suggestions.
    pub fn all_names() -> impl Iterator<Item = &'static str> {
        chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name())
    }

    /// Seconds that local time is ahead of UTC at the instant `us`.
    #[must_use]
    pub fn offset_s(self, us: i64) -> i64 {
        let Some(utc) = DateTime::from_timestamp_micros(us) else { return 0 };
        i64::from(self.0.offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc())
    }

    /// Days from 1970-01-01 to the local date at the instant `us`.
    #[must_use]
    pub fn local_day(self, us: i64) -> i32 {
        day_of(us, self.offset_s(us))
    }

    /// The local time at `us`, as the microseconds that the same wall clock has in UTC.
    #[must_use]
    pub fn local_us(self, us: i64) -> i64 {
        us.saturating_add(self.offset_s(us) * SECOND_US)
    }

    /// The local date at `us`.
    #[must_use]
    pub fn date(self, us: i64) -> Option<NaiveDate> {
        DateTime::from_timestamp_micros(self.local_us(us)).map(|t| t.date_naive())
    }

    /// First instant of `day`: midnight, or the moment clocks jumped over it.
    #[must_use]
    pub fn start_of(self, day: NaiveDate) -> Option<i64> {
        self.first_at(day.and_time(NaiveTime::MIN))
    }

    /// First instant whose wall clock shows `local`, or more where the clocks skipped it.
    #[must_use]
    pub fn first_at(self, local: NaiveDateTime) -> Option<i64> {
        match self.0.from_local_datetime(&local) {
            MappedLocalTime::Single(at) => Some(at.timestamp_micros()),
            MappedLocalTime::Ambiguous(first, _) => Some(first.timestamp_micros()),
            MappedLocalTime::None => self.first_after_gap(local),
        }
    }

    /// First instant of the day after `day`.
    #[must_use]
    pub fn end_of(self, day: NaiveDate) -> Option<i64> {
        self.start_of(day.checked_add_days(Days::new(1))?)
    }

    /// First instant whose wall clock shows at least `local`, which the clocks skipped.
    fn first_after_gap(self, local: NaiveDateTime) -> Option<i64> {
        let wall = local.and_utc().timestamp_micros();
        // No offset is beyond 26 hours, so the answer lies between these two.
        let (mut before, mut after) = (wall - 26 * BUCKET_US, wall + 26 * BUCKET_US);
        while after - before > 1 {
            let middle = before + (after - before) / 2;
            if self.local_us(middle) >= wall {
                after = middle;
            } else {
                before = middle;
            }
        }
        Some(after)
    }

    /// The instants `[from, to)` whose local date is the day `days` after 1970-01-01.
    ///
    /// `None` when they are not one range: clocks turned back over midnight, or there is no such day.
    #[must_use]
    pub fn range_of_day(self, days: i32) -> Option<(i64, i64)> {
        let date = NaiveDate::from_num_days_from_ce_opt(days.checked_add(EPOCH_FROM_CE)?)?;
        let (from, to) = (self.start_of(date)?, self.end_of(date)?);
        let clean = |edge: i64, first: i32| {
            (0..16i64).all(|quarter| {
                let step = quarter * BUCKET_US / 4;
                self.local_day(edge + step) >= first && self.local_day(edge - 1 - step) < first
            })
        };
        (from < to && clean(from, days) && clean(to, days + 1)).then_some((from, to))
    }
}

/// Days from 0000-12-31 to 1970-01-01.
const EPOCH_FROM_CE: i32 = 719_163;

fn day_of(us: i64, offset_s: i64) -> i32 {
    let day = us.saturating_add(offset_s * SECOND_US).div_euclid(DAY_US);
    i32::try_from(day).unwrap_or(if day < 0 { i32::MIN } else { i32::MAX })
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Offsets of one zone for many instants: one lookup in the zone's rules per hour that occurs.
#[derive(Debug)]
pub struct Offsets {
    zone: Zone,
    slots: Box<[(i64, Option<i64>); 256]>,
}

impl Offsets {
    /// The offsets of `zone`; none is known yet.
    pub fn new(zone: Zone) -> Self {
        Self { zone, slots: Box::new([(i64::MIN, None); 256]) }
    }

    /// Seconds that local time is ahead of UTC at `us`.
    pub fn offset_s(&mut self, us: i64) -> i64 {
        let bucket = us.div_euclid(BUCKET_US);
        let index = usize::try_from(bucket.rem_euclid(256)).unwrap_or_default();
        let slot = &mut self.slots[index];
        if slot.0 != bucket {
            let first = self.zone.offset_s(bucket * BUCKET_US);
            let last = self.zone.offset_s((bucket + 1) * BUCKET_US - 1);
            *slot = (bucket, (first == last).then_some(first));
        }
        slot.1.unwrap_or_else(|| self.zone.offset_s(us))
    }

    /// Days from 1970-01-01 to the local date at `us`.
    pub fn local_day(&mut self, us: i64) -> i32 {
        day_of(us, self.offset_s(us))
    }

    /// The local time at `us`, as the microseconds that the same wall clock has in UTC.
    pub fn local_us(&mut self, us: i64) -> i64 {
        us.saturating_add(self.offset_s(us) * SECOND_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
    }

    fn days_since_epoch(date: NaiveDate) -> i32 {
        i32::try_from((date - NaiveDate::default()).num_days()).unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn days_of_a_clock_change_have_23_or_25_hours() {
        let hours = |zone: &str, date: &str| {
            let zone = Zone::named(zone).unwrap();
            (zone.end_of(day(date)).unwrap() - zone.start_of(day(date)).unwrap()) / BUCKET_US
        };
        assert_eq!(hours("Europe/Berlin", "2026-03-29"), 23);
        assert_eq!(hours("Europe/Berlin", "2026-10-25"), 25);
        assert_eq!(hours("America/New_York", "2026-03-08"), 23);
        assert_eq!(hours("America/New_York", "2026-11-01"), 25);
        assert_eq!(hours("America/New_York", "2026-11-02"), 24);
    }

    #[test]
    fn a_day_without_midnight_starts_when_the_clocks_jump() {
        // Beirut moved from 00:00 to 01:00 on 2022-03-27.
        let zone = Zone::named("asia/beirut").unwrap();
        assert_eq!(zone.start_of(day("2022-03-27")), Some(at("2022-03-27T01:00:00+03:00")));
        assert_eq!(zone.name(), "Asia/Beirut");
        // Samoa had no 2011-12-30 at all.
        let apia = Zone::named("Pacific/Apia").unwrap();
        assert_eq!(apia.range_of_day(days_since_epoch(day("2011-12-30"))), None);
    }

    #[test]
    fn the_range_of_a_day_holds_exactly_the_instants_with_that_date() {
        for name in ["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "America/Havana", "UTC"] {
            let zone = Zone::named(name).unwrap();
            let first = days_since_epoch(day("2011-12-20"));
            for days in (first..first + 400).chain(20_500..20_800) {
                let Some((from, to)) = zone.range_of_day(days) else { continue };
                for (us, inside) in [(from - 1, false), (from, true), (to - 1, true), (to, false)] {
                    assert_eq!(zone.local_day(us) == days, inside, "{name} {days} {us}");
                }
            }
        }
    }

    #[test]
    fn remembered_offsets_are_the_true_ones() {
        for name in ["Europe/Berlin", "Asia/Kathmandu", "Africa/Monrovia", "Australia/Lord_Howe"] {
            let zone = Zone::named(name).unwrap();
            let mut offsets = Offsets::new(zone);
            for step in 0..40_000i64 {
                let us = (step * 7_919 * 61 - 86_400 * 800) * SECOND_US;
                assert_eq!(offsets.local_us(us), zone.local_us(us), "{name} {us}");
                assert_eq!(offsets.local_day(us), zone.local_day(us));
            }
        }
    }
}
