//! Rows that arrived together.

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use crate::schema::EventId;

/// One arrival: a batch, the identity of its rows, and the rows that do not count.
#[derive(Debug, Clone)]
pub struct Chunk {
    number: u64,
    events: RecordBatch,
    ids: Vec<EventId>,
    /// Ascending.
    dropped: Vec<u32>,
}

impl Chunk {
    /// A chunk in which the rows `dropped` (ascending) do not count.
    #[must_use]
    pub const fn new(number: u64, events: RecordBatch, ids: Vec<EventId>, dropped: Vec<u32>) -> Self {
        Self { number, events, ids, dropped }
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
