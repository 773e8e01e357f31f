//! Shapes of `ui_messages.json`.

use super::*;
use crate::adapters::tests::provisional;

fn whole() -> Vec<Value> {
    let environment = "<task>\ngo\n</task>\n<environment_details>\n# Current Working Directory (/w/shop) Files\na.rs\n\
        <model>claude-x</model>\n</environment_details>";
    vec![
        say(1_767_644_899_093, "text", "go"),
        json!({"ts": 1_767_644_900_000_i64, "type": "say", "say": "checkpoint_created", "lastCheckpointHash": "abc"}),
        request(1_767_644_901_000, (10, 20, 300, 4000), 0.25, environment),
        say(1_767_644_902_000, "reasoning", "hm"),
        say(1_767_644_903_000, "text", "I read it."),
        tool(1_767_644_904_000, "readFile", "a.rs"),
        request(1_767_644_905_000, (5, 7, 0, 4300), 0.125, "[read_file for 'a.rs'] Result:\nfn main() {}\n"),
        say(1_767_644_906_000, "text", "I run it."),
        ask(1_767_644_907_000, "command", "cargo testREQ_APP"),
        ask(1_767_644_908_000, "command_output", "ok"),
        ask(1_767_644_909_000, "command_output", "1 passed"),
        say(1_767_644_910_000, "completion_result", "Done."),
        ask(1_767_644_911_000, "completion_result", ""),
        say(1_767_644_912_000, "user_feedback", "thanks"),
    ]
}

#[test]
fn a_task_becomes_prompts_answers_with_usage_thoughts_tools_and_results() {
    let decoded = task_of(&whole());
    let prompts: Vec<_> =
        decoded.of("user_interaction").iter().map(|r| (r["text"].clone(), r["turn"].clone())).collect();
    assert_eq!(prompts, [(json!("go"), json!(1)), (json!("thanks"), json!(2))]);
    let calls = decoded.of("llm_response");
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0]["text"], "I read it.");
    assert_eq!(calls[1]["text"], "I run it.\n\nDone.");
    let first = calls[0];
    assert_eq!(
        (&first["input_tokens"], &first["output_tokens"], &first["cache_read_tokens"], &first["cache_write_5m_tokens"]),
        (&json!(10), &json!(20), &json!(4000), &json!(300))
    );
    assert_eq!((&first["total_tokens"], &first["cost_usd_reported"]), (&json!(4330), &json!("0.250000000")));
    assert_eq!((&first["usage_source"], &first["model"]), (&json!("reported"), &json!("claude-x")));
    assert_eq!((&first["ts"], &first["ts_source"]), (&json!(1_767_644_901_000_000_i64), &json!("log")));
    assert_eq!(decoded.sum("output_tokens"), 27);
    assert_eq!(decoded.only("thinking")["text"], "hm");
    assert_eq!(decoded.only("snapshot")["git_commit"], "abc");
    let read = decoded.only("file_read");
    assert_eq!((&read["tool_name"], &read["file_path"]), (&json!("readFile"), &json!("a.rs")));
    let run = decoded.only("command_execution");
    assert_eq!((&run["command"], &run["tool_name"]), (&json!("cargo test"), &json!("execute_command")));
    let results = decoded.of("tool_result");
    let of =
        |call: &Row| results.iter().find(|r| r["tool_call_id"] == call["tool_call_id"]).unwrap()["tool_output"].clone();
    assert_eq!((of(read), of(run)), (json!("fn main() {}"), json!("ok\n1 passed")));
    assert!(decoded.rows.iter().all(|r| r["session_id"] == "1767644899000"));
    assert_eq!(run["cwd"], "/w/shop");
    assert_eq!(run["project"], "shop");
    assert_eq!(decoded.of("session_start").len(), 1);
}

