//! `status`: what was read, how far behind it is, how large the lake is, whether a daemon runs.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::super::args::StatusArgs;
use super::super::table::{Align, Table};
use super::super::{CliError, Outcome, Streams};
use super::sources::{self, Source, unsigned};
use super::{answer, answer_below, answer_json, short_path};
use crate::config::Settings;
use crate::lake::{AgentRows, Doubt, Snapshot, VacuumReport};
use crate::ops::{self, Daemon};
use crate::text::units;

/// Reasons why answers lack rows that are shown.
const SHOWN: usize = 3;

/// The sources of one agent together.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
struct AgentStatus {
    files: u64,
    active: u64,
    pending: u64,
    torn: u64,
    missing: u64,
    error: u64,
    bytes: u64,
    lag_bytes: u64,
    rows: u64,
    rejects: u64,
}

impl AgentStatus {
    fn add(&mut self, source: &Source) {
        self.files += 1;
        match source.state.as_str() {
            "active" => self.active += 1,
            "pending" => self.pending += 1,
            "torn" => self.torn += 1,
            "missing" => self.missing += 1,
            _ => self.error += 1,
        }
        self.bytes += unsigned(source.size_bytes);
        self.lag_bytes += unsigned(source.lag_bytes);
    }
}

/// What is there to tell of.
pub(super) struct State<'a> {
    pub(super) lake: &'a Snapshot,
    /// The `ingest` that answers.
    pub(super) daemon: Option<&'a Daemon>,
    /// The process that writes the lake, whether it answers or not.
    pub(super) writer: Option<u32>,
    pub(super) sources: &'a [Source],
    /// Durable rows by agent.
    pub(super) rows: &'a BTreeMap<String, AgentRows>,
    /// Files that commits have replaced, and that are still there.
    pub(super) waiting: VacuumReport,
    /// Rows that wait to be deleted, and until when.
    pub(super) doubt: Option<Doubt>,
}

/// Prints the state of everything.
pub(in super::super) fn run(
    settings: &Settings,
    args: &StatusArgs,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let (lake, daemon, writer) = (ops::looked_at(settings)?, ops::daemon(settings)?, ops::writer_of(settings));
    let sources = sources::rows(&ops::sources(settings)?)?;
    #[cfg(feature = "query")]
    for why in ops::broken_views(settings) {
        super::tell(streams, &format!("note: {why}"))?;
    }
    let (waiting, doubt) = (ops::waiting(settings)?, ops::doubt(settings));
    let daemon = daemon.as_ref();
    let rows = ops::rows_by_agent(&lake);
    let state = State { lake: &lake, daemon, writer, sources: &sources, rows: &rows, waiting, doubt };
    render(settings, args, &state, streams)
}

pub(super) fn render(
    settings: &Settings,
    args: &StatusArgs,
    state: &State<'_>,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let State { lake, daemon, writer, sources, rows: counted, waiting, doubt } = *state;
    let mut agents: BTreeMap<&str, AgentStatus> = BTreeMap::new();
    for source in sources {
        agents.entry(&source.agent).or_default().add(source);
    }
    for (agent, rows) in counted {
        let agent = agents.entry(agent).or_default();
        (agent.rows, agent.rejects) = (rows.events, rows.rejects);
    }
    let parts = || lake.events.iter().chain(lake.rejects.iter());
    let (files, bytes): (usize, u64) = (parts().count(), parts().map(|part| part.bytes).sum());
    let rows: u64 = lake.events.iter().map(|part| part.rows).sum();
    let rejects: u64 = lake.rejects.iter().map(|part| part.rows).sum();
    if args.json {
        let daemon = daemon.map(daemon_json);
        let value = json!({
            "home": settings.home,
            "machine_id": settings.machine_id,
            "timezone": settings.timezone,
            "daemon": daemon,
            "writer_pid": writer,
            "retention": doubt.map(|doubt| json!({"waiting_rows": doubt.rows, "until_us": doubt.until_us()})),
            "agents": agents,
            "lake": {
                "path": settings.lake,
                "version": lake.version,
                "committed_at_us": lake.version.map(|_| lake.committed_at_us),
                "files": files,
                "bytes": bytes,
                "waiting_files": waiting.files,
                "waiting_bytes": waiting.bytes,
                "rows": rows,
                "rejects": rejects,
            },
        });
        return answer_json(streams, &value).map(|()| Outcome::Done);
    }
    answer(streams, &format!("home    {}", short_path(settings, &settings.home)))?;
    let line = daemon_line(daemon, writer, streams.now_us);
    answer_below(settings, "daemon  ", &line, streams)?;
    for line in daemon.map(|daemon| daemon_troubles(daemon, streams.now_us)).unwrap_or_default() {
        answer_below(settings, "        ", &line, streams)?;
    }
    answer(streams, &format!("lake    {}", short_path(settings, &settings.lake)))?;
    let committed = match lake.version {
        Some(version) => format!("commit {version}, {}", units::ago(lake.committed_at_us, streams.now_us)),
        None => "nothing committed yet; devlog backfill reads the logs".to_owned(),
    };
    let size = format!(
        "{}, {} in {}",
        units::counted(rows, "event"),
        units::bytes(bytes),
        units::counted(files as u64, "file")
    );
    answer_below(settings, "        ", &format!("{size}; {committed}"), streams)?;
    if waiting.files > 0 {
        let (files, bytes) = (units::counted(waiting.files, "replaced file"), units::bytes(waiting.bytes));
        let text = format!("{files} with {bytes} are removed within about an hour");
        answer_below(settings, "        ", &text, streams)?;
    }
    if let Some(doubt) = doubt {
        let wait = u64::try_from(doubt.until_us().saturating_sub(streams.now_us)).unwrap_or(0);
        let (rows, wait) = (units::counted(doubt.rows, "row"), units::duration(Duration::from_micros(wait)));
        let text = format!("the clock is far ahead: retention would delete {rows}, and waits for {wait}");
        answer_below(settings, "        ", &text, streams)?;
    }
    if rejects > 0 {
        let text = units::counted(rejects, "line");
        let text = format!("{text} could not be decoded: devlog query \"SELECT * FROM rejects\"");
        answer_below(settings, "        ", &text, streams)?;
    }
    answer(streams, "")?;
    agents_table(&agents, settings, streams)?;
    Ok(Outcome::Done)
}

