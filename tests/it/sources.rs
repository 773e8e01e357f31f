//! Every kind of source, written step by step as its agent does, while devlog follows it and is killed:
//! in the end the lake holds what one read of the finished source makes of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::home::{Home, wait_for};

/// Everything that must not depend on how often and from where the source was read.
const ROWS: &str = "SELECT event_id, event_type, CASE ts_source WHEN 'inferred' THEN NULL ELSE ts END AS ts, \
    session_id, message_id, tool_call_id, model, text, tool_name, tool_input, tool_output, file_path, command, \
    status, input_tokens, cache_read_tokens, output_tokens, reasoning_tokens, total_tokens FROM events ORDER BY event_id";

fn durable(home: &Home) -> Vec<String> {
    let text = home.ok(&["query", "--no-sync", "--format", "csv", ROWS]);
    text.lines().map(str::to_owned).collect()
}

/// Plays `steps` into a watched home, killing devlog after every third one; `files` make up the source,
/// the first one is its path. `last` is true once the newest state is in a query.
fn play(files: &[&str], steps: usize, mut step: impl FnMut(&Path, usize), last: &str) {
    let home = Home::new();
    let path = home.path().join(files[0]);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut daemon = Some(home.ingest(&["--flush-interval", "200ms"]));
    for n in 0..steps {
        step(&path, n);
        std::thread::sleep(Duration::from_millis(60 + 110 * (n as u64 % 3)));
        if n % 3 == 2 {
            daemon.take().unwrap().kill();
            daemon = Some(home.ingest(&["--flush-interval", "200ms"]));
        }
    }
    wait_for("the newest state", || home.number(last) > 0);
    let seen = home.query("SELECT count(*) AS n, count(DISTINCT event_id) AS d FROM events")[0].clone();
    assert_eq!(seen["n"], seen["d"], "no event is seen twice");
    assert_eq!(home.durable_number("SELECT count(*) FROM events WHERE provisional"), 0);
    assert!(daemon.take().unwrap().stop().success());
    // Long silent: what its agent left open is settled.
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    for file in files.iter().map(|f| home.path().join(f)).filter(|f| f.exists()) {
        fs::File::options().append(true).open(file).unwrap().set_modified(hour_ago).unwrap();
    }
    home.ok(&["backfill"]);
    let grown = durable(&home);
    home.ok(&["fsck"]);
    let before = home.durable_number("SELECT count(*) FROM events");
    home.ok(&["backfill"]);
    assert_eq!(home.durable_number("SELECT count(*) FROM events"), before, "a second run changes nothing");
    assert_eq!(home.number("SELECT count(*) FROM rejects"), 0);
    fs::remove_dir_all(home.devlog_home()).unwrap();
    home.ok(&["backfill"]);
    let fresh = durable(&home);
    assert!(fresh.len() > 3, "rows: {fresh:#?}");
    let only = |a: &[String], b: &[String]| a.iter().filter(|r| !b.contains(r)).cloned().collect::<Vec<_>>();
    let (grown_only, fresh_only) = (only(&grown, &fresh), only(&fresh, &grown));
    assert!(
        grown_only.is_empty() && fresh_only.is_empty(),
        "live only: {grown_only:#?}\nat once only: {fresh_only:#?}"
    );
}

fn rewrite(path: &Path, value: &Value) {
    let beside = path.with_extension("tmp");
    fs::write(&beside, value.to_string()).unwrap();
    fs::rename(&beside, path).unwrap();
}

