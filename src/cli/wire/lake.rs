//! The state of the lake and its upkeep.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::{Checked, Compacted, Daemon, Linked, PrunePlan, Pruned, Repair};
use crate::backfill;
use crate::cli::{CliError, units};
use crate::config::Settings;
use crate::lake::{
    self, AllowReport, Clock, CompactOptions, CopiesReport, Doubt, Lake, LakeError, PruneFilter, Snapshot,
};
use crate::pipeline::{Core, now_us, outlook};
use crate::schema::sources_batch;
#[cfg(unix)]
use crate::serve::Client;

fn failed(doing: &'static str) -> impl Fn(LakeError) -> CliError {
    move |source| CliError::failed(doing, source)
}

fn writer(settings: &Settings) -> Result<Core, CliError> {
    backfill::open_writer(settings).map_err(failed("opening the lake for writing"))
}

/// Refuses to go on where there is no lake.
pub(super) fn there(settings: &Settings) -> Result<(), CliError> {
    Lake::expect(&settings.lake).map_err(failed("opening the lake"))
}

/// True for a home in which nothing was ever stored, which is told; a lake that was named must be there.
fn is_new(settings: &Settings) -> Result<bool, CliError> {
    match Lake::expect(&settings.lake) {
        Err(error @ LakeError::NoLake { .. }) if settings.lake == settings.home.join("lake") => {
            tracing::warn!("{error}");
            Ok(true)
        }
        other => other.map(|()| false).map_err(failed("opening the lake")),
    }
}

/// The newest version of the lake, without a lock; an empty one when there is none yet.
fn lake(settings: &Settings) -> Result<Arc<Snapshot>, CliError> {
    Lake::read(&settings.lake).map_err(failed("reading the lake"))
}

/// What retention would delete by the clock alone, and waits for.
pub(in crate::cli) fn doubt(settings: &Settings) -> Option<Doubt> {
    let _configured = settings.retention?;
    Clock::read(&settings.lake)?.doubt.filter(|doubt| doubt.rows > 0)
}

/// The newest version of the lake, as [`lake`], and a warning when files of it are missing.
pub(in crate::cli) fn looked_at(settings: &Settings) -> Result<Arc<Snapshot>, CliError> {
    let snapshot = lake(settings)?;
    let Some(error) = snapshot.fault() else { return Ok(snapshot) };
    // A prune may have removed it in this moment: then there is a newer version.
    let newest = lake(settings)?;
    if newest.version == snapshot.version {
        tracing::warn!("{error}");
    }
    Ok(newest)
}

/// The `devlog ingest` that holds this home, if one runs.
#[cfg(unix)]
pub(in crate::cli) fn daemon(settings: &Settings) -> Result<Option<Daemon>, CliError> {
    // One that gives no sign of life is told as a process that cannot be asked.
    let asked = Client::connect(&settings.home).and_then(|client| client.map(Client::status).transpose());
    let status = match asked {
        Ok(Some(status)) => status,
        Ok(None) => return Ok(None),
        Err(error) if error.is_about_the_other_side() => {
            tracing::warn!("{error}");
            return Ok(None);
        }
        Err(source) => return Err(CliError::failed("asking the running devlog", source)),
    };
    Ok(Some(Daemon {
        pid: status.pid,
        started_us: status.started_us,
        watch_mode: status.watch_mode,
        watch_reason: status.watch_reason,
        ring_rows: status.ring_rows,
        ring_bytes: status.ring_bytes,
        lacking: status.lacking,
        trouble: status.trouble.map(|trouble| (trouble.since_us, trouble.why)),
    }))
}

/// Without Unix sockets nobody can be asked.
#[cfg(not(unix))]
pub(in crate::cli) fn daemon(_: &Settings) -> Result<Option<Daemon>, CliError> {
    Ok(None)
}

/// The process that writes the lake at this moment, where the system tells.
pub(in crate::cli) fn writer_of(settings: &Settings) -> Option<u32> {
    Lake::writer_of(&settings.lake)
}

/// The table `sources`: what the lake knows, joined with a look at the files; reads no content.
pub(in crate::cli) fn sources(settings: &Settings) -> Result<RecordBatch, CliError> {
    let core = backfill::open_reader(settings).map_err(failed("reading the lake"))?;
    let survey = backfill::look_around(settings, &backfill::scope(settings), &core);
    let mut positions = outlook(&survey, &core.positions());
    positions.sort_by(|a, b| (&a.agent, &a.path).cmp(&(&b.agent, &b.path)));
    Ok(sources_batch(&positions))
}

/// Merges small files.
pub(in crate::cli) fn compact(settings: &Settings) -> Result<Compacted, CliError> {
    if is_new(settings)? {
        return Ok(Compacted::default());
    }
    let core = writer(settings)?;
    let before = core.snapshot();
    let size = |snapshot: &Snapshot| snapshot.events.iter().map(|p| p.bytes).sum::<u64>();
    let options =
        CompactOptions { min_parts: 2, memory_bytes: settings.memory_bytes / 3, ..CompactOptions::new(now_us()) };
    core.upkeep(|lake| lake.compact(options)).map_err(failed("merging files"))?;
    let after = core.snapshot();
    Ok(Compacted {
        parts_before: before.events.len() as u64,
        parts_after: after.events.len() as u64,
        bytes_before: size(&before),
        bytes_after: size(&after),
    })
}

