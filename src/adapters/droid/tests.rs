use serde_json::{Value, json};

use crate::adapters::chat::tests::{corpus, survives_damage, survives_wrong_types};
use crate::adapters::tests::{MODIFIED_US, decode, decode_with, lines, resumes_anywhere};
use crate::adapters::{Companion, SourceInfo, decoder};
use crate::schema::{Format, RowContext, Rows};

const SESSION: &str = include_str!("../../../tests/fixtures/droid/session.jsonl");
const STREAM: &str = include_str!("../../../tests/fixtures/droid/stream.jsonl");
const PATH: &str = "/h/.factory/sessions/-w-shop/052cb8d0-0000-4000-8000-000000000001.jsonl";
const NAME: &str = "052cb8d0-0000-4000-8000-000000000001.settings.json";
const SETTINGS: &str = r#"{"assistantActiveTimeMs":27913,"model":"custom:BYOK-X-0","providerLock":"openai","tokenUsage":{"inputTokens":6743,"outputTokens":1450,"cacheCreationTokens":10,"cacheReadTokens":42496,"thinkingTokens":1088}}"#;

fn with(settings: &str) -> crate::adapters::tests::Decoded {
    decode_with(Format::DroidSession, PATH, &[Companion { name: NAME, text: settings }], SESSION.as_bytes())
}

#[test]
fn each_record_becomes_rows() {
    let decoded = decode(Format::DroidSession, PATH, SESSION.as_bytes());
    let kept = |kind: &str| decoded.events().into_iter().find(|r| r["event_type"] == kind).unwrap().clone();
    let start = kept("session_start");
    assert_eq!(
        (&start["session_id"], &start["cwd"], &start["extra"]["owner"]),
        (&json!("052cb8d0-0000-4000-8000-000000000001"), &json!("/w/shop"), &json!("me"))
    );
    assert_eq!(kept("title")["text"], "Change the comment");
    let prompt = decoded.only("user_interaction");
    assert_eq!((&prompt["text"], &prompt["turn"]), (&json!("Change the comment"), &json!(1)));
    assert_eq!(prompt["extra"]["attachments"][0]["type"], "image");
    assert_eq!(decoded.only("thinking")["text"], "Read it.");
    assert_eq!(decoded.only("file_read")["file_path"], "/w/shop/a.ts");
    assert_eq!(decoded.only("command_execution")["command"], "ls /nope");
    assert_eq!(decoded.only("file_modify")["file_path"], "/w/shop/a.ts");
    assert_eq!(decoded.only("compaction")["text"], "It was changed.");
    assert_eq!(decoded.only("unknown")["extra"]["x"]["y"], 1);
    assert_eq!(decoded.of("llm_response").len(), 3);
    assert_eq!(decoded.of("llm_response")[2]["text"], "Done.");
    let systems = decoded.of("system");
    assert_eq!(systems[0]["text"], "<system-reminder>\nBe brief.\n</system-reminder>", "reminders are no prompts");
    assert_eq!(systems[1]["extra"]["todos"]["todos"], "1. [in_progress] x");
    assert!(!format!("{:?}", decoded.rows).contains("c2VjcmV0"));
}

#[test]
fn results_know_their_calls_exit_codes_and_lines() {
    let decoded = decode(Format::DroidSession, PATH, SESSION.as_bytes());
    let results = decoded.of("tool_result");
    assert_eq!((&results[0]["tool_name"], &results[0]["tool_output"]), (&json!("Read"), &json!("// one\n")));
    assert_eq!(
        (&results[1]["exit_code"], &results[1]["is_error"], &results[1]["command"]),
        (&json!(1), &json!(true), &json!("ls /nope"))
    );
    assert_eq!(
        (&results[2]["lines_added"], &results[2]["lines_removed"], &results[2]["tool_output"]),
        (&json!(2), &json!(1), &json!("ok"))
    );
}

#[test]
fn the_totals_make_one_row_a_session_that_grows() {
    let decoded = with(SETTINGS);
    let usage: Vec<_> = decoded.rows.iter().filter(|r| r.contains_key("total_tokens")).collect();
    assert_eq!(usage.len(), 1);
    let row = usage[0];
    assert_eq!(
        ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_5m_tokens", "reasoning_tokens"]
            .map(|c| row[c].as_i64()),
        [Some(6743), Some(1450), Some(42_496), Some(10), Some(1088)]
    );
    assert_eq!(
        (&row["usage_source"], &row["model"], &row["provider"]),
        (&json!("derived"), &json!("custom:BYOK-X-0"), &json!("openai"))
    );
    let later = with(&SETTINGS.replace("1450", "1500"));
    let grown = later.rows.iter().find(|r| r.contains_key("total_tokens")).unwrap();
    assert_eq!((&row["event_id"], &row["ts"]), (&grown["event_id"], &grown["ts"]), "the same event at the same time");
    assert!(grown["completeness"].as_i64() > row["completeness"].as_i64());
    assert!(!with("{\"model\":\"m\"}").rows.iter().any(|r| r.contains_key("usage_source")));
    with("not json");
}