/// A Copilot request as the editor keeps it: `state` 0 answering, 1 complete, 2 cancelled.
fn request(n: usize, state: i64, answer: &str) -> Value {
    let tool = json!({"kind": "toolInvocationSerialized", "toolId": "copilot_readFile", "isConfirmed": true,
        "toolCallId": format!("0f6b2c4e-0000-4000-8000-00000000000{n}"), "isComplete": true,
        "invocationMessage": "Reading a file", "pastTenseMessage": "Read a file"});
    let mut request = json!({
        "requestId": format!("request_{n}"), "timestamp": 1_770_580_242_421_i64 + n as i64 * 60_000,
        "message": {"text": format!("question {n}"), "parts": []}, "variableData": {"variables": []},
        "agent": {"id": "github.copilot.editsAgent"}, "modelId": "copilot/gpt-5", "responseId": format!("response_{n}"),
        "response": [{"value": answer}, tool], "modelState": {"value": state}});
    if state > 0 {
        request["modelState"]["completedAt"] = json!(1_770_580_250_421_i64 + n as i64 * 60_000);
        request["result"] = json!({"timings": {"firstProgress": 5, "totalElapsed": 900}, "metadata": {}});
    }
    request
}

fn copilot(requests: &[Value]) -> Value {
    json!({"version": 3, "sessionId": "5d0c6a3e-0000-4000-8000-000000000001", "creationDate": 1_770_580_242_000_i64,
        "lastMessageDate": 1_770_580_242_421_i64, "responderUsername": "GitHub Copilot", "requests": requests})
}

const COPILOT: &str = ".config/Code/User/workspaceStorage/0a1b/chatSessions/5d0c6a3e-0000-4000-8000-000000000001";

#[test]
fn a_document_that_is_rewritten_as_a_whole_is_followed_to_the_rows_of_its_last_state() {
    let states: Vec<Value> = vec![
        copilot(&[request(0, 0, "thin")]),
        copilot(&[request(0, 0, "thinking about")]),
        copilot(&[request(0, 1, "thinking about it")]),
        copilot(&[request(0, 1, "thinking about it"), request(1, 0, "")]),
        copilot(&[request(0, 1, "thinking about it"), request(1, 2, "half an ans")]),
        copilot(&[request(0, 1, "thinking about it"), request(1, 2, "half an ans"), request(2, 1, "done")]),
    ];
    let path = format!("{COPILOT}.json");
    let last = "SELECT count(*) FROM events WHERE text LIKE '%done%' AND event_type = 'llm_response'";
    play(&[&path], states.len(), |path, n| rewrite(path, &states[n]), last);
}

#[test]
fn a_log_of_changes_is_replayed_from_wherever_it_was_left() {
    let mut session = copilot(&[]);
    session["version"] = json!(3);
    let lines = [
        json!({"kind": 0, "v": session}),
        json!({"kind": 2, "k": ["requests"], "v": [request(0, 0, "fir")]}),
        json!({"kind": 2, "k": ["requests", 0, "response"], "v": [{"value": "first answer"}], "i": 0}),
        json!({"kind": 1, "k": ["requests", 0, "modelState"], "v": {"value": 1, "completedAt": 1_770_580_250_421_i64}}),
        json!({"kind": 1, "k": ["requests", 0, "result"], "v": {"timings": {"totalElapsed": 10}, "metadata": {}}}),
        json!({"kind": 1, "k": ["customTitle"], "v": "a title"}),
        json!({"kind": 2, "k": ["requests"], "v": [request(1, 2, "stopped")]}),
        json!({"kind": 2, "k": ["requests"], "v": [request(2, 1, "done")]}),
    ];
    let path = format!("{COPILOT}.jsonl");
    let last = "SELECT count(*) FROM events WHERE text LIKE '%done%' AND event_type = 'llm_response'";
    let write = |path: &Path, n: usize| crate::home::append(path, &format!("{}\n", lines[n]));
    play(&[&path], lines.len(), write, last);
}

/// OpenCode's tables, as far as rows come from them.
const OPENCODE: &str = "PRAGMA journal_mode=WAL;
    CREATE TABLE project(id text PRIMARY KEY, worktree text, vcs text, name text);
    CREATE TABLE session(id text PRIMARY KEY, project_id text, parent_id text, slug text, directory text, title text,
        version text, time_created integer, time_updated integer, revert text);
    CREATE TABLE message(id text PRIMARY KEY, session_id text, time_created integer, time_updated integer, data text);
    CREATE TABLE part(id text PRIMARY KEY, message_id text, session_id text, time_created integer,
        time_updated integer, data text);
    INSERT INTO project VALUES ('p1', '/home/u/shop', 'git', NULL);
    INSERT INTO session VALUES ('ses_1', 'p1', NULL, 's', '/home/u/shop', 'a session', '1.16.0', 1770580242000, 1770580242000, NULL);";

