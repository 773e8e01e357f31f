//! One row per model call, with the right numbers.

use super::*;

#[test]
fn the_lines_of_one_message_are_one_call_with_the_largest_output() {
    let out = decode_all(&[
        answer("u1", "msg_1", text("first"), 2),
        tool_result("u2", "toolu_x", json!("between the lines"), Value::Null),
        answer("u3", "msg_1", text("second"), 500),
        answer("u4", "msg_2", text("next"), 7),
    ]);
    let calls = out.of("llm_response");
    assert_eq!(calls.len(), 2);
    let call = calls[0];
    assert_eq!(call["text"], "first\n\nsecond");
    assert_eq!(
        (&call["input_tokens"], &call["cache_read_tokens"], &call["output_tokens"], &call["total_tokens"]),
        (&json!(3), &json!(300), &json!(500), &json!(823))
    );
    assert_eq!((&call["cache_write_5m_tokens"], &call["cache_write_1h_tokens"]), (&json!(5), &json!(15)));
    assert_eq!((&call["message_id"], &call["request_id"]), (&json!("msg_1"), &json!("req_1")));
    assert_eq!((&call["provider"], &call["usage_source"]), (&json!("anthropic"), &json!("reported")));
    assert_eq!(call["service_tier"], "standard");
    assert_eq!(out.counts.lines, 4);
    assert_eq!(out.counts.line_rows, 4, "a line that joins a call made a row");
}

#[test]
fn usage_stands_on_the_call_only_and_sums_are_right_as_they_stand() {
    let out = decode_all(&[
        answer("u1", "msg_1", json!({"type": "thinking", "thinking": "hm", "signature": "c2ln"}), 40),
        answer("u2", "msg_1", tool_use("toolu_1", "Bash", json!({"command": "ls"})), 40),
    ]);
    let with_usage: Vec<_> = out.rows.iter().filter(|r| r.contains_key("output_tokens")).collect();
    assert_eq!(with_usage.len(), 1);
    assert_eq!(with_usage[0]["event_type"], "llm_response");
    assert!(!with_usage[0].contains_key("text"), "a call without text blocks has no text");
    assert_eq!(out.only("thinking")["text"], "hm");
    assert_eq!(out.only("command_execution")["command"], "ls");
}

#[test]
fn a_thought_without_text_and_its_signature_are_not_rows() {
    let out = decode_all(&[
        answer("u1", "msg_1", json!({"type": "thinking", "thinking": "", "signature": "c2ln"}), 40),
        answer("u2", "msg_1", json!({"type": "redacted_thinking", "data": "xyz"}), 40),
    ]);
    assert_eq!(out.rows.len(), 1);
    assert_eq!(out.counts.line_rows, 2);
    assert!(!serde_json::to_string(&out.rows).unwrap().contains("c2ln"), "signatures are not stored");
}

#[test]
fn a_line_that_stands_twice_in_a_file_is_merged_once() {
    let line = answer("u1", "msg_1", text("once"), 5);
    let out = decode_all(&[line.clone(), line]);
    assert_eq!(out.only("llm_response")["text"], "once");
}

#[test]
fn earlier_iterations_are_calls_of_their_own_model() {
    let mut line = answer("u1", "msg_1", text("after the fallback"), 100);
    line["message"]["usage"]["iterations"] = json!([
        {"type": "message", "model": "claude-fable-5", "input_tokens": 4, "output_tokens": 0,
            "cache_read_input_tokens": 32, "cache_creation_input_tokens": 21,
            "cache_creation": {"ephemeral_1h_input_tokens": 21, "ephemeral_5m_input_tokens": 0}},
        {"type": "fallback_message", "model": "claude-opus-4-6", "input_tokens": 3, "output_tokens": 100,
            "cache_read_input_tokens": 300, "cache_creation_input_tokens": 20},
    ]);
    let out = decode_all(&[line.clone(), line]);
    let calls = out.of("llm_response");
    assert_eq!(calls.len(), 2);
    assert_eq!((&calls[0]["model"], &calls[0]["output_tokens"]), (&json!("claude-opus-4-6"), &json!(100)));
    assert_eq!((&calls[1]["model"], &calls[1]["cache_write_1h_tokens"]), (&json!("claude-fable-5"), &json!(21)));
    assert_eq!((&calls[1]["cache_read_tokens"], &calls[1]["output_tokens"]), (&json!(32), &json!(0)));
    assert_ne!(calls[0]["event_id"], calls[1]["event_id"]);
}

#[test]
fn one_iteration_adds_nothing_and_null_fields_do_no_harm() {
    let mut line = answer("u1", "msg_1", text("x"), 9);
    line["message"]["usage"]["iterations"] = json!([{"type": "message", "input_tokens": 3, "output_tokens": 9}]);
    let mut nulls = answer("u2", "msg_2", text("y"), 9);
    nulls["message"]["usage"] = json!({"input_tokens": 1, "output_tokens": 2, "iterations": null, "speed": null, "service_tier": null,
            "cache_creation": null, "server_tool_use": null});
    let out = decode_all(&[line, nulls]);
    assert_eq!(out.of("llm_response").len(), 2);
    assert!(!out.of("llm_response")[1].contains_key("cache_read_tokens"), "null is not zero");
}

