//! Lines of the IDE since summer 2026: `{id?, timestamp, payload: {type, …}}`.

use super::session::Session;
use crate::adapters::chat::{Outcome, output_text};
use crate::adapters::json::Json;
use crate::adapters::time;
use crate::schema::{EventRow, EventType, Rows};

use crate::adapters::money::nano;

/// Records that frame a session and its turns.
const KNOWN: [&str; 6] =
    ["session_start", "session_end", "session_metadata", "turn_start", "turn_end", "usage_summary"];

fn is_thought(payload: Json<'_, '_>) -> bool {
    payload.str_at("operationType").is_some_and(|operation| operation.eq_ignore_ascii_case("reasoning"))
}

impl Session {
    pub(super) fn payload(
        &mut self,
        json: Json<'_, '_>,
        payload: Json<'_, '_>,
        offset: u64,
        rows: &mut Rows,
    ) -> Outcome {
        let stamp = json.get("timestamp");
        let ts_us = stamp.and_then(|s| s.as_str().and_then(time::rfc3339_us).or_else(|| s.as_i64().map(time::unix_us)));
        let at = self.facts.at(offset, ts_us, self.modified_us);
        let own = json.str_at("id").or_else(|| json.str_at("messageId"));
        self.is_counted = own.is_some_and(|own| own.len() < 16);
        let kind = payload.str_at("type").unwrap_or_default();
        let text = payload.get("content").and_then(output_text);
        let used =
            ["type", "content", "reasoningModelId", "toolName", "toolCallId", "args", "success", "operationType"];
        self.fields.begin().rest(payload, &used);
        self.fields.end();
        let model = payload.str_at("reasoningModelId").or_else(|| payload.str_at("modelId"));
        let row = EventRow { message_id: own, text: text.as_deref(), model, ..EventRow::default() };
        let call_id = payload.str_at("toolCallId");
        match kind {
            "user" => {
                self.facts.turn += 1;
                self.said(EventType::UserInteraction, "user", row, at, rows);
            }
            // What the model thinks stands beside what it says.
            "assistant" if is_thought(payload) => self.said(EventType::Thinking, "assistant", row, at, rows),
            "assistant" => self.said(EventType::LlmResponse, "assistant", row, at, rows),
            "thinking" | "reasoning" => self.said(EventType::Thinking, "assistant", row, at, rows),
            "tool_call" => {
                let id = self.id("tool", own.or(call_id));
                let tool = (call_id, payload.str_at("toolName").unwrap_or_default(), payload.get("args"));
                self.call(own, tool, id, at, rows);
            }
            "tool_result" => {
                let status = payload.str_at("status").or_else(|| {
                    let flag = |key: &str| payload.get(key).and_then(Json::as_bool);
                    let failed = flag("isError").or_else(|| flag("success").map(|success| !success));
                    failed.map(|failed| if failed { "error" } else { "success" })
                });
                let id = self.id("result", own.or(call_id));
                self.result((call_id, status, text.as_deref(), own), id, at, rows);
            }
            _ => {
                let known = KNOWN.contains(&kind) || payload.get("promptTurnSummaries").is_some();
                rows.counts().unknown_types += u64::from(!known);
                self.fields.begin().text("record", kind).rest(payload, &["type", "stopReason"]).end();
                rows.event(&EventRow {
                    id: Some(self.id("record", own)),
                    stop_reason: payload.str_at("stopReason"),
                    nano_credits: credits(payload),
                    extra: self.fields.get(),
                    ..self.facts.row(if known { EventType::System } else { EventType::Unknown }, at)
                });
            }
        }
        Outcome::Row
    }
}

/// Credits of a turn's summary.
fn credits(payload: Json<'_, '_>) -> Option<i64> {
    let summaries = payload.get("promptTurnSummaries").into_iter().flat_map(Json::items);
    let credits = summaries.filter(|s| s.str_at("unit").is_none_or(|unit| unit.starts_with("credit")));
    let values = credits.filter_map(|s| s.get("usage").or_else(|| s.get("value")).and_then(Json::as_f64));
    values.fold(None, |sum: Option<f64>, value| Some(sum.unwrap_or(0.0) + value)).and_then(nano)
}
