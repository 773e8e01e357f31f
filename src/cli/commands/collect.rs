//! `ingest` and `backfill`: what brings rows in.

use serde_json::json;

use super::super::args::{BackfillArgs, IngestArgs};
use super::super::progress::{self, View, say, summary};
use super::super::wire::{self, BackfillPlan, IngestPlan};
use super::super::{CliError, Outcome, Progress, Streams, units};
use super::{answer, answer_json, when};
use crate::config::{Edge, Settings};

/// Catches up and follows.
pub(in super::super) fn ingest(
    settings: &Settings,
    args: &IngestArgs,
    quiet: bool,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let mut view = View::new("reading", settings.terminal.stderr, quiet);
    let plan = IngestPlan { once: args.once };
    let done = progress::shown(&mut view, streams.err, |on| wire::ingest(settings, plan, on))?;
    let _unheard = say(streams.err, quiet, &summary(done, view.elapsed()));
    Ok(Outcome::Done)
}

/// Reads history.
pub(in super::super) fn backfill(
    settings: &Settings,
    args: &BackfillArgs,
    quiet: bool,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let plan = BackfillPlan {
        agents: args.agent.clone(),
        path: args.path.clone(),
        since_us: when(settings, streams.now_us, "--since", Edge::Since, args.since.as_deref())?,
        until_us: when(settings, streams.now_us, "--until", Edge::Until, args.until.as_deref())?,
        jobs: args.jobs,
        dry_run: args.dry_run,
    };
    let mut view = View::new("reading", settings.terminal.stderr, quiet);
    let done = progress::shown(&mut view, streams.err, |on| wire::backfill(settings, &plan, on))?;
    if args.json {
        answer_json(streams, &as_json(done, args.dry_run, view.elapsed().as_secs_f64()))?;
    } else if args.dry_run {
        let text = format!("{} with {} would be read", units::counted(done.files, "file"), units::bytes(done.bytes));
        answer(streams, &text)?;
    } else {
        answer(streams, &summary(done, view.elapsed()))?;
    }
    Ok(if done.files == 0 { Outcome::Nothing } else { Outcome::Done })
}

fn as_json(done: Progress, dry_run: bool, seconds: f64) -> serde_json::Value {
    json!({
        "dry_run": dry_run,
        "files": done.files,
        "files_done": done.files_done,
        "bytes": done.bytes,
        "bytes_done": done.bytes_done,
        "events": done.events,
        "rejects": done.rejects,
        "seconds": seconds,
    })
}
