//! What became of every line can be looked up, and adds up.

use std::fmt::Write as _;

use crate::home::{Home, append};

const SQL: &str = "SELECT path, lines, row_lines, merged, ignored, rejects FROM lineage ORDER BY path";

fn line(uuid: &str, rest: &str) -> String {
    format!(
        "{{\"sessionId\":\"s\",\"version\":\"2.1.120\",\"uuid\":\"{uuid}\",\"timestamp\":\"2026-05-01T10:00:00.000Z\",{rest}}}\n"
    )
}

fn prompt(uuid: &str) -> String {
    line(uuid, "\"type\":\"user\",\"message\":{\"role\":\"user\",\"content\":\"go\"}")
}

fn part(uuid: &str, text: &str) -> String {
    let message = format!(
        "{{\"id\":\"m\",\"role\":\"assistant\",\"model\":\"claude-opus-4-6\",\"content\":[{{\"type\":\"text\",\"text\":\"{text}\"}}],\
         \"stop_reason\":\"end_turn\",\"usage\":{{\"input_tokens\":1,\"output_tokens\":2}}}}"
    );
    line(uuid, &format!("\"type\":\"assistant\",\"requestId\":\"r\",\"message\":{message}"))
}

/// `lines = row_lines + merged + ignored + rejects` of every log, by path.
fn lineage(home: &Home) -> Vec<[i64; 5]> {
    let of = |row: &serde_json::Value| {
        ["lines", "row_lines", "merged", "ignored", "rejects"].map(|n| row[n].as_i64().unwrap())
    };
    home.query(SQL).iter().map(of).collect()
}

#[test]
fn every_line_made_a_row_joined_one_was_ignored_or_refused() {
    let home = Home::new();
    let mut log = prompt("u1") + &part("a1", "one") + &part("a2", "two") + &part("a3", "three");
    writeln!(log, "\n{{\"type\":\"mode\",\"mode\":\"x\",\"sessionId\":\"s\"}}\nno JSON").unwrap();
    log += "{\"type\":\"mode\",\"mode\":\"x\",\"sessionId\":\"s\"}\n";
    append(&home.claude("-p", "a"), &log);
    home.ok(&["backfill"]);
    // An answer in three lines, a blank line, a value that is written again, a line that is no JSON.
    assert_eq!(lineage(&home), [[8, 3, 2, 2, 1]]);
    // A copy of it: all that made rows is the first log's.
    append(&home.claude("-p", "b"), &(log + &prompt("u2")));
    home.ok(&["backfill"]);
    assert_eq!(lineage(&home), [[8, 3, 2, 2, 1], [9, 1, 5, 2, 1]]);
}

#[test]
fn no_log_of_any_agent_has_rows_without_lines() {
    let home = Home::new();
    let demo = home.path().join("demo");
    let demo = demo.to_str().unwrap();
    home.ok(&["demo", "--home", demo, "--size", "1MB"]);
    home.ok(&["backfill", "--path", demo]);
    let all = lineage(&home);
    assert!(!all.is_empty());
    for [lines, row_lines, merged, ignored, rejects] in all {
        assert_eq!(lines, row_lines + merged + ignored + rejects);
        assert!([lines, row_lines, merged, ignored, rejects].iter().all(|n| *n >= 0));
    }
}
