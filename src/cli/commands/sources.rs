//! `sources`: the log files, how far each was read, and what to do where something is wrong.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use clap::ValueEnum;
use serde::Serialize;

use super::super::args::SourcesArgs;
use super::super::table::{Align, Table};
use super::super::{CliError, Outcome, Streams};
use super::{answer, answer_json, short_path};
use crate::config::Settings;
use crate::ops;
use crate::text::one_line;
use crate::text::units;

/// A row of the table `sources`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Source {
    pub(super) agent: String,
    pub(super) path: String,
    pub(super) format: String,
    pub(super) state: String,
    pub(super) size_bytes: i64,
    pub(super) position_bytes: i64,
    pub(super) lag_bytes: i64,
    pub(super) lines: i64,
    pub(super) decoded: i64,
    pub(super) duplicates: i64,
    pub(super) rejects: i64,
    pub(super) read_at_us: Option<i64>,
    pub(super) last_error: Option<String>,
}

/// A batch of the table `sources` that lacks a column of its schema file.
#[derive(Debug, thiserror::Error)]
#[error("the table sources has no column {name:?} of the type in its schema file")]
struct ColumnError {
    name: &'static str,
}

/// Reads the batch that [`ops::sources`] gives.
pub(super) fn rows(batch: &RecordBatch) -> Result<Vec<Source>, CliError> {
    let failed = |name| CliError::failed("reading the table sources", ColumnError { name });
    let text = |name: &'static str| {
        batch.column_by_name(name).and_then(AsArray::as_string_view_opt).ok_or_else(|| failed(name))
    };
    let number = |name: &'static str| {
        batch.column_by_name(name).and_then(|a| a.as_primitive_opt::<Int64Type>()).ok_or_else(|| failed(name))
    };
    let read_at = batch
        .column_by_name("read_at")
        .and_then(|a| a.as_primitive_opt::<TimestampMicrosecondType>())
        .ok_or_else(|| failed("read_at"))?;
    let (agent, path, format, state) = (text("agent")?, text("path")?, text("format")?, text("state")?);
    let (size, position, lag) = (number("size_bytes")?, number("position_bytes")?, number("lag_bytes")?);
    let (lines, decoded, duplicates, rejects) =
        (number("lines")?, number("decoded")?, number("duplicates")?, number("rejects")?);
    let error = text("last_error")?;
    let source = |i| Source {
        agent: agent.value(i).to_owned(),
        path: path.value(i).to_owned(),
        format: format.value(i).to_owned(),
        state: state.value(i).to_owned(),
        size_bytes: size.value(i),
        position_bytes: position.value(i),
        lag_bytes: lag.value(i),
        lines: lines.value(i),
        decoded: decoded.value(i),
        duplicates: duplicates.value(i),
        rejects: rejects.value(i),
        read_at_us: read_at.is_valid(i).then(|| read_at.value(i)),
        last_error: error.is_valid(i).then(|| error.value(i).to_owned()),
    };
    Ok((0..batch.num_rows()).map(source).collect())
}

/// Lists the sources that the arguments pick.
pub(in super::super) fn run(
    settings: &Settings,
    args: &SourcesArgs,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let batch = ops::sources(settings)?;
    render(settings, args, rows(&batch)?, streams)
}

pub(super) fn render(
    settings: &Settings,
    args: &SourcesArgs,
    mut sources: Vec<Source>,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let any = !sources.is_empty();
    let states: Vec<String> =
        args.state.iter().filter_map(|state| Some(state.to_possible_value()?.get_name().to_owned())).collect();
    sources.retain(|source| args.agent.is_empty() || args.agent.contains(&source.agent));
    sources.retain(|source| states.is_empty() || states.contains(&source.state));
    sources.sort_by(|a, b| (&a.agent, &a.path).cmp(&(&b.agent, &b.path)));
    let outcome = if sources.is_empty() { Outcome::Nothing } else { Outcome::Done };
    if args.json {
        return answer_json(streams, &sources).map(|()| outcome);
    }
    if sources.is_empty() {
        let text = if any { "no log files match" } else { "no log files; devlog demo creates some to try devlog with" };
        answer(streams, text)?;
        return Ok(outcome);
    }
    let mut table = Table::new(&[
        ("agent", Align::Key),
        ("state", Align::Left),
        ("size", Align::Right),
        ("behind", Align::Right),
        ("lines", Align::Right),
        ("decoded", Align::Right),
        ("rejects", Align::Right),
        ("read", Align::Left),
        ("path", Align::Key),
    ]);
    for source in &sources {
        table.row([
            source.agent.clone(),
            source.state.clone(),
            units::bytes(unsigned(source.size_bytes)),
            units::bytes(unsigned(source.lag_bytes)),
            units::count(unsigned(source.lines)),
            units::count(unsigned(source.decoded)),
            units::count(unsigned(source.rejects)),
            source.read_at_us.map_or_else(|| "never".to_owned(), |us| units::ago(us, streams.now_us)),
            short_path(settings, source.path.as_ref()),
        ]);
    }
    table.write(streams.out, settings.terminal.columns).map_err(|source| CliError::Output { source })?;
    let troubled: Vec<&Source> = sources.iter().filter(|source| source.last_error.is_some()).collect();
    if !troubled.is_empty() {
        answer(streams, "")?;
    }
    for source in troubled {
        let error = one_line(source.last_error.as_deref().unwrap_or_default());
        answer(streams, &format!("{}: {error}", short_path(settings, source.path.as_ref())))?;
    }
    Ok(outcome)
}

/// Counts in tables are signed because Parquet readers expect it; they are never negative.
pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
