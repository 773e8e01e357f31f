mod corpus;
mod events;
mod legs;
mod stores;

use serde_json::Value;

use crate::adapters::tests::{Decoded, Row, decode};
use crate::schema::Format;

pub(super) const EVENTS: &str = include_str!("../../../tests/fixtures/copilot-cli/events.jsonl");
pub(super) const SESSION: &str = "c0c0c0c0-0000-4000-8000-000000000001";
pub(super) const PATH: &str = "/h/.copilot/session-state/c0c0c0c0-0000-4000-8000-000000000001/events.jsonl";

pub(super) fn events(text: &str) -> Decoded {
    decode(Format::CopilotCliEvents, PATH, text.as_bytes())
}

/// An event as a line.
pub(super) fn event(kind: &str, n: usize, data: &Value) -> String {
    let event = serde_json::json!({"type": kind, "data": data, "id": format!("x{n}"),
        "timestamp": format!("2026-08-01T00:00:{n:02}.000Z"), "parentId": null});
    format!("{event}\n")
}

/// A shutdown with counters of models: input, output, cache read, cache write.
pub(super) fn shutdown(n: usize, models: &[(&str, [i64; 4])]) -> String {
    let metrics: serde_json::Map<String, Value> = models
        .iter()
        .map(|(model, [input, output, read, write])| {
            let usage = serde_json::json!({"inputTokens": input, "outputTokens": output, "cacheReadTokens": read,
                "cacheWriteTokens": write});
            ((*model).to_owned(), serde_json::json!({"requests": {"count": 1}, "usage": usage}))
        })
        .collect();
    event("session.shutdown", n, &serde_json::json!({"shutdownType": "routine", "modelMetrics": metrics}))
}

/// Input, cache reads, cache writes, output.
pub(super) fn sums(decoded: &Decoded) -> [i64; 4] {
    ["input_tokens", "cache_read_tokens", "cache_write_5m_tokens", "output_tokens"].map(|column| decoded.sum(column))
}

/// Rows as `[event_type, text or output]`.
pub(super) fn outline<'r>(rows: impl IntoIterator<Item = &'r Row>) -> Vec<[String; 2]> {
    let text = |row: &Row, key: &str| row.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    rows.into_iter()
        .map(|row| [text(row, "event_type"), text(row, if row.contains_key("text") { "text" } else { "tool_output" })])
        .collect()
}
