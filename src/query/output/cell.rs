//! One value as text for people.

use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::DateTime;

use crate::query::zone::{Offsets, Zone};

/// The values of one batch.
pub(crate) struct Cells<'a> {
    columns: Vec<Source<'a>>,
}

enum Source<'a> {
    /// Instants, shown in local time.
    Time(&'a arrow::array::TimestampMicrosecondArray, Offsets),
    Other(&'a ArrayRef, ArrayFormatter<'a>),
}

const FORMAT: FormatOptions<'static> = FormatOptions::new();

impl<'a> Cells<'a> {
    pub(crate) fn new(batch: &'a RecordBatch, zone: Zone) -> Result<Self, ArrowError> {
        let source = |column: &'a ArrayRef| match column.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
                let times = column.as_primitive::<TimestampMicrosecondType>();
                Ok(Source::Time(times, Offsets::new(zone)))
            }
            _ => Ok(Source::Other(column, ArrayFormatter::try_new(column, &FORMAT)?)),
        };
        Ok(Self { columns: batch.columns().iter().map(source).collect::<Result<_, ArrowError>>()? })
    }

    /// Replaces `out` by the value; false when it is null.
    pub(crate) fn read(&mut self, column: usize, row: usize, out: &mut String) -> Result<bool, ArrowError> {
        out.clear();
        match &mut self.columns[column] {
            Source::Time(times, _) if times.is_null(row) => return Ok(false),
            Source::Time(times, offsets) => {
                let local = DateTime::from_timestamp_micros(offsets.local_us(times.value(row)));
                // A time outside the calendar is shown as its number.
                let written = match local {
                    Some(time) => write!(out, "{}", time.format("%Y-%m-%d %H:%M:%S")),
                    None => write!(out, "{}", times.value(row)),
                };
                written.map_err(|_| ArrowError::CastError("cannot show a time".to_owned()))?;
            }
            Source::Other(values, _) if values.is_null(row) => return Ok(false),
            Source::Other(_, formatter) => formatter.value(row).write(out)?,
        }
        Ok(true)
    }
}

/// True for columns that are shown to the right.
pub(crate) fn is_number(kind: &DataType) -> bool {
    kind.is_numeric() || matches!(kind, DataType::Decimal128(..) | DataType::Duration(_))
}

/// True for columns that make no sense when cut.
pub(crate) fn is_rigid(kind: &DataType) -> bool {
    is_number(kind) || kind.is_temporal() || *kind == DataType::Boolean
}

/// Columns that a character takes on a terminal; an approximation of Unicode's East Asian widths.
pub(crate) const fn char_width(c: char) -> usize {
    match c as u32 {
        0x0300..=0x036F | 0x200B..=0x200F | 0x20D0..=0x20FF | 0xFE00..=0xFE0F | 0xFEFF => 0,
        0x1100..=0x115F
        | 0x2E80..=0x303E
        | 0x3041..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1F64F
        | 0x1F680..=0x1F6FF
        | 0x1F900..=0x1F9FF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

/// Columns that `text` takes on a terminal.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// `text` on one line without anything that a terminal obeys, at most `limit` columns wide.
///
/// Line ends become `↵`, other control characters their symbols, characters that reverse the
/// direction of writing `�`. A cut text ends in `…`.
pub(crate) fn clean(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit * 2));
    let mut used = 0;
    // Where to cut when the text turns out to be too wide.
    let mut fits = 0;
    for c in text.chars() {
        let shown = symbol(c);
        used += char_width(shown);
        if used > limit {
            out.truncate(fits);
            out.push('…');
            return out;
        }
        out.push(shown);
        if used < limit {
            fits = out.len();
        }
    }
    out
}

/// What stands for `c` on a terminal.
pub(crate) fn symbol(c: char) -> char {
    match c {
        '\n' => '↵',
        '\t' => ' ',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('�'),
        '\u{7f}' => '␡',
        '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' => '�',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_columns_and_keeps_its_last_one_for_the_sign() {
        assert_eq!(clean("abcdef", 6), "abcdef");
        assert_eq!(clean("abcdefg", 6), "abcde…");
        assert_eq!(clean("日本語", 6), "日本語");
        assert_eq!(clean("日本語です", 6), "日本…");
        assert_eq!(clean("日本語", 4), "日…");
        assert!(width(&clean("日本語です", 6)) <= 6);
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let all: String = (0..0x3000u32).filter_map(char::from_u32).collect();
        let shown = clean(&all, 100_000);
        assert!(!shown.chars().any(|c| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)));
        assert_eq!(clean("\u{1b}[31mred\r\n", 20), "␛[31mred␍↵");
    }
}
