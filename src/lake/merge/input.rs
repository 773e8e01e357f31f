//! One file of a merge: where it stands, and what of its rows is in memory.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::super::Part;
use super::super::encode::Sizes;
use super::super::error::{At, LakeError};
use super::super::reader::{PartReader, Rows};
use super::super::rewrite::READ_ROWS;
use crate::schema::events;

/// Rows that wait for their turn may point into pages of so many bytes. From larger pages they are copied.
const PAGES_BYTES: usize = 12 << 20;

/// Rows that are copied at a time.
const COPIED_BYTES: usize = 8 << 20;

/// Longer rows are not copied but read once more, alone.
const LONG_BYTES: usize = 1 << 20;

/// Stands for a row that is read when it is due.
const ALONE: u32 = u32::MAX;

/// A file from the moment its rows are due.
pub(super) struct Input<'a> {
    root: PathBuf,
    part: Arc<Part>,
    /// Ids of which another copy stays.
    pub(super) lost: Option<&'a HashSet<u128>>,
    /// Times of all its rows.
    times: Vec<i64>,
    /// The row that is due.
    row: usize,
    /// Reads on behind the lot in hand; closed while it would hold the pages of long rows.
    reader: Option<PartReader>,
    lot: Option<Lot>,
}

/// Some rows in a row.
struct Lot {
    first: usize,
    rows: usize,
    /// Where its batch stands among those held.
    held: usize,
    /// For each row where in the batch it stands, or [`ALONE`]; `None` when the batch has them all.
    places: Option<Vec<u32>>,
}

impl<'a> Input<'a> {
    pub(super) fn open(root: &Path, part: Arc<Part>, lost: Option<&'a HashSet<u128>>) -> Result<Self, LakeError> {
        let mut times = Vec::with_capacity(usize::try_from(part.rows).unwrap_or_default());
        let mut reader = PartReader::open_part(root, events(), &part, Some(&["ts"]), 8192)?;
        while let Some(batch) = reader.next()? {
            times.extend_from_slice(batch.column(0).as_primitive::<TimestampMicrosecondType>().values());
        }
        let input = Self { root: root.to_owned(), part, lost, times, row: 0, reader: None, lot: None };
        if input.times.len() as u64 == input.part.rows { Ok(input) } else { Err(input.has_other_rows()) }
    }

    /// Time of the row that is due; `None` at the end.
    pub(super) fn next_time(&self) -> Option<i64> {
        self.times.get(self.row).copied()
    }

    /// Goes on behind the row that is due; says which batch among those held has it, and where.
    pub(super) fn take_row(&mut self, held: &mut Vec<RecordBatch>) -> Result<(usize, usize), LakeError> {
        let lot = match self.lot.take() {
            Some(lot) => lot,
            None => self.next_lot(held)?,
        };
        let (number, row) = (self.row - lot.first, self.row);
        self.row += 1;
        let place = match &lot.places {
            None => (lot.held, number),
            Some(places) if places[number] != ALONE => (lot.held, places[number] as usize),
            Some(_) => {
                held.push(self.read_alone(row)?);
                (held.len() - 1, 0)
            }
        };
        self.lot = (number + 1 < lot.rows).then_some(lot);
        Ok(place)
    }

    /// Takes the batch of its lot over from `held` into `kept`.
    pub(super) fn hold_on(&mut self, held: &[RecordBatch], kept: &mut Vec<RecordBatch>) {
        if let Some(lot) = &mut self.lot {
            kept.push(held[lot.held].clone());
            lot.held = kept.len() - 1;
        }
    }

    /// Reads the rows from the one that is due on. While a file is open its pages stay in memory, and with a long
    /// row those around it in its page: such a file is closed as soon as the short ones have been copied.
    fn next_lot(&mut self, held: &mut Vec<RecordBatch>) -> Result<Lot, LakeError> {
        let (first, reader) = (self.row, self.reader.take());
        let mut reader = reader.map_or_else(|| self.open_at(Rows::AtMost(READ_ROWS)), Ok)?;
        let batch = self.next_of(&mut reader)?;
        let (batch, places) = if page_bytes(&batch) <= PAGES_BYTES {
            self.reader = Some(reader);
            (batch, None)
        } else if row_bytes(&batch, 0) > LONG_BYTES {
            (batch.slice(0, 1), None)
        } else {
            // As many of its page as can be, since it is unpacked for each copy.
            drop((batch, reader));
            let batch = self.next_of(&mut self.open_at(Rows::Exactly(READ_ROWS))?)?;
            let (batch, places) = short_rows(&batch).at("read", &self.path())?;
            (batch, Some(places))
        };
        let rows = places.as_ref().map_or_else(|| batch.num_rows(), Vec::len);
        held.push(batch);
        Ok(Lot { first, rows, held: held.len() - 1, places })
    }

