//! Readers of all kinds beside a writer: whole versions only, and never a whole lake called damaged.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use super::harness::{Figure, Outcome, Trial, need};
use super::home::{Home, works};
use super::logs::{append, turn};

/// Prints rows, distinct ids and the sum of tokens of a lake, again and again.
const LOOK: &str = r#"
import os, sys, deltalake, polars as pl
lake, times = sys.argv[1], int(sys.argv[2])
for n in range(times):
    if n % 2:
        f = pl.scan_delta(lake + "/events").select("event_id", "output_tokens").collect()
    else:
        t = deltalake.DeltaTable(lake + "/events").to_pyarrow_table(columns=["event_id", "output_tokens"])
        f = pl.DataFrame(t.to_pydict())
    print(f.height, f["event_id"].n_unique(), int(f["output_tokens"].sum() or 0), flush=True)
# The engines' threads may abort the process when Python takes itself apart.
os._exit(0)
"#;

/// The same over a folder that `devlog snapshot` made.
const GLOB: &str = r#"
import sys, duckdb
q = "SELECT count(*), count(DISTINCT event_id), coalesce(sum(output_tokens), 0) FROM read_parquet('%s/events/*/*.parquet')"
print(*duckdb.sql(q % sys.argv[1]).fetchall()[0])
"#;

fn python(modules: &str) -> Result<(), Outcome> {
    let found = works("python3", &["-c", &format!("import {modules}")]);
    if found { Ok(()) } else { Err(Outcome::Skipped(format!("python3 has no {modules}"))) }
}

/// A writer whose every turn is two rows and ten tokens, so that each whole version has tokens = 5 rows.
fn whole(line: &str, figure: &mut Figure, last: &mut i64, what: &str) {
    let numbers: Vec<i64> = line.split([' ', ',']).map(|n| n.trim().parse().unwrap()).collect();
    let (rows, distinct, tokens) = (numbers[0], numbers[1], numbers[2]);
    figure.trials += 1;
    figure.doubled += usize::from(rows != distinct);
    figure.lost += usize::from(rows < *last);
    *last = rows;
    assert!(tokens <= 5 * (rows + 1) && tokens >= 0, "{what}: {line}");
}

fn write_beside(home: &Home, stop: &AtomicBool, looks: impl FnOnce() + Send) {
    let log = home.claude("-home-u-shop", "s1");
    std::thread::scope(|scope| {
        let looking = scope.spawn(looks);
        let mut n = 0;
        while !stop.load(Ordering::Relaxed) && !looking.is_finished() {
            n += 1;
            append(&log, turn("s1", n));
            std::thread::sleep(Duration::from_millis(15));
        }
        looking.join().unwrap();
    });
}

pub fn other_engines_beside_a_writer_see_whole_versions_only(trial: &Trial) -> Outcome {
    need!(python("deltalake, polars, duckdb"));
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), turn("s1", 0));
    home.ok(&["backfill"]);
    let daemon = home.ingest(&["--flush-interval", "20ms"]);
    let mut figures: BTreeMap<&str, Figure> = BTreeMap::new();
    let (looks, snapshots) = (trial.count(16, 400), trial.count(5, 100));
    write_beside(&home, &AtomicBool::new(false), || {
        let script =
            Command::new("python3").args(["-c", LOOK, home.lake().to_str().unwrap(), &looks.to_string()]).output();
        let output = script.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (figure, mut last) = (figures.entry("Polars and deltalake beside a writer").or_default(), 0);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().for_each(|line| whole(line, figure, &mut last, "an engine"));
        let (figure, mut last) = (figures.entry("DuckDB on snapshots beside a writer").or_default(), 0);
        for _ in 0..snapshots {
            let folder = home.ok(&["snapshot"]);
            let output = Command::new("python3").args(["-c", GLOB, folder.trim()]).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            whole(String::from_utf8_lossy(&output.stdout).trim(), figure, &mut last, "DuckDB");
        }
    });
    assert_eq!(daemon.stop(Signal::TERM), Some(0));
    for (what, figure) in figures {
        assert_eq!((figure.lost, figure.doubled), (0, 0), "{what}");
        trial.figure(what, figure);
    }
    Outcome::Held
}

pub fn queries_beside_a_writer_go_forwards_and_see_each_row_once(trial: &Trial) -> Outcome {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), turn("s1", 0));
    let daemon = home.ingest(&["--flush-interval", "20ms"]);
    let looks = trial.count(40, 1000);
    let sql = "SELECT count(*), count(DISTINCT event_id), coalesce(sum(output_tokens), 0) FROM events";
    let mut figure = Figure::default();
    write_beside(&home, &AtomicBool::new(false), || {
        let (mut live, mut durable) = (0, 0);
        for n in 0..looks {
            let args: &[&str] = if n % 2 == 0 {
                &["query", "--format", "csv", sql]
            } else {
                &["query", "--no-sync", "--format", "csv", sql]
            };
            let out = home.ok(args);
            let line = out.lines().last().unwrap();
            // Through the daemon or from disk: each goes forwards.
            whole(line, &mut figure, if n % 2 == 0 { &mut live } else { &mut durable }, "devlog");
        }
    });
    assert_eq!(daemon.stop(Signal::TERM), Some(0));
    trial.figure("devlog's own queries beside a writer", figure.clone());
    assert_eq!((figure.lost, figure.doubled), (0, 0));
    Outcome::Held
}
