//! What the fuzz target does with its input; `tests/it/fuzz_replay.rs` runs the same on the inputs that
//! are kept in `fuzz/corpus`.

use arrow::array::Array;
use devlog::adapters::{Decoder, Line, SourceInfo, Taken, database_decoder, decoder};
use devlog::schema::{Checkpoint, Counts, Format, Framing, Record, RowContext, Rows, Tables, Value};

const INFO: SourceInfo<'_> = SourceInfo {
    path: "/logs/0f6b2c4e-0000-4000-8000-000000000000.jsonl",
    companions: &[],
    modified_us: 1,
    zone: None,
};

/// Decodes `bytes` as one file of `format` and holds the decoder's promises: no panic, exact line
/// accounting, and the same rows after a resume at any line.
pub fn decode(format: Format, bytes: &[u8]) {
    if format.framing() == Framing::Database {
        return records(format, bytes);
    }
    let lines = cut(format, bytes);
    let (whole, counts) = run(format, &lines, None);
    assert_eq!(counts.lines, counts.line_rows + counts.ignored + counts.rejects, "a line is counted once");
    assert_eq!(counts.lines, lines.len() as u64, "every line is counted");
    if format.framing() != Framing::Document && !lines.is_empty() {
        let at = bytes.len() % lines.len();
        let (resumed, _) = run(format, &lines, Some(at));
        assert_eq!(whole, resumed, "a resume after line {at} changes the rows");
    }
}

/// The lines of a source with their offsets; a document is one.
pub fn cut(format: Format, bytes: &[u8]) -> Vec<(u64, &[u8])> {
    if format.framing() == Framing::Document {
        return vec![(0, bytes)];
    }
    let mut offset = 0;
    let mut lines = Vec::new();
    for line in bytes.split(|b| *b == b'\n') {
        lines.push((offset, line));
        offset += line.len() as u64 + 1;
    }
    lines
}

fn run(format: Format, lines: &[(u64, &[u8])], mut resume_after: Option<usize>) -> (Vec<(u128, String)>, Counts) {
    let info = SourceInfo {
        path: "/logs/0f6b2c4e-0000-4000-8000-000000000000.jsonl",
        companions: &[],
        modified_us: 1,
        zone: None,
    };
    let mut rows = Rows::new(RowContext::new(format.agent(), info.path));
    let mut current = decoder(format, info, None).expect("a format of lines or documents");
    let mut tail = Rows::new(RowContext::new(format.agent(), info.path));
    let mut at = 0;
    while let Some((offset, bytes)) = lines.get(at) {
        current.line(Line { bytes, offset: *offset, end: offset + bytes.len() as u64 + 1 }, &mut rows);
        current.provisional(&mut tail);
        at += 1;
        if resume_after == Some(at - 1) {
            resume_after = None;
            let checkpoint = current.checkpoint();
            assert!(checkpoint.resume_at <= checkpoint.high_water);
            current = begin(format, Some(&checkpoint));
            let from = current.checkpoint().resume_at;
            at = lines.partition_point(|(offset, _)| *offset < from);
        }
    }
    current.settle(&mut rows);
    assert!(!current.is_open(), "nothing is open after settling");
    let counts = rows.take_counts();
    let batch = rows.finish();
    let text = batch.events.column_by_name("text").map(|c| c.to_data());
    let texts = text.map(arrow_strings).unwrap_or_default();
    (batch.ids.iter().map(|id| id.0).zip(texts).collect(), counts)
}

fn begin(format: Format, checkpoint: Option<&Checkpoint>) -> Box<dyn Decoder> {
    decoder(format, INFO, checkpoint).expect("a format of lines or documents")
}

fn arrow_strings(data: arrow::array::ArrayData) -> Vec<String> {
    let array = arrow::array::StringViewArray::from(data);
    (0..array.len()).map(|i| array.value(i).to_owned()).collect()
}

/// Takes each line of `bytes` for a record: its first byte picks the query, the rest are values that
/// the byte 0x1e separates. A value that starts with `#` is an integer, with `~` a blob, an empty one
/// is null.
fn records(format: Format, bytes: &[u8]) {
    let mut decoder = database_decoder(format, INFO).expect("a format of databases");
    let queries = decoder.queries(&Tables::all()).expect("a database that has everything is known");
    let mut rows = Rows::new(RowContext::new(format.agent(), INFO.path));
    let mut taken = 0;
    for (rowid, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
        let Some((pick, rest)) = line.split_first() else { continue };
        let query = queries[usize::from(*pick) % queries.len()].name;
        let values: Vec<Value<'_>> = rest.split(|b| *b == 0x1e).map(value).collect();
        let record = Record { query, rowid, mark: rowid, values: &values };
        if !decoder.is_settled(&record) {
            let mut tail = Rows::new(RowContext::new(format.agent(), INFO.path));
            decoder.record(&record, true, &mut tail);
            let batch = tail.finish();
            let flags = batch.events.column_by_name("provisional").expect("a column of the table");
            let flags = flags.as_any().downcast_ref::<arrow::array::BooleanArray>().expect("a truth value");
            assert!(flags.iter().all(|flag| flag == Some(true)), "what may change is provisional");
        }
        let before = rows.counts().rejects;
        let outcome = decoder.record(&record, false, &mut rows);
        assert_eq!(outcome == Taken::Rejected, rows.counts().rejects > before, "a reject says so");
        taken += 1;
    }
    assert!(rows.counts().rejects <= taken);
    drop(rows.finish());
}

/// A value of a record, as [`decode`] writes it down.
pub fn value(piece: &[u8]) -> Value<'_> {
    match piece.split_first() {
        None => Value::Null,
        Some((b'#', digits)) => {
            std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).map_or(Value::Null, Value::Integer)
        }
        Some((b'~', blob)) => Value::Blob(blob),
        Some(_) => Value::Text(piece),
    }
}
