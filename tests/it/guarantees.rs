//! The guarantees of the README, one test a promise, on the real binary.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::home::{Home, answer, append, prompt, session, stamp, until_times_tell, wait_for};

const OUTPUT: &str = "SELECT sum(output_tokens) FROM events";
const EVENTS: &str = "SELECT count(*) FROM events";
const DISTINCT: &str = "SELECT count(DISTINCT event_id) FROM events";

fn files_under(dir: &Path, found: &mut BTreeSet<std::path::PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_under(&path, found)
        } else {
            found.insert(path);
        }
    }
}

#[test]
fn a_query_on_a_fresh_machine_needs_no_set_up() {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &session("s1", 5));
    assert_eq!(home.number(OUTPUT), 50);
    assert_eq!(home.number("SELECT count(*) FROM events WHERE event_type = 'user_interaction'"), 5);
}

#[test]
fn rows_survive_kill_nine_at_any_moment_and_none_is_there_twice() {
    let home = Home::new();
    for file in 0..40 {
        let id = format!("s{file}");
        append(&home.claude("-home-u-shop", &id), &session(&id, 200));
    }
    for round in 0..12u64 {
        let mut child = home.command(&["backfill", "--memory", "16MB"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(5 + round * 9));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    home.ok(&["backfill"]);
    assert_eq!(home.durable_number(EVENTS), 40 * 400);
    assert_eq!(home.durable_number(DISTINCT), 40 * 400);
    assert_eq!(home.durable_number(OUTPUT), 40 * 2000);
    home.ok(&["fsck"]);
}

#[test]
fn a_query_sees_each_row_once_while_rows_are_being_flushed() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, &session("s1", 1));
    let daemon = home.ingest(&["--flush-interval", "50ms"]);
    let mut seen = 0;
    for n in 1..40 {
        append(&log, &prompt("s1", 100 + n, "more"));
        let row = &home.query("SELECT count(*) AS n, count(DISTINCT event_id) AS d FROM events")[0];
        assert_eq!(row["n"], row["d"]);
        let count = row["n"].as_i64().unwrap();
        assert!(count >= seen, "rows vanished: {count} after {seen}");
        seen = count;
    }
    wait_for("all rows", || home.number(EVENTS) == 2 + 39);
    assert!(daemon.stop().success());
    assert_eq!(home.durable_number(EVENTS), 2 + 39);
}

#[test]
fn a_line_appended_to_a_log_is_seen_without_waiting_for_a_flush() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, &session("s1", 1));
    let _daemon = home.ingest(&["--flush-interval", "1h"]);
    wait_for("the first rows", || home.number(EVENTS) == 2);
    append(&log, &prompt("s1", 50, "are you there"));
    wait_for("the new row", || home.number(EVENTS) == 3);
    assert_eq!(home.durable_number("SELECT count(*) FROM events WHERE text = 'are you there'"), 0);
}

#[test]
fn what_an_agent_may_still_change_is_visible_as_provisional_and_not_on_disk() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, &prompt("s1", 1, "question"));
    append(&log, &answer("s1", 2, "msg_1", "first part", 2, None));
    let daemon = home.ingest(&["--flush-interval", "50ms"]);
    wait_for("the open call", || home.number("SELECT count(*) FROM events WHERE provisional") == 1);
    wait_for("the prompt on disk", || home.durable_number(EVENTS) == 1);
    append(&log, &answer("s1", 3, "msg_1", "second part", 40, Some("end_turn")));
    wait_for("the grown call", || home.number(OUTPUT) == 40);
    append(&log, &prompt("s1", 4, "next question"));
    append(&log, &answer("s1", 5, "msg_2", "next answer", 7, Some("end_turn")));
    wait_for("the closed call on disk", || {
        home.durable_number("SELECT count(*) FROM events WHERE message_id = 'msg_1' AND output_tokens = 40") == 1
    });
    assert_eq!(home.durable_number("SELECT count(*) FROM events WHERE provisional"), 0);
    daemon.kill();
    append(&log, &prompt("s1", 6, "after the crash"));
    append(&log, &answer("s1", 7, "msg_3", "x", 1, Some("end_turn")));
    assert_eq!(home.number(OUTPUT), 48);
    assert_eq!(home.number(EVENTS), home.number(DISTINCT));
}

