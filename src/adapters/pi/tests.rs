use serde_json::{Value, json};

use crate::adapters::chat::tests::{corpus, survives_damage, survives_wrong_types};
use crate::adapters::tests::{corpus as folder, decode, files_below, resumes_anywhere};
use crate::schema::Format;

const SESSION: &str = include_str!("../../../tests/fixtures/pi/session.jsonl");
const PATH: &str =
    "/h/.pi/agent/sessions/--w-shop--/2026-05-12T01-02-27-657Z_019e0000-0000-7000-8000-000000000001.jsonl";

fn decoded() -> crate::adapters::tests::Decoded {
    decode(Format::PiSession, PATH, SESSION.as_bytes())
}

#[test]
fn each_entry_becomes_rows() {
    let decoded = decoded();
    let start = decoded.only("session_start");
    assert_eq!(
        (&start["session_id"], &start["cwd"]),
        (&json!("019e0000-0000-7000-8000-000000000001"), &json!("/w/shop"))
    );
    assert_eq!(start["parent_session_id"], "019e0000-0000-7000-8000-00000000000f");
    let prompt = decoded.only("user_interaction");
    assert_eq!(
        (&prompt["text"], &prompt["turn"], &prompt["ts"]),
        (&json!("Fix it"), &json!(1), &json!(1_778_547_748_000_000i64))
    );
    assert_eq!(prompt["extra"]["attachments"][0]["type"], "image");
    assert_eq!(decoded.only("thinking")["text"], "Hm.");
    assert_eq!(decoded.only("file_modify")["file_path"], "src/a.rs");
    assert_eq!(decoded.only("title")["text"], "Fixing");
    let compactions = decoded.of("compaction");
    assert_eq!(compactions.iter().map(|c| &c["text"]).collect::<Vec<_>>(), ["It was fixed.", "A branch."]);
    assert_eq!(compactions[0]["extra"]["tokensBefore"], 19);
    assert_eq!(decoded.only("unknown")["extra"]["x"], 1);
    assert_eq!(decoded.of("system").len(), 5);
    assert!(!format!("{:?}", decoded.rows).contains("c2VjcmV0"));
}

#[test]
fn usage_is_fresh_input_and_two_kinds_of_cache_writes_and_cost() {
    let decoded = decoded();
    let answer = decoded.of("llm_response")[0];
    let counts = [
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
        "reasoning_tokens",
        "total_tokens",
    ]
    .map(|c| answer.get(c).and_then(Value::as_i64));
    assert_eq!(counts, [Some(12), Some(70), Some(1000), Some(200), Some(100), Some(20), Some(1382)]);
    assert_eq!((&answer["cost_usd_reported"], &answer["usage_source"]), (&json!("0.012300000"), &json!("reported")));
    assert_eq!(
        (&answer["request_id"], &answer["stop_reason"], &answer["text"]),
        (&json!("msg_1"), &json!("toolUse"), &json!("Editing."))
    );
    assert_eq!((&answer["model"], &answer["provider"]), (&json!("claude-x"), &json!("anthropic")));
}

#[test]
fn zeros_of_an_aborted_answer_are_no_usage() {
    let decoded = decoded();
    let aborted = decoded.of("llm_response")[1];
    assert_eq!((&aborted["stop_reason"], &aborted["is_error"]), (&json!("aborted"), &json!(true)));
    assert!(!aborted.contains_key("total_tokens") && !aborted.contains_key("cost_usd_reported"));
}

#[test]
fn results_know_their_calls_and_commands_of_the_user_are_calls_with_results() {
    let decoded = decoded();
    let results = decoded.of("tool_result");
    assert_eq!(
        (&results[0]["lines_added"], &results[0]["lines_removed"], &results[0]["file_path"]),
        (&json!(2), &json!(1), &json!("src/a.rs"))
    );
    assert_eq!(
        (&results[1]["exit_code"], &results[1]["is_error"], &results[1]["command"]),
        (&json!(2), &json!(true), &json!("make"))
    );
    let commands = decoded.of("command_execution");
    assert_eq!((&commands[1]["command"], &commands[1]["role"]), (&json!("ls"), &json!("user")));
    assert_eq!(
        (&results[2]["tool_output"], &results[2]["tool_call_id"]),
        (&json!("a\n"), &commands[1]["tool_call_id"])
    );
}

/// The fixture as an older pi wrote it: without ids and version.
fn first_version() -> String {
    let strip = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        let object = value.as_object_mut().unwrap();
        if object["type"] == "session" {
            object.remove("version");
        } else {
            object.remove("id");
            object.remove("parentId");
        }
        value.to_string() + "\n"
    };
    SESSION.lines().map(strip).collect()
}

