//! The extension's span store, `agent-traces.db`: the only place with the usage of each model call.
//!
//! - only `chat` spans are calls; an `invoke_agent` span repeats the sums of its children
//! - a span is inserted when it is complete, so rows are settled; spans older than a week are deleted
//! - `conversation_id` of a chat span is the extension's id of the turn, which a session keeps as
//!   `result.metadata.responseId`; helper calls (titles, progress messages) have ids of their own.
//!   The calls of a turn are numbered in the order of their ends; the first one takes the place of the
//!   session's partial figure
//! - `input_tokens` includes what was read from and written to the cache
//! - prompts and tool definitions (26 and 67 kB a call) repeat what the session files hold, and are left
//!   out; what the model said stands in `extra`, for the session's answer is the row that has it
//!
//! Source: vscode-copilot-chat `otelSqliteStore.ts`, schema version 1.

use std::cell::RefCell;

use super::clean::extra;
use super::ids::{self, MEASURED};
use super::place::Place;
use super::{AGENT, session};
use crate::adapters::json::{Json, ObjectWriter};
use crate::adapters::line::Parser;
use crate::adapters::{DatabaseDecoder, SourceInfo, Taken, UnknownSchema};
use crate::schema::{EventId, EventRow, EventType, Query, Record, RejectReason, Rows, Status, Tables, TokenUsage};

/// Columns of `spans` after row id and mark, in this order.
const COLUMNS: [&str; 18] = [
    "span_id",
    "trace_id",
    "parent_span_id",
    "name",
    "start_time_ms",
    "end_time_ms",
    "status_code",
    "status_message",
    "provider_name",
    "agent_name",
    "conversation_id",
    "request_model",
    "response_model",
    "input_tokens",
    "output_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "chat_session_id",
];

/// Attributes that follow them.
const ATTRIBUTES: [&str; 9] = [
    "gen_ai.output.messages",
    "gen_ai.response.finish_reasons",
    "gen_ai.response.id",
    "copilot_chat.parent_chat_session_id",
    "copilot_chat.debug_log_label",
    "gen_ai.usage.cache_creation.input_tokens",
    "copilot_chat.server_request_id",
    "gen_ai.request.max_tokens",
    "gen_ai.request.temperature",
];

/// Where the further columns are: attributes, then these.
const FIRST_ATTRIBUTE: usize = COLUMNS.len();
const ORDINAL: usize = FIRST_ATTRIBUTE + ATTRIBUTES.len();
const FIRST_TOKEN_MS: usize = ORDINAL + 1;
const TURN_INDEX: usize = ORDINAL + 2;

/// Decodes chat spans.
#[derive(Debug)]
pub(super) struct SpanDecoder {
    place: Place,
    inner: RefCell<Parser>,
}

impl SpanDecoder {
    /// A decoder for the database at `info.path`.
    #[must_use]
    pub(super) fn new(info: SourceInfo<'_>) -> Self {
        Self { place: Place::new(info), inner: RefCell::default() }
    }
}

impl DatabaseDecoder for SpanDecoder {
    fn queries(&mut self, tables: &Tables) -> Result<Vec<Query>, UnknownSchema> {
        for column in ["span_id", "operation_name", "start_time_ms"] {
            if !tables.has_column("spans", column) {
                let detail =
                    format!("no table spans with {column}; agent-traces.db of Copilot Chat 0.40 or later has it");
                return Err(UnknownSchema { detail });
            }
        }
        let mut select: Vec<String> = COLUMNS.iter().map(|c| tables.column_or_null("spans", "s", c)).collect();
        let has_attributes = tables.has_column("span_attributes", "value");
        select.extend(ATTRIBUTES.iter().map(|key| match has_attributes {
            true => format!("(SELECT a.value FROM span_attributes a WHERE a.span_id = s.span_id AND a.key = '{key}')"),
            false => "NULL".to_owned(),
        }));
        let numbered = tables.has_column("spans", "conversation_id") && tables.has_column("spans", "output_tokens");
        select.push(match numbered {
            true => "(SELECT count(*) FROM spans e WHERE e.conversation_id = s.conversation_id \
                     AND e.operation_name = 'chat' AND e.output_tokens IS NOT NULL AND e.rowid < s.rowid)"
                .to_owned(),
            false => "NULL".to_owned(),
        });
        select.extend(["ttft_ms", "turn_index"].map(|c| tables.column_or_null("spans", "s", c)));
        let sql = format!(
            "SELECT s.rowid, 0, {} FROM spans s WHERE s.rowid > :rowid AND s.operation_name = 'chat' ORDER BY s.rowid",
            select.join(", ")
        );
        let anchor = Some("SELECT span_id FROM spans WHERE rowid = :rowid".to_owned());
        Ok(vec![Query { name: "chat", sql, anchor }])
    }

