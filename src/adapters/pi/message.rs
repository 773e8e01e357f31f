//! Messages of a session: prompts, answers, results.

use super::entry::{Entry, Session};
use crate::adapters::chat::{Call, Deed, Edit, Outcome, attachments, joined_text, output_text};
use crate::adapters::clean::content_json;
use crate::adapters::json::Json;
use crate::adapters::kit::content::Content;
use crate::adapters::kit::extra::Extra;
use crate::adapters::money::nano;
use crate::schema::{EventId, EventRow, EventType, Rows, Status, TokenUsage, UsageSource};

/// What an answer took.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Usage {
    input: Option<i64>,
    output: Option<i64>,
    read: Option<i64>,
    write_5m: Option<i64>,
    write_1h: Option<i64>,
    reasoning: Option<i64>,
    nano_usd: Option<i64>,
}

impl Usage {
    /// The row with these numbers.
    pub(super) fn on(self, row: EventRow<'_>) -> EventRow<'_> {
        let usage = TokenUsage::disjoint(self.input, self.read, self.write_5m, self.output);
        let row = usage.thoughts_within(self.reasoning).on(row);
        EventRow {
            cache_write_1h_tokens: self.write_1h,
            usage_source: row.usage_source.or_else(|| self.write_1h.map(|_| UsageSource::Reported)),
            cost_nano_usd: self.nano_usd,
            ..row
        }
    }
}

/// Id of a message; its parts have ids made from it.
#[derive(Clone, Copy)]
struct Key(EventId);

impl Key {
    fn part(self, agent: &str, kind: &str, index: usize) -> EventId {
        EventId::of(agent, kind, &[&self.0.0.to_be_bytes(), &index.to_le_bytes()])
    }
}

impl Session {
    pub(super) fn message(
        &mut self,
        json: Json<'_, '_>,
        message: Json<'_, '_>,
        entry: &Entry<'_>,
        rows: &mut Rows,
    ) -> Outcome {
        let key = self.key(message, entry);
        match message.str_at("role") {
            Some("user") => self.prompt(message, key, entry, rows),
            Some("assistant") => self.answer(message, key, entry, rows),
            Some("toolResult" | "tool") => self.result(message, key, entry, rows),
            Some("bashExecution" | "pythonExecution") => self.command(message, key, entry, rows),
            Some(
                role @ ("custom" | "hookMessage" | "developer" | "system" | "fileMention" | "branchSummary"
                | "compactionSummary"),
            ) => self.aside(role, message, key, entry, rows),
            role => {
                rows.counts().unknown_types += 1;
                self.note(EventType::Unknown, role.unwrap_or("message"), json, entry, rows)
            }
        }
    }

    fn key(&self, message: Json<'_, '_>, entry: &Entry<'_>) -> Key {
        let timestamp = message.get("timestamp");
        let said = timestamp.map(Content::of).unwrap_or_default();
        let text = message.get("content").and_then(joined_text);
        let text = text.as_deref().or_else(|| message.str_at("command")).unwrap_or_default();
        let call = message.str_at("toolCallId").or_else(|| first_call(message)).unwrap_or_default();
        let role = message.str_at("role").unwrap_or_default();
        // Without any time there is nothing but the session and the entry.
        let timeless = entry.stamp.is_empty() && timestamp.is_none();
        let place = entry.at.offset.to_string();
        let (session, own) = if timeless { (self.facts.session(), entry.id.unwrap_or(&place)) } else { ("", "") };
        let [stamp, role, call, text, session, own] = [entry.stamp, role, call, text, session, own].map(str::as_bytes);
        Key(EventId::of(self.agent, "message", &[stamp, said.bytes(), role, call, text, session, own]))
    }

    fn prompt(&mut self, message: Json<'_, '_>, key: Key, entry: &Entry<'_>, rows: &mut Rows) -> Outcome {
        let content = message.get("content");
        let text = content.and_then(joined_text);
        let human = message.get("synthetic").and_then(Json::as_bool) != Some(true);
        if human {
            self.facts.turn += 1;
        }
        self.fields.begin().rest(message, &["role", "content", "timestamp"]);
        if let Some(content) = content {
            attachments(content, &mut self.fields);
        }
        self.fields.end();
        rows.event(&EventRow {
            id: Some(key.0),
            message_id: entry.id,
            parent_event_id: entry.parent,
            role: Some("user"),
            text: text.as_deref(),
            extra: self.fields.get(),
            ..self.facts.row(if human { EventType::UserInteraction } else { EventType::System }, entry.at)
        });
        Outcome::Row
    }

