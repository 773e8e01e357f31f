//! The state of the lake and its upkeep.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;
use serde::de::DeserializeOwned;

use super::OpError;
use super::upkeep::{Asked, Job, Wait, ask, with_writer};
use super::{Allowed, Checked, Compacted, Daemon, Linked, PrunePlan, Pruned, Repair};
use crate::backfill;
use crate::config::Settings;
use crate::lake::{
    self, AgentRows, Clock, CompactOptions, CopiesReport, Doubt, GRACE_US, Lake, LakeError, LakeOptions, PruneFilter,
    Snapshot, VacuumReport,
};
use crate::pipeline::{Core, now_us, projected_positions};
use crate::schema::sources_batch;
#[cfg(unix)]
use crate::serve::Client;
use crate::text::units;

fn failed<E: std::error::Error + Send + Sync + 'static>(doing: &'static str) -> impl Fn(E) -> OpError {
    move |source| OpError::failed(doing, source)
}

/// Refuses to go on where there is no lake.
pub(super) fn there(settings: &Settings) -> Result<(), OpError> {
    Lake::expect(&settings.lake).map_err(failed("opening the lake"))
}

/// True for a home in which nothing was ever stored, which is told; a lake that was named must be there.
fn is_new(settings: &Settings) -> Result<bool, OpError> {
    match Lake::expect(&settings.lake) {
        Err(error @ LakeError::NoLake { .. }) if settings.lake == settings.home.join("lake") => {
            tracing::warn!("{error}");
            Ok(true)
        }
        other => other.map(|()| false).map_err(failed("opening the lake")),
    }
}

/// The newest version of the lake, without a lock; an empty one when there is none yet.
fn lake(settings: &Settings) -> Result<Arc<Snapshot>, OpError> {
    Lake::read(&settings.lake).map_err(failed("reading the lake"))
}

/// Durable rows by agent. A file that cannot be read is told, and counts nothing.
pub(crate) fn rows_by_agent(snapshot: &Snapshot) -> BTreeMap<String, AgentRows> {
    Lake::rows_by_agent(snapshot).unwrap_or_else(|error| {
        tracing::warn!("events are not counted by agent: {error}");
        BTreeMap::new()
    })
}

/// Files that commits have replaced, which wait for those who still read them.
pub(crate) fn waiting(settings: &Settings) -> Result<VacuumReport, OpError> {
    Lake::waiting(&settings.lake).map_err(failed("reading the lake"))
}

/// Removes replaced files whose grace is over, if there are any and nobody writes: whatever command was
/// run, it ends with that.
pub(crate) fn sweep(settings: &Settings) {
    let options = LakeOptions {
        unsafe_network_fs: settings.unsafe_network_fs,
        id_cache_bytes: 0,
        ..LakeOptions::new(&settings.lake, now_us())
    };
    if let Err(error) = Lake::sweep(options) {
        tracing::debug!(%error, "replaced files stay for now");
    }
}

/// What retention would delete by the clock alone, and waits for.
pub(crate) fn doubt(settings: &Settings) -> Option<Doubt> {
    let _configured = settings.retention?;
    Clock::read(&settings.lake)?.doubt.filter(|doubt| doubt.rows > 0)
}

