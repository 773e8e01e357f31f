//! A home of its own for each trial, and devlog run in it as a process that is ended when it is stuck.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::content::content;
pub use super::content::{CONTENT, Content, parsed};
use super::harness::Figure;
pub use super::process::{Answer, STUCK, binary, bounded, ended, files_under, is_root, listed, wait_for, works};
use super::process::{memory_kib, peak_kib};

pub const EVENTS: &str = "SELECT count(*) FROM events";
pub const TOKENS: &str = "SELECT sum(output_tokens) FROM events";

/// A user's home with agents' logs and a devlog home inside.
pub struct Home {
    dir: tempfile::TempDir,
    devlog: PathBuf,
}

impl Home {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("devlog-faults-").tempdir().unwrap();
        let devlog = dir.path().join(".devlog");
        Self { dir, devlog }
    }

    /// A copy of this home, logs and lake, elsewhere.
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        let from = format!("{}/.", self.path().display());
        assert!(works("cp", &["-a", &from, copy.path().to_str().unwrap()]), "cp -a {from}");
        copy
    }

    /// The same logs with a devlog home that nothing has read yet.
    pub fn with_new_lake(&self) -> Lake<'_> {
        Lake { home: self, devlog: self.path().join(".devlog-undisturbed") }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn devlog(&self) -> &Path {
        &self.devlog
    }

    pub fn lake(&self) -> PathBuf {
        self.devlog.join("lake")
    }

    /// Entries of the commit log, oldest first.
    pub fn entries(&self) -> Vec<PathBuf> {
        let mut found = listed(&self.lake().join("events/_delta_log"));
        found.retain(|path| path.extension().is_some_and(|e| e == "json"));
        found
    }

    /// The Parquet files of the events, oldest month first.
    pub fn parts(&self) -> Vec<PathBuf> {
        let months = listed(&self.lake().join("events")).into_iter().filter(|p| p.is_dir());
        let files = months.filter(|p| !p.ends_with("_delta_log")).flat_map(|p| listed(&p));
        files.filter(|path| path.extension().is_some_and(|e| e == "parquet")).collect()
    }

    /// Path of a Claude transcript in this home, its folder made.
    pub fn claude(&self, project: &str, session: &str) -> PathBuf {
        let folder = self.path().join(".claude/projects").join(project);
        fs::create_dir_all(&folder).unwrap();
        folder.join(format!("{session}.jsonl"))
    }

    /// `devlog` with `args`, behind the words of `wrapper`.
    pub fn wrapped<S: AsRef<str>>(&self, wrapper: &[S], args: &[&str]) -> Command {
        self.command_in(&self.devlog, wrapper, args)
    }

    fn command_in<S: AsRef<str>>(&self, devlog: &Path, wrapper: &[S], args: &[&str]) -> Command {
        let binary = binary();
        let mut command = match wrapper.split_first() {
            None => Command::new(binary),
            Some((program, rest)) => {
                let mut command = Command::new(program.as_ref());
                command.args(rest.iter().map(AsRef::as_ref)).arg(binary);
                command
            }
        };
        command.env_clear().env("HOME", self.path()).env("DEVLOG_HOME", devlog).env("TZ", "UTC");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(args).stdin(Stdio::null());
        command
    }

    pub fn command(&self, args: &[&str]) -> Command {
        self.wrapped::<&str>(&[], args)
    }

    pub fn run(&self, args: &[&str]) -> Answer {
        bounded(self.command(args), STUCK)
    }

    /// Standard output of a command that must succeed.
    pub fn ok(&self, args: &[&str]) -> String {
        let answer = self.run(args);
        assert!(answer.code == Some(0) && !answer.stuck, "devlog {args:?} in {:?}: {}", self.path(), answer.text());
        answer.out
    }

    /// A query's answer as CSV.
    pub fn query(&self, sql: &str) -> Answer {
        self.run(&["query", "--format", "csv", sql])
    }

    /// The one number that a query answers.
    pub fn number(&self, sql: &str) -> i64 {
        let answer = self.query(sql);
        assert!(answer.code == Some(0), "{sql}: {}", answer.text());
        answer.number().unwrap_or_else(|| panic!("{sql} answers no number: {}", answer.text()))
    }

    /// The same from what is durable, without reading any log.
    pub fn durable(&self, sql: &str) -> i64 {
        let answer = self.run(&["query", "--no-sync", "--format", "csv", sql]);
        assert!(answer.code == Some(0), "{sql}: {}", answer.text());
        answer.number().unwrap_or_else(|| panic!("{sql} answers no number: {}", answer.text()))
    }

    /// Durable events by id.
    pub fn content(&self) -> Content {
        content(&self.run(&["query", "--no-sync", "--format", "ndjson", CONTENT]).ok())
    }

    /// Starts `devlog ingest` and waits until it listens.
    pub fn ingest(&self, args: &[&str]) -> Daemon {
        self.ingest_behind::<&str>(&[], args)
    }

    pub fn ingest_behind<S: AsRef<str>>(&self, wrapper: &[S], args: &[&str]) -> Daemon {
        let socket = self.devlog.join("devlog.sock");
        let _ = fs::remove_file(&socket);
        let mut all = vec!["ingest"];
        all.extend_from_slice(args);
        let log = File::create(self.path().join("ingest.log")).unwrap();
        let child = self.wrapped(wrapper, &all).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut daemon = Daemon { child };
        wait_for("the socket", || {
            assert!(daemon.child.try_wait().unwrap().is_none(), "the daemon ended: {}", self.said());
            socket.exists()
        });
        daemon
    }

    /// What the daemon wrote to stderr.
    pub fn said(&self) -> String {
        fs::read_to_string(self.path().join("ingest.log")).unwrap_or_default()
    }

    /// Makes all logs look as if nobody had written to them for an hour: what their agents left open is settled.
    pub fn fall_silent(&self) {
        let hour_ago = std::time::SystemTime::now() - Duration::from_secs(3600);
        for path in files_under(self.path()).into_iter().filter(|path| !path.starts_with(&self.devlog)) {
            if let Ok(file) = File::options().append(true).open(path) {
                let _ = file.set_modified(hour_ago);
            }
        }
    }

    /// After whatever happened: one backfill, a clean check, and what an undisturbed backfill makes of the same logs.
    pub fn compare_with_undisturbed(&self) -> Figure {
        self.compare_with_undisturbed_but(&[])
    }

    /// The same where some columns depend on when a file was made.
    pub fn compare_with_undisturbed_but(&self, columns: &[&str]) -> Figure {
        self.fall_silent();
        self.ok(&["backfill"]);
        let new = self.with_new_lake();
        new.ok(&["backfill"]);
        let expected = content(&new.ok(&["query", "--no-sync", "--format", "ndjson", CONTENT]));
        fs::remove_dir_all(&new.devlog).unwrap();
        let found = self.content();
        self.ok(&["fsck"]);
        found.without(columns).compare(&expected.without(columns))
    }
}

/// Another lake of the same logs.
pub struct Lake<'a> {
    home: &'a Home,
    devlog: PathBuf,
}

impl Lake<'_> {
    pub fn ok(&self, args: &[&str]) -> String {
        bounded(self.home.command_in::<&str>(&self.devlog, &[], args), STUCK).ok()
    }
}

/// A running `devlog ingest`, killed when dropped.
pub struct Daemon {
    pub child: Child,
}

impl Daemon {
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Asks it to stop and waits for its end; `None` when it is stuck or a signal ended it.
    pub fn stop(mut self, signal: Signal) -> Option<i32> {
        self.signal(signal);
        ended(&mut self.child, STUCK).and_then(|status| status.code())
    }

    /// Kills it at once.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn peak_kib(&self) -> u64 {
        peak_kib(self.child.id())
    }

    /// Memory that it has now.
    pub fn resident_kib(&self) -> u64 {
        memory_kib(self.child.id(), "VmRSS")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
