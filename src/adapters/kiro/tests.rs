use serde_json::{Value, json};

use crate::adapters::chat::tests::{played, survives_damage, survives_wrong_types, with_wrong_types};
use crate::adapters::tests::{
    Decoded, corpus, database, decode, decode_database, decode_with, files_below, provisional, resumes_anywhere,
};
use crate::adapters::{Companion, SourceInfo, database_decoder};
use crate::schema::{Format, Tables};

const OLD: &str = include_str!("../../../tests/fixtures/kiro/old.chat");
const WORKSPACE: &str = include_str!("../../../tests/fixtures/kiro/workspace.json");
const EXECUTION: &str = include_str!("../../../tests/fixtures/kiro/execution.json");
const CLI: &str = include_str!("../../../tests/fixtures/kiro/cli.jsonl");
const META: &str = include_str!("../../../tests/fixtures/kiro/cli.json");
const MESSAGES: &str = include_str!("../../../tests/fixtures/kiro/messages.jsonl");
const IDE: &str = "/h/.config/Kiro/User/globalStorage/kiro.kiroagent";

fn chat(text: &str) -> Decoded {
    decode(Format::KiroChat, &format!("{IDE}/0a/1b.chat"), text.as_bytes())
}

#[test]
fn an_old_chat_tells_prompts_from_what_kiro_says_itself() {
    let decoded = chat(OLD);
    let prompts: Vec<&Value> = decoded.of("user_interaction").iter().map(|r| &r["text"]).collect();
    assert_eq!(prompts, ["Add a test", "go on", "go on"], "two equal prompts are two");
    let answers = decoded.of("llm_response");
    assert_eq!(answers.len(), 2);
    assert_eq!(
        (&answers[1]["model"], &answers[1]["provider"], &answers[1]["session_id"]),
        (&json!("claude-sonnet-4-5"), &json!("qdev"), &json!("wf-1"))
    );
    assert_eq!((&answers[1]["ts"], &answers[1]["ts_source"]), (&json!(1_765_000_009_000_000i64), &json!("log")));
    assert_eq!(decoded.only("tool_use")["tool_name"], "readFile");
    assert_eq!(decoded.only("tool_result")["tool_output"], "fn a() {}");
    let systems = decoded.of("system");
    assert_eq!(systems.len(), 3);
    assert_eq!((&systems[2]["duration_ms"], &systems[2]["extra"]["actionId"]), (&json!(9000), &json!("act")));
    assert!(!decoded.rows.iter().any(|r| r.contains_key("usage_source")), "no tokens are guessed");
}

