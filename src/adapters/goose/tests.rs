//! Tests of the decoders, on databases and lines of our own.

use proptest::prelude::*;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::adapters::tests::{Decoded, Looks, database, decode, decode_database, resumes_anywhere};
use crate::schema::Format;
use crate::watch::Database;

const DB: &str = "/home/u/.local/share/goose/sessions/sessions.db";
const FILE: &str = "/home/u/.local/share/goose/sessions/20250901_101500.jsonl";

/// Tables as 1.10 made them.
const EARLY: &str = "
CREATE TABLE schema_version (version INTEGER PRIMARY KEY, applied_at TIMESTAMP);
CREATE TABLE sessions (id TEXT PRIMARY KEY, description TEXT NOT NULL DEFAULT '', working_dir TEXT NOT NULL,
  created_at TIMESTAMP, updated_at TIMESTAMP, extension_data TEXT DEFAULT '{}', total_tokens INTEGER,
  input_tokens INTEGER, output_tokens INTEGER, accumulated_total_tokens INTEGER, accumulated_input_tokens INTEGER,
  accumulated_output_tokens INTEGER, schedule_id TEXT, recipe_json TEXT);
CREATE TABLE messages (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, role TEXT NOT NULL,
  content_json TEXT NOT NULL, created_timestamp INTEGER NOT NULL, timestamp TIMESTAMP, tokens INTEGER);
";

/// What later versions added.
const LATER: &str = "
ALTER TABLE messages ADD COLUMN metadata_json TEXT; ALTER TABLE messages ADD COLUMN message_id TEXT;
ALTER TABLE sessions ADD COLUMN name TEXT DEFAULT ''; ALTER TABLE sessions ADD COLUMN session_type TEXT DEFAULT 'user';
ALTER TABLE sessions ADD COLUMN provider_name TEXT; ALTER TABLE sessions ADD COLUMN model_config_json TEXT;
ALTER TABLE sessions ADD COLUMN parent_session_id TEXT;
CREATE TABLE usage_ledger (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL, created_timestamp INTEGER,
  model TEXT, input_tokens INTEGER, output_tokens INTEGER, total_tokens INTEGER, cache_read_tokens INTEGER,
  cache_write_tokens INTEGER, cost REAL, cost_source TEXT, is_compaction INTEGER);
";

const T: i64 = 1_756_720_000;

fn message(role: &str, at: i64, content: &Value) -> String {
    let content = content.to_string().replace('\'', "''");
    let at = T + at;
    format!(
        "INSERT INTO messages (session_id, role, content_json, created_timestamp) VALUES ('20250901_101500', '{role}', '{content}', {at});"
    )
}

fn said(text: &str) -> Value {
    json!([{"type": "text", "text": text}])
}

fn asked() -> Value {
    json!([{"type": "thinking", "thinking": "Hm", "signature": "c2VhbGVk"}, {"type": "text", "text": "I look."},
        {"type": "toolRequest", "id": "call_1", "toolCall": {"status": "success",
            "value": {"name": "developer__shell", "arguments": {"command": "ls"}}}}])
}

fn answered() -> Value {
    json!([{"type": "toolResponse", "id": "call_1", "toolResult": {"status": "success", "value": [
        {"type": "text", "text": "a.rs", "annotations": {"audience": ["assistant"]}},
        {"type": "text", "text": "a.rs", "annotations": {"audience": ["user"]}}]}}])
}

fn session(accumulated: &str) -> String {
    format!(
        "INSERT INTO sessions (id, description, working_dir, created_at, updated_at, accumulated_input_tokens, \
         accumulated_output_tokens, accumulated_total_tokens) VALUES ('20250901_101500', 'A title', '/home/u/app', \
         '2025-09-01 10:15:00', '2025-09-01 10:20:00', {accumulated});"
    )
}

fn conversation() -> String {
    [
        message("user", 1, &said("List it")),
        message("assistant", 2, &asked()),
        message("user", 3, &answered()),
        message("assistant", 4, &said("One file.")),
    ]
    .concat()
}

fn store(sql: &str) -> Decoded {
    let (_folder, path) = database(&format!("{EARLY}{LATER}{sql}"));
    decode_database(Format::GooseStore, &path, DB).0
}

