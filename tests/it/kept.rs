//! What a command has shown is kept, however little it is and whatever becomes of the log.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::home::{Home, answer, append, prompt, session, until_times_tell, wait_for};

const OUTPUT: &str = "SELECT sum(output_tokens) FROM events";
const EVENTS: &str = "SELECT count(*) FROM events";
const DISTINCT: &str = "SELECT count(DISTINCT event_id) FROM events";

/// All files under a folder, with the time of their last change; but for the lock and the notes that every writer
/// makes anew.
fn files(dir: &Path) -> BTreeMap<PathBuf, SystemTime> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_owned();
        if name == ".lock" || name == ".state" {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let changed = fs::metadata(&path).unwrap().modified().unwrap();
            found.insert(path, changed);
        }
    }
    found
}

fn staged(home: &Home) -> PathBuf {
    home.lake().join("staged")
}

/// A home whose lake holds two rows and beside which one more is staged; its log is returned.
fn home_with_staged_row() -> (Home, PathBuf) {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, &session("s1", 1));
    assert_eq!(home.number(EVENTS), 2);
    append(&log, &prompt("s1", 50, "one more"));
    assert_eq!(home.number(EVENTS), 3);
    assert!(staged(&home).exists(), "a single row is no commit");
    (home, log)
}

#[test]
fn what_a_query_has_shown_stays_when_the_logs_are_deleted() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, &session("s1", 5));
    assert_eq!(home.number(OUTPUT), 50);
    append(&log, &session("s2", 1));
    assert_eq!(home.number(OUTPUT), 60);
    assert_eq!(home.number("SELECT count(*) FROM sources WHERE state = 'active' AND read_at IS NOT NULL"), 1);
    let listed = home.ok(&["sources"]);
    assert!(!listed.contains("pending") && !listed.contains("never"), "{listed}");
    fs::remove_file(&log).unwrap();
    assert_eq!((home.durable_number(OUTPUT), home.number(OUTPUT)), (60, 60));
    home.ok(&["fsck"]);
}

#[test]
fn a_report_a_minute_for_hours_leaves_no_crumbs() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, &session("s1", 1));
    home.ok(&["report", "daily"]);
    let before = files(&home.lake()).len();
    for n in 0..150 {
        append(&log, &prompt("s1", 100 + n, "more"));
        home.ok(&["report", "daily"]);
    }
    let after = files(&home.lake()).len();
    assert!(after <= before + 10, "{before} files became {after}");
    fs::remove_file(&log).unwrap();
    assert_eq!((home.number(EVENTS), home.number(DISTINCT)), (152, 152));
    home.ok(&["fsck"]);
}

#[test]
fn a_query_with_nothing_new_writes_nothing() {
    let (home, log) = home_with_staged_row();
    append(&log, &answer("s1", 51, "msg_open", "not finished yet", 3, None));
    until_times_tell();
    // The open call is old by its own time: the first query settles it.
    assert_eq!(home.number(EVENTS), 4);
    let before = files(&home.lake());
    assert_eq!(home.number(EVENTS), 4);
    home.ok(&["report", "daily"]);
    assert_eq!(files(&home.lake()), before);
}

#[test]
fn rows_shown_one_by_one_survive_kill_nine_and_none_is_there_twice() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, &session("s1", 1));
    assert_eq!(home.number(EVENTS), 2);
    for n in 0..30u32 {
        append(&log, &prompt("s1", 100 + n, "more"));
        let mut child = home.command(&["query", "SELECT 1"]).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(u64::from(n) * 3));
        child.kill().unwrap();
        child.wait().unwrap();
        if n % 10 == 9 {
            home.ok(&["backfill"]);
        }
    }
    assert_eq!((home.number(EVENTS), home.number(DISTINCT)), (32, 32));
    assert_eq!(home.number("SELECT sum(decoded) FROM sources"), 32, "counted once");
    home.ok(&["fsck"]);
}

#[test]
fn queries_side_by_side_store_each_row_once() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, &session("s1", 1));
    for round in 0..10u32 {
        append(&log, &prompt("s1", 100 + round, "more"));
        let query = ["query", "--format", "csv", EVENTS];
        let start = || home.command(&query).stdout(std::process::Stdio::piped()).spawn().unwrap();
        let asked: Vec<_> = (0..4).map(|_| start()).collect();
        for child in asked {
            let output = child.wait_with_output().unwrap();
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert_eq!(text.lines().last(), Some((3 + round).to_string().as_str()), "round {round}");
        }
    }
    fs::remove_file(&log).unwrap();
    assert_eq!((home.number(EVENTS), home.number(DISTINCT)), (12, 12));
    home.ok(&["fsck"]);
}

