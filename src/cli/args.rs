//! The command line as typed. Values are checked for their form here, for their sense by the commands.

#![allow(rustdoc::invalid_html_tags, reason = "these comments are the help texts, where <home> is a word")]

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{NonEmptyStringValueParser, PossibleValue, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum, ValueHint};

use crate::config::{Overrides, ParseQuantityError, parse_duration, parse_size};
#[cfg(feature = "query")]
use crate::query::{OutputFormat, ReportKind};
use crate::schema::Format;

/// Read the logs that AI coding agents leave on this machine, keep them as Parquet, and query them with SQL.
#[derive(Debug, Parser)]
#[command(
    name = "devlog",
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = FIRST_STEPS
)]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Command,
}

#[cfg(feature = "query")]
const FIRST_STEPS: &str = "\
First steps:
  devlog report daily                              tokens and calls by day
  devlog query \"SELECT * FROM sessions LIMIT 10\"   any SQL
  devlog ingest                                    keep reading while the agents work

Exit codes: 0 done, 2 failed or wrong usage, 130 interrupted; --exit-code asks for 1 when nothing is found.";

#[cfg(not(feature = "query"))]
const FIRST_STEPS: &str = "\
First steps:
  devlog backfill   read all logs on this machine into the lake
  devlog status     what was read, and how large it is
  devlog ingest     keep reading while the agents work

This build collects only; it has no SQL. Exit codes: 0 done, 2 failed or wrong usage, 130 interrupted.";

/// Flags that every command takes.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub(super) struct Global {
    /// Data directory [default: $DEVLOG_HOME, else ~/.devlog]
    #[arg(long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) home: Option<PathBuf>,
    /// Directory of the lake [default: <home>/lake]
    #[arg(long, global = true, hide_short_help = true, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) lake: Option<PathBuf>,
    /// Memory budget for reading, writing and queries, such as 256MB or 1GiB [default: 256MB; queries may take
    /// a quarter of the machine's memory]
    #[arg(long, global = true, hide_short_help = true, value_name = "SIZE", value_parser = size)]
    pub(super) memory: Option<u64>,
    /// Time zone for days and weeks, such as Europe/Berlin [default: $TZ, else the system's]
    #[arg(long, global = true, hide_short_help = true, value_name = "ZONE")]
    pub(super) timezone: Option<String>,
    /// How long to wait for another devlog command that is writing the lake [default: 30s]
    #[arg(long, global = true, value_name = "TIME", value_parser = duration, hide_short_help = true)]
    pub(super) lock_wait: Option<Duration>,
    /// Allow a data directory on a network file system, where locks and syncs may not be reliable
    #[arg(long, global = true, hide_short_help = true)]
    pub(super) unsafe_network_fs: bool,
    /// Say more on stderr: -v what happens, -vv why
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(super) verbose: u8,
    /// Print nothing but errors on stderr
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "verbose")]
    pub(super) quiet: u8,
}

