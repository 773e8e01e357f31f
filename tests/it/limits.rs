//! What may be larger than the memory budget: packed logs, values, lines, crowds of logs.

use std::fs;
use std::io::Read as _;
use std::time::Duration;

use crate::home::{Home, append, prompt, session, wait_for};
use crate::kept::{peak_kib, set_time};

const EVENTS: &str = "SELECT count(*) FROM events";

#[test]
fn a_packed_log_that_unpacks_to_far_too_much_is_refused_once() {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), &session("s1", 1));
    let log = home.claude("-home-u-shop", "s2").with_extension("jsonl.zst");
    let good = prompt("s2", 1, "before it");
    let mut packed = zstd::encode_all(good.as_bytes(), 3).unwrap();
    packed.extend(zstd::encode_all(std::io::repeat(b'x').take(200 << 20), 19).unwrap());
    fs::write(&log, packed).unwrap();
    set_time(&log, std::time::SystemTime::now() - Duration::from_secs(60));
    assert_eq!(home.number(EVENTS), 3);
    home.ok(&["backfill"]);
    home.ok(&["backfill"]);
    assert_eq!(home.number("SELECT count(*) FROM rejects"), 1);
    assert_eq!(home.number("SELECT sum(rejects) FROM sources"), 1);
    let second = home.ok(&["backfill", "--json"]);
    assert!(second.contains("\"files\":0") || second.contains("\"files\": 0"), "{second}");
}

#[test]
fn a_value_of_a_database_that_does_not_fit_is_refused_and_the_others_are_read() {
    let home = Home::new();
    let folder = home.path().join(".config/Cursor/User/globalStorage");
    fs::create_dir_all(&folder).unwrap();
    let database = rusqlite::Connection::open(folder.join("state.vscdb")).unwrap();
    database.execute_batch("CREATE TABLE cursorDiskKV (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB)").unwrap();
    let put = |key: &str, value: &str| {
        database.execute("INSERT INTO cursorDiskKV VALUES (?1, ?2)", [key, value]).unwrap();
    };
    let chat = r#"{"composerId":"c","createdAt":1700000000000,"status":"completed","fullConversationHeadersOnly":[
        {"bubbleId":"b1","type":2},{"bubbleId":"b2","type":2},{"bubbleId":"b3","type":2}]}"#;
    put("composerData:c", chat);
    let bubble = |n: u32| {
        let value = format!(r#"{{"bubbleId":"b{n}","type":2,"text":"answer {n}","createdAt":1700000001000}}"#);
        put(&format!("bubbleId:c:b{n}"), &value);
    };
    bubble(1);
    let huge = "INSERT INTO cursorDiskKV VALUES ('bubbleId:c:b2', zeroblob(150000000))";
    database.execute_batch(huge).unwrap();
    bubble(3);
    drop(database);
    let peak = peak_kib(&home, &["backfill", "--memory", "64MB"]);
    assert_eq!(home.number("SELECT count(*) FROM events WHERE text LIKE 'answer%'"), 2);
    assert_eq!(home.number("SELECT count(*) FROM rejects WHERE reason = 'too_long'"), 1);
    if cfg!(target_os = "linux") {
        assert!(peak < 150 * 1024, "peak memory was {peak} KiB");
    }
}

#[test]
fn a_line_of_very_many_values_is_refused_within_the_memory_budget() {
    let home = Home::new();
    let log = home.claude("-home-u-shop", "s1");
    append(&log, &prompt("s1", 1, "before"));
    append(&log, &format!("{{\"type\":\"user\",\"a\":[{}1]}}\n", "1,".repeat(7 << 20)));
    append(&log, &prompt("s1", 2, "after"));
    let peak = peak_kib(&home, &["backfill", "--memory", "64MB"]);
    assert_eq!(home.number(EVENTS), 2);
    assert_eq!(home.number("SELECT count(*) FROM rejects WHERE reason = 'too_long'"), 1);
    if cfg!(target_os = "linux") {
        assert!(peak < 170 * 1024, "peak memory was {peak} KiB");
    }
}

#[test]
fn thousands_of_logs_that_grow_at_once_are_followed_within_the_memory_budget() {
    let home = Home::new();
    let logs: Vec<_> = (0..2_000).map(|n| (n, home.claude("-home-u-shop", &format!("s{n}")))).collect();
    for (n, log) in &logs {
        append(log, &prompt(&format!("s{n}"), 1, "first"));
    }
    let daemon = home.ingest(&["--memory", "64MB"]);
    wait_for("all logs", || home.number(EVENTS) == 2_000);
    for (n, log) in &logs {
        append(log, &prompt(&format!("s{n}"), 2, "second"));
    }
    wait_for("all lines", || home.number(EVENTS) == 4_000);
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).unwrap_or_default();
    let line = status.lines().find(|l| l.starts_with("VmRSS")).unwrap_or("VmRSS: 0 kB");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    assert!(daemon.stop().success());
    assert!(kib < 300 * 1024, "the daemon took {kib} KiB");
}
