//! Clients and a running `ingest` that does not answer, is behind, is stopped, or lost its socket.

use std::fs;
use std::io::Read as _;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::calls::strace;
use super::commands::DISTINCT;
use super::harness::{Figure, Outcome, Trial, need};
use super::home::{Answer, EVENTS, Home, STUCK, bounded, ended, wait_for};
use super::logs::{append, home_with_parts, noise, prompt, session};

fn small_home() -> Home {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), session("s1", 2));
    home
}

const QUERY: [&str; 4] = ["query", "--format", "csv", EVENTS];

/// Success means an answer.
fn must_answer(answer: &Answer, rows: i64) {
    assert!(!answer.stuck && !answer.panicked(), "{}", answer.text());
    let right = answer.code == Some(0) && answer.number() == Some(rows);
    assert!(right || answer.refused(), "neither an answer nor a reason: {}", answer.text());
}

pub fn a_query_whose_daemon_dies_never_succeeds_with_nothing(trial: &Trial) -> Outcome {
    let home = home_with_parts(2);
    let mut random = trial.random();
    let trials = trial.count(5, 60);
    for _ in 0..trials {
        let daemon = home.ingest(&[]);
        std::thread::scope(|scope| {
            let asking: Vec<_> = (0..3).map(|_| scope.spawn(|| home.run(&QUERY))).collect();
            std::thread::sleep(Duration::from_millis(random.below(60) as u64));
            daemon.kill();
            asking.into_iter().for_each(|thread| must_answer(&thread.join().unwrap(), 40));
        });
    }
    trial.figure("kill -9 of a daemon that is being asked", Figure::trials(3 * trials));
    Outcome::Held
}

pub fn a_query_that_finds_no_seat_never_succeeds_with_nothing(trial: &Trial) -> Outcome {
    let home = small_home();
    let daemon = home.ingest(&[]);
    wait_for("its rows", || home.number(EVENTS) == 4);
    // Clients that came and say nothing take all seats.
    let idle: Vec<_> = (0..16).map(|_| UnixStream::connect(home.devlog().join("devlog.sock")).unwrap()).collect();
    let trials = trial.count(12, 60);
    for _ in 0..trials {
        must_answer(&home.run(&QUERY), 4);
    }
    drop(idle);
    let many = trial.count(30, 240);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let asked: Vec<_> = (0..many).map(|_| scope.spawn(|| home.run(&QUERY))).collect();
        asked.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    answers.iter().for_each(|answer| must_answer(answer, 4));
    let refused = answers.iter().filter(|answer| answer.refused()).count();
    assert_eq!(daemon.stop(Signal::TERM), Some(0));
    let note = format!("{refused} of {many} at once were told to try again");
    trial.figure("queries at once, and beside 16 idle clients", Figure::trials(trials + many).note(note));
    Outcome::Held
}

pub fn a_daemon_that_is_behind_says_so_in_every_answer(trial: &Trial) -> Outcome {
    let home = Home::new();
    for n in 0..24 {
        let id = format!("s{n}");
        let text: String = (0..40).map(|k| prompt(&id, k, &noise(n * 1000 + k, 20_000))).collect();
        append(&home.claude("-home-u-shop", &id), text);
    }
    let rows = 24 * 40;
    let daemon = home.ingest(&["--memory", "16MB", "--quiet"]);
    let (mut short, mut asked) = (0, 0);
    let mut silent = Vec::new();
    wait_for("all rows", || {
        let answer = home.run(&QUERY);
        asked += 1;
        if answer.number() == Some(rows) || answer.code != Some(0) {
            return answer.number() == Some(rows);
        }
        short += 1;
        if answer.err.trim().is_empty() {
            silent.push(answer.number());
        }
        false
    });
    drop(daemon);
    let note = format!("{short} answers before everything was read");
    trial.figure(
        "queries while a daemon catches up",
        Figure { trials: asked, lost: silent.len(), ..Figure::default() }.note(note),
    );
    assert!(silent.is_empty(), "short answers of {rows} rows without a word: {silent:?}");
    Outcome::Held
}

pub fn a_signal_ends_a_daemon_whose_socket_is_gone(trial: &Trial) -> Outcome {
    let mut figure = Figure::default();
    for signal in [Signal::TERM, Signal::INT] {
        let home = small_home();
        let mut daemon = home.ingest(&["--flush-interval", "1h"]);
        append(&home.claude("-home-u-shop", "s1"), prompt("s1", 900, "the last words"));
        wait_for("the new row", || home.number(EVENTS) == 5);
        fs::remove_file(home.devlog().join("devlog.sock")).unwrap();
        daemon.signal(signal);
        figure.trials += 1;
        let bound = Duration::from_secs(30);
        let code = ended(&mut daemon.child, bound).map(|status| status.code());
        figure.stuck += usize::from(code.is_none());
        assert_eq!(code, Some(Some(0)), "{signal:?}: not ended after {bound:?}");
        assert_eq!(home.durable(EVENTS), 5);
    }
    trial.figure("signals when the socket is gone", figure);
    Outcome::Held
}

