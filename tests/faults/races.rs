//! Readers that are slower than what they read: a whole lake is never called damaged.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Signal, kill_process_group};

use super::calls::strace;
use super::harness::{Figure, Outcome, Trial, need};
use super::home::{EVENTS, Home, listed, wait_for};
use super::logs::{append, home_with_parts, turn};

/// A query that stops when it looks whether there is an entry `version`, with all that it has seen until then.
fn stopped_at(home: &Home, version: usize) -> Child {
    let entry = home.lake().join(format!("events/_delta_log/{version:020}.json"));
    let trace = home.path().join("trace");
    let calls = "statx,lstat,newfstatat,openat";
    let (traced, stop) = (format!("trace={calls}"), format!("inject={calls}:signal=SIGSTOP:when=1"));
    let (trace, entry) = (trace.to_str().unwrap(), entry.to_str().unwrap());
    let wrapper = ["strace", "-f", "-qq", "-P", entry, "-o", trace, "-e", &traced, "-e", &stop];
    let mut slow = home.wrapped(&wrapper, &["query", "--no-sync", "--format", "csv", EVENTS]);
    // A group of its own, so that it can be told to go on.
    let said = fs::File::create(home.path().join("errors")).unwrap();
    slow.process_group(0).stdout(Stdio::null()).stderr(said).spawn().unwrap()
}

pub fn a_whole_lake_is_never_called_damaged_by_a_reader_that_is_slow(trial: &Trial) -> Outcome {
    need!(strace());
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, turn("s1", 0));
    home.ok(&["--quiet", "ingest", "--once"]);
    let checkpoint = || {
        let names = listed(&home.lake().join(".state"));
        names.iter().filter_map(|path| path.file_name()?.to_str()?.strip_prefix("checkpoint-")?.parse().ok()).max()
    };
    let mut turns = 0;
    let trials = trial.count(2, 12);
    for round in 0..trials {
        // It sees no next entry, and stops at one of the looks beyond; a checkpoint of entries that it has not seen
        // is written meanwhile.
        let next = home.entries().len();
        let ahead = if round % 2 == 0 { 16 } else { 1 };
        let mut slow = stopped_at(&home, next + ahead);
        let stopped = || !fs::read(home.path().join("trace")).unwrap_or_default().is_empty();
        wait_for("the reader to stop", || stopped() || slow.try_wait().unwrap().is_some());
        while checkpoint() < Some(next) {
            turns += 1;
            append(&log, turn("s1", turns));
            home.ok(&["--quiet", "ingest", "--once"]);
        }
        // Each of its threads may stop once.
        wait_for("the reader to end", || {
            let _ = kill_process_group(Pid::from_child(&slow), Signal::CONT);
            slow.try_wait().unwrap().is_some()
        });
        let said = fs::read_to_string(home.path().join("errors")).unwrap();
        assert!(slow.wait().unwrap().success(), "a whole lake is called damaged: {said}");
    }
    home.ok(&["fsck"]);
    trial.figure("slow readers beside a writer that makes checkpoints", Figure::trials(trials));
    Outcome::Held
}

pub fn readers_beside_prunes_and_merges_are_answered_and_the_lake_is_never_called_damaged(trial: &Trial) -> Outcome {
    let home = home_with_parts(16);
    let rounds = trial.count(6, 60);
    let (mut figure, mut broken) = (Figure::default(), Vec::new());
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let read = |args: &'static [&'static str]| {
            let (home, stop) = (&home, &stop);
            move || {
                let mut seen = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let answer = home.run(args);
                    seen.push((answer.code, answer.text()));
                }
                seen
            }
        };
        let readers = [
            scope.spawn(read(&["query", "--no-sync", "--format", "csv", "SELECT count(*), max(text) FROM events"])),
            scope.spawn(read(&["fsck"])),
        ];
        for n in 0..rounds {
            append(&home.claude("-home-u-more", &format!("p{n}")), super::logs::session(&format!("p{n}"), 3));
            home.ok(&["--quiet", "ingest", "--once"]);
            home.ok(&["prune", "--session", &format!("p{n}"), "--yes"]);
            if n % 2 == 0 {
                home.ok(&["compact"]);
            }
        }
        stop.store(true, Ordering::Relaxed);
        for reader in readers {
            for (code, text) in reader.join().unwrap() {
                figure.trials += 1;
                if code != Some(0) {
                    broken.push(text);
                }
            }
        }
    });
    figure.lost = broken.len();
    let trials = figure.trials;
    trial.figure("queries and fsck beside prune and compact", figure);
    assert!(broken.is_empty(), "{} of {trials}; the first: {}", broken.len(), broken[0]);
    assert_eq!(home.durable(EVENTS), 320);
    Outcome::Held
}
