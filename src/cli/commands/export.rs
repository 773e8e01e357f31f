//! `export`: a table, a view or an answer, as files that other tools read.

use std::path::Path;

use super::super::args::{ExportArgs, ExportFormat};
use super::super::progress::{self, View, say};
use super::super::wire::{self, ExportPlan, QueryPlan};
use super::super::{CliError, Outcome, Streams, units};
use crate::config::Settings;

/// Writes the files.
pub(in super::super) fn run(
    settings: &Settings,
    args: &ExportArgs,
    quiet: bool,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    if taken(&args.output) && !args.force {
        return Err(CliError::Exists { path: args.output.clone() });
    }
    let plan = ExportPlan {
        query: QueryPlan { sql: select(&args.what), sync: !args.no_sync, ..QueryPlan::default() },
        format: format(args)?,
        output: args.output.clone(),
        partition_by: args.partition_by.clone(),
    };
    let mut view = View::new("catching up:", settings.terminal.stderr, quiet);
    let done = progress::shown(&mut view, streams.err, |on| wire::export(settings, &plan, on))?;
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

/// An empty directory is no obstacle, nor is a device or a pipe: nothing in it could be lost.
fn taken(path: &Path) -> bool {
    match path.metadata() {
        Ok(found) if found.is_dir() => std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()),
        Ok(found) => found.is_file(),
        Err(_) => path.symlink_metadata().is_ok(),
    }
}

/// A single word is a table or a view, everything else is SQL.
fn select(what: &str) -> String {
    let word = !what.is_empty() && what.chars().all(|c| c.is_alphanumeric() || c == '_');
    if word { format!("SELECT * FROM \"{what}\"") } else { what.to_owned() }
}

/// Parquet unless the flag or the ending of a single file says something else.
fn format(args: &ExportArgs) -> Result<ExportFormat, CliError> {
    let path = &args.output;
    let named = args.format.or_else(|| by_ending(path));
    let plain = !args.partition_by.is_empty() || path.extension().is_none() || path.is_dir();
    named
        .or(plain.then_some(ExportFormat::Parquet))
        .ok_or_else(|| CliError::UnknownEnding { path: path.clone(), endings: ".parquet, .csv, .ndjson or .arrow" })
}

fn by_ending(path: &Path) -> Option<ExportFormat> {
    Some(match path.extension()?.to_str()? {
        "parquet" => ExportFormat::Parquet,
        "csv" => ExportFormat::Csv,
        "ndjson" | "jsonl" => ExportFormat::Ndjson,
        "arrow" => ExportFormat::Arrow,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_a_table_and_a_sentence_is_sql() {
        assert_eq!(select("tool_calls"), "SELECT * FROM \"tool_calls\"");
        assert_eq!(select("SELECT 1"), "SELECT 1");
    }

    #[test]
    fn only_an_empty_directory_may_be_written_into() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!taken(folder.path()) && !taken(&folder.path().join("new")));
        std::fs::write(folder.path().join("old"), "").unwrap();
        assert!(taken(folder.path()) && taken(&folder.path().join("old")));
    }
}
