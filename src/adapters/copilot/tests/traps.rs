//! The numbered traps of the formats; trap 13 is in `uri.rs`.

use serde_json::{Value, json};

use super::*;
use crate::adapters::tests::{provisional, resumes_anywhere};

const UUID: &str = "0b9f8a52-1111-4222-8333-944444444444";

#[test]
fn trap_1_a_thought_may_be_a_list_and_an_empty_one_is_no_thought() {
    let response = json!([
        {"kind": "thinking", "value": ["a", "b"], "id": "t1"},
        {"kind": "thinking", "value": [], "id": "enc"},
        {"kind": "thinking", "value": "", "metadata": {"vscodeReasoningDone": true}},
        {"kind": "thinking", "value": "c", "generatedTitle": "On c"},
        {"value": "done"}]);
    let out = read_one(request("r1", "x", "0.30.0", &response));
    let thoughts: Vec<_> = out.of("thinking").iter().map(|r| r["text"].clone()).collect();
    assert_eq!(thoughts, ["ab", "c"]);
    assert_eq!(out.of("thinking")[1]["extra"]["generatedTitle"], "On c");
    assert_eq!(out.only("llm_response")["text"], "done");
}

#[test]
fn trap_2_texts_stand_where_later_versions_have_objects() {
    let old = json!({"sessionId": ID, "creationDate": T, "requests": [
        {"message": "first", "response": ["one ", {"value": "two"}], "isCanceled": false},
        {"message": {"text": "second"}, "response": "three",
            "variableData": {"variables": [{"name": "f", "value": null}, {"name": "g", "value": "text"}, {"id": "h"}]}},
        {"message": "third", "response": [{"kind": null, "value": "four"}]}]});
    let out = read(&old);
    let texts = |kind| out.of(kind).iter().map(|r| r["text"].clone()).collect::<Vec<_>>();
    assert_eq!(texts("user_interaction"), ["first", "second", "third"]);
    assert_eq!(texts("llm_response"), ["one two", "three", "four"]);
    assert_eq!(out.of("user_interaction")[1]["extra"]["attachments"][1]["value"], "text");
    assert_eq!(out.of("user_interaction")[2]["ts"], T * 1000);
    assert_eq!(out.of("user_interaction")[2]["ts_source"], "inferred");
    assert!(out.rejects.is_empty());
}

#[test]
fn trap_3_calls_whose_ids_are_uuids_find_their_arguments_by_order_and_name() {
    let other = "1c9f8a52-1111-4222-8333-944444444444";
    let response = json!([shown(UUID, "copilot_readFile"), shown(other, "copilot_findTextInFiles"), {"value": "ok"}]);
    let rounds = json!([{"id": "round1", "toolCalls": [
        made("toolu_aaaaaaaaaaaaaaaaaaaaaaaa__vscode-1", "manage_todo_list", &json!({"todoList": []})),
        made("toolu_bbbbbbbbbbbbbbbbbbbbbbbb__vscode-2", "read_file", &json!({"filePath": "/p/a.rs"})),
        made("toolu_cccccccccccccccccccccccc__vscode-3", "grep_search", &json!({"query": "q"}))]}]);
    let results =
        json!({"toolu_bbbbbbbbbbbbbbbbbbbbbbbb__vscode-2": {"$mid": 20, "content": [{"$mid": 21, "value": "text"}]}});
    let one = with(request("r1", "x", "0.30.0", &response), &["result", "metadata", "toolCallRounds"], rounds);
    let out = read_one(with(one, &["result", "metadata", "toolCallResults"], results));
    let read = out.only("file_read");
    assert_eq!((&read["tool_call_id"], &read["tool_name"]), (&json!(UUID), &json!("read_file")));
    assert_eq!((&read["file_path"], &read["tool_input"]["filePath"]), (&json!("/p/a.rs"), &json!("/p/a.rs")));
    assert_eq!(read["extra"]["provider_call_id"], "toolu_bbbbbbbbbbbbbbbbbbbbbbbb");
    assert_eq!(read["message_id"], "round1");
    let answers = out.of("tool_result");
    assert_eq!((&answers[0]["tool_output"], &answers[0]["tool_call_id"]), (&json!("text"), &json!(UUID)));
    // What was not shown stands by itself; nothing is told twice.
    let names: Vec<_> = out.of("tool_use").iter().map(|r| r["tool_name"].clone()).collect();
    assert_eq!(names, ["grep_search", "manage_todo_list"]);
}

