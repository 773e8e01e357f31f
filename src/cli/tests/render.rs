//! What `status`, `sources` and `schema` print.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch, StringViewArray, TimestampMicrosecondArray};

use super::super::commands::tests::{render_sources, render_status};
use super::super::{Outcome, Streams};
use crate::ops::Daemon;

use super::{NOON_US, ran};
use crate::config::{Env, Os, Settings};
use crate::lake::{Part, Snapshot};
use crate::schema::sources_schema;

struct Row {
    agent: &'static str,
    path: &'static str,
    state: &'static str,
    size: i64,
    lag: i64,
    rejects: i64,
    read_at: Option<i64>,
    error: Option<&'static str>,
}

/// A batch of the table `sources`; columns without a value in [`Row`] count up from the size.
fn batch(rows: &[Row]) -> RecordBatch {
    let text = |of: &dyn Fn(&Row) -> Option<&'static str>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<StringViewArray>())
    };
    let number =
        |of: &dyn Fn(&Row) -> i64| -> ArrayRef { Arc::new(rows.iter().map(of).map(Some).collect::<Int64Array>()) };
    let time = |of: &dyn Fn(&Row) -> Option<i64>| -> ArrayRef {
        Arc::new(rows.iter().map(of).collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let schema = sources_schema();
    let columns = schema.fields().iter().map(|field| match field.name().as_str() {
        "agent" => text(&|row| Some(row.agent)),
        "path" => text(&|row| Some(row.path)),
        "format" => text(&|_| Some("claude-session")),
        "state" => text(&|row| Some(row.state)),
        "generation" => Arc::new(Int32Array::from(vec![0; rows.len()])),
        "size_bytes" => number(&|row| row.size),
        "position_bytes" => number(&|row| row.size - row.lag),
        "lag_bytes" => number(&|row| row.lag),
        "rejects" => number(&|row| row.rejects),
        "lines" => number(&|row| row.size / 1000),
        "decoded" => number(&|row| row.size / 500),
        "modified_at" | "read_at" => time(&|row| row.read_at),
        "last_error" => text(&|row| row.error),
        _ => number(&|_| 0),
    });
    RecordBatch::try_new(sources_schema(), columns.collect()).unwrap()
}

fn rows() -> RecordBatch {
    let read_at = Some(NOON_US - 90_000_000);
    batch(&[
        Row {
            agent: "codex",
            path: "/home/ann/.codex/sessions/r.jsonl",
            state: "pending",
            size: 1_500_000,
            lag: 20_000,
            rejects: 0,
            read_at,
            error: None,
        },
        Row {
            agent: "claude",
            path: "/home/ann/.claude/projects/-w/a.jsonl",
            state: "active",
            size: 250_000_000,
            lag: 0,
            rejects: 2,
            read_at,
            error: None,
        },
        Row {
            agent: "claude",
            path: "/mnt/x/b.jsonl",
            state: "error",
            size: 0,
            lag: 0,
            rejects: 0,
            read_at: None,
            error: Some("permission denied; make the file readable for you"),
        },
    ])
}

fn printed(show: impl FnOnce(&Settings, &mut Streams<'_>) -> Outcome) -> (Outcome, String) {
    let settings = Settings::for_home("/home/ann".as_ref());
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut streams = Streams { input: &mut std::io::empty(), out: &mut out, err: &mut err, now_us: NOON_US };
    let outcome = show(&settings, &mut streams);
    assert!(err.is_empty());
    (outcome, String::from_utf8(out).unwrap())
}

fn lake() -> Snapshot {
    let part = |rows, bytes| {
        Arc::new(Part {
            path: "month=2026-11/part-0.parquet".into(),
            month: "2026-11".into(),
            bytes,
            rows,
            min_ts_us: 0,
            max_ts_us: 0,
            inferred_rows: 0,
            min_max: std::collections::BTreeMap::new(),
            nulls: std::collections::BTreeMap::new(),
            blocks: crate::lake::Blocks::default(),
        })
    };
    Snapshot {
        version: Some(17),
        committed_at_us: NOON_US - 7_500_000_000,
        events: Arc::new(vec![part(500_000, 12_300_000), part(4_321, 99_000)]),
        rejects: Arc::new(vec![part(2, 4_000)]),
        ..Snapshot::empty("/home/ann/.devlog/lake".as_ref())
    }
}

#[test]
fn sources_shows_state_position_and_what_to_do() {
    let (outcome, text) = printed(|settings, streams| render_sources(settings, &[], &rows(), streams));
    assert_eq!(outcome, Outcome::Done);
    insta::assert_snapshot!(text, @"
    agent   state      size   behind    lines  decoded  rejects  read        path
    ──────  ───────  ──────  ───────  ───────  ───────  ───────  ──────────  ─────────────────────────────
    claude  active   250 MB      0 B  250,000  500,000        2  1m 30s ago  ~/.claude/projects/-w/a.jsonl
    claude  error       0 B      0 B        0        0        0  never       /mnt/x/b.jsonl
    codex   pending  1.5 MB  20.0 kB    1,500    3,000        0  1m 30s ago  ~/.codex/sessions/r.jsonl

    /mnt/x/b.jsonl: permission denied; make the file readable for you
    ");
}

#[test]
fn sources_can_be_picked_and_none_is_nothing() {
    let (outcome, text) =
        printed(|settings, streams| render_sources(settings, &["--state", "pending", "--json"], &rows(), streams));
    assert_eq!(outcome, Outcome::Done);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((json.as_array().unwrap().len(), json[0]["lag_bytes"].as_i64()), (1, Some(20_000)));
    let (outcome, text) = printed(|settings, streams| render_sources(settings, &["--state", "torn"], &rows(), streams));
    assert_eq!((outcome, text.as_str()), (Outcome::Nothing, "no log files match\n"));
    let (outcome, text) = printed(|settings, streams| render_sources(settings, &[], &batch(&[]), streams));
    assert_eq!(
        (outcome, text.as_str()),
        (Outcome::Nothing, "no log files; devlog demo creates some to try devlog with\n")
    );
}

#[test]
fn status_sums_up_lake_daemon_and_agents() {
    let daemon = Daemon {
        pid: 4242,
        started_us: NOON_US - 3_600_000_000,
        watch_mode: "notify".into(),
        watch_reason: None,
        ring_rows: 1200,
        ring_bytes: 900_000,
        ..Daemon::default()
    };
    let (_, text) =
        printed(|settings, streams| render_status(settings, false, &lake(), Some(&daemon), &rows(), streams));
    insta::assert_snapshot!(text, @r#"
    home    ~/.devlog
    daemon  process 4242, started 1h 0m ago, watching for changes; 1,200 rows (900 kB) in memory
    lake    ~/.devlog/lake
            504,321 events, 12.4 MB in 3 files; commit 17, 2h 5m ago
            2 lines could not be decoded: devlog query "SELECT * FROM rejects"

    agent   files    size   behind   events  rejects  remarks
    ──────  ─────  ──────  ───────  ───────  ───────  ────────────────────────────────────────────
    claude      2  250 MB      0 B  500,000        2  1 with errors (devlog sources --state error)
    codex       1  1.5 MB  20.0 kB    3,000        0  1 pending
    "#);
    let reason = "the system's limit of watches is reached; raise fs.inotify.max_user_watches".to_owned();
    let daemon = Daemon { watch_mode: "scan".into(), watch_reason: Some(reason), ..daemon };
    let (_, text) =
        printed(|settings, streams| render_status(settings, false, &lake(), Some(&daemon), &rows(), streams));
    assert!(text.contains("scanning: the system's limit of watches is reached; raise fs.inotify"), "{text}");
}

#[test]
fn status_of_a_fresh_home_says_what_to_do() {
    let empty = Snapshot::empty("/home/ann/.devlog/lake".as_ref());
    let (outcome, text) =
        printed(|settings, streams| render_status(settings, false, &empty, None, &batch(&[]), streams));
    assert_eq!(outcome, Outcome::Done, "a health check of an empty home is healthy");
    insta::assert_snapshot!(text, @"
    home    ~/.devlog
    daemon  not running; devlog ingest starts one
    lake    ~/.devlog/lake
            0 events, 0 B in 0 files; nothing committed yet; devlog backfill reads the logs

    no log files of any agent; devlog demo creates some to try devlog with
    ");
}

#[test]
fn status_as_json_has_the_same_figures() {
    let (_, text) = printed(|settings, streams| render_status(settings, true, &lake(), None, &rows(), streams));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["lake"]["bytes"], 12_403_000);
    assert_eq!((&json["lake"]["rows"], &json["lake"]["version"]), (&504_321.into(), &17.into()));
    assert_eq!(
        (&json["agents"]["claude"]["error"], &json["agents"]["codex"]["lag_bytes"]),
        (&1.into(), &20_000.into())
    );
    assert!(json["daemon"].is_null());
}

#[test]
fn schema_prints_every_column_of_a_table() {
    let shown = ran(&["schema", "rejects"], Some(Env::empty(Os::Linux)));
    insta::assert_snapshot!(shown.out, @"
    rejects (version 1): One row per stretch of bytes that could not be decoded. Nothing is dropped without a row here.

    column             type                null  unit   meaning
    ─────────────────  ──────────────────  ────  ─────  ─────────────────────────────────────────────────────────────────────
    reject_id          text                no           128-bit id as 32 hex digits, from path, offset and the bytes.
    agent              text                no           Agent whose decoder refused the bytes.
    source_path        text                no           File the bytes are in.
    source_generation  i32                 no           Incarnation of that file's bytes.
    source_offset      i64                 no    bytes  Where the bytes start in the (uncompressed) file.
    length             i64                 no    bytes  How many bytes were refused.
    reason             text                no           Stable word for the cause: not_json, too_deep, too_long, wrong_shape.
    detail             text                yes          What the decoder said.
    sample             text                no           The first 4 KiB of the bytes, invalid UTF-8 replaced.
    ingested_at        timestamp(us, UTC)  no    us     When devlog refused it, UTC.
    ");
    let json: serde_json::Value =
        serde_json::from_str(&ran(&["schema", "events", "--json"], Some(Env::empty(Os::Linux))).out).unwrap();
    assert_eq!(json[0]["columns"].as_array().unwrap().len(), crate::schema::events().columns.len());
}

#[test]
fn adapters_lists_what_is_here_and_names_what_is_not() {
    use super::super::commands::tests::render_adapters;
    use crate::ops::{AgentFound, Unreadable};
    let agent = |agent: &str, usage| AgentFound { agent: agent.to_owned(), usage, ..AgentFound::default() };
    let paths = |all: &[&str]| all.iter().map(std::path::PathBuf::from).collect();
    let agents = || {
        let why = "its conversations are encrypted".to_owned();
        vec![
            AgentFound { places: paths(&["/home/ann/.aider"]), ..agent("aider", "estimated") },
            AgentFound {
                places: paths(&["/home/ann/.claude", "/home/ann/.config/claude"]),
                roots: paths(&["/home/ann/.claude"]),
                sources: 12,
                sessions: Some(9),
                rows: 12_345,
                first_us: Some(NOON_US - 90 * 86_400_000_000),
                last_us: Some(NOON_US),
                ..agent("claude", "reported")
            },
            AgentFound {
                unreadable: vec![Unreadable { agent: "windsurf".into(), path: "/home/ann/.codeium".into(), why }],
                ..agent("windsurf", "none")
            },
        ]
    };
    let (outcome, text) = printed(|settings, streams| render_adapters(settings, agents(), &[], false, streams));
    assert_eq!(outcome, Outcome::Done);
    insta::assert_snapshot!(text, @"
    agent   files  sessions  events  first       last        usage     places
    ──────  ─────  ────────  ──────  ──────────  ──────────  ────────  ─────────
    claude     12         9  12,345  2026-08-25  2026-11-23  reported  ~/.claude

    not found on this machine: aider, windsurf
    not readable: ~/.codeium: its conversations are encrypted
    ");
    let (outcome, text) = printed(|settings, streams| render_adapters(settings, agents(), &["aider"], false, streams));
    assert_eq!(outcome, Outcome::Nothing);
    insta::assert_snapshot!(text, @"
    agent  files  sessions  events  first  last  usage      places
    ─────  ─────  ────────  ──────  ─────  ────  ─────────  ───────────────────
    aider      0                 0               estimated  not there: ~/.aider
    ");
    let (_, text) = printed(|settings, streams| render_adapters(settings, agents(), &["claude"], true, streams));
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&json[0]["found"], &json[0]["last_at"]), (&true.into(), &"2026-11-23T12:00:00.000000Z".into()));
}
