//! Opening the lake: as its writer, with recovery, or for reading.

use std::path::Path;
use std::sync::{Arc, Mutex};

use super::Snapshot;
use super::disk;
use super::error::LakeError;
use super::export;
use super::guard::{self, WriterLock, refuse_network_fs};
use super::handle::{Lake, LakeOptions, Writer, note_newest};
use super::known::Known;
use super::layout::{files, filter_dir, is_part_file, quarantine_dir, state_dir};
#[cfg(test)]
use super::log::Cost;
use super::log::Log;
use super::quarantine;
use super::rejects;
use super::state::State;
use super::vacuum;
use crate::schema::EVENTS_VERSION;

/// Of the memory for ids so small a part is added for those of rejects.
const REJECTS_SHARE: usize = 8;

impl Lake {
    /// Opens the lake for writing, and mends what a crash left: an unfinished newest entry goes to
    /// quarantine, with the files that only it can have named, and its number is used again; leftover
    /// files older than an hour are removed, as are files whose grace is over.
    ///
    /// # Errors
    ///
    /// [`LakeError::Locked`] when another process writes it, [`LakeError::CorruptEntry`] or
    /// [`LakeError::MissingEntry`] when the log is damaged in a way no crash can explain, and those
    /// that name an unsuitable directory.
    pub fn open(options: LakeOptions) -> Result<Self, LakeError> {
        let LakeOptions { root, id_cache_bytes, unsafe_network_fs, now_us } = options;
        is_there(&root)?;
        disk::create_dir(&root)?;
        disk::check_private(&root)?;
        if !unsafe_network_fs {
            refuse_network_fs(&root)?;
        }
        let lock = WriterLock::take(&root)?;
        let log = Log::master(&root);
        refuse_lost_log(&root, &log)?;
        let dirs = [&log.dir, &root.join("rejects"), &state_dir(&root), &filter_dir(&root), &quarantine_dir(&root)];
        for dir in dirs {
            disk::create_dir(dir)?;
        }
        test_file_system(&root)?;
        let (state, cost) = log.follow(&state_dir(&root))?;
        refuse_newer(&log, &state)?;
        if let Some(path) = &cost.torn {
            set_torn_aside(&root, &log, &state, path)?;
        }
        // What was read may not have reached the disk if the last writer died between its link and
        // its sync; from here on positions build on it.
        disk::sync_dir(&log.dir)?;
        let lake = Self {
            current: Mutex::new(Arc::new(state.snapshot(&root))),
            writer: Mutex::new(Writer { state, entries: cost.entries, bytes: cost.bytes, doubt: None }),
            known: Arc::new(Known::new(&root, id_cache_bytes).kept()),
            rejected: Arc::new(Known::of_rejects(&root, id_cache_bytes / REJECTS_SHARE).kept()),
            in_flight: Arc::default(),
            log,
            root,
            _lock: lock,
        };
        {
            let mut writer = lake.writer();
            if let Some((version, _)) = writer.state.newest {
                note_newest(&lake.root, &lake.log, version);
            }
            lake.remove_replaced(&mut writer, vacuum::GRACE_US, now_us)?;
            vacuum::remove_orphans(&lake.root, &writer.state, &lake.in_flight, now_us)?;
            export::remove_outdated(&lake.root, now_us)?;
            rejects::heal(&lake.root, &writer.state)?;
        }
        Ok(lake)
    }

    /// Reads the newest version of the lake in `root`, without a lock and without changing anything.
    /// A lake that does not exist yet is empty.
    ///
    /// # Errors
    ///
    /// When the log is damaged or has lost entries. A newest entry that was never finished is warned of,
    /// and counts as not there: the next writer sets it aside.
    pub fn read(root: &Path) -> Result<Arc<Snapshot>, LakeError> {
        is_there(root)?;
        let log = Log::master(root);
        refuse_lost_log(root, &log)?;
        let (state, cost) = log.follow(&state_dir(root))?;
        if let Some(path) = cost.torn {
            tracing::warn!(
                "the newest commit {path:?} was never finished; what it held is left out until it is read again"
            );
        }
        Ok(Arc::new(state.snapshot(root)))
    }

