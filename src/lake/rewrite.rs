//! Copying a live file without some of its rows.

use std::collections::HashSet;
use std::path::Path;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use super::disk;
use super::encode::Sizes;
use super::entry::Live;
use super::error::{At, LakeError, MISSING};
use super::handle::Lake;
use super::ids::id_of;
use super::reader::PartReader;
use super::writer::{NewPart, PartWriter};
use crate::schema::{Table, events};

/// Rows read at once: few, since their texts may be long.
pub(crate) const READ_ROWS: usize = 256;

/// Refuses a live file whose bytes are not those that were committed: a copy would give its rows a
/// checksum that is right, and nothing could tell any more that they are not.
pub(crate) fn check_bytes(root: &Path, table: &Table, live: &Live) -> Result<(), LakeError> {
    let path = root.join(&table.name).join(&live.part.path);
    match disk::file_crc(&path) {
        Ok(crc) if crc == live.crc32c => Ok(()),
        Ok(_) => Err(LakeError::CorruptPart { path, reason: "its bytes have changed: the checksum does not match" }),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(LakeError::CorruptPart { path, reason: MISSING }),
        Err(e) => Err(e).at("read", &path),
    }
}

impl Lake {
    /// A copy of `live` without the rows of `ids`; `None` when no row is left.
    pub(crate) fn rewrite_without(&self, live: &Live, ids: &HashSet<u128>) -> Result<Option<NewPart>, LakeError> {
        let part = &live.part;
        let copy = self.rewrite(events(), live, |batch| {
            let column = batch.column_by_name("event_id")?.as_string_view();
            Some((0..column.len()).map(|row| Some(!ids.contains(&id_of(column.value(row).as_bytes())))).collect())
        })?;
        let kept = copy.as_ref().map_or(0, |copy| copy.part.rows);
        if kept + ids.len() as u64 != part.rows {
            return Err(LakeError::RewriteDiffers { path: self.root.join("events").join(&part.path) });
        }
        Ok(copy)
    }

    /// A copy of `live` of `table` with the rows that `keep` says; `None` when no row is left.
    pub(crate) fn rewrite(
        &self,
        table: &'static Table,
        live: &Live,
        mut keep: impl FnMut(&RecordBatch) -> Option<BooleanArray>,
    ) -> Result<Option<NewPart>, LakeError> {
        check_bytes(&self.root, table, live)?;
        let part = &live.part;
        let path = self.root.join(&table.name).join(&part.path);
        let mut reader = PartReader::open(&path, table, None, READ_ROWS)?;
        let rows = usize::try_from(part.rows).unwrap_or_default();
        let mut writer = PartWriter::create(&self.root, table, &part.month, rows, &self.in_flight)?;
        let mut read = 0;
        while let Some(batch) = reader.next()? {
            read += batch.num_rows() as u64;
            let batch = match keep(&batch) {
                Some(mask) => filter_record_batch(&batch, &mask).at("rewrite", &path)?,
                None => batch,
            };
            if batch.num_rows() > 0 {
                let bytes = size_of_batch(&batch);
                writer.write(&batch, bytes)?;
            }
        }
        if read != part.rows {
            return Err(LakeError::CorruptPart { path, reason: "it has other rows than the log says" });
        }
        if writer.rows() == 0 { Ok(None) } else { writer.finish().map(Some) }
    }
}

/// Bytes of the rows of a batch in memory.
pub(crate) fn size_of_batch(batch: &RecordBatch) -> usize {
    let sizes = Sizes::new(std::slice::from_ref(batch));
    (0..batch.num_rows()).map(|row| sizes.of(0, row)).sum()
}
