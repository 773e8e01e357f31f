//! Every other record type, and bytes that are no records.

use super::*;
use crate::adapters::claude::HistoryDecoder;

#[test]
fn only_what_a_person_typed_is_a_prompt() {
    let wrapped = |uuid: &str, text: &str| prompt(uuid, json!(text));
    let out = decode_all(&[
        prompt("p1", json!("first")),
        wrapped("w1", "<command-name>/clear</command-name>"),
        wrapped("w2", "<local-command-stdout>x</local-command-stdout>"),
        wrapped("w3", "<system-reminder>x</system-reminder>"),
        wrapped("w4", "<task-notification>x</task-notification>"),
        with(wrapped("w5", "injected"), json!({"isMeta": true})),
        with(wrapped("w6", "The story so far"), json!({"isCompactSummary": true})),
        wrapped("w7", "[Request interrupted by user]"),
        prompt(
            "p2",
            json!([{"type": "text", "text": "<ide_opened_file>f</ide_opened_file>"}, {"type": "text", "text": "second"}]),
        ),
        prompt("p3", json!("<div> is html that a person pasted")),
    ]);
    let prompts: Vec<_> =
        out.of("user_interaction").iter().map(|r| (r["turn"].as_i64().unwrap(), r.get("status").is_some())).collect();
    assert_eq!(prompts, [(1, false), (2, false), (3, false)]);
    assert_eq!(out.only("compaction")["text"], "The story so far");
    let kinds: Vec<_> = out.of("system").iter().map(|r| r["extra"]["kind"].clone()).collect();
    assert_eq!(kinds, ["command", "local-command", "system-reminder", "task-notification", "meta", "interruption"]);
    assert!(out.of("system").iter().all(|r| r["role"] == "user" && r.contains_key("text")));
}

#[test]
fn a_queued_prompt_is_one_prompt_however_often_it_is_written() {
    let queued = |uuid: &str, more: Value| {
        let attachment =
            with(json!({"type": "queued_command", "prompt": "and then this", "commandMode": "prompt"}), more);
        record("attachment", uuid, json!({"attachment": attachment}))
    };
    let out = decode_all(&[
        prompt("p1", json!("first")),
        json!({"type": "queue-operation", "operation": "enqueue", "timestamp": "2026-05-01T10:00:01.000Z", "sessionId": "s", "content": "and then this"}),
        queued("a1", json!({"source_uuid": "p2", "origin": {"kind": "human"}})),
        prompt("p2", json!("and then this")),
        queued("a2", json!({"commandMode": "task-notification", "prompt": "<task-notification>"})),
        queued("a3", json!({"prompt": [{"type": "text", "text": "in blocks"}]})),
    ]);
    let prompts = out.of("user_interaction");
    assert_eq!(prompts.iter().map(|r| r["turn"].clone()).collect::<Vec<_>>(), [1, 2, 2, 3]);
    assert_eq!(prompts[1]["event_id"], prompts[2]["event_id"], "the queued prompt and its delivery are one event");
    assert_eq!(prompts[3]["text"], "in blocks");
    assert_eq!(out.of("system").len(), 2);
}

#[test]
fn system_records_have_their_event_types() {
    let system =
        |uuid: &str, subtype: &str, more: Value| record("system", uuid, with(json!({"subtype": subtype}), more));
    let out = decode_all(&[
        system(
            "s1",
            "stop_hook_summary",
            json!({"hookCount": 1, "toolUseID": "toolu_1", "hookInfos": [{"command": "c"}]}),
        ),
        system("s2", "turn_duration", json!({"durationMs": 1500, "messageCount": 4})),
        system(
            "s3",
            "compact_boundary",
            json!({"content": "Conversation compacted", "logicalParentUuid": "l1",
            "compactMetadata": {"trigger": "auto", "preTokens": 9}}),
        ),
        system("s4", "api_error", json!({"error": {"message": "overloaded", "status": 529}, "retryInMs": 602.5})),
        system("s5", "api_error", json!({"error": {"message": "slow down", "status": 429}})),
        system("s6", "local_command", json!({"content": "<local-command-stdout>"})),
        system("s7", "of_the_future", json!({"content": "x", "novelty": 1})),
    ]);
    assert_eq!(out.only("hook")["tool_call_id"], "toolu_1");
    assert_eq!(out.rows[1]["duration_ms"], 1500);
    let boundary = out.only("compaction");
    assert_eq!(
        (&boundary["parent_event_id"], &boundary["extra"]["compactMetadata"]["preTokens"]),
        (&json!("l1"), &json!(9))
    );
    let error = out.only("error_encountered");
    assert_eq!((&error["text"], &error["extra"]["retryInMs"]), (&json!("overloaded"), &json!(602.5)));
    assert_eq!(out.only("rate_limit")["text"], "slow down");
    assert_eq!(out.rows[6]["extra"]["novelty"], 1);
    assert_eq!(out.counts.unknown_types, 1);
}

