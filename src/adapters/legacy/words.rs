//! Words that tell what a line of a log is about, and times as logs write them.

use chrono::NaiveDateTime;

use crate::adapters::time;

/// True when one of `words`, or its plural, stands in `text` by itself.
pub(super) fn has_word(text: &str, words: &[&str]) -> bool {
    text.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| {
        let part = part.strip_suffix(['s', 'S']).filter(|p| p.len() > 2).unwrap_or(part);
        words.iter().any(|word| part.eq_ignore_ascii_case(word))
    })
}

/// A time with a zone, or one without that is taken for UTC; the second value is true for the latter.
pub(super) fn moment(text: &str) -> Option<(i64, bool)> {
    if let Some(us) = time::rfc3339_us(text) {
        return Some((us, false));
    }
    let forms = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"];
    let naive = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())?;
    Some((naive.and_utc().timestamp_micros(), true))
}

/// The time that a line of text begins with, in brackets or not, and what follows.
pub(super) fn leading_time(line: &str) -> Option<((i64, bool), &str)> {
    if let Some((inside, rest)) = line.strip_prefix('[').and_then(|l| l.split_once(']')) {
        return moment(inside.trim()).map(|at| (at, rest.trim_start()));
    }
    // One word, or a date and a time.
    let first = line.split_once(' ');
    let one = first.and_then(|(word, rest)| Some((moment(word)?, rest)));
    one.or_else(|| {
        let (date, rest) = first?;
        let (clock, rest) = rest.split_once(' ')?;
        Some((moment(&format!("{date} {clock}"))?, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_by_themselves() {
        assert!(has_word("[info] AI completion", &["ai"]));
        assert!(has_word("two prompts", &["prompt"]));
        assert!(!has_word("main failed: email", &["ai"]));
        assert!(!has_word("tooltip", &["tool"]));
    }

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        assert_eq!(moment("1970-01-01T00:00:01Z"), Some((1_000_000, false)));
        assert_eq!(moment("1970-01-01 00:00:01.5"), Some((1_500_000, true)));
        assert_eq!(moment("yesterday"), None);
        assert_eq!(leading_time("[1970-01-01 00:00:01] [info] x"), Some(((1_000_000, true), "[info] x")));
        assert_eq!(leading_time("1970-01-01 00:00:01 x y"), Some(((1_000_000, true), "x y")));
        assert_eq!(leading_time("1970-01-01T00:00:01Z x"), Some(((1_000_000, false), "x")));
        assert_eq!(leading_time("no time"), None);
    }
}
