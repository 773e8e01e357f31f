//! Spans, checkpoints, exported prompts, Visual Studio's traces.

use serde_json::json;

use super::*;
use crate::adapters::SourceInfo;
use crate::adapters::database_decoder;
use crate::adapters::tests::{database, decode_database, resumes_anywhere};
use crate::schema::Tables;

const STORE: &str = "/u/User/globalStorage/github.copilot-chat/agent-traces.db";

const SCHEMA: &str = "CREATE TABLE schema_version (version INTEGER PRIMARY KEY);
CREATE TABLE spans (span_id TEXT PRIMARY KEY, trace_id TEXT NOT NULL, parent_span_id TEXT, name TEXT NOT NULL,
  start_time_ms INTEGER NOT NULL, end_time_ms INTEGER NOT NULL, status_code INTEGER NOT NULL DEFAULT 0, status_message TEXT,
  operation_name TEXT, provider_name TEXT, agent_name TEXT, conversation_id TEXT, request_model TEXT, response_model TEXT,
  input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER, reasoning_tokens INTEGER, tool_name TEXT,
  tool_call_id TEXT, tool_type TEXT, chat_session_id TEXT, turn_index INTEGER, ttft_ms REAL);
CREATE TABLE span_attributes (span_id TEXT NOT NULL, key TEXT NOT NULL, value TEXT, PRIMARY KEY (span_id, key));";

/// A turn of two calls, a helper's call, a failed one, and the span that repeats their sum.
fn spans() -> String {
    let span = |id: &str, operation: &str, turn: &str, session: &str, numbers: &str, status: u8| {
        format!(
            "INSERT INTO spans (span_id, trace_id, name, start_time_ms, end_time_ms, status_code, operation_name, provider_name,
               agent_name, conversation_id, request_model, response_model, chat_session_id, input_tokens, output_tokens, cached_tokens)
             VALUES ('{id}', 't', '{operation} m', {T}, {T} + 1500.5, {status}, '{operation}', 'github', 'panel/editAgent',
               '{turn}', 'gpt-4.1', 'gpt-4.1-2025-04-14', {session}, {numbers});"
        )
    };
    let own = format!("'{ID}'");
    [
        SCHEMA.to_owned(),
        span("s0", "chat", "turn_r1", &own, "NULL, NULL, NULL", 2),
        span("s1", "chat", "turn_r1", &own, "1000, 10, 200", 1),
        span("s2", "chat", "turn_r1", &own, "1200, 30, 1100", 1),
        span("s3", "invoke_agent", ID, &own, "2200, 40, 1300", 1),
        span("s4", "chat", "helper", "NULL", "50, 5, NULL", 1),
        "INSERT INTO span_attributes VALUES ('s1', 'gen_ai.output.messages',
           '[{\"role\":\"assistant\",\"parts\":[{\"type\":\"text\",\"content\":\"hi\"},{\"type\":\"tool_call\",\"id\":\"call_1__vscode-2\"}]}]'),
           ('s1', 'gen_ai.response.finish_reasons', '[\"stop\"]'), ('s1', 'gen_ai.response.id', 'turn_r1'),
           ('s4', 'copilot_chat.parent_chat_session_id', 'parent'), ('s2', 'gen_ai.output.messages', '[{\"cut');"
            .to_owned(),
    ]
    .join("\n")
}

fn read_spans() -> Decoded {
    let (_folder, path) = database(&spans());
    let (out, tail) = decode_database(Format::CopilotSpans, &path, STORE);
    assert!(tail.is_empty());
    out
}

