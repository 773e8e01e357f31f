//! The traps that the notes on the format name, one by one.

use super::*;

#[test]
fn trap_1_messages_of_one_instant_are_told_apart_and_a_deleted_one_moves_no_other() {
    let twice = [
        say(1, "text", "go"),
        say(5, "user_feedback", "a"),
        say(5, "user_feedback", "b"),
        say(6, "user_feedback", "c"),
    ];
    let all = task_of(&twice);
    assert_eq!(all.of("user_interaction").len(), 4);
    assert_eq!(all.events().len(), all.rows.len(), "no two share an id");
    let without = task_of(&[twice[0].clone(), twice[3].clone()]);
    let id = |decoded: &Decoded, text: &str| {
        decoded.rows.iter().find(|r| r.get("text") == Some(&json!(text))).unwrap()["event_id"].clone()
    };
    assert_eq!(id(&all, "c"), id(&without, "c"));
}

#[test]
fn trap_2_an_unfinished_message_that_was_left_behind_makes_no_second_answer() {
    let partial = |ts: i64, text: &str| json!({"ts": ts, "type": "say", "say": "text", "text": text, "partial": true});
    let decoded = task_of(&[
        say(1, "text", "go"),
        request(2, (1, 1, 0, 0), 0.1, ""),
        partial(3, ""),
        partial(4, "Hello wo"),
        say(5, "text", "Hello world"),
        json!({"ts": 6, "type": "say", "say": "reasoning", "text": "half a thou", "partial": true}),
        request(7, (1, 1, 0, 0), 0.1, ""),
    ]);
    assert_eq!(decoded.of("llm_response")[0]["text"], "Hello world");
    assert_eq!(decoded.only("thinking")["status"], "partial");
}

#[test]
fn trap_3_results_that_are_said_and_asked_and_retried_requests_count_once() {
    let decoded = task_of(&[
        say(1, "text", "go"),
        say(
            2,
            "api_req_started",
            json!({"request": "r", "cancelReason": "streaming_failed", "streamingFailedMessage": "x"}).to_string(),
        ),
        say(3, "api_req_retried", ""),
        request(4, (1, 2, 0, 0), 0.1, "r"),
        say(5, "completion_result", "Done."),
        ask(6, "completion_result", "Done."),
    ]);
    let answers = decoded.of("llm_response");
    assert_eq!((answers.len(), &answers[1]["text"]), (2, &json!("Done.")));
    assert!(!answers[0].contains_key("total_tokens"), "what the log does not say is not zero");
    assert_eq!(answers[0]["status"], "streaming_failed");
    assert_eq!(decoded.sum("output_tokens"), 2);
}

#[test]
fn trap_4_an_array_that_shrank_to_a_checkpoint_changes_no_id_and_doubles_nothing() {
    let messages = [
        say(1, "text", "go"),
        request(2, (1, 10, 0, 0), 0.1, ""),
        say(3, "text", "one"),
        tool(4, "readFile", "a"),
        request(5, (1, 20, 0, 0), 0.1, ""),
        say(6, "text", "two"),
    ];
    let again = [
        &messages[..4],
        &[say(9, "user_feedback", "no"), request(10, (1, 40, 0, 0), 0.1, ""), say(11, "text", "three")],
    ]
    .concat();
    let versions = [
        Value::from(messages.to_vec()).to_string(),
        Value::from(messages[..4].to_vec()).to_string(),
        Value::from(again.clone()).to_string(),
    ];
    let lake = replayed(Format::ClineTask, TASK, &versions);
    let ids: Vec<_> = lake.iter().map(|r| r["event_id"].clone()).collect();
    assert!(task_of(&again).rows.iter().all(|r| ids.contains(&r["event_id"])));
    let output: i64 = lake.iter().filter_map(|r| r.get("output_tokens")?.as_i64()).sum();
    assert_eq!(output, 70, "the call that was taken back was paid for");
    assert_eq!(lake.iter().filter(|r| r["event_type"] == "file_read").count(), 1);
}

#[test]
fn trap_5_a_call_that_cost_nothing_is_finished_and_costs_zero_not_null() {
    let decoded = task_of(&[say(1, "text", "go"), request(2, (1, 1, 0, 0), 0.0, "")]);
    assert_eq!(decoded.only("llm_response")["cost_usd_reported"], "0.000000000");
}

#[test]
fn trap_6_the_same_task_in_two_editors_is_one() {
    let text = json!([say(1, "text", "go"), request(2, (1, 1, 0, 0), 0.0, ""), tool(3, "readFile", "a")]).to_string();
    let other = TASK.replace("/h/", "/other/Cursor/User/");
    assert_eq!(
        decode(Format::ClineTask, TASK, text.as_bytes()).ids(),
        decode(Format::ClineTask, &other, text.as_bytes()).ids()
    );
    // A copy outside of any task folder goes by the time of its first message.
    assert_eq!(
        decode(Format::ClineTask, "/x/a.json", text.as_bytes()).ids(),
        decode(Format::ClineTask, "/y/b.json", text.as_bytes()).ids()
    );
}

#[test]
fn trap_7_carriage_returns_and_a_byte_order_mark_change_nothing() {
    let text = serde_json::to_string_pretty(&json!([say(1, "text", "gö"), tool(3, "readFile", "a")])).unwrap();
    let windows = format!("\u{feff}{}", text.replace('\n', "\r\n"));
    let (plain, other) =
        (decode(Format::ClineTask, TASK, text.as_bytes()), decode(Format::ClineTask, TASK, windows.as_bytes()));
    assert_eq!((plain.rows, plain.rejects), (other.rows, other.rejects));
}

#[test]
fn trap_8_a_huge_request_is_not_stored_but_its_answers_are() {
    let huge = format!("[read_file for 'a'] Result:\nfound\n<environment_details>\n{}", "x\n".repeat(100_000));
    let decoded = task_of(&[
        say(1, "text", "go"),
        request(2, (1, 1, 0, 0), 0.1, ""),
        tool(3, "readFile", "a"),
        request(4, (1, 1, 0, 0), 0.1, &huge),
    ]);
    assert_eq!(decoded.only("tool_result")["tool_output"], "found");
    assert_eq!(decoded.of("llm_response")[1]["extra"], json!({"request_bytes": huge.len()}));
}

#[test]
fn trap_9_kilos_metadata_names_no_model_and_the_message_does() {
    let metadata = json!({"files_in_context": [{"path": "a"}]}).to_string();
    let text = json!([say(1, "text", "go"), {"ts": 2, "type": "say", "say": "api_req_started", "text": "{\"tokensIn\":1,\"tokensOut\":1}",
        "modelInfo": {"providerId": "p", "modelId": "m", "mode": "act"}}]).to_string();
    let decoded = decode_with(
        Format::KiloTask,
        TASK,
        &[Companion { name: "task_metadata.json", text: &metadata }],
        text.as_bytes(),
    );
    assert_eq!(
        (&decoded.only("llm_response")["model"], &decoded.only("llm_response")["agent"]),
        (&json!("m"), &json!("kilo"))
    );
}
