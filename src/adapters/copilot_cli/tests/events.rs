//! Event logs and legacy documents: golden rows, and each trap of the format as a test.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{EVENTS, PATH, SESSION, event, events, outline, shutdown, sums};
use crate::adapters::Companion;
use crate::adapters::tests::{decode, decode_with, resumes_anywhere};
use crate::schema::Format;

#[test]
fn a_session_makes_one_row_for_each_thing_that_happened() {
    let decoded = events(EVENTS);
    let expected = [
        ["session_start", ""],
        ["system", ""],
        ["system", "You are"],
        ["user_interaction", "Fix the price"],
        ["thinking", "Look first."],
        ["llm_response", ""],
        ["llm_request", ""],
        ["progress", "Fixing price"],
        ["command_execution", ""],
        ["file_modify", ""],
        ["tool_result", "1 failed\n<exited with exit code 2>"],
        ["tool_result", "The user rejected this"],
        ["system", ""],
        ["tool_use", ""],
        ["system", ""],
        ["llm_response", "Sub-agent says"],
        ["llm_request", ""],
        ["system", ""],
        ["tool_result", "explored"],
        ["thinking", "Done now."],
        ["llm_response", "Part one"],
        ["llm_request", ""],
        ["llm_response", "Part two"],
        ["llm_request", ""],
        ["tool_use", ""],
        ["title", "Price fix"],
        ["error_encountered", "Model error"],
        ["compaction", ""],
        ["compaction", "So far"],
        ["system", "<skill-context name=\"x\">do</skill-context>"],
        ["hook", ""],
        ["session_end", ""],
        ["system", ""],
        ["llm_request", ""],
        ["system", ""],
        ["session_start", ""],
        ["user_interaction", "Go on"],
        ["llm_response", "Went on"],
        ["llm_request", ""],
        ["unknown", ""],
        ["system", ""],
        ["session_end", ""],
        ["system", ""],
        ["system", ""],
    ];
    assert_eq!(outline(&decoded.rows), expected.map(|row| row.map(str::to_owned)));
    // turn_start and what is ephemeral.
    assert_eq!((decoded.counts.ignored, decoded.counts.unknown_types), (2, 1));
    assert!(!format!("{:?}", decoded.rows).contains("SECRET"));
}

#[test]
fn the_columns_of_a_call_and_of_its_result_are_filled() {
    let decoded = events(EVENTS);
    let start = decoded.of("session_start")[0];
    assert_eq!((&start["session_id"], &start["agent_version"]), (&json!(SESSION), &json!("1.0.77")));
    assert_eq!((&start["project"], &start["repo_url"]), (&json!("acme/shop"), &json!("https://github.com/acme/shop")));
    assert_eq!((&start["git_branch"], &start["git_commit"]), (&json!("main"), &json!("00ff")));
    let run = decoded.only("command_execution");
    assert_eq!((&run["command"], &run["model"], &run["turn"]), (&json!("make test"), &json!("gpt-5"), &json!(1)));
    let [ran, rejected, _] = decoded.of("tool_result")[..] else { panic!("three results") };
    assert_eq!((&ran["exit_code"], &ran["duration_ms"]), (&json!(2), &json!(1500)), "from start to end");
    assert_eq!((&ran["tool_name"], &ran["command"]), (&json!("bash"), &json!("make test")));
    assert_eq!(ran["extra"]["start"]["shellToolInfo"]["hasWriteFileRedirection"], false);
    assert_eq!((&rejected["is_error"], &rejected["status"]), (&json!(true), &json!("denied")));
    let answer = decoded.of("llm_response")[0];
    assert_eq!((&answer["message_id"], &answer["request_id"]), (&json!("m1"), &json!("r1")));
    assert!(!answer.contains_key("total_tokens"), "usage is on llm_request");
    let sub = decoded.of("llm_response")[1];
    assert_eq!((&sub["is_subagent"], &sub["subagent_type"]), (&json!(true), &json!("explore")));
    assert_eq!(decoded.of("session_end")[0]["extra"]["currentModel"], "gpt-5");
}

#[test]
fn reading_goes_on_after_any_line() {
    resumes_anywhere(Format::CopilotCliEvents, PATH, EVENTS.as_bytes());
}

#[test]
fn trap_1_a_parent_that_is_in_no_line_does_no_harm() {
    assert_eq!(events(EVENTS).of("user_interaction")[0]["parent_event_id"], "gone");
}

