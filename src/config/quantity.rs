//! Sizes and durations as people write them.

use std::time::Duration;

/// A size or duration that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseQuantityError {
    /// No number with a unit of size.
    #[error("{text:?} is not a size; write a number and a unit, such as 500kB, 256MB, 1.5GiB or 10G")]
    Size {
        /// What was given.
        text: String,
    },
    /// No number with a unit of time.
    #[error("{text:?} is not a duration; write a number and a unit, such as 500ms, 30s, 5m, 2h, 7d or 4w")]
    Duration {
        /// What was given.
        text: String,
    },
    /// Larger than 64 bits hold.
    #[error("{text:?} is too large")]
    TooLarge {
        /// What was given.
        text: String,
    },
}

/// Reads a size in bytes: `256MB` (powers of 1000), `256MiB` or `256M` (powers of 1024), `4096`.
///
/// ```
/// use devlog::config::parse_size;
/// assert_eq!(parse_size("256MB"), Ok(256_000_000));
/// assert_eq!(parse_size("1.5 GiB"), Ok(3 << 29));
/// assert!(parse_size("much").is_err());
/// ```
///
/// # Errors
///
/// When there is no number, an unknown unit, or more than 64 bits hold.
pub fn parse_size(text: &str) -> Result<u64, ParseQuantityError> {
    let wrong = || ParseQuantityError::Size { text: text.to_owned() };
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let factor: u64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "t" | "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    scaled(number, factor).ok_or_else(|| ParseQuantityError::TooLarge { text: text.to_owned() })
}

/// Reads a duration: `500ms`, `30s`, `5m`, `2h`, `7d`, `4w`.
///
/// ```
/// use devlog::config::parse_duration;
/// assert_eq!(parse_duration("1.5h").unwrap().as_secs(), 5400);
/// assert!(parse_duration("30").is_err());
/// ```
///
/// # Errors
///
/// When there is no number, no known unit, or more than 64 bits hold.
pub fn parse_duration(text: &str) -> Result<Duration, ParseQuantityError> {
    let wrong = || ParseQuantityError::Duration { text: text.to_owned() };
    let (number, unit) = split(text).ok_or_else(wrong)?;
    let milliseconds: u64 = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 7 * 86_400_000,
        _ => return Err(wrong()),
    };
    let total = scaled(number, milliseconds).ok_or_else(|| ParseQuantityError::TooLarge { text: text.to_owned() })?;
    Ok(Duration::from_millis(total))
}

/// Splits `12.5 MB` into number and unit.
fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let well_formed = number.starts_with(|c: char| c.is_ascii_digit()) && number.matches('.').count() <= 1;
    well_formed.then(|| (number, unit.trim()))
}

/// `number` (digits with at most one point) times `factor`, rounded down, without floats.
fn scaled(number: &str, factor: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole = u128::from(whole.parse::<u64>().ok()?) * u128::from(factor);
    let digits: String = fraction.chars().take(18).collect();
    let part = if digits.is_empty() {
        0
    } else {
        let scale = 10u128.pow(u32::try_from(digits.len()).ok()?);
        u128::from(digits.parse::<u64>().ok()?) * u128::from(factor) / scale
    };
    u64::try_from(whole + part).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whole_numbers_scale_exactly(number in 0u64..1_000_000_000, space in " {0,2}") {
            for (unit, factor) in [("", 1), ("B", 1), ("kB", 1000), ("MB", 1_000_000), ("KiB", 1024), ("g", 1 << 30)] {
                prop_assert_eq!(parse_size(&format!("{number}{space}{unit}")), Ok(number * factor));
            }
            for (unit, ms) in [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)] {
                prop_assert_eq!(parse_duration(&format!("{number}{space}{unit}")), Ok(Duration::from_millis(number * ms)));
            }
        }

        #[test]
        fn any_text_parses_or_is_refused_without_a_panic(text in "\\PC{0,24}") {
            let _ignored = (parse_size(&text).is_ok(), parse_duration(&text).is_ok());
        }

        #[test]
        fn fractions_are_rounded_down(tenths in 0u64..100_000) {
            prop_assert_eq!(parse_size(&format!("{}.{}kB", tenths / 10, tenths % 10)), Ok(tenths * 100));
        }
    }

    #[test]
    fn nonsense_is_refused_with_examples() {
        for text in ["", "MB", "-5MB", "5XB", "1.2.3MB", ".5GB", "five"] {
            assert_eq!(parse_size(text), Err(ParseQuantityError::Size { text: text.to_owned() }), "{text}");
        }
        for text in ["", "5", "s", "-1s", "2 weeks"] {
            assert_eq!(parse_duration(text), Err(ParseQuantityError::Duration { text: text.to_owned() }), "{text}");
        }
        assert!(matches!(parse_size("99999999999TB"), Err(ParseQuantityError::TooLarge { .. })));
    }
}
