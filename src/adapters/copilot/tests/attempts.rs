//! A prompt that is asked again: the attempt before is taken out of the session.

use serde_json::{Value, json};

use super::*;
use crate::adapters::tests::{Row, resumes_anywhere};

/// The `n`-th attempt at the same prompt; each costs two credits more than the one before.
fn attempt(n: i64, version: &str, answer: &str) -> Value {
    let one = request(&format!("r{n}"), "fix the bug", version, &json!([{"value": answer}]));
    let one = with(one, &["timestamp"], json!(T + n * 60_000));
    with(one, &["copilotCredits"], json!(2 * n))
}

fn long() -> String {
    "A long first answer.".repeat(9)
}

/// An attempt, and another one in its place.
fn retried(version: &str) -> Vec<Value> {
    vec![
        json!({"kind": 0, "v": session(&[attempt(1, version, &long())])}),
        json!({"kind": 2, "k": ["requests"], "v": [attempt(2, version, "Short.")], "i": 0}),
        json!({"kind": 1, "k": ["requests", 0, "vote"], "v": 1}),
    ]
}

fn answers(out: &Decoded) -> Vec<(Value, Value)> {
    let said: Vec<&Row> = out.events().into_iter().filter(|r| r["event_type"] == "llm_response").collect();
    said.iter().map(|r| (r["text"].clone(), r["credits"].clone())).collect()
}

fn said(text: &str, credits: i64) -> (Value, Value) {
    (json!(text), json!(format!("{credits}.000000000")))
}

#[test]
fn both_attempts_at_a_prompt_stay_with_what_they_cost() {
    for version in ["0.30.0", "0.42.0"] {
        let out = read_log(&retried(version));
        assert_eq!(answers(&out), [said(&long(), 2), said("Short.", 4)], "{version}");
        assert_eq!(out.events().iter().filter(|r| r["event_type"] == "user_interaction").count(), 2);
        resumes_anywhere(Format::CopilotOpLog, LOG, log(&retried(version)).as_bytes());
    }
}

#[test]
fn the_attempts_of_a_transcript_are_those_of_the_log_of_changes() {
    let event = |kind: &str, data: Value, n: u32| json!({"type": kind, "data": data, "id": format!("e{n}"), "timestamp": format!("2026-02-02T02:4{n}:00Z")});
    let lines = [
        event("session.start", json!({"sessionId": ID, "copilotVersion": "0.42.0", "vscodeVersion": "1.112.0"}), 0),
        event("user.message", json!({"content": "fix the bug"}), 1),
        event("assistant.message", json!({"content": long()}), 2),
        event("user.message", json!({"content": "fix the bug"}), 3),
        event("assistant.message", json!({"content": "Short."}), 4),
    ];
    for turned in [false, true] {
        let mut all = vec![read_transcript(&lines), read_log(&retried("0.42.0"))];
        if turned {
            all.reverse();
        }
        let mut found = answers(&together(all));
        found.sort_by_key(|(_, credits)| credits.to_string());
        assert_eq!(found, [said(&long(), 2), said("Short.", 4)]);
    }
}

#[test]
fn a_request_that_is_written_again_or_put_back_is_no_attempt() {
    let one = || attempt(1, "0.42.0", &long());
    let again = json!({"kind": 2, "k": ["requests"], "v": [one()], "i": 0});
    let lines = [
        json!({"kind": 0, "v": session(&[one()])}),
        again.clone(),
        json!({"kind": 0, "v": session(&[one()])}),
        json!({"kind": 2, "k": ["requests"], "i": 0}),
        again,
        json!({"kind": 1, "k": ["requests", 0], "v": one()}),
    ];
    assert_eq!(answers(&read_log(&lines)), [said(&long(), 2)]);
    // Undoing the second of two equal prompts leaves the first one its name.
    let lines = [
        json!({"kind": 0, "v": session(&[attempt(1, "0.42.0", "One."), attempt(2, "0.42.0", "Two.")])}),
        json!({"kind": 2, "k": ["requests"], "i": 1}),
        json!({"kind": 1, "k": ["requests", 0, "vote"], "v": 1}),
        json!({"kind": 2, "k": ["requests"], "v": [attempt(3, "0.42.0", "Three.")]}),
    ];
    assert_eq!(answers(&read_log(&lines)), [said("Two.", 4), said("One.", 2), said("Three.", 6)]);
    resumes_anywhere(Format::CopilotOpLog, LOG, log(&lines).as_bytes());
}

#[test]
fn of_a_document_that_holds_the_last_attempt_only_the_last_answer_counts() {
    let read_attempt = |n, answer: &str| read_one(attempt(n, "0.42.0", answer));
    for turned in [false, true] {
        let mut all = vec![read_attempt(1, &long()), read_attempt(2, "Short.")];
        if turned {
            all.reverse();
        }
        let out = together(all);
        assert_eq!(answers(&out), [said("Short.", 4)]);
        let prompt = out.events().into_iter().find(|r| r["event_type"] == "user_interaction").unwrap();
        assert_eq!(prompt["message_id"], "r2");
    }
    // Of one attempt the finished state counts, and the longer text.
    let open = with(attempt(2, "0.42.0", &long()), &["result"], Value::Null);
    let out = together(vec![read_attempt(2, "Short."), read_one(open), read_attempt(2, "Shorter.")]);
    assert_eq!(answers(&out), [said("Shorter.", 4)]);
}
