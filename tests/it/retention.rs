//! `retention` deletes what is old enough, and never more than the clock can be trusted with.

use std::fs;
use std::process::Output;

use crate::home::{Home, append, prompt, stamp};

const DAY: i64 = 86_400;

fn keep(home: &Home, retention: &str) {
    fs::create_dir_all(home.devlog_home()).unwrap();
    fs::write(home.devlog_home().join("config.toml"), format!("retention = \"{retention}\"\n")).unwrap();
}

/// A prompt `days` days ago.
fn aged(session: &str, n: u32, days: i64) -> String {
    let time = chrono::Utc::now() - chrono::Duration::days(days) + chrono::Duration::seconds(i64::from(n));
    let time = time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    prompt(session, n, "text").replace(&stamp(n), &time)
}

/// Runs devlog while the clock is ahead by `shift` seconds.
fn shifted(home: &Home, shift: i64, args: &[&str]) -> Output {
    let output = home.command(args).env("DEVLOG_CLOCK_SHIFT", shift.to_string()).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn rows(home: &Home) -> i64 {
    home.durable_number("SELECT count(*) FROM events")
}

#[test]
fn a_clock_that_jumps_ahead_deletes_nothing_and_keeps_nothing_out_once_it_is_right_again() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s");
    (0..5).for_each(|n| append(&log, &aged("s", n, 1)));
    home.ok(&["backfill"]);
    keep(&home, "400d");
    let ahead = shifted(&home, 1100 * DAY, &["ingest", "--once"]);
    assert!(told(&ahead).contains("`retention` would delete 5 of 5 rows"), "{}", told(&ahead));
    assert_eq!(rows(&home), 5);
    let status = shifted(&home, 1100 * DAY, &["status"]);
    let text = String::from_utf8_lossy(&status.stdout);
    assert!(text.contains("retention would delete 5 rows, and waits for"), "{text}");
    let status = shifted(&home, 1100 * DAY, &["status", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(json["retention"]["waiting_rows"], 5);
    // Half a day later, and with rows read under the wrong clock, still nothing.
    append(&log, &aged("s", 5, 0));
    shifted(&home, 1100 * DAY + DAY / 2, &["ingest", "--once"]);
    assert_eq!(rows(&home), 6);
    // Right again: nothing waits, and new rows are stored.
    append(&log, &aged("s", 6, 0));
    home.ok(&["ingest", "--once"]);
    assert_eq!(rows(&home), 7);
    assert!(!home.ok(&["status"]).contains("retention"));
    let forgotten = home.run(&["prune", "--allow-again", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&forgotten.stdout).unwrap();
    assert_eq!(json["forgotten"], 0, "retention is remembered by no filter");
}

#[test]
fn a_clock_that_stays_ahead_for_a_day_is_believed() {
    let home = Home::new();
    keep(&home, "400d");
    let log = home.claude("-home-u-shop", "s");
    (0..5).for_each(|n| append(&log, &aged("s", n, 1)));
    home.ok(&["backfill"]);
    shifted(&home, 1100 * DAY, &["ingest", "--once"]);
    assert_eq!(rows(&home), 5);
    let done = shifted(&home, 1101 * DAY + 60, &["ingest", "--once"]);
    assert!(told(&done).contains("are deleted: 5"), "{}", told(&done));
    assert_eq!(rows(&home), 0);
    // It was wrong after all: the next rows are stored as ever.
    append(&log, &aged("s", 7, 0));
    home.ok(&["ingest", "--once"]);
    assert_eq!(rows(&home), 1);
}

#[test]
fn by_the_clock_alone_a_tenth_goes_at_once_and_more_waits() {
    for (old, left) in [(9, 91), (11, 100)] {
        let home = Home::new();
        keep(&home, "30d");
        let log = home.claude("-home-u-shop", "s");
        (0..100).for_each(|n| append(&log, &aged("s", n, if n < old { 25 } else { 1 })));
        home.ok(&["backfill"]);
        shifted(&home, 10 * DAY, &["ingest", "--once"]);
        assert_eq!(rows(&home), left, "{old} old rows");
    }
}

#[test]
fn rows_that_are_too_old_are_counted_and_told_and_come_when_they_are_wanted() {
    let home = Home::new();
    keep(&home, "30d");
    let log = home.claude("-home-u-shop", "s");
    (0..3).for_each(|n| append(&log, &aged("s", n, 60)));
    (3..5).for_each(|n| append(&log, &aged("s", n, 1)));
    let output = home.run(&["backfill"]);
    let err = told(&output);
    assert!(output.status.success() && err.contains("were not stored: 3"), "{err}");
    assert_eq!(rows(&home), 2);
    // A user who changes his mind: nothing remembers what was kept out.
    keep(&home, "90d");
    fs::copy(&log, home.claude("-home-u-shop", "copy")).unwrap();
    home.ok(&["backfill"]);
    assert_eq!(rows(&home), 5);
    home.ok(&["fsck"]);
}
