//! Processes that are ended when they are stuck, and what is left on disk.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// After so long a process counts as stuck; no test looks at shorter times.
pub const STUCK: Duration = Duration::from_secs(150);

/// How a command ended.
#[derive(Debug)]
pub struct Answer {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
    /// It had to be ended.
    pub stuck: bool,
    /// Most memory that was seen, in KiB.
    pub peak_kib: u64,
}

impl Answer {
    pub fn ok(self) -> String {
        assert!(self.code == Some(0) && !self.stuck, "it ended with {:?}: {}{}", self.code, self.out, self.err);
        self.out
    }

    /// Both streams, for messages.
    pub fn text(&self) -> String {
        format!("exit code {:?}, stuck {}\n{}{}", self.code, self.stuck, self.out, self.err)
    }

    /// True when it says no and gives a reason.
    pub fn refused(&self) -> bool {
        self.code.is_some_and(|code| code > 1) && !self.err.trim().is_empty() && !self.panicked()
    }

    pub fn panicked(&self) -> bool {
        self.code == Some(101) || self.err.contains("panicked at")
    }

    /// The last line as a number.
    pub fn number(&self) -> Option<i64> {
        self.out.trim().lines().last().and_then(|line| line.trim().parse().ok())
    }
}

/// Waits for the end of a process; kills it after `bound`.
pub fn ended(child: &mut Child, bound: Duration) -> Option<std::process::ExitStatus> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status);
        }
        if began.elapsed() > bound {
            let _ = child.kill();
            let _ = child.wait();
            return None;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// The program that is tried: the one that was built with these tests, or `DEVLOG_FAULTS_BINARY`.
pub fn binary() -> OsString {
    std::env::var_os("DEVLOG_FAULTS_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_devlog").into())
}

/// Runs a command; ends it when it takes longer than `bound`.
pub fn bounded(mut command: Command, bound: Duration) -> Answer {
    let (out, err) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    command.stdout(out.try_clone().unwrap()).stderr(err.try_clone().unwrap());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (began, mut peak, mut stuck) = (Instant::now(), 0, false);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        peak = peak.max(peak_kib(child.id()));
        if began.elapsed() > bound && !stuck {
            stuck = true;
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    Answer { code: status.code(), out: whole(out), err: whole(err), stuck, peak_kib: peak }
}

fn whole(mut file: File) -> String {
    use std::io::{Read as _, Seek as _};
    let mut bytes = Vec::new();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Most memory a process has had, in KiB; 0 where the system does not tell.
pub fn peak_kib(pid: u32) -> u64 {
    memory_kib(pid, "VmHWM")
}

/// A figure of a process's memory, in KiB, by its name in `/proc`.
pub fn memory_kib(pid: u32, what: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(what)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Waits until `done`, at most until it counts as stuck.
pub fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let began = Instant::now();
    while !done() {
        assert!(began.elapsed() < STUCK, "stuck: waited {STUCK:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Runs a program; false when it is not there or fails.
pub fn works<S: Into<OsString> + Clone>(program: &str, args: &[S]) -> bool {
    let args = args.iter().cloned().map(Into::into);
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|s| s.success())
}

/// What a folder holds, by name; nothing when it is not there.
pub fn listed(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

/// All files below a folder.
pub fn files_under(folder: &Path) -> Vec<PathBuf> {
    let (folders, mut files): (Vec<_>, Vec<_>) =
        listed(folder).into_iter().partition(|path| path.is_dir() && !path.is_symlink());
    folders.iter().for_each(|folder| files.extend(files_under(folder)));
    files
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}
