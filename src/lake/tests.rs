use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use proptest::prelude::*;

use super::entry::tests::position;
use super::fsck::footer;
use super::log::Log;
use super::open::follow_cost;
use super::reader::PartReader;
use super::*;
use crate::schema::{Checkpoint, EventId, EventRow, RejectReason, RowContext, Rows, SourceId, SourcePosition, events};

mod damage;

/// 2026-03-01T00:00:00Z.
const MARCH: i64 = 1_772_323_200_000_000;
const DAY: i64 = 86_400_000_000;
/// Long after any file of a test was written.
const FAR: i64 = i64::MAX / 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Row {
    id: u64,
    ts_us: i64,
    inferred: bool,
    completeness: i64,
}

impl Row {
    fn at(id: u64, ts_us: i64) -> Self {
        Self { id, ts_us, inferred: false, completeness: 1 }
    }

    fn event_id(self) -> EventId {
        EventId::of("claude", "row", &[&self.id.to_le_bytes()])
    }
}

fn batch(rows: &[Row]) -> RecordBatch {
    let mut out = Rows::new(RowContext::new("claude", "/logs/a.jsonl"));
    for row in rows {
        let session = format!("session-{}", row.id % 3);
        let text = format!("what row {} says", row.id);
        out.event(&EventRow {
            id: Some(row.event_id()),
            ts_us: row.ts_us,
            ts_inferred: row.inferred,
            event_type: "user_interaction",
            session_id: Some(&session),
            project: (row.id % 2 == 0).then_some("me/even"),
            text: Some(&text),
            output_tokens: (row.id % 4 == 0).then_some(row.id.cast_signed()),
            source_offset: row.id * 100,
            completeness: row.completeness,
            ..EventRow::default()
        });
    }
    out.finish().events
}

fn reject(path: &str) -> RecordBatch {
    let mut out = Rows::new(RowContext::new("claude", path));
    out.reject(7, 3, RejectReason::NotJson, "no value", b"abc");
    out.finish().rejects
}

fn open(root: &Path) -> Lake {
    Lake::open(LakeOptions::new(root, MARCH)).unwrap()
}

fn write(lake: &Lake, rows: &[Row], sources: Vec<SourcePosition>) -> std::sync::Arc<Snapshot> {
    let parts = lake.encode_rows(&[batch(rows)]).unwrap();
    lake.commit(Commit { operation: "test", parts, sources, now_us: MARCH, ..Commit::default() }).unwrap()
}

/// Ids and completeness of all live rows; an id twice fails.
fn content(snapshot: &Snapshot) -> BTreeMap<u128, i64> {
    let mut found = BTreeMap::new();
    for part in snapshot.events.iter() {
        let path = snapshot.root.join("events").join(&part.path);
        let mut reader = PartReader::open(&path, events(), None, 100).unwrap();
        let (mut rows, mut last) = (0, i64::MIN);
        while let Some(batch) = reader.next().unwrap() {
            rows += batch.num_rows() as u64;
            let ids = batch.column_by_name("event_id").unwrap().as_string_view();
            let completeness = batch.column_by_name("completeness").unwrap().as_primitive::<Int64Type>();
            let times = batch.column_by_name("ts").unwrap().as_primitive::<TimestampMicrosecondType>();
            for row in 0..batch.num_rows() {
                assert!(last <= times.value(row), "rows are sorted by time");
                last = times.value(row);
                assert_eq!(encode::month_of(last), part.month);
                assert!((part.min_ts_us..=part.max_ts_us).contains(&last));
                let id = EventId::parse(ids.value(row)).unwrap().0;
                assert_eq!(found.insert(id, completeness.value(row)), None, "an id stands in the lake once");
            }
        }
        assert_eq!(rows, part.rows);
    }
    found
}

fn model(rows: &[Row]) -> BTreeMap<u128, i64> {
    rows.iter().map(|row| (row.event_id().0, row.completeness)).collect()
}

