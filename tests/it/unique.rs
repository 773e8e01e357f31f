//! One event is one row, whatever the order, the gap and the number of runs in which its records arrive.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use devlog::lake::{Commit, Lake, LakeOptions};
use devlog::schema::{EventId, EventRow, EventType, RowContext, Rows};

use crate::home::{Home, answer, append, prompt};

/// A format of the user's own whose records have ids and times.
const FORMAT: &str = "event_type = \"llm_response\"\nid = [\"/id\"]\n[[files]]\npath = \"~/.mine/*.jsonl\"\n\
                      [columns]\nts = \"/t\"\noutput_tokens = \"/o\"\ntext = \"/x\"\n";

fn mine(home: &Home, file: &str) -> std::path::PathBuf {
    fs::create_dir_all(home.devlog_home().join("adapters")).unwrap();
    fs::write(home.devlog_home().join("adapters/mine.toml"), FORMAT).unwrap();
    fs::create_dir_all(home.path().join(".mine")).unwrap();
    home.path().join(".mine").join(file)
}

fn record(id: u32, day: u32, tokens: u32) -> String {
    let time = chrono::DateTime::from_timestamp(1_770_000_000 + i64::from(day) * 86_400, 0).unwrap();
    format!("{{\"id\":\"{id}\",\"t\":\"{}\",\"o\":{tokens}}}\n", time.to_rfc3339())
}

const SUMS: &str = "SELECT count(*) AS n, count(DISTINCT event_id) AS ids, sum(output_tokens) AS tokens, \
                    min(ts) AS first FROM events WHERE agent = 'mine'";

#[test]
fn a_record_that_is_written_again_days_or_months_later_replaces_the_earlier_one() {
    for days in [0, 2, 70] {
        let (at_once, in_runs) = (Home::new(), Home::new());
        append(&mine(&at_once, "a.jsonl"), &(record(1, 0, 100) + &record(2, 0, 7) + &record(1, days, 120)));
        at_once.ok(&["backfill"]);
        let log = mine(&in_runs, "a.jsonl");
        append(&log, &(record(1, 0, 100) + &record(2, 0, 7)));
        in_runs.ok(&["backfill"]);
        append(&log, &record(1, days, 120));
        in_runs.ok(&["ingest", "--once"]);
        let rows = in_runs.query(SUMS);
        assert_eq!((&rows[0]["n"], &rows[0]["tokens"]), (&2.into(), &127.into()), "{days} days later");
        assert_eq!(rows, at_once.query(SUMS), "{days} days later");
        in_runs.ok(&["fsck"]);
        // In a new file, and older: the later one stays.
        append(&mine(&in_runs, "b.jsonl"), &(record(1, 1, 5) + &record(3, days, 1)));
        in_runs.ok(&["backfill"]);
        let tokens = if days == 0 { 13 } else { 128 };
        assert_eq!(in_runs.query(SUMS)[0]["tokens"], tokens, "{days} days later");
        in_runs.ok(&["fsck"]);
    }
}

/// Puts `rows` of `(id, time, completeness, source)` into the lake without asking what is known.
fn force(root: &Path, rows: &[(u64, i64, i64, &str)]) {
    let lake = Lake::open(LakeOptions::new(root, 0)).unwrap();
    let mut out = Rows::new(RowContext::new("claude", "/a"));
    for (id, ts_us, completeness, source) in rows {
        out.begin(RowContext::new("claude", source));
        out.event(&EventRow {
            id: Some(EventId::of("claude", "m", &[&id.to_le_bytes()])),
            ts_us: *ts_us,
            event_type: EventType::UserInteraction,
            text: Some(source),
            completeness: *completeness,
            ..EventRow::default()
        });
    }
    let parts = lake.encode_rows(&[out.finish().events]).unwrap();
    lake.commit(Commit { parts, ..Commit::default() }).unwrap();
}

#[test]
fn a_lake_with_doubled_events_is_found_and_mended_as_the_advice_says() {
    const MARCH: i64 = 1_772_323_200_000_000;
    const MONTH: i64 = 31 * 86_400_000_000;
    let home = Home::new();
    let root = home.lake();
    force(&root, &[(1, MARCH, 1, "/old"), (2, MARCH, 1, "/old"), (3, MARCH, 5, "/old")]);
    force(&root, &[(1, MARCH + MONTH, 9, "/new"), (3, MARCH + MONTH, 2, "/new"), (4, MARCH, 1, "/new")]);
    // Twice in one file as well.
    force(&root, &[(4, MARCH, 3, "/best"), (4, MARCH, 3, "/best"), (5, MARCH, 1, "/new")]);
    let checked = home.run(&["fsck"]);
    let text = String::from_utf8_lossy(&checked.stdout);
    assert!(!checked.status.success() && text.contains("3 events are stored twice"), "{text}");
    assert!(text.contains("devlog fsck --repair-duplicates"), "{text}");
    let repaired = home.ok(&["fsck", "--repair-duplicates"]);
    assert!(repaired.contains("removed 4 copies of events from 4 files"), "{repaired}");
    home.ok(&["fsck"]);
    let rows = home.query("SELECT text, count(*) AS n, min(completeness) AS c FROM events GROUP BY text ORDER BY text");
    let expected = r#"[{"text":"/best","n":1,"c":3},{"text":"/new","n":2,"c":1},{"text":"/old","n":2,"c":1}]"#;
    assert_eq!(serde_json::to_value(&rows).unwrap(), serde_json::from_str::<serde_json::Value>(expected).unwrap());
    assert_eq!(home.ok(&["fsck", "--repair-duplicates"]).matches("removed").count(), 0);
}

