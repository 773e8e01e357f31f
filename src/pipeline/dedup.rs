//! Which of the rows that arrive are copies of what is known already?

use std::collections::HashMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};

use super::now_us;
use crate::lake::{Found, Known, LakeError, Snapshot, pruned_rows};
use crate::ring::{Precedence, Ring, Span};
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
    /// What the sources' agents may still change, shown until the next load of the source.
    pub tails: Vec<(SourceId, RowBatch)>,
    /// Memory the rows of `events` take.
    pub bytes: usize,
}

/// What decides between sources born in one tick of the clock.
pub(super) fn tie_break(path: &str) -> u32 {
    crc32c::crc32c(path.as_bytes())
}

/// What of a batch decides between copies.
pub(super) struct Candidates<'a> {
    ids: &'a [EventId],
    ts: &'a [i64],
    events: &'a RecordBatch,
    /// The claim of each row.
    pub(super) precedences: Vec<Precedence>,
}

/// Rows, ascending, that are copies, and events that rows replace.
#[derive(Debug, Default)]
pub(super) struct Decision {
    pub(super) stale: Vec<u32>,
    pub(super) replaces: Vec<EventId>,
    /// How many of the stale ones are older than the user wants to keep.
    pub(super) aged: u64,
}

impl<'a> Candidates<'a> {
    /// Those of `events`; `spans` and `born` tell when the source of a row was born, and its tie-break.
    pub(super) fn of(
        events: &'a RecordBatch,
        ids: &'a [EventId],
        spans: &[Span],
        born: &HashMap<SourceId, (i64, u32)>,
    ) -> Self {
        let ts = events.column_by_name("ts").and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>());
        let completeness = events.column_by_name("completeness").and_then(|c| c.as_primitive_opt::<Int64Type>());
        let mut spans = spans.iter().peekable();
        let claim = |(row, completeness): (u32, &i64)| {
            while spans.next_if(|s| s.end <= row).is_some() {}
            let (born_us, tie_break) = spans.peek().and_then(|s| born.get(&s.source)).copied().unwrap_or_default();
            Precedence { completeness: *completeness, born_us, tie_break }
        };
        let precedences =
            completeness.map(|c| (0u32..).zip(c.values().iter()).map(claim).collect()).unwrap_or_default();
        Self { ids, ts: ts.map(|t| &t.values()[..]).unwrap_or_default(), events, precedences }
    }

    /// What the durable rows of `snapshot` say about these rows; those `in_ring` are left to the ring, and
    /// those before `cutoff_us` are too old to be taken in.
    pub(super) fn against_lake(
        &self,
        known: &Known,
        snapshot: &Snapshot,
        in_ring: &[bool],
        cutoff_us: i64,
        born_of: impl Fn(&Found) -> i64,
    ) -> Result<Decision, LakeError> {
        let mut verdict = Decision::default();
        let mut unwanted = pruned_rows(&snapshot.pruned, now_us(), self.events);
        for (row, _) in (0u32..).zip(self.ts).filter(|(_, ts)| **ts < cutoff_us) {
            verdict.aged += 1;
            unwanted.push(row);
        }
        unwanted.sort_unstable();
        unwanted.dedup();
        let is_unwanted = |row: usize| u32::try_from(row).is_ok_and(|row| unwanted.binary_search(&row).is_ok());
        let mut rows = Vec::with_capacity(self.ids.len());
        let mut wanted = Vec::with_capacity(self.ids.len());
        for (row, (id, ts)) in self.ids.iter().zip(self.ts).enumerate() {
            if !in_ring.get(row).copied().unwrap_or_default() && !is_unwanted(row) {
                rows.push(row);
                wanted.push((*id, *ts));
            }
        }
        for (row, found) in rows.into_iter().zip(known.find(snapshot, &wanted)?) {
            let Some(found) = found else { continue };
            let durable = Precedence {
                completeness: found.completeness,
                born_us: born_of(&found),
                tie_break: tie_break(&found.source_path),
            };
            if self.precedences[row].beats(durable) {
                verdict.replaces.push(self.ids[row]);
            } else {
                verdict.stale.push(u32::try_from(row).unwrap_or(u32::MAX));
            }
        }
        verdict.stale.extend(unwanted);
        verdict.stale.sort_unstable();
        Ok(verdict)
    }

    /// Which rows have a settled record in the ring.
    pub(super) fn in_ring(&self, ring: &Ring) -> Vec<bool> {
        self.ids.iter().map(|id| ring.claim_of(*id).is_some()).collect()
    }
}
