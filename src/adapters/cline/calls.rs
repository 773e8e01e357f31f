//! `api_conversation_history.json`: the messages of a task as its model saw them.
//!
//! Tool calls are blocks with ids since late 2025, before that they are text: `<read_file>…` and
//! `[read_file for 'x'] Result:`. Only Roo's messages have times.

use std::collections::HashMap;

use super::kinds::{Family, event_type, family, verdict};
use super::messages::{Task, folder_in, model_in, model_of};
use super::outline::{Calls, Outline, text_answers};
use crate::adapters::blocks::{filled, text_of};
use crate::adapters::clean::content_json;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::walk::{Out, State, Walk};
use crate::adapters::{SourceInfo, time};
use crate::schema::{EventId, EventRow, EventType, Format};

/// What the other store has already told.
#[derive(Debug)]
enum Told {
    /// There is no other store: everything is told here.
    Nothing,
    /// There is one, but it could not be read: only answers are told here.
    Unknown,
    /// These calls, and what they were made in.
    Calls(Outline),
}

impl Told {
    fn of(info: SourceInfo<'_>) -> Self {
        let told = ["ui_messages.json", "claude_messages.json"].iter().find_map(|name| info.companion(name));
        match told.map(Outline::of_text) {
            None => Self::Nothing,
            Some(None) => Self::Unknown,
            Some(Some(outline)) => Self::Calls(outline),
        }
    }
}

/// Walks the messages between a task and its model.
#[derive(Debug)]
pub(super) struct CallsWalk {
    task: Task,
    told: Told,
    /// The other store was torn when this one was read first: its agent may be at it, and answers cannot
    /// join their calls before it is done.
    waits: bool,
}

impl CallsWalk {
    pub(super) fn new(format: Format, info: SourceInfo<'_>) -> Self {
        let told = Told::of(info);
        let waits = matches!(told, Told::Unknown);
        Self { task: Task::new(format, info), told, waits }
    }

    /// What the other store tells.
    const fn outline(&self) -> Option<&Outline> {
        if let Told::Calls(outline) = &self.told { Some(outline) } else { None }
    }

    /// Whether a row that depends on the other store may still change.
    const fn state(&self) -> State {
        if self.waits { State::Open } else { State::Settled }
    }
}

impl Walk for CallsWalk {
    fn walk(&self, document: Json<'_, '_>, out: &mut Out<'_>) -> bool {
        let messages = || document.items().filter(|m| m.is_object());
        if !document.is_array() || (messages().next().is_none() && !document.is_empty()) {
            return false;
        }
        let shown = self.outline().map(|outline| &*outline.shown).unwrap_or_default();
        let first_ms = messages().find_map(time_of).or_else(|| shown.first().map(|c| c.ts_ms));
        let id = self.task.id(first_ms);
        let cwd = self.task.cwd.clone();
        let model = Model::default();
        let scope = Scope { walk: self, id, cwd, last_ms: first_ms, turn: 0, model, named: None };
        let calls = Calls::of(shown);
        let mut run = Run { scope, out, calls, uses: HashMap::new() };
        for (index, message) in messages().enumerate() {
            run.message(index, message);
        }
        true
    }

    fn refresh(&mut self, info: SourceInfo<'_>) {
        match Told::of(info) {
            // A file that is gone while it is replaced tells nothing.
            Told::Nothing | Told::Unknown => {}
            told @ Told::Calls(_) => self.told = told,
        }
    }
}

fn time_of(message: Json<'_, '_>) -> Option<i64> {
    message.i64_at("ts").or_else(|| message.i64_at("timestamp")).filter(|ts| *ts > 0)
}

/// A model and its provider, as far as a message names them.
#[derive(Debug, Clone, Default)]
struct Model {
    model: Option<String>,
    provider: Option<String>,
}

impl Model {
    fn of(message: Json<'_, '_>) -> Self {
        let (model, provider) = model_of(message);
        Self { model: model.map(str::to_owned), provider: provider.map(str::to_owned) }
    }
}

