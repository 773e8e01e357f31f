//! Asking for known events, and making rows and positions durable together.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::encode;
use super::entry::{Change, Entry, Live, ReadEntry, TableInfo};
use super::error::LakeError;
use super::handle::{InDoubt, Lake, Writer, note_newest};
use super::writer::NewPart;
use super::{Snapshot, disk, rejects, vacuum};
use crate::schema::{EVENTS_VERSION, EventId, SourcePosition};

/// All that one commit makes durable, or none of it.
#[derive(Debug, Default)]
pub struct Commit {
    /// What is being done, for people who read the log: `ingest`, `backfill`, ...
    pub operation: &'static str,
    /// Files of `events`, from [`Lake::encode_rows`].
    pub parts: Vec<NewPart>,
    /// Rows of `rejects`.
    pub rejects: Vec<RecordBatch>,
    /// Positions that move with these rows; the others stay.
    pub sources: Vec<SourcePosition>,
    /// Durable events whose newer record is in `parts`: their old rows go in the same commit.
    pub replaced: HashSet<EventId>,
    /// Now, microseconds since 1970.
    pub now_us: i64,
}

impl Lake {
    /// Writes rows of `events`, in any order, to durable files, one per month, sorted by time. They
    /// are invisible until a [`Commit`] names them.
    ///
    /// # Errors
    ///
    /// When a file cannot be written after a few attempts; nothing is left behind but what a later
    /// start removes.
    pub fn encode_rows(&self, batches: &[RecordBatch]) -> Result<Vec<NewPart>, LakeError> {
        encode::events_parts(&self.root, batches, &self.in_flight)
    }

    /// Makes rows, rejects and positions durable in one step and returns the version that shows
    /// them. A commit that says nothing writes nothing.
    ///
    /// # Errors
    ///
    /// Nothing was committed, positions stand where they stood and the same rows may be tried again,
    /// except after [`LakeError::Unresolved`], when [`Lake::settle`] says what became of them, and
    /// [`LakeError::OtherWriter`]: then the lake must be opened again.
    pub fn commit(&self, commit: Commit) -> Result<Arc<Snapshot>, LakeError> {
        let Commit { operation, parts, rejects, sources, replaced, now_us } = commit;
        let mut writer = self.ready()?;
        let rejects = self.fresh_rejects(rejects)?;
        let rejected = encode::rejects_part(&self.root, &rejects, &self.in_flight)?;
        if parts.is_empty() && rejected.is_none() && sources.is_empty() && replaced.is_empty() {
            return Ok(self.snapshot());
        }
        let (removed, rewritten) = self.without(&writer, &replaced)?;
        let parts: Vec<NewPart> = parts.into_iter().chain(rewritten).collect();
        let mut entry = Entry::blank(0);
        operation.clone_into(&mut entry.operation);
        entry.now_us = now_us;
        entry.events = Change { add: parts.iter().map(live).collect(), remove: removed };
        entry.rejects.add = rejected.iter().map(live).collect();
        entry.sources = sources;
        let parts: Vec<NewPart> = parts.into_iter().chain(rejected).collect();
        let done = self.put(&mut writer, entry, &parts);
        if let Some(InDoubt::Ours { is_awaited, .. }) = &mut writer.doubt {
            *is_awaited = true;
        }
        done
    }

