//! Records of a log.

use serde::{Deserialize, Serialize};

use super::words::{has_word, leading_time, moment};
use crate::adapters::SourceInfo;
use crate::adapters::chat::{At, Facts, Outcome, Records, output_text};
use crate::adapters::clean::content_json;
use crate::adapters::json::Json;
use crate::adapters::kit::content::Content;
use crate::adapters::kit::extra::Extra;
use crate::adapters::time;
use crate::schema::{EventId, EventRow, EventType, Format, Rows, UsageSource};

/// Extra that have a column, or that name the record.
const USED: [&str; 27] = [
    "timestamp",
    "type",
    "message",
    "conversation_id",
    "conversationId",
    "session_id",
    "sessionId",
    "model",
    "prompt",
    "response",
    "tool_name",
    "tool",
    "tool_input",
    "tool_args",
    "tool_output",
    "file_path",
    "file",
    "action",
    "operation",
    "tokens_used",
    "tokens",
    "prompt_tokens",
    "response_tokens",
    "completion_tokens",
    "level",
    "metadata",
    "command",
];

/// A log while its lines are read.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Log {
    facts: Facts,
    /// Id of the record before, and how many like it came in a row.
    before: String,
    repeated: u64,
    #[serde(skip)]
    agent: &'static str,
    #[serde(skip)]
    cursor: bool,
    #[serde(skip)]
    modified_us: i64,
    #[serde(skip)]
    fields: Extra,
}

impl Records for Log {
    fn begin(&mut self, format: Format, info: SourceInfo<'_>) {
        self.agent = format.agent();
        self.cursor = format == Format::LegacyCursor;
        self.modified_us = info.modified_us;
    }

    fn record(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(event_type) = event_type(json) else { return Outcome::Ignored };
        let stamp = json.get("timestamp");
        let said = stamp.and_then(Json::as_str).and_then(moment);
        let number = || stamp.and_then(Json::as_f64).and_then(unix);
        let ts_us = said.map(|(us, _)| us).or_else(number);
        let mut at = self.facts.at(offset, ts_us, self.modified_us);
        at.inferred |= said.is_some_and(|(_, naive)| naive);
        self.tell(event_type, json, at, rows);
        Outcome::Row
    }

    fn plain(&mut self, line: &[u8], offset: u64, rows: &mut Rows) -> Option<Outcome> {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_matches(['\r', '\n', '\0', ' ', '\u{feff}']);
        if !self.cursor || !has_word(text, &["ai", "completion", "prompt", "tool"]) {
            return Some(Outcome::Ignored);
        }
        // A line without a time goes on from the one before it, or is no log line at all.
        let Some(((us, naive), rest)) = leading_time(text) else { return Some(Outcome::Ignored) };
        let at = self.facts.at(offset, Some(us), self.modified_us);
        let id = self.id("line", text.as_bytes());
        self.fields.begin().text("record", "log_line").end();
        rows.event(&EventRow {
            id: Some(id),
            ts_inferred: naive,
            text: Some(rest),
            extra: self.fields.get(),
            turn: None,
            is_subagent: None,
            ..self.facts.row(EventType::System, at)
        });
        Some(Outcome::Row)
    }

    fn last_us(&self) -> Option<i64> {
        self.facts.last_us
    }
}

impl Log {
    /// Id of a record by its content, and by its number among equal neighbours.
    fn id(&mut self, kind: &str, content: &[u8]) -> EventId {
        let plain = EventId::of(self.agent, "legacy", &[kind.as_bytes(), content]).to_string();
        if plain == self.before {
            self.repeated += 1;
        } else {
            self.before = plain;
            self.repeated = 0;
        }
        EventId::of(self.agent, "legacy", &[self.before.as_bytes(), &self.repeated.to_le_bytes()])
    }