#[test]
fn fast_calls_and_thinking_tokens_have_their_columns() {
    let mut line = answer("u1", "msg_1", text("x"), 90);
    line["message"]["usage"]["speed"] = json!("fast");
    line["message"]["usage"]["output_tokens_details"] = json!({"thinking_tokens": 60});
    line["message"]["usage"]["server_tool_use"] = json!({"web_search_requests": 2, "web_fetch_requests": 0});
    line["effort"] = json!("high");
    let out = decode_all(&[line]);
    let call = out.only("llm_response");
    assert_eq!((&call["service_tier"], &call["reasoning_tokens"]), (&json!("fast"), &json!(60)));
    assert_eq!(call["total_tokens"], 413, "reasoning is a part of the output");
    assert_eq!(call["extra"]["server_tool_use"]["web_search_requests"], 2);
    assert_eq!((&call["extra"]["effort"], &call["extra"]["uuid"]), (&json!("high"), &json!("u1")));
}

#[test]
fn errors_of_the_client_are_no_calls() {
    let synthetic = |uuid: &str, error: &str, text: &str| {
        let mut line = answer(uuid, &format!("{uuid}-m"), json!({"type": "text", "text": text}), 0);
        line["message"]["model"] = json!("<synthetic>");
        line["isApiErrorMessage"] = json!(true);
        line["error"] = json!(error);
        line
    };
    let out = decode_all(&[
        synthetic("u1", "server_error", "API Error: 529"),
        synthetic("u2", "rate_limit", "You've hit your limit"),
    ]);
    assert_eq!(out.only("error_encountered")["text"], "API Error: 529");
    assert_eq!(out.only("rate_limit")["is_error"], true);
    assert!(out.rows.iter().all(|r| !r.contains_key("input_tokens") && !r.contains_key("model")));
}

#[test]
fn a_call_without_message_id_is_known_by_its_uuid_and_a_gateway_model_has_no_provider() {
    let mut line = answer("u1", "", text("x"), 5);
    line["message"]["model"] = json!("deepseek-chat");
    line["requestId"] = Value::Null;
    let mut other = line.clone();
    other["uuid"] = json!("u2");
    let out = decode_all(&[line, other]);
    assert_eq!(out.of("llm_response").len(), 2);
    assert!(!out.rows[0].contains_key("provider") && !out.rows[0].contains_key("request_id"));
}

#[test]
fn under_reported_output_is_marked_partial() {
    let line = |uuid: &str, version: &str, stop: Value, output: i64| {
        let mut line = with(answer(uuid, uuid, text("x"), output), json!({"version": version}));
        line["message"]["stop_reason"] = stop;
        line
    };
    let out = decode_all(&[
        line("a", "2.1.20", Value::Null, 2),
        line("b", "2.1.40", Value::Null, 900),
        line("c", "2.1.9", Value::Null, 2),
        line("d", "2.1.114", Value::Null, 60),
        line("e", "2.1.236", json!("end_turn"), 1),
    ]);
    let sources: Vec<_> = out.of("llm_response").iter().map(|r| r["usage_source"].clone()).collect();
    assert_eq!(sources, ["partial", "reported", "reported", "partial", "reported"]);
}

