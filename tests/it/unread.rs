//! What could not be read is said where people look, in one line, whoever answers; and nothing is looked into
//! again and again.

use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::{Duration, SystemTime};

use rusqlite::Connection;
use serde_json::Value;

use crate::home::{Home, append, session, until_times_tell};

/// The notes of what could not be read that a command makes.
fn notes(home: &Home, command: &[&str]) -> Vec<String> {
    let output = home.run(command);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said.lines().filter(|line| line.contains("could not be read")).map(str::to_owned).collect()
}

const REPORT: &[&str] = &["report", "daily"];
const QUERY: &[&str] = &["query", "SELECT count(*) FROM events"];

fn report_of(home: &Home) -> Value {
    serde_json::from_str(&home.ok(&["report", "daily", "--json"])).unwrap()
}

fn texts(list: &Value) -> String {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn an_answer_names_the_first_thing_that_could_not_be_read_and_how_many_more_with_and_without_a_daemon() {
    let home = Home::new();
    append(&home.claude("-srv-app", "one"), &session("one", 1));
    until_times_tell();
    assert_eq!(notes(&home, REPORT), [""; 0]);
    assert_eq!(report_of(&home)["not_read"], Value::Array(Vec::new()));

    symlink(home.path(), home.path().join(".claude/projects/everything")).unwrap();
    let cascade = home.path().join(".codeium/windsurf/cascade");
    fs::create_dir_all(&cascade).unwrap();
    fs::write(cascade.join("x.pb"), "x").unwrap();
    let strange = home.path().join(".local/share/opencode/opencode.db");
    fs::create_dir_all(strange.parent().unwrap()).unwrap();
    Connection::open(&strange).unwrap().execute_batch("CREATE TABLE of_next_year(x)").unwrap();

    let alone = [REPORT, QUERY].map(|command| notes(&home, command));
    let report = report_of(&home);
    let daemon = home.ingest(&[]);
    let asked = [REPORT, QUERY].map(|command| notes(&home, command));
    let told = report_of(&home);
    assert_eq!(alone, asked, "who answers makes no difference");
    for lines in alone {
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].starts_with("note: could not be read: ~/.local/share/opencode/opencode.db ("), "{lines:?}");
        assert!(lines[0].ends_with(" and 2 more; devlog adapters lists all"), "{lines:?}");
    }
    for report in [&report, &told] {
        assert_eq!(report["complete"], false);
        assert!(texts(&report["incomplete_because"]).contains("opencode.db"), "{report}");
        let not_read = texts(&report["not_read"]);
        assert!(not_read.contains("everything") && not_read.contains("cascade"), "{not_read}");
    }
    assert!(daemon.stop().success());

    let all = home.ok(&["adapters"]);
    for what in ["opencode.db", "everything", "encrypts its conversations"] {
        assert!(all.contains(what), "devlog adapters lists {what}: {all}");
    }
    // What nobody can read makes no answer incomplete.
    fs::remove_file(&strange).unwrap();
    let report = report_of(&home);
    assert_eq!((&report["complete"], report["not_read"].as_array().unwrap().len()), (&Value::Bool(true), 2));
    assert!(notes(&home, QUERY)[0].contains("everything"));
}

#[test]
fn a_folder_that_may_not_be_read_is_told_by_the_answers_of_a_daemon_too() {
    let home = Home::new();
    append(&home.claude("-p", "one"), &session("one", 1));
    append(&home.claude("-q", "two"), &session("two", 1));
    let closed = home.path().join(".claude/projects/-q");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read_dir(&closed).is_ok() {
        eprintln!("skipped: this user reads folders without permission");
        return;
    }
    let alone = notes(&home, QUERY);
    let _daemon = home.ingest(&[]);
    assert_eq!(alone, notes(&home, QUERY));
    assert_eq!(
        alone,
        ["note: could not be read: ~/.claude/projects/-q (permission denied); devlog adapters says more"]
    );
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn logs_that_were_only_touched_are_looked_into_once() {
    let home = Home::new();
    for id in ["a", "b"] {
        append(&home.claude("-p", id), &session(id, 2));
    }
    until_times_tell();
    home.ok(&["backfill"]);
    let waiting = || {
        let plan: Value = serde_json::from_str(&home.ok(&["backfill", "--json", "--dry-run"])).unwrap();
        plan["files"].as_u64().unwrap()
    };
    assert_eq!(waiting(), 0);
    let earlier = FileTimes::new().set_modified(SystemTime::now() - Duration::from_secs(3_600));
    for id in ["a", "b"] {
        File::options().append(true).open(home.claude("-p", id)).unwrap().set_times(earlier).unwrap();
    }
    until_times_tell();
    assert_eq!(waiting(), 2);
    home.ok(&["backfill"]);
    assert_eq!(waiting(), 0, "that they stand was stored");
    assert_eq!(home.durable_number("SELECT count(*) FROM events"), 8);
}