#[test]
fn rows_positions_and_rejects_of_a_commit_are_seen_by_a_new_reader() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let lake = open(&root);
    assert_eq!(lake.snapshot().version, None);
    let rows: Vec<Row> =
        (0..1000).map(|i| Row::at(i, MARCH + ((i * 7919 % 1000).cast_signed() - 500) * DAY / 10)).collect();
    let parts = lake.encode_rows(&[batch(&rows[..300]), batch(&rows[300..])]).unwrap();
    let months: Vec<&str> = parts.iter().map(|p| p.part().month.as_str()).collect();
    assert_eq!(months, ["2026-01", "2026-02", "2026-03", "2026-04"]);
    let commit = Commit {
        operation: "test",
        parts,
        sources: vec![position(3, 50)],
        rejects: vec![reject("/logs/a.jsonl")],
        now_us: MARCH,
        ..Commit::default()
    };
    let snapshot = lake.commit(commit).unwrap();
    assert_eq!((snapshot.version, snapshot.committed_at_us), (Some(0), MARCH));
    let read = Lake::read(&root).unwrap();
    assert_eq!(read.events, snapshot.events);
    assert_eq!(read.rejects, snapshot.rejects);
    assert_eq!(content(&read), model(&rows));
    assert_eq!(*read.sources[&SourceId(3)], position(3, 50));
    let part = &read.events[0];
    assert_eq!(part.min_max["agent"], ("claude".into(), "claude".into()));
    assert_eq!(part.min_max["ts"], (part.min_ts_us.into(), part.max_ts_us.into()));
    assert_eq!(part.nulls["model"], part.rows);
    let (_, ranges) = footer(&root.join("events").join(&part.path)).unwrap();
    assert_eq!((ranges.len(), ranges[0].path.as_str(), ranges[0].rows), (1, "/logs/a.jsonl", part.rows));
}

#[test]
fn a_commit_that_says_nothing_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    assert_eq!(lake.commit(Commit::default()).unwrap().version, None);
    assert!(lake.encode_rows(&[]).unwrap().is_empty());
}

#[test]
fn a_torn_newest_entry_is_set_aside_and_its_number_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::master(dir.path());
    let first = [Row::at(1, MARCH)];
    let lake = open(dir.path());
    write(&lake, &first, vec![position(1, 10)]);
    write(&lake, &[Row::at(2, MARCH)], vec![position(1, 20)]);
    drop(lake);
    let whole = fs::read(log.path(1)).unwrap();
    let mut torn: Vec<Vec<u8>> = (0..whole.len()).step_by(37).map(|length| whole[..length].to_vec()).collect();
    torn.push(vec![0; whole.len()]);
    torn.push(b"\x80garbage".repeat(50));
    torn.push(whole.iter().enumerate().map(|(i, b)| if i > 500 { 0 } else { *b }).collect());
    for bytes in torn {
        fs::write(log.path(1), &bytes).unwrap();
        let read = Lake::read(dir.path()).unwrap();
        assert_eq!(read.version, Some(0), "a reader sees the version before");
        let lake = open(dir.path());
        assert_eq!(lake.snapshot().sources[&SourceId(1)].checkpoint.high_water, 10);
        assert_eq!(content(&lake.snapshot()), model(&first));
        let after = write(&lake, &[Row::at(3, MARCH)], vec![position(1, 30)]);
        assert_eq!(after.version, Some(1));
        assert_eq!(content(&after), model(&[first[0], Row::at(3, MARCH)]));
    }
    assert!(fs::read_dir(dir.path().join(".quarantine")).unwrap().count() >= 3);
}

#[test]
fn a_damaged_or_missing_middle_entry_stops_and_a_rebuild_restores_the_rows() {
    for missing in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::master(dir.path());
        let lake = open(dir.path());
        let rows: Vec<Row> = (0..50).map(|i| Row::at(i, MARCH + i.cast_signed() * DAY)).collect();
        for rows in rows.chunks(10) {
            write(&lake, rows, vec![position(1, 10)]);
        }
        let rejects = vec![reject("/logs/r.jsonl")];
        lake.commit(Commit { rejects, ..Commit::default() }).unwrap();
        lake.compact(CompactOptions { min_parts: 2, ..CompactOptions::new(MARCH) }).unwrap();
        drop(lake);
        if missing {
            fs::remove_file(log.path(2)).unwrap();
        } else {
            let mut bytes = fs::read(log.path(2)).unwrap();
            bytes[100] ^= 1;
            fs::write(log.path(2), bytes).unwrap();
        }
        for error in [Lake::open(LakeOptions::new(dir.path(), MARCH)).unwrap_err(), Lake::read(dir.path()).unwrap_err()]
        {
            assert!(error.is_corruption());
            let text = error.to_string();
            assert!(text.contains("00000000000000000002.json") && text.contains("--rebuild-from-footers"), "{text}");
        }
        assert!(!fsck(dir.path()).unwrap().is_sound());
        let report = rebuild_from_footers(dir.path(), MARCH).unwrap();
        assert_eq!(report.rows, 51);
        assert!(report.old_log.is_some_and(|path| path.is_dir()));
        let lake = open(dir.path());
        assert_eq!(content(&lake.snapshot()), model(&rows));
        assert_eq!(lake.snapshot().rejects.len(), 1);
        assert!(lake.snapshot().sources.is_empty(), "positions start over");
        let report = fsck(dir.path()).unwrap();
        assert!(report.is_sound(), "{report:?}");
        let again = write(&lake, &[Row::at(99, MARCH)], vec![]);
        assert_eq!(again.version, Some(1));
    }
}

