//! What every command prints, on a pipe and on screens of three widths, over one small home.
//!
//! Paths, times, sizes of what is made and speeds are masked; everything else is as a user sees it.
//! `INSTA_UPDATE=always` writes the files anew.

use std::fs;
use std::path::Path;

use super::home::{Home, append, session};
use super::screen;

/// Widths of a split window, of the classic screen, and of a wide one.
const WIDTHS: [u16; 3] = [60, 80, 120];

/// Two agents, two projects, three sessions, tools that fail, a line that cannot be read.
fn home() -> Home {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "5f0c9d1e-8a41-4c53-9a55-0b7d2f3c6a10"), &claude());
    append(
        &home.claude("-srv-garden", "b2d7a3c4-1111-4222-8333-944455566677"),
        &session("b2d7a3c4-1111-4222-8333-944455566677", 2).replace("/home/u/shop", "/srv/garden"),
    );
    append(&home.claude("-home-u-shop", "5f0c9d1e-8a41-4c53-9a55-0b7d2f3c6a10"), "{\"type\": \"broken\n");
    let codex = home.path().join(".codex/sessions/2026/05/29");
    fs::create_dir_all(&codex).unwrap();
    fs::write(codex.join("rollout-2026-05-29T08-00-00-0197a000-aaaa-7bbb-8ccc-ddddeeeeffff.jsonl"), CODEX).unwrap();
    home
}

fn claude() -> String {
    let id = "5f0c9d1e-8a41-4c53-9a55-0b7d2f3c6a10";
    let line = |uuid: &str, at: &str, kind: &str, message: serde_json::Value| {
        let line = serde_json::json!({
            "parentUuid": null, "isSidechain": false, "userType": "external", "cwd": "/home/u/shop", "sessionId": id,
            "version": "2.1.100", "gitBranch": "main", "type": kind, "message": message,
            "uuid": uuid, "timestamp": at, "requestId": format!("req-{uuid}"),
        });
        format!("{line}\n")
    };
    let usage = serde_json::json!({
        "input_tokens": 12, "cache_creation_input_tokens": 4000, "cache_read_input_tokens": 120_000,
        "output_tokens": 850, "cache_creation": {"ephemeral_5m_input_tokens": 4000, "ephemeral_1h_input_tokens": 0},
    });
    let call = |id: &str, tool: &str, input: serde_json::Value| {
        serde_json::json!({
            "id": format!("msg-{id}"), "type": "message", "role": "assistant", "model": "claude-opus-4-6",
            "content": [{"type": "tool_use", "id": id, "name": tool, "input": input}],
            "stop_reason": "tool_use", "stop_sequence": null, "usage": usage,
        })
    };
    let result = |id: &str, is_error: bool, text: &str| {
        serde_json::json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": id, "content": text, "is_error": is_error},
        ]})
    };
    let ask = serde_json::json!({"role": "user", "content": "Make the checkout show the tax as its own line, please"});
    line("u1", "2026-05-28T09:00:00.000Z", "user", ask)
        + &line("a1", "2026-05-28T09:00:05.000Z", "assistant", call("t1", "Bash", serde_json::json!({"command": "cargo test"})))
        + &line("r1", "2026-05-28T09:00:09.000Z", "user", result("t1", true, "error: test failed"))
        + &line("a2", "2026-05-28T09:01:00.000Z", "assistant", call("t2", "Read", serde_json::json!({"file_path": "/home/u/shop/src/tax.rs"})))
        + &line("r2", "2026-05-28T09:01:01.000Z", "user", result("t2", false, "fn tax() {}"))
        // A result whose call is in no log.
        + &line("r3", "2026-05-28T09:02:01.000Z", "user", result("t9", true, "gone"))
}

