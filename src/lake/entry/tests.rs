use proptest::prelude::*;

use super::*;
use crate::schema::{Checkpoint, Counts, Fingerprint, SourceId, events};

pub(crate) fn position(id: u64, offset: u64) -> SourcePosition {
    SourcePosition {
        id: SourceId(id),
        agent: "claude".into(),
        format: "claude-session".into(),
        path: format!("/home/me/.claude/projects/{id}.jsonl"),
        generation: 1,
        born_us: -5,
        checkpoint: Checkpoint {
            resume_at: offset / 2,
            high_water: offset,
            open: false,
            state: "{\"a\":\"\\n\"}".to_owned(),
        },
        fingerprint: Fingerprint { head: u64::MAX, inode: 7, ..Fingerprint::default() },
        counts: Counts { lines: 3, ..Counts::default() },
        read_at_us: 9,
        missing: id.is_multiple_of(2),
        last_error: id.is_multiple_of(3).then(|| "gone".to_owned()),
        folders: (0..id % 3).map(|i| format!("/home/me/shop-{i}").into()).collect(),
        learnt: Default::default(),
    }
}

fn sample() -> Entry {
    let part = Part {
        path: "month=2026-03/part-1.parquet".to_owned(),
        month: "2026-03".to_owned(),
        bytes: 10,
        rows: 3,
        min_ts_us: 1_772_323_200_000_001,
        max_ts_us: 1_772_323_200_000_009,
        inferred_rows: 1,
        min_max: [
            ("ts".to_owned(), (json!(1_772_323_200_000_001_i64), json!(1_772_323_200_000_009_i64))),
            ("agent".to_owned(), (json!("claude"), json!("codex"))),
            ("output_tokens".to_owned(), (json!(1), json!(20))),
        ]
        .into(),
        nulls: [("model".to_owned(), 2)].into(),
        blocks: Blocks::default(),
    };
    let mut reject = part.clone();
    reject.path = "part-2.parquet".to_owned();
    reject.month = String::new();
    reject.min_max.clear();
    Entry {
        txn_id: "t".to_owned(),
        operation: "WRITE".to_owned(),
        now_us: 1_772_323_200_123_456,
        info: Some(TableInfo { id: "x".to_owned(), schema_version: 1 }),
        events: Change { add: vec![Live { part: Arc::new(part), crc32c: 77 }], remove: vec!["old".to_owned()] },
        rejects: Change { add: vec![Live { part: Arc::new(reject), crc32c: 1 }], remove: vec![] },
        sources: vec![position(1, 10), position(6, 4)],
        ..Entry::blank(4)
    }
}

#[test]
fn an_entry_reads_back_as_it_was_written() {
    let entry = sample();
    let (bytes, crc) = entry.encode(events(), true);
    let read = Entry::decode(&bytes, 4, events()).unwrap();
    assert_eq!(read.entry, entry);
    assert_eq!(read.crc32c, crc);
    assert_eq!(claimed_crc(&bytes[bytes.len() - 100..], 4), Some(crc));
    assert_eq!(Entry::decode(&bytes, 5, events()), Err(Invalid::Damaged("it has the number of another entry")));
}

#[test]
fn every_proper_prefix_of_an_entry_is_torn_and_a_flipped_bit_is_none() {
    let (bytes, _) = sample().encode(events(), true);
    for length in 0..bytes.len() {
        assert!(matches!(Entry::decode(&bytes[..length], 4, events()), Err(Invalid::Torn(_))), "length {length}");
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        assert!(!matches!(Entry::decode(&flipped, 4, events()), Err(Invalid::Torn(_))), "byte {at}");
    }
}

#[test]
fn an_entry_of_a_later_format_is_newer_not_damaged() {
    let body = b"{\"future\":1}\n";
    let crc = crc32c::crc32c(body);
    let mut bytes = body.to_vec();
    bytes.extend(format!("{{\"devlogEnd\":{{\"format\":9,\"version\":0,\"crc32c\":\"{crc:08x}\"}}}}\n").bytes());
    assert_eq!(Entry::decode(&bytes, 0, events()), Err(Invalid::Newer(9)));
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic_and_no_flipped_bit_passes(at in any::<prop::sample::Index>(), bit in 0u8..8, junk in prop::collection::vec(any::<u8>(), 0..300)) {
        let (mut bytes, _) = sample().encode(events(), true);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        // A flip in the hex digits' case or in the end line's white space is no change of content.
        if let Ok(read) = Entry::decode(&bytes, 4, events()) {
            prop_assert_eq!(read.entry, sample());
        }
        prop_assert!(Entry::decode(&junk, 4, events()).is_err());
    }
}
