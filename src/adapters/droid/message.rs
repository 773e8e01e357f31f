//! Messages of a session's file: prompts, answers, calls and results in content blocks.

use super::AGENT;
use super::session::Session;
use crate::adapters::chat::{At, Call, Edit, Outcome, attachments, injected, joined_text, output_text};
use crate::adapters::clean::content_json;
use crate::adapters::json::Json;
use crate::schema::{EventId, EventRow, EventType, Rows};

/// What the agent wraps its own texts in.
pub(super) const OWN_TAGS: [&str; 1] = ["system-reminder"];

impl Session {
    pub(super) fn message(&mut self, json: Json<'_, '_>, at: At, rows: &mut Rows) -> Outcome {
        let Some(message) = json.get("message") else { return Outcome::Wrong };
        let id = self.id("message", json.str_at("id"), json);
        match message.str_at("role") {
            Some("assistant") => self.answer(json, message, id, at, rows),
            role => self.prompt(role, json, message, id, at, rows),
        }
        let content = message.get("content");
        for (index, block) in content.into_iter().flat_map(Json::items).enumerate() {
            let own = EventId::of(AGENT, "block", &[&id.0.to_be_bytes(), &index.to_le_bytes()]);
            match block.str_at("type") {
                Some("thinking" | "reasoning") => self.thinking(json, block, own, at, rows),
                Some("tool_use") => {
                    let name = block.str_at("name").unwrap_or_default();
                    self.call(json, (block.str_at("id"), name, block.get("input")), own, at, rows);
                }
                Some("tool_result") => self.result(json, block, own, at, rows),
                _ => {}
            }
        }
        Outcome::Row
    }

    fn prompt(
        &mut self,
        role: Option<&str>,
        json: Json<'_, '_>,
        message: Json<'_, '_>,
        id: EventId,
        at: At,
        rows: &mut Rows,
    ) {
        let content = message.get("content");
        let text = content.and_then(joined_text);
        let results = content.into_iter().flat_map(Json::items).any(|b| b.str_at("type") == Some("tool_result"));
        if text.is_none() && results {
            return;
        }
        let human = role == Some("user") && !text.as_deref().is_some_and(|t| injected(t, &OWN_TAGS));
        if human {
            self.facts.turn += 1;
        }
        self.fields.begin().rest(json, &["type", "id", "timestamp", "message", "parentId"]);
        self.fields.rest(message, &["role", "content"]);
        if let Some(content) = content {
            attachments(content, &mut self.fields);
        }
        self.fields.end();
        rows.event(&EventRow {
            id: Some(id),
            message_id: json.str_at("id"),
            parent_event_id: json.str_at("parentId"),
            role,
            text: text.as_deref(),
            extra: self.fields.get(),
            ..self.facts.row(if human { EventType::UserInteraction } else { EventType::System }, at)
        });
    }

    fn answer(&mut self, json: Json<'_, '_>, message: Json<'_, '_>, id: EventId, at: At, rows: &mut Rows) {
        let content = message.get("content");
        let text = content.and_then(joined_text);
        self.fields.begin().rest(json, &["type", "id", "timestamp", "message", "parentId"]);
        self.fields.rest(message, &["role", "content", "model", "stopReason", "stop_reason"]);
        if let Some(content) = content {
            attachments(content, &mut self.fields);
        }
        self.fields.end();
        rows.event(&EventRow {
            id: Some(id),
            message_id: json.str_at("id"),
            parent_event_id: json.str_at("parentId"),
            role: Some("assistant"),
            text: text.as_deref(),
            model: message.str_at("model").or(self.facts.model.as_deref()),
            provider: self.facts.provider.as_deref(),
            stop_reason: message.str_at("stopReason").or_else(|| message.str_at("stop_reason")),
            extra: self.fields.get(),
            ..self.facts.row(EventType::LlmResponse, at)
        });
    }

    fn thinking(&mut self, json: Json<'_, '_>, block: Json<'_, '_>, id: EventId, at: At, rows: &mut Rows) {
        self.fields.begin().rest(block, &["type", "thinking", "text"]).end();
        rows.event(&EventRow {
            id: Some(id),
            message_id: json.str_at("id"),
            role: Some("assistant"),
            text: block.str_at("thinking").or_else(|| block.str_at("text")),
            extra: self.fields.get(),
            ..self.facts.row(EventType::Thinking, at)
        });
    }

    /// A call `(id, tool, arguments)`.
    pub(super) fn call(
        &mut self,
        json: Json<'_, '_>,
        (call_id, name, input): (Option<&str>, &str, Option<Json<'_, '_>>),
        id: EventId,
        at: At,
        rows: &mut Rows,
    ) {
        let (call, deed) = Call::new(call_id.unwrap_or_default(), name, input);
        let arguments = input.map(content_json);
        rows.event(&EventRow {
            id: Some(id),
            message_id: json.str_at("id"),
            role: Some("assistant"),
            tool_call_id: call_id,
            tool_name: call.name.as_deref(),
            tool_input: arguments.as_deref(),
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            ..self.facts.row(deed.event_type(), at)
        });
        if call_id.is_some() {
            self.calls.open(call);
        }
    }

    fn result(&mut self, json: Json<'_, '_>, block: Json<'_, '_>, id: EventId, at: At, rows: &mut Rows) {
        let call_id = block.str_at("tool_use_id");
        let call = self.calls.close(call_id.unwrap_or_default());
        let content = block.get("content");
        let output = content.and_then(output_text);
        let exit_code = output.as_deref().and_then(exit_code);
        let said = block.get("is_error").or_else(|| block.get("isError")).and_then(Json::as_bool);
        let failed = said.or_else(|| exit_code.map(|code| code != 0));
        let edit = Some(call.added.zip(call.removed)).flatten().filter(|_| failed != Some(true));
        let edit = edit.map(|(added, removed)| Edit { added, removed });
        self.fields.begin().rest(block, &["type", "tool_use_id", "content", "is_error", "isError"]).end();
        rows.event(&EventRow {
            id: Some(id),
            message_id: json.str_at("id"),
            role: Some("tool"),
            tool_call_id: call_id,
            tool_name: call.name.as_deref(),
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            tool_output: output.as_deref(),
            exit_code,
            is_error: failed,
            lines_added: edit.map(|e| e.added),
            lines_removed: edit.map(|e| e.removed),
            extra: self.fields.get(),
            ..self.facts.row(EventType::ToolResult, at)
        });
    }
}

/// Exit code in the first line of a failed command's answer: `Error: Command failed (exit code: 1)`.
fn exit_code(output: &str) -> Option<i32> {
    let first = output.lines().next().filter(|line| line.starts_with("Error: Command failed"))?;
    let (_, rest) = first.split_once("(exit code: ")?;
    rest.split_once(')')?.0.trim().parse().ok()
}
