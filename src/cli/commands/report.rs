//! `report`: ready-made summaries over the table `events`.
//!
//! - days, weeks and months are formed in the zone of the settings, which every report prints
//! - token sums leave estimates out; how much of a sum the agents themselves under-report is said

mod sql;
#[cfg(test)]
mod tests;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::super::args::ReportArgs;
use super::super::progress::{self, View};
use super::super::table::{Align, Table};
use super::super::wire::{self, QueryPlan};
use super::super::{CliError, Outcome, Streams, units};
use super::{answer, answer_json, when};
use crate::config::{Edge, Settings};
use sql::{Filter, Shape};

/// Answers one report.
pub(in super::super) fn run(
    settings: &Settings,
    args: &ReportArgs,
    quiet: bool,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let filter = Filter {
        since_us: when(settings, streams.now_us, "--since", Edge::Since, args.since.as_deref())?,
        until_us: when(settings, streams.now_us, "--until", Edge::Until, args.until.as_deref())?,
        agents: &args.agent,
        projects: &args.project,
        timezone: &settings.timezone,
    };
    let plan = QueryPlan { sql: sql::report(args.kind, &filter), sync: !args.no_sync, ..QueryPlan::default() };
    let mut view = View::new("catching up:", settings.terminal.stderr, quiet);
    let batches = progress::shown(&mut view, streams.err, |on| wire::collect(settings, &plan, on))?;
    render(settings, args, &batches, streams)
}

/// One value of a report.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Text(String),
    Count(u64),
    Missing,
}

/// A report's answer that is not what its SQL promises.
#[derive(Debug, thiserror::Error)]
#[error("column {index} of the report is {found}, neither text nor a 64-bit number")]
struct ShapeError {
    index: usize,
    found: arrow::datatypes::DataType,
}

fn render(
    settings: &Settings,
    args: &ReportArgs,
    batches: &[RecordBatch],
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let shape = sql::shape(args.kind);
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.num_rows() {
            rows.push((0..batch.num_columns()).map(|i| cell(batch, i, row)).collect::<Result<Vec<_>, _>>()?);
        }
    }
    let outcome = if rows.is_empty() { Outcome::Nothing } else { Outcome::Done };
    if args.json {
        return answer_json(streams, &as_json(settings, args, shape, &rows)).map(|()| outcome);
    }
    if rows.is_empty() {
        answer(streams, &format!("nothing found (days in {})", settings.timezone))?;
        return Ok(outcome);
    }
    table(shape, &rows).write(streams.out, settings.terminal.columns).map_err(|source| CliError::Output { source })?;
    answer(streams, "")?;
    footnotes(settings, shape, &rows, streams)?;
    Ok(outcome)
}

fn cell(batch: &RecordBatch, index: usize, row: usize) -> Result<Cell, CliError> {
    let array = batch.column(index);
    if array.is_null(row) {
        return Ok(Cell::Missing);
    }
    if let Some(numbers) = array.as_primitive_opt::<Int64Type>() {
        return Ok(u64::try_from(numbers.value(row)).map_or(Cell::Missing, Cell::Count));
    }
    let text = array
        .as_string_view_opt()
        .map(|texts| texts.value(row))
        .or_else(|| array.as_string_opt::<i32>().map(|texts| texts.value(row)))
        .or_else(|| array.as_string_opt::<i64>().map(|texts| texts.value(row)));
    text.map(|text| Cell::Text(text.to_owned()))
        .ok_or_else(|| CliError::failed("reading the report", ShapeError { index, found: array.data_type().clone() }))
}

fn table(shape: &Shape, rows: &[Vec<Cell>]) -> Table {
    let columns: Vec<(&'static str, Align)> = shape
        .columns
        .iter()
        .map(|column| (column.title, if column.text { Align::Left } else { Align::Right }))
        .collect();
    let mut table = Table::new(&columns);
    let shown = |row: &[Cell]| -> Vec<String> {
        row.iter()
            .take(columns.len())
            .map(|cell| match cell {
                Cell::Text(text) => text.clone(),
                Cell::Count(number) => units::count(*number),
                Cell::Missing => "-".to_owned(),
            })
            .collect()
    };
    for row in rows {
        table.row(shown(row));
    }
    if rows.len() > 1 {
        let sum = |i: usize| {
            let known =
                rows.iter().filter_map(|row| if let Cell::Count(number) = row[i] { Some(number) } else { None });
            known.fold(0u64, u64::saturating_add)
        };
        table.total(shape.columns.iter().enumerate().map(|(i, column)| match i {
            0 => "total".to_owned(),
            _ if column.adds => units::count(sum(i)),
            _ => String::new(),
        }));
    }
    table
}

/// Says the zone, and how much of the output the agents are known to under-report. The share stands
/// in the columns behind the shown ones: partial and whole output.
fn footnotes(
    settings: &Settings,
    shape: &Shape,
    rows: &[Vec<Cell>],
    streams: &mut Streams<'_>,
) -> Result<(), CliError> {
    answer(streams, &format!("Times are in {}.", settings.timezone))?;
    let number = |row: &[Cell], i: usize| if let Some(Cell::Count(number)) = row.get(i) { *number } else { 0 };
    let hidden = shape.columns.len();
    let partial: u64 = rows.iter().map(|row| number(row, hidden)).sum();
    let estimated: u64 = rows.iter().map(|row| number(row, hidden + 1)).sum();
    if partial > 0 {
        let calls = units::counted(partial, "call");
        answer(streams, &format!("{calls} under-reported by the agent itself: real output is higher."))?;
    }
    if estimated > 0 {
        let calls = units::counted(estimated, "call");
        answer(streams, &format!("{calls} with estimated tokens only, not in the sums."))?;
    }
    Ok(())
}

fn as_json(settings: &Settings, args: &ReportArgs, shape: &Shape, rows: &[Vec<Cell>]) -> Value {
    let object = |row: &Vec<Cell>| {
        let names = shape.columns.iter().map(|column| column.name).chain(["partial_calls", "estimated_calls"]);
        let value = |cell: &Cell| match cell {
            Cell::Text(text) => Value::from(text.as_str()),
            Cell::Count(number) => Value::from(*number),
            Cell::Missing => Value::Null,
        };
        Value::Object(names.zip(row).map(|(name, cell)| (name.to_owned(), value(cell))).collect::<Map<_, _>>())
    };
    let kind = args.kind.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
    json!({
        "report": kind,
        "timezone": settings.timezone,
        "since": args.since,
        "until": args.until,
        "rows": rows.iter().map(object).collect::<Vec<_>>(),
    })
}
