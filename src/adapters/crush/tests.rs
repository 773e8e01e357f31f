//! Tests of the decoder, on databases of our own and, where it is there, on the corpus.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::adapters::tests::{Decoded, Looks, corpus, database, decode_database, files_below};
use crate::schema::Format;
use crate::watch::Database;

const DB: &str = "/home/u/app/.crush/crush.db";

/// Tables of the first version that both programs share.
const EARLY: &str = "
CREATE TABLE sessions (id TEXT PRIMARY KEY, parent_session_id TEXT, title TEXT NOT NULL,
  message_count INTEGER NOT NULL DEFAULT 0, prompt_tokens INTEGER NOT NULL DEFAULT 0,
  completion_tokens INTEGER NOT NULL DEFAULT 0, cost REAL NOT NULL DEFAULT 0.0,
  updated_at INTEGER NOT NULL, created_at INTEGER NOT NULL);
CREATE TABLE messages (id TEXT PRIMARY KEY, session_id TEXT NOT NULL, role TEXT NOT NULL,
  parts TEXT NOT NULL default '[]', model TEXT, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL,
  finished_at INTEGER);
CREATE INDEX idx_messages_session_id ON messages (session_id);
";

/// What later versions added.
const LATER: &str = "
ALTER TABLE sessions ADD COLUMN summary_message_id TEXT; ALTER TABLE sessions ADD COLUMN todos TEXT;
ALTER TABLE messages ADD COLUMN provider TEXT; ALTER TABLE messages ADD COLUMN is_summary_message INTEGER DEFAULT 0;
CREATE TABLE files (id TEXT PRIMARY KEY, session_id TEXT NOT NULL, path TEXT NOT NULL, content TEXT NOT NULL,
  version INTEGER NOT NULL, created_at INTEGER NOT NULL, updated_at INTEGER NOT NULL);
CREATE TABLE read_files (session_id TEXT, path TEXT, read_at INTEGER);
";

const T: i64 = 1_754_000_000;

fn part(kind: &str, data: Value) -> Value {
    json!({"type": kind, "data": data})
}

fn message(id: &str, role: &str, at: i64, updated: i64, parts: &[Value]) -> String {
    let parts = serde_json::to_string(parts).unwrap().replace('\'', "''");
    let model = if role == "assistant" { "'claude-x'" } else { "''" };
    format!(
        "INSERT OR REPLACE INTO messages (id, session_id, role, parts, model, created_at, updated_at) VALUES \
         ('{id}', 's1', '{role}', '{parts}', {model}, {}, {});",
        T + at,
        T + updated
    )
}

fn session(id: &str, parent: &str, cost: f64, updated: i64) -> String {
    format!(
        "INSERT OR REPLACE INTO sessions (id, parent_session_id, title, message_count, prompt_tokens, completion_tokens, \
         cost, updated_at, created_at) VALUES ('{id}', {parent}, 'A title', 3, 214399, 61, {cost}, {}, {T});",
        T + updated
    )
}

fn finish(reason: &str, at: i64) -> Value {
    part("finish", json!({"reason": reason, "time": if at > 0 { T + at } else { 0 }}))
}

fn text(said: &str) -> Value {
    part("text", json!({"text": said}))
}

fn call(name: &str, input: Value) -> Value {
    part(
        "tool_call",
        json!({"id": format!("call_{name}"), "name": name, "input": input.to_string(), "type": "", "finished": true}),
    )
}

fn result(name: &str, content: &str, metadata: Value) -> Value {
    part(
        "tool_result",
        json!({"tool_call_id": format!("call_{name}"), "name": "", "content": content,
        "metadata": metadata.to_string(), "is_error": false}),
    )
}

fn conversation() -> String {
    let answer = [
        part(
            "reasoning",
            json!({"thinking": "Hm", "signature": "c2VhbGVk", "started_at": T + 2, "finished_at": T + 4}),
        ),
        text("I edit it."),
        call("edit", json!({"file_path": "/home/u/app/a.go", "old_string": "x", "new_string": "y"})),
        call("bash", json!({"command": "go test ./..."})),
        finish("tool_use", 9),
    ];
    let edited = json!({"additions": 2, "removals": 1, "old_content": "OLD FILE", "new_content": "NEW FILE"});
    let ran = json!({"start_time": 1_754_000_010_000i64, "end_time": 1_754_000_010_900i64, "output": "FAIL"});
    [
        session("s1", "NULL", 46.25, 20),
        message("m1", "user", 1, 1, &[text("Fix it"), finish("stop", 0)]),
        message("m2", "assistant", 2, 9, &answer),
        message(
            "m3",
            "tool",
            10,
            10,
            &[result("edit", "File edited", edited), result("bash", "FAIL\nExit code 1", ran), finish("stop", 0)],
        ),
        message("m4", "assistant", 11, 12, &[text("Done."), finish("end_turn", 12)]),
    ]
    .concat()
}