#[test]
fn a_rebuild_without_any_entry_drops_the_copies_that_a_compaction_left() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let rows: Vec<Row> = (0..40).map(|i| Row::at(i, MARCH + i.cast_signed())).collect();
    for rows in rows.chunks(10) {
        write(&lake, rows, vec![]);
    }
    lake.compact(CompactOptions::new(MARCH)).unwrap();
    assert_eq!(lake.snapshot().events.len(), 1);
    drop(lake);
    fs::remove_dir_all(dir.path().join("events/_delta_log")).unwrap();
    let error = Lake::open(LakeOptions::new(dir.path(), MARCH)).unwrap_err();
    assert!(matches!(error, LakeError::MissingEntry { .. }), "{error}");
    let report = rebuild_from_footers(dir.path(), MARCH).unwrap();
    assert_eq!((report.rows, report.duplicates), (40, 40));
    assert_eq!(content(&open(dir.path()).snapshot()), model(&rows));
}

#[test]
fn a_bad_checkpoint_is_ignored_and_a_start_reads_few_entries() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join(".state");
    let lake = open(dir.path());
    for i in 0..130 {
        lake.commit(Commit { sources: vec![position(i, 5)], ..Commit::default() }).unwrap();
    }
    assert!(follow_cost(dir.path()).entries <= 100);
    drop(lake);
    assert_eq!(follow_cost(dir.path()).entries, 0);
    let newest = state.join("checkpoint-129");
    let good = fs::read(&newest).unwrap();
    fs::write(&newest, &good[..good.len() - 1]).unwrap();
    assert_eq!(Lake::read(dir.path()).unwrap().sources.len(), 130);
    assert!(follow_cost(dir.path()).entries > 0);
    fs::write(&newest, b"junk").unwrap();
    fs::write(state.join("checkpoint-1129"), &good).unwrap();
    assert_eq!(open(dir.path()).snapshot().sources.len(), 130);
    assert_eq!(Lake::read(dir.path()).unwrap().version, Some(129));
}

#[test]
fn an_entry_that_a_checkpoint_proves_whole_is_not_taken_for_torn() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    for i in 0..20 {
        lake.commit(Commit { sources: vec![position(i, 5)], ..Commit::default() }).unwrap();
    }
    drop(lake);
    let path = Log::master(dir.path()).path(19);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(matches!(Lake::open(LakeOptions::new(dir.path(), MARCH)).unwrap_err(), LakeError::CorruptEntry { .. }));
    assert!(matches!(Lake::read(dir.path()).unwrap_err(), LakeError::CorruptEntry { .. }));
}

#[test]
fn known_events_are_found_wherever_they_are_and_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let rows: Vec<Row> = (0..3000u64)
        .map(|i| Row {
            completeness: i.cast_signed(),
            inferred: i % 700 == 0,
            ..Row::at(i, MARCH + i.cast_signed() * DAY / 50)
        })
        .collect();
    for rows in rows.chunks(500) {
        write(&lake, rows, vec![]);
    }
    let ask = |lake: &Lake| {
        // Every copy of a row with its own time; an inferred one may have any time.
        let asked: Vec<_> = (0..6000)
            .map(|i| {
                let row = rows.get(usize::try_from(i).unwrap()).copied().unwrap_or(Row::at(i, MARCH + 3 * DAY));
                let other_time = row.inferred || i % 11 == 0;
                (row.event_id(), if other_time { 5 } else { row.ts_us }, other_time)
            })
            .collect();
        for (i, found) in lake.known().find(&lake.snapshot(), &asked).unwrap().into_iter().enumerate() {
            let expected = (i < 3000).then(|| Found { completeness: i as i64, source_path: "/logs/a.jsonl".into() });
            assert_eq!(found, expected, "row {i}");
        }
    };
    ask(&lake);
    // Some agents stamp copies anew.
    let restamped: Vec<_> = rows.iter().map(|row| (row.event_id(), row.ts_us + DAY - 1, false)).collect();
    assert!(lake.known().find(&lake.snapshot(), &restamped).unwrap().iter().all(Option::is_some));
    drop(lake);
    ask(&open(dir.path()));
    ask(&Lake::open(LakeOptions { id_cache_bytes: 1, ..LakeOptions::new(dir.path(), MARCH) }).unwrap());
}