#[test]
fn who_cannot_store_shows_what_is_new_and_says_so() {
    let (home, log) = home_with_staged_row();
    append(&log, &prompt("s1", 51, "while another writes"));
    let lock = fs::File::options().read(true).write(true).open(home.lake().join(".lock")).unwrap();
    lock.lock().unwrap();
    let output = home.run(&["query", "--format", "csv", EVENTS]);
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().last(), Some("4"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("not stored"), "{said}");
    assert_eq!(home.durable_number(EVENTS), 3);
    drop(lock);
    assert_eq!((home.number(EVENTS), home.durable_number(EVENTS)), (4, 4));
}

#[test]
fn upkeep_and_copies_take_in_what_is_staged() {
    let (home, log) = home_with_staged_row();
    fs::remove_file(&log).unwrap();
    home.ok(&["compact"]);
    assert!(!staged(&home).exists());
    assert_eq!(home.durable_number(EVENTS), 3);

    let (home, log) = home_with_staged_row();
    fs::remove_file(&log).unwrap();
    home.ok(&["prune", "--session", "s1", "--yes"]);
    assert_eq!(home.number(EVENTS), 0);

    let (home, log) = home_with_staged_row();
    fs::remove_file(&log).unwrap();
    home.ok(&["snapshot"]);
    assert!(!staged(&home).exists(), "a snapshot shows everything");
    assert_eq!(home.durable_number(EVENTS), 3);
}

#[test]
fn what_is_staged_outlives_a_log_that_is_made_anew_and_damage_is_read_again() {
    let (home, log) = home_with_staged_row();
    fs::rename(&log, log.with_extension("away")).unwrap();
    // The newest entry is damaged: nobody may fold anything in before the log is made anew.
    let entries = home.lake().join("events/_delta_log");
    let zero = entries.join(format!("{:020}.json", 0));
    let entry = fs::read(&zero).unwrap();
    fs::remove_file(&zero).unwrap();
    home.run(&["fsck", "--rebuild-from-footers"]);
    assert!(entry.len() > 10);
    assert_eq!((home.durable_number(EVENTS), home.durable_number(DISTINCT)), (3, 3));
    home.ok(&["fsck"]);

    let (home, _log) = home_with_staged_row();
    let mut bytes = fs::read(staged(&home)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(staged(&home), bytes).unwrap();
    assert_eq!(home.durable_number(EVENTS), 2);
    assert_eq!((home.number(EVENTS), home.number(DISTINCT)), (3, 3), "the log is read again");
    home.ok(&["backfill"]);
    assert_eq!((home.durable_number(EVENTS), home.durable_number(DISTINCT)), (3, 3));
}

/// Follows one log, shows its open answer, does `what` to the log and returns what is durable in the end.
fn shown_then(what: impl FnOnce(&Path), row: &str) -> i64 {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, &prompt("s1", 1, "question"));
    let daemon = home.ingest(&["--flush-interval", "50ms"]);
    append(&log, &answer("s1", 2, "msg_1", "an answer", 7, None));
    wait_for("the open answer", || home.number("SELECT count(*) FROM events WHERE provisional") == 1);
    what(&log);
    wait_for("the answer for good", || home.durable_number(row) == 1);
    assert!(daemon.stop().success());
    assert_eq!(home.number(EVENTS), home.number(DISTINCT));
    home.durable_number(OUTPUT)
}

#[test]
fn an_answer_that_was_shown_stays_when_its_log_is_cut_or_replaced() {
    let shown = "SELECT count(*) FROM events WHERE message_id = 'msg_1' AND NOT provisional";
    assert_eq!(shown_then(|log| fs::write(log, "").unwrap(), shown), 7, "cut to nothing");
    let cut = |log: &Path| {
        let text = fs::read_to_string(log).unwrap();
        let first = text.lines().next().unwrap().len() as u64 + 1;
        fs::File::options().write(true).open(log).unwrap().set_len(first).unwrap();
    };
    assert_eq!(shown_then(cut, shown), 7, "cut before the answer");
    let replace = |log: &Path| {
        let beside = log.with_extension("new");
        fs::write(&beside, prompt("s9", 9, "another session")).unwrap();
        fs::rename(&beside, log).unwrap();
    };
    assert_eq!(shown_then(replace, shown), 7, "another file took its place");
    assert_eq!(shown_then(|log| fs::remove_file(log).unwrap(), shown), 7, "gone");
}

#[test]
fn an_answer_that_the_new_content_still_holds_goes_on_growing_there() {
    let rewrite = |log: &Path| {
        let beside = log.with_extension("new");
        let text = fs::read_to_string(log).unwrap();
        let whole = answer("s1", 3, "msg_1", "the whole answer", 40, Some("end_turn"));
        let next = prompt("s1", 4, "next") + &answer("s1", 5, "msg_2", "x", 1, Some("end_turn"));
        fs::write(&beside, prompt("s1", 0, "a line before") + &text + &whole + &next).unwrap();
        fs::rename(&beside, log).unwrap();
    };
    let grown = "SELECT count(*) FROM events WHERE message_id = 'msg_1' AND output_tokens = 40 AND NOT provisional";
    let output = shown_then(rewrite, grown);
    assert!(output == 40 || output == 41, "{output}");
}

