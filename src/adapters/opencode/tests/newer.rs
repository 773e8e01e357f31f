//! The tables of OpenCode 2, alone and beside those of 1.x.

use rusqlite::Connection;
use serde_json::{Value, json};

use super::{SCHEMA, T, conversation, quoted};
use crate::adapters::tests::{Decoded, Looks, database, decode_database};
use crate::schema::Format;

const DB: &str = "/home/u/.local/share/opencode/opencode.db";

/// Tables as version 2.0 makes them.
const SCHEMA_2: &str = "
CREATE TABLE IF NOT EXISTS project (id text PRIMARY KEY, worktree text NOT NULL, vcs text, name text);
CREATE TABLE session_v2 (id text PRIMARY KEY, project_id text NOT NULL, workspace_id text, parent_id text,
  fork_session_id text, fork_boundary text, slug text NOT NULL, directory text NOT NULL, path text, title text,
  version text NOT NULL, share_url text, metadata text, cost real DEFAULT 0 NOT NULL,
  tokens_input integer DEFAULT 0 NOT NULL, tokens_output integer DEFAULT 0 NOT NULL, revert text, agent text, model text,
  time_created integer NOT NULL, time_updated integer NOT NULL, time_idle integer);
CREATE TABLE session_message (id text PRIMARY KEY, session_id text NOT NULL, type text NOT NULL, seq integer NOT NULL,
  time_created integer NOT NULL, time_updated integer NOT NULL, data text NOT NULL);
CREATE TABLE session_pending (id text PRIMARY KEY, data text);
CREATE INDEX session_message_session_seq_idx ON session_message (session_id, seq);
";

fn session(id: &str, parent: Option<&str>, fork: Option<&str>, at: i64) -> String {
    let or_null = |id: Option<&str>| id.map_or("NULL".to_owned(), quoted);
    format!(
        "INSERT INTO session_v2 (id, project_id, parent_id, fork_session_id, slug, directory, title, version, cost, \
         tokens_input, model, time_created, time_updated) VALUES ('{id}', '0123abc', {}, {}, 'swift-owl', '/home/u/app', \
         'New title', '2.0.9', 0.5, 11, '{{\"id\":\"big\",\"providerID\":\"p\"}}', {}, {});",
        or_null(parent),
        or_null(fork),
        T + at,
        T + at + 1,
    )
}

fn message(id: &str, session: &str, kind: &str, seq: i64, data: &Value) -> String {
    let created = data["time"]["created"].as_i64().unwrap();
    let changed = data["time"]["completed"].as_i64().unwrap_or(created);
    let data = quoted(&data.to_string());
    format!(
        "INSERT OR REPLACE INTO session_message VALUES ('{id}', '{session}', '{kind}', {seq}, {created}, {changed}, {data});"
    )
}

fn prompt(at: i64, text: &str) -> Value {
    json!({"text": text, "files": [{"name": "a.rs", "uri": "file:///home/u/app/a.rs", "mime": "text/plain"}],
        "time": {"created": T + at}})
}

fn answer(at: i64, done: bool, content: &Value) -> Value {
    let mut message = json!({"agent": "build", "model": {"id": "claude-y", "providerID": "anthropic", "variant": "high"},
        "content": content, "snapshot": {"start": "tree1"}, "time": {"created": T + at}});
    if done {
        message["time"]["completed"] = json!(T + at + 90);
        message["finish"] = json!("stop");
        message["cost"] = json!(0.25);
        message["tokens"] = json!({"input": 10, "output": 20, "reasoning": 5, "cache": {"read": 100, "write": 7}});
    }
    message
}

/// A call as it stands in `content`.
fn call(id: &str, status: &str) -> Value {
    let state = match status {
        "completed" => json!({"status": status, "input": {"command": "cargo test"}, "metadata": {"exit": 1},
            "content": [{"type": "text", "text": "1 failed"}, {"type": "text", "text": "see above"}]}),
        "error" => json!({"status": status, "input": {"command": "cargo test"},
            "error": {"type": "tool.execution", "message": "not allowed"}}),
        _ => json!({"status": status, "input": {"command": "cargo test"}, "metadata": {}}),
    };
    json!({"type": "tool", "id": id, "name": "bash", "executed": true, "state": state, "native": {"sealed": "c2Vj"},
        "time": {"created": T + 30, "ran": T + 40, "completed": T + 90}})
}

