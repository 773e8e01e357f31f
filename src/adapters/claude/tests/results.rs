//! Tool calls and what came of them.

use super::*;

/// A call of a tool and its result.
fn ran(name: &str, input: Value, content: Value, result: Value) -> Decoded {
    decode_all(&[
        answer("u1", "msg_1", tool_use("toolu_1", name, input), 5),
        tool_result("u2", "toolu_1", content, result),
    ])
}

#[test]
fn calls_are_named_by_what_the_tool_does() {
    for (tool, event_type) in [
        ("Read", "file_read"),
        ("Write", "file_write"),
        ("Edit", "file_modify"),
        ("MultiEdit", "file_modify"),
        ("NotebookEdit", "file_modify"),
        ("Bash", "command_execution"),
        ("Grep", "tool_use"),
        ("mcp__x__y", "tool_use"),
    ] {
        let out = decode_all(&[answer("u1", "m", tool_use("toolu_1", tool, json!({"file_path": "/f"})), 5)]);
        let call = out.only(event_type);
        assert_eq!((&call["tool_name"], &call["tool_input"]["file_path"]), (&json!(tool), &json!("/f")));
        assert_eq!((&call["file_path"], &call["tool_call_id"]), (&json!("/f"), &json!("toolu_1")));
        assert_eq!((&call["model"], &call["role"]), (&json!("claude-opus-4-6"), &json!("assistant")));
    }
}

#[test]
fn a_result_repeats_tool_path_and_command_of_its_call() {
    let out = ran(
        "Bash",
        json!({"command": "ls -l"}),
        json!("a\nb"),
        json!({"stdout": "a\nb", "stderr": "", "interrupted": false}),
    );
    let result = out.only("tool_result");
    assert_eq!((&result["tool_name"], &result["command"]), (&json!("Bash"), &json!("ls -l")));
    assert_eq!((&result["tool_output"], &result["status"]), (&json!("a\nb"), &json!("completed")));
    assert!(!result.contains_key("extra"), "what the answer says is not stored twice: {result:?}");
    assert_eq!(result["completeness"], 7);
    let alone = decode_all(&[tool_result("u2", "toolu_1", json!("a\nb"), Value::Null)]);
    assert_eq!(alone.only("tool_result")["completeness"], 3, "a result whose call is unknown is less complete");
}

#[test]
fn what_the_answer_does_not_say_is_kept() {
    let out = ran(
        "Bash",
        json!({"command": "x"}),
        json!("shown"),
        json!({"stdout": "shown and much more", "stderr": "warning", "persistedOutputPath": "/t/1.txt", "persistedOutputSize": 7}),
    );
    let extra = &out.only("tool_result")["extra"]["result"];
    assert_eq!((&extra["stdout"], &extra["stderr"]), (&json!("shown and much more"), &json!("warning")));
    assert_eq!((&extra["persistedOutputPath"], &extra["persistedOutputSize"]), (&json!("/t/1.txt"), &json!(7)));
}

#[test]
fn failed_interrupted_and_denied_commands_say_so() {
    let failed = decode_all(&[
        answer("u1", "m", tool_use("toolu_1", "Bash", json!({"command": "x"})), 5),
        prompt(
            "u2",
            json!([{"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true,
            "content": "Exit code 127\nx: not found"}]),
        ),
    ]);
    let row = failed.only("tool_result");
    assert_eq!((&row["exit_code"], &row["is_error"], &row["status"]), (&json!(127), &json!(true), &json!("failed")));
    let interrupted = ran("Bash", json!({}), json!(""), json!({"stdout": "", "interrupted": true}));
    assert_eq!(interrupted.only("tool_result")["status"], "interrupted");
    let denied = decode_all(&[with(
        tool_result("u2", "toolu_1", json!("no"), json!("Error: no")),
        json!({"toolDenialKind": "user"}),
    )]);
    let row = denied.only("tool_result");
    assert_eq!((&row["status"], &row["extra"]["toolDenialKind"]), (&json!("denied"), &json!("user")));
}

#[test]
fn edits_count_lines_and_keep_the_patch_but_not_the_old_file() {
    let patch = json!([{"oldStart": 1, "oldLines": 3, "newStart": 1, "newLines": 4,
        "lines": [" same", "-gone", "+new", "+newer", " same"]}]);
    let out = ran(
        "Edit",
        json!({"file_path": "/f", "old_string": "gone", "new_string": "new\nnewer"}),
        json!("The file /f has been updated."),
        json!({"filePath": "/f", "oldString": "gone", "newString": "new\nnewer", "originalFile": "same\ngone\nsame",
            "structuredPatch": patch, "userModified": false, "replaceAll": false}),
    );
    let row = out.only("tool_result");
    assert_eq!((&row["lines_added"], &row["lines_removed"], &row["file_path"]), (&json!(2), &json!(1), &json!("/f")));
    assert_eq!(row["extra"]["result"], json!({"originalFileBytes": 14, "structuredPatch": patch}));
}

#[test]
fn an_edit_whose_call_is_not_in_the_file_keeps_its_arguments() {
    let out = decode_all(&[tool_result(
        "u2",
        "toolu_1",
        json!("updated"),
        json!({"filePath": "/f", "oldString": "a", "newString": "b", "structuredPatch": []}),
    )]);
    let row = out.only("tool_result");
    assert_eq!(row["file_path"], "/f");
    assert_eq!(row["extra"]["result"], json!({"oldString": "a", "newString": "b"}));
}

