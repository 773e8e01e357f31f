//! Rows of a database, and how they change while it grows.

use rusqlite::Connection;
use serde_json::json;

use super::{SCHEMA, T, assistant, bash, conversation, message, part, session, text, user};
use crate::adapters::tests::{Decoded, Looks, database, decode_database};
use crate::schema::{EventId, Format};
use crate::watch::Database;

const DB: &str = "/home/u/.local/share/opencode/opencode.db";

fn decode(sql: &str) -> Decoded {
    let (_folder, path) = database(&format!("{SCHEMA}{sql}"));
    decode_database(Format::OpencodeStore, &path, DB).0
}

#[test]
fn a_conversation_becomes_rows_with_usage_once() {
    let decoded = decode(&conversation());
    assert!(decoded.rejects.is_empty());
    let prompt = decoded.only("user_interaction");
    assert_eq!(
        (&prompt["text"], &prompt["turn"], &prompt["cwd"]),
        (&json!("Fix the test"), &json!(1), &json!("/home/u/app"))
    );
    assert_eq!(prompt["extra"]["diffs"], json!([{"file": "a.rs", "additions": 1, "deletions": 0}]));
    assert_eq!((&prompt["ts"], &prompt["ts_source"]), (&json!((T + 10) * 1000), &json!("log")));

    let answer = decoded.only("llm_response");
    assert_eq!(answer["text"], "I run it.\nDone.");
    assert_eq!((&answer["model"], &answer["provider"]), (&json!("claude-y"), &json!("anthropic")));
    let tokens = [
        "input_tokens",
        "cache_read_tokens",
        "cache_write_5m_tokens",
        "output_tokens",
        "reasoning_tokens",
        "total_tokens",
    ];
    assert_eq!(tokens.map(|name| answer[name].as_i64().unwrap()), [10, 900, 100, 105, 5, 1115]);
    assert_eq!((&answer["usage_source"], &answer["cost_usd_reported"]), (&json!("reported"), &json!("0.012500000")));
    assert_eq!((&answer["duration_ms"], &answer["stop_reason"]), (&json!(380), &json!("tool-calls")));
    assert_eq!((&answer["extra"]["variant"], &answer["extra"]["snapshot"]), (&json!("high"), &json!("tree1")));
    assert_eq!((&answer["message_id"], &answer["parent_event_id"]), (&json!("msg_2"), &json!("msg_1")));
    assert_eq!((&answer["agent_version"], &answer["workspace_id"]), (&json!("1.16.0"), &json!("0123abc")));

    let thought = decoded.only("thinking");
    assert_eq!((&thought["text"], &thought["duration_ms"]), (&json!("Let me see"), &json!(8)));
    assert!(!thought["extra"].to_string().contains("c2VhbGVk"), "signatures are not stored");
    let command = decoded.only("command_execution");
    assert_eq!((&command["command"], &command["tool_input"]["description"]), (&json!("cargo test"), &json!("Run")));
    let results = decoded.of("tool_result");
    assert_eq!((&results[0]["exit_code"], &results[0]["is_error"]), (&json!(1), &json!(true)));
    assert_eq!((&results[0]["tool_output"], &results[0]["duration_ms"]), (&json!("ok\n"), &json!(250)));
    assert_eq!((&results[0]["tool_name"], &results[0]["command"]), (&json!("bash"), &json!("cargo test")));
    assert_eq!((&results[1]["lines_added"], &results[1]["lines_removed"]), (&json!(2), &json!(1)));
    assert_eq!(decoded.only("file_modify")["file_path"], "/home/u/app/a.rs");
    let attachments = decoded.of("attachment");
    assert_eq!(attachments[0]["extra"]["url"]["bytes"], 192, "an image is known by its digest");
    assert_eq!(attachments[1]["text"], "Called the Read tool");
    assert_eq!(decoded.only("snapshot")["extra"]["files"], json!(["/home/u/app/a.rs"]));
    let start = decoded.only("session_start");
    assert_eq!((&start["extra"]["cost"], &start["extra"]["model"]["id"]), (&json!(0.5), &json!("big")));
    assert_eq!(decoded.only("title")["text"], "A title");
    assert_eq!(decoded.sum("total_tokens"), 1115, "neither the session's totals nor the step's are counted");
    assert!(
        !format!("{:?}", decoded.rows).contains("hush-hush")
            && !format!("{:?}", decoded.rows).contains("https://share")
    );
}

