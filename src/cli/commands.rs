//! One `run` per command: builds a plan from the arguments, makes one call, renders what comes back.

mod adapters;
mod collect;
mod demo;
#[cfg(feature = "query")]
mod export;
mod looked;
mod meta;
#[cfg(feature = "query")]
mod projects;
#[cfg(feature = "query")]
mod query;
#[cfg(feature = "query")]
mod report;
mod schema;
mod sources;
mod status;
mod upkeep;

use std::path::Path;

use serde::Serialize;

use super::table::words_in_lines;
use super::{CliError, Streams};
use crate::config::{Edge, Settings, parse_when};
use crate::text::{lines, nearest, one_line, width};
use crate::zone::Zone;

pub(super) use adapters::run as adapters;
pub(super) use collect::{backfill, ingest};
pub(super) use demo::run as demo;
#[cfg(feature = "query")]
pub(super) use export::run as export;
pub(super) use meta::{completions, version};
#[cfg(feature = "query")]
pub(super) use query::run as query;
#[cfg(feature = "query")]
pub(super) use report::run as report;
pub(super) use schema::run as schema;
pub(super) use sources::run as sources;
pub(super) use status::run as status;
pub(super) use upkeep::{compact, fsck, prune, snapshot};

/// Writes one line to stderr.
pub(super) fn tell(streams: &mut Streams<'_>, text: &str) -> Result<(), CliError> {
    // Messages are a courtesy: a closed stderr stops nothing.
    let _unheard = super::voice::write(streams.err, text);
    Ok(())
}

/// Writes one line to stdout.
fn answer(streams: &mut Streams<'_>, text: &str) -> Result<(), CliError> {
    writeln!(streams.out, "{}", lines(text)).map_err(|source| CliError::Output { source })
}

/// Writes `head` and `text` to stdout, on a terminal in lines that fit it: those after the first are indented by the
/// width of the head.
fn answer_below(settings: &Settings, head: &str, text: &str, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let indent = width(head);
    let room = settings.terminal.columns.map_or(usize::MAX, |columns| usize::from(columns).saturating_sub(indent));
    for (number, line) in words_in_lines(&one_line(text), room).into_iter().enumerate() {
        let head = if number == 0 { head } else { &*" ".repeat(indent) };
        answer(streams, &format!("{head}{line}"))?;
    }
    Ok(())
}

/// Writes `value` as indented JSON to stdout.
fn answer_json(streams: &mut Streams<'_>, value: &impl Serialize) -> Result<(), CliError> {
    serde_json::to_writer_pretty(&mut *streams.out, value)
        .map_err(|error| CliError::Output { source: error.into() })?;
    answer(streams, "")
}

/// Checks that the agents that were named exist: built in, or described by the user.
pub(super) fn check_agents(settings: &Settings, agents: &[String]) -> Result<(), CliError> {
    let own = || settings.own.mappings.iter().map(|mapping| mapping.agent);
    let known: Vec<&'static str> = super::args::agents().into_iter().chain(own()).collect();
    match agents.iter().find(|agent| !known.contains(&agent.as_str())) {
        None => Ok(()),
        Some(name) => {
            let nearest = nearest(name, known.iter().copied());
            Err(CliError::UnknownAgent { name: name.clone(), nearest, known })
        }
    }
}

/// Reads the value of a flag that names a point in time.
fn when(
    settings: &Settings,
    now_us: i64,
    flag: &'static str,
    edge: Edge,
    text: Option<&str>,
) -> Result<Option<i64>, CliError> {
    let zone = Zone::named(&settings.timezone).unwrap_or(Zone::UTC);
    text.map(|text| parse_when(text, edge, zone, now_us).map_err(|source| CliError::When { flag, source })).transpose()
}

/// `path` with the user's home shortened to `~`.
fn short_path(settings: &Settings, path: &Path) -> String {
    match path.strip_prefix(&settings.places.home) {
        Ok(rest) if rest.as_os_str().is_empty() => "~".to_owned(),
        Ok(rest) => format!("~/{}", rest.display()),
        Err(_) => path.display().to_string(),
    }
}

/// Doors for the tests of what commands print.
#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use arrow::array::RecordBatch;
    use clap::Parser;

    use super::super::args::{Arguments, Command, StatusArgs};
    use super::super::{Outcome, Streams};
    use crate::ops::Daemon;

    pub(in super::super) use super::adapters::tests::render_adapters;
    use super::{sources, status};
    use crate::config::Settings;
    use crate::lake::{AgentRows, Snapshot, VacuumReport};

    pub(in super::super) fn render_sources(
        settings: &Settings,
        flags: &[&str],
        batch: &RecordBatch,
        streams: &mut Streams<'_>,
    ) -> Outcome {
        let arguments = Arguments::try_parse_from(["devlog", "sources"].iter().chain(flags)).unwrap();
        let Command::Sources(args) = arguments.command else { unreachable!("parsed as sources") };
        sources::render(settings, &args, sources::rows(batch).unwrap(), streams).unwrap()
    }

    pub(in super::super) fn render_status(
        settings: &Settings,
        json: bool,
        lake: &Snapshot,
        daemon: Option<&Daemon>,
        batch: &RecordBatch,
        streams: &mut Streams<'_>,
    ) -> Outcome {
        let rows = sources::rows(batch).unwrap();
        let mut counted: BTreeMap<String, AgentRows> = BTreeMap::new();
        for row in &rows {
            let agent = counted.entry(row.agent.clone()).or_default();
            agent.events += row.decoded.unsigned_abs();
            agent.rejects += row.rejects.unsigned_abs();
        }
        let state = status::State {
            lake,
            daemon,
            writer: None,
            sources: &rows,
            rows: &counted,
            waiting: VacuumReport::default(),
            doubt: None,
        };
        status::render(settings, &StatusArgs { json }, &state, streams).unwrap()
    }
}
