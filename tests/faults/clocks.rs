//! Clocks that jump, odd zones, and events of the far past and future.

use std::fs;
use std::path::PathBuf;

use super::commands::DISTINCT;
use super::harness::{Figure, Outcome, Trial, need};
use super::home::{Answer, EVENTS, Home, STUCK, bounded};
use super::logs::{append, prompt_at};

pub const COMMANDS: [&[&str]; 4] = [&["backfill"], &["ingest", "--once"], &["query", EVENTS], &["compact"]];

/// The library that makes a process see another time, if it is installed and devlog runs with it.
pub fn library() -> Result<PathBuf, Outcome> {
    let places =
        ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/local/lib"];
    let files = places.iter().map(|place| PathBuf::from(place).join("faketime/libfaketime.so.1"));
    let found = files.into_iter().find(|path| path.exists());
    found.ok_or_else(|| Outcome::Skipped("libfaketime is not installed".to_owned()))
}

/// Runs devlog at another time, such as `+400d`.
pub fn at(home: &Home, library: &PathBuf, when: &str, args: &[&str]) -> Answer {
    let mut command = home.command(args);
    command.env("LD_PRELOAD", library).env("FAKETIME", when).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    bounded(command, STUCK)
}

pub fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

pub fn a_clock_that_jumped_ahead_deletes_nothing_and_keeps_new_rows(trial: &Trial) -> Outcome {
    let library = need!(library());
    let mut figure = Figure::default();
    for jump in ["+500d", "+1100d", "+8000y"] {
        let home = Home::new();
        let log = home.claude("-home-u-shop", "s1");
        (0..3).for_each(|n| append(&log, prompt_at(&now(), "s1", n, "hello")));
        home.ok(&["backfill"]);
        append(&home.devlog().join("config.toml"), "retention = \"400d\"\n");
        let ahead = at(&home, &library, jump, &["ingest", "--once"]);
        assert!(!ahead.panicked() && !ahead.stuck, "{jump}: {}", ahead.text());
        figure.trials += 1;
        assert_eq!(home.durable(EVENTS), 3, "{jump}: rows deleted because of a clock: {}", ahead.text());
        append(&log, prompt_at(&now(), "s1", 9, "when the clock is right again"));
        home.ok(&["ingest", "--once"]);
        assert_eq!(home.durable(EVENTS), 4, "{jump}: a new row is dropped");
    }
    trial.figure("clocks that jump, with retention", figure);
    Outcome::Held
}

pub fn retention_still_deletes_what_is_old(trial: &Trial) -> Outcome {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, prompt_at("2020-01-01T00:00:00.000Z", "s1", 1, "old"));
    append(&log, prompt_at(&now(), "s1", 2, "new"));
    fs::create_dir_all(home.devlog()).unwrap();
    append(&home.devlog().join("config.toml"), "retention = \"400d\"\n");
    home.ok(&["ingest", "--once"]);
    assert_eq!(home.durable(EVENTS), 1);
    trial.figure("clocks that jump, with retention", Figure::trials(1));
    Outcome::Held
}

pub fn a_clock_that_jumps_between_runs_loses_and_doubles_nothing(trial: &Trial) -> Outcome {
    let library = need!(library());
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    let jumps = ["-50y", "-30y", "-400d", "-1d", "-1h", "+1h", "+1d", "+400d", "+12y", "+100y", "+8000y"];
    let mut random = trial.random();
    let trials = trial.count(8, 60);
    for n in 0..trials {
        append(&log, prompt_at(&now(), "s1", n, "hello"));
        let jump = *random.pick(&jumps);
        let args = *random.pick(&COMMANDS);
        let answer = at(&home, &library, jump, args);
        assert!(!answer.panicked() && !answer.stuck, "{jump} {args:?}: {}", answer.text());
    }
    right_again(&home, trials);
    trial.figure("clocks that jump between runs", Figure::trials(trials));
    Outcome::Held
}

pub fn right_again(home: &Home, rows: usize) {
    let rows = i64::try_from(rows).unwrap();
    home.ok(&["backfill"]);
    assert_eq!((home.durable(EVENTS), home.durable(DISTINCT)), (rows, rows));
    home.ok(&["fsck"]);
}

pub fn odd_zones_are_used_or_named(trial: &Trial) -> Outcome {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), prompt_at(&now(), "s1", 1, "hello"));
    let zones =
        ["", "UTC", "Europe/Berlin", "Nowhere/Land", "CET-1CEST", ":/etc/localtime", "../../etc/passwd", "UTC+25"];
    for zone in zones {
        let mut command = home.command(&["report", "daily"]);
        command.env("TZ", zone);
        let answer = bounded(command, STUCK);
        let fine = answer.code == Some(0) && answer.out.contains("20");
        assert!(fine || answer.refused(), "TZ={zone}: {}", answer.text());
    }
    trial.figure("odd zones", Figure::trials(zones.len()));
    Outcome::Held
}
