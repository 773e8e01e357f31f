//! Opening the lake: as its writer, with recovery, or for reading.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Snapshot;
use super::checkpoint;
use super::clock::Clock;
use super::disk;
use super::doubt::InDoubt;
use super::error::LakeError;
use super::export;
use super::guard::{self, WriterLock, refuse_network_fs};
use super::known::{Known, filter_dir};
#[cfg(test)]
use super::log::Cost;
use super::log::Log;
use super::newest;
use super::quarantine::{self, quarantine_dir};
use super::rejects;
use super::state::State;
use super::vacuum;
use super::writer::InFlight;
use crate::schema::EVENTS_VERSION;

/// A checkpoint is written after this many entries ...
const CHECKPOINT_ENTRIES: u64 = 100;
/// ... or after entries of this many bytes.
const CHECKPOINT_BYTES: u64 = 1 << 20;
/// At closing a checkpoint is written after this many entries already.
const CHECKPOINT_AT_CLOSE: u64 = 10;

/// Of the memory for ids so small a part is added for those of rejects.
const REJECTS_SHARE: usize = 8;

/// How to open a lake for writing.
#[derive(Debug, Clone)]
pub struct LakeOptions {
    /// Directory of the lake; made when it is missing.
    pub root: PathBuf,
    /// Memory for remembering ids of live files, in bytes.
    pub id_cache_bytes: usize,
    /// Accept a network file system.
    pub unsafe_network_fs: bool,
    /// Now, microseconds since 1970: decides which leftovers are old enough to be removed.
    pub now_us: i64,
}

impl LakeOptions {
    /// The lake in `root` with 64 MB for ids.
    #[must_use]
    pub fn new(root: &Path, now_us: i64) -> Self {
        Self { root: root.to_owned(), id_cache_bytes: 64 << 20, unsafe_network_fs: false, now_us }
    }
}

/// The lake as its one writer sees it. All methods take `&self` and may be called from several
/// threads; commits, compactions and prunes put their results in one after the other.
pub struct Lake {
    pub(crate) root: PathBuf,
    pub(crate) log: Log,
    pub(crate) known: Arc<Known>,
    pub(crate) rejected: Arc<Known>,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) writer: Mutex<Writer>,
    current: Mutex<Arc<Snapshot>>,
    _lock: WriterLock,
}

/// What only one thread may change at a time.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) state: State,
    /// What reading the log without a new checkpoint would cost.
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    /// The commit whose fate is unknown; there is no further one until it is settled.
    pub(crate) doubt: Option<InDoubt>,
}

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

    /// The newest version.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// True when `snapshot` is of the newest version.
    #[must_use]
    pub fn shows(&self, snapshot: &Snapshot) -> bool {
        self.snapshot().newest() == snapshot.newest()
    }

    /// Directory of the lake.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Looks events up by id, with the memory that this lake fills as it writes.
    #[must_use]
    pub fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known)
    }

    /// Keeps what is believed about the time beside the lake.
    ///
    /// # Errors
    ///
    /// When it cannot be written; nothing depends on it.
    pub fn keep_clock(&self, clock: &Clock) -> Result<(), LakeError> {
        clock.write(&self.root)
    }

    /// Looks rejects up by id.
    #[must_use]
    pub fn rejected(&self) -> Arc<Known> {
        Arc::clone(&self.rejected)
    }

    pub(crate) fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Shows the state to readers.
    pub(crate) fn publish(&self, state: &State) -> Arc<Snapshot> {
        let snapshot = Arc::new(state.snapshot(&self.root));
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&snapshot);
        snapshot
    }

    /// Writes a checkpoint when reading the log without one has become expensive.
    pub(crate) fn checkpoint_if_due(&self, writer: &mut Writer) {
        if writer.entries >= CHECKPOINT_ENTRIES || writer.bytes >= CHECKPOINT_BYTES {
            write_checkpoint(&self.root, writer);
        }
    }
}

impl std::fmt::Debug for Lake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lake")
            .field("root", &self.root)
            .field("version", &self.snapshot().version)
            .finish_non_exhaustive()
    }
}

impl Drop for Lake {
    fn drop(&mut self) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if writer.entries >= CHECKPOINT_AT_CLOSE && writer.doubt.is_none() {
            write_checkpoint(&self.root, &mut writer);
        }
    }
}

// A checkpoint is a convenience: without one the next start reads more entries.
pub(crate) fn write_checkpoint(root: &Path, writer: &mut Writer) {
    match checkpoint::write(&state_dir(root), &writer.state) {
        Ok(()) => (writer.entries, writer.bytes) = (0, 0),
        Err(error) => tracing::warn!(%error, "cannot write a checkpoint of the lake; starts take longer"),
    }
}

/// Directory of the checkpoints.
pub(crate) fn state_dir(root: &Path) -> PathBuf {
    root.join(".state")
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
    if !log.dir.is_dir() && vacuum::files(root)?.iter().any(|(_, path, _)| vacuum::is_part_file(path)) {
        return Err(LakeError::MissingEntry { path: log.path(0) });
    }
    Ok(())
}

/// Sets aside an entry that was never finished, and the files that nothing else names: their rows are
/// read again from the logs, and where those are gone they can be taken from there.
fn set_torn_aside(root: &Path, log: &Log, state: &State, path: &Path) -> Result<(), LakeError> {
    for (table, part, name) in vacuum::files(root)? {
        if vacuum::is_part_file(&part) && !state.names(table, &name) {
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

/// Notes the newest commit; without the note a log that loses its end is not known as such.
pub(crate) fn note_newest(root: &Path, log: &Log, version: u64) {
    if let Err(error) = newest::note(&state_dir(root), &log.dir, version) {
        tracing::debug!(%error, "the newest commit is not noted");
    }
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
