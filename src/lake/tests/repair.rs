//! Rebuilding the log, quarantine, and the way back.

use super::*;

/// Eight files of ten rows; entry 2 is damaged, so that only a rebuild helps.
fn broken(root: &Path) -> Vec<Row> {
    let rows: Vec<Row> = (0..80).map(|i| Row::at(i, MARCH + i.cast_signed())).collect();
    let lake = open(root);
    for rows in rows.chunks(10) {
        write(&lake, rows, vec![position(1, 1)]);
    }
    drop(lake);
    flip(&Log::master(root).path(2), 100);
    rows
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// The file with the rows of commit `n`, as `broken` wrote them.
fn part(root: &Path, n: usize) -> std::path::PathBuf {
    let mut found: Vec<_> = layout::files(root).unwrap().into_iter().map(|(_, path, _)| path).collect();
    found.sort_by_key(|path| {
        let mut reader = PartReader::open(path, events(), Some(&["ts"]), 100).unwrap();
        let batch = reader.next().unwrap().unwrap();
        batch.column(0).as_primitive::<TimestampMicrosecondType>().value(0)
    });
    found.swap_remove(n)
}

/// Where a column of a file stands: its first byte and its length.
fn column(path: &Path, name: &str) -> (u64, u64) {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let group = reader.metadata().row_group(0);
    group.columns().iter().find(|c| c.column_path().string() == name).unwrap().byte_range()
}

/// Changes a byte in the middle of the column of ids, so that the file can still be read.
fn flip_an_id(path: &Path) {
    let (start, length) = column(path, "event_id");
    flip(path, usize::try_from(start + length / 2).unwrap());
}

#[test]
fn a_rebuild_leaves_out_what_a_checksum_denies_and_keeps_it() {
    let dir = tempfile::tempdir().unwrap();
    let rows = broken(dir.path());
    let bad = part(dir.path(), 5);
    let whole = fs::read(&bad).unwrap();
    flip_an_id(&bad);
    let report = rebuild_from_footers(dir.path(), MARCH).unwrap();
    assert_eq!((report.parts, report.rows, report.damaged.len()), (7, 70, 1));
    let LeftOut { path, why, kept } = &report.damaged[0];
    assert!(*path == bad && why.contains("checksum") && !bad.exists() && kept.is_file(), "{report:?}");
    let found = fsck(dir.path()).unwrap();
    assert!(found.findings.iter().any(|f| f.harmful && f.path == *kept && f.mend.contains("--restore-quarantine")));
    // Again, with nothing but the old logs in quarantine to know better.
    fs::rename(kept, &bad).unwrap();
    let report = rebuild_from_footers(dir.path(), MARCH).unwrap();
    assert_eq!((report.rows, report.damaged.len()), (70, 1), "{report:?}");
    assert_eq!(restore_quarantine(LakeOptions::new(dir.path(), MARCH)).unwrap().left.len(), 1, "it stays there");
    // From a backup it comes back.
    fs::write(&report.damaged[0].kept, whole).unwrap();
    let back = restore_quarantine(LakeOptions::new(dir.path(), MARCH)).unwrap();
    assert_eq!((back.restored.len(), back.restored[0].1, back.left.len()), (1, 10, 0));
    assert_eq!(content(&Lake::read(dir.path()).unwrap()), model(&rows));
    assert!(fsck(dir.path()).unwrap().is_sound());
}

#[test]
fn a_file_that_no_checksum_knows_is_read_whole_before_it_counts() {
    let dir = tempfile::tempdir().unwrap();
    broken(dir.path());
    let (magic, page) = (part(dir.path(), 6), part(dir.path(), 3));
    let length = fs::read(&magic).unwrap().len();
    flip(&magic, length - 2);
    fs::remove_dir_all(dir.path().join("events/_delta_log")).unwrap();
    // Half of a page: the codec refuses it.
    let text = column(&page, "text");
    let mut bytes = fs::read(&page).unwrap();
    let from = usize::try_from(text.0 + text.1 / 2).unwrap();
    bytes[from..from + 20].fill(0xff);
    fs::write(&page, bytes).unwrap();
    let report = rebuild_from_footers(dir.path(), MARCH).unwrap();
    let mut bad: Vec<_> = report.damaged.iter().map(|file| file.path.clone()).collect();
    bad.sort();
    let mut expected = vec![magic, page];
    expected.sort();
    assert_eq!((report.rows, bad), (60, expected));
}

#[test]
fn any_number_of_damaged_files_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let lake = open(dir.path());
    for id in 0..70 {
        write(&lake, &[Row::at(id, MARCH)], vec![]);
    }
    drop(lake);
    for (_, path, _) in layout::files(dir.path()).unwrap() {
        flip(&path, 10);
    }
    let report = rebuild_from_footers(dir.path(), MARCH).unwrap();
    assert_eq!((report.parts, report.damaged.len()), (0, 70));
    assert!(report.damaged.iter().all(|file| file.kept.is_file() && !file.path.exists()));
}

