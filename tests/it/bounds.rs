//! What must not grow: what a large thread, companion or packed file takes, what a failure that goes on says, what
//! a flood of changes leaves waiting. And what may not change: the rows of a log that was copied with a pause.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, params};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::faults::{SmallDisk, noise};
use crate::home::{Home, append, prompt, session, until_times_tell, wait_for};

const EVENTS: &str = "SELECT count(*) FROM events";

/// Reads a home anew with a memory budget.
fn backfill(home: &Home, memory: &str) {
    let _ = fs::remove_dir_all(home.devlog_home());
    home.ok(&["backfill", "--memory", memory]);
}

#[test]
fn a_packed_thread_of_zed_that_is_too_large_for_one_budget_is_read_with_a_larger_one() {
    let home = Home::new();
    let folder = home.path().join(".local/share/zed/threads");
    fs::create_dir_all(&folder).unwrap();
    let database = Connection::open(folder.join("threads.db")).unwrap();
    database
        .execute_batch(
            "CREATE TABLE threads (id TEXT PRIMARY KEY, summary TEXT NOT NULL, updated_at TEXT NOT NULL, \
             data_type TEXT NOT NULL, data BLOB NOT NULL)",
        )
        .unwrap();
    let put = |id: &str, length: usize| {
        let text = "words and words ".repeat(length / 16);
        let thread = json!({"title": "T", "version": "0.3.0", "updated_at": "2026-03-01T10:00:00Z",
            "messages": [{"User": {"id": format!("u-{id}"), "content": [{"Text": text}]}}]});
        let packed = zstd::encode_all(thread.to_string().as_bytes(), 3).unwrap();
        let row = params![id, "T", "2026-03-01T10:00:00Z", "zstd", packed];
        database.execute("INSERT INTO threads VALUES (?1, ?2, ?3, ?4, ?5)", row).unwrap();
    };
    put("small", 1 << 10);
    put("large", 6 << 20);
    drop(database);
    let prompts = "SELECT count(*) FROM events WHERE event_type = 'user_interaction'";
    backfill(&home, "16MB");
    assert_eq!(home.durable_number(prompts), 1);
    let why = "SELECT count(*) FROM rejects WHERE reason = 'too_long' AND detail LIKE '%larger --memory%'";
    assert_eq!(home.durable_number(why), 1);
    backfill(&home, "64MB");
    assert_eq!((home.durable_number(prompts), home.durable_number("SELECT count(*) FROM rejects")), (2, 0));
}

#[test]
fn a_file_that_is_read_along_may_be_as_long_as_the_budget_allows() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "agent-a1");
    append(&log, &session("s1", 1));
    let beside = json!({"agentType": "Explore", "description": "words ".repeat(1 << 20)});
    fs::write(log.with_file_name("agent-a1.meta.json"), beside.to_string()).unwrap();
    let known = "SELECT count(*) FROM events WHERE subagent_type = 'Explore'";
    backfill(&home, "16MB");
    assert_eq!((home.durable_number(known), home.durable_number(EVENTS)), (0, 2), "the log is read without it");
    backfill(&home, "64MB");
    assert!(home.durable_number(known) > 0);
}

#[test]
fn a_trial_of_a_description_on_a_file_that_unpacks_to_far_too_much_is_refused_in_little_memory() {
    let home = Home::new();
    let folder = home.devlog_home().join("adapters");
    fs::create_dir_all(&folder).unwrap();
    let description = "event_type = \"llm_response\"\nid = [\"/id\"]\n[[files]]\npath = \"~/x/*.jsonl\"\n\
                       [columns]\ntext = \"/text\"\n";
    fs::write(folder.join("mytool.toml"), description).unwrap();
    let bomb = home.path().join("bomb.jsonl.zst");
    fs::write(&bomb, zstd::encode_all(std::io::repeat(b'x').take(1 << 30), 3).unwrap()).unwrap();
    let args = ["--memory", "64MB", "adapters", "test", "mytool", bomb.to_str().unwrap()];
    // The address space bounds what it may take.
    let mut command = std::process::Command::new("prlimit");
    command.arg("--as=1500000000").arg(env!("CARGO_BIN_EXE_devlog")).args(args);
    command.env("HOME", home.path()).env("DEVLOG_HOME", home.devlog_home());
    let Ok(output) = command.output() else {
        eprintln!("skipped: no prlimit here");
        return;
    };
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("bomb.jsonl.zst") && said.contains("larger --memory"), "{said}");
}

#[test]
fn a_daemon_on_a_full_disk_says_so_once_however_often_it_tries() {
    let home = Home::new();
    let (disk, log) = (home.devlog_home(), home.claude("-home-u-shop", "s1"));
    append(&log, &session("s1", 1));
    let Some(_mounted) = SmallDisk::mount(&disk, "8m") else {
        eprintln!("skipped: no small disk can be mounted here");
        return;
    };
    let daemon = home.ingest(&["--flush-interval", "100ms", "--memory", "16MB"]);
    wait_for("the first rows", || home.number(EVENTS) == 2);
    for n in 0..400 {
        append(&log, &prompt("s1", 1000 + n, &noise(n, 50_000)));
    }
    let told = || {
        let said = fs::read_to_string(home.path().join("ingest.log")).unwrap();
        said.lines().filter(|line| line.contains("no space left")).count()
    };
    wait_for("a warning", || told() > 0);
    let tried = || fs::read_to_string(format!("/proc/{}/io", daemon.child.id())).unwrap_or_default();
    // Several attempts, by what it reads and writes; the flusher and the follower each may say it.
    for _ in 0..4 {
        let before = tried();
        wait_for("another attempt", || tried() != before);
        std::thread::sleep(Duration::from_secs(1));
    }
    assert!((1..=4).contains(&told()), "{}", fs::read_to_string(home.path().join("ingest.log")).unwrap());
    drop(daemon);
}