#[test]
fn trap_2_arguments_are_an_object_or_a_text_of_one() {
    let decoded = events(EVENTS);
    let edit = decoded.only("file_modify");
    assert_eq!(edit["file_path"], "/home/me/shop/a.ts");
    assert_eq!(edit["tool_input"]["new_str"], "2");
}

#[test]
fn trap_3_shutdown_counters_add_up_over_resumes_and_their_input_includes_the_cache() {
    let decoded = events(EVENTS);
    // gpt-5: 1500 input of which 900 read and 100 written; claude-haiku: 50.
    assert_eq!(sums(&decoded), [500 + 50, 900, 100, 80 + 5]);
    assert_eq!(decoded.sum("reasoning_tokens"), 12);
    let credits: Vec<_> = decoded.events().iter().filter_map(|row| row.get("credits")).cloned().collect();
    assert_eq!(credits, [json!("4.000000000")]);
    let before = EVENTS.lines().take(28).collect::<Vec<_>>().join("\n");
    assert_eq!(sums(&events(&before)), [200 + 50, 700, 100, 60 + 5]);
}

#[test]
fn trap_3_a_smaller_counter_begins_a_new_epoch_and_a_crash_leaves_the_messages_output() {
    let start = |version: &str| event("session.start", 0, &json!({"sessionId": SESSION, "copilotVersion": version}));
    let reset =
        [start("1.0.80"), shutdown(1, &[("m", [100, 10, 0, 0])]), shutdown(2, &[("m", [30, 3, 0, 0])])].concat();
    assert_eq!(sums(&events(&reset)), [130, 0, 0, 13]);
    let grown =
        [start("1.0.80"), shutdown(1, &[("m", [100, 10, 0, 0])]), shutdown(2, &[("m", [130, 13, 0, 0])])].concat();
    assert_eq!(sums(&events(&grown)), [130, 0, 0, 13]);
    // Before 1.0 each leg counted for itself.
    let legs =
        [start("0.0.422"), shutdown(1, &[("m", [100, 10, 0, 0])]), shutdown(2, &[("m", [130, 13, 0, 0])])].concat();
    assert_eq!(sums(&events(&legs)), [230, 0, 0, 23]);
    let message = |n| event("assistant.message", n, &json!({"messageId": format!("m{n}"), "outputTokens": 4}));
    let crashed = [start("1.0.80"), message(1), message(2)].concat();
    assert_eq!(sums(&events(&crashed)), [0, 0, 0, 8]);
    assert!(events(&crashed).rows.iter().all(|row| !row.contains_key("input_tokens")), "null, not zero");
}

#[test]
fn output_of_messages_without_a_model_is_not_counted_again_at_the_shutdown() {
    let message = |n| event("assistant.message", n, &json!({"messageId": format!("m{n}"), "outputTokens": 4}));
    let text = [message(1), message(2), shutdown(3, &[("a", [10, 5, 0, 0]), ("b", [20, 6, 0, 0])])].concat();
    assert_eq!(sums(&events(&text)), [30, 0, 0, 11]);
    let without = shutdown(3, &[("a", [10, 5, 0, 0])]);
    assert_eq!(sums(&events(&without)), [10, 0, 0, 5], "newer versions say nothing in messages");
}

#[test]
fn trap_4_what_the_model_says_it_will_do_is_no_tool_call() {
    let decoded = events(EVENTS);
    assert_eq!(decoded.only("progress")["text"], "Fixing price");
    assert!(decoded.of("tool_result").iter().all(|row| row["tool_call_id"] != "t0"));
    let asked = [
        event(
            "tool.execution_start",
            1,
            &json!({"toolCallId": "q", "toolName": "ask_user", "arguments": {"question": "?"}}),
        ),
        event("tool.execution_complete", 2, &json!({"toolCallId": "q", "success": true, "result": {"content": "yes"}})),
    ];
    let decoded = events(&asked.concat());
    assert_eq!(decoded.only("tool_result")["tool_output"], "yes", "what a person answered stays");
}

#[test]
fn trap_5_logs_without_a_start_and_with_a_torn_end_are_read() {
    let text = format!("{}{{\"type\":\"assistant.mess", event("user.message", 1, &json!({"content": "hi"})));
    let decoded = events(&text);
    assert_eq!(decoded.only("user_interaction")["session_id"], SESSION);
    assert_eq!(decoded.rejects, ["not_json"]);
}

