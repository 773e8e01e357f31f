//! Traces of Copilot in Visual Studio, `*_VSGitHubCopilot_traces.jsonl`, and of the editor's extension where
//! its user exports them: one OTLP object a line, each with one or more spans.
//!
//! - `invoke_agent` is a prompt of the user's, below another span a sub-agent's; what it repeats of its
//!   calls, usage and answer, is theirs
//! - `chat` is a model call, `execute_tool` a tool call with its result, `execute_hook` a hook
//! - ids are those of the spans; a tool call's id repeats from session to session, a span's does not

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::AGENT;
use super::clean::extra;
use super::ids::MEASURED;
use super::place::Place;
use super::spans::{Said, of_nanos};
use super::tool::{Arguments, kind_of};
use crate::adapters::json::{Json, ObjectWriter};
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows, Status, TokenUsage, hash64};

/// Attributes that are columns, or prompts as they were rendered for the model.
const USED: [&str; 20] = [
    "gen_ai.conversation.id",
    "gen_ai.operation.name",
    "gen_ai.provider.name",
    "gen_ai.request.model",
    "gen_ai.response.model",
    "gen_ai.response.id",
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.reasoning_tokens",
    "gen_ai.tool.name",
    "gen_ai.tool.call.id",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.tool.description",
    "gen_ai.tool.definitions",
    "gen_ai.system_instructions",
    "gen_ai.input.messages",
    "gen_ai.output.messages",
];

/// What later spans need to know.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    /// Prompts by session.
    turns: BTreeMap<String, i32>,
    /// What was said in a trace, as hashes: by its calls, and as answers of its turns, with their spans.
    said: BTreeMap<String, Heard>,
}

/// What was said in one trace.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Heard {
    calls: Vec<u64>,
    turns: Vec<(String, u64)>,
}

/// Decodes one file of traces.
#[derive(Debug)]
pub(super) struct TraceDecoder {
    parser: Parser,
    inner: std::cell::RefCell<Parser>,
    place: Place,
    state: State,
    read_to: u64,
    last_us: Option<i64>,
}

