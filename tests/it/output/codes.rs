//! Exit codes: 0 done, 2 failed or wrong usage, 130 interrupted; 1 only where it is asked for.

use std::fs;
use std::process::{Command, Stdio};

use super::{Home, err, out, turn_at};
use crate::home::{append, session, wait_for};

#[test]
fn an_answer_without_rows_is_done_unless_the_code_is_asked_for() {
    let home = Home::new();
    turn_at(&home, "s", "2026-05-28T09:00:00Z");
    home.ok(&["backfill"]);
    let file = home.path().join("none.csv");
    let file = file.to_str().unwrap();
    let nobody = "SELECT * FROM events WHERE agent = 'nobody'";
    for line in [
        &["query", nobody][..],
        &["query", "SELECT * FROM events LIMIT 0"],
        &["report", "daily", "--agent", "codex"],
        &["report", "tools", "--json"],
        &["export", nobody, "-o", file],
        &["sources", "--state", "error"],
        &["adapters", "--agent", "codex"],
    ] {
        for (flag, code) in [(None, 0), (Some("--exit-code"), 1)] {
            let _gone = fs::remove_file(file);
            let all: Vec<&str> = line.iter().copied().chain(flag).collect();
            let output = home.run(&all);
            assert_eq!(output.status.code(), Some(code), "{all:?}: {}", err(&output));
        }
    }
    let some = home.run(&["query", "--exit-code", "SELECT 1"]);
    assert_eq!(some.status.code(), Some(0));
    let wrong = home.run(&["query", "--exit-code", "SELEC 1"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn nothing_to_do_is_done_in_every_command() {
    let home = Home::new();
    for line in [
        &["backfill"][..],
        &["ingest", "--once"],
        &["status"],
        &["sources"],
        &["adapters"],
        &["compact"],
        &["snapshot"],
        &["fsck"],
        &["report", "weekly"],
        &["query", "SELECT * FROM sessions"],
        &["prune", "--before", "2020-01-01"],
        &["prune", "--allow-again"],
    ] {
        let output = home.run(line);
        assert_eq!(output.status.code(), Some(0), "{line:?}: {}{}", out(&output), err(&output));
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_read_of_history_is_not_taken_for_a_whole_one() {
    let interrupted = |line: &[&str]| {
        let home = Home::new();
        // A pipe among the logs would not do: it is not read. So there is work for some time.
        let text = session("s", 5_000);
        for n in 0..6 {
            append(&home.claude("-home-u-shop", &format!("s{n}")), &text.replace("\"s\"", &format!("\"s{n}\"")));
        }
        let mut command: Command = home.command(line);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // The lock is taken after the handler stands and before the first line is read.
        wait_for("the writer", || home.lake().join(".lock").exists() || child.try_wait().unwrap().is_some());
        let pid = rustix::process::Pid::from_child(&child);
        let sent = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let output = child.wait_with_output().unwrap();
        (sent.is_ok(), output)
    };
    for line in [&["backfill"][..], &["ingest", "--once"]] {
        let (sent, output) = interrupted(line);
        if !sent {
            eprintln!("skipped: {line:?} was done before it could be interrupted");
            continue;
        }
        assert_eq!(output.status.code(), Some(130), "{line:?}: {}{}", out(&output), err(&output));
    }
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s"), &session("s", 3));
    assert_eq!(home.ingest(&[]).stop().code(), Some(0), "a signal is how following ends");
}
