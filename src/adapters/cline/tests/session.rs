//! Sessions of the Cline SDK.

use super::*;

const PATH: &str = "/h/.cline/data/sessions/s1/s1.messages.json";

fn messages() -> Vec<Value> {
    vec![
        json!({"id": "msg_a", "role": "user", "ts": 1000, "content": [{"type": "text", "text": "go"}, {"type": "file", "path": "/w/a.rs", "content": "x"}]}),
        json!({"id": "msg_b", "role": "assistant", "ts": 2000, "modelInfo": {"id": "m", "provider": "cline", "family": "f"},
            "metrics": {"inputTokens": 35912, "outputTokens": 164, "cacheReadTokens": 34332, "cacheWriteTokens": 0, "cost": 0.065},
            "content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "ok"},
                {"type": "tool_use", "id": "t1", "name": "editor", "input": {"path": "/w/a.rs", "old_text": "x", "new_text": "y\nz"}},
                {"type": "tool_use", "id": "t2", "name": "run_commands", "input": {"commands": ["ls", "pwd"]}}]}),
        json!({"id": "msg_c_tool_t1", "role": "user", "ts": 3000, "content": [
            {"type": "tool_result", "tool_use_id": "t1", "name": "editor", "content": "done"},
            {"type": "tool_result", "tool_use_id": "t2", "name": "run_commands", "content": [{"query": "ls", "result": "a", "success": true}, {"query": "pwd", "result": "b", "success": false}]}]}),
    ]
}

fn document(id: &str, messages: &[Value]) -> String {
    json!({"version": 1, "updated_at": "2026-07-15T05:42:04.818Z", "agent": "lead", "sessionId": id, "messages": messages, "system_prompt": "p"}).to_string()
}

#[test]
fn a_session_becomes_rows_and_its_input_is_without_the_cache() {
    let about = json!({"version": 1, "session_id": "s1", "source": "cli", "pid": 4, "started_at": "1970-01-01T00:00:00.500Z", "ended_at": "1970-01-01T00:00:09Z",
        "exit_code": 0, "status": "completed", "provider": "cline", "model": "m", "cwd": "/w/shop",
        "metadata": {"title": "T", "mode": "act", "fork": {"forkedFromSessionId": "s0"}}}).to_string();
    let decoded = decode_with(
        Format::ClineSession,
        PATH,
        &[Companion { name: "s1.json", text: &about }],
        document("s1", &messages()).as_bytes(),
    );
    let call = decoded.only("llm_response");
    assert_eq!(
        (&call["input_tokens"], &call["cache_read_tokens"], &call["total_tokens"]),
        (&json!(1580), &json!(34332), &json!(36076))
    );
    assert_eq!(
        (&call["usage_source"], &call["model"], &call["cost_usd_reported"]),
        (&json!("reported"), &json!("m"), &json!("0.065000000"))
    );
    assert_eq!(
        (&call["project"], &call["parent_session_id"], &call["message_id"]),
        (&json!("shop"), &json!("s0"), &json!("msg_b"))
    );
    assert_eq!(decoded.only("user_interaction")["text"], "go");
    assert_eq!(decoded.only("attachment")["file_path"], "/w/a.rs");
    let edit = decoded.only("file_modify");
    assert_eq!((&edit["lines_added"], &edit["lines_removed"]), (&json!(2), &json!(1)));
    assert_eq!(decoded.only("command_execution")["command"], "ls\npwd");
    let results = decoded.of("tool_result");
    assert_eq!((&results[0]["file_path"], &results[0]["is_error"]), (&json!("/w/a.rs"), &json!(false)));
    assert_eq!((&results[1]["tool_output"], &results[1]["is_error"]), (&json!("a\nb"), &json!(true)));
    assert_eq!((&decoded.only("title")["text"], &decoded.only("session_end")["exit_code"]), (&json!("T"), &json!(0)));
    assert_eq!(
        (decoded.only("session_start")["ts"].as_i64(), decoded.only("thinking")["text"].as_str()),
        (Some(500_000), Some("hm"))
    );
}