/// A call that waits for its answer.
#[derive(Debug, Clone, Default)]
struct Use {
    name: String,
    input: Option<String>,
    path: Option<String>,
    command: Option<String>,
    target: String,
    /// When and by which model it was made, where the message says so.
    ts_ms: Option<i64>,
    model: Model,
}

impl Use {
    fn of(block: Json<'_, '_>) -> Self {
        let name = block.str_at("name").unwrap_or("tool").to_owned();
        let input = block.get("input");
        let find = |keys: &[&str]| input.and_then(|i| keys.iter().find_map(|k| i.str_at(k))).map(str::to_owned);
        let path = find(&["path", "file_path", "target_file"]);
        let command = find(&["command"]).filter(|_| family(&name) == Family::Command);
        let target = path.clone().or_else(|| command.clone()).or_else(|| find(&["server_name"])).unwrap_or_default();
        Self { name, input: input.map(content_json), path, command, target, ..Self::default() }
    }
}

/// What all rows share at one point of the task.
struct Scope<'a> {
    walk: &'a CallsWalk,
    id: String,
    cwd: Option<String>,
    last_ms: Option<i64>,
    turn: i32,
    /// What the message at hand, or the one of the call that it answers, names.
    model: Model,
    /// Model that the newest surroundings name.
    named: Option<String>,
}

struct Run<'a, 'r> {
    scope: Scope<'a>,
    out: &'a mut Out<'r>,
    calls: Calls,
    /// Calls by the id that the model gave them.
    uses: HashMap<String, Use>,
}

/// Where a message stands.
#[derive(Clone, Copy)]
struct Place {
    index: usize,
    ts_ms: Option<i64>,
    /// When the call was made that the message answers.
    call_ms: Option<i64>,
}

impl Place {
    fn key(self) -> String {
        self.ts_ms.map_or_else(|| format!("i{}", self.index), |ts| ts.to_string())
    }
}

impl Scope<'_> {
    fn is_alone(&self) -> bool {
        matches!(self.walk.told, Told::Nothing)
    }

    fn row<'s>(&'s self, place: Place, event_type: EventType, id: EventId) -> EventRow<'s> {
        let task = &self.walk.task;
        let known = place.ts_ms.map(time::unix_us);
        let near_ms = place.call_ms.or(self.last_ms);
        let used = near_ms.and_then(|ms| task.model_at(ms));
        let outlined = || self.walk.outline().zip(near_ms).and_then(|(outline, ms)| outline.model_at(ms));
        let named = outlined().or(self.named.as_deref());
        let near = || self.last_ms.map(time::unix_us).or_else(|| task.made_us()).unwrap_or(task.modified_us);
        EventRow {
            id: Some(id),
            ts_us: known.unwrap_or_else(near),
            ts_inferred: known.is_none(),
            event_type,
            session_id: Some(&self.id),
            parent_session_id: task.parent.as_deref(),
            is_subagent: task.parent.is_some().then_some(true),
            cwd: self.cwd.as_deref(),
            agent_version: self.last_ms.and_then(|ms| task.version_at(ms)),
            turn: self.turn_at(near_ms),
            model: self.model.model.as_deref().or(used.map(|u| u.0)).or(named).or(task.model.as_deref()),
            provider: self.model.provider.as_deref().or(used.and_then(|u| filled(u.1))),
            completeness: 1 << 41,
            ..EventRow::default()
        }
    }

    /// Number of the turn: counted here when there is no other store, else told by that one.
    fn turn_at(&self, ts_ms: Option<i64>) -> Option<i32> {
        match &self.walk.told {
            Told::Nothing => Some(self.turn),
            Told::Unknown => None,
            Told::Calls(outline) => ts_ms.map(|ts_ms| outline.turn_at(ts_ms)),
        }
    }

    fn event_id(&self, kind: &str, parts: &[&str]) -> EventId {
        let mut all: Vec<&[u8]> = vec![self.id.as_bytes()];
        all.extend(parts.iter().map(|p| p.as_bytes()));
        EventId::of(self.walk.task.agent, kind, &all)
    }
}