#[test]
fn lines_of_forty_megabytes_in_two_logs_at_once_decode_within_the_memory_budget() {
    let home = Home::new();
    for session in ["s1", "s2"] {
        let log = home.claude("-home-u-shop", session);
        for n in 0..2 {
            append(&log, &prompt(session, n, &"long text ".repeat(4 << 20)));
        }
    }
    let mut child = home.command(&["backfill", "--memory", "256MB", "--jobs", "2"]).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0u64;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find(|l| l.starts_with("VmHWM")).unwrap_or("VmHWM: 0 kB");
        peak_kib = peak_kib.max(line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(child.wait().unwrap().success());
    assert_eq!(home.durable_number("SELECT max(length(text)) FROM events"), 10 * (4 << 20));
    if cfg!(target_os = "linux") {
        assert!(peak_kib < 256 * 1024, "peak memory was {peak_kib} KiB");
    }
}

#[test]
fn a_second_run_over_unchanged_files_commits_nothing_and_reads_no_content() {
    let home = Home::new();
    for file in 0..50 {
        let id = format!("s{file}");
        append(&home.claude("-home-u-shop", &id), &session(&id, 3));
    }
    until_times_tell();
    home.ok(&["backfill"]);
    let mut before = BTreeSet::new();
    files_under(&home.lake(), &mut before);
    let read_at = home.query("SELECT max(read_at) AS t FROM sources")[0].clone();
    home.ok(&["backfill"]);
    let mut after = BTreeSet::new();
    files_under(&home.lake(), &mut after);
    assert_eq!(before, after);
    assert_eq!(home.query("SELECT max(read_at) AS t FROM sources")[0], read_at);
}

#[test]
fn rows_stay_when_their_log_is_deleted() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, &session("s1", 5));
    home.ok(&["backfill"]);
    fs::remove_file(&log).unwrap();
    home.ok(&["backfill"]);
    assert_eq!(home.number(OUTPUT), 50);
    let states = home.query("SELECT state FROM sources");
    assert_eq!(states[0]["state"], "missing");
}

#[test]
fn truncated_rewritten_renamed_and_copied_logs_neither_lose_nor_repeat_rows() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, &session("s1", 5));
    home.ok(&["backfill"]);

    // Truncated, and grown again beyond the old position with other content.
    fs::write(&log, "").unwrap();
    append(&log, &session("s2", 9));
    home.ok(&["backfill"]);
    assert_eq!((home.number(OUTPUT), home.number(DISTINCT)), (140, 28));

    // Rewritten in place, a middle turn left out, a new one added.
    let text = session("s2", 10);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    fs::write(&log, lines[..4].concat() + &lines[6..].concat()).unwrap();
    home.ok(&["backfill"]);
    assert_eq!((home.number(OUTPUT), home.number(EVENTS)), (150, 30));

    // Replaced by rename.
    let other = log.with_extension("tmp");
    fs::write(&other, session("s2", 11)).unwrap();
    fs::rename(&other, &log).unwrap();
    home.ok(&["backfill"]);
    assert_eq!((home.number(OUTPUT), home.number(EVENTS)), (160, 32));

    // Copied to another project, moved, and the copy grown.
    let copy = home.claude("-home-u-other", "s2");
    fs::copy(&log, &copy).unwrap();
    append(&copy, &prompt("s2", 500, "only in the copy"));
    fs::rename(&log, home.claude("-home-u-moved", "s2")).unwrap();
    home.ok(&["backfill"]);
    assert_eq!((home.number(OUTPUT), home.number(EVENTS)), (160, 33));
    assert_eq!(home.number(EVENTS), home.number(DISTINCT));
}

#[test]
fn a_fork_belongs_to_the_session_it_was_copied_from_in_whatever_order_the_files_are_read() {
    for fork_first in [false, true] {
        let home = Home::new();
        let original = session("s1", 4);
        let fork = original.replace("\"sessionId\":\"s1\"", "\"sessionId\":\"s2\"") + &session("s2", 1);
        let (a, b) = (home.claude("-home-u-shop", "s1"), home.claude("-home-u-shop", "s2"));
        let day = Duration::from_secs(86_400);
        let put = |path: &Path, text: &str, age: u32| {
            append(path, text);
            let time = std::time::SystemTime::now() - day * age;
            fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
        };
        if fork_first {
            put(&b, &fork, 1);
            home.ok(&["backfill"]);
            put(&a, &original, 2);
        } else {
            put(&a, &original, 2);
            put(&b, &fork, 1);
        }
        home.ok(&["backfill"]);
        assert_eq!(home.number("SELECT sum(output_tokens) FROM events WHERE session_id = 's1'"), 40);
        assert_eq!(home.number("SELECT sum(output_tokens) FROM events WHERE session_id = 's2'"), 10);
        assert_eq!(home.number(EVENTS), home.number(DISTINCT));
    }
}

