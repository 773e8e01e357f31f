//! Bit rot, and the command that mends: nothing false is shown, nothing whole is thrown away.

use std::fs;
use std::path::{Path, PathBuf};

use super::calls::strace;
use super::commands::DISTINCT;
use super::damage::Scene;
use super::harness::{Figure, Outcome, Trial, need};
use super::home::{EVENTS, Home, STUCK, bounded, files_under};
use super::logs::{append, prompt_at, session};

fn flip(path: &Path, at: usize, bit: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1 << bit;
    fs::write(path, bytes).unwrap();
}

/// One file of 800 rows with tokens that differ.
fn one_file() -> Home {
    let home = Home::new();
    let text: String = session("s1", 400);
    let mut tokens = 0;
    let lines = text.split_inclusive("\"output_tokens\":10").map(|piece| {
        tokens += 7;
        piece.replace("\"output_tokens\":10", &format!("\"output_tokens\":{}", 1000 + tokens % 900))
    });
    append(&home.claude("-home-u-shop", "s1"), lines.collect::<String>());
    home.ok(&["backfill"]);
    home
}

/// Answers that the file's statistics may give, and sums that read pages.
const SUMS: &str = "SELECT count(*), count(DISTINCT event_id), sum(output_tokens), sum(input_tokens), sum(total_tokens), \
    count(DISTINCT text), sum(length(text)), max(ts), min(ts), count(DISTINCT model), count(session_id) FROM events";

pub fn a_flipped_bit_gives_no_other_sum_and_fsck_sees_it(trial: &Trial) -> Outcome {
    let home = one_file();
    let file = home.parts()[0].clone();
    let questions = [SUMS, "SELECT * FROM events ORDER BY event_id"];
    let ask = |sql: &str| home.run(&["query", "--no-sync", "--format", "csv", sql]);
    let right = questions.map(|sql| ask(sql).ok());
    let length = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
    let mut random = trial.random();
    let trials = trial.count(24, 270);
    let (mut silent, mut told) = (Vec::new(), 0);
    for n in 0..trials {
        // The last tenth is statistics, places, and types of columns.
        let at = if n % 4 == 0 { random.within(length * 9 / 10..length) } else { random.below(length) };
        let bit = random.below(8);
        flip(&file, at, bit);
        for (sql, right) in questions.iter().zip(&right) {
            let answer = ask(sql);
            assert!(!answer.stuck && !answer.panicked(), "byte {at}, bit {bit}: {}", answer.text());
            match answer.code {
                Some(0) if answer.out != *right && answer.err.is_empty() => silent.push((at, bit)),
                Some(0) => {}
                _ => told += 1,
            }
        }
        assert!(home.run(&["fsck"]).refused(), "fsck does not see byte {at}, bit {bit} of {length}");
        flip(&file, at, bit);
    }
    let note = format!("{told} of {} answers told, {} wrong in silence", 2 * trials, silent.len());
    trial.figure("bit flips in a Parquet file", Figure { trials, lost: silent.len(), ..Figure::default() }.note(note));
    assert!(silent.is_empty(), "{} of {trials} flips give other rows with exit code 0: {silent:?}", silent.len());
    Outcome::Held
}

pub fn a_rebuild_does_not_take_damaged_rows_for_good(trial: &Trial) -> Outcome {
    let scene = Scene::of(one_file());
    let mut random = trial.random();
    let trials = trial.count(5, 60);
    let mut figure = Figure::trials(trials);
    for _ in 0..trials {
        scene.reset();
        let file = scene.home.parts()[0].clone();
        let length = usize::try_from(fs::metadata(&file).unwrap().len()).unwrap();
        // The data, not the footer: the file can be opened.
        let (at, bit) = (random.within(100..length * 9 / 10), random.below(8));
        flip(&file, at, bit);
        let first = scene.home.run(&["fsck", "--rebuild-from-footers"]);
        assert!(first.code == Some(0) || first.refused(), "byte {at}, bit {bit}: {}", first.text());
        let rebuilt = scene.home.run(&["fsck"]);
        scene.home.ok(&["backfill"]);
        let answer = scene.home.run(&["query", "--no-sync", "--format", "ndjson", super::home::CONTENT]);
        let right = super::home::parsed(&answer.out).is_some_and(|found| found == scene.expected);
        let known = answer.refused() || rebuilt.refused();
        figure.lost += usize::from(!right && !known);
    }
    trial.figure("rebuilds after a flipped bit", figure.clone());
    assert_eq!(figure.lost, 0, "a rebuild made damaged bytes official: fsck is clean and the rows are other ones");
    Outcome::Held
}

/// A home with a file for each of so many months.
fn home_of_months(months: usize) -> Home {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    for n in 0..months {
        let time = format!("{}-{:02}-01T09:00:00.000Z", 2016 + n / 12, n % 12 + 1);
        append(&log, prompt_at(&time, "s1", n, "a question"));
    }
    home.ok(&["backfill"]);
    home
}

/// Parquet files anywhere below the devlog home.
fn parquet_files(home: &Home) -> Vec<PathBuf> {
    let mut files = files_under(home.devlog());
    files.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().contains(".parquet")));
    files
}

pub fn a_rebuild_deletes_no_file_that_it_cannot_read(trial: &Trial) -> Outcome {
    let home = home_of_months(90);
    let files = home.parts();
    assert!(files.len() > 80, "{} files", files.len());
    for file in &files {
        let at = fs::metadata(file).unwrap().len() - 3;
        flip(file, usize::try_from(at).unwrap(), 0);
    }
    let before = parquet_files(&home).len();
    let rebuilt = home.run(&["fsck", "--rebuild-from-footers"]);
    assert!(!rebuilt.panicked() && !rebuilt.stuck, "{}", rebuilt.text());
    let left = parquet_files(&home).len();
    trial.figure(
        "files that a rebuild cannot read",
        Figure { trials: before, lost: before - left, ..Figure::default() },
    );
    assert_eq!(left, before, "files deleted for good by a rebuild");
    Outcome::Held
}

pub fn one_failed_read_makes_no_rebuild_leave_a_whole_file_out(trial: &Trial) -> Outcome {
    need!(strace());
    let home = home_of_months(6);
    let rows = home.durable(EVENTS);
    let mut random = trial.random();
    let trials = trial.count(5, 40);
    for _ in 0..trials {
        let files = home.parts();
        let file = random.pick(&files).to_str().unwrap().to_owned();
        let trace = home.path().join("trace");
        let fault = format!("inject=read,pread64,openat:error=EIO:when={}", random.within(1..4));
        let wrapper = [
            "strace",
            "-f",
            "-qq",
            "-P",
            &file,
            "-o",
            trace.to_str().unwrap(),
            "-e",
            "trace=read,pread64,openat",
            "-e",
        ];
        let wrapper = [&wrapper[..], &[&fault]].concat();
        let first = bounded(home.wrapped(&wrapper, &["fsck", "--rebuild-from-footers"]), STUCK);
        assert!(first.code == Some(0) || first.refused(), "{}", first.text());
        home.ok(&["fsck", "--rebuild-from-footers"]);
        assert_eq!((home.durable(EVENTS), home.durable(DISTINCT)), (rows, rows), "after {fault}: {}", first.text());
    }
    trial.figure("a read that fails once during a rebuild", Figure::trials(trials));
    Outcome::Held
}