fn opencode(db: &Connection, n: usize) {
    let at = 1_770_580_242_000_i64 + n as i64 * 1000;
    let put = |table: &str, id: &str, message: Option<&str>, data: &Value| {
        let (columns, extra) = match message {
            Some(message) => ("id, message_id, session_id, time_created, time_updated, data", format!("'{message}', ")),
            None => ("id, session_id, time_created, time_updated, data", String::new()),
        };
        let sql = format!(
            "INSERT INTO {table}({columns}) VALUES ('{id}', {extra}'ses_1', {at}, {at}, ?1) \
             ON CONFLICT(id) DO UPDATE SET time_updated = {at}, data = excluded.data"
        );
        db.execute(&sql, [data.to_string()]).unwrap();
    };
    let call = |turn: usize, done: bool| {
        let mut message = json!({"role": "assistant", "parentID": format!("msg_u{turn}"), "modelID": "m", "providerID": "p",
            "mode": "build", "path": {"cwd": "/home/u/shop", "root": "/home/u/shop"}, "cost": 0,
            "tokens": {"input": 0, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}},
            "time": {"created": 1_770_580_243_000_i64 + turn as i64 * 10_000}});
        if done {
            message["time"]["completed"] = json!(1_770_580_249_000_i64 + turn as i64 * 10_000);
            message["tokens"] = json!({"input": 10, "output": 5, "reasoning": 2, "cache": {"read": 100, "write": 0}});
            message["finish"] = json!("stop");
        }
        message
    };
    let tool = |status: &str| {
        let mut state = json!({"status": status, "input": {"command": "ls"}, "time": {"start": 1_770_580_244_000_i64}});
        if status == "completed" {
            state["output"] = json!("a b");
            state["title"] = json!("ls");
            state["metadata"] = json!({"exit": 0});
            state["time"]["end"] = json!(1_770_580_245_000_i64);
        }
        json!({"type": "tool", "tool": "bash", "callID": "call_1", "state": state})
    };
    let user = |turn: usize| json!({"role": "user", "time": {"created": 1_770_580_242_500_i64 + turn as i64 * 10_000}});
    match n {
        0 => {
            put("message", "msg_u0", None, &user(0));
            put("part", "prt_0", Some("msg_u0"), &json!({"type": "text", "text": "question 0"}));
        }
        1 => put("message", "msg_v0", None, &call(0, false)),
        2 => put("part", "prt_1", Some("msg_v0"), &tool("running")),
        3 => put("part", "prt_2", Some("msg_v0"), &json!({"type": "text", "text": "half"})),
        4 => put("part", "prt_1", Some("msg_v0"), &tool("completed")),
        5 => put(
            "part",
            "prt_2",
            Some("msg_v0"),
            &json!({"type": "text", "text": "half and whole",
            "time": {"start": 1_770_580_246_000_i64, "end": 1_770_580_247_000_i64}}),
        ),
        6 => put("message", "msg_v0", None, &call(0, true)),
        7 => {
            put("message", "msg_x1", None, &user(1));
            put("part", "prt_3", Some("msg_x1"), &json!({"type": "text", "text": "question 1"}));
        }
        _ => {
            put("message", "msg_y1", None, &call(1, true));
            put(
                "part",
                "prt_4",
                Some("msg_y1"),
                &json!({"type": "text", "text": "done", "time": {"start": 1, "end": 2}}),
            );
        }
    }
}

#[test]
fn a_database_that_its_agent_writes_to_is_followed_through_its_log() {
    let mut writer: Option<Connection> = None;
    let step = |path: &Path, n: usize| {
        let db = writer.get_or_insert_with(|| {
            let db = Connection::open(path).unwrap();
            db.execute_batch(OPENCODE).unwrap();
            db
        });
        opencode(db, n);
    };
    let files = ["opencode.db", "opencode.db-wal"].map(|f| format!(".local/share/opencode/{f}"));
    let last = "SELECT count(*) FROM events WHERE text LIKE '%done%' AND event_type = 'llm_response'";
    play(&[&files[0], &files[1]], 9, step, last);
}

