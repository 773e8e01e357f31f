//! `query`: SQL from the command line, a file or stdin; rows to stdout or a file.

use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::super::args::{OutputFormat, QueryArgs};
use super::super::place::Place;
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
    let format = format(args)?;
    if let Some(path) = &args.output {
        let rows =
            to_place(path, |out| one(settings, &plan, Layout { format, columns: None }, quiet, out, streams.err))?;
        let _unheard = say(streams.err, quiet, &format!("{} in {}", units::counted(rows, "row"), path.display()));
        return Ok(outcome(rows));
    }
    let terminal = settings.terminal.stdout;
    if terminal && matches!(format, OutputFormat::Parquet | OutputFormat::Arrow | OutputFormat::ArrowStream) {
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

/// A table, unless the flag or the ending of the file says something else.
fn format(args: &QueryArgs) -> Result<OutputFormat, CliError> {
    let Some(path) = &args.output else { return Ok(args.format.unwrap_or(OutputFormat::Table)) };
    // What is called `rows` or `/dev/stdout` has no ending that could be meant as a format.
    let plain = path.extension().is_none().then_some(OutputFormat::Table);
    args.format.or_else(|| by_ending(path)).or(plain).ok_or_else(|| CliError::UnknownEnding {
        path: path.clone(),
        endings: ".csv, .tsv, .json, .ndjson, .md, .txt, .parquet, .arrow or .arrows",
    })
}

fn by_ending(path: &Path) -> Option<OutputFormat> {
    Some(match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "txt" => OutputFormat::Table,
        "json" => OutputFormat::Json,
        "ndjson" | "jsonl" => OutputFormat::Ndjson,
        "csv" => OutputFormat::Csv,
        "tsv" => OutputFormat::Tsv,
        "md" => OutputFormat::Markdown,
        "parquet" => OutputFormat::Parquet,
        "arrow" | "feather" => OutputFormat::Arrow,
        "arrows" => OutputFormat::ArrowStream,
        _ => return None,
    })
}

/// Fills the file, device or pipe that the user named.
fn to_place(path: &Path, fill: impl FnOnce(&mut (dyn Write + Send)) -> Result<u64, CliError>) -> Result<u64, CliError> {
    let (place, file) = Place::open(path)?;
    let mut out = BufWriter::new(file);
    let filled = fill(&mut out).and_then(|rows| {
        out.flush().map_err(|source| CliError::Output { source })?;
        Ok(rows)
    });
    let rows = filled.map_err(|error| place.blame(error))?;
    place.settle()?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_query_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answer.csv");
        let write = |out: &mut (dyn Write + Send)| {
            out.write_all(b"a\n1\n").map(|()| 1).map_err(|source| CliError::Output { source })
        };
        assert_eq!(to_place(&path, write).unwrap(), 1);
        assert!(to_place(&path, |_| Err(CliError::NoQuery)).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n1\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_ending_of_the_file_chooses_the_format() {
        for (name, format) in [
            ("a.b.csv", Some(OutputFormat::Csv)),
            ("a.CSV", Some(OutputFormat::Csv)),
            ("a.parquet", Some(OutputFormat::Parquet)),
            ("a.arrows", Some(OutputFormat::ArrowStream)),
            ("a.txt", Some(OutputFormat::Table)),
            ("a.xyz", None),
            ("a", None),
        ] {
            assert_eq!(by_ending(name.as_ref()), format, "{name}");
        }
    }

    #[test]
    fn an_ending_that_names_no_format_is_refused_unless_the_flag_names_one() {
        use clap::Parser as _;
        let chosen = |line: &str| {
            let arguments = crate::cli::args::Arguments::try_parse_from(line.split(' ')).unwrap();
            let crate::cli::args::Command::Query(args) = arguments.command else { unreachable!("parsed as query") };
            format(&args)
        };
        let refused = chosen("devlog query -o x.xyz SELECT").unwrap_err().to_string();
        assert!(refused.contains("x.xyz") && refused.contains(".csv"), "{refused}");
        assert_eq!(chosen("devlog query -o x.xyz --format csv SELECT").unwrap(), OutputFormat::Csv);
        assert_eq!(chosen("devlog query -o x SELECT").unwrap(), OutputFormat::Table);
        assert_eq!(chosen("devlog query SELECT").unwrap(), OutputFormat::Table);
    }
}
