use serde_json::json;

use crate::adapters::chat::tests::{corpus, survives_damage, survives_wrong_types};
use crate::adapters::tests::{MODIFIED_US, decode, resumes_anywhere};
use crate::schema::Format;

const STEPS: &str = include_str!("../../../tests/fixtures/windsurf/steps.jsonl");
const PATH: &str = "/h/.windsurf/transcripts/7f0a.jsonl";

#[test]
fn steps_are_calls_with_their_results() {
    let decoded = decode(Format::WindsurfSteps, PATH, STEPS.as_bytes());
    let prompt = decoded.only("user_interaction");
    assert_eq!(
        (&prompt["text"], &prompt["session_id"], &prompt["turn"]),
        (&json!("Write a song"), &json!("7f0a"), &json!(1))
    );
    assert_eq!(decoded.only("llm_response")["text"], "I'll write one.");
    assert_eq!(decoded.only("thinking")["text"], "Rhymes.");
    let read = decoded.only("file_read");
    assert_eq!((&read["file_path"], &read["tool_input"]["end_line"]), (&json!("/w/my shop/song.md"), &json!(1)));
    let change = decoded.only("file_modify");
    assert_eq!(change["tool_input"]["new_content"], "# Song\nla\n");
    let commands = decoded.of("command_execution");
    assert_eq!((&commands[0]["command"], &commands[0]["cwd"]), (&json!("git commit"), &json!("/w/my shop")));
    let results = decoded.of("tool_result");
    assert_eq!(results.len(), 6);
    assert_eq!((&results[0]["tool_output"], &results[0]["tool_call_id"]), (&json!("1: # Song"), &read["tool_call_id"]));
    assert_eq!(results[1]["lines_added"], 2);
    assert_eq!(
        (&results[2]["exit_code"], &results[2]["is_error"], &results[2]["tool_output"]),
        (&json!(1), &json!(true), &json!("nothing to commit"))
    );
    assert_eq!((&results[3]["status"], &results[3]["is_error"]), (&json!("denied"), &json!(true)));
    assert_eq!((&results[5]["status"], &results[5]["is_error"]), (&json!("failed"), &json!(true)));
    assert_eq!(
        (decoded.only("unknown")["extra"]["type"].clone(), decoded.counts.unknown_types),
        (json!("checkpoint"), 1)
    );
}

#[test]
fn steps_without_times_keep_their_order() {
    let decoded = decode(Format::WindsurfSteps, PATH, STEPS.as_bytes());
    let times: Vec<i64> = decoded.rows.iter().map(|r| r["ts"].as_i64().unwrap()).collect();
    assert!(times.is_sorted() && times[0] == MODIFIED_US);
    assert!(decoded.rows.iter().all(|r| r["ts_source"] == "inferred"));
}

#[test]
fn a_transcript_that_grows_repeats_no_event() {
    let whole = decode(Format::WindsurfSteps, PATH, STEPS.as_bytes()).ids();
    let half: String = STEPS.lines().take(4).map(|l| format!("{l}\n")).collect();
    let begun = decode(Format::WindsurfSteps, PATH, half.as_bytes()).ids();
    assert_eq!(whole[..begun.len()], begun[..]);
    resumes_anywhere(Format::WindsurfSteps, PATH, STEPS.as_bytes());
}

#[test]
fn damage_is_rejected_or_read_around() {
    survives_damage(Format::WindsurfSteps, PATH, STEPS.as_bytes());
    for line in STEPS.lines() {
        survives_wrong_types(Format::WindsurfSteps, PATH, &[], line);
    }
}

#[test]
fn real_transcripts_are_read_without_a_rest() {
    let Some((files, rows)) = corpus(|path| path.contains("/windsurf-").then_some(Format::WindsurfSteps)) else {
        return;
    };
    assert!(files == 1 && rows > 40, "{files} files, {rows} rows");
}
