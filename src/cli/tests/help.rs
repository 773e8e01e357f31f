//! What `--help` says, word for word.

use clap::CommandFactory;

use super::super::args::Arguments;

/// The help of a command, 100 columns wide whatever the terminal.
fn help(command: &str) -> String {
    let words = ["devlog", command, "--help"].into_iter().filter(|word| !word.is_empty());
    let shown = Arguments::command().term_width(100).try_get_matches_from(words);
    let text = shown.expect_err("help ends the parse").render().to_string();
    let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    // The global options are the same everywhere; the first test shows them.
    let (before, global) = text.split_once("Global options:").unwrap_or((&text, ""));
    let after = global.split_once("\n\n").map_or("", |(_, rest)| rest);
    // `--help` may list more options behind a blank line; examples start at the margin.
    let examples = after.split_once("Examples:\n").map_or(String::new(), |(_, rest)| format!("\nExamples:\n{rest}"));
    if command.is_empty() { text } else { format!("{}\n{}", before.trim_end(), examples.trim_end()) }
}

#[test]
fn a_short_help_leaves_out_what_is_rarely_needed() {
    for command in ["status", "compact", "ingest"] {
        let shown = Arguments::command().term_width(100).try_get_matches_from(["devlog", command, "-h"]);
        let text = shown.expect_err("help ends the parse").render().to_string();
        assert!(text.contains("--home") && text.contains("--verbose") && text.contains("Examples:"), "{text}");
        for rare in ["--lake", "--memory", "--timezone", "--lock-wait", "--unsafe-network-fs"] {
            assert!(!text.contains(rare), "{rare}: {text}");
        }
    }
}

#[cfg(feature = "query")]
#[test]
fn old_spellings_of_short_flags_still_work() {
    for line in [&["devlog", "query", "-p", "x=1", "SELECT $x"][..], &["devlog", "backfill", "-a", "codex", "-p", "/x"]]
    {
        assert!(Arguments::command().try_get_matches_from(line).is_ok(), "{line:?}");
    }
}

