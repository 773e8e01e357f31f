//! Runs promises, several at once, and prints what was seen: one line a promise, then the figures.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::random::Random;

/// What became of a promise.
pub enum Outcome {
    Held,
    /// This machine cannot try it, and why.
    Skipped(String),
}

/// A sentence that must be true, and what tries it.
pub struct Promise {
    pub name: &'static str,
    pub run: fn(&Trial) -> Outcome,
}

/// Lists functions as promises; their paths are their names.
macro_rules! promises {
    ($($room:ident::$name:ident),* $(,)?) => {
        &[$($crate::harness::Promise {
            name: concat!(stringify!($room), "::", stringify!($name)),
            run: $crate::$room::$name,
        }),*]
    };
}
pub(crate) use promises;

/// How much is tried, and from which seed.
#[derive(Clone, Copy)]
pub struct Plan {
    long: bool,
    seed: u64,
    times: usize,
}

impl Plan {
    fn of_environment() -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
        let long = std::env::var("DEVLOG_FAULTS").is_ok_and(|mode| mode == "long");
        let times = number("DEVLOG_FAULTS_TIMES").map_or(1, |n| usize::try_from(n).unwrap_or(1).max(1));
        Self { long, seed: number("DEVLOG_FAULTS_SEED").unwrap_or(1), times }
    }
}

/// What a promise is tried with.
pub struct Trial {
    plan: Plan,
    name: &'static str,
}

impl Trial {
    /// `short` trials in an ordinary run, `long` ones (times a factor) in a long run.
    pub fn count(&self, short: usize, long: usize) -> usize {
        if self.plan.long { long * self.plan.times } else { short }
    }

    /// True in a long run.
    pub const fn is_long(&self) -> bool {
        self.plan.long
    }

    /// Chance that is the same in every run with this seed.
    pub fn random(&self) -> Random {
        Random::named(self.plan.seed, self.name)
    }

    /// Adds to the table of figures.
    pub fn figure(&self, what: &str, figure: Figure) {
        let mut all = FIGURES.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = all.entry(what.to_owned()).or_default();
        sum.trials += figure.trials;
        sum.lost += figure.lost;
        sum.doubled += figure.doubled;
        sum.stuck += figure.stuck;
        if !figure.note.is_empty() {
            sum.note = figure.note;
        }
    }
}

/// What was counted in some trials.
#[derive(Default, Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    pub trials: usize,
    /// Rows that are gone, or other than they must be.
    pub lost: usize,
    /// Rows that are there twice.
    pub doubled: usize,
    /// Processes that had to be ended.
    pub stuck: usize,
    pub note: String,
}

impl Figure {
    pub fn trials(trials: usize) -> Self {
        Self { trials, ..Self::default() }
    }

    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }
}

static FIGURES: Mutex<BTreeMap<String, Figure>> = Mutex::new(BTreeMap::new());

/// Name of the threads that try promises.
const RUNNER: &str = "promises";

thread_local! {
    /// Where and why this thread panicked.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The command line, as far as cargo and people give it to a test program.
struct Wishes {
    filters: Vec<String>,
    exact: bool,
    list: bool,
    threads: usize,
}

impl Wishes {
    fn read() -> Self {
        let mut wishes = Self { filters: Vec::new(), exact: false, list: false, threads: 3 };
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            let threads = word.strip_prefix("--test-threads").map(|rest| match rest.strip_prefix('=') {
                Some(number) => number.to_owned(),
                None => words.next().unwrap_or_default(),
            });
            match word.as_str() {
                "--exact" => wishes.exact = true,
                "--list" => wishes.list = true,
                _ if threads.is_some() => {
                    wishes.threads = threads.and_then(|n| n.parse().ok()).unwrap_or(wishes.threads).max(1);
                }
                other if other.starts_with('-') => {}
                other => wishes.filters.push(other.to_owned()),
            }
        }
        wishes
    }

    fn want(&self, name: &str) -> bool {
        let fits = |filter: &String| if self.exact { name == filter } else { name.contains(filter.as_str()) };
        self.filters.is_empty() || self.filters.iter().any(fits)
    }
}

