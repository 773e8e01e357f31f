//! `history-session-state/session_*.json`: sessions before October 2025, one document each; and event
//! logs that were saved as documents, one pretty-printed event after the other.

use std::collections::BTreeMap;

use super::AGENT;
use super::events::Core;
use crate::adapters::fields::{text_or_json, time_at};
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::path::stem;
use crate::adapters::tool::{Tool, exit_code};
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows, Status};

/// Decodes one document; each version of it from its beginning.
#[derive(Debug)]
pub(super) struct DocumentDecoder {
    parser: Parser,
    path: String,
    modified_us: i64,
    read_to: u64,
    last_us: Option<i64>,
}

impl DocumentDecoder {
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        Self {
            parser: Parser::default(),
            path: info.path.to_owned(),
            modified_us: info.modified_us,
            read_to: checkpoint.map_or(0, |c| c.high_water),
            last_us: None,
        }
    }
}

/// A session while its entries are decoded.
struct Session<'i> {
    id: &'i str,
    cwd: Option<&'i str>,
    model: Option<&'i str>,
    ts: Option<i64>,
    modified_us: i64,
    turn: i32,
    offset: u64,
}

/// What an entry is.
struct Entry<'i> {
    id: String,
    ts: Option<i64>,
    text: Option<&'i str>,
}

impl<'i> Session<'i> {
    fn row<'a>(&'a self, event_type: EventType, entry: &'a Entry<'_>, part: &str) -> EventRow<'a> {
        let parts = [self.id.as_bytes(), entry.id.as_bytes(), part.as_bytes()];
        EventRow {
            id: Some(EventId::of(AGENT, "legacy", &parts)),
            ts_us: entry.ts.or(self.ts).unwrap_or(self.modified_us),
            ts_inferred: entry.ts.is_none(),
            event_type,
            cwd: self.cwd,
            session_id: Some(self.id),
            turn: Some(self.turn),
            message_id: Some(&entry.id),
            text: entry.text,
            source_offset: self.offset,
            completeness: 1,
            ..EventRow::default()
        }
    }

    fn prompt(&mut self, entry: &Entry<'_>, json: Json<'_, '_>, rows: &mut Rows) {
        self.turn += 1;
        let extra = rest(json);
        let row = self.row(EventType::UserInteraction, entry, "");
        rows.event(&EventRow { role: Some("user"), extra: extra.as_deref(), ..row });
    }

    fn answer(&self, entry: &Entry<'_>, json: Json<'_, '_>, rows: &mut Rows) {
        let extra = rest(json);
        let row = self.row(EventType::LlmResponse, entry, "");
        let model = json.str_at("model").or(self.model);
        rows.event(&EventRow { role: Some("assistant"), model, extra: extra.as_deref(), ..row });
    }

    fn call(&self, entry: &Entry<'_>, id: &str, name: &str, arguments: Option<Json<'_, '_>>, rows: &mut Rows) -> Tool {
        let tool = Tool::of(name, arguments);
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "call", &[self.id.as_bytes(), id.as_bytes()])),
            role: Some("assistant"),
            text: None,
            tool_name: (!name.is_empty()).then_some(name),
            tool_input: tool.input.as_deref(),
            tool_call_id: Some(id),
            file_path: tool.path.as_deref(),
            command: tool.command.as_deref(),
            ..self.row(tool.event_type, entry, id)
        });
        tool
    }

    fn result(
        &self,
        entry: &Entry<'_>,
        id: &str,
        name: &str,
        tool: &Tool,
        said: (&str, Option<&str>),
        rows: &mut Rows,
    ) {
        let (output, status) = said;
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "legacy result", &[self.id.as_bytes(), id.as_bytes()])),
            role: Some("tool"),
            text: None,
            tool_name: (!name.is_empty()).then_some(name),
            tool_call_id: Some(id),
            file_path: tool.path.as_deref(),
            command: tool.command.as_deref(),
            tool_output: (!output.is_empty()).then_some(output),
            exit_code: if tool.event_type == EventType::CommandExecution { exit_code(output) } else { None },
            is_error: status.map(|s| s != "success"),
            status: status.map(Status::of),
            ..self.row(EventType::ToolResult, entry, id)
        });
    }

    /// `timeline`: what the user saw.
    fn timeline(&mut self, items: Json<'_, 'i>, said: &BTreeMap<&str, String>, rows: &mut Rows) {
        let mut open: BTreeMap<String, (String, Tool)> = BTreeMap::new();
        for (i, item) in items.items().enumerate().filter(|(_, item)| item.is_object()) {
            let id = item.str_at("id").map_or_else(|| format!("#{i}"), str::to_owned);
            let text = item.str_at("text").or_else(|| item.str_at("content"));
            let entry = Entry { id, ts: time_at(item, "timestamp"), text };
            self.ts = self.ts.max(entry.ts);
            let call_id = item.str_at("callId").or_else(|| item.str_at("toolCallId")).unwrap_or(&entry.id);
            let name = item.str_at("name").or_else(|| item.str_at("toolName")).unwrap_or_default();
            match item.str_at("type").unwrap_or_default() {
                "user" => self.prompt(&entry, item, rows),
                "copilot" | "assistant" => self.answer(&entry, item, rows),
                kind @ ("tool_call_requested" | "tool_call_completed") => {
                    let known = open.remove(call_id);
                    let (name, tool) = known.unwrap_or_else(|| {
                        (name.to_owned(), self.call(&entry, call_id, name, item.get("arguments"), rows))
                    });
                    if kind == "tool_call_requested" {
                        open.insert(call_id.to_owned(), (name, tool));
                        continue;
                    }
                    let result = item.get("result").filter(|r| !r.is_null());
                    let log = result.map(|r| r.get("log").map_or_else(|| text_or_json(r), text_or_json));
                    let output = said.get(call_id).cloned().or(log).unwrap_or_default();
                    let status = result.and_then(|r| r.str_at("type"));
                    self.result(&entry, call_id, &name, &tool, (&output, status), rows);
                }
                kind => {
                    let extra = rest(item);
                    let is_error = (kind == "error").then_some(true);
                    let row = self.row(
                        if is_error.is_some() { EventType::ErrorEncountered } else { EventType::System },
                        &entry,
                        "",
                    );
                    rows.event(&EventRow { role: Some("system"), is_error, extra: extra.as_deref(), ..row });
                }
            }
        }
    }

    /// `chatMessages`: what the model saw; also `history` of copies by other tools.
    fn messages(&mut self, items: Json<'_, 'i>, rows: &mut Rows) {
        let mut open: BTreeMap<String, (String, Tool)> = BTreeMap::new();
        for (i, item) in items.items().enumerate().filter(|(_, item)| item.is_object()) {
            let ts = time_at(item, "time").or_else(|| time_at(item, "timestamp"));
            let text = ["content", "result", "text"].iter().find_map(|key| item.str_at(key));
            let entry = Entry { id: format!("#{i}"), ts, text };
            self.ts = self.ts.max(ts);
            match item.str_at("role").unwrap_or_default() {
                "user" | "human" => self.prompt(&entry, item, rows),
                "assistant" => {
                    self.answer(&entry, item, rows);
                    for call in item.get("tool_calls").into_iter().flat_map(Json::items) {
                        let function = call.get("function").unwrap_or(call);
                        let name = function.str_at("name").unwrap_or_default();
                        let id = call.str_at("id").map_or_else(|| format!("#{i}.{}", open.len()), str::to_owned);
                        let tool = self.call(&entry, &id, name, function.get("arguments"), rows);
                        open.insert(id, (name.to_owned(), tool));
                    }
                }
                "tool" => {
                    let id = item.str_at("tool_call_id").unwrap_or(&entry.id);
                    let (name, tool) = open.remove(id).unwrap_or_default();
                    self.result(&entry, id, &name, &tool, (text.unwrap_or_default(), None), rows);
                }
                _ => {
                    let extra = rest(item);
                    let row = self.row(EventType::System, &entry, "");
                    rows.event(&EventRow { role: Some("system"), extra: extra.as_deref(), ..row });
                }
            }
        }
    }
}