fn decode(sql: &str) -> Decoded {
    let (_folder, path) = database(&format!("{EARLY}{LATER}{sql}"));
    decode_database(Format::CrushStore, &path, DB).0
}

#[test]
fn a_conversation_becomes_rows_and_results_repeat_their_calls() {
    let decoded = decode(&conversation());
    let prompt = decoded.only("user_interaction");
    assert_eq!(
        (&prompt["text"], &prompt["turn"], &prompt["cwd"]),
        (&json!("Fix it"), &json!(1), &json!("/home/u/app"))
    );
    assert_eq!(decoded.only("thinking")["duration_ms"], 2000);
    let answers = decoded.of("llm_response");
    assert_eq!((&answers[0]["text"], &answers[0]["stop_reason"]), (&json!("I edit it."), &json!("tool_use")));
    assert_eq!((&answers[0]["model"], &answers[0]["duration_ms"]), (&json!("claude-x"), &json!(7000)));
    assert_eq!(decoded.only("file_modify")["tool_input"]["old_string"], "x");
    let results = decoded.of("tool_result");
    assert_eq!((&results[0]["tool_name"], &results[0]["file_path"]), (&json!("edit"), &json!("/home/u/app/a.go")));
    assert_eq!((&results[0]["lines_added"], &results[0]["lines_removed"]), (&json!(2), &json!(1)));
    assert_eq!((&results[1]["command"], &results[1]["exit_code"]), (&json!("go test ./..."), &json!(1)));
    assert_eq!(results[1]["duration_ms"], 900);
    assert!(!format!("{:?}", decoded.rows).contains("NEW FILE"), "whole files are no answers");
}

#[test]
fn tokens_of_a_session_are_a_gauge_and_no_usage_and_its_cost_counts_once_as_it_grows() {
    let (_folder, path) = database(&format!("{EARLY}{LATER}{}", conversation()));
    let mut looks = Looks::new(Format::CrushStore, &path, DB);
    looks.look(false);
    // In the same second, and later.
    for (cost, updated) in [(46.5, 20), (47.0, 30)] {
        Connection::open(&path).unwrap().execute_batch(&session("s1", "NULL", cost, updated)).unwrap();
        looks.look(false);
    }
    let events = looks.all.events();
    assert!(events.iter().all(|row| !row.contains_key("total_tokens")));
    let costs: Vec<_> = events.iter().filter_map(|row| row.get("cost_usd_reported")).collect();
    assert_eq!(costs, [&json!("47.000000000")]);
    let start = events.iter().find(|row| row["event_type"] == "session_start").unwrap();
    assert_eq!(start["extra"], json!({"message_count": 3, "prompt_tokens": 214_399, "completion_tokens": 61}));
}

#[test]
fn what_a_sub_agent_cost_is_in_its_parents_cost_and_counts_there_only() {
    let sql = [session("s1", "NULL", 1.0, 10), session("call_1", "'s1'", 0.4, 9)];
    let (_folder, path) = database(&[EARLY, LATER, &sql.concat()].concat());
    let (decoded, _) = decode_database(Format::CrushStore, &path, DB);
    let starts = decoded.of("session_start");
    assert_eq!(starts[0]["cost_usd_reported"], "1.000000000");
    assert!(!starts[1].contains_key("cost_usd_reported"));
    assert_eq!((&starts[1]["extra"]["cost"], &starts[1]["parent_session_id"]), (&json!(0.4), &json!("s1")));
}

