//! Files that are being written while a catch-up reads them, and files of long lines.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use arrow::util::display::array_value_to_string;

use super::*;
use crate::config::{Os, Places};
use crate::lake::{Lake, LakeOptions, Snapshot};
use crate::pipeline::{CoreOptions, Scope, survey};
use crate::schema::Folders;

const BELOW: &str = ".config/Code/User/workspaceStorage/w/chatSessions/s.json";

const CHAT: &str = r#"{"version":3,"sessionId":"s","creationDate":1790000000000,"requests":[{"requestId":"r",
    "timestamp":1790000000000,"message":{"text":"Go","parts":[]},"response":[{"value":"Done."}]}]}"#;

fn reader(home: &Path) -> Core {
    Core::reading(Arc::new(Snapshot::empty(home)), CoreOptions::for_budget(64 << 20))
}

/// Reads what is new below a home.
fn read(core: &Core, home: &Path) {
    let places = Places { os: Os::Linux, home: home.into(), env: Default::default() };
    let found = survey(&places, &Scope::default(), &core.positions());
    let stamp =
        MachineContext { machine_id: "m".into(), user_name: "u".into(), folders: Folders::default(), zone: None };
    let how = CatchUpOptions { workers: 1, history: true, shown: true, open: None };
    catch_up(core, &found, &stamp, Limits::default(), how, &Progress::default()).unwrap();
}

/// How many events of each type that some view counts a session has.
fn counted(core: &Core, session: &str) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for batch in core.cut().events {
        let text = |name: &str, row| array_value_to_string(&batch[name], row).unwrap();
        for row in (0..batch.num_rows()).filter(|row| text("session_id", *row) == session) {
            let kind = text("event_type", row);
            if !matches!(kind.as_str(), "system" | "session_start" | "title") {
                *all.entry(kind).or_default() += 1;
            }
        }
    }
    all
}

/// Lines of a transcript, each a prompt, or an answer with a call.
fn transcript(home: &Path, id: &str, lines: usize) {
    let folder = home.join(format!(".cursor/projects/w/agent-transcripts/{id}"));
    fs::create_dir_all(&folder).unwrap();
    let ask = r#"{"role":"user","message":{"content":[{"type":"text","text":"<user_query>Go</user_query>"}]}}"#;
    let say = r#"{"role":"assistant","message":{"content":[{"type":"text","text":"Done."},{"type":"tool_use","name":"Shell","input":{"command":"ls"}}]}}"#;
    let text: String = [ask, say].iter().cycle().take(lines).map(|line| format!("{line}\n")).collect();
    fs::write(folder.join(format!("{id}.jsonl")), text).unwrap();
}