impl Run<'_, '_> {
    fn message(&mut self, index: usize, message: Json<'_, '_>) {
        let place = Place { index, ts_ms: time_of(message), call_ms: None };
        self.scope.last_ms = place.ts_ms.or(self.scope.last_ms);
        let content = message.get("content").or_else(|| message.get("text"));
        match message.str_at("role").or_else(|| message.str_at("type")) {
            Some("assistant") => self.assistant(place, message, content),
            Some("user") => self.user(place, content),
            Some("reasoning") => self.thought(place, 0, message),
            role if self.scope.is_alone() => self.unknown(place, role, message),
            _ => {}
        }
    }

    fn unknown(&mut self, place: Place, role: Option<&str>, message: Json<'_, '_>) {
        let mut extra = Extra::default();
        extra.rest(message, &["ts", "role"]);
        let id = self.scope.event_id("unknown", &[&place.key()]);
        let row = EventRow { role, extra: extra.end(), ..self.scope.row(place, EventType::Unknown, id) };
        self.out.put_unknown(&row);
    }

    fn thought(&mut self, place: Place, number: usize, block: Json<'_, '_>) {
        let text = block.get("thinking").or_else(|| block.get("text")).or_else(|| block.get("summary"));
        let text = text.map(text_of).unwrap_or_default();
        if self.scope.is_alone() && !text.is_empty() {
            let id = self.scope.event_id("thinking", &[&place.key(), &number.to_string()]);
            let row = EventRow {
                role: Some("assistant"),
                text: Some(&text),
                ..self.scope.row(place, EventType::Thinking, id)
            };
            self.out.put(&row, State::Settled);
        }
    }

    fn assistant(&mut self, place: Place, message: Json<'_, '_>, content: Option<Json<'_, '_>>) {
        self.scope.model = Model::of(message);
        let Some(content) = content else { return };
        for (number, block) in content.items().enumerate() {
            match block.str_at("type") {
                Some("tool_use") => {
                    let key = block.str_at("id").unwrap_or_default().to_owned();
                    let called = Use { ts_ms: place.ts_ms, model: self.scope.model.clone(), ..Use::of(block) };
                    if self.scope.is_alone() {
                        self.put_call(place, &key, &called);
                    }
                    self.uses.insert(key, called);
                }
                Some("thinking" | "reasoning") => self.thought(place, number, block),
                _ => {}
            }
        }
        let text = text_of(content);
        if self.scope.is_alone() && !text.trim().is_empty() {
            let is_summary = message.get("isSummary").and_then(Json::as_bool) == Some(true);
            let event_type = if is_summary { EventType::Compaction } else { EventType::LlmResponse };
            let id = self.scope.event_id("answer", &[&place.key()]);
            let row = EventRow { role: Some("assistant"), text: Some(&text), ..self.scope.row(place, event_type, id) };
            self.out.put(&row, State::Settled);
        }
    }

    fn user(&mut self, place: Place, content: Option<Json<'_, '_>>) {
        let Some(content) = content else { return };
        let text = text_of(content);
        if self.scope.cwd.is_none() {
            self.scope.cwd = folder_in(&text).map(str::to_owned);
        }
        for block in content.items().filter(|b| b.str_at("type") == Some("tool_result")) {
            let key = block.str_at("tool_use_id").unwrap_or_default();
            let called = self.uses.remove(key).unwrap_or_default();
            self.put_answer(place, key, &called, block);
        }
        for (number, answer) in text_answers(&text).into_iter().enumerate() {
            let is_command = family(answer.tool) == Family::Command;
            let place_of = |wanted: bool| filled(answer.target).filter(|_| wanted).map(str::to_owned);
            let called = Use {
                name: answer.tool.to_owned(),
                input: None,
                path: place_of(matches!(family(answer.tool), Family::Read | Family::Write)),
                command: place_of(is_command),
                target: answer.target.to_owned(),
                model: self.scope.model.clone(),
                ..Use::default()
            };
            let key = format!("{}-{}-{number}", answer.tool, place.key());
            let said = Said { text: answer.text.to_owned(), is_error: None, attachments: None };
            self.put_result(place, &key, &called, &said);
        }
        // The surroundings are those of the next call.
        self.scope.named = model_in(&text).map(str::to_owned).or(self.scope.named.take());
        if self.scope.is_alone() {
            self.prompt(place, &text);
        }
    }

