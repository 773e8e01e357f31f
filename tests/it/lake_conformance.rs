//! Other engines read the lake and see what devlog sees, also while it is being written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use devlog::lake::{Commit, CompactOptions, Lake, LakeOptions, Snapshot};
use devlog::schema::EventId;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde::Deserialize;

use super::lake_world::{MARCH, PER_COMMIT, commit_next, id, ids, rows};

#[derive(Debug, Deserialize, PartialEq, Eq)]
struct Seen {
    rows: u64,
    output_tokens: i64,
    ids_xor: String,
}

/// A Python that has the readers; `DEVLOG_TEST_PYTHON` names another than `python3`.
fn python() -> Option<String> {
    let python = std::env::var("DEVLOG_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut probe = Command::new(&python);
    probe.args(["-c", "import deltalake, polars, pyarrow"]).stdout(Stdio::null()).stderr(Stdio::null());
    if probe.status().is_ok_and(|status| status.success()) {
        return Some(python);
    }
    eprintln!("skipped: {python} has no deltalake, polars and pyarrow");
    None
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/read_delta.py")
}

fn seen_by_devlog(snapshot: &Snapshot) -> Seen {
    let mut output_tokens = 0;
    for part in snapshot.events.iter() {
        let file = std::fs::File::open(snapshot.root.join("events").join(&part.path)).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let tokens = batch.column_by_name("output_tokens").unwrap().as_primitive::<Int64Type>();
            output_tokens += tokens.iter().flatten().sum::<i64>();
        }
    }
    let ids = ids(snapshot, "devlog");
    let xor = ids.iter().fold(0, |a, b| a ^ b);
    Seen { rows: ids.len() as u64, output_tokens, ids_xor: EventId(xor).to_string() }
}

#[test]
fn other_engines_see_the_rows_that_devlog_sees() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(LakeOptions::new(dir.path(), MARCH)).unwrap();
    for _ in 0..9 {
        commit_next(&lake).unwrap();
    }
    let parts = lake.encode_rows(&[rows(7, 8)]).unwrap();
    lake.commit(Commit { parts, replaced: [id(7)].into(), now_us: MARCH, ..Commit::default() }).unwrap();
    lake.compact(CompactOptions::new(MARCH)).unwrap();
    commit_next(&lake).unwrap();
    let out = Command::new(python).arg(script()).arg(dir.path()).output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout);
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    let found: BTreeMap<String, serde_json::Value> = serde_json::from_str(&text).unwrap();
    let expected = seen_by_devlog(&lake.snapshot());
    assert_eq!(expected.rows, 10 * PER_COMMIT);
    for (engine, seen) in found {
        eprintln!("{engine}: {seen}");
        if engine == "rejects" {
            assert_eq!(seen, serde_json::json!(3));
        } else if !seen.is_string() {
            assert_eq!(serde_json::from_value::<Seen>(seen).unwrap(), expected, "{engine}");
        }
    }
}

#[test]
fn other_engines_read_whole_versions_while_devlog_writes() {
    let Some(python) = python() else { return };
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(LakeOptions::new(dir.path(), MARCH)).unwrap();
    commit_next(&lake).unwrap();
    let mut reader = Command::new(python);
    let mut reader =
        reader.arg(script()).arg(dir.path()).args(["--watch", "25"]).stdout(Stdio::piped()).spawn().unwrap();
    while reader.try_wait().unwrap().is_none() {
        if commit_next(&lake).unwrap().is_multiple_of(8) {
            lake.compact(CompactOptions::new(MARCH)).unwrap();
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let out = reader.wait_with_output().unwrap();
    assert!(out.status.success());
    let looks: Vec<(u64, u64)> = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(looks.len(), 50);
    for (rows, distinct) in &looks {
        assert_eq!((rows % PER_COMMIT, rows), (0, distinct));
    }
    assert!(looks.first() < looks.last(), "the table grew while it was read: {looks:?}");
}
