//! System calls that kill, are refused, or are refused for good, by strace.

use std::fs;

use super::commands::DISTINCT;
use super::harness::{Figure, Outcome, Trial, need};
use super::home::{Answer, EVENTS, Home, STUCK, bounded, works};
use super::logs::{append, home_with_parts, prompt};
use super::random::Random;

/// Calls that change files.
const CHANGES: [&str; 8] = ["fsync", "linkat", "rename", "unlink", "unlinkat", "write", "mkdir", "ftruncate"];
/// Calls that look.
const LOOKS: [&str; 5] = ["openat", "read", "pread64", "statx", "getdents64"];
const COMMANDS: [&[&str]; 5] = [
    &["ingest", "--once"],
    &["compact"],
    &["prune", "--session", "s2", "--yes"],
    &["fsck", "--rebuild-from-footers"],
    &["snapshot"],
];

/// Whether processes may be traced here.
pub fn strace() -> Result<(), Outcome> {
    if works("strace", &["-f", "-qq", "-o", "/dev/null", "true"]) {
        return Ok(());
    }
    Err(Outcome::Skipped("strace is not installed, or may not trace here".to_owned()))
}

/// Runs `args` with the calls of a kind answered by `fault`; also says whether that happened.
pub fn injected(home: &Home, fault: &str, call: &str, args: &[&str]) -> (Answer, bool) {
    let trace = home.path().join("trace");
    let (calls, inject) = (format!("trace={call}"), format!("inject={call}:{fault}"));
    let wrapper = ["strace", "-f", "-qq", "-o", trace.to_str().unwrap(), "-e", &calls, "-e", &inject];
    let answer = bounded(home.wrapped(&wrapper, args), STUCK);
    let text = fs::read(&trace).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    fs::remove_file(&trace).unwrap();
    (answer, text.contains("(INJECTED)") || text.contains("killed by SIGKILL"))
}

/// As [`injected`] at the `n`th call, or at an earlier one when there are fewer; `None` when there is none at all.
fn injected_at(
    template: &Home,
    fault: &str,
    call: &str,
    n: usize,
    more: &str,
    args: &[&str],
) -> Option<(Home, Answer)> {
    let mut n = n;
    while n > 0 {
        let home = template.copy();
        append(&home.claude("-home-u-shop", "s1"), prompt("s1", 90_000, "after the copy"));
        let (answer, hit) = injected(&home, &format!("{fault}:when={n}{more}"), call, args);
        if hit {
            return Some((home, answer));
        }
        n /= 2;
    }
    None
}

/// After a fault: the command runs, and then a backfill, a check, and every row is there once.
fn must_recover(home: &Home, args: &[&str], what: &str) {
    let again = home.run(args);
    // 1: there is nothing left to prune.
    assert!(matches!(again.code, Some(0 | 1)), "{what}, again: {}", again.text());
    home.ok(&["backfill"]);
    let expected = if args[0] == "prune" { (161, 161) } else { (321, 321) };
    assert_eq!((home.durable(EVENTS), home.durable(DISTINCT)), expected, "{what}");
    let checked = home.run(&["fsck"]);
    assert_eq!(checked.code, Some(0), "{what}: {}", checked.text());
}

/// Sixteen files of twenty rows.
fn template() -> Home {
    home_with_parts(16)
}

/// Every pair of a command and a call, or some of them in a short run.
fn pairs(calls: &[&'static str], trials: usize, random: &mut Random) -> Vec<(&'static [&'static str], &'static str)> {
    (0..trials).map(|n| (COMMANDS[n % COMMANDS.len()], *random.pick(calls))).collect()
}

pub fn killed_before_any_call_that_changes_files_the_next_run_is_right(trial: &Trial) -> Outcome {
    need!(strace());
    let (template, mut random) = (template(), trial.random());
    let mut figure = Figure::default();
    for (args, call) in pairs(&CHANGES, trial.count(15, 300), &mut random) {
        let n = random.within(1..24);
        let Some((home, _)) = injected_at(&template, "signal=SIGKILL", call, n, "", args) else { continue };
        figure.trials += 1;
        must_recover(&home, args, &format!("{args:?} killed before {call} {n}"));
    }
    trial.figure("SIGKILL before the N-th call that changes files", figure);
    Outcome::Held
}

pub fn a_refused_change_is_told_or_done_again_and_harms_nothing(trial: &Trial) -> Outcome {
    need!(strace());
    let (template, mut random) = (template(), trial.random());
    let mut figure = Figure::default();
    let calls = [&CHANGES[..], &["flock", "chmod"]].concat();
    for (args, call) in pairs(&calls, trial.count(15, 900), &mut random) {
        let error = *random.pick(&["EIO", "ENOSPC", "EDQUOT"]);
        let more = *random.pick(&["", "+"]);
        let n = random.within(1..24);
        // What a process prints goes through `write` as well: its refusal cannot be told there.
        let fault = format!("error={error}");
        let Some((home, answer)) = injected_at(&template, &fault, call, n, more, args) else { continue };
        figure.trials += 1;
        let what = format!("{args:?} with {error}{more} at {call} {n}");
        assert!(!answer.stuck && !answer.panicked(), "{what}: {}", answer.text());
        assert!(answer.code == Some(0) || answer.refused() || call == "write", "{what}: {}", answer.text());
        must_recover(&home, args, &what);
    }
    trial.figure("EIO, ENOSPC, EDQUOT once and for good on changes", figure);
    Outcome::Held
}

pub fn a_refused_look_is_told_and_harms_nothing(trial: &Trial) -> Outcome {
    need!(strace());
    let (template, mut random) = (template(), trial.random());
    let mut figure = Figure::default();
    for (args, call) in pairs(&LOOKS, trial.count(15, 1500), &mut random) {
        let error = *random.pick(&["EIO", "EMFILE", "EACCES"]);
        let more = *random.pick(&["", "+"]);
        // The first ones load the program itself.
        let n = random.within(30..200);
        let fault = format!("error={error}");
        let Some((home, answer)) = injected_at(&template, &fault, call, n, more, args) else { continue };
        figure.trials += 1;
        let what = format!("{args:?} with {error}{more} at {call} {n}");
        assert!(!answer.stuck && !answer.panicked(), "{what}: {}", answer.text());
        must_recover(&home, args, &what);
    }
    trial.figure("EIO, EMFILE, EACCES on reads", figure);
    Outcome::Held
}