#[test]
fn a_compressed_twin_of_a_log_adds_nothing() {
    let home = Home::new();
    let folder = home.path().join(".codex/sessions/2026/01/02");
    fs::create_dir_all(&folder).unwrap();
    let plain = folder.join("rollout-2026-01-02T10-00-00-019b0000-0000-7000-8000-000000000001.jsonl");
    let text = concat!(
        r#"{"timestamp":"2026-01-02T10:00:00.000Z","type":"session_meta","payload":{"id":"019b0000-0000-7000-8000-000000000001","timestamp":"2026-01-02T10:00:00.000Z","cwd":"/w","originator":"codex_cli_rs","cli_version":"0.80.0","source":"cli"}}"#,
        "\n",
        r#"{"timestamp":"2026-01-02T10:00:01.000Z","type":"turn_context","payload":{"cwd":"/w","approval_policy":"never","model":"gpt-5.2-codex","summary":"auto"}}"#,
        "\n",
        r#"{"timestamp":"2026-01-02T10:00:02.000Z","type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":{"input_tokens":100,"cached_input_tokens":40,"output_tokens":9,"reasoning_output_tokens":2,"total_tokens":109},"last_token_usage":{"input_tokens":100,"cached_input_tokens":40,"output_tokens":9,"reasoning_output_tokens":2,"total_tokens":109}}}}"#,
        "\n",
    );
    fs::write(&plain, text).unwrap();
    home.ok(&["backfill"]);
    let before = home.number(EVENTS);
    let packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
    fs::write(plain.with_extension("jsonl.zst"), packed).unwrap();
    fs::remove_file(&plain).unwrap();
    home.ok(&["backfill"]);
    assert_eq!(home.number(EVENTS), before);
    assert_eq!(home.number(OUTPUT), 9);
    assert_eq!(home.number("SELECT sum(input_tokens) FROM events"), 60);
    assert_eq!(home.number("SELECT count(*) FROM sources"), 1);
}

#[test]
fn bad_input_becomes_rejects_and_the_rest_of_the_file_decodes() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, &prompt("s1", 1, "before"));
    append(&log, "this is no JSON\n");
    append(&log, &("[".repeat(200) + &"]".repeat(200) + "\n"));
    append(&log, "{\"type\":\"user\"\n");
    append(&log, &prompt("s1", 2, "after"));
    append(&log, "{\"type\":\"user\",\"torn");
    home.ok(&["backfill"]);
    assert_eq!(home.durable_number("SELECT count(*) FROM events WHERE event_type = 'user_interaction'"), 2);
    let rejects = home.query("SELECT reason, source_offset FROM rejects ORDER BY source_offset");
    let reasons: Vec<_> = rejects.iter().map(|r| r["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, ["not_json", "too_deep", "not_json"]);
    append(&log, "\":1}\n");
    home.ok(&["backfill"]);
    home.ok(&["backfill"]);
    assert_eq!(home.number("SELECT sum(rejects) FROM sources"), 3);
    assert_eq!(home.number("SELECT count(*) FROM rejects"), 3);
}

#[test]
fn a_link_out_of_the_logs_and_a_folder_named_like_one_do_not_stop_the_others() {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &session("s1", 1));
    let bad = home.claude("-home-u-shop", "s2");
    std::os::unix::fs::symlink("/proc/self/mem", &bad).unwrap();
    let folder = home.claude("-home-u-shop", "s3");
    fs::create_dir(&folder).unwrap();
    assert_eq!(home.number(OUTPUT), 10);
}

