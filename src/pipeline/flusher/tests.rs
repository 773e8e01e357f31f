use super::super::CoreOptions;
use super::*;
use crate::lake::{Commit, Lake, LakeOptions};
use crate::schema::{EventRow, EventType, RowContext, Rows};

/// 2026-03-01T00:00:00Z.
const MARCH: i64 = 1_772_323_200_000_000;

/// A lake with so many files of one row each.
fn core(root: &std::path::Path, files: u64) -> Core {
    let lake = Lake::open(LakeOptions::new(root, MARCH)).unwrap();
    for number in 0..files {
        let mut rows = Rows::new(RowContext::new("claude", "/logs/a.jsonl"));
        let ts_us = MARCH + number.cast_signed();
        rows.event(&EventRow { ts_us, event_type: EventType::System, source_offset: number, ..EventRow::default() });
        let parts = lake.encode_rows(&[rows.finish().events]).unwrap();
        lake.commit(Commit { operation: "test", parts, now_us: MARCH, ..Commit::default() }).unwrap();
    }
    Core::writing(lake, CoreOptions::for_budget(64 << 20))
}

#[test]
fn many_small_files_are_merged_a_group_at_a_time_until_there_are_few() {
    let dir = tempfile::tempdir().unwrap();
    let core = core(dir.path(), 100);
    let mut files = vec![core.snapshot().events.len()];
    while compact_step(&core).unwrap() {
        files.push(core.snapshot().events.len());
    }
    files.push(core.snapshot().events.len());
    assert_eq!(files, [100, 85, 70, 55]);
    assert_eq!(core.snapshot().events.iter().map(|part| part.rows).sum::<u64>(), 100);
    assert!(!compact_step(&core).unwrap());
    assert_eq!(core.snapshot().events.len(), 55, "few files are left alone");
}
