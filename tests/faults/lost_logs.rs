//! A damaged or lost commit log: every command tells, and a rebuild brings every row back.

use std::fs;
use std::path::PathBuf;

use super::damage::{
    After, Case, Check, Scene, all, blank, by_hand, case, clipped, cut, empty, eventful, flip, remove, told,
};
use super::harness::{Figure, Outcome, Trial};
use super::home::{CONTENT, listed};
use super::logs::append;

const fn hidden(name: &'static str, harm: fn(&Scene), check: Check) -> Case {
    Case { name, harm, check, after: After::Mended, hidden: true }
}

impl Scene {
    fn entry(&self, from_newest: usize) -> PathBuf {
        let entries = self.home.entries();
        entries[entries.len() - 1 - from_newest].clone()
    }

    /// Number of the newest checkpoint.
    fn checkpoint(&self) -> usize {
        let names = listed(&self.home.lake().join(".state"));
        let number = |path: &PathBuf| path.file_name()?.to_str()?.strip_prefix("checkpoint-")?.parse().ok();
        names.iter().filter_map(number).max().expect("a checkpoint")
    }

    fn checkpoint_file(&self) -> PathBuf {
        self.home.lake().join(format!(".state/checkpoint-{}", self.checkpoint()))
    }

    fn log(&self) -> PathBuf {
        self.home.lake().join("events/_delta_log")
    }
}

/// Removes `count` entries in a row after the newest checkpoint.
fn lose(scene: &Scene, count: usize) {
    let entries = scene.home.entries();
    let from = scene.checkpoint() + 2;
    assert!(entries.len() > from + count, "{} entries, the checkpoint is {}", entries.len(), scene.checkpoint());
    entries[from..from + count].iter().for_each(|path| remove(path));
}

fn after_checkpoint(scene: &Scene) -> PathBuf {
    scene.home.entries()[scene.checkpoint() + 2].clone()
}

fn next_entry(scene: &Scene) -> PathBuf {
    scene.log().join(format!("{:020}.json", scene.home.entries().len()))
}

const OF_THE_LOG: &[Case] = &[
    case("the newest entry has a flipped bit", |s| flip(&s.entry(0), 50), Check::Fault),
    case("the newest entry is cut", |s| cut(&s.entry(0)), Check::Either),
    case("the newest entry is empty", |s| empty(&s.entry(0)), Check::Either),
    case("the newest entry is NULs", |s| blank(&s.entry(0)), Check::Either),
    hidden("the newest entry is gone", |s| remove(&s.entry(0)), Check::Either),
    case("the newest two entries have flipped bits", |s| (0..2).for_each(|n| flip(&s.entry(n), 50)), Check::Fault),
    case("an entry after the checkpoint has a flipped bit", |s| flip(&after_checkpoint(s), 50), Check::Fault),
    case("an entry after the checkpoint is empty", |s| empty(&after_checkpoint(s)), Check::Fault),
    case("an entry after the checkpoint is gone", |s| remove(&after_checkpoint(s)), Check::Fault),
    case("16 entries in a row are gone", |s| lose(s, 16), Check::Fault),
    case("17 entries in a row are gone", |s| lose(s, 17), Check::Fault),
    case("24 entries in a row are gone", |s| lose(s, 24), Check::Fault),
    case("an entry before the checkpoint has a flipped bit", |s| flip(&s.home.entries()[3], 50), Check::Fault),
    case("entry 0 has a flipped bit", |s| flip(&s.home.entries()[0], 50), Check::Fault),
    case(
        "the entry of the checkpoint has a flipped bit",
        |s| flip(&s.home.entries()[s.checkpoint()], 50),
        Check::Fault,
    ),
    case("all entries are gone", |s| s.home.entries().iter().for_each(|e| remove(e)), Check::Fault),
    case("_delta_log is gone", |s| remove(&s.log()), Check::Fault),
    case("events/ is gone", |s| remove(&s.home.lake().join("events")), Check::Fault),
    case("the checkpoint has a flipped bit", |s| flip(&s.checkpoint_file(), 50), Check::Clean),
    case("the checkpoint is empty", |s| empty(&s.checkpoint_file()), Check::Clean),
    case("the checkpoint is gone", |s| remove(&s.checkpoint_file()), Check::Clean),
    case(
        "the checkpoint is from the future",
        |s| fs::rename(s.checkpoint_file(), s.home.lake().join(".state/checkpoint-1000")).unwrap(),
        Check::Clean,
    ),
    case("the folder of checkpoints is gone", |s| remove(&s.home.lake().join(".state")), Check::Either),
    case("_last_checkpoint is garbage", |s| append(&s.log().join("_last_checkpoint"), "}{"), Check::Either),
    case("another program wrote garbage as the next entry", |s| append(&next_entry(s), "garbage"), Check::Either),
    by_hand("a folder has the name of the next entry", |s| fs::create_dir(next_entry(s)).unwrap(), Check::Either),
];

pub fn a_damaged_commit_log_is_told_by_every_command_and_rebuilt_without_loss(trial: &Trial) -> Outcome {
    all(trial, OF_THE_LOG)
}

pub fn a_log_that_was_emptied_is_never_an_empty_lake(trial: &Trial) -> Outcome {
    let scene = Scene::of(eventful());
    remove(&scene.home.path().join(".claude"));
    let target = scene.home.path().join("out.csv");
    let target = target.to_str().unwrap();
    let commands: [&[&str]; 4] = [
        &["query", "--no-sync", "--format", "ndjson", CONTENT],
        &["query", "--format", "ndjson", CONTENT],
        &["export", "events", "--no-sync", "--force", "-o", target],
        &["prune", "--before", "2020-01-01"],
    ];
    let harms: [fn(&Scene); 3] = [
        |s| s.home.entries().iter().for_each(|e| remove(e)),
        |s| remove(&s.home.lake().join("events")),
        |s| lose(s, 20),
    ];
    for harm in harms {
        for args in commands {
            scene.reset();
            harm(&scene);
            let answer = scene.home.run(args);
            assert!(answer.code.is_some_and(|code| code > 1) && told(&answer), "{args:?}: {}", clipped(&answer));
        }
    }
    trial.figure("a lost log whose sources are gone", Figure::trials(12));
    Outcome::Held
}
