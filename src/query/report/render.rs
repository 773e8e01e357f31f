//! A report as a table for people or JSON for programs.

use std::io::Write;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use serde_json::{Map, Value, json};

use super::{Report, ReportKind};
use crate::query::output::{Cells, Grid, OutputError, clean, is_number, is_rigid};
use crate::query::zone::Zone;

/// How a report is shown.
#[derive(Debug, Clone, Default)]
pub struct ReportOptions {
    /// Columns of the terminal; `None` when there is no terminal.
    pub width: Option<usize>,
    /// JSON instead of a table.
    pub json: bool,
}

/// Columns that are in the answer for the notes and the JSON, not for the table.
const HIDDEN: [&str; 6] =
    ["is_total", "partial_calls", "partial_output_tokens", "estimated_calls", "session_id", "total_sessions"];

/// Columns that give way in a narrow terminal, the least important first.
const FIRST_TO_GO: [&str; 10] = [
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
];

/// Widest text in a table without a terminal.
const TEXT_COLUMNS: usize = 60;

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
    ("subagent_total_tokens", "by sub-agents"),
];

pub(super) fn write(
    report: &Report,
    zone: Zone,
    all: &RecordBatch,
    out: &mut dyn Write,
    options: &ReportOptions,
) -> Result<usize, OutputError> {
    let rows = all.num_rows().saturating_sub(1);
    if options.json {
        as_json(report, zone, all, out)?
    } else {
        as_table(report, zone, all, out, options)?
    }
    Ok(rows)
}

fn as_json(report: &Report, zone: Zone, all: &RecordBatch, out: &mut dyn Write) -> Result<(), OutputError> {
    let mut encoder = arrow::json::writer::WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, arrow::json::writer::JsonArray>(Vec::new());
    encoder.write(all)?;
    encoder.finish()?;
    let unfit = |e: serde_json::Error| OutputError::Unfit { message: e.to_string() };
    let rows: Vec<Map<String, Value>> = serde_json::from_slice(&encoder.into_inner()).map_err(unfit)?;
    let (mut shown, mut total) = (Vec::new(), Value::Null);
    for mut row in rows {
        match row.remove("is_total") {
            Some(Value::Bool(true)) => total = Value::Object(row),
            _ => shown.push(Value::Object(row)),
        }
    }
    let time = |us: Option<i64>| us.map(super::rfc3339);
    let whole = json!({
        "report": report.kind.name(),
        "timezone": zone.name(),
        "since": time(report.filter.since_us),
        "until": time(report.filter.until_us),
        "agent": report.filter.agent,
        "project": report.filter.project,
        "rows": shown,
        "total": total,
    });
    serde_json::to_writer_pretty(&mut *out, &whole).map_err(|e| OutputError::from(std::io::Error::from(e)))?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
}

fn head(name: &str) -> String {
    HEADS
        .iter()
        .find(|(column, _)| *column == name)
        .map_or_else(|| name.replace('_', " "), |(_, head)| (*head).to_owned())
}

fn title(kind: ReportKind) -> &'static str {
    match kind {
        ReportKind::Daily => "Usage per day",
        ReportKind::Weekly => "Usage per week",
        ReportKind::Monthly => "Usage per month",
        ReportKind::Sessions => "Sessions",
        ReportKind::Models => "Usage per model",
        ReportKind::Tools => "Tools",
        ReportKind::Projects => "Usage per project",
    }
}

fn as_table(
    report: &Report,
    zone: Zone,
    all: &RecordBatch,
    out: &mut dyn Write,
    options: &ReportOptions,
) -> Result<(), OutputError> {
    let schema = all.schema();
    let shown: Vec<usize> =
        (0..all.num_columns()).filter(|i| !HIDDEN.contains(&schema.field(*i).name().as_str())).collect();
    writeln!(out, "{} · {} · {}\n", title(report.kind), clean(&report.scope(zone), 200), zone.name())?;
    if all.num_rows() <= 1 {
        writeln!(out, "Nothing found.")?;
        out.flush()?;
        return Ok(());
    }
    let (grid, dropped) = laid_out(all, zone, shown, options.width)?;
    grid.write(&mut &mut *out, options.width)?;
    let mut notes = notes(all);
    if !dropped.is_empty() {
        notes.push(format!("Not shown in this width: {}.", dropped.join(", ")));
    }
    if !notes.is_empty() {
        writeln!(out)?;
    }
    for note in notes {
        writeln!(out, "{note}")?;
    }
    out.flush()?;
    Ok(())
}

