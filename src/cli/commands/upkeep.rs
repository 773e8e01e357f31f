//! `compact`, `fsck`, `snapshot`, `prune`: care for the lake.

use super::super::args::{CompactArgs, FsckArgs, PruneArgs, SnapshotArgs};
use super::super::progress::say;
use super::super::{CliError, Outcome, Streams};
use super::{answer, answer_json, tell, when};
use crate::config::{Edge, Settings};
use crate::ops::{self, PrunePlan, Repair};
use crate::text::units;

/// Merges small files.
pub(in super::super) fn compact(
    settings: &Settings,
    args: &CompactArgs,
    quiet: bool,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let _unheard = say(streams.err, quiet, "merging small files ...");
    let done = ops::compact(settings)?;
    if args.json {
        answer_json(streams, &done)?;
    } else if done.parts_before == done.parts_after {
        answer(streams, &format!("nothing to merge: {}", units::counted(done.parts_after, "file")))?;
    } else {
        let text = format!(
            "{} of {} became {} of {}",
            units::counted(done.parts_before, "file"),
            units::bytes(done.bytes_before),
            units::count(done.parts_after),
            units::bytes(done.bytes_after),
        );
        answer(streams, &text)?;
    }
    Ok(Outcome::Done)
}

/// Checks the lake.
pub(in super::super) fn fsck(
    settings: &Settings,
    args: &FsckArgs,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let repair = match (args.rebuild_from_footers, args.restore_quarantine, args.repair_duplicates) {
        (true, ..) => Repair::Rebuild,
        (_, true, _) => Repair::Restore,
        (.., true) => Repair::Copies,
        _ => Repair::None,
    };
    let found = ops::fsck(settings, repair)?;
    if args.json {
        answer_json(streams, &found)?;
    } else {
        for repaired in &found.repaired {
            answer(streams, &format!("repaired: {repaired}"))?;
        }
        for fault in &found.faults {
            answer(streams, &format!("fault: {fault}"))?;
        }
        let text = format!(
            "{}, {}, {}, {} checked",
            units::counted(found.commits, "commit"),
            units::counted(found.parts, "file"),
            units::counted(found.rows, "event"),
            units::counted(found.rejects, "reject"),
        );
        answer(streams, &text)?;
    }
    if found.faults.is_empty() { Ok(Outcome::Done) } else { Err(CliError::Faults { faults: found.faults.len() }) }
}

/// Links the live files into a directory and prints its path, for use in other commands.
pub(in super::super) fn snapshot(
    settings: &Settings,
    args: &SnapshotArgs,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    if args.remove {
        let removed = ops::remove_snapshots(settings)?;
        if args.json {
            answer_json(streams, &serde_json::json!({"removed": removed}))?;
        } else {
            answer(streams, &format!("{} removed", units::counted(removed, "snapshot")))?;
        }
        return Ok(Outcome::Done);
    }
    let linked = ops::snapshot(settings)?;
    if args.json {
        answer_json(streams, &linked)?;
    } else {
        answer(streams, &linked.path.display().to_string())?;
    }
    Ok(Outcome::Done)
}

/// Takes back what was pruned before.
fn allow_again(settings: &Settings, as_json: bool, streams: &mut Streams<'_>) -> Result<Outcome, CliError> {
    let done = ops::allow_again(settings)?;
    if as_json {
        answer_json(streams, &serde_json::json!({"forgotten": done.filters, "sources": done.sources}))?;
    } else if done.filters == 0 {
        answer(streams, "nothing has been pruned")?;
    } else {
        let (prunes, logs) = (units::counted(done.filters, "prune"), units::counted(done.sources, "log"));
        answer(streams, &format!("{prunes} lifted; the next backfill or ingest re-imports from {logs}"))?;
    }
    Ok(Outcome::Done)
}

/// Deletes rows, or says how many it would delete.
pub(in super::super) fn prune(
    settings: &Settings,
    args: &PruneArgs,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    if args.allow_again {
        return allow_again(settings, args.json, streams);
    }
    let plan = PrunePlan {
        before_us: when(settings, streams.now_us, "--before", Edge::Before, args.before.as_deref())?,
        sessions: args.session.clone(),
        #[cfg(feature = "query")]
        projects: super::projects::resolved(settings, &args.project, streams)?,
        #[cfg(not(feature = "query"))]
        projects: args.project.clone(),
        dry_run: !args.yes,
    };
    let pruned = ops::prune(settings, &plan)?;
    if args.json {
        answer_json(
            streams,
            &serde_json::json!({"rows": pruned.rows, "parts": pruned.parts, "dry_run": plan.dry_run}),
        )?;
    } else {
        let verb = if plan.dry_run { "would be deleted from" } else { "deleted from" };
        let text = format!("{} {verb} {}", units::counted(pruned.rows, "row"), units::counted(pruned.parts, "file"));
        answer(streams, &text)?;
    }
    if plan.dry_run && pruned.rows > 0 {
        tell(streams, "note: nothing was changed; --yes deletes them for good")?;
    }
    Ok(Outcome::Done)
}
