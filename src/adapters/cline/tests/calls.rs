//! `api_conversation_history.json` alone and beside `ui_messages.json`.

use super::*;

fn api() -> Value {
    json!([
        {"role": "user", "content": [{"type": "text", "text": "<task>\ngo\n</task>"}, {"type": "text", "text": "<environment_details>\n# Current Working Directory (/w/shop) Files\n</environment_details>"}], "ts": 1000},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm"},
            {"type": "text", "text": "I read."},
            {"type": "tool_use", "id": "toolu_1", "name": "read_file", "input": {"path": "a.rs"}},
            {"type": "tool_use", "id": "toolu_2", "name": "update_todo_list", "input": {"todos": "x"}}], "ts": 2000},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": [{"type": "text", "text": "fn main() {}"}]},
            {"type": "tool_result", "tool_use_id": "toolu_2", "content": "saved", "is_error": false},
            {"type": "text", "text": "<environment_details>\nx\n</environment_details>"}], "ts": 3000},
        {"role": "assistant", "content": "<execute_command><command>ls</command></execute_command>", "ts": 4000},
        {"role": "user", "content": [{"type": "text", "text": "[execute_command for 'ls'] Result:"}, {"type": "text", "text": "Exit code: 2\nno such thing"}], "ts": 5000},
    ])
}

fn ui() -> Value {
    json!([
        say(1000, "text", "go"),
        request(1100, (1, 1, 0, 0), 0.1, ""),
        say(1200, "text", "I read."),
        tool(1300, "readFile", "a.rs"),
        request(3100, (1, 1, 0, 0), 0.1, ""),
        ask(4100, "command", "ls"),
        say(4200, "command_output", "no such thing")
    ])
}

#[test]
fn beside_the_other_store_only_what_it_lacks_is_told_and_answers_join_its_calls() {
    let shown = ui().to_string();
    let calls = decode_with(
        Format::ClineCalls,
        CALLS,
        &[Companion { name: "ui_messages.json", text: &shown }],
        api().to_string().as_bytes(),
    );
    let task = decode(Format::ClineTask, TASK, shown.as_bytes());
    for kind in ["user_interaction", "llm_response", "thinking", "file_read", "command_execution"] {
        assert!(calls.of(kind).is_empty(), "{kind} is told by the other store");
    }
    let results = calls.of("tool_result");
    assert_eq!(results.len(), 3);
    assert_eq!(results[0]["tool_call_id"], task.only("file_read")["tool_call_id"]);
    assert_eq!(
        (&results[0]["tool_output"], &results[0]["extra"]["tool_use_id"]),
        (&json!("fn main() {}"), &json!("toolu_1"))
    );
    // A tool that was never shown comes with its call.
    assert_eq!(calls.only("tool_use")["tool_call_id"], results[1]["tool_call_id"]);
    let command = results[2];
    assert_eq!(command["tool_call_id"], task.only("command_execution")["tool_call_id"]);
    assert_eq!(
        (&command["exit_code"], &command["is_error"], &command["command"]),
        (&json!(2), &json!(true), &json!("ls"))
    );
    // The output that was shown is the same event, less complete.
    let output = task.only("tool_result");
    assert_eq!(output["event_id"], command["event_id"]);
    assert!(output["completeness"].as_i64() < command["completeness"].as_i64());
}

#[test]
fn an_answer_has_the_turn_and_the_model_of_its_call() {
    let environment = |model: &str| format!("<environment_details>\n<model>{model}</model>\n</environment_details>");
    let shown = json!([
        say(1000, "text", "go"),
        request(1100, (1, 1, 0, 0), 0.1, &environment("m1")),
        tool(1300, "readFile", "a.rs"),
        say(1400, "user_feedback", "now run it"),
        request(3100, (1, 1, 0, 0), 0.1, &environment("m2")),
        {"ts": 4100, "type": "ask", "ask": "command", "text": "ls", "modelInfo": {"modelId": "m3", "providerId": "p"}},
    ])
    .to_string();
    let task = decode(Format::ClineTask, TASK, shown.as_bytes());
    for with_times in [true, false] {
        let mut api = api();
        for message in api.as_array_mut().unwrap().iter_mut().filter(|_| !with_times) {
            message.as_object_mut().unwrap().remove("ts");
        }
        let beside = [Companion { name: "ui_messages.json", text: &shown }];
        let calls = decode_with(Format::ClineCalls, CALLS, &beside, api.to_string().as_bytes());
        let results = calls.of("tool_result");
        for call in [task.only("file_read"), task.only("command_execution")] {
            let result = results.iter().find(|row| row["tool_call_id"] == call["tool_call_id"]).unwrap();
            assert_eq!((&result["turn"], &result["model"]), (&call["turn"], &call["model"]));
            assert_eq!(result.get("provider"), call.get("provider"));
        }
        let hidden = calls.only("tool_use");
        assert_eq!((&hidden["turn"], &hidden["model"]), (&results[1]["turn"], &results[1]["model"]));
    }
}

