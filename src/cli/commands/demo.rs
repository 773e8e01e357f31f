//! `demo`: a made-up home, and what to try with it.

use std::path::{Path, PathBuf};

use super::super::args::DemoArgs;
use super::super::table::{Align, Table};
use super::super::{CliError, Outcome, Streams};
use super::{answer_json, tell, when};
use crate::config::{Edge, Env, Os, Settings};
use crate::demo::{Options, Truth, Usage, generate};
use crate::text::units;

/// Microseconds in a day.
const DAY_US: i64 = 86_400_000_000;

/// Writes the logs and prints what a right reader finds in them.
pub(in super::super) fn run(
    settings: &Settings,
    env: &Env,
    global_home: Option<PathBuf>,
    args: &DemoArgs,
    quiet: bool,
    streams: &mut Streams<'_>,
) -> Result<Outcome, CliError> {
    let home =
        args.home.clone().or(global_home).map_or_else(|| settings.home.join("demo"), |home| env.current_dir.join(home));
    for taken in [".claude", ".codex"] {
        // A person's own logs must never be mixed with made-up ones.
        let path = home.join(taken);
        if path.symlink_metadata().is_ok() && !home.join(MARK).is_file() {
            return Err(CliError::Exists { path });
        }
    }
    let day = args.end.as_deref().unwrap_or("today");
    let until = when(settings, streams.now_us, "--end", Edge::Until, Some(day))?.unwrap_or(streams.now_us);
    // Without --end the newest session has just ended, whatever the hour.
    let end_us = if args.end.is_some() { until } else { (streams.now_us / DAY_US * DAY_US).min(until) };
    let options = Options { home: home.clone(), bytes: args.size, seed: args.seed, end_us };
    clear(&home).map_err(|source| CliError::Write { path: home.clone(), source })?;
    let truth = generate(&options).map_err(|source| CliError::Write { path: home.clone(), source })?;
    if args.json {
        answer_json(streams, &serde_json::json!({"home": home, "truth": truth}))?;
        return Ok(Outcome::Done);
    }
    let written = format!(
        "{} with {} of synthetic logs in {}",
        units::counted(truth.files, "file"),
        units::bytes(truth.bytes),
        home.display()
    );
    if !quiet {
        tell(streams, &written)?;
    }
    totals(&truth, settings, streams)?;
    if !quiet {
        suggestions(&home, env, streams)?;
    }
    Ok(Outcome::Done)
}

/// Stands in a made-up home, so that it is known as one.
const MARK: &str = ".devlog-demo";

/// Removes the logs of an earlier run, so that the new ones stand alone.
fn clear(home: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(home)?;
    std::fs::write(home.join(MARK), "made by `devlog demo`; run again, it replaces .claude and .codex here\n")?;
    for folder in [".claude", ".codex"] {
        match std::fs::remove_dir_all(home.join(folder)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn totals(truth: &Truth, settings: &Settings, streams: &mut Streams<'_>) -> Result<(), CliError> {
    let mut table = Table::new(&[
        ("agent", Align::Left),
        ("model", Align::Left),
        ("calls", Align::Right),
        ("input", Align::Right),
        ("cache write", Align::Right),
        ("cache read", Align::Right),
        ("output", Align::Right),
        ("total", Align::Right),
    ]);
    let cells = |usage: &Usage| {
        [
            usage.calls,
            usage.input_tokens,
            usage.cache_write_5m_tokens + usage.cache_write_1h_tokens,
            usage.cache_read_tokens,
            usage.output_tokens,
            usage.total_tokens(),
        ]
        .map(units::count)
    };
    for (name, usage) in &truth.models {
        let (agent, model) = name.split_once('/').unwrap_or((name, ""));
        table.row([agent.to_owned(), model.to_owned()].into_iter().chain(cells(usage)));
    }
    table.total(["all".to_owned(), String::new()].into_iter().chain(cells(&truth.total())));
    table.write(streams.out, settings.terminal.columns).map_err(|source| CliError::Output { source })
}

/// Prints commands that read the made-up home and nothing else.
fn suggestions(home: &Path, env: &Env, streams: &mut Streams<'_>) -> Result<(), CliError> {
    tell(streams, "\ntry:")?;
    let devlog = home.join(".devlog");
    // Variables of the real user would lead back to the real logs.
    let misleading: Vec<&str> = ["CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_CONFIG_HOME"]
        .into_iter()
        .filter(|name| env.variable(name).is_some())
        .collect();
    let prefix = if env.os == Os::Windows {
        tell(
            streams,
            &format!("  $env:USERPROFILE = \"{}\"; $env:DEVLOG_HOME = \"{}\"", home.display(), devlog.display()),
        )?;
        String::new()
    } else {
        let unset: String = misleading.iter().map(|name| format!("-u {name} ")).collect();
        let env = if unset.is_empty() { String::new() } else { format!("env {unset}") };
        format!("{env}HOME={} DEVLOG_HOME={} ", quoted(home), quoted(&devlog))
    };
    let commands: &[&str] = if cfg!(feature = "query") {
        &[
            "report daily",
            "report models",
            "query \"SELECT tool_name, count(*) FROM tool_calls GROUP BY 1 ORDER BY 2 DESC\"",
        ]
    } else {
        &["backfill", "status"]
    };
    commands.iter().try_for_each(|command| tell(streams, &format!("  {prefix}devlog {command}")))
}

/// A path as a POSIX shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
