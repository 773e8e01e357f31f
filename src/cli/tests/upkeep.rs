//! Care for the lake, from the command line.

use super::{Env, env, ran};

const SESSIONS: [&str; 2] = ["one", "two"];

/// A home with one prompt in each of two sessions, and a lake that holds them.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".claude/projects/-w");
    std::fs::create_dir_all(&folder).unwrap();
    for session in SESSIONS {
        let line = format!(
            "{{\"type\":\"user\",\"uuid\":\"u-{session}\",\"sessionId\":\"{session}\",\"cwd\":\"/w\",\
             \"timestamp\":\"2026-05-28T20:26:40.000Z\",\"message\":{{\"role\":\"user\",\"content\":\"hello\"}}}}\n"
        );
        std::fs::write(folder.join(format!("{session}.jsonl")), line).unwrap();
    }
    assert_eq!(ran(&["backfill"], world(&home)).code, 0);
    home
}

fn world(home: &tempfile::TempDir) -> Option<Env> {
    Some(env(home.path()))
}

fn rows(home: &tempfile::TempDir) -> u64 {
    let status: serde_json::Value = serde_json::from_str(&ran(&["status", "--json"], world(home)).out).unwrap();
    status["lake"]["rows"].as_u64().unwrap()
}

#[test]
fn what_was_pruned_comes_back_when_it_is_allowed_again() {
    let home = home();
    assert_eq!(rows(&home), 2);
    let pruned = ran(&["prune", "--session", "one", "--yes"], world(&home));
    assert_eq!((pruned.code, rows(&home)), (0, 1), "{}", pruned.err);
    assert_eq!((ran(&["backfill"], world(&home)).code, rows(&home)), (0, 1), "it stays away");

    let allowed = ran(&["prune", "--allow-again", "--json"], world(&home));
    let json: serde_json::Value = serde_json::from_str(&allowed.out).unwrap();
    assert_eq!((allowed.code, json), (0, serde_json::json!({"forgotten": 1, "sources": 2})));
    let again = ran(&["prune", "--allow-again"], world(&home));
    assert_eq!((again.code, again.out.as_str()), (0, "nothing has been pruned\n"));

    let read = ran(&["backfill"], world(&home));
    assert_eq!((read.code, rows(&home)), (0, 2), "{}", read.err);
    let sources = ran(&["sources", "--json"], world(&home)).out;
    let sources: serde_json::Value = serde_json::from_str(&sources).unwrap();
    for source in sources.as_array().unwrap() {
        assert_eq!((&source["state"], &source["lag_bytes"]), (&"active".into(), &0.into()), "{source}");
    }
    assert_eq!((ran(&["backfill"], world(&home)).code, rows(&home)), (0, 2), "and once only");
    assert_eq!(ran(&["fsck"], world(&home)).code, 0);
}

#[test]
fn a_lost_log_is_one_fault_with_what_to_do() {
    let home = home();
    std::fs::remove_dir_all(home.path().join(".devlog/lake/events/_delta_log")).unwrap();
    let checked = ran(&["fsck"], world(&home));
    assert_eq!(checked.code, 2);
    assert!(checked.out.contains("the whole log is missing; restore it"), "{}", checked.out);
    assert!(checked.out.contains("--rebuild-from-footers"), "{}", checked.out);
    assert_eq!(checked.err, "error: 1 fault found; see the list above\n");
}

#[test]
fn a_home_may_be_named_with_dots() {
    let home = home();
    std::fs::create_dir(home.path().join("elsewhere")).unwrap();
    for dots in ["elsewhere/../.devlog", "./.devlog", "missing/../.devlog"] {
        let named = home.path().join(dots);
        let status = ran(&["status", "--json", "--home", named.to_str().unwrap()], world(&home));
        let status: serde_json::Value = serde_json::from_str(&status.out).unwrap();
        assert_eq!(status["lake"]["rows"], 2, "{dots}");
        let path = status["lake"]["path"].as_str().unwrap();
        assert!(!path.contains("/../") && !path.contains("/./"), "{path}");
    }
}
