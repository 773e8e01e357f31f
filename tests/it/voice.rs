//! What devlog says while it works, and in which words it refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::home::{Home, append, prompt, wait_for};

const EVENTS: &str = "SELECT count(*) FROM events";

fn err(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn set(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Standard error of a command that must fail.
fn refused(home: &Home, args: &[&str]) -> String {
    let output = home.run(args);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {}", err(&output));
    err(&output)
}

#[test]
fn an_ingest_that_writes_to_a_file_says_when_it_did_what() {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &prompt("s1", 1, "a question"));
    let daemon = home.ingest(&["-v", "--flush-interval", "50ms"]);
    let log = || fs::read_to_string(home.path().join("ingest.log")).unwrap();
    wait_for("the news that it follows", || log().contains(" following 1 file of 1 agent\n"));
    append(&home.claude("-home-u-shop", "s1"), &prompt("s1", 2, "another"));
    wait_for("the new row", || home.durable_number(EVENTS) == 2);
    wait_for("the news of it", || log().matches(" stored 1 event of claude in month=").count() == 2);
    assert!(daemon.stop().success());
    let log = log();
    assert!(log.contains(" caught up: 1 file, "), "{log}");
    assert!(log.trim_end().ends_with(": 1 event came in while following"), "{log}");
    for line in log.lines() {
        let (when, _) = line.split_once(' ').unwrap();
        assert!(chrono::DateTime::parse_from_rfc3339(when).is_ok(), "{line}");
    }
}

#[test]
fn details_are_told_to_those_who_ask_twice() {
    let home = Home::new();
    let daemon = home.ingest(&["-vv", "--flush-interval", "50ms"]);
    append(&home.claude("-home-u-shop", "s1"), &prompt("s1", 1, "a question"));
    wait_for("the new row", || home.durable_number(EVENTS) == 1);
    assert!(daemon.stop().success());
    let log = fs::read_to_string(home.path().join("ingest.log")).unwrap();
    for words in ["debug: claude \"", "s1.jsonl\": Read, ", "debug: storing, as the flush interval of 50ms has passed"]
    {
        assert!(log.contains(words), "{words}: {log}");
    }
}

#[test]
fn a_home_or_lake_that_others_may_write_is_refused_with_the_way_out() {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &prompt("s1", 1, "a question"));
    home.ok(&["backfill"]);
    for path in [home.devlog_home(), home.lake()] {
        set(&path, 0o777);
        for command in [&["backfill"][..], &["query", EVENTS], &["status"], &["prune", "--before", "1d", "--yes"]] {
            let told = refused(&home, command);
            let named = format!("error: {path:?} may be written by everybody (mode 0777)");
            assert!(told.starts_with(&named) && told.contains("chmod go-w"), "{told}");
        }
        set(&path, 0o755);
        assert_eq!(home.number(EVENTS), 1);
    }
}

#[test]
fn a_configuration_that_others_may_write_deletes_nothing() {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &prompt("s1", 1, "a question"));
    home.ok(&["backfill"]);
    set(&home.devlog_home(), 0o755);
    let config = home.devlog_home().join("config.toml");
    fs::write(&config, "retention = \"1d\"\n").unwrap();
    for mode in [0o666, 0o664] {
        set(&config, mode);
        let told = refused(&home, &["ingest", "--once"]);
        assert!(told.contains("config.toml\" may be written by") && told.contains("chmod go-w"), "{told}");
    }
    fs::remove_file(&config).unwrap();
    assert_eq!(home.durable_number(EVENTS), 1);
}

#[test]
fn a_view_that_cannot_be_used_is_told_to_who_uses_it_and_in_status() {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &prompt("s1", 1, "a question"));
    home.ok(&["backfill"]);
    let folder = home.devlog_home().join("queries");
    fs::create_dir(&folder).unwrap();
    let planted = folder.join("messages.sql");
    fs::write(&planted, "SELECT 'planted' AS text").unwrap();
    set(&planted, 0o666);
    fs::write(folder.join("broken.sql"), "SELEC").unwrap();
    fs::write(folder.join("latin.sql"), b"SELECT '\xe9'").unwrap();
    for name in ["broken.sql", "latin.sql"] {
        set(&folder.join(name), 0o600);
    }
    let quiet = home.run(&["query", EVENTS]);
    assert!(quiet.status.success());
    assert_eq!(err(&quiet), "", "who does not use them hears nothing");
    let told = refused(&home, &["query", "SELECT * FROM messages"]);
    assert!(told.contains("the view `messages` cannot be used") && told.contains("chmod go-w"), "{told}");
    assert!(refused(&home, &["query", "SELECT * FROM latin"]).contains("is not UTF-8 (byte 8"));
    assert!(refused(&home, &["query", "SELECT * FROM broken"]).contains("the view `broken`"));
    let status = err(&home.run(&["status"]));
    assert_eq!(status.lines().filter(|line| line.starts_with("note: the view `")).count(), 3, "{status}");
}

#[test]
fn a_description_that_cannot_be_used_says_why() {
    let home = Home::new();
    let folder = home.devlog_home().join("adapters");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("mytool.toml");
    fs::write(&path, b"# \xff\n").unwrap();
    set(&home.devlog_home(), 0o755);
    set(&folder, 0o755);
    set(&path, 0o644);
    let told = err(&home.run(&["status"]));
    assert!(told.contains("warning: ") && told.contains("mytool.toml\" is not UTF-8 (byte 2"), "{told}");
    fs::write(&path, "event_type = \"llm_response\"\n").unwrap();
    set(&path, 0o666);
    let told = err(&home.run(&["status"]));
    assert!(told.contains("mytool.toml\" may be written by everybody (mode 0666)"), "{told}");
}
