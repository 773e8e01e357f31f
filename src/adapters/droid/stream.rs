//! Records of `droid exec --output-format stream-json`.

use super::AGENT;
use super::message::OWN_TAGS;
use super::session::Session;
use crate::adapters::chat::{At, Outcome, injected, output_text};
use crate::adapters::json::Json;
use crate::schema::{EventId, EventRow, EventType, Rows, TokenUsage};

/// Fields that all records have.
const COMMON: [&str; 5] = ["type", "id", "timestamp", "session_id", "sessionId"];

impl Session {
    pub(super) fn stream(&mut self, kind: &str, json: Json<'_, '_>, at: At, rows: &mut Rows) -> Outcome {
        if let Some(session) = json.str_at("session_id").or_else(|| json.str_at("sessionId")) {
            self.facts.session = Some(session.to_owned());
        }
        match kind {
            "system" => self.opening(json, at, rows),
            "message" if json.get("role").is_some() => self.said(json, at, rows),
            "tool_call" => self.called(json, at, rows),
            "tool_result" => self.answered(json, at, rows),
            "completion" => self.completed(json, at, rows),
            "error" => self.failed(json, at, rows),
            "reasoning" => self.note(EventType::Thinking, kind, json, at, rows),
            _ => Outcome::Wrong,
        }
    }

    fn opening(&mut self, json: Json<'_, '_>, at: At, rows: &mut Rows) -> Outcome {
        self.facts.cwd = json.str_at("cwd").map(str::to_owned);
        self.facts.model = json.str_at("model").map(str::to_owned);
        self.fields.begin().rest(json, &COMMON).end();
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "session", &[self.facts.session().as_bytes()])),
            model: self.facts.model.as_deref(),
            extra: self.fields.get(),
            ..self.facts.row(EventType::SessionStart, at)
        });
        Outcome::Row
    }

    fn said(&mut self, json: Json<'_, '_>, at: At, rows: &mut Rows) -> Outcome {
        let role = json.str_at("role");
        let text = json.str_at("text");
        let event_type = match role {
            Some("assistant") => EventType::LlmResponse,
            Some("user") if !text.is_some_and(|t| injected(t, &OWN_TAGS)) => EventType::UserInteraction,
            _ => EventType::System,
        };
        if event_type == EventType::UserInteraction {
            self.facts.turn += 1;
        }
        let id = self.id("message", json.str_at("id"), json);
        self.fields.begin().rest(json, &["type", "id", "timestamp", "session_id", "sessionId", "role", "text"]).end();
        rows.event(&EventRow {
            id: Some(id),
            message_id: json.str_at("id"),
            role,
            text,
            model: self.facts.model.as_deref().filter(|_| event_type == EventType::LlmResponse),
            extra: self.fields.get(),
            ..self.facts.row(event_type, at)
        });
        Outcome::Row
    }

    fn called(&mut self, json: Json<'_, '_>, at: At, rows: &mut Rows) -> Outcome {
        let call_id = json.str_at("toolCallId").or_else(|| json.str_at("id"));
        let name = json.str_at("toolName").or_else(|| json.str_at("toolId")).unwrap_or_default();
        let id = self.id("tool", call_id, json);
        self.call(json, (call_id, name, json.get("parameters")), id, at, rows);
        Outcome::Row
    }

    fn answered(&mut self, json: Json<'_, '_>, at: At, rows: &mut Rows) -> Outcome {
        let call_id = json.str_at("toolCallId").or_else(|| json.str_at("id"));
        let call = self.calls.close(call_id.unwrap_or_default());
        let value = json.get("value");
        let exit_code = value.and_then(|v| v.i64_at("exitCode")).and_then(|c| i32::try_from(c).ok());
        let output = value.and_then(|v| v.get("stdout").filter(|_| v.get("stderr").is_none()).or(Some(v)));
        let output = output.and_then(output_text);
        let said = json.get("isError").and_then(Json::as_bool);
        let id = self.id("tool_result", call_id, json);
        self.fields.begin().rest(
            json,
            &[
                "type",
                "id",
                "timestamp",
                "session_id",
                "sessionId",
                "toolCallId",
                "toolId",
                "toolName",
                "value",
                "isError",
            ],
        );
        self.fields.end();
        rows.event(&EventRow {
            id: Some(id),
            role: Some("tool"),
            tool_call_id: call_id,
            tool_name: call.name.as_deref().or_else(|| json.str_at("toolName")).or_else(|| json.str_at("toolId")),
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            tool_output: output.as_deref(),
            exit_code,
            is_error: said.or_else(|| exit_code.map(|code| code != 0)),
            extra: self.fields.get(),
            ..self.facts.row(EventType::ToolResult, at)
        });
        Outcome::Row
    }

    fn completed(&mut self, json: Json<'_, '_>, at: At, rows: &mut Rows) -> Outcome {
        let usage = json.get("usage").filter(|u| u.is_object());
        let tokens = |key: &str| usage.and_then(|u| u.i64_at(key)).filter(|n| *n >= 0);
        let id = self.id("completion", json.str_at("id"), json);
        self.fields
            .begin()
            .rest(json, &["type", "id", "timestamp", "session_id", "sessionId", "finalText", "usage", "durationMs"]);
        self.fields.end();
        let row = EventRow {
            id: Some(id),
            role: Some("assistant"),
            text: json.str_at("finalText"),
            model: self.facts.model.as_deref().filter(|_| usage.is_some()),
            duration_ms: json.i64_at("durationMs"),
            extra: self.fields.get(),
            ..self.facts.row(EventType::SessionEnd, at)
        };
        let usage = TokenUsage::disjoint(
            tokens("input_tokens"),
            tokens("cache_read_input_tokens"),
            tokens("cache_creation_input_tokens"),
            tokens("output_tokens"),
        );
        rows.event(&usage.counter_step().on(row));
        Outcome::Row
    }

    fn failed(&mut self, json: Json<'_, '_>, at: At, rows: &mut Rows) -> Outcome {
        let id = self.id("error", json.str_at("id"), json);
        self.fields.begin().rest(json, &["type", "id", "timestamp", "session_id", "sessionId", "message"]).end();
        let message = json.get("message").and_then(output_text);
        rows.event(&EventRow {
            id: Some(id),
            text: message.as_deref(),
            is_error: Some(true),
            extra: self.fields.get(),
            ..self.facts.row(EventType::ErrorEncountered, at)
        });
        Outcome::Row
    }
}
