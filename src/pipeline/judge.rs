//! Which of the rows that arrive are copies of what is known already?

use std::collections::HashMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

use crate::lake::{Found, Lake, LakeError, Snapshot};
use crate::ring::{Claim, Ring, Span};
use crate::schema::{EventId, RowBatch, SourceId, SourcePosition};

/// Decoded rows on their way into the ring.
#[derive(Debug)]
pub struct Load {
    /// The rows.
    pub rows: RowBatch,
    /// Which rows came from which source, ascending.
    pub spans: Vec<Span>,
    /// Positions after these rows, one per source.
    pub positions: Vec<SourcePosition>,
    /// Memory the rows take.
    pub bytes: usize,
}

/// Columns of a batch that decide between copies.
pub(super) struct Evidence<'a> {
    ids: &'a [EventId],
    ts: &'a [i64],
    completeness: &'a [i64],
    events: &'a RecordBatch,
}

/// Rows, ascending, that are copies, and events that rows replace.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) stale: Vec<u32>,
    pub(super) replaces: Vec<EventId>,
}

impl<'a> Evidence<'a> {
    pub(super) fn of(events: &'a RecordBatch, ids: &'a [EventId]) -> Option<Self> {
        let ts = events.column_by_name("ts")?.as_primitive_opt::<TimestampMicrosecondType>()?;
        let completeness = events.column_by_name("completeness")?.as_primitive_opt::<Int64Type>()?;
        Some(Self { ids, ts: ts.values(), completeness: completeness.values(), events })
    }

    /// The claim of each row, `born_us` of its source looked up in `spans` and `born`.
    pub(super) fn claims(&self, spans: &[Span], born: &HashMap<SourceId, i64>) -> Vec<Claim> {
        let mut spans = spans.iter().peekable();
        let claim = |(row, completeness): (u32, &i64)| {
            while spans.next_if(|s| s.end <= row).is_some() {}
            let born_us = spans.peek().and_then(|s| born.get(&s.source)).copied().unwrap_or_default();
            Claim { completeness: *completeness, born_us }
        };
        (0u32..).zip(self.completeness).map(claim).collect()
    }

    fn inferred(&self, row: usize) -> bool {
        let column = self.events.column_by_name("ts_source").and_then(|c| c.as_string_view_opt());
        column.is_some_and(|c| c.value(row) == "inferred")
    }

    /// What the durable rows of `snapshot` say about these rows; rows for which `settled` knows a
    /// record in the ring are left to the ring.
    pub(super) fn against_lake(
        &self,
        lake: &Lake,
        snapshot: &Snapshot,
        claims: &[Claim],
        in_ring: &[bool],
        born_of: impl Fn(&Found) -> i64,
    ) -> Result<Verdict, LakeError> {
        let mut rows = Vec::with_capacity(self.ids.len());
        let mut wanted = Vec::with_capacity(self.ids.len());
        for (row, id) in self.ids.iter().enumerate() {
            if !in_ring.get(row).copied().unwrap_or_default() {
                rows.push(row);
                wanted.push((*id, self.ts[row], self.inferred(row)));
            }
        }
        let mut verdict = Verdict::default();
        for (row, found) in rows.into_iter().zip(lake.known(snapshot, &wanted)?) {
            let Some(found) = found else { continue };
            let durable = Claim { completeness: found.completeness, born_us: born_of(&found) };
            if claims[row].beats(durable) {
                verdict.replaces.push(self.ids[row]);
            } else {
                verdict.stale.push(u32::try_from(row).unwrap_or(u32::MAX));
            }
        }
        Ok(verdict)
    }

    /// Which rows have a settled record in the ring.
    pub(super) fn in_ring(&self, ring: &Ring) -> Vec<bool> {
        self.ids.iter().map(|id| ring.claim_of(*id).is_some()).collect()
    }
}