#[test]
fn a_session_that_pi_rewrites_with_new_ids_repeats_no_message() {
    let ids = |text: &str| {
        let decoded = decode(Format::PiSession, PATH, text.as_bytes());
        let wanted =
            ["user_interaction", "llm_response", "tool_result", "file_modify", "command_execution", "thinking"];
        let rows = decoded.rows.iter().filter(|r| wanted.contains(&r["event_type"].as_str().unwrap()));
        rows.map(|r| r["event_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&first_version()), ids(SESSION));
}

#[test]
fn a_fork_repeats_no_event_of_its_origin() {
    let fork = SESSION.replace("000000000001\"", "000000000002\"");
    let origin = decoded().ids();
    let copy = decode(Format::PiSession, "/h/x_019e0000-0000-7000-8000-000000000002.jsonl", fork.as_bytes()).ids();
    assert_eq!(origin.iter().zip(&copy).filter(|(a, b)| a != b).count(), 1, "only the header is its own");
}

#[test]
fn what_a_fork_has_from_before_it_began_is_less_complete_than_with_its_parent_whatever_the_files_times() {
    let header = |id: &str, at: &str, parent: Value| json!({"type": "session", "version": 3, "id": id, "timestamp": at, "cwd": "/w", "parentSession": parent});
    let said = |id: &str, at: &str, text: &str| {
        let message = json!({"role": "user", "content": text});
        json!({"type": "message", "id": id, "parentId": null, "timestamp": at, "message": message})
    };
    let file = |lines: &[Value]| lines.iter().map(|line| line.to_string() + "\n").collect::<String>();
    let (first, later) = (said("a", "2026-05-12T10:00:01Z", "go"), said("b", "2026-05-12T11:00:01Z", "and now?"));
    let parent = file(&[header("A", "2026-05-12T10:00:00Z", Value::Null), first.clone()]);
    let fork = file(&[header("B", "2026-05-12T11:00:00Z", json!("/h/sessions/x_A.jsonl")), first, later]);
    for format in [Format::PiSession, Format::OmpSession, Format::OpenclawSession] {
        let (parents, forks) = (decode(format, PATH, parent.as_bytes()), decode(format, PATH, fork.as_bytes()));
        let (own, copied) = (parents.only("user_interaction"), forks.of("user_interaction"));
        assert_eq!(own["event_id"], copied[0]["event_id"]);
        let level = |row: &crate::adapters::tests::Row| row["completeness"].as_i64().unwrap();
        assert!(level(own) > level(copied[0]));
        assert_eq!(level(copied[1]), level(own), "what follows is the fork's own");
        assert_eq!(level(forks.only("session_start")), level(own));
    }
}

#[test]
fn kin_of_pi_have_agents_of_their_own() {
    for (format, agent) in [(Format::OmpSession, "omp"), (Format::OpenclawSession, "openclaw")] {
        let decoded = decode(format, PATH, SESSION.as_bytes());
        assert!(decoded.rows.iter().all(|row| row["agent"] == agent));
    }
    let padded = "{\"type\":\"title\",\"title\":\"T\"}\n".to_owned() + SESSION;
    assert_eq!(decode(Format::OmpSession, PATH, padded.as_bytes()).of("title")[0]["text"], "T");
}

#[test]
fn reading_can_stop_behind_any_line() {
    resumes_anywhere(Format::PiSession, PATH, SESSION.as_bytes());
    resumes_anywhere(Format::PiSession, PATH, first_version().as_bytes());
}

#[test]
fn damage_is_rejected_or_read_around() {
    survives_damage(Format::PiSession, PATH, SESSION.as_bytes());
    for line in SESSION.lines() {
        survives_wrong_types(Format::PiSession, PATH, &[], line);
    }
    assert_eq!(decode(Format::PiSession, PATH, b"[]\n{}\n{\"type\":1}\n{\"type\":").rejects.len(), 4);
}

#[test]
fn real_sessions_have_the_counts_that_a_plain_reading_gives() {
    let wanted = |path: &str| {
        let own = ["/pi-session", "/agents/pi/", "/pi_agent/"].iter().any(|p| path.contains(p));
        let kin = path.contains("openclaw");
        let format = if kin { Format::OpenclawSession } else { Format::PiSession };
        ((own || kin) && path.ends_with(".jsonl")).then_some(format)
    };
    let Some((files, rows)) = corpus(wanted) else { return };
    assert!(files >= 8 && rows > 60, "{files} files, {rows} rows");
    for path in files_below(&folder("others").unwrap()) {
        let Some(format) = wanted(&path.to_string_lossy()) else { continue };
        let bytes = std::fs::read(&path).unwrap();
        let decoded = decode(format, &path.to_string_lossy(), &bytes);
        let plain: Vec<Value> = bytes.split(|b| *b == b'\n').filter_map(|l| serde_json::from_slice(l).ok()).collect();
        let answers = plain.iter().filter(|l| l["message"]["role"] == "assistant");
        assert_eq!(decoded.of("llm_response").len(), answers.clone().count());
        let total: i64 = answers
            .filter_map(|l| {
                let usage = &l["message"]["usage"];
                usage["totalTokens"].as_i64().or_else(|| Some(usage["input"].as_i64()? + usage["output"].as_i64()?))
            })
            .sum();
        assert_eq!(decoded.sum("total_tokens"), total);
    }
}
