//! Golden rows, and each trap of the format as a test.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{SESSION, SESSION_PATH, answer, chat, document, outline, session};
use crate::adapters::Companion;
use crate::adapters::tests::{decode, decode_with, resumes_anywhere};
use crate::schema::Format;

#[test]
fn a_session_makes_one_row_for_each_thing_that_happened() {
    let decoded = session(SESSION);
    let expected = [
        ["session_start", "", ""],
        ["system", "<session_context>Today is Saturday</session_context>", "m1"],
        ["user_interaction", "Fix the price", "m2"],
        ["thinking", "Plan\nRead first", "m3"],
        ["llm_response", "I look.", "m3"],
        ["command_execution", "", "m3"],
        ["tool_result", "Command: make test\nOutput: 1 failed\nExit Code: 2", "m3"],
        ["file_modify", "", "m3"],
        ["tool_result", "no match", "m3"],
        ["file_write", "", "m3"],
        ["tool_result", "", "m3"],
        ["llm_response", "Wrong turn.", "m4"],
        ["system", "Request cancelled.", "m5"],
        ["error_encountered", "Quota exceeded", "m6"],
        ["system", "", ""],
        ["llm_response", "Summary.", "m7"],
        ["title", "Price fix", ""],
        ["system", "", ""],
        ["unknown", "", "m8"],
    ];
    assert_eq!(outline(&decoded.rows), expected.map(|row| row.map(str::to_owned)));
    assert_eq!(decoded.counts.unknown_types, 1);
    assert!(decoded.rejects.is_empty());
}

#[test]
fn the_columns_of_an_answer_and_of_its_calls_are_filled() {
    let decoded = session(SESSION);
    let row = decoded.of("llm_response")[0];
    assert_eq!((&row["model"], &row["provider"]), (&json!("gemini-3-pro"), &json!("google")));
    // input − cached + tool; output + thoughts.
    let usage = ["input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens", "total_tokens"];
    assert_eq!(usage.map(|key| row[key].as_i64().unwrap()), [605, 400, 50, 30, 1055]);
    assert_eq!(row["usage_source"], "reported");
    assert_eq!((&row["session_id"], &row["turn"]), (&json!("aaaa0001-0000-4000-8000-000000000001"), &json!(1)));
    let run = decoded.only("command_execution");
    assert_eq!((&run["command"], &run["tool_input"]), (&json!("make test"), &json!({"command": "make test"})));
    assert_eq!(run["extra"], json!({"displayName": "Shell", "description": "make test"}));
    let [ran, edited, written] = decoded.of("tool_result")[..] else { panic!("three results") };
    assert_eq!((&ran["exit_code"], &ran["is_error"], &ran["status"]), (&json!(2), &json!(false), &json!("completed")));
    assert_eq!((&ran["tool_call_id"], &ran["command"]), (&json!("t1"), &json!("make test")));
    assert_eq!((&edited["is_error"], &edited["file_path"]), (&json!(true), &json!("/home/me/shop/price.ts")));
    assert_eq!((&edited["lines_added"], &edited["lines_removed"]), (&json!(1), &json!(1)));
    assert_eq!(written["status"], "cancelled");
    let prompt = decoded.only("user_interaction");
    assert_eq!(prompt["extra"]["displayContent"], "Fix the price @shot.png");
    assert_eq!(prompt["extra"]["part1"]["inlineData"]["data"]["bytes"], 102);
}

#[test]
fn reading_goes_on_after_any_line() {
    resumes_anywhere(Format::GeminiSession, SESSION_PATH, SESSION.as_bytes());
}

#[test]
fn trap_1_an_id_that_is_appended_again_counts_once_and_its_last_record_counts() {
    let first = json!({"id": "x", "timestamp": "2026-01-01T00:00:05.000Z", "type": "gemini", "content": "a"});
    let second = json!({"id": "x", "timestamp": "2026-01-01T00:00:05.000Z", "type": "gemini", "content": "a",
        "tokens": {"input": 7, "output": 2, "cached": 0, "thoughts": 0, "tool": 0, "total": 9}});
    let third = json!({"id": "x", "timestamp": "2026-01-01T00:00:05.000Z", "type": "gemini", "content": "a",
        "tokens": {"input": 8, "output": 1, "cached": 0, "thoughts": 0, "tool": 0, "total": 9}});
    let decoded = session(&[&first, &second, &third, &third].map(Value::to_string).join("\n"));
    assert_eq!(decoded.of("llm_response").len(), 3, "an unchanged record makes no row");
    assert_eq!((decoded.sum("input_tokens"), decoded.sum("output_tokens")), (8, 1));
    assert_eq!(decoded.events().len(), 1);
    // Also inside a document.
    let twice = document(&chat(&[second, third]));
    assert_eq!((twice.sum("input_tokens"), twice.sum("output_tokens")), (8, 1));
}

