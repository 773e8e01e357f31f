//! A report as a table for people or JSON for programs.

use std::io::Write;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use serde_json::{Map, Value, json};

use super::{Report, ReportKind};
use crate::query::output::{Cells, Grid, OutputError, clean, is_number};
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
    let mut cells = Cells::new(all, zone)?;
    let mut rows = Vec::with_capacity(all.num_rows());
    let mut text = String::new();
    for row in 0..all.num_rows() {
        let mut line = Vec::with_capacity(shown.len());
        for column in &shown {
            let known = cells.read(*column, row, &mut text)?;
            line.push(if known { cell(&text, schema.field(*column).data_type()) } else { "–".to_owned() });
        }
        rows.push(line);
    }
    let mut total = rows.pop().unwrap_or_default();
    for (i, (cell, column)) in total.iter_mut().zip(&shown).enumerate() {
        if i == 0 {
            "total".clone_into(cell);
        } else if all.column(*column).is_null(all.num_rows() - 1) {
            cell.clear();
        }
    }
    let grid = Grid {
        headers: shown.iter().map(|i| head(schema.field(*i).name())).collect(),
        numbers: shown.iter().map(|i| is_number(schema.field(*i).data_type())).collect(),
        rows,
        total: Some(total),
    };
    grid.write(&mut &mut *out, options.width)?;
    let notes = notes(all);
    if !notes.is_empty() {
        writeln!(out)?;
    }
    for note in notes {
        writeln!(out, "{note}")?;
    }
    out.flush()?;
    Ok(())
}

fn cell(text: &str, kind: &DataType) -> String {
    match kind {
        kind if kind.is_integer() => grouped(text),
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
        notes.push(format!(
            "{}{of} calls come from records known to say too little; their {} output tokens are a lower bound.",
            grouped(&calls.to_string()),
            grouped(&tokens.to_string())
        ));
    }
    if let Some(calls) = number("estimated_calls") {
        let calls = grouped(&calls.to_string());
        notes.push(format!("{calls} more calls have only estimated tokens; these are in no sum."));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_threes() {
        for (number, shown) in [("0", "0"), ("999", "999"), ("1000", "1,000"), ("-1234567", "-1,234,567")] {
            assert_eq!(grouped(number), shown);
        }
    }
}
