//! `export`: a table, a view or an answer, as files that other tools read.

use super::super::answer::Layout;
use super::super::args::ExportArgs;
use super::super::export::{ExportPlan, export as write_files};
use super::super::place::is_taken;
use super::super::progress::{self, View, say};
use super::super::{CliError, Outcome, Streams, unfinished};
use super::query::{is_stdout, one, screen};
use crate::config::Settings;
use crate::ops::QueryPlan;
use crate::query::OutputFormat;
use crate::text::units;

/// Writes the files.
pub(in super::super) fn run(
    settings: &Settings,
    args: &ExportArgs,
    quiet: bool,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let query = QueryPlan { sql: select(&args.what), sync: !args.no_sync, ..QueryPlan::default() };
    let format = format(args)?;
    let in_folders = !args.partition_by.is_empty();
    if is_stdout(&args.output) {
        if in_folders {
            return Err(CliError::PartitionsToStdout);
        }
        let layout = Layout { format, screen: screen(settings, format)?, all: true };
        let rows = one(settings, &query, layout, quiet, streams.out, streams.err)?.rows;
        return Ok(if rows == 0 { Outcome::Nothing } else { Outcome::Done });
    }
    // Of a folder that is to be filled it is asked what lies in it.
    if !in_folders && is_taken(&args.output) && !args.force {
        return Err(CliError::Exists { path: args.output.clone() });
    }
    unfinished::tidy_up()?;
    let plan = ExportPlan {
        query,
        format,
        output: args.output.clone(),
        partition_by: args.partition_by.clone(),
        force: args.force,
    };
    let mut view = View::new("catching up:", settings.terminal.stderr, quiet);
    let done = progress::shown(&mut view, streams.err, |on| write_files(settings, &plan, on))?;
    let text = format!(
        "{} in {} with {}: {}",
        units::counted(done.rows, "row"),
        units::counted(done.files, "file"),
        units::bytes(done.bytes),
        args.output.display()
    );
    let _unheard = say(streams.err, quiet, &text);
    Ok(if done.rows == 0 { Outcome::Nothing } else { Outcome::Done })
}

/// A single word is a table or a view, everything else is SQL.
fn select(what: &str) -> String {
    let word = !what.is_empty() && what.chars().all(|c| c.is_alphanumeric() || c == '_');
    if word { format!("SELECT * FROM \"{what}\"") } else { what.to_owned() }
}

/// Parquet unless the flag or the ending of a single file says something else.
fn format(args: &ExportArgs) -> Result<OutputFormat, CliError> {
    let path = &args.output;
    let named = args.format.or_else(|| OutputFormat::of_path(path));
    let plain = !args.partition_by.is_empty() || path.extension().is_none() || path.is_dir();
    let unknown = || CliError::UnknownEnding { path: path.clone(), endings: OutputFormat::endings() };
    named.or(plain.then_some(OutputFormat::Parquet)).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_table_and_a_sentence_is_sql() {
        assert_eq!(select("tool_calls"), "SELECT * FROM \"tool_calls\"");
        assert_eq!(select("SELECT 1"), "SELECT 1");
    }
}
