//! Transcripts, of lines and of text.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::adapters::tests::{decode, decode_with, provisional, resumes_anywhere};

const PATH: &str = "/h/.cursor/projects/w/agent-transcripts/c0ffee/c0ffee.jsonl";
const TEXT_PATH: &str = "/h/.cursor/projects/w/agent-transcripts/c0ffee.txt";

fn lines() -> String {
    [
        json!({"role": "user", "message": {"content": [{"type": "text", "text": "<user_info>\nWorkspace Path: /w/shop\n</user_info>\n<user_query>\nFix it\n</user_query>"}]}}),
        json!({"role": "assistant", "message": {"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "I look.\n\n[REDACTED]"},
            {"type": "tool_use", "id": "t1", "name": "Read", "input": {"path": "/w/shop/a.rs", "limit": 4}}, {"type": "tool_use", "name": "Shell", "input": {"command": "ls"}}]}}),
        json!({"role": "user", "message": {"content": [{"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "fn a"}]}]}}),
        json!({"role": "assistant", "message": {"content": [{"type": "text", "text": "[REDACTED]"}, {"type": "custom_block", "text": "new"}]}, "model": "auto"}),
        json!({"role": "assistant", "message": {"content": [{"type": "text", "text": "[REDACTED]"}]}}),
        json!({"type": "error", "message": "limit"}),
        json!({"type": "turn_ended", "status": "success"}),
        json!({"type": "novel", "n": 1}),
        json!({"role": "user", "message": {"content": "Thanks"}}),
        json!([1]),
        json!("torn"),
    ]
    .map(|value: Value| if value == "torn" { "{\"role\":".to_owned() } else { value.to_string() })
    .join("\n")
        + "\n\n"
}

#[test]
fn a_transcript_becomes_prompts_answers_calls_and_results() {
    let decoded = decode(Format::CursorTranscript, PATH, lines().as_bytes());
    let all = [
        "command_execution",
        "error_encountered",
        "file_read",
        "llm_response",
        "system",
        "thinking",
        "tool_result",
        "unknown",
        "unknown",
        "user_interaction",
        "user_interaction",
    ];
    assert_eq!(types(&decoded), all);
    assert_eq!(decoded.rejects, ["wrong_shape", "not_json"]);
    assert_eq!((decoded.counts.unknown_types, decoded.counts.ignored), (2, 2));
    assert!(
        decoded
            .rows
            .iter()
            .all(|row| row["session_id"] == "c0ffee" && row["cwd"] == "/w/shop" && row["ts_source"] == "inferred")
    );
    let answer = decoded.only("llm_response");
    assert_eq!((&answer["text"], &answer["turn"]), (&json!("I look."), &json!(1)));
    let prompt = decoded.of("user_interaction")[0];
    assert_eq!(prompt["text"], "Fix it");
    assert!(prompt["extra"]["added"].as_str().unwrap().contains("Workspace Path"));
    let result = decoded.only("tool_result");
    assert_eq!(
        (&result["tool_name"], &result["file_path"], &result["tool_output"]),
        (&json!("Read"), &json!("/w/shop/a.rs"), &json!("fn a"))
    );
    assert_eq!(decoded.of("unknown")[0]["text"], "new");
    let ids: std::collections::BTreeSet<_> = decoded.ids().into_iter().collect();
    assert_eq!(ids.len(), all.len());
}

#[test]
fn a_sub_agents_transcript_names_its_parent() {
    let path = "/h/.cursor/projects/w/agent-transcripts/parent/subagents/child.jsonl";
    let line = br#"{"role":"user","message":{"content":[{"type":"text","text":"Go"}]}}"#;
    let decoded = decode(Format::CursorTranscript, path, line);
    let row = decoded.only("user_interaction");
    assert_eq!(
        (&row["session_id"], &row["parent_session_id"], &row["is_subagent"]),
        (&json!("child"), &json!("parent"), &json!(true))
    );
    let owner = Companion { name: "store.db", text: "" };
    assert!(decode_with(Format::CursorTranscript, path, &[owner], line).rows.is_empty(), "an agent typed nothing");
}

const TEXT: &str = "user:\n<user_query>\nFix it\n</user_query>\n\nassistant:\n[Thinking] let me see\nmore\n\nI look.\n[Tool call] Read\n  path: /w/a.rs\n  limit: 4\n\n[Tool result] Read\nfn a\n\nassistant:\n[REDACTED]\n\nassistant:\nDone.\nReally.\n";

#[test]
fn a_transcript_of_text_becomes_the_same_kinds_of_rows() {
    let decoded = decode(Format::CursorText, TEXT_PATH, TEXT.as_bytes());
    assert_eq!(
        types(&decoded),
        ["file_read", "llm_response", "llm_response", "thinking", "tool_result", "user_interaction"]
    );
    assert_eq!(decoded.only("thinking")["text"], "let me see\nmore");
    let call = decoded.only("file_read");
    assert_eq!(
        (&call["file_path"], &call["tool_input"]),
        (&json!("/w/a.rs"), &json!({"path": "/w/a.rs", "limit": "4"}))
    );
    let result = decoded.only("tool_result");
    assert_eq!((&result["tool_output"], &result["tool_call_id"]), (&json!("fn a"), &call["tool_call_id"]));
    assert_eq!(decoded.of("llm_response")[1]["text"], "Done.\nReally.");
    assert_eq!(provisional(Format::CursorText, TEXT_PATH, TEXT.as_bytes()).len(), 1);
    let owner = Companion { name: "composerData:c0ffee", text: "" };
    assert_eq!(types(&decode_with(Format::CursorText, TEXT_PATH, &[owner], TEXT.as_bytes())), ["prompt_history"]);
}

#[test]
fn an_answer_that_goes_on_after_a_silence_is_one_event() {
    use crate::adapters::{SourceInfo, decoder};
    use crate::schema::{RowContext, Rows};
    let mut rows = Rows::new(RowContext::new("cursor", TEXT_PATH));
    let mut text = decoder(Format::CursorText, SourceInfo { path: TEXT_PATH, ..SourceInfo::default() }, None).unwrap();
    let all = crate::adapters::tests::lines(b"assistant:\nOne.\nTwo.\n");
    text.line(all[0], &mut rows);
    text.line(all[1], &mut rows);
    text.settle(&mut rows);
    assert!(!text.is_open());
    text.settle(&mut rows);
    text.line(all[2], &mut rows);
    assert!(text.is_open());
    text.settle(&mut rows);
    let batch = rows.finish();
    assert_eq!(batch.ids.len(), 2);
    assert_eq!(batch.ids[0], batch.ids[1]);
}

#[test]
fn decoding_goes_on_from_any_line() {
    resumes_anywhere(Format::CursorTranscript, PATH, lines().as_bytes());
    resumes_anywhere(Format::CursorText, TEXT_PATH, TEXT.as_bytes());
}

fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let flips = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8);
    (prop::sample::select(vec![lines(), TEXT.to_owned()]), flips).prop_map(|(text, flips)| {
        let mut bytes = text.into_bytes();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop_oneof![mutated(), prop::collection::vec(any::<u8>(), 0..400)]) {
        decode(Format::CursorTranscript, PATH, &bytes);
        decode(Format::CursorText, TEXT_PATH, &bytes);
    }
}

proptest! {
    // Each case makes three databases on disk.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn no_value_in_a_database_panics(value in "\\PC{0,60}", key in "[a-z:]{0,12}", kind in 0..4_usize) {
        let shapes = [
            json!({"type": 2, "text": value, "toolFormerData": {"name": key, "params": value, "result": value, "tool": kind}, "timingInfo": value, "tokenCount": [value]}),
            json!({"type": value, "createdAt": value, "thinking": kind, "images": {"0": 1}, "modelInfo": key}),
            json!(value),
            json!([value, {"bubbleId": value}]),
        ];
        let shape = &shapes[kind];
        let key = key.replace('\'', "");
        let rows = [
            (format!("composerData:{CHAT}"), json!({"fullConversationHeadersOnly": [shape, {"bubbleId": "b"}], "conversation": [shape], "capabilities": [{"data": {"bubbleDataMap": shape}}], "codeBlockData": shape})),
            (super::key("b"), shape.clone()), (format!("bubbleId:{key}"), shape.clone()), (format!("composerData:{key}"), shape.clone()),
        ];
        let rows: Vec<(&str, Value)> = rows.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
        read(&state("cursorDiskKV", &rows), GLOBAL, &[]);
        let items = ["workbench.panel.aichat.view.aichat.chatdata", "composer.composerData", "aiService.prompts", "aiService.generations"];
        let rows: Vec<(&str, Value)> = items.iter().map(|item| (*item, json!({"tabs": [{"tabId": "t", "bubbles": [shape]}], "allComposers": [shape]}))).collect();
        read(&state("ItemTable", &rows), WORKSPACE, &[]);
        let (_folder, path) = database(&cli(&[shape.clone(), json!({"role": "user", "content": [shape]}), json!({"role": "tool", "content": shape})], &[], kind % 2 == 0));
        decode_database_with(Format::CursorChat, &path, "/c/agent/store.db", &[]);
    }
}
