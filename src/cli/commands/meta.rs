//! `completions` and `version`: no settings, no files.

use clap::CommandFactory;

use super::super::args::{Arguments, CompletionsArgs, VersionArgs};
use super::super::{CliError, Outcome, Streams};

use super::{answer, answer_json};

/// Prints the completion script of a shell.
pub(in super::super) fn completions(args: &CompletionsArgs, streams: &mut Streams<'_>) -> Result<Outcome, CliError> {
    // Generated in memory: clap_complete panics when a write fails.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "devlog", &mut script);
    streams.out.write_all(&script).map_err(|source| CliError::Output { source })?;
    Ok(Outcome::Done)
}

/// Prints version and build.
pub(in super::super) fn version(args: &VersionArgs, streams: &mut Streams<'_>) -> Result<Outcome, CliError> {
    let (version, os, arch) = (env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH);
    let sql = cfg!(feature = "query");
    if args.json {
        answer_json(streams, &serde_json::json!({"version": version, "os": os, "arch": arch, "sql": sql}))?;
    } else {
        let build = if sql { "with SQL" } else { "collector only" };
        answer(streams, &format!("devlog {version} ({os} {arch}, {build})"))?;
    }
    Ok(Outcome::Done)
}
