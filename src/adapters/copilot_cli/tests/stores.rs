//! The session store, and that no subset of the stores counts a call twice.

use serde_json::json;

use super::{EVENTS, SESSION, event, events, shutdown, sums};
use crate::adapters::tests::{Decoded, database, decode_database};
use crate::adapters::{DatabaseDecoder, SourceInfo};
use crate::schema::{Format, Tables};

const FULL: &str = "
  CREATE TABLE sessions (id TEXT PRIMARY KEY, cwd TEXT, repository TEXT, host_type TEXT, branch TEXT, summary TEXT,
    created_at TEXT, updated_at TEXT);
  CREATE TABLE turns (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT, turn_index INTEGER, user_message TEXT,
    assistant_response TEXT, timestamp TEXT);
  CREATE TABLE assistant_usage_events (id INTEGER PRIMARY KEY AUTOINCREMENT, session_id TEXT NOT NULL,
    turn_index INTEGER, agent_id TEXT, parent_tool_call_id TEXT, model TEXT NOT NULL, copilot_usage_model TEXT,
    input_tokens INTEGER, output_tokens INTEGER, cache_read_tokens INTEGER, cache_write_tokens INTEGER,
    reasoning_tokens INTEGER, total_nano_aiu INTEGER, request_multiplier REAL, duration_ms INTEGER,
    time_to_first_token_ms INTEGER, initiator TEXT, finish_reason TEXT, token_details_json TEXT, created_at TEXT);";

fn store(inserts: &str) -> Decoded {
    let (_folder, path) = database(&format!("{FULL}\n{inserts}"));
    decode_database(Format::CopilotCliStore, &path, "/h/.copilot/session-store.db").0
}

/// The requests of the fixture's session: four calls, as its shutdowns sum them.
fn requests() -> String {
    let row = |turn: i64, agent: &str, model: &str, t: [i64; 4]| {
        let [input, output, read, write] = t;
        format!(
            "INSERT INTO assistant_usage_events (session_id, turn_index, agent_id, model, input_tokens, output_tokens,
               cache_read_tokens, cache_write_tokens, reasoning_tokens, total_nano_aiu, duration_ms, initiator,
               finish_reason, request_multiplier, created_at)
             VALUES ('{SESSION}', {turn}, {agent}, '{model}', {input}, {output}, {read}, {write}, 4, 1000000000, 1500,
               'user', 'stop', 0.33, '2026-07-01 10:00:05');"
        )
    };
    [
        row(0, "NULL", "gpt-5", [400, 40, 300, 50]),
        row(0, "'agent-1'", "claude-haiku-4.5", [50, 5, 0, 0]),
        row(0, "NULL", "gpt-5", [600, 20, 400, 50]),
        row(1, "NULL", "gpt-5", [500, 20, 200, 0]),
        format!("INSERT INTO sessions VALUES ('{SESSION}', '/home/me/shop', 'acme/shop', 'github', 'main', 'Price fix', '2026-07-01 10:00:00', '2026-07-01 10:01:00');"),
        format!("INSERT INTO turns (session_id, turn_index, user_message, assistant_response, timestamp) VALUES ('{SESSION}', 0, 'Fix the price', 'Part two', '2026-07-01T10:00:03.000Z');"),
        format!("INSERT INTO turns (session_id, turn_index, user_message, assistant_response, timestamp) VALUES ('{SESSION}', 1, 'Go on', NULL, '2026-07-02T10:00:01.000Z');"),
    ]
    .concat()
}

fn both(first: Decoded, second: Decoded) -> Decoded {
    Decoded { rows: [first.rows, second.rows].concat(), rejects: Vec::new(), counts: Default::default() }
}

