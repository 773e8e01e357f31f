//! The command line from outside: what a user types, what comes back, on which stream, with which code.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::home::{Home, append, session};

/// A home with two sessions of three turns, one of them in another folder.
fn small() -> Home {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &session("s1", 3));
    append(&home.claude("-srv-garden", "s2"), &session("s2", 2).replace("/home/u/shop", "/srv/garden/beds"));
    home
}

fn demo() -> (Home, Value) {
    let home = Home::new();
    let folder = home.path().to_str().unwrap();
    let told = home.ok(&["demo", "--home", folder, "--json", "--end", "2026-11-01"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    (home, told["truth"].clone())
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// What the command says on stderr; it must fail with code 2 and print nothing.
fn refused(home: &Home, args: &[&str]) -> String {
    let output = home.run(args);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
    assert!(output.stdout.is_empty(), "{args:?} printed {}", String::from_utf8_lossy(&output.stdout));
    err(&output)
}

#[test]
fn a_backfill_says_how_many_events_it_has_stored_without_the_copies() {
    let (home, _) = demo();
    let told: Value = serde_json::from_str(&home.ok(&["backfill", "--json"])).unwrap();
    let rows = home.query("SELECT count(*) AS n FROM events");
    assert_eq!(told["events"], rows[0]["n"]);
    let read = home.query("SELECT sum(decoded) AS n FROM sources");
    assert!(read[0]["n"].as_u64() > rows[0]["n"].as_u64(), "the demo has copies");
    let again: Value = serde_json::from_str(&home.ok(&["backfill", "--json"])).unwrap();
    assert_eq!(again["events"], 0);
}

#[test]
fn a_demo_home_is_read_exactly_as_it_was_written() {
    let (home, truth) = demo();
    let rows = home.query(
        "SELECT agent || '/' || model AS name, count(*) AS calls, sum(input_tokens) AS input_tokens,
                sum(cache_read_tokens) AS cache_read_tokens,
                coalesce(sum(cache_write_5m_tokens), 0) AS cache_write_5m_tokens,
                coalesce(sum(cache_write_1h_tokens), 0) AS cache_write_1h_tokens,
                sum(output_tokens) AS output_tokens, coalesce(sum(reasoning_tokens), 0) AS reasoning_tokens
         FROM events WHERE total_tokens IS NOT NULL GROUP BY 1",
    );
    let found: BTreeMap<String, Value> = rows
        .into_iter()
        .map(|mut row| {
            let name = row.as_object_mut().unwrap().remove("name").unwrap();
            (name.as_str().unwrap().to_owned(), row)
        })
        .collect();
    let wanted: BTreeMap<String, Value> = serde_json::from_value(truth["models"].clone()).unwrap();
    assert!(wanted.len() > 4, "{wanted:?}");
    assert_eq!(found, wanted);

    for (sql, key) in [
        ("SELECT count(*) FROM tool_calls", "tool_calls"),
        ("SELECT sum(prompts) FROM sessions", "prompts"),
        ("SELECT sum(prompts) FROM daily", "prompts"),
        ("SELECT count(*) FROM messages WHERE role = 'user' AND NOT is_subagent", "prompts"),
        ("SELECT sum(lines) FROM sources", "lines"),
        ("SELECT count(*) FROM sources", "files"),
    ] {
        assert_eq!(home.number(sql), truth[key].as_i64().unwrap(), "{sql}");
    }
    let total: i64 = wanted.values().map(|usage| usage["output_tokens"].as_i64().unwrap()).sum();
    for view in ["daily", "weekly", "monthly", "models", "sessions", "projects_usage", "usage"] {
        let sql = format!("SELECT sum(output_tokens) FROM {view}");
        assert_eq!(home.number(&sql), total, "{view}");
    }
    let main = home.number("SELECT sum(output_tokens) FROM usage WHERE NOT is_subagent");
    assert_eq!(home.number("SELECT sum(output_tokens) FROM turns"), main, "turns are those of the main threads");
    assert!(main < total, "there are sub-agents");
    assert_eq!(home.number("SELECT count(*) FROM rejects"), 0);
    assert_eq!(home.number("SELECT count(*) FROM events WHERE event_type = 'unknown'"), 0);
    let nowhere = "SELECT count(*) FROM events WHERE cwd IS NOT NULL AND project IS NULL";
    assert_eq!(home.number(nowhere), 0);
}

#[test]
fn every_report_ends_with_the_same_total_in_every_zone() {
    let (home, truth) = demo();
    let models: BTreeMap<String, Value> = serde_json::from_value(truth["models"].clone()).unwrap();
    let wanted: i64 = models.values().map(|usage| usage["output_tokens"].as_i64().unwrap()).sum();
    for kind in ["daily", "weekly", "monthly", "sessions", "models", "projects"] {
        for zone in ["UTC", "Europe/Berlin", "America/New_York"] {
            let told = home.ok(&["report", kind, "--json", "--timezone", zone]);
            let told: Value = serde_json::from_str(&told).unwrap();
            assert_eq!(told["total"]["output_tokens"].as_i64(), Some(wanted), "{kind} in {zone}");
            assert_eq!(told["timezone"], zone);
            let rows: i64 = told["rows"].as_array().unwrap().iter().filter_map(|r| r["output_tokens"].as_i64()).sum();
            assert_eq!(rows, wanted, "rows of {kind} in {zone}");
        }
    }
    let tools: Value = serde_json::from_str(&home.ok(&["report", "tools", "--json"])).unwrap();
    assert_eq!(tools["total"]["calls"], truth["tool_calls"]);
}

#[test]
fn the_filters_of_a_report_leave_out_what_they_say() {
    let home = small();
    let calls = |args: &[&str]| {
        let all = [&["report", "projects", "--json"], args].concat();
        let told: Value = serde_json::from_slice(&home.run(&all).stdout).unwrap();
        told["total"]["calls"].as_i64().unwrap_or(0)
    };
    assert_eq!(calls(&[]), 5);
    assert_eq!(calls(&["--project", "shop"]), 3);
    assert_eq!(calls(&["--project", "garden"]), 2, "a session that went into a folder of its project");
    assert_eq!(calls(&["--project", "beds"]), 0);
    assert_eq!(calls(&["--agent", "claude"]), 5);
    assert_eq!(calls(&["--agent", "codex"]), 0);
    assert_eq!(calls(&["--since", "2026-05-28", "--until", "2026-05-28"]), 5, "until means the end of that day");
    assert_eq!(calls(&["--until", "2026-05-27"]), 0);
    assert_eq!(home.run(&["report", "daily", "--agent", "codex"]).status.code(), Some(0));
    assert!(refused(&home, &["report", "daily", "--agent", "claud"]).contains("did you mean claude?"));
    let told = refused(&home, &["report", "daily", "--since", "2026-06-02", "--until", "2026-06-01"]);
    assert!(told.contains("--since must be earlier than --until"), "{told}");
}

#[test]
fn each_format_holds_the_same_rows() {
    let home = small();
    let sql = "SELECT session_id AS s, count(*) AS n, min(ts) AS t FROM events GROUP BY 1 ORDER BY 1";
    let told = |format: &str| home.ok(&["query", "--format", format, sql]);
    assert_eq!(
        told("csv"),
        "s,n,t\ns1,6,2026-05-28T20:26:40Z\ns2,4,2026-05-28T20:26:40Z\n",
        "times in UTC, with their zone"
    );
    assert_eq!(told("tsv"), told("csv").replace(',', "\t"));
    let lines: Vec<Value> = told("ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let list: Vec<Value> = serde_json::from_str(&told("json")).unwrap();
    assert_eq!(lines, list);
    assert_eq!(list[1], serde_json::json!({"s": "s2", "n": 4, "t": "2026-05-28T20:26:40Z"}));
    assert_eq!(told("markdown").lines().count(), 4);
    assert_eq!(told("table").lines().count(), 4);
    let file = home.run(&["query", "--format", "arrow", sql]).stdout;
    let rows = arrow::ipc::reader::FileReader::try_new(std::io::Cursor::new(&file), None).unwrap();
    assert_eq!(rows.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2);
    let stream = home.run(&["query", "--format", "arrow-stream", sql]).stdout;
    let rows = arrow::ipc::reader::StreamReader::try_new(stream.as_slice(), None).unwrap();
    assert_eq!(rows.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 2);
}

#[test]
fn a_query_comes_as_argument_file_or_input_and_takes_parameters() {
    let home = small();
    let file = home.path().join("q.sql");
    fs::write(&file, "SELECT count(*) FROM events WHERE session_id = $who -- comment\n;\n").unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(home.ok(&["query", "-f", file, "--param", "who=s1", "--format", "csv"]), "count(*)\n6\n");
    let mut child = home
        .command(&["query", "--format", "tsv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"SELECT 2 AS two").unwrap();
    assert_eq!(child.wait_with_output().unwrap().stdout, b"two\n2\n");
    let out = home.path().join("answer.csv");
    let output = home.run(&["query", "-o", out.to_str().unwrap(), "SELECT 1 AS one"]);
    assert!(output.status.success() && output.stdout.is_empty());
    assert_eq!(fs::read_to_string(out).unwrap(), "one\n1\n");
}

#[test]
fn a_wrong_query_is_told_what_is_wrong_where_and_what_was_meant() {
    let home = small();
    for (sql, words) in [
        ("SELECT agnt FROM events", &["`agnt`", "line 1, column 8", "`agent`"][..]),
        ("SELECT * FROM event", &["`event`", "`events`", "sessions"]),
        ("SELECT cuont(*) FROM events", &["`cuont`", "`count`"]),
        ("SELECT 1,\n  FROM FROM events", &["line 2"]),
        ("SELECT * FROM events WHERE agent = $who", &["$who"]),
        ("DELETE FROM events", &[]),
        ("", &["no query"]),
    ] {
        let told = refused(&home, &["query", sql]);
        assert!(words.iter().all(|word| told.contains(word)), "{sql}: {told}");
    }
    assert!(refused(&home, &["query", "--format", "yaml", "SELECT 1"]).contains("ndjson"));
    assert!(refused(&home, &["query", "-f", "/nowhere/q.sql"]).contains("/nowhere/q.sql"));
    assert!(refused(&home, &["report", "dayly"]).contains("'daily'"));
    assert!(refused(&home, &["report", "daily", "--since", "2026-13-01"]).contains("--since"));
    assert!(refused(&home, &["report", "daily", "--timezone", "Mars/Olympus"]).contains("Mars/Olympus"));
    assert!(refused(&home, &["schema", "evnts"]).contains("events"));
    assert!(refused(&home, &["qery"]).contains("query"));
    let slow = "SELECT sum(a.value * b.value) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";
    assert!(refused(&home, &["query", "--timeout", "200ms", slow]).contains("0.2 s"));
}

#[test]
fn a_reader_that_leaves_is_success() {
    let home = small();
    // A catch-up on a busy machine tells its progress.
    home.ok(&["backfill"]);
    let many = "SELECT a.value FROM generate_series(1, 3000000) a";
    let mut child = home
        .command(&["query", "--no-sync", "--format", "csv", many])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "value\n");
    let mut told = String::new();
    child.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{told}");
    assert_eq!(told, "");
}

#[test]
fn a_home_without_logs_answers_and_says_so() {
    let home = Home::new();
    assert_eq!(home.number("SELECT count(*) FROM events"), 0);
    assert_eq!(home.run(&["report", "daily"]).status.code(), Some(0));
    for command in [&["status"][..], &["sources"], &["fsck"], &["compact"], &["version"], &["schema"]] {
        let output = home.run(command);
        assert_eq!(output.status.code(), Some(0), "{command:?}: {}", err(&output));
    }
}

#[cfg(unix)]
#[test]
fn links_and_devices_named_as_output_stay_what_they_are() {
    let home = small();
    let here = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    let sql = "SELECT count(*) AS n FROM events";
    fs::write(here("real.csv"), "old").unwrap();
    std::os::unix::fs::symlink("real.csv", here("link.csv")).unwrap();
    std::os::unix::fs::symlink("/dev/null", here("nowhere")).unwrap();
    for (what, to) in [(&["query", "--force", sql][..], "link.csv"), (&["export", "--force", sql], "link.csv")] {
        fs::write(here("real.csv"), "old").unwrap();
        home.ok(&[what, &["-o", &here(to)]].concat());
        assert_eq!(fs::read_to_string(here("real.csv")).unwrap(), "n\n10\n", "{what:?}");
        assert!(fs::symlink_metadata(here(to)).unwrap().is_symlink(), "{what:?}");
    }
    home.ok(&["query", "-o", &here("nowhere"), sql]);
    assert_eq!(fs::read_link(here("nowhere")).unwrap(), Path::new("/dev/null"));
    if Path::new("/dev/full").exists() {
        let told = refused(&home, &["query", "-o", "/dev/full", sql]);
        assert!(told.contains("cannot write \"/dev/full\"") && told.contains("No space left"), "{told}");
    }
    let told = refused(&home, &["query", "-o", &here("x.xyz"), sql]);
    assert!(told.contains("is not that of a format") && !home.path().join("x.xyz").exists(), "{told}");
}

#[test]
fn a_home_with_dots_in_its_path_is_the_same_home() {
    let home = small();
    home.ok(&["backfill"]);
    fs::create_dir(home.path().join("elsewhere")).unwrap();
    let sql = "SELECT count(*) AS n FROM events";
    for args in [&["--home", "elsewhere/../.devlog"][..], &["--lake", "elsewhere/../.devlog/lake"]] {
        let mut command = home.command(&[args, &["query", "--no-sync", "--format", "csv", sql]].concat());
        let output = command.current_dir(home.path()).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "n\n10\n", "{args:?}: {}", err(&output));
    }
    let mut command = home.command(&["query", "--format", "csv", sql]);
    let dotted = home.path().join("elsewhere/..");
    let output = command.env_remove("DEVLOG_HOME").env("HOME", dotted).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "n\n10\n", "{}", err(&output));
}

#[test]
fn a_view_is_described_by_a_query_and_schema_says_so() {
    let home = Home::new();
    let told = refused(&home, &["schema", "sessions"]);
    assert!(told.contains("devlog query \"DESCRIBE sessions\""), "{told}");
    assert!(home.ok(&["query", "DESCRIBE sessions"]).contains("session_id"));
}

#[test]
fn what_is_pruned_is_in_no_file_and_does_not_come_back() {
    let home = small();
    home.ok(&["backfill"]);
    let all = home.number("SELECT count(*) FROM events");
    let dry = home.ok(&["prune", "--session", "s1", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&dry).unwrap()["rows"].as_i64(), Some(6), "{dry}");
    assert_eq!(home.number("SELECT count(*) FROM events"), all);
    home.ok(&["prune", "--session", "s1", "--yes"]);
    assert_eq!(home.number("SELECT count(*) FROM events"), all - 6);
    home.ok(&["backfill"]);
    assert_eq!(home.number("SELECT count(*) FROM events WHERE session_id = 's1'"), 0);
    home.ok(&["prune", "--allow-again"]);
    home.ok(&["backfill"]);
    assert_eq!(home.durable_number("SELECT count(*) FROM events"), all);
    assert_eq!(home.durable_number("SELECT count(DISTINCT event_id) FROM events"), all);
}

/// Reads with `python` when it has the modules; `None` says that the test was skipped.
pub fn python(modules: &str, script: &str, folder: &Path) -> Option<String> {
    let python = std::env::var("DEVLOG_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let probe = Command::new(&python).args(["-c", &format!("import {modules}")]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("skipped: {python} has no {modules}");
        return None;
    }
    // The engines' threads may abort the process when Python takes itself apart.
    let script = format!("{script}\nimport os, sys\nsys.stdout.flush()\nos._exit(0)\n");
    let output = Command::new(&python).args(["-c", &script]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{modules}: {}", err(&output));
    Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn exports_and_snapshots_are_read_by_pandas_polars_and_duckdb() {
    let (home, truth) = demo();
    let here = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    home.ok(&["backfill"]);
    home.ok(&["export", "events", "-o", &here("events.parquet")]);
    home.ok(&["export", "sessions", "-o", &here("sessions.csv")]);
    home.ok(&["export", "SELECT * FROM usage", "-o", &here("usage.ndjson")]);
    home.ok(&["export", "usage", "-o", &here("usage.arrow")]);
    home.ok(&["export", "events", "-o", &here("parts"), "--partition-by", "agent"]);
    let snapshot = home.ok(&["snapshot"]);
    let snapshot = snapshot.trim();
    assert!(refused(&home, &["export", "events", "-o", &here("events.parquet")]).contains("--force"));
    assert!(refused(&home, &["export", "events", "-o", &here("events.xyz")]).contains(".ndjson"));

    let events = home.number("SELECT count(*) FROM events");
    let sessions = home.number("SELECT count(*) FROM sessions");
    let models: BTreeMap<String, Value> = serde_json::from_value(truth["models"].clone()).unwrap();
    let sum = |key: &str| models.values().map(|usage| usage[key].as_i64().unwrap()).sum::<i64>();
    let usage = format!("{} {}", sum("calls"), sum("output_tokens"));
    for (modules, script, wanted) in [
        (
            "pandas, pyarrow",
            "import pandas as p; e = p.read_parquet('events.parquet'); print(len(e), len(p.read_csv('sessions.csv')))"
                .to_owned(),
            format!("{events} {sessions}"),
        ),
        (
            "polars",
            "import polars as p\nfor u in [p.read_ndjson('usage.ndjson', infer_schema_length=None), \
             p.read_ipc('usage.arrow')]: print(u.height, u['output_tokens'].sum())"
                .to_owned(),
            format!("{usage}\n{usage}"),
        ),
        (
            "duckdb",
            format!(
                "import duckdb\nfor f in ['parts/**/*.parquet', '{snapshot}/events/*/*.parquet']: print(duckdb.sql(\
                 f\"SELECT count(*), count(DISTINCT agent) FROM read_parquet('{{f}}', hive_partitioning = true)\"\
                 ).fetchall()[0])"
            ),
            format!("({events}, 2)\n({events}, 2)"),
        ),
    ] {
        if let Some(told) = python(modules, &script, home.path()) {
            assert_eq!(told, wanted, "{modules}");
        }
    }
}

#[test]
fn the_commands_that_demo_suggests_work() {
    let home = Home::new();
    let told = err(&home.run(&["demo"]));
    let commands: Vec<&str> = told.lines().filter(|line| line.contains(" devlog ")).collect();
    assert_eq!(commands.len(), 3, "{told}");
    let devlog = env!("CARGO_BIN_EXE_devlog");
    for command in commands {
        let command = command.replace(" devlog ", &format!(" {devlog} "));
        let output = Command::new("sh").args(["-c", &command]).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{command}: {}", err(&output));
    }
}