/// The widest layout that fits: whole numbers, then rounded ones, then without the least important columns.
fn laid_out(
    all: &RecordBatch,
    zone: Zone,
    mut shown: Vec<usize>,
    width: Option<usize>,
) -> Result<(Grid, Vec<String>), OutputError> {
    let schema = all.schema();
    let mut dropped = Vec::new();
    let mut grid = filled(all, zone, &shown, grouped)?;
    let Some(width) = width.filter(|w| !grid.fits(*w)) else { return Ok((grid, dropped)) };
    grid = filled(all, zone, &shown, rounded)?;
    for name in FIRST_TO_GO {
        if grid.fits(width) {
            break;
        }
        if let Some(place) = shown.iter().position(|i| schema.field(*i).name() == name) {
            shown.remove(place);
            dropped.push(head(name));
            grid = filled(all, zone, &shown, rounded)?;
        }
    }
    Ok((grid, dropped))
}

fn filled(all: &RecordBatch, zone: Zone, shown: &[usize], tokens: fn(&str) -> String) -> Result<Grid, OutputError> {
    let schema = all.schema();
    let mut cells = Cells::new(all, zone)?;
    let mut rows = Vec::with_capacity(all.num_rows());
    let mut text = String::new();
    for row in 0..all.num_rows() {
        let mut line = Vec::with_capacity(shown.len());
        for column in shown {
            let field = schema.field(*column);
            let number = if field.name().ends_with("_tokens") { tokens } else { grouped };
            let known = cells.read(*column, row, &mut text)?;
            line.push(if known { cell(&text, field.data_type(), number) } else { "–".to_owned() });
        }
        rows.push(line);
    }
    let mut total = rows.pop().unwrap_or_default();
    for (i, (cell, column)) in total.iter_mut().zip(shown).enumerate() {
        if i == 0 {
            "total".clone_into(cell);
        } else if all.column(*column).is_null(all.num_rows() - 1) {
            cell.clear();
        }
    }
    Ok(Grid {
        headers: shown.iter().map(|i| head(schema.field(*i).name())).collect(),
        numbers: shown.iter().map(|i| is_number(schema.field(*i).data_type())).collect(),
        rigid: shown.iter().map(|i| is_rigid(schema.field(*i).data_type())).collect(),
        rows,
        total: Some(total),
    })
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

fn cell(text: &str, kind: &DataType, number: fn(&str) -> String) -> String {
    match kind {
        kind if kind.is_integer() => number(text),
        // Minutes are enough for people.
        DataType::Timestamp(..) => text.chars().take(16).collect(),
        _ => clean(text, TEXT_COLUMNS),
    }
}

/// A whole number with a comma between every three digits.
fn grouped(number: &str) -> String {
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

/// What a reader must know about the sums of the total row.
fn notes(all: &RecordBatch) -> Vec<String> {
    let last = all.num_rows() - 1;
    let number = |name: &str| {
        let column = all.column_by_name(name)?.as_primitive_opt::<Int64Type>()?;
        column.is_valid(last).then(|| column.value(last)).filter(|n| *n > 0)
    };
    let mut notes = Vec::new();
    if let Some(calls) = number("partial_calls") {
        let tokens = number("partial_output_tokens").unwrap_or_default();
        let of = number("calls").map_or_else(String::new, |all| format!(" of {}", grouped(&all.to_string())));
        let (come, their) = if calls == 1 { ("comes from a record", "its") } else { ("come from records", "their") };
        notes.push(format!(
            "{}{of} calls {come} known to say too little; {their} {} output tokens are a lower bound.",
            grouped(&calls.to_string()),
            grouped(&tokens.to_string())
        ));
    }
    if let Some(calls) = number("estimated_calls") {
        let have = if calls == 1 { "call has" } else { "calls have" };
        let calls = grouped(&calls.to_string());
        notes.push(format!("{calls} more {have} only estimated tokens; these are in no sum."));
    }
    notes
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