#[test]
fn hooks_and_attachments_keep_what_they_say() {
    let attachment = |uuid: &str, a: Value| record("attachment", uuid, json!({"attachment": a}));
    let out = decode_all(&[
        attachment(
            "a1",
            json!({"type": "hook_success", "hookName": "Stop", "hookEvent": "Stop", "toolUseID": "x", "content": "said",
            "stdout": "said", "stderr": "warned", "exitCode": 0, "command": "c", "durationMs": 12}),
        ),
        attachment("a2", json!({"type": "edited_text_file", "filename": "/f", "snippet": "1\ta"})),
        attachment("a3", json!({"type": "task_reminder", "content": [{"id": 1}], "itemCount": 1})),
        json!({"type": "attachment", "uuid": "a4", "timestamp": "2026-05-01T10:00:00.000Z", "attachment_type": "task_reminder", "content": "remember"}),
    ]);
    let hook = out.only("hook");
    assert_eq!((&hook["command"], &hook["exit_code"], &hook["duration_ms"]), (&json!("c"), &json!(0), &json!(12)));
    assert_eq!((&hook["text"], &hook["status"]), (&json!("said"), &json!("hook_success")));
    assert!(!hook.contains_key("tool_output"), "stdout that is the content is not stored twice");
    assert_eq!(
        hook["extra"]["attachment"],
        json!({"hookName": "Stop", "hookEvent": "Stop", "toolUseID": "x", "stderr": "warned"})
    );
    let rows = out.of("attachment");
    assert_eq!((&rows[0]["file_path"], &rows[0]["text"]), (&json!("/f"), &json!("1\ta")));
    assert_eq!(rows[1]["extra"]["attachment"], json!({"content": [{"id": 1}], "itemCount": 1}));
    assert_eq!((&rows[2]["status"], &rows[2]["text"]), (&json!("task_reminder"), &json!("remember")));
}

#[test]
fn progress_keeps_the_full_output_once() {
    let progress = |uuid: &str, data: Value| {
        record("progress", uuid, json!({"data": data, "toolUseID": "t", "parentToolUseID": "toolu_1"}))
    };
    let out = decode_all(&[
        answer("u1", "m", tool_use("toolu_1", "Bash", json!({"command": "make"})), 5),
        progress(
            "p1",
            json!({"type": "bash_progress", "output": "b", "fullOutput": "a\nb", "elapsedTimeSeconds": 3, "totalLines": 2}),
        ),
        progress("p2", json!({"type": "hook_progress", "hookEvent": "Stop", "hookName": "Stop", "command": "c"})),
        progress("p3", json!({"type": "query_update", "query": "q"})),
    ]);
    let bash = out.of("progress")[0];
    assert_eq!(
        (&bash["tool_output"], &bash["duration_ms"], &bash["command"]),
        (&json!("a\nb"), &json!(3000), &json!("make"))
    );
    assert_eq!(bash["extra"]["data"], json!({"type": "bash_progress", "elapsedTimeSeconds": 3, "totalLines": 2}));
    assert_eq!(out.only("hook")["command"], "c");
    assert_eq!(out.of("progress")[1]["text"], "q");
}

#[test]
fn values_written_again_and_again_make_a_row_when_they_change() {
    let mode = |mode: &str| json!({"type": "mode", "mode": mode, "sessionId": "s"});
    let title = json!({"type": "ai-title", "aiTitle": "A title", "sessionId": "s"});
    let out = decode_all(&[
        mode("normal"),
        prompt("p1", json!("x")),
        mode("plan"),
        mode("plan"),
        title.clone(),
        title,
        mode("normal"),
    ]);
    let modes = out.of("system");
    assert_eq!(modes.iter().map(|r| r["text"].clone()).collect::<Vec<_>>(), ["normal", "plan", "normal"]);
    assert_ne!(modes[0]["event_id"], modes[2]["event_id"], "going back is a change too");
    assert_eq!(out.only("title")["text"], "A title");
    assert_eq!((out.counts.ignored, out.counts.line_rows), (2, 5));
    let ts = json!(1_777_629_600_000_000i64);
    assert_eq!((&modes[0]["ts"], &modes[0]["ts_source"]), (&ts, &json!("inferred")), "the first time in the file");
    assert_eq!(modes[1]["ts"], ts, "the last time seen");
}

