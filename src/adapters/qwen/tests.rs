//! Golden rows, and each trap of the formats as a test.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::adapters::tests::{Decoded, corpus, decode, files_below, resumes_anywhere};
use crate::discover::sniff;
use crate::schema::{Counts, Format};

const QWEN: &str = include_str!("../../../tests/fixtures/qwen/qwen.jsonl");
const IFLOW: &str = include_str!("../../../tests/fixtures/qwen/iflow.jsonl");
const QWEN_PATH: &str = "/h/.qwen/projects/-home-me-shop/chats/q0000000-0000-4000-8000-000000000001.jsonl";
const IFLOW_PATH: &str = "/h/.iflow/projects/-C-exp-shop/session-1f.jsonl";

fn qwen(text: &str) -> Decoded {
    decode(Format::QwenSession, QWEN_PATH, text.as_bytes())
}

fn iflow(text: &str) -> Decoded {
    decode(Format::IflowSession, IFLOW_PATH, text.as_bytes())
}

fn outline(decoded: &Decoded) -> Vec<[&str; 3]> {
    let outlined = decoded.rows.iter().map(|row| {
        let said = if row.contains_key("text") { "text" } else { "tool_output" };
        ["event_type", said, "message_id"].map(|key| row.get(key).and_then(Value::as_str).unwrap_or_default())
    });
    outlined.collect()
}

#[test]
fn a_qwen_session_makes_one_row_for_each_thing_that_happened() {
    let decoded = qwen(QWEN);
    let expected = [
        ["user_interaction", "List it", "u1"],
        ["system", "", "u2"],
        ["thinking", "I list.", "u3"],
        ["llm_response", "", "u3"],
        ["command_execution", "", "u3"],
        ["tool_result", "a.ts\nExit Code: 1", "u4"],
        ["thinking", "Hm.", "u5"],
        ["llm_response", "One file", "u5"],
        ["llm_response", "One file\nhere.", "u5"],
        ["file_modify", "", "u5"],
        ["tool_result", "denied", "u6"],
        ["title", "Listing", "u7"],
        ["system", "", "u8"],
        ["user_interaction", "And now?", "u9"],
        ["system", "Task ended", "ua"],
        ["compaction", "", "ub"],
        ["llm_response", "sub", "uc"],
        ["unknown", "", "ud"],
    ];
    assert_eq!(outline(&decoded), expected);
    assert_eq!(decoded.counts.unknown_types, 1);
}

#[test]
fn the_columns_of_a_qwen_answer_are_filled() {
    let decoded = qwen(QWEN);
    let row = decoded.of("llm_response")[0];
    let usage = ["input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens", "total_tokens"];
    assert_eq!(usage.map(|key| row[key].as_i64().unwrap()), [400, 100, 27, 7, 527], "thoughts beside the candidates");
    assert_eq!((&row["agent_version"], &row["model"]), (&json!("0.18.1"), &json!("coder-model")));
    assert_eq!((&row["cwd"], &row["project"], &row["turn"]), (&json!("/home/me/shop"), &json!("shop"), &json!(1)));
    assert_eq!(row["extra"], json!({"contextWindowSize": 1000}));
    let prompt = decoded.of("user_interaction")[0];
    assert_eq!((&prompt["git_branch"], &prompt["extra"]["hookContext"]), (&json!("main"), &json!("from a hook")));
    assert!(prompt["extra"]["sent"].as_str().unwrap().contains("user-prompt-submit-context"));
    let [ran, edited] = decoded.of("tool_result")[..] else { panic!("two results") };
    assert_eq!((&ran["command"], &ran["exit_code"], &ran["is_error"]), (&json!("ls"), &json!(1), &json!(false)));
    assert_eq!((&edited["file_path"], &edited["lines_added"]), (&json!("/home/me/shop/a.ts"), &json!(1)));
    assert_eq!((&edited["is_error"], &edited["extra"]["errorType"]), (&json!(true), &json!("denied")));
    let sub = decoded.of("llm_response")[3];
    assert_eq!((&sub["is_subagent"], &sub["subagent_type"]), (&json!(true), &json!("explore")));
}

#[test]
fn records_of_one_uuid_are_one_answer_and_its_last_usage_counts() {
    let decoded = qwen(QWEN);
    let answers: Vec<_> =
        decoded.events().into_iter().filter(|r| r["message_id"] == "u5" && r["event_type"] == "llm_response").collect();
    assert_eq!((answers.len(), &answers[0]["text"]), (1, &json!("One file\nhere.")));
    // The total leaves no room for thoughts beside the candidates.
    assert_eq!((&answers[0]["output_tokens"], &answers[0]["reasoning_tokens"]), (&json!(9), &json!(4)));
    assert_eq!((decoded.sum("input_tokens"), decoded.sum("cache_read_tokens")), (400 + 550 + 10, 150));
    let line = QWEN.lines().nth(2).unwrap();
    assert_eq!(qwen(&format!("{line}\n{line}\n")).of("llm_response").len(), 1, "the same record again");
}

