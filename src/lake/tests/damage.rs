//! Files whose bytes have changed, and logs that are gone.

use super::*;

/// Eight files of one row each, and the path of the third.
fn eight(root: &Path) -> (Lake, std::path::PathBuf) {
    let lake = open(root);
    for id in 0..8 {
        write(&lake, &[Row::at(id, MARCH + id.cast_signed())], vec![position(1, id)]);
    }
    let part = lake.snapshot().events.iter().find(|part| part.min_ts_us == MARCH + 2).unwrap().path.clone();
    (lake, root.join("events").join(part))
}

/// Changes one byte in the middle.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 0x20;
    fs::write(path, bytes).unwrap();
}

fn faults(root: &Path) -> Vec<std::path::PathBuf> {
    fsck(root).unwrap().findings.into_iter().filter(|finding| finding.harmful).map(|finding| finding.path).collect()
}

#[test]
fn a_compaction_leaves_a_damaged_file_alone_and_names_it_after_merging_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, bad) = eight(dir.path());
    let good = fs::read(&bad).unwrap();
    flip(&bad);
    let options = CompactOptions { min_parts: 2, ..CompactOptions::new(MARCH) };
    for _ in 0..2 {
        let error = lake.compact(options).unwrap_err();
        assert!(matches!(&error, LakeError::CorruptPart { path, .. } if *path == bad), "{error}");
        assert_eq!(lake.snapshot().events.len(), 2, "the seven others are one file");
        assert_eq!(faults(dir.path()), std::slice::from_ref(&bad), "the damage can still be found");
    }
    fs::write(&bad, good).unwrap();
    assert_eq!(lake.compact(options).unwrap().merges, 1, "restored from a backup it is merged too");
    assert_eq!(content(&lake.snapshot()).len(), 8);
}

#[test]
fn a_missing_file_stops_no_merge_of_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let (lake, bad) = eight(dir.path());
    fs::remove_file(&bad).unwrap();
    let error = lake.compact(CompactOptions { min_parts: 2, ..CompactOptions::new(MARCH) }).unwrap_err();
    assert!(matches!(&error, LakeError::CorruptPart { path, reason: "it is missing" } if *path == bad), "{error}");
    assert_eq!(lake.snapshot().events.len(), 2);
}

#[test]
fn a_damaged_file_is_copied_neither_by_a_prune_nor_by_a_newer_record() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    let rows = [Row::at(1, MARCH), Row::at(2, MARCH + DAY)];
    let snapshot = write(&lake, &rows, vec![]);
    flip(&dir.path().join("events").join(&snapshot.events[0].path));
    let filter = PruneFilter { before_us: Some(MARCH + 1), ..PruneFilter::default() };
    let newer = Row { completeness: 5, ..rows[0] };
    let parts = lake.encode_rows(&[batch(&[newer])]).unwrap();
    let replaced = [newer.event_id()].into();
    for refused in [
        lake.prune(&filter, MARCH).map(drop),
        lake.commit(Commit { parts, replaced, now_us: MARCH, ..Commit::default() }).map(drop),
    ] {
        let error = refused.unwrap_err();
        assert!(error.is_corruption(), "{error}");
    }
    assert_eq!(lake.snapshot().version, snapshot.version, "nothing was committed");
    assert!(!fsck(dir.path()).unwrap().is_sound());
}

#[test]
fn a_lake_whose_log_is_gone_is_a_fault_and_a_new_one_is_none() {
    let dir = tempfile::tempdir().unwrap();
    assert!(fsck(dir.path()).unwrap().is_sound(), "there is no lake yet");
    let lake = open(dir.path());
    assert!(fsck(dir.path()).unwrap().is_sound(), "nothing was committed yet");
    write(&lake, &[Row::at(1, MARCH)], vec![position(1, 1)]);
    drop(lake);
    let log = dir.path().join("events/_delta_log");
    fs::remove_dir_all(&log).unwrap();
    for _ in 0..2 {
        let report = fsck(dir.path()).unwrap();
        assert_eq!(faults(dir.path()), std::slice::from_ref(&log));
        let finding = &report.findings[0];
        assert!(finding.what.contains("whole log") && finding.mend.contains("--rebuild-from-footers"), "{finding:?}");
        // The same when the directory is there and its entries are not.
        fs::create_dir_all(&log).unwrap();
    }
}

#[test]
fn a_checkpoint_without_any_entry_is_a_lake_whose_log_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    for id in 0..20 {
        lake.commit(Commit { sources: vec![position(id, 5)], ..Commit::default() }).unwrap();
    }
    drop(lake);
    fs::remove_dir_all(dir.path().join("events/_delta_log")).unwrap();
    assert!(!fsck(dir.path()).unwrap().is_sound());
}