/// The running `ingest`, as JSON.
fn daemon_json(daemon: &Daemon) -> serde_json::Value {
    json!({
        "pid": daemon.pid,
        "started_us": daemon.started_us,
        "watch_mode": daemon.watch_mode,
        "watch_reason": daemon.watch_reason,
        "ring_rows": daemon.ring_rows,
        "ring_bytes": daemon.ring_bytes,
        "complete": daemon.lacking.is_empty(),
        "incomplete_because": daemon.lacking,
        "commit_failing_since_us": daemon.trouble.as_ref().map(|(since_us, _)| since_us),
        "commit_failing_because": daemon.trouble.as_ref().map(|(_, why)| why),
    })
}

fn daemon_line(daemon: Option<&Daemon>, writer: Option<u32>, now_us: i64) -> String {
    let Some(daemon) = daemon else {
        // A backfill, or an ingest without a socket, whose home has too long a path for one.
        return writer.map_or_else(
            || "not running; devlog ingest starts one".to_owned(),
            |pid| format!("process {pid} writes the lake and cannot be asked; queries see what it has committed"),
        );
    };
    let watching = match (daemon.watch_mode.as_str(), &daemon.watch_reason) {
        ("notify", _) => "watching for changes".to_owned(),
        ("scan", Some(reason)) => format!("scanning: {reason}"),
        ("scan", None) => "scanning: this file system sends no notifications".to_owned(),
        (other, _) => other.to_owned(),
    };
    format!(
        "process {}, started {}, {watching}; {} ({}) in memory",
        daemon.pid,
        units::ago(daemon.started_us, now_us),
        units::counted(daemon.ring_rows, "row"),
        units::bytes(daemon.ring_bytes),
    )
}

/// What does not work at the moment.
fn daemon_troubles(daemon: &Daemon, now_us: i64) -> Vec<String> {
    let mut lines: Vec<String> = daemon.lacking.iter().take(SHOWN).cloned().collect();
    if daemon.lacking.len() > SHOWN {
        lines.push(format!("{} more are not read to their end", units::count((daemon.lacking.len() - SHOWN) as u64)));
    }
    if let Some((since_us, why)) = &daemon.trouble {
        lines.push(format!("has not been able to commit since {}: {why}", units::ago(*since_us, now_us)));
    }
    lines
}

fn agents_table(
    agents: &BTreeMap<&str, AgentStatus>,
    settings: &Settings,
    streams: &mut Streams<'_>,
) -> Result<(), CliError> {
    if agents.is_empty() {
        return answer(streams, "no log files of any agent; devlog demo creates some to try devlog with");
    }
    let mut table = Table::new(&[
        ("agent", Align::Key),
        ("files", Align::Right),
        ("size", Align::Right),
        ("behind", Align::Right),
        ("events", Align::Right),
        ("rejects", Align::Right),
        ("remarks", Align::Left),
    ]);
    for (agent, status) in agents {
        let remarks: Vec<String> = [
            (status.error, "with errors (devlog sources --state error)"),
            (status.pending, "pending"),
            (status.torn, "ending in an unfinished line"),
            (status.missing, "gone, rows kept"),
        ]
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{} {what}", units::count(*number)))
        .collect();
        table.row([
            (*agent).to_owned(),
            units::count(status.files),
            units::bytes(status.bytes),
            units::bytes(status.lag_bytes),
            units::count(status.rows),
            units::count(status.rejects),
            remarks.join(", "),
        ]);
    }
    table.write(streams.out, settings.terminal.columns).map_err(|source| CliError::Output { source })
}