#[test]
fn only_chat_spans_are_calls_and_each_has_its_usage_once() {
    let out = read_spans();
    assert_eq!((out.rows.len(), out.counts.lines), (4, 4));
    assert_eq!((out.sum("output_tokens"), out.sum("input_tokens"), out.sum("cache_read_tokens")), (45, 950, 1300));
    let first = &out.rows[1];
    assert_eq!((&first["session_id"], &first["request_id"]), (&json!(ID), &json!("turn_r1")));
    assert_eq!((&first["model"], &first["provider"]), (&json!("gpt-4.1"), &json!("github")));
    assert_eq!((&first["usage_source"], &first["stop_reason"]), (&json!("reported"), &json!("stop")));
    assert_eq!((&first["duration_ms"], &first["extra"]["output"]), (&json!(1500), &json!("hi")));
    assert_eq!(first["extra"]["tool_calls"], json!(["call_1"]));
    assert_eq!(out.rows[2]["extra"]["output"], "[{\"cut");
    assert_eq!((&out.rows[0]["is_error"], out.rows[0].get("usage_source")), (&json!(true), None));
    assert_eq!(out.rows[3]["session_id"], "parent");
}

#[test]
fn the_calls_of_a_turn_take_the_place_of_the_sessions_figure_in_any_order() {
    let one = || {
        let one = request("r1", "x", "0.40.0", &json!([{"value": "y"}]));
        read_one(with(with(one, &["promptTokens"], json!(1200)), &["completionTokens"], json!(40)))
    };
    assert_eq!(one().sum("output_tokens"), 40);
    for all in [vec![one(), read_spans()], vec![read_spans(), one()]] {
        let out = together(all);
        assert_eq!((out.sum("output_tokens"), out.sum("input_tokens")), (45, 950));
        let used: Vec<_> = out.events().into_iter().filter(|r| r.contains_key("total_tokens")).collect();
        assert!(used.iter().all(|r| r["usage_source"] == "reported"));
        assert_eq!(used.len(), 3);
        let answers: Vec<_> =
            out.events().into_iter().filter(|r| r.contains_key("text") && r["event_type"] == "llm_response").collect();
        assert_eq!((answers.len(), &answers[0]["text"]), (1, &json!("y")));
    }
}

#[test]
fn older_and_foreign_span_tables_are_read_or_refused() {
    let sql = "CREATE TABLE spans (span_id TEXT PRIMARY KEY, operation_name TEXT, start_time_ms INTEGER);
        INSERT INTO spans VALUES ('a', 'chat', 5), (NULL, 'chat', 'x'), ('b', 'execute_tool', 1);";
    let (_folder, path) = database(sql);
    let (out, _) = decode_database(Format::CopilotSpans, &path, STORE);
    assert_eq!((out.rows.len(), out.rejects.len()), (1, 1));
    let info = SourceInfo { path: STORE, ..SourceInfo::default() };
    let mut decoder = database_decoder(Format::CopilotSpans, info).unwrap();
    let tables = Tables::new([("spans".to_owned(), vec!["id".to_owned()])].into());
    assert!(decoder.queries(&tables).unwrap_err().detail.contains("agent-traces.db"));
}

#[test]
fn checkpoints_are_evidence_of_files_and_hashes_never_of_a_second_write() {
    let entry = json!({"resource": "file:///p/a.rs", "languageId": "rust", "originalHash": "aaaaaaa", "currentHash": "bbbbbbb",
        "state": 1, "snapshotUri": "x", "telemetryInfo": {"requestId": "r1", "agentId": "github.copilot.editsAgent", "modelId": "copilot/gpt-4.1"}});
    let path = format!("/u/User/workspaceStorage/w1/chatEditingSessions/{ID}/state.json");
    let newer = json!({"version": 2, "initialFileContents": [["file:///p/a.rs", "aaaaaaa"]], "timeline": {}, "recentSnapshot": {"stopId": "s", "entries": [entry]}});
    let older = json!({"version": 1, "linearHistory": [{"requestId": "r1", "stops": [{"entries": [entry]}]}], "recentSnapshot": {"entries": []}});
    for text in [newer.to_string(), older.to_string()] {
        let out = decode(Format::CopilotEdits, &path, text.as_bytes());
        let row = out.only("snapshot");
        assert_eq!(
            (&row["file_path"], &row["session_id"], &row["message_id"]),
            (&json!("/p/a.rs"), &json!(ID), &json!("r1"))
        );
        assert_eq!(
            (&row["extra"]["originalHash"], &row["extra"]["currentHash"]),
            (&json!("aaaaaaa"), &json!("bbbbbbb"))
        );
        assert_eq!(row["model"], "gpt-4.1");
        assert_eq!(out.rows.len(), 1);
    }
}