/// The same conversation as lines.
fn lines() -> String {
    let line = |role: &str, at: i64, content: &Value| {
        json!({"role": role, "created": T + at, "content": content}).to_string() + "\n"
    };
    let head = json!({"working_dir": "/home/u/app", "description": "A title", "message_count": 4, "total_tokens": 50,
        "accumulated_total_tokens": 110, "accumulated_input_tokens": 100, "accumulated_output_tokens": 10});
    [
        head.to_string() + "\n",
        line("user", 1, &said("List it")),
        line("assistant", 2, &asked()),
        line("user", 3, &answered()),
        line("assistant", 4, &said("One file.")),
    ]
    .concat()
}

#[test]
fn a_conversation_becomes_rows_the_same_in_lines_and_database() {
    let (store, lines) = (
        store(&[session("100, 10, 110"), conversation()].concat()),
        decode(Format::GooseSession, FILE, lines().as_bytes()),
    );
    for decoded in [&store, &lines] {
        assert!(decoded.rejects.is_empty());
        let prompt = decoded.only("user_interaction");
        assert_eq!(
            (&prompt["text"], &prompt["turn"], &prompt["cwd"]),
            (&json!("List it"), &json!(1), &json!("/home/u/app"))
        );
        assert_eq!(prompt["ts"], (T + 1) * 1_000_000);
        assert_eq!(
            decoded.of("llm_response").iter().map(|row| row["text"].clone()).collect::<Vec<_>>(),
            ["I look.", "One file."]
        );
        assert_eq!(decoded.only("thinking")["text"], "Hm");
        assert_eq!(decoded.only("command_execution")["command"], "ls");
        let result = decoded.only("tool_result");
        assert_eq!(
            (&result["tool_output"], &result["command"], &result["is_error"]),
            (&json!("a.rs"), &json!("ls"), &json!(false))
        );
        assert_eq!(decoded.only("title")["text"], "A title");
        let total = decoded.only("system");
        assert_eq!((&total["total_tokens"], &total["usage_source"]), (&json!(110), &json!("derived")));
    }
    let (mut own, mut other) = (store.ids(), lines.ids());
    own.sort();
    other.sort();
    assert_eq!(own, other, "the files that the database took over make no event twice");
    assert!(store.rows.iter().all(|row| lines.rows.iter().all(|line| {
        line["event_id"] != row["event_id"] || row["completeness"].as_i64() > line["completeness"].as_i64()
    })));
}

#[test]
fn lines_resume_after_any_of_them() {
    resumes_anywhere(Format::GooseSession, FILE, lines().as_bytes());
}

#[test]
fn each_request_of_the_ledger_counts_once_and_what_it_carries_forward_is_the_total_before_it() {
    let (_folder, path) = database(&[EARLY, LATER, &session("1000, 100, 1100"), &conversation()].concat());
    let mut looks = Looks::new(Format::GooseStore, &path, DB);
    looks.look(false);
    assert_eq!(looks.all.sum("total_tokens"), 1100);
    let ledger = format!(
        "INSERT INTO usage_ledger (session_id, created_timestamp, model, input_tokens, output_tokens, total_tokens, \
         cache_read_tokens, cache_write_tokens, cost, cost_source) VALUES \
         ('20250901_101500', {T}, 'm', 1000, 100, 1100, NULL, NULL, 0.1, 'carried_forward'), \
         ('20250901_101500', {}, 'claude-x', 500, 50, 550, 300, 100, 0.02, 'provider_reported'), \
         ('20250901_101500', {}, 'claude-x', 10, 5, 415, 300, 100, 0.01, 'estimated'); \
         UPDATE sessions SET updated_at = '2025-09-01 11:00:00', accumulated_input_tokens = 1510;",
        T + 10,
        T + 11
    );
    Connection::open(&path).unwrap().execute_batch(&ledger).unwrap();
    looks.look(false);
    assert_eq!(looks.all.sum("total_tokens"), 1100 + 550 + 415);
    let events = looks.all.events();
    let requests: Vec<_> = events.iter().filter(|row| row.contains_key("usage_source")).collect();
    let calls = requests.iter().filter(|row| row["event_type"] == "llm_request").count();
    assert_eq!(calls, 2, "the total before is no call");
    let fresh: Vec<_> = requests.iter().map(|row| row["input_tokens"].as_i64().unwrap()).collect();
    assert_eq!(fresh, [1000, 100, 10], "cached input is part of the input unless the total counts it beside");
    assert_eq!(requests[1]["cost_usd_reported"], "0.020000000");
    assert_eq!(requests[2]["extra"]["cost_source"], "estimated");
    assert_eq!(looks.look(false).records, 1, "only the session of the last second comes again");
}

