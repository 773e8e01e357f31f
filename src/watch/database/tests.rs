use std::fs;

use super::*;

const QUERY: &str = "SELECT rowid, changed, name, body FROM note WHERE changed >= :mark OR rowid > :rowid";

fn query(anchor: bool) -> Query {
    let anchor = anchor.then(|| "SELECT name FROM note WHERE rowid = :rowid".to_owned());
    Query { name: "notes", sql: QUERY.to_owned(), anchor }
}

/// A database in write-ahead mode, with its writer still connected.
fn live(folder: &Path) -> (PathBuf, Connection) {
    let path = folder.join("agent #1%.db");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE note(name TEXT, changed INT, body BLOB)").unwrap();
    writer.execute("INSERT INTO note VALUES ('a', 10, 'one'), ('b', 20, x'00ff')", []).unwrap();
    (path, writer)
}

fn names(database: &Database, cursor: Cursor) -> Vec<String> {
    let mut seen = Vec::new();
    database
        .each(&query(false), cursor, |record| {
            seen.push(format!("{}:{}:{}", record.rowid, record.mark, record.text(0).unwrap()));
            true
        })
        .unwrap();
    seen
}

/// Files of a folder with their contents.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).map(|p| (p.clone(), fs::read(p).unwrap())).collect();
    all.sort();
    all
}

#[test]
fn rows_that_stand_only_in_the_log_are_read_while_their_writer_is_connected() {
    let folder = tempfile::tempdir().unwrap();
    let (path, writer) = live(folder.path());
    let database = Database::open(&path, Format::CrushStore).unwrap();
    assert!(database.tables().unwrap().has_column("note", "changed"));
    assert_eq!(names(&database, Cursor::START), ["1:10:a", "2:20:b"]);
    writer.execute("INSERT INTO note VALUES ('c', 30, NULL)", []).unwrap();
    assert_eq!(names(&database, Cursor::START).len(), 2, "one view for the whole look");
    drop(database);
    let later = Database::open(&path, Format::CrushStore).unwrap();
    assert_eq!(names(&later, Cursor { rowid: 2, mark: 21 }), ["3:30:c"]);
}

#[test]
fn a_database_that_nobody_has_open_is_read_with_its_log_and_no_file_is_touched() {
    let folder = tempfile::tempdir().unwrap();
    let (path, writer) = live(folder.path());
    // What a crash leaves: the database and its log, without the shared index.
    let left = folder.path().join("left");
    fs::create_dir(&left).unwrap();
    let copy = left.join("agent.db");
    fs::copy(&path, &copy).unwrap();
    fs::copy(beside(&path, "-wal"), beside(&copy, "-wal")).unwrap();
    drop(writer);
    let before = contents(&left);
    let database = Database::open(&copy, Format::CrushStore).unwrap();
    assert_eq!(names(&database, Cursor::START), ["1:10:a", "2:20:b"]);
    assert!(database.stands().unwrap());
    drop(database);
    assert!(contents(&left) == before, "the agent's folder is as it was");
}

#[test]
fn a_database_in_log_mode_that_was_closed_is_read_and_no_file_appears() {
    let folder = tempfile::tempdir().unwrap();
    let (path, writer) = live(folder.path());
    writer.close().unwrap();
    assert!(!beside(&path, "-wal").exists(), "closing has put the log away");
    let before = contents(folder.path());
    let database = Database::open(&path, Format::CrushStore).unwrap();
    assert_eq!(names(&database, Cursor::START), ["1:10:a", "2:20:b"]);
    drop(database);
    assert!(contents(folder.path()) == before);
}

#[test]
fn an_anchor_tells_when_row_ids_were_given_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, writer) = live(folder.path());
    let anchor = |rowid| Database::open(&path, Format::CrushStore).unwrap().anchor(&query(true), rowid).unwrap();
    let known = anchor(2);
    assert_eq!(known, anchor(2));
    assert_eq!(anchor(i64::MIN), 0);
    writer.execute_batch("DELETE FROM note WHERE rowid = 1; VACUUM").unwrap();
    assert_ne!(known, anchor(2));
}

#[test]
fn what_is_no_database_or_no_file_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    fs::write(&path, vec![7; 8192]).unwrap();
    assert!(matches!(Database::open(&path, Format::CrushStore), Err(DatabaseError::Damaged { .. })));
    assert!(matches!(Database::open(folder.path(), Format::CrushStore), Err(DatabaseError::Io { .. })));
    fs::write(&path, b"").unwrap();
    let empty = Database::open(&path, Format::CrushStore).unwrap();
    assert_eq!(empty.tables().unwrap().names().count(), 0);
}

#[test]
fn a_database_that_is_locked_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let writer = Connection::open(&path).unwrap();
    writer.execute_batch("CREATE TABLE t(a); BEGIN EXCLUSIVE").unwrap();
    assert!(matches!(Database::open(&path, Format::CrushStore), Err(DatabaseError::Busy)));
}

#[test]
fn a_database_whose_write_was_cut_off_is_busy_and_not_half_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.db");
    let writer = Connection::open(&path).unwrap();
    writer
        .execute_batch(
            "CREATE TABLE t(a); INSERT INTO t VALUES (1); BEGIN IMMEDIATE; UPDATE t SET a = 2; PRAGMA cache_size=1; ",
        )
        .unwrap();
    // What a crash leaves: a journal that is hot, and nobody who holds a lock.
    let left = folder.path().join("left.db");
    fs::copy(&path, &left).unwrap();
    fs::copy(beside(&path, "-journal"), beside(&left, "-journal")).unwrap();
    let mut journal = fs::read(beside(&left, "-journal")).unwrap();
    journal[..8].copy_from_slice(&[0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7]);
    fs::write(beside(&left, "-journal"), journal).unwrap();
    match Database::open(&left, Format::CrushStore) {
        Err(DatabaseError::Busy) => {}
        // A journal without pages needs no roll-back.
        Ok(database) => assert!(database.tables().unwrap().has("t")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_is_looked_up_in_the_log_too_and_no_file_appears() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let writer = Connection::open(&path).unwrap();
    let table = "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE kv(key TEXT UNIQUE, value BLOB)";
    writer.execute_batch(table).unwrap();
    let has = |key: &str| Database::has_key(&path, "kv", key).unwrap();
    assert!(!has("a"));
    writer.execute_batch("INSERT INTO kv VALUES ('a', '1'), ('gone', NULL)").unwrap();
    assert!(has("a") && !has("gone") && !has("b"));
    assert!(!Database::has_key(&path, "other", "a").unwrap());
    drop(writer);
    let before = contents(folder.path());
    assert!(has("a"));
    assert_eq!(contents(folder.path()), before);
    std::fs::write(&path, vec![7; 8192]).unwrap();
    assert!(!has("a"), "a damaged database has nothing");
    assert!(Database::has_key(&folder.path().join("none"), "kv", "a").is_err());
}
