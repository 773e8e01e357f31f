//! Where logs are looked for: in places that the user names, of other machines, and what is said of all places.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use serde_json::{Value, json};

use crate::home::{Home, append, session, until_times_tell};

/// A folder with logs of two agents and files that are none, as it comes from another machine.
fn foreign(home: &Home) -> String {
    let folder = home.path().join("from-box");
    let put = |path: &str, text: &str| {
        fs::create_dir_all(folder.join(path).parent().unwrap()).unwrap();
        append(&folder.join(path), text);
    };
    put(".claude/projects/-home-u-shop/one.jsonl", &session("one", 2));
    put(".claude/settings.json", "{\"theme\":\"dark\"}");
    put(".claude/todos/a.json", "[]");
    put("notes/README.md", "# Notes\n");
    let meta = json!({"timestamp": "2026-05-28T10:00:00.000Z", "type": "session_meta", "payload": {"id": "c0",
        "timestamp": "2026-05-28T10:00:00.000Z", "cwd": "/home/u/shop/src", "originator": "codex_cli_rs", "cli_version": "0.98.0"}});
    let said = json!({"timestamp": "2026-05-28T10:00:01.000Z", "type": "event_msg",
        "payload": {"type": "user_message", "message": "do it", "images": []}});
    put("codex/rollout-2026-05-28T10-00-00-c0.jsonl", &format!("{meta}\n{said}\n"));
    folder.to_str().unwrap().to_owned()
}

