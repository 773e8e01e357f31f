//! What the text files share: local times, one line after the other, sums that count each line once.

use std::borrow::Cow;

use chrono::{NaiveDateTime, TimeDelta, TimeZone as _};
use chrono_tz::Tz;

use crate::adapters::Line;
use crate::schema::Rows;

/// Microseconds since 1970 of a local time, `2025-10-20 09:12:44` with or without a fraction.
///
/// Of a time that came twice (clocks set back) the first is meant; one that never came (clocks set forward) is taken
/// as an hour later.
pub(super) fn local_us(text: &str, zone: Option<Tz>) -> Option<i64> {
    let shape = b"dddd-dd-ddxdd:dd:dd";
    let fits = |(b, want): (&u8, &u8)| match want {
        b'd' => b.is_ascii_digit(),
        b'x' => matches!(b, b' ' | b'T'),
        other => b == other,
    };
    if text.len() < shape.len() || text.len() > 32 || !text.bytes().zip(shape).all(|(b, w)| fits((&b, w))) {
        return None;
    }
    let text = text.replacen('T', " ", 1);
    let local = NaiveDateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    let zone = zone.unwrap_or(Tz::UTC);
    let there = zone.from_local_datetime(&local).earliest().or_else(|| {
        let later = local.checked_add_signed(TimeDelta::hours(1))?;
        zone.from_local_datetime(&later).earliest()
    })?;
    Some(there.timestamp_micros())
}

/// The text of a line without its carriage return, and how many bytes of it were no UTF-8.
pub(super) fn text_of<'a>(line: &Line<'a>) -> (Cow<'a, str>, u64) {
    let bytes = line.bytes.strip_suffix(b"\r").unwrap_or(line.bytes);
    let bytes = if line.offset == 0 { bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes) } else { bytes };
    let bad: usize = bytes.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    (String::from_utf8_lossy(bytes), bad as u64)
}

/// How far a file has been read.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) read_to: u64,
    /// Lines before this one have made their rows.
    pub(super) high_water: u64,
    /// The line in hand only rebuilds.
    pub(super) replays: bool,
}

impl Progress {
    pub(super) const fn at(resume_at: u64, high_water: u64) -> Self {
        Self { read_to: resume_at, high_water, replays: false }
    }

    /// Takes the next line, and counts it unless it was counted before; false for one that is behind.
    pub(super) fn take(&mut self, line: &Line<'_>, is_ignored: bool, replaced: u64, rows: &mut Rows) -> bool {
        if line.offset < self.read_to {
            return false;
        }
        self.read_to = line.end;
        self.replays = line.offset < self.high_water;
        if !self.replays {
            self.high_water = self.high_water.max(line.end);
            let counts = rows.counts();
            counts.lines += 1;
            counts.replaced_chars += replaced;
            if is_ignored { counts.ignored += 1 } else { counts.line_rows += 1 }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use chrono_tz::Europe::Berlin;

    use super::*;

    #[test]
    fn a_local_time_is_read_in_its_zone_and_clocks_that_are_set_do_not_stop_it() {
        assert_eq!(local_us("1970-01-01 01:00:00", Some(Berlin)), Some(0));
        assert_eq!(local_us("1970-01-01T00:00:01.5", None), Some(1_500_000));
        let noon = |text: &str| local_us(text, Some(Berlin)).unwrap();
        // 02:30 comes twice on 2025-10-26 and never on 2025-03-30.
        assert_eq!(noon("2025-10-26 02:30:00"), noon("2025-10-26 01:30:00") + 3_600_000_000);
        assert_eq!(noon("2025-03-30 02:30:00"), noon("2025-03-30 03:30:00"));
        for bad in
            ["", "2025-13-01 00:00:00", "2025-01-01", "x025-01-01 00:00:00", "2025-01-01 00:00:00 and more of it here"]
        {
            assert_eq!(local_us(bad, None), None, "{bad}");
        }
    }
}
