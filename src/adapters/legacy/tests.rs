use serde_json::{Value, json};

use crate::adapters::chat::tests::{survives_damage, survives_wrong_types};
use crate::adapters::tests::{decode, resumes_anywhere};
use crate::schema::Format;

const CLAUDE: &str = include_str!("../../../tests/fixtures/legacy/claude.log");
const CURSOR: &str = include_str!("../../../tests/fixtures/legacy/cursor.log");

#[test]
fn claudes_records_keep_the_types_and_fields_of_the_older_collector() {
    let decoded = decode(Format::LegacyClaude, "/h/.claude/logs/a.log", CLAUDE.as_bytes());
    let request = decoded.only("llm_request");
    assert_eq!(
        (&request["text"], &request["session_id"], &request["model"]),
        (&json!("What is 2+2?"), &json!("c1"), &json!("claude-3"))
    );
    assert_eq!(request["extra"], json!({"level": "info", "metadata": {"k": "v"}, "message": "Prompt sent"}));
    let answers = decoded.of("llm_response");
    assert_eq!(
        (&answers[0]["text"], &answers[0]["output_tokens"], &answers[0]["total_tokens"]),
        (&json!("4"), &json!(3), &json!(15))
    );
    assert_eq!((&answers[1]["text"], &answers[1]["agent"]), (&json!("claude completion finished"), &json!("claude")));
    let call = decoded.only("tool_use");
    assert_eq!(
        (&call["tool_name"], &call["tool_input"]["q"], &call["ts"]),
        (&json!("search"), &json!("x"), &json!(1_767_607_203_000_000i64))
    );
    assert!(call["tool_output"].as_str().unwrap().contains('a'));
    assert_eq!(decoded.only("file_modify")["file_path"], "/w/a.rs");
    assert_eq!(decoded.only("file_read")["file_path"], "/w/b.rs");
}

#[test]
fn a_programs_own_lines_are_ignored_and_counted() {
    let decoded = decode(Format::LegacyClaude, "/h/.claude/logs/mcp.log", CLAUDE.as_bytes());
    assert_eq!((decoded.counts.ignored, decoded.counts.line_rows, decoded.rejects.len()), (4, 6, 0));
    let server = "2026-01-05T10:00:00Z [info] Message from client: {\"method\":\"prompts/list\"}\n".repeat(1000);
    let decoded = decode(Format::LegacyClaude, "/h/Library/Logs/Claude/mcp.log", server.as_bytes());
    assert_eq!((decoded.counts.ignored, decoded.rows.len()), (1000, 0));
}

#[test]
fn cursors_records_and_lines_are_read() {
    let decoded = decode(Format::LegacyCursor, "/h/.cursor/logs/a.log", CURSOR.as_bytes());
    let lines: Vec<(&Value, &Value)> = decoded.of("system").iter().map(|r| (&r["text"], &r["ts_source"])).collect();
    assert_eq!(
        lines,
        [
            (&json!("[info] AI completion requested"), &json!("inferred")),
            (&json!("[info] prompt ready"), &json!("log"))
        ]
    );
    assert_eq!(decoded.counts.ignored, 2, "no word, or no time");
    let request = decoded.only("llm_request");
    assert_eq!(
        (&request["text"], &request["ts_source"], &request["agent"]),
        (&json!("fn a"), &json!("inferred"), &json!("cursor"))
    );
    let answer = decoded.only("llm_response");
    assert_eq!(
        (&answer["input_tokens"], &answer["output_tokens"], &answer["total_tokens"]),
        (&json!(5), &json!(4), &json!(9))
    );
    assert_eq!(
        (&decoded.only("tool_use")["session_id"], &decoded.only("file_read")["file_path"]),
        (&json!("c2"), &json!("a.rs"))
    );
    assert!(decoded.of("user_interaction").is_empty(), "nobody typed a log line");
}

#[test]
fn a_log_read_again_or_rotated_repeats_no_event_and_equal_neighbours_are_two() {
    let ids = |path: &str| decode(Format::LegacyClaude, path, CLAUDE.as_bytes()).ids();
    assert_eq!(ids("/h/.claude/logs/a.log"), ids("/h/.claude/logs/a1.log"));
    let line = CLAUDE.lines().nth(1).unwrap();
    let decoded = decode(Format::LegacyClaude, "/x", format!("{line}\n{line}\n").as_bytes());
    assert_ne!(decoded.ids()[0], decoded.ids()[1]);
}

#[test]
fn reading_can_stop_behind_any_line_and_damage_is_read_around() {
    for (format, text) in [(Format::LegacyClaude, CLAUDE), (Format::LegacyCursor, CURSOR)] {
        resumes_anywhere(format, "/x", text.as_bytes());
        survives_damage(format, "/x", text.as_bytes());
        for line in text.lines() {
            survives_wrong_types(format, "/x", &[], line);
        }
    }
}
