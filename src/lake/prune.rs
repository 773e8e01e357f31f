//! Removing rows for good.

use std::collections::HashSet;
use std::path::Path;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;

use super::Part;
use super::commit::live;
use super::entry::{Change, Entry, Live};
use super::error::LakeError;
use super::export::remove_snapshots;
use super::handle::{Lake, Writer};
use super::prune_quarantine;
use super::pruned::{PruneFilter, remembered};
use super::reader::PartReader;
use super::rewrite::check_bytes;
use super::vacuum::{VacuumReport, remove_orphans};
use super::writer::NewPart;
use crate::schema::{Table, events, rejects};

/// What a prune removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Rows of `events`.
    pub events: u64,
    /// Rows of `rejects`.
    pub rejects: u64,
    /// Files rewritten or dropped by the commit.
    pub parts: u64,
    /// Files deleted afterwards, older versions and quarantine included.
    pub deleted: VacuumReport,
    /// Directories made by [`super::snapshot_dir`] that were deleted, since they held the rows too.
    pub snapshots: u64,
}

/// What [`Lake::allow_again`] took back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AllowReport {
    /// Filters that are forgotten.
    pub filters: u64,
    /// Sources that the next look reads from their beginning.
    pub sources: u64,
}

/// Rows of a file that `keeps` does not keep; reads only the columns that conditions are about.
fn count_gone(
    root: &Path,
    table: &'static Table,
    part: &Part,
    keeps: &mut impl FnMut(&RecordBatch) -> Option<BooleanArray>,
) -> Result<u64, LakeError> {
    let wanted = ["ts", "session_id", "project", "source_path", "ingested_at"];
    let mut reader = PartReader::open_part(root, table, part, Some(&wanted), 8192)?;
    let mut gone = 0;
    while let Some(batch) = reader.next()? {
        gone += keeps(&batch).map_or(0, |mask| (mask.len() - mask.true_count()) as u64);
    }
    Ok(gone)
}

impl Lake {
    /// Removes rows in one commit, and then every file that still holds them: the old files, those of
    /// earlier rewrites, quarantine, and snapshots. Positions stay, and the same commit
    /// remembers the filter (`Snapshot::pruned`), so the rows do not come back when a source is read
    /// again from its beginning. Undecodable bytes of a source go when the source had rows that went.
    ///
    /// # Errors
    ///
    /// Before the commit nothing has changed; after it the rows are gone for every reader, and an
    /// error names a file that could not be deleted: the next prune or vacuum deletes it.
    pub fn prune(&self, filter: &PruneFilter, now_us: i64) -> Result<PruneReport, LakeError> {
        self.remove(filter, true, now_us)
    }

    /// Removes the rows that are earlier, as [`Lake::prune`] does, but remembers nothing: rows of that time
    /// may come again.
    ///
    /// # Errors
    ///
    /// As for [`Lake::prune`].
    pub fn expire(&self, before_us: i64, now_us: i64) -> Result<PruneReport, LakeError> {
        self.remove(&PruneFilter { before_us: Some(before_us), ..PruneFilter::default() }, false, now_us)
    }

    fn remove(&self, filter: &PruneFilter, remembers: bool, now_us: i64) -> Result<PruneReport, LakeError> {
        let mut report = PruneReport::default();
        if *filter == PruneFilter::default() {
            return Ok(report);
        }
        let mut writer = self.ready()?;
        let mut sources = HashSet::new();
        let (events_change, mut parts) = self.prune_events(&writer, filter, &mut sources, &mut report)?;
        let (rejects_change, reject_parts) = self.prune_rejects(&writer, filter, &sources, &mut report)?;
        parts.extend(reject_parts);
        if !events_change.is_empty() || !rejects_change.is_empty() {
            let pruned = if remembers { remembered(&writer.state.pruned, filter) } else { None };
            let mut entry = Entry::blank(0);
            "prune".clone_into(&mut entry.operation);
            entry.now_us = now_us;
            report.parts = (events_change.remove.len() + rejects_change.remove.len()) as u64;
            (entry.events, entry.rejects) = (events_change, rejects_change);
            entry.pruned = pruned;
            self.put(&mut writer, entry, &parts)?;
        }
        drop(parts);
        self.delete_copies(&mut writer, filter, &mut report)?;
        Ok(report)
    }

    /// Forgets what was pruned before, and lets every source that is still there be read from its
    /// beginning once more: the next look takes such rows again from those that hold them. Rows that are
    /// durable are found to be known, as with any log that was rewritten.
    ///
    /// # Errors
    ///
    /// When the lake cannot be written; nothing has changed then.
    pub fn allow_again(&self, now_us: i64) -> Result<AllowReport, LakeError> {
        let mut writer = self.ready()?;
        let filters = writer.state.pruned.len() as u64;
        if filters == 0 {
            return Ok(AllowReport::default());
        }
        let mut entry = Entry::blank(0);
        "allow again".clone_into(&mut entry.operation);
        entry.now_us = now_us;
        entry.pruned = Some(Vec::new());
        let present = writer.state.sources.values().filter(|source| !source.missing);
        entry.sources = present.map(|source| source.from_the_beginning()).collect();
        entry.sources.sort_by_key(|source| source.id);
        let sources = entry.sources.len() as u64;
        self.put(&mut writer, entry, &[])?;
        Ok(AllowReport { filters, sources })
    }