#[test]
fn telemetry_adds_no_usage() {
    let decoded = qwen(QWEN);
    let telemetry = decoded.rows.iter().find(|row| row.get("status") == Some(&json!("ui_telemetry"))).unwrap();
    assert!(!telemetry.contains_key("total_tokens"));
    assert_eq!(
        (&telemetry["duration_ms"], &telemetry["extra"]["uiEvent"]["input_token_count"]),
        (&json!(47), &json!(500))
    );
}

#[test]
fn a_branch_is_a_copy_and_no_event_of_its_own() {
    let copy: String = QWEN
        .lines()
        .map(|line| {
            let mut record: Value = serde_json::from_str(line).unwrap();
            record["forkedFrom"] = json!({"sessionId": record["sessionId"], "messageUuid": record["uuid"]});
            record["uuid"] = json!(format!("new-{}", record["uuid"].as_str().unwrap().len()));
            record["sessionId"] = json!("branch");
            format!("{record}\n")
        })
        .collect();
    let (own, copied) = (qwen(QWEN), qwen(&copy));
    assert_eq!(own.ids(), copied.ids());
    assert!(copied.rows.iter().all(|row| row["parent_session_id"] == "q0000000-0000-4000-8000-000000000001"));
}

#[test]
fn what_a_branch_copied_is_its_parents_whichever_is_read_first() {
    let record = |uuid: &str, session: &str, kind: &str, text: &str| {
        let mut record = json!({"uuid": uuid, "sessionId": session, "timestamp": "2026-01-01T00:00:00Z", "type": kind,
            "message": {"role": "user", "parts": [{"text": text}]}});
        if kind == "assistant" {
            record["usageMetadata"] = json!({"promptTokenCount": 10, "candidatesTokenCount": 2, "totalTokenCount": 12});
        }
        record
    };
    let own = [record("u1", "S1", "user", "a"), record("u2", "S1", "assistant", "b")];
    let mut branch: Vec<Value> = own.to_vec();
    for copy in &mut branch {
        copy["forkedFrom"] = json!({"sessionId": "S1", "messageUuid": copy["uuid"]});
        copy["sessionId"] = json!("S2");
    }
    branch.push(record("u3", "S2", "user", "c"));
    let text = |records: &[Value]| records.iter().map(|r| format!("{r}\n")).collect::<String>();
    let (own, branch) = (qwen(&text(&own)).rows, qwen(&text(&branch)).rows);
    for rows in [[&own[..], &branch[..]], [&branch[..], &own[..]]] {
        let lake = Decoded { rows: rows.concat(), rejects: Vec::new(), counts: Counts::default() };
        let mut events: Vec<_> = lake.events();
        events.sort_by_key(|r| r["message_id"].to_string());
        let seen: Vec<_> =
            events.iter().map(|r| (&r["message_id"], &r["session_id"], r.get("parent_session_id"))).collect();
        let (s1, s2) = (json!("S1"), json!("S2"));
        assert_eq!(seen, [(&json!("u1"), &s1, None), (&json!("u2"), &s1, None), (&json!("u3"), &s2, Some(&s1))]);
    }
    resumes_anywhere(Format::QwenSession, QWEN_PATH, text(&[record("u1", "S1", "user", "a")]).as_bytes());
}

#[test]
fn what_a_rewind_left_behind_stays_and_the_rewind_names_its_target() {
    let decoded = qwen(QWEN);
    let rewind = decoded.rows.iter().find(|row| row.get("status") == Some(&json!("rewound"))).unwrap();
    assert_eq!(rewind["parent_event_id"], "u3");
}

#[test]
fn early_qwen_wrote_geminis_documents() {
    let chat = json!({"sessionId": "s", "projectHash": "00", "startTime": "2025-09-01T00:00:00.000Z", "messages": [
        {"id": "a", "timestamp": "2025-09-01T00:00:01.000Z", "type": "user", "content": "hi"},
        {"id": "b", "timestamp": "2025-09-01T00:00:02.000Z", "type": "qwen", "content": "ho", "model": "coder-model",
            "tokens": {"input": 10, "output": 2, "cached": 4, "thoughts": 0, "tool": 0, "total": 12}}]});
    let path = "/h/.qwen/tmp/00/chats/session-2025-09-01T00-00-s.json";
    let decoded = decode(Format::QwenDocument, path, chat.to_string().as_bytes());
    let row = decoded.only("llm_response");
    assert_eq!((&row["agent"], &row["input_tokens"]), (&json!("qwen"), &json!(6)));
    assert!(!row.contains_key("provider"));
    let prompts = json!([{"sessionId": "s", "messageId": 0, "type": "user", "message": "hi", "timestamp": "2025-09-01T00:00:01.000Z"}]);
    let decoded = decode(Format::QwenDocument, "/h/.qwen/tmp/00/logs.json", prompts.to_string().as_bytes());
    assert_eq!(decoded.only("prompt_history")["text"], "hi");
}