#[test]
fn a_flood_of_changes_that_nobody_took_in_loses_no_line_and_little_memory() {
    let home = Home::new();
    let logs: Vec<_> = (0..300).map(|n| home.claude("-home-u-shop", &format!("s{n}"))).collect();
    logs.iter().for_each(|log| append(log, ""));
    let daemon = home.ingest(&["--memory", "64MB"]);
    let pid = Pid::from_child(&daemon.child);
    kill_process(pid, Signal::STOP).unwrap();
    // More events than the system keeps, and than may wait here.
    for turn in 0..100u32 {
        for (n, log) in logs.iter().enumerate() {
            append(log, &prompt(&format!("s{n}"), turn, "x"));
        }
    }
    kill_process(pid, Signal::CONT).unwrap();
    wait_for("all lines", || home.number(EVENTS) == 30_000);
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("VmHWM: 0 kB");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    assert!(daemon.stop().success());
    assert!(kib < 256 * 1024, "the daemon took {kib} KiB");
}

/// A turn as Codex writes it: most things twice, as an event and as an item, with other fields in each.
fn rollout() -> Vec<String> {
    let line = |second: u32, kind: &str, payload: serde_json::Value| {
        json!({"timestamp": format!("2026-05-29T08:00:{second:02}.000Z"), "type": kind, "payload": payload}).to_string()
    };
    let mut all = vec![line(
        0,
        "session_meta",
        json!({"id": "0197a000-aaaa-7bbb-8ccc-ddddeeeeffff", "timestamp": "2026-05-29T08:00:00.000Z", "cwd": "/home/u/shop",
               "originator": "codex_cli_rs", "cli_version": "0.98.0", "source": "cli", "model_provider": "openai"}),
    )];
    for turn in 0..3u32 {
        let at = |n: u32| 1 + turn * 10 + n;
        let text = |what: &str| format!("{what} {turn}");
        all.push(line(
            at(0),
            "turn_context",
            json!({"cwd": "/home/u/shop", "model": "gpt-5.2-codex", "effort": "medium"}),
        ));
        all.push(line(
            at(1),
            "response_item",
            json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": text("ask")}]}),
        ));
        all.push(line(at(1), "event_msg", json!({"type": "user_message", "message": text("ask"), "images": []})));
        all.push(line(
            at(5),
            "event_msg",
            json!({"type": "agent_message", "message": text("answer"), "phase": "final"}),
        ));
        all.push(line(
            at(5),
            "response_item",
            json!({"type": "message", "role": "assistant", "id": text("msg"), "phase": "final",
                   "content": [{"type": "output_text", "text": text("answer")}]}),
        ));
        let used = json!({"input_tokens": 900, "cached_input_tokens": 600, "output_tokens": 40,
                          "reasoning_output_tokens": 10, "total_tokens": 940});
        all.push(line(
            at(6),
            "event_msg",
            json!({"type": "token_count", "info": {"total_token_usage": used, "last_token_usage": used,
                   "model_context_window": 272_000}}),
        ));
    }
    all.into_iter().map(|line| line + "\n").collect()
}

/// Runs `look` while a copier holds `log` open: it writes its times again and again, and no bytes.
fn while_copied(log: &Path, look: impl FnOnce()) {
    let file = fs::File::options().append(true).open(log).unwrap();
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                file.set_modified(SystemTime::now()).unwrap();
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        look();
        is_over.store(true, Ordering::Relaxed);
    });
}

#[test]
fn an_old_log_whose_copier_pauses_anywhere_ends_with_the_rows_of_one_reading() {
    let lines = rollout();
    let rows = |home: &Home| {
        let sql = "SELECT event_id, event_type, text, message_id, turn, model, input_tokens, output_tokens, extra \
                   FROM events ORDER BY event_id";
        home.ok(&["query", "--no-sync", "--format", "csv", sql])
    };
    let place = |home: &Home| {
        let folder = home.path().join(".codex/sessions/2026/05/29");
        fs::create_dir_all(&folder).unwrap();
        folder.join("rollout-2026-05-29T08-00-00-0197a000-aaaa-7bbb-8ccc-ddddeeeeffff.jsonl")
    };
    let whole = Home::new();
    append(&place(&whole), &lines.concat());
    until_times_tell();
    whole.ok(&["backfill"]);
    let expected = rows(&whole);
    assert!(expected.lines().count() > 6, "{expected}");
    // Between any two lines of the second turn, and within them.
    for cut in 7..=12 {
        let home = Home::new();
        let log = place(&home);
        let half = if cut % 2 == 0 { lines[cut].len() / 2 } else { 0 };
        let all = lines.concat();
        let (now, later) = all.split_at(lines[..cut].concat().len() + half);
        append(&log, now);
        while_copied(&log, || drop(home.ok(&["backfill"])));
        append(&log, later);
        until_times_tell();
        home.ok(&["backfill"]);
        assert_eq!(rows(&home), expected, "paused after line {cut}, and {half} bytes: {}", lines[cut - 1]);
    }
}