#[test]
fn files_of_one_execution_repeat_no_event() {
    let shorter = OLD.replace(r#",{"role":"human","content":"go on"}]"#, "]").replace("\"act\"", "\"act2\"");
    let states = [&*shorter, OLD];
    assert_eq!(played(Format::KiroChat, "/x", &states).len(), chat(OLD).rows.len());
}

#[test]
fn a_workspace_session_and_its_execution_are_one_conversation() {
    let session = decode(Format::KiroChat, &format!("{IDE}/workspace-sessions/L3c_/ws-1.json"), WORKSPACE.as_bytes());
    assert_eq!(
        (&session.only("session_start")["cwd"], &session.only("title")["text"]),
        (&json!("/w/shop"), &json!("Add a test"))
    );
    let execution = chat(EXECUTION);
    let prompt = execution.only("user_interaction");
    assert_eq!(prompt["event_id"], session.of("user_interaction")[0]["event_id"], "the prompt is one event");
    let (stub, answer) = (session.of("llm_response")[0], execution.only("llm_response"));
    assert_eq!((&stub["text"], &stub["event_id"]), (&json!("On it."), &answer["event_id"]));
    assert!(answer["completeness"].as_i64() > stub["completeness"].as_i64(), "the whole answer replaces its stub");
    assert_eq!(
        (&answer["text"], &answer["credits"], &answer["duration_ms"]),
        (&json!("Looking.\n\nDone."), &json!("0.750000000"), &json!(12_000))
    );
    assert_eq!(answer["session_id"], "ws-1");
}

#[test]
fn actions_are_calls_with_results() {
    let decoded = chat(EXECUTION);
    assert_eq!(decoded.only("file_read")["file_path"], "src/a.ts");
    assert_eq!(decoded.only("command_execution")["command"], "npm test");
    let results = decoded.of("tool_result");
    assert_eq!((&results[0]["tool_output"], &results[0]["ts"]), (&json!("code"), &json!(1_765_000_003_000_000i64)));
    assert_eq!((&results[1]["lines_added"], &results[1]["lines_removed"]), (&json!(2), &json!(1)));
    assert_eq!(
        (&results[2]["is_error"], &results[2]["exit_code"], &results[2]["tool_output"]),
        (&json!(true), &json!(1), &json!("boom"))
    );
}

#[test]
fn an_execution_that_runs_is_open() {
    let running = EXECUTION.replace("\"succeed\"", "\"running\"").replace("Done.", "Do");
    let open = provisional(Format::KiroChat, "/x", running.as_bytes());
    assert_eq!(open.len(), 1);
    assert_eq!(played(Format::KiroChat, "/x", &[&running, EXECUTION]), played(Format::KiroChat, "/x", &[EXECUTION]));
}

#[test]
fn lists_and_indexes_among_the_documents_are_ignored() {
    for other in ["[]", r#"[{"sessionId":"s"}]"#, r#"{"executions":[],"executionId":"e"}"#, "{}"] {
        let decoded = chat(other);
        assert_eq!((decoded.counts.ignored, decoded.rows.len(), decoded.rejects.len()), (1, 0, 0), "{other}");
    }
}

fn cli(meta: &str) -> Decoded {
    let beside = [Companion { name: "kiro-1.json", text: meta }];
    decode_with(Format::KiroSession, "/h/.kiro/sessions/cli/kiro-1.jsonl", &beside, CLI.as_bytes())
}

#[test]
fn a_session_of_the_cli_has_rows_for_each_kind() {
    let decoded = cli(META);
    let start = decoded.only("session_start");
    assert_eq!(
        (&start["session_id"], &start["cwd"], &start["ts_source"]),
        (&json!("kiro-1"), &json!("/w/shop"), &json!("log"))
    );
    assert_eq!(decoded.only("title")["text"], "disk check");
    let prompt = decoded.only("user_interaction");
    assert_eq!((&prompt["text"], &prompt["ts"]), (&json!("check disk"), &json!(1_788_256_800_000_000i64)));
    assert_eq!(decoded.of("llm_response").iter().map(|r| &r["text"]).collect::<Vec<_>>(), ["Looking.", "Half full."]);
    assert_eq!(decoded.of("llm_response")[0]["model"], "claude-sonnet-4.5");
    assert_eq!(decoded.only("command_execution")["command"], "df -h");
    assert_eq!(decoded.only("file_modify")["file_path"], "/w/a");
    let results = decoded.of("tool_result");
    assert_eq!(
        (&results[0]["tool_output"], &results[0]["command"], &results[0]["is_error"]),
        (&json!("/dev/sda1 50%"), &json!("df -h"), &json!(false))
    );
    assert_eq!((&results[1]["is_error"], &results[1]["tool_name"]), (&json!(true), &json!("fs_write")));
    assert!(results[1]["tool_output"].as_str().unwrap().contains("locked"));
    assert_eq!(decoded.only("unknown")["extra"]["x"], 1);
}

#[test]
fn zero_counters_beside_a_bill_are_no_tokens() {
    let decoded = cli(META);
    let bills: Vec<_> = decoded.rows.iter().filter(|r| r.contains_key("credits")).collect();
    assert_eq!(bills.len(), 2);
    assert_eq!(
        (&bills[0]["credits"], bills[0].get("total_tokens"), &bills[0]["turn"]),
        (&json!("0.350000000"), None, &json!(1))
    );
    assert_eq!(
        (&bills[1]["credits"], &bills[1]["total_tokens"], &bills[1]["usage_source"]),
        (&json!("0.200000000"), &json!(1155), &json!("reported"))
    );
    assert_eq!(bills[0]["extra"]["context_usage_percentage"], 4.5);
}

#[test]
fn a_turn_whose_bill_grows_stays_one_event() {
    let grown = cli(&META.replace("0.2,", "0.9,"));
    let bill = |d: &Decoded| d.rows.iter().filter(|r| r.contains_key("credits")).nth(1).cloned().unwrap();
    let (before, after) = (bill(&cli(META)), bill(&grown));
    assert_eq!(before["event_id"], after["event_id"]);
    assert!(after["completeness"].as_i64() > before["completeness"].as_i64());
    assert!(cli("{}").rows.iter().all(|r| !r.contains_key("credits")));
    cli("no json");
}

#[test]
fn messages_of_the_newer_ide_are_read() {
    let path = "/h/.kiro/sessions/ws/sess_42/messages.jsonl";
    let meta = r#"{"title":"T","createdAt":"2026-07-01T09:59:59Z","workspacePaths":["/w/shop"]}"#;
    let beside = [Companion { name: "session.json", text: meta }];
    let decoded = decode_with(Format::KiroSession, path, &beside, MESSAGES.as_bytes());
    let start = decoded.only("session_start");
    assert_eq!((&start["session_id"], &start["cwd"]), (&json!("42"), &json!("/w/shop")));
    assert_eq!(decoded.only("user_interaction")["text"], "Add a test");
    assert_eq!(decoded.only("file_read")["file_path"], "/w/a");
    let result = decoded.only("tool_result");
    assert_eq!(
        (&result["tool_output"], &result["is_error"], &result["tool_name"]),
        (&json!("{\"lines\":3}"), &json!(false), &json!("readFile"))
    );
    assert_eq!(decoded.only("llm_response")["model"], "claude-x");
    assert_eq!(decoded.only("system")["credits"], "0.500000000");
    assert_eq!(decoded.counts.unknown_types, 1);
    resumes_anywhere(Format::KiroSession, path, MESSAGES.as_bytes());
}

#[test]
fn damage_is_rejected_or_read_around() {
    for text in [OLD, WORKSPACE, EXECUTION] {
        survives_damage(Format::KiroChat, "/x", text.as_bytes());
        survives_wrong_types(Format::KiroChat, "/x", &[], text);
    }
    for text in [CLI, MESSAGES] {
        survives_damage(Format::KiroSession, "/x", text.as_bytes());
        resumes_anywhere(Format::KiroSession, "/x/a.jsonl", text.as_bytes());
        let beside = [Companion { name: "a.json", text: META }];
        for line in text.lines() {
            survives_wrong_types(Format::KiroSession, "/x", &beside, line);
        }
    }
    for damaged in with_wrong_types(META) {
        cli(&damaged);
    }
}

const VALUE: &str = r#"{"conversation_id":"c-1","model_info":{"model_id":"claude-x"},"latest_summary":"Short.","history":[
 {"user":{"env_context":{"env_state":{"current_working_directory":"/w/shop/api"}},"content":{"Prompt":{"prompt":"Build it"}},"timestamp":"2026-05-17T10:00:00Z"},
  "assistant":{"ToolUse":{"message_id":"m-1","content":"","tool_uses":[{"id":"t-1","name":"execute_bash","args":{"command":"make"}}]}},
  "request_metadata":{"request_id":"r-1","request_start_timestamp_ms":1779012008000,"stream_end_timestamp_ms":1779012010000,"model_id":"claude-y"}},
 {"user":{"content":{"ToolUseResults":{"tool_use_results":[{"tool_use_id":"t-1","status":"Success","content":[{"Text":"ok"},{"Json":{"a":1}}]}]}},"timestamp":null},
  "assistant":{"Response":{"message_id":"m-2","content":"Built."}},"request_metadata":null},
 [{"content":{"CancelledToolUses":{"prompt":"stop","tool_use_results":[]}}},{"Response":{"message_id":"m-3","content":"Stopped."}}]]}"#;