impl TraceDecoder {
    /// Starts where `checkpoint` says; at byte 0 without one.
    #[must_use]
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        Self {
            parser: Parser::default(),
            inner: std::cell::RefCell::default(),
            place: Place::new(info),
            state: checkpoint.and_then(|c| serde_json::from_str(&c.state).ok()).unwrap_or_default(),
            read_to: checkpoint.map_or(0, |c| c.high_water),
            last_us: None,
        }
    }

    fn object(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(resources) = json.get("resourceSpans").filter(|r| r.is_array()) else {
            // Logs and metrics of the same exporter.
            let other = json.get("resourceLogs").or_else(|| json.get("resourceMetrics"));
            return if other.is_some() { Outcome::Ignored } else { Outcome::Wrong };
        };
        let mut outcome = Outcome::Ignored;
        for resource in resources.items() {
            let about = Attributes::of(resource.get("resource"));
            let scopes = resource.get("scopeSpans").or_else(|| resource.get("instrumentationLibrarySpans"));
            let spans = scopes.into_iter().flat_map(Json::items).filter_map(|s| s.get("spans"));
            for span in spans.flat_map(Json::items) {
                outcome = outcome.max(self.span(span, &about, offset, rows));
            }
        }
        outcome
    }

    fn span(&mut self, span: Json<'_, '_>, about: &Attributes, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(span_id) = span.str_at("spanId") else { return Outcome::Wrong };
        let own = Attributes::of(Some(span));
        let started = span.get("startTimeUnixNano").and_then(of_nanos);
        let ended = span.get("endTimeUnixNano").and_then(of_nanos);
        self.last_us = self.last_us.max(ended).max(started);
        let session = own.text("gen_ai.conversation.id").unwrap_or_default();
        let operation = own.text("gen_ai.operation.name").unwrap_or_default();
        let is_top = span.str_at("parentSpanId").is_none_or(|parent| parent.bytes().all(|b| b == b'0'));
        if operation == "invoke_agent" && is_top {
            *self.state.turns.entry(session.to_owned()).or_default() += 1;
        }
        let failed = span.get("status").and_then(|s| s.i64_at("code")) == Some(2);
        let trace_id = span.str_at("traceId").unwrap_or_default();
        let facts = extra(|writer| facts(span, &own, about, writer));
        let shared = Shared { id_of: &|kind| span_event(kind, trace_id, span_id), span_id, trace_id };
        let base = EventRow {
            ts_us: started.or(self.last_us).unwrap_or(self.place.modified_us),
            ts_inferred: started.is_none(),
            agent_version: about.text("service.version"),
            provider: own.text("gen_ai.provider.name").filter(|p| *p != "other"),
            session_id: Some(session).filter(|s| !s.is_empty()),
            turn: self.state.turns.get(session).copied(),
            parent_event_id: span.str_at("parentSpanId"),
            message_id: own.text("gen_ai.response.id"),
            is_error: failed.then_some(true),
            duration_ms: started.zip(ended).map(|(start, end)| (end - start).max(0) / 1_000),
            source_offset: offset,
            completeness: MEASURED,
            extra: facts.as_deref(),
            ..EventRow::default()
        };
        match operation {
            "invoke_agent" => {
                self.prompt(&own, EventRow { is_subagent: (!is_top).then_some(true), ..base }, &shared, rows)
            }
            "chat" => self.chat(&own, base, &shared, rows),
            "execute_tool" => self.tool(&own, base, ended, &shared, rows),
            "execute_hook" => {
                rows.event(&EventRow { id: Some((shared.id_of)("hook")), event_type: EventType::Hook, ..base })
            }
            _ => {
                rows.event(&EventRow { id: Some((shared.id_of)("unknown")), event_type: EventType::Unknown, ..base });
                return Outcome::Unknown;
            }
        }
        Outcome::Row
    }

    fn said(&self, messages: Option<&str>) -> Said {
        let mut said = Said::default();
        let Some(messages) = messages else { return said };
        if self.inner.borrow_mut().each(messages.as_bytes(), |json| said = Said::of(json)).is_err() {
            messages.clone_into(&mut said.text);
        }
        said
    }

    /// A turn: the prompt, where the trace has its text, and the answer to it.
    fn prompt(&mut self, own: &Attributes, base: EventRow<'_>, shared: &Shared<'_>, rows: &mut Rows) {
        let asked = self.said(own.text("gen_ai.input.messages"));
        let text = own.text("copilot_chat.user_request").or(Some(&*asked.text)).filter(|t| !t.is_empty());
        let by_user =
            own.text("copilot_chat.initiator_type").is_none_or(|kind| kind == "user") && base.is_subagent.is_none();
        rows.event(&EventRow {
            id: Some((shared.id_of)("prompt")),
            event_type: if by_user { EventType::UserInteraction } else { EventType::System },
            role: Some("user"),
            message_id: own.text("copilot_chat.root_request_id"),
            provider: None,
            text,
            ..base
        });
        let answer = self.said(own.text("gen_ai.output.messages"));
        let heard = self.state.said.entry(shared.trace_id.to_owned()).or_default();
        // A turn repeats what its last call said.
        if !answer.text.is_empty() && !answer.is_in(&heard.calls) {
            heard.turns.push((shared.span_id.to_owned(), hash(&answer.text)));
            rows.event(&EventRow {
                id: Some((shared.id_of)("answer")),
                event_type: EventType::LlmResponse,
                role: Some("assistant"),
                model: own.text("gen_ai.request.model").or(own.text("gen_ai.response.model")),
                text: Some(&answer.text),
                extra: None,
                ..base
            });
        }
    }

    fn chat(&mut self, own: &Attributes, base: EventRow<'_>, shared: &Shared<'_>, rows: &mut Rows) {
        let cached = own.number("gen_ai.usage.cache_read.input_tokens");
        let written = own.number("gen_ai.usage.cache_creation.input_tokens").filter(|n| *n > 0);
        let all = own.number("gen_ai.usage.input_tokens");
        let output = own.number("gen_ai.usage.output_tokens");
        let reasoning = own.number("gen_ai.usage.reasoning_tokens");
        let usage = TokenUsage::inclusive(all, cached, written, output).thoughts_within(reasoning);
        let said = self.said(own.text("gen_ai.output.messages"));
        if !said.text.is_empty() {
            let heard = self.state.said.entry(shared.trace_id.to_owned()).or_default();
            let own = hash(&said.text);
            heard.calls.push(own);
            // The turn was told before its call: its answer is a copy now.
            for (span_id, _) in heard.turns.extract_if(.., |(_, text)| *text == own) {
                let id = Some(span_event("answer", shared.trace_id, &span_id));
                rows.event(&EventRow {
                    id,
                    event_type: EventType::System,
                    status: Some(Status::Copy),
                    message_id: None,
                    duration_ms: None,
                    completeness: MEASURED + 1,
                    extra: None,
                    ..base
                });
            }
        }
        rows.event(&EventRow {
            id: Some((shared.id_of)("call")),
            event_type: EventType::LlmResponse,
            role: Some("assistant"),
            model: own.text("gen_ai.request.model").or(own.text("gen_ai.response.model")),
            text: Some(&*said.text).filter(|t| !t.is_empty()),
            ..usage.on(base)
        });
    }

    fn tool(&self, own: &Attributes, base: EventRow<'_>, ended: Option<i64>, shared: &Shared<'_>, rows: &mut Rows) {
        let name = own.text("gen_ai.tool.name").unwrap_or_default();
        let text = own.text("gen_ai.tool.call.arguments").unwrap_or_default();
        let arguments = Arguments::of_text(text, &self.inner);
        let kind = kind_of(name);
        let row = EventRow {
            tool_name: Some(name).filter(|n| !n.is_empty()),
            tool_call_id: own.text("gen_ai.tool.call.id").or(Some(shared.span_id)),
            file_path: arguments.path.as_deref().filter(|_| kind.is_file()),
            command: arguments.command.as_deref(),
            provider: None,
            ..base
        };
        rows.event(&EventRow {
            id: Some((shared.id_of)("tool")),
            event_type: kind,
            role: Some("assistant"),
            tool_input: arguments.json.as_deref(),
            is_error: None,
            duration_ms: None,
            ..row
        });
        rows.event(&EventRow {
            id: Some((shared.id_of)("result")),
            event_type: EventType::ToolResult,
            role: Some("tool"),
            ts_us: ended.unwrap_or(row.ts_us),
            tool_output: own.text("gen_ai.tool.call.result"),
            lines_added: arguments.lines.map(|l| l.added),
            lines_removed: arguments.lines.map(|l| l.removed),
            status: Some(if row.is_error == Some(true) { Status::Failed } else { Status::Completed }),
            extra: None,
            ..row
        });
    }
}

