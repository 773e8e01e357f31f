//! What the lake holds is counted once and told alike everywhere, and what it no longer needs goes.

use std::fs;

use serde_json::Value;

use crate::home::{Home, append, session};

fn json(home: &Home, args: &[&str]) -> Value {
    serde_json::from_str(&home.ok(args)).unwrap()
}

fn parquet_files(home: &Home) -> usize {
    let months = fs::read_dir(home.lake().join("events")).unwrap().map(|entry| entry.unwrap().path());
    let months = months.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("month="));
    let files = months.flat_map(|month| fs::read_dir(month).unwrap().map(|entry| entry.unwrap().path()));
    files.filter(|path| path.extension().is_some_and(|ending| ending == "parquet")).count()
}

#[test]
fn replaced_files_are_told_and_go_after_their_grace_with_whatever_command_comes_next() {
    for next in [&["status"][..], &["query", "SELECT 1"], &["sources"], &["backfill"]] {
        let home = Home::new();
        let log = home.claude("-home-u-shop", "s");
        for turns in 1..7 {
            append(
                &log,
                session("s", turns)
                    .lines()
                    .skip(2 * (turns as usize - 1))
                    .fold(String::new(), |all, line| all + line + "\n")
                    .as_str(),
            );
            home.ok(&["backfill"]);
        }
        home.ok(&["compact"]);
        let lake = json(&home, &["status", "--json"])["lake"].clone();
        assert_eq!((&lake["files"], &lake["waiting_files"]), (&1.into(), &6.into()), "{lake}");
        assert!(lake["waiting_bytes"].as_u64().unwrap() > 6 * 1000, "{lake}");
        assert!(home.ok(&["status"]).contains("6 replaced files with "));
        assert_eq!(parquet_files(&home), 7, "readers may still need them");
        let later = home.command(next).env("DEVLOG_CLOCK_SHIFT", "4000").output().unwrap();
        assert!(later.status.success(), "{next:?}");
        assert_eq!(parquet_files(&home), 1, "after {next:?}");
        assert_eq!(json(&home, &["status", "--json"])["lake"]["waiting_files"], 0);
        assert!(!home.ok(&["status"]).contains("replaced"));
        assert_eq!(home.number("SELECT count(*) FROM events"), 12);
        home.ok(&["fsck"]);
    }
}

/// What each command says of the events and rejects of Claude, which must be the same.
fn agreed(home: &Home) -> (i64, i64) {
    let events = home.durable_number("SELECT count(*) FROM events");
    let rejects = home.durable_number("SELECT count(*) FROM rejects");
    assert_eq!(home.durable_number("SELECT count(DISTINCT event_id) FROM events"), events);
    assert_eq!(home.durable_number("SELECT count(DISTINCT reject_id) FROM rejects"), rejects);
    let of_claude = |events: &Value, rejects: &Value| (events.as_i64().unwrap(), rejects.as_i64().unwrap());
    let status = json(home, &["status", "--json"]);
    assert_eq!(of_claude(&status["lake"]["rows"], &status["lake"]["rejects"]), (events, rejects), "status");
    let claude = &status["agents"]["claude"];
    assert_eq!(of_claude(&claude["rows"], &claude["rejects"]), (events, rejects), "status by agent");
    let adapters = json(home, &["adapters", "--agent", "claude", "--json"]);
    assert_eq!(of_claude(&adapters[0]["rows"], &adapters[0]["rejects"]), (events, rejects), "adapters");
    let checked = json(home, &["fsck", "--json"]);
    assert_eq!(of_claude(&checked["rows"], &checked["rejects"]), (events, rejects), "fsck");
    let text = home.ok(&["fsck"]);
    assert!(text.contains(&format!("{events} events, {rejects} reject")), "{text}");
    (events, rejects)
}

#[test]
fn every_command_counts_the_events_that_are_in_the_lake_and_each_reject_once() {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "one"), &(session("one", 5) + "{bad\n" + &session("one", 6)));
    append(&home.claude("-home-u-shop", "two"), &(session("two", 3) + "no json\n[1]\n"));
    fs::copy(home.claude("-home-u-shop", "two"), home.claude("-home-u-shop", "copy")).unwrap();
    let told = json(&home, &["backfill", "--json"]);
    assert_eq!(told["events"], 18);
    let all = agreed(&home);
    assert_eq!(all.0, 18);
    assert!(all.1 >= 3, "{all:?}");
    home.ok(&["prune", "--session", "two", "--yes"]);
    assert_eq!(agreed(&home).0, 12);
    home.ok(&["prune", "--allow-again"]);
    assert_eq!(json(&home, &["backfill", "--json"])["events"], 6);
    assert_eq!(agreed(&home), all);
    home.ok(&["fsck", "--rebuild-from-footers"]);
    assert_eq!(agreed(&home), all, "before the logs are read again");
    home.ok(&["backfill"]);
    assert_eq!(agreed(&home), all);
    // Seen before it is stored, too.
    append(&home.claude("-home-u-shop", "two"), "worse\n");
    assert_eq!(home.number("SELECT count(*) FROM rejects"), all.1 + 1);
}