#[test]
fn trap_2_a_checkpoint_of_all_messages_makes_rows_for_new_messages_only() {
    let decoded = session(SESSION);
    assert!(decoded.rows.iter().all(|row| row.get("tool_output") != Some(&json!("[masked]"))));
    assert_eq!(decoded.of("user_interaction").len(), 1);
    assert_eq!(decoded.sum("output_tokens"), 50 + 7 + 1);
}

#[test]
fn trap_3_a_rewound_message_keeps_its_usage_and_a_row_names_it() {
    let decoded = session(SESSION);
    assert!(decoded.of("llm_response").iter().any(|row| row["message_id"] == "m4" && row["output_tokens"] == 7));
    let rewound = decoded.rows.iter().find(|row| row.get("status") == Some(&json!("rewound"))).unwrap();
    assert_eq!(rewound["extra"], json!({"rewound": ["m4", "m5", "m6"]}));
    assert_eq!(rewound["parent_event_id"], "m4");
    let all = session("{\"id\":\"a\",\"type\":\"user\",\"content\":\"x\"}\n{\"$rewindTo\":\"unknown\"}\n");
    assert_eq!(all.only("system")["extra"], json!({"rewound": ["a"]}));
}

#[test]
fn trap_4_twins_of_both_generations_are_one_event_each() {
    let messages = [answer("a", 10, 1), answer("b", 20, 2)];
    let old = document(&chat(&messages));
    let header = json!({"sessionId": "d0c00001", "projectHash": "00", "startTime": "2026-01-01T00:00:00.000Z"});
    let more = answer("c", 30, 3);
    let lines = [&header, &messages[0], &messages[1], &more].map(Value::to_string).join("\n");
    let new = session(&lines);
    let ids = |event_type: &str, decoded: &crate::adapters::tests::Decoded| {
        decoded.of(event_type).iter().map(|row| row["event_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids("llm_response", &old), ids("llm_response", &new)[..2]);
    assert_eq!(ids("session_start", &old), ids("session_start", &new));
}

#[test]
fn trap_5_a_sub_agents_file_has_no_prefix_and_names_its_parent_in_its_path() {
    let header = r#"{"sessionId":"child","projectHash":"00","startTime":"2026-04-25T08:23:00.000Z","kind":"subagent"}"#;
    let text = format!("{header}\n{}\n", answer("a", 1, 1));
    let path = "/h/.gemini/tmp/shop/chats/aaaa0001-0000-4000-8000-000000000001/child.jsonl";
    let decoded = decode(Format::GeminiSession, path, text.as_bytes());
    let row = decoded.only("llm_response");
    assert_eq!((&row["is_subagent"], &row["session_id"]), (&json!(true), &json!("child")));
    assert_eq!(row["parent_session_id"], "aaaa0001-0000-4000-8000-000000000001");
    // Before March 2026 they lay beside the main chat.
    let mut old = chat(&[answer("a", 1, 1)]);
    old["kind"] = json!("subagent");
    assert_eq!(document(&old).only("llm_response")["is_subagent"], true);
}

#[test]
fn trap_6_two_files_of_one_session_share_the_session_and_no_event() {
    let mut second = chat(&[answer("b", 1, 1)]);
    second["startTime"] = json!("2026-01-01T01:00:00.000Z");
    let (first, second) = (document(&chat(&[answer("a", 1, 1)])), document(&second));
    assert_eq!(first.rows[0]["session_id"], second.rows[0]["session_id"]);
    assert!(first.ids().iter().all(|id| !second.ids().contains(id)));
}

#[test]
fn trap_7_the_folder_comes_from_the_files_beside_the_chat() {
    let companions = [Companion { name: ".project_root", text: "/home/me/shop" }];
    let decoded = decode_with(Format::GeminiSession, SESSION_PATH, &companions, SESSION.as_bytes());
    assert!(decoded.rows.iter().all(|row| row["cwd"] == "/home/me/shop" && row["project"] == "shop"));
    assert!(session(SESSION).rows.iter().all(|row| !row.contains_key("cwd")));
}

#[test]
fn trap_8_a_document_cut_off_by_its_writer_is_a_reject_and_a_growing_one_keeps_its_ids() {
    let text = chat(&[answer("a", 10, 1)]).to_string();
    let torn = decode(Format::GeminiDocument, "/x/session-a.json", &text.as_bytes()[..text.len() - 9]);
    assert_eq!((torn.rejects.len(), torn.rows.len()), (1, 0));
    // The answer comes before its usage and its tool's result.
    let call = |result: bool| {
        let mut message = answer("b", 20, 2);
        message["toolCalls"] = json!([{"id": "t", "name": "read_file", "args": {"absolute_path": "/x"},
            "status": if result { "success" } else { "executing" }}]);
        if result {
            message["toolCalls"][0]["result"] = json!([{"functionResponse": {"response": {"output": "text"}}}]);
        } else {
            message["tokens"] = Value::Null;
        }
        message
    };
    let user = json!({"id": "u", "timestamp": "2026-01-01T00:00:01.000Z", "type": "user", "content": "go"});
    let versions =
        [chat(std::slice::from_ref(&user)), chat(&[user.clone(), call(false)]), chat(&[user.clone(), call(true)])]
            .map(|v| document(&v));
    let last = document(&chat(&[user, call(true)]));
    let all: Vec<_> = versions.into_iter().flat_map(|d| d.rows).collect();
    let grown = crate::adapters::tests::Decoded { rows: all, rejects: Vec::new(), counts: Default::default() };
    let events = |decoded: &crate::adapters::tests::Decoded| {
        let mut rows: Vec<_> = decoded.events().into_iter().cloned().collect();
        rows.sort_by_key(|row| row["event_id"].to_string());
        rows
    };
    assert_eq!(events(&grown), events(&last));
}

#[test]
fn trap_9_telemetry_is_objects_one_after_the_other_and_adds_no_usage_to_the_chats() {
    let record = |name: &str, more: &str| {
        format!(
            "{{\n  \"hrTime\": [1767225600, 5000],\n  \"attributes\": {{\n    \"session.id\": \"s\",\n    \"event.name\": \
             \"gemini_cli.{name}\",\n    \"event.timestamp\": \"2026-01-01T00:00:00.000Z\"{more}\n  }}\n}}\n"
        )
    };
    let tokens = ", \"model\": \"gemini-3-pro\", \"input_token_count\": 100, \"output_token_count\": 10, \
                  \"cached_content_token_count\": 40, \"thoughts_token_count\": 5, \"tool_token_count\": 0, \
                  \"total_token_count\": 115, \"duration_ms\": 12.5";
    let text = [
        record("user_prompt", ", \"prompt\": \"go\", \"prompt_id\": \"p1\""),
        record("api_response", &format!("{tokens}, \"role\": \"main\", \"prompt_id\": \"p1\"")),
        record("api_response", &format!("{tokens}, \"role\": \"utility_router\", \"prompt_id\": \"p2\"")),
        record("api_error", ", \"error\": \"quota\", \"status_code\": 429"),
        "{\n  \"traceId\": \"x\",\n  \"attributes\": {}\n}\n".to_owned(),
        "{\n  \"scopeMetrics\": []\n}\n".to_owned(),
        "{\n  \"hrTime\": [17".to_owned(),
    ]
    .concat();
    let decoded = decode(Format::GeminiTelemetry, "/p/.gemini/telemetry.log", text.as_bytes());
    let kinds = decoded.rows.iter().map(|row| row["event_type"].as_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(kinds, ["prompt_history", "system", "llm_response", "error_encountered"]);
    assert_eq!((decoded.sum("input_tokens"), decoded.sum("output_tokens")), (60, 15), "the router's call");
    assert_eq!(decoded.only("system")["extra"]["input_token_count"], 100);
    assert_eq!(decoded.only("error_encountered")["text"], "quota");
    assert!(decoded.rejects.is_empty(), "a last object that is being written is no reject");
}

#[test]
fn trap_10_fields_of_other_tools_are_kept() {
    let mut value = chat(&[]);
    value["source"] = json!("sync");
    value["summary"] = json!("A title");
    let decoded = document(&value);
    assert_eq!(decoded.only("session_start")["extra"], json!({"projectHash": "00", "source": "sync"}));
    assert_eq!(decoded.only("title")["text"], "A title");
}

#[test]
fn cached_input_cannot_be_more_than_the_input() {
    let mut message = answer("a", 10, 1);
    message["tokens"]["cached"] = json!(25);
    let row = document(&chat(&[message])).only("llm_response").clone();
    assert_eq!((&row["input_tokens"], &row["cache_read_tokens"]), (&json!(0), &json!(10)));
}

#[test]
fn no_usage_is_null() {
    let mut message = answer("a", 10, 1);
    message["tokens"] = Value::Null;
    assert!(!document(&chat(&[message])).only("llm_response").contains_key("total_tokens"));
}

#[test]
fn the_prompt_log_is_rewritten_whole_and_keeps_its_ids() {
    let prompt = |n: i64| {
        json!({"sessionId": "s", "messageId": n, "type": "user", "message": format!("prompt {n}"),
        "timestamp": format!("2026-01-01T00:00:0{n}.000Z")})
    };
    let read =
        |value: &Value| decode(Format::GeminiPrompts, "/h/.gemini/tmp/x/logs.json", value.to_string().as_bytes());
    let (one, two) = (read(&json!([prompt(0)])), read(&json!([prompt(0), prompt(1)])));
    assert_eq!(one.ids(), two.ids()[..1]);
    assert_eq!((&two.rows[1]["event_type"], &two.rows[1]["text"]), (&json!("prompt_history"), &json!("prompt 1")));
    assert_eq!(read(&json!([])).counts.ignored, 1);
    assert_eq!(read(&json!([1])).rejects, ["wrong_shape"]);
}

#[test]
fn old_shapes_are_read() {
    let decoded = session("{\"id\":\"a\",\"timestamp\":\"2026-01-01T00:00:00Z\",\"type\":\"user\",\"content\":\"x\"}");
    assert_eq!(decoded.only("user_interaction")["session_id"], "session-2026-04-25T08-23-aaaa0001", "no header");
    let parts = json!({"id": "m", "timestamp": "2026-01-01T00:00:05.000Z", "type": "model", "parts": [{"text": "hi"}]});
    assert_eq!(document(&chat(&[parts])).only("llm_response")["text"], "hi");
    let nameless = json!({"type": "user", "content": "x"});
    let decoded = document(&chat(&[nameless.clone(), nameless]));
    assert_eq!(decoded.events().iter().filter(|row| row["event_type"] == "user_interaction").count(), 2);
    let roles = json!({"history": [{"role": "user", "parts": [{"text": "hi"}], "ts": 1_695_000_000}, {"role": "gemini",
        "parts": [{"text": "ho"}], "ts": 1_695_000_005}], "start_time": "2023-09-18T01:20:00Z", "lastUpdated": "2023-09-18T01:30:00Z"});
    assert_eq!(document(&roles).only("llm_response")["ts"], 1_695_000_005_000_000_i64);
    let one_line = session(&chat(&[answer("a", 1, 1)]).to_string());
    assert_eq!(one_line.sum("output_tokens"), 1);
}

proptest! {
    #[test]
    fn no_bytes_panic(cut in 0usize..6000, flip in 0usize..6000, byte: u8, tail in prop::collection::vec(any::<u8>(), 0..20)) {
        let mut bytes = SESSION.as_bytes()[..cut.min(SESSION.len())].to_vec();
        if let Some(at) = bytes.get_mut(flip) {
            *at = byte;
        }
        bytes.extend(tail);
        for format in [Format::GeminiSession, Format::GeminiDocument, Format::GeminiPrompts, Format::GeminiTelemetry, Format::QwenDocument] {
            decode(format, "/h/.gemini/tmp/x/chats/a.jsonl", &bytes);
        }
    }
}

#[test]
fn a_sub_agents_document_lies_in_its_parents_folder_and_is_the_lines_of_the_next_version() {
    let parent = "aaaa0002-0000-4000-8000-000000000002";
    let record = json!({"sessionId": "z9y8x7", "projectHash": "00", "startTime": "2026-04-16T10:01:00.000Z",
        "lastUpdated": "2026-04-16T10:01:10.000Z", "kind": "subagent", "messages": [
        {"id": "s1", "timestamp": "2026-04-16T10:01:00.000Z", "type": "user", "content": [{"text": "list"}]},
        {"id": "s2", "timestamp": "2026-04-16T10:01:05.000Z", "type": "gemini", "content": "one", "model": "gemini-x",
         "tokens": {"input": 30, "output": 3, "cached": 10, "thoughts": 5, "tool": 0, "total": 38}}]});
    let path = format!("/h/.gemini/tmp/app/chats/{parent}/z9y8x7.json");
    let document = decode(Format::GeminiDocument, &path, record.to_string().as_bytes());
    assert_eq!(document.sum("total_tokens"), 38);
    for row in &document.rows {
        assert_eq!((&row["session_id"], &row["parent_session_id"]), (&json!("z9y8x7"), &json!(parent)));
        assert_eq!(row["is_subagent"], true);
    }
    let mut header = record.clone();
    let messages = header.as_object_mut().unwrap().remove("messages").unwrap();
    let lines: String =
        [&header].into_iter().chain(messages.as_array().unwrap()).map(|line| format!("{line}\n")).collect();
    let log = decode(Format::GeminiSession, &format!("{path}l"), lines.as_bytes());
    assert_eq!(log.ids(), document.ids());
    // A sub-agent that goes by its parent's id has no parent of that name.
    let same = record.to_string().replace("z9y8x7", parent);
    let same = decode(Format::GeminiDocument, &path, same.as_bytes());
    assert!(same.rows.iter().all(|row| !row.contains_key("parent_session_id") && row["is_subagent"] == true));
}
