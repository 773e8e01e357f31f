//! A report as aligned columns that fit the screen.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::{DataType, Field};

use super::ReportKind;
use super::options::ReportOptions;
use crate::query::output::{Cell, Cells, Column, Grid, OutputError, is_number, is_rigid};
use crate::text::clean;
use crate::zone::Zone;

/// Columns that are in the answer for the notes and the JSON, not for the table.
const HIDDEN: [&str; 6] =
    ["is_total", "partial_calls", "partial_output_tokens", "estimated_calls", "session_id", "total_sessions"];

/// Columns that give way in a narrow terminal, the least important first.
const FIRST_TO_GO: [&str; 16] = [
    "subagent_total_tokens",
    "errors",
    "longest_ms",
    "tool_calls",
    "provider",
    "prompts",
    "cache_write_tokens",
    "agent",
    "last_at",
    "models",
    "median_ms",
    "sessions",
    "input_tokens",
    "cache_read_tokens",
    "error_percent",
    "title",
];

/// On a terminal a text that is wider is cut in any case: titles can be whole prompts.
const TEXT_COLUMNS: usize = 64;

/// Heads of the columns; a name that is not here is its own head with spaces.
const HEADS: [(&str, &str); 13] = [
    ("input_tokens", "input"),
    ("output_tokens", "output"),
    ("cache_read_tokens", "cache read"),
    ("cache_write_tokens", "cache write"),
    ("reasoning_tokens", "reasoning"),
    ("total_tokens", "total tokens"),
    ("tool_calls", "tools"),
    ("error_percent", "errors %"),
    ("median_ms", "median ms"),
    ("longest_ms", "longest ms"),
    ("started_at", "started"),
    ("last_at", "last"),
    ("subagent_total_tokens", "sub-agent tokens"),
];

fn head(name: &str) -> String {
    HEADS
        .iter()
        .find(|(column, _)| *column == name)
        .map_or_else(|| name.replace('_', " "), |(_, head)| (*head).to_owned())
}

/// What the first column tells beside its value.
pub(super) struct Marks<'a> {
    pub(super) kind: ReportKind,
    pub(super) cut: &'a [bool],
}

impl Marks<'_> {
    /// The first cell of row `row` as people read it.
    fn apply(&self, row: usize, cell: &mut Cell) {
        if self.kind == ReportKind::Monthly {
            cell.text.truncate("2026-11".len());
        }
        if self.cut.get(row).copied().unwrap_or_default() {
            cell.text.push('*');
        }
    }
}

/// The widest layout that fits: whole numbers, then rounded ones, then without the least important columns.
///
/// Returns the heads of the columns that are missing, too.
pub(super) fn laid_out(
    all: &RecordBatch,
    zone: Zone,
    options: &ReportOptions,
    marks: &Marks<'_>,
) -> Result<(Grid, Vec<String>), OutputError> {
    let schema = all.schema();
    let mut shown: Vec<usize> =
        (0..all.num_columns()).filter(|i| !HIDDEN.contains(&schema.field(*i).name().as_str())).collect();
    let mut dropped = Vec::new();
    let filled = |shown: &[usize], tokens| filled(all, zone, shown, tokens, options, marks);
    let mut grid = filled(&shown, grouped)?;
    let Some(width) = options.width.filter(|w| !grid.fits(*w)) else { return Ok((grid, dropped)) };
    grid = filled(&shown, rounded)?;
    for name in FIRST_TO_GO {
        if grid.fits(width) {
            break;
        }
        if let Some(place) = shown.iter().position(|i| schema.field(*i).name() == name) {
            shown.remove(place);
            dropped.push(head(name));
            grid = filled(&shown, rounded)?;
        }
    }
    Ok((grid, dropped))
}