#[test]
fn trap_4_the_counter_behind_a_call_id_is_neither_part_of_it_nor_a_time() {
    let response = json!([shown("call_abcdefghijklmnopqrst__vscode-1764707424920", "run_in_terminal")]);
    let rounds = json!([{"id": "a", "toolCalls": [
        made("call_abcdefghijklmnopqrst__vscode-1764707424999", "run_in_terminal", &json!({"command": "ls"}))]}]);
    let one = with(request("r1", "x", "0.40.0", &response), &["result", "metadata", "toolCallRounds"], rounds);
    let out = read_one(one);
    let call = out.only("command_execution");
    assert_eq!((&call["tool_call_id"], &call["command"]), (&json!("call_abcdefghijklmnopqrst"), &json!("ls")));
    assert_eq!(call["ts"], T * 1000);
}

#[test]
fn trap_5_time_spent_waiting_is_a_duration_or_a_time() {
    for (number, key) in [(1500, "waited_ms"), (T + 5, "response_timestamp_ms")] {
        let one = with(request("r1", "x", "0.30.0", &json!([{"value": "y"}])), &["timeSpentWaiting"], json!(number));
        let out = read_one(one);
        assert_eq!(out.only("llm_response")["extra"][key], number);
        assert_eq!(out.only("llm_response")["duration_ms"], 9000);
    }
}

fn transcript() -> Vec<Value> {
    let event = |kind: &str, data: Value, n: u32| {
        json!({"type": kind, "data": data, "id": format!("e{n}"), "timestamp": format!("2026-02-02T02:40:{n:02}Z"),
            "parentId": null})
    };
    vec![
        event(
            "session.start",
            json!({"sessionId": ID, "version": 1, "producer": "copilot-agent",
            "copilotVersion": "0.40.0", "vscodeVersion": "1.110.0", "startTime": "2026-02-02T02:40:00Z"}),
            0,
        ),
        event("user.message", json!({"content": "Fix it", "attachments": []}), 1),
        event("assistant.turn_start", json!({"turnId": "0"}), 2),
        event(
            "assistant.message",
            json!({"messageId": "m1", "content": "Reading.", "reasoningText": "hm",
            "toolRequests": [{"toolCallId": "call_abcdefghijklmnopqrst", "name": "read_file",
                "arguments": "{\"filePath\":\"/p/a.rs\"}", "type": "function"}]}),
            3,
        ),
        event(
            "tool.execution_start",
            json!({"toolCallId": "call_abcdefghijklmnopqrst", "toolName": "read_file",
            "arguments": {"filePath": "/p/a.rs"}}),
            4,
        ),
        event("tool.execution_complete", json!({"toolCallId": "call_abcdefghijklmnopqrst", "success": true}), 5),
        event("assistant.turn_end", json!({"turnId": "0"}), 6),
        event("assistant.message", json!({"messageId": "m2", "content": "Fixed.", "toolRequests": []}), 7),
        event("user.message", json!({"content": "Fix it", "attachments": []}), 8),
        event("assistant.message", json!({"messageId": "m3", "content": "Again."}), 9),
    ]
}

