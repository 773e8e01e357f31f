//! The same pipeline over history.
//!
//! - [`run`] reads everything in scope and makes it durable
//! - [`refresh`] is what a query does first: it reads what is new and stores it, a small amount beside the
//!   tables instead of paying for a commit
//! - both are `survey` → `catch_up` → flush over one [`Core`]; there is no second path

mod refreshed;

use std::sync::Arc;

use crate::config::Settings;
use crate::discover::ScanWarning;
use crate::lake::{self, Lake, LakeError, LakeOptions, RestoreReport, StagedFile};
use crate::pipeline::{
    CatchUpOptions, CaughtUp, Core, CoreOptions, MachineContext, PipelineError, Progress, ScanPlan, Scope, Unread,
    catch_up, compact_step, compare, limits_for, needs_compaction, now_us, repositories, retain, survey, walk,
};
use crate::schema::Folders;

pub use refreshed::{Lacking, Refreshed};

/// A catch-up of fewer bytes is held in memory whole, and stored at its end.
const IN_MEMORY_BYTES: u64 = 4 << 20;

/// Rows of this size are committed; fewer are staged ...
const STAGED_BYTES: usize = 512 << 10;

/// ... for this long at most: other programs read the tables.
const STAGED_US: i64 = 3_600_000_000;

/// So often a catch-up begins again because another process was faster.
const TRIES: u32 = 3;

/// Why rows are not stored when that was of no use.
const BUSY: &str = "other devlogs go on storing theirs; the next one stores these too";

/// What a backfill came to.
#[derive(Debug, Default)]
pub struct Report {
    /// Files found, changed or not.
    pub found: u64,
    /// What was done with those that had changed.
    pub caught_up: CaughtUp,
    /// Events that were added to the lake, without the copies, and before `retention` deletes any.
    pub stored: u64,
    /// Places that were not read, and why.
    pub notes: Vec<ScanWarning>,
    /// True when the lake has many small files: merging them makes queries faster.
    pub needs_compaction: bool,
}

/// What is written into every row of this machine.
#[must_use]
pub fn stamp(settings: &Settings) -> MachineContext {
    let other = settings.other_machine.as_deref().filter(|name| *name != settings.machine_id);
    MachineContext {
        machine_id: settings.machine_id.as_str().into(),
        user_name: settings.user_name.as_str().into(),
        folders: other.map_or_else(|| repositories(&settings.places.home), Folders::of_machine),
        zone: settings.log_zone,
    }
}

/// Everything: all places of all agents, and what the user describes.
#[must_use]
pub fn scope(settings: &Settings) -> Scope {
    Scope { own: Arc::clone(&settings.own), ..Scope::default() }
}

/// Opens the lake for writing.
///
/// # Errors
///
/// When another process writes it, or it cannot be written.
pub fn open_writer(settings: &Settings) -> Result<Core, PipelineError> {
    let lake = Lake::open(lake_options(settings))?;
    let staged = lake.staged()?;
    let core = Core::writing(lake, CoreOptions::for_budget(settings.memory_bytes));
    if let Some(staged) = staged {
        // Before anything else is committed: what is staged belongs to the newest commit.
        core.restore(staged)?;
        core.flush()?;
        core.upkeep(Lake::unstage)?;
    }
    Ok(core)
}

fn lake_options(settings: &Settings) -> LakeOptions {
    LakeOptions {
        unsafe_network_fs: settings.unsafe_network_fs,
        id_cache_bytes: CoreOptions::for_budget(settings.memory_bytes).id_cache_bytes,
        ..LakeOptions::new(&settings.lake, now_us())
    }
}

/// Takes files that were set aside, and are whole, back into the lake.
///
/// # Errors
///
/// When another process writes the lake, or it cannot be written.
pub fn restore_quarantine(settings: &Settings) -> Result<RestoreReport, LakeError> {
    lake::restore_quarantine(lake_options(settings))
}

/// Opens the lake for reading.
///
/// # Errors
///
/// When it cannot be read.
pub fn open_reader(settings: &Settings) -> Result<Core, PipelineError> {
    let staged = StagedFile::read(&settings.lake)?;
    let snapshot = Lake::read(&settings.lake)?;
    let core = Core::reading(snapshot, CoreOptions::for_budget(settings.memory_bytes));
    if let Some(staged) = staged {
        core.restore(staged)?;
    }
    Ok(core)
}