fn store(rows: &[(&str, &str, &str, i64)]) -> Decoded {
    let mut sql = "CREATE TABLE conversations_v2 (key TEXT, conversation_id TEXT, value TEXT, created_at INTEGER, updated_at INTEGER, PRIMARY KEY (key, conversation_id));".to_owned();
    for (key, id, value, updated) in rows {
        sql += &format!(
            "INSERT INTO conversations_v2 VALUES ('{key}','{id}','{}',1779012000000,{updated});",
            value.replace('\'', "''")
        );
    }
    let (_folder, path) = database(&sql);
    decode_database(Format::KiroStore, &path, "/h/.local/share/kiro-cli/data.sqlite3").0
}

#[test]
fn a_conversation_in_the_store_is_read_in_both_its_shapes() {
    let decoded = store(&[("/w/shop", "c-1", VALUE, 1_779_012_010_000)]);
    let prompts = decoded.of("user_interaction");
    assert_eq!(
        (&prompts[0]["text"], &prompts[0]["cwd"], &prompts[0]["session_id"]),
        (&json!("Build it"), &json!("/w/shop/api"), &json!("c-1"))
    );
    assert_eq!(prompts[1]["text"], "stop");
    let answers = decoded.of("llm_response");
    assert_eq!(
        (&answers[0]["model"], &answers[0]["duration_ms"], &answers[0]["request_id"]),
        (&json!("claude-y"), &json!(2000), &json!("r-1"))
    );
    assert_eq!((&answers[1]["text"], &answers[1]["model"]), (&json!("Built."), &json!("claude-x")));
    assert_eq!(answers[2]["text"], "Stopped.");
    assert_eq!(decoded.only("command_execution")["command"], "make");
    let result = decoded.only("tool_result");
    assert_eq!(
        (&result["tool_output"], &result["is_error"], &result["command"]),
        (&json!("ok\n{\"a\":1}"), &json!(false), &json!("make"))
    );
    assert_eq!(decoded.only("compaction")["text"], "Short.");
}

