//! Each record shape: what row it makes, and what is told twice is one row.

use serde_json::Value;

use super::{Decoded, PATH, decode, info, lines, run};
use crate::adapters::codex::{DocumentDecoder, HistoryDecoder, IndexDecoder, RolloutDecoder};

const SESSION: &str = include_str!("../../../../tests/fixtures/codex/rollout.jsonl");

/// Lines of an envelope file at one-second steps: pairs of outer type and payload.
pub(super) fn file(records: &[(&str, &str)]) -> String {
    let line = |(i, (kind, payload)): (usize, &(&str, &str))| {
        format!("{{\"timestamp\":\"2026-01-02T03:04:{i:02}.000Z\",\"type\":\"{kind}\",\"payload\":{payload}}}\n")
    };
    records.iter().enumerate().map(line).collect()
}

pub(super) fn events(payloads: &[&str]) -> Decoded {
    decode(&file(&payloads.iter().map(|p| ("event_msg", *p)).collect::<Vec<_>>()))
}

pub(super) fn items(payloads: &[&str]) -> Decoded {
    decode(&file(&payloads.iter().map(|p| ("response_item", *p)).collect::<Vec<_>>()))
}

pub(super) fn extra(decoded: &Decoded, row: usize) -> Value {
    serde_json::from_str(decoded.text(row, "extra").unwrap_or("{}")).unwrap()
}

#[test]
fn a_session_makes_the_rows_it_should_and_no_more() {
    let decoded = decode(SESSION);
    assert_eq!(
        decoded.types(),
        [
            "session_start",
            "progress",
            "system",
            "system",
            "system",
            "user_interaction",
            "rate_limit",
            "thinking",
            "thinking",
            "llm_response",
            "command_execution",
            "llm_request",
            "progress",
            "tool_result",
            "file_modify",
            "progress",
            "tool_result",
            "llm_request",
            "rate_limit",
            "tool_use",
            "compaction",
            "llm_response",
            "progress",
            "progress",
            "system",
            "user_interaction",
            "llm_request",
            "system",
        ]
    );
    assert_eq!(decoded.counts.ignored, 1, "the meta record that was appended again");
}

#[test]
fn the_start_of_a_session_carries_its_facts_to_every_row() {
    let decoded = decode(SESSION);
    assert_eq!(decoded.text(0, "text"), Some("You are Codex."));
    assert_eq!(extra(&decoded, 0)["originator"], "codex-tui");
    for row in 0..decoded.len() {
        assert_eq!(decoded.text(row, "session_id"), Some("019b7000-0000-7000-8000-000000000001"));
        assert_eq!(decoded.text(row, "agent_version"), Some("0.118.0"));
        assert_eq!(decoded.text(row, "provider"), Some("openai"));
        assert_eq!(decoded.text(row, "cwd"), Some("/w/app"));
        assert_eq!(decoded.text(row, "git_branch"), Some("main"));
        assert_eq!(decoded.text(row, "git_commit"), Some("abc123"));
        assert_eq!(decoded.text(row, "repo_url"), Some("https://github.com/acme/app"));
        assert_eq!(decoded.text(row, "project"), Some("acme/app"));
        assert_eq!(decoded.text(row, "ts_source"), Some("log"));
    }
}

