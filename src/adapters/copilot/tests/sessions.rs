//! Session documents: every part and member has its column.

use serde_json::{Value, json};

use super::*;

#[test]
fn a_request_is_a_prompt_and_an_answer_with_all_that_is_known_of_them() {
    let one = request("r1", "@workspace /fix it", "0.30.0", &json!([{"value": "done"}]));
    let one = with(
        one,
        &["variableData"],
        json!({"variables": [
        {"kind": "file", "name": "a.rs", "id": "file:///p/a.rs", "value": {"$mid": 1, "external": "file:///p/a.rs", "path": "/p/a.rs", "scheme": "file"}},
        {"kind": "file", "name": "b.rs", "value": {"uri": {"path": "/p/b.rs", "scheme": "file"}, "range": {"startLineNumber": 3}}},
        {"kind": "image", "name": "shot", "mimeType": "image/png", "value": (0..200).map(|n| (n.to_string(), json!(n))).collect::<serde_json::Map<_, _>>()}]}),
    );
    let one = with(one, &["copilotCredits"], json!(1.5));
    let one = with(one, &["vote"], json!(1));
    let one = with(one, &["slashCommand"], json!({"name": "fix"}));
    let one = with(
        one,
        &["contentReferences"],
        json!([{"kind": "reference", "reference": {"path": "/p/c.rs", "scheme": "file"}}]),
    );
    let out = read_one(one);
    let prompt = out.only("user_interaction");
    assert_eq!(prompt["text"], "@workspace /fix it");
    assert_eq!((&prompt["ts"], &prompt["ts_source"]), (&json!(T * 1000), &json!("log")));
    assert_eq!((&prompt["session_id"], &prompt["workspace_id"]), (&json!(ID), &json!("w1")));
    assert_eq!((&prompt["cwd"], &prompt["project"]), (&json!("/home/u/My Proj"), &json!("My Proj")));
    assert_eq!((&prompt["turn"], &prompt["role"], &prompt["message_id"]), (&json!(1), &json!("user"), &json!("r1")));
    let attached = &prompt["extra"]["attachments"];
    assert_eq!((&attached[0]["path"], &attached[1]["path"]), (&json!("/p/a.rs"), &json!("/p/b.rs")));
    assert_eq!(attached[1]["range"]["startLineNumber"], 3);
    assert_eq!(attached[2]["value"]["bytes"], 200);
    assert_eq!(prompt["extra"]["slash_command"], "fix");
    let answer = out.only("llm_response");
    assert_eq!((&answer["text"], &answer["status"]), (&json!("done"), &json!("completed")));
    assert_eq!((&answer["provider"], &answer["model"]), (&json!("copilot"), &json!("gpt-4.1")));
    assert_eq!((&answer["message_id"], &answer["request_id"]), (&json!("response_r1"), &json!("turn_r1")));
    assert_eq!((&answer["duration_ms"], &answer["ts"]), (&json!(9000), &json!((T + 9000) * 1000)));
    assert_eq!((&answer["credits"], &answer["extra"]["vote"]), (&json!("1.500000000"), &json!(1)));
    assert_eq!(answer["extra"]["references"], json!(["/p/c.rs"]));
    assert_eq!(answer["agent_version"], "0.30.0");
    assert!(answer.get("output_tokens").is_none() && answer.get("usage_source").is_none());
    assert_eq!(out.only("title")["text"], "A title");
    assert_eq!(out.only("session_start")["extra"]["initialLocation"], "panel");
}

