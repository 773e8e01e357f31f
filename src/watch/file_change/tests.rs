use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::*;
use crate::schema::{Checkpoint, Counts, Format, SourceId};
use crate::watch::{Limits, Reader};

/// Reads all whole lines from `position` on, and returns the position after it.
fn read(path: &Path, from: u64, now_us: i64) -> SourcePosition {
    let mut reader = Reader::new(Opened::open(path).unwrap(), from, Limits::default(), Vec::new()).unwrap();
    while reader.next_frame().unwrap().is_some() {}
    let at = reader.offset();
    SourcePosition {
        id: SourceId(1),
        agent: "claude".into(),
        format: Format::ClaudeSession.name().into(),
        path: path.to_str().unwrap().into(),
        generation: 0,
        born_us: 0,
        checkpoint: Checkpoint { resume_at: at, high_water: at, open: false, state: String::new() },
        fingerprint: reader.fingerprint(at, now_us).unwrap().unwrap(),
        counts: Counts::default(),
        read_at_us: 0,
        missing: false,
        last_error: None,
        folders: Vec::new(),
        learnt: Default::default(),
    }
}

fn lines(from: usize, to: usize) -> String {
    (from..to).map(|i| format!("{{\"line\":{i},\"text\":\"some words to make it longer\"}}\n")).collect()
}

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jsonl");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn rewritten(path: &Path, previous: &SourcePosition) -> Option<Rewrite> {
    match inspect(path, None, Some(previous)) {
        FileChange::Rewritten { reason, .. } => Some(reason),
        _ => None,
    }
}

#[test]
fn what_the_file_system_says_is_enough_when_nothing_changed() {
    let (_folder, path) = file(&lines(0, 10));
    let previous = read(&path, 0, i64::MAX);
    assert!(matches!(inspect(&path, None, Some(&previous)), FileChange::Unchanged));
    let stat = Stat::of(&fs::metadata(&path).unwrap());
    assert!(matches!(inspect(Path::new("/nowhere/at/all"), Some(&stat), Some(&previous)), FileChange::Unchanged));
}

#[test]
fn appended_bytes_are_read_on_and_a_touch_is_nothing_new() {
    let (_folder, path) = file(&lines(0, 200));
    let previous = read(&path, 0, i64::MAX);
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{").unwrap();
    assert!(matches!(inspect(&path, None, Some(&previous)), FileChange::Appended(_)));
    fs::write(&path, lines(0, 200)).unwrap();
    assert!(matches!(inspect(&path, None, Some(&previous)), FileChange::Touched(_)));
}

#[test]
fn a_position_in_the_middle_is_never_unchanged() {
    let (_folder, path) = file(&lines(0, 200));
    let mut previous = read(&path, 0, i64::MAX);
    let mut reader = Reader::new(Opened::open(&path).unwrap(), 0, Limits::default(), Vec::new()).unwrap();
    reader.next_frame().unwrap();
    previous.checkpoint = Checkpoint { resume_at: 0, high_water: reader.offset(), open: false, state: String::new() };
    previous.fingerprint = reader.fingerprint(reader.offset(), i64::MAX).unwrap().unwrap();
    assert!(matches!(inspect(&path, None, Some(&previous)), FileChange::Appended(_)));
}

#[test]
fn a_truncated_or_rewritten_file_is_reread_from_zero() {
    for old in [3, 200] {
        let (_folder, path) = file(&lines(0, old));
        let previous = read(&path, 0, i64::MAX);
        fs::write(&path, lines(0, old - 1)).unwrap();
        assert_eq!(rewritten(&path, &previous), Some(Rewrite::Shrunk));
        fs::write(&path, "").unwrap();
        assert_eq!(rewritten(&path, &previous), Some(Rewrite::Shrunk));
        // Grown again past the old position, as after a truncation that nobody saw.
        fs::write(&path, lines(5000, 5000 + 3 * old)).unwrap();
        assert_eq!(rewritten(&path, &previous), Some(Rewrite::Head));
        // Same beginning, some lines dropped, longer in the end.
        let dropped = [lines(0, old / 2), lines(old / 2 + 1, 3 * old)].concat();
        fs::write(&path, dropped).unwrap();
        assert!(matches!(rewritten(&path, &previous), Some(Rewrite::Head | Rewrite::Tail)));
    }
}

#[test]
fn a_file_renamed_over_it_is_a_new_generation_unless_it_is_provably_the_same() {
    let (folder, path) = file(&lines(0, 200));
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000);
    let set_time = || fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    set_time();
    let previous = read(&path, 0, i64::MAX);
    let other = folder.path().join("tmp");
    let replace = |text: &str| {
        fs::write(&other, text).unwrap();
        fs::rename(&other, &path).unwrap();
    };
    // Only the middle differs: head and tail cannot tell, the inode does.
    replace(&lines(0, 200).replace("\"line\":120,", "\"line\":999,"));
    assert_eq!(rewritten(&path, &previous), Some(Rewrite::Replaced));
    // A backup restored with its times.
    replace(&lines(0, 200));
    set_time();
    assert!(matches!(inspect(&path, None, Some(&previous)), FileChange::Touched(_)));
    // A small file is compared whole.
    replace(&lines(0, 20));
    let small = read(&path, 0, i64::MAX);
    replace(&lines(0, 21));
    assert!(matches!(inspect(&path, None, Some(&small)), FileChange::Appended(_)));
}

#[test]
fn rows_that_are_durable_are_guarded_even_when_reading_starts_before_them() {
    let (_folder, path) = file(&lines(0, 200));
    let mut previous = read(&path, 0, i64::MAX);
    previous.checkpoint.resume_at = 0;
    fs::write(&path, [lines(0, 150), lines(500, 700)].concat()).unwrap();
    assert_eq!(rewritten(&path, &previous), Some(Rewrite::Tail));
}

#[test]
fn a_document_is_new_whenever_anything_about_it_changed() {
    let (_folder, path) = file("{\"session\":{},\"items\":[1]}");
    let mut previous = read(&path, 0, i64::MAX);
    previous.format = Format::CodexDocument.name().into();
    assert!(matches!(inspect(&path, None, Some(&previous)), FileChange::Unchanged));
    fs::write(&path, "{\"session\":{},\"items\":[2]}").unwrap();
    assert_eq!(rewritten(&path, &previous), Some(Rewrite::Document));
}

#[test]
fn what_is_gone_is_vanished_and_what_is_no_file_is_unreadable() {
    let (folder, path) = file(&lines(0, 2));
    let previous = read(&path, 0, i64::MAX);
    fs::remove_file(&path).unwrap();
    assert!(matches!(inspect(&path, None, Some(&previous)), FileChange::Vanished));
    assert!(matches!(inspect(&path.join("below"), None, None), FileChange::Vanished));
    assert!(matches!(inspect(folder.path(), None, Some(&previous)), FileChange::Unreadable { .. }));
    fs::write(&path, "x").unwrap();
    assert!(matches!(inspect(&path, None, None), FileChange::New(_)));
}

#[cfg(unix)]
#[test]
fn a_fifo_with_a_logs_name_never_blocks() {
    let (_folder, path) = file(&lines(0, 2));
    let previous = read(&path, 0, i64::MAX);
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert!(matches!(inspect(&path, None, None), FileChange::Unreadable { .. }));
    assert!(matches!(inspect(&path, None, Some(&previous)), FileChange::Unreadable { .. }));
}