#[test]
fn exported_prompts_have_the_usage_of_each_call_and_meet_the_spans_of_their_turn() {
    let call = |id: &str, prompt: i64, cached: i64, output: i64, said: &str| {
        json!({"id": id, "kind": "request", "type": "ChatMLSuccess", "name": "panel/editAgent", "metadata": {
            "model": "gpt-4.1", "startTime": "2026-02-02T02:40:00.000Z", "duration": 1500, "requestId": "turn_r1",
            "usage": {"prompt_tokens": prompt, "completion_tokens": output, "prompt_tokens_details": {"cached_tokens": cached},
                "completion_tokens_details": {"reasoning_tokens": 1}}}, "response": {"type": "success", "message": [said]}})
    };
    let tool = json!({"id": "call_abcdefghijklmnopqrst__vscode-1", "kind": "toolCall", "tool": "grep_search",
        "args": "{\"query\":\"q\"}", "time": "2026-02-02T02:40:01.000Z", "response": ["found"]});
    let export = json!({"exportedAt": "2026-02-02T03:00:00.000Z", "prompts": [
        {"prompt": "x", "hasSeen": false, "logs": [{"id": "e", "kind": "element", "name": "z", "tokens": 4}, call("a", 1000, 200, 10, ""), tool]},
        {"prompt": "x", "hasSeen": true, "logs": [call("b", 1200, 1100, 30, "done"), {"kind": "odd", "id": "o"}]}]});
    let out = decode(Format::CopilotReplay, "/home/u/x.chatreplay.json", export.to_string().as_bytes());
    assert_eq!(out.only("user_interaction")["text"], "x");
    assert_eq!((out.sum("output_tokens"), out.sum("input_tokens"), out.sum("reasoning_tokens")), (40, 900, 2));
    assert_eq!(out.of("llm_response")[1]["text"], "done");
    assert_eq!(out.only("tool_result")["tool_output"], "found");
    assert_eq!(out.of("unknown").len(), 1);
    assert_eq!(together(vec![out, read_spans()]).sum("output_tokens"), 45);
}

#[test]
fn traces_of_visual_studio_are_prompts_calls_and_tools() {
    let span = |id: &str, operation: &str, more: serde_json::Value| {
        let mut attributes = vec![
            json!({"key": "gen_ai.conversation.id", "value": {"stringValue": "c1"}}),
            json!({"key": "gen_ai.operation.name", "value": {"stringValue": operation}}),
        ];
        for (key, value) in more.as_object().unwrap() {
            let value =
                if value.is_number() { json!({"intValue": value.to_string()}) } else { json!({"stringValue": value}) };
            attributes.push(json!({"key": key, "value": value}));
        }
        json!({"resourceSpans": [{"resource": {"attributes": [{"key": "service.version", "value": {"stringValue": "18.6"}}]},
            "scopeSpans": [{"spans": [{"traceId": "t", "spanId": id, "parentSpanId": "", "name": operation,
                "startTimeUnixNano": "1781296600000000000", "endTimeUnixNano": "1781296602000000000", "attributes": attributes}]}]}]})
    };
    let lines = [
        span(
            "a",
            "invoke_agent",
            json!({"copilot_chat.initiator_type": "user", "copilot_chat.root_request_id": "q",
            "gen_ai.usage.output_tokens": 99, "gen_ai.request.model": "gpt-5.5"}),
        ),
        span(
            "b",
            "chat",
            json!({"gen_ai.request.model": "gpt-5.5", "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.cache_read.input_tokens": 60, "gen_ai.usage.output_tokens": 7, "gen_ai.provider.name": "azure"}),
        ),
        span(
            "c",
            "execute_tool",
            json!({"gen_ai.tool.name": "apply_patch", "gen_ai.tool.call.id": "call_1",
            "gen_ai.tool.call.arguments": "{\"patch\":\"*** Update File: README.md\"}", "gen_ai.tool.call.result": "ok"}),
        ),
        span("d", "dream", json!({})),
        json!({"resourceLogs": []}),
        json!({"x": 1}),
    ];
    let path = "/L/Temp/VSGitHubCopilotLogs/traces/1_VSGitHubCopilot_traces.jsonl";
    let out = decode(Format::VisualStudioTraces, path, log(&lines).as_bytes());
    assert_eq!((out.sum("output_tokens"), out.sum("input_tokens"), out.sum("cache_read_tokens")), (7, 40, 60));
    let prompt = out.only("user_interaction");
    assert_eq!((&prompt["message_id"], &prompt["session_id"], &prompt["turn"]), (&json!("q"), &json!("c1"), &json!(1)));
    assert_eq!((&prompt["ts"], &prompt["agent_version"]), (&json!(1_781_296_600_000_000_i64), &json!("18.6")));
    assert_eq!(out.only("file_modify")["file_path"], "README.md");
    let result = out.only("tool_result");
    assert_eq!((&result["tool_output"], &result["duration_ms"]), (&json!("ok"), &json!(2000)));
    assert_eq!((out.of("unknown").len(), out.counts.ignored, out.rejects.len()), (1, 1, 1));
    resumes_anywhere(Format::VisualStudioTraces, path, log(&lines).as_bytes());
}

