//! What answers look like from outside: ranges, exit codes, cells, headers, files.

#[path = "output/answers.rs"]
mod answers;
#[path = "output/codes.rs"]
mod codes;
#[path = "output/files.rs"]
mod files;
#[path = "output/ranges.rs"]
mod ranges;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[path = "output/screens.rs"]
mod screens;

use std::process::Output;

use super::home::{Home, answer, append, prompt, stamp};

/// Text that a command wrote to stderr.
fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Text that a command wrote to stdout.
fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Appends a session of one prompt and its answer, the prompt at `at` (RFC 3339).
fn turn_at(home: &Home, session: &str, at: &str) {
    let lines =
        prompt(session, 0, "hello") + &answer(session, 0, &format!("msg_{session}"), "hi", 10, Some("end_turn"));
    append(&home.claude("-home-u-shop", session), &lines.replace(&stamp(0), at));
}
