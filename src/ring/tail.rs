//! Rows of a source that its agent may still change.

use std::collections::BTreeMap;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use super::{ById, IdSet, Place, Precedence};
use crate::schema::{EventId, SourceId};

/// The provisional rows of one source.
#[derive(Debug, Clone)]
pub struct Tail {
    events: RecordBatch,
    ids: Vec<EventId>,
    /// `precedences[i]` belongs to row `i`.
    precedences: Vec<Precedence>,
    /// Durable events that rows of this tail replace for as long as it stands.
    replaces: IdSet,
}

impl Tail {
    /// The rows of `events`, with an id and a claim each, that are not older or equal copies (`stale`,
    /// ascending) of durable events; those in `replaces` are more complete than the durable ones. `None`
    /// when no row is left.
    #[must_use]
    pub fn new(
        events: RecordBatch,
        ids: Vec<EventId>,
        precedences: Vec<Precedence>,
        stale: &[u32],
        replaces: Vec<EventId>,
    ) -> Option<Self> {
        let mut tail = Self { events, ids, precedences, replaces: replaces.into_iter().collect() };
        tail.retain(|row| u32::try_from(row).is_ok_and(|row| stale.binary_search(&row).is_err()));
        (!tail.ids.is_empty()).then_some(tail)
    }

    fn retain(&mut self, keep: impl Fn(usize) -> bool) {
        let mask: Vec<bool> = (0..self.ids.len()).map(keep).collect();
        if mask.iter().all(|kept| *kept) {
            return;
        }
        self.events = filtered(&self.events, mask.clone());
        let mut kept = mask.iter();
        self.ids.retain(|_| *kept.next().unwrap_or(&true));
        let mut kept = mask.iter();
        self.precedences.retain(|_| *kept.next().unwrap_or(&true));
    }

    /// Settled rows became durable: of an event in `settled` the better record stays visible.
    pub(super) fn settle(&mut self, settled: impl Fn(EventId) -> Option<Precedence>) {
        let (mut better, mut lost) = (IdSet::default(), Vec::new());
        for (row, (id, claim)) in self.ids.iter().zip(&self.precedences).enumerate() {
            match settled(*id) {
                Some(durable) if claim.beats(durable) => drop(better.insert(*id)),
                Some(_) => lost.push(row),
                None => {}
            }
        }
        for row in &lost {
            self.replaces.remove(&self.ids[*row]);
        }
        self.replaces.extend(better);
        if !lost.is_empty() {
            self.retain(|row| lost.binary_search(&row).is_err());
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

/// The rows of all tails that are better than settled rows and those of other tails.
pub(super) struct Newest<'a> {
    tails: &'a BTreeMap<SourceId, Tail>,
    /// Claim and place of the best provisional record of each event.
    best: ById<(Precedence, SourceId, usize)>,
}

impl<'a> Newest<'a> {
    pub(super) fn of(tails: &'a BTreeMap<SourceId, Tail>, settled: &ById<Place>) -> Self {
        let mut best: ById<(Precedence, SourceId, usize)> = ById::default();
        for (source, tail) in tails {
            for (row, (id, claim)) in tail.ids.iter().zip(&tail.precedences).enumerate() {
                let is_settled = settled.get(id).is_some_and(|place| !claim.beats(place.claim));
                if !is_settled && best.get(id).is_none_or(|(known, ..)| claim.beats(*known)) {
                    best.insert(*id, (*claim, *source, row));
                }
            }
        }
        Self { tails, best }
    }

    /// Events of which a provisional record is shown.
    pub(super) fn ids(&self) -> impl Iterator<Item = &EventId> {
        self.best.keys()
    }

    /// Durable events that must not be seen.
    pub(super) fn replaced(&self) -> impl Iterator<Item = EventId> + '_ {
        self.tails.values().flat_map(|tail| tail.replaces.iter().copied())
    }

    /// The rows.
    pub(super) fn batches(&self) -> impl Iterator<Item = RecordBatch> + '_ {
        self.tails.iter().filter_map(|(source, tail)| {
            let shown = |(row, id): (usize, &EventId)| {
                self.best.get(id).is_some_and(|(_, at, best)| (at, *best) == (source, row))
            };
            let mask: Vec<bool> = tail.ids.iter().enumerate().map(shown).collect();
            let batch = if mask.iter().all(|kept| *kept) { tail.events.clone() } else { filtered(&tail.events, mask) };
            (batch.num_rows() > 0).then_some(batch)
        })
    }
}

/// The mask has one entry per row, so filtering cannot fail; if it did, a copy would be seen rather than a
/// row lost.
fn filtered(events: &RecordBatch, mask: Vec<bool>) -> RecordBatch {
    filter_record_batch(events, &BooleanArray::from(mask)).unwrap_or_else(|_| events.clone())
}
