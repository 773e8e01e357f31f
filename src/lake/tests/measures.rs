//! Figures, not checks: `DEVLOG_CORPUS=DIR cargo test --release --lib lake::measures -- --ignored --nocapture`.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use arrow::array::RecordBatch;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use serde_json::Value;

use super::entry::tests::position;
use super::rewrite::size_of_batch;
use super::*;
use crate::schema::{EventId, EventRow, EventType, RowContext, Rows};

/// Nanoseconds this thread has spent on a processor.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0.0)
}

fn say(text: &str) {
    writeln!(std::io::stderr(), "{text}").unwrap();
}

fn logs(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            logs(&path, found);
        } else if path.extension().is_some_and(|e| e == "jsonl") {
            found.push(path);
        }
    }
}

/// Rows much like an adapter's, from Claude-like lines: one per content block.
fn decode(line: &Value, offset: u64, out: &mut Rows) {
    let text_of = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    let get = |name: &str| line.get(name).and_then(Value::as_str);
    let ts_us =
        get("timestamp").and_then(|t| chrono::DateTime::parse_from_rfc3339(t).ok()).map_or(0, |t| t.timestamp_micros());
    let message = line.get("message");
    let usage = message.and_then(|m| m.get("usage"));
    let tokens = |name: &str| usage.and_then(|u| u.get(name)).and_then(Value::as_i64);
    let blocks: Vec<Value> = match message.and_then(|m| m.get("content")) {
        Some(Value::Array(blocks)) => blocks.clone(),
        Some(other) => vec![other.clone()],
        None => vec![line.clone()],
    };
    for (i, block) in blocks.iter().enumerate() {
        let place = (out.len() as u64).to_le_bytes();
        let text = block
            .get("text")
            .or_else(|| block.get("thinking"))
            .map(&text_of)
            .or_else(|| block.as_str().map(str::to_owned));
        let input = block.get("input").map(|v| v.to_string());
        let output = block.get("content").map(&text_of);
        out.event(&EventRow {
            id: Some(EventId::of(
                "claude",
                "x",
                &[get("uuid").unwrap_or_default().as_bytes(), &place, &offset.to_le_bytes()],
            )),
            ts_us,
            event_type: block
                .get("type")
                .and_then(Value::as_str)
                .and_then(EventType::named)
                .unwrap_or(EventType::System),
            agent_version: get("version"),
            model: message.and_then(|m| m.get("model")).and_then(Value::as_str),
            cwd: get("cwd"),
            git_branch: get("gitBranch"),
            session_id: get("sessionId"),
            message_id: message.and_then(|m| m.get("id")).and_then(Value::as_str),
            parent_event_id: get("parentUuid"),
            request_id: get("requestId"),
            tool_call_id: block.get("id").or_else(|| block.get("tool_use_id")).and_then(Value::as_str),
            role: message.and_then(|m| m.get("role")).and_then(Value::as_str),
            text: text.as_deref(),
            tool_name: block.get("name").and_then(Value::as_str),
            tool_input: input.as_deref(),
            tool_output: output.as_deref(),
            input_tokens: tokens("input_tokens").filter(|_| i == 0),
            cache_read_tokens: tokens("cache_read_input_tokens").filter(|_| i == 0),
            cache_write_5m_tokens: tokens("cache_creation_input_tokens").filter(|_| i == 0),
            output_tokens: tokens("output_tokens").filter(|_| i == 0),
            source_offset: offset,
            ..EventRow::default()
        });
    }
}

fn corpus(limit: usize) -> Option<Vec<RecordBatch>> {
    let dir = std::env::var_os("DEVLOG_CORPUS")?;
    let mut files = Vec::new();
    logs(Path::new(&dir), &mut files);
    files.sort();
    let (mut batches, mut bytes) = (Vec::new(), 0);
    let again = std::env::var("DEVLOG_REPEAT").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    let files: Vec<PathBuf> = std::iter::repeat_n(files, again).flatten().collect();
    let mut out = Rows::new(RowContext::new("claude", ""));
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        out.begin(RowContext { now_us: 1_772_323_200_000_000, ..RowContext::new("claude", &file.to_string_lossy()) });
        let mut offset = 0;
        for line in text.lines() {
            if let Ok(value) = serde_json::from_str::<Value>(line) {
                decode(&value, offset, &mut out);
            }
            offset += line.len() as u64 + 1;
            if out.len() >= 8192 {
                let batch = out.finish().events;
                bytes += size_of_batch(&batch);
                batches.push(batch);
            }
        }
        if bytes > limit {
            break;
        }
    }
    batches.push(out.finish().events);
    Some(batches)
}