/// The newest version of the lake, as [`lake()`], and a warning when files of it are missing.
pub(crate) fn looked_at(settings: &Settings) -> Result<Arc<Snapshot>, OpError> {
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
pub(crate) fn daemon(settings: &Settings) -> Result<Option<Daemon>, OpError> {
    // One that gives no sign of life is told as a process that cannot be asked.
    let asked = Client::connect(&settings.socket).and_then(|client| client.map(Client::status).transpose());
    let status = match asked {
        Ok(Some(status)) => status,
        Ok(None) => return Ok(None),
        Err(error) if error.is_about_the_other_side() => {
            tracing::warn!("{error}");
            return Ok(None);
        }
        Err(source) => return Err(OpError::failed("asking the running devlog", source)),
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
pub(crate) fn daemon(_: &Settings) -> Result<Option<Daemon>, OpError> {
    Ok(None)
}

/// The process that writes the lake at this moment, where the system tells.
pub(crate) fn writer_of(settings: &Settings) -> Option<u32> {
    Lake::writer_of(&settings.lake)
}

/// The table `sources`: what the lake knows, joined with a look at the files; reads no content.
pub(crate) fn sources(settings: &Settings) -> Result<RecordBatch, OpError> {
    let core = backfill::open_reader(settings).map_err(failed("reading the lake"))?;
    let survey = backfill::look_around(settings, &backfill::scope(settings), &core);
    let mut positions = projected_positions(&survey, &core.positions());
    positions.sort_by(|a, b| (&a.agent, &a.path).cmp(&(&b.agent, &b.path)));
    Ok(sources_batch(&positions))
}

/// Has a running `ingest` do `job`, else does it `here`.
fn asked_or<T: DeserializeOwned>(
    settings: &Settings,
    job: &Job,
    here: impl FnOnce() -> Result<T, OpError>,
) -> Result<T, OpError> {
    match ask(settings, job, &|| false, &mut |_| {}) {
        Ok(Asked::Done(done)) => Ok(done),
        Ok(Asked::Nobody | Asked::Stopped) => here(),
        // It needs no lock.
        #[cfg(unix)]
        Err(OpError::Asked(error)) if error.is_about_the_other_side() => {
            tracing::warn!("{error}; done here instead");
            here()
        }
        Err(error) => Err(error),
    }
}

/// Does something with the lake open for writing: here, or in the `ingest` that holds it.
fn in_writer<T: DeserializeOwned + Default>(
    settings: &Settings,
    job: &Job,
    here: impl FnOnce(Core) -> Result<T, OpError>,
) -> Result<T, OpError> {
    let open = || backfill::open_writer(settings);
    let done = with_writer(settings, job, &|| false, &mut |_| {}, open, |core, _| here(core))?;
    Ok(done.unwrap_or_default())
}

/// Merges small files.
pub(crate) fn compact(settings: &Settings) -> Result<Compacted, OpError> {
    if is_new(settings)? {
        return Ok(Compacted::default());
    }
    in_writer(settings, &Job::Compact, |core| merge(&core, settings.memory_bytes / 3, u64::MAX, &|| true))
}

/// Merges small files of `core`, `at_once` merges at a time, while it `goes_on`.
pub(super) fn merge(
    core: &Core,
    memory_bytes: u64,
    at_once: u64,
    goes_on: &dyn Fn() -> bool,
) -> Result<Compacted, OpError> {
    let before = core.snapshot();
    let size = |snapshot: &Snapshot| snapshot.events.iter().map(|p| p.bytes).sum::<u64>();
    let mut options =
        CompactOptions { min_parts: 2, max_merges: at_once, memory_bytes, ..CompactOptions::new(now_us()) };
    while goes_on() {
        let done = core.upkeep(|lake| Ok::<_, LakeError>(lake.compact(options))).map_err(failed("merging files"))?;
        match done {
            Some(Ok(report)) if report.merges > 0 && report.merges == options.max_merges => {}
            // A damaged file is in the way: all others are merged, then it is told.
            Some(Err(LakeError::CorruptPart { .. })) if options.max_merges < u64::MAX => options.max_merges = u64::MAX,
            Some(Err(error)) => return Err(OpError::failed("merging files", error)),
            _ => break,
        }
    }
    core.upkeep(|lake| lake.vacuum(GRACE_US, now_us())).map_err(failed::<LakeError>("removing replaced files"))?;
    let after = core.snapshot();
    Ok(Compacted {
        parts_before: before.events.len() as u64,
        parts_after: after.events.len() as u64,
        bytes_before: size(&before),
        bytes_after: size(&after),
    })
}

/// Checks every commit and file, after a repair that was asked for.
pub(crate) fn fsck(settings: &Settings, repair: Repair) -> Result<Checked, OpError> {
    if is_new(settings)? {
        return Ok(Checked::default());
    }
    // A lake that cannot be opened is what this is about: what is wrong with it is told below.
    if let Err(error) = backfill::commit_staged(settings) {
        tracing::debug!(%error, "the newest rows stay beside the tables");
    }
    let mut repaired = Vec::new();
    match repair {
        Repair::None => {}
        Repair::Rebuild => {
            let rebuild = || lake::rebuild_from_footers(&settings.lake, now_us());
            let report = alone(settings, "rebuilding the log", rebuild)?;
            repaired.push(format!("rebuilt the log from {} files with {} rows", report.parts, report.rows));
            repaired.extend(report.old_log.map(|path| format!("the old log is kept in {}", path.display())));
            let left = |file: &lake::LeftOut| {
                format!("left out {} ({}); it is kept as {}", file.path.display(), file.why, file.kept.display())
            };
            repaired.extend(report.damaged.iter().map(left));
            // The rows that stood beside the old log.
            backfill::commit_staged(settings).map_err(failed("storing the newest rows"))?;
        }
        Repair::Copies => repaired.extend(without_copies(settings)?),
        Repair::Restore => {
            let report = alone(settings, "putting files back", || backfill::restore_quarantine(settings))?;
            let back = |(path, rows): &(PathBuf, u64)| {
                format!("put {} back from {}", units::counted(*rows, "row"), path.display())
            };
            repaired.extend(report.restored.iter().map(back));
        }
    }
    let found = asked_or(settings, &Job::Check, || check(settings))?;
    Ok(Checked { repaired, ..found })
}

/// Does what no `ingest` may run beside: waits for other commands, and names an `ingest`.
fn alone<T>(
    settings: &Settings,
    doing: &'static str,
    mut work: impl FnMut() -> Result<T, LakeError>,
) -> Result<T, OpError> {
    let mut wait = Wait::new(settings.lock_wait);
    loop {
        match work() {
            Err(LakeError::Locked { pid, .. }) => {
                if let Some(daemon) = daemon(settings)?
                    && pid.is_none_or(|pid| pid == daemon.pid)
                {
                    return Err(OpError::LakeInUse { pid: daemon.pid });
                }
                wait.until_free(settings, pid, &|| false)?;
            }
            other => return other.map_err(failed(doing)),
        }
    }
}

/// Checks every commit and file.
pub(super) fn check(settings: &Settings) -> Result<Checked, OpError> {
    let report = lake::fsck(&settings.lake).map_err(failed("checking the lake"))?;
    let mut checked = Checked {
        commits: report.entries,
        parts: report.parts,
        rows: report.rows,
        rejects: report.rejects,
        ..Checked::default()
    };
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
fn without_copies(settings: &Settings) -> Result<Option<String>, OpError> {
    let (rows, parts) = in_writer(settings, &Job::DropCopies, |core| drop_copies_in(&core))?;
    let copies = if rows == 1 { "copy" } else { "copies" };
    let text = format!("removed {rows} {copies} of events from {}", units::counted(parts, "file"));
    Ok((rows > 0).then_some(text))
}

/// Removes copies of events; returns how many rows from how many files.
pub(super) fn drop_copies_in(core: &Core) -> Result<(u64, u64), OpError> {
    let dropped = core.upkeep(|lake| lake.drop_copies(now_us())).map_err(failed("removing copies"))?;
    let CopiesReport { rows, parts } = dropped.unwrap_or_default();
    Ok((rows, parts))
}

/// Links the live files into a new directory; rows that a running `ingest` holds are made durable first.
pub(crate) fn snapshot(settings: &Settings) -> Result<Linked, OpError> {
    there(settings)?;
    asked_or(settings, &Job::Snapshot, || link(settings))
}

/// Links the live files into a new directory.
pub(super) fn link(settings: &Settings) -> Result<Linked, OpError> {
    backfill::commit_staged(settings).map_err(failed("storing the newest rows"))?;
    let path = lake::snapshot_dir(&settings.lake, now_us()).map_err(failed("linking the files"))?;
    let snapshot = lake(settings)?;
    let parts = || snapshot.events.iter().chain(snapshot.rejects.iter());
    Ok(Linked { path, files: parts().count() as u64, bytes: parts().map(|p| p.bytes).sum() })
}

/// Removes all snapshots; returns how many there were.
pub(crate) fn remove_snapshots(settings: &Settings) -> Result<u64, OpError> {
    there(settings)?;
    lake::remove_snapshots(&settings.lake, true).map_err(failed("removing snapshots"))
}

/// Deletes rows for good, or counts them.
pub(crate) fn prune(settings: &Settings, plan: &PrunePlan) -> Result<Pruned, OpError> {
    there(settings)?;
    let job = Job::Prune(plan.clone());
    if plan.dry_run {
        let here = || {
            backfill::commit_staged(settings).map_err(failed("storing the newest rows"))?;
            prunable(settings, plan)
        };
        return asked_or(settings, &job, here);
    }
    in_writer(settings, &job, |core| prune_in(settings, &core, plan))
}

/// Counts the rows that a prune would delete.
fn prunable(settings: &Settings, plan: &PrunePlan) -> Result<Pruned, OpError> {
    let mut done = Pruned::default();
    for filter in &filters(plan) {
        let report = Lake::prunable(&settings.lake, filter).map_err(failed("counting"))?;
        done.rows += report.events + report.rejects;
        done.parts += report.parts;
    }
    Ok(done)
}

/// Deletes rows for good, also those that are on their way to the disk, or counts them.
pub(super) fn prune_in(settings: &Settings, core: &Core, plan: &PrunePlan) -> Result<Pruned, OpError> {
    let drained = || core.drain().map_err(|error| OpError::failed("writing the newest rows", error));
    drained()?;
    if plan.dry_run {
        return prunable(settings, plan);
    }
    let mut done = Pruned::default();
    for filter in &filters(plan) {
        loop {
            let report = core.upkeep(|lake| lake.prune(filter, now_us())).map_err(failed("deleting"))?;
            let report = report.unwrap_or_default();
            done.rows += report.events + report.rejects;
            done.parts += report.parts;
            if report.events + report.rejects == 0 {
                break;
            }
            // From here on no such row is taken in; those that were before the commit are in the ring.
            drained()?;
        }
    }
    Ok(done)
}

/// Forgets what was pruned before, so that the next look takes it again.
pub(crate) fn allow_again(settings: &Settings) -> Result<Allowed, OpError> {
    there(settings)?;
    in_writer(settings, &Job::AllowAgain, |core| allow_again_in(&core))
}

/// Forgets what was pruned before.
pub(super) fn allow_again_in(core: &Core) -> Result<Allowed, OpError> {
    let forgotten = core.upkeep(|lake| lake.allow_again(now_us())).map_err(failed("writing"))?.unwrap_or_default();
    Ok(Allowed { filters: forgotten.filters, sources: forgotten.sources })
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
