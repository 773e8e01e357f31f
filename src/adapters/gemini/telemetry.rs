//! `telemetry.log`: pretty-printed objects one after the other; log records, spans and metrics mixed.
//!
//! It repeats what the chats record. So prompts are `prompt_history`, everything else is `system` (or
//! an error), and only calls of a `utility_*` role (router, compressor, loop detector …), which no
//! chat records, carry usage; the tokens of the others stand in `extra`. Spans and metrics hold sums
//! of the same calls: they make no rows.

use super::message::Chat;
use crate::adapters::fields::{small, time_at};
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::outcome::Outcome;
use crate::adapters::tokens::google;
use crate::schema::{EventRow, EventType, Rows, Status};

const TOKENS: [&str; 6] = [
    "input_token_count",
    "output_token_count",
    "cached_content_token_count",
    "thoughts_token_count",
    "tool_token_count",
    "total_token_count",
];

/// Time of a record: `event.timestamp`, else OpenTelemetry's pair of seconds and nanoseconds.
fn time_of(json: Json<'_, '_>, attributes: Json<'_, '_>) -> Option<i64> {
    time_at(attributes, "event.timestamp").or_else(|| {
        let mut pair = json.get("hrTime")?.items().filter_map(Json::as_i64);
        let seconds = pair.next()?;
        Some(seconds.saturating_mul(1_000_000).saturating_add(pair.next().unwrap_or(0) / 1_000))
    })
}

pub(super) fn record(json: Json<'_, '_>, chat: &mut Chat, offset: u64, rows: &mut Rows) -> Outcome {
    if !json.is_object() {
        return Outcome::Wrong;
    }
    let Some(attributes) = json.get("attributes") else { return Outcome::Ignored };
    let Some(full_name) = attributes.str_at("event.name") else { return Outcome::Ignored };
    let name = full_name.rsplit('.').next().unwrap_or(full_name);
    attributes.str_at("session.id").unwrap_or_default().clone_into(&mut chat.session);
    let ts = time_of(json, attributes);
    chat.last_us = chat.last_us.max(ts);
    let utility = name == "api_response" && attributes.str_at("role").is_some_and(|r| r.starts_with("utility_"));
    let part = |i: usize| attributes.i64_at(TOKENS[i]);
    let usage = google(part(0), part(2), part(1), part(3), part(4)).filter(|_| utility);
    let mut extra = Extra::default();
    extra.text("event", full_name);
    let mut used =
        vec!["event.name", "event.timestamp", "session.id", "model", "duration_ms", "prompt", "function_name"];
    if usage.is_some() {
        used.extend(TOKENS);
    }
    extra.rest(attributes, &used);
    let extra = extra.finish();
    let is_error = name.ends_with("_error");
    let event_type = match name {
        "user_prompt" => EventType::PromptHistory,
        "api_response" if utility => EventType::LlmResponse,
        _ if is_error => EventType::ErrorEncountered,
        _ => EventType::System,
    };
    let time = ts.unwrap_or_default().to_string();
    let mut ledger = std::mem::take(&mut chat.ledger);
    let which = attributes.str_at("prompt_id").or_else(|| attributes.str_at("call_id")).unwrap_or_default();
    let row = chat.row(event_type, &[], offset);
    let row = EventRow {
        id: chat.id("telemetry", &[full_name, &time, which, extra.as_deref().unwrap_or_default()]),
        ts_us: ts.unwrap_or(row.ts_us),
        ts_inferred: ts.is_none(),
        session_id: attributes.str_at("session.id"),
        turn: None,
        model: attributes.str_at("model"),
        tool_name: attributes.str_at("function_name"),
        text: attributes.str_at("prompt").or_else(|| attributes.str_at("error").filter(|_| is_error)),
        is_error: is_error.then_some(true),
        status: Some(Status::Named(name)),
        exit_code: attributes.i64_at("exit_code").and_then(small),
        duration_ms: attributes.get("duration_ms").and_then(Json::as_f64).and_then(whole),
        extra: extra.as_deref(),
        ..row
    };
    let row = usage.map_or(row, |usage| usage.on(row));
    ledger.emit(&row, usage.is_some(), rows);
    chat.ledger = ledger;
    Outcome::Row
}

/// Milliseconds without their fraction.
#[expect(clippy::cast_possible_truncation, reason = "the guard keeps it in range")]
fn whole(number: f64) -> Option<i64> {
    (0.0..9e15).contains(&number).then_some(number as i64)
}
