mod claims;
mod corpus;
mod shapes;

use serde_json::{Value, json};

use crate::adapters::tests::{Decoded, Row, decode, decode_with};
use crate::schema::Format;

pub(super) const SESSION: &str = include_str!("../../../tests/fixtures/gemini/session-2026-04-25T08-23-aaaa0001.jsonl");
pub(super) const SESSION_PATH: &str = "/h/.gemini/tmp/shop/chats/session-2026-04-25T08-23-aaaa0001.jsonl";

pub(super) fn session(text: &str) -> Decoded {
    decode(Format::GeminiSession, SESSION_PATH, text.as_bytes())
}

pub(super) fn document(value: &Value) -> Decoded {
    let text = serde_json::to_string_pretty(value).unwrap();
    decode_with(
        Format::GeminiDocument,
        "/h/.gemini/tmp/shop/chats/session-2026-01-01T00-00-d0c00001.json",
        &[],
        text.as_bytes(),
    )
}

/// A document of these messages.
pub(super) fn chat(messages: &[Value]) -> Value {
    json!({"sessionId": "d0c00001", "projectHash": "00", "startTime": "2026-01-01T00:00:00.000Z",
        "lastUpdated": "2026-01-01T00:10:00.000Z", "messages": messages})
}

pub(super) fn answer(id: &str, input: i64, output: i64) -> Value {
    json!({"id": id, "timestamp": "2026-01-01T00:00:05.000Z", "type": "gemini", "content": format!("answer {id}"),
        "model": "gemini-2.5-pro",
        "tokens": {"input": input, "output": output, "cached": 0, "thoughts": 0, "tool": 0, "total": input + output}})
}

/// Rows as `[event_type, text or output, message_id]`, for comparisons at a glance.
pub(super) fn outline<'r>(rows: impl IntoIterator<Item = &'r Row>) -> Vec<[String; 3]> {
    let text = |row: &Row, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    rows.into_iter()
        .map(|row| {
            let said = if row.contains_key("tool_output") { "tool_output" } else { "text" };
            [text(row, "event_type"), text(row, said), text(row, "message_id")]
        })
        .collect()
}
