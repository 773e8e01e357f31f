//! Sessions, `sessions/<uuid>.json`.

use std::collections::HashMap;

use super::AGENT;
use super::index::{created_of, created_us};
use crate::adapters::SourceInfo;
use crate::adapters::blocks::{filled, text_of};
use crate::adapters::changes::{Lines, between};
use crate::adapters::clean::content_json;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::money::nano;
use crate::adapters::walk::{Out, State, Walk};
use crate::schema::{EventId, EventRow, EventType, Status, TokenUsage};

/// Walks a session.
#[derive(Debug)]
pub(super) struct SessionWalk {
    index: Option<String>,
    stem: String,
    modified_us: i64,
}

impl SessionWalk {
    pub(super) fn new(info: SourceInfo<'_>) -> Self {
        let name = info.path.rsplit(['/', '\\']).next().unwrap_or_default();
        Self {
            index: info.companion("sessions.json").map(str::to_owned),
            stem: name.strip_suffix(".json").unwrap_or(name).to_owned(),
            modified_us: info.modified_us,
        }
    }
}

impl Walk for SessionWalk {
    fn walk(&self, document: Json<'_, '_>, out: &mut Out<'_>) -> bool {
        // In 2023 it is the state of the program, with the session described inside.
        let info = document.get("session_info").filter(|info| info.is_object()).unwrap_or(document);
        let id = info.str_at("sessionId").or_else(|| info.str_at("session_id")).unwrap_or(&self.stem);
        // In 2023 the history was an object that holds the steps.
        let history = document.get("history");
        let Some(items) = history.filter(|h| h.is_array()).or_else(|| history?.get("timeline")) else { return false };
        let created = self.index.as_deref().and_then(|index| created_us(index, id));
        let mut run = Run {
            id,
            cwd: info.str_at("workspaceDirectory").or_else(|| info.str_at("workspace_directory")).map(folder),
            model: document
                .str_at("chatModelTitle")
                .or_else(|| document.path(&["config", "models", "default", "model"])?.as_filled_str()),
            next_us: created.or_else(|| created_of(info)).unwrap_or(self.modified_us),
            turn: 0,
            calls: HashMap::new(),
            has_usage: false,
            out,
        };
        run.start(document, info);
        let count = items.len();
        for (at, item) in items.items().enumerate() {
            match item.get("step").filter(|step| step.is_object()) {
                Some(step) => run.step(at, item, step, at + 1 == count),
                None => run.item(at, item, at + 1 == count),
            }
        }
        run.sum(document);
        true
    }
}

/// The folder that a path or a `file:` URI names.
fn folder(text: &str) -> String {
    let Some(rest) = text.strip_prefix("file://") else { return text.to_owned() };
    let mut bytes = Vec::with_capacity(rest.len());
    let mut left = rest.as_bytes();
    while let Some((first, more)) = left.split_first() {
        let code = more.first_chunk::<2>().filter(|_| *first == b'%');
        let code = code.and_then(|c| u8::from_str_radix(std::str::from_utf8(c).ok()?, 16).ok());
        bytes.push(code.unwrap_or(*first));
        left = if code.is_some() { more.get(2..).unwrap_or_default() } else { more };
    }
    let path = String::from_utf8_lossy(&bytes).into_owned();
    // `/c:/work` is a drive.
    match path.as_bytes() {
        [b'/', drive, b':', ..] if drive.is_ascii_alphabetic() => path.trim_start_matches('/').to_owned(),
        _ => path,
    }
}

/// A call that waits for its answer.
#[derive(Debug, Clone)]
pub(super) struct Called {
    id: EventId,
    name: String,
    path: Option<String>,
    command: Option<String>,
}

pub(super) struct Run<'a, 'r> {
    pub(super) id: &'a str,
    cwd: Option<String>,
    pub(super) model: Option<&'a str>,
    next_us: i64,
    pub(super) turn: i32,
    calls: HashMap<String, Called>,
    has_usage: bool,
    out: &'a mut Out<'r>,
}