#[test]
fn every_parquet_file_under_a_readers_eyes_is_whole() {
    let home = Home::new();
    for file in 0..30 {
        let id = format!("s{file}");
        append(&home.claude("-home-u-shop", &id), &session(&id, 300));
    }
    let mut child = home.command(&["backfill", "--memory", "16MB"]).spawn().unwrap();
    let mut looked = 0;
    while child.try_wait().unwrap().is_none() {
        let mut files = BTreeSet::new();
        files_under(&home.lake(), &mut files);
        for file in files.iter().filter(|f| f.to_string_lossy().ends_with(".parquet")) {
            let Ok(open) = fs::File::open(file) else { continue };
            parquet::file::footer_of(&open, file);
            looked += 1;
        }
    }
    assert!(child.wait().unwrap().success());
    let mut files = BTreeSet::new();
    files_under(&home.lake(), &mut files);
    for file in files.iter().filter(|f| f.to_string_lossy().ends_with(".parquet")) {
        parquet::file::footer_of(&fs::File::open(file).unwrap(), file);
        looked += 1;
    }
    assert!(looked > 0, "no file was looked at");
}

mod parquet {
    pub mod file {
        use ::parquet::file::reader::{FileReader, SerializedFileReader};

        /// Panics when the file is not a whole Parquet file.
        pub fn footer_of(open: &std::fs::File, path: &std::path::Path) {
            let reader = SerializedFileReader::new(open.try_clone().unwrap());
            let reader = reader.unwrap_or_else(|e| panic!("{} is not whole: {e}", path.display()));
            assert!(reader.metadata().file_metadata().num_rows() > 0);
        }
    }
}

#[cfg(unix)]
#[test]
fn files_are_private_whatever_the_umask() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &session("s1", 1));
    let binary = env!("CARGO_BIN_EXE_devlog");
    let status = std::process::Command::new("sh")
        .args(["-c", &format!("umask 000; exec '{binary}' backfill")])
        .env("HOME", home.path())
        .env("DEVLOG_HOME", home.devlog_home())
        .status()
        .unwrap();
    assert!(status.success());
    let mut files = BTreeSet::new();
    files_under(&home.devlog_home(), &mut files);
    assert!(!files.is_empty());
    for file in files {
        let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", file.display());
        let parent = fs::metadata(file.parent().unwrap()).unwrap().permissions().mode() & 0o777;
        assert_eq!(parent, 0o700, "{}", file.display());
    }
}

#[test]
fn a_second_writer_is_told_who_holds_the_lake() {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &session("s1", 1));
    let daemon = home.ingest(&[]);
    let second = home.run(&["ingest"]);
    assert_eq!(second.status.code(), Some(2));
    let text = String::from_utf8_lossy(&second.stderr);
    assert!(text.contains(&daemon.child.id().to_string()), "{text}");
}

#[test]
fn a_call_that_two_logs_still_hold_open_is_counted_once() {
    let home = Home::new();
    let open = prompt("s1", 0, "go on") + &answer("s1", 1, "msg_1", "thinking", 7, None);
    append(&home.claude("-home-u-shop", "s1"), &open);
    append(&home.claude("-home-u-shop", "s2"), &open);
    let seen = |home: &Home| {
        let row =
            home.query("SELECT count(*) AS n, count(DISTINCT event_id) AS d, sum(output_tokens) AS o FROM events");
        (row[0]["n"].as_i64().unwrap(), row[0]["d"].as_i64().unwrap(), row[0]["o"].as_i64().unwrap())
    };
    assert_eq!(seen(&home), (2, 2, 7), "nothing is running");
    let daemon = home.ingest(&["--flush-interval", "50ms"]);
    wait_for("both logs", || home.number("SELECT count(*) FROM sources") == 2);
    assert_eq!(seen(&home), (2, 2, 7), "followed");
    append(&home.claude("-home-u-shop", "s1"), &answer("s1", 2, "msg_1", "done", 9, Some("end_turn")));
    wait_for("the end of the answer", || home.number(OUTPUT) == 9);
    assert_eq!(seen(&home), (2, 2, 9), "settled in one, open in the other");
    assert!(daemon.stop().success());
}

#[test]
fn a_call_that_a_resumed_session_stamped_anew_is_counted_once() {
    let home = Home::new();
    let old = session("s1", 2).replace("2.1.100", "1.0.98");
    append(&home.claude("-home-u-shop", "s1"), &old);
    home.ok(&["backfill"]);
    let restamped = (0..4).fold(old, |text, n| text.replace(&stamp(n), &stamp(n + 3 * 86_400)));
    append(&home.claude("-home-u-shop", "s2"), &restamped);
    home.ok(&["backfill"]);
    assert_eq!((home.durable_number(EVENTS), home.durable_number(DISTINCT)), (4, 4));
    assert_eq!(home.durable_number(OUTPUT), 20);
    home.ok(&["fsck"]);
}
