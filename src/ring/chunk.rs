//! Rows that arrived together, or were put together because each arrival was small.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take};

use crate::schema::EventId;

/// A batch, the identity of its rows, and the rows that do not count.
#[derive(Debug, Clone)]
pub struct Chunk {
    number: u64,
    events: RecordBatch,
    ids: Vec<EventId>,
    /// Ascending.
    dropped: Vec<u32>,
    bytes: usize,
}

/// The same rows in no more memory than they need: copied without the room that was for rows to come, texts into one
/// buffer a column. Columns that are one array stay one.
#[must_use]
pub fn compact(events: &RecordBatch) -> RecordBatch {
    let all = UInt32Array::from_iter_values((0..).take(events.num_rows()));
    let mut done: Vec<(&ArrayRef, ArrayRef)> = Vec::new();
    let columns = events.columns().iter().map(|column| {
        if let Some((_, compact)) = done.iter().find(|(known, _)| Arc::ptr_eq(known, column)) {
            return Arc::clone(compact);
        }
        let copy = take(column, &all, None).unwrap_or_else(|_| Arc::clone(column));
        let compact = match copy.as_string_view_opt() {
            Some(texts) => Arc::new(texts.gc()) as ArrayRef,
            None => copy,
        };
        done.push((column, Arc::clone(&compact)));
        compact
    });
    RecordBatch::try_new(events.schema(), columns.collect()).unwrap_or_else(|_| events.clone())
}

impl Chunk {
    /// A chunk in which the rows `dropped` (ascending) do not count.
    #[must_use]
    pub const fn new(number: u64, events: RecordBatch, ids: Vec<EventId>, dropped: Vec<u32>, bytes: usize) -> Self {
        Self { number, events, ids, dropped, bytes }
    }

    /// The rows of `chunks` that count as one chunk; `None` when none counts.
    pub(super) fn merged(number: u64, chunks: &[Self]) -> Option<Self> {
        let batches: Vec<RecordBatch> = chunks.iter().filter_map(|c| c.visible(&[])).collect();
        let schema = batches.first()?.schema();
        let joined = concat_batches(&schema, &batches).ok()?;
        // Joined text columns keep a buffer of each batch they came from.
        let events = compact(&joined);
        let ids = chunks.iter().flat_map(|c| c.live_ids().map(|(_, id)| id)).collect();
        let bytes = chunks.iter().map(|c| c.bytes).sum();
        Some(Self { number, events, ids, dropped: Vec::new(), bytes })
    }

    /// Rows, those that do not count included.
    pub(super) const fn rows(&self) -> usize {
        self.ids.len()
    }

    /// Memory of the rows.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Number of the chunk, unique in its ring.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Takes one more row out.
    pub fn mask(&mut self, row: u32) {
        if let Err(at) = self.dropped.binary_search(&row) {
            self.dropped.insert(at, row);
        }
    }

    /// Rows that count, with their ids.
    pub fn live_ids(&self) -> impl Iterator<Item = (u32, EventId)> + '_ {
        let mut dropped = self.dropped.iter().copied().peekable();
        (0u32..).zip(self.ids.iter().copied()).filter(move |(row, _)| dropped.next_if_eq(row).is_none())
    }

    /// The rows that count and are not in `masked`; `None` when none is left.
    #[must_use]
    pub fn visible(&self, masked: &[u32]) -> Option<RecordBatch> {
        let mut hidden = self.dropped.clone();
        hidden.extend_from_slice(masked);
        hidden.sort_unstable();
        hidden.dedup();
        if hidden.is_empty() {
            return Some(self.events.clone());
        }
        if hidden.len() >= self.ids.len() {
            return None;
        }
        let mut keep = vec![true; self.ids.len()];
        for row in hidden {
            if let Some(slot) = keep.get_mut(row as usize) {
                *slot = false;
            }
        }
        // The mask has one entry per row, so filtering cannot fail; if it did, a copy would be seen
        // rather than a row lost.
        Some(filter_record_batch(&self.events, &BooleanArray::from(keep)).unwrap_or_else(|_| self.events.clone()))
    }
}
