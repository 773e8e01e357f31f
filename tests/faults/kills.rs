//! Killed at any moment while logs grow, tear, move, and vanish: every row is there once.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::harness::{Figure, Outcome, Trial};
use super::home::{Content, Home};
use super::logs::{GEMINI, OPENCODE, OpenCode, gemini};
use super::random::Random;
use super::writer::Writer;

/// Starts devlog in one of its ways and kills it after a moment.
fn run_and_kill(home: &Home, random: &mut Random) {
    let way: &[&str] = match random.below(10) {
        0 => &["backfill", "--memory", "16MB"],
        1 => &["query", "SELECT count(*) FROM events"],
        2 => &["ingest", "--once"],
        _ => &["ingest", "--flush-interval", "30ms", "--memory", "16MB"],
    };
    let mut child = home.command(way).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(random.within(20..500) as u64));
    let _ = child.kill();
    child.wait().unwrap();
}

fn must_be_clean(what: &str, figure: &Figure, trial: &Trial) {
    assert_eq!((figure.lost, figure.doubled), (0, 0), "rows lost and doubled: {what}: {}", figure.note);
    trial.figure(what, figure.clone());
}

pub fn kill_nine_under_a_writer_that_tears_copies_moves_and_rewrites_loses_and_doubles_nothing(
    trial: &Trial,
) -> Outcome {
    let what = "kill -9 of ingest, backfill, query under a hostile writer";
    let rounds = trial.count(3, 12);
    for _ in 0..rounds {
        let home = Home::new();
        let mut random = trial.random();
        let kills = trial.count(10, 40);
        let stop = AtomicBool::new(false);
        let mut writer = Writer::new(&home, trial.random());
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| writer.work(&stop));
            (0..kills).for_each(|_| run_and_kill(&home, &mut random));
            stop.store(true, Ordering::Relaxed);
            writing.join().unwrap();
        });
        // Whose event it is that two forks have is told by the birth of their files, and files are made anew here.
        let figure = Figure { trials: kills, ..home.compare_with_undisturbed_but(&["session_id"]) };
        must_be_clean(what, &figure, trial);
        trial.figure(
            what,
            Figure::default().note(format!("{} KB of logs in the last round", size_of_logs(&home) >> 10)),
        );
    }
    Outcome::Held
}

fn size_of_logs(home: &Home) -> u64 {
    let logs = super::home::files_under(&home.path().join(".claude"));
    logs.iter().filter_map(|path| fs::metadata(path).ok()).map(|found| found.len()).sum()
}

pub fn what_was_read_stays_when_logs_are_deleted_cut_or_replaced_under_kill_nine(trial: &Trial) -> Outcome {
    let what = "kill -9 beside deletes, dropped middles, truncation, inode reuse";
    let home = Home::new();
    let mut random = trial.random();
    let mut writer = Writer::new(&home, trial.random());
    let mut seen: BTreeMap<String, serde_json::Value> = BTreeMap::new();
    let rounds = trial.count(8, 100);
    for _ in 0..rounds {
        writer.grow(12);
        run_and_kill(&home, &mut random);
        // What is durable now must outlive its log.
        home.ok(&["ingest", "--once"]);
        seen.extend(home.content().into_events());
        std::thread::scope(|scope| {
            scope.spawn(|| run_and_kill(&home, &mut random));
            (0..2).for_each(|_| writer.destroy());
        });
    }
    // Of what is left nothing is lost; of what was seen once, neither.
    let left = home.compare_with_undisturbed();
    assert_eq!(left.lost, 0, "{}", left.note);
    let found = home.content();
    seen.extend(
        found
            .events()
            .iter()
            .filter(|(id, _)| !seen.contains_key(*id))
            .map(|(id, e)| (id.clone(), e.clone()))
            .collect::<Vec<_>>(),
    );
    let figure = Figure { trials: 2 * rounds, ..found.compare(&Content::of_events(seen)) };
    must_be_clean(what, &figure, trial);
    Outcome::Held
}

/// Puts a document in its place as a whole, or writes it in place in pieces.
fn rewrite(path: &Path, text: &str, random: &mut Random) {
    if random.percent(50) {
        let beside = path.with_extension("tmp");
        fs::write(&beside, text).unwrap();
        fs::rename(&beside, path).unwrap();
        return;
    }
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(path).unwrap();
    for piece in text.as_bytes().chunks(4096) {
        file.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(random.below(3) as u64));
    }
}

pub fn a_document_that_is_rewritten_under_kill_nine_ends_as_if_read_once(trial: &Trial) -> Outcome {
    let home = Home::new();
    let path = home.path().join(GEMINI);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut random = trial.random();
    let kills = trial.count(10, 120);
    let (stop, path) = (&AtomicBool::new(false), &path);
    std::thread::scope(|scope| {
        let mut chance = trial.random();
        let writing = scope.spawn(move || {
            let mut turns = 0;
            while !stop.load(Ordering::Relaxed) {
                turns += 1;
                rewrite(path, &gemini(turns), &mut chance);
                std::thread::sleep(Duration::from_millis(chance.below(150) as u64));
            }
        });
        (0..kills).for_each(|_| run_and_kill(&home, &mut random));
        stop.store(true, Ordering::Relaxed);
        writing.join().unwrap();
    });
    let figure = Figure { trials: kills, ..home.compare_with_undisturbed() };
    must_be_clean("kill -9 over documents and databases", &figure, trial);
    Outcome::Held
}

pub fn a_database_that_its_owner_writes_to_under_kill_nine_ends_as_if_read_once(trial: &Trial) -> Outcome {
    let home = Home::new();
    let path = home.path().join(OPENCODE);
    let mut random = trial.random();
    let kills = trial.count(10, 120);
    let (stop, path) = (&AtomicBool::new(false), &path);
    std::thread::scope(|scope| {
        let mut chance = trial.random();
        let writing = scope.spawn(move || {
            let owner = OpenCode::create(path);
            let mut step = 0;
            while !stop.load(Ordering::Relaxed) {
                match chance.below(30) {
                    0 => owner.run("VACUUM"),
                    1 => owner.run("PRAGMA wal_checkpoint(TRUNCATE)"),
                    _ => {
                        owner.step(step / 4, step % 4);
                        step += 1;
                    }
                }
                std::thread::sleep(Duration::from_millis(chance.below(30) as u64));
            }
            while !step.is_multiple_of(4) {
                owner.step(step / 4, step % 4);
                step += 1;
            }
        });
        (0..kills).for_each(|_| run_and_kill(&home, &mut random));
        stop.store(true, Ordering::Relaxed);
        writing.join().unwrap();
    });
    let figure = Figure { trials: kills, ..home.compare_with_undisturbed() };
    must_be_clean("kill -9 over documents and databases", &figure, trial);
    Outcome::Held
}