    /// Refuses a place where there is no lake.
    ///
    /// # Errors
    ///
    /// [`LakeError::NoLake`], or [`LakeError::NotALake`] for a folder of other things.
    pub fn expect(root: &Path) -> Result<(), LakeError> {
        if is_there(root)? { Ok(()) } else { Err(LakeError::NoLake { path: root.to_owned() }) }
    }

    /// The process that writes the lake in `root` at this moment, where the system tells (Linux does).
    #[must_use]
    pub fn writer_of(root: &Path) -> Option<u32> {
        guard::writer_of(root)
    }
}

/// What stands in a lake's folder; any of it tells that it is one.
const OURS: [&str; 6] = ["events", ".state", ".lock", "rejects", ".quarantine", ".snapshots"];
/// What systems put into folders by themselves.
const NOBODYS: [&str; 2] = ["lost+found", ".DS_Store"];

/// Whether there is a lake in `root`; a folder of other things is refused.
fn is_there(root: &Path) -> Result<bool, LakeError> {
    let inside = disk::list(root)?;
    if inside.iter().any(|(name, _)| OURS.contains(&name.as_str())) {
        return Ok(true);
    }
    if inside.iter().all(|(name, _)| NOBODYS.contains(&name.as_str())) {
        return Ok(false);
    }
    Err(LakeError::NotALake { path: root.to_owned() })
}

// Files without a log are a lake whose log was lost: starting over would orphan them.
fn refuse_lost_log(root: &Path, log: &Log) -> Result<(), LakeError> {
    if !log.dir.is_dir() && files(root)?.iter().any(|(_, path, _)| is_part_file(path)) {
        return Err(LakeError::MissingEntry { path: log.path(0) });
    }
    Ok(())
}

/// Sets aside an entry that was never finished, and the files that nothing else names: their rows are
/// read again from the logs, and where those are gone they can be taken from there.
fn set_torn_aside(root: &Path, log: &Log, state: &State, path: &Path) -> Result<(), LakeError> {
    for (table, part, name) in files(root)? {
        if is_part_file(&part) && !state.names(table, &name) {
            quarantine::set_part_aside(root, table, &name, &part)?;
        }
    }
    match state.newest {
        Some((version, _)) => note_newest(root, log, version),
        None => drop(disk::remove_file(&state_dir(root).join("newest"))?),
    }
    let kept = quarantine::set_aside(root, path)?;
    tracing::warn!(
        "the newest commit {path:?} was never finished and is set aside as {kept:?}; its rows are read again"
    );
    Ok(())
}

fn refuse_newer(log: &Log, state: &State) -> Result<(), LakeError> {
    match &state.info {
        Some(info) if info.schema_version > EVENTS_VERSION => Err(LakeError::NewerVersion {
            path: log.dir.clone(),
            found: info.schema_version.unsigned_abs(),
            supported: EVENTS_VERSION.unsigned_abs(),
        }),
        _ => Ok(()),
    }
}

// The test costs two syncs, so its result is remembered per device.
fn test_file_system(root: &Path) -> Result<(), LakeError> {
    let (marker, device) = (state_dir(root).join("tested"), disk::device(root)?);
    if disk::read_file(&marker).is_ok_and(|seen| seen == device.as_bytes()) {
        return Ok(());
    }
    disk::self_test(root)?;
    disk::remove_file(&marker)?;
    disk::write_new(&marker, device.as_bytes())
}

/// What reading cost, for tests that bound it.
#[cfg(test)]
pub(crate) fn follow_cost(root: &Path) -> Cost {
    Log::master(root).follow(&state_dir(root)).unwrap().1
}
