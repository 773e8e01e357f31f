//! Tests of the Claude Code decoders, on fixtures of our own and, where it is there, on the corpus.

mod calls;
mod corpus;
mod records;
mod results;
mod resume;

use serde_json::{Value, json};

use super::SessionDecoder;
use crate::adapters::tests::{Decoded, MODIFIED_US, Row, finish, lines};
use crate::adapters::{Companion, Decoder, SourceInfo};
use crate::schema::{RowContext, Rows};

fn context(path: &str) -> Rows {
    Rows::new(RowContext::new("claude", path))
}

fn info(path: &str) -> SourceInfo<'_> {
    SourceInfo { path, companions: &[], modified_us: MODIFIED_US, zone: None }
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