/// What names a span.
struct Shared<'a> {
    id_of: &'a dyn Fn(&str) -> EventId,
    span_id: &'a str,
    trace_id: &'a str,
}

/// Id of an event of a span.
fn span_event(kind: &str, trace_id: &str, span_id: &str) -> EventId {
    EventId::of(AGENT, kind, &[trace_id.as_bytes(), span_id.as_bytes()])
}

fn hash(text: &str) -> u64 {
    hash64(text.trim().as_bytes())
}

impl Said {
    /// True when calls have said all of it: in one text, or in a text each.
    fn is_in(&self, calls: &[u64]) -> bool {
        calls.contains(&hash(&self.text)) || self.text.split("\n\n").all(|text| calls.contains(&hash(text)))
    }
}

/// Attributes of a span or a resource, as texts.
#[derive(Debug, Default)]
struct Attributes(Vec<(String, String)>);

impl Attributes {
    /// `{attributes: [{key, value: {stringValue | intValue | doubleValue | boolValue | arrayValue}}]}`.
    fn of(object: Option<Json<'_, '_>>) -> Self {
        let list = object.and_then(|o| o.get("attributes")).into_iter().flat_map(Json::items);
        let one = |item: Json<'_, '_>| {
            let (_, value) = item.get("value")?.entries().find(|(kind, _)| kind.ends_with("Value"))?;
            let text = value.as_str().map_or_else(|| value.to_json(), str::to_owned);
            Some((item.str_at("key")?.to_owned(), text))
        };
        Self(list.filter_map(one).collect())
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == key).map(|(_, value)| &**value).filter(|v| !v.is_empty())
    }

    fn number(&self, key: &str) -> Option<i64> {
        self.text(key)?.parse().ok().filter(|n| *n >= 0)
    }
}

fn facts(span: Json<'_, '_>, own: &Attributes, about: &Attributes, writer: &mut ObjectWriter<'_>) {
    for key in ["spanId", "traceId", "name"] {
        span.str_at(key).into_iter().for_each(|value| writer.text(key, value));
    }
    span.get("status").and_then(|s| s.str_at("message")).into_iter().for_each(|m| writer.text("status_message", m));
    own.0.iter().filter(|(key, _)| !USED.contains(&&**key)).for_each(|(key, value)| writer.text(key, value));
    // What the turn repeats of its calls' usage is evidence, not usage.
    if own.text("gen_ai.operation.name") == Some("invoke_agent") {
        let sums = own.0.iter().filter(|(key, _)| key.starts_with("gen_ai.usage."));
        sums.for_each(|(key, value)| writer.text(key, value));
    }
    for key in ["service.name", "process.runtime.name"] {
        about.text(key).into_iter().for_each(|value| writer.text(key, value));
    }
    own.text("gen_ai.response.model").into_iter().for_each(|model| writer.text("response_model", model));
}

impl Decoder for TraceDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        if line.offset < self.read_to {
            return;
        }
        let mut parser = std::mem::take(&mut self.parser);
        let mut outcome = Outcome::Ignored;
        let seen = parser.each(line.bytes, |json| outcome = outcome.max(self.object(json, line.offset, rows)));
        self.parser = parser;
        self.read_to = line.end;
        count(line, seen, outcome, rows);
    }

    fn checkpoint(&self) -> Checkpoint {
        let state = serde_json::to_string(&self.state).unwrap_or_default();
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: false, state }
    }

    fn last_us(&self) -> Option<i64> {
        self.last_us
    }
}