#[test]
fn a_fork_repeats_its_parents_events_with_the_same_ids() {
    let parent = decode(Format::ClineSession, PATH, document("s1", &messages()).as_bytes());
    let fork = decode(Format::ClineSession, "/h/s2.messages.json", document("s2", &messages()).as_bytes());
    assert_eq!(parent.ids(), fork.ids());
}

#[test]
fn a_compacted_copy_says_less_and_its_summary_is_a_compaction() {
    let mut copied = vec![
        json!({"role": "user", "content": [{"type": "text", "text": "Context summary"}], "metadata": {"kind": "compaction_summary", "summary": "s", "tokensBefore": 9, "generatedAt": 1_784_245_216_178_i64}}),
        json!({"id": "n", "role": "user", "ts": 5, "content": [{"type": "text", "text": "notice"}], "metadata": {"kind": "compaction", "displayRole": "system", "messagesRemoved": 22}}),
    ];
    copied.extend(messages());
    let copy = decode(Format::ClineSession, "/h/s1.compaction.json", document("s1", &copied).as_bytes());
    let whole = decode(Format::ClineSession, PATH, document("s1", &messages()).as_bytes());
    assert_eq!(copy.of("compaction").len(), 2);
    assert_eq!(copy.of("compaction")[0]["extra"]["tokensBefore"], 9);
    let (own, other) = (whole.only("llm_response"), copy.only("llm_response"));
    assert_eq!(own["event_id"], other["event_id"]);
    assert!(own["completeness"].as_i64() > other["completeness"].as_i64());
}

#[test]
fn a_growing_session_ends_with_the_events_of_its_last_version() {
    let all = messages();
    let mut versions: Vec<String> = (1..=all.len()).map(|n| document("s1", &all[..n])).collect();
    let mut early = all[..2].to_vec();
    early[1].as_object_mut().unwrap().remove("metrics");
    versions.insert(1, document("s1", &early));
    assert_eq!(
        replayed(Format::ClineSession, PATH, &versions),
        sorted(decode(Format::ClineSession, PATH, document("s1", &all).as_bytes()).rows)
    );
}

#[test]
fn what_a_fork_has_from_before_it_began_is_its_parents_whichever_is_read_first() {
    let about = |id: &str, started: &str, metadata: Value| {
        json!({"version": 1, "session_id": id, "started_at": started, "metadata": metadata}).to_string()
    };
    let read = |id: &str, about: &str, messages: &[Value]| {
        let name = format!("{id}.json");
        decode_with(
            Format::ClineSession,
            &format!("/h/{id}.messages.json"),
            &[Companion { name: &name, text: about }],
            document(id, messages).as_bytes(),
        )
    };
    let mut more = messages();
    more.push(json!({"id": "msg_d", "role": "user", "ts": 9000, "content": "and now?"}));
    let parent = read("s1", &about("s1", "1970-01-01T00:00:00.500Z", json!({})), &messages());
    let fork = json!({"fork": {"forkedFromSessionId": "s1", "forkedAt": "1970-01-01T01:30:00Z"}});
    let fork = read("s2", &about("s2", "1970-01-01T01:30:00Z", fork), &more);
    for rows in [[&parent.rows[..], &fork.rows[..]], [&fork.rows[..], &parent.rows[..]]] {
        let lake = Decoded { rows: rows.concat(), rejects: Vec::new(), counts: Counts::default() };
        let events = lake.events();
        let owners = |kind: &str| -> Vec<Value> {
            events.iter().filter(|r| r["event_type"] == kind).map(|r| r["session_id"].clone()).collect()
        };
        assert_eq!(owners("llm_response"), ["s1"]);
        assert_eq!(owners("tool_result"), ["s1", "s1"]);
        let mut prompts = owners("user_interaction");
        prompts.sort_by_key(Value::to_string);
        assert_eq!(prompts, ["s1", "s2"]);
    }
}