#[test]
fn trap_1_a_windows_directory_is_the_cwd_and_a_root_of_a_slash_is_not() {
    let mut answer = assistant("msg_0", 20, Some(30));
    answer["path"] = json!({"cwd": "C:\\Users\\u\\app", "root": "/"});
    let decoded = decode(
        &[session("ses_1", None, "C:\\Users\\u\\app", "global"), message("msg_1", "ses_1", 1, 1, &answer)].concat(),
    );
    let answer = decoded.only("llm_response");
    assert_eq!((&answer["cwd"], &answer["project"]), (&json!("C:\\Users\\u\\app"), &json!("app")));
    assert!(!answer.contains_key("workspace_id"), "`global` is no project");
}

#[test]
fn trap_2_a_sessions_directory_beats_its_projects_worktree() {
    let sql = [
        "INSERT INTO project VALUES ('global', '/', NULL, NULL), ('p', '/srv/tree', NULL, NULL);".to_owned(),
        session("ses_1", None, "/home/u/notes", "global"),
        session("ses_2", None, "", "p"),
        session("ses_3", None, "", "global"),
    ];
    let decoded = decode(&sql.concat());
    let cwds: Vec<_> = decoded.of("session_start").iter().map(|row| row.get("cwd").cloned()).collect();
    assert_eq!(cwds, [Some(json!("/home/u/notes")), Some(json!("/srv/tree")), None]);
}

#[test]
fn trap_3_each_message_has_its_own_model() {
    let mut second = assistant("msg_1", 40, Some(50));
    second["modelID"] = json!("gpt-z");
    let decoded = decode(&[conversation(), message("msg_3", "ses_1", 40, 50, &second)].concat());
    let models: Vec<_> = decoded.of("llm_response").iter().map(|row| row["model"].clone()).collect();
    assert_eq!(models, [json!("claude-y"), json!("gpt-z")]);
}

#[test]
fn trap_4_what_a_revert_hides_is_marked_and_keeps_its_usage() {
    let (_folder, path) = database(&format!("{SCHEMA}{}", conversation()));
    let mut looks = Looks::new(Format::OpencodeStore, &path, DB);
    looks.look(false);
    let revert = format!("UPDATE session SET revert = '{{\"messageID\":\"msg_2\"}}', time_updated = {}", T + 5000);
    Connection::open(&path).unwrap().execute_batch(&revert).unwrap();
    looks.look(false);
    let events = looks.all.events();
    let status = |kind: &str| events.iter().find(|row| row["event_type"] == kind).unwrap().get("status").cloned();
    assert_eq!((status("llm_response"), status("user_interaction")), (Some(json!("reverted")), None));
    assert_eq!(looks.all.sum("total_tokens"), 1115);
    looks.look(false);
    let more =
        [message("msg_9", "ses_1", 9000, 9000, &user(9000)), part("prt_z", "msg_9", "ses_1", 9000, 9000, &text("x"))];
    Connection::open(&path).unwrap().execute_batch(&more.concat()).unwrap();
    assert!(looks.look(false).records <= 3);
    assert!(looks.look(false).records <= 2, "a revert is not told again and again");
}

#[test]
fn trap_5_a_compaction_that_clears_an_output_does_not_take_it_from_the_row() {
    let (_folder, path) = database(&format!("{SCHEMA}{}", conversation()));
    let mut looks = Looks::new(Format::OpencodeStore, &path, DB);
    looks.look(false);
    let mut cleared = bash("completed", 50);
    cleared["state"]["output"] = json!("");
    cleared["state"]["time"]["compacted"] = json!(T + 7000);
    Connection::open(&path).unwrap().execute_batch(&part("prt_7", "msg_2", "ses_1", 41, 7000, &cleared)).unwrap();
    looks.look(false);
    let results: Vec<_> = looks.all.events().into_iter().filter(|row| row["event_type"] == "tool_result").collect();
    assert_eq!((results.len(), &results[0]["tool_output"]), (2, &json!("ok\n")));
    assert!(looks.all.of("tool_result").iter().any(|row| row["extra"]["compacted_ms"] == T + 7000), "it was read");
}

