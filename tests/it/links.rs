//! Logs that are kept elsewhere, with links where their agents look for them.

use std::fs;
use std::os::unix::fs::symlink;

use crate::home::{Home, append, session, until_times_tell, wait_for};

/// A home in which one project's folder and one log of another are links, beside links that add nothing.
fn linked() -> Home {
    let home = Home::new();
    let projects = home.path().join(".claude/projects");
    let kept = home.path().join("dotfiles/logs");
    fs::create_dir_all(&kept).unwrap();
    append(&home.claude("-srv-app", "one"), &session("one", 2));
    append(&kept.join("two.jsonl"), &session("two", 3));
    append(&home.path().join("dotfiles/three.jsonl"), &session("three", 4));
    symlink(&kept, projects.join("-srv-lib")).unwrap();
    symlink(&kept, projects.join("-srv-lib-too")).unwrap();
    symlink("-srv-app", projects.join("-srv-app-alias")).unwrap();
    symlink("../../../dotfiles/three.jsonl", projects.join("-srv-app/three.jsonl")).unwrap();
    symlink("one.jsonl", projects.join("-srv-app/copy.jsonl")).unwrap();
    symlink("..", projects.join("-srv-app/loop")).unwrap();
    symlink("circle", projects.join("circle")).unwrap();
    symlink("./nonexistent", projects.join("-dangling")).unwrap();
    home
}

const SESSIONS: &str = "SELECT session_id, calls FROM sessions ORDER BY calls";

#[test]
fn every_log_is_read_once_wherever_it_is_kept() {
    let home = linked();
    until_times_tell();
    let first = home.run(&["backfill"]);
    assert_eq!(String::from_utf8_lossy(&first.stderr).matches("note:").count(), 0, "{first:?}");
    let rows = home.query(SESSIONS);
    let calls: Vec<_> = rows.iter().map(|row| row["calls"].as_i64().unwrap()).collect();
    assert_eq!(calls, [2, 3, 4]);
    assert_eq!(home.durable_number("SELECT count(*) FROM sources"), 3);
    assert_eq!(home.durable_number("SELECT count(*) FROM sources WHERE path LIKE '%/-srv-lib/two.jsonl'"), 1);
    let again: serde_json::Value = serde_json::from_str(&home.ok(&["backfill", "--json", "--dry-run"])).unwrap();
    assert_eq!(again["files"], 0, "{again}");
}

#[test]
fn what_is_behind_a_link_is_followed_live() {
    let home = linked();
    let daemon = home.ingest(&["--flush-interval", "200ms"]);
    let calls = |id: &str| home.number(&format!("SELECT count(*) FROM usage WHERE session_id = '{id}'"));
    append(&home.path().join("dotfiles/logs/four.jsonl"), &session("four", 2));
    append(&home.path().join("dotfiles/three.jsonl"), &session("five", 3));
    wait_for("a log in a linked folder", || calls("four") == 2);
    wait_for("a linked log", || calls("five") == 3);
    // A link that is made now.
    let late = home.path().join("dotfiles/late");
    fs::create_dir_all(&late).unwrap();
    append(&late.join("six.jsonl"), &session("six", 2));
    symlink(&late, home.path().join(".claude/projects/-srv-late")).unwrap();
    wait_for("a link that is made now", || calls("six") == 2);
    append(&late.join("seven.jsonl"), &session("seven", 1));
    wait_for("a log behind it", || calls("seven") == 1);
    assert!(daemon.stop().success());
    assert_eq!(home.durable_number("SELECT count(*) - count(DISTINCT event_id) FROM events"), 0);
}

#[test]
fn a_link_that_is_not_followed_is_told_with_a_way_out_that_works() {
    let home = Home::new();
    append(&home.claude("-srv-app", "one"), &session("one", 1));
    fs::create_dir_all(home.path().join("elsewhere")).unwrap();
    append(&home.path().join("elsewhere/two.jsonl"), &session("two", 1));
    symlink(home.path(), home.path().join(".claude/projects/everything")).unwrap();
    let output = home.run(&["backfill"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("contains it") && said.contains("devlog backfill --path "), "{said}");
    home.ok(&["backfill", "--path", home.path().to_str().unwrap(), "--agent", "claude"]);
    assert_eq!(home.durable_number("SELECT count(DISTINCT session_id) FROM events"), 2);
}
