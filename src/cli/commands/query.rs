//! `query`: SQL from the command line, a file or stdin; rows to stdout or a file.

use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::super::answer::{self as answering, Layout, Screen, Shown};
use super::super::args::QueryArgs;
use super::super::place::{Place, is_taken};
use super::super::progress::{self, View, say};
use super::super::{CliError, Outcome, Streams, unfinished};
use crate::config::Settings;
use crate::ops::QueryPlan;
use crate::query::OutputFormat;
use crate::text::units;

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
    let started = Instant::now();
    let plan = QueryPlan {
        sql: sql(settings, args, streams.input)?,
        parameters: args.param.clone(),
        sync: !args.no_sync,
        timeout: args.timeout,
    };
    let format = format(args)?;
    if let Some(path) = args.output.as_deref().filter(|path| !is_stdout(path)) {
        if is_taken(path) && !args.force {
            return Err(CliError::Exists { path: path.to_owned() });
        }
        unfinished::tidy_up()?;
        let layout = Layout { format, screen: None, all: true };
        let rows = to_place(path, |out| one(settings, &plan, layout, quiet, out, streams.err))?.rows;
        let _unheard = say(streams.err, quiet, &format!("{} in {}", units::counted(rows, "row"), path.display()));
        return Ok(outcome(rows));
    }
    let layout = Layout { format, screen: screen(settings, format)?, all: args.all };
    let Some(pause) = args.watch else {
        let shown = one(settings, &plan, layout, quiet, streams.out, streams.err)?;
        if layout.screen.is_some() {
            let _unheard = say(streams.err, quiet, &summary(shown, started.elapsed()));
        }
        return Ok(outcome(shown.rows));
    };
    loop {
        // The whole picture at once: a screen that is half old and half new flickers.
        let mut picture = Vec::new();
        one(settings, &plan, layout, quiet, &mut picture, streams.err)?;
        let clear = if layout.screen.is_some() { CLEAR } else { "" };
        let shown = write!(streams.out, "{clear}").and_then(|()| streams.out.write_all(&picture));
        shown.and_then(|()| streams.out.flush()).map_err(|source| CliError::Output { source })?;
        std::thread::sleep(pause.max(SHORTEST_PAUSE));
    }
}

/// `-` is stdout, here and in `export`.
pub(super) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The terminal that stdout is, if it is one; bytes of programs do not go there.
pub(super) fn screen(settings: &Settings, format: OutputFormat) -> Result<Option<Screen>, CliError> {
    let terminal = settings.terminal;
    if terminal.stdout && format.is_binary() {
        let format = if format == OutputFormat::Parquet { "parquet" } else { "arrow" };
        return Err(CliError::BinaryToTerminal { format });
    }
    Ok(terminal.stdout.then_some(Screen { columns: terminal.columns, color: terminal.color }))
}

/// `3 rows in 12ms`, and how to see what is not shown.
fn summary(shown: Shown, took: Duration) -> String {
    let took = units::duration(took.max(Duration::from_millis(1)));
    let rows = units::counted(shown.rows, "row");
    if shown.written == shown.rows && !shown.and_more {
        return format!("{rows} in {took}");
    }
    let than = if shown.and_more { "more than " } else { "" };
    let written = units::count(shown.written);
    format!("{written} of {than}{rows} in {took}; --all shows all, a pipe or -o FILE takes all")
}

fn outcome(rows: u64) -> Outcome {
    if rows == 0 { Outcome::Nothing } else { Outcome::Done }
}

/// Runs the query once.
pub(super) fn one(
    settings: &Settings,
    plan: &QueryPlan,
    layout: Layout,
    quiet: bool,
    out: &mut (dyn Write + Send),
    err: &mut dyn Write,
) -> Result<Shown, CliError> {
    let mut view = View::new("catching up:", settings.terminal.stderr, quiet);
    progress::shown(&mut view, err, |on| answering::query(settings, plan, layout, on, out))
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
    let path = args.output.as_deref().filter(|path| !is_stdout(path));
    let Some(path) = path else { return Ok(args.format.unwrap_or(OutputFormat::Table)) };
    // What is called `rows` or `/dev/stdout` has no ending that could be meant as a format.
    let plain = path.extension().is_none().then_some(OutputFormat::Table);
    args.format
        .or_else(|| OutputFormat::of_path(path))
        .or(plain)
        .ok_or_else(|| CliError::UnknownEnding { path: path.to_owned(), endings: OutputFormat::endings() })
}

/// Fills the file, device or pipe that the user named.
fn to_place(
    path: &Path,
    fill: impl FnOnce(&mut (dyn Write + Send)) -> Result<Shown, CliError>,
) -> Result<Shown, CliError> {
    let (place, file) = Place::open(path)?;
    let mut out = BufWriter::new(file);
    let filled = fill(&mut out).and_then(|shown| {
        out.flush().map_err(|source| CliError::Output { source })?;
        Ok(shown)
    });
    let shown = filled.map_err(|error| place.blame(error))?;
    place.settle()?;
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_query_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answer.csv");
        let write = |out: &mut (dyn Write + Send)| {
            let one = Shown { rows: 1, written: 1, and_more: false };
            out.write_all(b"a\n1\n").map(|()| one).map_err(|source| CliError::Output { source })
        };
        assert_eq!(to_place(&path, write).unwrap().rows, 1);
        assert!(to_place(&path, |_| Err(CliError::NoQuery)).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a\n1\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_answer_on_a_screen_says_how_many_rows_there_are() {
        let told = |rows, written, and_more| summary(Shown { rows, written, and_more }, Duration::from_millis(12));
        assert_eq!(told(1, 1, false), "1 row in 12ms");
        assert_eq!(told(1_234, 40, false), "40 of 1,234 rows in 12ms; --all shows all, a pipe or -o FILE takes all");
        assert!(told(9_000, 40, true).starts_with("40 of more than 9,000 rows in 12ms; "));
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
        assert_eq!(chosen("devlog query -o x.PQ SELECT").unwrap(), OutputFormat::Parquet);
        assert_eq!(chosen("devlog query -o - --format tsv SELECT").unwrap(), OutputFormat::Tsv);
        assert_eq!(chosen("devlog query -o - SELECT").unwrap(), OutputFormat::Table);
        assert_eq!(chosen("devlog query SELECT").unwrap(), OutputFormat::Table);
    }
}
