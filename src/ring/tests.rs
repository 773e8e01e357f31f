//! The ring against a model: a map from id to the best claim.

use std::collections::BTreeMap;

use arrow::array::AsArray;
use proptest::prelude::*;

use super::*;
use crate::schema::{EventRow, EventType, RowContext, Rows};

fn arrival(rows: &[(u8, i64)]) -> Arrival {
    let mut builder = Rows::new(RowContext::new("test", "/log"));
    for (id, completeness) in rows {
        builder.event(&EventRow {
            id: Some(EventId(u128::from(*id))),
            event_type: EventType::System,
            completeness: *completeness,
            ..EventRow::default()
        });
    }
    let precedences = rows
        .iter()
        .map(|(_, completeness)| Precedence { completeness: *completeness, born_us: 0, tie_break: 0 })
        .collect();
    let spans = vec![Span { source: SourceId(1), end: u32::try_from(rows.len()).unwrap() }];
    Arrival {
        rows: builder.finish(),
        precedences,
        stale: vec![],
        replaces: vec![],
        positions: vec![],
        spans,
        bytes: rows.len(),
    }
}

fn seen(batches: &[RecordBatch]) -> Vec<(u8, i64)> {
    let mut out = Vec::new();
    for batch in batches {
        let ids = batch.column_by_name("event_id").unwrap().as_string_view();
        let completeness = batch.column_by_name("completeness").unwrap();
        let completeness = completeness.as_primitive::<arrow::datatypes::Int64Type>();
        for row in 0..batch.num_rows() {
            let id = EventId::parse(ids.value(row)).unwrap();
            out.push((u8::try_from(id.0).unwrap(), completeness.value(row)));
        }
    }
    out.sort_unstable();
    out
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<(u8, i64)>),
    /// What the agent of a source may still change.
    Tail(u64, Vec<(u8, i64)>),
    Seal,
    Release,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let rows = prop::collection::vec((0u8..12, 0i64..4), 1..6);
    let tail = (2u64..5, prop::collection::vec((0u8..12, 0i64..4), 0..6));
    let step = prop_oneof![
        4 => rows.prop_map(Step::Append),
        3 => tail.prop_map(|(source, rows)| Step::Tail(source, rows)),
        2 => Just(Step::Seal),
        2 => Just(Step::Release)
    ];
    prop::collection::vec(step, 0..40)
}

/// The ring and a lake that does what the pipeline's lake does.
#[derive(Default)]
struct World {
    ring: Ring,
    waiting: VecDeque<Arc<Segment>>,
    lake: BTreeMap<u8, i64>,
}

impl World {
    fn append(&mut self, rows: &[(u8, i64)]) {
        let arrival = self.judged(rows);
        self.ring.append(arrival);
    }

    fn set_tail(&mut self, source: u64, rows: &[(u8, i64)]) {
        let Arrival { rows, precedences, stale, replaces, .. } = self.judged(rows);
        self.ring.set_tail(SourceId(source), Tail::new(rows.events, rows.ids, precedences, &stale, replaces));
    }

    /// Rows with what the lake says about those that are not in the ring.
    fn judged(&self, rows: &[(u8, i64)]) -> Arrival {
        let mut arrival = arrival(rows);
        for (row, (id, completeness)) in (0u32..).zip(rows) {
            let id = EventId(u128::from(*id));
            if self.ring.claim_of(id).is_some() {
                continue;
            }
            match self.lake.get(&u8::try_from(id.0).unwrap()) {
                Some(known) if known >= completeness => arrival.stale.push(row),
                Some(_) => arrival.replaces.push(id),
                None => {}
            }
        }
        arrival
    }

    fn release(&mut self) {
        let Some(segment) = self.waiting.pop_front() else { return };
        for id in &segment.replaced {
            self.lake.remove(&u8::try_from(id.0).unwrap());
        }
        for (id, completeness) in seen(&segment.batches()) {
            assert_eq!(self.lake.insert(id, completeness), None, "an id is durable twice");
        }
        self.ring.release(segment.number);
    }

    fn visible(&self) -> Vec<(u8, i64)> {
        let view = self.ring.view();
        let lake = self.lake.iter().filter(|(id, _)| !view.replaced.contains(&EventId(u128::from(**id))));
        let mut all: Vec<_> = lake.map(|(id, c)| (*id, *c)).chain(seen(&view.events)).collect();
        all.sort_unstable();
        all
    }
}