    fn tell(&mut self, event_type: EventType, json: Json<'_, '_>, at: At, rows: &mut Rows) {
        let id = self.id("record", Content::of(json).bytes());
        let text = |keys: &[&str]| keys.iter().find_map(|key| json.str_at(key));
        let number = |keys: &[&str]| keys.iter().find_map(|key| json.i64_at(key)).filter(|n| *n > 0);
        let answer = event_type == EventType::LlmResponse;
        let own = match event_type {
            EventType::LlmRequest => text(&["prompt"]),
            EventType::LlmResponse => text(&["response"]),
            _ => None,
        };
        let message = text(&["message"]);
        let (input, output) = (number(&["prompt_tokens"]), number(&["response_tokens", "completion_tokens"]));
        let total = number(&["tokens_used", "tokens"]);
        let call_input = ["tool_input", "tool_args"].iter().find_map(|k| json.get(k)).map(content_json);
        let call_output = json.get("tool_output").and_then(output_text);
        self.fields.begin().rest(json, &USED);
        self.fields.maybe("level", json.get("level")).maybe("action", json.get("action"));
        self.fields.maybe("operation", json.get("operation")).maybe("metadata", json.get("metadata"));
        for (key, column) in [("prompt", EventType::LlmRequest), ("response", EventType::LlmResponse)] {
            if event_type != column {
                self.fields.maybe(key, json.get(key));
            }
        }
        if own.is_some() {
            self.fields.maybe("message", json.get("message"));
        }
        self.fields.end();
        let counted = input.is_some() || output.is_some() || total.is_some();
        let role = match event_type {
            EventType::LlmRequest | EventType::UserInteraction => "user",
            _ => "assistant",
        };
        rows.event(&EventRow {
            id: Some(id),
            session_id: text(&["session_id", "conversation_id", "sessionId", "conversationId"]),
            role: Some(role),
            text: own.or(message),
            model: text(&["model"]).filter(|_| answer || event_type == EventType::LlmRequest),
            tool_name: text(&["tool_name", "tool"]),
            tool_input: call_input.as_deref(),
            tool_output: call_output.as_deref(),
            file_path: text(&["file_path", "file"]),
            command: text(&["command"]),
            input_tokens: input,
            output_tokens: output,
            total_tokens: total,
            usage_source: counted.then_some(UsageSource::Reported),
            extra: self.fields.get(),
            turn: None,
            is_subagent: None,
            ..self.facts.row(event_type, at)
        });
    }
}

/// Microseconds of a Unix time; a fraction is of seconds.
fn unix(number: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the guard keeps it in range")]
    if number.fract() == 0.0 && number.abs() < 9e15 {
        Some(time::unix_us(number as i64))
    } else if number.abs() < 1e11 {
        Some((number * 1e6).round() as i64)
    } else {
        None
    }
}

/// What a record is; `None` when it is a program's own log line.
fn event_type(json: Json<'_, '_>) -> Option<EventType> {
    let kind = json.str_at("type").unwrap_or_default();
    let named = match kind {
        "llm_request" | "prompt" | "completion_request" => Some(EventType::LlmRequest),
        "llm_response" | "completion" | "completion_response" => Some(EventType::LlmResponse),
        "tool_use" | "tool_call" => Some(EventType::ToolUse),
        "file_read" => Some(EventType::FileRead),
        "file_write" => Some(EventType::FileWrite),
        "file_modify" => Some(EventType::FileModify),
        "command_execution" => Some(EventType::CommandExecution),
        "user_interaction" => Some(EventType::UserInteraction),
        "error_encountered" => Some(EventType::ErrorEncountered),
        "session_start" => Some(EventType::SessionStart),
        "session_end" => Some(EventType::SessionEnd),
        _ => None,
    };
    if named.is_some() {
        return named;
    }
    if json.str_at("prompt").is_some() {
        return Some(EventType::LlmRequest);
    }
    if json.str_at("response").is_some() {
        return Some(EventType::LlmResponse);
    }
    if json.str_at("tool_name").or_else(|| json.str_at("tool")).is_some() {
        return Some(EventType::ToolUse);
    }
    let action = json.str_at("action").or_else(|| json.str_at("operation")).unwrap_or_default();
    let message = json.str_at("message").unwrap_or_default();
    if json.str_at("file_path").or_else(|| json.str_at("file")).is_some() {
        if action == "read" || has_word(message, &["read"]) {
            return Some(EventType::FileRead);
        }
        if action == "write" || has_word(message, &["write", "modify"]) {
            return Some(EventType::FileWrite);
        }
    }
    by_words(json, message)
}

/// Words say what a record is only where something else says that it belongs to a conversation.
fn by_words(json: Json<'_, '_>, message: &str) -> Option<EventType> {
    const THREAD: [&str; 3] = ["conversation_id", "session_id", "model"];
    if !THREAD.iter().any(|key| json.str_at(key).is_some()) {
        return None;
    }
    if has_word(message, &["prompt", "request"]) {
        Some(EventType::LlmRequest)
    } else if has_word(message, &["response", "completion"]) {
        Some(EventType::LlmResponse)
    } else {
        has_word(message, &["tool"]).then_some(EventType::ToolUse)
    }
}
