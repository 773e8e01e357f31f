//! What did the user type, what do they see?
//!
//! - arguments as typed (`args`) → [`Settings`] → one `run` per command
//! - answers go to stdout, everything else to stderr; both are handed in, so that tests see them
//! - exit codes are decided here alone: 0 done, 2 failed or wrong usage, 130 interrupted before it was
//!   done; 1 is what `--exit-code` asks for when there is nothing to show; a reader that closes the pipe
//!   has had enough, which is success
//! - nothing is read or opened before the arguments are known: `--version` and `--help` cost a parse;
//!   `schema` asks for the terminal only

#[cfg(feature = "query")]
mod answer;
mod args;
mod commands;
mod error;
#[cfg(feature = "query")]
mod export;
#[cfg(feature = "query")]
mod place;
mod progress;
mod table;
#[cfg(feature = "query")]
mod unfinished;
mod voice;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::config::{Env, Settings};
use crate::ops::{self, INTERRUPTED};
use args::{Arguments, Command};
use error::CliError;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It did what was asked.
    Done,
    /// It worked, and there was nothing to show.
    Nothing,
    /// A signal ended it before it was done; what it did until then is whole.
    Interrupted,
}

/// Where a command reads from and writes to.
pub struct Streams<'a> {
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// Answers.
    pub out: &'a mut (dyn Write + Send),
    /// Messages, progress, errors.
    pub err: &'a mut dyn Write,
    /// The instant that `7d` and `today` count from, microseconds since 1970.
    pub now_us: i64,
}

impl std::fmt::Debug for Streams<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").field("now_us", &self.now_us).finish_non_exhaustive()
    }
}

/// The program: reads this process's arguments and environment, returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let (mut input, mut out, mut err) = (io::stdin(), io::stdout(), io::stderr());
    let now_us = crate::pipeline::now_us();
    // stdout is not locked: a thread that prints must not wait for this one to end.
    let mut streams = Streams { input: &mut input, out: &mut out, err: &mut err, now_us };
    ExitCode::from(run(std::env::args_os(), Env::capture, &mut streams))
}

/// Runs the command line `arguments` (program name first) and returns the exit code.
///
/// `env` is called only by commands that need settings.
pub fn run(arguments: impl IntoIterator<Item = OsString>, env: impl FnOnce() -> Env, streams: &mut Streams<'_>) -> u8 {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error, streams),
    };
    let nothing = if arguments.command.wants_exit_code() { 1 } else { 0 };
    let ended = execute(arguments, env, streams).and_then(|outcome| {
        streams.out.flush().map_err(|source| CliError::Output { source })?;
        Ok(outcome)
    });
    exit_code(&ended, nothing, streams.err)
}

/// Help and version are answers; anything else is a message. clap knows the exit code: 0 or 2.
fn usage(error: &clap::Error, streams: &mut Streams<'_>) -> u8 {
    let text = error.render();
    let sink: &mut dyn Write = if error.use_stderr() { streams.err } else { streams.out };
    // Nobody is left to tell when this fails.
    let _unheard = write!(sink, "{text}").and_then(|()| sink.flush());
    u8::try_from(error.exit_code()).unwrap_or(2)
}

/// The one place that knows exit codes; `nothing` is the one for an answer without rows.
fn exit_code(ended: &Result<Outcome, CliError>, nothing: u8, err: &mut dyn Write) -> u8 {
    match ended {
        Ok(Outcome::Done) => 0,
        Ok(Outcome::Nothing) => nothing,
        Ok(Outcome::Interrupted) => INTERRUPTED,
        Err(error) if error.is_broken_pipe() => 0,
        Err(error) => {
            let _unheard = error.print(err);
            2
        }
    }
}

fn execute(arguments: Arguments, env: impl FnOnce() -> Env, streams: &mut Streams<'_>) -> Result<Outcome, CliError> {
    let Arguments { mut global, command } = arguments;
    match &command {
        Command::Version(version) => return commands::version(version, streams),
        Command::Completions(completions) => return commands::completions(completions, streams),
        Command::Schema(schema) => return commands::schema(schema, env().terminal, streams),
        #[cfg(all(feature = "query", unix))]
        Command::QueryWorker => return Ok(ops::work().map(|()| Outcome::Done)?),
        _ => {}
    }
    if std::time::SystemTime::now() < std::time::UNIX_EPOCH {
        return Err(CliError::Clock);
    }
    // For `demo`, --home is the made-up user's home, not devlog's.
    let demo_home = if matches!(command, Command::Demo(_)) { global.home.take() } else { None };
    let env = env();
    let settings = Settings::resolve(&global.overrides(), &env)?;
    if global.quiet == 0 {
        // The description that is tried is the subject of the answer: it says what is wrong with it.
        let tried = settings.own.broken.iter().find(|(name, _)| command.tried() == Some(name));
        for warning in &settings.warnings {
            if tried.is_none_or(|(_, why)| !warning.starts_with(why)) {
                commands::tell(streams, &format!("warning: {warning}"))?;
            }
        }
    }
    crate::pipeline::shift_clock(settings.clock_shift_us);
    streams.now_us = streams.now_us.saturating_add(settings.clock_shift_us);
    voice::listen(global.quiet, global.verbose);
    commands::check_agents(&settings, command.agents())?;
    let quiet = global.quiet > 0;
    let ended = match command {
        Command::Ingest(args) => commands::ingest(&settings, &args, quiet, streams),
        Command::Backfill(args) => commands::backfill(&settings, &args, quiet, streams),
        #[cfg(feature = "query")]
        Command::Query(args) => commands::query(&settings, &args, quiet, streams),
        #[cfg(feature = "query")]
        Command::Report(args) => commands::report(&settings, &args, quiet, streams),
        #[cfg(feature = "query")]
        Command::Export(args) => commands::export(&settings, &args, quiet, streams),
        Command::Status(args) => commands::status(&settings, &args, streams),
        Command::Sources(args) => commands::sources(&settings, &args, streams),
        Command::Adapters(args) => commands::adapters(&settings, &args, streams),
        Command::Compact(args) => commands::compact(&settings, &args, quiet, streams),
        Command::Fsck(args) => commands::fsck(&settings, &args, streams),
        Command::Snapshot(args) => commands::snapshot(&settings, &args, streams),
        Command::Prune(args) => commands::prune(&settings, &args, streams),
        Command::Demo(args) => commands::demo(&settings, &env, demo_home, &args, quiet, streams),
        Command::Schema(_) | Command::Completions(_) | Command::Version(_) => Ok(Outcome::Done),
        #[cfg(all(feature = "query", unix))]
        Command::QueryWorker => Ok(Outcome::Done),
    };
    ops::sweep(&settings);
    ended
}
