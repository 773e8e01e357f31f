//! Who asks gets a whole answer, or hears why not: whatever state the process that answers is in.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::home::{Home, append, prompt, session, stamp, wait_for};

const COUNT: [&str; 4] = ["query", "--format", "csv", "SELECT count(*) AS n FROM events"];

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Kills a process when it goes, stopped or not.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A home with one session of `turns` turns.
fn home(turns: u32) -> Home {
    let home = Home::new();
    fs::write(home.claude("-shop", "s"), session("s", turns)).unwrap();
    home
}

/// Processes with `parent` as their parent.
fn children(parent: u32) -> Vec<u32> {
    let path = format!("/proc/{parent}/task");
    let threads = fs::read_dir(path).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}

/// A file of `megabytes` of prompts.
fn much(home: &Home, name: &str, megabytes: u32) {
    let text = "what the user said ".repeat(500);
    let lines: String = (0..megabytes * 100).map(|n| prompt(name, n, &format!("{n} {text}"))).collect();
    fs::write(home.claude("-much", name), lines).unwrap();
}

#[test]
fn now_and_today_are_answered_here_and_by_a_daemon() {
    let home = home(2);
    let ask = || {
        let sql = "SELECT count(*) AS n FROM events WHERE ts <= now() AND local_date(ts) <= current_date \
                   AND today() = current_date AND current_timestamp = now()";
        home.number(sql)
    };
    let alone = ask();
    let _daemon = home.ingest(&[]);
    assert_eq!((alone, ask()), (4, 4));
    let day =
        ["--timezone", "Pacific/Kiritimati", "query", "--format", "csv", "SELECT current_date = local_date(now())"];
    assert!(home.ok(&day).contains("true"));
}

#[test]
fn each_family_of_functions_answers() {
    let home = home(2);
    let _daemon = home.ingest(&[]);
    for (sql, value) in [
        ("SELECT upper('a') AS v", "A"),
        ("SELECT round(2.5) AS v", "3.0"),
        ("SELECT date_trunc('month', TIMESTAMP '2026-03-15') AS v", "2026-03-01"),
        ("SELECT array_length([1, 2]) AS v", "2"),
        ("SELECT map_keys(MAP {'a': 1})[1] AS v", "a"),
        ("SELECT named_struct('a', 7)['a'] AS v", "7"),
        ("SELECT regexp_replace('abc', 'b', 'x') AS v", "axc"),
        ("SELECT encode('a', 'hex') AS v", "61"),
        ("SELECT '{\"a\": 1}'->>'a' AS v", "1"),
        ("SELECT median(x) AS v FROM generate_series(1, 3) AS g(x)", "2"),
        ("SELECT max(n) AS v FROM (SELECT row_number() OVER (ORDER BY ts) AS n FROM events)", "4"),
        ("SELECT text_list(agent) AS v FROM events", "claude"),
    ] {
        let text = home.ok(&["query", "--format", "csv", sql]);
        assert!(text.lines().nth(1).unwrap().contains(value), "{sql}: {text}");
    }
}

#[test]
fn sixty_queries_at_once_beside_silent_connections_all_get_the_answer() {
    let home = home(5);
    let _daemon = home.ingest(&[]);
    let connect = |_| UnixStream::connect(home.devlog_home().join("devlog.sock")).unwrap();
    let _silent: Vec<UnixStream> = (0..20).map(connect).collect();
    let start = || home.command(&COUNT).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let asking: Vec<Child> = (0..60).map(|_| start()).collect();
    for child in asking {
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), "n\n10\n"), "{}", err(&output));
    }
}

#[test]
fn a_daemon_whose_socket_or_home_is_gone_ends_at_a_signal() {
    for what in ["socket", "home"] {
        let home = home(1);
        let mut daemon = home.ingest(&[]);
        match what {
            "socket" => fs::remove_file(home.devlog_home().join("devlog.sock")).unwrap(),
            _ => fs::rename(home.devlog_home(), home.path().join("elsewhere")).unwrap(),
        }
        signal(&daemon.child, Signal::TERM);
        wait_for("the end of the daemon", || daemon.child.try_wait().unwrap().is_some());
    }
}

#[test]
fn a_reader_that_pauses_gets_its_whole_answer() {
    let home = Home::new();
    much(&home, "s", 12);
    let _daemon = home.ingest(&[]);
    wait_for("the rows", || home.number("SELECT count(*) AS n FROM events") == 1_200);
    let sql = ["query", "--format", "ndjson", "SELECT * FROM events"];
    let mut reader = home.command(&sql).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    // Longer than any patience with those who say nothing.
    std::thread::sleep(Duration::from_secs(12));
    assert_eq!(lines.map(Result::unwrap).count(), 1_199);
    let output = reader.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", err(&output));
}