#[test]
fn a_more_complete_record_replaces_the_old_one_in_the_same_commit() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let rows: Vec<Row> = (0..20).map(|i| Row::at(i, MARCH + i.cast_signed())).collect();
    write(&lake, &rows[..10], vec![]);
    write(&lake, &rows[10..], vec![]);
    let newer = [Row { completeness: 9, ..rows[3] }, Row { completeness: 9, ..rows[15] }];
    let replaced: HashSet<EventId> = newer.iter().map(|r| r.event_id()).collect();
    let parts = lake.encode_rows(&[batch(&newer)]).unwrap();
    let after = lake.commit(Commit { parts, replaced, ..Commit::default() }).unwrap();
    let mut expected = model(&rows);
    expected.extend(model(&newer));
    assert_eq!(content(&after), expected);
    assert_eq!(
        lake.known().find(&lake.snapshot(), &[(newer[0].event_id(), MARCH + 3, false)]).unwrap()[0]
            .as_ref()
            .unwrap()
            .completeness,
        9
    );
    drop(lake);
    assert_eq!(content(&open(dir.path()).snapshot()), expected);
}

#[test]
fn replacing_the_only_row_of_a_file_leaves_no_empty_file() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    write(&lake, &[Row::at(1, MARCH)], vec![]);
    let newer = Row { completeness: 2, ..Row::at(1, MARCH) };
    let parts = lake.encode_rows(&[batch(&[newer])]).unwrap();
    let after = lake.commit(Commit { parts, replaced: [newer.event_id()].into(), ..Commit::default() }).unwrap();
    assert_eq!((after.events.len(), content(&after)), (1, model(&[newer])));
}

#[test]
fn a_compaction_keeps_every_row_once_and_old_files_until_the_grace_time() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let rows: Vec<Row> = (0..2000).map(|i| Row::at(i, MARCH + (i * 31 % 2000).cast_signed())).collect();
    for rows in rows.chunks(40) {
        write(&lake, rows, vec![position(1, 1)]);
    }
    // Two commits of the same events: what a crash between check and write could not give, but a
    // rebuild or a copied home can.
    let better = Row { completeness: 5, ..rows[7] };
    write(&lake, &[better], vec![]);
    write(&lake, &[rows[9]], vec![]);
    let before = lake.snapshot();
    let report = lake.compact(CompactOptions { min_parts: 2, ..CompactOptions::new(MARCH + 1) }).unwrap();
    let after = lake.snapshot();
    assert_eq!((after.events.len(), report.duplicates, after.sources.len()), (1, 2, 1));
    let mut expected = model(&rows);
    expected.extend(model(&[better]));
    assert_eq!(content(&after), expected);
    let old = before.root.join("events").join(&before.events[0].path);
    assert!(old.is_file());
    lake.vacuum(DAY, MARCH + 2).unwrap();
    assert!(old.is_file(), "readers of the old version may still need it");
    let removed = lake.vacuum(DAY, MARCH + 1 + DAY).unwrap();
    assert!(!old.is_file() && removed.files >= 52);
    assert_eq!(content(&lake.snapshot()), expected);
    let entry = fs::read_to_string(Log::master(dir.path()).path(after.version.unwrap())).unwrap();
    assert!(entry.contains("\"dataChange\":false") && !entry.contains("\"dataChange\":true"));
}

#[test]
fn a_compaction_keeps_months_apart_and_leaves_few_files_alone() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    for i in 0..3 {
        write(&lake, &[Row::at(i, MARCH), Row::at(100 + i, MARCH - DAY)], vec![]);
    }
    assert_eq!(lake.compact(CompactOptions::new(MARCH)).unwrap().merges, 0);
    write(&lake, &[Row::at(50, MARCH)], vec![]);
    let report = lake.compact(CompactOptions::new(MARCH)).unwrap();
    assert_eq!((report.merges, report.removed, report.written), (1, 4, 1));
    assert_eq!(lake.snapshot().events.iter().map(|p| p.month.as_str()).collect::<HashSet<_>>().len(), 2);
}

