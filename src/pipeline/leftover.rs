//! Rows that were shown as open in content that is gone by now.
//!
//! A log is cut, or another file takes its place, while its newest call is still open: nobody can change that
//! call any more. What the new content does not hold is handed out as it was.

use std::collections::HashSet;

use arrow::array::BooleanArray;
use arrow::compute::filter_record_batch;

use crate::schema::{Counts, EventId, RowBatch, Rows};

/// What was open, and who can settle it.
pub(super) struct Leftover {
    /// No rows yet, of the source as it was.
    rows: Rows,
    /// Events that were shown and have not been seen in the new content.
    missing: HashSet<EventId>,
    settle: Box<dyn FnOnce(&mut Rows) + Send>,
}

impl Leftover {
    /// Events that were `shown`, to be settled into `rows`; `None` when there were none.
    pub(super) fn new(
        rows: Rows,
        shown: Vec<EventId>,
        settle: impl FnOnce(&mut Rows) + Send + 'static,
    ) -> Option<Self> {
        let missing: HashSet<EventId> = shown.into_iter().collect();
        (!missing.is_empty()).then(|| Self { rows, missing, settle: Box::new(settle) })
    }

    /// Says that the new content holds these events.
    pub(super) fn found(&mut self, ids: &[EventId]) {
        if !self.missing.is_empty() {
            for id in ids {
                self.missing.remove(id);
            }
        }
    }

    /// The rows that the new content does not hold, with what was counted for them.
    pub(super) fn rest(self) -> Option<(RowBatch, Counts)> {
        if self.missing.is_empty() {
            return None;
        }
        let mut rows = self.rows;
        (self.settle)(&mut rows);
        let mut counts = rows.take_counts();
        let RowBatch { events, ids, rejects } = rows.finish();
        let keep: Vec<bool> = ids.iter().map(|id| self.missing.contains(id)).collect();
        let kept: Vec<EventId> = ids.into_iter().filter(|id| self.missing.contains(id)).collect();
        counts.rows = kept.len() as u64;
        // The mask has one entry per row, so filtering cannot fail.
        let events = filter_record_batch(&events, &BooleanArray::from(keep)).ok()?;
        Some((RowBatch { events, ids: kept, rejects }, counts))
    }
}
