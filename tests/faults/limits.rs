//! Too little of something: disk, inodes, descriptors, address space, threads, rights.

use std::fs;
use std::path::{Path, PathBuf};

use super::commands::DISTINCT;
use super::harness::{Figure, Outcome, Trial, need, needs};
use super::home::{Answer, EVENTS, Home, STUCK, bounded, wait_for, works};
use super::logs::{append, home_with_parts, noise, prompt, session};

/// A small disk at a path, unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: &Path, options: &str) -> Result<Self, Outcome> {
        fs::create_dir_all(path).unwrap();
        let options = format!("{options},mode=0700");
        let mounted = works("mount", &["-t", "tmpfs", "-o", &options, "devlog-faults", path.to_str().unwrap()]);
        mounted.then(|| Self(path.to_owned())).ok_or_else(|| Outcome::Skipped("no disk can be mounted here".to_owned()))
    }

    fn remount(&self, options: &str) {
        assert!(works("mount", &["-o", &format!("remount,{options}"), self.0.to_str().unwrap()]));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        works("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

fn mounted(home: &Home, options: &str) -> Result<SmallDisk, Outcome> {
    SmallDisk::mount(home.devlog(), options)
}

/// Logs of 400 rows that take more than 8 MB in the lake.
fn much(home: &Home) {
    let log = home.claude("-home-u-shop", "s1");
    (0..400).for_each(|n| append(&log, prompt("s1", n, &noise(n, 50_000))));
}

pub fn must_have_all(home: &Home, rows: i64) {
    home.ok(&["fsck"]);
    home.ok(&["backfill"]);
    assert_eq!((home.durable(EVENTS), home.durable(DISTINCT)), (rows, rows));
}

pub fn a_disk_that_fills_up_under_kill_nine_loses_nothing_when_there_is_room_again(trial: &Trial) -> Outcome {
    let home = Home::new();
    much(&home);
    let disk = need!(mounted(&home, "size=6m"));
    let first = home.run(&["backfill", "--memory", "16MB"]);
    assert!(first.refused() && first.err.contains(home.devlog().to_str().unwrap()), "{}", first.text());
    let daemon = home.ingest(&["--memory", "16MB", "--flush-interval", "50ms"]);
    wait_for("a word about the full disk", || home.said().contains("no space left"));
    daemon.kill();
    disk.remount("size=100m");
    must_have_all(&home, 400);
    trial.figure("full disk, no inodes", Figure::trials(2));
    Outcome::Held
}

pub fn a_disk_without_inodes_ends_a_backfill_with_a_reason(trial: &Trial) -> Outcome {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    let disk = need!(mounted(&home, "size=60m,nr_inodes=40"));
    let mut refused = None;
    for n in 0..60 {
        append(&log, prompt("s1", n, "another commit"));
        let answer = home.run(&["ingest", "--once"]);
        if answer.code != Some(0) {
            refused = Some((n + 1, answer));
            break;
        }
    }
    let (rows, answer) = refused.expect("forty inodes are not enough for sixty commits");
    assert!(answer.refused() && answer.err.contains("space"), "{}", answer.text());
    disk.remount("nr_inodes=4000");
    must_have_all(&home, i64::try_from(rows).unwrap());
    trial.figure("full disk, no inodes", Figure::trials(1));
    Outcome::Held
}

/// The answer of `devlog` whose limits are set by `prlimit`.
pub fn limited(home: &Home, limit: &str, args: &[&str]) -> Answer {
    bounded(home.wrapped(&["prlimit", limit], args), STUCK)
}

pub fn prlimit() -> Result<(), Outcome> {
    needs("prlimit")
}

pub fn few_descriptors_are_enough_or_the_reason_is_told(trial: &Trial) -> Outcome {
    need!(prlimit());
    let home = home_with_parts(16);
    for n in 0..40 {
        let id = format!("t{n}");
        append(&home.claude("-home-u-many", &id), session(&id, 1));
    }
    let mut figure = Figure::default();
    let commands: [&[&str]; 5] = [&["compact"], &["snapshot"], &["fsck"], &["query", EVENTS], &["backfill"]];
    for args in commands {
        for files in [16, 24, 48, 128] {
            let answer = limited(&home, &format!("--nofile={files}"), args);
            figure.trials += 1;
            figure.stuck += usize::from(answer.stuck);
            assert!(!answer.panicked() && (answer.code == Some(0) || answer.refused()), "{files}: {}", answer.text());
        }
    }
    must_have_all(&home, 400);
    trial.figure("16 to 128 descriptors", figure.clone());
    assert_eq!(figure.stuck, 0);
    Outcome::Held
}

pub fn a_home_that_may_not_be_written_is_named_and_still_answers(trial: &Trial) -> Outcome {
    let home = home_with_parts(0);
    append(&home.claude("-home-u-shop", "s1"), session("s1", 2));
    let disk = need!(mounted(&home, "size=20m"));
    home.ok(&["backfill"]);
    disk.remount("ro");
    append(&home.claude("-home-u-shop", "s1"), prompt("s1", 700, "more"));
    let commands: [&[&str]; 5] =
        [&["backfill"], &["ingest"], &["ingest", "--once"], &["compact"], &["prune", "--session", "s1", "--yes"]];
    for args in commands {
        let answer = home.run(args);
        assert!(answer.refused() && answer.err.contains(".devlog"), "{args:?}: {}", answer.text());
    }
    assert_eq!(home.number(EVENTS), 5);
    assert_eq!(home.durable(EVENTS), 4);
    trial.figure("read-only home", Figure::trials(5));
    Outcome::Held
}