    fn record(&mut self, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
        let Some(span_id) = record.text(0) else {
            let detail = "a span without an id";
            rows.reject(record.offset(), record.size() as u64, RejectReason::WrongShape, detail, &[]);
            return Taken::Rejected;
        };
        let text: Vec<_> = (0..ORDINAL).map(|at| record.text(at)).collect();
        let word = |at: usize| text.get(at).and_then(|t| t.as_deref());
        let attribute = |at: usize| word(FIRST_ATTRIBUTE + at);
        let started = record.value(4).real().and_then(micros);
        let ended = record.value(5).real().and_then(micros);
        let count = |at: usize| record.integer(at).filter(|n| *n >= 0);
        let (output, cached) = (count(14), count(15));
        let written = record.integer(FIRST_ATTRIBUTE + 5).filter(|n| *n > 0);
        let tokens = TokenUsage::inclusive(count(13), cached, written, output).thoughts_within(count(16));
        let turn_id = word(10).filter(|_| output.is_some());
        let id = match (turn_id, record.integer(ORDINAL)) {
            (Some(turn), Some(nth)) => ids::usage(turn, u64::try_from(nth).unwrap_or(0)),
            _ => EventId::of(AGENT, "span", &[span_id.as_bytes()]),
        };
        let parent = attribute(3);
        let session_id = word(17).or(parent);
        let failed = record.integer(6) == Some(2);
        let stop = attribute(1).and_then(|reasons| reasons.split('"').nth(1));
        let facts = extra(|writer| self.facts(record, &word, writer));
        rows.event(&EventRow {
            id: Some(id),
            // A session's figure for the call has another time.
            ts_inferred: true,
            ts_us: started.unwrap_or(self.place.modified_us),
            event_type: EventType::LlmResponse,
            provisional,
            provider: word(8),
            model: word(11).or(word(12)),
            workspace_id: self.place.workspace_id.as_deref(),
            session_id,
            parent_session_id: parent.filter(|p| Some(*p) != session_id),
            is_subagent: (parent.is_some() && word(17).is_some() && parent != word(17)).then_some(true),
            role: Some("assistant"),
            message_id: attribute(2),
            request_id: word(10),
            text: None,
            is_error: failed.then_some(true),
            status: failed.then_some(Status::Failed),
            stop_reason: stop,
            duration_ms: started.zip(ended).map(|(start, end)| (end - start).max(0) / 1_000),
            source_offset: record.offset(),
            completeness: MEASURED,
            extra: facts.as_deref(),
            ..tokens.on(EventRow::default())
        });
        Taken::Rows
    }
}

impl SpanDecoder {
    fn facts<'r>(&self, record: &Record<'_>, word: &impl Fn(usize) -> Option<&'r str>, writer: &mut ObjectWriter<'_>) {
        let named = [
            ("span_id", 0),
            ("trace_id", 1),
            ("parent_span_id", 2),
            ("name", 3),
            ("status_message", 7),
            ("agent_name", 9),
            ("response_model", 12),
            ("debug_log_label", FIRST_ATTRIBUTE + 4),
            ("server_request_id", FIRST_ATTRIBUTE + 6),
            ("max_tokens", FIRST_ATTRIBUTE + 7),
            ("temperature", FIRST_ATTRIBUTE + 8),
        ];
        for (key, at) in named {
            word(at).into_iter().for_each(|value| writer.text(key, value));
        }
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a wait")]
        record.value(FIRST_TOKEN_MS).real().into_iter().for_each(|ms| writer.number("first_token_ms", ms as i64));
        record.integer(TURN_INDEX).into_iter().for_each(|index| writer.number("turn_index", index));
        let mut said = Said::default();
        if let Some(messages) = word(FIRST_ATTRIBUTE) {
            // Messages that were cut off at the exporter's limit are no JSON; what they said is kept.
            if self.inner.borrow_mut().each(messages.as_bytes(), |json| said = Said::of(json)).is_err() {
                messages.clone_into(&mut said.text);
            }
        }
        if !said.text.is_empty() {
            writer.text("output", &said.text);
        }
        if !said.calls.is_empty() {
            writer.with("tool_calls", |out| out.push_str(&serde_json::to_string(&said.calls).unwrap_or_default()));
        }
    }
}

/// What messages in OpenTelemetry's form say.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub(super) text: String,
    /// Ids of the tool calls.
    pub(super) calls: Vec<String>,
}

impl Said {
    /// `[{role, parts: [{type: text, content} | {type: tool_call, id, name, arguments}]}]`.
    pub(super) fn of(messages: Json<'_, '_>) -> Self {
        let mut said = Self::default();
        for part in messages.items().flat_map(|m| m.get("parts").into_iter().flat_map(Json::items)) {
            if part.str_at("type") == Some("tool_call") {
                said.calls.extend(part.str_at("id").map(|id| ids::bare_call(id).to_owned()));
            } else if let Some(text) = part.str_at("content") {
                if !said.text.is_empty() {
                    said.text.push_str("\n\n");
                }
                said.text.push_str(text);
            }
        }
        said
    }
}

/// Microseconds of a time in milliseconds with a fraction.
fn micros(ms: f64) -> Option<i64> {
    #[expect(clippy::cast_possible_truncation, reason = "the guard keeps it in range")]
    (ms.is_finite() && ms > 0.0 && ms < 9e15).then_some((ms * 1_000.0) as i64)
}

/// Microseconds of a time in nanoseconds, as OTLP has it: a number or a text of digits.
pub(super) fn of_nanos(value: Json<'_, '_>) -> Option<i64> {
    let nanos = value.as_str().and_then(|t| t.parse::<i64>().ok()).or_else(|| value.as_i64());
    nanos.filter(|n| *n > 0).map(|n| n / 1_000).or_else(|| session::when(value))
}
