//! Killed at random, killed at every system call that changes files, and with each such call refused.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use devlog::lake::Lake;

use super::lake_world::{MARCH, acknowledged, check, commit_next, position_of, work};

const ROOT: &str = "DEVLOG_TEST_LAKE_ROOT";
const COMMITS: &str = "DEVLOG_TEST_LAKE_COMMITS";
/// System calls that change files, as this build makes them.
const CALLS: [&str; 9] = ["fsync", "linkat", "link", "rename", "renameat", "unlink", "unlinkat", "write", "mkdir"];

/// The workload as a process of its own; does nothing in an ordinary run.
#[test]
fn lake_child() {
    if let (Some(root), Ok(commits)) = (std::env::var_os(ROOT), std::env::var(COMMITS)) {
        work(Path::new(&root), commits.parse().expect("a number"));
    }
}

/// The command that runs the workload on `root`, behind `wrapper` if there is one.
pub(crate) fn child(root: &Path, commits: u64, wrapper: &[String]) -> Child {
    let this = std::env::current_exe().expect("a test has a file");
    let arguments = ["--exact", "lake_crash::lake_child", "--nocapture", "--test-threads=1"];
    let mut command = match wrapper.split_first() {
        None => Command::new(&this),
        Some((program, rest)) => {
            let mut command = Command::new(program);
            command.args(rest).arg(&this);
            command
        }
    };
    command.args(arguments).env(ROOT, root).env(COMMITS, commits.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().expect("the child starts")
}

fn output_of(mut child: Child) -> String {
    let mut output = String::new();
    child.stdout.take().expect("piped").read_to_string(&mut output).expect("text");
    child.wait().expect("the child ends");
    output
}

pub(crate) fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

pub(crate) fn rounds(default: u32) -> u32 {
    std::env::var("DEVLOG_TEST_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// Random milliseconds below `limit`.
pub(crate) fn random_wait(limit: u64) -> Duration {
    let random = u64::from_le_bytes(*blake_of_now().first_chunk::<8>().expect("long enough"));
    Duration::from_millis(random % limit)
}

fn blake_of_now() -> [u8; 32] {
    let mut bytes = [0u8; 32];
    let mut file = std::fs::File::open("/dev/urandom").expect("a Unix");
    file.read_exact(&mut bytes).expect("it never ends");
    bytes
}

#[cfg(unix)]
#[test]
fn killed_at_random_times_loses_nothing_acknowledged_and_doubles_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("lake");
    let mut durable = 0;
    for round in 0..rounds(25) {
        let mut worker = child(&root, u64::MAX, &[]);
        std::thread::sleep(random_wait(150));
        worker.kill().unwrap();
        let acked = acknowledged(&output_of(worker)).max(durable);
        check(&root, acked, &format!("round {round}"));
        durable = position_of(&Lake::read(&root).unwrap());
    }
    assert!(durable > 0);
}

struct Sweep {
    points: u32,
    refused: u32,
}

/// Runs the workload on a copy of `prepare`d lakes with the `n`th `call` answered by `fault`, for
/// each `n` that happens.
fn sweep(fault: &str, repeat: &str, commits: u64, limit: u32, prepare: impl Fn(&Path) -> u64) -> Option<Sweep> {
    if !is_installed("strace") {
        eprintln!("skipped: strace is not installed");
        return None;
    }
    let mut sweep = Sweep { points: 0, refused: 0 };
    for call in CALLS {
        for n in 1..=limit {
            let dir = tempfile::tempdir().unwrap();
            let (root, trace) = (dir.path().join("lake"), dir.path().join("trace"));
            let before = prepare(&root);
            let inject = format!("inject={call}:{fault}:when={n}{repeat}");
            let paths = ["-f", "-qq", "-o", trace.to_str().unwrap(), "-e", &format!("trace={call}"), "-e", &inject];
            let wrapper: Vec<String> = std::iter::once("strace").chain(paths).map(str::to_owned).collect();
            let output = output_of(child(&root, commits, &wrapper));
            let trace = std::fs::read_to_string(&trace).unwrap_or_default();
            let hit = trace.contains("(INJECTED)") || trace.contains("SIGKILL");
            if !hit {
                break;
            }
            sweep.points += 1;
            sweep.refused += u32::from(output.contains("refused"));
            check(&root, acknowledged(&output).max(before), &format!("{call} {n} {fault}"));
        }
    }
    Some(sweep)
}

fn nothing(_root: &Path) -> u64 {
    0
}

/// A lake whose newest entry is torn, with a leftover of each kind; two commits are durable.
fn torn(root: &Path) -> u64 {
    let lake = Lake::open(devlog::lake::LakeOptions::new(root, MARCH)).unwrap();
    for _ in 0..3 {
        commit_next(&lake).unwrap();
    }
    drop(lake);
    let entry: PathBuf = root.join("events/_delta_log/00000000000000000002.json");
    let bytes = std::fs::read(&entry).unwrap();
    std::fs::write(&entry, &bytes[..bytes.len() / 2]).unwrap();
    std::fs::remove_dir_all(root.join("rejects/_delta_log")).unwrap();
    2
}

#[cfg(target_os = "linux")]
#[test]
fn killed_at_every_file_changing_call_of_flush_and_compaction() {
    if let Some(sweep) = sweep("signal=SIGKILL", "", 5, 400, nothing) {
        eprintln!("killed at {} calls", sweep.points);
        assert!(sweep.points > 60, "{} calls", sweep.points);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn killed_at_every_file_changing_call_of_recovery() {
    if let Some(sweep) = sweep("signal=SIGKILL", "", 0, 100, torn) {
        eprintln!("killed at {} calls", sweep.points);
        assert!(sweep.points > 5, "{} calls", sweep.points);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn one_refused_call_never_harms() {
    if let Some(sweep) = sweep("error=EIO", "", 5, 400, nothing) {
        eprintln!("{} calls refused once, {} runs stopped", sweep.points, sweep.refused);
        assert!(sweep.points > 60, "{} calls", sweep.points);
        assert!(
            sweep.refused < sweep.points / 2,
            "most single faults are outlived: {} of {}",
            sweep.refused,
            sweep.points
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_stays_full_from_any_call_on_never_harms() {
    if let Some(sweep) = sweep("error=ENOSPC", "+", 4, 40, nothing) {
        eprintln!("{} calls refused for good, {} runs stopped", sweep.points, sweep.refused);
        assert!(sweep.points > 20, "{} calls", sweep.points);
    }
}