#[cfg(feature = "query")]
#[test]
fn help_of_devlog() {
    insta::assert_snapshot!(help(""), @r#"
    Read the logs that AI coding agents leave on this machine, keep them as Parquet, and query them with
    SQL

    Usage: devlog [OPTIONS] <COMMAND>

    Commands:
      ingest       Read what is new, then follow the logs until interrupted
      backfill     Read the logs that are not in the lake yet
      query        Run SQL
      report       Show a ready-made summary: tokens, calls, sessions, tools
      export       Write a table, a view or the result of a query to files for other tools
      status       Show what was read, how far behind it is, and how large the lake is
      sources      List the log files with their state, position, rows and errors
      adapters     List the agents whose logs are read, and what was found of each
      schema       Show the tables and their columns
      compact      Merge small files of the lake into larger ones
      fsck         Check the lake, and repair what can be repaired
      snapshot     Link the live Parquet files into a directory of their own, for tools that read globs
      prune        Delete rows for good
      demo         Create synthetic logs, to try devlog without logs of your own
      completions  Print a completion script for a shell
      version      Print the version and the build
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Global options:
          --home <DIR>
              Data directory [default: $DEVLOG_HOME, else ~/.devlog]

          --lake <DIR>
              Directory of the lake [default: <home>/lake]

          --memory <SIZE>
              Memory budget for reading, writing and queries, such as 256MB or 1GiB [default: 256MB;
              queries may take a quarter of the machine's memory]

          --timezone <ZONE>
              Time zone for days and weeks, such as Europe/Berlin [default: $TZ, else the system's]

          --lock-wait <TIME>
              How long to wait for another devlog command that is writing the lake [default: 30s]

          --unsafe-network-fs
              Allow a data directory on a network file system, where locks and syncs may not be reliable

      -v, --verbose...
              Say more on stderr: -v what happens, -vv why

      -q, --quiet...
              Print nothing but errors on stderr

    First steps:
      devlog report daily                              tokens and calls by day
      devlog query "SELECT * FROM sessions LIMIT 10"   any SQL
      devlog ingest                                    keep reading while the agents work

    Exit codes: 0 done, 2 failed or wrong usage, 130 interrupted; --exit-code asks for 1 when nothing is
    found.
    "#);
}

#[test]
fn help_of_ingest() {
    insta::assert_snapshot!(help("ingest"), @"
    Read what is new, then follow the logs until interrupted

    Usage: devlog ingest [OPTIONS]

    Options:
          --once
              Exit as soon as everything that is there now has been read

          --flush-interval <DURATION>
              How often rows are written to disk while following; queries see new rows at once

              [default: 30s]

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog ingest          follow all agents; other devlog commands ask this process for live rows
      devlog ingest -v       the same, with a line whenever something was stored
      devlog ingest --once   read what is new, store it, and exit

    On SIGINT (Ctrl-C) and SIGTERM everything is stored before it exits; a second one exits at once.
    ");
}

#[test]
fn help_of_backfill() {
    insta::assert_snapshot!(help("backfill"), @"
    Read the logs that are not in the lake yet

    Usage: devlog backfill [OPTIONS]

    Options:
      -a, --agent <AGENT>
              Only this agent; can be repeated

              [possible values: aider, amp, antigravity, claude, cline, codex, continue, copilot-cli,
              crush, cursor, droid, gemini, github-copilot, goose, iflow, kilo, kiro, mimo, omp,
              openclaw, opencode, opencode-go, pi, qwen, roo, warp, windsurf, zed]

          --path <PATH>
              Read this file or folder instead of the places that agents use

          --machine <NAME>
              The logs are from another machine: its name, for the column machine_id

          --since <WHEN>
              Only files changed since then: 2026-11-01, 2026-11, 7d, yesterday

          --until <WHEN>
              Only files changed until then, that day or month included

      -j, --jobs <N>
              How many files to decode at a time [default: one per core]

          --dry-run
              List what would be read, without reading it

          --json
              Print the result as JSON

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog backfill
      devlog backfill --agent codex --since 2026-10
      devlog backfill --path /mnt/old-laptop/.claude --machine old-laptop
      devlog backfill --dry-run

    When it is interrupted, the next run continues where it stopped.
    ");
}

#[test]
fn help_of_status() {
    insta::assert_snapshot!(help("status"), @"
    Show what was read, how far behind it is, and how large the lake is

    Usage: devlog status [OPTIONS]

    Options:
          --json
              Print as JSON

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog status
      devlog status --json | jq .lake.rows
    ");
}

#[test]
fn help_of_sources() {
    insta::assert_snapshot!(help("sources"), @"
    List the log files with their state, position, rows and errors

    Usage: devlog sources [OPTIONS]

    Options:
      -a, --agent <AGENT>
              Only this agent; can be repeated

              [possible values: aider, amp, antigravity, claude, cline, codex, continue, copilot-cli,
              crush, cursor, droid, gemini, github-copilot, goose, iflow, kilo, kiro, mimo, omp,
              openclaw, opencode, opencode-go, pi, qwen, roo, warp, windsurf, zed]

          --state <STATE>
              Only logs in this state; can be repeated

              [possible values: active, pending, torn, missing, error]

          --json
              Print as JSON

          --exit-code
              Exit with 1 when there is nothing to show

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog sources --state error
      devlog sources --agent codex --json
    ");
}

#[test]
fn help_of_adapters() {
    insta::assert_snapshot!(help("adapters"), @"
    List the agents whose logs are read, and what was found of each

    Usage: devlog adapters [OPTIONS]
           devlog adapters <COMMAND>

    Commands:
      test  Print the rows that a format of your own makes of a file, without storing them
      help  Print this message or the help of the given subcommand(s)

    Options:
      -a, --agent <AGENT>
              Only this agent; can be repeated

              [possible values: aider, amp, antigravity, claude, cline, codex, continue, copilot-cli,
              crush, cursor, droid, gemini, github-copilot, goose, iflow, kilo, kiro, mimo, omp,
              openclaw, opencode, opencode-go, pi, qwen, roo, warp, windsurf, zed]

          --json
              Print as JSON

          --exit-code
              Exit with 1 when there is nothing to show

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog adapters
      devlog adapters --agent aider --json
      devlog adapters test mytool ~/.mytool/logs/today.jsonl

    A format of your own is described in <home>/adapters/NAME.toml.
    ");
}

#[test]
fn help_of_schema() {
    insta::assert_snapshot!(help("schema"), @"
    Show the tables and their columns

    Usage: devlog schema [OPTIONS] [TABLE]

    Arguments:
      [TABLE]
              The table [default: all]

    Options:
          --json
              Print as JSON

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog schema events
      devlog schema --json
    ");
}

#[test]
fn help_of_compact() {
    insta::assert_snapshot!(help("compact"), @"
    Merge small files of the lake into larger ones

    Usage: devlog compact [OPTIONS]

    Options:
          --json
              Print as JSON

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog compact

    Queries are faster afterwards, most of all after a large backfill. A running ingest merges a little
    at a time by itself; this has it merge everything now.
    ");
}

#[test]
fn help_of_fsck() {
    insta::assert_snapshot!(help("fsck"), @"
    Check the lake, and repair what can be repaired

    Usage: devlog fsck [OPTIONS]

    Options:
          --rebuild-from-footers
              Rebuild the commit log from the Parquet files, for a lake whose log is lost or damaged

          --restore-quarantine
              Put whole files back that were taken out of the lake, without the rows it has by now

          --repair-duplicates
              Remove copies of events that stand in the lake more than once; the most complete one stays

          --json
              Print as JSON

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog fsck
      devlog fsck --json

    Every file is read and checked against the log; without options nothing is changed. The exit code is
    2 when there are faults. A rebuild deletes nothing: damaged files and the old log are kept in
    <lake>/.quarantine, and rows of the former are read again from the logs that still exist.
    ");
}

#[test]
fn help_of_snapshot() {
    insta::assert_snapshot!(help("snapshot"), @r#"
    Link the live Parquet files into a directory of their own, for tools that read globs

    Usage: devlog snapshot [OPTIONS]

    Options:
          --remove
              Remove all snapshots instead

          --json
              Print as JSON

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      duckdb -c "SELECT count(*) FROM '$(devlog snapshot)/events/*/*.parquet'"

    The files are hard links in the lake's own folder; they take no space until the lake merges its
    files. A snapshot is removed seven days after it was last asked for, or at once by `devlog prune`,
    which leaves no row behind. To keep one for longer, copy it: cp -al PATH elsewhere.
    "#);
}

#[test]
fn help_of_prune() {
    insta::assert_snapshot!(help("prune"), @"
    Delete rows for good

    Usage: devlog prune [OPTIONS] <--before <WHEN>|--session <ID>|--project <PROJECT>|--allow-again>

    Options:
          --before <WHEN>
              Rows from before this time: 2026-01-01, 2026-01, 90d (that long ago)

          --session <ID>
              Rows of this session; can be repeated

      -p, --project <PROJECT>
              Rows of this project, named so that only one is meant; can be repeated

          --allow-again
              Re-import rows that were pruned before, from logs that still contain them

      -y, --yes
              Delete; without it, only say how many rows that would be

          --json
              Print as JSON

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog prune --before 2026-01-01
      devlog prune --session 6d1c2f0a-9c1e-4d6c-8d0e-3f4b1a2c5d6e --yes
      devlog prune --project acme/secret --before 90d --yes

    Rows must meet all conditions. Pruned rows do not come back when a log is read again; --allow-again
    lifts that, and the next backfill or ingest re-imports them.
    ");
}

#[test]
fn help_of_demo() {
    insta::assert_snapshot!(help("demo"), @"
    Create synthetic logs, to try devlog without logs of your own

    Usage: devlog demo [OPTIONS]

    Options:
          --home <DIR>
              Directory to create, the home of a made-up user [default: <home>/demo]

          --size <SIZE>
              Approximate size of all logs, such as 10GB [default: a few MB]

          --seed <N>
              Seed of the random numbers; another one gives other logs

              [default: 1]

          --end <WHEN>
              Day of the last session; the first is 60 days earlier [default: today]

          --json
              Print the totals as JSON

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog demo                              a few dozen sessions in <home>/demo
      devlog demo --home /tmp/big --size 10GB  for benchmarks

    The same seed and end give the same files. The true totals are printed, to compare reports with.
    ");
}

#[test]
fn help_of_completions() {
    insta::assert_snapshot!(help("completions"), @"
    Print a completion script for a shell

    Usage: devlog completions [OPTIONS] <SHELL>

    Arguments:
      <SHELL>
              The shell

              [possible values: bash, elvish, fish, powershell, zsh]

    Options:
      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog completions bash > ~/.local/share/bash-completion/completions/devlog
      devlog completions zsh > ~/.zfunc/_devlog
      devlog completions fish > ~/.config/fish/completions/devlog.fish
    ");
}

#[test]
fn help_of_version() {
    insta::assert_snapshot!(help("version"), @"
    Print the version and the build

    Usage: devlog version [OPTIONS]

    Options:
          --json
              Print as JSON

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[cfg(feature = "query")]
#[test]
fn help_of_query() {
    insta::assert_snapshot!(help("query"), @r#"
    Run SQL

    Usage: devlog query [OPTIONS] [SQL]

    Arguments:
      [SQL]
              The query; without it, or with -, it is read from stdin

    Options:
      -f, --file <FILE>
              Read the query from a file

          --format <FORMAT>
              How to print the rows [default: table; with -o what the file's extension says]

              Possible values:
              - table:        Aligned columns; on a terminal long texts are cut
              - json:         One JSON array of objects
              - ndjson:       One JSON object per line
              - csv:          Comma-separated values with a header
              - tsv:          Tab-separated values with a header; \N is NULL, as in PostgreSQL's COPY
              - markdown:     A Markdown table
              - parquet:      A Parquet file, zstd
              - arrow:        An Arrow IPC file (Feather 2)
              - arrow-stream: An Arrow IPC stream

      -o, --output <FILE>
              Write the rows to a file; - is stdout

          --force
              Overwrite FILE if it exists

          --all
              Show all rows on a terminal, not only the first 40

          --param <NAME=VALUE>
              Value of the parameter $NAME; can be repeated

          --watch <PAUSE>
              Run the query again every PAUSE, such as 2s

          --no-sync
              Use what is stored already; do not read new log lines first

          --timeout <TIME>
              Give up after this time, such as 30s or 5m

          --exit-code
              Exit with 1 when there is nothing to show

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog query "SELECT model, sum(output_tokens) FROM events GROUP BY model"
      devlog query -f weekly.sql --param project=acme/api --format csv -o weekly.csv
      echo 'SELECT count(*) FROM events' | devlog query
      devlog query "SELECT * FROM sessions LIMIT 10" --watch 2s

    A parameter is written $name in SQL. `devlog schema` shows the tables and their columns.
    "#);
}

#[cfg(feature = "query")]
#[test]
fn help_of_report() {
    insta::assert_snapshot!(help("report"), @"
    Show a ready-made summary: tokens, calls, sessions, tools

    Usage: devlog report [OPTIONS] <REPORT>

    Arguments:
      <REPORT>
              What to sum up by

              [possible values: daily, weekly, monthly, sessions, models, tools, projects]

    Options:
          --since <WHEN>
              Only what happened since then: 2026-11-01, 2026-11, 7d, yesterday

          --until <WHEN>
              Only what happened until then, that day or month included

      -a, --agent <AGENT>
              Only this agent

              [possible values: aider, amp, antigravity, claude, cline, codex, continue, copilot-cli,
              crush, cursor, droid, gemini, github-copilot, goose, iflow, kilo, kiro, mimo, omp,
              openclaw, opencode, opencode-go, pi, qwen, roo, warp, windsurf, zed]

      -p, --project <PROJECT>
              Only this project; the end of its name will do: shop for acme/shop

          --json
              Print the rows as JSON

          --no-sync
              Use what is stored already; do not read new log lines first

          --exit-code
              Exit with 1 when there is nothing to show

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog report daily --since 7d
      devlog report models --agent claude --since 2026-11
      devlog report projects --timezone UTC --json

    Token parts are disjoint: input is fresh input, and total is the four input parts plus output.
    ");
}

#[cfg(feature = "query")]
#[test]
fn help_of_export() {
    insta::assert_snapshot!(help("export"), @r#"
    Write a table, a view or the result of a query to files for other tools

    Usage: devlog export [OPTIONS] --output <PATH> <TABLE|SQL>

    Arguments:
      <TABLE|SQL>
              A table, a view, or a query

    Options:
          --format <FORMAT>
              What to write [default: what the extension of PATH says, else parquet]

              Possible values:
              - table:        Aligned columns; on a terminal long texts are cut
              - json:         One JSON array of objects
              - ndjson:       One JSON object per line
              - csv:          Comma-separated values with a header
              - tsv:          Tab-separated values with a header; \N is NULL, as in PostgreSQL's COPY
              - markdown:     A Markdown table
              - parquet:      A Parquet file, zstd
              - arrow:        An Arrow IPC file (Feather 2)
              - arrow-stream: An Arrow IPC stream

      -o, --output <PATH>
              The file to write, or with --partition-by the directory; - is stdout

          --partition-by <COLUMN>
              Make one folder for each value of this column; can be repeated

          --force
              Overwrite the file, or replace what an earlier export wrote into the directory

          --no-sync
              Use what is stored already; do not read new log lines first

          --exit-code
              Exit with 1 when there is nothing to show

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog export events -o events.parquet
      devlog export sessions --format csv -o sessions.csv
      devlog export events -o out/ --partition-by agent --partition-by project
      devlog export "SELECT ts, model, output_tokens FROM events" -o usage.arrow
    "#);
}