#[test]
fn times_are_seconds_or_milliseconds_by_their_size() {
    let sql = [
        conversation(),
        "INSERT INTO messages (id, session_id, role, parts, created_at, updated_at) VALUES \
         ('m9', 's1', 'user', '[{\"type\":\"text\",\"data\":{\"text\":\"later\"}}]', 1754000099000, 1754000099000);"
            .to_owned(),
    ];
    let decoded = decode(&sql.concat());
    let times: Vec<_> = decoded.of("user_interaction").iter().map(|row| row["ts"].as_i64().unwrap()).collect();
    assert_eq!(times, [(T + 1) * 1_000_000, (T + 99) * 1_000_000]);
}

#[test]
fn rows_that_are_only_in_the_log_beside_the_database_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crush.db");
    let writer = Connection::open(&path).unwrap();
    let sql = format!("PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; {EARLY}{}", conversation());
    writer.execute_batch(&sql).unwrap();
    // A copy of the file and its log, as a program that was killed leaves them.
    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    std::fs::copy(folder.path().join("crush.db-wal"), folder.path().join("copy.db-wal")).unwrap();
    let main = std::fs::read(&copy).unwrap();
    assert!(memchr::memmem::find(&main, b"CREATE TABLE").is_none(), "the main file has no tables");
    let (decoded, _) = decode_database(Format::CrushStore, &copy, DB);
    assert_eq!(decoded.of("llm_response").len(), 2);
}

#[test]
fn an_answer_that_streams_is_provisional_until_it_finishes_or_another_message_comes() {
    let (_folder, path) = database(&format!("{EARLY}{LATER}{}", session("s1", "NULL", 0.0, 0)));
    let run = |sql: String| Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
    let mut looks = Looks::new(Format::CrushStore, &path, DB);
    run(message("m1", "user", 1, 1, &[text("Go"), finish("stop", 0)]));
    run(message("m2", "assistant", 2, 2, &[text("I w")]));
    let first = looks.look(false);
    assert_eq!(first.provisional.iter().map(|row| row["text"].clone()).collect::<Vec<_>>(), ["I w"]);
    looks.look(true);
    run(message(
        "m2",
        "assistant",
        2,
        2,
        &[text("I write."), call("write", json!({"file_path": "a", "content": "b"})), finish("tool_use", 2)],
    ));
    run(message("m3", "tool", 3, 3, &[result("write", "ok", json!({}))]));
    looks.look(false);
    let (whole, _) = decode_database(Format::CrushStore, &path, DB);
    let sorted = |decoded: &Decoded| {
        let mut all: Vec<String> =
            decoded.events().into_iter().map(|row| serde_json::to_string(row).unwrap()).collect();
        all.sort();
        all
    };
    assert_eq!(sorted(&looks.all), sorted(&whole));
    assert_eq!(whole.only("tool_result")["file_path"], "a");
    assert!(looks.look(false).records <= 4);
}

#[test]
fn a_result_that_comes_in_a_later_look_still_names_its_tool() {
    let (_folder, path) = database(&format!("{EARLY}{}", session("s1", "NULL", 0.0, 0)));
    let run = |sql: String| Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
    let mut looks = Looks::new(Format::OpencodeGoStore, &path, "/p/.opencode/opencode.db");
    run(message("m2", "assistant", 2, 2, &[call("bash", json!({"command": "ls"})), finish("tool_use", 2)]));
    looks.look(false);
    run(message("m3", "tool", 300, 300, &[result("bash", "a", json!({}))]));
    looks.look(false);
    let result = looks.all.only("tool_result");
    assert_eq!(
        (&result["tool_name"], &result["command"], &result["agent"]),
        (&json!("bash"), &json!("ls"), &json!("opencode-go"))
    );
    assert_eq!(result["cwd"], "/p");
}