#[test]
fn leftovers_are_removed_when_old_and_never_while_in_flight() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    write(&lake, &[Row::at(1, MARCH)], vec![]);
    let flying = lake.encode_rows(&[batch(&[Row::at(2, MARCH)])]).unwrap();
    let dropped = lake.encode_rows(&[batch(&[Row::at(3, MARCH)])]).unwrap();
    let path = |part: &NewPart| dir.path().join("events").join(&part.part().path);
    let (flying_path, dropped_path) = (path(&flying[0]), path(&dropped[0]));
    drop(dropped);
    fs::write(dir.path().join("events/month=2026-03/.x.tmp"), b"x").unwrap();
    lake.vacuum(0, 0).unwrap();
    assert!(dropped_path.is_file(), "it may be young");
    assert_eq!(lake.vacuum(0, FAR).unwrap().files, 2);
    assert!(flying_path.is_file() && !dropped_path.is_file());
    let after = lake.commit(Commit { parts: flying, ..Commit::default() }).unwrap();
    assert_eq!(content(&after).len(), 2);
    drop(lake);
    Lake::open(LakeOptions::new(dir.path(), FAR)).unwrap();
    assert_eq!(content(&Lake::read(dir.path()).unwrap()).len(), 2);
}

#[test]
fn pruned_rows_are_gone_from_every_file_and_positions_stay() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let lake = open(&root);
    let rows: Vec<Row> = (0..60).map(|i| Row::at(i, MARCH + i.cast_signed() * DAY)).collect();
    for rows in rows.chunks(20) {
        write(&lake, rows, vec![position(1, 77)]);
    }
    lake.commit(Commit { rejects: vec![reject("/logs/a.jsonl"), reject("/logs/other.jsonl")], ..Commit::default() })
        .unwrap();
    let shown = snapshot_dir(&root, None).unwrap();
    lake.compact(CompactOptions { min_parts: 2, ..CompactOptions::new(MARCH) }).unwrap();
    let filter = PruneFilter { session: Some("session-1".to_owned()), ..PruneFilter::default() };
    let report = lake.prune(&filter, MARCH).unwrap();
    assert_eq!((report.events, report.rejects, report.snapshots), (20, 1, 1));
    assert!(!shown.exists());
    let left: Vec<Row> = rows.iter().copied().filter(|r| r.id % 3 != 1).collect();
    assert_eq!(content(&lake.snapshot()), model(&left));
    assert_eq!(lake.snapshot().sources[&SourceId(1)].checkpoint.high_water, 77);
    let files: usize = vacuum::files(&root).unwrap().len();
    assert_eq!(files, lake.snapshot().events.len() + lake.snapshot().rejects.len(), "no other file holds rows");
    let filter = PruneFilter { before_us: Some(MARCH + 10 * DAY), project: Some("me/even".to_owned()), session: None };
    let report = lake.prune(&filter, MARCH).unwrap();
    let left: Vec<Row> = left.into_iter().filter(|r| r.id >= 10 || r.id % 2 == 1).collect();
    assert_eq!(content(&lake.snapshot()), model(&left));
    assert!(report.events > 0);
    assert_eq!(lake.prune(&PruneFilter::default(), MARCH).unwrap(), PruneReport::default());
    let before = PruneFilter { before_us: Some(-1), ..PruneFilter::default() };
    let version = lake.snapshot().version;
    assert_eq!(lake.prune(&before, MARCH).unwrap().events, 0);
    assert_eq!(lake.snapshot().version, version, "nothing to prune, nothing written");
}

#[test]
fn a_snapshot_directory_outlives_compaction_and_clean_up() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let lake = open(&root);
    for i in 0..8 {
        write(&lake, &[Row::at(i, MARCH)], vec![]);
    }
    let path = snapshot_dir(&root, None).unwrap();
    assert_eq!(path, dir.path().canonicalize().unwrap().join("snapshots/7"));
    assert_eq!(snapshot_dir(&root, None).unwrap(), path);
    lake.compact(CompactOptions::new(MARCH)).unwrap();
    lake.vacuum(0, FAR).unwrap();
    assert_eq!(fs::read_dir(path.join("events/month=2026-03")).unwrap().count(), 8);
    assert_eq!(fs::read_dir(root.join("events/month=2026-03")).unwrap().count(), 1);
    let elsewhere = snapshot_dir(&root, Some(&dir.path().join("x"))).unwrap();
    assert_eq!(fs::read_dir(elsewhere.join("events/month=2026-03")).unwrap().count(), 1);
}

#[test]
fn an_entry_of_another_writer_stops_this_one_and_nothing_is_deleted() {
    let dir = tempfile::tempdir().unwrap();
    let (root, other) = (dir.path().join("a"), dir.path().join("b"));
    let lake = open(&root);
    let foreign = open(&other);
    write(&foreign, &[Row::at(9, MARCH)], vec![]);
    let entry = Log::master(&root).path(0);
    fs::copy(Log::master(&other).path(0), &entry).unwrap();
    let before = fs::read(&entry).unwrap();
    let parts = lake.encode_rows(&[batch(&[Row::at(1, MARCH)])]).unwrap();
    let part = root.join("events").join(&parts[0].part().path);
    let error = lake.commit(Commit { parts, ..Commit::default() }).unwrap_err();
    assert!(matches!(error, LakeError::OtherWriter { .. }), "{error}");
    assert!(part.is_file() && fs::read(&entry).unwrap() == before);
    let again = lake.commit(Commit { sources: vec![position(1, 1)], ..Commit::default() }).unwrap_err();
    assert!(matches!(again, LakeError::Unresolved { .. }), "{again}");
}

