//! The lake as its one writer holds it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Snapshot;
use super::checkpoint;
use super::clock::Clock;
use super::entry::Entry;
use super::error::LakeError;
use super::guard::WriterLock;
use super::known::Known;
use super::layout::state_dir;
use super::log::Log;
use super::newest;
use super::state::State;
use super::writer::InFlight;

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
    pub(super) current: Mutex<Arc<Snapshot>>,
    pub(super) _lock: WriterLock,
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

// A checkpoint is a convenience: without one the next start reads more entries.
pub(crate) fn write_checkpoint(root: &Path, writer: &mut Writer) {
    match checkpoint::write(&state_dir(root), &writer.state) {
        Ok(()) => (writer.entries, writer.bytes) = (0, 0),
        Err(error) => tracing::warn!(%error, "cannot write a checkpoint of the lake; starts take longer"),
    }
}

/// Notes the newest commit; without the note a log that loses its end is not known as such.
pub(crate) fn note_newest(root: &Path, log: &Log, version: u64) {
    if let Err(error) = newest::note(&state_dir(root), &log.dir, version) {
        tracing::debug!(%error, "the newest commit is not noted");
    }
}

/// A checkpoint is written after this many entries ...
const CHECKPOINT_ENTRIES: u64 = 100;

/// ... or after entries of this many bytes.
const CHECKPOINT_BYTES: u64 = 1 << 20;

/// At closing a checkpoint is written after this many entries already.
const CHECKPOINT_AT_CLOSE: u64 = 10;

impl Lake {
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

/// A commit that may or may not be durable.
#[derive(Debug)]
pub(crate) enum InDoubt {
    /// One of ours.
    Ours {
        /// As it was written.
        entry: Box<Entry>,
        /// Its rows wait in the memory of whoever committed them, who must hear of it: see [`Lake::settle`].
        is_awaited: bool,
    },
    /// Its number was taken by somebody else: only another start helps.
    Foreign(std::path::PathBuf),
}