#[test]
fn a_copy_in_another_session_has_the_same_ids() {
    let lines = [
        prompt("p1", json!("hello")),
        answer("u1", "msg_1", json!({"type": "thinking", "thinking": "hm", "signature": "c2ln"}), 40),
        answer("u2", "msg_1", tool_use("toolu_1", "Bash", json!({"command": "ls"})), 40),
        tool_result("u3", "toolu_1", json!("a\nb"), json!({"stdout": "a\nb"})),
        record("system", "s1", json!({"subtype": "turn_duration", "durationMs": 5})),
    ];
    let fork: Vec<_> = lines
        .iter()
        .map(|l| with(l.clone(), json!({"sessionId": "other", "gitBranch": "x", "cwd": "/y", "sessionKind": "bg"})))
        .collect();
    let ids = |out: &Decoded| out.rows.iter().map(|r| r["event_id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&decode_all(&lines)), ids(&decode_all(&fork)));
}

#[test]
fn a_replay_as_a_side_chain_is_the_same_call_but_less_complete() {
    let main = answer("u1", "msg_1", text("x"), 5);
    let aside = with(main.clone(), json!({"uuid": "u9", "requestId": "req_2", "isSidechain": true}));
    let (first, second) = (decode_all(&[main]), decode_all(&[aside]));
    let (main, aside) = (first.only("llm_response"), second.only("llm_response"));
    assert_eq!(main["event_id"], aside["event_id"]);
    assert!(main["completeness"].as_i64() > aside["completeness"].as_i64());
    assert_eq!(aside["is_subagent"], true);
}

#[test]
fn the_sub_agents_own_file_wins_over_the_parents_progress_records() {
    let inner = json!({"type": "assistant", "uuid": "u1", "timestamp": "2026-05-01T10:00:00.000Z", "requestId": "r",
        "message": answer("u1", "msg_1", text("x"), 900)["message"]});
    let progress = record(
        "progress",
        "p1",
        json!({"data": {"type": "agent_progress", "agentId": "a1", "prompt": "go", "message": inner},
            "toolUseID": "agent_msg_1", "parentToolUseID": "toolu_9"}),
    );
    let own = with(answer("u1", "msg_1", text("x"), 5), json!({"isSidechain": true, "agentId": "a1"}));
    let (copy, own) = (decode_all(&[progress]), decode_all(&[own]));
    let (copy, own) = (copy.only("llm_response"), own.only("llm_response"));
    assert_eq!(copy["event_id"], own["event_id"]);
    assert!(own["completeness"].as_i64() > copy["completeness"].as_i64(), "whatever the numbers say");
    assert_eq!((&copy["is_subagent"], &copy["extra"]["agentId"]), (&json!(true), &json!("a1")));
    assert_eq!(copy["extra"]["parentToolUseID"], "toolu_9");
    assert_eq!(copy["agent_version"], "2.1.120", "what the copy does not say comes from the record around it");
}

#[test]
fn more_output_or_more_text_is_more_complete() {
    let completeness = |lines: &[Value]| decode_all(lines).only("llm_response")["completeness"].as_i64().unwrap();
    let short = completeness(&[answer("u1", "m", text("x"), 5)]);
    assert!(completeness(&[answer("u1", "m", text("x"), 6)]) > short);
    assert!(completeness(&[answer("u1", "m", text("x"), 5), answer("u2", "m", text("y"), 5)]) > short);
    let mut unstopped = answer("u1", "m", text("x"), 5);
    unstopped["message"]["stop_reason"] = Value::Null;
    assert!(completeness(&[unstopped]) < short);
}

#[test]
fn costs_and_durations_of_old_versions_are_kept() {
    let line = with(answer("u1", "m", text("x"), 5), json!({"version": "1.0.2", "costUSD": 0.0123, "durationMs": 99}));
    let out = decode_all(&[line]);
    let call = out.only("llm_response");
    assert_eq!((&call["cost_usd_reported"], &call["duration_ms"]), (&json!("0.012300000"), &json!(99)));
}

#[test]
fn blocks_of_other_kinds_are_kept() {
    let out = decode_all(&[
        answer("u1", "m", json!({"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}}), 5),
        answer(
            "u2",
            "m",
            json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "q"}}),
            5,
        ),
        answer(
            "u3",
            "m",
            json!({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1",
            "content": [{"type": "web_search_result", "url": "https://x", "title": "t"}]}),
            5,
        ),
    ]);
    assert_eq!(out.only("llm_response")["extra"]["blocks"][0]["from"]["model"], "a");
    let call = out.only("tool_use");
    assert_eq!((&call["tool_name"], &call["extra"]["block"]), (&json!("web_search"), &json!("server_tool_use")));
    let result = out.only("tool_result");
    assert_eq!((&result["tool_name"], &result["tool_call_id"]), (&json!("web_search"), &json!("srvtoolu_1")));
    assert!(result["tool_output"].as_str().unwrap().contains("https://x"));
}

#[test]
fn an_idle_call_closes_so_that_long_side_chains_do_not_hold_it() {
    let mut rows = context(MAIN);
    let mut decoder = SessionDecoder::new(info(MAIN), None);
    let mut bytes = format!("{}\n", answer("u0", "msg_0", text("x"), 5));
    for i in 0..300 {
        bytes += &format!("{}\n", with(answer(&format!("s{i}"), "msg_s", text("y"), 5), json!({"isSidechain": true})));
    }
    for line in lines(bytes.as_bytes()) {
        decoder.line(line, &mut rows);
    }
    assert_eq!(finish(&mut rows).only("llm_response")["message_id"], "msg_0");
}

#[test]
fn calls_without_any_id_keep_their_usage_and_stay_apart() {
    let line = |second: u32, tokens: u32| {
        json!({"type": "assistant", "timestamp": format!("2026-01-01T10:00:0{second}Z"), "message": {
            "model": "claude-sonnet-4-5", "content": [{"type": "text", "text": "x"}, {"type": "thinking", "thinking": "hm"}],
            "usage": {"input_tokens": 1, "output_tokens": tokens}}})
    };
    let bytes = format!("{}\n{}\n", line(1, 5), line(2, 7));
    let out = decode_as(info(MAIN), bytes.as_bytes());
    let tokens: Vec<_> = out.of("llm_response").iter().map(|r| r["output_tokens"].clone()).collect();
    assert_eq!(tokens, [json!(5), json!(7)]);
    assert_eq!(out.of("thinking").len(), 2);
    let ids: std::collections::HashSet<_> = out.rows.iter().map(|r| r["event_id"].to_string()).collect();
    assert_eq!(ids.len(), out.rows.len());
}