#[test]
#[ignore = "measures"]
fn encode_and_known() {
    let Some(batches) = corpus(400 << 20) else { return say("skipped: DEVLOG_CORPUS is not set") };
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(LakeOptions::new(dir.path(), 0)).unwrap();
    let arrow: usize = batches.iter().map(size_of_batch).sum();
    let text: usize = arrow - batches.iter().map(RecordBatch::num_rows).sum::<usize>() * 800;
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let times = std::env::var("DEVLOG_TIMES").ok().and_then(|n| n.parse().ok()).unwrap_or(0);
    for _ in 0..times {
        drop(lake.encode_rows(&batches).unwrap());
    }
    let (started, busy) = (Instant::now(), cpu());
    let parts = lake.encode_rows(&batches).unwrap();
    let (wall, seconds) = (started.elapsed().as_secs_f64(), (cpu() - busy) / 1e9);
    let bytes: u64 = parts.iter().map(|p| p.part().bytes).sum();
    let mb = |n: usize| n as f64 / 1e6;
    say(&format!(
        "{rows} rows, {:.0} MB arrow ({:.0} MB long text) -> {} parts, {:.1} MB in {wall:.2} s, {seconds:.2} s of one core: {:.0} MB/s of arrow, {:.0} MB/s of text",
        mb(arrow),
        mb(text),
        parts.len(),
        bytes as f64 / 1e6,
        mb(arrow) / seconds,
        mb(text) / seconds
    ));
    let mut columns: HashMap<String, (i64, i64, String)> = HashMap::new();
    for part in &parts {
        let file = std::fs::File::open(dir.path().join("events").join(&part.part().path)).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        for group in reader.metadata().row_groups() {
            for column in group.columns() {
                let seen = columns.entry(column.column_path().string()).or_default();
                seen.0 += column.compressed_size();
                seen.1 += column.uncompressed_size();
                seen.2 = format!("{:?}", column.encodings().collect::<Vec<_>>());
            }
        }
    }
    let mut columns: Vec<_> = columns.into_iter().collect();
    columns.sort_by_key(|(_, (size, ..))| -size);
    for (name, (size, plain, encodings)) in columns.iter().take(24) {
        say(&format!("  {name:24} {size:>10} of {plain:>10} {encodings}"));
    }
    let ids: Vec<(EventId, i64)> =
        (0..10_000u64).map(|i| (EventId::of("x", "y", &[&i.to_le_bytes()]), 1_772_323_200_000_000)).collect();
    lake.commit(Commit { parts, ..Commit::default() }).unwrap();
    for round in 0..3 {
        let started = Instant::now();
        assert!(lake.known().find(&lake.snapshot(), &ids).unwrap().iter().all(Option::is_none));
        say(&format!("known: 10,000 strangers against {rows} rows, look {round}: {:?}", started.elapsed()));
    }
}

fn small(from: u64, rows: u64) -> RecordBatch {
    let mut out = Rows::new(RowContext::new("claude", "/a"));
    for row in from..from + rows {
        let id = Some(EventId::of("claude", "m", &[&row.to_le_bytes()]));
        out.event(&EventRow {
            id,
            ts_us: 1_772_323_200_000_000 + row.cast_signed(),
            text: Some("some text"),
            event_type: EventType::System,
            ..EventRow::default()
        });
    }
    out.finish().events
}

#[test]
#[ignore = "measures"]
fn many_parts_and_sources() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(LakeOptions::new(dir.path(), 0)).unwrap();
    let sources = (0..20_000).map(|i| position(i, i * 1000)).collect();
    let started = Instant::now();
    lake.commit(Commit { sources, ..Commit::default() }).unwrap();
    say(&format!("commit of 20,000 positions: {:?}", started.elapsed()));
    let mut times = Vec::new();
    for i in 0..1000u64 {
        let parts = lake.encode_rows(&[small(i * 100, if i < 100 { 100 } else { 1 })]).unwrap();
        let started = Instant::now();
        lake.commit(Commit { parts, sources: vec![position(i, 5)], ..Commit::default() }).unwrap();
        times.push(started.elapsed());
    }
    times.sort();
    say(&format!("commit of one part and position with 20,000 sources: p50 {:?} p99 {:?}", times[500], times[990]));
    let look = |what: &str| {
        for _ in 0..3 {
            let started = Instant::now();
            let read = Lake::read(dir.path()).unwrap();
            say(&format!(
                "read, {what}: {:?}, {} parts, {} sources",
                started.elapsed(),
                read.events.len(),
                read.sources.len()
            ));
        }
    };
    look("before close");
    drop(lake);
    look("after close");
    let started = Instant::now();
    let lake = Lake::open(LakeOptions::new(dir.path(), 0)).unwrap();
    say(&format!("open: {:?}", started.elapsed()));
    let ids: Vec<(EventId, i64)> = (0..10_000u64)
        .map(|i| (EventId::of("x", "y", &[&i.to_le_bytes()]), 1_772_323_200_000_000 + i.cast_signed()))
        .collect();
    for round in 0..3 {
        let started = Instant::now();
        assert!(lake.known().find(&lake.snapshot(), &ids).unwrap().iter().all(Option::is_none));
        say(&format!("known: 10,000 strangers, 1,000 parts, {round}: {:?}", started.elapsed()));
    }
    let started = Instant::now();
    let report = lake.compact(CompactOptions::new(0)).unwrap();
    say(&format!("compact: {:?} {report:?}", started.elapsed()));
}

#[test]
#[ignore = "measures"]
fn known_against_large_parts() {
    let dir = tempfile::tempdir().unwrap();
    let lake = Lake::open(LakeOptions { id_cache_bytes: 512 << 20, ..LakeOptions::new(dir.path(), 0) }).unwrap();
    for i in 0..100u64 {
        let parts = lake.encode_rows(&[small(i * 50_000, 50_000)]).unwrap();
        lake.commit(Commit { parts, ..Commit::default() }).unwrap();
    }
    let ids: Vec<(EventId, i64)> = (0..10_000u64)
        .map(|i| (EventId::of("x", "y", &[&i.to_le_bytes()]), 1_772_323_205_000_000 + i.cast_signed()))
        .collect();
    for _ in 0..3 {
        let started = Instant::now();
        assert!(lake.known().find(&lake.snapshot(), &ids).unwrap().iter().all(Option::is_none));
        say(&format!("known: 10,000 strangers, 100 parts of 50,000 rows: {:?}", started.elapsed()));
    }
}
