//! A report as a table for people or JSON for programs.

use std::io::Write;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Int64Type};
use chrono::{Days, Months, NaiveDate};
use serde_json::{Map, Value, json};

use super::options::ReportOptions;
use super::table::{Marks, grouped, laid_out};
use super::{Report, ReportKind};
use crate::query::output::OutputError;
use crate::text::clean;
use crate::zone::Zone;

pub(super) fn write(
    report: &Report,
    zone: Zone,
    all: &RecordBatch,
    out: &mut dyn Write,
    options: &ReportOptions,
) -> Result<usize, OutputError> {
    let rows = all.num_rows().saturating_sub(1);
    if options.json {
        as_json(report, zone, all, out, options)?
    } else {
        as_table(report, zone, all, out, options)?
    }
    Ok(rows)
}

/// For each day, week or month of the answer, the total left out: whether a part of it lies outside the
/// range of the report. Empty for reports by anything else.
fn cut_rows(report: &Report, zone: Zone, all: &RecordBatch, options: &ReportOptions) -> Vec<bool> {
    let next: fn(NaiveDate) -> Option<NaiveDate> = match report.kind {
        ReportKind::Daily => |day| day.succ_opt(),
        ReportKind::Weekly => |monday| monday.checked_add_days(Days::new(7)),
        ReportKind::Monthly => |first| first.checked_add_months(Months::new(1)),
        _ => return Vec::new(),
    };
    let Some(days) = all.column(0).as_primitive_opt::<Date32Type>() else { return Vec::new() };
    let (since, until) = (report.filter.since_us, report.filter.until_us);
    // What has not happened yet is missed by nobody.
    let until = until.filter(|until| options.now_us.is_none_or(|now| *until < now));
    let is_cut = |days: i32| {
        let first = arrow::temporal_conversions::date32_to_datetime(days)?.date();
        let (from, to) = (zone.start_of(first)?, zone.start_of(next(first)?)?);
        Some(since.is_some_and(|since| from < since) || until.is_some_and(|until| until < to))
    };
    days.iter().take(all.num_rows().saturating_sub(1)).map(|d| d.and_then(is_cut).unwrap_or_default()).collect()
}

fn as_json(
    report: &Report,
    zone: Zone,
    all: &RecordBatch,
    out: &mut dyn Write,
    options: &ReportOptions,
) -> Result<(), OutputError> {
    let mut encoder = arrow::json::writer::WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, arrow::json::writer::JsonArray>(Vec::new());
    encoder.write(all)?;
    encoder.finish()?;
    let unfit = |e: serde_json::Error| OutputError::Unfit { message: e.to_string() };
    let rows: Vec<Map<String, Value>> = serde_json::from_slice(&encoder.into_inner()).map_err(unfit)?;
    let (mut shown, mut total) = (Vec::new(), Value::Null);
    let mut cut = cut_rows(report, zone, all, options).into_iter();
    for mut row in rows {
        match row.remove("is_total") {
            Some(Value::Bool(true)) => total = Value::Object(row),
            _ => {
                if let Some(is_cut) = cut.next() {
                    row.insert("is_cut".to_owned(), Value::Bool(is_cut));
                }
                shown.push(Value::Object(row));
            }
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
        "complete": options.lacking.is_empty(),
        "incomplete_because": options.lacking,
        "not_read": options.not_read,
        "rows": shown,
        "total": total,
    });
    serde_json::to_writer_pretty(&mut *out, &whole).map_err(|e| OutputError::from(std::io::Error::from(e)))?;
    writeln!(out)?;
    out.flush()?;
    Ok(())
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
    writeln!(out, "{} · {} · {}\n", title(report.kind), clean(&report.scope(zone), 200), zone_label(zone))?;
    if all.num_rows() <= 1 {
        writeln!(out, "Nothing found.")?;
        out.flush()?;
        return Ok(());
    }
    let cut = cut_rows(report, zone, all, options);
    let (grid, dropped) = laid_out(all, zone, options, &Marks { kind: report.kind, cut: &cut })?;
    grid.write(&mut &mut *out, options.width)?;
    let mut notes = notes(all);
    if let Some(note) = cut_note(report.kind, &cut) {
        notes.insert(0, note.to_owned());
    }
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

/// `UTC` has several names, and some systems call it `Etc/UTC`.
fn zone_label(zone: Zone) -> &'static str {
    match zone.name() {
        "Etc/UTC" | "Etc/UCT" | "Etc/Zulu" | "Etc/Universal" => "UTC",
        name => name,
    }
}

fn cut_note(kind: ReportKind, cut: &[bool]) -> Option<&'static str> {
    cut.contains(&true).then_some(match kind {
        ReportKind::Monthly => "* Only a part of this month is in the range.",
        ReportKind::Weekly => "* Only a part of this week is in the range.",
        _ => "* Only a part of this day is in the range.",
    })
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
        let (report, their) = if calls == 1 { ("under-reports its", "its") } else { ("under-report their", "their") };
        notes.push(format!(
            "{}{of} calls {report} output; {their} {} output tokens are a lower bound.",
            grouped(&calls.to_string()),
            grouped(&tokens.to_string())
        ));
    }
    if let Some(calls) = number("estimated_calls") {
        let have = if calls == 1 { "call has" } else { "calls have" };
        let calls = grouped(&calls.to_string());
        notes.push(format!("{calls} more {have} only estimated tokens, which are not included."));
    }
    notes
}
