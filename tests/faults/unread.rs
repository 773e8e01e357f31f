//! Logs that cannot be read: an answer that lacks them says so.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::calls::strace;
use super::harness::{Figure, Outcome, Trial, need, needs};
use super::home::{Answer, EVENTS, Home, STUCK, bounded, is_root, works};
use super::logs::{append, session};

pub fn a_log_that_may_not_be_read_is_told_by_every_answer_that_lacks_it(trial: &Trial) -> Outcome {
    need!(needs("setpriv"));
    if !is_root() {
        return Outcome::Skipped("only root can become another user".to_owned());
    }
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), session("s1", 2));
    let closed = home.claude("-home-u-shop", "s2");
    append(&closed, session("s2", 2));
    open_to_all(home.path());
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let wrapper = ["setpriv", "--reuid=64987", "--regid=64987", "--clear-groups"];
    let commands: [&[&str]; 4] = [
        &["query", "--format", "csv", EVENTS],
        &["report", "daily"],
        &["export", "events", "--force", "-o", "/dev/null", "--format", "csv"],
        &["backfill"],
    ];
    for (what, path) in [("s2.jsonl", closed.clone()), ("-home-u-shop", closed.parent().unwrap().to_owned())] {
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        set(&path, 0);
        for args in commands {
            let _ = fs::remove_dir_all(home.devlog());
            let answer = bounded(home.wrapped(&wrapper, args), STUCK);
            if answer.err.contains("failed to execute") {
                return Outcome::Skipped("the program cannot be run by another user here".to_owned());
            }
            let told = answer.err.contains(what) || answer.err.contains("could not be read");
            assert!(told, "{args:?} lacks {what} and does not say so: {}", answer.text());
        }
        set(&path, mode);
    }
    trial.figure("a log or folder that may not be read", Figure::trials(8));
    Outcome::Held
}

pub fn an_answer_without_a_log_that_could_not_be_read_says_so(trial: &Trial) -> Outcome {
    need!(strace());
    let home = Home::new();
    for n in 0..5 {
        let id = format!("s{n}");
        append(&home.claude("-home-u-shop", &id), super::logs::session(&id, 3));
    }
    let trials = trial.count(6, 120);
    let mut random = trial.random();
    let mut figure = Figure::default();
    let log = home.claude("-home-u-shop", "s3");
    for _ in 0..trials {
        let _ = fs::remove_dir_all(home.devlog());
        let (error, more) = (*random.pick(&["EIO", "EACCES", "EMFILE"]), *random.pick(&["", "+"]));
        let answer = query_with_bad_log(&home, &log, &format!("error={error}:when={}{more}", random.within(1..3)));
        figure.trials += 1;
        let right = answer.number() == Some(30);
        let told = answer.err.contains("s3.jsonl") || answer.err.contains("could not be read");
        assert!(right || answer.refused() || told, "{error}{more}: short and silent: {}", answer.text());
    }
    trial.figure("a query whose log cannot be read", figure);
    Outcome::Held
}

/// A query while the calls that open and read one log are refused.
fn query_with_bad_log(home: &Home, log: &Path, fault: &str) -> Answer {
    let trace = home.path().join("trace");
    let inject = format!("inject=openat,read,pread64:{fault}");
    let (trace, log) = (trace.to_str().unwrap(), log.to_str().unwrap());
    let wrapper = ["strace", "-f", "-qq", "-o", trace, "-P", log, "-e", "trace=openat,read,pread64", "-e", &inject];
    bounded(home.wrapped(&wrapper, &["query", "--format", "csv", EVENTS]), STUCK)
}

/// Lets another user write in a home of a test.
pub fn open_to_all(path: &Path) {
    assert!(works("chown", &["-R", "64987:64987", path.to_str().unwrap()]));
}
