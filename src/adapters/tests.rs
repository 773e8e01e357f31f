//! What the decoders' tests share: rows as JSON, and checks that every decoder must pass.

mod looks;

use std::path::{Path, PathBuf};

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use serde_json::{Map, Value, json};

use super::{Companion, Decoder, Line, SourceInfo, Taken, database_decoder, decoder};
use crate::schema::{Counts, Format, Framing, RowBatch, RowContext, Rows};
use crate::watch::{Cursor, Database};

pub(crate) use looks::Looks;

/// A row without its nulls; `extra` and `tool_input` parsed.
pub(crate) type Row = Map<String, Value>;

/// `modified_us` of every source under test.
pub(crate) const MODIFIED_US: i64 = 1_700_000_000_000_000;

/// What a decoder made of a source.
#[derive(Debug)]
pub(crate) struct Decoded {
    /// Rows, in the order they were handed out.
    pub(crate) rows: Vec<Row>,
    /// Reasons of the rejects.
    pub(crate) rejects: Vec<String>,
    /// The counters.
    pub(crate) counts: Counts,
}

impl Decoded {
    /// Rows of one event type.
    pub(crate) fn of(&self, event_type: &str) -> Vec<&Row> {
        self.rows.iter().filter(|r| r["event_type"] == event_type).collect()
    }

    /// The only row of an event type.
    pub(crate) fn only(&self, event_type: &str) -> &Row {
        let rows = self.of(event_type);
        assert_eq!(rows.len(), 1, "rows of type {event_type} in {:#?}", self.rows);
        rows[0]
    }

    /// Ids of the rows; equal ids are rows of one event.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.rows.iter().map(|r| r["event_id"].as_str().unwrap().to_owned()).collect()
    }

    /// Rows that a lake would hold: of each event the most complete, the first of equals.
    pub(crate) fn events(&self) -> Vec<&Row> {
        let mut kept: Vec<&Row> = Vec::new();
        for row in &self.rows {
            let level = |r: &Row| r["completeness"].as_i64().unwrap();
            match kept.iter_mut().find(|k| k["event_id"] == row["event_id"]) {
                Some(known) if level(row) > level(known) => *known = row,
                Some(_) => {}
                None => kept.push(row),
            }
        }
        kept
    }

    /// Sum of a column over the events; missing values are nothing.
    pub(crate) fn sum(&self, column: &str) -> i64 {
        self.events().iter().filter_map(|r| r.get(column)?.as_i64()).sum()
    }
}

fn cell(array: &dyn Array, i: usize, is_json: bool) -> Value {
    match array.data_type() {
        DataType::Utf8View => {
            let text = array.as_string_view().value(i);
            if is_json { serde_json::from_str(text).expect("a JSON column holds JSON") } else { json!(text) }
        }
        DataType::Boolean => json!(array.as_boolean().value(i)),
        DataType::Int32 => json!(array.as_primitive::<Int32Type>().value(i)),
        DataType::Int64 => json!(array.as_primitive::<Int64Type>().value(i)),
        DataType::Decimal128(..) => json!(array.as_primitive::<Decimal128Type>().value_as_string(i)),
        DataType::Timestamp(..) => json!(array.as_primitive::<TimestampMicrosecondType>().value(i)),
        other => panic!("no column has type {other}"),
    }
}

fn rows_of(batch: &RowBatch) -> Vec<Row> {
    let schema = batch.events.schema();
    (0..batch.events.num_rows())
        .map(|i| {
            let cells = schema.fields().iter().zip(batch.events.columns()).filter(|(_, c)| c.is_valid(i));
            cells
                .map(|(f, c)| (f.name().clone(), cell(c, i, matches!(f.name().as_str(), "extra" | "tool_input"))))
                .collect()
        })
        .collect()
}

/// The rows collected so far.
pub(crate) fn finish(rows: &mut Rows) -> Decoded {
    let batch = rows.finish();
    let reasons = batch.rejects.column_by_name("reason").expect("rejects have a reason").as_string_view();
    Decoded {
        rows: rows_of(&batch),
        rejects: reasons.iter().flatten().map(str::to_owned).collect(),
        counts: rows.take_counts(),
    }
}

/// The lines of a text with their offsets; an unfinished last line counts.
pub(crate) fn lines(bytes: &[u8]) -> Vec<Line<'_>> {
    let mut out = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let end = memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |n| start + n);
        let next = (end + 1).min(bytes.len());
        out.push(Line { bytes: &bytes[start..end], offset: start as u64, end: next as u64 });
        start = next;
    }
    out
}

fn units(format: Format, bytes: &[u8]) -> Vec<Line<'_>> {
    match format.framing() {
        Framing::Document => vec![Line { bytes, offset: 0, end: bytes.len() as u64 }],
        _ => lines(bytes),
    }
}

