//! Snapshots that were killed leave nothing for good.

use std::fs;

use super::calls::{injected, strace};
use super::commands::{kill_within, measured};
use super::harness::{Figure, Outcome, Trial};
use super::home::{EVENTS, Home, files_under, listed};
use super::logs::home_with_parts;

/// Rows of the pruned session that can still be read in files of snapshots. Text of a prompt is in them as it is.
fn snapshot_files(home: &Home) -> usize {
    let files = files_under(&home.devlog().join("snapshots"));
    files.iter().filter(|path| path.extension().is_some_and(|e| e == "parquet")).count()
}

pub fn a_killed_snapshot_leaves_nothing_for_good_and_a_prune_leaves_none_of_its_rows(trial: &Trial) -> Outcome {
    let template = home_with_parts(16);
    let mut random = trial.random();
    let takes = measured(&template.copy(), &["snapshot"]);
    let trials = trial.count(8, 60);
    let home = template.copy();
    for n in 0..trials {
        for whole in listed(&home.devlog().join("snapshots")) {
            if !whole.file_name().unwrap().to_string_lossy().starts_with('.') {
                fs::remove_dir_all(whole).unwrap();
            }
        }
        // Half of them in the midst of the links, where strace can tell.
        if n % 2 == 0 && strace().is_ok() {
            let fault = format!("signal=SIGKILL:when={}", random.within(3..14));
            injected(&home, &fault, "linkat", &["snapshot"]);
        } else {
            kill_within(&home, &["snapshot"], takes, &mut random);
        }
    }
    home.ok(&["prune", "--session", "s2", "--yes"]);
    home.ok(&["prune", "--session", "s1", "--yes"]);
    assert_eq!(home.durable(EVENTS), 0);
    let left = snapshot_files(&home);
    trial.figure("kill -9 of snapshot", Figure::trials(trials).note(format!("{left} files left after prunes")));
    assert_eq!(left, 0, "files of killed snapshots outlive a prune: {:?}", listed(&home.devlog().join("snapshots")));
    Outcome::Held
}