#[test]
fn a_damaged_database_is_named_and_other_sources_go_on() {
    let home = Home::new();
    let folder = home.path().join(".local/share/opencode");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("opencode.db"), [b"SQLite format 3\0".as_slice(), &[7; 8000]].concat()).unwrap();
    crate::home::append(&home.claude("-home-u-shop", "s1"), &crate::home::session("s1", 2));
    home.ok(&["backfill"]);
    assert_eq!(home.number("SELECT count(*) FROM events WHERE event_type = 'llm_response'"), 2);
    let bad = home.query("SELECT state, last_error FROM sources WHERE agent = 'opencode'");
    assert_eq!(bad[0]["state"], "error");
    assert!(bad[0]["last_error"].as_str().unwrap().contains("damaged"), "{}", bad[0]);
}

#[test]
fn a_database_of_an_unknown_version_is_named_and_read_once_it_is_known() {
    let home = Home::new();
    let folder = home.path().join(".local/share/opencode");
    fs::create_dir_all(&folder).unwrap();
    let path: PathBuf = folder.join("opencode.db");
    let db = Connection::open(&path).unwrap();
    db.execute_batch("CREATE TABLE other(a)").unwrap();
    home.ok(&["backfill"]);
    assert_eq!(home.query("SELECT state FROM sources")[0]["state"], "error");
    db.execute_batch(OPENCODE).unwrap();
    (0..9).for_each(|n| opencode(&db, n));
    drop(db);
    home.ok(&["backfill"]);
    assert_eq!(home.query("SELECT state FROM sources")[0]["state"], "active");
    assert_eq!(home.number("SELECT sum(output_tokens) FROM events"), 14);
}

#[test]
fn what_was_pruned_does_not_come_back_when_its_document_is_rewritten() {
    let home = Home::new();
    let path = home.path().join(format!("{COPILOT}.json"));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    rewrite(&path, &copilot(&[request(0, 1, "one")]));
    crate::home::append(&home.claude("-home-u-shop", "s1"), &crate::home::session("s1", 1));
    home.ok(&["backfill"]);
    let of_copilot = "SELECT count(*) FROM events WHERE agent = 'github-copilot'";
    assert!(home.number(of_copilot) > 0);
    home.ok(&["prune", "--session", "5d0c6a3e-0000-4000-8000-000000000001", "--yes"]);
    rewrite(&path, &copilot(&[request(0, 1, "one"), request(1, 1, "two")]));
    home.ok(&["backfill"]);
    assert_eq!(home.number(of_copilot), 0);
    assert!(home.number("SELECT count(*) FROM events") > 0, "other sessions stay");
    home.ok(&["prune", "--allow-again"]);
    rewrite(&path, &copilot(&[request(0, 1, "one"), request(1, 1, "two!")]));
    home.ok(&["backfill"]);
    assert!(home.number(of_copilot) > 0);
}

#[test]
fn rows_older_than_the_retention_are_deleted_and_stay_away() {
    let home = Home::new();
    fs::create_dir_all(home.devlog_home()).unwrap();
    fs::write(home.devlog_home().join("config.toml"), "retention = \"30d\"\n").unwrap();
    // Both rows of this session are of May 2026 and later than "30 days ago" only if the clock is far back.
    crate::home::append(&home.claude("-home-u-shop", "s1"), &crate::home::session("s1", 1));
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let young = crate::home::prompt("s2", 1, "young").replace(&crate::home::stamp(1), &now);
    crate::home::append(&home.claude("-home-u-shop", "s2"), &young);
    home.ok(&["backfill"]);
    assert_eq!(home.number("SELECT count(DISTINCT session_id) FROM events"), 1);
    assert_eq!(home.number("SELECT count(*) FROM events WHERE text = 'young'"), 1);
}