/// Checks every commit and file, after a repair that was asked for.
pub(in crate::cli) fn fsck(settings: &Settings, repair: Repair) -> Result<Checked, CliError> {
    let mut checked = Checked::default();
    if is_new(settings)? {
        return Ok(checked);
    }
    match repair {
        Repair::None => {}
        Repair::Rebuild => {
            let report = lake::rebuild_from_footers(&settings.lake, now_us()).map_err(failed("rebuilding the log"))?;
            checked.repaired.push(format!("wrote the log anew from {} files with {} rows", report.parts, report.rows));
            checked.repaired.extend(report.old_log.map(|path| format!("the old log is kept in {}", path.display())));
            let left = |file: &lake::LeftOut| {
                format!("left out {} ({}); it is kept as {}", file.path.display(), file.why, file.kept.display())
            };
            checked.repaired.extend(report.damaged.iter().map(left));
        }
        Repair::Copies => checked.repaired.extend(without_copies(settings)?),
        Repair::Restore => {
            let report = backfill::restore_quarantine(settings).map_err(failed("putting files back"))?;
            let back = |(path, rows): &(PathBuf, u64)| {
                format!("put {} back from {}", units::counted(*rows, "row"), path.display())
            };
            checked.repaired.extend(report.restored.iter().map(back));
        }
    }
    let report = lake::fsck(&settings.lake).map_err(failed("checking the lake"))?;
    checked.commits = report.entries;
    checked.parts = report.parts;
    checked.rows = report.rows;
    for finding in &report.findings {
        let text = format!("{}: {}; {}", finding.path.display(), finding.what, finding.mend);
        if finding.harmful {
            checked.faults.push(text);
        } else {
            tracing::info!("{text}");
        }
    }
    Ok(checked)
}

/// Removes copies of events; says how many, if any.
fn without_copies(settings: &Settings) -> Result<Option<String>, CliError> {
    let dropped = writer(settings)?.upkeep(|lake| lake.drop_copies(now_us())).map_err(failed("removing copies"))?;
    let CopiesReport { rows, parts } = dropped.unwrap_or_default();
    let copies = if rows == 1 { "copy" } else { "copies" };
    let text = format!("removed {rows} {copies} of events from {}", units::counted(parts, "file"));
    Ok((rows > 0).then_some(text))
}

/// Links the live files into a new directory.
pub(in crate::cli) fn snapshot(settings: &Settings) -> Result<Linked, CliError> {
    there(settings)?;
    let path = lake::snapshot_dir(&settings.lake, now_us()).map_err(failed("linking the files"))?;
    let snapshot = lake(settings)?;
    let parts = || snapshot.events.iter().chain(snapshot.rejects.iter());
    Ok(Linked { path, files: parts().count() as u64, bytes: parts().map(|p| p.bytes).sum() })
}

/// Removes all snapshots; returns how many there were.
pub(in crate::cli) fn remove_snapshots(settings: &Settings) -> Result<u64, CliError> {
    there(settings)?;
    lake::remove_snapshots(&settings.lake, true).map_err(failed("removing snapshots"))
}

/// Deletes rows for good, or counts them.
pub(in crate::cli) fn prune(settings: &Settings, plan: &PrunePlan) -> Result<Pruned, CliError> {
    there(settings)?;
    let filters = filters(plan);
    let mut done = Pruned::default();
    if plan.dry_run {
        for filter in &filters {
            let report = Lake::prunable(&settings.lake, filter).map_err(failed("counting"))?;
            done.rows += report.events + report.rejects;
            done.parts += report.parts;
        }
        return Ok(done);
    }
    let core = writer(settings)?;
    for filter in &filters {
        let report = core.upkeep(|lake| lake.prune(filter, now_us())).map_err(failed("deleting"))?.unwrap_or_default();
        done.rows += report.events + report.rejects;
        done.parts += report.parts;
    }
    Ok(done)
}

/// Forgets what was pruned before, so that the next look takes it again.
pub(in crate::cli) fn allow_again(settings: &Settings) -> Result<AllowReport, CliError> {
    there(settings)?;
    let core = writer(settings)?;
    let forgotten = core.upkeep(|lake| lake.allow_again(now_us())).map_err(failed("writing"))?;
    Ok(forgotten.unwrap_or_default())
}

/// One filter for each pair of a session and a project that the plan names.
fn filters(plan: &PrunePlan) -> Vec<PruneFilter> {
    let any = |names: &[String]| -> Vec<Option<String>> {
        if names.is_empty() { vec![None] } else { names.iter().cloned().map(Some).collect() }
    };
    let mut all = Vec::new();
    for session in any(&plan.sessions) {
        for project in any(&plan.projects) {
            all.push(PruneFilter { before_us: plan.before_us, session: session.clone(), project });
        }
    }
    all
}
