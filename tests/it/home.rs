//! A home of its own for each test: two variables and a temporary folder.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A user's home with agents' logs and a devlog home inside.
pub struct Home {
    dir: tempfile::TempDir,
}

impl Home {
    pub fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn devlog_home(&self) -> PathBuf {
        self.path().join(".devlog")
    }

    pub fn lake(&self) -> PathBuf {
        self.devlog_home().join("lake")
    }

    /// Path of a Claude transcript in this home, its folder made.
    pub fn claude(&self, project: &str, session: &str) -> PathBuf {
        let folder = self.path().join(".claude/projects").join(project);
        fs::create_dir_all(&folder).unwrap();
        folder.join(format!("{session}.jsonl"))
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_devlog"));
        command.env_clear().env("HOME", self.path()).env("DEVLOG_HOME", self.devlog_home()).env("TZ", "UTC");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(args).stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Standard output of a command that must succeed.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "devlog {args:?} ended with {}: {err}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// Rows of a query as JSON objects.
    pub fn query(&self, sql: &str) -> Vec<serde_json::Value> {
        let text = self.ok(&["query", "--format", "ndjson", sql]);
        text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
    }

    /// The one number that a query answers.
    pub fn number(&self, sql: &str) -> i64 {
        self.single(&self.query(sql))
    }

    /// The one number that a query answers from what is durable, without reading any log.
    pub fn durable_number(&self, sql: &str) -> i64 {
        let text = self.ok(&["query", "--no-sync", "--format", "ndjson", sql]);
        let rows: Vec<serde_json::Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        self.single(&rows)
    }

    fn single(&self, rows: &[serde_json::Value]) -> i64 {
        assert_eq!(rows.len(), 1, "one row expected");
        let value = rows[0].as_object().unwrap().values().next().unwrap();
        value.as_i64().unwrap_or_else(|| panic!("{value} is no number"))
    }

    /// Starts `devlog ingest` and waits until it answers.
    pub fn ingest(&self, args: &[&str]) -> Daemon {
        let mut all = vec!["ingest"];
        all.extend_from_slice(args);
        let log = File::create(self.path().join("ingest.log")).unwrap();
        let child = self.command(&all).stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let daemon = Daemon { child };
        wait_for("the socket", || self.devlog_home().join("devlog.sock").exists());
        daemon
    }
}

/// Waits until the times of files tell whether they change again: one that changed within the last 50 ms is
/// looked into once more.
pub fn until_times_tell() {
    std::thread::sleep(Duration::from_millis(100));
}

/// A running `devlog ingest`, killed when dropped.
pub struct Daemon {
    pub child: Child,
}

impl Daemon {
    /// Asks it to stop and waits for its end.
    pub fn stop(mut self) -> std::process::ExitStatus {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }

    /// Kills it at once.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `done`, at most a minute.
pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited a minute for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Appends text to a file, making it when it is not there.
pub fn append(path: &Path, text: &str) {
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// A user's prompt as Claude Code writes it, with its newline.
pub fn prompt(session: &str, n: u32, text: &str) -> String {
    let line = serde_json::json!({
        "parentUuid": null, "isSidechain": false, "userType": "external", "cwd": "/home/u/shop", "sessionId": session,
        "version": "2.1.100", "gitBranch": "main", "type": "user",
        "message": {"role": "user", "content": text},
        "uuid": format!("u-{session}-{n}"), "timestamp": stamp(n),
    });
    format!("{line}\n")
}

/// One line of a model's answer as Claude Code writes it, with its newline.
pub fn answer(session: &str, n: u32, message: &str, text: &str, output_tokens: u32, stop: Option<&str>) -> String {
    let line = serde_json::json!({
        "parentUuid": null, "isSidechain": false, "userType": "external", "cwd": "/home/u/shop", "sessionId": session,
        "version": "2.1.100", "gitBranch": "main", "type": "assistant", "requestId": format!("req_{message}"),
        "message": {
            "id": message, "type": "message", "role": "assistant", "model": "claude-opus-4-6",
            "content": [{"type": "text", "text": text}], "stop_reason": stop, "stop_sequence": null,
            "usage": {"input_tokens": 3, "cache_creation_input_tokens": 10, "cache_read_input_tokens": 100,
                      "output_tokens": output_tokens,
                      "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6}},
        },
        "uuid": format!("a-{session}-{n}"), "timestamp": stamp(n),
    });
    format!("{line}\n")
}

/// RFC 3339 time `n` seconds after a fixed moment.
pub fn stamp(n: u32) -> String {
    let time = chrono::DateTime::from_timestamp(1_780_000_000 + i64::from(n), 0).unwrap();
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// A session of `turns` prompts, each with one finished answer of ten output tokens.
pub fn session(id: &str, turns: u32) -> String {
    let turn = |n: u32| {
        prompt(id, 2 * n, &format!("question {n}"))
            + &answer(id, 2 * n + 1, &format!("msg_{id}_{n}"), &format!("answer {n}"), 10, Some("end_turn"))
    };
    (0..turns).map(turn).collect()
}
