//! What goes wrong around devlog: signals, full and read-only disks, odd files, late folders.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::home::{Home, append, prompt, session, wait_for};

const OUTPUT: &str = "SELECT sum(output_tokens) FROM events";
const EVENTS: &str = "SELECT count(*) FROM events";

/// Sends `signal`; returns the exit code and how long the end took.
fn end_with(mut child: Child, signal: Signal) -> (Option<i32>, Duration) {
    let asked = Instant::now();
    kill_process(Pid::from_child(&child), signal).unwrap();
    (child.wait().unwrap().code(), asked.elapsed())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Runs a command; false when it is not there or fails.
fn works(program: &str, args: &[&str]) -> bool {
    let status = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|s| s.success())
}

/// A small disk at a path, unmounted when dropped.
pub struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    pub fn mount(path: &'a Path, size: &str) -> Option<Self> {
        fs::create_dir_all(path).unwrap();
        let options = format!("size={size},mode=0700");
        works("mount", &["-t", "tmpfs", "-o", &options, "devlog-test", path.to_str().unwrap()]).then_some(Self(path))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        works("umount", &["-l", self.0.to_str().unwrap()]);
    }
}

/// Text that hardly compresses.
pub fn noise(seed: u32, length: usize) -> String {
    let mut state = u64::from(seed) | 1 << 40;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        char::from(b'!' + u8::try_from(state % 90).unwrap())
    };
    std::iter::repeat_with(next).filter(|c| *c != '\\' && *c != '"').take(length).collect()
}

#[test]
fn a_signal_during_a_backfill_ends_it_soon_and_the_next_run_goes_on() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = Home::new();
        let log = home.claude("-home-u-shop", "s1");
        append(&log, &session("s1", 60_000));
        let child = home.command(&["backfill", "--quiet", "--memory", "32MB"]).stdout(Stdio::null()).spawn().unwrap();
        wait_for("the first commit", || home.lake().join("events/_delta_log/00000000000000000000.json").exists());
        let (code, took) = end_with(child, signal);
        assert_eq!(code, Some(130));
        assert!(took < Duration::from_secs(5), "{took:?}");
        let durable = home.durable_number(EVENTS);
        assert!(durable > 0, "what was read is durable");
        home.ok(&["backfill"]);
        assert_eq!(home.durable_number(EVENTS), 120_000);
        assert_eq!(home.durable_number(OUTPUT), 600_000);
    }
}

#[test]
fn a_signal_while_following_ends_it_soon_with_everything_durable() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = Home::new();
        let log = home.claude("-home-u-shop", "s1");
        append(&log, &session("s1", 3));
        let mut daemon = home.ingest(&["--flush-interval", "1h"]);
        // What was there at the start is durable before following begins.
        wait_for("the first rows on disk", || home.durable_number(EVENTS) >= 5);
        append(&log, &prompt("s1", 900, "the last words"));
        wait_for("the new row", || home.number(EVENTS) == 7);
        let asked = Instant::now();
        kill_process(Pid::from_child(&daemon.child), signal).unwrap();
        assert_eq!(daemon.child.wait().unwrap().code(), Some(0));
        assert!(asked.elapsed() < Duration::from_secs(5));
        assert_eq!(home.durable_number(EVENTS), 7);
        assert!(!home.devlog_home().join("devlog.sock").exists());
    }
}

#[test]
fn a_root_that_appears_later_is_followed() {
    let home = Home::new();
    let daemon = home.ingest(&["--flush-interval", "100ms"]);
    std::thread::sleep(Duration::from_millis(300));
    let log = home.claude("-home-u-shop", "s1");
    append(&log, &session("s1", 2));
    wait_for("its rows", || home.number(EVENTS) == 4);
    let second = home.claude("-home-u-new", "s2");
    append(&second, &session("s2", 2));
    wait_for("rows of a new folder", || home.number(EVENTS) == 8);
    assert!(daemon.stop().success());
    assert_eq!(home.durable_number(OUTPUT), 40);
}

#[test]
fn a_named_pipe_among_the_logs_stops_nothing() {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &session("s1", 2));
    let pipe = home.claude("-home-u-shop", "s2");
    assert!(works("mkfifo", &[pipe.to_str().unwrap()]));
    home.ok(&["backfill"]);
    assert_eq!(home.durable_number(OUTPUT), 20);
    let daemon = home.ingest(&[]);
    append(&home.claude("-home-u-shop", "s1"), &prompt("s1", 70, "more"));
    wait_for("the new row", || home.number(EVENTS) == 5);
    assert!(daemon.stop().success());
}

