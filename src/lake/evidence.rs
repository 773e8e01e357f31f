//! What is known of files from elsewhere, and whether a file is what was committed.
//!
//! Used where the log is lost or in doubt. A checksum from any readable entry or checkpoint decides;
//! where none is left, a file counts as whole when every value of it can be read. What the system
//! refuses to read is not damaged: it is an error, and nothing is decided.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::checkpoint;
use super::disk;
use super::entry::{Live, TableInfo};
use super::error::{At, LakeError};
use super::footer::footer;
use super::layout::state_dir;
use super::log::{Found, Log};
use super::pruned::PruneFilter;
use super::quarantine;
use super::reader::PartReader;
use super::rewrite::READ_ROWS;
use crate::schema::{Table, events, rejects};

/// What readable entries and checkpoints say, those of replaced logs in quarantine included.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    checksums: BTreeMap<String, u32>,
    /// Files that were removed, by `table/path`.
    pub(crate) removed: BTreeSet<String>,
    /// Identity and schema of the table as the current log says it.
    pub(crate) info: Option<TableInfo>,
    /// Rows that stay away, as said last.
    pub(crate) pruned: Vec<PruneFilter>,
    /// The version that said so.
    said_at: u64,
}

impl Evidence {
    /// Reads all that is left in the lake in `root`.
    pub(crate) fn gather(root: &Path) -> Result<Self, LakeError> {
        let mut found = Self::default();
        for dir in quarantine::logs(root)? {
            found.take_log(&Log::in_dir(dir))?;
            // Versions have started over since.
            found.said_at = 0;
        }
        for (_, path) in checkpoint::list(&state_dir(root))?.into_iter().rev() {
            let Some(state) = checkpoint::read(&path) else { continue };
            found.take_files("events", state.events.values());
            found.take_files("rejects", state.rejects.values());
            found.removed.extend(state.removed.into_keys());
            found.info = state.info.or(found.info);
            found.say(state.newest.map_or(0, |(version, _)| version), &state.pruned);
        }
        found.take_log(&Log::master(root))?;
        Ok(found)
    }

    fn take_log(&mut self, log: &Log) -> Result<(), LakeError> {
        for version in log.versions()? {
            let Found::Valid(read) = log.read(version)? else { continue };
            let entry = read.entry;
            self.take_files("events", &entry.events.add);
            self.take_files("rejects", &entry.rejects.add);
            self.removed.extend(entry.events.remove.iter().map(|path| format!("events/{path}")));
            self.removed.extend(entry.rejects.remove.iter().map(|path| format!("rejects/{path}")));
            self.info = entry.info.or(self.info.take());
            if let Some(pruned) = entry.pruned {
                self.say(version, &pruned);
            }
        }
        Ok(())
    }

    fn say(&mut self, version: u64, pruned: &[PruneFilter]) {
        if version >= self.said_at {
            (self.said_at, self.pruned) = (version, pruned.to_vec());
        }
    }

    fn take_files<'a>(&mut self, table: &str, files: impl IntoIterator<Item = &'a Live>) {
        let named = files.into_iter().map(|live| (format!("{table}/{}", live.part.path), live.crc32c));
        self.checksums.extend(named);
    }

    /// Why the file at `path`, which is or was `name` in `table`, is damaged; `None` when it is whole.
    ///
    /// # Errors
    ///
    /// When the system refuses to read it, also after some patience: then nothing is known.
    pub(crate) fn fault(&self, table: &'static str, name: &str, path: &Path) -> Result<Option<String>, LakeError> {
        patiently(|| self.look(table, name, path))
    }

    fn look(&self, table: &'static str, name: &str, path: &Path) -> Result<Option<String>, LakeError> {
        // Every byte is read before anything is made of them: what fails here is the system's fault.
        let checksum = disk::file_crc(path).at("read", path)?;
        match self.checksums.get(&format!("{table}/{name}")) {
            Some(known) if *known == checksum => Ok(None),
            Some(_) => Ok(Some("its bytes have changed: the checksum does not match".to_owned())),
            None => match read_all(table_of(table), path) {
                Ok(()) => Ok(None),
                Err(error) if error.is_refusal() => Err(error),
                Err(error) => Ok(Some(format!("it cannot be read: {}", error.reason()))),
            },
        }
    }
}

/// The table of that name.
pub(crate) fn table_of(name: &str) -> &'static Table {
    if name == "events" { events() } else { rejects() }
}

fn read_all(table: &'static Table, path: &Path) -> Result<(), LakeError> {
    let (rows, _) = footer(path).at("read the footer of", path)?;
    let mut reader = PartReader::open(path, table, None, READ_ROWS)?;
    let mut read = 0;
    while let Some(batch) = reader.next()? {
        read += batch.num_rows() as u64;
    }
    if read == rows {
        return Ok(());
    }
    Err(LakeError::CorruptPart { path: path.to_owned(), reason: "it has other rows than its footer says" })
}

/// Tries again for a while what the system refuses.
pub(crate) fn patiently<T>(mut work: impl FnMut() -> Result<T, LakeError>) -> Result<T, LakeError> {
    let mut attempt = 0;
    loop {
        match work() {
            Err(error) if error.is_refusal() && attempt + 1 < disk::TRIES => {
                disk::back_off(attempt);
                attempt += 1;
            }
            other => return other,
        }
    }
}
