//! Answers on a terminal.

use super::{Home, turn_at};
use crate::screen::{Seen, run};

fn home() -> Home {
    let home = Home::new();
    turn_at(&home, "0123abcd-4567-89ab-cdef-0123456789ab", "2026-05-28T09:00:00Z");
    home
}

fn seen(home: &Home, args: &[&str], columns: u16) -> Seen {
    let seen = run(home.command(args).env("NO_COLOR", "1"), columns);
    assert_eq!(seen.status.code(), Some(0), "{args:?}: {}", seen.err);
    seen
}

#[test]
fn ids_are_whole_in_every_width_and_texts_give_way() {
    let home = home();
    let sql = "SELECT event_id, session_id, agent, repeat('some words ', 30) AS text FROM events LIMIT 1";
    let row: serde_json::Value = home.query(sql).remove(0);
    for columns in [50, 60, 80, 120] {
        let Seen { screen, .. } = seen(&home, &["query", sql], columns);
        for id in ["event_id", "session_id"] {
            assert!(screen.contains(row[id].as_str().unwrap()), "{columns}: {screen}");
        }
        assert!(screen.contains("some w") && screen.contains('…'), "{columns}: {screen}");
    }
}

#[test]
fn a_screen_gets_forty_rows_and_is_told_of_the_others() {
    let home = home();
    let sql = "SELECT value AS n FROM generate_series(1, 1234)";
    let first = seen(&home, &["query", sql], 80);
    assert!(first.screen.ends_with("\n40\n"), "{}", first.screen);
    assert!(first.err.starts_with("40 of 1,234 rows in ") && first.err.contains("--all"), "{}", first.err);
    let all = seen(&home, &["query", "--all", sql], 80);
    assert!(all.screen.ends_with("\n1234\n") && all.err.starts_with("1,234 rows in "), "{}", all.err);
    let quiet = seen(&home, &["query", "-q", sql], 80);
    assert_eq!(quiet.err, "");
    let exactly = seen(&home, &["query", "SELECT value FROM generate_series(1, 40)"], 80);
    assert!(exactly.err.starts_with("40 rows in "), "{}", exactly.err);
    let csv = seen(&home, &["query", "--format", "csv", sql], 80);
    assert_eq!(csv.screen.lines().count(), 1_235, "only tables are cut");
}

#[test]
fn rows_that_never_end_are_counted_for_a_moment_only() {
    let home = home();
    let sql = "SELECT a.value FROM generate_series(1, 3000000) a, generate_series(1, 3000000) b";
    let seen = seen(&home, &["query", sql], 80);
    assert!(seen.err.starts_with("40 of more than "), "{}", seen.err);
}

#[test]
fn what_is_absent_is_faint_unless_colours_are_unwanted() {
    let home = home();
    let sql = "SELECT NULL AS a, '' AS b, 1 AS c";
    let colored = run(&mut home.command(&["query", sql]), 80);
    assert!(colored.screen.contains("\x1b[2mNULL\x1b[0m"), "{}", colored.screen);
    let plain = run(home.command(&["query", sql]).env("NO_COLOR", "1"), 80);
    assert!(plain.screen.contains("NULL") && !plain.screen.contains('\x1b'), "{}", plain.screen);
}

#[test]
fn a_plan_is_whole_on_a_screen() {
    let home = home();
    let Seen { screen, .. } = seen(&home, &["query", "EXPLAIN SELECT agent, count(*) FROM events GROUP BY 1"], 60);
    assert!(screen.contains("\nphysical_plan\n") && !screen.contains('…'), "{screen}");
}

#[test]
fn a_log_cannot_drive_the_screen() {
    let home = home();
    let sql = "SELECT chr(27) || '[2J' || chr(8238) AS t";
    for format in ["table", "csv", "tsv", "ndjson", "json", "markdown"] {
        let seen = run(home.command(&["query", "--format", format, sql]).env("NO_COLOR", "1"), 80);
        assert!(!seen.screen.contains(['\x1b', '\u{202e}']), "{format}: {:?}", seen.screen);
    }
}

#[test]
fn bytes_of_programs_are_refused_by_a_screen() {
    let home = home();
    for line in [
        &["query", "--format", "parquet", "SELECT 1"][..],
        &["export", "events", "-o", "-"],
        &["export", "events", "--format", "arrow-stream", "-o", "-"],
    ] {
        let seen = run(&mut home.command(line), 80);
        assert_eq!((seen.status.code(), seen.screen.as_str()), (Some(2), ""), "{line:?}: {}", seen.err);
    }
    assert!(seen(&home, &["export", "events", "--format", "csv", "-o", "-"], 80).screen.starts_with("event_id,"));
}

#[test]
fn reports_keep_their_keys_in_every_width() {
    let home = home();
    for kind in ["daily", "models", "sessions", "projects"] {
        for columns in [60, 80, 120] {
            let Seen { screen, .. } = seen(&home, &["report", kind], columns);
            assert!(!screen.contains("── 1 ─"), "{kind} at {columns}: no blocks: {screen}");
            let mut table = screen.lines().filter(|line| !line.starts_with("Not shown"));
            assert!(table.all(|line| line.chars().count() <= usize::from(columns)), "{screen}");
            if kind == "models" {
                assert!(screen.contains("claude-opus-4-6 "), "{columns}: {screen}");
            }
        }
    }
}