    /// Counts the events that [`Lake::prune`] would remove from the lake in `root`, and the files
    /// that hold them; needs no lock and changes nothing.
    ///
    /// # Errors
    ///
    /// When the lake or one of its files cannot be read.
    pub fn prunable(root: &Path, filter: &PruneFilter) -> Result<PruneReport, LakeError> {
        let mut report = PruneReport::default();
        if *filter == PruneFilter::default() {
            return Ok(report);
        }
        for part in Self::read(root)?.events.iter().filter(|part| filter.may_touch(part)) {
            let gone = count_gone(root, events(), part, &mut |batch| filter.keeps(batch))?;
            report.events += gone;
            report.parts += u64::from(gone > 0);
        }
        Ok(report)
    }

    fn prune_events(
        &self,
        writer: &Writer,
        filter: &PruneFilter,
        sources: &mut HashSet<String>,
        report: &mut PruneReport,
    ) -> Result<(Change, Vec<NewPart>), LakeError> {
        let (mut change, mut parts) = (Change::default(), Vec::new());
        for old in writer.state.events.values().filter(|live| filter.may_touch(&live.part)) {
            let copy = self.pruned(events(), old, |batch| {
                let mask = filter.keeps(batch)?;
                let paths = batch.column_by_name("source_path")?.as_string_view();
                for row in (0..mask.len()).filter(|row| !mask.value(*row)) {
                    if !sources.contains(paths.value(row)) {
                        sources.insert(paths.value(row).to_owned());
                    }
                }
                Some(mask)
            })?;
            if let Some(copy) = copy {
                report.events += old.part.rows - copy.as_ref().map_or(0, |c| c.part.rows);
                change.remove.push(old.part.path.clone());
                change.add.extend(copy.iter().map(live));
                parts.extend(copy);
            }
        }
        Ok((change, parts))
    }

    fn prune_rejects(
        &self,
        writer: &Writer,
        filter: &PruneFilter,
        sources: &HashSet<String>,
        report: &mut PruneReport,
    ) -> Result<(Change, Vec<NewPart>), LakeError> {
        let (mut change, mut parts) = (Change::default(), Vec::new());
        let by_source = filter.session.is_some() || filter.project.is_some();
        for old in writer.state.rejects.values() {
            let copy = self.pruned(rejects(), old, |batch| {
                let paths = batch.column_by_name("source_path")?.as_string_view();
                let times = batch.column_by_name("ingested_at")?.as_primitive::<TimestampMicrosecondType>();
                let goes = |row: usize| {
                    if by_source {
                        sources.contains(paths.value(row))
                    } else {
                        filter.before_us.is_some_and(|before| times.value(row) < before)
                    }
                };
                Some((0..batch.num_rows()).map(|row| Some(!goes(row))).collect())
            })?;
            if let Some(copy) = copy {
                report.rejects += old.part.rows - copy.as_ref().map_or(0, |c| c.part.rows);
                change.remove.push(old.part.path.clone());
                change.add.extend(copy.iter().map(live));
                parts.extend(copy);
            }
        }
        Ok((change, parts))
    }

    /// `None` when every row stays; else the copy, which is `None` when no row is left.
    fn pruned(
        &self,
        table: &'static Table,
        live: &Live,
        mut keeps: impl FnMut(&RecordBatch) -> Option<BooleanArray>,
    ) -> Result<Option<Option<NewPart>>, LakeError> {
        let part = &live.part;
        // Most files hold none of the rows: the columns of the conditions tell before anything is copied.
        let path = self.root.join(&table.name).join(&part.path);
        let counted = count_gone(&self.root, table, part, &mut keeps);
        // Of a file that cannot be read its checksum tells whether it is damaged.
        let gone = counted.or_else(|error| check_bytes(&self.root, table, live).and(Err(error)))?;
        if gone == 0 {
            return Ok(None);
        }
        let copy = self.rewrite(table, live, keeps)?;
        if gone + copy.as_ref().map_or(0, |copy| copy.part.rows) != part.rows {
            return Err(LakeError::RewriteDiffers { path });
        }
        Ok(Some(copy))
    }

    fn delete_copies(
        &self,
        writer: &mut Writer,
        filter: &PruneFilter,
        report: &mut PruneReport,
    ) -> Result<(), LakeError> {
        let old: Vec<String> = writer.state.removed.keys().cloned().collect();
        for path in old {
            report.deleted.remove(&self.root.join(&path))?;
            writer.state.removed.remove(&path);
        }
        // Age does not matter here: what is still being written is known, the rest belongs to nobody.
        let orphans = remove_orphans(&self.root, &writer.state, &self.in_flight, i64::MAX)?;
        report.deleted.files += orphans.files;
        report.deleted.bytes += orphans.bytes;
        prune_quarantine::prune(&self.root, filter, &mut report.deleted)?;
        report.snapshots = remove_snapshots(&self.root, false)?;
        Ok(())
    }
}
