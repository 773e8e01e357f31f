//! Commands that change the lake, killed or asked to end at any moment: the next run finishes the work.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::harness::{Figure, Outcome, Trial};
use super::home::{EVENTS, Home, STUCK, ended};
use super::logs::{append, home_with_parts, session, turn};
use super::random::Random;

pub const DISTINCT: &str = "SELECT count(DISTINCT event_id) FROM events";

/// Runs a command and kills it at a random moment of the time it takes.
pub fn kill_within(home: &Home, args: &[&str], takes: Duration, random: &mut Random) {
    let mut child = home.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(takes.mul_f64(random.below(1100) as f64 / 1000.0));
    let _ = child.kill();
    child.wait().unwrap();
}

/// How long a command takes when nobody disturbs it.
pub fn measured(home: &Home, args: &[&str]) -> Duration {
    let began = Instant::now();
    home.ok(args);
    began.elapsed()
}

/// Rows, and rows of the session that is pruned.
fn counted(home: &Home) -> (i64, i64) {
    (home.durable(EVENTS), home.durable("SELECT count(*) FROM events WHERE session_id = 's2'"))
}

/// Kills `args` in copies of a home. Then, and after an undisturbed second run, the rows must be among `allowed`.
fn killed(trial: &Trial, template: &Home, args: &[&str], allowed: &[(i64, i64)], at_last: (i64, i64)) {
    let mut random = trial.random();
    let takes = measured(&template.copy(), args);
    let trials = trial.count(5, 60);
    let mut figure = Figure::trials(trials);
    for _ in 0..trials {
        let home = template.copy();
        kill_within(&home, args, takes, &mut random);
        let seen = counted(&home);
        assert!(allowed.contains(&seen), "{args:?} left {seen:?} of {allowed:?}");
        let again = home.run(args);
        // 1: there is nothing left to prune.
        assert!(matches!(again.code, Some(0 | 1)), "a second {args:?}: {}", again.text());
        let seen = counted(&home);
        figure.lost += usize::from(seen.0 < at_last.0);
        figure.doubled += usize::try_from(home.durable(EVENTS) - home.durable(DISTINCT)).unwrap();
        assert_eq!(seen, at_last, "after a second {args:?}");
        home.ok(&["fsck"]);
    }
    trial.figure(&format!("kill -9 of {}", args[..args.len().min(2)].join(" ").replace(" --session", "")), figure);
}

pub fn a_killed_merge_leaves_every_row_once(trial: &Trial) -> Outcome {
    let template = home_with_parts(16);
    let all = counted(&template);
    killed(trial, &template, &["compact"], &[all], all);
    Outcome::Held
}

pub fn a_killed_prune_has_taken_all_rows_or_none_and_they_do_not_come_back(trial: &Trial) -> Outcome {
    let template = home_with_parts(16);
    let (all, of_it) = counted(&template);
    let args = ["prune", "--session", "s2", "--yes"];
    killed(trial, &template, &args, &[(all, of_it), (all - of_it, 0)], (all - of_it, 0));
    template.ok(&args);
    append(&template.claude("-home-u-other", "s2"), session("s2", 1));
    template.ok(&["backfill"]);
    assert_eq!(counted(&template), (all - of_it, 0));
    Outcome::Held
}

pub fn a_killed_check_or_rebuild_leaves_every_row_once(trial: &Trial) -> Outcome {
    let template = home_with_parts(12);
    let all = counted(&template);
    killed(trial, &template, &["fsck"], &[all], all);
    let mut random = trial.random();
    let rebuild = ["fsck", "--rebuild-from-footers"];
    let takes = measured(&template.copy(), &rebuild);
    let trials = trial.count(8, 60);
    let mut figure = Figure::trials(trials);
    for _ in 0..trials {
        let home = template.copy();
        kill_within(&home, &rebuild, takes, &mut random);
        home.ok(&rebuild);
        home.ok(&["backfill"]);
        assert_eq!(counted(&home), all);
        figure.doubled += usize::try_from(home.durable(EVENTS) - home.durable(DISTINCT)).unwrap();
        home.ok(&["fsck"]);
    }
    trial.figure("kill -9 of fsck --rebuild-from-footers", figure);
    Outcome::Held
}