#[test]
fn equal_prompts_of_two_turns_are_two_rows_with_their_turn_numbers() {
    let decoded = decode(SESSION);
    let prompts = decoded.of_type("user_interaction");
    assert_eq!(prompts.iter().map(|r| decoded.i64(*r, "turn")).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert_ne!(decoded.batch.ids[prompts[0]], decoded.batch.ids[prompts[1]]);
}

#[test]
fn a_result_repeats_tool_and_command_and_says_code_and_time() {
    let decoded = decode(SESSION);
    let call = decoded.only("command_execution");
    assert_eq!(decoded.text(call, "command"), Some("git status -sb"));
    assert_eq!(decoded.text(call, "tool_input"), Some(r#"{"command":"git status -sb","workdir":"/w/app"}"#));
    let result = decoded.of_type("tool_result")[0];
    assert_eq!(decoded.text(result, "tool_call_id"), Some("call_1"));
    assert_eq!(decoded.text(result, "tool_name"), Some("shell_command"));
    assert_eq!(decoded.text(result, "command"), Some("git status -sb"));
    assert_eq!(decoded.i64(result, "exit_code"), Some(0));
    assert_eq!(decoded.i64(result, "duration_ms"), Some(100));
    assert_eq!(decoded.bool(result, "is_error"), Some(false));
    let end = decoded.of_type("progress")[1];
    assert_eq!((decoded.text(end, "tool_output"), decoded.i64(end, "duration_ms")), (None, Some(13)));
}

#[test]
fn a_patch_names_its_files_and_counts_its_lines_once() {
    let decoded = decode(SESSION);
    let patch = decoded.only("file_modify");
    assert_eq!(decoded.text(patch, "file_path"), Some("src/a.rs"));
    assert_eq!((decoded.sum("lines_added"), decoded.sum("lines_removed")), (3, 1));
    assert_eq!(extra(&decoded, patch)["files"], "src/a.rs\nsrc/b.rs");
    assert_eq!(extra(&decoded, patch)["edits"], "src/a.rs\t0\t0\nsrc/b.rs\t0\t0");
    let result = decoded.of_type("tool_result")[1];
    assert_eq!((decoded.i64(result, "lines_added"), decoded.i64(result, "lines_removed")), (Some(3), Some(1)));
    assert_eq!(extra(&decoded, result)["edits"], "src/a.rs\t2\t1\nsrc/b.rs\t1\t0");
    assert_eq!(decoded.text(result, "tool_output"), Some("Success. Updated the following files:\nM src/a.rs\n"));
    assert_eq!((decoded.i64(result, "exit_code"), decoded.i64(result, "duration_ms")), (Some(0), Some(200)));
}

#[test]
fn what_no_call_announced_is_the_calls_own_row() {
    let decoded = events(&[
        r#"{"type":"patch_apply_end","call_id":"exec-1","success":false,"stdout":"","stderr":"no","changes":{"/w/a":{"type":"add","content":"x\ny\n"}}}"#,
        r#"{"type":"exec_command_end","call_id":"user-1","command":["bash","-lc","ls"],"source":"user_shell","aggregated_output":"a\n","exit_code":1,"duration":{"secs":1,"nanos":0}}"#,
        r#"{"type":"mcp_tool_call_end","call_id":"m-1","invocation":{"server":"s","tool":"t","arguments":{"q":1}},"duration":{"secs":0,"nanos":4000000},"result":{"Ok":{"content":[{"type":"text","text":"found"}],"isError":false}}}"#,
        r#"{"type":"mcp_tool_call_end","call_id":"m-2","invocation":{"server":"s","tool":"t","arguments":{}},"result":{"Err":"gone"}}"#,
    ]);
    assert_eq!(decoded.types(), ["file_modify", "command_execution", "tool_use", "tool_use"]);
    assert_eq!((decoded.i64(0, "lines_added"), decoded.bool(0, "is_error")), (None, Some(true)));
    assert_eq!((decoded.text(1, "command"), decoded.text(1, "tool_output")), (Some("ls"), Some("a\n")));
    assert_eq!((decoded.i64(1, "exit_code"), decoded.i64(1, "duration_ms")), (Some(1), Some(1000)));
    assert_eq!((decoded.text(2, "tool_output"), decoded.text(2, "tool_input")), (Some("found"), Some(r#"{"q":1}"#)));
    assert_eq!(decoded.bool(3, "is_error"), Some(true));
}

#[test]
fn doubles_in_any_order_and_at_any_distance_are_one_row() {
    let event = ("event_msg", r#"{"type":"agent_message","message":"yes"}"#);
    let item = (
        "response_item",
        r#"{"type":"message","role":"assistant","id":"msg_1","content":[{"type":"output_text","text":"yes"}]}"#,
    );
    let between = ("event_msg", r#"{"type":"token_count","info":null,"rate_limits":null}"#);
    for order in [&[event, item][..], &[item, event], &[event, between, item], &[item, between, event]] {
        let decoded = decode(&file(order));
        assert_eq!(decoded.of_type("llm_response").len(), 1);
    }
    let decoded = decode(&file(&[event, item, event, item]));
    assert_eq!(decoded.of_type("llm_response").len(), 2, "said twice is two rows");
    assert_eq!(decoded.text(0, "message_id"), Some("msg_1"));
}

#[test]
fn prompts_are_told_by_the_event_where_there_is_one() {
    let item = (
        "response_item",
        r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"go"},{"type":"input_image","image_url":"http://x"}]}"#,
    );
    let event = ("event_msg", r#"{"type":"user_message","message":"go","images":["http://x"]}"#);
    let context = ("turn_context", r#"{"cwd":"/w","model":"m"}"#);
    let note =
        ("response_item", r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"not typed"}]}"#);
    for order in [&[item, event][..], &[event, item], &[event, context, item]] {
        let decoded = decode(&file(order));
        let prompt = decoded.only("user_interaction");
        assert_eq!((decoded.text(prompt, "text"), decoded.i64(prompt, "turn")), (Some("go"), Some(1)));
    }
    let decoded = decode(&file(&[item, event, note]));
    assert_eq!(decoded.types(), ["user_interaction", "system"]);
    let alone = decode(&file(&[note]));
    assert_eq!(alone.types(), ["user_interaction"]);
}

#[test]
fn a_pasted_context_that_the_user_typed_is_a_prompt() {
    let text = r"<environment_context>x</environment_context>";
    let decoded = decode(&file(&[
        (
            "response_item",
            &format!(r#"{{"type":"message","role":"user","content":[{{"type":"input_text","text":"{text}"}}]}}"#),
        ),
        ("event_msg", &format!(r#"{{"type":"user_message","message":"{text}"}}"#)),
    ]));
    assert_eq!(decoded.types(), ["user_interaction"]);
}

#[test]
fn encrypted_thoughts_are_not_stored() {
    let decoded = items(&[
        r#"{"type":"reasoning","summary":[],"content":null,"encrypted_content":"gAAAA"}"#,
        r#"{"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"a"}],"encrypted_content":"gAAAA"}"#,
        r#"{"type":"reasoning","id":"rs_2","summary":[],"content":[{"type":"reasoning_text","text":"raw"}]}"#,
    ]);
    assert_eq!(decoded.types(), ["thinking", "thinking"]);
    assert!(!decoded.dump().concat().contains("gAAAA"));
    assert_eq!(decoded.counts.ignored, 1);
}

#[test]
fn tools_of_every_shape_tell_what_they_do() {
    let decoded = items(&[
        r#"{"type":"function_call","name":"exec_command","arguments":"{\"cmd\":\"ls\"}","call_id":"1"}"#,
        r#"{"type":"function_call","name":"shell","arguments":"{\"command\":[\"bash\",\"-lc\",\"ls -la\"]}","call_id":"2"}"#,
        r#"{"type":"local_shell_call","call_id":"3","status":"completed","action":{"type":"exec","command":["git","log"]}}"#,
        r#"{"type":"function_call","name":"shell","arguments":"{\"command\":[\"bash\",\"-lc\",\"apply_patch <<'EOF'\\n*** Begin Patch\\n*** Delete File: a\\n-x\\n*** End Patch\\nEOF\"]}","call_id":"4"}"#,
        r#"{"type":"function_call","name":"read_file","arguments":"{\"path\":\"README.md\"}","call_id":"5"}"#,
        r#"{"type":"custom_tool_call","name":"exec","input":"const r = await tools.exec_command({cmd:\"rg \\\"x\\\"\",workdir:\"/w\"}); await tools.exec_command({\"cmd\":'ls'})","call_id":"6"}"#,
        r#"{"type":"function_call","name":"update_plan","arguments":"not json","call_id":"7"}"#,
        r#"{"type":"tool_search_call","call_id":"8","status":"completed","arguments":{"query":"q"}}"#,
        r#"{"type":"image_generation_call","id":"ig_1","status":"completed","revised_prompt":"a cat","result":"AAAA"}"#,
    ]);
    assert_eq!(
        decoded.types(),
        [
            "command_execution",
            "command_execution",
            "command_execution",
            "file_modify",
            "file_read",
            "command_execution",
            "tool_use",
            "tool_use",
            "tool_use"
        ]
    );
    let commands: Vec<_> = (0..6).map(|i| decoded.text(i, "command")).collect();
    assert_eq!(commands[..3], [Some("ls"), Some("ls -la"), Some("git log")]);
    assert_eq!(commands[5], Some("rg \"x\"\nls"));
    assert_eq!((decoded.text(3, "file_path"), decoded.i64(3, "lines_removed")), (Some("a"), None));
    assert_eq!(decoded.text(4, "file_path"), Some("README.md"));
    assert_eq!(decoded.text(6, "tool_input"), Some("\"not json\""));
    assert_eq!(extra(&decoded, 8)["result"]["bytes"], 3);
}

#[test]
fn answers_of_every_shape_tell_how_it_went() {
    let output =
        |text: &str| format!(r#"{{"type":"function_call_output","call_id":"{}","output":{text}}}"#, text.len());
    let texts = [
        r#""Chunk ID: 1\nWall time: 0.5 seconds\nProcess exited with code 2\nOutput:\nx""#,
        r#""Chunk ID: 1\nWall time: 5.0 seconds\nProcess running with session ID 7\nOutput:\n""#,
        r#""aborted by user after 6.2s""#,
        r#""apply_patch verification failed: no""#,
        r#"[{"type":"input_text","text":"Script completed\nWall time 0.2 seconds\nOutput:\n"},{"type":"input_text","text":"done"},{"type":"input_image","image_url":"u"}]"#,
        r#"{"stdout":"a","exitCode":3}"#,
    ];
    let texts: Vec<_> = texts.iter().map(|t| output(t)).collect();
    let decoded = items(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(
        (decoded.i64(0, "exit_code"), decoded.bool(0, "is_error"), decoded.i64(0, "duration_ms")),
        (Some(2), Some(true), Some(500))
    );
    assert_eq!((decoded.text(1, "status"), decoded.bool(1, "is_error")), (Some("running"), None));
    assert_eq!((decoded.text(2, "status"), decoded.i64(2, "duration_ms")), (Some("interrupted"), Some(6200)));
    assert_eq!(decoded.bool(3, "is_error"), Some(true));
    assert_eq!(decoded.text(4, "tool_output"), Some("Script completed\nWall time 0.2 seconds\nOutput:\ndone"));
    assert_eq!(extra(&decoded, 4)["attachments"][0]["image_url"], "u");
    assert_eq!((decoded.i64(5, "exit_code"), decoded.bool(5, "is_error")), (Some(3), Some(true)));
}

#[test]
fn limits_make_a_row_only_when_more_than_their_reset_changes() {
    let limits = |percent: f64, resets: i64| {
        format!(
            r#"{{"type":"token_count","info":null,"rate_limits":{{"limit_id":"codex","primary":{{"used_percent":{percent},"window_minutes":300,"resets_at":{resets}}},"secondary":null}}}}"#
        )
    };
    let texts = [limits(1.0, 5), limits(1.0, 6), limits(2.0, 6), limits(1.0, 6)];
    let decoded = events(&texts.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(decoded.types(), ["rate_limit"; 3]);
    assert_eq!(decoded.counts.ignored, 1);
    assert_ne!(decoded.batch.ids[0], decoded.batch.ids[2]);
}

#[test]
fn unknown_records_are_rows_with_everything_in_extra_and_are_counted() {
    let decoded = decode(&file(&[
        ("totally_new", r#"{"x":1}"#),
        ("event_msg", r#"{"type":"mystery","deep":{"y":[2]}}"#),
        ("response_item", r#"{"type":"mystery","z":"3"}"#),
    ]));
    assert_eq!(decoded.types(), ["unknown"; 3]);
    assert_eq!(decoded.counts.unknown_types, 3);
    assert_eq!(extra(&decoded, 1)["deep"]["y"][0], 2);
}

#[test]
fn repeated_turn_settings_are_ignored_and_changed_ones_are_told() {
    let context = |model: &str, turn: &str| {
        format!(r#"{{"turn_id":"{turn}","cwd":"/w","model":"{model}","user_instructions":"long text"}}"#)
    };
    let (a, b, c) = (context("m1", "t1"), context("m1", "t2"), context("m2", "t3"));
    let decoded =
        decode(&file(&[("turn_context", &a), ("turn_context", &b), ("turn_context", &c), ("turn_context", &a)]));
    assert_eq!(decoded.types().len(), 3, "first, without the instructions it repeats, and back");
    assert_eq!(decoded.dump().concat().matches("long text").count(), 1);
}

#[test]
fn errors_interruptions_reviews_and_titles_have_their_types() {
    let decoded = events(&[
        r#"{"type":"error","message":"limit reached","codex_error_info":"usage_limit"}"#,
        r#"{"type":"turn_aborted","reason":"interrupted"}"#,
        r#"{"type":"thread_rolled_back","num_turns":1}"#,
        r#"{"type":"exited_review_mode","review_output":{"findings":[{"title":"t"}],"overall_explanation":"fine"}}"#,
        r#"{"type":"thread_name_updated","thread_id":"x","thread_name":"A name"}"#,
        r#"{"type":"task_complete","turn_id":"t","last_agent_message":null,"error":{"message":"boom"}}"#,
        r#"{"type":"context_compacted"}"#,
        r#"{"type":"hook_completed","name":"h"}"#,
    ]);
    assert_eq!(
        decoded.types(),
        ["error_encountered", "system", "system", "system", "title", "error_encountered", "compaction", "hook"]
    );
    assert_eq!((decoded.text(0, "text"), decoded.bool(0, "is_error")), (Some("limit reached"), Some(true)));
    assert_eq!(decoded.text(1, "status"), Some("interrupted"));
    assert_eq!((decoded.text(3, "text"), decoded.text(4, "text")), (Some("fine"), Some("A name")));
    assert_eq!(decoded.text(5, "text"), Some("boom"));
}

#[test]
fn the_first_rust_cli_has_no_times_and_no_envelopes() {
    let decoded = decode(concat!(
        "{\"id\":\"cf4def41-21e0-4b91-adb4-5397c1492084\",\"timestamp\":\"2025-09-10T18:58:38.331Z\",\"instructions\":\"be kind\",\"git\":{\"branch\":\"main\",\"repository_url\":\"https://user:pw@github.com/a/b.git\"}}\n",
        "{\"record_type\":\"state\"}\n",
        "{\"type\":\"message\",\"id\":null,\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"<environment_context>\\n<cwd>/old</cwd>\\n</environment_context>\"}]}\n",
        "{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"hello\"}]}\n",
        "{\"type\":\"reasoning\",\"id\":\"rs\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"hm\"}]}\n",
        "{\"type\":\"function_call\",\"name\":\"shell\",\"arguments\":\"{\\\"command\\\":[\\\"ls\\\"]}\",\"call_id\":\"c\"}\n",
        "{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"{\\\"output\\\":\\\"a\\\",\\\"metadata\\\":{\\\"exit_code\\\":1,\\\"duration_seconds\\\":0.1}}\"}\n",
        "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"hi\"}]}\n",
    ));
    assert_eq!(
        decoded.types(),
        ["session_start", "system", "user_interaction", "thinking", "command_execution", "tool_result", "llm_response"]
    );
    assert_eq!(decoded.counts.ignored, 1);
    let born = crate::adapters::time::rfc3339_us("2025-09-10T18:58:38.331Z");
    assert!((1..7).all(|i| decoded.i64(i, "ts") == born && decoded.text(i, "ts_source") == Some("inferred")));
    assert_eq!(decoded.text(0, "repo_url"), Some("https://github.com/a/b"));
    assert_eq!(decoded.text(2, "cwd"), Some("/old"));
    assert_eq!((decoded.text(5, "tool_output"), decoded.i64(5, "exit_code")), (Some("a"), Some(1)));
}

#[test]
fn the_typescript_document_gives_the_same_rows_when_it_is_rewritten() {
    let document = |items: &str| {
        format!(
            r#"{{"session":{{"timestamp":"2025-04-20T10:00:00.000Z","id":"ts-1","instructions":""}},"items":[{items}]}}"#
        )
    };
    let first = r#"{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]}"#;
    let second = r#"{"type":"function_call","name":"shell","arguments":"{\"command\":[\"ls\"]}","call_id":"c"},{"type":"function_call_output","call_id":"c","output":"{\"output\":\"a\",\"metadata\":{\"exit_code\":0,\"duration_seconds\":0}}"}"#;
    let path = "/h/sessions/rollout-2025-04-20-0b0e1c5e-0000-4000-8000-000000000000.json";
    let one = run(&mut DocumentDecoder::new(info(path), None), document(first).as_bytes());
    one.check_counts(1);
    let two = run(&mut DocumentDecoder::new(info(path), None), document(&format!("{first},{second}")).as_bytes());
    assert_eq!(one.types(), ["session_start", "user_interaction"]);
    assert_eq!(two.types(), ["session_start", "user_interaction", "command_execution", "tool_result"]);
    assert_eq!(two.batch.ids[..2], one.batch.ids[..]);
    assert_eq!(run(&mut DocumentDecoder::new(info(path), None), b"[1]").counts.rejects, 1);
}

#[test]
fn the_stream_of_codex_exec_is_read_too() {
    let decoded = decode(concat!(
        "{\"type\":\"thread.started\",\"thread_id\":\"019b7000-0000-7000-8000-000000000009\"}\n",
        "{\"type\":\"turn.started\"}\n",
        "{\"type\":\"item.started\",\"item\":{\"id\":\"item_0\",\"type\":\"command_execution\",\"command\":\"bash -lc ls\",\"status\":\"in_progress\"}}\n",
        "{\"type\":\"item.completed\",\"item\":{\"id\":\"item_0\",\"type\":\"command_execution\",\"command\":\"bash -lc ls\",\"aggregated_output\":\"a\",\"exit_code\":0,\"status\":\"completed\"}}\n",
        "{\"type\":\"item.completed\",\"item\":{\"id\":\"item_1\",\"type\":\"agent_message\",\"text\":\"done\"}}\n",
        "{\"type\":\"turn.completed\",\"usage\":{\"input_tokens\":100,\"cached_input_tokens\":40,\"output_tokens\":7}}\n",
        "{\"type\":\"turn.failed\",\"error\":{\"message\":\"no\"}}\n",
    ));
    assert_eq!(
        decoded.types(),
        ["session_start", "progress", "command_execution", "llm_response", "llm_request", "error_encountered"]
    );
    assert_eq!((decoded.sum("input_tokens"), decoded.sum("output_tokens")), (60, 7));
    assert_eq!(decoded.text(2, "session_id"), Some("019b7000-0000-7000-8000-000000000009"));
    assert_eq!(decoded.text(5, "text"), Some("no"));
}

#[test]
fn prompt_history_and_thread_names_are_rows() {
    let text = b"{\"session_id\":\"s\",\"ts\":1764009986,\"text\":\"hi\"}\n{\"ts\":1}\n";
    let history = run(&mut HistoryDecoder::new(info("/h/history.jsonl"), None), text);
    history.check_counts(2);
    assert_eq!(history.types(), ["prompt_history"]);
    assert_eq!((history.text(0, "session_id"), history.i64(0, "ts")), (Some("s"), Some(1_764_009_986_000_000)));
    let text = b"{\"id\":\"s\",\"thread_name\":\"one\",\"updated_at\":\"2026-02-01T00:00:00Z\"}\n{\"id\":\"s\",\"thread_name\":\"two\",\"updated_at\":\"2026-02-02T00:00:00Z\"}\n";
    let index = run(&mut IndexDecoder::new(info("/h/session_index.jsonl"), None), text);
    assert_eq!(index.types(), ["title", "title"]);
    assert_eq!(index.text(1, "text"), Some("two"));
    assert_ne!(index.batch.ids[0], index.batch.ids[1]);
}

#[test]
fn two_records_glued_on_a_line_both_count_and_bad_lines_are_rejects() {
    let text = file(&[
        ("event_msg", r#"{"type":"agent_message","message":"a"}"#),
        ("event_msg", r#"{"type":"agent_message","message":"b"}"#),
    ]);
    let glued = text.replacen('\n', "", 1);
    let decoded = decode(&format!("{glued}[1,2]\nnonsense\n\n{glued}"));
    assert_eq!(decoded.of_type("llm_response").len(), 4);
    assert_eq!((decoded.counts.rejects, decoded.counts.ignored, decoded.counts.line_rows), (2, 1, 2));
}

#[test]
fn images_become_their_digest() {
    let image = "A".repeat(400);
    let decoded = items(&[&format!(
        r#"{{"type":"message","role":"user","content":[{{"type":"input_text","text":"see"}},{{"type":"input_image","image_url":"data:image/png;base64,{image}"}}]}}"#
    )]);
    let url = &extra(&decoded, 0)["attachments"][0]["image_url"];
    assert_eq!((url["bytes"].as_i64(), url["media_type"].as_str()), (Some(300), Some("image/png")));
    assert!(!decoded.dump().concat().contains(&image));
}

#[test]
fn a_file_without_a_meta_record_is_named_by_its_path() {
    let text = file(&[("event_msg", r#"{"type":"agent_message","message":"a"}"#)]);
    assert_eq!(decode(&text).text(0, "session_id"), Some("019b7000-0000-7000-8000-000000000001"));
    let other = run(&mut RolloutDecoder::new(info("/x/full.jsonl"), None), text.as_bytes());
    assert_eq!(other.text(0, "session_id"), None);
    assert_ne!(other.batch.ids, decode(&text).batch.ids);
    assert!(PATH.contains("rollout-") && lines(b"").is_empty());
}