#[test]
fn a_reader_that_leaves_ends_the_process_that_works_for_it() {
    let home = home(1);
    let daemon = home.ingest(&[]);
    let endless = "SELECT count(*) FROM generate_series(1, 100000000000) a CROSS JOIN generate_series(1, 1000000) b";
    let mut asking = home.command(&["query", endless]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let pid = daemon.child.id();
    wait_for("a worker", || !children(pid).is_empty());
    let busy = children(pid);
    asking.kill().unwrap();
    asking.wait().unwrap();
    wait_for("the end of the work", || children(pid).iter().all(|child| !busy.contains(child)));
    assert_eq!(home.number("SELECT count(*) AS n FROM events"), 2);
}

#[test]
fn workers_end_with_a_daemon_that_is_killed() {
    let home = home(1);
    let daemon = home.ingest(&[]);
    let endless = "SELECT count(*) FROM generate_series(1, 100000000000) a CROSS JOIN generate_series(1, 1000000) b";
    let asking = home.command(&["query", endless]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let _asking = Killed(asking);
    let pid = daemon.child.id();
    wait_for("a worker", || !children(pid).is_empty());
    let busy = children(pid);
    daemon.kill();
    let is_gone = |pid: &u32| {
        let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z")
    };
    wait_for("the end of its workers", || busy.iter().all(is_gone));
}

#[test]
fn a_stopped_daemon_is_left_alone_and_the_logs_are_read_here() {
    let home = home(3);
    let daemon = home.ingest(&[]);
    assert_eq!(home.number("SELECT count(*) AS n FROM events"), 6);
    signal(&daemon.child, Signal::STOP);
    let begun = Instant::now();
    let output = home.run(&COUNT);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), "n\n6\n"), "{}", err(&output));
    assert!(err(&output).contains("no sign of life"), "{}", err(&output));
    let report = home.run(&["report", "daily", "--json"]);
    assert!(report.status.success() && out(&report).contains("\"rows\""), "{}", err(&report));
    let status = home.ok(&["status"]);
    assert!(status.contains("cannot be asked"), "{status}");
    assert!(begun.elapsed() < Duration::from_secs(60), "each waits for seconds only");
}

#[test]
fn a_daemon_that_cannot_start_a_process_lets_others_look_themselves() {
    let home = home(3);
    let daemon = home.ingest(&[]);
    wait_for("the rows", || home.durable_number("SELECT count(*) AS n FROM events") == 6);
    // One more open file, for the client: none for the line to a worker.
    let pid = daemon.child.id();
    let limit = format!("--nofile={}", fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() + 1);
    let limited = std::process::Command::new("prlimit").args([format!("--pid={pid}"), limit]).status();
    if !limited.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no prlimit");
        return;
    }
    let output = home.run(&COUNT);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), "n\n6\n"), "{}", err(&output));
}

#[test]
fn a_time_limit_holds_in_planning_in_constants_and_in_one_long_call() {
    let home = home(1);
    let arrows = format!("SELECT extra{} FROM events", "->'a'".repeat(1_900));
    let doubled = "SELECT length(regexp_replace(repeat('x', 60000000), 'x', repeat('y', 16), 'g')) AS n";
    let apart = "SELECT levenshtein(repeat('ab', 60000), repeat('ba', 60000)) AS n";
    for who in ["here", "daemon"] {
        let daemon = (who == "daemon").then(|| home.ingest(&[]));
        for sql in [arrows.as_str(), doubled, apart] {
            let begun = Instant::now();
            let output = home.run(&["--memory", "128MB", "query", "--timeout", "2s", sql]);
            let text = err(&output);
            assert_eq!(output.status.code(), Some(2), "{who}: {text}");
            assert!(text.contains("no answer within 2 s") || text.contains("more memory"), "{who}: {text}");
            assert!(begun.elapsed() < Duration::from_secs(30), "{who}: {:?}", begun.elapsed());
        }
        if let Some(daemon) = &daemon {
            let pid = daemon.child.id();
            wait_for("the end of the work", || children(pid).len() <= 2);
        }
        assert_eq!(home.number("SELECT count(*) AS n FROM events"), 2);
    }
}