#[test]
fn a_history_that_is_written_anew_keeps_its_events() {
    let (_folder, path) = database(&[EARLY, LATER, &session("NULL, NULL, NULL"), &conversation()].concat());
    let mut looks = Looks::new(Format::GooseStore, &path, DB);
    looks.look(false);
    let before = looks.all.events().len();
    let again = ["DELETE FROM messages;", &conversation(), &message("user", 9, &said("And now?"))].concat();
    Connection::open(&path).unwrap().execute_batch(&again).unwrap();
    looks.look(false);
    assert_eq!(looks.all.events().len(), before + 1);
    assert_eq!(looks.all.of("user_interaction").last().unwrap()["turn"], 2);
}

#[test]
fn a_result_in_a_later_look_names_its_tool() {
    let (_folder, path) = database(&[EARLY, &session("NULL, NULL, NULL"), &message("assistant", 2, &asked())].concat());
    let mut looks = Looks::new(Format::GooseStore, &path, DB);
    looks.look(false);
    Connection::open(&path).unwrap().execute_batch(&message("user", 3, &answered())).unwrap();
    looks.look(false);
    assert_eq!(looks.all.only("tool_result")["tool_name"], "developer__shell");
}

#[test]
fn every_other_kind_of_content_has_a_row() {
    let content = json!([
        {"type": "image", "data": "QUJD".repeat(64), "mimeType": "image/png"},
        {"type": "toolConfirmationRequest", "id": "c", "toolName": "x", "prompt": "Sure?"},
        {"type": "systemNotification", "notificationType": "inlineMessage", "msg": "Compacting"},
        {"type": "contextLengthExceeded", "msg": "too long"},
        {"type": "redactedThinking", "data": "zzz"},
        {"type": "hologram", "beam": 1}]);
    let failed = json!([{"type": "toolResponse", "id": "call_9", "toolResult": {"status": "error", "error": "denied"}},
        {"type": "toolResponse", "id": "call_8", "toolResult": {"status": "success", "value": {"isError": true, "content": [
            {"type": "text", "text": "bad"}, {"type": "image", "data": "QUJD".repeat(64), "mimeType": "image/png"}]}}}]);
    let broken =
        json!([{"type": "toolRequest", "id": "call_7", "toolCall": {"status": "error", "error": "no such tool"}}]);
    let sql = [
        message("assistant", 1, &content),
        message("user", 2, &failed),
        message("assistant", 3, &broken),
        format!(
            "INSERT INTO messages (session_id, role, content_json, created_timestamp, metadata_json) VALUES \
             ('20250901_101500', 'user', '{}', {T}, '{{\"userVisible\":false,\"agentVisible\":true}}');",
            said("A summary")
        ),
    ];
    let decoded = store(&sql.concat());
    let attachments = decoded.of("attachment");
    assert_eq!(attachments[0]["extra"]["data"]["bytes"], 192);
    assert_eq!(attachments[1]["text"], "A summary", "what only the model sees is nobody's prompt");
    assert_eq!(decoded.of("system").iter().map(|row| row["text"].clone()).collect::<Vec<_>>(), ["Sure?", "Compacting"]);
    assert_eq!(decoded.only("compaction")["text"], "too long");
    assert_eq!(decoded.only("unknown")["extra"]["beam"], 1);
    let results = decoded.of("tool_result");
    assert_eq!((&results[0]["tool_output"], &results[0]["is_error"]), (&json!("denied"), &json!(true)));
    assert_eq!((&results[1]["tool_output"], &results[1]["is_error"]), (&json!("bad"), &json!(true)));
    assert_eq!(decoded.only("tool_use")["extra"]["error"], "no such tool");
}

#[test]
fn a_sub_agents_session_and_its_model_are_known() {
    let sql = "INSERT INTO sessions (id, description, working_dir, created_at, updated_at, session_type, provider_name, \
               model_config_json, parent_session_id, name) VALUES ('20250901_101500', '', '/p', '2025-09-01 10:15:00', \
               '2025-09-01T10:20:00Z', 'sub_agent', 'anthropic', '{\"model_name\":\"claude-x\"}', '20250901_1', 'Sub');";
    let decoded = store(&[sql.to_owned(), conversation()].concat());
    let answer = decoded.of("llm_response")[0];
    assert_eq!((&answer["model"], &answer["provider"]), (&json!("claude-x"), &json!("anthropic")));
    assert_eq!((&answer["parent_session_id"], &answer["is_subagent"]), (&json!("20250901_1"), &json!(true)));
    assert_eq!(decoded.only("title")["text"], "Sub");
}

