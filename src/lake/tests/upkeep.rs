//! Merging, deleting and cleaning up.

use super::*;

/// Two hours after the files of a test were written.
fn soon() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_micros()).unwrap() + 2 * 3_600_000_000
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
    let shown = snapshot_dir(&root, MARCH).unwrap();
    lake.compact(CompactOptions { min_parts: 2, ..CompactOptions::new(MARCH) }).unwrap();
    let filter = PruneFilter { session: Some("session-1".to_owned()), ..PruneFilter::default() };
    let report = lake.prune(&filter, MARCH).unwrap();
    assert_eq!((report.events, report.rejects, report.snapshots), (20, 1, 1));
    assert!(!shown.exists());
    let left: Vec<Row> = rows.iter().copied().filter(|r| r.id % 3 != 1).collect();
    assert_eq!(content(&lake.snapshot()), model(&left));
    assert_eq!(lake.snapshot().sources[&SourceId(1)].checkpoint.high_water, 77);
    let files: usize = layout::files(&root).unwrap().len();
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
    let again = pruned_rows(&lake.snapshot().pruned, FAR, &batch(&rows));
    assert_eq!(again, [0, 1, 2, 3, 4, 7, 10], "days 0 to 3, and every row of the session");
    let gone = SourcePosition { missing: true, ..position(2, 50) };
    lake.commit(Commit { sources: vec![position(1, 77), gone.clone()], ..Commit::default() }).unwrap();
    assert_eq!(lake.allow_again(MARCH).unwrap(), AllowReport { filters: 2, sources: 1 });
    assert!(lake.snapshot().pruned.is_empty());
    assert_eq!(lake.snapshot().sources[&SourceId(1)].checkpoint, Checkpoint::default(), "read from its beginning");
    assert_eq!(*lake.snapshot().sources[&SourceId(2)], gone, "there is nothing to read");
    assert_eq!(lake.allow_again(MARCH).unwrap(), AllowReport::default());
}

#[test]
fn a_snapshot_directory_outlives_compaction_and_clean_up() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let lake = open(&root);
    for i in 0..8 {
        write(&lake, &[Row::at(i, MARCH)], vec![]);
    }
    let path = snapshot_dir(&root, MARCH).unwrap();
    assert!(path.starts_with(root.canonicalize().unwrap()), "{path:?} is in the lake");
    assert_eq!(snapshot_dir(&root, MARCH).unwrap(), path);
    lake.compact(CompactOptions::new(MARCH)).unwrap();
    lake.vacuum(0, soon()).unwrap();
    assert_eq!(fs::read_dir(path.join("events/month=2026-03")).unwrap().count(), 8);
    assert_eq!(fs::read_dir(root.join("events/month=2026-03")).unwrap().count(), 1);
    let newer = snapshot_dir(&root, MARCH).unwrap();
    assert_eq!(fs::read_dir(newer.join("events/month=2026-03")).unwrap().count(), 1);
    assert!(path.is_dir(), "the older one is still there");
    assert_eq!(remove_snapshots(&root, true).unwrap(), 2);
    assert!(!path.exists() && !newer.exists());
    assert_eq!(content(&lake.snapshot()).len(), 8);
}

#[test]
fn a_snapshot_is_of_its_own_lake_and_of_its_own_history() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    let shown = |root: &Path, id: u64| {
        let lake = open(root);
        write(&lake, &[Row::at(id, MARCH)], vec![]);
        let path = snapshot_dir(root, MARCH).unwrap();
        let names: Vec<_> =
            fs::read_dir(path.join("events/month=2026-03")).unwrap().map(|e| e.unwrap().file_name()).collect();
        let part = lake.snapshot().events[0].path.clone();
        assert_eq!(names, [std::ffi::OsString::from(part.rsplit('/').next().unwrap())]);
        path
    };
    let (first, second) = (shown(&a, 1), shown(&b, 2));
    assert_ne!(first.file_name(), second.file_name());
    open(&a).prune(&PruneFilter { before_us: Some(MARCH + 1), ..PruneFilter::default() }, MARCH).unwrap();
    assert!(!first.exists() && second.exists(), "a prune leaves other lakes alone");
    // The same place and the same number, another lake.
    fs::remove_dir_all(&b).unwrap();
    assert_ne!(shown(&b, 3), second);
    // The same table and the same number, another history: an older copy was put back.
    let lake = open(&a);
    write(&lake, &[Row::at(5, MARCH + DAY)], vec![]);
    let once = snapshot_dir(&a, MARCH).unwrap();
    let newest = Log::master(&a).path(lake.snapshot().version.unwrap());
    drop(lake);
    fs::remove_file(newest).unwrap();
    fs::remove_file(a.join(".state/newest")).unwrap();
    write(&open(&a), &[Row::at(6, MARCH + DAY)], vec![]);
    assert_ne!(snapshot_dir(&a, MARCH).unwrap(), once);
}

#[test]
fn a_snapshot_that_was_never_finished_or_is_old_goes_with_the_next_write() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let snapshot = write(&lake, &[Row::at(1, MARCH)], vec![]);
    let part = dir.path().join("events").join(&snapshot.events[0].path);
    let begun = |name: &str| {
        let folder = dir.path().join(".snapshots").join(name).join("events");
        fs::create_dir_all(&folder).unwrap();
        fs::hard_link(&part, folder.join("part-1.parquet")).unwrap();
    };
    begun(".new-x.1");
    let shown = snapshot_dir(dir.path(), MARCH).unwrap();
    assert!(dir.path().join(".snapshots/.new-x.1").is_dir(), "it may be in the making");
    lake.vacuum(0, soon()).unwrap();
    assert!(!dir.path().join(".snapshots/.new-x.1").exists());
    lake.vacuum(0, soon() + 6 * DAY).unwrap();
    assert!(shown.is_dir());
    drop(lake);
    drop(Lake::open(LakeOptions::new(dir.path(), soon() + 8 * DAY)).unwrap());
    assert!(!shown.exists());
    // A prune does not wait.
    begun(".new-y.2");
    open(dir.path()).prune(&PruneFilter { before_us: Some(MARCH + 1), ..PruneFilter::default() }, MARCH).unwrap();
    assert!(!dir.path().join(".snapshots/.new-y.2").exists());
}

#[test]
fn merging_may_end_after_any_merge_and_go_on_later() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let rows: Vec<Row> = (0..40).map(|i| Row::at(i, MARCH + i.cast_signed())).collect();
    for row in &rows {
        write(&lake, &[*row], vec![]);
    }
    let one = CompactOptions { max_merges: 1, ..CompactOptions::new(MARCH) };
    let mut files = Vec::new();
    while lake.compact(one).unwrap().merges == 1 {
        files.push(lake.snapshot().events.len());
        assert_eq!(content(&lake.snapshot()), model(&rows));
    }
    assert_eq!(files, [25, 10, 1]);
}
