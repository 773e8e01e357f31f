//! Cells and headers of answers, wherever they go but to a screen.

use serde_json::Value;

use super::{Home, turn_at};
use crate::home::append;

fn home() -> Home {
    let home = Home::new();
    turn_at(&home, "s", "2026-05-28T09:00:00Z");
    home
}

#[test]
fn values_are_whole_wherever_no_screen_limits_them() {
    let home = home();
    let long = "x".repeat(500);
    let sql = "SELECT repeat('x', 500) AS t, event_id FROM events LIMIT 1";
    let file = home.path().join("x.txt");
    home.ok(&["query", sql, "-o", file.to_str().unwrap()]);
    for told in [
        home.ok(&["query", sql]),
        home.ok(&["query", "--format", "markdown", sql]),
        std::fs::read_to_string(file).unwrap(),
    ] {
        assert!(told.contains(&long) && !told.contains('…'), "{told}");
    }
    let mut narrow = home.command(&["query", sql]);
    let narrow = narrow.env("COLUMNS", "40").output().unwrap();
    assert!(String::from_utf8(narrow.stdout).unwrap().contains(&long), "a pipe has no width");
}

#[test]
fn a_pipe_gets_all_rows() {
    let home = home();
    let told = home.ok(&["query", "SELECT value FROM generate_series(1, 12000)"]);
    assert_eq!(told.lines().count(), 12_002);
    assert!(told.ends_with("\n12000\n"));
}

#[test]
fn columns_are_called_as_they_were_typed_in_every_format() {
    let home = home();
    let sql = "SELECT 1, left(agent,3), COUNT( * ), 1 FROM events GROUP BY agent ORDER BY count(*)";
    let wanted = ["1", "left(agent,3)", "COUNT( * )", "1_1"];
    let csv = home.ok(&["query", "--format", "csv", sql]);
    assert_eq!(csv.lines().next(), Some(r#"1,"left(agent,3)",COUNT( * ),1_1"#));
    let rows: Vec<Value> = serde_json::from_str(&home.ok(&["query", "--format", "json", sql])).unwrap();
    let row = rows[0].as_object().unwrap();
    assert!(row.len() == 4 && wanted.iter().all(|name| row.contains_key(*name)), "{row:?}");
    for format in ["arrow", "arrow-stream"] {
        let bytes = home.run(&["query", "--format", format, sql]).stdout;
        let schema = match format {
            "arrow" => arrow::ipc::reader::FileReader::try_new(std::io::Cursor::new(bytes), None).unwrap().schema(),
            _ => arrow::ipc::reader::StreamReader::try_new(bytes.as_slice(), None).unwrap().schema(),
        };
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        assert_eq!(names, wanted, "{format}");
    }
    let joined = "SELECT a.agent, b.agent FROM events a JOIN events b USING (event_id) LIMIT 1";
    assert!(home.ok(&["query", "--format", "csv", joined]).starts_with("agent,agent_1\n"));
}

#[test]
fn from_alone_selects_everything() {
    let home = home();
    home.ok(&["backfill"]);
    let all = home.ok(&["query", "--format", "csv", "SELECT * FROM events ORDER BY event_id LIMIT 1"]);
    assert_eq!(home.ok(&["query", "--format", "csv", "FROM events ORDER BY event_id LIMIT 1"]), all);
    assert_eq!(home.ok(&["query", "--format", "csv", "SELECT count(*) AS n FROM (FROM events)"]), "n\n2\n");
}

#[test]
fn plans_are_printed_whole_as_text() {
    let home = home();
    for sql in ["EXPLAIN SELECT agent, count(*) FROM events GROUP BY 1", "explain analyze select count(*) from events"]
    {
        let told = home.ok(&["query", sql]);
        assert!(
            told.lines().count() > 2 && told.contains("\nphysical_plan\n") | told.contains("Plan with Metrics\n"),
            "{told}"
        );
        assert!(!told.contains('↵') && !told.contains('…'), "{told}");
    }
    let rows: Vec<Value> = serde_json::from_str(&home.ok(&["query", "--format", "json", "EXPLAIN SELECT 1"])).unwrap();
    assert!(rows[0]["plan"].is_string(), "{rows:?}");
}

#[test]
fn no_value_and_an_empty_text_look_different() {
    let home = home();
    let sql = "SELECT '' AS a, CAST(NULL AS TEXT) AS b, 'x' AS c";
    let table = home.ok(&["query", sql]);
    assert_eq!(table.lines().nth(2), Some("   NULL  x"), "{table}");
    let markdown = home.ok(&["query", "--format", "markdown", sql]);
    assert_eq!(markdown.lines().nth(2), Some("|  | NULL | x |"));
    assert_eq!(home.ok(&["query", "--format", "csv", sql]).lines().nth(1), Some("\"\",,x"));
    let untyped = "SELECT NULL AS a, '' AS b";
    assert_eq!(home.ok(&["query", untyped]).lines().nth(2), Some("NULL"));
    assert_eq!(home.ok(&["query", "--format", "csv", untyped]).lines().nth(1), Some(",\"\""));
}

#[test]
fn what_turns_text_around_is_shown_and_data_stays_data() {
    let home = Home::new();
    let turned = "-srv-\u{202e}evil\u{2066}";
    append(&home.claude(turned, "s"), &crate::home::session("s", 1));
    home.ok(&["backfill"]);
    for line in [
        &["sources"][..],
        &["query", "SELECT path FROM sources"],
        &["query", "--format", "markdown", "SELECT path FROM sources"],
        &["adapters"],
        &["status"],
    ] {
        let told = home.ok(line);
        assert!(!told.contains(['\u{202e}', '\u{2066}']), "{line:?}: {told}");
    }
    assert!(home.ok(&["sources"]).contains("-srv-�evil�"));
    for format in ["csv", "tsv", "ndjson"] {
        let told = home.ok(&["query", "--format", format, "SELECT path FROM sources"]);
        assert!(told.contains(turned), "{format}: {told}");
    }
}