#[test]
fn bad_records_are_rejects_and_foreign_tables_are_refused() {
    let sql = "INSERT INTO messages (session_id, role, content_json, created_timestamp) VALUES ('s', 'user', '[{', 1), \
               ('s', 'user', '{}', 1), ('s', 'user', '[]', 1);";
    assert_eq!(store(sql).rejects, ["not_json", "wrong_shape"]);
    let decoded = decode(Format::GooseSession, FILE, b"{\"working_dir\":\"/p\"}\n{\"ro\n[]\n{\"x\":1}\n\n");
    assert_eq!(decoded.rejects, ["not_json", "wrong_shape"]);
    assert_eq!((decoded.only("unknown")["extra"].clone(), decoded.counts.ignored), (json!({"x": 1}), 1));
    let (_folder, path) = database("CREATE TABLE sessions (id TEXT)");
    let tables = Database::open(&path, Format::GooseStore).unwrap().tables().unwrap();
    let mut decoder = super::database(Format::GooseStore, Default::default()).unwrap();
    assert!(decoder.queries(&tables).unwrap_err().detail.contains("`sessions` and `messages`"));
}

#[test]
fn what_a_session_took_before_its_ledger_began_is_not_counted_beside_it() {
    let (_folder, path) = database(&[EARLY, LATER, &session("100, 10, 110")].concat());
    let mut looks = Looks::new(Format::GooseStore, &path, DB);
    looks.look(false);
    assert_eq!(looks.all.sum("total_tokens"), 110);
    let ledger = format!(
        "INSERT INTO usage_ledger (session_id, created_timestamp, model, input_tokens, output_tokens, cost_source) VALUES \
         ('20250901_101500', {T}, 'm', 100, 10, 'provider_reported'); UPDATE sessions SET updated_at = '2025-09-01 11:00:00';"
    );
    Connection::open(&path).unwrap().execute_batch(&ledger).unwrap();
    looks.look(false);
    assert_eq!(looks.all.sum("total_tokens"), 110);
    let (whole, _) = decode_database(Format::GooseStore, &path, DB);
    assert_eq!(whole.sum("total_tokens"), 110);
}

#[test]
fn another_database_copied_over_this_one_is_read_from_its_beginning() {
    let fill = |session: &str| {
        let ledger = "INSERT INTO usage_ledger (session_id, created_timestamp, model, input_tokens, output_tokens) VALUES \
                      ('20250901_101500', 1, 'm', 10, 5);";
        [&conversation(), ledger].concat().replace("20250901_101500", session)
    };
    let (_folder, path) = database(&[EARLY, LATER, &fill("A"), &fill("A")].concat());
    let (_other, copy) = database(&[EARLY, LATER, &fill("B")].concat());
    let mut looks = Looks::new(Format::GooseStore, &path, DB);
    looks.look(false);
    let before = looks.all.rows.len();
    // The same file, with fewer rows in it.
    std::fs::write(&path, std::fs::read(copy).unwrap()).unwrap();
    looks.look(false);
    let more = &looks.all.rows[before..];
    assert!(!more.is_empty() && more.iter().all(|row| row["session_id"] == "B"));
    assert_eq!(
        looks.all.events().iter().filter(|row| row["session_id"] == "B" && row.contains_key("total_tokens")).count(),
        1
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_mutated_line_panics(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = lines().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        decode(Format::GooseSession, FILE, &bytes);
    }

    #[test]
    fn no_content_panics(content in "[a-z0-9\"{}:\\[\\],]{0,60}", time in any::<i64>()) {
        let (_folder, path) = database(&[EARLY, LATER].concat());
        let connection = Connection::open(&path).unwrap();
        let sql = "INSERT INTO messages (session_id, role, content_json, created_timestamp, metadata_json) VALUES ('s', 'user', ?1, ?2, ?1)";
        connection.execute(sql, rusqlite::params![content, time]).unwrap();
        let sql = "INSERT INTO usage_ledger (session_id, created_timestamp, input_tokens, output_tokens, cache_read_tokens) VALUES ('s', ?1, ?1, ?1, ?1)";
        connection.execute(sql, rusqlite::params![time]).unwrap();
        decode_database(Format::GooseStore, &path, DB);
    }
}