#[test]
fn a_log_of_a_newer_devlog_is_refused_not_mended() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let body = b"{\"future\":{}}\n";
    let end = format!("{{\"devlogEnd\":{{\"format\":2,\"version\":0,\"crc32c\":\"{:08x}\"}}}}\n", crc32c::crc32c(body));
    let path = Log::master(dir.path()).path(0);
    fs::write(&path, [body.as_slice(), end.as_bytes()].concat()).unwrap();
    let error = Lake::open(LakeOptions::new(dir.path(), MARCH)).unwrap_err();
    assert!(matches!(error, LakeError::NewerVersion { found: 2, .. }), "{error}");
    assert!(path.is_file());
}

#[test]
fn fsck_finds_any_flipped_bit_of_a_part_and_a_missing_part() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let snapshot = write(&lake, &(0..100).map(|i| Row::at(i, MARCH)).collect::<Vec<_>>(), vec![]);
    drop(lake);
    let report = fsck(dir.path()).unwrap();
    assert_eq!((report.findings.len(), report.parts, report.rows, report.entries), (0, 1, 100, 1));
    let path = dir.path().join("events").join(&snapshot.events[0].path);
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(97) {
        let mut bad = good.clone();
        bad[at] ^= 0x20;
        fs::write(&path, &bad).unwrap();
        assert!(!fsck(dir.path()).unwrap().is_sound(), "byte {at}");
    }
    fs::write(&path, &good[..good.len() - 1]).unwrap();
    assert!(!fsck(dir.path()).unwrap().is_sound());
    fs::remove_file(&path).unwrap();
    let report = fsck(dir.path()).unwrap();
    assert_eq!(report.findings[0].path, path);
}

#[test]
fn the_derived_log_of_rejects_is_mended_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::rejects(dir.path());
    let lake = open(dir.path());
    for _ in 0..3 {
        lake.commit(Commit { rejects: vec![reject("/x")], ..Commit::default() }).unwrap();
    }
    drop(lake);
    assert_eq!(log.versions().unwrap(), [0, 1, 2]);
    fs::remove_file(log.path(2)).unwrap();
    drop(open(dir.path()));
    assert_eq!(log.versions().unwrap(), [0, 1, 2]);
    fs::write(log.path(1), b"torn").unwrap();
    fs::remove_file(log.path(2)).unwrap();
    drop(open(dir.path()));
    let text = fs::read_to_string(log.path(0)).unwrap();
    assert_eq!((log.versions().unwrap(), text.matches("{\"add\":").count()), (vec![0], 3));
}

#[cfg(unix)]
#[test]
fn directories_and_files_are_private_and_links_are_not_followed() {
    use std::os::unix::fs::PermissionsExt as _;
    fn check(path: &Path) {
        let meta = fs::symlink_metadata(path).unwrap();
        assert_eq!(meta.permissions().mode() & 0o777, if meta.is_dir() { 0o700 } else { 0o600 }, "{path:?}");
        if meta.is_dir() {
            fs::read_dir(path).unwrap().for_each(|e| check(&e.unwrap().path()));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("home/lake");
    let lake = open(&root);
    write(&lake, &[Row::at(1, MARCH)], vec![position(1, 1)]);
    lake.commit(Commit { rejects: vec![reject("/x")], ..Commit::default() }).unwrap();
    drop(lake);
    snapshot_dir(&root, None).unwrap();
    check(&dir.path().join("home"));
    fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(Lake::open(LakeOptions::new(&root, 0)).unwrap_err(), LakeError::NotPrivate { .. }));
    fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_file(root.join(".lock")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("planted"), root.join(".lock")).unwrap();
    assert!(Lake::open(LakeOptions::new(&root, 0)).is_err());
    assert!(!dir.path().join("planted").exists());
}

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<Row>),
    Replace(Vec<u8>),
    Compact,
    Vacuum,
    Reopen,
    Tear(prop::sample::Index),
    Prune(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let row = (0u64..60, 0i64..80, prop::bool::weighted(0.1))
        .prop_map(|(id, day, inferred)| Row { inferred, ..Row::at(id, MARCH + day * DAY + id.cast_signed()) });
    prop_oneof![
        6 => prop::collection::vec(row, 0..15).prop_map(Step::Write),
        2 => prop::collection::vec(any::<u8>(), 1..5).prop_map(Step::Replace),
        1 => Just(Step::Compact),
        1 => Just(Step::Vacuum),
        2 => Just(Step::Reopen),
        2 => any::<prop::sample::Index>().prop_map(Step::Tear),
        1 => (0u8..80).prop_map(Step::Prune),
    ]
}