#[test]
fn small_records_are_kept() {
    let out = decode_all(&[
        json!({"type": "summary", "summary": "Fix it", "leafUuid": "l1"}),
        json!({"type": "file-history-snapshot", "messageId": "m1", "isSnapshotUpdate": false,
            "snapshot": {"messageId": "m1", "trackedFileBackups": {"a": {"version": 1}}, "timestamp": "2026-05-01T10:00:00.000Z"}}),
        json!({"type": "file-history-delta", "messageId": "m1", "trackingPath": "/f", "backup": {"size": 3}, "timestamp": "2026-05-01T10:00:00.000Z"}),
        json!({"type": "pr-link", "sessionId": "s", "prNumber": 7, "prUrl": "https://x/7", "prRepository": "o/r", "timestamp": "2026-05-01T10:00:00.000Z"}),
        json!({"type": "worktree-state", "sessionId": "s", "worktreeSession": {"worktreePath": "/w"}}),
        json!({"type": "started", "key": "v2:h", "agentId": "a"}),
        json!({"type": "result", "key": "v2:h", "agentId": "a", "result": {"area": "x"}}),
    ]);
    let title = out.only("title");
    assert_eq!((&title["text"], &title["parent_event_id"]), (&json!("Fix it"), &json!("l1")));
    assert!(!title.contains_key("session_id"), "a summary may stand in another session's file");
    let snapshots = out.of("snapshot");
    assert_eq!((&snapshots[0]["ts_source"], &snapshots[0]["message_id"]), (&json!("log"), &json!("m1")));
    assert_eq!(snapshots[1]["file_path"], "/f");
    assert_eq!(out.of("system")[0]["extra"]["prNumber"], 7);
    assert_eq!(out.of("system")[1]["extra"]["worktreeSession"]["worktreePath"], "/w");
    assert_eq!(out.of("progress")[1]["extra"]["result"]["area"], "x");
    assert_eq!((out.counts.line_rows, out.counts.unknown_types), (7, 0));
}

#[test]
fn unknown_types_and_foreign_shapes_are_kept_whole_without_usage() {
    let foreign = json!({"v": 1, "agent": "claude-code", "cli_version": "0.4", "ts": "2026-05-01T10:00:00.000Z",
        "type": "assistant", "id": "msg_1", "content": [{"type": "text", "text": "x"}], "input_tokens": 5});
    let out = decode_all(&[
        json!({"type": "future", "sessionId": "s", "uuid": "f1", "timestamp": "2026-05-01T10:00:00.000Z", "payload": {"a": [1]}}),
        foreign.clone(),
        json!({"silly": "yes"}),
        json!({"type": "user", "uuid": "u1", "message": null}),
    ]);
    let rows = out.of("unknown");
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0]["extra"], json!({"type": "future", "payload": {"a": [1]}}));
    assert_eq!((&rows[1]["extra"], &rows[1]["ts_source"]), (&foreign, &json!("log")));
    assert!(rows.iter().all(|r| !r.contains_key("input_tokens")));
    assert_eq!((out.counts.unknown_types, out.counts.line_rows), (4, 4));
}