pub fn a_reader_that_pauses_gets_the_whole_answer(trial: &Trial) -> Outcome {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    let rows = 40_000;
    append(&log, (0..rows).map(|n| prompt("s1", n, &noise(n, 1000))).collect::<String>());
    home.ok(&["backfill"]);
    let _daemon = home.ingest(&[]);
    wait_for("an answer", || home.number(EVENTS) == i64::try_from(rows).unwrap());
    let errors = fs::File::create(home.path().join("errors")).unwrap();
    let mut command = home.command(&["query", "--format", "ndjson", "SELECT * FROM events"]);
    let mut child = command.stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut first = [0; 1000];
    out.read_exact(&mut first).unwrap();
    // Longer than a server may wait for a client that says nothing.
    std::thread::sleep(Duration::from_secs(if trial.is_long() { 30 } else { 23 }));
    let mut rest = Vec::new();
    out.read_to_end(&mut rest).unwrap();
    let code = ended(&mut child, STUCK).and_then(|status| status.code());
    let lines = rest.iter().chain(&first).filter(|byte| **byte == b'\n').count();
    let said = fs::read_to_string(home.path().join("errors")).unwrap();
    trial.figure("a reader that pauses", Figure { trials: 1, lost: rows - lines, ..Figure::default() });
    assert_eq!((lines, code), (rows, Some(0)), "{said}");
    Outcome::Held
}

pub fn clients_of_a_stopped_daemon_end_with_a_reason(trial: &Trial) -> Outcome {
    let home = small_home();
    let daemon = home.ingest(&[]);
    wait_for("an answer", || home.number(EVENTS) == 4);
    daemon.signal(Signal::STOP);
    let mut figure = Figure::default();
    let commands: [&[&str]; 3] =
        [&["query", "--timeout", "2s", "--format", "csv", EVENTS], &["report", "daily"], &["status"]];
    let answers: Vec<(&[&str], Answer)> = std::thread::scope(|scope| {
        let run = |args: &'static [&'static str]| (args, bounded(home.command(args), Duration::from_secs(100)));
        let threads: Vec<_> = commands.into_iter().map(|args| scope.spawn(move || run(args))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    daemon.signal(Signal::CONT);
    for (args, answer) in answers {
        figure.trials += 1;
        figure.stuck += usize::from(answer.stuck);
        assert!(!answer.stuck, "{args:?} waits for ever");
        // A right answer from the logs themselves is fine, with a word about where it is from.
        let right = answer.code == Some(0) && !answer.out.is_empty() && !answer.err.is_empty();
        assert!(answer.refused() || right || args[0] == "status", "{args:?}: {}", answer.text());
    }
    assert_eq!(home.number(EVENTS), 4);
    trial.figure("clients of a stopped daemon", figure);
    Outcome::Held
}

pub fn the_home_may_move_away_from_under_a_daemon(trial: &Trial) -> Outcome {
    let home = small_home();
    let daemon = home.ingest(&["--flush-interval", "50ms"]);
    wait_for("its rows", || home.durable(EVENTS) == 4);
    let away = home.path().join("moved");
    fs::rename(home.devlog(), &away).unwrap();
    let mut daemon = daemon;
    daemon.signal(Signal::TERM);
    let code = ended(&mut daemon.child, Duration::from_secs(60));
    assert!(code.is_some(), "a signal does not end a daemon whose home has moved");
    let _ = fs::remove_dir_all(home.devlog());
    fs::rename(&away, home.devlog()).unwrap();
    assert_eq!(home.number(EVENTS), 4);
    home.ok(&["fsck"]);
    trial.figure("signals when the socket is gone", Figure::trials(1));
    Outcome::Held
}

pub fn a_daemon_goes_on_after_syncs_that_failed(trial: &Trial) -> Outcome {
    need!(strace());
    let home = home_with_parts(2);
    let log = home.claude("-home-u-shop", "s1");
    let folder = home.lake().join("events/_delta_log");
    let mut daemon = home.ingest(&["--flush-interval", "50ms"]);
    let trace = home.path().join("trace");
    let mut tracer = Command::new("strace")
        .args(["-f", "-qq", "-p", &daemon.child.id().to_string(), "-P", folder.to_str().unwrap()])
        .args(["-o", trace.to_str().unwrap(), "-e", "trace=fsync", "-e", "inject=fsync:error=EIO:when=1..4"])
        .spawn()
        .unwrap();
    let failed = || fs::read_to_string(&trace).unwrap_or_default().matches("INJECTED").count();
    let mut n = 0;
    wait_for("syncs that fail", || {
        n += 1;
        append(&log, prompt("s1", 50_000 + n, "while the disk fails"));
        std::thread::sleep(Duration::from_millis(20));
        failed() >= 4 || n > 3000
    });
    tracer.kill().unwrap();
    tracer.wait().unwrap();
    assert!(failed() > 0, "no sync failed");
    append(&log, prompt("s1", 90_000, "when it is well again"));
    let expected = 40 + i64::try_from(n).unwrap() + 1;
    wait_for("everything to be durable", || {
        assert!(daemon.child.try_wait().unwrap().is_none(), "it ended: {}", home.said());
        home.durable(EVENTS) == expected
    });
    assert_eq!(daemon.stop(Signal::TERM), Some(0));
    assert_eq!(home.durable(DISTINCT), expected);
    home.ok(&["fsck"]);
    trial.figure("directory syncs that fail under a daemon", Figure::trials(1));
    Outcome::Held
}
