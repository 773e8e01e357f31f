use serde_json::{Value, json};

use crate::adapters::chat::tests::{survives_damage, survives_wrong_types};
use crate::adapters::tests::{Decoded, corpus, decode, files_below, resumes_anywhere};
use crate::schema::Format;

const STEPS: &str = include_str!("../../../tests/fixtures/antigravity/transcript_full.jsonl");
const LOGS: &str = "/h/.gemini/antigravity/brain/0a1b/.system_generated/logs";

fn read(name: &str, text: &str) -> Decoded {
    decode(Format::AntigravityTranscript, &format!("{LOGS}/{name}"), text.as_bytes())
}

fn full() -> Decoded {
    read("transcript_full.jsonl", STEPS)
}

/// The transcript whose long contents are cut.
fn cut() -> String {
    let line = |line: &str| {
        let mut step: Value = serde_json::from_str(line).unwrap();
        if let Some(content) =
            step["content"].as_str().filter(|content| content.len() > 20 && step["type"] != "USER_INPUT")
        {
            let short: String = content.chars().take(10).collect();
            step["content"] = json!(format!("{short}<truncated>"));
            step["truncated_fields"] = json!(["content"]);
        }
        format!("{step}\n")
    };
    STEPS.lines().map(line).collect()
}

#[test]
fn steps_are_prompts_thoughts_answers_calls_and_results() {
    let decoded = full();
    let prompts: Vec<_> =
        decoded.of("user_interaction").iter().map(|row| (row["turn"].clone(), row["text"].clone())).collect();
    assert_eq!(prompts, [(json!(1), json!("Add a note")), (json!(2), json!("Thanks"))]);
    assert!(decoded.of("user_interaction")[0]["extra"]["context"].as_str().unwrap().contains("Model Selection"));
    assert!(decoded.rows.iter().all(|row| row["session_id"] == "0a1b"));
    assert_eq!(decoded.only("thinking")["text"], "Look first.");
    let answers: Vec<_> =
        decoded.of("llm_response").iter().map(|row| (row["text"].clone(), row["model"].clone())).collect();
    let model = json!("Gemini 3.1 Pro (High)");
    assert_eq!(answers, [(json!("I look."), model.clone()), (json!("Done."), model)]);
    let seen = decoded.only("file_read");
    assert_eq!((&seen["file_path"], &seen["tool_input"]["toolSummary"]), (&json!("/w/shop/a.md"), &json!("Read")));
    let ran = decoded.only("command_execution");
    assert_eq!((&ran["command"], &ran["cwd"]), (&json!("make test"), &json!("/w/shop")));
    assert_eq!(decoded.only("file_write")["file_path"], "/w/shop/note.md");
    let results = decoded.of("tool_result");
    assert_eq!(results.len(), 4);
    assert_eq!((&results[0]["tool_output"], &results[0]["tool_call_id"]), (&json!("1: hello"), &seen["tool_call_id"]));
    assert_eq!(
        (&results[1]["exit_code"], &results[1]["is_error"], &results[1]["command"]),
        (&json!(2), &json!(true), &json!("make test"))
    );
    assert_eq!(
        (&results[2]["tool_output"], &results[2]["is_error"], &results[2]["status"]),
        (&json!("denied"), &json!(true), &json!("failed"))
    );
    assert_eq!(
        (&results[3]["tool_name"], &results[3]["tool_call_id"]),
        (&json!("browser_navigate"), &decoded.only("tool_use")["tool_call_id"])
    );
    assert_eq!(
        (decoded.only("compaction")["text"].as_str(), decoded.only("unknown")["text"].as_str()),
        (Some("So far"), Some("hm"))
    );
    assert_eq!(decoded.counts.unknown_types, 1);
}

#[test]
fn both_transcripts_tell_one_conversation_and_the_fuller_record_stays() {
    let (full, short) = (full(), read("transcript.jsonl", &cut()));
    assert_eq!(full.ids(), short.ids());
    for pair in [[&full, &short], [&short, &full]] {
        let rows = pair.iter().flat_map(|decoded| decoded.rows.clone()).collect();
        let both = Decoded { rows, rejects: Vec::new(), counts: Default::default() };
        assert!(
            both.events()
                .iter()
                .all(|row| !row.contains_key("tool_output") || !row["tool_output"].to_string().contains("truncated"))
        );
    }
    let other = decode(
        Format::AntigravityTranscript,
        &format!("{}/transcript.jsonl", LOGS.replace("0a1b", "2c3d")),
        cut().as_bytes(),
    );
    assert!(other.ids().iter().all(|id| !full.ids().contains(id)), "equal steps of two conversations are two");
}

#[test]
fn a_step_that_is_told_again_is_one_step() {
    let running = STEPS
        .lines()
        .nth(4)
        .unwrap()
        .replace("DONE", "RUNNING")
        .replace("The command failed with exit code: 2\\nOutput:\\n1 failed", "");
    let text: String =
        STEPS.lines().take(4).chain([&*running]).chain(STEPS.lines().skip(4)).map(|line| format!("{line}\n")).collect();
    let again = read("transcript_full.jsonl", &format!("{text}{}\n", STEPS.lines().next().unwrap()));
    assert_eq!(again.events().len(), full().events().len());
    let ran = again.events().into_iter().find(|row| row.get("exit_code") == Some(&json!(2))).unwrap().clone();
    assert_eq!(ran["status"], "completed");
    assert_eq!(again.of("user_interaction")[0]["turn"], 1);
}

#[test]
fn reading_goes_on_after_any_line() {
    resumes_anywhere(Format::AntigravityTranscript, &format!("{LOGS}/transcript_full.jsonl"), STEPS.as_bytes());
}

#[test]
fn damage_is_rejected_or_read_around() {
    survives_damage(Format::AntigravityTranscript, "/x/transcript.jsonl", STEPS.as_bytes());
    let lines = || STEPS.lines().map(str::to_owned);
    for line in lines() {
        survives_wrong_types(Format::AntigravityTranscript, "/x/transcript.jsonl", &[], &line);
    }
}

#[test]
fn every_transcript_of_the_corpus_is_read() {
    for path in corpus("others").into_iter().flat_map(|folder| files_below(&folder)) {
        let shown = path.to_string_lossy().replace('\\', "/");
        if shown.contains("antigravity") && shown.ends_with(".jsonl") {
            let decoded = decode(Format::AntigravityTranscript, &shown, &std::fs::read(&path).unwrap());
            assert!(decoded.rejects.is_empty() && !decoded.rows.is_empty(), "{shown}");
        }
    }
}
