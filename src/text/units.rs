//! Numbers as people read them.

use std::time::Duration;

/// `1.5 MB`: powers of 1000, three digits.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    // In tenths, so that no float rounds 999,999 up to "1000.0 kB".
    let mut tenths = u128::from(bytes) * 10;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1000;
        unit += 1;
    }
    if tenths >= 1000 {
        format!("{} {}", tenths / 10, UNITS[unit])
    } else {
        format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
    }
}

/// `1,234,567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `count` of a thing, with its name: `1 file`, `2 files`.
pub(crate) fn counted(number: u64, one: &str) -> String {
    format!("{} {one}{}", count(number), if number == 1 { "" } else { "s" })
}

/// The two largest parts: `2d 3h`, `4m 5s`, `1.2s`, `30ms`.
pub(crate) fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.as_millis() < 1000 && duration.as_millis() > 0 => format!("{}ms", duration.as_millis()),
        0 => "0s".to_owned(),
        1..10 => format!("{seconds}.{}s", duration.subsec_millis() / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h {}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d {}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `5m 3s ago`; a time to come is `now`.
pub(crate) fn ago(then_us: i64, now_us: i64) -> String {
    match u64::try_from(now_us.saturating_sub(then_us)) {
        Ok(us) if us >= 1_000_000 => format!("{} ago", duration(Duration::from_secs(us / 1_000_000))),
        _ => "now".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_at_most_three_digits() {
        for (input, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1_540, "1.5 kB"),
            (99_900, "99.9 kB"),
            (999_999, "999 kB"),
            (256_000_000, "256 MB"),
            (u64::MAX, "18446 PB"),
        ] {
            assert_eq!(bytes(input), text, "{input}");
        }
    }

    #[test]
    fn counts_are_grouped_and_durations_have_two_parts() {
        assert_eq!((count(0), count(1234), count(12_345_678)), ("0".into(), "1,234".into(), "12,345,678".into()));
        assert_eq!((counted(1, "file"), counted(0, "file")), ("1 file".into(), "0 files".into()));
        for (ms, text) in [
            (0, "0s"),
            (30, "30ms"),
            (1250, "1.2s"),
            (59_000, "59s"),
            (61_000, "1m 1s"),
            (7_500_000, "2h 5m"),
            (180_000_000, "2d 2h"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), text, "{ms}");
        }
        assert_eq!((ago(0, 61_000_000), ago(5, 0)), ("1m 1s ago".into(), "now".into()));
    }
}
