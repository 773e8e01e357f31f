//! How long after a line was appended does a SELECT show it?
//!
//! A real daemon in a process of its own, a real file, 1,000 lines a second. The asking side sends
//! one query after the other over the daemon's socket; each answer names the newest line it shows,
//! and every line up to that one which was not seen before becomes visible with this answer.
//!
//! `cargo bench --bench latency [-- SECONDS]`

use std::fs::{self, OpenOptions};
use std::io::{Error, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use devlog::serve::{Client, Request};

type Failure = Box<dyn std::error::Error>;

/// Lines a second.
const RATE: u32 = 1_000;

const SQL: &str = "SELECT max(CAST(text AS BIGINT)) AS newest FROM events WHERE session_id = 'latency'";

struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(home: &Path) -> Result<Daemon, Failure> {
    let child = Command::new(env!("CARGO_BIN_EXE_devlog"))
        .args(["ingest", "--quiet"])
        .env_clear()
        .env("HOME", home)
        .env("DEVLOG_HOME", home.join(".devlog/devlog.sock"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()?;
    let daemon = Daemon(child);
    let begun = Instant::now();
    while !matches!(Client::connect(&home.join(".devlog/devlog.sock")), Ok(Some(_))) {
        if begun.elapsed() > Duration::from_secs(20) {
            return Err("the daemon does not answer".into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(daemon)
}

fn line(n: u32) -> String {
    let (hour, minute, second, milli) = (n / 3_600_000, n / 60_000 % 60, n / 1_000 % 60, n % 1_000);
    format!(
        concat!(
            r#"{{"parentUuid":null,"isSidechain":false,"userType":"external","cwd":"/w","sessionId":"latency","#,
            r#""version":"2.1.100","gitBranch":"main","type":"user","message":{{"role":"user","content":"{}"}},"#,
            r#""uuid":"u-{}","timestamp":"2026-01-02T{:02}:{:02}:{:02}.{:03}Z"}}"#,
            "\n"
        ),
        n, n, hour, minute, second, milli
    )
}

fn newest(home: &Path) -> Result<Option<u32>, Failure> {
    let client = Client::connect(&home.join(".devlog/devlog.sock"))?.ok_or("the daemon is gone")?;
    let request =
        Request::Query { sql: SQL.to_owned(), params: Vec::new(), timezone: "UTC".to_owned(), timeout_ms: None };
    let mut newest = None;
    for batch in client.query(&request, &mut |_| {})? {
        let batch = batch?;
        newest = batch.column(0).as_primitive::<Int64Type>().iter().flatten().next();
    }
    Ok(newest.map(u32::try_from).transpose()?)
}

/// Appends `count` lines at the rate; returns when each was handed to the system.
fn write_lines(path: &Path, count: u32, done: &AtomicBool) -> Result<Vec<Instant>, Error> {
    let mut file = OpenOptions::new().append(true).open(path)?;
    let begun = Instant::now();
    let mut written = Vec::new();
    for n in 0..count {
        let due = begun + Duration::from_secs(1) * n / RATE;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let text = line(n);
        written.push(Instant::now());
        file.write_all(text.as_bytes())?;
    }
    done.store(true, Ordering::Release);
    Ok(written)
}

fn percentile(sorted: &[Duration], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |d| d.as_secs_f64() * 1e3)
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn main() -> Result<(), Failure> {
    let seconds = std::env::args().find_map(|a| a.parse::<u32>().ok()).unwrap_or(10);
    let home = tempfile::tempdir()?;
    let folder = home.path().join(".claude/projects/-w");
    fs::create_dir_all(&folder)?;
    let log = folder.join("latency.jsonl");
    fs::write(&log, "")?;
    let _daemon = start(home.path())?;
    // The first queries pay for threads and functions.
    for _ in 0..20 {
        newest(home.path())?;
    }
    std::thread::sleep(Duration::from_secs(1));
    let done = AtomicBool::new(false);
    let count = seconds * RATE;
    let mut shown: Vec<Instant> = Vec::new();
    let mut queries: Vec<Duration> = Vec::new();
    let written = std::thread::scope(|scope| {
        let writer = scope.spawn(|| write_lines(&log, count, &done));
        let mut after = None;
        while shown.len() < count as usize {
            let asked = Instant::now();
            let seen = newest(home.path())?.map_or(0, |n| n as usize + 1);
            let now = Instant::now();
            queries.push(now - asked);
            shown.resize(seen.max(shown.len()), now);
            if done.load(Ordering::Acquire) && after.get_or_insert_with(Instant::now).elapsed().as_secs() > 10 {
                return Err(Failure::from("the last lines are not shown after 10 s"));
            }
        }
        Ok(writer.join().map_err(|_| "the writer panicked")??)
    })?;
    let mut delays: Vec<Duration> = written.iter().zip(&shown).map(|(w, s)| s.saturating_duration_since(*w)).collect();
    delays.sort_unstable();
    queries.sort_unstable();
    for (what, of) in [("append -> visible", &delays), ("one query", &queries)] {
        let (p50, p99, max) = (percentile(of, 0.5), percentile(of, 0.99), percentile(of, 1.0));
        println!("{what}: p50 {p50:.2} ms, p99 {p99:.2} ms, max {max:.2} ms over {}", of.len());
    }
    Ok(())
}