#[test]
fn the_model_behind_auto_is_what_the_result_says() {
    for (id, resolved, details, model) in [
        (
            json!("copilot/auto"),
            json!("claude-sonnet-4.5"),
            json!("Claude Sonnet 4.5 • 0.9x"),
            json!("claude-sonnet-4.5"),
        ),
        (json!("copilot/auto"), Value::Null, json!("Claude Sonnet 4.5 • 0.9x"), json!("Claude Sonnet 4.5")),
        (json!("generic-copilot/litellm/anthropic/x"), Value::Null, json!("X"), json!("litellm/anthropic/x")),
        (Value::Null, Value::Null, json!("GPT-4.1 • 1x"), json!("GPT-4.1")),
        (Value::Null, Value::Null, Value::Null, Value::Null),
    ] {
        let one = with(request("r1", "x", "0.40.0", &json!([{"value": "y"}])), &["modelId"], id.clone());
        let one = with(one, &["result", "metadata", "resolvedModel"], resolved);
        let out = read_one(with(one, &["result", "details"], details));
        assert_eq!(out.only("llm_response").get("model").cloned().unwrap_or_default(), model, "{id}");
    }
}

#[test]
fn usage_is_partial_and_stands_on_one_row_wherever_it_was_written() {
    let base = || request("r1", "x", "0.40.0", &json!([{"value": "y"}]));
    let of_request = with(with(base(), &["promptTokens"], json!(100)), &["completionTokens"], json!(20));
    let of_result = with(base(), &["result", "usage"], json!({"promptTokens": 100, "completionTokens": 20}));
    let of_metadata = with(
        with(base(), &["result", "metadata", "promptTokens"], json!(100)),
        &["result", "metadata", "outputTokens"],
        json!(20),
    );
    for one in [of_request.clone(), of_result, of_metadata] {
        let out = read_one(one);
        assert_eq!((out.sum("input_tokens"), out.sum("output_tokens")), (100, 20));
        let rows: Vec<_> = out.rows.iter().filter(|r| r.contains_key("total_tokens")).collect();
        assert_eq!(
            (rows.len(), &rows[0]["usage_source"], &rows[0]["total_tokens"]),
            (1, &json!("partial"), &json!(120))
        );
    }
    // A participant that is not the extension has no turn of it: the answer carries the figure.
    let out = read_one(with(of_request, &["result", "metadata"], json!({})));
    assert_eq!(out.only("llm_response")["output_tokens"], 20);
}

#[test]
fn a_terminal_call_has_command_output_code_and_duration_in_every_shape() {
    let id = "0b9f8a52-1111-4222-8333-944444444444";
    for data in [
        json!({"kind": "terminal", "command": "ls"}),
        json!({"kind": "terminal", "commandLine": {"original": "rm", "userEdited": "ls"}}),
        json!({"kind": "terminal", "commandLine": {"original": "ls"}, "cwd": {"path": "/p", "scheme": "file"},
            "terminalCommandState": {"exitCode": 2, "timestamp": T, "duration": 70},
            "terminalCommandOutput": {"text": "\u{1b}[31mno\u{1b}[0m"}}),
    ] {
        let part = with(shown(id, "run_in_terminal"), &["toolSpecificData"], data);
        let out = read_one(request("r1", "x", "0.30.0", &json!([part])));
        assert_eq!(out.only("command_execution")["command"], "ls");
        let result = out.only("tool_result");
        assert_eq!(result["command"], "ls");
        if result.contains_key("exit_code") {
            assert_eq!((&result["exit_code"], &result["is_error"]), (&json!(2), &json!(true)));
            assert_eq!((&result["duration_ms"], &result["tool_output"]), (&json!(70), &json!("no")));
        }
    }
}