impl Global {
    pub(super) fn overrides(&self) -> Overrides {
        Overrides {
            home: self.home.clone(),
            lake: self.lake.clone(),
            memory_bytes: self.memory,
            timezone: self.timezone.clone(),
            unsafe_network_fs: self.unsafe_network_fs,
            lock_wait: self.lock_wait,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read what is new, then follow the logs until interrupted
    Ingest(IngestArgs),
    /// Read the logs that are not in the lake yet
    Backfill(BackfillArgs),
    /// Run SQL
    #[cfg(feature = "query")]
    Query(QueryArgs),
    /// Show a ready-made summary: tokens, calls, sessions, tools
    #[cfg(feature = "query")]
    Report(ReportArgs),
    /// Write a table, a view or the result of a query to files for other tools
    #[cfg(feature = "query")]
    Export(ExportArgs),
    /// Show what was read, how far behind it is, and how large the lake is
    Status(StatusArgs),
    /// List the log files with their state, position, rows and errors
    Sources(SourcesArgs),
    /// List the agents whose logs are read, and what was found of each
    Adapters(AdaptersArgs),
    /// Show the tables and their columns
    Schema(SchemaArgs),
    /// Merge small files of the lake into larger ones
    Compact(CompactArgs),
    /// Check the lake, and repair what can be repaired
    Fsck(FsckArgs),
    /// Link the live Parquet files into a directory of their own, for tools that read globs
    Snapshot(SnapshotArgs),
    /// Delete rows for good
    Prune(PruneArgs),
    /// Create synthetic logs, to try devlog without logs of your own
    Demo(DemoArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the version and the build
    Version(VersionArgs),
    /// Answer the queries of the process that started this one
    #[cfg(all(feature = "query", unix))]
    #[command(name = crate::serve::workers::COMMAND, hide = true)]
    QueryWorker,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  devlog ingest          follow all agents; other devlog commands ask this process for live rows
  devlog ingest -v       the same, with a line whenever something was stored
  devlog ingest --once   read what is new, store it, and exit

On SIGINT (Ctrl-C) and SIGTERM everything is stored before it exits; a second one exits at once.")]
pub(super) struct IngestArgs {
    /// Exit as soon as everything that is there now has been read
    #[arg(long)]
    pub(super) once: bool,
    /// How often rows are written to disk while following; queries see new rows at once
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(super) flush_interval: Duration,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  devlog backfill
  devlog backfill --agent codex --since 2026-10
  devlog backfill --path /mnt/old-laptop/.claude --machine old-laptop
  devlog backfill --dry-run

When it is interrupted, the next run continues where it stopped.")]
pub(super) struct BackfillArgs {
    /// Only this agent; can be repeated
    #[arg(short, long, value_name = "AGENT", value_parser = AgentNames)]
    pub(super) agent: Vec<String>,
    /// Read this file or folder instead of the places that agents use
    #[arg(long, short_alias = 'p', value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(super) path: Option<PathBuf>,
    /// The logs are from another machine: its name, for the column machine_id
    #[arg(long, value_name = "NAME", requires = "path", value_parser = NonEmptyStringValueParser::new())]
    pub(super) machine: Option<String>,
    /// Only files changed since then: 2026-11-01, 2026-11, 7d, yesterday
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<String>,
    /// Only files changed until then, that day or month included
    #[arg(long, value_name = "WHEN")]
    pub(super) until: Option<String>,
    /// How many files to decode at a time [default: one per core]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(super) jobs: Option<u16>,
    /// List what would be read, without reading it
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Print the result as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[cfg(feature = "query")]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  devlog query \"SELECT model, sum(output_tokens) FROM events GROUP BY model\"
  devlog query -f weekly.sql --param project=acme/api --format csv -o weekly.csv
  echo 'SELECT count(*) FROM events' | devlog query
  devlog query \"SELECT * FROM sessions LIMIT 10\" --watch 2s

A parameter is written $name in SQL. `devlog schema` shows the tables and their columns.")]
pub(super) struct QueryArgs {
    /// The query; without it, or with -, it is read from stdin
    #[arg(value_name = "SQL", conflicts_with = "file")]
    pub(super) sql: Option<String>,
    /// Read the query from a file
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: Option<PathBuf>,
    /// How to print the rows [default: table; with -o what the file's extension says]
    #[arg(long, value_name = "FORMAT", value_parser = output_format())]
    pub(super) format: Option<OutputFormat>,
    /// Write the rows to a file; - is stdout
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) output: Option<PathBuf>,
    /// Overwrite FILE if it exists
    #[arg(long, requires = "output")]
    pub(super) force: bool,
    /// Show all rows on a terminal, not only the first 40
    #[arg(long)]
    pub(super) all: bool,
    /// Value of the parameter $NAME; can be repeated
    #[arg(long, short_alias = 'p', value_name = "NAME=VALUE", value_parser = parameter)]
    pub(super) param: Vec<(String, String)>,
    /// Run the query again every PAUSE, such as 2s
    #[arg(long, value_name = "PAUSE", value_parser = duration, conflicts_with = "output")]
    pub(super) watch: Option<Duration>,
    /// Use what is stored already; do not read new log lines first
    #[arg(long)]
    pub(super) no_sync: bool,
    /// Give up after this time, such as 30s or 5m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    #[command(flatten)]
    pub(super) nothing: NothingArg,
}

#[cfg(feature = "query")]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  devlog report daily --since 7d
  devlog report models --agent claude --since 2026-11
  devlog report projects --timezone UTC --json

Token parts are disjoint: input is fresh input, and total is the four input parts plus output.")]
pub(super) struct ReportArgs {
    /// What to sum up by
    #[arg(value_name = "REPORT", value_parser = report_kind())]
    pub(super) kind: ReportKind,
    /// Only what happened since then: 2026-11-01, 2026-11, 7d, yesterday
    #[arg(long, value_name = "WHEN")]
    pub(super) since: Option<String>,
    /// Only what happened until then, that day or month included
    #[arg(long, value_name = "WHEN")]
    pub(super) until: Option<String>,
    /// Only this agent
    #[arg(short, long, value_name = "AGENT", value_parser = AgentNames)]
    pub(super) agent: Option<String>,
    /// Only this project; the end of its name will do: shop for acme/shop
    #[arg(short, long, value_name = "PROJECT")]
    pub(super) project: Option<String>,
    /// Print the rows as JSON
    #[arg(long)]
    pub(super) json: bool,
    /// Use what is stored already; do not read new log lines first
    #[arg(long)]
    pub(super) no_sync: bool,
    #[command(flatten)]
    pub(super) nothing: NothingArg,
}

#[cfg(feature = "query")]
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  devlog export events -o events.parquet
  devlog export sessions --format csv -o sessions.csv
  devlog export events -o out/ --partition-by agent --partition-by project
  devlog export \"SELECT ts, model, output_tokens FROM events\" -o usage.arrow")]
pub(super) struct ExportArgs {
    /// A table, a view, or a query
    #[arg(value_name = "TABLE|SQL")]
    pub(super) what: String,
    /// What to write [default: what the extension of PATH says, else parquet]
    #[arg(long, value_name = "FORMAT", value_parser = output_format())]
    pub(super) format: Option<OutputFormat>,
    /// The file to write, or with --partition-by the directory; - is stdout
    #[arg(short, long, value_name = "PATH", required = true, value_hint = ValueHint::AnyPath)]
    pub(super) output: PathBuf,
    /// Make one folder for each value of this column; can be repeated
    #[arg(long, value_name = "COLUMN")]
    pub(super) partition_by: Vec<String>,
    /// Overwrite the file, or replace what an earlier export wrote into the directory
    #[arg(long)]
    pub(super) force: bool,
    /// Use what is stored already; do not read new log lines first
    #[arg(long)]
    pub(super) no_sync: bool,
    #[command(flatten)]
    pub(super) nothing: NothingArg,
}

/// For scripts that ask whether there is anything.
#[derive(Debug, Default, Args)]
pub(super) struct NothingArg {
    /// Exit with 1 when there is nothing to show
    #[arg(long)]
    exit_code: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  devlog status
  devlog status --json | jq .lake.rows")]
pub(super) struct StatusArgs {
    /// Print as JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// State of a source, as in the table `sources`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StateArg {
    Active,
    Pending,
    Torn,
    Missing,
    Error,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  devlog sources --state error
  devlog sources --agent codex --json")]
pub(super) struct SourcesArgs {
    /// Only this agent; can be repeated
    #[arg(short, long, value_name = "AGENT", value_parser = AgentNames)]
    pub(super) agent: Vec<String>,
    /// Only logs in this state; can be repeated
    #[arg(long, value_name = "STATE", value_enum)]
    pub(super) state: Vec<StateArg>,
    /// Print as JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) nothing: NothingArg,
}

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  devlog adapters
  devlog adapters --agent aider --json
  devlog adapters test mytool ~/.mytool/logs/today.jsonl

A format of your own is described in <home>/adapters/NAME.toml."
)]
pub(super) struct AdaptersArgs {
    #[command(subcommand)]
    pub(super) command: Option<AdaptersCommand>,
    /// Only this agent; can be repeated
    #[arg(short, long, value_name = "AGENT", value_parser = AgentNames)]
    pub(super) agent: Vec<String>,
    /// Print as JSON
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) nothing: NothingArg,
}

#[derive(Debug, Subcommand)]
pub(super) enum AdaptersCommand {
    /// Print the rows that a format of your own makes of a file, without storing them
    Test(AdaptersTestArgs),
}

#[derive(Debug, Args)]
pub(super) struct AdaptersTestArgs {
    /// Name of the format, described in <home>/adapters/NAME.toml
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// The log file to read
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) file: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  devlog schema events
  devlog schema --json")]
pub(super) struct SchemaArgs {
    /// The table [default: all]
    #[arg(value_name = "TABLE")]
    pub(super) table: Option<String>,
    /// Print as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  devlog compact

Queries are faster afterwards, most of all after a large backfill. A running ingest merges a little at \
a time by itself; this has it merge everything now.")]
pub(super) struct CompactArgs {
    /// Print as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  devlog fsck
  devlog fsck --json

Every file is read and checked against the log; without options nothing is changed. The exit code is 2 when \
there are faults. A rebuild deletes nothing: damaged files and the old log are kept in <lake>/.quarantine, \
and rows of the former are read again from the logs that still exist.")]
pub(super) struct FsckArgs {
    /// Rebuild the commit log from the Parquet files, for a lake whose log is lost or damaged
    #[arg(long)]
    pub(super) rebuild_from_footers: bool,
    /// Put whole files back that were taken out of the lake, without the rows it has by now
    #[arg(long, conflicts_with_all = ["rebuild_from_footers", "repair_duplicates"])]
    pub(super) restore_quarantine: bool,
    /// Remove copies of events that stand in the lake more than once; the most complete one stays
    #[arg(long, conflicts_with = "rebuild_from_footers")]
    pub(super) repair_duplicates: bool,
    /// Print as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  duckdb -c \"SELECT count(*) FROM '$(devlog snapshot)/events/*/*.parquet'\"

The files are hard links in the lake's own folder; they take no space until the lake merges its files. A \
snapshot is removed seven days after it was last asked for, or at once by `devlog prune`, which leaves no row \
behind. To keep one for longer, copy it: cp -al PATH elsewhere.")]
pub(super) struct SnapshotArgs {
    /// Remove all snapshots instead
    #[arg(long)]
    pub(super) remove: bool,
    /// Print as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(
    group = clap::ArgGroup::new("what").required(true).multiple(true).args(["before", "session", "project", "allow_again"]),
    after_help = "\
Examples:
  devlog prune --before 2026-01-01
  devlog prune --session 6d1c2f0a-9c1e-4d6c-8d0e-3f4b1a2c5d6e --yes
  devlog prune --project acme/secret --before 90d --yes

Rows must meet all conditions. Pruned rows do not come back when a log is read again; --allow-again \
lifts that, and the next backfill or ingest re-imports them."
)]
pub(super) struct PruneArgs {
    /// Rows from before this time: 2026-01-01, 2026-01, 90d (that long ago)
    #[arg(long, value_name = "WHEN")]
    pub(super) before: Option<String>,
    /// Rows of this session; can be repeated
    #[arg(long, value_name = "ID")]
    pub(super) session: Vec<String>,
    /// Rows of this project, named so that only one is meant; can be repeated
    #[arg(short, long, value_name = "PROJECT")]
    pub(super) project: Vec<String>,
    /// Re-import rows that were pruned before, from logs that still contain them
    #[arg(long, conflicts_with_all = ["before", "session", "project", "yes"])]
    pub(super) allow_again: bool,
    /// Delete; without it, only say how many rows that would be
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Print as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  devlog demo                              a few dozen sessions in <home>/demo
  devlog demo --home /tmp/big --size 10GB  for benchmarks

The same seed and end give the same files. The true totals are printed, to compare reports with.")]
pub(super) struct DemoArgs {
    /// Directory to create, the home of a made-up user [default: <home>/demo]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(super) home: Option<PathBuf>,
    /// Approximate size of all logs, such as 10GB [default: a few MB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) size: Option<u64>,
    /// Seed of the random numbers; another one gives other logs
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// Day of the last session; the first is 60 days earlier [default: today]
    #[arg(long, value_name = "WHEN")]
    pub(super) end: Option<String>,
    /// Print the totals as JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  devlog completions bash > ~/.local/share/bash-completion/completions/devlog
  devlog completions zsh > ~/.zfunc/_devlog
  devlog completions fish > ~/.config/fish/completions/devlog.fish")]
pub(super) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct VersionArgs {
    /// Print as JSON
    #[arg(long)]
    pub(super) json: bool,
}

fn size(text: &str) -> Result<u64, ParseQuantityError> {
    parse_size(text)
}

fn duration(text: &str) -> Result<Duration, ParseQuantityError> {
    parse_duration(text)
}

/// Ids of the agents whose formats are read.
pub(super) fn agents() -> Vec<&'static str> {
    let mut agents: Vec<_> = Format::all().filter(|format| !format.is_mapped()).map(Format::agent).collect();
    agents.sort_unstable();
    agents.dedup();
    agents
}

/// Takes the id of an agent: those that are built in are shown and completed; others may be described by
/// the user, which is known only when the settings are.
#[derive(Debug, Clone, Copy)]
pub(super) struct AgentNames;

impl TypedValueParser for AgentNames {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<String, clap::Error> {
        NonEmptyStringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(agents().into_iter().map(PossibleValue::new)))
    }
}

impl Command {
    /// Whether an answer without rows is to be told by the exit code.
    pub(super) const fn wants_exit_code(&self) -> bool {
        match self {
            #[cfg(feature = "query")]
            Self::Query(args) => args.nothing.exit_code,
            #[cfg(feature = "query")]
            Self::Report(args) => args.nothing.exit_code,
            #[cfg(feature = "query")]
            Self::Export(args) => args.nothing.exit_code,
            Self::Sources(args) => args.nothing.exit_code,
            Self::Adapters(args) => args.nothing.exit_code,
            _ => false,
        }
    }

    /// Name of the description that is tried.
    pub(super) fn tried(&self) -> Option<&String> {
        match self {
            Self::Adapters(AdaptersArgs { command: Some(AdaptersCommand::Test(args)), .. }) => Some(&args.name),
            _ => None,
        }
    }

    /// Agents that the arguments name.
    pub(super) fn agents(&self) -> &[String] {
        match self {
            Self::Backfill(args) => &args.agent,
            Self::Sources(args) => &args.agent,
            Self::Adapters(args) => &args.agent,
            #[cfg(feature = "query")]
            Self::Report(args) => args.agent.as_slice(),
            _ => &[],
        }
    }
}

/// A parameter that is not `name=value`.
#[cfg(feature = "query")]
#[derive(Debug, thiserror::Error)]
#[error("write NAME=VALUE, the name in letters, digits and _, such as project=acme/api")]
struct ParameterError;

#[cfg(feature = "query")]
fn parameter(text: &str) -> Result<(String, String), ParameterError> {
    let (name, value) = text.split_once('=').ok_or(ParameterError)?;
    let name = name.trim_start_matches('$');
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if plain { Ok((name.to_owned(), value.to_owned())) } else { Err(ParameterError) }
}

/// Names of the formats, as the query room knows them.
#[cfg(feature = "query")]
fn output_format() -> impl TypedValueParser<Value = OutputFormat> {
    use clap::builder::PossibleValuesParser;
    let value = |(name, format): (&'static str, OutputFormat)| {
        let value = PossibleValue::new(name).help(format.meaning());
        match format {
            OutputFormat::Ndjson => value.alias("jsonl"),
            OutputFormat::Markdown => value.alias("md"),
            _ => value,
        }
    };
    PossibleValuesParser::new(OutputFormat::all().map(value)).try_map(|name| name.parse::<OutputFormat>())
}

/// Names of the reports, as the query room knows them.
#[cfg(feature = "query")]
fn report_kind() -> impl clap::builder::TypedValueParser<Value = ReportKind> {
    use clap::builder::PossibleValuesParser;
    PossibleValuesParser::new(ReportKind::names()).try_map(|name| name.parse::<ReportKind>())
}
