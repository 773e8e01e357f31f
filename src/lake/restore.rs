//! Putting back what is in quarantine and turned out to be whole.
//!
//! Rows are copied into a new file, without those that are in the lake by now or were pruned, and the
//! file in quarantine goes after the commit: at any instant each row is somewhere, and in the lake once.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

use super::commit::Commit;
use super::disk;
use super::error::{At, LakeError};
use super::evidence::{Evidence, patiently};
use super::handle::{Lake, LakeOptions};
use super::ids::id_of;
use super::pruned::pruned_rows;
use super::quarantine;
use super::reader::PartReader;
use super::rewrite::{READ_ROWS, size_of_batch};
use super::writer::PartWriter;
use crate::schema::{EventId, events, rejects};

/// What was put back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreReport {
    /// Files that were whole, and how many of their rows were missing in the lake.
    pub restored: Vec<(PathBuf, u64)>,
    /// Files that are damaged and stay in quarantine, and why.
    pub left: Vec<(PathBuf, String)>,
}

/// Takes the files in quarantine that are whole back into the lake.
///
/// # Errors
///
/// What [`Lake::open`] says, and when a file cannot be read or written: those before it are back.
pub fn restore_quarantine(options: LakeOptions) -> Result<RestoreReport, LakeError> {
    let mut report = RestoreReport::default();
    let (root, now_us) = (options.root.clone(), options.now_us);
    let lake = Lake::open(options)?;
    let evidence = Evidence::gather(&root)?;
    for (table, path, name) in quarantine::parts(&root)? {
        if let Some(why) = evidence.fault(table, &name, &path)? {
            report.left.push((path, why));
            continue;
        }
        let rows = if table == "events" {
            lake.take_events_back(&path, &name, now_us)?
        } else {
            lake.take_rejects_back(&path, now_us)?
        };
        disk::remove_file(&path)?;
        report.restored.push((path, rows));
    }
    Ok(report)
}

impl Lake {
    fn take_events_back(&self, path: &Path, name: &str, now_us: i64) -> Result<u64, LakeError> {
        let month = name.split('/').next().and_then(|dir| dir.strip_prefix("month=")).unwrap_or_default();
        let (rows, part, replaced) = patiently(|| {
            let mut reader = PartReader::open(path, events(), None, READ_ROWS)?;
            let mut writer = PartWriter::create(&self.root, events(), month, 1, &self.in_flight)?;
            let mut replaced = HashSet::new();
            while let Some(batch) = reader.next()? {
                let keep = self.missing(&batch, now_us, &mut replaced)?;
                let kept = filter_record_batch(&batch, &keep).at("rewrite", path)?;
                if kept.num_rows() > 0 {
                    writer.write(&kept, size_of_batch(&kept))?;
                }
            }
            let rows = writer.rows();
            let part = if rows == 0 { None } else { Some(writer.finish()?) };
            Ok((rows, part, replaced))
        })?;
        if let Some(part) = part {
            self.commit(Commit { operation: "restore", parts: vec![part], replaced, now_us, ..Commit::default() })?;
        }
        Ok(rows)
    }

    /// Rows that are not in the lake, or less complete there, and were not pruned.
    fn missing(
        &self,
        batch: &RecordBatch,
        now_us: i64,
        replaced: &mut HashSet<EventId>,
    ) -> Result<BooleanArray, LakeError> {
        let (Some(ids), Some(times), Some(completeness)) = (
            batch.column_by_name("event_id").map(|c| c.as_string_view()),
            batch.column_by_name("ts").map(|c| c.as_primitive::<TimestampMicrosecondType>()),
            batch.column_by_name("completeness").map(|c| c.as_primitive::<Int64Type>()),
        ) else {
            return Ok(BooleanArray::from(vec![false; batch.num_rows()]));
        };
        let snapshot = self.snapshot();
        let pruned = pruned_rows(&snapshot.pruned, now_us, batch);
        let id = |row: usize| EventId(id_of(ids.value(row).as_bytes()));
        let asked: Vec<(EventId, i64)> = (0..batch.num_rows()).map(|row| (id(row), times.value(row))).collect();
        let known = self.known.find(&snapshot, &asked)?;
        let keeps = known.into_iter().enumerate().map(|(row, found)| {
            if u32::try_from(row).is_ok_and(|row| pruned.binary_search(&row).is_ok()) {
                return Some(false);
            }
            let Some(found) = found else { return Some(true) };
            let newer = found.completeness < completeness.value(row);
            if newer {
                replaced.insert(id(row));
            }
            Some(newer)
        });
        Ok(keeps.collect())
    }

    fn take_rejects_back(&self, path: &Path, now_us: i64) -> Result<u64, LakeError> {
        let mut known = HashSet::new();
        for part in self.snapshot().rejects.iter() {
            let path = self.root.join("rejects").join(&part.path);
            let mut reader = PartReader::open(&path, rejects(), Some(&["reject_id"]), 8192)?;
            while let Some(batch) = reader.next()? {
                let ids = batch.column(0).as_string_view();
                known.extend(ids.iter().flatten().map(str::to_owned));
            }
        }
        let mut reader = PartReader::open(path, rejects(), None, READ_ROWS)?;
        let mut missing = Vec::new();
        while let Some(batch) = reader.next()? {
            let Some(ids) = batch.column_by_name("reject_id").map(|c| c.as_string_view()) else { continue };
            let keep: BooleanArray = (0..ids.len()).map(|row| Some(!known.contains(ids.value(row)))).collect();
            let kept = filter_record_batch(&batch, &keep).at("rewrite", path)?;
            if kept.num_rows() > 0 {
                missing.push(kept);
            }
        }
        let rows = missing.iter().map(|batch| batch.num_rows() as u64).sum();
        self.commit(Commit { operation: "restore", rejects: missing, now_us, ..Commit::default() })?;
        Ok(rows)
    }
}