#[test]
fn trap_6_the_flat_file_is_named_by_its_session() {
    let text = event("user.message", 1, &json!({"content": "hi"}));
    let decoded =
        decode(Format::CopilotCliEvents, &format!("/h/.copilot/session-state/{SESSION}.jsonl"), text.as_bytes());
    assert_eq!(decoded.only("user_interaction")["session_id"], SESSION);
    assert_eq!(decoded.ids(), events(&text).ids(), "the same events in both places");
}

#[test]
fn trap_7_the_folder_changes_with_the_session() {
    let decoded = events(EVENTS);
    let rows = decoded.of("llm_response");
    assert_eq!((&rows[0]["cwd"], &rows[1]["cwd"]), (&json!("/home/me/shop"), &json!("/home/me/garden")));
    assert_eq!((&rows[1]["project"], &rows[1]["git_branch"]), (&json!("garden"), &json!("dev")));
}

#[test]
fn trap_8_a_time_in_milliseconds_is_one_of_the_fields() {
    let end = events(EVENTS).of("session_end")[0].clone();
    assert_eq!(end["extra"]["sessionStartTime"], 1_782_900_000_000_i64);
    assert_eq!(end["ts"], 1_782_900_023_000_000_i64);
}

#[test]
fn trap_10_unknown_types_are_rows_with_their_fields() {
    let decoded = events(EVENTS);
    assert_eq!(decoded.only("unknown")["extra"], json!({"event": "session.telepathy", "mind": "open"}));
}

#[test]
fn the_workspace_file_names_folder_and_title() {
    let companions =
        [Companion { name: "workspace.yaml", text: "cwd: /w/shop\nrepository: acme/shop\nsummary: My title\n" }];
    let text = event("user.message", 1, &json!({"content": "hi"}));
    let decoded = decode_with(Format::CopilotCliEvents, PATH, &companions, text.as_bytes());
    assert_eq!(decoded.only("title")["text"], "My title");
    let row = decoded.only("user_interaction");
    assert_eq!((&row["cwd"], &row["project"]), (&json!("/w/shop"), &json!("acme/shop")));
}

#[test]
fn a_title_that_comes_after_the_events_is_the_same_title() {
    let path = PATH.replace("events.jsonl", "workspace.yaml");
    let read = |text: &str| decode(Format::CopilotCliWorkspace, &path, text.as_bytes());
    let without = format!("id: {SESSION}\ncwd: /w/shop\ncreated_at: 2026-08-01T00:00:00.000Z\n");
    let with = format!("{without}summary: My title\nupdated_at: 2026-08-01T00:05:00.000Z\n");
    let none = read(&without);
    assert_eq!((none.rows.len(), none.counts.ignored, none.rejects.len()), (0, 1, 0));
    let late = read(&with);
    let title = late.only("title");
    assert_eq!((&title["text"], &title["session_id"]), (&json!("My title"), &json!(SESSION)));
    assert_eq!((&title["cwd"], &title["ts"]), (&json!("/w/shop"), &json!(1_785_542_700_000_000_i64)));
    // An event log that is read with it has the same title, and so has the folder by its name alone.
    let companions = [Companion { name: "workspace.yaml", text: &with }];
    let line = event("user.message", 1, &json!({"content": "hi"}));
    let early = decode_with(Format::CopilotCliEvents, PATH, &companions, line.as_bytes());
    assert_eq!(early.only("title")["event_id"], title["event_id"]);
    assert_eq!(read("summary: My title").only("title")["event_id"], title["event_id"]);
    // In whatever order the two are read, the file's own row is the one that stays.
    assert!(title["completeness"].as_i64() > early.only("title")["completeness"].as_i64());
    assert_eq!(read("no yaml at all").rejects, ["wrong_shape"]);
    assert_eq!(read(" \n").counts.ignored, 1);
}

#[test]
fn flat_records_of_other_writers_are_read() {
    let text = "{\"session_id\":\"s\",\"cwd\":\"/w\",\"type\":\"userpromptsubmitted\",\"prompt\":\"hi\",\"timestamp\":1700001000000}\n\
                {\"session_id\":\"s\",\"type\":\"assistantresponse\",\"result\":\"ho\",\"timestamp\":1700001001000}\n";
    let decoded = events(text);
    assert_eq!(
        outline(&decoded.rows),
        [["user_interaction", "hi"], ["llm_response", "ho"]].map(|r| r.map(str::to_owned))
    );
    assert_eq!((&decoded.rows[1]["session_id"], &decoded.rows[1]["cwd"]), (&json!("s"), &json!("/w")));
}