#[test]
fn a_socket_left_by_a_killed_daemon_is_in_nobodys_way() {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &session("s1", 2));
    home.ingest(&[]).kill();
    assert!(home.devlog_home().join("devlog.sock").exists());
    assert_eq!(home.number(OUTPUT), 20);
    let daemon = home.ingest(&[]);
    wait_for("an answer", || home.number(OUTPUT) == 20);
    assert!(daemon.stop().success());
}

#[test]
fn a_home_whose_path_is_too_long_for_a_socket_has_it_in_the_users_own_folder() {
    let home = Home::new();
    let long = home.path().join("x".repeat(120));
    append(&home.claude("-home-u-shop", "s1"), &session("s1", 2));
    let folder = home.path().join("runtime");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    let command = |args: &[&str]| {
        let mut command = home.command(args);
        command.env("DEVLOG_HOME", &long).env("XDG_RUNTIME_DIR", &folder);
        command
    };
    let child = command(&["ingest", "--flush-interval", "1h"]).stderr(Stdio::null()).spawn().unwrap();
    let sockets = || fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    wait_for("the socket", || !sockets().is_empty());
    assert_eq!(fs::metadata(&sockets()[0]).unwrap().permissions().mode() & 0o777, 0o600);
    let status = command(&["status"]).output().unwrap();
    assert!(String::from_utf8_lossy(&status.stdout).contains(&format!("process {}", child.id())));
    // Only the process that follows can know this row: nothing is written within the hour.
    append(&home.claude("-home-u-shop", "s1"), &prompt("s1", 900, "one more"));
    let seen = || command(&["query", "--format", "csv", EVENTS]).output().unwrap().stdout;
    wait_for("the new row", || seen().ends_with(b"\n5\n"));
    let second = command(&["ingest"]).output().unwrap();
    assert!(String::from_utf8_lossy(&second.stderr).contains("is already following"));
    assert_eq!(end_with(child, Signal::TERM).0, Some(0));
    assert_eq!(sockets(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_home_without_any_place_for_a_socket_is_followed_without_one() {
    if Path::new(&format!("/run/user/{}", rustix::process::geteuid().as_raw())).exists() {
        eprintln!("skipped: this user has a folder for sockets");
        return;
    }
    let home = Home::new();
    let long = home.path().join("x".repeat(120));
    append(&home.claude("-home-u-shop", "s1"), &session("s1", 2));
    let errors = fs::File::create(home.path().join("errors")).unwrap();
    let mut command = home.command(&["ingest", "--flush-interval", "50ms"]);
    let child = command.env("DEVLOG_HOME", &long).stderr(errors).spawn().unwrap();
    let text = || fs::read_to_string(home.path().join("errors")).unwrap();
    wait_for("the warning", || text().contains("shorter --home"));
    wait_for("a commit", || long.join("lake/events").exists());
    if cfg!(target_os = "linux") {
        let status = home.command(&["status"]).env("DEVLOG_HOME", &long).output().unwrap();
        let text = String::from_utf8_lossy(&status.stdout).into_owned();
        assert!(text.contains(&format!("process {} writes the lake", child.id())), "{text}");
        let mut compact = home.command(&["compact", "--lock-wait", "100ms"]);
        let refused = compact.env("DEVLOG_HOME", &long).output().unwrap();
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(text.contains(&format!("devlog ingest (process {}) is writing the lake", child.id())), "{text}");
    }
    assert_eq!(end_with(child, Signal::TERM).0, Some(0));
    let mut query = home.command(&["query", "--format", "csv", OUTPUT]);
    let output = query.env("DEVLOG_HOME", &long).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("20"));
}

#[test]
fn a_full_disk_ends_a_backfill_with_a_reason_and_leaves_a_whole_lake() {
    let home = Home::new();
    let (disk, log) = (home.devlog_home(), home.claude("-home-u-shop", "s1"));
    for n in 0..400 {
        append(&log, &prompt("s1", n, &noise(n, 50_000)));
    }
    let Some(_mounted) = SmallDisk::mount(&disk, "8m") else {
        eprintln!("skipped: no small disk can be mounted here");
        return;
    };
    let output = home.run(&["backfill", "--memory", "16MB"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("no space left") && text.contains(disk.to_str().unwrap()), "{text}");
    assert!(works("mount", &["-o", "remount,size=80m", disk.to_str().unwrap()]));
    home.ok(&["fsck"]);
    home.ok(&["backfill"]);
    assert_eq!(home.durable_number(EVENTS), 400);
    assert_eq!(home.durable_number("SELECT count(DISTINCT event_id) FROM events"), 400);
}

#[test]
fn a_full_disk_pauses_a_daemon_that_goes_on_by_itself_when_there_is_room() {
    let home = Home::new();
    let (disk, log) = (home.devlog_home(), home.claude("-home-u-shop", "s1"));
    append(&log, &session("s1", 1));
    let Some(_mounted) = SmallDisk::mount(&disk, "8m") else {
        eprintln!("skipped: no small disk can be mounted here");
        return;
    };
    let daemon = home.ingest(&["--flush-interval", "100ms", "--memory", "16MB"]);
    wait_for("the first rows", || home.number(EVENTS) == 2);
    for n in 0..400 {
        append(&log, &prompt("s1", 1000 + n, &noise(n, 50_000)));
    }
    let warned = || fs::read_to_string(home.path().join("ingest.log")).unwrap().contains("no space left");
    wait_for("a warning", warned);
    let seen = home.number(EVENTS);
    assert!((2..402).contains(&seen), "it answers: {seen}");
    let report = || -> serde_json::Value { serde_json::from_str(&home.ok(&["report", "daily", "--json"])).unwrap() };
    wait_for("an answer that says what it lacks", || report()["complete"] == false);
    let why = report()["incomplete_because"][0].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("stopped reading") && why.contains("no space left"), "{why}");
    let status = home.ok(&["status"]);
    assert!(status.contains("stopped reading") && status.contains("not been able to commit"), "{status}");
    assert!(works("mount", &["-o", "remount,size=80m", disk.to_str().unwrap()]));
    wait_for("everything", || home.number(EVENTS) == 402);
    wait_for("an answer that lacks nothing", || report()["complete"] == true);
    assert!(!home.ok(&["status"]).contains("not been able to commit"));
    assert!(daemon.stop().success());
    assert_eq!(home.durable_number("SELECT count(DISTINCT event_id) FROM events"), 402);
    home.ok(&["fsck"]);
}

/// A command as a user without rights.
fn as_nobody(home: &Home, args: &[&str]) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups", env!("CARGO_BIN_EXE_devlog")]).args(args);
    command.env_clear().env("HOME", home.path()).env("DEVLOG_HOME", home.devlog_home()).env("TZ", "UTC");
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).stdin(Stdio::null());
    command
}