/// A span of a trace as a line: its parent, what it does, what it said.
fn told(id: &str, parent: &str, operation: &str, said: &[&str]) -> serde_json::Value {
    let parts: Vec<_> = said.iter().map(|text| json!({"type": "text", "content": text})).collect();
    let messages = json!([{"role": "assistant", "parts": parts}]).to_string();
    let attributes = [
        ("gen_ai.conversation.id", "c1"),
        ("gen_ai.operation.name", operation),
        ("gen_ai.output.messages", &*messages),
    ]
    .map(|(key, value)| json!({"key": key, "value": {"stringValue": value}}));
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "t", "spanId": id, "parentSpanId": parent,
        "startTimeUnixNano": "1781296600000000000", "endTimeUnixNano": "1781296602000000000", "attributes": attributes}]}]}]})
}

#[test]
fn what_a_turn_repeats_of_its_calls_is_told_once_whichever_comes_first() {
    let (turn, call) = (told("a", "", "invoke_agent", &["It is done."]), told("b", "a", "chat", &["It is done."]));
    let path = "/x/otel.jsonl";
    for lines in [[call.clone(), turn.clone()], [turn.clone(), call]] {
        let out = decode(Format::VisualStudioTraces, path, log(&lines).as_bytes());
        let events = out.events();
        let answers: Vec<_> = events.iter().filter(|row| row.get("text") == Some(&json!("It is done."))).collect();
        assert_eq!(answers.len(), 1, "{lines:?}");
        assert_eq!(out.of("user_interaction").len(), 1);
        resumes_anywhere(Format::VisualStudioTraces, path, log(&lines).as_bytes());
    }
    let alone = decode(Format::VisualStudioTraces, path, log(&[turn]).as_bytes());
    assert_eq!(alone.only("llm_response")["text"], "It is done.", "where no call says it, the turn does");
    let sums = [
        told("b", "a", "chat", &["One."]),
        told("c", "a", "chat", &["Two."]),
        told("a", "", "invoke_agent", &["One.", "Two."]),
    ];
    assert_eq!(decode(Format::VisualStudioTraces, path, log(&sums).as_bytes()).of("llm_response").len(), 2);
}

#[test]
fn a_turn_below_another_span_is_a_sub_agents() {
    let lines = [
        told("a", "", "invoke_agent", &[]),
        told("b", "a", "execute_tool", &[]),
        told("c", "b", "invoke_agent", &["Found."]),
    ];
    let out = decode(Format::VisualStudioTraces, "/x/otel.jsonl", log(&lines).as_bytes());
    assert_eq!((out.of("user_interaction").len(), out.only("user_interaction")["turn"].clone()), (1, json!(1)));
    assert_eq!(out.only("llm_response")["is_subagent"], true);
}