#[test]
fn logs_of_another_machine_are_found_by_what_is_in_them_and_keep_its_name() {
    let home = Home::new();
    let folder = foreign(&home);
    // The folders of this machine say nothing about those of the other.
    fs::create_dir_all(home.path().join("shop/.git")).unwrap();
    let output = home.run(&["backfill", "--path", &folder, "--machine", "box"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let told: Vec<&str> = said.lines().filter(|line| line.starts_with("note:")).collect();
    assert_eq!(told.len(), 1, "files that are no logs are told in one line: {said}");
    assert!(told[0].contains("3 files are no logs of a known agent"), "{said}");
    let rows = home.query("SELECT agent, machine_id, project FROM events GROUP BY 1, 2, 3 ORDER BY 1");
    let of = |agent: &str| json!({"agent": agent, "machine_id": "box", "project": if agent == "claude" { "shop" } else { "src" }});
    assert_eq!(rows, [of("claude"), of("codex")]);
    // Whoever reads on, they stay those of the box.
    append(&home.path().join("from-box/.claude/projects/-home-u-shop/one.jsonl"), &session("two", 1));
    home.ok(&["backfill"]);
    assert_eq!(home.durable_number("SELECT count(DISTINCT machine_id) FROM events"), 1);
    assert_eq!(home.durable_number("SELECT count(DISTINCT session_id) FROM events WHERE machine_id = 'box'"), 3);
}

#[test]
fn an_agent_narrows_what_is_read_of_a_folder() {
    let home = Home::new();
    let folder = foreign(&home);
    let output = home.run(&["backfill", "--path", &folder, "--agent", "codex"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("1 file is of other agents than those asked for (claude 1)"), "{said}");
    assert_eq!(home.query("SELECT DISTINCT agent FROM events"), [json!({"agent": "codex"})]);
    let refused = home.run(&["backfill", "--machine", "box"]);
    assert_eq!(refused.status.code(), Some(2), "only with --path");
}

#[test]
fn a_dry_run_lists_what_would_be_read() {
    let home = Home::new();
    append(&home.claude("-p", "one"), &session("one", 2));
    home.ok(&["backfill"]);
    append(&home.claude("-p", "one"), &session("two", 1));
    append(&home.claude("-p", "three"), &session("three", 1));
    let text = home.ok(&["backfill", "--dry-run"]);
    assert!(text.contains("projects/-p/one.jsonl") && text.contains("projects/-p/three.jsonl"), "{text}");
    assert!(text.contains("2 files with "), "{text}");
    let json: Value = serde_json::from_str(&home.ok(&["backfill", "--dry-run", "--json"])).unwrap();
    let logs = json["logs"].as_array().unwrap();
    let size = session("three", 1).len();
    assert!(logs.iter().any(|log| log["agent"] == "claude" && log["bytes"] == json!(size)), "{json}");
    assert_eq!(logs.len(), 2);
    until_times_tell();
    home.ok(&["backfill"]);
    let json: Value = serde_json::from_str(&home.ok(&["backfill", "--dry-run", "--json"])).unwrap();
    assert_eq!(json["logs"], json!([]));
}

#[test]
fn adapters_says_where_it_looked_and_why_nothing_came() {
    let home = Home::new();
    append(&home.claude("-p", "one"), &session("one", 2));
    symlink("nowhere", home.path().join(".codex")).unwrap();
    fs::create_dir_all(home.path().join(".gemini/tmp")).unwrap();
    home.ok(&["backfill"]);
    let text = home.ok(&["adapters"]);
    let line = |agent: &str, place: &str, there: &str| {
        text.lines().any(|line| line.starts_with(agent) && line.contains(place) && line.contains(there))
    };
    assert!(line("codex", "~/.codex", "a link to nothing"), "{text}");
    assert!(line("gemini", "~/.gemini", "no logs"), "{text}");
    assert!(line("amp", "~/.local/share/amp", "nothing"), "{text}");
    let json: Value = serde_json::from_str(&home.ok(&["adapters", "--agent", "claude", "--json"])).unwrap();
    let looked = json[0]["looked"].as_array().unwrap();
    assert!(looked.iter().any(|place| place["state"] == "logs" && place["logs"] == 1), "{json}");
    assert!(looked.iter().any(|place| place["state"] == "not_there"), "{json}");
    assert_eq!(json[0]["rows"], json!(home.durable_number("SELECT count(*) FROM events")));
}

#[test]
fn a_folder_that_may_not_be_read_is_told_where_it_was_looked_for() {
    let home = Home::new();
    let closed = home.path().join(".codex/sessions");
    fs::create_dir_all(&closed).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o0)).unwrap();
    if fs::read_dir(&closed).is_ok() {
        eprintln!("skipped: this user may read everything");
    } else {
        let text = String::from_utf8(home.run(&["adapters"]).stdout).unwrap();
        let told = text.lines().any(|line| line.starts_with("codex") && line.contains("not readable"));
        assert!(told, "{text}");
    }
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_time_that_only_a_file_has_is_no_first_or_last_time_of_an_agent() {
    let home = Home::new();
    let path = home.path().join("project/.aider.chat.history.md");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    append(&path, "#### do it  \n\nok\n\n> Tokens: 26 sent, 68 received.  \n");
    home.ok(&["backfill", "--path", path.to_str().unwrap()]);
    let json: Value = serde_json::from_str(&home.ok(&["adapters", "--agent", "aider", "--json"])).unwrap();
    assert!(json[0]["rows"].as_i64().unwrap() > 0, "{json}");
    assert_eq!((&json[0]["first_at"], &json[0]["last_at"]), (&Value::Null, &Value::Null));
}

/// A home with a session in each of these projects.
fn home_of(projects: &[&str]) -> Home {
    let home = Home::new();
    for (n, project) in projects.iter().enumerate() {
        let path = home.claude(&format!("-p{n}"), &format!("s{n}"));
        let line = session(&format!("s{n}"), 1).replace("/home/u/shop", &format!("/srv/none/{n}"));
        append(&path, &line);
        let git = home.path().join(format!("src/{n}/.git"));
        fs::create_dir_all(&git).unwrap();
        fs::write(git.join("config"), format!("[remote \"origin\"]\n\turl = https://h/{project}.git\n")).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let folder = home.path().join(format!("src/{n}"));
        fs::write(&path, text.replace(&format!("/srv/none/{n}"), folder.to_str().unwrap())).unwrap();
    }
    home.ok(&["backfill"]);
    home
}

#[test]
fn a_project_is_known_by_the_end_of_its_name_and_a_slip_is_answered() {
    let home = home_of(&["entireio/git-sync", "acme/shop"]);
    for name in ["git-sync", "entireio/git-sync"] {
        let report: Value =
            serde_json::from_str(&home.ok(&["report", "sessions", "--project", name, "--json"])).unwrap();
        assert_eq!(report["rows"].as_array().unwrap().len(), 1, "{report}");
        let tools = home.run(&["report", "tools", "--project", name]);
        assert!(tools.stderr.is_empty(), "{tools:?}");
    }
    let output = home.run(&["report", "daily", "--project", "git-snyc"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("did you mean entireio/git-sync?"), "{said}");
}

#[test]
fn only_one_project_is_deleted_by_a_name() {
    let home = home_of(&["acme/shop", "other/shop", "acme/garden"]);
    let refused = home.run(&["prune", "--project", "shop", "--yes"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("acme/shop") && said.contains("other/shop"), "{said}");
    let slip = home.run(&["prune", "--project", "gardn", "--yes"]);
    assert!(String::from_utf8_lossy(&slip.stderr).contains("did you mean acme/garden?"), "{slip:?}");
    let sessions = || home.durable_number("SELECT count(DISTINCT session_id) FROM events");
    assert_eq!(sessions(), 3, "nothing was deleted");
    let output = home.run(&["prune", "--project", "garden", "--yes"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("garden is acme/garden"), "{output:?}");
    assert_eq!(sessions(), 2);
}

#[test]
fn a_home_without_logs_says_where_it_was_looked() {
    let home = Home::new();
    for command in [&["report", "daily"][..], &["query", "SELECT count(*) FROM events"]] {
        let said = String::from_utf8(home.run(command).stderr).unwrap();
        assert!(said.contains("no logs of any agent") && said.contains("devlog adapters"), "{said}");
        assert!(said.contains("devlog demo"), "{said}");
    }
}
