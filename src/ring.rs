//! What is newest?
//!
//! Bounded columnar ring of the rows that are not durable yet. Pure memory: no disk, no threads, no
//! clock; the pipeline puts it behind a lock.
//!
//! - settled rows are appended in chunks; a row that a more complete record replaces is masked
//! - small open chunks are joined as they come, so that many single lines are few batches to a reader;
//!   a sealed chunk never changes
//! - [`Ring::seal`] closes the open chunks into a [`Segment`] together with the positions they
//!   imply; segments are committed and released in the order they were sealed
//! - rows of a segment stay visible until [`Ring::release`], which the pipeline calls in the same
//!   instant in which the commit becomes visible: a reader sees each row once
//! - each source may have a provisional tail, replaced as a whole and never sealed
//! - an event id is in the settled rows at most once, and a reader sees one record of it, the best,
//!   whatever the tails hold

mod chunk;
mod segment;
mod tail;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::schema::{EventId, RowBatch, SourceId, SourcePosition};
pub use chunk::{Chunk, compact};
pub use segment::{Segment, SegmentNumber};
use tail::Newest;
pub use tail::Tail;

/// What decides between two records of one event: the more complete one stays, of equally complete
/// ones that of the source born first, of sources born in one tick of the clock always the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Precedence {
    /// `events.completeness`.
    pub completeness: i64,
    /// `SourcePosition::born_us` of the source it was decoded from.
    pub born_us: i64,
    /// Checksum of that source's path.
    pub tie_break: u32,
}

impl Precedence {
    /// True when a record with this claim replaces one with the claim `other`.
    #[must_use]
    pub const fn beats(self, other: Self) -> bool {
        self.completeness > other.completeness
            || (self.completeness == other.completeness
                && (self.born_us < other.born_us
                    || (self.born_us == other.born_us && self.tie_break < other.tie_break)))
    }
}

/// Where a settled row stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    chunk: u64,
    row: u32,
    claim: Precedence,
}

/// Ids are hashes already.
#[derive(Debug, Default, Clone, Copy)]
pub struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u128(&mut self, id: u128) {
        #[expect(clippy::cast_possible_truncation, reason = "both halves are folded in")]
        let folded = (id >> 64) as u64 ^ id as u64;
        self.0 = folded;
    }
}

/// What a position takes beside its path and its state.
const POSITION_BYTES: usize = 768;

/// Memory of a position that waits for its commit, which holds it as text too: thousands of small logs are no small
/// commit.
#[must_use]
pub fn position_bytes(position: &SourcePosition) -> usize {
    POSITION_BYTES + position.path.len() + position.checkpoint.state.len()
}

/// Chunks are joined up to this many rows.
const JOINED_ROWS: usize = 4096;

/// Chunks are joined up to this much memory.
const JOINED_BYTES: usize = 1 << 20;

type ById<V> = HashMap<EventId, V, BuildHasherDefault<IdHasher>>;

/// A set of event ids.
pub type IdSet = HashSet<EventId, BuildHasherDefault<IdHasher>>;

/// Rows of one append, already checked against the durable ones.
#[derive(Debug, Default)]
pub struct Arrival {
    /// The rows.
    pub rows: RowBatch,
    /// `precedences[i]` belongs to row `i`.
    pub precedences: Vec<Precedence>,
    /// Rows (ascending) that are older or equal copies of durable events: they are dropped.
    pub stale: Vec<u32>,
    /// Ids of durable events that a row of this arrival replaces.
    pub replaces: Vec<EventId>,
    /// Positions after these rows, one per source that was read.
    pub positions: Vec<SourcePosition>,
    /// Which rows came from which source, ascending.
    pub spans: Vec<Span>,
    /// Memory the rows of `events` take.
    pub bytes: usize,
}

/// Rows of one source within an arrival: from the end of the span before it up to `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where the rows come from.
    pub source: SourceId,
    /// Number of the row behind the last one.
    pub end: u32,
}

/// What the ring shows to a reader.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Rows of `events`, settled ones first.
    pub events: Vec<RecordBatch>,
    /// Rows of `rejects`.
    pub rejects: Vec<RecordBatch>,
    /// Durable events that must not be seen from the lake.
    pub replaced: IdSet,
    /// Newest position of every source that has moved since the last commit.
    pub positions: BTreeMap<SourceId, Arc<SourcePosition>>,
}