#[test]
fn without_the_other_store_messages_and_companions_name_the_model() {
    let mut api = api();
    api[3]["modelInfo"] = json!({"modelId": "m2", "providerId": "p2"});
    let metadata = json!({"model_usage": [{"ts": 1, "model_id": "m1", "model_provider_id": "p1"}]}).to_string();
    let beside = [Companion { name: "task_metadata.json", text: &metadata }];
    let decoded = decode_with(Format::ClineCalls, CALLS, &beside, api.to_string().as_bytes());
    let models: Vec<_> =
        decoded.of("tool_result").iter().map(|row| (row["model"].clone(), row["turn"].clone())).collect();
    assert_eq!(models, [(json!("m1"), json!(1)), (json!("m1"), json!(1)), (json!("m2"), json!(1))]);
}

#[test]
fn both_stores_together_count_every_prompt_call_and_tool_once() {
    let shown = ui().to_string();
    let calls = decode_with(
        Format::ClineCalls,
        CALLS,
        &[Companion { name: "ui_messages.json", text: &shown }],
        api().to_string().as_bytes(),
    );
    let mut rows = decode(Format::ClineTask, TASK, shown.as_bytes()).rows;
    rows.extend(calls.rows);
    let lake = Decoded { rows, rejects: Vec::new(), counts: Counts::default() };
    let count = |kind: &str| lake.events().iter().filter(|r| r["event_type"] == kind).count();
    assert_eq!(
        (
            count("user_interaction"),
            count("llm_response"),
            count("file_read"),
            count("command_execution"),
            count("tool_use"),
            count("tool_result")
        ),
        (1, 2, 1, 1, 1, 3)
    );
}

#[test]
fn alone_it_tells_everything() {
    let decoded = decode(Format::RooCalls, CALLS, api().to_string().as_bytes());
    assert_eq!(decoded.only("user_interaction")["text"], "go");
    assert_eq!(decoded.of("llm_response")[0]["text"], "I read.");
    assert_eq!(decoded.only("thinking")["text"], "hm");
    assert!(decoded.rows.iter().all(|r| r["project"] == "shop"));
    assert_eq!(decoded.only("file_read")["tool_call_id"], "toolu_1");
    assert_eq!(decoded.of("tool_result").len(), 3);
    assert_eq!(decoded.only("user_interaction")["ts"], 1_000_000_000_i64);
}

#[test]
fn answers_wait_for_a_store_that_is_torn_and_join_its_calls_once_it_is_whole() {
    let (shown, text) = (ui().to_string(), api().to_string());
    let torn = [Companion { name: "ui_messages.json", text: shown.get(..40).unwrap() }];
    let whole = [Companion { name: "ui_messages.json", text: &shown }];
    let info = |companions| SourceInfo { path: CALLS, companions, ..SourceInfo::default() };
    let mut rows = Rows::new(RowContext::new("cline", CALLS));
    let mut calls = decoder(Format::ClineCalls, info(&torn), None).unwrap();
    calls.line(Line { bytes: text.as_bytes(), offset: 0, end: text.len() as u64 }, &mut rows);
    calls.settle_finished(&mut rows);
    assert!(calls.is_open() && rows.is_empty(), "nothing is settled while its calls cannot be known");
    calls.refresh(info(&[]));
    calls.refresh(info(&whole));
    calls.settle(&mut rows);
    assert!(!calls.is_open());
    let decoded = finish(&mut rows);
    let expected = decode_with(Format::ClineCalls, CALLS, &whole, text.as_bytes());
    let outline = |rows: &[Row]| -> Vec<_> {
        rows.iter().map(|r| (r["event_id"].clone(), r["event_type"].clone(), r["tool_call_id"].clone())).collect()
    };
    assert_eq!(outline(&decoded.rows), outline(&expected.rows));
    assert_eq!(decoded.rows.len(), 4);
}

#[test]
fn a_store_that_cannot_be_read_beside_it_leaves_answers_only() {
    let decoded = decode_with(
        Format::ClineCalls,
        CALLS,
        &[Companion { name: "ui_messages.json", text: "[{\"ts\"" }],
        api().to_string().as_bytes(),
    );
    assert_eq!(decoded.rows.len(), decoded.of("tool_result").len());
    assert_eq!(decoded.rows.len(), 3);
}

#[test]
fn messages_without_times_take_that_of_their_call_and_say_so() {
    let mut api = api();
    api.as_array_mut().unwrap().iter_mut().for_each(|m| {
        m.as_object_mut().unwrap().remove("ts");
    });
    let shown = ui().to_string();
    let decoded = decode_with(
        Format::ClineCalls,
        CALLS,
        &[Companion { name: "ui_messages.json", text: &shown }],
        api.to_string().as_bytes(),
    );
    assert!(decoded.rows.iter().all(|r| r["ts_source"] == "inferred"));
    assert_eq!(decoded.of("tool_result").len(), 3);
}
