//! What a lake holds: events by id, compared with what it must hold.

use std::collections::BTreeMap;

use super::harness::Figure;

/// What must be the same in every lake that holds the same events: all but where and when they were read.
pub const CONTENT: &str = "SELECT event_id, event_type, CASE ts_source WHEN 'inferred' THEN NULL ELSE ts END AS ts, \
    session_id, message_id, tool_call_id, model, text, tool_name, tool_input, tool_output, file_path, command, \
    status, input_tokens, cache_read_tokens, output_tokens, reasoning_tokens, total_tokens FROM events";

/// Events by id.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Content {
    events: BTreeMap<String, serde_json::Value>,
    doubled: usize,
}

impl Content {
    pub const fn of_events(events: BTreeMap<String, serde_json::Value>) -> Self {
        Self { events, doubled: 0 }
    }

    pub fn into_events(self) -> BTreeMap<String, serde_json::Value> {
        self.events
    }

    pub const fn events(&self) -> &BTreeMap<String, serde_json::Value> {
        &self.events
    }

    /// The same without some columns.
    #[must_use]
    pub fn without(mut self, columns: &[&str]) -> Self {
        for event in self.events.values_mut().filter_map(serde_json::Value::as_object_mut) {
            event.retain(|name, _| !columns.contains(&name.as_str()));
        }
        self
    }

    /// How this differs from what must be there; the note is the first difference.
    pub fn compare(&self, expected: &Self) -> Figure {
        let wrong: Vec<_> = expected.events.iter().filter(|(id, event)| self.events.get(*id) != Some(event)).collect();
        let more: Vec<_> = self.events.iter().filter(|(id, _)| !expected.events.contains_key(*id)).collect();
        let first = wrong.first().map(|(id, event)| format!("expected {event}, found {:?}", self.events.get(*id)));
        let first = first.or_else(|| more.first().map(|(_, event)| format!("not expected: {event}")));
        let note = first.unwrap_or_default();
        Figure { trials: 0, lost: wrong.len(), doubled: self.doubled + more.len(), stuck: 0, note }
    }
}

/// Events of an answer; `None` when it is no answer.
pub fn parsed(ndjson: &str) -> Option<Content> {
    let whole = ndjson.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok());
    whole.then(|| content(ndjson))
}

pub fn content(ndjson: &str) -> Content {
    let mut content = Content::default();
    for line in ndjson.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        let id = event["event_id"].as_str().unwrap().to_owned();
        content.doubled += usize::from(content.events.insert(id, event).is_some());
    }
    content
}
