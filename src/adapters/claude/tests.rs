//! Tests of the Claude Code decoders, on fixtures of our own and, where it is there, on the corpus.

mod calls;
mod corpus;
mod records;
mod results;
mod resume;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Int32Type, Int64Type, TimestampMicrosecondType};
use serde_json::{Map, Value, json};

use super::SessionDecoder;
use crate::adapters::{Companion, Decoder, Line, SourceInfo};
use crate::schema::{Counts, RowBatch, RowContext, Rows};

/// A row without its nulls; `extra` and `tool_input` parsed.
type Row = Map<String, Value>;

/// What a decoder made of some lines.
struct Decoded {
    rows: Vec<Row>,
    rejects: Vec<String>,
    counts: Counts,
}

impl Decoded {
    /// Rows of one event type.
    fn of(&self, event_type: &str) -> Vec<&Row> {
        self.rows.iter().filter(|r| r["event_type"] == event_type).collect()
    }

    /// The only row of an event type.
    fn only(&self, event_type: &str) -> &Row {
        let rows = self.of(event_type);
        assert_eq!(rows.len(), 1, "rows of type {event_type} in {:#?}", self.rows);
        rows[0]
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

fn finish(rows: &mut Rows) -> Decoded {
    let batch = rows.finish();
    let reasons = batch.rejects.column_by_name("reason").expect("rejects have a reason").as_string_view();
    Decoded {
        rows: rows_of(&batch),
        rejects: reasons.iter().flatten().map(str::to_owned).collect(),
        counts: rows.take_counts(),
    }
}

/// The lines of a text with their offsets; an unfinished last line counts.
fn lines(bytes: &[u8]) -> Vec<Line<'_>> {
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

fn context(path: &str) -> Rows {
    Rows::new(RowContext::new("claude", path))
}

fn info(path: &str) -> SourceInfo<'_> {
    SourceInfo { path, companions: &[], modified_us: 1_700_000_000_000_000, zone: None }
}

const MAIN: &str = "/home/u/.claude/projects/-p/0a000000-0000-4000-8000-000000000001.jsonl";

fn decode_as(info: SourceInfo<'_>, bytes: &[u8]) -> Decoded {
    let mut rows = context(info.path);
    let mut decoder = SessionDecoder::new(info, None);
    for line in lines(bytes) {
        decoder.line(line, &mut rows);
    }
    decoder.settle(&mut rows);
    assert!(!decoder.is_open(), "settled means settled");
    finish(&mut rows)
}

fn decode(text: &str) -> Decoded {
    decode_as(info(MAIN), text.as_bytes())
}

/// Decodes records, one a line.
fn decode_all(records: &[Value]) -> Decoded {
    decode(&records.iter().map(|r| format!("{r}\n")).collect::<String>())
}

/// A record with the envelope that all conversation records share; `more` wins.
fn record(kind: &str, uuid: &str, more: Value) -> Value {
    let mut record = json!({
        "parentUuid": null, "isSidechain": false, "userType": "external", "cwd": "/home/u/p",
        "sessionId": "0a000000-0000-4000-8000-000000000001", "version": "2.1.120", "gitBranch": "main",
        "type": kind, "uuid": uuid, "timestamp": "2026-05-01T10:00:00.000Z",
    });
    let (Value::Object(into), Value::Object(more)) = (&mut record, more) else { panic!("records are objects") };
    into.extend(more);
    record
}

/// One line of a response with one block.
fn answer(uuid: &str, message_id: &str, block: Value, output: i64) -> Value {
    record(
        "assistant",
        uuid,
        json!({"requestId": "req_1", "message": {
            "id": message_id, "model": "claude-opus-4-6", "role": "assistant", "type": "message",
            "content": [block], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 3, "cache_creation_input_tokens": 20, "cache_read_input_tokens": 300,
                "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 15},
                "output_tokens": output, "service_tier": "standard"}}}),
    )
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn tool_use(id: &str, name: &str, input: Value) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": input})
}

fn tool_result(uuid: &str, call_id: &str, content: Value, result: Value) -> Value {
    let block = json!({"type": "tool_result", "tool_use_id": call_id, "content": content});
    record("user", uuid, json!({"message": {"role": "user", "content": [block]}, "toolUseResult": result}))
}

fn prompt(uuid: &str, content: Value) -> Value {
    record("user", uuid, json!({"message": {"role": "user", "content": content}}))
}

/// `record` with fields set or replaced.
fn with(mut record: Value, more: Value) -> Value {
    let (Value::Object(into), Value::Object(more)) = (&mut record, more) else { panic!("records are objects") };
    into.extend(more);
    record
}
