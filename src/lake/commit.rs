//! Asking for known events, and making rows and positions durable together.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::encode;
use super::entry::{Change, Entry, Live, ReadEntry, TableInfo};
use super::error::LakeError;
use super::ids::{Filter, PartIds};
use super::open::{Lake, Writer};
use super::reader::read_ids;
use super::writer::NewPart;
use super::{Part, Snapshot, disk, rejects};
use crate::schema::{EVENTS_VERSION, EventId, SourcePosition, events};

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

/// A durable row that has an id asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How complete it is; a record that is more complete replaces it.
    pub completeness: i64,
    /// Where it was read from.
    pub source_path: Arc<str>,
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

    /// For each `(id, time, time is inferred)`: the durable row with this id, if there is one.
    ///
    /// Exact, whatever is in memory. A time that stands in the log is the same in every copy, so
    /// only files that span it are asked; rows with inferred times are looked for everywhere.
    ///
    /// # Errors
    ///
    /// When a live file cannot be read.
    pub fn known(&self, rows: &[(EventId, i64, bool)]) -> Result<Vec<Option<Found>>, LakeError> {
        loop {
            let snapshot = self.snapshot();
            match self.known_in(&snapshot, rows) {
                // A file that another thread rewrote and deleted meanwhile is no longer asked.
                Err(_) if self.snapshot().version != snapshot.version => {}
                other => return other,
            }
        }
    }

    fn known_in(&self, snapshot: &Snapshot, rows: &[(EventId, i64, bool)]) -> Result<Vec<Option<Found>>, LakeError> {
        let mut found = vec![None; rows.len()];
        // In the order of ids the filters are walked from front to back.
        let asked = rows.iter().enumerate().map(|(at, (id, ts_us, inferred))| (id.0, *ts_us, *inferred, at));
        let mut order: Vec<(u128, i64, bool, usize)> = asked.collect();
        order.sort_unstable();
        let logged = rows.iter().filter(|row| !row.2).map(|row| row.1);
        let (first, last) = logged.fold((i64::MAX, i64::MIN), |(a, b), ts| (a.min(ts), b.max(ts)));
        let any_inferred = rows.iter().any(|row| row.2);
        for part in snapshot.events.iter() {
            let anywhere = part.inferred_rows > 0;
            if !anywhere && !any_inferred && (part.max_ts_us < first || last < part.min_ts_us) {
                continue;
            }
            let filter = self.filter(part)?;
            let mut ids: Option<Arc<PartIds>> = None;
            for (id, ts_us, inferred, at) in &order {
                let here = anywhere || *inferred || (part.min_ts_us <= *ts_us && *ts_us <= part.max_ts_us);
                if !here || !filter.may_hold(*id) {
                    continue;
                }
                let ids = match &ids {
                    Some(ids) => ids,
                    None => ids.insert(self.part_ids(part)?),
                };
                if let Some((completeness, path)) = ids.get(*id) {
                    found[*at] = Some(Found { completeness, source_path: Arc::clone(path) });
                }
            }
        }
        Ok(found)
    }

    fn filter(&self, part: &Part) -> Result<Arc<Filter>, LakeError> {
        if let Some(filter) = self.ids.filter(&part.path) {
            return Ok(filter);
        }
        let ids = Arc::new(read_ids(&self.root.join("events").join(&part.path), events(), part.rows)?);
        Ok(self.ids.keep(&part.path, &ids))
    }

    /// The ids of a live file.
    pub(crate) fn part_ids(&self, part: &Part) -> Result<Arc<PartIds>, LakeError> {
        if let Some(ids) = self.ids.ids(&part.path) {
            return Ok(ids);
        }
        let ids = Arc::new(read_ids(&self.root.join("events").join(&part.path), events(), part.rows)?);
        self.ids.keep(&part.path, &ids);
        Ok(ids)
    }

    /// Makes rows, rejects and positions durable in one step and returns the version that shows
    /// them. A commit that says nothing writes nothing.
    ///
    /// # Errors
    ///
    /// Nothing was committed, positions stand where they stood and the same rows may be tried again,
    /// except after [`LakeError::OtherWriter`] and [`LakeError::Unresolved`]: then the lake must be
    /// opened again.
    pub fn commit(&self, commit: Commit) -> Result<Arc<Snapshot>, LakeError> {
        let Commit { operation, parts, rejects, sources, replaced, now_us } = commit;
        let mut writer = self.writer();
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
        self.put(&mut writer, entry, &parts)
    }

    /// Rewrites the live files that hold any of these events without them.
    fn without(&self, writer: &Writer, replaced: &HashSet<EventId>) -> Result<(Vec<String>, Vec<NewPart>), LakeError> {
        let (mut removed, mut rewritten) = (Vec::new(), Vec::new());
        if replaced.is_empty() {
            return Ok((removed, rewritten));
        }
        for live in writer.state.events.values() {
            let filter = self.filter(&live.part)?;
            let perhaps: Vec<u128> = replaced.iter().map(|id| id.0).filter(|id| filter.may_hold(*id)).collect();
            if perhaps.is_empty() {
                continue;
            }
            let ids = self.part_ids(&live.part)?;
            let here: HashSet<u128> = perhaps.into_iter().filter(|id| ids.get(*id).is_some()).collect();
            if !here.is_empty() {
                removed.push(live.part.path.clone());
                rewritten.extend(self.rewrite_without(&live.part, &here)?);
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
        if let Some(path) = &writer.unresolved {
            return Err(LakeError::Unresolved { path: path.clone() });
        }
        entry.version = writer.state.next();
        entry.txn_id = disk::random_name()?;
        entry.info = new_info(writer)?;
        let (crc32c, bytes) = match self.log.write(&entry, true) {
            Ok(written) => written,
            Err(error) => {
                if matches!(error, LakeError::Unresolved { .. } | LakeError::OtherWriter { .. }) {
                    writer.unresolved = Some(self.log.path(entry.version));
                }
                return Err(error);
            }
        };
        let (gone, rejects_changed) = (entry.events.remove.clone(), !entry.rejects.is_empty());
        let (version, path) = (entry.version, self.log.path(entry.version));
        let applied = writer.state.apply(ReadEntry { entry, crc32c, bytes });
        applied.map_err(|reason| LakeError::CorruptEntry { path, reason })?;
        writer.entries += 1;
        writer.bytes += bytes;
        for part in parts {
            if let Some(ids) = &part.ids {
                self.ids.keep(&part.part.path, ids);
            }
        }
        for path in &gone {
            self.ids.forget(path);
        }
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
fn uuid(hex: &str) -> String {
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