pub fn set_time(log: &Path, time: SystemTime) {
    fs::File::options().append(true).open(log).unwrap().set_modified(time).unwrap();
}

#[test]
fn a_log_whose_times_are_ahead_of_the_clock_is_settled_all_the_same() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    let open = prompt("s1", 1, "question") + &answer("s1", 2, "msg_1", "last words", 7, None);
    // Years ahead, in records and file.
    append(&log, &open.replace("2026-", "2096-"));
    set_time(&log, SystemTime::now() + Duration::from_secs(2 * 86_400));
    until_times_tell();
    home.ok(&["backfill"]);
    assert_eq!((home.durable_number(EVENTS), home.durable_number(OUTPUT)), (2, 7));
    let before = files(&home.lake());
    home.ok(&["backfill"]);
    assert_eq!(files(&home.lake()), before);
}

#[test]
fn a_second_backfill_over_a_log_whose_last_call_is_open_reads_nothing() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    let now = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    let open = answer("s1", 2, "msg_1", "in the making", 7, None).replace(&crate::home::stamp(2), &now);
    append(&log, &(prompt("s1", 1, "question") + &open));
    until_times_tell();
    let first = home.ok(&["backfill", "--json"]);
    assert!(first.contains("\"files\":1") || first.contains("\"files\": 1"), "{first}");
    let before = files(&home.lake());
    let second = home.ok(&["backfill", "--json"]);
    assert!(second.contains("\"files\":0") || second.contains("\"files\": 0"), "{second}");
    assert_eq!(files(&home.lake()), before);
    assert_eq!(home.number("SELECT count(*) FROM events WHERE provisional"), 1, "a query shows it");
    set_time(&log, SystemTime::now() - Duration::from_secs(60));
    home.ok(&["backfill"]);
    assert_eq!(home.durable_number(OUTPUT), 7, "silence settles it");
}

#[test]
fn a_log_that_ends_in_half_a_line_is_looked_at_once_and_is_not_one_with_unread_bytes() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, &(session("s1", 1) + "{\"half\":"));
    set_time(&log, SystemTime::now() - Duration::from_secs(60));
    until_times_tell();
    home.ok(&["backfill"]);
    let state = |home: &Home| {
        let listed = home.ok(&["sources", "--json"]);
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        listed[0]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(&home), "torn");
    let second = home.ok(&["backfill", "--json"]);
    assert!(second.contains("\"files\":0") || second.contains("\"files\": 0"), "{second}");
    append(&log, "1}\n");
    assert_eq!(state(&home), "pending", "bytes wait to be read");
    home.ok(&["backfill"]);
    assert_eq!(state(&home), "active");
}

/// Largest memory that a command takes, in KiB.
pub fn peak_kib(home: &Home, args: &[&str]) -> u64 {
    let mut child = home.command(args).stdout(std::process::Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find(|l| l.starts_with("VmHWM")).unwrap_or("VmHWM: 0 kB");
        peak = peak.max(line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    peak
}

#[test]
fn bad_lines_are_within_the_memory_budget_and_each_is_counted() {
    let home = Home::new();
    let short: String = (0..400_000).map(|n| format!("{{bad {n}\n")).collect();
    append(&home.claude("-home-u-shop", "s1"), &short);
    // Bad and good lines in turn, so that each bad one is stored.
    let good = prompt("s2", 1, "a good line");
    let mixed: String = (0..20_000).map(|n| format!("{{bad {n} {}\n{good}", "x".repeat(2000))).collect();
    append(&home.claude("-home-u-shop", "s2"), &mixed);
    let peak = peak_kib(&home, &["backfill", "--memory", "64MB"]);
    assert_eq!(home.number("SELECT sum(rejects) FROM sources"), 420_000);
    assert_eq!(home.number("SELECT count(*) FROM rejects WHERE source_path LIKE '%s2%'"), 20_000);
    let stored = home.number("SELECT count(*) FROM rejects WHERE source_path LIKE '%s1%'");
    assert!((1_000..3_000).contains(&stored), "{stored} rows");
    let bytes = home.number("SELECT sum(length) FROM rejects WHERE source_path LIKE '%s1%'");
    assert!((short.len() as i64 - 2_000..=short.len() as i64).contains(&bytes), "{bytes} of {}", short.len());
    if cfg!(target_os = "linux") {
        assert!(peak < 200 * 1024, "peak memory was {peak} KiB");
    }
}