/// An item of the history while its rows are made.
#[derive(Clone, Copy)]
pub(super) struct Item<'t, 'i> {
    pub(super) at: usize,
    pub(super) json: Json<'t, 'i>,
    pub(super) message: Json<'t, 'i>,
    pub(super) message_id: Option<&'i str>,
    pub(super) is_last: bool,
}

impl Item<'_, '_> {
    /// A step of 2023 has only its position.
    pub(super) fn event_id(&self, session: &str, kind: &str, part: &str) -> EventId {
        match self.message_id {
            Some(id) => EventId::of(AGENT, kind, &[id.as_bytes(), part.as_bytes()]),
            None => EventId::of(AGENT, kind, &[session.as_bytes(), &self.at.to_le_bytes(), part.as_bytes()]),
        }
    }

    pub(super) fn state(&self) -> State {
        if self.is_last { State::Finished } else { State::Settled }
    }
}

impl<'a> Run<'a, '_> {
    /// A row; each is a microsecond later than the one before.
    pub(super) fn base<'s>(&self, event_type: EventType, id: EventId) -> EventRow<'s>
    where
        'a: 's,
    {
        EventRow {
            id: Some(id),
            ts_us: self.next_us,
            ts_inferred: true,
            event_type,
            session_id: filled(self.id),
            turn: Some(self.turn),
            ..EventRow::default()
        }
    }

    pub(super) fn put(&mut self, row: &EventRow<'_>, state: State) {
        let cwd = self.cwd.as_deref().and_then(filled);
        self.out.put(&EventRow { cwd, ..*row }, state);
        self.next_us += 1;
    }

    fn start(&mut self, document: Json<'_, '_>, info: Json<'_, '_>) {
        let id = EventId::of(AGENT, "start", &[self.id.as_bytes()]);
        let mut extra = Extra::default();
        extra.scalars(document, &["sessionId", "session_id", "title", "workspaceDirectory", "workspace_directory"]);
        self.put(&EventRow { extra: extra.end(), ..self.base(EventType::SessionStart, id) }, State::Settled);
        if let Some(title) = document.str_at("title").or_else(|| info.str_at("title")) {
            let id = EventId::of(AGENT, "title", &[self.id.as_bytes(), title.as_bytes()]);
            self.put(&EventRow { text: Some(title), ..self.base(EventType::Title, id) }, State::Settled);
        }
    }

    fn item(&mut self, at: usize, json: Json<'_, '_>, is_last: bool) {
        let message = json.get("message").filter(|m| m.is_object()).unwrap_or(json);
        let item = Item { at, json, message, message_id: message.str_at("id"), is_last };
        if let Some(summary) = json.str_at("conversationSummary") {
            let id = item.event_id(self.id, "summary", "");
            self.put(&EventRow { text: Some(summary), ..self.base(EventType::Compaction, id) }, State::Settled);
        }
        let reasoning = json.get("reasoning").and_then(|r| r.str_at("text").or_else(|| r.as_filled_str()));
        if let Some(text) = reasoning {
            self.say(item, EventType::Thinking, "reasoning", text, "assistant");
        }
        match message.str_at("role") {
            Some("user") => self.prompt(item),
            Some("assistant") => self.answer(item),
            Some("thinking") => {
                let text = message.get("content").map(text_of).unwrap_or_default();
                self.say(item, EventType::Thinking, "message", &text, "assistant");
            }
            Some("tool") => self.tool_message(item),
            Some("system") => {
                let text = message.get("content").map(text_of).unwrap_or_default();
                self.say(item, EventType::System, "message", &text, "system");
            }
            _ => self.unknown(item),
        }
    }

    fn unknown(&mut self, item: Item<'_, '_>) {
        let mut extra = Extra::default();
        extra.rest(item.json, &["promptLogs", "editorState"]);
        let row = self.base(EventType::Unknown, item.event_id(self.id, "unknown", ""));
        self.out.put_unknown(&EventRow { extra: extra.end(), ..row });
        self.next_us += 1;
    }

    pub(super) fn say(&mut self, item: Item<'_, '_>, event_type: EventType, kind: &str, text: &str, role: &str) {
        if !text.is_empty() {
            let id = item.event_id(self.id, event_type.as_str(), kind);
            let row = EventRow {
                message_id: item.message_id,
                role: Some(role),
                text: Some(text),
                completeness: i64::try_from(text.len()).unwrap_or(0),
                ..self.base(event_type, id)
            };
            self.put(&row, item.state());
        }
    }

    fn prompt(&mut self, item: Item<'_, '_>) {
        self.turn += 1;
        let content = item.message.get("content");
        let mut text = content.map(text_of).unwrap_or_default();
        if text.is_empty() {
            text = item.json.get("editorState").map(editor_text).unwrap_or_default();
        }
        let images = || content.into_iter().flat_map(Json::items).filter(|p| p.get("text").is_none() && p.is_object());
        let mut extra = Extra::default();
        images().for_each(|image| {
            extra.value("attachment", image);
        });
        if let Some(rules) = item.json.get("appliedRules").filter(|r| !r.is_empty()) {
            extra.value("appliedRules", rules);
        }
        let row = EventRow {
            message_id: item.message_id,
            role: Some("user"),
            text: filled(&text),
            completeness: i64::try_from(text.len()).unwrap_or(0),
            extra: extra.end(),
            ..self.base(EventType::UserInteraction, item.event_id(self.id, "message", ""))
        };
        self.put(&row, item.state());
        for (number, context) in item.json.get("contextItems").into_iter().flat_map(Json::items).enumerate() {
            self.context(item, number, context);
        }
    }

    /// Something that was put into the prompt: a file, a selection, a search.
    fn context(&mut self, item: Item<'_, '_>, number: usize, context: Json<'_, '_>) {
        let uri = context.path(&["uri", "value"]).and_then(Json::as_filled_str).map(folder);
        let path = uri.or_else(|| context.str_at("description").filter(|d| d.contains(['/', '\\'])).map(str::to_owned));
        let mut extra = Extra::default();
        extra.rest(context, &["content", "uri", "editing", "editable"]);
        let row = EventRow {
            message_id: item.message_id,
            role: Some("user"),
            file_path: path.as_deref(),
            text: context.str_at("content"),
            extra: extra.end(),
            ..self.base(EventType::Attachment, item.event_id(self.id, "context", &number.to_string()))
        };
        self.put(&row, item.state());
    }

    fn answer(&mut self, item: Item<'_, '_>) {
        let text = item.message.get("content").map(text_of).unwrap_or_default();
        let logs = item.json.get("promptLogs");
        let newest = logs.and_then(|l| l.items().last());
        let mut extra = Extra::default();
        extra.rest(item.message, &["role", "content", "id", "toolCalls", "usage"]);
        if let Some(logs) = logs.filter(|l| !l.is_empty()) {
            let size = |key: &str| logs.items().filter_map(|l| l.str_at(key)).map(str::len).sum::<usize>();
            extra.number("prompts", logs.len()).number("prompt_bytes", size("prompt"));
            extra.number("completion_bytes", size("completion"));
        }
        let states: Vec<Json<'_, '_>> = item.json.get("toolCallStates").into_iter().flat_map(Json::items).collect();
        let usage = item.message.get("usage").filter(|u| u.is_object());
        self.has_usage |= usage.is_some();
        let row = EventRow {
            message_id: item.message_id,
            role: Some("assistant"),
            text: filled(&text),
            model: newest.and_then(|l| l.str_at("modelTitle")).or(self.model),
            provider: newest.and_then(|l| l.str_at("modelProvider")),
            completeness: i64::try_from(text.len()).unwrap_or(0) + (i64::from(usage.is_some()) << 40),
            extra: extra.end(),
            ..self.base(EventType::LlmResponse, item.event_id(self.id, "message", ""))
        };
        let row = usage.map_or(row, |usage| tokens(usage).on(row));
        self.put(&row, item.state());
        let own = item.message.get("toolCalls").into_iter().flat_map(Json::items);
        let mut seen = Vec::new();
        for call in own.chain(states.iter().filter_map(|s| s.get("toolCall"))) {
            let key = call.str_at("id").unwrap_or_default();
            if !seen.contains(&key) {
                seen.push(key);
                self.tool(item, key, call, states.iter().find(|s| s.str_at("toolCallId") == Some(key)).copied());
            }
        }
        states.into_iter().for_each(|state| self.outcome(item, state));
    }

    fn tool(&mut self, item: Item<'_, '_>, key: &str, call: Json<'_, '_>, state: Option<Json<'_, '_>>) {
        let function = call.get("function").unwrap_or(call);
        let name = function.str_at("name").unwrap_or("tool");
        let written = function.get("arguments");
        let text = written.and_then(Json::as_str).filter(|a| serde_json::from_str::<serde::de::IgnoredAny>(a).is_ok());
        let parsed = state.and_then(|s| s.get("parsedArgs")).filter(|a| a.is_object()).map(content_json);
        let input = text.map(str::to_owned).or(parsed).or_else(|| written.map(content_json));
        let facts = Facts::of(name, input.as_deref());
        let row = EventRow {
            message_id: item.message_id,
            role: Some("assistant"),
            tool_call_id: filled(key),
            tool_name: Some(name),
            tool_input: input.as_deref(),
            file_path: facts.path.as_deref(),
            command: facts.command.as_deref(),
            lines_added: facts.lines.map(|l| l.0),
            lines_removed: facts.lines.map(|l| l.1),
            status: state.and_then(|s| s.str_at("status")).map(Status::of),
            completeness: completeness_of(state),
            ..self.base(facts.event_type, item.event_id(self.id, "tool", key))
        };
        self.put(&row, tool_state(item, state));
        let id = item.event_id(self.id, "result", key);
        self.calls
            .insert(key.to_owned(), Called { id, name: name.to_owned(), path: facts.path, command: facts.command });
    }

    /// The answer that the state of a call holds.
    fn outcome(&mut self, item: Item<'_, '_>, state: Json<'_, '_>) {
        let key = state.str_at("toolCallId").unwrap_or_default();
        let status = state.str_at("status");
        let is_over = matches!(status, Some("done" | "errored" | "canceled" | "cancelled"));
        if is_over || state.get("output").is_some_and(|o| !o.is_empty()) {
            let text = state.get("output").map(contents).unwrap_or_default();
            self.result(item, key, &text, status, tool_state(item, Some(state)));
        }
    }

    fn tool_message(&mut self, item: Item<'_, '_>) {
        let text = item.message.get("content").map(text_of).unwrap_or_default();
        let key = item.message.str_at("toolCallId").or_else(|| item.message.str_at("tool_call_id")).unwrap_or_default();
        self.result(item, key, &text, None, item.state());
    }

    fn result(&mut self, item: Item<'_, '_>, key: &str, text: &str, status: Option<&str>, state: State) {
        let called = self.calls.get(key).cloned();
        let id = called.as_ref().map_or_else(|| item.event_id(self.id, "result", key), |c| c.id);
        let row = EventRow {
            message_id: item.message_id,
            role: Some("tool"),
            tool_call_id: filled(key),
            tool_name: called.as_ref().map(|c| &*c.name),
            tool_output: Some(text),
            file_path: called.as_ref().and_then(|c| c.path.as_deref()),
            command: called.as_ref().and_then(|c| c.command.as_deref()),
            status: status.map(Status::of),
            is_error: status.map(|s| s == "errored"),
            completeness: (i64::from(status.is_some()) << 40) + i64::try_from(text.len()).unwrap_or(0),
            ..self.base(EventType::ToolResult, id)
        };
        self.put(&row, state);
    }

    /// The session's own sum, where its messages have none.
    fn sum(&mut self, document: Json<'_, '_>) {
        let Some(usage) = document.get("usage").filter(|u| u.is_object() && !self.has_usage) else { return };
        let id = EventId::of(AGENT, "usage", &[self.id.as_bytes()]);
        // A sum that runs on over the calls of the session.
        let row = EventRow { status: Some(Status::Usage), ..self.base(EventType::System, id) };
        let row = tokens(usage).counter_step().on(row);
        let total = row.total().unwrap_or(0);
        let cost = usage.get("totalCost").and_then(Json::as_f64).and_then(nano);
        self.put(&EventRow { cost_nano_usd: cost, completeness: total, model: self.model, ..row }, State::Finished);
    }
}