#[test]
fn every_other_kind_of_message_has_a_row_and_unknown_ones_are_counted() {
    let diff = "<<<<<<< SEARCH\na\n=======\nb\nc\n>>>>>>> REPLACE";
    let messages = vec![
        say(1, "task", "go"),
        request(2, (1, 1, 0, 0), 0.0, ""),
        say(3, "tool", json!({"tool": "editedExistingFile", "path": "a", "diff": diff}).to_string()),
        say(4, "tool", json!({"tool": "newFileCreated", "path": "b", "content": "1\n2\n3"}).to_string()),
        say(
            5,
            "tool",
            json!({"tool": "appliedDiff", "path": "c", "diff": "x", "diffStats": {"added": 4, "removed": 5}})
                .to_string(),
        ),
        ask(
            6,
            "use_mcp_server",
            json!({"serverName": "db", "type": "use_mcp_tool", "toolName": "q", "arguments": "{\"a\":1}"}).to_string(),
        ),
        say(7, "mcp_server_request_started", ""),
        say(8, "mcp_server_response", "rows"),
        ask(9, "browser_action_launch", "http://x"),
        say(
            10,
            "browser_action_result",
            json!({"screenshot": format!("data:image/webp;base64,{}", "QUFB".repeat(60)), "logs": "l"}).to_string(),
        ),
        ask(11, "plan_mode_respond", json!({"response": "plan", "options": ["A", "B"], "selected": "B"}).to_string()),
        say(12, "error", "bad"),
        say(13, "diff_error", "no match"),
        say(14, "error_retry", "{\"attempt\":1}"),
        ask(15, "api_req_failed", "429"),
        say(16, "task_progress", "- [ ] x"),
        say(17, "hook_status", "{\"hookName\":\"PreToolUse\"}"),
        json!({"ts": 18, "type": "say", "say": "condense_context", "contextCondense": {"cost": 0.5, "prevContextTokens": 9, "newContextTokens": 3, "summary": "short"}}),
        json!({"ts": 19, "type": "say", "say": "sliding_window_truncation", "contextTruncation": {"truncationId": "t", "messagesRemoved": 4}}),
        say(20, "user_feedback_diff", "{\"diff\":\"d\"}"),
        ask(21, "resume_task", ""),
        say(22, "made_up_later", "x"),
        json!({"ts": 23, "type": "say", "say": "user_feedback", "text": "", "images": ["data:image/png;base64,".to_owned() + &"QUFB".repeat(60)]}),
        json!({"ts": 24, "type": "say", "say": "info", "text": "i", "isOperationOutsideWorkspace": true}),
    ];
    let decoded = task_of(&messages);
    let edits: Vec<_> =
        decoded.of("file_modify").iter().map(|r| (r["lines_added"].clone(), r["lines_removed"].clone())).collect();
    assert_eq!(edits, [(json!(2), json!(1)), (json!(4), json!(5))]);
    assert_eq!(decoded.only("file_write")["lines_added"], 3);
    let mcp = decoded.of("tool_use").into_iter().find(|r| r["tool_name"] == "q").unwrap();
    assert_eq!((&mcp["tool_input"], &mcp["extra"]["server"]), (&json!({"a": 1}), &json!("db")));
    let results = decoded.of("tool_result");
    assert_eq!(
        (results.len(), &results[0]["tool_call_id"], &results[0]["tool_name"]),
        (2, &mcp["tool_call_id"], &json!("q"))
    );
    assert!(results[1]["tool_output"].as_str().unwrap().contains("\"sha256\""));
    assert_eq!(decoded.of("error_encountered").len(), 4);
    let compactions = decoded.of("compaction");
    assert_eq!(
        (&compactions[0]["text"], &compactions[0]["cost_usd_reported"]),
        (&json!("short"), &json!("0.500000000"))
    );
    assert_eq!(compactions[1]["extra"]["messagesRemoved"], 4);
    assert_eq!(decoded.only("unknown")["status"], "made_up_later");
    assert_eq!(decoded.counts.unknown_types, 1);
    assert_eq!(decoded.only("llm_response")["text"], "plan\n- A\n- B");
    let prompts = decoded.of("user_interaction");
    assert_eq!(prompts[1]["text"], "B");
    assert_eq!(prompts[2]["extra"]["images"][0]["media_type"], "image/png");
    assert_eq!(decoded.only("progress")["text"], "- [ ] x");
    assert_eq!(decoded.of("hook").len(), 1);
    let info = decoded.of("system").into_iter().find(|r| r["status"] == "info").unwrap();
    assert_eq!(info["extra"]["isOperationOutsideWorkspace"], true);
}