fn filled(
    all: &RecordBatch,
    zone: Zone,
    shown: &[usize],
    tokens: fn(&str) -> String,
    options: &ReportOptions,
    marks: &Marks<'_>,
) -> Result<Grid, OutputError> {
    let schema = all.schema();
    let mut cells = Cells::new(all, zone)?;
    let mut rows = Vec::with_capacity(all.num_rows());
    let mut text = String::new();
    let widest = options.width.map_or(usize::MAX, |_| TEXT_COLUMNS);
    for row in 0..all.num_rows() {
        let mut line = Vec::with_capacity(shown.len());
        for column in shown {
            let field = schema.field(*column);
            let number = if field.name().ends_with("_tokens") { tokens } else { grouped };
            let known = cells.read(*column, row, &mut text)?;
            line.push(if known { cell(&text, field.data_type(), number, widest).into() } else { Cell::null("–") });
        }
        if let Some(first) = line.first_mut() {
            marks.apply(row, first);
        }
        rows.push(line);
    }
    let mut total = rows.pop().unwrap_or_default();
    for (i, (cell, column)) in total.iter_mut().zip(shown).enumerate() {
        if i == 0 {
            *cell = "total".to_owned().into();
        } else if all.column(*column).is_null(all.num_rows() - 1) {
            *cell = Cell::null("");
        } else if schema.field(*column).name() == "models" {
            *cell = models(&cell.text).into();
        }
    }
    Ok(Grid {
        headers: shown.iter().map(|i| head(schema.field(*i).name())).collect(),
        columns: shown.iter().map(|i| column(schema.field(*i))).collect(),
        rows,
        total: Some(total),
        color: options.color,
        whole_heads: true,
        ..Grid::default()
    })
}

/// What a row is known by is a key; lists and titles give way, also when they are one word.
fn column(field: &Field) -> Column {
    let kind = field.data_type();
    Column {
        is_number: is_number(kind),
        is_rigid: is_rigid(kind),
        is_text: matches!(field.name().as_str(), "models" | "title"),
    }
}

/// All models together are a number: their names stand in the rows.
fn models(list: &str) -> String {
    match list.split(", ").count() {
        1 => list.to_owned(),
        several => format!("{several} models"),
    }
}

/// A number of tokens to one decimal: `9,999`, `123.4K`, `1.2M`, `3.5B`.
fn rounded(number: &str) -> String {
    let Ok(tokens) = number.parse::<u64>() else { return grouped(number) };
    let scaled = |unit: u64, sign: char| {
        let tenths = (u128::from(tokens) * 10 + u128::from(unit) / 2) / u128::from(unit);
        format!("{}.{}{sign}", tenths / 10, tenths % 10)
    };
    match tokens {
        0..10_000 => grouped(number),
        10_000..999_950 => scaled(1_000, 'K'),
        999_950..999_950_000 => scaled(1_000_000, 'M'),
        _ => scaled(1_000_000_000, 'B'),
    }
}

fn cell(text: &str, kind: &DataType, number: fn(&str) -> String, widest: usize) -> String {
    match kind {
        kind if kind.is_integer() => number(text),
        // Minutes are enough for people.
        DataType::Timestamp(..) => text.chars().take(16).collect(),
        _ => clean(text, widest),
    }
}

/// A whole number with a comma between every three digits.
pub(super) fn grouped(number: &str) -> String {
    let (sign, digits) = number.strip_prefix('-').map_or(("", number), |digits| ("-", digits));
    let mut out = String::with_capacity(number.len() + number.len() / 3);
    out.push_str(sign);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_rounded_only_from_ten_thousand() {
        for (number, shown) in [
            ("9999", "9,999"),
            ("10000", "10.0K"),
            ("999949", "999.9K"),
            ("999950", "1.0M"),
            ("3450000000", "3.5B"),
            ("999949999", "999.9M"),
            ("999950000", "1.0B"),
        ] {
            assert_eq!(rounded(number), shown);
        }
    }

    #[test]
    fn numbers_are_grouped_by_threes() {
        for (number, shown) in [("0", "0"), ("999", "999"), ("1000", "1,000"), ("-1234567", "-1,234,567")] {
            assert_eq!(grouped(number), shown);
        }
    }
}