#[test]
fn a_request_has_all_its_parts() {
    let decoded = store(&requests());
    let row = decoded.of("llm_request")[0];
    let parts = ["input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "output_tokens", "reasoning_tokens"];
    assert_eq!(parts.map(|key| row[key].as_i64().unwrap()), [50, 300, 50, 40, 4]);
    assert_eq!((&row["total_tokens"], &row["usage_source"]), (&json!(440), &json!("reported")));
    assert_eq!((&row["credits"], &row["duration_ms"]), (&json!("1.000000000"), &json!(1500)));
    assert_eq!((&row["ts"], &row["turn"]), (&json!(1_782_900_005_000_000_i64), &json!(1)));
    assert_eq!(
        (&row["cwd"], &row["project"], &row["git_branch"]),
        (&json!("/home/me/shop"), &json!("acme/shop"), &json!("main"))
    );
    assert_eq!(row["extra"], json!({"request_multiplier": 0.33, "initiator": "user"}));
    assert_eq!(decoded.of("llm_request")[1]["is_subagent"], true);
}

#[test]
fn prompts_and_titles_outlive_the_event_logs_and_a_turn_under_way_is_provisional() {
    let (_folder, path) = database(&format!("{FULL}\n{}", requests()));
    let (decoded, open) = decode_database(Format::CopilotCliStore, &path, "/h/.copilot/session-store.db");
    let prompts = decoded.of("prompt_history");
    assert_eq!((&prompts[0]["text"], &prompts[0]["turn"]), (&json!("Fix the price"), &json!(1)));
    assert_eq!(prompts[0]["extra"]["assistant_response"], "Part two");
    assert_eq!((open.len(), &open[0]["text"]), (1, &json!("Go on")));
    let title = decoded.only("title");
    assert_eq!(title["event_id"], events(EVENTS).only("title")["event_id"], "the same title in both");
}

#[test]
fn sums_are_right_with_any_subset_of_the_stores_in_any_order() {
    let truth = [250 + 50 + 200 + 50, 900, 100, 85];
    assert_eq!(sums(&events(EVENTS)), truth, "event log alone");
    assert_eq!(sums(&store(&requests())), truth, "store alone");
    assert_eq!(sums(&both(events(EVENTS), store(&requests()))), truth, "event log first");
    assert_eq!(sums(&both(store(&requests()), events(EVENTS))), truth, "store first");
    // A session that was killed has no shutdown: only the store knows the input.
    let killed: String =
        EVENTS.lines().filter(|line| !line.contains("session.shutdown")).map(|l| format!("{l}\n")).collect();
    assert_eq!(sums(&events(&killed)), [0, 0, 0, 40 + 5 + 9 + 11]);
    assert_eq!(sums(&both(events(&killed), store(&requests()))), truth);
    // Newer versions report no output in messages.
    let silent = EVENTS.replace("\"outputTokens\":40", "\"x\":0").replace("\"outputTokens\":11", "\"x\":0");
    assert_eq!(sums(&events(&silent)), truth);
    assert_eq!(sums(&both(events(&silent), store(&requests()))), truth);
}

#[test]
fn other_sessions_keep_what_their_own_logs_say() {
    let other = event("session.start", 0, &json!({"sessionId": "other"})) + &shutdown(1, &[("gpt-5", [10, 2, 0, 0])]);
    assert_eq!(sums(&both(store(&requests()), events(&other))), [550 + 10, 900, 100, 87]);
}

#[test]
fn a_request_that_comes_later_keeps_its_number() {
    let (_folder, path) = database(&format!("{FULL}\n{}", requests()));
    let all = decode_database(Format::CopilotCliStore, &path, "/s.db").0;
    let database = crate::watch::Database::open(&path, Format::CopilotCliStore).unwrap();
    let mut decoder = crate::adapters::database_decoder(Format::CopilotCliStore, SourceInfo::default()).unwrap();
    let queries = decoder.queries(&database.tables().unwrap()).unwrap();
    let mut numbers = Vec::new();
    let after = crate::watch::Cursor { rowid: 2, mark: 0 };
    database
        .each(&queries[0], after, |record| {
            numbers.push((record.rowid, record.integer(0).unwrap(), record.integer(1).unwrap()));
            true
        })
        .unwrap();
    assert_eq!(numbers, [(3, 2, 2), (4, 3, 3)]);
    assert_eq!(all.of("llm_request").len(), 4);
}

#[test]
fn older_tables_and_odd_values_are_read() {
    let (_folder, path) = database(
        "CREATE TABLE assistant_usage_events (session_id TEXT, model TEXT, input_tokens REAL, output_tokens TEXT);
         INSERT INTO assistant_usage_events VALUES ('s', NULL, 12.0, '3'), (NULL, 'm', 1, 1), ('s', 'm', NULL, NULL),
           ('s', 'm', -5, 'x');",
    );
    let (decoded, _) = decode_database(Format::CopilotCliStore, &path, "/s.db");
    assert_eq!(decoded.rejects, ["wrong_shape"]);
    let rows = decoded.of("llm_request");
    assert_eq!((&rows[0]["input_tokens"], &rows[0]["output_tokens"]), (&json!(12), &json!(3)));
    assert!(!rows[1].contains_key("usage_source") && !rows[1].contains_key("total_tokens"), "null is not zero");
    assert_eq!(rows[2]["input_tokens"], 0);
}

#[test]
fn a_database_of_something_else_is_named_so() {
    let tables = Tables::new([("users".to_owned(), vec!["id".to_owned()])].into());
    let error = super::super::store::StoreDecoder.queries(&tables).unwrap_err();
    assert!(error.detail.contains("assistant_usage_events"));
}
