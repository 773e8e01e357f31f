//! Prompts whose item and event do not stand side by side; turn settings before the meta record.

use super::resume::in_pieces;
use super::shapes::file;
use super::{Decoded, decode, lines};

fn prompt(text: &str) -> [(&'static str, String); 2] {
    let content = format!(r#"[{{"type":"input_text","text":"{text}"}}]"#);
    [
        ("response_item", format!(r#"{{"type":"message","role":"user","content":{content}}}"#)),
        ("event_msg", format!(r#"{{"type":"user_message","message":"{text}"}}"#)),
    ]
}

const LIMITS: &str = r#"{"type":"token_count","info":null,"rate_limits":null}"#;

/// Types of the rows that remain when of equal ids the most complete one stays.
fn remaining(decoded: &Decoded) -> Vec<(&str, Option<&str>)> {
    let more = |a: usize, b: usize| {
        decoded.batch.ids[a] == decoded.batch.ids[b] && decoded.i64(a, "completeness") > decoded.i64(b, "completeness")
    };
    let rows = 0..decoded.len();
    rows.clone()
        .filter(|row| !rows.clone().any(|other| more(other, *row)))
        .map(|row| (decoded.text(row, "event_type").unwrap(), decoded.text(row, "text")))
        .collect()
}

fn stops_change_nothing(text: &str) {
    let whole = decode(text);
    for stop in 0..lines(text.as_bytes()).len() {
        let pieces = in_pieces(text, &[stop], true);
        assert_eq!(pieces.dump(), whole.dump(), "stop after line {stop}");
        assert_eq!(pieces.counts, whole.counts, "stop after line {stop}");
    }
}

#[test]
fn blank_lines_between_the_two_records_of_a_prompt_change_nothing() {
    let mut text = String::new();
    for words in ["one", "two"] {
        let [item, event] = prompt(words).map(|(kind, payload)| file(&[(kind, &payload)]));
        text.push_str(&format!("{item}\n \n{event}"));
    }
    let decoded = decode(&text);
    assert_eq!(decoded.types(), ["user_interaction"; 2]);
    assert_eq!(decoded.counts.ignored, 4);
    assert_eq!((decoded.i64(0, "turn"), decoded.i64(1, "turn")), (Some(1), Some(2)));
    stops_change_nothing(&text);
}

#[test]
fn a_line_between_the_two_records_of_a_prompt_loses_no_prompt() {
    let texts = ["one", "two", "two", "<environment_context>typed</environment_context>"];
    for turns in [false, true] {
        let turn = |i: usize| format!(r#"{{"type":"task_started","turn_id":"t{i}"}}"#);
        let mut records = Vec::new();
        for (i, words) in texts.iter().enumerate() {
            let [item, event] = prompt(words);
            records.extend(turns.then(|| ("event_msg", turn(i))));
            records.extend([item, ("event_msg", LIMITS.to_owned()), event]);
        }
        let records: Vec<_> = records.iter().map(|(kind, payload)| (*kind, payload.as_str())).collect();
        let text = file(&records);
        let decoded = decode(&text);
        let rows = remaining(&decoded);
        let prompts: Vec<_> = rows.iter().filter(|(kind, _)| *kind == "user_interaction").map(|(_, t)| *t).collect();
        assert_eq!(prompts, texts.map(Some), "with turns: {turns}");
        assert!(rows.iter().all(|(kind, _)| *kind != "system"), "{rows:?}");
        stops_change_nothing(&text);
    }
}

#[test]
fn a_prompt_that_looks_like_context_is_one_although_a_line_stands_between() {
    let [item, event] = prompt("<environment_context>typed</environment_context>");
    let text = file(&[(item.0, &item.1), ("event_msg", LIMITS), (event.0, &event.1)]);
    let decoded = decode(&text);
    let kinds: Vec<_> = remaining(&decoded).iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, ["progress", "user_interaction"]);
    stops_change_nothing(&text);
}

#[test]
fn a_file_that_begins_within_the_session_keeps_its_model_behind_the_meta_record() {
    let usage = |n: i64| {
        format!(
            r#"{{"type":"token_count","info":{{"total_token_usage":{{"input_tokens":{n},"output_tokens":{n}}},"last_token_usage":{{"input_tokens":1,"output_tokens":1}}}}}}"#
        )
    };
    let (first, second) = (usage(5), usage(6));
    let text = file(&[
        ("turn_context", r#"{"cwd":"/w","model":"m1","service_tier":"fast"}"#),
        ("event_msg", &first),
        ("session_meta", r#"{"id":"019b7000-0000-7000-8000-000000000001","timestamp":"2026-01-02T03:04:05.400Z"}"#),
        ("event_msg", &second),
    ]);
    let decoded = decode(&text);
    let calls = decoded.of_type("llm_request");
    let facts = |row: &usize| (decoded.text(*row, "model"), decoded.text(*row, "service_tier"));
    assert_eq!(calls.iter().map(facts).collect::<Vec<_>>(), [(Some("m1"), Some("fast")); 2]);
    stops_change_nothing(&text);
}