/// Decodes a whole source and settles it; a line is counted exactly once.
pub(crate) fn decode_with(format: Format, path: &str, companions: &[Companion<'_>], bytes: &[u8]) -> Decoded {
    decode_of(format, SourceInfo { path, companions, modified_us: MODIFIED_US, ..SourceInfo::default() }, bytes)
}

/// The same of a source of which this is known.
pub(crate) fn decode_of(format: Format, info: SourceInfo<'_>, bytes: &[u8]) -> Decoded {
    let mut rows = Rows::new(RowContext::new(format.agent(), info.path));
    let mut decoder = decoder(format, info, None).expect("a decoder of lines or documents");
    let units = units(format, bytes);
    for line in &units {
        decoder.line(*line, &mut rows);
    }
    decoder.settle(&mut rows);
    assert!(!decoder.is_open(), "settled means settled");
    let decoded = finish(&mut rows);
    let c = decoded.counts;
    assert_eq!(c.lines, c.line_rows + c.ignored + c.rejects, "every line is counted once");
    assert_eq!(c.lines, units.len() as u64, "every line is counted");
    decoded
}

/// Decodes a source that stands by itself.
pub(crate) fn decode(format: Format, path: &str, bytes: &[u8]) -> Decoded {
    decode_with(format, path, &[], bytes)
}

/// Holds that a source of lines makes the same rows when decoding is interrupted after any line and
/// goes on from the checkpoint, and that what was open then is open, and shown, before another line comes.
pub(crate) fn resumes_anywhere(format: Format, path: &str, bytes: &[u8]) {
    let info = SourceInfo { path, companions: &[], modified_us: MODIFIED_US, ..SourceInfo::default() };
    let all = lines(bytes);
    let whole = decode(format, path, bytes);
    for stop in 0..all.len() {
        let mut rows = Rows::new(RowContext::new(format.agent(), path));
        let mut first = decoder(format, info, None).expect("a decoder of lines");
        all[..=stop].iter().for_each(|line| first.line(*line, &mut rows));
        let checkpoint = first.checkpoint();
        assert!(checkpoint.resume_at <= checkpoint.high_water, "after line {stop}");
        let mut second = decoder(format, info, Some(&checkpoint)).expect("a decoder of lines");
        let from = second.checkpoint().resume_at;
        let (known, new) = all.split_at(stop + 1);
        known.iter().filter(|line| line.offset >= from).for_each(|line| second.line(*line, &mut rows));
        assert_eq!(second.is_open(), first.is_open(), "open after a stop behind line {stop}");
        let shown = [&first, &second].map(|decoder| tail(decoder.as_ref(), format, path));
        assert_eq!(shown[1], shown[0], "provisional rows after a stop behind line {stop}");
        new.iter().filter(|line| line.offset >= from).for_each(|line| second.line(*line, &mut rows));
        second.settle(&mut rows);
        let resumed = finish(&mut rows);
        assert_eq!(resumed.rows, whole.rows, "rows after a stop behind line {stop}");
        assert_eq!(resumed.counts, whole.counts, "counters after a stop behind line {stop}");
    }
}

fn tail(decoder: &dyn Decoder, format: Format, path: &str) -> Vec<Row> {
    let mut rows = Rows::new(RowContext::new(format.agent(), path)).of_tail();
    decoder.provisional(&mut rows);
    finish(&mut rows).rows
}

/// What is open after the whole source, as provisional rows.
pub(crate) fn provisional(format: Format, path: &str, bytes: &[u8]) -> Vec<Row> {
    let info = SourceInfo { path, companions: &[], modified_us: MODIFIED_US, ..SourceInfo::default() };
    let mut rows = Rows::new(RowContext::new(format.agent(), path));
    let mut decoder = decoder(format, info, None).expect("a decoder of lines or documents");
    units(format, bytes).iter().for_each(|line| decoder.line(*line, &mut rows));
    let tail = tail(decoder.as_ref(), format, path);
    assert!(tail.iter().all(|r| r["provisional"] == true));
    assert_eq!(decoder.is_open(), !tail.is_empty());
    tail
}

/// A database made by `sql`.
pub(crate) fn database(sql: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    (folder, path)
}

/// Decodes the database at `path` as if it had been silent for long; `shown` is its path in rows.
/// The second value holds the rows of unsettled records as they would be shown while it is not.
pub(crate) fn decode_database(format: Format, path: &Path, shown: &str) -> (Decoded, Vec<Row>) {
    decode_database_with(format, path, shown, &[])
}

/// The same with companions.
pub(crate) fn decode_database_with(
    format: Format,
    path: &Path,
    shown: &str,
    companions: &[Companion<'_>],
) -> (Decoded, Vec<Row>) {
    let info = SourceInfo { path: shown, companions, modified_us: MODIFIED_US, ..SourceInfo::default() };
    let mut rows = Rows::new(RowContext::new(format.agent(), shown));
    let mut tail = Rows::new(RowContext::new(format.agent(), shown));
    let mut decoder = database_decoder(format, info).expect("a decoder of databases");
    let database = Database::open(path, format).unwrap();
    let queries = decoder.queries(&database.tables().unwrap()).unwrap();
    for query in &queries {
        database
            .each(query, Cursor::START, |record| {
                if !decoder.is_settled(record) {
                    decoder.record(record, true, &mut tail);
                }
                rows.counts().lines += 1;
                match decoder.record(record, false, &mut rows) {
                    Taken::Rows | Taken::Unknown => rows.counts().line_rows += 1,
                    Taken::Ignored => rows.counts().ignored += 1,
                    Taken::Rejected => {}
                }
                true
            })
            .unwrap();
    }
    let decoded = finish(&mut rows);
    let c = decoded.counts;
    assert_eq!(c.lines, c.line_rows + c.ignored + c.rejects, "every record is counted once");
    (decoded, finish(&mut tail).rows)
}

/// The corpus' folder for one agent, or nothing and a line that says so.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(crate) fn corpus(agent: &str) -> Option<PathBuf> {
    let root = std::env::var_os("DEVLOG_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"), PathBuf::from);
    let folder = root.join(agent);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: no corpus of {agent} (set DEVLOG_CORPUS)");
    None
}

/// All files below `folder`, sorted.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    entries.sort();
    entries.into_iter().flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}
