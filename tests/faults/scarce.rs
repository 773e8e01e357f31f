//! Too little address space, too few threads: a process ends with a reason.

use super::harness::{Figure, Outcome, Trial, need, needs};
use super::home::{EVENTS, STUCK, bounded, is_root};
use super::limits::{limited, must_have_all, prlimit};
use super::logs::{append, home_with_parts, session};
use super::unread::open_to_all;

pub fn little_address_space_ends_a_command_and_the_next_run_is_right(trial: &Trial) -> Outcome {
    need!(prlimit());
    let home = home_with_parts(8);
    append(&home.claude("-home-u-shop", "big"), session("big", 400));
    let mut figure = Figure::default();
    let sizes: &[u64] =
        if trial.is_long() { &[40, 80, 120, 160, 200, 220, 240, 260, 300, 400, 600] } else { &[60, 160, 240, 400] };
    let commands: [&[&str]; 2] = [&["query", "SELECT count(*), max(length(text)) FROM events"], &["backfill"]];
    for args in commands {
        for megabytes in sizes {
            let answer = limited(&home, &format!("--as={}", megabytes << 20), args);
            figure.trials += 1;
            figure.stuck += usize::from(answer.stuck);
            assert!(answer.code != Some(0) || !answer.out.is_empty(), "success and nothing: {}", answer.text());
        }
    }
    must_have_all(&home, 160 + 800);
    trial.figure("address space 40 to 600 MB", figure.clone());
    assert_eq!(figure.stuck, 0, "processes short of memory hang");
    Outcome::Held
}

pub fn few_threads_end_a_query_and_never_hang_it(trial: &Trial) -> Outcome {
    need!(prlimit());
    need!(needs("setpriv"));
    if !is_root() {
        return Outcome::Skipped("only root can become a user with no other processes".to_owned());
    }
    let home = home_with_parts(4);
    open_to_all(home.path());
    let mut figure = Figure::default();
    for threads in [1, 2, 3, 4, 6, 8, 12] {
        let (uid, gid) = ("--reuid=64987", "--regid=64987");
        let nproc = format!("--nproc={threads}");
        let wrapper = ["setpriv", uid, gid, "--clear-groups", "prlimit", &nproc];
        let answer = bounded(home.wrapped(&wrapper, &["query", "--no-sync", "--format", "csv", EVENTS]), STUCK);
        if answer.err.contains("failed to execute") {
            return Outcome::Skipped("the program cannot be run by another user here".to_owned());
        }
        figure.trials += 1;
        figure.stuck += usize::from(answer.stuck);
        let right = answer.code == Some(0) && answer.number() == Some(80);
        assert!(right || answer.code != Some(0) || answer.stuck, "{threads} threads: {}", answer.text());
    }
    trial.figure("1 to 12 threads", figure.clone());
    assert_eq!(figure.stuck, 0, "a query that gets no thread hangs");
    Outcome::Held
}