fn rest(json: Json<'_, '_>) -> Option<String> {
    let mut extra = Extra::default();
    extra.rest(json, &["id", "timestamp", "time", "text", "content", "result", "role", "tool_calls", "model"]);
    extra.finish()
}

fn document(json: Json<'_, '_>, path: &str, modified_us: i64, offset: u64, rows: &mut Rows) -> (Outcome, Option<i64>) {
    let list = |key| json.get(key).filter(|list| list.is_array() && !list.is_empty());
    let start = time_at(json, "startTime");
    let mut session = Session {
        id: json.str_at("sessionId").unwrap_or_else(|| stem(path)),
        cwd: json.str_at("cwd").or_else(|| json.str_at("workspacePath")),
        model: json.str_at("selectedModel").or_else(|| json.str_at("model")),
        ts: start,
        modified_us,
        turn: 0,
        offset,
    };
    let (timeline, messages) = (list("timeline"), list("chatMessages").or_else(|| list("history")));
    let has_list = ["timeline", "chatMessages", "history"].iter().any(|key| json.get(key).is_some());
    if !has_list {
        return (Outcome::Wrong, None);
    }
    let mut extra = Extra::default();
    extra.rest(json, &["sessionId", "startTime", "timeline", "chatMessages", "history", "workspacePath", "cwd"]);
    let extra = extra.finish();
    let entry = Entry { id: "start".to_owned(), ts: start, text: None };
    let row = session.row(EventType::SessionStart, &entry, "");
    rows.event(&EventRow { message_id: None, turn: None, extra: extra.as_deref(), ..row });
    let mut said = BTreeMap::new();
    for message in messages.into_iter().flat_map(Json::items).filter(|m| m.str_at("role") == Some("tool")) {
        if let Some((id, content)) = message.str_at("tool_call_id").zip(message.get("content")) {
            said.insert(id, text_or_json(content));
        }
    }
    match (timeline, messages) {
        (Some(timeline), _) => session.timeline(timeline, &said, rows),
        (None, Some(messages)) => session.messages(messages, rows),
        (None, None) => {}
    }
    (Outcome::Row, session.ts)
}

impl Decoder for DocumentDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        let Self { parser, path, modified_us, last_us, .. } = self;
        let mut core = Core::new(SourceInfo { path, companions: &[], modified_us: *modified_us, zone: None });
        let mut outcome = Outcome::Ignored;
        let seen = parser.each(line.bytes, |json| {
            let became = if json.get("data").is_some() && json.get("type").is_some() {
                core.event(json, line.offset, rows)
            } else {
                let (became, newest) = document(json, path, *modified_us, line.offset, rows);
                *last_us = (*last_us).max(newest);
                became
            };
            outcome = outcome.max(became);
        });
        self.last_us = self.last_us.max(core.state.last_us);
        self.read_to = line.end;
        count(line, seen, outcome, rows);
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: false, state: String::new() }
    }

    fn last_us(&self) -> Option<i64> {
        self.last_us
    }
}