fn same_as_transcript() -> Value {
    let response = json!([{"kind": "thinking", "value": "hm"}, {"value": "Reading."},
        shown("call_abcdefghijklmnopqrst__vscode-7", "copilot_readFile"), {"value": "Fixed."}]);
    let rounds = json!([{"id": "a", "response": "Reading.", "toolCalls": [
        made("call_abcdefghijklmnopqrst__vscode-7", "read_file", &json!({"filePath": "/p/a.rs"}))]}]);
    let first = with(request("r1", "Fix it", "0.40.0", &response), &["result", "metadata", "toolCallRounds"], rounds);
    session(&[first, request("r2", "Fix it", "0.40.0", &json!([{"value": "Again."}]))])
}

#[test]
fn trap_6_the_same_session_in_several_stores_and_folders_is_one_session_in_any_order() {
    let copy = "/u/User/workspaceStorage/w2/chatSessions/5a7d0f10-0000-4000-8000-000000000001.json";
    let text = same_as_transcript().to_string();
    let make = || {
        [
            read(&same_as_transcript()),
            decode(Format::CopilotSession, copy, text.as_bytes()),
            read_log(&[json!({"kind": 0, "v": same_as_transcript()})]),
            read_transcript(&transcript()),
        ]
    };
    let alone = read(&same_as_transcript());
    let wanted = alone.ids();
    for shift in 0..4 {
        let mut all: Vec<Decoded> = make().into_iter().collect();
        all.rotate_left(shift);
        let out = together(all);
        let mut ids: Vec<_> = out.events().iter().map(|r| r["event_id"].as_str().unwrap().to_owned()).collect();
        let mut expected = wanted.clone();
        ids.sort();
        expected.sort();
        assert_eq!(ids, expected, "from {shift}");
        // The session file's records win.
        let events = out.events();
        let models: Vec<_> = events.iter().filter(|r| r["event_type"] == "llm_response").map(|r| &r["model"]).collect();
        assert_eq!(models, ["gpt-4.1", "gpt-4.1"]);
    }
}

#[test]
fn trap_7_a_stale_document_beside_the_log_of_changes_adds_nothing() {
    let stale = read(&session(&[request("r1", "x", "0.30.0", &json!([{"value": "half"}]))]));
    let log = [
        json!({"kind": 0, "v": session(&[request("r1", "x", "0.30.0", &json!([{"value": "half"}]))])}),
        json!({"kind": 2, "k": ["requests", 0, "response"], "v": [{"value": " and whole"}]}),
        json!({"kind": 2, "k": ["requests"], "v": [request("r2", "y", "0.30.0", &json!([{"value": "more"}]))]}),
    ];
    let both = together(vec![read_log(&log), stale]);
    let answers: Vec<_> =
        both.events().iter().filter(|r| r["event_type"] == "llm_response").map(|r| r["text"].clone()).collect();
    assert_eq!(answers, ["half and whole", "more"]);
    assert_eq!(both.events().len(), read_log(&log).events().len());
}

#[test]
fn trap_7_what_a_log_of_changes_says_counts_before_what_a_stale_document_says() {
    for version in ["0.30.0", "0.42.0"] {
        let turn = |answer: &str, tool: &str| {
            let response = json!([{"value": answer}, shown(UUID, tool)]);
            with(request("r1", "x", version, &response), &["completionTokens"], json!(answer.len()))
        };
        let stale = || read(&session(&[turn("A stale answer, and the longer one.", "run_in_terminal")]));
        let fresh = || read_log(&[json!({"kind": 0, "v": session(&[turn("fresh", "copilot_readFile")])})]);
        for all in [vec![stale(), fresh()], vec![fresh(), stale()]] {
            let out = together(all);
            assert_eq!(out.sum("output_tokens"), 5, "{version}");
            let events = out.events();
            let answer = events.iter().find(|r| r["event_type"] == "llm_response" && r.contains_key("text")).unwrap();
            assert_eq!(answer["text"], "fresh", "{version}");
            assert!(events.iter().any(|r| r["event_type"] == "file_read"), "{version}");
        }
    }
}