/// The lake as a list of versions, with nothing durable about it.
#[derive(Clone, Default)]
struct Model {
    rows: BTreeMap<u128, Row>,
    position: u64,
    /// Rows that a torn entry took back may be written again; those of a prune too.
    version: Option<u64>,
}

fn run_step(lake: &mut Option<Lake>, root: &Path, model: &mut Model, previous: &mut Model, step: &Step) {
    let open = lake.get_or_insert_with(|| open(root));
    let before = model.clone();
    match step {
        Step::Write(rows) => {
            let mut fresh: BTreeMap<u128, Row> = rows.iter().map(|r| (r.event_id().0, *r)).collect();
            let asked: Vec<_> = fresh.values().map(|r| (r.event_id(), r.ts_us, r.inferred)).collect();
            for ((id, _, inferred), found) in asked.iter().zip(open.known().find(&open.snapshot(), &asked).unwrap()) {
                // The same event has the same time everywhere, unless one of the two was inferred.
                let known = model.rows.get(&id.0);
                if let Some(found) = &found {
                    assert_eq!(known.unwrap().completeness, found.completeness);
                }
                let same_time = known.is_some_and(|k| k.inferred || *inferred || k.ts_us == fresh[&id.0].ts_us);
                assert!(found.is_some() || !same_time);
                if known.is_some() {
                    fresh.remove(&id.0);
                }
            }
            let rows: Vec<Row> = fresh.values().copied().collect();
            model.position += 1;
            write(open, &rows, vec![position(1, model.position)]);
            model.rows.extend(fresh);
            model.version = Some(model.version.map_or(0, |v| v + 1));
        }
        Step::Replace(picks) if !model.rows.is_empty() => {
            let rows: Vec<Row> = model.rows.values().copied().collect();
            let newer: BTreeMap<u128, Row> = picks
                .iter()
                .map(|p| rows[usize::from(*p) % rows.len()])
                .map(|r| (r.event_id().0, Row { completeness: r.completeness + 1, ..r }))
                .collect();
            let batch = batch(&newer.values().copied().collect::<Vec<_>>());
            let replaced = newer.keys().map(|id| EventId(*id)).collect();
            let parts = open.encode_rows(&[batch]).unwrap();
            open.commit(Commit { parts, replaced, now_us: MARCH, ..Commit::default() }).unwrap();
            model.rows.extend(newer);
            model.version = model.version.map(|v| v + 1);
        }
        Step::Compact => {
            let report = open.compact(CompactOptions { min_parts: 3, ..CompactOptions::new(MARCH) }).unwrap();
            assert_eq!(report.duplicates, 0);
            model.version = model.version.map(|v| v + report.merges);
            if report.merges > 1 {
                *previous = model.clone();
            }
        }
        Step::Vacuum => drop(open.vacuum(DAY, MARCH).unwrap()),
        Step::Reopen => *lake = None,
        Step::Tear(at) => {
            *lake = None;
            if let Some(version) = model.version.filter(|v| *v > 0 && previous.version != model.version) {
                let path = Log::master(root).path(version);
                if root.join(format!(".state/checkpoint-{version}")).exists() {
                    return;
                }
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..at.index(bytes.len())]).unwrap();
                *model = previous.clone();
                model.version = Some(version - 1);
            }
            *previous = model.clone();
            return;
        }
        Step::Prune(day) => {
            let before_us = MARCH + i64::from(*day) * DAY / 4;
            open.prune(&PruneFilter { before_us: Some(before_us), ..PruneFilter::default() }, MARCH).unwrap();
            let count = model.rows.len();
            model.rows.retain(|_, row| row.ts_us >= before_us);
            if model.rows.len() != count {
                model.version = model.version.map(|v| v + 1);
            }
            // The old files are gone for good: an entry that names them cannot come back.
            *previous = model.clone();
            return;
        }
        Step::Replace(_) => {}
    }
    if model.version != before.version && previous.version != model.version {
        *previous = before;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_sequence_of_operations_and_crashes_agrees_with_the_model(steps in prop::collection::vec(step(), 1..25)) {
        let dir = tempfile::tempdir().unwrap();
        let (mut lake, mut model, mut previous) = (None, Model::default(), Model::default());
        for step in &steps {
            run_step(&mut lake, dir.path(), &mut model, &mut previous, step);
            let read = Lake::read(dir.path()).unwrap();
            prop_assert_eq!(read.version, model.version);
            let expected: BTreeMap<u128, i64> = model.rows.iter().map(|(id, r)| (*id, r.completeness)).collect();
            prop_assert_eq!(content(&read), expected);
            prop_assert_eq!(read.sources.get(&SourceId(1)).map_or(0, |s| s.checkpoint.high_water), model.position);
        }
        drop(lake);
        let report = fsck(dir.path()).unwrap();
        prop_assert!(report.is_sound(), "{:?}", report);
    }
}

