//! Databases that change between looks, read through the whole reader.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::{Array, AsArray};
use rusqlite::Connection;

use super::*;
use crate::lake::Snapshot;
use crate::pipeline::worker::{MachineContext, Worker};
use crate::pipeline::{Core, CoreOptions, Progress};
use crate::schema::{Folders, Format};
use crate::watch::Limits;

/// A chat's database, its writer, and what was read of it.
struct World {
    folder: tempfile::TempDir,
    core: Core,
    progress: Progress,
    kept: Option<DatabaseReader>,
    known: Option<SourcePosition>,
    live: bool,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let core = Core::reading(Arc::new(Snapshot::empty(folder.path())), CoreOptions::for_budget(64 << 20));
        Self { folder, core, progress: Progress::default(), kept: None, known: None, live: false }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("state.vscdb")
    }

    fn writer(&self) -> Connection {
        let writer = Connection::open(self.path()).unwrap();
        let table = "CREATE TABLE IF NOT EXISTS cursorDiskKV (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB)";
        writer.execute_batch(table).unwrap();
        writer
    }

    /// Writes a chat that names `bubbles`.
    fn chat(writer: &Connection, bubbles: &[&str], status: &str) {
        let list: Vec<String> = bubbles.iter().map(|b| format!(r#"{{"bubbleId":"{b}","type":2}}"#)).collect();
        let value = format!(
            r#"{{"composerId":"c","createdAt":1700000000000,"status":"{status}","fullConversationHeadersOnly":[{}]}}"#,
            list.join(",")
        );
        writer.execute("INSERT INTO cursorDiskKV VALUES ('composerData:c', ?1)", [value]).unwrap();
    }

    fn bubble(writer: &Connection, id: &str, text: &str) {
        let value = format!(r#"{{"bubbleId":"{id}","type":2,"text":"{text}","createdAt":1700000001000}}"#);
        writer.execute("INSERT INTO cursorDiskKV VALUES ('bubbleId:c:' || ?1, ?2)", [id, value.as_str()]).unwrap();
    }

    fn look(&mut self) -> Outcome {
        let mut worker = Worker::new(
            MachineContext { machine_id: "m".into(), user_name: "u".into(), folders: Folders::default(), zone: None },
            64 << 20,
        );
        let mut buffer = Vec::new();
        let job = Job {
            path: self.path(),
            agent: "cursor".into(),
            format: Format::CursorState,
            companions: Vec::new(),
            stat: None,
            previous: None,
            mapping: None,
        };
        let (core, progress) = (&self.core, &self.progress);
        let mut means = ReadContext {
            core,
            progress,
            worker: &mut worker,
            buffer: &mut buffer,
            limits: Limits::default(),
            history: false,
            shown: true,
            comes_again: true,
            live: self.live,
        };
        let done = DatabaseReader::run(&job, self.kept.take(), self.known.as_ref(), &mut means);
        let Ok((outcome, kept)) = done else { panic!("a look at a database stops nothing") };
        worker.deliver(core, progress).unwrap();
        self.kept = kept;
        self.known = core.positions().values().next().map(|position| position.as_ref().clone());
        outcome
    }

    fn restart(&mut self) {
        self.kept = None;
    }

    /// As if nobody had written for an hour.
    fn fall_silent(&self) {
        let before = SystemTime::now() - Duration::from_secs(3600);
        for suffix in ["", "-wal"] {
            let mut name = self.path().into_os_string();
            name.push(suffix);
            if let Ok(file) = std::fs::File::options().write(true).open(name) {
                file.set_modified(before).unwrap();
            }
        }
    }

    /// Texts of the answers, those that may change marked with `?`.
    fn texts(&self) -> Vec<String> {
        let mut all = Vec::new();
        for batch in self.core.cut().events {
            let (texts, provisional) = (batch["text"].as_string_view(), batch["provisional"].as_boolean());
            let rows = (0..batch.num_rows()).filter(|row| texts.is_valid(*row));
            all.extend(
                rows.map(|row| format!("{}{}", texts.value(row), if provisional.value(row) { "?" } else { "" })),
            );
        }
        all.sort();
        all
    }

    fn lines(&self) -> u64 {
        self.known.as_ref().map_or(0, |known| known.counts.lines)
    }
}

#[test]
fn a_change_costs_the_rows_that_changed_however_long_the_database_is() {
    let mut world = World::new();
    let writer = world.writer();
    let ids: Vec<String> = (0..500).map(|n| format!("b{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    World::chat(&writer, &ids, "completed");
    ids.iter().for_each(|id| World::bubble(&writer, id, id));
    assert_eq!(world.look(), Outcome::Read);
    assert_eq!((world.texts().len(), world.lines()), (500, 501));
    // The newest row is replaced again and again: its row id is gone each time.
    for n in 0..10 {
        World::bubble(&writer, "b499", &format!("b499 {}", "x".repeat(n + 1)));
        let before = world.lines();
        world.look();
        assert!(world.lines() - before <= 3, "{} records were read", world.lines() - before);
    }
    assert!(world.texts().contains(&format!("b499 {}", "x".repeat(10))));
    assert_eq!(world.texts().len(), 500);
}

#[test]
fn a_record_that_may_change_is_shown_and_becomes_final_when_the_database_is_silent() {
    let mut world = World::new();
    let writer = world.writer();
    World::chat(&writer, &["a", "b"], "generating");
    World::bubble(&writer, "a", "first");
    World::bubble(&writer, "b", "sec");
    world.look();
    assert_eq!(world.texts(), ["first", "sec?"]);
    assert!(world.known.as_ref().unwrap().checkpoint.open);
    World::bubble(&writer, "b", "second");
    world.look();
    assert_eq!(world.texts(), ["first", "second?"]);
    // Another process reads what was held.
    world.restart();
    world.look();
    assert_eq!(world.texts(), ["first", "second?"]);
    world.fall_silent();
    world.look();
    assert_eq!(world.texts(), ["first", "second"]);
    assert!(!world.known.as_ref().unwrap().checkpoint.open);
    // What comes after all replaces it.
    World::chat(&writer, &["a", "b"], "completed");
    World::bubble(&writer, "b", "second and last");
    world.look();
    assert_eq!(world.texts(), ["first", "second and last"]);
}

#[test]
fn a_record_that_stays_as_it_is_becomes_final_although_the_database_is_busy() {
    let mut world = World::new();
    let writer = world.writer();
    World::chat(&writer, &["a"], "generating");
    World::bubble(&writer, "a", "stuck");
    world.look();
    assert_eq!(world.texts(), ["stuck?"]);
    let kept = world.kept.as_mut().unwrap();
    kept.since.values_mut().for_each(|(_, first_us)| *first_us -= SILENCE_US);
    World::chat(&writer, &["a"], "generating");
    world.look();
    assert_eq!(world.texts(), ["stuck"]);
}

#[test]
fn row_ids_given_anew_lose_nothing_and_double_nothing() {
    let mut world = World::new();
    let writer = world.writer();
    World::chat(&writer, &["a", "b", "c"], "completed");
    for id in ["a", "b", "a", "b", "a"] {
        World::bubble(&writer, id, id);
    }
    world.look();
    assert_eq!(world.texts(), ["a", "b"]);
    writer.execute_batch("CREATE TABLE copy AS SELECT * FROM cursorDiskKV ORDER BY rowid DESC; DELETE FROM cursorDiskKV; INSERT INTO cursorDiskKV SELECT * FROM copy; DROP TABLE copy; VACUUM").unwrap();
    World::bubble(&writer, "c", "c");
    world.restart();
    world.look();
    assert_eq!(world.texts(), ["a", "b", "c"]);
}

#[test]
fn another_database_under_the_same_name_is_read_from_its_beginning() {
    let mut world = World::new();
    let writer = world.writer();
    World::chat(&writer, &["a"], "completed");
    (0..20).for_each(|_| World::bubble(&writer, "a", "a"));
    world.look();
    drop(writer);
    let other = Connection::open(world.folder.path().join("other")).unwrap();
    other.execute_batch("CREATE TABLE cursorDiskKV (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB)").unwrap();
    World::chat(&other, &["a", "z"], "completed");
    World::bubble(&other, "z", "z");
    drop(other);
    std::fs::rename(world.folder.path().join("other"), world.path()).unwrap();
    world.look();
    assert_eq!(world.texts(), ["a", "z"]);
}

#[test]
fn a_followed_database_with_a_log_is_looked_at_until_its_last_commit_must_have_been_seen() {
    let mut world = World::new();
    world.live = true;
    let writer = world.writer();
    writer.execute_batch("PRAGMA journal_mode=WAL").unwrap();
    World::chat(&writer, &["a"], "completed");
    World::bubble(&writer, "a", "a");
    assert!(matches!(world.look(), Outcome::Later { .. }), "a commit may be on its way to the disk");
    assert!(matches!(world.look(), Outcome::Later { .. }));
    world.fall_silent();
    assert_eq!(world.look(), Outcome::Read);
    assert_eq!(world.texts(), ["a"]);
}

#[test]
fn a_busy_database_is_tried_again_and_a_damaged_one_says_so() {
    let mut world = World::new();
    let writer = world.writer();
    World::chat(&writer, &["a"], "completed");
    World::bubble(&writer, "a", "a");
    writer.execute_batch("BEGIN EXCLUSIVE").unwrap();
    assert!(matches!(world.look(), Outcome::Later { .. }));
    assert!(world.texts().is_empty());
    writer.execute_batch("ROLLBACK").unwrap();
    assert_eq!(world.look(), Outcome::Read);
    assert_eq!(world.texts(), ["a"]);
    drop(writer);
    std::fs::write(world.path(), vec![7; 8192]).unwrap();
    assert_eq!(world.look(), Outcome::Failed);
    assert!(world.known.as_ref().unwrap().last_error.as_deref().unwrap().contains("damaged"));
    assert_eq!(world.texts(), ["a"], "what was read stays");
}

#[test]
fn tables_of_nothing_known_are_an_error_with_advice() {
    let mut world = World::new();
    Connection::open(world.path()).unwrap().execute_batch("CREATE TABLE other(a)").unwrap();
    assert_eq!(world.look(), Outcome::Failed);
    assert!(world.known.as_ref().unwrap().last_error.as_deref().unwrap().contains("--path"));
}

#[test]
fn a_database_that_vanishes_settles_what_was_held() {
    let mut world = World::new();
    let writer = world.writer();
    World::chat(&writer, &["a"], "generating");
    World::bubble(&writer, "a", "half");
    world.look();
    assert_eq!(world.texts(), ["half?"]);
    drop(writer);
    std::fs::remove_file(world.path()).unwrap();
    assert_eq!(world.look(), Outcome::Gone);
    assert_eq!(world.texts(), ["half"]);
    assert!(world.known.as_ref().unwrap().missing);
}

#[test]
fn an_unchanged_database_is_not_opened() {
    let mut world = World::new();
    let writer = world.writer();
    World::chat(&writer, &["a"], "completed");
    World::bubble(&writer, "a", "a");
    world.fall_silent();
    world.look();
    let before = world.lines();
    assert_eq!(world.look(), Outcome::Unchanged);
    world.restart();
    assert_eq!(world.look(), Outcome::Unchanged);
    assert_eq!(world.lines(), before);
}

/// Writes over a row where it stands.
fn update(writer: &Connection, key: &str, value: &str) {
    let changed = writer.execute("UPDATE cursorDiskKV SET value = ?2 WHERE key = ?1", [key, value]).unwrap();
    assert_eq!(changed, 1);
}

#[test]
fn a_row_that_is_updated_where_it_stands_is_seen_and_costs_itself() {
    let mut world = World::new();
    let writer = world.writer();
    let ids: Vec<String> = (0..500).map(|n| format!("b{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    World::chat(&writer, &ids, "completed");
    ids.iter().for_each(|id| World::bubble(&writer, id, id));
    world.look();
    for id in ["b499", "b300"] {
        update(&writer, &format!("bubbleId:c:{id}"), &format!(r#"{{"type":2,"text":"{id} and more"}}"#));
        let before = world.lines();
        world.look();
        assert!(world.texts().contains(&format!("{id} and more")));
        assert_eq!(world.lines() - before, 2, "the row, and its chat");
        world.restart();
        world.look();
        assert_eq!(world.lines() - before, 2, "it is not changed any more");
    }
    assert_eq!(world.texts().len(), 500);
    World::bubble(&writer, "b499", "b499 and more than that");
    world.look();
    assert!(world.texts().contains(&"b499 and more than that".to_owned()));
    assert_eq!(world.texts().len(), 500);
}

#[test]
fn a_chat_whose_list_is_updated_where_it_stands_takes_in_its_new_bubbles() {
    let mut world = World::new();
    let writer = world.writer();
    World::chat(&writer, &[], "generating");
    world.look();
    let ids: Vec<String> = (0..600).map(|n| format!("b{n}")).collect();
    for (n, id) in ids.iter().enumerate() {
        World::bubble(&writer, id, id);
        let list: Vec<String> = ids[..=n].iter().map(|b| format!(r#"{{"bubbleId":"{b}","type":2}}"#)).collect();
        let list = list.join(",");
        let value = format!(r#"{{"composerId":"c","status":"completed","fullConversationHeadersOnly":[{list}]}}"#);
        update(&writer, "composerData:c", &value);
        if n % 40 == 0 {
            world.look();
        }
    }
    world.look();
    assert_eq!(world.texts().len(), 600);
    assert!(world.texts().iter().all(|text| !text.ends_with('?')));
    let before = world.lines();
    let named = r#"{"composerId":"c","name":"Named at last","status":"completed","fullConversationHeadersOnly":[]}"#;
    update(&writer, "composerData:c", named);
    world.look();
    assert!(world.texts().contains(&"Named at last".to_owned()), "the chat is watched as long as it is at work");
    assert!(world.lines() - before <= 2);
}

#[test]
fn a_row_that_is_updated_while_its_agent_writes_it_is_held_until_it_is_done() {
    let mut world = World::new();
    let writer = world.writer();
    World::chat(&writer, &["a", "b"], "completed");
    World::bubble(&writer, "a", "a");
    World::bubble(&writer, "b", "b");
    world.look();
    let tool = |status: &str, more: &str| {
        format!(r#"{{"type":2,"text":"a {more}","toolFormerData":{{"name":"x","status":"{status}"}}}}"#)
    };
    for more in ["one", "one two"] {
        update(&writer, "bubbleId:c:a", &tool("running", more));
        world.look();
        assert_eq!(world.texts(), ["a", "b"], "the last final state is shown while its agent is at work");
        assert!(world.known.as_ref().unwrap().checkpoint.open);
        world.restart();
    }
    update(&writer, "bubbleId:c:a", &tool("completed", "one two three"));
    world.look();
    assert_eq!(world.texts(), ["a one two three", "b"]);
    assert!(!world.known.as_ref().unwrap().checkpoint.open);
}