/// Tries the promises that the command line names; the exit code says whether all of them hold.
pub fn main(all: &'static [Promise]) -> ExitCode {
    let wishes = Wishes::read();
    let chosen: Vec<&Promise> = all.iter().filter(|p| wishes.want(p.name)).collect();
    if wishes.list {
        chosen.iter().for_each(|promise| println!("{}: test", promise.name));
        return ExitCode::SUCCESS;
    }
    panic::set_hook(Box::new(|info| {
        let text = info.to_string();
        if std::thread::current().name() != Some(RUNNER) {
            println!("{text}");
        }
        PANIC.with(|kept| {
            kept.borrow_mut().get_or_insert(text);
        });
    }));
    let plan = Plan::of_environment();
    println!("\nrunning {} promises, seed {}{}", chosen.len(), plan.seed, if plan.long { ", long" } else { "" });
    let (next, results) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..wishes.threads {
            let run = || {
                while let Some(promise) = chosen.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let began = Instant::now();
                    let outcome = try_one(promise, plan);
                    tell(promise.name, &outcome, began);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((promise.name, outcome));
                }
            };
            std::thread::Builder::new().name(RUNNER.to_owned()).spawn_scoped(scope, run).expect("a thread");
        }
    });
    let results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    finish(&results, plan, began)
}

fn try_one(promise: &Promise, plan: Plan) -> Result<Outcome, String> {
    PANIC.with(|kept| kept.borrow_mut().take());
    let trial = Trial { plan, name: promise.name };
    panic::catch_unwind(AssertUnwindSafe(|| (promise.run)(&trial))).map_err(|_| panic_text())
}

/// What the panic that was just caught on this thread said.
pub fn panic_text() -> String {
    PANIC.with(|kept| kept.borrow_mut().take()).unwrap_or_else(|| "it panicked".to_owned())
}

fn tell(name: &str, outcome: &Result<Outcome, String>, began: Instant) {
    let seconds = began.elapsed().as_secs_f32();
    match outcome {
        Ok(Outcome::Held) => println!("test {name} ... ok ({seconds:.1} s)"),
        Ok(Outcome::Skipped(why)) => println!("test {name} ... skipped: {why}"),
        Err(_) => println!("test {name} ... FAILED ({seconds:.1} s)"),
    }
}

fn finish(results: &[(&str, Result<Outcome, String>)], plan: Plan, began: Instant) -> ExitCode {
    let failed: Vec<_> = results.iter().filter_map(|(name, r)| r.as_ref().err().map(|why| (name, why))).collect();
    for (name, why) in &failed {
        println!("\n---- {name} ----\n{why}");
    }
    let table = figures();
    if !table.is_empty() {
        println!("\n{table}");
    }
    if plan.long {
        let path = std::env::var_os("DEVLOG_FAULTS_FIGURES").map(PathBuf::from);
        let path = path.unwrap_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("FIGURES.md"));
        let text = format!("# devlog under faults\n\nSeed {}, {} times.\n\n{table}", plan.seed, plan.times);
        match std::fs::write(&path, text) {
            Ok(()) => println!("written to {}", path.display()),
            Err(error) => println!("cannot write {}: {error}", path.display()),
        }
    }
    let skipped = results.iter().filter(|(_, r)| matches!(r, Ok(Outcome::Skipped(_)))).count();
    let word = if failed.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {word}. {} passed; {} failed; {skipped} ignored; 0 measured; finished in {:.2}s\n",
        results.len() - failed.len() - skipped,
        failed.len(),
        began.elapsed().as_secs_f32()
    );
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("again: DEVLOG_FAULTS_SEED={} cargo test --release --test faults -- NAME", plan.seed);
    ExitCode::FAILURE
}

/// The figures as a Markdown table.
fn figures() -> String {
    let all = FIGURES.lock().unwrap_or_else(PoisonError::into_inner);
    if all.is_empty() {
        return String::new();
    }
    let width = all.keys().map(|what| what.chars().count()).max().unwrap_or(4).max(4);
    let mut table = format!("| {:width$} | trials | lost | doubled | stuck | note |\n", "what");
    let _ = writeln!(table, "|{}|-------:|-----:|--------:|------:|------|", "-".repeat(width + 2));
    for (what, f) in all.iter() {
        let (trials, lost, doubled, stuck) = (f.trials, f.lost, f.doubled, f.stuck);
        let _ = writeln!(table, "| {what:width$} | {trials:6} | {lost:4} | {doubled:7} | {stuck:5} | {} |", f.note);
    }
    table
}

/// Skips when a program is not there.
pub fn needs(program: &str) -> Result<(), Outcome> {
    let found = std::process::Command::new(program)
        .arg("--version")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
    match found {
        Ok(status) if status.success() => Ok(()),
        _ => Err(Outcome::Skipped(format!("{program} is not installed"))),
    }
}

/// What a promise needs; returns from one that this machine cannot try.
macro_rules! need {
    ($what:expr) => {
        match $what {
            Ok(found) => found,
            Err(skipped) => return skipped,
        }
    };
}
pub(crate) use need;
