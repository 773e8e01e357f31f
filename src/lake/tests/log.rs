//! Entries and checkpoints that are torn, damaged, foreign or newer.

use super::*;

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
fn a_newest_entry_that_has_changed_is_damage_and_no_crash() {
    let dir = tempfile::tempdir().unwrap();
    let path = Log::master(dir.path()).path(1);
    let lake = open(dir.path());
    write(&lake, &[Row::at(1, MARCH)], vec![position(1, 10)]);
    write(&lake, &[Row::at(2, MARCH)], vec![position(1, 20)]);
    drop(lake);
    let whole = fs::read(&path).unwrap();
    for at in (0..whole.len()).step_by(61).chain(whole.len() - 90..whole.len()) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        for error in [Lake::open(LakeOptions::new(dir.path(), MARCH)).unwrap_err(), Lake::read(dir.path()).unwrap_err()]
        {
            let newer = matches!(error, LakeError::NewerVersion { .. });
            assert!(newer || matches!(error, LakeError::CorruptEntry { .. }), "byte {at}: {error}");
        }
    }
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = Lake::read(dir.path()).unwrap_err();
    assert!(error.to_string().contains("it is a folder"), "{error}");
    assert!(!fsck(dir.path()).unwrap().is_sound());
    rebuild_from_footers(dir.path(), MARCH).unwrap();
    assert_eq!(content(&open(dir.path()).snapshot()).len(), 2);
}

#[test]
fn a_log_that_has_lost_its_end_or_all_of_it_is_no_older_version() {
    for lost in [vec![29], vec![5], (3..28).collect(), (3..30).collect(), (0..30).collect::<Vec<u64>>()] {
        let dir = tempfile::tempdir().unwrap();
        let log = Log::master(dir.path());
        let lake = open(dir.path());
        for id in 0..30 {
            write(&lake, &[Row::at(id, MARCH)], vec![position(1, id)]);
        }
        // Without a checkpoint, as after a crash.
        std::mem::forget(lake);
        lost.iter().for_each(|version| fs::remove_file(log.path(*version)).unwrap());
        let error = Lake::read(dir.path()).unwrap_err();
        assert!(matches!(&error, LakeError::MissingEntry { path } if *path == log.path(lost[0])), "{error}");
        assert!(!fsck(dir.path()).unwrap().is_sound(), "{lost:?}");
        assert!(snapshot_dir(dir.path(), MARCH).is_err());
        // A copy that was made while commits went on has no such end; what it has counts.
        if lost == [29] {
            let copy = tempfile::tempdir().unwrap();
            let done =
                std::process::Command::new("cp").arg("-a").arg(dir.path()).arg(copy.path().join("lake")).status();
            assert!(done.unwrap().success());
            assert_eq!(Lake::read(&copy.path().join("lake")).unwrap().version, Some(28));
        }
    }
}

#[test]
fn files_that_only_an_unfinished_entry_named_are_kept_and_can_be_put_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = Log::master(dir.path()).path(1);
    let lake = open(dir.path());
    write(&lake, &[Row::at(1, MARCH)], vec![]);
    write(&lake, &[Row::at(2, MARCH)], vec![]);
    drop(lake);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    assert!(!fsck(dir.path()).unwrap().is_sound(), "a row is missing");
    drop(Lake::open(LakeOptions::new(dir.path(), FAR)).unwrap());
    drop(Lake::open(LakeOptions::new(dir.path(), FAR)).unwrap());
    let report = fsck(dir.path()).unwrap();
    assert!(!report.is_sound() && report.findings[0].what.contains("lacks 1 of its rows"), "{report:?}");
    restore_quarantine(LakeOptions::new(dir.path(), FAR)).unwrap();
    assert_eq!(content(&Lake::read(dir.path()).unwrap()).len(), 2);
    assert!(fsck(dir.path()).unwrap().is_sound());
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
fn readers_beside_a_writer_that_makes_checkpoints_see_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                let mut last = None;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let version = Lake::read(dir.path()).unwrap().version;
                    assert!(version >= last, "{version:?} after {last:?}");
                    last = version;
                }
            });
        }
        for i in 0..250 {
            lake.commit(Commit { sources: vec![position(i, 5)], ..Commit::default() }).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
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
    assert!(matches!(again, LakeError::OtherWriter { .. }), "{again}");
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
    for path in ["/x", "/y", "/y", "/z"] {
        let rejects = vec![reject(path), reject(path)];
        lake.commit(Commit { rejects, ..Commit::default() }).unwrap();
    }
    assert_eq!(lake.snapshot().rejects.iter().map(|part| part.rows).sum::<u64>(), 3, "each is there once");
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
