//! Memory: what is in the budget is not only rows. Bounds are generous; what breaks them grows without end.

use std::fs::File;
use std::io::{BufWriter, Write as _};

use rustix::process::Signal;

use super::harness::{Figure, Outcome, Trial};
use super::home::{EVENTS, Home, wait_for};
use super::logs::{append, noise, prompt, session};

pub fn long_bad_lines_stay_within_the_memory_budget(trial: &Trial) -> Outcome {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    let lines = trial.count(20_000, 100_000);
    let mut file = BufWriter::new(File::create(&log).unwrap());
    let text = noise(1, 4000);
    (0..lines).for_each(|n| writeln!(file, "{{bad {n} {text}").unwrap());
    drop(file);
    let answer = home.run(&["backfill", "--memory", "64MB"]);
    let peak = answer.peak_kib >> 10;
    trial.figure("long bad lines with --memory 64MB", Figure::trials(1).note(format!("peak {peak} MB")));
    assert_eq!(answer.code, Some(0), "{}", answer.text());
    assert!(peak < 240, "peak {peak} MB of --memory 64MB");
    Outcome::Held
}

pub fn many_files_that_grow_at_once_stay_within_bounds(trial: &Trial) -> Outcome {
    let home = Home::new();
    let files = trial.count(300, 3000);
    for n in 0..files {
        let id = format!("s{n}");
        append(&home.claude(&format!("-home-u-p{}", n % 20), &id), session(&id, 1));
    }
    let daemon = home.ingest(&["--memory", "64MB", "--flush-interval", "200ms"]);
    let rows = |more: usize| i64::try_from(files * (2 + more)).unwrap();
    wait_for("all rows", || home.number(EVENTS) == rows(0));
    for n in 0..files {
        let id = format!("s{n}");
        append(&home.claude(&format!("-home-u-p{}", n % 20), &id), prompt(&id, 500, "more"));
    }
    wait_for("all new rows", || home.number(EVENTS) == rows(1));
    let peak = daemon.peak_kib() >> 10;
    assert_eq!(daemon.stop(Signal::TERM), Some(0));
    let note = format!("peak {peak} MB of --memory 64MB");
    trial.figure(&format!("{files} files that grow at once"), Figure::trials(1).note(note));
    assert!(peak < 256, "peak {peak} MB");
    assert_eq!(home.durable(EVENTS), rows(1));
    Outcome::Held
}

pub fn an_idle_daemon_over_very_many_small_logs_keeps_little_of_each(trial: &Trial) -> Outcome {
    let home = Home::new();
    let files = trial.count(10_000, 100_000);
    for n in 0..files {
        let id = format!("{n:08x}-1111-2222-3333-444455556666");
        append(&home.claude(&format!("-home-u-projects-p{}", n % 100), &id), prompt(&id, n % 1000, "hello"));
    }
    home.ok(&["backfill"]);
    let daemon = home.ingest(&[]);
    wait_for("an answer", || home.number(EVENTS) == i64::try_from(files).unwrap());
    let (peak, now) = (daemon.peak_kib() >> 10, daemon.resident_kib() >> 10);
    assert_eq!(daemon.stop(Signal::TERM), Some(0));
    let note = format!("{now} MB, peak {peak} MB");
    trial.figure(&format!("an idle daemon over {files} small logs"), Figure::trials(1).note(note));
    // The program itself, and 1.2 kB a log.
    assert!(now < 60 + files as u64 * 12 / 10_000, "{now} MB");
    Outcome::Held
}

pub fn merging_files_with_rows_of_forty_megabytes_stays_within_the_memory_budget(trial: &Trial) -> Outcome {
    let home = Home::new();
    let files = trial.count(5, 16);
    for n in 0..files {
        let id = format!("s{n}");
        let log = home.claude("-home-u-shop", &id);
        append(&log, session(&id, 20));
        // Between the rows of all other files.
        append(&log, prompt(&id, 95, &noise(n, 40 << 20)));
        append(&log, prompt(&id, 500, "short again"));
        home.ok(&["backfill"]);
    }
    let content = "SELECT count(*) + sum(length(text)) FROM events";
    let before = home.durable(content);
    let answer = home.run(&["compact", "--memory", "256MB"]);
    let peak = answer.peak_kib >> 10;
    let note = format!("peak {peak} MB of --memory 256MB");
    trial.figure(&format!("compact of {files} files, each with a row of 40 MB"), Figure::trials(1).note(note));
    assert_eq!(answer.code, Some(0), "{}", answer.text());
    assert!(answer.text().contains(" became "), "files were merged: {}", answer.text());
    assert!(peak <= 256, "peak {peak} MB");
    assert_eq!(home.durable(content), before);
    home.ok(&["fsck"]);
    Outcome::Held
}
