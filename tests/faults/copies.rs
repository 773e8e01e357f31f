//! One event is one row, however far apart its copies are and whenever they were written to disk.

use std::fs;

use super::commands::DISTINCT;
use super::harness::{Figure, Outcome, Trial};
use super::home::{EVENTS, Home, TOKENS};
use super::logs::{append, prompt_at, turn};

const OWN: &str = "event_type = \"llm_response\"\nid = [\"/id\"]\n[[files]]\npath = \"~/.my/*.jsonl\"\n\
    [columns]\nts = \"/t\"\noutput_tokens = \"/o\"\n";

fn own_format() -> Home {
    let home = Home::new();
    fs::create_dir_all(home.devlog().join("adapters")).unwrap();
    fs::create_dir_all(home.path().join(".my")).unwrap();
    append(&home.devlog().join("adapters/my.toml"), OWN);
    home
}

pub fn an_event_is_in_the_lake_once_however_far_apart_its_copies_are(trial: &Trial) -> Outcome {
    let line = |day: &str| format!("{{\"id\":\"1\",\"t\":\"{day}T10:00:00Z\",\"o\":100}}\n");
    let mut figure = Figure::default();
    for (first, second) in [("2026-11-20", "2026-11-20"), ("2026-11-20", "2026-11-22"), ("2026-09-30", "2026-11-22")] {
        for at_once in [true, false] {
            let home = own_format();
            let log = home.path().join(".my/a.jsonl");
            append(&log, line(first));
            if !at_once {
                home.ok(&["ingest", "--once"]);
            }
            append(&log, line(second));
            home.ok(&["ingest", "--once"]);
            figure.trials += 1;
            let seen = (home.durable(EVENTS), home.durable(DISTINCT), home.durable(TOKENS));
            let checked = home.run(&["fsck"]);
            assert_eq!(seen, (1, 1, 100), "{first} and {second}, in one go: {at_once}; {}", checked.text());
            assert_eq!(checked.code, Some(0), "{}", checked.text());
        }
    }
    trial.figure("copies of one event, hours to months apart", figure);
    Outcome::Held
}

pub fn the_memory_budget_does_not_change_what_is_in_the_lake(trial: &Trial) -> Outcome {
    let home = Home::new();
    let mut random = trial.random();
    for file in 0..40 {
        let id = format!("s{file}");
        let log = home.claude("-home-u-shop", &id);
        (0..60).for_each(|n| append(&log, turn(&id, n)));
        // Ids that come again, days later, in other files.
        for n in 0..40 {
            let day = random.within(1..28);
            let time = format!("2026-{:02}-{day:02}T09:00:00.000Z", random.within(1..12));
            append(&log, prompt_at(&time, "shared", n, "the same question"));
        }
    }
    let mut seen = Vec::new();
    for memory in ["16MB", "32MB", "256MB"] {
        let _ = fs::remove_dir_all(home.devlog());
        home.ok(&["backfill", "--memory", memory]);
        seen.push((home.durable(EVENTS), home.durable(DISTINCT), home.durable(TOKENS)));
        home.ok(&["fsck"]);
    }
    trial.figure("backfills with 16 to 256 MB", Figure::trials(seen.len()));
    assert!(seen.iter().all(|one| one == &seen[0] && one.0 == one.1), "{seen:?}");
    Outcome::Held
}