pub fn a_killed_backfill_goes_on_where_it_stopped(trial: &Trial) -> Outcome {
    let logs = Home::new();
    for n in 0..12 {
        let id = format!("s{n}");
        append(&logs.claude("-home-u-shop", &id), session(&id, 150));
    }
    let args = ["backfill", "--memory", "16MB"];
    let mut random = trial.random();
    let takes = measured(&logs.copy(), &args);
    let (trials, home) = (trial.count(10, 60), logs.copy());
    for _ in 0..trials {
        kill_within(&home, &args, takes, &mut random);
    }
    let figure = home.compare_with_undisturbed();
    assert_eq!((figure.lost, figure.doubled), (0, 0));
    trial.figure("kill -9 of backfill", Figure { trials, ..figure });
    Outcome::Held
}

pub fn a_killed_export_leaves_the_old_file_or_the_whole_new_one(trial: &Trial) -> Outcome {
    let home = home_with_parts(6);
    let file = home.path().join("out.csv");
    let args = ["export", "events", "--force", "-o", file.to_str().unwrap()];
    let mut random = trial.random();
    let takes = measured(&home, &args);
    let whole = fs::read(&file).unwrap();
    let trials = trial.count(8, 60);
    for _ in 0..trials {
        kill_within(&home, &args, takes, &mut random);
        assert_eq!(fs::read(&file).unwrap().len(), whole.len(), "an export is whole or not there");
    }
    trial.figure("kill -9 of export", Figure::trials(trials));
    Outcome::Held
}

pub fn a_signal_at_any_moment_ends_ingest_and_backfill_and_loses_nothing(trial: &Trial) -> Outcome {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    let mut random = trial.random();
    let trials = trial.count(14, 100);
    let (mut figure, mut early, mut slowest) = (Figure::trials(trials), 0, Duration::ZERO);
    for n in 0..trials {
        append(&log, (0..40).map(|k| turn("s1", n * 40 + k)).collect::<String>());
        let signal = if n % 2 == 0 { Signal::TERM } else { Signal::INT };
        let args: &[&str] = if n % 3 == 0 { &["backfill"] } else { &["ingest", "--flush-interval", "40ms"] };
        let mut child = home.command(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(random.below(250) as u64));
        let asked = Instant::now();
        if child.try_wait().unwrap().is_none() {
            kill_process(Pid::from_child(&child), signal).unwrap();
        }
        match ended(&mut child, STUCK) {
            Some(status) => match status.code() {
                Some(code) => assert!([0, 130, 143].contains(&code), "{args:?} ended with {code}"),
                None => early += 1,
            },
            None => figure.stuck += 1,
        }
        slowest = slowest.max(asked.elapsed());
    }
    let compared = home.compare_with_undisturbed();
    figure = Figure { lost: compared.lost, doubled: compared.doubled, ..figure };
    let note = format!("{early} ended before they listened; slowest end {:.1} s", slowest.as_secs_f32());
    trial.figure("SIGTERM, SIGINT at a random moment", figure.clone().note(note));
    assert_eq!((figure.lost, figure.doubled, figure.stuck), (0, 0, 0));
    Outcome::Held
}

pub fn an_older_copy_of_the_home_is_exact_after_one_backfill(trial: &Trial) -> Outcome {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, session("s1", 5));
    let daemon = home.ingest(&["--flush-interval", "20ms"]);
    let trials = trial.count(4, 40);
    let mut random: Random = trial.random();
    let mut copies = Vec::new();
    for n in 0..trials {
        append(&log, session(&format!("t{n}"), 2));
        std::thread::sleep(std::time::Duration::from_millis(random.below(60) as u64));
        let copy = tempfile::Builder::new().prefix("devlog-faults-").tempdir().unwrap();
        // Files that vanish while they are copied are merged away; cp says so and goes on.
        super::home::works("cp", &["-r", &format!("{}/.", home.lake().display()), copy.path().to_str().unwrap()]);
        copies.push(copy);
    }
    daemon.kill();
    let mut figure = Figure::trials(trials);
    for copy in copies {
        fs::remove_dir_all(home.devlog()).unwrap();
        fs::create_dir(home.devlog()).unwrap();
        fs::rename(copy.path(), home.lake()).unwrap();
        fs::create_dir(copy.path()).unwrap();
        let compared = home.compare_with_undisturbed();
        figure.lost += compared.lost;
        figure.doubled += compared.doubled;
    }
    trial.figure("a copy of the home, made while it writes, restored", figure.clone());
    assert_eq!((figure.lost, figure.doubled), (0, 0));
    Outcome::Held
}
