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

#[cfg(feature = "query")]
#[test]
fn help_of_devlog() {
    insta::assert_snapshot!(help(""), @r#"
    Reads the logs that AI coding agents leave on this machine into a Parquet lake and answers SQL

    Usage: devlog [OPTIONS] <COMMAND>

    Commands:
      ingest       Read what is new, then follow the logs until interrupted
      backfill     Read the history that is not in the lake yet
      query        Answer SQL
      report       Show a ready-made summary: tokens, calls, sessions, tools
      export       Write a table, a view or an answer to files other tools read
      status       Say what was read, how far behind it is, and how large the lake is
      sources      List the log files with state, position, rows and errors
      adapters     List the agents whose logs are read, and what of each was found
      schema       Print the columns of the tables
      compact      Merge small files of the lake into large ones
      fsck         Check the lake, and repair what can be repaired
      snapshot     Make a directory of exactly the live Parquet files, for tools that read globs
      prune        Delete rows for good
      demo         Make a home with synthetic logs, to try everything without logs of your own
      completions  Print a completion script for a shell
      version      Print version and build
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help
              Print help (see a summary with '-h')

      -V, --version
              Print version

    Global options:
          --home <DIR>
              Where devlog keeps its things [default: $DEVLOG_HOME, else ~/.devlog]

          --lake <DIR>
              Where the lake is [default: <home>/lake]

          --memory <SIZE>
              Memory for rows, writing and queries together, such as 256MB or 1GiB [default: 256MB;
              queries may take a quarter of the machine's]

          --timezone <ZONE>
              Zone of days and weeks, such as Europe/Berlin [default: $TZ, else the system's]

          --unsafe-network-fs
              Use a home on a network file system, where locks and syncs may not hold

      -v, --verbose...
              Say more on stderr; twice and thrice for even more

      -q, --quiet...
              Say nothing on stderr but errors

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
              End as soon as all present logs are read

          --flush-interval <DURATION>
              Time between commits to disk while following; rows are visible at once in any case

              [default: 30s]

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog ingest          follow all agents; other devlog processes ask this one for live rows
      devlog ingest --once   read what is new, make it durable, and end

    SIGINT and SIGTERM make everything durable and end; a second one ends at once.
    ");
}

#[test]
fn help_of_backfill() {
    insta::assert_snapshot!(help("backfill"), @"
    Read the history that is not in the lake yet

    Usage: devlog backfill [OPTIONS]

    Options:
      -a, --agent <AGENT>
              Only this agent; may be given several times

              [possible values: aider, amp, claude, cline, codex, continue, copilot-cli, crush, cursor,
              droid, gemini, github-copilot, goose, iflow, kilo, kiro, mimo, omp, openclaw, opencode,
              opencode-go, pi, qwen, roo, warp, windsurf, zed]

      -p, --path <PATH>
              Read this file or folder instead of the places that agents use

          --machine <NAME>
              The logs are of another machine: its name, for the column machine_id

          --since <WHEN>
              Only files changed at or after this: 2026-11-01, 2026-11, 7d, yesterday

          --until <WHEN>
              Only files changed before the end of this

      -j, --jobs <N>
              Files that are decoded at once [default: one per core]

          --dry-run
              List what would be read and change nothing

          --json
              Print the result as JSON

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog backfill
      devlog backfill --agent codex --since 2026-10
      devlog backfill --path /mnt/old-laptop/.claude --machine old-laptop
      devlog backfill --dry-run          what would be read

    Interrupted, it goes on where it stopped when it is run again.
    ");
}

#[test]
fn help_of_status() {
    insta::assert_snapshot!(help("status"), @"
    Say what was read, how far behind it is, and how large the lake is

    Usage: devlog status [OPTIONS]

    Options:
          --json
              Print as JSON

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_sources() {
    insta::assert_snapshot!(help("sources"), @"
    List the log files with state, position, rows and errors

    Usage: devlog sources [OPTIONS]

    Options:
      -a, --agent <AGENT>
              Only this agent; may be given several times

              [possible values: aider, amp, claude, cline, codex, continue, copilot-cli, crush, cursor,
              droid, gemini, github-copilot, goose, iflow, kilo, kiro, mimo, omp, openclaw, opencode,
              opencode-go, pi, qwen, roo, warp, windsurf, zed]

          --state <STATE>
              Only sources in this state; may be given several times

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
    List the agents whose logs are read, and what of each was found

    Usage: devlog adapters [OPTIONS]
           devlog adapters <COMMAND>

    Commands:
      test  Print the rows that a format of your own makes of a file, and keep nothing
      help  Print this message or the help of the given subcommand(s)

    Options:
      -a, --agent <AGENT>
              Only this agent; may be given several times

              [possible values: aider, amp, claude, cline, codex, continue, copilot-cli, crush, cursor,
              droid, gemini, github-copilot, goose, iflow, kilo, kiro, mimo, omp, openclaw, opencode,
              opencode-go, pi, qwen, roo, warp, windsurf, zed]

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
    Print the columns of the tables

    Usage: devlog schema [OPTIONS] [TABLE]

    Arguments:
      [TABLE]
              The table [default: all]

    Options:
          --json
              Print as JSON

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_compact() {
    insta::assert_snapshot!(help("compact"), @"
    Merge small files of the lake into large ones

    Usage: devlog compact [OPTIONS]

    Options:
          --json
              Print as JSON

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_fsck() {
    insta::assert_snapshot!(help("fsck"), @"
    Check the lake, and repair what can be repaired

    Usage: devlog fsck [OPTIONS]

    Options:
          --rebuild-from-footers
              Write the log anew from the Parquet files; for a lake whose log is lost or damaged

          --restore-quarantine
              Put whole files back that were taken out of the lake, without the rows it has by now

          --repair-duplicates
              Remove copies of events that stand in the lake more than once; the most complete one stays

          --json
              Print as JSON

      -h, --help
              Print help (see a summary with '-h')
    ");
}

#[test]
fn help_of_snapshot() {
    insta::assert_snapshot!(help("snapshot"), @r#"
    Make a directory of exactly the live Parquet files, for tools that read globs

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
    files. A snapshot goes seven days after it was last asked for, or at once with `devlog prune`, which
    leaves no row behind. To keep one for longer, copy it: cp -al PATH elsewhere.
    "#);
}

#[test]
fn help_of_prune() {
    insta::assert_snapshot!(help("prune"), @"
    Delete rows for good

    Usage: devlog prune [OPTIONS] <--before <WHEN>|--session <ID>|--project <PROJECT>|--allow-again>

    Options:
          --before <WHEN>
              Rows older than this: 2026-01-01, 2026-01, 90d

          --session <ID>
              Rows of this session; may be given several times

          --project <PROJECT>
              Rows of this project, named so that one is meant; may be given several times

          --allow-again
              Take rows again that were pruned before, from logs that still hold them

      -y, --yes
              Delete; without it only the count is shown

          --json
              Print as JSON

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog prune --before 2026-01-01
      devlog prune --session 6d1c2f0a-9c1e-4d6c-8d0e-3f4b1a2c5d6e --yes
      devlog prune --project acme/secret --before 90d --yes

    Several conditions must all hold. What was pruned is not read again from the logs, also when a log
    is
    rewritten; --allow-again takes that back, and the next backfill or ingest reads all logs anew.
    ");
}

#[test]
fn help_of_demo() {
    insta::assert_snapshot!(help("demo"), @"
    Make a home with synthetic logs, to try everything without logs of your own

    Usage: devlog demo [OPTIONS]

    Options:
          --home <DIR>
              Home to make for a user that does not exist [default: <devlog home>/demo]

          --size <SIZE>
              Rough size of all logs, such as 10GB [default: a small home]

          --seed <N>
              Another seed gives other logs

              [default: 1]

          --end <WHEN>
              Day on which the last session ends; it begins 60 days earlier [default: today]

          --json
              Print the totals as JSON

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog demo                              40 sessions of three projects in <devlog home>/demo
      devlog demo --home /tmp/big --size 10GB  for benchmarks

    The same seed and end give the same bytes. What a right reader must find in them is printed.
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
    Print version and build

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
    Answer SQL

    Usage: devlog query [OPTIONS] [SQL]

    Arguments:
      [SQL]
              The query; - or nothing reads it from stdin

    Options:
      -f, --file <FILE>
              Read the query from a file

          --format <FORMAT>
              How to print the rows [default: table; with -o by the file's ending]

              Possible values:
              - table:        Aligned columns; on a terminal long texts are cut
              - json:         One JSON array of objects
              - ndjson:       One JSON object per line
              - csv:          Comma-separated values with a header
              - tsv:          Tab-separated values with a header
              - markdown:     A Markdown table
              - parquet:      A Parquet file, zstd
              - arrow:        An Arrow IPC file (Feather 2)
              - arrow-stream: An Arrow IPC stream

      -o, --output <FILE>
              Write the rows to a file; - is stdout

          --force
              Overwrite FILE when it exists

          --all
              Show all rows on a terminal, not only the first 40

      -p, --param <NAME=VALUE>
              Give $NAME a value; may be given several times

          --watch <PAUSE>
              Ask again and again, with this pause in between

          --no-sync
              Do not read new log lines first: answer from what is stored

          --timeout <TIME>
              Give up after this long, such as 30s or 5m

          --exit-code
              Exit with 1 when there is nothing to show

      -h, --help
              Print help (see a summary with '-h')

    Examples:
      devlog query "SELECT model, sum(output_tokens) FROM events GROUP BY model"
      devlog query -f weekly.sql --param project=acme/api --format csv -o weekly.csv
      echo 'SELECT count(*) FROM events' | devlog query
      devlog query "SELECT * FROM sessions LIMIT 10" --watch 2s

    A parameter stands in SQL as $name. `devlog schema` lists the tables and their columns.
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
              Only what happened at or after this: 2026-11-01, 2026-11, 7d, yesterday

          --until <WHEN>
              Only what happened before the end of this

      -a, --agent <AGENT>
              Only this agent

              [possible values: aider, amp, claude, cline, codex, continue, copilot-cli, crush, cursor,
              droid, gemini, github-copilot, goose, iflow, kilo, kiro, mimo, omp, openclaw, opencode,
              opencode-go, pi, qwen, roo, warp, windsurf, zed]

      -p, --project <PROJECT>
              Only this project; the end of its name will do: shop for acme/shop

          --json
              Print rows as JSON

          --no-sync
              Do not read new log lines first: answer from what is stored

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
    Write a table, a view or an answer to files other tools read

    Usage: devlog export [OPTIONS] --output <PATH> <TABLE|SQL>

    Arguments:
      <TABLE|SQL>
              A table, a view, or a query

    Options:
          --format <FORMAT>
              What to write [default: by the ending of FILE, else parquet]

              Possible values:
              - table:        Aligned columns; on a terminal long texts are cut
              - json:         One JSON array of objects
              - ndjson:       One JSON object per line
              - csv:          Comma-separated values with a header
              - tsv:          Tab-separated values with a header
              - markdown:     A Markdown table
              - parquet:      A Parquet file, zstd
              - arrow:        An Arrow IPC file (Feather 2)
              - arrow-stream: An Arrow IPC stream

      -o, --output <PATH>
              The file, or with --partition-by the directory, to write; - is stdout

          --partition-by <COLUMN>
              One folder per value of this column; may be given several times

          --force
              Overwrite the file, or replace what an earlier export wrote into the directory

          --no-sync
              Do not read new log lines first: export what is stored

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
