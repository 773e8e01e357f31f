//! The commit log on disk: reading it to its end, and writing the next entry.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::checkpoint;
use super::disk;
use super::entry::{Entry, Invalid, ReadEntry, claimed_crc};
use super::error::{At, LakeError};
use super::newest;
use super::state::State;
use crate::schema::{self, Table};

/// Entries past one that cannot be read that are looked for; of those further away the note of the newest
/// tells.
const LOOK_AHEAD: u64 = 16;

/// A directory of numbered entries.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) dir: PathBuf,
    table: &'static Table,
}

/// What stands under an entry's name.
pub(crate) enum Found {
    Missing,
    /// Never finished, as a crash can leave it where the disk does not keep its word.
    Torn(&'static str),
    /// Not what was once written.
    Damaged(&'static str),
    Valid(Box<ReadEntry>),
}

/// What an entry that cannot be read means.
enum End {
    /// It can be read by now.
    GoesOn(Box<ReadEntry>),
    /// The log ends before it.
    Here { torn: Option<PathBuf> },
}

/// What reading a log gave beside its state.
#[derive(Debug, Default)]
pub(crate) struct Cost {
    /// Entries read after the checkpoint, and their bytes.
    pub(crate) entries: u64,
    pub(crate) bytes: u64,
    /// A newest entry that was never completed.
    pub(crate) torn: Option<PathBuf>,
}

impl Log {
    /// The master log of the lake in `root`.
    pub(crate) fn master(root: &Path) -> Self {
        Self { dir: root.join("events").join("_delta_log"), table: schema::events() }
    }

    /// A log that was moved to `dir`.
    pub(crate) fn in_dir(dir: PathBuf) -> Self {
        Self { dir, table: schema::events() }
    }

    /// The log derived for the table `rejects`.
    pub(crate) fn rejects(root: &Path) -> Self {
        Self { dir: root.join("rejects").join("_delta_log"), table: schema::rejects() }
    }

    /// Where entry `version` stands.
    pub(crate) fn path(&self, version: u64) -> PathBuf {
        self.dir.join(format!("{version:020}.json"))
    }

    /// Numbers of the entries, ascending.
    pub(crate) fn versions(&self) -> Result<Vec<u64>, LakeError> {
        let names = disk::list(&self.dir)?;
        Ok(names.iter().filter_map(|(name, _)| version_of(name)).collect())
    }

    /// Reads entry `version`.
    pub(crate) fn read(&self, version: u64) -> Result<Found, LakeError> {
        let path = self.path(version);
        let bytes = match disk::read_file(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
            Err(e) if e.kind() == io::ErrorKind::IsADirectory => return Ok(Found::Damaged("it is a folder")),
            Err(e) => return Err(e).at("read", &path),
        };
        match Entry::decode(&bytes, version, self.table) {
            Ok(read) => Ok(Found::Valid(Box::new(read))),
            Err(Invalid::Torn(reason)) => Ok(Found::Torn(reason)),
            Err(Invalid::Damaged(reason)) => Ok(Found::Damaged(reason)),
            Err(Invalid::Newer(found)) => Err(LakeError::NewerVersion { path, found, supported: super::entry::FORMAT }),
        }
    }

    /// Checksum that entry `version` claims to have; `None` when it cannot be read.
    fn claimed(&self, version: u64) -> Option<u32> {
        let mut file = disk::open_file(&self.path(version)).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(256))).ok()?;
        let mut tail = Vec::with_capacity(256);
        file.read_to_end(&mut tail).ok()?;
        claimed_crc(&tail, version)
    }

    /// The newest checkpoint in `state_dir` that belongs to this log.
    fn at_checkpoint(&self, state_dir: &Path) -> State {
        let checkpoints = checkpoint::list(state_dir).unwrap_or_default();
        checkpoints
            .iter()
            .filter_map(|(version, path)| {
                let claimed = self.claimed(*version)?;
                let state = checkpoint::read(path)?;
                (state.newest == Some((*version, claimed))).then_some(state)
            })
            .next()
            .unwrap_or_default()
    }

    /// Reads the log to its end; needs no lock. A newest entry that is unfinished counts as not there, and
    /// [`Cost::torn`] names it. Holes before the checkpoint do not matter here; `fsck` names them.
    pub(crate) fn follow(&self, state_dir: &Path) -> Result<(State, Cost), LakeError> {
        let (mut state, mut cost) = (self.at_checkpoint(state_dir), Cost::default());
        loop {
            let version = state.next();
            let read = match self.read(version)? {
                Found::Valid(read) => read,
                _ => match self.end(state_dir, &state)? {
                    End::GoesOn(read) => read,
                    End::Here { torn } => {
                        cost.torn = torn;
                        return Ok((state, cost));
                    }
                },
            };
            cost.entries += 1;
            cost.bytes += read.bytes;
            state.apply(*read).map_err(|reason| self.corrupt(version, reason))?;
        }
    }

