//! Stopping anywhere and going on gives the rows of one run.

use proptest::prelude::*;

use super::{Decoded, PATH, decode, finish, info, lines};
use crate::adapters::Decoder;
use crate::adapters::codex::RolloutDecoder;
use crate::schema::Checkpoint;
use crate::schema::{RowContext, Rows};

const SESSION: &str = include_str!("../../../../tests/fixtures/codex/rollout.jsonl");
const FORK: &str = include_str!("../../../../tests/fixtures/codex/fork_several_seconds.jsonl");

/// Decodes with a stop after each line whose number is in `stops`; `look` also looks at what is open.
pub(super) fn in_pieces(text: &str, stops: &[usize], look: bool) -> Decoded {
    let mut rows = Rows::new(RowContext::new("codex", PATH));
    let mut decoder = RolloutDecoder::new(info(PATH), None);
    let lines = lines(text.as_bytes());
    let mut next = 0;
    let mut stops = stops.iter();
    let mut stop = stops.next();
    while next < lines.len() {
        decoder.line(lines[next], &mut rows);
        next += 1;
        if look {
            let before = *rows.counts();
            let mut aside = Rows::new(RowContext::new("codex", PATH));
            decoder.provisional(&mut aside);
            assert_eq!(aside.len(), usize::from(decoder.is_open()));
            assert_eq!(aside.take_counts(), crate::schema::Counts::default());
            assert_eq!(*rows.counts(), before);
        }
        if stop.is_some_and(|stop| *stop < next) {
            let checkpoint = decoder.checkpoint();
            assert!(checkpoint.resume_at <= checkpoint.high_water);
            decoder = RolloutDecoder::new(info(PATH), Some(&checkpoint));
            // What was held is read again; until then nothing is open.
            assert!(decoder.checkpoint() == Checkpoint { open: false, ..checkpoint.clone() });
            next = lines.iter().position(|l| l.offset >= checkpoint.resume_at).unwrap_or(lines.len());
            stop = stops.find(|s| **s >= next);
        }
    }
    decoder.settle(&mut rows);
    finish(rows)
}

#[test]
fn a_stop_after_any_line_changes_nothing() {
    for text in [SESSION, FORK] {
        let whole = decode(text);
        for stop in 0..lines(text.as_bytes()).len() {
            let pieces = in_pieces(text, &[stop], false);
            assert_eq!(pieces.dump(), whole.dump(), "stop after line {stop}");
            assert_eq!(pieces.counts, whole.counts, "stop after line {stop}");
        }
    }
}

proptest! {
    #[test]
    fn any_stops_and_looks_change_nothing(stops in prop::collection::btree_set(0usize..40, 0..12)) {
        let stops: Vec<_> = stops.into_iter().collect();
        let whole = decode(SESSION);
        let pieces = in_pieces(SESSION, &stops, true);
        prop_assert_eq!(pieces.dump(), whole.dump());
        prop_assert_eq!(pieces.counts, whole.counts);
    }

    #[test]
    fn no_bytes_panic_and_every_line_is_counted(text in "[\\x00-\\x7f\n]{0,200}", cut in 0usize..2000) {
        let decoder = &mut RolloutDecoder::new(info(PATH), None);
        super::run(decoder, text.as_bytes()).check_counts(lines(text.as_bytes()).len());
        let cut = &SESSION.as_bytes()[cut.min(SESSION.len())..];
        let decoder = &mut RolloutDecoder::new(info(PATH), None);
        super::run(decoder, cut).check_counts(lines(cut).len());
    }
}

#[test]
fn the_state_stays_small_in_an_endless_turn() {
    let mut rows = Rows::new(RowContext::new("codex", PATH));
    let mut decoder = RolloutDecoder::new(info(PATH), None);
    let mut offset = 0;
    for i in 0..5000 {
        let bulk = "x".repeat(i % 9000);
        let text = format!(
            r#"{{"timestamp":"2026-01-02T03:04:05.000Z","type":"response_item","payload":{{"type":"function_call","name":"exec_command","arguments":"{{\"cmd\":\"echo {i} {bulk}\"}}","call_id":"call_{i}"}}}}"#
        );
        let note = format!(
            r#"{{"timestamp":"2026-01-02T03:04:05.000Z","type":"event_msg","payload":{{"type":"agent_reasoning","text":"thought {i}"}}}}"#
        );
        for text in [text, note] {
            let end = offset + text.len() as u64 + 1;
            decoder.line(crate::adapters::Line { bytes: text.as_bytes(), offset, end }, &mut rows);
            offset = end;
        }
    }
    assert!(decoder.checkpoint().state.len() < 64 * 1024, "{}", decoder.checkpoint().state.len());
    let ids = rows.finish().ids;
    let unique: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(unique.len(), 10_000);
}