fn tool_state(item: Item<'_, '_>, state: Option<Json<'_, '_>>) -> State {
    match state.and_then(|s| s.str_at("status")) {
        Some("generating" | "calling" | "generated") if item.is_last => State::Open,
        _ => item.state(),
    }
}

fn completeness_of(state: Option<Json<'_, '_>>) -> i64 {
    match state.and_then(|s| s.str_at("status")) {
        None => 0,
        Some("generating" | "generated" | "calling") => 1,
        Some(_) => 2,
    }
}

/// Text of what a tool gave back: the contents of its items.
fn contents(output: Json<'_, '_>) -> String {
    let texts: Vec<&str> = output.items().filter_map(|o| o.str_at("content")).collect();
    if texts.is_empty() { text_of(output) } else { texts.join("\n") }
}

/// What was typed, out of the editor's own document.
fn editor_text(state: Json<'_, '_>) -> String {
    let mut out = String::new();
    collect(state, &mut out);
    out
}

fn collect(node: Json<'_, '_>, out: &mut String) {
    if let Some(text) = node.as_str().or_else(|| node.get("text").and_then(Json::as_str)) {
        out.push_str(text);
    }
    for inner in node.get("content").unwrap_or(node).items() {
        if !out.is_empty() && inner.str_at("type") == Some("paragraph") {
            out.push('\n');
        }
        collect(inner, out);
    }
}

