//! Rows of several sorted files as one stream, in the order of time.
//!
//! - a file is opened when the time of its first row has come; the times of its rows are read first, the rows
//!   themselves when they are due
//! - rows that are too long to wait for their turn beside those of other files are read one at a time, when it is
//!   theirs: of all files together one long row is in memory, beside what the writer has of it

mod input;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::interleave;

use super::Part;
use super::encode::Sizes;
use super::error::{At, LakeError};
use super::handle::Lake;
use super::ids::id_of;
use super::writer::{NewPart, PartWriter};
use crate::schema::events;
use input::Input;

/// Rows that go to the writer at once, unless their texts are longer than `CHUNK_BYTES`.
const CHUNK_ROWS: usize = 4096;
const CHUNK_BYTES: usize = 4 << 20;

/// A merge of sorted files.
pub(super) struct Merge<'a> {
    lake: &'a Lake,
    /// Not yet opened, the earliest last.
    waiting: Vec<(usize, Arc<Part>)>,
    losers: &'a HashMap<usize, HashSet<u128>>,
    open: Vec<Option<Input<'a>>>,
    /// Time of the next row of each open input.
    next: BinaryHeap<Reverse<(i64, usize)>>,
    held: Vec<RecordBatch>,
    /// Rows of the next chunk: which of the held batches, and where in it.
    rows: Vec<(usize, usize)>,
    bytes: usize,
}

impl<'a> Merge<'a> {
    /// A merge of `inputs`; of each the ids that `losers` name are left out.
    pub(super) fn new(lake: &'a Lake, inputs: &[Arc<Part>], losers: &'a HashMap<usize, HashSet<u128>>) -> Self {
        let mut waiting: Vec<(usize, Arc<Part>)> = inputs.iter().map(Arc::clone).enumerate().collect();
        waiting.sort_by_key(|(_, part)| Reverse(part.min_ts_us));
        Self {
            lake,
            losers,
            open: Vec::new(),
            next: BinaryHeap::new(),
            held: Vec::new(),
            rows: Vec::with_capacity(CHUNK_ROWS),
            bytes: 0,
            waiting,
        }
    }

    /// Writes all rows to files of about `target_bytes`.
    pub(super) fn run(mut self, target_bytes: u64) -> Result<Vec<NewPart>, LakeError> {
        let month = self.waiting.first().map_or_else(String::new, |(_, part)| part.month.clone());
        let mut expected: usize = self.waiting.iter().map(|(_, p)| usize::try_from(p.rows).unwrap_or_default()).sum();
        let limit = usize::try_from(target_bytes + target_bytes / 2).unwrap_or(usize::MAX);
        let mut outputs = Vec::new();
        let mut writer: Option<PartWriter> = None;
        while let Some((batch, bytes)) = self.chunk()? {
            let out = match &mut writer {
                Some(out) => out,
                None => {
                    let lake = self.lake;
                    writer.insert(PartWriter::create(&lake.root, events(), &month, expected, &lake.in_flight)?)
                }
            };
            out.write(&batch, bytes)?;
            expected = expected.saturating_sub(batch.num_rows());
            if out.bytes() >= limit
                && let Some(out) = writer.take()
            {
                outputs.push(out.finish()?);
            }
        }
        if let Some(out) = writer {
            outputs.push(out.finish()?);
        }
        Ok(outputs)
    }

    /// The next rows in the order of time, and their size.
    fn chunk(&mut self) -> Result<Option<(RecordBatch, usize)>, LakeError> {
        self.let_go();
        while self.rows.len() < CHUNK_ROWS && self.bytes < CHUNK_BYTES {
            self.open_due()?;
            let Some(Reverse((_, input))) = self.next.pop() else { break };
            self.take_row(input)?;
        }
        if self.rows.is_empty() {
            return Ok(None);
        }
        let schema = events().arrow();
        let columns: Result<Vec<_>, _> = (0..schema.fields().len())
            .map(|column| {
                let arrays: Vec<&dyn Array> = self.held.iter().map(|batch| batch.column(column).as_ref()).collect();
                interleave(&arrays, &self.rows)
            })
            .collect();
        let batch = columns.and_then(|columns| RecordBatch::try_new(schema, columns));
        let batch = batch.at("merge parts of", &self.lake.root)?;
        let bytes = std::mem::take(&mut self.bytes);
        self.rows.clear();
        // Before the batch is written, which takes memory too.
        self.let_go();
        Ok(Some((batch, bytes)))
    }

    /// An input takes part from its first row's time on.
    fn open_due(&mut self) -> Result<(), LakeError> {
        while let Some((_, part)) = self.waiting.last() {
            if self.next.peek().is_some_and(|Reverse((ts, _))| *ts < part.min_ts_us) {
                return Ok(());
            }
            let Some((number, part)) = self.waiting.pop() else { return Ok(()) };
            let input = Input::open(&self.lake.root, part, self.losers.get(&number))?;
            self.next.extend(input.next_time().map(|ts| Reverse((ts, self.open.len()))));
            self.open.push(Some(input));
        }
        Ok(())
    }

    /// Adds the row of `input` that is due to the chunk, unless another copy of it stays.
    fn take_row(&mut self, number: usize) -> Result<(), LakeError> {
        let Some(input) = &mut self.open[number] else { return Ok(()) };
        let (held, row) = input.take_row(&mut self.held)?;
        let batch = &self.held[held];
        let lost = input.lost.is_some_and(|lost| {
            let ids = batch.column_by_name("event_id").map(|column| column.as_string_view());
            ids.is_some_and(|ids| lost.contains(&id_of(ids.value(row).as_bytes())))
        });
        match input.next_time() {
            Some(ts) => self.next.push(Reverse((ts, number))),
            None => self.open[number] = None,
        }
        if !lost {
            self.bytes += Sizes::new(std::slice::from_ref(&self.held[held])).of(0, row);
            self.rows.push((held, row));
        }
        Ok(())
    }

    /// Drops the batches that no open input stands in.
    fn let_go(&mut self) {
        let mut kept = Vec::with_capacity(self.open.len());
        for input in self.open.iter_mut().flatten() {
            input.hold_on(&self.held, &mut kept);
        }
        self.held = kept;
    }
}
