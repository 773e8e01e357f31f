//! A small workload on a lake, and the oracle that checks what a crash left of it.
//!
//! Commit `k` writes rows `10 k` to `10 k + 9` over two months and moves the one source to `k + 1`.
//! So at any time: rows are exactly those below the position, each once, and the position is at
//! least what was acknowledged, at most one more than what was begun.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use devlog::lake::{Commit, CompactOptions, Lake, LakeError, LakeOptions, Snapshot, fsck};
use devlog::schema::{
    Checkpoint, Counts, EventId, EventRow, EventType, Fingerprint, RejectReason, RowContext, Rows, SourceId,
    SourcePosition,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

pub(crate) const MARCH: i64 = 1_772_323_200_000_000;
pub(crate) const PER_COMMIT: u64 = 10;
const SOURCE: SourceId = SourceId(1);

pub(crate) fn id(row: u64) -> EventId {
    EventId::of("claude", "row", &[&row.to_le_bytes()])
}

pub(crate) fn rows(from: u64, to: u64) -> RecordBatch {
    let mut out = Rows::new(RowContext::new("claude", "/logs/a.jsonl"));
    let text = "a line of text that somebody wrote ".repeat(20);
    for row in from..to {
        let side = if row % 3 == 0 { -1 } else { 1 };
        out.event(&EventRow {
            id: Some(id(row)),
            ts_us: MARCH + side * row.cast_signed(),
            event_type: EventType::LlmResponse,
            session_id: Some("session"),
            text: Some(&text),
            output_tokens: (row % 2 == 0).then_some(row.cast_signed()),
            cost_nano_usd: Some(row.cast_signed()),
            source_offset: row,
            ..EventRow::default()
        });
    }
    out.finish().events
}

fn position(at: u64) -> SourcePosition {
    SourcePosition {
        id: SOURCE,
        agent: "claude".into(),
        format: "claude-session".into(),
        path: "/logs/a.jsonl".to_owned(),
        generation: 0,
        born_us: 0,
        checkpoint: Checkpoint { resume_at: at, high_water: at, open: false, state: String::new() },
        fingerprint: Fingerprint::default(),
        counts: Counts::default(),
        read_at_us: 0,
        missing: false,
        last_error: None,
        folders: Vec::new(),
        learnt: Default::default(),
    }
}

pub(crate) fn position_of(snapshot: &Snapshot) -> u64 {
    snapshot.sources.get(&SOURCE).map_or(0, |source| source.checkpoint.high_water)
}

pub(crate) fn commit_next(lake: &Lake) -> Result<u64, LakeError> {
    let at = position_of(&lake.snapshot());
    let parts = lake.encode_rows(&[rows(at * PER_COMMIT, (at + 1) * PER_COMMIT)])?;
    let mut rejected = Rows::new(RowContext::new("claude", "/logs/a.jsonl"));
    rejected.reject(at, 1, RejectReason::NotJson, "no value", b"x");
    let rejects = if at % 3 == 1 { vec![rejected.finish().rejects] } else { Vec::new() };
    let sources = vec![position(at + 1)];
    lake.commit(Commit { operation: "test", parts, rejects, sources, now_us: MARCH, ..Commit::default() })?;
    Ok(at + 1)
}

/// Runs in a child process: commits with acknowledgements on stdout, a compaction after each fourth
/// commit. Stops after `commits`, or at the first error, which it prints.
pub(crate) fn work(root: &Path, commits: u64) {
    let mut out = std::io::stdout();
    let mut say = |text: String| {
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).expect("the parent reads");
    };
    let result = (|| {
        let lake = Lake::open(LakeOptions::new(root, MARCH))?;
        for _ in 0..commits {
            let at = commit_next(&lake)?;
            say(format!("\nack {at}\n"));
            if at % 4 == 0 {
                lake.compact(CompactOptions::new(MARCH))?;
                lake.vacuum(0, MARCH)?;
            }
        }
        Ok::<(), LakeError>(())
    })();
    match result {
        Ok(()) => say("\ndone\n".to_owned()),
        Err(error) => say(format!("\nrefused {error}\n")),
    }
}

/// Largest number acknowledged in a child's output.
pub(crate) fn acknowledged(output: &str) -> u64 {
    output.lines().filter_map(|line| line.strip_prefix("ack ")?.parse().ok()).max().unwrap_or(0)
}

/// Opens the lake as its next writer and checks all that must hold, then writes on.
pub(crate) fn check(root: &Path, acked: u64, what: &str) {
    let lake = Lake::open(LakeOptions::new(root, MARCH)).unwrap_or_else(|e| panic!("{what}: opens without help: {e}"));
    let snapshot = lake.snapshot();
    let position = position_of(&snapshot);
    assert!(position >= acked, "{what}: {acked} acknowledged, {position} durable");
    assert!(position <= acked + 1, "{what}: {position} durable, only {} begun", acked + 1);
    let expected: BTreeSet<u128> = (0..position * PER_COMMIT).map(|row| id(row).0).collect();
    assert_eq!(ids(&snapshot, what), expected, "{what}: rows are those below the position");
    assert_eq!(commit_next(&lake).unwrap_or_else(|e| panic!("{what}: writes on: {e}")), position + 1);
    drop(lake);
    let report = fsck(root).unwrap_or_else(|e| panic!("{what}: {e}"));
    assert!(report.is_sound(), "{what}: {report:?}");
}

/// Ids of all live rows, read with the Parquet library alone; an id twice fails.
pub(crate) fn ids(snapshot: &Snapshot, what: &str) -> BTreeSet<u128> {
    let mut found = BTreeSet::new();
    for part in snapshot.events.iter() {
        let path = snapshot.root.join("events").join(&part.path);
        let file = std::fs::File::open(&path).unwrap_or_else(|e| panic!("{what}: {path:?}: {e}"));
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|b| b.build());
        let mut rows = 0;
        for batch in reader.unwrap_or_else(|e| panic!("{what}: {path:?}: {e}")) {
            let batch = batch.unwrap_or_else(|e| panic!("{what}: {path:?}: {e}"));
            rows += batch.num_rows() as u64;
            let ids = batch.column_by_name("event_id").expect("column").as_string::<i32>();
            for row in 0..ids.len() {
                let id = EventId::parse(ids.value(row)).expect("an id").0;
                assert!(found.insert(id), "{what}: an id twice");
            }
        }
        assert_eq!(rows, part.rows, "{what}: {path:?}");
    }
    found
}
