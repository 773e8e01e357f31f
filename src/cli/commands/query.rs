//! `query`: SQL from the command line, a file or stdin; rows to stdout or a file.

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::args::{OutputFormat, QueryArgs};
use super::super::progress::{self, View, say};
use super::super::wire::{self, Layout, QueryPlan};
use super::super::{CliError, Outcome, Streams, units};
use crate::config::Settings;

/// Clears a terminal and goes to its upper left corner.
const CLEAR: &str = "\x1b[2J\x1b[H";

/// With less, `--watch` would keep a core busy and a screen unreadable.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);

/// Answers one query, or the same one again and again.
pub(in super::super) fn run(
    settings: &Settings,
    args: &QueryArgs,
    quiet: bool,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let plan = QueryPlan {
        sql: sql(settings, args, streams.input)?,
        parameters: args.param.clone(),
        sync: !args.no_sync,
        timeout: args.timeout,
    };
    let format = args.format.or_else(|| by_ending(args.output.as_deref())).unwrap_or(OutputFormat::Table);
    if let Some(path) = &args.output {
        let rows =
            to_file(path, |out| one(settings, &plan, Layout { format, columns: None }, quiet, out, streams.err))?;
        let _unheard = say(streams.err, quiet, &format!("{} in {}", units::counted(rows, "row"), path.display()));
        return Ok(outcome(rows));
    }
    let terminal = settings.terminal.stdout;
    if terminal && matches!(format, OutputFormat::Parquet | OutputFormat::Arrow) {
        let format = if format == OutputFormat::Parquet { "parquet" } else { "arrow" };
        return Err(CliError::BinaryToTerminal { format });
    }
    let layout = Layout { format, columns: settings.terminal.columns.filter(|_| terminal) };
    let Some(pause) = args.watch else {
        let rows = one(settings, &plan, layout, quiet, streams.out, streams.err)?;
        return Ok(outcome(rows));
    };
    loop {
        // The whole picture at once: a screen that is half old and half new flickers.
        let mut picture = Vec::new();
        one(settings, &plan, layout, quiet, &mut picture, streams.err)?;
        let clear = if terminal { CLEAR } else { "" };
        let shown = write!(streams.out, "{clear}").and_then(|()| streams.out.write_all(&picture));
        shown.and_then(|()| streams.out.flush()).map_err(|source| CliError::Output { source })?;
        std::thread::sleep(pause.max(SHORTEST_PAUSE));
    }
}

fn outcome(rows: u64) -> Outcome {
    if rows == 0 { Outcome::Nothing } else { Outcome::Done }
}

fn one(
    settings: &Settings,
    plan: &QueryPlan,
    layout: Layout,
    quiet: bool,
    out: &mut (dyn Write + Send),
    err: &mut dyn Write,
) -> Result<u64, CliError> {
    let mut view = View::new("catching up:", settings.terminal.stderr, quiet);
    progress::shown(&mut view, err, |on| wire::query(settings, plan, layout, on, out))
}

/// The text of the query.
fn sql(settings: &Settings, args: &QueryArgs, input: &mut dyn Read) -> Result<String, CliError> {
    let text = match (&args.sql, &args.file) {
        (Some(sql), _) if sql != "-" => sql.clone(),
        (None, Some(path)) if path.as_os_str() != "-" => {
            std::fs::read_to_string(path).map_err(|source| CliError::Read { path: path.clone(), source })?
        }
        (None, None) if settings.terminal.stdin => return Err(CliError::NoQuery),
        _ => {
            let mut text = String::new();
            let read = input.read_to_string(&mut text);
            read.map_err(|source| CliError::Read { path: PathBuf::from("-"), source })?;
            text
        }
    };
    if text.trim().is_empty() { Err(CliError::NoQuery) } else { Ok(text) }
}

fn by_ending(path: Option<&Path>) -> Option<OutputFormat> {
    Some(match path?.extension()?.to_str()? {
        "json" => OutputFormat::Json,
        "ndjson" | "jsonl" => OutputFormat::Ndjson,
        "csv" => OutputFormat::Csv,
        "tsv" => OutputFormat::Tsv,
        "md" => OutputFormat::Markdown,
        "parquet" => OutputFormat::Parquet,
        "arrow" | "arrows" => OutputFormat::Arrow,
        _ => return None,
    })
}

/// Writes beside `path` and renames at the end: a query that fails leaves what was there.
fn to_file(path: &Path, fill: impl FnOnce(&mut (dyn Write + Send)) -> Result<u64, CliError>) -> Result<u64, CliError> {
    let failed = |source| CliError::Write { path: path.to_owned(), source };
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = path.with_file_name(name);
    let filled = File::create(&part).map_err(failed).and_then(|file| {
        let mut out = BufWriter::new(file);
        let rows = fill(&mut out)?;
        out.flush().map_err(failed)?;
        Ok(rows)
    });
    let rows = filled.inspect_err(|_| {
        let _gone = std::fs::remove_file(&part);
    })?;
    std::fs::rename(&part, path).map_err(failed)?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_query_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answer.csv");
        assert_eq!(
            to_file(&path, |out| out.write_all(b"a\n1\n").map(|()| 1).map_err(|source| CliError::Output { source }))
                .unwrap(),
            1
        );
        assert!(to_file(&path, |_| Err(CliError::NoQuery)).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n1\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_ending_of_the_file_chooses_the_format() {
        assert_eq!(by_ending(Some("a.b.csv".as_ref())), Some(OutputFormat::Csv));
        assert_eq!(by_ending(Some("a.parquet".as_ref())), Some(OutputFormat::Parquet));
        assert_eq!(by_ending(Some("a".as_ref())), None);
    }
}