#[test]
fn totals_are_open_until_the_log_is_silent_and_are_read_anew_then() {
    let info = |companions| SourceInfo { path: PATH, companions, modified_us: 0, zone: None };
    let first = [Companion { name: NAME, text: SETTINGS }];
    let mut rows = Rows::new(RowContext::new("droid", PATH));
    let mut session = decoder(Format::DroidSession, info(&first), None).unwrap();
    lines(SESSION.as_bytes()).iter().for_each(|line| session.line(*line, &mut rows));
    assert!(session.is_open() && session.checkpoint().open);
    let checkpoint = session.checkpoint();
    let later = SETTINGS.replace("1450", "2000");
    let second = [Companion { name: NAME, text: &later }];
    let before = rows.len();
    session.refresh(info(&second));
    session.settle(&mut rows);
    assert_eq!(rows.len(), before + 1);
    assert!(!session.is_open());
    session.settle(&mut rows);
    assert_eq!(rows.len(), before + 1, "told once");
    // After a restart they are still owed.
    let mut again = decoder(Format::DroidSession, info(&second), Some(&checkpoint)).unwrap();
    assert!(again.is_open());
    again.settle(&mut rows);
    let batch = rows.finish();
    assert_eq!(batch.ids[before], batch.ids[before + 1]);
}

#[test]
fn what_exec_prints_is_read_too() {
    let decoded = decode(Format::DroidSession, "/x/out.jsonl", STREAM.as_bytes());
    assert_eq!(decoded.only("session_start")["model"], "droid-model");
    assert_eq!(decoded.only("user_interaction")["session_id"], "s1");
    assert_eq!(decoded.only("command_execution")["command"], "ls");
    let result = decoded.only("tool_result");
    assert_eq!(
        (&result["tool_output"], &result["exit_code"], &result["tool_call_id"]),
        (&json!("a\n"), &json!(0), &json!("c1"))
    );
    assert_eq!(decoded.only("llm_response")["text"], "One file.");
    let end = decoded.only("session_end");
    assert_eq!(
        (&end["total_tokens"], &end["duration_ms"], &end["usage_source"]),
        (&json!(22), &json!(900), &json!("derived"))
    );
    assert_eq!(decoded.only("error_encountered")["text"], "Authentication failed.");
    resumes_anywhere(Format::DroidSession, "/x/out.jsonl", STREAM.as_bytes());
}

#[test]
fn reading_can_stop_behind_any_line() {
    resumes_anywhere(Format::DroidSession, PATH, SESSION.as_bytes());
}

#[test]
fn damage_is_rejected_or_read_around() {
    survives_damage(Format::DroidSession, PATH, SESSION.as_bytes());
    let companions = [Companion { name: NAME, text: SETTINGS }];
    for text in [SESSION, STREAM] {
        for line in text.lines() {
            survives_wrong_types(Format::DroidSession, PATH, &companions, line);
        }
    }
    assert_eq!(decode(Format::DroidSession, PATH, b"[]\n{}\n{\"type\":1}\n").rejects.len(), 3);
}

#[test]
fn real_sessions_are_read_without_a_rest() {
    let wanted = |path: &str| {
        let own = path.contains("/droid") || path.contains("factory_simple");
        (own && path.ends_with(".jsonl")).then_some(Format::DroidSession)
    };
    let Some((files, rows)) = corpus(wanted) else { return };
    assert!(files >= 8 && rows > 50, "{files} files, {rows} rows");
}

#[test]
fn two_messages_without_ids_at_one_instant_are_two() {
    let line =
        r#"{"type":"message","timestamp":"2026-01-28T16:57:11.000Z","message":{"role":"assistant","content":"x"}}"#;
    let decoded = decode(Format::DroidSession, PATH, format!("{line}\n{line}\n").as_bytes());
    let ids: Vec<&Value> = decoded.rows.iter().map(|r| &r["event_id"]).collect();
    assert_ne!(ids[0], ids[1]);
}

#[test]
fn a_start_without_a_time_takes_that_of_the_first_record_that_has_one() {
    let decoded = decode(Format::DroidSession, PATH, SESSION.as_bytes());
    let first = decoded.rows.iter().find(|r| r["ts_source"] == "log").unwrap();
    let events = decoded.events();
    for kind in ["session_start", "title"] {
        let [row] = events.iter().filter(|r| r["event_type"] == kind).collect::<Vec<_>>()[..] else {
            panic!("one event of type {kind}")
        };
        assert_eq!((&row["ts"], &row["ts_source"]), (&first["ts"], &json!("inferred")), "{kind}");
        assert_eq!(row["source_offset"], 0);
    }
    // Until then the time of the file stands there.
    let header = SESSION.lines().next().unwrap();
    assert_eq!(decode(Format::DroidSession, PATH, header.as_bytes()).only("session_start")["ts"], MODIFIED_US);
}