/// Commits what is staged, so that the tables show it: before other programs, or a copy of the tables, are to.
/// Nothing happens when nothing is, or while another process writes the lake.
///
/// # Errors
///
/// When the lake cannot be read or written.
pub fn commit_staged(settings: &Settings) -> Result<(), PipelineError> {
    if StagedFile::read(&settings.lake)?.is_none() {
        return Ok(());
    }
    match open_writer(settings) {
        Ok(_) | Err(PipelineError::Lake(LakeError::Locked { .. })) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Finds what `scope` means and what of it is new to `core`.
#[must_use]
pub fn look_around(settings: &Settings, scope: &Scope, core: &Core) -> ScanPlan {
    survey(&settings.places, scope, &core.positions())
}

/// Opens the lake and looks around at the same time: with many files each takes about as long.
///
/// # Errors
///
/// What `open` returns.
pub fn open_and_look(
    settings: &Settings,
    scope: &Scope,
    open: impl FnOnce(&Settings) -> Result<Core, PipelineError>,
) -> Result<(Core, ScanPlan), PipelineError> {
    let (core, walked) = std::thread::scope(|threads| {
        let walk = std::thread::Builder::new().spawn_scoped(threads, || walk(&settings.places, scope));
        (open(settings), walk.ok().map(std::thread::ScopedJoinHandle::join))
    });
    let core = core?;
    // A walk that panicked is done again here, where it is not hidden; so is one that got no thread.
    let walked = walked.and_then(Result::ok).unwrap_or_else(|| walk(&settings.places, scope));
    let found = compare(walked, scope, &core.positions());
    Ok((core, found))
}

/// Reads everything that was `found` and makes it durable.
///
/// # Errors
///
/// When the lake cannot be read or written; what was committed stays, and a further run goes on there.
pub fn run(
    settings: &Settings,
    core: &Core,
    scope: &Scope,
    mut found: ScanPlan,
    how: CatchUpOptions<'_>,
    progress: &Progress,
) -> Result<Report, PipelineError> {
    let before = durable_rows(core);
    if !how.shown {
        found.without_open();
    }
    let caught_up = read(settings, core, scope, &mut found, how, progress)?;
    core.flush()?;
    let stored = durable_rows(core).saturating_sub(before);
    run_upkeep(settings, core, found.files() > 0)?;
    let needs_compaction = needs_compaction(&core.snapshot());
    Ok(Report { found: found.found, caught_up, stored, notes: found.notes, needs_compaction })
}

fn durable_rows(core: &Core) -> u64 {
    core.snapshot().events.iter().map(|part| part.rows).sum()
}

/// Deletes what is older than the user wants to keep; after something was read merges a few small files: all
/// that a large backfill leaves would take longer than the backfill, and somebody waits for it.
fn run_upkeep(settings: &Settings, core: &Core, was_read: bool) -> Result<(), PipelineError> {
    retain(core, keep_us(settings))?;
    if was_read {
        compact_step(core)?;
    }
    Ok(())
}

/// How long rows are kept, in microseconds; `None` for ever.
#[must_use]
pub fn keep_us(settings: &Settings) -> Option<i64> {
    settings.retention.map(|keep| i64::try_from(keep.as_micros()).unwrap_or(i64::MAX))
}

/// Reads what was `found`, then what lies in projects that only the rows of that have named.
fn read(
    settings: &Settings,
    core: &Core,
    scope: &Scope,
    found: &mut ScanPlan,
    how: CatchUpOptions<'_>,
    progress: &Progress,
) -> Result<CaughtUp, PipelineError> {
    core.keep(keep_us(settings));
    let (stamp, limits) = (stamp(settings), limits_for(settings.memory_bytes));
    let mut total = catch_up(core, found, &stamp, limits, how, progress)?;
    if let Some(more) = found.further(scope, &core.positions()).filter(|_| !progress.stopped()) {
        let read = catch_up(core, &more, &stamp, limits, how, progress)?;
        total += read;
        found.found += more.found;
        found.notes.extend(more.notes);
    }
    Ok(total)
}

/// Reads what is new and returns a core that shows it together with the lake, and what it does not show.
///
/// What is shown as settled is durable when this returns: much of it in the tables, a little staged beside
/// them. Where that cannot be, because another process writes the lake or it cannot be written, little is
/// shown all the same, and of much only what is committed.
///
/// # Errors
///
/// When the lake cannot be read, or much cannot be written for another reason than that somebody else does,
/// that it may not, or that the disk is full.
pub fn refresh(settings: &Settings, workers: usize, progress: &Progress) -> Result<Refreshed, PipelineError> {
    let scope = scope(settings);
    let mut tries = 0;
    loop {
        let (mut reader, mut found) = open_and_look(settings, &scope, open_reader)?;
        if found.files() == 0 {
            return Ok(refreshed(settings, reader, &found, CaughtUp::default()));
        }
        if found.bytes > IN_MEMORY_BYTES {
            return refresh_much(settings, &scope, found, workers, progress);
        }
        let done = read(
            settings,
            &reader,
            &scope,
            &mut found,
            CatchUpOptions { workers, history: true, shown: true, open: None },
            progress,
        )?;
        match store(settings, &mut reader) {
            Ok(true) => return Ok(refreshed(settings, reader, &found, done)),
            Ok(false) if tries < TRIES => tries += 1,
            stored => {
                let mut shown = refreshed(settings, reader, &found, done);
                shown.unstored = Some(stored.err().map_or_else(|| BUSY.to_owned(), |error| error.to_string()));
                return Ok(shown);
            }
        }
    }
}

/// The same for more than is held in memory: the lake is written while the logs are read.
fn refresh_much(
    settings: &Settings,
    scope: &Scope,
    found: ScanPlan,
    workers: usize,
    progress: &Progress,
) -> Result<Refreshed, PipelineError> {
    let written = open_writer(settings).and_then(|core| {
        // Somebody may have committed between the two looks.
        let mut found = look_around(settings, scope, &core);
        let done = read(
            settings,
            &core,
            scope,
            &mut found,
            CatchUpOptions { workers, history: true, shown: true, open: None },
            progress,
        )?;
        core.flush()?;
        run_upkeep(settings, &core, true)?;
        Ok(refreshed(settings, core, &found, done))
    });
    match written {
        Err(PipelineError::Lake(error)) => {
            let why = Lacking::of(&error).ok_or(error)?;
            // Some of it may have been committed before the disk was full.
            let mut shown = refreshed(settings, open_reader(settings)?, &found, CaughtUp::default());
            shown.lacking.insert(0, why);
            Ok(shown)
        }
        other => other,
    }
}

/// Makes durable what `core`, which was opened for reading, has read. Little is staged; what is more, or has
/// been staged for long, is committed, and so are the first rows of a lake. False when another process has
/// stored something meanwhile.
fn store(settings: &Settings, core: &mut Core) -> Result<bool, PipelineError> {
    if !core.has_news() {
        return Ok(true);
    }
    let age_us = core.gathered_since_us().map_or(0, |since_us| now_us().saturating_sub(since_us));
    let is_little = core.ring_bytes() <= STAGED_BYTES && (0..STAGED_US).contains(&age_us);
    if is_little && core.snapshot().version.is_some() {
        return Ok(core.stage()?);
    }
    if !core.adopt(lake::soon(|| Lake::open(lake_options(settings)))?)? {
        return Ok(false);
    }
    core.flush()?;
    core.upkeep(Lake::unstage)?;
    run_upkeep(settings, core, true)?;
    Ok(true)
}

/// What `core` shows after what was `found` was read as far as `done` says.
fn refreshed(settings: &Settings, core: Core, found: &ScanPlan, done: CaughtUp) -> Refreshed {
    let unread = Unread::of(core.positions().values().map(|position| &**position), &found.notes, &settings.places);
    let stopped = (done.waiting > 0).then_some(Lacking::Stopped { files: done.waiting });
    Refreshed { core: Arc::new(core), lacking: Vec::from_iter(stopped), unstored: None, unread }
}