#[test]
fn a_folder_that_may_not_be_read_is_named_and_the_others_go_on() {
    if !is_root() || !works("setpriv", &["--version"]) {
        eprintln!("skipped: needs root and setpriv");
        return;
    }
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &session("s1", 2));
    let closed = home.claude("-home-u-closed", "s2");
    append(&closed, &session("s2", 2));
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    set(home.path(), 0o777);
    set(closed.parent().unwrap(), 0o700);
    let output = as_nobody(&home, &["backfill"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if text.contains("Permission denied") && !home.devlog_home().exists() {
        eprintln!("skipped: the program itself cannot be run by another user here");
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("-home-u-closed"), "{text}");
    assert_eq!(home.durable_number(OUTPUT), 20);
}

#[test]
fn a_home_that_may_not_be_written_is_named() {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &session("s1", 2));
    let disk = home.devlog_home();
    let Some(_mounted) = SmallDisk::mount(&disk, "8m") else {
        eprintln!("skipped: no small disk can be mounted here");
        return;
    };
    home.ok(&["backfill"]);
    assert!(works("mount", &["-o", "remount,ro", disk.to_str().unwrap()]));
    append(&home.claude("-home-u-shop", "s1"), &prompt("s1", 70, "more"));
    for command in ["backfill", "ingest"] {
        let output = home.run(&[command]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(disk.to_str().unwrap()), "{text}");
    }
    assert_eq!(home.number(EVENTS), 5);
    // What is worth a commit is left out then, and said.
    append(&home.claude("-home-u-shop", "s1"), &prompt("s1", 71, &noise(1, 5_000_000)));
    let output = home.run(&["query", "--format", "csv", EVENTS]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("the answer shows what was committed before: not allowed to"), "{text}");
    assert!(String::from_utf8_lossy(&output.stdout).ends_with("\n4\n"), "{text}");
}
