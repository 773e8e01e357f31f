//! SQL that would write, set, or read files is refused.

use std::fs;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::harness::{Figure, Outcome, Trial};
use super::home::{EVENTS, Home, files_under};
use super::logs::{append, session};

pub fn home() -> Home {
    let home = Home::new();
    append(&home.claude("-home-u-shop", "s1"), session("s1", 20));
    home.ok(&["backfill"]);
    home
}

/// Statements that would change something or look at files.
const FORBIDDEN: &[&str] = &[
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE TABLE t AS SELECT 1",
    "CREATE VIEW t AS SELECT 1",
    "CREATE SCHEMA s",
    "CREATE DATABASE d",
    "DROP TABLE events",
    "DROP VIEW sessions",
    "INSERT INTO events SELECT * FROM events",
    "DELETE FROM events",
    "UPDATE events SET text = ''",
    "TRUNCATE TABLE events",
    "COPY events TO 'CANARY/x.csv'",
    "COPY (SELECT 1) TO 'CANARY/x.parquet' STORED AS PARQUET",
    "EXPLAIN ANALYZE COPY events TO 'CANARY/x.csv' STORED AS CSV",
    "EXPLAIN COPY events TO 'CANARY/x.csv' STORED AS CSV",
    "SET datafusion.runtime.memory_limit = '100G'",
    "SET datafusion.execution.batch_size = 1",
    "RESET datafusion.runtime.memory_limit",
    "PREPARE p AS SELECT 1",
    "EXECUTE p",
    "BEGIN",
    "COMMIT",
    "SELECT * FROM '/etc/passwd'",
    "SELECT * FROM 'CANARY/secret.csv'",
    "SELECT * FROM \"CANARY/secret.csv\"",
    "SELECT * FROM read_csv('CANARY/secret.csv')",
    "SELECT * FROM read_parquet('CANARY/*.parquet')",
    "SELECT * FROM 'http://127.0.0.1/x.parquet'",
    "SELECT 1; DROP TABLE events",
    "CREATE FUNCTION f() RETURNS INT RETURN 1",
    "ATTACH 'CANARY/x.db'",
    "PRAGMA journal_mode = DELETE",
    "VACUUM",
    "LOAD 'x'",
];

pub fn sql_writes_nothing_and_reads_no_file(trial: &Trial) -> Outcome {
    let home = home();
    let canary = home.path().join("canary");
    fs::create_dir(&canary).unwrap();
    fs::write(canary.join("secret.csv"), "a,b\nsecret-word,2\n").unwrap();
    let place = canary.to_str().unwrap();
    let files = |home: &Home| -> Vec<_> { [files_under(&canary), files_under(&home.lake())].concat() };
    // What was read a moment after it was written is looked at once more, and that is remembered.
    thread::sleep(Duration::from_millis(100));
    home.ok(&["backfill"]);
    let before = files(&home);
    let check = |through: &str| {
        for sql in FORBIDDEN {
            let sql = sql.replace("CANARY", place);
            let answer = home.run(&["query", &sql]);
            assert!(answer.refused(), "{through}: {sql}: {}", answer.text());
            assert!(!answer.text().contains("secret-word") && !answer.text().contains("root:"), "{}", answer.text());
        }
        assert_eq!(home.number(EVENTS), 40);
    };
    check("alone");
    let daemon = home.ingest(&[]);
    check("through a daemon");
    assert_eq!(daemon.stop(Signal::TERM), Some(0));
    let after = files(&home);
    assert_eq!(before, after, "files that SQL made or removed");
    trial.figure("SQL that writes, sets, or reads files", Figure::trials(2 * FORBIDDEN.len()));
    Outcome::Held
}
