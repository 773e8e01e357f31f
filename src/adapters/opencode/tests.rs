//! Tests of the decoders, on databases and files of our own and, where it is there, on the corpus.

mod broken;
mod corpus;
mod files;
mod forks;
mod newer;
mod speed;
mod store;

use serde_json::{Value, json};

/// Tables as version 1.16 makes them.
const SCHEMA: &str = "
CREATE TABLE project (id text PRIMARY KEY, worktree text NOT NULL, vcs text, name text);
CREATE TABLE session (id text PRIMARY KEY, project_id text NOT NULL, parent_id text, slug text NOT NULL,
  directory text NOT NULL, title text NOT NULL, version text NOT NULL, share_url text, summary_additions integer,
  summary_deletions integer, summary_files integer, summary_diffs text, revert text, permission text,
  time_created integer NOT NULL, time_updated integer NOT NULL, time_compacting integer, time_archived integer,
  workspace_id text, path text, agent text, model text, cost real DEFAULT 0, tokens_input integer DEFAULT 0,
  tokens_output integer DEFAULT 0, metadata text);
CREATE TABLE message (id text PRIMARY KEY, session_id text NOT NULL, time_created integer NOT NULL,
  time_updated integer NOT NULL, data text NOT NULL);
CREATE TABLE part (id text PRIMARY KEY, message_id text NOT NULL, session_id text NOT NULL,
  time_created integer NOT NULL, time_updated integer NOT NULL, data text NOT NULL);
CREATE TABLE session_share (session_id text PRIMARY KEY, secret text);
CREATE TABLE account (id text PRIMARY KEY, access_token text);
CREATE INDEX message_session_time_created_id_idx ON message (session_id, time_created, id);
CREATE INDEX part_message_id_id_idx ON part (message_id, id);
CREATE INDEX part_session_idx ON part (session_id);
INSERT INTO session_share VALUES ('ses_1', 'hush-hush'); INSERT INTO account VALUES ('a', 'hush-hush');
";

/// One millisecond of the day that all happens on.
const T: i64 = 1_780_000_000_000;

/// A text in SQL.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn session(id: &str, parent: Option<&str>, directory: &str, project: &str) -> String {
    format!(
        "INSERT INTO session (id, project_id, parent_id, slug, directory, title, version, time_created, time_updated, \
         model, cost, tokens_input, share_url) VALUES ({}, {}, {}, 'brave-fox', {}, 'A title', '1.16.0', {T}, {}, \
         '{{\"id\":\"big\",\"providerID\":\"p\"}}', 0.5, 11, 'https://share/x');",
        quoted(id),
        quoted(project),
        parent.map_or("NULL".to_owned(), quoted),
        quoted(directory),
        T + 1,
    )
}

fn message(id: &str, session: &str, at: i64, updated: i64, data: &Value) -> String {
    let data = quoted(&data.to_string());
    format!("INSERT OR REPLACE INTO message VALUES ('{id}', '{session}', {}, {}, {data});", T + at, T + updated)
}

fn part(id: &str, message: &str, session: &str, at: i64, updated: i64, data: &Value) -> String {
    let data = quoted(&data.to_string());
    format!(
        "INSERT OR REPLACE INTO part VALUES ('{id}', '{message}', '{session}', {}, {}, {data});",
        T + at,
        T + updated
    )
}

fn user(at: i64) -> Value {
    json!({"role": "user", "time": {"created": T + at}, "agent": "build",
        "model": {"providerID": "anthropic", "modelID": "claude-x"},
        "summary": {"title": "Sum", "diffs": [{"file": "a.rs", "before": "B", "after": "A", "additions": 1, "deletions": 0}]}})
}

fn assistant(parent: &str, at: i64, completed: Option<i64>) -> Value {
    let mut message = json!({"parentID": parent, "role": "assistant", "mode": "build", "agent": "build", "variant": "high",
        "path": {"cwd": "/home/u/app", "root": "/"}, "cost": 0.0125, "modelID": "claude-y", "providerID": "anthropic",
        "tokens": {"total": 1115, "input": 10, "output": 100, "reasoning": 5, "cache": {"read": 900, "write": 100}},
        "time": {"created": T + at}});
    if let Some(completed) = completed {
        message["time"]["completed"] = json!(T + completed);
        message["finish"] = json!("tool-calls");
    }
    message
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn bash(status: &str, at: i64) -> Value {
    let mut state =
        json!({"status": status, "input": {"command": "cargo test", "description": "Run"}, "time": {"start": T + at}});
    if status == "completed" {
        state["output"] = json!("ok\n");
        state["title"] = json!("Run");
        state["metadata"] = json!({"output": "ok\n", "exit": 1, "description": "Run"});
        state["time"]["end"] = json!(T + at + 250);
    }
    json!({"type": "tool", "tool": "bash", "callID": "call_1", "state": state})
}

/// A prompt, an answer of two steps' worth of parts, in one session.
fn conversation() -> String {
    let edit = json!({"type": "tool", "tool": "edit", "callID": "call_2", "state": {"status": "completed",
        "input": {"filePath": "/home/u/app/a.rs", "oldString": "x", "newString": "y"}, "output": "Edit applied",
        "metadata": {"diff": "--- a\n+++ b\n-x\n+y\n+z\n", "filediff": {"file": "a.rs", "before": "x", "after": "y"},
            "diagnostics": {}}, "time": {"start": T + 60, "end": T + 70}}});
    let image = json!({"type": "file", "mime": "image/png", "filename": "shot.png",
        "url": format!("data:image/png;base64,{}", "QUJD".repeat(64))});
    [
        "INSERT INTO project VALUES ('0123abc', '/', 'git', NULL);".to_owned(),
        session("ses_1", None, "/home/u/app", "0123abc"),
        message("msg_1", "ses_1", 10, 10, &user(10)),
        part("prt_1", "msg_1", "ses_1", 10, 10, &text("Fix the test")),
        part("prt_2", "msg_1", "ses_1", 10, 10, &image),
        part(
            "prt_3",
            "msg_1",
            "ses_1",
            10,
            10,
            &json!({"type": "text", "text": "Called the Read tool", "synthetic": true}),
        ),
        message("msg_2", "ses_1", 20, 400, &assistant("msg_1", 20, Some(400))),
        part("prt_4", "msg_2", "ses_1", 21, 21, &json!({"type": "step-start", "snapshot": "tree1"})),
        part(
            "prt_5",
            "msg_2",
            "ses_1",
            22,
            30,
            &json!({"type": "reasoning", "text": "Let me see",
            "time": {"start": T + 22, "end": T + 30}, "metadata": {"anthropic": {"signature": "c2VhbGVk"}}}),
        ),
        part("prt_6", "msg_2", "ses_1", 31, 40, &text("I run it.")),
        part("prt_7", "msg_2", "ses_1", 41, 300, &bash("completed", 50)),
        part("prt_8", "msg_2", "ses_1", 42, 301, &edit),
        part("prt_9", "msg_2", "ses_1", 300, 390, &text("Done.")),
        part(
            "prt_a",
            "msg_2",
            "ses_1",
            399,
            399,
            &json!({"type": "step-finish", "reason": "tool-calls", "cost": 0.0125,
            "tokens": {"input": 10, "output": 100, "reasoning": 5, "cache": {"read": 900, "write": 100}}}),
        ),
        part(
            "prt_b",
            "msg_2",
            "ses_1",
            399,
            399,
            &json!({"type": "patch", "hash": "h", "files": ["/home/u/app/a.rs"]}),
        ),
    ]
    .concat()
}
