//! What agents write: lines of Claude Code, a chat document of Gemini CLI, the database of OpenCode.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use rusqlite::Connection;
use serde_json::{Value, json};

use super::home::Home;

/// Appends to a file, making it when it is not there.
pub fn append(path: &Path, text: impl AsRef<[u8]>) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_ref()).unwrap();
}

/// A time `seconds` after 2026-05-28T20:26:40Z.
pub fn stamp(seconds: usize) -> String {
    let time = chrono::DateTime::from_timestamp(1_780_000_000 + i64::try_from(seconds).unwrap(), 0).unwrap();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// A user's prompt as Claude Code writes it, with its newline.
pub fn prompt_at(time: &str, session: &str, n: usize, text: &str) -> String {
    let line = json!({
        "parentUuid": null, "isSidechain": false, "userType": "external", "cwd": "/home/u/shop", "sessionId": session,
        "version": "2.1.100", "gitBranch": "main", "type": "user", "message": {"role": "user", "content": text},
        "uuid": format!("u-{session}-{n}"), "timestamp": time,
    });
    format!("{line}\n")
}

pub fn prompt(session: &str, n: usize, text: &str) -> String {
    prompt_at(&stamp(n), session, n, text)
}

/// One line of a model's answer with its newline; several lines of one message are one call.
fn answer(session: &str, n: usize, message: &str, content: &Value, tokens: usize, stop: Option<&str>) -> String {
    let line = json!({
        "parentUuid": null, "isSidechain": false, "userType": "external", "cwd": "/home/u/shop", "sessionId": session,
        "version": "2.1.100", "gitBranch": "main", "type": "assistant", "requestId": format!("req_{message}"),
        "message": {
            "id": message, "type": "message", "role": "assistant", "model": "claude-opus-4-6",
            "content": [content], "stop_reason": stop, "stop_sequence": null,
            "usage": {"input_tokens": 3, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 100,
                      "output_tokens": tokens},
        },
        "uuid": format!("a-{session}-{n}"), "timestamp": stamp(n),
    });
    format!("{line}\n")
}

/// A prompt and its answer of ten output tokens: two rows.
pub fn turn(session: &str, n: usize) -> String {
    let text = json!({"type": "text", "text": format!("answer {n}")});
    prompt(session, 10 * n, &format!("question {n}"))
        + &answer(session, 10 * n + 1, &format!("msg_{session}_{n}"), &text, 10, Some("end_turn"))
}

/// A prompt, a call in two lines that runs a tool, the tool's result, and the closing answer: four rows.
pub fn long_turn(session: &str, n: usize) -> String {
    let (first, second) = (format!("msg_{session}_{n}a"), format!("msg_{session}_{n}b"));
    let call = format!("toolu_{session}_{n}");
    let thought = json!({"type": "text", "text": format!("I look at file {n}")});
    let usage = json!({"type": "tool_use", "id": call, "name": "Bash", "input": {"command": format!("cat {n}.txt")}});
    let result = json!({
        "parentUuid": null, "isSidechain": false, "userType": "external", "cwd": "/home/u/shop", "sessionId": session,
        "version": "2.1.100", "type": "user", "uuid": format!("r-{session}-{n}"), "timestamp": stamp(10 * n + 4),
        "message": {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call, "content": "a line"}]},
        "toolUseResult": {"stdout": "a line", "stderr": "", "interrupted": false},
    });
    let text = json!({"type": "text", "text": format!("answer {n}")});
    prompt(session, 10 * n, &format!("question {n}"))
        + &answer(session, 10 * n + 1, &first, &thought, 2, None)
        + &answer(session, 10 * n + 2, &first, &usage, 5, Some("tool_use"))
        + &format!("{result}\n")
        + &answer(session, 10 * n + 5, &second, &text, 5, Some("end_turn"))
}

/// A session of `turns` turns: two rows each.
pub fn session(id: &str, turns: usize) -> String {
    (0..turns).map(|n| turn(id, n)).collect()
}

/// A home whose lake has `parts` Parquet files of eight months and as many commits: twenty rows a file.
/// Logs and lake hold the same.
pub fn home_with_parts(parts: usize) -> Home {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    let other = home.claude("-home-u-other", "s2");
    for part in 0..parts {
        let time = format!("2026-{:02}-01T09:00:00.000Z", part % 8 + 1);
        for n in 0..10 {
            append(&log, prompt_at(&time, "s1", part * 10 + n, &format!("question {n} of part {part}")));
            append(&other, prompt_at(&time, "s2", part * 10 + n, &format!("another {n} of part {part}")));
        }
        home.ok(&["--quiet", "ingest", "--once"]);
    }
    home
}

/// Path of a chat of Gemini CLI below a home.
pub const GEMINI: &str = ".gemini/tmp/7e89/chats/session-2026-05-28T20-26-08d1e5f6.json";