#[test]
fn an_iflow_session_makes_one_row_for_each_thing_that_happened() {
    let decoded = iflow(IFLOW);
    let expected = [
        ["user_interaction", "Set it", "i1"],
        ["file_read", "", "i2"],
        ["llm_response", "I read", "response-1"],
        ["command_execution", "", "i3"],
        ["llm_response", "", "response-2"],
        ["tool_result", "fn main", "i4"],
        ["tool_result", "failed", "i5"],
        ["llm_response", "Done", "response-4"],
    ];
    assert_eq!(outline(&decoded), expected);
    assert_eq!(decoded.counts.line_rows, 7, "a record that only repeats calls joins their rows");
    let [read, ran] = decoded.of("tool_result")[..] else { panic!("two results") };
    assert_eq!((&read["file_path"], &read["ts"]), (&json!("C:\\exp\\shop\\a.rs"), &json!(1_768_971_601_900_000_i64)));
    assert_eq!(read["extra"], json!({"userType": "external", "resultDisplay": "Read all 1 lines"}));
    assert_eq!((&ran["is_error"], &ran["command"]), (&json!(true), &json!("dir")));
}

#[test]
fn iflows_zeros_say_nothing() {
    let decoded = iflow(IFLOW);
    assert!(!decoded.of("llm_response")[0].contains_key("total_tokens"));
    assert_eq!(decoded.of("llm_response")[2]["total_tokens"], 15);
}

#[test]
fn reading_goes_on_after_any_line() {
    resumes_anywhere(Format::QwenSession, QWEN_PATH, QWEN.as_bytes());
    resumes_anywhere(Format::IflowSession, IFLOW_PATH, IFLOW.as_bytes());
}

#[test]
fn glued_and_odd_lines_are_accounted_for() {
    let glued = QWEN.replacen('\n', "", 1);
    assert_eq!(qwen(&glued).rows.len(), qwen(QWEN).rows.len());
    assert_eq!(
        qwen("[]\n{\"uuid\":1}\n{\"type\":\"user\"}\n{torn\n").rejects,
        ["wrong_shape", "wrong_shape", "not_json"]
    );
    assert_eq!(iflow("{\"type\":\"summary\",\"summary\":\"T\"}\n").only("title")["session_id"], "session-1f");
}

proptest! {
    #[test]
    fn no_bytes_panic(cut in 0usize..6000, flip in 0usize..6000, byte: u8, tail in prop::collection::vec(any::<u8>(), 0..20)) {
        for (format, path, text) in [(Format::QwenSession, QWEN_PATH, QWEN), (Format::IflowSession, IFLOW_PATH, IFLOW)] {
            let mut bytes = text.as_bytes()[..cut.min(text.len())].to_vec();
            if let Some(at) = bytes.get_mut(flip) {
                *at = byte;
            }
            bytes.extend(&tail);
            decode(format, path, &bytes);
        }
    }
}

#[test]
fn every_corpus_file_is_accounted_for_and_agrees_with_an_independent_count() {
    let (mut files, mut rows, mut tokens) = (0, 0, [0; 3]);
    let folders = [corpus("gemini"), corpus("others")];
    for path in folders.into_iter().flatten().flat_map(|folder| files_below(&folder)) {
        let bytes = std::fs::read(&path).unwrap();
        let Ok(format) = sniff(path.to_str().unwrap(), &bytes, None) else { continue };
        if !matches!(format, Format::QwenSession | Format::IflowSession) {
            continue;
        }
        let decoded = decode(format, path.to_str().unwrap(), &bytes);
        assert!(decoded.rejects.is_empty(), "{}", path.display());
        files += 1;
        rows += decoded.rows.len();
        if format == Format::IflowSession {
            assert_eq!(decoded.sum("total_tokens"), 0);
            continue;
        }
        let values = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>().map_while(Result::ok);
        let usages: std::collections::BTreeMap<String, Value> = values
            .filter(|v| v["type"] == "assistant" && v["usageMetadata"]["promptTokenCount"].is_number())
            .map(|v| (v["uuid"].to_string(), v["usageMetadata"].clone()))
            .collect();
        let sum = |key: &str| usages.values().filter_map(|u| u[key].as_i64()).sum::<i64>();
        let (prompt, cached) = (sum("promptTokenCount"), sum("cachedContentTokenCount"));
        let expected = [prompt - cached, cached, sum("candidatesTokenCount") + sum("thoughtsTokenCount")];
        let found = ["input_tokens", "cache_read_tokens", "output_tokens"].map(|column| decoded.sum(column));
        assert!(found == expected, "tokens of {}", path.display());
        (0..3).for_each(|i| tokens[i] += found[i]);
    }
    if files > 0 {
        #[expect(clippy::print_stderr, reason = "figures for those who look")]
        {
            eprintln!("qwen and iflow: {files} files, {rows} rows, tokens {tokens:?}");
        }
    }
}
