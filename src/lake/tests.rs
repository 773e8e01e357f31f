use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampMicrosecondType};
use proptest::prelude::*;

use super::entry::tests::position;
use super::footer::footer;
use super::log::Log;
use super::open::follow_cost;
use super::reader::PartReader;
use super::*;
use crate::schema::{
    Checkpoint, EventId, EventRow, EventType, RejectReason, RowContext, Rows, SourceId, SourcePosition, events,
};

mod damage;
mod log;
mod merge;
mod model;
mod repair;
mod upkeep;

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
            event_type: EventType::UserInteraction,
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
        // Copies have any time.
        let asked: Vec<_> = (0..6000)
            .map(|i| {
                let row = rows.get(usize::try_from(i).unwrap()).copied().unwrap_or(Row::at(i, MARCH + 3 * DAY));
                let other_time = row.inferred || i % 11 == 0;
                (row.event_id(), if other_time { 5 } else { row.ts_us })
            })
            .collect();
        for (i, found) in lake.known().find(&lake.snapshot(), &asked).unwrap().into_iter().enumerate() {
            let expected = (i < 3000).then(|| Found { completeness: i as i64, source_path: "/logs/a.jsonl".into() });
            assert_eq!(found, expected, "row {i}");
        }
    };
    ask(&lake);
    drop(lake);
    let opened = |id_cache_bytes| Lake::open(LakeOptions { id_cache_bytes, ..LakeOptions::new(dir.path(), MARCH) });
    for id_cache_bytes in [64 << 20, 40_000, 1] {
        // Few at a time, and then enough that a sieve pays.
        let lake = opened(id_cache_bytes).unwrap();
        let one = lake.known().find(&lake.snapshot(), &[(rows[9].event_id(), 0)]).unwrap();
        assert_eq!(one[0].as_ref().map(|found| found.completeness), Some(9));
        (0..4).for_each(|_| ask(&lake));
    }
    // Filters on disk are copies: they are made again when they are damaged or gone, and go with their parts.
    let filters = crate::lake::layout::filter_dir(dir.path());
    let paths = || fs::read_dir(&filters).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    assert_eq!(paths().len(), Lake::read(dir.path()).unwrap().events.len());
    for (i, path) in paths().into_iter().enumerate() {
        if i % 2 == 0 { fs::remove_file(path).unwrap() } else { fs::write(path, b"devlogid nonsense").unwrap() }
    }
    ask(&opened(1).unwrap());
    fs::write(filters.join("part-of-nothing"), b"x").unwrap();
    let lake = opened(64 << 20).unwrap();
    ask(&lake);
    lake.compact(CompactOptions { min_parts: 2, ..CompactOptions::new(MARCH) }).unwrap();
    ask(&lake);
    assert_eq!(paths().len(), lake.snapshot().events.len());
    fs::remove_dir_all(&filters).unwrap();
    let reader = Known::new(dir.path(), 1 << 20);
    let asked: Vec<_> = rows.iter().map(|row| (row.event_id(), 0)).collect();
    assert!(reader.find(&lake.snapshot(), &asked).unwrap().iter().all(Option::is_some));
    assert!(!filters.exists(), "a reader writes nothing");
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
        lake.known().find(&lake.snapshot(), &[(newer[0].event_id(), MARCH + 3)]).unwrap()[0]
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
    snapshot_dir(&root, MARCH).unwrap();
    check(&dir.path().join("home"));
    fs::set_permissions(&root, fs::Permissions::from_mode(0o777)).unwrap();
    assert!(matches!(Lake::open(LakeOptions::new(&root, 0)).unwrap_err(), LakeError::NotPrivate { .. }));
    fs::set_permissions(&root, fs::Permissions::from_mode(0o700)).unwrap();
    fs::remove_file(root.join(".lock")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("planted"), root.join(".lock")).unwrap();
    assert!(Lake::open(LakeOptions::new(&root, 0)).is_err());
    assert!(!dir.path().join("planted").exists());
}
