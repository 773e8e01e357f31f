//! One message of a chat becomes rows: the prompt, or the answer with its thoughts and tool calls.

use super::project::Folders;
use crate::adapters::fields::time_at;
use crate::adapters::json::Json;
use crate::adapters::kit::content::Content;
use crate::adapters::kit::extra::Extra;
use crate::adapters::ledger::Ledger;
use crate::adapters::outcome::Outcome;
use crate::adapters::response::{output, shown};
use crate::adapters::tokens::google;
use crate::adapters::tool::{Tool, exit_code};
use crate::schema::{EventId, EventRow, EventType, Rows, Status};

/// Texts that the agent itself puts into the user's mouth.
const INJECTED: [&str; 3] = ["<session_context>", "<state_snapshot>", "<hook_context>"];

/// A chat while its messages are decoded.
#[derive(Debug, Default)]
pub(super) struct Chat {
    pub(super) agent: &'static str,
    pub(super) ledger: Ledger,
    pub(super) session: String,
    pub(super) parent: Option<String>,
    pub(super) is_subagent: Option<bool>,
    pub(super) folders: Folders,
    pub(super) cwd: Option<String>,
    pub(super) turn: i32,
    /// Messages so far that have no id of their own.
    pub(super) nameless: usize,
    pub(super) last_us: Option<i64>,
    pub(super) modified_us: i64,
}

/// What all rows of one message share.
#[derive(Debug, Clone, Copy)]
struct Stamp<'a> {
    id: &'a str,
    ts_us: i64,
    inferred: bool,
    offset: u64,
}

impl Chat {
    pub(super) fn id(&self, kind: &str, parts: &[&str]) -> Option<EventId> {
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        Some(self.own_id(kind, &parts))
    }

    fn own_id(&self, kind: &str, parts: &[&[u8]]) -> EventId {
        EventId::of(self.agent, kind, &[&[self.session.as_bytes()], parts].concat())
    }