#[test]
fn a_created_file_counts_all_its_lines() {
    let out = ran(
        "Write",
        json!({"file_path": "/f", "content": "a\nb\nc\n"}),
        json!("File created successfully at: /f"),
        json!({"type": "create", "filePath": "/f", "content": "a\nb\nc\n", "structuredPatch": []}),
    );
    let row = out.only("tool_result");
    assert_eq!((&row["lines_added"], &row["lines_removed"]), (&json!(3), &json!(0)));
    assert_eq!(row["extra"]["result"], json!({"type": "create"}), "the content is the call's argument");
}

#[test]
fn a_read_file_is_stored_once_unless_the_answer_differs() {
    let file = |content: &str| json!({"type": "text", "file": {"filePath": "/f", "content": content, "numLines": 2, "startLine": 1, "totalLines": 2}});
    let input = json!({"file_path": "/f"});
    let same = ran("Read", input.clone(), json!("     1→a\n     2→b"), file("a\nb"));
    let expected = json!({"type": "text", "file": {"numLines": 2, "startLine": 1, "totalLines": 2}});
    assert_eq!(same.only("tool_result")["extra"]["result"], expected);
    let differs = ran("Read", input, json!("     1→a\n[cut]"), file("a\nb"));
    assert_eq!(differs.only("tool_result")["extra"]["result"]["file"]["content"], "a\nb");
}

#[test]
fn pictures_become_digest_size_and_type() {
    use base64::Engine as _;
    let data = base64::engine::general_purpose::STANDARD.encode([7u8; 300]);
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}});
    let out = decode_all(&[
        prompt("u1", json!([{"type": "text", "text": "look"}, image.clone()])),
        tool_result(
            "u2",
            "toolu_1",
            json!([{"type": "text", "text": "shot"}, image.clone()]),
            json!([{"type": "text", "text": "shot"}, image]),
        ),
        tool_result(
            "u3",
            "toolu_2",
            json!([]),
            json!({"type": "image", "file": {"base64": data, "type": "image/png", "originalSize": 300}}),
        ),
        tool_result("u4", "toolu_3", json!("x"), json!({"url": format!("data:image/gif;base64,{data}")})),
    ]);
    let all = serde_json::to_string(&out.rows).unwrap();
    assert!(!all.contains(&data), "no base64 is left");
    let source = &out.only("user_interaction")["extra"]["blocks"][0]["source"]["data"];
    assert_eq!((&source["bytes"], &source["media_type"]), (&json!(300), &json!("image/png")));
    assert_eq!(source["sha256"].as_str().unwrap().len(), 64);
    let results = out.of("tool_result");
    assert_eq!(results[0]["tool_output"], "shot");
    assert_eq!(results[0]["extra"]["blocks"][0]["source"]["data"]["bytes"], 300);
    assert!(results[0]["extra"].get("result").is_none(), "the same picture is described once");
    assert_eq!(results[1]["extra"]["result"]["file"]["base64"]["media_type"], "image/png");
    assert_eq!(results[2]["extra"]["result"]["url"]["media_type"], "image/gif");
}

#[test]
fn a_sub_agents_totals_are_no_usage() {
    let answer_text = "The sub-agent found out all there is to know about this, at length, and says it here.";
    let out = ran(
        "Task",
        json!({"prompt": "find out", "description": "d"}),
        json!([{"type": "text", "text": answer_text}, {"type": "text", "text": "agentId: a1"}]),
        json!({"status": "completed", "prompt": "find out", "agentId": "a1", "content": [{"type": "text", "text": answer_text}],
            "totalDurationMs": 1234, "totalTokens": 89242, "totalToolUseCount": 3, "usage": {"input_tokens": 9, "output_tokens": 7485}}),
    );
    let row = out.only("tool_result");
    assert!(!row.contains_key("output_tokens") && !row.contains_key("total_tokens"));
    assert_eq!((&row["duration_ms"], &row["status"]), (&json!(1234), &json!("completed")));
    let extra = &row["extra"]["result"];
    assert_eq!((&extra["agentId"], &extra["totalTokens"]), (&json!("a1"), &json!(89242)));
    assert!(extra.get("prompt").is_none() && extra.get("content").is_none());
}

#[test]
fn results_of_any_shape_decode() {
    let out = decode_all(&[
        tool_result("u1", "toolu_1", json!("Error: no"), json!("Error: no")),
        tool_result("u2", "toolu_2", json!("x"), json!(["a", {"b": 1}])),
        tool_result("u3", "toolu_3", Value::Null, json!(7)),
        tool_result("u4", "", json!({"odd": true}), json!("something else")),
        tool_result("u5", "", json!([{"type": "tool_reference", "tool_name": "t"}, "bare"]), Value::Null),
    ]);
    let rows = out.of("tool_result");
    assert_eq!(rows.len(), 5);
    assert!(!rows[0].contains_key("extra"));
    assert_eq!(rows[1]["extra"]["result"], json!(["a", {"b": 1}]));
    assert_eq!(
        (&rows[3]["extra"]["result"], &rows[3]["extra"]["blocks"]),
        (&json!("something else"), &json!([{"odd": true}]))
    );
    assert_eq!((&rows[4]["tool_output"], &rows[4]["extra"]["blocks"][0]["tool_name"]), (&json!("bare"), &json!("t")));
    let ids: std::collections::HashSet<_> = rows.iter().map(|r| r["event_id"].to_string()).collect();
    assert_eq!(ids.len(), 5, "results without a call's id are known by their record");
}