/// The ring; see the head of this file.
#[derive(Debug, Default)]
pub struct Ring {
    places: ById<Place>,
    open: Segment,
    sealed: VecDeque<Arc<Segment>>,
    /// Rows of sealed chunks that a later row replaces: still being written, no longer shown.
    masked: HashMap<u64, Vec<u32>>,
    tails: BTreeMap<SourceId, Tail>,
    next_chunk: u64,
    next_segment: u64,
}

impl Ring {
    /// Appends rows and moves the positions that go with them.
    ///
    /// Returns how many rows of which source were copies; they are already added to the counters of
    /// the positions handed in. A source that moves loses its provisional tail.
    pub fn append(&mut self, arrival: Arrival) -> Vec<(SourceId, u64)> {
        let Arrival { rows, precedences, stale, replaces, positions, spans, bytes } = arrival;
        let number = self.next_chunk;
        let mut dropped = stale.clone();
        for (row, (id, claim)) in (0u32..).zip(rows.ids.iter().zip(&precedences)) {
            if stale.binary_search(&row).is_err() {
                self.claim_row(*id, Place { chunk: number, row, claim: *claim }, &mut dropped);
            }
        }
        dropped.sort_unstable();
        let copies = copies_by_source(&dropped, &spans);
        self.open.replaced.extend(replaces);
        for mut position in positions {
            self.tails.remove(&position.id);
            let own = copies.iter().filter(|(source, _)| *source == position.id);
            position.counts.duplicates += own.map(|(_, n)| n).sum::<u64>();
            let bytes = position_bytes(&position);
            if self.open.positions.insert(position.id, Arc::new(position)).is_none() {
                self.open.bytes += bytes;
            }
        }
        if rows.rejects.num_rows() > 0 {
            self.open.bytes += rows.rejects.get_array_memory_size();
            self.open.rejects.push(rows.rejects);
        }
        if rows.ids.len() > dropped.len() {
            self.next_chunk += 1;
            self.open.bytes += bytes;
            self.open.chunks.push(Chunk::new(number, rows.events, rows.ids, dropped, bytes));
            self.join_small();
        }
        copies
    }

    /// Joins the newest chunks while they are small and the older one is not much larger than what
    /// follows it: each row is copied a few times, and few chunks are left.
    fn join_small(&mut self) {
        let chunks = &self.open.chunks;
        let (mut rows, mut bytes, mut from) = (0, 0, chunks.len());
        for chunk in chunks.iter().rev() {
            rows += chunk.rows();
            bytes += chunk.bytes();
            if rows > JOINED_ROWS || bytes > JOINED_BYTES || chunk.rows() > 2 * (rows - chunk.rows()).max(1) {
                break;
            }
            from -= 1;
        }
        if chunks.len() - from < 2 {
            return;
        }
        let Some(joined) = Chunk::merged(self.next_chunk, &chunks[from..]) else { return };
        self.next_chunk += 1;
        for (row, id) in joined.live_ids() {
            if let Some(place) = self.places.get_mut(&id) {
                (place.chunk, place.row) = (joined.number(), row);
            }
        }
        self.open.chunks.truncate(from);
        self.open.chunks.push(joined);
    }

    /// Registers `place` for `id`, or adds its row to `dropped` when a better one stands already.
    fn claim_row(&mut self, id: EventId, place: Place, dropped: &mut Vec<u32>) {
        let Some(old) = self.places.get(&id).copied() else {
            self.places.insert(id, place);
            return;
        };
        if !place.claim.beats(old.claim) {
            dropped.push(place.row);
            return;
        }
        self.places.insert(id, place);
        if old.chunk == place.chunk {
            dropped.push(old.row);
        } else if let Some(chunk) = self.open.chunk_mut(old.chunk) {
            chunk.mask(old.row);
        } else {
            // It is being written at this moment: the next commit takes it out of the lake again.
            self.masked.entry(old.chunk).or_default().push(old.row);
            self.open.replaced.insert(id);
        }
    }

    /// Replaces the provisional tail of `source`; `None` when nothing is open any more.
    ///
    /// Rows of which a record at least as complete is settled, or in another tail, are not shown.
    pub fn set_tail(&mut self, source: SourceId, tail: Option<Tail>) {
        match tail {
            Some(tail) => self.tails.insert(source, tail),
            None => self.tails.remove(&source),
        };
    }

    /// Claim of the settled row with this id, if the ring holds one.
    #[must_use]
    pub fn claim_of(&self, id: EventId) -> Option<Precedence> {
        self.places.get(&id).map(|p| p.claim)
    }