#[test]
fn trap_6_rows_that_vanish_leave_theirs_and_row_ids_given_anew_are_noticed() {
    let (_folder, path) = database(&format!("{SCHEMA}{}", conversation()));
    let mut looks = Looks::new(Format::OpencodeStore, &path, DB);
    looks.look(false);
    let again = [
        "DELETE FROM part WHERE message_id = 'msg_2'; DELETE FROM message WHERE id = 'msg_2';".to_owned(),
        // As old as what is known already: only its row id, which the deleted one had, tells that it is new.
        message("msg_2b", "ses_1", 25, 25, &assistant("msg_1", 25, Some(25))),
    ];
    Connection::open(&path).unwrap().execute_batch(&again.concat()).unwrap();
    looks.look(false);
    let events = looks.all.events();
    let answers: Vec<_> =
        events.iter().filter(|row| row["event_type"] == "llm_response").map(|row| &row["message_id"]).collect();
    assert_eq!(answers, [&json!("msg_2"), &json!("msg_2b")]);
}

#[test]
fn trap_7_a_message_that_streams_is_provisional_and_replaced_when_it_is_done() {
    let (_folder, path) = database(SCHEMA);
    let run = |sql: &[String]| Connection::open(&path).unwrap().execute_batch(&sql.concat()).unwrap();
    let mut looks = Looks::new(Format::OpencodeStore, &path, DB);
    run(&[
        session("ses_1", None, "/home/u/app", "0123abc"),
        message("msg_1", "ses_1", 10, 10, &user(10)),
        part("prt_1", "msg_1", "ses_1", 10, 10, &text("Fix the test")),
        message("msg_2", "ses_1", 20, 20, &assistant("msg_1", 20, None)),
        part("prt_6", "msg_2", "ses_1", 31, 35, &text("I r")),
        part("prt_7", "msg_2", "ses_1", 41, 50, &bash("running", 50)),
    ]);
    let first = looks.look(false);
    let kinds: Vec<_> = first.provisional.iter().map(|row| row["event_type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["command_execution", "llm_response"]);
    assert_eq!((&first.provisional[0]["status"], &first.provisional[1]["text"]), (&json!("running"), &json!("I r")));
    assert!(looks.all.of("llm_response").is_empty());
    // Silence settles it: its program may be dead.
    looks.look(true);
    assert_eq!(looks.all.only("command_execution")["status"], "running");
    // It was not: everything comes again, more complete.
    run(&[
        part("prt_6", "msg_2", "ses_1", 31, 40_000, &text("I run it.")),
        part("prt_7", "msg_2", "ses_1", 41, 40_300, &bash("completed", 50)),
        message("msg_2", "ses_1", 20, 40_400, &assistant("msg_1", 20, Some(40_400))),
    ]);
    looks.look(false);
    let (whole, _) = decode_database(Format::OpencodeStore, &path, DB);
    assert_eq!(sorted(&looks.all), sorted(&whole));
    assert_eq!(whole.only("llm_response")["text"], "I run it.");
}

#[test]
fn trap_7_a_crashed_message_is_settled_by_the_next_one_of_its_session() {
    let (_folder, path) = database(&format!(
        "{SCHEMA}{}",
        [
            message("msg_2", "ses_1", 20, 20, &assistant("msg_1", 20, None)),
            part("prt_7", "msg_2", "ses_1", 41, 50, &bash("running", 50)),
            message("msg_3", "ses_1", 90, 90, &assistant("msg_1", 90, Some(95))),
        ]
        .concat()
    ));
    let mut looks = Looks::new(Format::OpencodeStore, &path, DB);
    assert!(looks.look(false).provisional.is_empty());
    assert_eq!(looks.all.of("llm_response").len(), 2);
}

#[test]
fn a_part_written_in_the_millisecond_of_its_finished_message_is_not_lost() {
    let (_folder, path) = database(&format!("{SCHEMA}{}", session("ses_1", None, "/home/u/app", "p")));
    let mut looks = Looks::new(Format::OpencodeStore, &path, DB);
    for sql in [
        message("msg_1", "ses_1", 20, 30, &assistant("x", 20, Some(30))),
        part("prt_1", "msg_1", "ses_1", 30, 30, &text("all of it")),
        "UPDATE session SET revert = '{\"messageID\":\"msg_1\"}', time_updated = (SELECT time_updated FROM message);"
            .to_owned(),
    ] {
        Connection::open(&path).unwrap().execute_batch(&sql).unwrap();
        looks.look(false);
    }
    let answer = looks.all.events().into_iter().find(|row| row["event_type"] == "llm_response").unwrap();
    assert_eq!((&answer["text"], &answer["status"]), (&json!("all of it"), &json!("reverted")));
}

#[test]
fn trap_8_the_kin_has_the_same_rows_under_its_own_names() {
    let (_folder, path) = database(&format!("{SCHEMA}{}", conversation()));
    let ids = |format, shown| decode_database(format, &path, shown).0.ids();
    let (opencode, kilo) = (ids(Format::OpencodeStore, DB), ids(Format::KiloStore, "/h/.local/share/kilo/kilo.db"));
    assert_eq!(opencode.len(), kilo.len());
    assert!(kilo.iter().all(|id| !opencode.contains(id)));
    let mimo = decode_database(Format::MimoStore, &path, "/h/.local/share/mimocode/m.db").0;
    assert!(mimo.rows.iter().all(|row| row["agent"] == "mimo"));
    // MiMoCode's own kind of part.
    let checkpoint = json!({"type": "checkpoint", "checkpointDir": "/c", "checkpointNumber": 3});
    let decoded = decode(&[conversation(), part("prt_k", "msg_2", "ses_1", 1, 1, &checkpoint)].concat());
    assert_eq!(decoded.of("snapshot").len(), 2);
}

#[test]
fn trap_9_a_child_session_counts_for_itself() {
    let sql = [
        conversation(),
        session("ses_0", Some("ses_1"), "/home/u/app", "0123abc"),
        message("msg_5", "ses_0", 45, 48, &{
            let mut answer = assistant("msg_4", 45, Some(48));
            answer["agent"] = json!("explore");
            answer
        }),
    ];
    let decoded = decode(&sql.concat());
    let child = decoded.rows.iter().find(|row| row.get("message_id") == Some(&json!("msg_5"))).unwrap();
    assert_eq!((&child["parent_session_id"], &child["is_subagent"]), (&json!("ses_1"), &json!(true)));
    assert_eq!(child["subagent_type"], "explore");
    let parent = decoded.rows.iter().find(|row| row.get("message_id") == Some(&json!("msg_2"))).unwrap();
    assert_eq!(parent["is_subagent"], false);
    assert_eq!(decoded.sum("total_tokens"), 2 * 1115);
}

#[test]
fn an_aborted_step_has_no_usage_and_an_error_is_an_error() {
    let mut aborted = assistant("msg_1", 20, None);
    aborted["tokens"] = json!({"input": 0, "output": 0, "reasoning": 0, "cache": {"read": 0, "write": 0}});
    aborted["cost"] = json!(0);
    aborted["error"] = json!({"name": "MessageAbortedError", "data": {"message": "Aborted"}});
    let mut failed = aborted.clone();
    failed["error"] =
        json!({"name": "APIError", "data": {"message": "Overloaded", "statusCode": 529, "isRetryable": true}});
    let decoded = decode(&[message("msg_2", "s", 20, 20, &aborted), message("msg_3", "s", 30, 30, &failed)].concat());
    let answers = decoded.of("llm_response");
    assert_eq!(answers[0]["status"], "interrupted");
    assert!(!answers[0].contains_key("total_tokens") && !answers[0].contains_key("cost_usd_reported"));
    assert!(!answers[0].contains_key("is_error"));
    assert_eq!((&answers[1]["status"], &answers[1]["extra"]["error"]["statusCode"]), (&json!("failed"), &json!(529)));
    assert!(!answers[1].contains_key("is_error"), "a failed step is one error");
    assert_eq!(decoded.only("error_encountered")["text"], "Overloaded");
}

#[test]
fn a_message_of_several_steps_took_what_its_steps_took() {
    let step = |id: &str, input: i64| {
        let tokens = json!({"input": input, "output": 7, "reasoning": 0, "cache": {"read": 0, "write": 0}});
        part(id, "msg_2", "s", 30, 30, &json!({"type": "step-finish", "cost": 0.01, "tokens": tokens}))
    };
    let mut answer = assistant("msg_1", 20, Some(90));
    answer["tokens"] = json!({"input": 30, "output": 7, "reasoning": 0, "cache": {"read": 0, "write": 0}});
    let decoded = decode(
        &[message("msg_2", "s", 20, 90, &answer), step("prt_1", 10), step("prt_2", 20), step("prt_3", 30)].concat(),
    );
    let row = decoded.only("llm_response");
    assert_eq!(
        (&row["input_tokens"], &row["output_tokens"], &row["usage_source"]),
        (&json!(60), &json!(21), &json!("derived"))
    );
    assert_eq!(row["extra"]["steps"], 3);
}

#[test]
fn every_other_kind_of_part_has_a_row() {
    let of = |id: &str, data| part(id, "msg_2", "s", 30, 30, &data);
    let sql = [
        message("msg_2", "s", 20, 90, &user(20)),
        of("prt_1", json!({"type": "subtask", "prompt": "Look around", "description": "d", "agent": "explore"})),
        of("prt_2", json!({"type": "agent", "name": "explore", "source": {"value": "@explore", "start": 0, "end": 8}})),
        of("prt_3", json!({"type": "compaction", "auto": true})),
        of(
            "prt_4",
            json!({"type": "retry", "attempt": 2, "error": {"name": "APIError", "data": {"message": "429"}}, "time": {"created": T}}),
        ),
        of("prt_5", json!({"type": "hologram", "beam": 3})),
        of(
            "prt_6",
            json!({"type": "tool", "tool": "invalid", "callID": "c", "state": {"status": "completed", "input": {},
            "output": "no such tool", "time": {"start": T, "end": T}}}),
        ),
        of(
            "prt_7",
            json!({"type": "tool", "tool": "read", "callID": "d", "state": {"status": "error", "error": "gone",
            "input": {"filePath": "/x"}, "metadata": {"interrupted": true}, "time": {"start": T, "end": T}}}),
        ),
    ];
    let decoded = decode(&sql.concat());
    assert_eq!(decoded.only("user_interaction")["text"], "Look around");
    assert_eq!(
        decoded.of("attachment").iter().map(|row| row["subagent_type"].clone()).collect::<Vec<_>>(),
        ["explore"; 2]
    );
    assert_eq!(decoded.only("compaction")["extra"]["auto"], true);
    assert_eq!(
        (&decoded.only("error_encountered")["text"], &decoded.only("error_encountered")["status"]),
        (&json!("429"), &json!("retried"))
    );
    assert_eq!(decoded.only("unknown")["extra"], json!({"kind": "hologram", "beam": 3}));
    let results = decoded.of("tool_result");
    assert_eq!((&results[0]["is_error"], &results[0]["tool_name"]), (&json!(true), &json!("invalid")));
    assert_eq!((&results[1]["tool_output"], &results[1]["status"]), (&json!("gone"), &json!("interrupted")));
}

#[test]
fn older_tables_are_read_and_foreign_ones_are_refused() {
    let early = "CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER, time_updated INTEGER, data TEXT);\
                 CREATE TABLE part (id TEXT PRIMARY KEY, message_id TEXT, session_id TEXT, time_created INTEGER, \
                 time_updated INTEGER, data TEXT);";
    let (_folder, path) = database(
        &[early, &message("msg_1", "s", 1, 1, &user(1)), &part("prt_1", "msg_1", "s", 1, 1, &text("Hi"))].concat(),
    );
    let (decoded, _) = decode_database(Format::OpencodeStore, &path, DB);
    assert_eq!(decoded.only("user_interaction")["text"], "Hi");
    let (_folder, path) = database("CREATE TABLE message (id TEXT)");
    let mut decoder = super::super::database(Format::OpencodeStore, Default::default()).unwrap();
    let tables = Database::open(&path, Format::OpencodeStore).unwrap().tables().unwrap();
    assert!(decoder.queries(&tables).unwrap_err().detail.contains("`message` and `part`"));
}

#[test]
fn an_unchanged_database_brings_next_to_nothing_and_no_query_scans_a_table() {
    let (_folder, path) = database(&format!("{SCHEMA}{}", conversation()));
    let mut looks = Looks::new(Format::OpencodeStore, &path, DB);
    looks.look(false);
    assert!(looks.look(false).records <= 3, "at most what changed within the slack comes again");
    let database = Database::open(&path, Format::OpencodeStore).unwrap();
    let mut decoder = super::super::database(Format::OpencodeStore, Default::default()).unwrap();
    let connection = Connection::open(&path).unwrap();
    for query in decoder.queries(&database.tables().unwrap()).unwrap() {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {}", query.sql)).unwrap();
        let plan: Vec<String> = statement
            .query_map(&[(":rowid", &1i64), (":mark", &1i64)], |row| row.get(3))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        // The newest messages, first to last, up to the limit; and what came of that.
        // Sessions are few, and only read when a message is older than its own.
        let bounded = ["SCAN message", "SCAN recent", "SCAN changed", "SCAN r", "SCAN c", "SCAN session", "SCAN o"];
        let scans = plan.iter().filter(|step| step.starts_with("SCAN"));
        assert!(scans.clone().all(|step| bounded.contains(&step.as_str())), "{plan:#?}");
        assert!(!plan.iter().any(|step| step.contains("AUTOMATIC")), "{plan:#?}");
    }
}

#[test]
fn turns_are_the_same_whether_a_session_is_read_at_once_or_bit_by_bit() {
    let (_folder, path) = database(&format!("{SCHEMA}{}", session("ses_1", None, "/p", "p")));
    let mut looks = Looks::new(Format::OpencodeStore, &path, DB);
    for turn in 0..4 {
        let at = turn * 10_000;
        let synthetic = json!({"type": "text", "text": "Continue", "synthetic": true});
        let sql = [
            message(&format!("msg_{turn}a"), "ses_1", at, at, &user(at)),
            part(
                &format!("prt_{turn}a"),
                &format!("msg_{turn}a"),
                "ses_1",
                at,
                at,
                &if turn == 2 { synthetic } else { text("Go") },
            ),
            message(&format!("msg_{turn}b"), "ses_1", at + 1, at + 2, &assistant("x", at + 1, Some(at + 2))),
        ];
        Connection::open(&path).unwrap().execute_batch(&sql.concat()).unwrap();
        looks.look(false);
    }
    let (whole, _) = decode_database(Format::OpencodeStore, &path, DB);
    assert_eq!(sorted(&looks.all), sorted(&whole));
    assert_eq!(
        whole.of("llm_response").iter().map(|row| row["turn"].as_i64().unwrap()).collect::<Vec<_>>(),
        [1, 2, 2, 3]
    );
}

#[test]
fn the_database_and_the_files_of_a_message_give_the_same_events_and_the_database_wins() {
    let decoded = decode(&conversation());
    let id = |kind: &str, name: &str| EventId::of("opencode", kind, &[name.as_bytes()]).to_string();
    assert_eq!(decoded.only("llm_response")["event_id"], id("message", "msg_2"));
    assert_eq!(decoded.only("command_execution")["event_id"], id("call", "prt_7"));
    assert!(decoded.rows.iter().all(|row| row["completeness"].as_i64().unwrap() > i64::from(u32::MAX) + 8));
}

/// Events by id, as a lake would hold them.
fn sorted(decoded: &Decoded) -> Vec<String> {
    let mut events: Vec<String> = decoded.events().into_iter().map(|row| serde_json::to_string(row).unwrap()).collect();
    events.sort();
    events
}