    /// A row of a record that has no name but its content.
    pub(super) fn content_row(&self, kind: EventType, content: &Content, offset: u64) -> EventRow<'_> {
        EventRow { id: Some(self.own_id(kind.as_str(), &[content.bytes()])), ..self.row(kind, &[], offset) }
    }

    pub(super) fn row(&self, kind: EventType, parts: &[&str], offset: u64) -> EventRow<'_> {
        let ts_us = self.last_us.unwrap_or(self.modified_us);
        EventRow {
            id: self.id(kind.as_str(), parts),
            ts_us,
            ts_inferred: true,
            event_type: kind,
            provider: (self.agent == "gemini").then_some("google"),
            cwd: self.cwd.as_deref(),
            session_id: Some(&self.session),
            parent_session_id: self.parent.as_deref().filter(|parent| *parent != self.session),
            is_subagent: self.is_subagent,
            turn: Some(self.turn),
            source_offset: offset,
            ..EventRow::default()
        }
    }

    fn stamped<'a>(&'a self, kind: EventType, parts: &[&str], stamp: &Stamp<'a>) -> EventRow<'a> {
        EventRow {
            ts_us: stamp.ts_us,
            ts_inferred: stamp.inferred,
            message_id: Some(stamp.id),
            ..self.row(kind, parts, stamp.offset)
        }
    }

    /// The fields above the messages: of a header line, or of a document.
    pub(super) fn header(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) {
        if let Some(session) = json.str_at("sessionId") {
            session.clone_into(&mut self.session);
        }
        let hash = json.str_at("projectHash");
        self.cwd = self.folders.find(hash).map(str::to_owned);
        if json.str_at("kind") == Some("subagent") {
            self.is_subagent = Some(true);
        }
        let start = time_at(json, "startTime").or_else(|| time_at(json, "start_time"));
        self.last_us = self.last_us.max(start);
        let mut extra = Extra::default();
        extra.rest(
            json,
            &["sessionId", "startTime", "lastUpdated", "messages", "history", "summary", "memoryScratchpad"],
        );
        let extra = extra.finish();
        let mut ledger = std::mem::take(&mut self.ledger);
        let row = self.row(EventType::SessionStart, &[json.str_at("startTime").unwrap_or_default()], offset);
        let ts_us = start.unwrap_or(row.ts_us);
        let row = EventRow { ts_us, ts_inferred: start.is_none(), turn: None, extra: extra.as_deref(), ..row };
        ledger.emit(&row, false, rows);
        self.ledger = ledger;
        self.title(json, offset, rows);
    }

    /// `summary`: the name of the session.
    pub(super) fn title(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> bool {
        let Some(title) = json.str_at("summary") else { return false };
        let mut ledger = std::mem::take(&mut self.ledger);
        let row = self.row(EventType::Title, &[title], offset);
        let ts_us = time_at(json, "lastUpdated").unwrap_or(row.ts_us);
        // The time moves with every version of the file, so it is no part of what makes a row new.
        let known = EventRow { text: Some(title), ts_us: 0, turn: None, ..row };
        ledger.emit_as(&known, &EventRow { ts_us, ..known }, false, rows);
        self.ledger = ledger;
        true
    }

    /// One message; its rows, as far as they have not been handed out.
    pub(super) fn message(&mut self, message: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(kind) = message.str_at("type").or_else(|| message.str_at("role")) else { return Outcome::Wrong };
        let ts = time_at(message, "timestamp").or_else(|| time_at(message, "ts"));
        let id = match message.str_at("id") {
            Some(id) => id.to_owned(),
            None => {
                self.nameless += 1;
                format!("#{}", self.nameless)
            }
        };
        self.last_us = self.last_us.max(ts);
        let ts_us = ts.or(self.last_us).unwrap_or(self.modified_us);
        let stamp = Stamp { id: &id, ts_us, inferred: ts.is_none(), offset };
        let mut ledger = std::mem::take(&mut self.ledger);
        let outcome = match kind {
            "user" => self.user(message, &stamp, &mut ledger, rows),
            "gemini" | "model" | "qwen" | "assistant" => self.answer(message, &stamp, &mut ledger, rows),
            "info" | "warning" | "error" => self.notice(message, kind, &stamp, &mut ledger, rows),
            _ => self.unknown(message, kind, &stamp, &mut ledger, rows),
        };
        self.ledger = ledger;
        outcome
    }

    fn user(&mut self, message: Json<'_, '_>, stamp: &Stamp<'_>, ledger: &mut Ledger, rows: &mut Rows) -> Outcome {
        let content = content(message);
        let text = content.map(texts).unwrap_or_default();
        let injected = text.is_empty() || INJECTED.iter().any(|start| text.trim_start().starts_with(start));
        // A record that comes again is the same prompt.
        if !injected && !ledger.knows(self.id("user_interaction", &[stamp.id])) {
            self.turn += 1;
        }
        let mut extra = Extra::default();
        extra.rest(message, &["id", "timestamp", "type", "content", "parts", "displayContent"]);
        let shown = message.get("displayContent").filter(|shown| !shown.is_null());
        if let Some(shown) = shown.filter(|shown| texts(*shown) != text) {
            extra.value("displayContent", shown);
        }
        other_parts(content, &mut extra);
        let extra = extra.finish();
        let kind = if injected { EventType::System } else { EventType::UserInteraction };
        let row = EventRow {
            role: Some("user"),
            text: (!text.is_empty()).then_some(&*text),
            status: injected.then_some(Status::Injected),
            extra: extra.as_deref(),
            ..self.stamped(kind, &[stamp.id], stamp)
        };
        ledger.emit(&row, false, rows);
        Outcome::Row
    }

    fn answer(&self, message: Json<'_, '_>, stamp: &Stamp<'_>, ledger: &mut Ledger, rows: &mut Rows) -> Outcome {
        let model = message.str_at("model");
        for (i, thought) in message.get("thoughts").into_iter().flat_map(Json::items).enumerate() {
            self.thought(thought, i, model, stamp, ledger, rows);
        }
        let content = content(message);
        let text = content.map(texts).unwrap_or_default();
        let tokens = message.get("tokens").filter(|t| t.is_object());
        let usage = tokens.and_then(|t| {
            let part = |key| t.i64_at(key);
            google(part("input"), part("cached"), part("output"), part("thoughts"), part("tool"))
        });
        let mut extra = Extra::default();
        let used = ["id", "timestamp", "type", "content", "parts", "thoughts", "tokens", "model", "toolCalls"];
        extra.rest(message, &used);
        other_parts(content, &mut extra);
        let extra = extra.finish();
        let row = EventRow {
            role: Some("assistant"),
            model,
            text: (!text.is_empty()).then_some(&*text),
            extra: extra.as_deref(),
            ..self.stamped(EventType::LlmResponse, &[stamp.id], stamp)
        };
        let row = usage.map_or(row, |usage| usage.on(row));
        ledger.emit(&row, usage.is_some(), rows);
        for (i, call) in message.get("toolCalls").into_iter().flat_map(Json::items).enumerate() {
            self.call(call, i, model, stamp, ledger, rows);
        }
        Outcome::Row
    }

    fn thought(
        &self,
        thought: Json<'_, '_>,
        i: usize,
        model: Option<&str>,
        stamp: &Stamp<'_>,
        ledger: &mut Ledger,
        rows: &mut Rows,
    ) {
        let parts = [thought.as_filled_str(), thought.str_at("subject"), thought.str_at("description")];
        let text = parts.into_iter().flatten().collect::<Vec<_>>().join("\n");
        if text.is_empty() {
            return;
        }
        let ts = time_at(thought, "timestamp");
        let row = EventRow {
            role: Some("assistant"),
            model,
            text: Some(&text),
            ..self.stamped(EventType::Thinking, &[stamp.id, &i.to_string()], stamp)
        };
        let row = EventRow { ts_us: ts.unwrap_or(row.ts_us), ts_inferred: ts.is_none() && row.ts_inferred, ..row };
        ledger.emit(&row, false, rows);
    }

    /// A tool call and, when it has ended, its result.
    fn call(
        &self,
        call: Json<'_, '_>,
        i: usize,
        model: Option<&str>,
        stamp: &Stamp<'_>,
        ledger: &mut Ledger,
        rows: &mut Rows,
    ) {
        if !call.is_object() {
            return;
        }
        let name = call.str_at("name").unwrap_or_default();
        let own_id = call.str_at("id").map_or_else(|| format!("{}#{i}", stamp.id), str::to_owned);
        let tool = Tool::of(name, call.get("args"));
        let mut extra = Extra::default();
        let used = ["id", "name", "args", "result", "status", "timestamp", "resultDisplay", "renderOutputAsMarkdown"];
        extra.rest(call, &used);
        let extra = extra.finish();
        let row = EventRow {
            role: Some("assistant"),
            model,
            tool_name: (!name.is_empty()).then_some(name),
            tool_input: tool.input.as_deref(),
            tool_call_id: Some(&own_id),
            file_path: tool.path.as_deref(),
            command: tool.command.as_deref(),
            ..self.stamped(EventType::ToolUse, &[stamp.id, &own_id], stamp)
        };
        ledger.emit(&EventRow { event_type: tool.event_type, extra: extra.as_deref(), ..row }, false, rows);
        let status = call.str_at("status");
        let answer = call.get("result").filter(|r| !r.is_null());
        let ended = matches!(status, Some("success" | "error" | "cancelled"));
        if !ended && answer.is_none() {
            return;
        }
        let output = answer.map(output).unwrap_or_default();
        let display = call.get("resultDisplay").filter(|d| !d.is_null());
        let (shown, lines) = display.map(shown).unwrap_or_default();
        let mut extra = Extra::default();
        let fallback = if output.is_empty() { shown.as_deref() } else { None };
        if let Some(shown) = shown.as_deref().filter(|shown| fallback.is_none() && !output.contains(*shown)) {
            extra.text("resultDisplay", shown);
        }
        if let Some(display) = display.filter(|d| d.is_object()) {
            extra.rest(display, &["fileDiff", "originalContent", "newContent"]);
        }
        let extra = extra.finish();
        let ts = time_at(call, "timestamp");
        let text = fallback.or((!output.is_empty()).then_some(&*output));
        let result = EventRow {
            id: self.id("tool_result", &[stamp.id, &own_id]),
            event_type: EventType::ToolResult,
            role: Some("tool"),
            ts_us: ts.unwrap_or(row.ts_us),
            ts_inferred: ts.is_none() || row.ts_inferred,
            tool_input: None,
            tool_output: text,
            exit_code: text.filter(|_| tool.event_type == EventType::CommandExecution).and_then(exit_code),
            lines_added: lines.map(|l| l.0),
            lines_removed: lines.map(|l| l.1),
            is_error: status.map(|s| s == "error").or_else(|| answer.map(is_error)),
            status: status.map(Status::of),
            extra: extra.as_deref(),
            ..row
        };
        ledger.emit(&result, ended, rows);
    }

    fn notice(
        &self,
        message: Json<'_, '_>,
        kind: &str,
        stamp: &Stamp<'_>,
        ledger: &mut Ledger,
        rows: &mut Rows,
    ) -> Outcome {
        let text = content(message).map(texts).unwrap_or_default();
        let mut extra = Extra::default();
        extra.rest(message, &["id", "timestamp", "type", "content"]);
        let extra = extra.finish();
        let is_error = kind == "error";
        let row = EventRow {
            id: self.id("notice", &[stamp.id]),
            event_type: if is_error { EventType::ErrorEncountered } else { EventType::System },
            role: Some("system"),
            text: (!text.is_empty()).then_some(&*text),
            is_error: is_error.then_some(true),
            status: Some(Status::Named(kind)),
            extra: extra.as_deref(),
            ..self.stamped(EventType::System, &[stamp.id], stamp)
        };
        ledger.emit(&row, false, rows);
        Outcome::Row
    }

    fn unknown(
        &self,
        message: Json<'_, '_>,
        kind: &str,
        stamp: &Stamp<'_>,
        ledger: &mut Ledger,
        rows: &mut Rows,
    ) -> Outcome {
        let mut extra = Extra::default();
        extra.rest(message, &["id", "timestamp"]);
        let extra = extra.finish();
        let row = EventRow { extra: extra.as_deref(), ..self.stamped(EventType::Unknown, &[stamp.id, kind], stamp) };
        ledger.emit(&row, false, rows);
        Outcome::Unknown
    }
}