    fn segments(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.sealed.iter().map(Arc::as_ref).chain([&self.open])
    }

    /// Newest position of `source`, if it has moved since the last commit.
    #[must_use]
    pub fn position(&self, source: SourceId) -> Option<Arc<SourcePosition>> {
        self.segments().rev().find_map(|s| s.positions.get(&source).cloned())
    }

    /// Positions that have moved since the last commit; of two of one source the later comes later.
    pub fn positions(&self) -> impl Iterator<Item = (SourceId, Arc<SourcePosition>)> + '_ {
        self.segments().flat_map(|s| s.positions.iter().map(|(id, p)| (*id, Arc::clone(p))))
    }

    /// Memory taken by settled rows and refused lines, sealed or not.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.open.bytes + self.sealed.iter().map(|s| s.bytes).sum::<usize>()
    }

    /// Memory taken by those that are not sealed.
    #[must_use]
    pub const fn open_bytes(&self) -> usize {
        self.open.bytes
    }

    /// Settled rows that are not durable yet.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.places.len()
    }

    /// Segments sealed and not yet released.
    #[must_use]
    pub fn sealed_segments(&self) -> usize {
        self.sealed.len()
    }

    /// Closes the open rows into a segment; `None` when there is nothing.
    pub fn seal(&mut self) -> Option<Arc<Segment>> {
        if self.open.is_empty() {
            return None;
        }
        let mut segment = std::mem::take(&mut self.open);
        segment.number = SegmentNumber(self.next_segment);
        self.next_segment += 1;
        let segment = Arc::new(segment);
        self.sealed.push_back(Arc::clone(&segment));
        Some(segment)
    }

    /// Forgets the oldest sealed segment, because its rows are durable and visible from the lake.
    ///
    /// # Panics
    ///
    /// When `number` is not the oldest sealed segment: releasing out of order would lose rows.
    pub fn release(&mut self, number: SegmentNumber) {
        let oldest = self.sealed.pop_front().filter(|s| s.number == number);
        let segment = oldest.expect("segments are released in the order they were sealed");
        if !self.tails.is_empty() {
            self.settle_tails(&segment);
        }
        for chunk in &segment.chunks {
            self.masked.remove(&chunk.number());
            for (_, id) in chunk.live_ids() {
                if self.places.get(&id).is_some_and(|p| p.chunk == chunk.number()) {
                    self.places.remove(&id);
                }
            }
        }
    }

    /// Compares the tails with the rows of `segment`, which the ring is about to forget.
    fn settle_tails(&mut self, segment: &Segment) {
        let chunks: HashSet<u64> = segment.chunks.iter().map(Chunk::number).collect();
        let places = &self.places;
        let settled = |id| places.get(&id).filter(|place| chunks.contains(&place.chunk)).map(|place| place.claim);
        self.tails.values_mut().for_each(|tail| tail.settle(settled));
        self.tails.retain(|_, tail| !tail.is_empty());
    }

    /// What a reader sees now. Shares all buffers; masked rows are filtered out.
    #[must_use]
    pub fn view(&self) -> View {
        let mut view = View::default();
        let newest = Newest::of(&self.tails, &self.places);
        let mut behind_tails: HashMap<u64, Vec<u32>> = HashMap::new();
        for place in newest.ids().filter_map(|id| self.places.get(id)) {
            behind_tails.entry(place.chunk).or_default().push(place.row);
        }
        for segment in self.segments() {
            for chunk in &segment.chunks {
                let mut masked = self.masked.get(&chunk.number()).cloned().unwrap_or_default();
                masked.extend(behind_tails.remove(&chunk.number()).unwrap_or_default());
                view.events.extend(chunk.visible(&masked));
            }
            view.rejects.extend(segment.rejects.iter().cloned());
            view.replaced.extend(segment.replaced.iter().copied());
        }
        view.positions.extend(self.positions());
        view.events.extend(newest.batches());
        view.replaced.extend(newest.replaced());
        view
    }
}

fn copies_by_source(dropped: &[u32], spans: &[Span]) -> Vec<(SourceId, u64)> {
    let mut start = 0;
    let mut copies = Vec::new();
    for span in spans {
        let end = dropped.partition_point(|row| *row < span.end);
        if end > start {
            copies.push((span.source, (end - start) as u64));
        }
        start = end.max(start);
    }
    copies
}

#[cfg(test)]
mod tests;