#[test]
fn writing_compacting_asking_and_reading_at_once_agree() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let rows: Vec<Row> = (0..600).map(|i| Row::at(i, MARCH + i.cast_signed() % 7)).collect();
    let done = std::sync::atomic::AtomicBool::new(false);
    let is_done = || done.load(std::sync::atomic::Ordering::Relaxed);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !is_done() {
                lake.compact(CompactOptions { min_parts: 3, ..CompactOptions::new(MARCH) }).unwrap();
                // Deletes what the other threads may still be looking at.
                lake.prune(&PruneFilter { before_us: Some(-1), ..PruneFilter::default() }, MARCH).unwrap();
            }
        });
        threads.spawn(|| {
            while !is_done() {
                let read = lake.known().find(&lake.snapshot(), &[(rows[0].event_id(), rows[0].ts_us, false)]).unwrap();
                assert!(read.len() == 1);
                let snapshot = Lake::read(dir.path()).unwrap();
                let count: u64 = snapshot.events.iter().map(|part| part.rows).sum();
                assert_eq!(count % 20, 0, "a version has whole commits");
            }
        });
        for rows in rows.chunks(40) {
            // Two files encoded at once, one commit.
            let (a, b) = rows.split_at(20);
            let other = threads.spawn(|| lake.encode_rows(&[batch(a)]).unwrap());
            let mut parts = lake.encode_rows(&[batch(b)]).unwrap();
            parts.extend(other.join().unwrap());
            lake.commit(Commit { parts, now_us: MARCH, ..Commit::default() }).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_eq!(content(&lake.snapshot()), model(&rows));
    assert!(
        lake.known()
            .find(&lake.snapshot(), &rows.iter().map(|r| (r.event_id(), r.ts_us, false)).collect::<Vec<_>>())
            .unwrap()
            .iter()
            .all(Option::is_some)
    );
}

#[test]
fn pruned_rows_stay_away_until_they_are_allowed_again() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let session = PruneFilter { session: Some("session-1".to_owned()), ..PruneFilter::default() };
    let before = PruneFilter { before_us: Some(MARCH + 2 * DAY), ..PruneFilter::default() };
    let rows: Vec<Row> = (0..12).map(|i| Row::at(i, MARCH + i.cast_signed() * DAY)).collect();
    {
        let lake = open(&root);
        write(&lake, &rows, vec![]);
        lake.prune(&session, MARCH).unwrap();
        lake.prune(&before, MARCH).unwrap();
        assert_eq!(*lake.snapshot().pruned, [session.clone(), before.clone()]);
        let later = PruneFilter { before_us: Some(MARCH + 4 * DAY), ..PruneFilter::default() };
        lake.prune(&later, MARCH).unwrap();
        assert_eq!(*lake.snapshot().pruned, [session.clone(), later], "the wider one says it all");
    }
    let lake = open(&root);
    assert_eq!(lake.snapshot().pruned.len(), 2, "known after a restart");
    let again = pruned_rows(&lake.snapshot().pruned, &batch(&rows));
    assert_eq!(again, [0, 1, 2, 3, 4, 7, 10], "days 0 to 3, and every row of the session");
    let gone = SourcePosition { missing: true, ..position(2, 50) };
    lake.commit(Commit { sources: vec![position(1, 77), gone.clone()], ..Commit::default() }).unwrap();
    assert_eq!(lake.allow_again(MARCH).unwrap(), AllowReport { filters: 2, sources: 1 });
    assert!(lake.snapshot().pruned.is_empty());
    assert_eq!(lake.snapshot().sources[&SourceId(1)].checkpoint, Checkpoint::default(), "read from its beginning");
    assert_eq!(*lake.snapshot().sources[&SourceId(2)], gone, "there is nothing to read");
    assert_eq!(lake.allow_again(MARCH).unwrap(), AllowReport::default());
}