fn content<'t, 'i>(message: Json<'t, 'i>) -> Option<Json<'t, 'i>> {
    ["content", "parts"].iter().find_map(|key| message.get(key).filter(|c| !c.is_null()))
}

/// The text of a string, of a part, or of a list of parts.
pub(in crate::adapters) fn texts(content: Json<'_, '_>) -> String {
    if let Some(text) = content.as_str() {
        return text.to_owned();
    }
    let one = |part: Json<'_, '_>| part.as_str().or_else(|| part.get("text").and_then(Json::as_str)).map(str::to_owned);
    if content.is_object() {
        return one(content).unwrap_or_default();
    }
    content.items().filter_map(one).collect::<Vec<_>>().join("\n")
}

/// Appends what a list of parts holds beside text.
fn other_parts(content: Option<Json<'_, '_>>, extra: &mut Extra) {
    let is_text = |part: &Json<'_, '_>| part.as_str().is_some() || part.get("text").is_some();
    let Some(content) = content.filter(|c| c.is_array()) else { return };
    for (i, part) in content.items().enumerate().filter(|(_, part)| !is_text(part)) {
        extra.value(&format!("part{i}"), part);
    }
}

fn is_error(answer: Json<'_, '_>) -> bool {
    answer.items().any(|item| item.path(&["functionResponse", "response", "error"]).is_some())
}