#[cfg(unix)]
#[test]
fn what_the_system_refuses_to_read_stops_a_rebuild_and_nothing_has_moved() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    broken(dir.path());
    let shut = part(dir.path(), 4);
    fs::set_permissions(&shut, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::File::open(&shut).is_ok() {
        // Root may read everything: a link in its place is refused to everybody.
        fs::rename(&shut, dir.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("elsewhere"), &shut).unwrap();
    }
    let before: Vec<_> = layout::files(dir.path()).unwrap();
    let error = rebuild_from_footers(dir.path(), MARCH).unwrap_err();
    assert!(!error.is_corruption() && error.to_string().contains("part-"), "{error}");
    assert_eq!(layout::files(dir.path()).unwrap(), before);
    assert_eq!(Log::master(dir.path()).versions().unwrap().len(), 8, "the log is the old one");
    assert!(!dir.path().join(".quarantine").exists() || quarantine::parts(dir.path()).unwrap().is_empty());
}

#[test]
fn rows_that_were_read_again_or_pruned_are_not_put_back_twice() {
    let dir = tempfile::tempdir().unwrap();
    let rows = broken(dir.path());
    let bad = part(dir.path(), 5);
    let whole = fs::read(&bad).unwrap();
    flip_an_id(&bad);
    let report = rebuild_from_footers(dir.path(), MARCH).unwrap();
    fs::write(&report.damaged[0].kept, whole).unwrap();
    let lake = open(dir.path());
    let better = Row { completeness: 0, ..rows[51] };
    write(&lake, &[rows[50], better], vec![]);
    drop(lake);
    let back = restore_quarantine(LakeOptions::new(dir.path(), MARCH)).unwrap();
    assert_eq!(back.restored[0].1, 9, "one is there, one is less complete there");
    assert_eq!(content(&Lake::read(dir.path()).unwrap()), model(&rows));

    let dir = tempfile::tempdir().unwrap();
    let rows = broken(dir.path());
    let bad = part(dir.path(), 5);
    let whole = fs::read(&bad).unwrap();
    flip_an_id(&bad);
    let kept = rebuild_from_footers(dir.path(), MARCH).unwrap().damaged.swap_remove(0).kept;
    fs::write(&kept, whole).unwrap();
    let lake = open(dir.path());
    let filter = PruneFilter { session: Some("session-1".to_owned()), ..PruneFilter::default() };
    lake.prune(&filter, MARCH).unwrap();
    drop(lake);
    assert!(!kept.exists(), "no file holds such rows, not in quarantine either");
    restore_quarantine(LakeOptions::new(dir.path(), MARCH)).unwrap();
    let left: Vec<Row> = rows.iter().copied().filter(|row| row.id % 3 != 1).collect();
    assert_eq!(content(&Lake::read(dir.path()).unwrap()), model(&left), "the others came back");
}

#[test]
fn a_rebuild_keeps_pruned_rows_away_and_gives_the_table_a_new_identity() {
    let dir = tempfile::tempdir().unwrap();
    broken(dir.path());
    let log = Log::master(dir.path());
    rebuild_from_footers(dir.path(), MARCH).unwrap();
    let lake = open(dir.path());
    let filter = PruneFilter { session: Some("session-1".to_owned()), ..PruneFilter::default() };
    lake.prune(&filter, MARCH).unwrap();
    let before = lake.snapshot();
    drop(lake);
    flip(&log.path(0), 100);
    rebuild_from_footers(dir.path(), MARCH).unwrap();
    let after = Lake::read(dir.path()).unwrap();
    assert_eq!(*after.pruned, [filter]);
    assert_ne!(after.table_id, before.table_id);
    assert_eq!(content(&after), content(&before));
}