/// Writes a chat of one prompt and one answer into the editor's database.
fn chat(home: &Path, id: &str) {
    let path = home.join(".config/Cursor/User/globalStorage/state.vscdb");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let writer = rusqlite::Connection::open(path).unwrap();
    writer
        .execute_batch("CREATE TABLE IF NOT EXISTS cursorDiskKV(key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB)")
        .unwrap();
    let list = r#"[{"bubbleId":"u","type":1},{"bubbleId":"a","type":2}]"#;
    let values = [
        (format!("bubbleId:{id}:u"), r#"{"type":1,"text":"Go"}"#.to_owned()),
        (format!("bubbleId:{id}:a"), r#"{"type":2,"text":"Done."}"#.to_owned()),
        (format!("composerData:{id}"), format!(r#"{{"status":"completed","fullConversationHeadersOnly":{list}}}"#)),
    ];
    for (key, value) in values {
        writer.execute("INSERT INTO cursorDiskKV VALUES (?1, ?2)", [key, value]).unwrap();
    }
}

fn counts(all: &[(&str, usize)]) -> BTreeMap<String, usize> {
    all.iter().map(|(kind, number)| ((*kind).to_owned(), *number)).collect()
}

#[test]
fn a_chat_that_two_stores_of_a_home_have_counts_once_and_one_that_only_a_transcript_has_counts_too() {
    let home = tempfile::tempdir().unwrap();
    transcript(home.path(), "both", 2);
    transcript(home.path(), "alone", 2);
    chat(home.path(), "both");
    let core = reader(home.path());
    read(&core, home.path());
    let in_store = [("llm_response", 1), ("prompt_history", 1), ("user_interaction", 1)];
    assert_eq!(counted(&core, "both"), counts(&in_store));
    let in_full = [("command_execution", 1), ("llm_response", 1), ("user_interaction", 1)];
    assert_eq!(counted(&core, "alone"), counts(&in_full));
}

#[test]
fn a_chat_of_the_cli_makes_its_own_transcript_a_copy_and_no_other() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".cursor/chats/0f/cli");
    fs::create_dir_all(&folder).unwrap();
    let tables =
        "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT); CREATE TABLE blobs(id TEXT PRIMARY KEY, data BLOB)";
    rusqlite::Connection::open(folder.join("store.db")).unwrap().execute_batch(tables).unwrap();
    transcript(home.path(), "cli", 2);
    transcript(home.path(), "alone", 2);
    let core = reader(home.path());
    read(&core, home.path());
    assert_eq!(counted(&core, "cli"), counts(&[("prompt_history", 1)]));
    assert_eq!(counted(&core, "alone").len(), 3);
}

#[test]
fn a_transcript_whose_chat_comes_into_a_store_later_takes_back_what_it_told() {
    let home = tempfile::tempdir().unwrap();
    let core = reader(home.path());
    transcript(home.path(), "c", 4);
    read(&core, home.path());
    assert_eq!(counted(&core, "c"), counts(&[("command_execution", 2), ("llm_response", 2), ("user_interaction", 2)]));
    chat(home.path(), "c");
    for lines in [6, 8] {
        transcript(home.path(), "c", lines);
        read(&core, home.path());
        let all = [("llm_response", 1), ("prompt_history", lines / 2), ("user_interaction", 1)];
        assert_eq!(counted(&core, "c"), counts(&all));
    }
}

/// What a catch-up over a home comes to, and what its sources say: rows, rejects, error.
fn caught_up(home: &Path) -> (CaughtUp, Vec<(u64, u64, Option<String>)>) {
    let core = reader(home);
    let places = Places { os: Os::Linux, home: home.into(), env: Default::default() };
    let found = survey(&places, &Scope::default(), &core.positions());
    assert_eq!(found.files(), 1);
    let stamp =
        MachineContext { machine_id: "m".into(), user_name: "u".into(), folders: Folders::default(), zone: None };
    let progress = Progress::default();
    let how = CatchUpOptions { workers: 2, history: true, shown: true, open: None };
    let done = catch_up(&core, &found, &stamp, Limits::default(), how, &progress).unwrap();
    assert_eq!(progress.tally().files, 1, "each file is counted once");
    let of = |p: &Arc<SourcePosition>| (p.counts.rows, p.counts.rejects, p.last_error.clone());
    (done, core.positions().values().map(of).collect())
}

fn home_with(below: &str, bytes: &[u8]) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join(below);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
    home
}

#[test]
fn a_document_that_was_written_just_now_is_read_whatever_it_begins_with() {
    for text in [CHAT.to_owned(), format!("\u{feff}{CHAT}"), format!("\n{CHAT}\n")] {
        let home = home_with(BELOW, text.as_bytes());
        let (done, sources) = caught_up(home.path());
        assert_eq!((done.read, done.waiting), (1, 0));
        assert!(matches!(&sources[..], [(rows, 0, None)] if *rows > 1), "{sources:?}");
    }
}

#[test]
fn a_document_that_is_cut_off_is_waited_for_and_then_refused_aloud() {
    let home = home_with(BELOW, &CHAT.as_bytes()[..CHAT.len() - 9]);
    let began_us = now_us();
    let (done, sources) = caught_up(home.path());
    assert_eq!((done.read, done.waiting), (1, 0));
    assert!(matches!(&sources[..], [(_, 1, None)]), "{sources:?}");
    assert!(now_us() - began_us < 10_000_000);
}

#[test]
fn a_database_that_stays_busy_is_a_source_with_the_reason() {
    let below = ".config/Cursor/User/globalStorage/state.vscdb";
    let home = home_with(below, b"");
    let writer = rusqlite::Connection::open(home.path().join(below)).unwrap();
    writer.execute_batch("CREATE TABLE cursorDiskKV(key TEXT UNIQUE, value BLOB); BEGIN EXCLUSIVE").unwrap();
    let (done, sources) = caught_up(home.path());
    assert_eq!((done.read, done.waiting), (0, 1));
    assert_eq!(sources, [(0, 0, Some(STILL_WRITTEN.to_owned()))]);
}

#[test]
fn long_lines_that_several_workers_meet_at_once_are_all_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    let folder = home.join(".claude/projects/p");
    std::fs::create_dir_all(&folder).unwrap();
    for session in 0..6 {
        let line = |number: usize| {
            let text = "x".repeat(if number.is_multiple_of(3) { 600_000 } else { 50 });
            let message = format!(r#"{{"role":"user","content":"{session} {number} {text}"}}"#);
            format!(
                r#"{{"type":"user","uuid":"u-{session}-{number}","sessionId":"s{session}","timestamp":"2026-03-01T00:00:0{number}.000Z","message":{message}}}"#
            )
        };
        // The last one is long and has no newline.
        let lines: Vec<String> = (0..10).map(line).collect();
        std::fs::write(folder.join(format!("s{session}.jsonl")), lines.join("\n")).unwrap();
    }
    let lake = Lake::open(LakeOptions::new(&dir.path().join("lake"), 0)).unwrap();
    let core = Core::writing(lake, CoreOptions::for_budget(16 << 20));
    let places = Places { os: Os::Linux, home, env: Default::default() };
    let found = survey(&places, &Scope::default(), &core.positions());
    let stamp =
        MachineContext { machine_id: "m".into(), user_name: "u".into(), folders: Folders::default(), zone: None };
    let limits = Limits { buffer: 64 << 10, long_line: 200_000, ..Limits::default() };
    catch_up(
        &core,
        &found,
        &stamp,
        limits,
        CatchUpOptions { workers: 3, history: true, shown: true, open: None },
        &Progress::default(),
    )
    .unwrap();
    core.flush().unwrap();
    assert_eq!(core.snapshot().events.iter().map(|part| part.rows).sum::<u64>(), 60);
    let counts = core.positions().into_values().map(|position| position.counts.lines).sum::<u64>();
    assert_eq!(counts, 60);
}

#[test]
fn a_source_read_while_its_times_proved_nothing_is_looked_into_once_more_and_then_left_alone() {
    let line = r#"{"type":"user","sessionId":"s","uuid":"u","timestamp":"2026-01-02T03:04:05.000Z","message":{"role":"user","content":"Go"}}"#;
    let lines = |home: &Path| {
        let folder = home.join(".claude/projects/-p");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("s.jsonl"), format!("{line}\n")).unwrap();
    };
    let database = |home: &Path| chat(home, "c");
    let kinds: [&dyn Fn(&Path); 2] = [&lines, &database];
    for write in kinds {
        let home = tempfile::tempdir().unwrap();
        let core = reader(home.path());
        let proves_nothing = || core.positions().values().all(|position| position.fingerprint.is_untrusted());
        for attempt in 0.. {
            assert!(attempt < 100, "this machine is too slow to read a file while it is new");
            write(home.path());
            read(&core, home.path());
            if proves_nothing() {
                break;
            }
        }
        let waiting = || {
            let places = Places { os: Os::Linux, home: home.path().into(), env: Default::default() };
            survey(&places, &Scope::default(), &core.positions()).files()
        };
        // A database with a log is not believed for two seconds.
        std::thread::sleep(Duration::from_millis(2_100));
        assert_eq!(waiting(), 1, "its times tell nothing yet");
        read(&core, home.path());
        assert_eq!(waiting(), 0, "that it stands was learnt: {:?}", core.positions());
    }
}
