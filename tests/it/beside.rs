//! Other commands beside a running `ingest`, and beside each other: who holds the lake does the work, or is named.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::home::{Home, append, prompt, wait_for};

const EVENTS: &str = "SELECT count(*) FROM events";

fn err(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A session of prompts: each is settled as soon as it is read.
fn talk(session: &str, prompts: u32) -> String {
    (0..prompts).map(|n| prompt(session, n, &format!("question {n}"))).collect()
}

fn parts(home: &Home) -> u64 {
    let status: serde_json::Value = serde_json::from_str(&home.ok(&["status", "--json"])).unwrap();
    status["lake"]["files"].as_u64().unwrap()
}

/// A home with one session of four rows, followed; only a long interval or somebody else writes files.
fn followed() -> (Home, crate::home::Daemon) {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &talk("s1", 4));
    let daemon = home.ingest(&["--flush-interval", "1h"]);
    wait_for("the first rows on disk", || home.durable_number(EVENTS) == 4);
    (home, daemon)
}

#[test]
fn a_second_ingest_says_who_follows_the_logs_already() {
    let (home, daemon) = followed();
    let second = home.run(&["ingest"]);
    let text = err(&second);
    assert_eq!(second.status.code(), Some(2), "{text}");
    let named = format!("error: devlog ingest (process {}) is already following these logs", daemon.child.id());
    assert!(text.starts_with(&named), "{text}");
    assert!(daemon.stop().success());
}

#[test]
fn a_backfill_beside_an_ingest_makes_everything_durable_that_is_in_the_logs() {
    let (home, daemon) = followed();
    for (n, command) in [(1, &["backfill", "--json"][..]), (2, &["backfill"]), (3, &["ingest", "--once"])] {
        append(&home.claude("-home-u-shop", "s1"), &prompt("s1", 900 + n, "one more"));
        append(&home.claude("-home-u-new", &format!("t{n}")), &talk(&format!("t{n}"), 2));
        let output = home.run(command);
        assert_eq!(output.status.code(), Some(0), "{command:?}: {}", err(&output));
        assert_eq!(home.durable_number(EVENTS), 4 + 3 * i64::from(n), "{command:?}");
        if command.contains(&"--json") {
            let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
            assert_eq!((&told["events"], &told["found"]), (&3.into(), &2.into()), "{told}");
        }
    }
    assert!(daemon.stop().success());
}

#[test]
fn logs_of_another_place_are_taken_in_beside_an_ingest() {
    let (home, daemon) = followed();
    let folder = home.path().join("old-laptop/projects/-w");
    fs::create_dir_all(&folder).unwrap();
    append(&folder.join("o1.jsonl"), &talk("o1", 10));
    let place = home.path().join("old-laptop");
    let backfill = ["backfill", "--agent", "claude", "--path", place.to_str().unwrap(), "--json"];
    let told: serde_json::Value = serde_json::from_str(&home.ok(&backfill)).unwrap();
    assert_eq!((&told["events"], &told["files"]), (&10.into(), &1.into()), "{told}");
    assert_eq!(home.durable_number(EVENTS), 14);
    // It goes on following, and nothing is read twice.
    append(&home.claude("-home-u-shop", "s1"), &prompt("s1", 900, "one more"));
    wait_for("the new row", || home.number(EVENTS) == 15);
    // What came live is stored by the next one; the logs of the other place are not read again.
    for events in [1, 0] {
        assert_eq!(serde_json::from_str::<serde_json::Value>(&home.ok(&backfill)).unwrap()["events"], events);
    }
    assert!(daemon.stop().success());
    assert_eq!(home.durable_number("SELECT count(DISTINCT event_id) FROM events"), 15);
}

#[test]
fn files_are_merged_by_the_ingest_that_holds_them_while_it_answers() {
    let (home, daemon) = followed();
    for n in 0..6 {
        append(&home.claude("-home-u-shop", "s1"), &prompt("s1", 900 + n, "one more"));
        home.ok(&["backfill"]);
    }
    let before = parts(&home);
    assert!(before > 6, "{before}");
    let merging = home.command(&["compact", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(home.number(EVENTS), 10);
    let output = merging.wait_with_output().unwrap();
    assert!(output.status.success());
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["parts_before"], &told["parts_after"]), (&before.into(), &parts(&home).into()), "{told}");
    assert!(parts(&home) < before);
    assert!(daemon.stop().success());
    assert_eq!(home.durable_number(EVENTS), 10);
    home.ok(&["fsck"]);
}