#[test]
fn a_conversation_copied_to_another_folder_repeats_no_event() {
    let decoded = store(&[("/a", "c-1", VALUE, 1), ("/b", "c-1", VALUE, 2)]);
    assert_eq!(decoded.events().len() * 2, decoded.rows.len());
}

#[test]
fn the_store_of_amazon_q_and_foreign_databases() {
    let sql = format!(
        "CREATE TABLE conversations (key TEXT PRIMARY KEY, value TEXT); INSERT INTO conversations VALUES ('/w', '{}');",
        VALUE.replace('\'', "''")
    );
    let (_folder, path) = database(&sql);
    let decoded = decode_database(Format::KiroStore, &path, "/x").0;
    assert_eq!(decoded.of("llm_response").len(), 3);
    let mut decoder = database_decoder(Format::KiroStore, SourceInfo::default()).unwrap();
    let error = decoder.queries(&Tables::default()).unwrap_err();
    assert!(error.to_string().contains("Kiro CLI"));
}

#[test]
fn odd_values_are_rejects_or_ignored() {
    let wrong = ["", "{\"history\":[", "{\"x\":1}", "7", "{\"history\":[]}", "{\"history\":[null,[],{\"user\":7}]}"];
    let rows: Vec<(&str, String)> = wrong.iter().enumerate().map(|(i, v)| (*v, format!("c{i}"))).collect();
    let rows: Vec<_> = rows.iter().map(|(value, id)| ("/w", &**id, *value, 1)).collect();
    let decoded = store(&rows);
    assert_eq!((decoded.rejects.len(), decoded.counts.ignored), (3, 3));
    let all = with_wrong_types(VALUE);
    let rows: Vec<(String, &str)> = all.iter().enumerate().map(|(i, value)| (format!("c{i}"), &**value)).collect();
    store(&rows.iter().map(|(id, value)| ("/w", &**id, *value, 1)).collect::<Vec<_>>());
}