    /// What of the rejects is new: a document that is read again has those it had.
    fn fresh_rejects(&self, rejects: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, LakeError> {
        let (snapshot, mut seen) = (self.snapshot(), HashSet::new());
        let fresh = |batch| self.rejected.fresh_rejects(&snapshot.rejects, &mut seen, batch);
        let batches: Result<Vec<RecordBatch>, _> = rejects.into_iter().map(fresh).collect();
        Ok(batches?.into_iter().filter(|batch| batch.num_rows() > 0).collect())
    }

    /// Rewrites the live files that hold any of these events without them.
    fn without(&self, writer: &Writer, replaced: &HashSet<EventId>) -> Result<(Vec<String>, Vec<NewPart>), LakeError> {
        let (mut removed, mut rewritten) = (Vec::new(), Vec::new());
        if replaced.is_empty() {
            return Ok((removed, rewritten));
        }
        let mut wanted: Vec<u128> = replaced.iter().map(|id| id.0).collect();
        wanted.sort_unstable();
        for live in writer.state.events.values() {
            let here: HashSet<u128> = self.known.among(&live.part, &wanted)?.into_iter().collect();
            if !here.is_empty() {
                removed.push(live.part.path.clone());
                rewritten.extend(self.rewrite_without(live, &here)?);
            }
        }
        Ok((removed, rewritten))
    }

    /// Writes the next entry, then shows it to readers. `parts` are the new files it names.
    pub(crate) fn put(
        &self,
        writer: &mut Writer,
        mut entry: Entry,
        parts: &[NewPart],
    ) -> Result<Arc<Snapshot>, LakeError> {
        entry.version = writer.state.next();
        entry.txn_id = disk::random_name()?;
        entry.info = new_info(writer)?;
        let (crc32c, bytes) = match self.log.write(&entry, true) {
            Ok(written) => written,
            Err(error) => {
                match &error {
                    LakeError::Unresolved { .. } => {
                        writer.doubt = Some(InDoubt::Ours { entry: Box::new(entry), is_awaited: false });
                    }
                    LakeError::OtherWriter { path } => writer.doubt = Some(InDoubt::Foreign(path.clone())),
                    _ => {}
                }
                return Err(error);
            }
        };
        self.show(writer, entry, crc32c, bytes, parts)
    }

    /// Takes an entry that is durable into the state, and shows it to readers.
    pub(crate) fn show(
        &self,
        writer: &mut Writer,
        entry: Entry,
        crc32c: u32,
        bytes: u64,
        parts: &[NewPart],
    ) -> Result<Arc<Snapshot>, LakeError> {
        let rejects_gone = entry.rejects.remove.clone();
        let (gone, rejects_changed) = (entry.events.remove.clone(), !entry.rejects.is_empty());
        let (version, path) = (entry.version, self.log.path(entry.version));
        let applied = writer.state.apply(ReadEntry { entry, crc32c, bytes });
        applied.map_err(|reason| LakeError::CorruptEntry { path, reason })?;
        writer.entries += 1;
        writer.bytes += bytes;
        for part in parts {
            let known = if part.part.month.is_empty() { &self.rejected } else { &self.known };
            known.keep(&part.part.path, &part.ids);
        }
        gone.iter().for_each(|path| self.known.forget(path));
        rejects_gone.iter().for_each(|path| self.rejected.forget(path));
        if !(gone.is_empty() && rejects_gone.is_empty()) {
            vacuum::note_waiting(&self.root, &writer.state);
        }
        note_newest(&self.root, &self.log, version);
        let snapshot = self.publish(&writer.state);
        // The log of `rejects` is a copy for other engines; what fails here is mended at the next start.
        if rejects_changed && let Err(error) = rejects::follow(&self.root, &writer.state, version) {
            tracing::warn!(%error, "the log of rejects is behind; devlog itself does not need it");
        }
        self.checkpoint_if_due(writer);
        Ok(snapshot)
    }
}

/// Identity and schema, when the log does not say them yet.
fn new_info(writer: &Writer) -> Result<Option<TableInfo>, LakeError> {
    match &writer.state.info {
        Some(info) if info.schema_version == EVENTS_VERSION => Ok(None),
        Some(info) => Ok(Some(TableInfo { id: info.id.clone(), schema_version: EVENTS_VERSION })),
        None => Ok(Some(TableInfo { id: uuid(&disk::random_name()?), schema_version: EVENTS_VERSION })),
    }
}

/// 32 hex digits in the shape other engines expect of a table's id.
pub(crate) fn uuid(hex: &str) -> String {
    let cuts = [0, 8, 12, 16, 20, 32];
    let groups: Vec<&str> = cuts.windows(2).filter_map(|w| hex.get(w[0]..w[1])).collect();
    groups.join("-")
}

/// A new file as the log names it.
pub(crate) fn live(part: &NewPart) -> Live {
    Live { part: Arc::clone(&part.part), crc32c: part.crc32c }
}

/// Paths of `files` in the set, for checks that nothing was removed meanwhile.
pub(crate) fn first_missing<'a>(files: &BTreeMap<String, Live>, paths: &'a [String]) -> Option<&'a String> {
    paths.iter().find(|path| !files.contains_key(*path))
}