const CODEX: &str = concat!(
    r#"{"timestamp":"2026-05-29T08:00:00.000Z","type":"session_meta","payload":{"id":"0197a000-aaaa-7bbb-8ccc-ddddeeeeffff","timestamp":"2026-05-29T08:00:00.000Z","cwd":"/home/u/shop","originator":"codex_cli_rs","cli_version":"0.60.1","instructions":null,"source":"cli","model_provider":"openai"}}"#,
    "\n",
    r#"{"timestamp":"2026-05-29T08:00:01.000Z","type":"turn_context","payload":{"cwd":"/home/u/shop","approval_policy":"on-request","model":"gpt-5.2-codex","effort":"medium","summary":"auto"}}"#,
    "\n",
    r#"{"timestamp":"2026-05-29T08:00:02.000Z","type":"event_msg","payload":{"type":"user_message","message":"Why is the build slow?","images":[]}}"#,
    "\n",
    r#"{"timestamp":"2026-05-29T08:00:09.000Z","type":"event_msg","payload":{"type":"token_count","info":{"total_token_usage":{"input_tokens":9000,"cached_input_tokens":6000,"output_tokens":400,"reasoning_output_tokens":100,"total_tokens":9400},"last_token_usage":{"input_tokens":9000,"cached_input_tokens":6000,"output_tokens":400,"reasoning_output_tokens":100,"total_tokens":9400},"model_context_window":272000},"rate_limits":null}}"#,
    "\n",
);

/// `1.2s`, `30ms`, `5m`: a time that the machine took.
fn is_time(word: &str) -> bool {
    let number = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    number.len() < word.len() && matches!(number, "ms" | "s" | "m" | "h")
}

/// `text` without what differs from run to run.
fn masked(home: &Path, text: &str) -> String {
    let text = text.replace(home.to_str().unwrap(), "HOME");
    let mut out = String::new();
    // Progress is told only when the machine is slow.
    for line in text.lines().filter(|line| !line.starts_with("reading ") && !line.starts_with("catching up: ")) {
        let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        for i in 0..words.len() {
            let bare = words[i].trim_matches(['(', ')', ',', ';']).to_owned();
            if bare.ends_with("B/s") && i > 0 {
                words[i] = words[i].replace(&bare, "SPEED");
                words[i - 1] = words[i - 1].trim_end_matches(|c: char| c.is_ascii_digit() || c == '.').to_owned() + "N";
            } else if is_time(&bare) || bare == "now" {
                words[i] = words[i].replace(&bare, "TIME");
            }
        }
        let mut line = words.join(" ").replace("TIME TIME", "TIME").replace("TIME ago", "TIME");
        if let Some(at) = line.find("snapshots/") {
            line.replace_range(at.., "snapshots/N");
        }
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// Columns whose width depends on the moment, without it.
fn squeezed(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let cells = line.split("  ").map(str::trim).filter(|cell| !cell.is_empty());
        let cells: Vec<&str> = cells.map(|cell| if cell.chars().all(|c| c == '─') { "─" } else { cell }).collect();
        out.push_str(&cells.join("  "));
        out.push('\n');
    }
    out
}

/// Sizes of what devlog itself writes.
fn without_sizes(text: &str) -> String {
    let mut words: Vec<&str> = text.split(' ').collect();
    for i in 1..words.len() {
        if matches!(words[i].trim_end_matches([',', ';', ':', ')', '\n']), "B" | "kB" | "MB") {
            words[i - 1] = "N";
        }
    }
    words.join(" ")
}

struct Shot<'a> {
    name: &'a str,
    line: &'a [&'a str],
    /// The moment is in a column of it.
    is_loose: bool,
    /// What it says of sizes depends on the writer of Parquet files.
    is_sized: bool,
    /// Run before each picture.
    before: Option<&'a dyn Fn(&Home)>,
}

fn taken(home: &Home, shot: &Shot<'_>) -> String {
    let mut text = String::new();
    let mut add = |title: &str, out: &str, err: &str, code: Option<i32>| {
        let mask = |part: &str| {
            let part = masked(home.path(), part);
            let part = if shot.is_loose { squeezed(&part) } else { part };
            if shot.is_sized { without_sizes(&part) } else { part }
        };
        text.push_str(&format!("── {title}\n{}", mask(out)));
        // Nothing is left of progress, which is told only when the machine is slow.
        let err = mask(err);
        if !err.trim().is_empty() {
            text.push_str(&format!("── stderr\n{err}"));
        }
        if code != Some(0) {
            text.push_str(&format!("── ended with {code:?}\n"));
        }
        text.push('\n');
    };
    let command = || {
        if let Some(before) = shot.before {
            before(home);
        }
        let mut command = home.command(shot.line);
        command.current_dir(home.path()).env("NO_COLOR", "1");
        command
    };
    let piped = command().output().unwrap();
    let (out, err) = (String::from_utf8(piped.stdout).unwrap(), String::from_utf8(piped.stderr).unwrap());
    add("a pipe", &out, &err, piped.status.code());
    for width in WIDTHS {
        let seen = screen::run(&mut command(), width);
        add(&format!("{width} columns"), &seen.screen, &seen.err, seen.status.code());
    }
    text
}