#[test]
fn trap_8_an_export_without_ids_is_the_session_it_came_from() {
    let mut export = session(&[request("r1", "x", "0.30.0", &json!([{"value": "y"}]))]);
    for key in ["version", "sessionId", "creationDate"] {
        export.as_object_mut().unwrap().remove(key);
    }
    let text = export.to_string();
    let out = decode(Format::CopilotSession, "/home/u/chat.json", text.as_bytes());
    assert_eq!(out.only("user_interaction")["session_id"], "ext");
    assert!(out.of("session_start").is_empty());
    let whole = read(&session(&[request("r1", "x", "0.30.0", &json!([{"value": "y"}]))]));
    let prompt = |d: &Decoded| d.only("user_interaction")["event_id"].clone();
    assert_eq!(prompt(&out), prompt(&whole));
    let without = json!({"requests": [{"requestId": "r9", "message": "x"}]}).to_string();
    let out = decode(Format::CopilotSession, "/home/u/chat.json", without.as_bytes());
    assert_eq!(out.only("user_interaction")["session_id"], "r9");
}

#[test]
fn trap_9_a_call_marked_complete_in_a_cancelled_turn_is_cancelled_when_nothing_came_back() {
    let mut cut = shown(UUID, "copilot_readFile");
    cut.as_object_mut().unwrap().remove("pastTenseMessage");
    let one = with(request("r1", "x", "0.30.0", &json!([cut])), &["modelState"], json!({"value": 2}));
    assert_eq!(read_one(one).only("tool_result")["status"], "cancelled");
    let denied = with(shown(UUID, "run_in_terminal"), &["isConfirmed"], json!({"type": 0}));
    assert_eq!(read_one(request("r1", "x", "0.30.0", &json!([denied]))).only("tool_result")["status"], "denied");
    let skipped = with(shown(UUID, "run_in_terminal"), &["isConfirmed"], json!({"type": 5}));
    assert_eq!(read_one(request("r1", "x", "0.30.0", &json!([skipped]))).only("tool_result")["status"], "skipped");
}

#[test]
fn trap_10_a_cancelled_turn_keeps_its_prompt_its_tools_and_what_was_said() {
    let response = json!([{"value": "I start"}, shown(UUID, "copilot_createFile")]);
    let one = with(request("r1", "x", "0.30.0", &response), &["isCanceled"], json!(true));
    let one = with(one, &["modelState"], Value::Null);
    let out = read_one(with(one, &["result", "errorDetails"], json!({"code": "canceled", "message": "Canceled"})));
    assert_eq!(out.only("file_write")["tool_call_id"], UUID);
    assert_eq!(out.only("llm_response")["status"], "cancelled");
    assert_eq!(out.only("llm_response")["text"], "I start");
    assert_eq!(out.only("llm_response")["stop_reason"], "canceled");
    assert!(out.of("error_encountered").is_empty());
}

#[test]
fn trap_11_a_reference_inside_a_sentence_is_part_of_it() {
    let file = json!({"$mid": 1, "path": "/c:/p/src/main.rs", "scheme": "file"});
    let response = json!([{"value": "See "},
        {"kind": "inlineReference", "inlineReference": file}, {"value": ", "},
        {"kind": "inlineReference", "inlineReference": {"uri": file, "range": {}}}, {"value": ", "},
        {"kind": "inlineReference", "inlineReference": {"name": "main", "location": {"uri": file}}}, {"value": " and "},
        {"kind": "inlineReference", "name": "the docs", "inlineReference": file}, {"value": "."}]);
    let out = read_one(request("r1", "x", "0.30.0", &response));
    assert_eq!(out.only("llm_response")["text"], "See main.rs, main.rs, main and the docs.");
}