#[test]
fn a_request_without_figures_is_open_and_the_one_with_them_replaces_it() {
    let started = json!([say(1, "text", "go"), say(2, "api_req_started", "{\"request\":\"r\"}")]).to_string();
    let open = provisional(Format::ClineTask, TASK, started.as_bytes());
    assert_eq!(open.len(), 1);
    assert_eq!(open[0]["event_type"], "llm_response");
    let done = json!([say(1, "text", "go"), request(2, (1, 2, 0, 0), 0.1, "r"), say(3, "text", "yes")]).to_string();
    let lake = replayed(Format::ClineTask, TASK, &[started, done.clone()]);
    assert_eq!(lake, sorted(decode(Format::ClineTask, TASK, done.as_bytes()).rows));
}

#[test]
fn a_growing_task_ends_with_the_events_of_its_last_version() {
    let messages = whole();
    let versions: Vec<String> = (1..=messages.len()).map(|n| Value::from(messages[..n].to_vec()).to_string()).collect();
    let last = task_of(&messages);
    let kept: Vec<Row> = last.events().into_iter().cloned().collect();
    // The folder is known since the first request, and rows before it keep what they said.
    let ids = |rows: &[Row]| {
        sorted(rows.to_vec())
            .into_iter()
            .map(|r| (r["event_id"].clone(), r.get("text").cloned(), r.get("output_tokens").cloned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(ids(&replayed(Format::ClineTask, TASK, &versions)), ids(&kept));
}

#[test]
fn roo_and_kilo_count_the_cache_into_the_input_and_cline_does_not() {
    let text = json!([say(1, "text", "go"), request(2, (1000, 7, 200, 700), 0.1, "r")]).to_string();
    let input = |format: Format, text: &str| {
        let row = decode(format, TASK, text.as_bytes()).only("llm_response").clone();
        (row["input_tokens"].clone(), row["usage_source"].clone())
    };
    assert_eq!(input(Format::ClineTask, &text), (json!(1000), json!("reported")));
    for format in [Format::RooTask, Format::KiloTask] {
        assert_eq!(input(format, &text), (json!(100), json!("reported")));
        // Older versions, or other providers: the input is smaller than the cache.
        let old = json!([say(1, "text", "go"), request(2, (10, 7, 200, 700), 0.1, "r")]).to_string();
        assert_eq!(input(format, &old), (json!(10), json!("reported")));
    }
}

#[test]
fn the_first_claude_dev_wrote_usage_as_a_message_of_its_own() {
    let finished = json!({"tokensIn": 3, "tokensOut": 4, "cost": 0.5}).to_string();
    let decoded = task_of(&[
        say(1, "task", "go"),
        say(2, "api_req_started", "{\"request\":\"r\"}"),
        say(3, "api_req_finished", finished),
    ]);
    assert_eq!(decoded.only("llm_response")["output_tokens"], 4);
}

#[test]
fn sums_over_requests_that_are_nowhere_else_are_one_row_each() {
    let sum = json!({"tokensIn": 100, "tokensOut": 50, "cacheWrites": 3, "cacheReads": 4, "cost": 1.5}).to_string();
    let decoded = task_of(&[
        say(1, "task", "go"),
        request(2, (1, 2, 0, 0), 0.5, ""),
        say(3, "deleted_api_reqs", sum.clone()),
        say(4, "subagent_usage", sum),
    ]);
    assert_eq!((decoded.sum("output_tokens"), decoded.sum("input_tokens")), (102, 201));
    let sums: Vec<_> = decoded.of("llm_response").into_iter().filter(|r| r["usage_source"] == "derived").collect();
    assert_eq!((&sums[0]["status"], &sums[1]["is_subagent"]), (&json!("deleted_api_reqs"), &json!(true)));
}

#[test]
fn the_small_files_of_a_task_tell_model_version_folder_and_parent() {
    let metadata = json!({"files_in_context": [], "model_usage": [
        {"ts": 10, "model_id": "m1", "model_provider_id": "p1", "mode": "act"}, {"ts": 20, "model_id": "m2", "model_provider_id": "p2"}],
        "environment_history": [{"ts": 5, "cline_version": "3.50.0"}]}).to_string();
    let history = json!([{"id": "other", "cwdOnTaskInitialization": "/no"}, {"id": "1767644899000", "cwdOnTaskInitialization": "/w/garden", "ulid": "U"}]).to_string();
    let item = json!({"id": "1767644899000", "workspace": "/w/roo", "parentTaskId": "p"}).to_string();
    let text = json!([say(9, "task", "go"), request(12, (1, 1, 0, 0), 0.1, ""), request(25, (1, 1, 0, 0), 0.1, "")])
        .to_string();
    let companions = [
        Companion { name: "task_metadata.json", text: &metadata },
        Companion { name: "taskHistory.json", text: &history },
    ];
    let decoded = decode_with(Format::ClineTask, TASK, &companions, text.as_bytes());
    let models: Vec<_> =
        decoded.of("llm_response").iter().map(|r| (r["model"].clone(), r["provider"].clone())).collect();
    assert_eq!(models, [(json!("m1"), json!("p1")), (json!("m2"), json!("p2"))]);
    let start = decoded.only("session_start");
    assert_eq!(
        (&start["cwd"], &start["agent_version"], &start["extra"]["ulid"]),
        (&json!("/w/garden"), &json!("3.50.0"), &json!("U"))
    );
    let roo =
        decode_with(Format::RooTask, TASK, &[Companion { name: "history_item.json", text: &item }], text.as_bytes());
    let start = roo.only("session_start");
    assert_eq!(
        (&start["cwd"], &start["parent_session_id"], &start["is_subagent"]),
        (&json!("/w/roo"), &json!("p"), &json!(true))
    );
}

#[test]
fn a_request_that_failed_is_one_error() {
    let broken = json!({"request": "r", "cancelReason": "streaming_failed", "streamingFailedMessage": "x"}).to_string();
    let errors = |more: &[Value]| {
        let mut all = vec![say(1, "text", "go"), say(2, "api_req_started", broken.clone())];
        all.extend_from_slice(more);
        let decoded = task_of(&all);
        assert_eq!(decoded.only("llm_response")["status"], "streaming_failed");
        decoded
            .rows
            .iter()
            .filter(|r| r.get("is_error") == Some(&json!(true)))
            .map(|r| r["event_type"].clone())
            .collect()
    };
    let (alone, told): (Vec<Value>, Vec<Value>) = (errors(&[]), errors(&[ask(3, "api_req_failed", "429")]));
    assert_eq!((alone, told), (vec![json!("llm_response")], vec![json!("error_encountered")]));
}

#[test]
fn the_folder_that_the_first_request_names_stands_on_what_came_before_it_too() {
    let whole = whole();
    let decoded = task_of(&whole);
    assert!(decoded.rows.iter().all(|row| row["cwd"] == "/w/shop"), "{:?}", decoded.rows);
    let early = task_of(&whole[..2]);
    for kind in ["session_start", "user_interaction"] {
        let (before, after) = (early.of(kind)[0], decoded.of(kind)[0]);
        assert_eq!((before.get("cwd"), &before["event_id"]), (None, &after["event_id"]));
        assert!(before["completeness"].as_i64() < after["completeness"].as_i64(), "{kind} is read again");
    }
}

#[test]
fn a_folder_that_only_the_model_was_told_stands_on_every_row() {
    let api = json!([{"role": "user", "content": [{"type": "text",
        "text": "<environment_details>\n# Current Working Directory (C:\\new\\shop) Files\n</environment_details>"}]}]);
    let messages = json!([say(1, "text", "go"), request(2, (1, 1, 0, 0), 0.1, "go"), say(3, "text", "ok")]).to_string();
    let beside = [Companion { name: "api_conversation_history.json", text: &api.to_string() }];
    let decoded = decode_with(Format::RooTask, TASK, &beside, messages.as_bytes());
    assert_eq!(decoded.rows.len(), 3);
    assert!(decoded.rows.iter().all(|row| row["cwd"] == "C:\\new\\shop"), "{:?}", decoded.rows);
    let history = json!({"workspace": "/w/garden"}).to_string();
    let both = [beside[0], Companion { name: "history_item.json", text: &history }];
    let decoded = decode_with(Format::RooTask, TASK, &both, messages.as_bytes());
    assert!(decoded.rows.iter().all(|row| row["cwd"] == "/w/garden"), "the task's own file is asked first");
}