    /// Whether the log ends with `state`, as the next entry could not be read: it does when nothing says
    /// that the entry was ever there, or when what is there was never finished.
    fn end(&self, state_dir: &Path, state: &State) -> Result<End, LakeError> {
        let (version, was_there) = (state.next(), self.was_there(state_dir, state)?);
        // The writer may have gone on since the first look. What was there by now can be read by now.
        match self.read(version)? {
            Found::Valid(read) => Ok(End::GoesOn(read)),
            Found::Missing if was_there => Err(LakeError::MissingEntry { path: self.path(version) }),
            Found::Missing => Ok(End::Here { torn: None }),
            Found::Torn(_) if !was_there => Ok(End::Here { torn: Some(self.path(version)) }),
            Found::Torn(reason) | Found::Damaged(reason) => Err(self.corrupt(version, reason)),
        }
    }

    /// True when a later entry, a checkpoint or the note of the newest commit shows that the entry after
    /// `state` was once complete.
    pub(crate) fn was_there(&self, state_dir: &Path, state: &State) -> Result<bool, LakeError> {
        let version = state.next();
        let is_here = |version: u64| self.path(version).symlink_metadata().is_ok();
        if (version + 1..=version + LOOK_AHEAD).any(is_here) {
            return Ok(true);
        }
        let was_noted = match newest::read(state_dir, &self.dir) {
            // The note is written when an entry is durable; one that is there unfinished is judged by itself.
            Some(newest) => newest > version || (newest == version && !is_here(version)),
            None => self.versions()?.last().is_some_and(|newest| *newest > version),
        };
        // Of another table is a checkpoint that a rebuild could not remove any more.
        let same_table = |other: &State| state.info.is_none() || state.info == other.info;
        let is_later = |(number, path): &(u64, PathBuf)| {
            *number >= version
                && checkpoint::read(path).is_some_and(|other| other.next() > version && same_table(&other))
        };
        Ok(was_noted || checkpoint::list(state_dir)?.iter().any(is_later))
    }

    pub(crate) fn corrupt(&self, version: u64, reason: &'static str) -> LakeError {
        LakeError::CorruptEntry { path: self.path(version), reason }
    }

    /// Writes `entry` under its number, durably, and returns it as a reader would see it.
    ///
    /// Each attempt uses a new file. A number that is taken by the same transaction is a success
    /// whose answer was lost.
    ///
    /// # Errors
    ///
    /// [`LakeError::OtherWriter`] when another writer has the number, [`LakeError::Unresolved`] when
    /// the entry stands there but may not be durable; anything else means that nothing was written.
    pub(crate) fn write(&self, entry: &Entry, partitioned: bool) -> Result<(u32, u64), LakeError> {
        let (bytes, crc) = entry.encode(self.table, partitioned);
        let mut linked = false;
        let mut attempt = 0;
        loop {
            let error = match self.attempt(entry, &bytes, &mut linked) {
                Ok(()) => return Ok((crc, bytes.len() as u64)),
                Err(error) => error,
            };
            attempt += 1;
            if !error.may_pass() || attempt == disk::TRIES {
                // A refused link may have been carried out all the same.
                let there =
                    linked || matches!(self.read(entry.version), Ok(Found::Valid(r)) if r.entry.txn_id == entry.txn_id);
                return Err(if there { LakeError::Unresolved { path: self.path(entry.version) } } else { error });
            }
            disk::back_off(attempt - 1);
        }
    }

    fn attempt(&self, entry: &Entry, bytes: &[u8], linked: &mut bool) -> Result<(), LakeError> {
        let path = self.path(entry.version);
        let temp = self.dir.join(format!(".{}.{}.tmp", entry.version, disk::random_name()?));
        disk::write_new(&temp, bytes)?;
        let result = match fs::hard_link(&temp, &path) {
            Ok(()) => {
                *linked = true;
                Ok(())
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => match self.read(entry.version)? {
                Found::Valid(read) if read.entry.txn_id == entry.txn_id => {
                    *linked = true;
                    Ok(())
                }
                _ => Err(LakeError::OtherWriter { path: path.clone() }),
            },
            Err(e) => Err(e).at("link a commit to", &path),
        };
        let result = result.and_then(|()| disk::sync_dir(&self.dir));
        // The temporary name carries nothing of its own; what stays is removed at a later start.
        fs::remove_file(&temp).ok();
        result
    }
}

/// Number in the name of an entry.
pub(crate) fn version_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".json")?;
    (digits.len() == 20 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}