#[test]
fn trap_12_a_group_of_nested_edits_is_one_write() {
    let edit = |line: u32, text: &str| {
        let range = json!({"startLineNumber": line, "startColumn": 1, "endLineNumber": line, "endColumn": 1});
        json!([{"text": text, "range": range}])
    };
    let group = json!({"kind": "textEditGroup", "uri": {"path": "/p/a.rs", "scheme": "file"}, "done": true,
        "edits": [[], edit(1, "a\n"), edit(2, "b\n"), edit(3, "c\n")]});
    let out = read_one(request("r1", "x", "0.30.0", &json!([{"value": "```"}, group])));
    assert_eq!(out.only("file_modify")["file_path"], "/p/a.rs");
    assert_eq!(out.only("tool_result")["lines_added"], 3);
    // The write of a tool call is that call's.
    let out = read_one(request("r1", "x", "0.30.0", &json!([shown(UUID, "copilot_replaceString"), group])));
    assert_eq!(out.only("file_modify")["tool_call_id"], UUID);
    assert_eq!(out.only("tool_result")["lines_added"], 3);
}

#[test]
fn trap_14_a_document_of_megabytes_on_one_line_is_read_in_one_go() {
    let long = "x".repeat(1 << 20);
    let response: Vec<Value> = (0..4).map(|_| json!({"value": long})).collect();
    let out = read_one(request("r1", "x", "0.30.0", &json!(response)));
    assert_eq!(out.only("llm_response")["text"].as_str().unwrap().len(), 4 << 20);
}

#[test]
fn trap_15_byte_order_marks_and_carriage_returns_do_no_harm() {
    let text =
        serde_json::to_string_pretty(&session(&[request("r1", "x", "0.30.0", &json!([{"value": "y"}]))])).unwrap();
    let text = format!("\u{feff}{}\r\n", text.replace('\n', "\r\n"));
    let out = decode(Format::CopilotSession, SESSION, text.as_bytes());
    assert_eq!((out.of("user_interaction").len(), out.rejects.len()), (1, 0));
    let log = format!("\u{feff}{}\r\n", json!({"kind": 0, "v": session(&[request("r1", "x", "0.30.0", &json!([]))])}));
    assert_eq!(decode(Format::CopilotOpLog, LOG, log.as_bytes()).of("user_interaction").len(), 1);
}

#[test]
fn trap_16_drafts_and_account_data_are_not_stored() {
    let secret = json!({"inputText": "DRAFT", "selectedModel": {"metadata": {"auth": {"accountLabel": "SECRET"}}}});
    let mut whole = session(&[request("r1", "x", "0.40.0", &json!([{"value": "y"}]))]);
    whole["inputState"] = secret.clone();
    whole["pendingRequests"] = json!([{"message": "DRAFT"}]);
    whole["requests"][0]["modelConfiguration"] = json!({"auth": {"accountLabel": "SECRET"}, "effort": "high"});
    let lines = [
        json!({"kind": 0, "v": whole}),
        json!({"kind": 1, "k": ["inputState", "inputText"], "v": "DRAFT"}),
        json!({"kind": 1, "k": ["inputState"], "v": secret}),
        json!({"kind": 2, "k": ["pendingRequests"], "v": [{"message": "DRAFT"}]}),
    ];
    for out in [read(&whole), read_log(&lines)] {
        let text = serde_json::to_string(&out.rows).unwrap();
        assert!(!text.contains("DRAFT") && !text.contains("SECRET"));
        assert!(text.contains("high"));
    }
    assert_eq!(read_log(&lines).counts.ignored, 3);
}

#[test]
fn trap_17_a_session_without_a_request_makes_no_row() {
    let out = read(&session(&[]));
    assert_eq!((out.rows.len(), out.counts.ignored, out.rejects.len()), (0, 1, 0));
    let out = read_log(&[json!({"kind": 0, "v": session(&[])}), json!({"kind": 1, "k": ["customTitle"], "v": "t"})]);
    assert_eq!((out.rows.len(), out.rejects.len()), (0, 0));
}