#[test]
fn rows_that_are_pruned_beside_an_ingest_are_gone_also_those_it_holds_in_memory() {
    let (home, daemon) = followed();
    append(&home.claude("-home-u-shop", "s2"), &talk("s2", 6));
    wait_for("rows in memory", || home.number(EVENTS) == 10);
    assert_eq!(home.durable_number(EVENTS), 4);
    let dry = home.ok(&["prune", "--session", "s2"]);
    assert!(dry.starts_with("6 rows would be deleted"), "{dry}");
    assert_eq!(home.number(EVENTS), 10);
    let done = home.ok(&["prune", "--session", "s2", "--yes"]);
    assert!(done.starts_with("6 rows deleted"), "{done}");
    assert_eq!(home.number(EVENTS), 4);
    append(&home.claude("-home-u-shop", "s2"), &prompt("s2", 900, "an afterthought"));
    append(&home.claude("-home-u-shop", "s1"), &prompt("s1", 900, "one more"));
    wait_for("the row of the other session", || home.number(EVENTS) == 5);
    home.ok(&["prune", "--allow-again"]);
    wait_for("what was pruned", || home.number(EVENTS) == 12);
    assert!(daemon.stop().success());
    assert_eq!(home.durable_number("SELECT count(DISTINCT event_id) FROM events"), 12);
}

#[test]
fn a_snapshot_beside_an_ingest_has_what_a_query_sees() {
    let (home, daemon) = followed();
    append(&home.claude("-home-u-shop", "s1"), &prompt("s1", 900, "one more"));
    wait_for("the row", || home.number(EVENTS) == 5);
    let path = home.ok(&["snapshot"]);
    let linked: u64 = fs::read_dir(Path::new(path.trim()).join("events")).unwrap().count() as u64;
    assert!(linked > 0);
    assert_eq!(home.durable_number(EVENTS), 5);
    assert!(home.ok(&["fsck"]).contains("5 events"));
    let rebuild = home.run(&["fsck", "--rebuild-from-footers"]);
    assert_eq!(rebuild.status.code(), Some(2));
    assert!(err(&rebuild).contains(&format!("devlog ingest (process {}) is using this lake", daemon.child.id())));
    assert!(daemon.stop().success());
}

#[test]
fn another_lake_than_the_one_that_is_followed_is_nobody_elses_business() {
    let (home, daemon) = followed();
    let other = home.path().join("other");
    let lake = ["--lake", other.to_str().unwrap()];
    home.ok(&[&["backfill"][..], &lake].concat());
    home.ok(&[&["compact"][..], &lake].concat());
    let path = home.ok(&[&["snapshot"][..], &lake].concat());
    assert!(Path::new(path.trim()).join("events").exists());
    assert!(daemon.stop().success());
}

/// Holds the lock of the lake, as a devlog would that does something else.
fn hold(home: &Home, seconds: &str) -> Option<std::process::Child> {
    fs::create_dir_all(home.lake()).unwrap();
    let script = "import fcntl,os,sys,time\nf=open(sys.argv[1],'a+')\nfcntl.flock(f,fcntl.LOCK_EX)\nf.truncate(0)\n\
                  f.write(f'{os.getpid()}\\n')\nf.flush()\nprint('held',flush=True)\ntime.sleep(float(sys.argv[2]))";
    let lock = home.lake().join(".lock");
    let mut child = Command::new("python3")
        .args(["-c", script, lock.to_str().unwrap(), seconds])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take()?), &mut line).ok()?;
    (line == "held\n").then_some(child)
}

#[test]
fn a_command_waits_for_another_and_then_names_it() {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &talk("s1", 4));
    home.ok(&["backfill"]);
    let Some(mut holder) = hold(&home, "600") else {
        eprintln!("skipped: no python3 here to hold the lock");
        return;
    };
    for command in [&["compact"][..], &["backfill"], &["prune", "--session", "s1", "--yes"], &["ingest"]] {
        let output = home.run(&[command, &["--lock-wait", "200ms"]].concat());
        let text = err(&output);
        assert_eq!(output.status.code(), Some(2), "{command:?}: {text}");
        assert!(text.contains(&format!("error: process {} is writing the lake", holder.id())), "{text}");
        assert!(text.contains("--lock-wait"), "{text}");
    }
    let waiting = home.command(&["compact"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(1500));
    holder.kill().unwrap();
    holder.wait().unwrap();
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
    assert!(err(&output).contains("note: waiting for process "), "{}", err(&output));
}