/// Logs by path in the home, in the order in which they are made: sessions, a fork that stamps copies
/// anew, a copied log, and a format whose records are written again days and months later.
fn logs() -> Vec<(&'static str, Vec<String>)> {
    let filler = |n: u32| format!("{n} {}", "lorem ipsum dolor sit amet ".repeat(30));
    let claude = ".claude/projects/-home-u-shop";
    let mut files: Vec<(&'static str, Vec<String>)> = Vec::new();
    let session = |id: &str, turns: u32| -> Vec<String> {
        (0..turns)
            .flat_map(|n| {
                // A turn every six hours.
                let at = n * 21_600;
                let told = answer(id, at + 1, &format!("msg_{id}_{n}"), &filler(n), n, Some("end_turn"));
                [prompt(id, at, &filler(n)), told]
            })
            .collect()
    };
    let first = session("one", 900);
    let restamped = |line: &String| {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        value["version"] = "1.0.98".into();
        value["sessionId"] = "fork".into();
        value["timestamp"] = "2026-12-24T10:00:00.000Z".into();
        format!("{value}\n")
    };
    let fork = first[..400].iter().map(restamped).chain(session("fork", 300)).collect();
    files.push((const_path(claude, "one"), first.clone()));
    files.push((const_path(claude, "fork"), fork));
    files.push((const_path(claude, "copy"), first[300..900].to_vec()));
    let again = (0..3000u32).map(|n| record(n % 700, n / 10, n)).collect();
    files.push((".mine/a.jsonl", again));
    files.push((".mine/b.jsonl", (0..900u32).map(|n| record(n % 450 * 3, 200 + n / 3, n)).collect()));
    files
}

fn const_path(folder: &str, name: &str) -> &'static str {
    Box::leak(format!("{folder}/{name}.jsonl").into_boxed_str())
}

/// A home that has read the logs in `steps` runs.
fn read_in(steps: usize, memory: &str, logs: &[(&'static str, Vec<String>)]) -> Home {
    let home = Home::new();
    drop(mine(&home, "x"));
    fs::create_dir_all(home.path().join(".claude/projects/-home-u-shop")).unwrap();
    // Of equal copies that of the log born first counts: each is born in a tick of its own.
    let mut newest = None;
    for (path, _) in logs {
        let path = home.path().join(path);
        let born = || fs::File::create(&path).unwrap().metadata().unwrap().created().ok();
        let mut own = born();
        while own.is_some() && own == newest {
            fs::remove_file(&path).unwrap();
            own = born();
        }
        newest = own;
    }
    for step in 0..steps {
        for (path, lines) in logs {
            let part = |n: usize| lines.len() * n / steps;
            let mut text = String::new();
            lines[part(step)..part(step + 1)].iter().for_each(|line| text.push_str(line));
            append(&home.path().join(path), &text);
        }
        home.ok(&["--memory", memory, "backfill"]);
    }
    home
}

/// All rows by id, without where they were read from and when.
fn rows(home: &Home) -> BTreeMap<String, String> {
    let text = home.ok(&[
        "query",
        "--format",
        "ndjson",
        "SELECT * EXCLUDE (source_path, source_generation, source_offset, ingested_at) FROM events",
    ]);
    let mut rows = BTreeMap::new();
    for line in text.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = value["event_id"].as_str().unwrap().to_owned();
        assert!(rows.insert(id, line.to_owned()).is_none(), "an id twice: {line}");
    }
    rows
}

#[test]
fn the_same_logs_give_the_same_lake_under_any_budget_in_one_run_or_in_forty() {
    let logs = logs();
    let expected = rows(&read_in(1, "256MB", &logs));
    assert!(expected.len() > 2000, "{}", expected.len());
    for (steps, memory) in [(1, "16MB"), (1, "32MB"), (1, "64MB"), (7, "256MB"), (40, "16MB")] {
        let home = read_in(steps, memory, &logs);
        home.ok(&["fsck"]);
        let found = rows(&home);
        let mut differ = String::new();
        for id in expected.keys().chain(found.keys()).filter(|id| expected.get(*id) != found.get(*id)).take(3) {
            let shown = |rows: &BTreeMap<String, String>| {
                rows.get(id).map(|row| row.replace("lorem ipsum dolor sit amet ", ""))
            };
            writeln!(differ, "{:?}\n{:?}", shown(&expected), shown(&found)).unwrap();
        }
        assert_eq!((found.len(), differ.as_str()), (expected.len(), ""), "{steps} runs with {memory}");
    }
}
