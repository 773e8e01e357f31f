//! The same pipeline over history.
//!
//! - [`run`] reads everything in scope and makes it durable
//! - [`refresh`] is what a query does first: it reads what is new, and leaves a small amount in
//!   memory instead of paying for a commit
//! - both are `survey` → `catch_up` → flush over one [`Core`]; there is no second path

use std::sync::Arc;

use crate::config::Settings;
use crate::discover::Note;
use crate::lake::{self, Lake, LakeError, LakeOptions, RestoreReport};
use crate::pipeline::{
    CaughtUp, Core, CoreOptions, How, PipelineError, Progress, Scope, Stamp, Survey, catch_up, compare, is_untidy,
    limits_for, now_us, repositories, retain, survey, tidy, walk,
};
use crate::schema::Folders;

/// A catch-up of fewer bytes is not worth a file: its rows stay in memory, the next one reads them again.
const WORTH_A_COMMIT_BYTES: u64 = 4 << 20;

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
    pub notes: Vec<Note>,
    /// True when the lake has many small files: merging them makes queries faster.
    pub is_untidy: bool,
}

/// What is written into every row of this machine.
#[must_use]
pub fn stamp(settings: &Settings) -> Stamp {
    let other = settings.other_machine.as_deref().filter(|name| *name != settings.machine_id);
    Stamp {
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
pub fn open_writer(settings: &Settings) -> Result<Core, LakeError> {
    let lake = Lake::open(lake_options(settings))?;
    Ok(Core::writing(lake, CoreOptions::for_budget(settings.memory_bytes)))
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
pub fn open_reader(settings: &Settings) -> Result<Core, LakeError> {
    let snapshot = Lake::read(&settings.lake)?;
    Ok(Core::reading(snapshot, CoreOptions::for_budget(settings.memory_bytes)))
}

/// Finds what `scope` means and what of it is new to `core`.
#[must_use]
pub fn look_around(settings: &Settings, scope: &Scope, core: &Core) -> Survey {
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
    open: impl FnOnce(&Settings) -> Result<Core, LakeError>,
) -> Result<(Core, Survey), LakeError> {
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
    mut found: Survey,
    how: How,
    progress: &Progress,
) -> Result<Report, PipelineError> {
    let before = durable_rows(core);
    let caught_up = read(settings, core, scope, &mut found, how, progress)?;
    core.flush()?;
    let stored = durable_rows(core).saturating_sub(before);
    put_away(settings, core, found.files() > 0)?;
    let is_untidy = is_untidy(&core.snapshot());
    Ok(Report { found: found.found, caught_up, stored, notes: found.notes, is_untidy })
}

fn durable_rows(core: &Core) -> u64 {
    core.snapshot().events.iter().map(|part| part.rows).sum()
}

/// Deletes what is older than the user wants to keep; after something was read merges a few small files: all
/// that a large backfill leaves would take longer than the backfill, and somebody waits for it.
fn put_away(settings: &Settings, core: &Core, was_read: bool) -> Result<(), PipelineError> {
    retain(core, keep_us(settings))?;
    if was_read {
        tidy(core)?;
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
    found: &mut Survey,
    how: How,
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

/// Reads what is new and returns a core that shows it together with the lake.
///
/// Much is made durable; little stays in memory. While another process writes the lake, and when it
/// cannot be written, the answer shows what is committed; `told` hears why.
///
/// # Errors
///
/// When the lake cannot be read, or written for another reason than that somebody else does, that it may
/// not, or that the disk is full.
pub fn refresh(
    settings: &Settings,
    workers: usize,
    progress: &Progress,
    mut told: impl FnMut(&str),
) -> Result<Arc<Core>, PipelineError> {
    let scope = scope(settings);
    let (reader, mut found) = open_and_look(settings, &scope, open_reader)?;
    if found.files() == 0 {
        return Ok(Arc::new(reader));
    }
    if found.bytes <= WORTH_A_COMMIT_BYTES {
        let how = How { workers, history: false };
        read(settings, &reader, &scope, &mut found, how, progress)?;
        return Ok(Arc::new(reader));
    }
    let written = open_writer(settings).map_err(PipelineError::from).and_then(|core| {
        // Somebody may have committed between the two looks.
        let mut found = look_around(settings, &scope, &core);
        read(settings, &core, &scope, &mut found, How { workers, history: true }, progress)?;
        core.flush()?;
        put_away(settings, &core, true)?;
        Ok(Arc::new(core))
    });
    match written {
        Err(PipelineError::Lake(error)) => {
            let why = instead(&error).ok_or(error)?;
            told(&why);
            // Some of it may have been committed before the disk was full.
            Ok(Arc::new(open_reader(settings)?))
        }
        other => other,
    }
}

/// Why a query is answered without what is new; `None` for errors that it must not hide.
fn instead(error: &LakeError) -> Option<String> {
    match error {
        LakeError::Locked { pid, .. } => {
            let who = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
            Some(format!(
                "another devlog{who} is reading the logs at this moment: the answer shows what it has committed"
            ))
        }
        LakeError::NotWritable { .. } | LakeError::DiskFull { .. } => {
            Some(format!("the answer shows what was committed before: {error}"))
        }
        _ => None,
    }
}