#[test]
fn bad_lines_are_rejects_and_the_rest_decodes() {
    let good = |uuid: &str| prompt(uuid, json!("x")).to_string();
    let bytes = [
        good("p1").into_bytes(),
        b"nonsense".to_vec(),
        br#""a bare text""#.to_vec(),
        b"[1]".to_vec(),
        ("[".repeat(200) + &"]".repeat(200)).into_bytes(),
        Vec::new(),
        format!("{}{}", good("p2"), r#"{"type":"summary","summary":"glued","leafUuid":"l"}"#).into_bytes(),
        format!("{}\r", good("p3")).into_bytes(),
        [&b"\xef\xbb\xbf"[..], good("p4").as_bytes(), b"\0\0"].concat(),
        good("p5").replace("\"x\"", "\"\\ud83d!\"").into_bytes(),
        good("p6").into_bytes().iter().flat_map(|b| if *b == b'/' { vec![0xff] } else { vec![*b] }).collect(),
        br#"{"type":"user","uuid":"p7","message":{"content":"x"}"#.to_vec(),
    ]
    .join(&b'\n');
    let out = decode_as(info(MAIN), &bytes);
    assert_eq!(out.rejects, ["not_json", "wrong_shape", "wrong_shape", "too_deep", "not_json"]);
    assert_eq!(out.of("user_interaction").len(), 6);
    assert_eq!(out.only("title")["text"], "glued");
    assert_eq!(out.of("user_interaction")[4]["text"], "\u{fffd}!");
    let counts = out.counts;
    assert_eq!((counts.lines, counts.line_rows, counts.ignored, counts.rejects), (12, 6, 1, 5));
    assert!(counts.replaced_chars > 0);
}

#[test]
fn a_sub_agents_file_belongs_to_its_parents_session() {
    let path = "/home/u/.claude/projects/-p/0a000000-0000-4000-8000-000000000001/subagents/agent-a7f.jsonl";
    let line = |record: Value| with(record, json!({"isSidechain": true, "agentId": "a7f"})).to_string() + "\n";
    let bytes = line(prompt("p1", json!("look around"))) + &line(answer("u1", "m", text("done"), 5));
    let meta = [Companion { name: "agent-1.meta.json", text: r#"{"agentType":"Explore","description":"d"}"# }];
    let source = SourceInfo { companions: &meta, ..info(path) };
    let out = decode_as(source, bytes.as_bytes());
    for row in &out.rows {
        assert_eq!((&row["is_subagent"], &row["subagent_type"]), (&json!(true), &json!("Explore")));
        assert_eq!(row["session_id"], "0a000000-0000-4000-8000-000000000001");
        assert_eq!(row["extra"]["agentId"], "a7f");
    }
    assert_eq!(out.only("user_interaction")["turn"], 1);
    let journal = "C:\\x\\0a000000-0000-4000-8000-000000000001\\subagents\\workflows\\wf\\journal.jsonl";
    let out = decode_as(info(journal), br#"{"type":"started","key":"k","agentId":"a"}"#);
    assert_eq!(out.rows[0]["session_id"], "0a000000-0000-4000-8000-000000000001");
}

#[test]
fn side_chains_in_a_sessions_file_do_not_count_its_turns() {
    let out = decode_all(&[
        prompt("p1", json!("x")),
        with(prompt("p2", json!("the sub-agent's task")), json!({"isSidechain": true})),
        prompt("p3", json!("y")),
    ]);
    let turns: Vec<_> = out.rows.iter().map(|r| (r["turn"].as_i64(), r["is_subagent"].as_bool())).collect();
    assert_eq!(turns, [(Some(1), Some(false)), (Some(1), Some(true)), (Some(2), Some(false))]);
}

#[test]
fn fields_without_a_column_are_kept_and_noise_is_not() {
    let line = with(
        prompt("p1", json!("x")),
        json!({"promptId": "i1", "permissionMode": "plan", "todos": [], "slug": "a-b-c", "timestamp": "whenever", "isMeta": false}),
    );
    let out = decode_all(&[line]);
    assert_eq!(
        out.rows[0]["extra"],
        json!({"promptId": "i1", "permissionMode": "plan", "slug": "a-b-c", "timestamp": "whenever"})
    );
    assert_eq!(out.rows[0]["ts_source"], "inferred");
}

#[test]
fn the_prompt_history_is_kept_with_pasted_contents() {
    let bytes = concat!(
        r#"{"display":"do [Pasted text #1]","pastedContents":{"1":{"id":1,"type":"text","content":"pasted"}},"timestamp":1767862800000,"project":"/p","sessionId":"s"}"#,
        "\n",
        r#"{"display":"again","pastedContents":{},"timestamp":1767862801000,"project":"/p"}"#,
        "\nnonsense\n\n[]\n",
    );
    let mut rows = context("/h/history.jsonl");
    let mut decoder = HistoryDecoder::new(info("/h/history.jsonl"), None);
    for line in lines(bytes.as_bytes()) {
        decoder.line(line, &mut rows);
    }
    let out = finish(&mut rows);
    let prompts = out.of("prompt_history");
    assert_eq!((&prompts[0]["text"], &prompts[0]["cwd"]), (&json!("do [Pasted text #1]"), &json!("/p")));
    assert_eq!(prompts[0]["extra"]["pastedContents"]["1"]["content"], "pasted");
    assert_eq!((&prompts[1]["ts"], prompts[1].get("extra")), (&json!(1_767_862_801_000_000i64), None));
    assert_eq!((out.counts.lines, out.counts.line_rows, out.counts.ignored, out.counts.rejects), (5, 2, 1, 2));
    let checkpoint = decoder.checkpoint();
    assert_eq!(checkpoint.resume_at, bytes.len() as u64);
    assert_eq!(HistoryDecoder::new(info("/h"), Some(&checkpoint)).last_us(), Some(1_767_862_801_000_000));
}