#[test]
fn a_memory_limit_holds_in_one_call_of_a_function() {
    let home = home(1);
    let sql = "SELECT length(regexp_replace(repeat('x', 60000000), 'x', repeat('y', 40), 'g')) AS n";
    for who in ["here", "daemon"] {
        let _daemon = (who == "daemon").then(|| home.ingest(&["--memory", "128MB"]));
        let output = home.run(&["--memory", "128MB", "query", sql]);
        let text = err(&output);
        assert_eq!(output.status.code(), Some(2), "{who}: {text}");
        assert!(text.contains("needs more memory than it may use"), "{who}: {text}");
    }
}

#[test]
fn a_file_that_was_named_as_output_is_not_left_half_written_at_the_limit() {
    let home = home(1);
    let path = home.path().join("answer.csv");
    let sql = "SELECT levenshtein(repeat('ab', 90000), repeat('ba', 90000)) AS n";
    let output = home.run(&["query", "--timeout", "1s", "-o", path.to_str().unwrap(), sql]);
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    let left =
        fs::read_dir(home.path()).unwrap().flatten().filter(|f| f.file_name().to_string_lossy().contains("answer"));
    assert_eq!(left.count(), 0);
}

#[test]
fn four_reports_at_once_on_a_new_home_are_all_whole() {
    let home = Home::new();
    for name in ["a", "b", "c"] {
        much(&home, name, 8);
    }
    let start = || {
        let args = ["report", "daily", "--json"];
        home.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let asking: Vec<Child> = (0..4).map(|_| start()).collect();
    let mut totals = Vec::new();
    for child in asking {
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", err(&output));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["complete"], true, "{report}");
        assert_eq!(report["incomplete_because"], Value::Array(Vec::new()));
        totals.push(report["total"].clone());
    }
    assert!(totals.iter().all(|total| *total == totals[0] && !total.is_null()), "{totals:?}");
}

#[test]
fn a_daemon_that_catches_up_is_waited_for_and_says_what_it_lacks() {
    let home = Home::new();
    for name in ["a", "b", "c", "d"] {
        much(&home, name, 12);
    }
    let _daemon = home.ingest(&["--quiet"]);
    let output = home.run(&COUNT);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let is_whole = out(&output) == "n\n4800\n";
    assert!(is_whole || err(&output).contains("still catching up"), "{}{}", out(&output), err(&output));
    wait_for("all rows", || home.number("SELECT count(*) AS n FROM events") == 4_800);
    let report = home.ok(&["report", "daily", "--json"]);
    assert!(report.contains("\"complete\": true"), "{report}");
}

#[test]
fn a_log_that_cannot_be_read_is_told_with_the_answer_here_and_by_a_daemon() {
    let home = home(2);
    let broken = home.claude("-shop", "broken");
    fs::write(&broken, session("broken", 1)).unwrap();
    fs::set_permissions(&broken, std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    let local: Value = serde_json::from_str(&home.ok(&["report", "daily", "--json"])).unwrap();
    if local["complete"] == true {
        eprintln!("skipped: this user may read everything");
        return;
    }
    for who in ["here", "daemon"] {
        let _daemon = (who == "daemon").then(|| home.ingest(&[]));
        let output = home.run(&["report", "daily", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["complete"], false, "{who}: {report}");
        assert!(report["incomplete_because"][0].as_str().unwrap().contains("broken"), "{who}: {report}");
        assert!(err(&output).contains("broken"), "{who}: {}", err(&output));
    }
    fs::remove_file(&broken).unwrap();
    assert_eq!(err(&home.run(&COUNT)), "");
}

#[test]
fn a_writer_that_does_not_end_is_waited_for_for_a_while_and_then_told_of() {
    let home = home(1);
    home.ok(&["backfill"]);
    much(&home, "more", 8);
    // A backfill that is stopped holds the lock and cannot be asked.
    let writer = Killed(home.command(&["backfill"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let lock = home.lake().join(".lock");
    let holds = || fs::read_to_string(&lock).is_ok_and(|text| text.contains(&writer.0.id().to_string()));
    wait_for("the lock", holds);
    signal(&writer.0, Signal::STOP);
    let output = home.run(&["report", "daily", "--json"]);
    let text = err(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    if report["complete"] == false {
        assert!(text.contains("waiting for another devlog"), "{text}");
        assert!(report["incomplete_because"][0].as_str().unwrap().contains("another devlog"), "{report}");
        assert!(text.contains("has committed"), "{text}");
    }
}

/// A home that a user without rights may use, and its command.
fn as_nobody(home: &Home, args: &[&str], limits: &str) -> Option<Output> {
    let chmod = std::process::Command::new("chmod").args(["-R", "a+rwX"]).arg(home.path()).status();
    let binary = home.path().join("devlog");
    fs::copy(env!("CARGO_BIN_EXE_devlog"), &binary).ok()?;
    let mut command = std::process::Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c"]);
    command.arg(format!("{limits}; exec \"$0\" \"$@\"")).arg(&binary).args(args);
    command.env_clear().env("PATH", std::env::var_os("PATH")?).env("HOME", home.path()).env("TZ", "UTC");
    command.env("DEVLOG_HOME", home.path().join("nobodys")).stdin(Stdio::null());
    chmod.is_ok_and(|status| status.success()).then(|| command.output().ok()).flatten()
}

#[test]
fn a_system_that_refuses_threads_or_memory_for_them_is_an_error_not_a_hang() {
    let home = home(1);
    let ask = COUNT;
    for limits in ["ulimit -u 2", "ulimit -u 3", "ulimit -u 5", "ulimit -v 220000", "ulimit -v 260000"] {
        let Some(output) = as_nobody(&home, &ask, limits) else {
            eprintln!("skipped: no setpriv");
            return;
        };
        let text = err(&output);
        let code = output.status.code();
        assert!(code == Some(0) || code == Some(2), "{limits}: {code:?} {text}");
        assert!(!text.contains("panicked"), "{limits}: {text}");
        assert!(code != Some(0) || out(&output) == "n\n2\n", "{limits}: {}{text}", out(&output));
    }
}

#[test]
fn a_pipe_that_breaks_is_success_only_when_it_is_stdout() {
    let home = home(400);
    let _daemon = home.ingest(&[]);
    let args = ["query", "--format", "ndjson", "SELECT a.* FROM events a CROSS JOIN events b LIMIT 200000"];
    let mut reader = home.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 16];
    reader.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = reader.wait_with_output().unwrap();
    assert_eq!((output.status.code(), err(&output).as_str()), (Some(0), ""));
}

#[test]
fn a_daemon_that_dies_in_the_middle_of_an_answer_is_a_failure() {
    let home = Home::new();
    much(&home, "s", 12);
    let daemon = home.ingest(&[]);
    wait_for("the rows", || home.number("SELECT count(*) AS n FROM events") == 1_200);
    let sql = ["query", "--format", "ndjson", "SELECT a.* FROM events a CROSS JOIN events b LIMIT 60000"];
    let mut reader = home.command(&sql).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    daemon.kill();
    let rows = 1 + lines.map_while(Result::ok).count();
    let output = reader.wait_with_output().unwrap();
    assert!(rows < 60_000, "the answer is larger than what waits between two processes");
    assert_eq!(output.status.code(), Some(2), "{}", err(&output));
    // The next one finds no daemon and looks itself.
    append(&home.claude("-shop", "t"), &prompt("t", 1, &format!("later than {}", stamp(1))));
    assert_eq!(home.number("SELECT count(*) AS n FROM events"), 1_201);
}

#[test]
fn a_daemon_answers_for_its_own_lake_only_and_leaves_another_to_whoever_asks() {
    let home = home(2);
    let daemon = home.ingest(&[]);
    let count = |lake: &str| {
        let args = [&["--lake", lake][..], &COUNT[..], &["--no-sync"]].concat();
        out(&home.run(&args))
    };
    assert!(home.ok(&COUNT).contains("4"));
    let other = home.path().join("other");
    let other = other.to_str().unwrap();
    // Another lake, made from other logs.
    let logs = home.path().join("logs");
    fs::create_dir_all(&logs).unwrap();
    fs::write(logs.join("x.jsonl"), session("x", 10)).unwrap();
    home.ok(&["--lake", other, "backfill", "--agent", "claude", "--path", logs.to_str().unwrap()]);
    assert_eq!(count(other), "n\n20\n");
    let both = [&["--lake", other][..], &COUNT[..]].concat();
    assert_eq!(out(&home.run(&both)), "n\n24\n", "its own rows, and the logs of this machine");
    let status = out(&home.run(&["--lake", other, "status", "--json"]));
    assert!(serde_json::from_str::<Value>(&status).unwrap()["daemon"].is_null(), "{status}");
    // Two follow side by side, and each is asked for its own.
    let second = Killed(home.command(&["--lake", other, "ingest"]).stderr(Stdio::null()).spawn().unwrap());
    wait_for("the second daemon", || {
        let status = out(&home.run(&["--lake", other, "status", "--json"]));
        serde_json::from_str::<Value>(&status).is_ok_and(|status| !status["daemon"].is_null())
    });
    fs::write(home.claude("-shop", "late"), session("late", 1)).unwrap();
    wait_for("the row in the first", || home.ok(&COUNT) == "n\n6\n");
    wait_for("the row in the second", || out(&home.run(&both)) == "n\n26\n");
    drop(second);
    assert!(daemon.stop().success());
}