    /// A reader of the rows from the one that is due on.
    fn open_at(&self, rows: Rows) -> Result<PartReader, LakeError> {
        PartReader::open_part_at(&self.root, events(), &self.part, self.row, rows)
    }

    fn next_of(&self, reader: &mut PartReader) -> Result<RecordBatch, LakeError> {
        reader.next()?.ok_or_else(|| self.has_other_rows())
    }

    fn read_alone(&self, row: usize) -> Result<RecordBatch, LakeError> {
        let mut reader = PartReader::open_part_at(&self.root, events(), &self.part, row, Rows::Exactly(1))?;
        self.next_of(&mut reader)
    }

    fn path(&self) -> PathBuf {
        self.root.join("events").join(&self.part.path)
    }

    fn has_other_rows(&self) -> LakeError {
        LakeError::CorruptPart { path: self.path(), reason: "it has other rows than the log says" }
    }
}

/// Bytes of the pages that the texts of a batch point into.
fn page_bytes(batch: &RecordBatch) -> usize {
    let texts = batch.columns().iter().filter_map(|column| column.as_string_view_opt());
    texts.flat_map(|texts| texts.data_buffers()).map(arrow::buffer::Buffer::len).sum()
}

fn row_bytes(batch: &RecordBatch, row: usize) -> usize {
    Sizes::new(std::slice::from_ref(batch)).of(0, row)
}

/// A copy of the short ones of the first rows, which keeps no page, and for each of these rows its place in it.
fn short_rows(batch: &RecordBatch) -> Result<(RecordBatch, Vec<u32>), ArrowError> {
    let sizes = Sizes::new(std::slice::from_ref(batch));
    let (mut bytes, mut chosen, mut places) = (0, Vec::new(), Vec::new());
    for (row, number) in (0..batch.num_rows()).zip(0..) {
        let size = sizes.of(0, row);
        if size > LONG_BYTES {
            places.push(ALONE);
            continue;
        }
        bytes += size;
        if bytes > COPIED_BYTES {
            break;
        }
        places.push(u32::try_from(chosen.len()).unwrap_or(ALONE));
        chosen.push(number);
    }
    let short = take_record_batch(batch, &UInt32Array::from_iter_values(chosen))?;
    let own = |column: &ArrayRef| match column.data_type() {
        DataType::Utf8View => Arc::new(column.as_string_view().gc()) as ArrayRef,
        _ => Arc::clone(column),
    };
    Ok((RecordBatch::try_new(short.schema(), short.columns().iter().map(own).collect())?, places))
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn batch(lengths: &[usize]) -> RecordBatch {
        let texts = lengths.iter().map(|length| "x".repeat(*length));
        let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8View, false)]));
        RecordBatch::try_new(schema, vec![Arc::new(StringViewArray::from_iter_values(texts))]).unwrap()
    }

    #[test]
    fn long_rows_are_left_to_be_read_alone_and_the_others_keep_nothing_of_them() {
        let all = batch(&[20, 6 << 20, 10, 3 << 20, 0]);
        assert!(page_bytes(&all) > 9 << 20);
        let (short, places) = short_rows(&all).unwrap();
        assert_eq!(places, [0, ALONE, 1, ALONE, 2]);
        assert!(page_bytes(&short) < 100, "{} bytes", page_bytes(&short));
        let kept = short.column(0).as_string_view();
        assert_eq!([kept.value(0).len(), kept.value(1).len(), kept.value(2).len()], [20, 10, 0]);
    }

    #[test]
    fn no_more_is_copied_at_a_time_than_may_wait() {
        let (short, places) = short_rows(&batch(&[900_000; 20])).unwrap();
        assert_eq!((places.len(), short.num_rows()), (9, 9));
    }
}