#[test]
fn child_sessions_errors_and_every_other_part_have_their_rows() {
    let image = "QUJD".repeat(64);
    let sql = [
        session("s1", "'s0'", 0.0, 0),
        message("m1", "user", 1, 1, &[
            text("See"),
            part("text", json!({"text": "go on", "hidden": true})),
            part("binary", json!({"Path": "/a.png", "MIMEType": "image/png", "Data": image})),
            part("image_url", json!({"url": "https://x/y.png"})),
            part("shell_command", json!({"command": "ls", "output": "a", "exit_code": 2})),
            part("hologram", json!({"beam": 1})),
        ]),
        message("m2", "assistant", 2, 2, &[part("finish", json!({"reason": "error", "time": T + 3, "message": "Overloaded", "details": "529"}))]),
        message("m3", "assistant", 3, 3, &[finish("canceled", 4)]),
        message("m4", "assistant", 4, 4, &[finish("permission_denied", 4)]),
        message("m5", "assistant", 5, 5, &[part("tool_call", json!({"id": "c", "name": "bash", "input": "{\"comm", "finished": false}))]),
        "UPDATE messages SET is_summary_message = 1 WHERE id = 'm4'; INSERT INTO files VALUES ('f1', 's1', '/a.go', 'package a', 3, 1754000000, 1754000000);".to_owned(),
    ];
    let decoded = decode(&sql.concat());
    assert_eq!(
        (&decoded.only("user_interaction")["text"], &decoded.only("user_interaction")["parent_session_id"]),
        (&json!("See"), &json!("s0"))
    );
    let attachments = decoded.of("attachment");
    assert_eq!((&attachments[0]["text"], &attachments[1]["extra"]["Data"]["bytes"]), (&json!("go on"), &json!(192)));
    assert_eq!(
        (&attachments[1]["file_path"], &attachments[2]["extra"]["url"]),
        (&json!("/a.png"), &json!("https://x/y.png"))
    );
    assert_eq!(decoded.only("tool_result")["exit_code"], 2);
    assert_eq!(decoded.only("unknown")["extra"]["data"]["beam"], 1);
    assert_eq!(decoded.only("error_encountered")["text"], "Overloaded\n529");
    let answers = decoded.of("llm_response");
    assert!(!answers[0].contains_key("is_error"), "a failed step is one error");
    assert_eq!(answers[0]["status"], "failed");
    assert_eq!((&answers[1]["status"], &answers[2]["status"]), (&json!("cancelled"), &json!("denied")));
    assert_eq!(answers[2]["extra"]["is_summary_message"], true);
    let commands = decoded.of("command_execution");
    assert_eq!((&commands[1]["extra"]["raw_input"], &commands[1]["status"]), (&json!("{\"comm"), &json!("running")));
    let file = decoded.only("snapshot");
    assert_eq!((&file["file_path"], &file["extra"]), (&json!("/a.go"), &json!({"version": 3, "characters": 9})));
    assert_eq!(decoded.only("session_start")["is_subagent"], true);
}

