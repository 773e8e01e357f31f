//! Counts that can be counts.
//!
//! A log may say any number, and one that is next to the largest of 64 bits makes a sum over all rows wrap.
//! What no call can have taken is no count: the column stays empty, and `extra` keeps the number.

use std::fmt::Write as _;

use super::EventRow;

/// No call takes more tokens, and none lasts longer in milliseconds (31 years): so many rows as there ever
/// are can be added up.
pub(crate) const LARGEST: i64 = 1_000_000_000_000;

/// The columns of counts.
type Column = (&'static str, fn(&EventRow<'_>) -> Option<i64>, fn(&mut EventRow<'_>));

const COLUMNS: [Column; 8] = [
    ("input_tokens", |row| row.input_tokens, |row| row.input_tokens = None),
    ("cache_read_tokens", |row| row.cache_read_tokens, |row| row.cache_read_tokens = None),
    ("cache_write_5m_tokens", |row| row.cache_write_5m_tokens, |row| row.cache_write_5m_tokens = None),
    ("cache_write_1h_tokens", |row| row.cache_write_1h_tokens, |row| row.cache_write_1h_tokens = None),
    ("output_tokens", |row| row.output_tokens, |row| row.output_tokens = None),
    ("reasoning_tokens", |row| row.reasoning_tokens, |row| row.reasoning_tokens = None),
    ("total_tokens", |row| row.total_tokens, |row| row.total_tokens = None),
    ("duration_ms", |row| row.duration_ms, |row| row.duration_ms = None),
];

fn is_possible(count: Option<i64>) -> bool {
    count.is_none_or(|count| (0..=LARGEST).contains(&count))
}

/// `extra` with the counts of `row` that are none, under `impossible_counts`; `None` when all can be.
pub(crate) fn impossible(row: &EventRow<'_>) -> Option<String> {
    if COLUMNS.iter().all(|(_, of, _)| is_possible(of(row))) {
        return None;
    }
    let wrong =
        COLUMNS.iter().filter_map(|(name, of, _)| of(row).filter(|n| !is_possible(Some(*n))).map(|n| (name, n)));
    let mut numbers = String::new();
    for (name, number) in wrong {
        let comma = if numbers.is_empty() { "" } else { "," };
        // Writing to a text cannot fail.
        let _done = write!(numbers, "{comma}\"{name}\":{number}");
    }
    let rest = row.extra.and_then(|extra| extra.strip_prefix('{')).and_then(|extra| extra.strip_suffix('}'));
    let (rest, comma) = rest.filter(|rest| !rest.trim().is_empty()).map_or(("", ""), |rest| (rest, ","));
    Some(format!("{{{rest}{comma}\"impossible_counts\":{{{numbers}}}}}"))
}

/// The row without the counts that are none.
pub(crate) fn possible<'a>(row: &EventRow<'a>) -> EventRow<'a> {
    let mut possible = *row;
    for (_, of, clear) in COLUMNS {
        if !is_possible(of(row)) {
            clear(&mut possible);
        }
    }
    possible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_are_no_counts_go_to_extra_and_the_others_stay() {
        let usual = EventRow { input_tokens: Some(LARGEST), duration_ms: Some(0), ..EventRow::default() };
        assert_eq!(impossible(&usual), None);
        let row = EventRow {
            input_tokens: Some(3),
            output_tokens: Some(i64::MAX - 2),
            duration_ms: Some(-1),
            extra: Some("{\"a\":1}"),
            ..EventRow::default()
        };
        let extra = impossible(&row).unwrap();
        let wrong = "{\"output_tokens\":9223372036854775805,\"duration_ms\":-1}";
        assert_eq!(extra, format!("{{\"a\":1,\"impossible_counts\":{wrong}}}"));
        for none in [None, Some("{}")] {
            let extra = impossible(&EventRow { extra: none, ..row }).unwrap();
            assert_eq!(extra, format!("{{\"impossible_counts\":{wrong}}}"));
        }
        let left = possible(&row);
        assert_eq!(
            (left.input_tokens, left.output_tokens, left.duration_ms, left.total()),
            (Some(3), None, None, Some(3))
        );
    }
}