#[test]
fn a_legacy_session_is_read_from_its_timeline_else_from_its_messages() {
    let messages = json!([
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "type": "function",
            "function": {"name": "str_replace_editor", "arguments": "{\"command\":\"view\",\"path\":\"/x\"}"}}]},
        {"role": "tool", "tool_call_id": "c1", "content": "whole text"},
        {"role": "assistant", "content": "done"}]);
    let timeline = json!([
        {"id": "1", "timestamp": "2025-10-01T00:00:01.000Z", "type": "user", "text": "hi"},
        {"id": "2", "timestamp": "2025-10-01T00:00:02.000Z", "type": "tool_call_completed", "callId": "c1",
            "name": "str_replace_editor", "arguments": {"command": "view", "path": "/x"}, "result": {"type": "success", "log": "short"}},
        {"id": "3", "timestamp": "2025-10-01T00:00:03.000Z", "type": "copilot", "text": "done"},
        {"id": "4", "timestamp": "2025-10-01T00:00:04.000Z", "type": "info", "text": "note"}]);
    let path = "/h/.copilot/history-session-state/session_a_1.json";
    let read = |value: &Value| decode(Format::CopilotCliDocument, path, value.to_string().as_bytes());
    let base = json!({"sessionId": "a", "startTime": "2025-10-01T00:00:00.000Z", "chatMessages": messages});
    let mut with_timeline = base.clone();
    with_timeline["timeline"] = timeline;
    let decoded = read(&with_timeline);
    let expected = [
        ["session_start", ""],
        ["user_interaction", "hi"],
        ["file_read", ""],
        ["tool_result", "whole text"],
        ["llm_response", "done"],
        ["system", "note"],
    ];
    assert_eq!(outline(&decoded.rows), expected.map(|r| r.map(str::to_owned)));
    assert_eq!(
        (&decoded.only("tool_result")["file_path"], &decoded.only("tool_result")["status"]),
        (&json!("/x"), &json!("completed"))
    );
    let decoded = read(&base);
    let expected = [
        ["session_start", ""],
        ["user_interaction", "hi"],
        ["llm_response", ""],
        ["file_read", ""],
        ["tool_result", "whole text"],
        ["llm_response", "done"],
    ];
    assert_eq!(outline(&decoded.rows), expected.map(|r| r.map(str::to_owned)));
    assert_eq!(read(&json!({"a": 1})).rejects, ["wrong_shape"]);
    // Events that were saved with line breaks.
    let pretty = serde_json::to_string_pretty(
        &json!({"type": "user.message", "data": {"content": "hi"}, "id": "e", "timestamp": "2026-01-01T00:00:00Z"}),
    )
    .unwrap();
    let two = decode(Format::CopilotCliDocument, path, format!("{pretty}\n{pretty}").as_bytes());
    assert_eq!((two.of("user_interaction").len(), two.counts.lines), (2, 1));
}

proptest! {
    #[test]
    fn no_bytes_panic(cut in 0usize..12000, flip in 0usize..12000, byte: u8, tail in prop::collection::vec(any::<u8>(), 0..20)) {
        let mut bytes = EVENTS.as_bytes()[..cut.min(EVENTS.len())].to_vec();
        if let Some(at) = bytes.get_mut(flip) {
            *at = byte;
        }
        bytes.extend(tail);
        decode(Format::CopilotCliEvents, PATH, &bytes);
        decode(Format::CopilotCliDocument, "/h/session_x.json", &bytes);
        decode(Format::CopilotCliWorkspace, "/h/x/workspace.yaml", &bytes);
    }

    #[test]
    fn reading_goes_on_after_any_line_of_damaged_logs(at in 0usize..34, key in "(type|data|id|timestamp|toolCallId|outputTokens)") {
        let lines: Vec<String> = EVENTS.lines().enumerate().filter(|(i, _)| i.abs_diff(at) < 3)
            .map(|(i, line)| if i == at { line.replace(&format!("\"{key}\":"), "\"other\":") } else { line.to_owned() })
            .collect();
        resumes_anywhere(Format::CopilotCliEvents, PATH, lines.join("\n").as_bytes());
    }
}