    fn prompt(&mut self, place: Place, text: &str) {
        let Some(said) = prompt_of(text) else { return };
        self.scope.turn += 1;
        let id = self.scope.event_id("prompt", &[&place.key()]);
        let row =
            EventRow { role: Some("user"), text: Some(said), ..self.scope.row(place, EventType::UserInteraction, id) };
        self.out.put(&row, State::Settled);
    }

    fn put_call(&mut self, place: Place, key: &str, called: &Use) {
        let id = self.scope.event_id("tool", &[key]);
        let row = EventRow {
            role: Some("assistant"),
            tool_call_id: Some(key),
            tool_name: Some(&called.name),
            tool_input: called.input.as_deref(),
            file_path: called.path.as_deref(),
            command: called.command.as_deref(),
            ..self.scope.row(place, event_type(&called.name), id)
        };
        self.out.put(&row, self.scope.walk.state());
    }

    fn put_answer(&mut self, place: Place, key: &str, called: &Use, block: Json<'_, '_>) {
        let content = block.get("content");
        let has_more = content.is_some_and(|c| c.items().any(|b| b.is_object() && b.get("text").is_none()));
        let said = Said {
            text: content.map(text_of).unwrap_or_default(),
            is_error: block.get("is_error").and_then(Json::as_bool),
            attachments: content.filter(|_| has_more).map(content_json),
        };
        self.put_result(place, key, called, &said);
    }

    fn put_result(&mut self, place: Place, key: &str, called: &Use, said: &Said) {
        if family(&called.name) == Family::Talk && !self.scope.is_alone() {
            return;
        }
        let shown = self.calls.answer(&called.name, &called.target);
        let place = Place { call_ms: shown.as_ref().map(|s| s.ts_ms).or(called.ts_ms), ..place };
        let told = shown.as_ref().map(|s| Model { model: s.model.clone(), provider: s.provider.clone() });
        let newest = std::mem::replace(
            &mut self.scope.model,
            told.filter(|told| told.model.is_some()).unwrap_or_else(|| called.model.clone()),
        );
        if shown.is_none() && matches!(self.scope.walk.told, Told::Calls(_)) && !called.name.is_empty() {
            self.put_call(place, key, called);
        }
        let call_id = shown.as_ref().map_or(key, |s| &s.call_id);
        let (failed, status, exit_code) = verdict(&said.text);
        let mut extra = Extra::default();
        extra.text("tool_use_id", if shown.is_some() { key } else { "" });
        if let Some(attachments) = &said.attachments {
            extra.text("content", attachments);
        }
        let near = shown.as_ref().map(|s| s.ts_ms).filter(|_| place.ts_ms.is_none());
        self.scope.last_ms = near.or(self.scope.last_ms);
        let id = self.scope.walk.task.result_id(&self.scope.id, call_id);
        let row = EventRow {
            role: Some("tool"),
            tool_call_id: Some(call_id),
            tool_name: shown.as_ref().map(|s| &*s.name).or_else(|| filled(&called.name)),
            tool_output: Some(&said.text),
            file_path: called.path.as_deref(),
            command: called.command.as_deref(),
            is_error: said.is_error.or(failed),
            status,
            exit_code,
            extra: extra.end(),
            ..self.scope.row(place, EventType::ToolResult, id)
        };
        self.out.put(&row, self.scope.walk.state());
        self.scope.model = newest;
    }
}

/// What a tool answered.
struct Said {
    text: String,
    is_error: Option<bool>,
    attachments: Option<String>,
}

/// What the user wrote, in a message that also carries answers and surroundings.
fn prompt_of(text: &str) -> Option<&str> {
    let tags = ["task", "feedback", "user_message"];
    let tagged = tags.iter().find_map(|tag| {
        let (_, rest) = text.split_once(&*format!("<{tag}>"))?;
        rest.split_once(&*format!("</{tag}>")).map(|(inside, _)| inside)
    });
    let whole = || {
        let text = text.split_once("<environment_details>").map_or(text, |(before, _)| before);
        Some(text).filter(|_| text_answers(text).is_empty())
    };
    tagged.or_else(whole).map(str::trim).and_then(filled)
}
