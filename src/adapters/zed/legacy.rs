//! Threads before 0.3.0: `{id, role, segments | text, tool_uses, tool_results}`.
//!
//! Usage is a list there, one entry for each message. In 0.1.0 results stand in the user's message
//! after the answer that asked for them.

use std::collections::HashMap;

use super::thread::{Thread, Tokens};
use crate::adapters::json::Json;
use crate::schema::{EventRow, EventType, Rows};

/// Makes the rows of all messages.
pub(super) fn write(thread: &mut Thread<'_>, messages: Json<'_, '_>, usage: Option<Json<'_, '_>>, rows: &mut Rows) {
    let mut results = HashMap::new();
    for message in messages.items() {
        for result in message.get("tool_results").into_iter().flat_map(Json::items) {
            results.insert(result.str_at("tool_use_id").unwrap_or_default(), result);
        }
    }
    for (number, message) in messages.items().enumerate() {
        let key = message.i64_at("id").map_or_else(|| number.to_string(), |id| id.to_string());
        let mut text = message.get("text").and_then(Json::as_str).unwrap_or_default().to_owned();
        for (index, segment) in message.get("segments").into_iter().flat_map(Json::items).enumerate() {
            match segment.str_at("type") {
                Some("text") => {
                    if !text.is_empty() {
                        text.push('\n');
                    }
                    text.push_str(segment.get("text").and_then(Json::as_str).unwrap_or_default());
                }
                Some("thinking") => thread.thinking(&[&key, &index.to_string()], segment.str_at("text"), rows),
                Some("RedactedThinking") => {}
                _ => thread.odd(&[&key, &index.to_string()], segment, rows),
            }
        }
        match message.str_at("role") {
            Some("user") => prompt(thread, &key, &text, message, rows),
            Some("assistant") => {
                for call in message.get("tool_uses").into_iter().flat_map(Json::items) {
                    let result = results.get(call.str_at("id").unwrap_or_default()).copied();
                    thread.call(call, result, rows);
                }
                let tokens = usage.and_then(|usage| usage.items().nth(number)).and_then(Tokens::of);
                thread.response(&[&key], &text, tokens, None, rows);
            }
            Some("system") => {
                let row = EventRow {
                    id: thread.key("message", &[&key]),
                    event_type: EventType::System,
                    text: Some(&text),
                    ..thread.row()
                };
                rows.event(&row);
                thread.made += 1;
            }
            _ => thread.odd(&[&key], message, rows),
        }
    }
}

fn prompt(thread: &mut Thread<'_>, key: &str, text: &str, message: Json<'_, '_>, rows: &mut Rows) {
    let context = message.str_at("context");
    if !text.is_empty() {
        thread.turn = thread.turn.saturating_add(1);
        let row = EventRow {
            id: thread.key("message", &[key]),
            event_type: EventType::UserInteraction,
            role: Some("user"),
            text: Some(text),
            ..thread.row()
        };
        rows.event(&row);
    }
    if context.is_some() {
        let row = EventRow {
            id: thread.key("attachment", &[key]),
            event_type: EventType::Attachment,
            role: Some("user"),
            text: context,
            ..thread.row()
        };
        rows.event(&row);
    }
    thread.made += 1;
}