/// A chat document of Gemini CLI with so many turns.
pub fn gemini(turns: usize) -> String {
    let messages: Vec<Value> = (0..turns)
        .flat_map(|n| {
            let call = json!({"id": format!("call-{n}"), "name": "read_file", "args": {"path": format!("{n}.txt")},
                "status": "success", "timestamp": stamp(10 * n + 3), "displayName": "ReadFile",
                "result": [{"functionResponse": {"id": format!("call-{n}"), "name": "read_file",
                    "response": {"output": "a line ".repeat(40)}}}]});
            [
                json!({"id": format!("u-{n}"), "timestamp": stamp(10 * n), "type": "user", "content": format!("question {n}")}),
                json!({"id": format!("g-{n}"), "timestamp": stamp(10 * n + 4), "type": "gemini", "model": "gemini-2.5-pro",
                    "content": format!("answer {n}"), "thoughts": [], "toolCalls": [call],
                    "tokens": {"input": 100, "output": 10, "cached": 40, "thoughts": 2, "tool": 0, "total": 112}}),
            ]
        })
        .collect();
    let chat = json!({"sessionId": "08d1e5f6-0000-4000-8000-000000000001", "projectHash": "7e89", "startTime": stamp(0),
        "lastUpdated": stamp(10 * turns), "messages": messages});
    serde_json::to_string_pretty(&chat).unwrap()
}

/// OpenCode's database below a home.
pub const OPENCODE: &str = ".local/share/opencode/opencode.db";

/// OpenCode's tables, as far as rows come from them.
const TABLES: &str = "PRAGMA journal_mode=WAL;
    CREATE TABLE project(id text PRIMARY KEY, worktree text, vcs text, name text);
    CREATE TABLE session(id text PRIMARY KEY, project_id text, parent_id text, slug text, directory text, title text,
        version text, time_created integer, time_updated integer, revert text);
    CREATE TABLE message(id text PRIMARY KEY, session_id text, time_created integer, time_updated integer, data text);
    CREATE TABLE part(id text PRIMARY KEY, message_id text, session_id text, time_created integer,
        time_updated integer, data text);
    INSERT INTO project VALUES ('p1', '/home/u/shop', 'git', NULL);
    INSERT INTO session VALUES ('ses_1', 'p1', NULL, 's', '/home/u/shop', 'a session', '1.16.0', 1780000000000,
        1780000000000, NULL);";

/// The database of OpenCode as its owner has it open.
pub struct OpenCode(Connection);

impl OpenCode {
    pub fn create(path: &Path) -> Self {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let db = Connection::open(path).unwrap();
        db.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
        db.execute_batch(TABLES).unwrap();
        Self(db)
    }

    pub fn run(&self, sql: &str) {
        self.0.execute_batch(sql).unwrap();
    }

    fn put(&self, table: &str, id: &str, message: Option<&str>, at: usize, data: &Value) {
        let (columns, extra) = match message {
            Some(message) => ("id, message_id, session_id, time_created, time_updated, data", format!("'{message}', ")),
            None => ("id, session_id, time_created, time_updated, data", String::new()),
        };
        let sql = format!(
            "INSERT INTO {table}({columns}) VALUES ('{id}', {extra}'ses_1', {at}, {at}, ?1) \
             ON CONFLICT(id) DO UPDATE SET time_updated = {at}, data = excluded.data"
        );
        self.0.execute(&sql, [data.to_string()]).unwrap();
    }

    /// Step 0 to 3 of turn `n`: asked, answering, a tool has run, answered.
    pub fn step(&self, n: usize, step: usize) {
        let at = 1_780_000_000_000 + n * 100_000 + step * 1000;
        let (user, call) = (format!("msg_{n:05}u"), format!("msg_{n:05}v"));
        if step == 0 {
            self.put("message", &user, None, at, &json!({"role": "user", "time": {"created": at}}));
            let text = json!({"type": "text", "text": format!("question {n}")});
            self.put("part", &format!("prt_{n:05}a"), Some(&user), at, &text);
            return;
        }
        let done = step == 3;
        let tokens = |n: usize| if done { n } else { 0 };
        let mut message = json!({"role": "assistant", "parentID": user, "modelID": "m", "providerID": "p",
            "mode": "build", "path": {"cwd": "/home/u/shop", "root": "/home/u/shop"}, "cost": 0,
            "tokens": {"input": tokens(10), "output": tokens(5), "reasoning": tokens(2),
                "cache": {"read": tokens(100), "write": 0}},
            "time": {"created": 1_780_000_001_000_usize + n * 100_000}});
        if done {
            message["time"]["completed"] = json!(at);
            message["finish"] = json!("stop");
            let text = json!({"type": "text", "text": format!("answer {n}"), "time": {"start": at, "end": at}});
            self.put("part", &format!("prt_{n:05}c"), Some(&call), at, &text);
        }
        let started = 1_780_000_001_500_usize + n * 100_000;
        let mut state = json!({"status": "running", "input": {"command": "ls"}, "time": {"start": started}});
        if step > 1 {
            state = json!({"status": "completed", "input": {"command": "ls"}, "output": "a b", "title": "ls",
                "metadata": {"exit": 0}, "time": {"start": started, "end": started + 500}});
        }
        let tool = json!({"type": "tool", "tool": "bash", "callID": format!("call_{n}"), "state": state});
        self.put("part", &format!("prt_{n:05}b"), Some(&call), at, &tool);
        self.put("message", &call, None, at, &message);
    }
}

/// Text that does not compress and needs no escape in JSON.
pub fn noise(seed: usize, length: usize) -> String {
    let mut random = super::random::Random::named(seed as u64, "noise");
    let mut text = String::with_capacity(length + 16);
    while text.len() < length {
        text.push_str(&format!("{:016x}", random.next()));
    }
    text.truncate(length);
    text
}