/// What a call took.
fn tokens(usage: Json<'_, '_>) -> TokenUsage {
    let number = |keys: &[&str]| usage.path(keys).and_then(Json::as_i64);
    let read = number(&["promptTokensDetails", "cachedTokens"]);
    let written = number(&["promptTokensDetails", "cacheWriteTokens"]);
    // Providers of OpenAI's kind count the cache in; Anthropic's do not, and then it is larger.
    let usage = TokenUsage::as_provided(number(&["promptTokens"]), read, written, number(&["completionTokens"]));
    usage.thoughts_within(number(&["completionTokensDetails", "reasoningTokens"]))
}

/// What a tool's arguments tell.
#[derive(Debug, Default)]
struct Facts {
    event_type: EventType,
    path: Option<String>,
    command: Option<String>,
    lines: Option<Lines>,
}

impl Facts {
    fn of(name: &str, input: Option<&str>) -> Self {
        let short = name.strip_prefix("builtin_").unwrap_or(name);
        let event_type = match short {
            "read_file" | "Read" | "read_currently_open_file" | "read_file_range" => EventType::FileRead,
            "create_new_file" | "Write" => EventType::FileWrite,
            "edit_existing_file"
            | "single_find_and_replace"
            | "multi_edit"
            | "Edit"
            | "MultiEdit"
            | "search_and_replace_in_file" => EventType::FileModify,
            "run_terminal_command" | "Bash" => EventType::CommandExecution,
            _ => EventType::ToolUse,
        };
        let mut facts = Self { event_type, ..Self::default() };
        let read = |json: Json<'_, '_>| {
            let find = |keys: &[&str]| keys.iter().find_map(|k| json.str_at(k)).map(str::to_owned);
            facts.path = find(&["filepath", "file_path", "path", "dirPath"]);
            facts.command = find(&["command"]).filter(|_| event_type == EventType::CommandExecution);
            facts.lines = lines_of(json).filter(|_| event_type.is_file());
        };
        Parser::default().each(input.unwrap_or_default().as_bytes(), read).unwrap_or_default();
        facts
    }
}

/// Lines that an edit's arguments add and remove.
fn lines_of(arguments: Json<'_, '_>) -> Option<Lines> {
    let one = |edit: Json<'_, '_>| {
        let old = edit.get("old_string").and_then(Json::as_str)?;
        Some(between(old, edit.get("new_string").and_then(Json::as_str)?))
    };
    if let Some(edits) = arguments.get("edits") {
        let sums = edits.items().filter_map(one);
        return sums.reduce(|a, b| (a.0.saturating_add(b.0), a.1.saturating_add(b.1)));
    }
    one(arguments).or_else(|| {
        let written = arguments.get("contents").or_else(|| arguments.get("content")).and_then(Json::as_str)?;
        Some(between("", written))
    })
}