#[test]
fn real_payloads_of_the_store_are_read() {
    let Some(folder) = corpus("others") else { return };
    let payloads = files_below(&folder).into_iter().filter(|p| p.to_string_lossy().contains("kiro_sqlite"));
    for path in payloads.filter(|p| p.extension().is_some_and(|e| e == "json")) {
        let value = std::fs::read_to_string(&path).unwrap();
        let plain: Value = serde_json::from_str(&value).unwrap();
        let decoded = store(&[("/w", "c", &value, 1)]);
        assert!(decoded.rejects.is_empty());
        let turns = plain["history"].as_array().unwrap().len();
        assert_eq!((decoded.of("user_interaction").len(), decoded.of("llm_response").len()), (turns, turns));
    }
}

#[test]
fn thoughts_failures_and_frames_of_the_newer_ide_are_what_they_are() {
    let line = |id: &str, payload: Value| {
        format!("{}\n", json!({"id": id, "timestamp": "2026-08-01T10:00:00.000Z", "payload": payload}))
    };
    let text = [
        line("0", json!({"type": "session_start", "agentType": "vibe"})),
        line("1", json!({"type": "user", "content": "Look"})),
        line("2", json!({"type": "turn_start", "executionId": "e"})),
        line("3", json!({"type": "assistant", "operationType": "Reasoning", "content": "I should"})),
        line("4", json!({"type": "tool_call", "toolCallId": "t", "toolName": "execute_bash", "args": {"command": "ls"}})),
        line("5", json!({"type": "tool_result", "toolCallId": "t", "content": "no", "success": false})),
        line("6", json!({"type": "tool_result", "toolCallId": "t", "content": "yes", "success": true})),
        line("7", json!({"type": "assistant", "operationType": "Say", "content": "None."})),
        line("8", json!({"type": "session_metadata", "key": "contextUsage", "value": {"usagePercentage": 1.5}})),
        line("9", json!({"type": "usage_summary", "promptTurnSummaries": [{"unit": "credit", "usage": 1.5}, {"unit": "credit", "usage": null}]})),
        line("10", json!({"type": "turn_end", "stopReason": "end_turn"})),
    ]
    .concat();
    let path = |session: &str| format!("/h/.kiro/sessions/ws/sess_{session}/messages.jsonl");
    let beside =
        [Companion { name: "session.json", text: r#"{"title":"T","modelId":"claude-x","workspacePaths":["/w"]}"# }];
    let decoded = decode_with(Format::KiroSession, &path("42"), &beside, text.as_bytes());
    assert_eq!(
        (&decoded.only("thinking")["text"], &decoded.only("llm_response")["text"]),
        (&json!("I should"), &json!("None."))
    );
    assert_eq!(decoded.only("llm_response")["model"], "claude-x");
    let failed: Vec<_> = decoded.of("tool_result").iter().map(|row| row["is_error"].clone()).collect();
    assert_eq!(failed, [json!(true), json!(false)]);
    assert_eq!((decoded.of("unknown").len(), decoded.counts.unknown_types, decoded.of("system").len()), (0, 0, 5));
    let credits: Vec<_> = decoded.rows.iter().filter_map(|row| row.get("credits")).collect();
    assert_eq!(credits, [&json!("1.500000000")]);
    let other = decode_with(Format::KiroSession, &path("43"), &beside, text.as_bytes());
    assert!(other.ids().iter().all(|id| !decoded.ids().contains(id)), "numbers name records within their session");
}
