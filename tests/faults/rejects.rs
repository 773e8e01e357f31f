//! Bad lines by the million.

use std::fs::File;
use std::io::{BufWriter, Write as _};

use super::harness::{Figure, Outcome, Trial};
use super::home::{EVENTS, Home};
use super::logs::{append, session};

pub fn bad_lines_stay_within_the_memory_budget(trial: &Trial) -> Outcome {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    let lines = trial.count(1_500_000, 13_000_000);
    let mut file = BufWriter::new(File::create(&log).unwrap());
    (0..lines).for_each(|n| writeln!(file, "{{bad {n}").unwrap());
    drop(file);
    append(&log, session("s1", 2));
    let answer = home.run(&["backfill", "--memory", "64MB"]);
    let peak = answer.peak_kib >> 10;
    trial.figure("millions of bad lines with --memory 64MB", Figure::trials(1).note(format!("peak {peak} MB")));
    assert_eq!(answer.code, Some(0), "{}", answer.text());
    assert!(peak < 200, "peak {peak} MB of --memory 64MB");
    assert_eq!(home.durable(EVENTS), 4);
    // Not each of millions is kept, but that there are some is.
    assert!(home.durable("SELECT count(*) FROM rejects") > 100);
    Outcome::Held
}