    fn answer(&mut self, message: Json<'_, '_>, key: Key, entry: &Entry<'_>, rows: &mut Rows) -> Outcome {
        const USED: [&str; 12] = [
            "role",
            "content",
            "timestamp",
            "usage",
            "provider",
            "model",
            "stopReason",
            "responseId",
            "errorMessage",
            "duration",
            "api",
            "ttft",
        ];
        let content = message.get("content");
        let text = content.and_then(joined_text);
        let error = message.str_at("errorMessage");
        let stop = message.str_at("stopReason");
        self.fields.begin().rest(message, &USED);
        self.fields.maybe("api", message.get("api")).maybe("ttft", message.get("ttft"));
        self.fields.maybe("errorMessage", message.get("errorMessage"));
        let usage = message.get("usage").filter(|u| u.is_object()).map(|usage| self.usage(usage)).unwrap_or_default();
        if let Some(content) = content {
            attachments(content, &mut self.fields);
        }
        self.fields.end();
        let model = message.str_at("model").or(self.facts.model.as_deref());
        let provider = message.str_at("provider").or(self.facts.provider.as_deref());
        let row = EventRow {
            id: Some(key.0),
            message_id: entry.id,
            parent_event_id: entry.parent,
            request_id: message.str_at("responseId"),
            role: Some("assistant"),
            text: text.as_deref(),
            model,
            provider,
            stop_reason: stop,
            is_error: (error.is_some() || stop == Some("error")).then_some(true),
            duration_ms: message.get("duration").and_then(Json::as_i64),
            extra: self.fields.get(),
            ..self.facts.row(EventType::LlmResponse, entry.at)
        };
        rows.event(&usage.on(row));
        for (index, block) in content.into_iter().flat_map(Json::items).enumerate() {
            match block.str_at("type") {
                Some("thinking") => self.thinking(block, key.part(self.agent, "thinking", index), entry, rows),
                Some("toolCall" | "tool_use") => {
                    self.call(block, key.part(self.agent, "tool", index), entry, rows);
                }
                _ => {}
            }
        }
        Outcome::Row
    }

    fn thinking(&mut self, block: Json<'_, '_>, id: EventId, entry: &Entry<'_>, rows: &mut Rows) {
        self.fields.begin().rest(block, &["type", "thinking", "text"]).end();
        rows.event(&EventRow {
            id: Some(id),
            message_id: entry.id,
            role: Some("assistant"),
            text: block.str_at("thinking").or_else(|| block.str_at("text")),
            extra: self.fields.get(),
            ..self.facts.row(EventType::Thinking, entry.at)
        });
    }

    fn call(&mut self, block: Json<'_, '_>, id: EventId, entry: &Entry<'_>, rows: &mut Rows) {
        let input = block.get("arguments").or_else(|| block.get("input"));
        let call_id = block.str_at("id").unwrap_or_default();
        let (call, deed) = Call::new(call_id, block.str_at("name").unwrap_or_default(), input);
        let json = input.map(content_json);
        self.fields.begin().rest(block, &["type", "id", "name", "arguments", "input"]).end();
        rows.event(&EventRow {
            id: Some(id),
            message_id: entry.id,
            role: Some("assistant"),
            tool_call_id: Some(call_id).filter(|id| !id.is_empty()),
            tool_name: call.name.as_deref(),
            tool_input: json.as_deref(),
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            extra: self.fields.get(),
            ..self.facts.row(deed.event_type(), entry.at)
        });
        if !call_id.is_empty() {
            self.calls.open(call);
        }
    }

    fn result(&mut self, message: Json<'_, '_>, key: Key, entry: &Entry<'_>, rows: &mut Rows) -> Outcome {
        let call_id = message.str_at("toolCallId").unwrap_or_default();
        let call = self.calls.close(call_id);
        let failed = message.get("isError").and_then(Json::as_bool);
        let content = message.get("content");
        let output = content.and_then(|c| joined_text(c).or_else(|| output_text(c)));
        let details = message.get("details");
        let diff = details.and_then(|d| d.str_at("diff").or_else(|| d.str_at("patch"))).map(Edit::of_diff);
        let planned = || Some(Edit { added: call.added?, removed: call.removed? });
        let edit = diff.or_else(planned).filter(|_| failed != Some(true));
        let told = output.as_deref().and_then(|o| o.rsplit_once("exited with code ")).map(|(_, code)| code.trim());
        let reported = details.and_then(|d| d.i64_at("exitCode")).and_then(|c| i32::try_from(c).ok());
        let exit_code = reported.or_else(|| told.and_then(|code| code.parse().ok()));
        self.fields.begin().rest(message, &["role", "content", "timestamp", "toolCallId", "toolName", "isError"]);
        if let Some(content) = content {
            attachments(content, &mut self.fields);
        }
        self.fields.end();
        rows.event(&EventRow {
            id: Some(key.0),
            message_id: entry.id,
            parent_event_id: entry.parent,
            role: Some("tool"),
            tool_call_id: Some(call_id).filter(|id| !id.is_empty()),
            tool_name: call.name.as_deref().or_else(|| message.str_at("toolName")),
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            tool_output: output.as_deref(),
            exit_code: exit_code.filter(|_| call.command.is_some()),
            is_error: failed,
            lines_added: edit.map(|e| e.added),
            lines_removed: edit.map(|e| e.removed),
            extra: self.fields.get(),
            ..self.facts.row(EventType::ToolResult, entry.at)
        });
        Outcome::Row
    }