#[test]
fn trap_18_a_title_that_comes_later_is_the_title() {
    let mut whole = session(&[request("r1", "x", "0.30.0", &json!([{"value": "y"}]))]);
    whole.as_object_mut().unwrap().remove("customTitle");
    let out = read_log(&[json!({"kind": 0, "v": whole}), json!({"kind": 1, "k": ["customTitle"], "v": "Later"})]);
    assert_eq!(out.only("title")["text"], "Later");
    assert_eq!(out.only("title")["session_id"], ID);
}

#[test]
fn what_is_still_answered_is_shown_and_kept_back() {
    let going = json!({"requestId": "r1", "timestamp": T, "message": {"text": "x"}, "response": [{"value": "so f"}],
        "modelState": {"value": 0}, "promptTokens": 50, "completionTokens": 5});
    let text = session(&[going]).to_string();
    let tail = provisional(Format::CopilotSession, SESSION, text.as_bytes());
    let kinds: Vec<_> = tail.iter().map(|r| r["event_type"].clone()).collect();
    assert_eq!(kinds, ["user_interaction", "llm_response"]);
    assert!(tail[1].get("output_tokens").is_none());
    assert_eq!(tail[1]["extra"]["completion_tokens_so_far"], 5);
    let log = format!("{}\n", json!({"kind": 0, "v": serde_json::from_str::<Value>(&text).unwrap()}));
    assert_eq!(provisional(Format::CopilotOpLog, LOG, log.as_bytes()).len(), 2);
}

/// A session of 0.37, whose response has ids of the editor's own; its last turn is not over yet, or has
/// its rounds.
fn named_by_editor(is_over: bool) -> Value {
    let response = json!([{"value": "Reading."}, shown(UUID, "copilot_readFile"), {"value": "Fixed."}]);
    let one = request("r1", "Fix it", "0.37.1", &response);
    if !is_over {
        return session(&[with(one, &["result"], Value::Null)]);
    }
    let rounds = json!([{"id": "a", "response": "Reading.", "toolCalls": [
        made("call_abcdefghijklmnopqrst__vscode-7", "read_file", &json!({"filePath": "/p/a.rs"}))]}]);
    session(&[with(one, &["result", "metadata", "toolCallRounds"], rounds)])
}

#[test]
fn a_call_that_the_editor_named_is_the_transcripts_call_once_its_round_is_known() {
    let whole = || read(&named_by_editor(true));
    let call = whole();
    let call = call.only("file_read");
    assert_eq!(call["tool_call_id"], "call_abcdefghijklmnopqrst");
    assert_eq!(call["extra"]["shown_call_id"], UUID);
    // What was read when the editor was silent, and its rounds not there yet, is the same call too.
    let early = || read(&named_by_editor(false));
    assert_eq!(early().only("llm_response")["text"], "Reading.\n\nFixed.");
    for all in [vec![whole(), read_transcript(&transcript())], vec![read_transcript(&transcript()), early(), whole()]] {
        let out = together(all);
        let of = |kind: &str| out.events().iter().filter(|r| r["event_type"] == kind).count();
        assert_eq!((of("file_read"), of("tool_result")), (1, 1));
    }
}

#[test]
fn a_call_whose_rounds_never_came_is_told_when_the_next_prompt_is_there() {
    let next = request("r2", "Go on", "0.37.1", &json!([{"value": "On."}]));
    let lines =
        [json!({"kind": 0, "v": named_by_editor(false)}), json!({"kind": 2, "k": ["requests"], "v": [next.clone()]})];
    let tail = provisional(Format::CopilotOpLog, LOG, log(&lines[..1]).as_bytes());
    assert!(tail.iter().any(|r| r["event_type"] == "file_read"));
    assert!(read_log(&lines[..1]).of("file_read").is_empty());
    let mut both = named_by_editor(false);
    both["requests"].as_array_mut().unwrap().push(next);
    for out in [read_log(&lines), read(&both)] {
        assert_eq!(out.only("file_read")["tool_call_id"], UUID);
    }
    resumes_anywhere(Format::CopilotOpLog, LOG, log(&lines).as_bytes());
}