fn check(shots: &[Shot<'_>]) {
    let home = home();
    home.ok(&["backfill"]);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("shots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for shot in shots {
            insta::assert_snapshot!(shot.name, taken(&home, shot), "");
        }
    });
}

const PLAIN: Shot<'static> = Shot { name: "", line: &[], is_loose: false, is_sized: false, before: None };

#[test]
fn pictures_of_reports() {
    let lines: [(&str, &[&str]); 8] = [
        ("report_daily", &["report", "daily"]),
        ("report_daily_cut", &["report", "daily", "--since", "2026-05-28T09:01:00Z", "--until", "2026-05-29"]),
        ("report_weekly", &["report", "weekly"]),
        ("report_monthly", &["report", "monthly"]),
        ("report_sessions", &["report", "sessions"]),
        ("report_models", &["report", "models"]),
        ("report_tools", &["report", "tools"]),
        ("report_projects", &["report", "projects"]),
    ];
    check(&lines.map(|(name, line)| Shot { name, line, ..PLAIN }));
}

#[test]
fn pictures_of_queries() {
    let sql =
        "SELECT ts, event_id, session_id, event_type, text FROM events WHERE text IS NOT NULL ORDER BY ts, event_id";
    let lines: [(&str, &[&str]); 6] = [
        ("query", &["query", sql]),
        ("query_wide", &["query", "SELECT * FROM sessions WHERE agent = 'codex'"]),
        (
            "query_typed",
            &[
                "query",
                "SELECT agent, count(*), sum(output_tokens) FILTER (WHERE total_tokens > 0) FROM events GROUP BY 1 ORDER BY 1",
            ],
        ),
        ("query_none", &["query", "SELECT agent FROM events WHERE false"]),
        (
            "query_markdown",
            &[
                "query",
                "--format",
                "markdown",
                "SELECT agent, project, NULL AS none, '' AS empty FROM sessions ORDER BY 1, 2",
            ],
        ),
        ("query_wrong", &["query", "SELECT agnt FROM events"]),
    ];
    check(&lines.map(|(name, line)| Shot { name, line, ..PLAIN }));
}

#[test]
fn pictures_of_state() {
    let lines: [(&str, &[&str]); 2] = [("adapters", &["adapters"]), ("schema", &["schema", "rejects"])];
    check(&lines.map(|(name, line)| Shot { name, line, ..PLAIN }));
    let lines: [(&str, &[&str]); 2] = [("status", &["status"]), ("sources", &["sources"])];
    check(&lines.map(|(name, line)| Shot { name, line, is_loose: true, is_sized: true, ..PLAIN }));
}

#[test]
fn pictures_of_upkeep() {
    let written = |home: &Home| drop(fs::remove_file(home.path().join("sessions.csv")));
    let fresh = |home: &Home| drop(fs::remove_dir_all(home.lake()));
    let sized = Shot { is_sized: true, ..PLAIN };
    check(&[
        Shot { name: "backfill", line: &["backfill"], before: Some(&fresh), ..PLAIN },
        Shot { name: "backfill_again", line: &["backfill"], ..PLAIN },
        Shot { name: "backfill_dry_run", line: &["backfill", "--dry-run"], before: Some(&fresh), ..PLAIN },
    ]);
    check(&[
        Shot { name: "export", line: &["export", "sessions", "-o", "sessions.csv"], before: Some(&written), ..PLAIN },
        Shot { name: "export_again", line: &["export", "sessions", "-o", ".claude"], ..PLAIN },
        Shot { name: "compact", line: &["compact"], ..sized },
        Shot { name: "fsck", line: &["fsck"], ..sized },
        Shot { name: "snapshot", line: &["snapshot"], ..sized },
        Shot { name: "prune", line: &["prune", "--before", "2026-05-29"], ..sized },
    ]);
}
