//! `ingest` and `backfill`: what brings rows in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::json;

use super::super::args::{BackfillArgs, IngestArgs};
use super::super::progress::{self, View, say, summary};
use super::super::table::{Align, Table};
use super::super::{CliError, Outcome, Streams, voice};
use super::{answer, answer_json, short_path, tell, when};
use crate::config::{Edge, Settings};
use crate::ops::{self, BackfillPlan, IngestPlan, Moment, Progress};
use crate::text::units;

/// Catches up and follows.
pub(in super::super) fn ingest(
    settings: &Settings,
    args: &IngestArgs,
    quiet: bool,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let is_terminal = settings.terminal.stderr;
    let mut view = View::new("reading", is_terminal, quiet);
    let plan = IngestPlan { once: args.once, flush_every: args.flush_interval };
    let mut followed = None;
    let done = ops::ingest(settings, plan, &mut |moment| match moment {
        // Who writes to a file or a journal says when.
        Moment::Begun if !is_terminal => voice::say_when(),
        Moment::Begun => {}
        Moment::Reading(progress) => view.show(progress, streams.err),
        Moment::Following { read, files } => {
            view.end();
            if read.files > 0 {
                let _unheard = say(streams.err, quiet, &format!("caught up: {}", summary(read, view.elapsed())));
            }
            let _unheard = say(streams.err, quiet, &following(&files, is_terminal));
            followed = Some(Instant::now());
        }
    });
    view.end();
    let done = done?;
    let text = match followed {
        Some(since) => stopped(done.live, since.elapsed()),
        None => summary(done.read, view.elapsed()),
    };
    let _unheard = say(streams.err, quiet, &text);
    // A signal is how following ends.
    Ok(if done.is_interrupted { Outcome::Interrupted } else { Outcome::Done })
}

/// `following 176 files of 9 agents; Ctrl-C ends`.
fn following(files: &BTreeMap<String, u64>, is_terminal: bool) -> String {
    let count: u64 = files.values().sum();
    let mut text = if count == 0 {
        "following; there are no logs of any agent yet".to_owned()
    } else {
        let agents = units::counted(files.len() as u64, "agent");
        format!("following {} of {agents}", units::counted(count, "file"))
    };
    if is_terminal {
        text.push_str("; Ctrl-C ends");
    }
    text
}

/// `stopped after 16s: 4 events came in`.
fn stopped(live: Progress, elapsed: Duration) -> String {
    let events = if live.events == 0 { "nothing".to_owned() } else { units::counted(live.events, "event") };
    let mut text = format!("stopped after {}: {events} came in while following", units::duration(elapsed));
    if live.rejects > 0 {
        text.push_str(&format!("; {}", progress::undecoded(live.rejects)));
    }
    text
}

/// Reads history.
pub(in super::super) fn backfill(
    settings: &Settings,
    args: &BackfillArgs,
    quiet: bool,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    if let Some(path) = &args.path {
        std::fs::metadata(path).map_err(|source| CliError::Read { path: path.clone(), source })?;
    }
    let plan = BackfillPlan {
        agents: args.agent.clone(),
        path: args.path.clone(),
        since_us: when(settings, streams.now_us, "--since", Edge::Since, args.since.as_deref())?,
        until_us: when(settings, streams.now_us, "--until", Edge::Until, args.until.as_deref())?,
        jobs: args.jobs,
        dry_run: args.dry_run,
        machine: args.machine.clone(),
    };
    let mut view = View::new("reading", settings.terminal.stderr, quiet);
    let done = progress::shown(&mut view, streams.err, |on| ops::backfill(settings, &plan, on))?;
    for note in &done.notes {
        tell(streams, &format!("note: {note}"))?;
    }
    if args.json {
        answer_json(streams, &as_json(&done, args.dry_run, view.elapsed().as_secs_f64()))?;
    } else if args.dry_run {
        list(settings, &done.planned, streams)?;
        let read = done.progress;
        let text = format!("{} with {} would be read", units::counted(read.files, "file"), units::bytes(read.bytes));
        answer(streams, &text)?;
    } else {
        answer(streams, &summary(done.progress, view.elapsed()))?;
        if done.failed > 0 {
            let text = units::counted(done.failed, "file");
            tell(streams, &format!("warning: {text} could not be read; devlog sources --state error says why"))?;
        }
        if done.stopped {
            tell(streams, "note: stopped; what was read is stored, and the next run continues from there")?;
        }
        if done.needs_compaction {
            let text = "note: the lake has many small files; devlog compact merges them, and queries are faster then";
            tell(streams, text)?;
        }
    }
    Ok(if done.stopped { Outcome::Interrupted } else { Outcome::Done })
}

/// Lists what would be read.
fn list(settings: &Settings, planned: &[ops::Planned], streams: &mut Streams<'_>) -> Result<(), CliError> {
    if planned.is_empty() {
        return Ok(());
    }
    let mut table = Table::new(&[("agent", Align::Left), ("bytes", Align::Right), ("path", Align::Left)]);
    for log in planned {
        table.row([log.agent.clone(), units::count(log.bytes), short_path(settings, &log.path)]);
    }
    table.write(streams.out, settings.terminal.columns).map_err(|source| CliError::Output { source })?;
    answer(streams, "")
}

fn as_json(done: &ops::Backfilled, dry_run: bool, seconds: f64) -> serde_json::Value {
    let read = done.progress;
    let mut value = json!({
        "dry_run": dry_run,
        "found": done.found,
        "files": read.files,
        "files_done": read.files_done,
        "failed": done.failed,
        "stopped": done.stopped,
        "bytes": read.bytes,
        "bytes_done": read.bytes_done,
        "events": read.events,
        "rejects": read.rejects,
        "seconds": seconds,
    });
    if dry_run {
        value["logs"] = json!(done.planned);
    }
    value
}