    /// A command that the user ran: a call and its result in one message.
    fn command(&mut self, message: Json<'_, '_>, key: Key, entry: &Entry<'_>, rows: &mut Rows) -> Outcome {
        let role = message.str_at("role").unwrap_or_default();
        let command = message.str_at("command").or_else(|| message.str_at("code"));
        let call_id = format!("user:{}", key.0);
        let exit_code = message.i64_at("exitCode").and_then(|c| i32::try_from(c).ok());
        let cancelled = message.get("cancelled").and_then(Json::as_bool) == Some(true);
        let call = EventRow {
            message_id: entry.id,
            parent_event_id: entry.parent,
            tool_call_id: Some(&call_id),
            tool_name: Some(role),
            command,
            ..self.facts.row(Deed::Command.event_type(), entry.at)
        };
        rows.event(&EventRow { id: Some(key.0), role: Some("user"), ..call });
        self.fields
            .begin()
            .rest(message, &["role", "command", "code", "output", "exitCode", "cancelled", "timestamp"])
            .end();
        rows.event(&EventRow {
            id: Some(key.part(self.agent, "result", 0)),
            event_type: EventType::ToolResult,
            role: Some("tool"),
            tool_output: message.get("output").and_then(Json::as_str),
            exit_code,
            is_error: Some(cancelled || exit_code.is_some_and(|code| code != 0)),
            status: cancelled.then_some(Status::Cancelled),
            extra: self.fields.get(),
            ..call
        });
        Outcome::Row
    }

    /// A message that neither a person nor the model wrote.
    fn aside(&mut self, role: &str, message: Json<'_, '_>, key: Key, entry: &Entry<'_>, rows: &mut Rows) -> Outcome {
        let content = message.get("content").or_else(|| message.get("summary"));
        let text = content.and_then(joined_text);
        self.fields.begin().text("record", role).rest(message, &["role", "content", "summary", "timestamp"]);
        if let Some(content) = content {
            attachments(content, &mut self.fields);
        }
        self.fields.end();
        let event_type = if role.ends_with("Summary") { EventType::Compaction } else { EventType::System };
        rows.event(&EventRow {
            id: Some(key.0),
            message_id: entry.id,
            parent_event_id: entry.parent,
            role: Some("system"),
            text: text.as_deref(),
            extra: self.fields.get(),
            ..self.facts.row(event_type, entry.at)
        });
        Outcome::Row
    }

    /// Reads token counts; what has no column goes to `extra`.
    pub(super) fn usage(&mut self, usage: Json<'_, '_>) -> Usage {
        const USED: [&str; 10] = [
            "input",
            "output",
            "cacheRead",
            "cacheWrite",
            "cacheWrite1h",
            "reasoning",
            "reasoningTokens",
            "totalTokens",
            "cost",
            "cache",
        ];
        let tokens = |key: &str| usage.i64_at(key).filter(|n| *n >= 0);
        let cache = |key: &str| usage.path(&["cache", key]).and_then(Json::as_i64).filter(|n| *n >= 0);
        let write = tokens("cacheWrite").or_else(|| cache("write"));
        let write_1h = tokens("cacheWrite1h");
        let cost = usage.path(&["cost", "total"]).and_then(Json::as_f64);
        let counted = Usage {
            input: tokens("input"),
            output: tokens("output"),
            read: tokens("cacheRead").or_else(|| cache("read")),
            write_5m: write.map(|all| all.saturating_sub(write_1h.unwrap_or(0)).max(0)),
            write_1h,
            reasoning: tokens("reasoning").or_else(|| tokens("reasoningTokens")),
            nano_usd: cost.filter(|c| *c > 0.0).and_then(nano),
        };
        let parts = [counted.input, counted.output, counted.read, write];
        if parts.iter().all(|part| part.unwrap_or(0) == 0) {
            return Usage::default();
        }
        let rest = usage.entries().any(|(key, _)| !USED.contains(&key));
        if rest {
            let mut inner = Extra::default();
            if let Some(text) = inner.rest(usage, &USED).end() {
                self.fields.raw("usage", text);
            }
        }
        counted
    }
}

fn first_call<'i>(message: Json<'_, 'i>) -> Option<&'i str> {
    let blocks = message.get("content")?;
    blocks.items().find(|block| block.str_at("type") == Some("toolCall"))?.str_at("id")
}