#[test]
fn tools_of_servers_searches_and_sub_agents_say_what_they_did() {
    let mcp = with(
        shown("call_aaaaaaaaaaaaaaaaaaaa", "mcp_x"),
        &["resultDetails"],
        json!({"input": "{\"a\":1}",
        "output": [{"type": "embed", "isText": true, "value": "out"}], "isError": true}),
    );
    let image = with(
        shown("call_bbbbbbbbbbbbbbbbbbbb", "mcp_shot"),
        &["resultDetails"],
        json!({"input": "no json",
        "output": [{"type": "embed", "isText": false, "mimeType": "image/png", "value": "AAAA".repeat(64)}]}),
    );
    let search = with(
        shown("call_cccccccccccccccccccc", "copilot_findFiles"),
        &["resultDetails"],
        json!([{"path": "/p/a", "scheme": "file"}, {"uri": {"path": "/p/b", "scheme": "file"}, "range": {}}]),
    );
    let agent = with(
        shown("call_dddddddddddddddddddd", "runSubagent"),
        &["toolSpecificData"],
        json!({"kind": "subagent", "agentName": "Plan", "prompt": "think", "result": "thought"}),
    );
    let inner = with(shown("call_eeeeeeeeeeeeeeeeeeee", "copilot_readFile"), &["fromSubAgent"], json!(true));
    let out = read_one(request("r1", "x", "0.40.0", &json!([mcp, image, search, agent, inner])));
    let results = out.of("tool_result");
    assert_eq!((&results[0]["tool_output"], &results[0]["status"]), (&json!("out"), &json!("failed")));
    assert_eq!(out.of("tool_use")[0]["tool_input"], json!({"a": 1}));
    assert_eq!(out.of("tool_use")[1]["tool_input"], json!("no json"));
    assert_eq!(results[1]["extra"]["details"]["output"][0]["value"]["bytes"], 192);
    assert_eq!(results[2]["tool_output"], "/p/a\n/p/b");
    assert_eq!((&results[3]["tool_output"], &results[3]["subagent_type"]), (&json!("thought"), &json!("Plan")));
    assert_eq!(out.only("file_read")["is_subagent"], true);
}

#[test]
fn results_come_as_texts_and_as_trees_of_rendered_nodes() {
    let id = "call_aaaaaaaaaaaaaaaaaaaa";
    let tree = json!({"node": {"children": [{"text": "a"}, {"children": [{"text": "b", "lineBreakBefore": true}]}]}});
    let one = with(
        request("r1", "x", "0.40.0", &json!([shown(id, "copilot_applyPatch")])),
        &["result", "metadata", "toolCallRounds"],
        json!([{"id": "q", "timestamp": T + 70, "toolCalls": [
            made(id, "apply_patch", &json!({"input": "*** Begin Patch\n*** Update File: /p/a.rs\n+x\n+y\n-z\n*** End Patch"}))]}]),
    );
    let one = with(
        one,
        &["result", "metadata", "toolCallResults"],
        json!({id: {"$mid": 20, "content": [{"$mid": 21, "value": tree}]}}),
    );
    let out = read_one(one);
    let call = out.only("file_modify");
    assert_eq!((&call["file_path"], &call["ts"]), (&json!("/p/a.rs"), &json!((T + 70) * 1000)));
    let result = out.only("tool_result");
    assert_eq!(result["tool_output"], "a\nb");
    assert_eq!((&result["lines_added"], &result["lines_removed"]), (&json!(2), &json!(1)));
}

#[test]
fn errors_summaries_and_parts_of_other_kinds_are_rows() {
    let response = json!([{"kind": "progressTaskSerialized", "content": {"value": "Analyzing"}},
        {"kind": "confirmation", "title": "Sure?", "message": "Really"}, {"kind": "undoStop", "id": "u"},
        {"kind": "brandNew", "thing": 7}, {"kind": "brandNew", "thing": 8}, {"kind": "prepareToolInvocation", "toolName": "x"}]);
    let one = with(
        request("r1", "x", "0.40.0", &response),
        &["result", "errorDetails"],
        json!({"message": "No quota", "code": "failed", "isQuotaExceeded": true}),
    );
    let one = with(one, &["result", "metadata", "summary"], json!({"toolCallRoundId": "q", "text": "so far"}));
    let out = read_one(one);
    assert_eq!(out.only("error_encountered")["text"], "No quota");
    assert_eq!(out.only("error_encountered")["extra"]["isQuotaExceeded"], true);
    assert_eq!(out.only("compaction")["text"], "so far");
    assert_eq!(out.only("progress")["text"], "Analyzing");
    assert_eq!(out.only("system")["extra"]["title"], "Sure?");
    let unknown: Vec<_> = out.of("unknown").iter().map(|r| r["extra"]["thing"].clone()).collect();
    assert_eq!((unknown, out.counts.unknown_types), (vec![json!(7), json!(8)], 1));
}