proptest! {
    #[test]
    fn a_reader_sees_the_best_record_of_each_event_exactly_once(steps in steps()) {
        let mut world = World::default();
        let mut model: BTreeMap<u8, i64> = BTreeMap::new();
        let mut tails: BTreeMap<u64, Vec<(u8, i64)>> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Tail(source, rows) => {
                    world.set_tail(source, &rows);
                    tails.insert(source, rows);
                }
                Step::Append(rows) => {
                    world.append(&rows);
                    for (id, completeness) in rows {
                        let best = model.entry(id).or_insert(completeness);
                        *best = completeness.max(*best);
                    }
                }
                Step::Seal => world.waiting.extend(world.ring.seal()),
                Step::Release => world.release(),
            }
            let mut best = model.clone();
            for (id, completeness) in tails.values().flatten() {
                let known = best.entry(*id).or_insert(*completeness);
                *known = (*known).max(*completeness);
            }
            prop_assert_eq!(world.visible(), best.into_iter().collect::<Vec<_>>());
        }
    }
}

#[test]
fn a_tail_is_seen_until_it_is_replaced_and_hides_what_it_replaces() {
    let mut ring = Ring::default();
    ring.append(arrival(&[(1, 1), (2, 1)]));
    let tail = |rows| {
        let Arrival { rows, precedences, .. } = arrival(rows);
        Tail::new(rows.events, rows.ids, precedences, &[], Vec::new())
    };
    ring.set_tail(SourceId(1), tail(&[(2, 5), (3, 0)]));
    assert_eq!(seen(&ring.view().events), [(1, 1), (2, 5), (3, 0)]);
    ring.set_tail(SourceId(2), tail(&[(3, 0), (4, 0)]));
    assert_eq!(seen(&ring.view().events), [(1, 1), (2, 5), (3, 0), (4, 0)], "open in two sources, seen once");
    ring.set_tail(SourceId(1), None);
    assert_eq!(seen(&ring.view().events), [(1, 1), (2, 1), (3, 0), (4, 0)]);
}

#[test]
fn of_equally_complete_copies_the_source_born_first_owns_the_event() {
    let mut ring = Ring::default();
    let claimed = |born_us| Arrival {
        precedences: vec![Precedence { completeness: 0, born_us, tie_break: 0 }],
        ..arrival(&[(1, 0)])
    };
    assert_eq!(ring.append(claimed(20)), []);
    assert_eq!(ring.append(claimed(10)), []);
    assert_eq!(ring.append(claimed(15)), [(SourceId(1), 1)]);
    assert_eq!(ring.claim_of(EventId(1)), Some(Precedence { completeness: 0, born_us: 10, tie_break: 0 }));
    assert_eq!(ring.view().events.iter().map(RecordBatch::num_rows).sum::<usize>(), 1);
}

#[test]
fn of_sources_born_in_one_tick_the_same_one_owns_a_copy_in_either_order() {
    let claim = |tie_break| Precedence { completeness: 1, born_us: 7, tie_break };
    assert!(claim(1).beats(claim(2)) && !claim(2).beats(claim(1)) && !claim(1).beats(claim(1)));
    assert!(!Precedence { born_us: 8, ..claim(1) }.beats(claim(2)), "age comes first");
}

#[test]
fn a_batch_that_is_made_compact_holds_the_same_rows_and_no_room_for_others() {
    let loose = arrival(&[(1, 5), (2, 6)]).rows.events;
    let compact = compact(&loose);
    assert_eq!(compact, loose);
    let shared = |batch: &RecordBatch| {
        let columns = batch.columns();
        (1..columns.len()).filter(|n| columns[..*n].iter().any(|other| Arc::ptr_eq(other, &columns[*n]))).count()
    };
    assert!(shared(&compact) >= shared(&loose), "columns that were one array are one still");
    // Two rows of some seventy columns; with the room of a batch under construction it would be ten times as much.
    let bytes: usize = compact.columns().iter().map(|column| column.get_buffer_memory_size()).sum();
    assert!(bytes < 40 << 10, "{bytes} bytes");
}
