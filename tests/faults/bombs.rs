//! SQL that would write, read files, or take the machine: refused, or ended in time and memory.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::harness::{Figure, Outcome, Trial};
use super::home::{Answer, CONTENT, EVENTS, Home, bounded, wait_for};
use super::sql::home;

/// Queries that take planning, folding of constants, one call, or rows without end.
fn bombs(long: bool) -> Vec<(&'static str, String)> {
    let nested = |open: &str, n: usize| open.repeat(n);
    let doubling = |n: usize| -> String {
        let steps: Vec<_> = (1..=n).map(|k| format!("c{k} AS (SELECT a.x FROM c{p} a, c{p} b)", p = k - 1)).collect();
        format!("WITH c0 AS (SELECT 1 AS x UNION ALL SELECT 2), {} SELECT count(*) FROM c{n}", steps.join(", "))
    };
    let joins = |n: usize| -> String {
        let rest: String = (1..n).map(|k| format!(" JOIN events e{k} ON e{k}.event_id = e0.event_id")).collect();
        format!("SELECT count(*) FROM events e0{rest}")
    };
    let mut bombs = vec![
        ("a chain of arrows", format!("SELECT extra{} FROM events", nested("->'a'", 1900))),
        ("300 joins", joins(300)),
        ("tables that double", doubling(20)),
        (
            "one long replace",
            "SELECT length(replace(repeat('x', 60000000), 'x', 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy'))".into(),
        ),
        (
            "one long regexp_replace",
            "SELECT length(regexp_replace(repeat('x', 60000000), 'x', 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy', 'g'))"
                .into(),
        ),
        ("a list of 60 million", "SELECT count(*) FROM (SELECT unnest(range(0, 60000000)))".into()),
        ("rows times rows", "SELECT count(*) FROM events a, events b, events c, events d, events e, events f".into()),
    ];
    if long {
        bombs.extend([
            ("levenshtein of long texts", "SELECT levenshtein(repeat('x', 300000), repeat('y', 300000))".into()),
            ("a repeat of gigabytes", "SELECT length(repeat('x', 2000000000))".into()),
            ("a repeat of a column", "SELECT sum(length(repeat(text, 100000))) FROM events".into()),
            ("lpad to gigabytes", "SELECT length(lpad('x', 2000000000, 'y'))".into()),
            ("a series of a billion", "SELECT count(*) FROM generate_series(1, 10000000000)".into()),
            ("a list of a billion", "SELECT generate_series(1, 1000000000)".into()),
            ("50,000 ORs", format!("SELECT 1 WHERE 1=2{}", nested(" OR 1=2", 50_000))),
            ("20,000 parentheses", format!("SELECT {}1{}", nested("(", 20_000), nested(")", 20_000))),
            ("nested CASE", format!("SELECT {}1{}", nested("CASE WHEN 1=1 THEN ", 400), nested(" END", 400))),
            ("nested functions", format!("SELECT {}'x'{}", nested("upper(", 1500), nested(")", 1500))),
            (
                "a tree without end",
                "WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t".into(),
            ),
            ("translate of a long text", "SELECT length(translate(repeat('x', 60000000), 'x', 'y'))".into()),
            ("texts that double", "SELECT length(concat(repeat('x', 500000000), repeat('y', 500000000)))".into()),
            (
                "100 unions of joins",
                (0..100)
                    .map(|_| "SELECT count(*) FROM events a, events b, events c, events d".to_owned())
                    .collect::<Vec<_>>()
                    .join(" UNION ALL "),
            ),
        ]);
    }
    bombs
}

/// A process has this long after its limit of 5 s: enough for a busy machine, too little for a query that runs on.
const BOUND: Duration = Duration::from_secs(60);
/// Most memory of a process with a budget of 128 MB.
const PEAK_KIB: u64 = 900 << 10;

fn ask(home: &Home, sql: &str) -> Answer {
    bounded(home.command(&["query", "--format", "csv", "--timeout", "5s", "--memory", "128MB", sql]), BOUND)
}

fn judge(name: &str, answer: &Answer, peak_kib: u64, figure: &mut Figure, broken: &mut Vec<String>) {
    figure.trials += 1;
    figure.stuck += usize::from(answer.stuck);
    let peak = peak_kib >> 10;
    if answer.stuck {
        broken.push(format!("{name}: not ended {BOUND:?} after it began, peak {peak} MB"));
    } else if peak_kib > PEAK_KIB {
        broken.push(format!("{name}: {peak} MB with --memory 128MB"));
    } else if answer.panicked() || answer.code.is_none() || (answer.code == Some(0) && answer.out.is_empty()) {
        broken.push(format!("{name}: {}", answer.text()));
    }
}

pub fn a_query_ends_at_its_time_limit_and_stays_in_its_memory_whatever_it_asks(trial: &Trial) -> Outcome {
    let home = home();
    let (mut figure, mut broken, mut peak) = (Figure::default(), Vec::new(), 0);
    for (name, sql) in bombs(trial.is_long()) {
        let answer = ask(&home, &sql);
        peak = peak.max(answer.peak_kib);
        judge(name, &answer, answer.peak_kib, &mut figure, &mut broken);
    }
    let note = format!("peak {} MB of --memory 128MB", peak >> 10);
    trial.figure("SQL bombs, alone", figure.note(note));
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    Outcome::Held
}

pub fn a_daemon_outlives_every_query_and_stops_working_on_what_nobody_waits_for(trial: &Trial) -> Outcome {
    let home = home();
    let daemon = home.ingest(&["--memory", "128MB"]);
    wait_for("an answer", || home.number(EVENTS) == 40);
    let (mut figure, mut broken, mut last) = (Figure::default(), Vec::new(), 0);
    for (name, sql) in bombs(trial.is_long()) {
        let answer = ask(&home, &sql);
        // A peak is of the whole process, so only its growth is this query's.
        let peak = daemon.peak_kib();
        let grown = if peak > last { peak } else { 0 };
        last = peak;
        judge(name, &answer, grown, &mut figure, &mut broken);
        let other = home.run(&["query", "--format", "csv", EVENTS]);
        if other.number() != Some(40) {
            broken.push(format!("after {name} another query is not answered: {}", other.text()));
        }
    }
    let began = Instant::now();
    while busy(daemon.child.id()) && began.elapsed() < BOUND {
        std::thread::sleep(Duration::from_millis(200));
    }
    if busy(daemon.child.id()) {
        figure.stuck += 1;
        broken.push("the daemon goes on working on queries whose clients have left".to_owned());
    }
    let note = format!("peak {} MB of --memory 128MB", daemon.peak_kib() >> 10);
    trial.figure("SQL bombs, through a daemon", figure.note(note));
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert_eq!(daemon.stop(Signal::TERM), Some(0));
    assert!(!home.ok(&["query", "--no-sync", "--format", "ndjson", CONTENT]).is_empty());
    Outcome::Held
}

/// Whether a process takes processor time now.
fn busy(pid: u32) -> bool {
    let ticks = || -> u64 {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
        let words: Vec<&str> = rest.split(' ').collect();
        [11, 12].iter().filter_map(|at| words.get(*at)?.parse::<u64>().ok()).sum()
    };
    let before = ticks();
    std::thread::sleep(Duration::from_millis(500));
    ticks() > before + 10
}