#[test]
fn what_the_system_asked_is_no_prompt_of_the_user() {
    let one = with(request("r1", "x", "0.40.0", &json!([])), &["isSystemInitiated"], json!(true));
    let out = read_one(with(one, &["systemInitiatedLabel"], json!("Terminal finished")));
    assert!(out.of("user_interaction").is_empty());
    assert_eq!(out.only("system")["extra"]["systemInitiatedLabel"], "Terminal finished");
}

#[test]
fn a_growing_document_ends_with_the_events_of_its_last_state() {
    let id = "0b9f8a52-1111-4222-8333-944444444444";
    let started = json!({"requestId": "r1", "timestamp": T, "message": {"text": "x"}, "response": [],
        "agent": {"extensionVersion": "0.30.0"}, "modelId": "copilot/gpt-4.1"});
    let saved = with(started.clone(), &["response"], json!([{"value": "so"}, shown(id, "copilot_readFile")]));
    let saved = with(with(saved, &["modelState"], json!({"value": 2})), &["completionTokens"], json!(3));
    let done = request("r1", "x", "0.30.0", &json!([{"value": "so it is"}, shown(id, "copilot_readFile")]));
    let done = with(with(done, &["completionTokens"], json!(9)), &["promptTokens"], json!(90));
    let done = with(
        done,
        &["result", "metadata", "toolCallRounds"],
        json!([{"id": "q", "toolCalls": [
        made("toolu_bbbbbbbbbbbbbbbbbbbbbbbb__vscode-2", "read_file", &json!({"filePath": "/p/a.rs"}))]}]),
    );
    let states = [started, saved, done].map(read_one);
    let last = states.last().unwrap().events().iter().map(|r| r["event_id"].clone()).collect::<Vec<_>>();
    let out = together(states.into_iter().collect());
    let mut ids: Vec<_> = out.events().iter().map(|r| r["event_id"].as_str().unwrap().to_owned()).collect();
    let mut last: Vec<_> = last.iter().map(|v| v.as_str().unwrap().to_owned()).collect();
    ids.sort();
    last.sort();
    assert_eq!(ids, last);
    assert_eq!((out.sum("output_tokens"), out.sum("input_tokens")), (9, 90));
    let read = out.events().into_iter().find(|r| r["event_type"] == "file_read").unwrap();
    assert_eq!(read["file_path"], "/p/a.rs");
}

#[test]
fn sessions_of_the_first_editors_and_of_other_windows_are_sessions() {
    let one = session(&[request("r1", "x", "0.30.0", &json!([{"value": "y"}]))]);
    for text in [json!([one, one]).to_string(), json!({"chat": one, "timestampInMilliseconds": 1}).to_string()] {
        let out =
            decode(Format::CopilotSession, "/u/User/globalStorage/transferredChatSessions/s.json", text.as_bytes());
        assert_eq!(out.events().iter().filter(|r| r["event_type"] == "user_interaction").count(), 1);
    }
}

#[test]
fn an_export_beside_its_session_adds_nothing_when_the_first_request_names_no_session() {
    let cancelled = json!({"errorDetails": {"code": "canceled", "message": "Canceled"}});
    let first = with(request("r1", "one", "0.42.0", &json!([{"value": "half"}])), &["result"], cancelled);
    let second = request("r2", "two", "0.42.0", &json!([{"value": "whole"}]));
    let second = with(second, &["result", "metadata", "sessionId"], json!(ID));
    let whole = session(&[first, with(second, &["copilotCredits"], json!(2))]);
    let mut export = whole.clone();
    for key in ["version", "sessionId", "creationDate", "customTitle"] {
        export.as_object_mut().unwrap().remove(key);
    }
    let export = || decode(Format::CopilotSession, "/home/u/chat.json", export.to_string().as_bytes());
    assert_eq!(export().of("user_interaction")[0]["session_id"], ID);
    let alone = read(&whole).events().len();
    assert_eq!(together(vec![read(&whole), export()]).events().len(), alone);
    assert_eq!(together(vec![export(), read(&whole)]).events().len(), alone);
}
