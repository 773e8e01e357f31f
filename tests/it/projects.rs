//! Which project work belongs to: when folders have no remote, when they are gone, and across agents.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::home::{Home, append, stamp};

/// A prompt of Claude Code in `cwd`, on `branch` ("" where there is no repository).
fn prompt(session: &str, n: u32, cwd: &str, branch: &str) -> String {
    let line = json!({
        "parentUuid": null, "isSidechain": false, "userType": "external", "cwd": cwd, "sessionId": session,
        "version": "2.1.100", "gitBranch": branch, "type": "user", "message": {"role": "user", "content": "do it"},
        "uuid": format!("u-{session}-{n}"), "timestamp": stamp(n),
    });
    format!("{line}\n")
}

/// A log of one session that works in these folders, one after the other.
fn log(path: &Path, session: &str, cwds: &[&str], branch: &str) {
    for (n, cwd) in (0..).zip(cwds) {
        append(path, &prompt(session, n, cwd, branch));
    }
}

/// A rollout of Codex that names its remote.
fn codex(home: &Home, id: &str, cwd: &str, remote: &str) {
    let folder = home.path().join(".codex/sessions/2026/05/28");
    fs::create_dir_all(&folder).unwrap();
    let meta = json!({"timestamp": stamp(0), "type": "session_meta", "payload": {"id": id, "timestamp": stamp(0),
        "cwd": cwd, "originator": "codex_cli_rs", "cli_version": "0.98.0", "source": "cli",
        "base_instructions": {"text": "x".repeat(20_000)}, "git": {"branch": "main", "repository_url": remote}}});
    let said = json!({"timestamp": stamp(1), "type": "event_msg",
        "payload": {"type": "user_message", "message": "do it", "images": []}});
    append(&folder.join(format!("rollout-2026-05-28T10-00-00-{id}.jsonl")), &format!("{meta}\n{said}\n"));
}

/// Projects with their sessions.
fn projects(home: &Home) -> Vec<(String, i64)> {
    let rows = home.query(
        "SELECT project, count(DISTINCT session_id) AS n FROM events WHERE project IS NOT NULL GROUP BY 1 ORDER BY 1",
    );
    rows.iter().map(|row| (row["project"].as_str().unwrap().to_owned(), row["n"].as_i64().unwrap())).collect()
}

fn named(all: &[(&str, i64)]) -> Vec<(String, i64)> {
    all.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

#[test]
fn logs_of_another_machine_do_not_fall_apart_into_folders() {
    let home = Home::new();
    let logs = home.path().join("from-box");
    fs::create_dir_all(&logs).unwrap();
    let shop = "/srv/none/shop";
    let below = |folder: &str| format!("{shop}/{folder}");
    log(&logs.join("a.jsonl"), "a", &[shop, &below("src"), &below("website/static"), "/tmp", shop], "main");
    log(&logs.join("b.jsonl"), "b", &[&below("src"), &below("src/api"), shop], "main");
    log(&logs.join("c.jsonl"), "c", &[&below(".claude/worktrees/fix/src"), "/srv/none/lib"], "main");
    log(&logs.join("d.jsonl"), "d", &["/srv/none/notes/2026"], "");
    home.ok(&["backfill", "--path", logs.to_str().unwrap(), "--agent", "claude"]);
    assert_eq!(projects(&home), named(&[("2026", 1), ("shop", 3)]));
}

#[test]
fn the_remote_that_one_agent_names_holds_for_the_others() {
    for codex_first in [false, true] {
        let home = Home::new();
        let claude =
            || log(&home.claude("-srv-none-shop", "a"), "a", &["/srv/none/shop/src", "/srv/none/shop"], "main");
        let codex = || codex(&home, "c0", "/srv/none/shop", "git@github.com:acme/shop.git");
        if codex_first {
            codex();
            home.ok(&["backfill"]);
            claude();
        } else {
            claude();
            codex();
        }
        home.ok(&["backfill"]);
        assert_eq!(projects(&home), named(&[("acme/shop", 2)]), "{codex_first}");
    }
}

#[test]
fn what_was_learnt_while_a_folder_was_there_is_remembered_when_it_is_gone() {
    let home = Home::new();
    let put = |path: &str, text: &str| {
        let path = home.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    put("src/shop/.git/config", "[remote \"origin\"]\n\turl = git@github.com:acme/shop.git\n");
    let git = home.path().join("src/shop/.git/worktrees/fix");
    put("src/fix/.git", &format!("gitdir: {}\n", git.display()));
    put("src/shop/.git/worktrees/fix/commondir", "../..\n");
    put("src/local/.git/config", "[core]\n\tbare = false\n");
    let folder = |below: &str| home.path().join("src").join(below).to_str().unwrap().to_owned();
    log(&home.claude("-p", "a"), "a", &[&folder("fix")], "fix");
    log(&home.claude("-p", "b"), "b", &[&folder("local/api")], "main");
    home.ok(&["backfill"]);
    let fsck = home.ok(&["fsck"]);
    fs::remove_dir_all(home.path().join("src")).unwrap();
    for (session, below) in [("c", "fix/src"), ("d", "shop/.worktrees/4"), ("e", "local"), ("f", "other")] {
        log(&home.claude("-q", session), session, &[&folder(below)], "main");
    }
    home.ok(&["backfill"]);
    assert_eq!(projects(&home), named(&[("acme/shop", 3), ("local", 2), ("other", 1)]), "{fsck}");
    let same = home.query("SELECT DISTINCT repo_url FROM events WHERE project = 'acme/shop'");
    assert_eq!(same, [json!({"repo_url": "https://github.com/acme/shop"})]);
}

#[test]
fn a_session_goes_on_in_its_project_however_often_its_log_is_read() {
    let home = Home::new();
    let path = home.claude("-none", "a");
    log(&path, "a", &["/srv/none/shop"], "main");
    home.ok(&["backfill"]);
    append(&path, &prompt("a", 7, "/srv/none/lib", "main"));
    home.ok(&["backfill"]);
    let daemon = home.ingest(&[]);
    append(&path, &prompt("a", 8, "/tmp", "main"));
    crate::home::wait_for("the newest line", || home.number("SELECT count(*) FROM events") == 3);
    assert_eq!(projects(&home), named(&[("shop", 1)]));
    assert!(daemon.stop().success());
}

#[test]
fn a_demo_home_has_the_projects_that_it_names() {
    let home = Home::new();
    home.ok(&["demo", "--home", home.path().join("demo").to_str().unwrap()]);
    let demo = home.path().join("demo");
    let output = home
        .command(&["report", "projects", "--json"])
        .env("HOME", &demo)
        .env("DEVLOG_HOME", demo.join(".devlog"))
        .output()
        .unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> =
        report["rows"].as_array().unwrap().iter().map(|row| row["project"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 3, "{report}");
    assert!(names.iter().all(|name| name.starts_with("dev-example/")), "{names:?}");
}