fn conversation_2() -> String {
    let said = json!([{"type": "reasoning", "text": "Let me see", "native": {"sealed": "c2Vj"}}, call("call_1", "completed"),
        call("call_1", "error"), {"type": "text", "text": "One failed."}]);
    [
        session("ses_n", None, None, 1000),
        message("msg_n1", "ses_n", "user", 1, &prompt(1010, "Run it")),
        message("msg_n2", "ses_n", "assistant", 2, &answer(1020, true, &said)),
        message("msg_n3", "ses_n", "idle", 3, &json!({"outcome": "succeeded", "time": {"created": T + 1200}})),
    ]
    .concat()
}

fn decode(sql: &[&str]) -> Decoded {
    let (_folder, path) = database(&sql.concat());
    decode_database(Format::OpencodeStore, &path, DB).0
}

fn answers(decoded: &Decoded) -> Vec<&str> {
    decoded.of("llm_response").iter().map(|row| row["message_id"].as_str().unwrap()).collect()
}

#[test]
fn a_message_of_the_new_tables_makes_the_rows_that_one_of_the_old_made() {
    let decoded = decode(&[SCHEMA_2, &conversation_2()]);
    assert!(decoded.rejects.is_empty());
    let said = decoded.only("user_interaction");
    assert_eq!((&said["text"], &said["turn"], &said["cwd"]), (&json!("Run it"), &json!(1), &json!("/home/u/app")));
    assert_eq!(decoded.only("attachment")["file_path"], "a.rs");
    let row = decoded.only("llm_response");
    let tokens = ["input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "output_tokens", "reasoning_tokens"];
    assert_eq!(tokens.map(|name| row[name].as_i64().unwrap()), [10, 100, 7, 25, 5]);
    assert_eq!(
        (&row["model"], &row["provider"], &row["text"]),
        (&json!("claude-y"), &json!("anthropic"), &json!("One failed."))
    );
    assert_eq!(
        (&row["cost_usd_reported"], &row["stop_reason"], &row["duration_ms"]),
        (&json!("0.250000000"), &json!("stop"), &json!(90))
    );
    assert_eq!(
        (&row["turn"], &row["extra"]["variant"], &row["agent_version"]),
        (&json!(1), &json!("high"), &json!("2.0.9"))
    );
    assert_eq!(decoded.only("thinking")["text"], "Let me see");
    let [ran, failed] = decoded.of("tool_result")[..] else { panic!("two calls with one id are two") };
    assert_eq!(
        (&ran["tool_output"], &ran["exit_code"], &ran["command"]),
        (&json!("1 failed\nsee above"), &json!(1), &json!("cargo test"))
    );
    assert_eq!((&ran["duration_ms"], &ran["tool_name"]), (&json!(50), &json!("bash")));
    assert_eq!((&failed["tool_output"], &failed["is_error"]), (&json!("not allowed"), &json!(true)));
    assert_eq!((decoded.of("command_execution").len(), decoded.of("unknown").len()), (2, 0));
    assert_eq!(decoded.only("title")["text"], "New title");
    assert_eq!(decoded.sum("total_tokens"), 142, "the session's totals are not counted");
    assert!(!format!("{:?}", decoded.rows).contains("c2Vj"));
}

#[test]
fn both_generations_are_read_in_each_of_the_programs() {
    let sql = [SCHEMA, SCHEMA_2, &conversation(), &conversation_2()].concat();
    let (_folder, path) = database(&sql);
    for (format, name) in
        [(Format::OpencodeStore, "opencode"), (Format::KiloStore, "kilo"), (Format::MimoStore, "mimo")]
    {
        let (decoded, _) = decode_database(format, &path, &format!("/h/{name}.db"));
        assert_eq!((answers(&decoded), decoded.sum("total_tokens")), (vec!["msg_2", "msg_n2"], 1115 + 142), "{name}");
        assert!(decoded.rejects.is_empty());
    }
}

#[test]
fn a_message_that_both_generations_have_is_one() {
    let copies = [
        session("ses_1", None, None, 0),
        // Taken over with its id, and written by both at once with ids of their own.
        message("msg_1", "ses_1", "user", 1, &json!({"text": "Fix the test", "time": {"created": T + 10}})),
        message(
            "msg_z2",
            "ses_1",
            "assistant",
            2,
            &json!({"model": {"id": "claude-y", "providerID": "anthropic"},
            "content": [{"type": "text", "text": "Done."}], "tokens": {"input": 10, "output": 100, "reasoning": 5,
            "cache": {"read": 900, "write": 100}}, "time": {"created": T + 23, "completed": T + 400}}),
        ),
        // It goes on in the new tables.
        message("msg_z3", "ses_1", "user", 3, &json!({"text": "And now?", "time": {"created": T + 9000}})),
        message("msg_z4", "ses_1", "assistant", 4, &answer(9010, true, &json!([{"type": "text", "text": "Later."}]))),
    ];
    let decoded = decode(&[SCHEMA, SCHEMA_2, &conversation(), &copies.concat()]);
    assert_eq!(answers(&decoded), ["msg_2", "msg_z4"]);
    let prompts: Vec<_> =
        decoded.of("user_interaction").iter().map(|row| (row["text"].clone(), row["turn"].clone())).collect();
    assert_eq!(prompts, [(json!("Fix the test"), json!(1)), (json!("And now?"), json!(2))]);
    assert_eq!(decoded.sum("total_tokens"), 1115 + 142);
}

#[test]
fn an_early_2_has_no_sessions_of_its_own() {
    let early = SCHEMA_2.replace("CREATE TABLE session_v2", "CREATE TABLE session");
    let sql = conversation_2().replace("session_v2", "session");
    let decoded = decode(&[&early, &sql]);
    assert_eq!(
        (answers(&decoded), decoded.only("llm_response")["cwd"].clone()),
        (vec!["msg_n2"], json!("/home/u/app"))
    );
    assert_eq!(decoded.only("session_start")["agent_version"], "2.0.9");
}

#[test]
fn a_fork_names_its_origin_and_its_copies_stay_there() {
    let fork = [
        session("ses_f", None, Some("ses_n"), 5000),
        message("msg_f1", "ses_f", "user", 1, &prompt(1010, "Run it")),
        message("msg_f2", "ses_f", "assistant", 2, &answer(1020, true, &json!([]))),
        message("msg_f3", "ses_f", "assistant", 3, &answer(5020, true, &json!([{"type": "text", "text": "Own."}]))),
        session("ses_c", Some("ses_n"), None, 1030),
        message("msg_c1", "ses_c", "assistant", 1, &answer(1040, true, &json!([]))),
    ];
    let decoded = decode(&[SCHEMA_2, &conversation_2(), &fork.concat()]);
    assert_eq!(answers(&decoded), ["msg_n2", "msg_f3", "msg_c1"]);
    let of = |id: &str| decoded.rows.iter().find(|row| row.get("message_id") == Some(&json!(id))).unwrap();
    assert_eq!((&of("msg_f3")["parent_session_id"], &of("msg_f3")["is_subagent"]), (&json!("ses_n"), &json!(false)));
    assert_eq!((&of("msg_c1")["parent_session_id"], &of("msg_c1")["is_subagent"]), (&json!("ses_n"), &json!(true)));
}

#[test]
fn what_else_a_session_holds_is_kept() {
    let at = |n: i64| json!({"created": T + n});
    let more = [
        session("ses_n", None, None, 1000),
        message(
            "msg_a",
            "ses_n",
            "model-switched",
            1,
            &json!({"model": {"id": "m", "providerID": "p"}, "time": at(1)}),
        ),
        message("msg_b", "ses_n", "synthetic", 2, &json!({"text": "a note", "time": at(2)})),
        message(
            "msg_c",
            "ses_n",
            "shell",
            3,
            &json!({"shellID": "sh_1", "command": "ls", "status": "exited", "exit": 0,
            "output": {"output": "a.rs", "truncated": false}, "time": {"created": T + 3, "completed": T + 8}}),
        ),
        message(
            "msg_d",
            "ses_n",
            "compaction",
            4,
            &json!({"status": "completed", "reason": "auto", "summary": "So far",
            "recent": "", "model": {"id": "m", "providerID": "p"}, "cost": 0.1, "tokens": {"input": 3, "output": 4,
            "reasoning": 0, "cache": {"read": 0, "write": 0}}, "time": at(4)}),
        ),
        message(
            "msg_e",
            "ses_n",
            "assistant",
            5,
            &json!({"model": {"id": "m", "providerID": "p"}, "content": [],
            "error": {"type": "provider.overloaded", "message": "busy"}, "finish": "error",
            "time": {"created": T + 5, "completed": T + 6}}),
        ),
        message("msg_f", "ses_n", "telepathy", 6, &json!({"mind": "open", "time": at(6)})),
    ];
    let decoded = decode(&[SCHEMA_2, &more.concat()]);
    assert_eq!(decoded.only("system")["extra"]["kind"], "model-switched");
    assert_eq!(decoded.only("attachment")["text"], "a note");
    assert_eq!(
        (&decoded.only("command_execution")["role"], &decoded.only("command_execution")["command"]),
        (&json!("user"), &json!("ls"))
    );
    assert_eq!(
        (&decoded.only("tool_result")["tool_output"], &decoded.only("tool_result")["exit_code"]),
        (&json!("a.rs"), &json!(0))
    );
    let compaction = decoded.only("compaction");
    assert_eq!(
        (&compaction["text"], &compaction["total_tokens"], &compaction["model"]),
        (&json!("So far"), &json!(7), &json!("m"))
    );
    assert_eq!(decoded.only("error_encountered")["text"], "busy");
    assert_eq!(decoded.only("unknown")["extra"]["mind"], "open");
}

#[test]
fn an_answer_that_grows_ends_as_it_is() {
    let (_folder, path) = database(
        &[
            SCHEMA_2,
            &session("ses_n", None, None, 1000),
            &message("msg_n1", "ses_n", "user", 1, &prompt(1010, "Run it")),
        ]
        .concat(),
    );
    let connection = Connection::open(&path).unwrap();
    let mut looks = Looks::new(Format::OpencodeStore, &path, DB);
    looks.look(false);
    for (done, content) in [
        (false, json!([{"type": "text", "text": "On"}])),
        (false, json!([{"type": "text", "text": "One "}, call("c", "running")])),
        (true, json!([{"type": "text", "text": "One."}, call("c", "completed")])),
    ] {
        connection.execute_batch(&message("msg_n2", "ses_n", "assistant", 2, &answer(1020, done, &content))).unwrap();
        looks.look(false);
    }
    assert_eq!(looks.all.sum("total_tokens"), 142);
    let events = looks.all.events();
    let row = events.iter().find(|row| row["event_type"] == "llm_response").unwrap();
    assert_eq!((&row["text"], &row["turn"]), (&json!("One."), &json!(1)));
    assert_eq!(events.iter().filter(|row| row["event_type"] == "tool_result").count(), 1);
}

#[test]
fn a_generation_that_is_not_known_is_told() {
    let third = "CREATE TABLE session_v3 (id text); CREATE TABLE message_v3 (id text, body blob);";
    let decoded = decode(&[SCHEMA, &conversation(), third]);
    assert_eq!((decoded.rejects.clone(), answers(&decoded)), (vec!["wrong_shape".to_owned()], vec!["msg_2"]));
    let (_folder, path) = database(third);
    let mut decoder =
        crate::adapters::database_decoder(Format::OpencodeStore, crate::adapters::SourceInfo::default()).unwrap();
    let tables = crate::watch::Database::open(&path, Format::OpencodeStore).unwrap().tables().unwrap();
    assert!(decoder.queries(&tables).is_err());
}

#[test]
fn broken_messages_are_rejects() {
    let sql = "INSERT INTO session_message VALUES ('a', 's', 'user', 1, 1, 1, '{\"text\":'), ('b', 's', 'user', 2, 1, 1, '[]'),
       ('c', 's', 'assistant', 3, 1, 1, '{\"content\": 5, \"model\": [], \"tokens\": \"x\", \"time\": 7}');";
    let decoded = decode(&[SCHEMA_2, sql]);
    assert_eq!(decoded.rejects, ["not_json", "wrong_shape"]);
    assert_eq!(answers(&decoded), ["c"]);
}
