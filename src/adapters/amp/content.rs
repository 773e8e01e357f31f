//! One message of a thread and its blocks.

use super::thread::Thread;
use crate::adapters::chat::{At, Call, Edit, Sink, attachments, joined_text, output_text};
use crate::adapters::clean::content_json;
use crate::adapters::json::Json;
use crate::adapters::time;
use crate::schema::{EventRow, EventType, Status, UsageSource};

/// A message while it is read.
pub(super) struct Message<'t, 's, 'r> {
    pub(super) thread: &'t mut Thread,
    pub(super) sink: &'s mut Sink<'r>,
    pub(super) number: i64,
    pub(super) order: u64,
}

/// Token counts of an answer.
#[derive(Default)]
struct Usage {
    input: Option<i64>,
    output: Option<i64>,
    read: Option<i64>,
    write: Option<i64>,
    total: Option<i64>,
}

impl Message<'_, '_, '_> {
    pub(super) fn decode(&mut self, message: Json<'_, '_>) {
        match message.str_at("role") {
            Some("user") => self.user(message),
            Some("assistant") => self.assistant(message),
            role => self.other(role, message),
        }
        self.thread.asked_by = self.number;
    }

    fn key(&self) -> [u8; 8] {
        self.number.to_le_bytes()
    }

    fn at(&mut self, ts_us: Option<i64>) -> At {
        let modified_us = self.thread.modified_us;
        self.thread.facts.at(self.order, ts_us, modified_us)
    }

    fn user(&mut self, message: Json<'_, '_>) {
        let sent = message.path(&["meta", "sentAt"]).or_else(|| message.get("createdAt")).and_then(Json::as_i64);
        let content = message.get("content").or_else(|| message.get("text"));
        let text = content.and_then(joined_text);
        let has_results = content.is_some_and(|c| c.items().any(|block| block.str_at("type") == Some("tool_result")));
        if text.is_some() || !has_results {
            self.thread.facts.turn += 1;
            let at = self.at(sent.map(time::unix_us));
            let fields = &mut self.thread.fields;
            fields.begin().rest(message, &["role", "messageId", "content", "text", "meta", "createdAt"]);
            if let Some(content) = content {
                attachments(content, fields);
            }
            fields.end();
            let id = self.thread.id("message", &[&self.key()]);
            let number = self.number.to_string();
            let row = EventRow {
                id: Some(id),
                role: Some("user"),
                text: text.as_deref(),
                message_id: Some(&number),
                extra: self.thread.fields.get(),
                completeness: 2,
                ..self.thread.facts.row(EventType::UserInteraction, at)
            };
            self.sink.row(row, false);
        }
        for block in content.into_iter().flat_map(Json::items) {
            if block.str_at("type") == Some("tool_result") {
                self.result(block);
            }
        }
    }

    fn result(&mut self, block: Json<'_, '_>) {
        let Some(call_id) = block.str_at("toolUseID").or_else(|| block.str_at("tool_use_id")) else { return };
        let asked_by = self.thread.asked_by;
        let done = self.thread.traces.iter().find(|t| t.tools && t.message == asked_by).map(|t| t.end_us);
        let at = self.at(done);
        let call = self.thread.calls.close(call_id);
        let run = block.get("run");
        let status = run.and_then(|r| r.str_at("status"));
        let result = run.and_then(|r| r.get("result")).or_else(|| block.get("content"));
        let error = run.and_then(|r| r.get("error"));
        let exit_code = result.and_then(|r| r.i64_at("exitCode")).and_then(|c| i32::try_from(c).ok());
        let refused = matches!(status, Some("error" | "cancelled" | "rejected-by-user"));
        let failed = refused
            || exit_code.is_some_and(|code| code != 0)
            || result.and_then(|r| r.get("success")).and_then(Json::as_bool) == Some(false)
            || block.get("is_error").and_then(Json::as_bool) == Some(true);
        let shown = result.and_then(|r| ["output", "content", "diff"].iter().find_map(|key| r.get(key))).or(result);
        let message = error.and_then(|e| e.str_at("message").map(str::to_owned).or_else(|| output_text(e)));
        let output = shown.and_then(output_text).or(message);
        let diff = result.and_then(|r| r.str_at("diff")).map(Edit::of_diff);
        let edit = diff.or_else(|| Some(Edit { added: call.added?, removed: call.removed? })).filter(|_| !failed);
        let fields = &mut self.thread.fields;
        fields.begin().rest(block, &["type", "toolUseID", "tool_use_id", "run", "content", "is_error"]);
        if let Some(run) = run {
            fields.rest(run, &["status", "result", "error"]);
        }
        if let Some(result) = result.filter(|r| r.is_object()) {
            fields.rest(result, &["output", "content", "diff", "exitCode"]);
        }
        fields.end();
        let id = self.thread.id("tool_result", &[call_id.as_bytes()]);
        let open = matches!(status, Some("in-progress" | "queued" | "blocked-on-user" | "cancelation-requested"));
        let row = EventRow {
            id: Some(id),
            role: Some("tool"),
            tool_call_id: Some(call_id),
            tool_name: call.name.as_deref(),
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            tool_output: output.as_deref(),
            exit_code,
            is_error: Some(failed),
            status: status.map(Status::of),
            lines_added: edit.map(|e| e.added),
            lines_removed: edit.map(|e| e.removed),
            extra: self.thread.fields.get(),
            completeness: 2,
            ..self.thread.facts.row(EventType::ToolResult, at)
        };
        self.sink.row(row, open);
    }

    fn assistant(&mut self, message: Json<'_, '_>) {
        let usage = message.get("usage").filter(|u| u.is_object());
        let said = usage.and_then(|u| u.str_at("timestamp")).and_then(time::rfc3339_us);
        let sent = message.path(&["meta", "sentAt"]).or_else(|| message.get("createdAt")).and_then(Json::as_i64);
        let at = self.at(said.or_else(|| sent.map(time::unix_us)));
        let state = message.get("state");
        let state_type = state.and_then(|s| s.str_at("type"));
        let open = matches!(state_type, Some("streaming" | "pending" | "in-progress"));
        let content = message.get("content").or_else(|| message.get("text"));
        self.answer(message, usage, at, open);
        for (index, block) in content.into_iter().flat_map(Json::items).enumerate() {
            match block.str_at("type") {
                Some("thinking") => self.thinking(block, index, at, open),
                Some("tool_use") => self.call(block, at, open),
                _ => {}
            }
        }
    }

    fn answer(&mut self, message: Json<'_, '_>, usage: Option<Json<'_, '_>>, at: At, open: bool) {
        let content = message.get("content").or_else(|| message.get("text"));
        let text = content.and_then(joined_text).filter(|t| !t.trim().is_empty());
        let provider = content.into_iter().flat_map(Json::items).find_map(|block| block.str_at("provider"));
        let model = usage.and_then(|u| u.str_at("model"));
        let billed = self.thread.ledger.iter().find(|b| b.message == Some(self.number));
        let credits = billed.and_then(|b| b.nano_credits);
        let counted = match (usage, billed) {
            (Some(usage), _) => counts(usage, model),
            (None, Some(b)) => Usage { input: b.input, output: b.output, total: b.total, ..Usage::default() },
            (None, None) => Usage::default(),
        };
        let spoken = [counted.input, counted.output, counted.read, counted.write, counted.total];
        let state = message.get("state");
        let duration_ms = self.thread.traces.iter().find_map(|trace| {
            let own = !trace.tools && !at.inferred && (0..2_000_000).contains(&(trace.end_us - at.ts_us));
            own.then_some((trace.end_us - trace.start_us) / 1000)
        });
        let fields = &mut self.thread.fields;
        fields.begin().rest(message, &["role", "messageId", "content", "text", "usage", "state", "meta", "createdAt"]);
        if let Some(usage) = usage {
            const USED: [&str; 7] = [
                "model",
                "inputTokens",
                "outputTokens",
                "cacheCreationInputTokens",
                "cacheReadInputTokens",
                "totalInputTokens",
                "timestamp",
            ];
            fields.rest(usage, &USED);
        }
        if let Some(state) = state {
            fields.rest(state, &["type", "stopReason"]);
        }
        if let Some(content) = content {
            attachments(content, fields);
        }
        fields.end();
        let id = self.thread.id("message", &[&self.key()]);
        let number = self.number.to_string();
        let row = EventRow {
            id: Some(id),
            role: Some("assistant"),
            text: text.as_deref(),
            message_id: Some(&number),
            provider,
            model,
            status: state.and_then(|s| s.str_at("type")).map(Status::of),
            stop_reason: state.and_then(|s| s.str_at("stopReason")),
            input_tokens: counted.input,
            output_tokens: counted.output,
            cache_read_tokens: counted.read,
            cache_write_5m_tokens: counted.write,
            total_tokens: counted.total,
            usage_source: spoken.iter().any(Option::is_some).then_some(UsageSource::Reported),
            nano_credits: credits,
            duration_ms,
            extra: self.thread.fields.get(),
            completeness: 2,
            ..self.thread.facts.row(EventType::LlmResponse, at)
        };
        self.sink.row(row, open);
    }

    fn thinking(&mut self, block: Json<'_, '_>, index: usize, at: At, open: bool) {
        self.thread.fields.begin().rest(block, &["type", "thinking", "provider"]).end();
        let id = self.thread.id("thinking", &[&self.key(), &index.to_le_bytes()]);
        let row = EventRow {
            id: Some(id),
            role: Some("assistant"),
            text: block.str_at("thinking"),
            provider: block.str_at("provider"),
            extra: self.thread.fields.get(),
            completeness: 2,
            ..self.thread.facts.row(EventType::Thinking, at)
        };
        self.sink.row(row, open);
    }

    fn call(&mut self, block: Json<'_, '_>, at: At, open: bool) {
        let Some(call_id) = block.str_at("id") else { return };
        let name = block.str_at("name").unwrap_or_default();
        let input = block.get("input");
        let (call, deed) = Call::new(call_id, name, input);
        let open = open || block.get("complete").and_then(Json::as_bool) == Some(false);
        let json = input.map(content_json);
        self.thread.fields.begin().rest(block, &["type", "id", "name", "input", "complete"]).end();
        let id = self.thread.id("tool", &[call_id.as_bytes()]);
        let row = EventRow {
            id: Some(id),
            role: Some("assistant"),
            tool_call_id: Some(call_id),
            tool_name: call.name.as_deref(),
            tool_input: json.as_deref(),
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            extra: self.thread.fields.get(),
            completeness: 2,
            ..self.thread.facts.row(deed.event_type(), at)
        };
        self.sink.row(row, open);
        self.thread.calls.open(call);
    }

    fn other(&mut self, role: Option<&str>, message: Json<'_, '_>) {
        let known = matches!(role, Some("info" | "system"));
        if !known {
            self.sink.unknown();
        }
        let at = self.at(None);
        let text = message.get("content").and_then(joined_text);
        self.thread.fields.begin().rest(message, &["role", "messageId", "content"]);
        if let Some(content) = message.get("content") {
            if text.is_none() {
                self.thread.fields.maybe("content", Some(content));
            } else {
                attachments(content, &mut self.thread.fields);
            }
        }
        self.thread.fields.end();
        let id = self.thread.id("message", &[&self.key()]);
        let row = EventRow {
            id: Some(id),
            role,
            text: text.as_deref(),
            extra: self.thread.fields.get(),
            completeness: 2,
            ..self.thread.facts.row(if known { EventType::System } else { EventType::Unknown }, at)
        };
        self.sink.row(row, false);
    }
}

fn counts(usage: Json<'_, '_>, model: Option<&str>) -> Usage {
    let tokens = |key: &str| usage.i64_at(key).filter(|n| *n >= 0);
    let (input, write) = (tokens("inputTokens"), tokens("cacheCreationInputTokens"));
    let (output, read) = (tokens("outputTokens"), tokens("cacheReadInputTokens"));
    if model.is_some_and(|model| model.starts_with("gpt-")) {
        let fresh = (input.is_some() || write.is_some()).then(|| input.unwrap_or(0).saturating_add(write.unwrap_or(0)));
        return Usage { input: fresh, output, read, ..Usage::default() };
    }
    Usage { input, output, read, write, total: None }
}