#[test]
fn broken_parts_are_rejects_and_foreign_tables_are_refused() {
    let sql = "INSERT INTO messages (id, session_id, role, parts, created_at, updated_at) VALUES \
               ('a', 's', 'user', '[{', 1, 1), ('b', 's', 'user', '{}', 1, 1), ('', 's', 'user', '[]', 1, 1), \
               ('d', 's', 'wizard', '[]', 'x', NULLIF('z', 'y')), ('e', 's', 'tool', '[]', 1, 1);";
    let decoded = decode(sql);
    assert_eq!(decoded.rejects, ["not_json", "wrong_shape", "wrong_shape"]);
    assert_eq!(decoded.only("unknown")["role"], "wizard");
    let (_folder, path) = database("CREATE TABLE sessions (id TEXT)");
    let tables = Database::open(&path, Format::CrushStore).unwrap().tables().unwrap();
    let mut decoder = super::database(Format::CrushStore, Default::default()).unwrap();
    assert!(decoder.queries(&tables).unwrap_err().detail.contains("`sessions` and `messages`"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_parts_panic(parts in "[a-z0-9\"{}:\\[\\],]{0,60}", at in 0usize..600, byte in 0x20u8..0x7f, role in 0usize..4) {
        let (_folder, path) = database(&format!("{EARLY}{LATER}{}", conversation()));
        let connection = Connection::open(&path).unwrap();
        let role = ["user", "assistant", "tool", ""][role];
        let insert = "INSERT INTO messages (id, session_id, role, parts, created_at, updated_at) VALUES (?1, 's1', ?2, ?3, 1, 1)";
        connection.execute(insert, ["p", role, &parts]).unwrap();
        let known: String = connection.query_row("SELECT parts FROM messages WHERE id = 'm2'", [], |row| row.get(0)).unwrap();
        let mut bytes = known.into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        connection.execute(insert, ["q", role, &String::from_utf8_lossy(&bytes)]).unwrap();
        decode_database(Format::CrushStore, &path, DB);
    }
}

/// Copies a database and its log to where they may be opened.
fn copied(path: &Path, folder: &Path) -> PathBuf {
    let to = folder.join("copy.db");
    for suffix in ["", "-wal"] {
        let named = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
        if named(path).is_file() {
            std::fs::write(named(&to), std::fs::read(named(path)).unwrap()).unwrap();
        }
    }
    to
}

#[test]
fn every_database_of_the_corpus_agrees_with_an_independent_count() {
    let Some(folder) = corpus("crush-and-opencode-go") else { return };
    let databases: Vec<_> =
        files_below(&folder).into_iter().filter(|p| p.extension().is_some_and(|e| e == "db")).collect();
    assert!(!databases.is_empty());
    let mut messages = 0;
    for original in databases {
        let scratch = tempfile::tempdir().unwrap();
        let path = copied(&original, scratch.path());
        let shown = original.to_string_lossy();
        let (decoded, _) = decode_database(Format::OpencodeGoStore, &path, &shown);
        let connection = Connection::open(&path).unwrap();
        let mut statement = connection.prepare("SELECT role, parts FROM messages").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
        let (mut prompts, mut answers, mut calls, mut results) = (0, 0, 0, 0);
        for (role, parts) in rows.map(Result::unwrap) {
            let parts: Vec<Value> = serde_json::from_str(&parts).unwrap();
            let count = |kind: &str| parts.iter().filter(|part| part["type"] == kind).count();
            prompts += usize::from(role == "user" && count("text") > 0);
            answers += usize::from(role == "assistant");
            calls += count("tool_call");
            results += count("tool_result");
            messages += 1;
        }
        assert!(decoded.rejects.is_empty() && decoded.of("unknown").is_empty());
        assert_eq!(decoded.of("user_interaction").len(), prompts);
        assert_eq!(decoded.of("llm_response").len(), answers);
        let kinds = ["command_execution", "file_read", "file_write", "file_modify", "tool_use"];
        assert_eq!(kinds.iter().map(|kind| decoded.of(kind).len()).sum::<usize>(), calls);
        assert_eq!(decoded.of("tool_result").len(), results);
        assert!(
            decoded.of("tool_result").iter().all(|row| row.contains_key("tool_name")),
            "every result found its call"
        );
        assert_eq!(decoded.events().len(), decoded.rows.len(), "no two records make the same event");
    }
    assert!(messages > 400);
}

#[test]
fn calls_of_one_answer_with_one_id_are_as_many_as_they_are_with_their_own_results() {
    let view = |path: &str| {
        part(
            "tool_call",
            json!({"id": "call_0", "name": "view", "input": json!({"file_path": path}).to_string(), "finished": true}),
        )
    };
    let seen = |content: &str, failed: bool| {
        part(
            "tool_result",
            json!({"tool_call_id": "call_0", "name": "", "content": content, "metadata": "", "is_error": failed}),
        )
    };
    let asked = message("m2", "assistant", 2, 2, &[view("/a"), view("/b"), view("/b"), finish("tool_use", 3)]);
    let together = message("m3", "tool", 4, 4, &[seen("a", false), seen("no", true), seen("none", true)]);
    let apart = [("m3", seen("a", false)), ("m4", seen("no", true)), ("m5", seen("none", true))];
    let apart = apart.map(|(id, part)| message(id, "tool", 4, 4, &[part])).concat();
    for answers in [together, apart] {
        let sql = [
            EARLY,
            LATER,
            &session("s1", "NULL", 0.1, 9),
            &message("m1", "user", 1, 1, &[text("both")]),
            &asked,
            &answers,
        ];
        let (_folder, path) = database(&sql.concat());
        let (decoded, _) = decode_database(Format::CrushStore, &path, DB);
        let events = decoded.events();
        let of = |kind: &str, column: &str| -> Vec<Value> {
            events.iter().filter(|row| row["event_type"] == kind).map(|row| row[column].clone()).collect()
        };
        assert_eq!(of("file_read", "file_path"), ["/a", "/b", "/b"]);
        assert_eq!(of("tool_result", "is_error"), [json!(false), json!(true), json!(true)]);
        assert_eq!(of("tool_result", "file_path"), ["/a", "/b", "/b"]);
        assert_eq!(of("tool_result", "tool_call_id"), of("file_read", "tool_call_id"), "each result is its call's");
    }
}
