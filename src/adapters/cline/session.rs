//! `<id>.messages.json` of the Cline SDK (CLI, and the editors since June 2026).
//!
//! - ids of messages are the same in forks, which copy their parent's messages, and in `*.compaction.json`; with
//!   the time they are the identity of an event. What a fork has from before it began is its parent's
//! - `metrics.inputTokens` includes what was read from the cache (35,912 of which 34,332)
//! - the session's own sums (`metadata.usage`) are not used

use std::collections::HashMap;

use super::kinds::{event_type, verdict};
use super::usage::Usage;
use crate::adapters::blocks::{filled, text_of};
use crate::adapters::changes::between;
use crate::adapters::clean::content_json;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::money::nano;
use crate::adapters::walk::{Out, State, Walk};
use crate::adapters::{SourceInfo, time};
use crate::schema::{EventId, EventRow, EventType, Status, TokenUsage};

const AGENT: &str = "cline";

/// Walks a session.
#[derive(Debug)]
pub(super) struct SessionWalk {
    about: About,
    /// A shortened copy says less.
    is_copy: bool,
    modified_us: i64,
}

/// What `<id>.json` says.
#[derive(Debug, Default)]
struct About {
    id: String,
    started_us: Option<i64>,
    ended_us: Option<i64>,
    exit_code: Option<i32>,
    status: Option<String>,
    cwd: Option<String>,
    title: Option<String>,
    parent: Option<String>,
    /// It began with a copy of its parent's messages.
    is_fork: bool,
    extra: Option<String>,
}

impl About {
    fn of(json: Json<'_, '_>) -> Self {
        let text = |key: &str| json.str_at(key).map(str::to_owned);
        let metadata = |keys: &[&str]| json.get("metadata").and_then(|m| m.path(keys)).and_then(Json::as_filled_str);
        let at = |key: &str| json.str_at(key).and_then(time::rfc3339_us);
        let mut extra = Extra::default();
        const USED: [&str; 10] = [
            "version",
            "session_id",
            "started_at",
            "ended_at",
            "exit_code",
            "status",
            "cwd",
            "messages_path",
            "pid",
            "prompt",
        ];
        extra.scalars(json, &USED);
        extra.text("mode", metadata(&["mode"]).unwrap_or_default());
        Self {
            id: text("session_id").unwrap_or_default(),
            started_us: at("started_at"),
            ended_us: at("ended_at"),
            exit_code: json.i64_at("exit_code").and_then(|c| i32::try_from(c).ok()),
            status: text("status"),
            cwd: text("cwd").or_else(|| text("workspace_root")),
            title: metadata(&["title"]).map(str::to_owned),
            parent: text("parent_session_id").or_else(|| metadata(&["fork", "forkedFromSessionId"]).map(str::to_owned)),
            is_fork: json.path(&["metadata", "fork"]).is_some_and(|fork| !fork.is_null()),
            extra: extra.end().map(str::to_owned),
        }
    }
}

impl SessionWalk {
    pub(super) fn new(info: SourceInfo<'_>) -> Self {
        let mut about = About::default();
        for companion in info.companions {
            let mut read = |json: Json<'_, '_>| about = About::of(json);
            Parser::default().each(companion.text.as_bytes(), &mut read).unwrap_or_default();
        }
        Self { about, is_copy: info.path.ends_with(".compaction.json"), modified_us: info.modified_us }
    }
}

impl Walk for SessionWalk {
    fn walk(&self, document: Json<'_, '_>, out: &mut Out<'_>) -> bool {
        let Some(messages) = document.get("messages").filter(|m| m.is_array()) else { return false };
        let id = document.str_at("sessionId").or_else(|| filled(&self.about.id)).unwrap_or_default();
        let agent = document.str_at("agent").filter(|agent| *agent != "lead");
        let updated_us = document.str_at("updated_at").and_then(time::rfc3339_us);
        let first_us = messages.items().find_map(|m| m.i64_at("ts")).map(time::unix_us);
        let last_us = self.about.started_us.or(first_us).or(updated_us).unwrap_or(self.modified_us);
        // The companion of a copied or renamed file may be another session's.
        let fits = self.about.id.is_empty() || self.about.id == id;
        let about = if fits { &self.about } else { &About::default() };
        let mut run = Run { about, id, agent, is_copy: self.is_copy, out, uses: HashMap::new(), turn: 0, last_us };
        run.frame();
        let count = messages.len();
        for (index, message) in messages.items().enumerate() {
            run.message(index, message, index + 1 == count);
        }
        true
    }
}

struct Run<'a, 'r> {
    about: &'a About,
    id: &'a str,
    agent: Option<&'a str>,
    is_copy: bool,
    out: &'a mut Out<'r>,
    uses: HashMap<String, (String, Option<String>, Option<String>)>,
    turn: i32,
    last_us: i64,
}

/// A message while its rows are made.
#[derive(Clone, Copy)]
struct Message<'t, 'i> {
    json: Json<'t, 'i>,
    index: usize,
    ts_us: Option<i64>,
    id: Option<&'i str>,
}

impl Message<'_, '_> {
    fn event_id(&self, session: &str, kind: &str, part: &str) -> EventId {
        let ts = self.ts_us.unwrap_or_default().to_le_bytes();
        match self.id {
            // Fixed ids such as `msg_user_1` exist; their times tell them apart.
            Some(id) if self.ts_us.is_some() => EventId::of(AGENT, kind, &[id.as_bytes(), &ts, part.as_bytes()]),
            Some(id) => EventId::of(AGENT, kind, &[session.as_bytes(), id.as_bytes(), part.as_bytes()]),
            None => {
                let index = if self.ts_us.is_some() { 0 } else { self.index };
                EventId::of(AGENT, kind, &[session.as_bytes(), &ts, &index.to_le_bytes(), part.as_bytes()])
            }
        }
    }
}

impl<'a> Run<'a, '_> {
    fn base(&self, event_type: EventType, ts_us: Option<i64>) -> EventRow<'a> {
        let is_parents = self.about.is_fork && ts_us.is_some() && ts_us < self.about.started_us;
        EventRow {
            ts_us: ts_us.unwrap_or(self.last_us),
            ts_inferred: ts_us.is_none(),
            event_type,
            session_id: filled(self.id),
            parent_session_id: self.about.parent.as_deref(),
            is_subagent: self.agent.map(|_| true),
            subagent_type: self.agent,
            cwd: self.about.cwd.as_deref(),
            turn: Some(self.turn),
            completeness: 3 - i64::from(self.is_copy) - i64::from(is_parents),
            ..EventRow::default()
        }
    }

    /// What the session's own file says: start, end and title.
    fn frame(&mut self) {
        let of = |kind: &str| Some(EventId::of(AGENT, kind, &[self.id.as_bytes()]));
        if self.is_copy {
            return;
        }
        if self.about.started_us.is_some() {
            let row = EventRow {
                extra: self.about.extra.as_deref(),
                ..self.base(EventType::SessionStart, self.about.started_us)
            };
            self.out.put(&EventRow { id: of("start"), ..row }, State::Settled);
        }
        if self.about.ended_us.is_some() {
            let row = EventRow {
                id: of("end"),
                exit_code: self.about.exit_code,
                status: self.about.status.as_deref().map(Status::of),
                ..self.base(EventType::SessionEnd, self.about.ended_us)
            };
            self.out.put(&row, State::Settled);
        }
        if let Some(title) = &self.about.title {
            let id = EventId::of(AGENT, "title", &[self.id.as_bytes(), title.as_bytes()]);
            let row =
                EventRow { id: Some(id), text: Some(title), ..self.base(EventType::Title, self.about.started_us) };
            self.out.put(&row, State::Settled);
        }
    }

    fn message(&mut self, index: usize, json: Json<'_, '_>, is_last: bool) {
        let generated = || json.path(&["metadata", "generatedAt"]).and_then(Json::as_i64);
        let ts_us = json.i64_at("ts").or_else(generated).map(time::unix_us);
        self.last_us = ts_us.unwrap_or(self.last_us);
        let m = Message { json, index, ts_us, id: json.str_at("id") };
        let kind = json.path(&["metadata", "kind"]).and_then(Json::as_str).unwrap_or_default();
        match json.str_at("role") {
            _ if kind.starts_with("compaction") => self.note(m, EventType::Compaction),
            Some("user") if json.path(&["metadata", "displayRole"]).and_then(Json::as_str) == Some("system") => {
                self.note(m, EventType::System);
            }
            Some("user") => self.user(m),
            Some("assistant") => self.assistant(m, is_last),
            Some("system") => self.note(m, EventType::System),
            _ => {
                let mut extra = Extra::default();
                extra.rest(json, &["id", "ts"]);
                let id = m.event_id(self.id, "unknown", "");
                let row = EventRow { id: Some(id), extra: extra.end(), ..self.base(EventType::Unknown, m.ts_us) };
                self.out.put_unknown(&row);
            }
        }
    }

    fn note(&mut self, m: Message<'_, '_>, event_type: EventType) {
        let text = m.json.get("content").map(text_of).unwrap_or_default();
        let mut extra = Extra::default();
        if let Some(metadata) = m.json.get("metadata") {
            extra.rest(metadata, &["summary", "kind"]);
        }
        let row = EventRow {
            id: Some(m.event_id(self.id, event_type.as_str(), "")),
            message_id: m.id,
            text: filled(&text),
            status: m.json.path(&["metadata", "kind"]).and_then(Json::as_filled_str).map(Status::Named),
            extra: extra.end(),
            ..self.base(event_type, m.ts_us)
        };
        self.out.put(&row, State::Settled);
    }

    fn user(&mut self, m: Message<'_, '_>) {
        let content = m.json.get("content");
        let blocks = || content.into_iter().flat_map(Json::items);
        let text = content.map(text_of).unwrap_or_default();
        if !text.is_empty() {
            self.turn += 1;
            let others = blocks().filter(|b| !matches!(b.str_at("type"), Some("text" | "tool_result" | "file")));
            let others: Vec<String> = others.map(content_json).collect();
            let mut extra = Extra::default();
            others.iter().for_each(|other| {
                extra.text("attachment", other);
            });
            let row = EventRow {
                id: Some(m.event_id(self.id, "prompt", "")),
                message_id: m.id,
                role: Some("user"),
                text: Some(&text),
                extra: extra.end(),
                ..self.base(EventType::UserInteraction, m.ts_us)
            };
            self.out.put(&row, State::Settled);
        }
        for block in blocks() {
            match block.str_at("type") {
                Some("file") => self.file(m, block),
                Some("tool_result") => self.answer(m, block),
                _ => {}
            }
        }
    }

    /// A file that the user put into the prompt.
    fn file(&mut self, m: Message<'_, '_>, block: Json<'_, '_>) {
        let path = block.str_at("path");
        let row = EventRow {
            id: Some(m.event_id(self.id, "file", path.unwrap_or_default())),
            message_id: m.id,
            role: Some("user"),
            file_path: path,
            text: block.str_at("content"),
            ..self.base(EventType::Attachment, m.ts_us)
        };
        self.out.put(&row, State::Settled);
    }

    fn answer(&mut self, m: Message<'_, '_>, block: Json<'_, '_>) {
        let key = block.str_at("tool_use_id").unwrap_or_default();
        let (name, path, command) = self.uses.get(key).cloned().unwrap_or_default();
        let content = block.get("content");
        let items = || content.into_iter().flat_map(Json::items).filter(|i| i.get("result").is_some());
        let failed = items().any(|i| i.get("success").and_then(Json::as_bool) == Some(false));
        let mut text = content.map(text_of).unwrap_or_default();
        for item in items() {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(
                &item
                    .get("result")
                    .map(|r| r.as_str().map_or_else(|| content_json(r), str::to_owned))
                    .unwrap_or_default(),
            );
        }
        if text.is_empty() {
            text = content.map(content_json).unwrap_or_default();
        }
        let (said, status, exit_code) = verdict(&text);
        let is_error = block.get("is_error").and_then(Json::as_bool).or(if failed { Some(true) } else { said });
        let row = EventRow {
            id: Some(m.event_id(self.id, "result", key)),
            message_id: m.id,
            role: Some("tool"),
            tool_call_id: filled(key),
            tool_name: block.str_at("name").or_else(|| filled(&name)),
            tool_output: Some(&text),
            file_path: path.as_deref(),
            command: command.as_deref(),
            is_error,
            status,
            exit_code,
            ..self.base(EventType::ToolResult, m.ts_us)
        };
        self.out.put(&row, State::Settled);
    }

    fn assistant(&mut self, m: Message<'_, '_>, is_last: bool) {
        let content = m.json.get("content");
        for (number, block) in content.into_iter().flat_map(Json::items).enumerate() {
            match block.str_at("type") {
                Some("tool_use") => self.tool(m, block),
                Some("thinking" | "redacted_thinking" | "reasoning") => self.thought(m, number, block),
                _ => {}
            }
        }
        let text = content.map(text_of).unwrap_or_default();
        let metrics = m.json.get("metrics");
        let usage = metrics.map(usage_of).unwrap_or_default();
        let mut extra = Extra::default();
        extra.rest(m.json, &["id", "role", "content", "ts", "modelInfo", "metrics"]);
        let info = m.json.get("modelInfo");
        let row = EventRow {
            id: Some(m.event_id(self.id, "call", "")),
            message_id: m.id,
            role: Some("assistant"),
            text: filled(&text),
            model: info.and_then(|i| i.str_at("id")),
            provider: info.and_then(|i| i.str_at("provider")),
            extra: extra.end(),
            ..self.base(EventType::LlmResponse, m.ts_us)
        };
        let completeness = row.completeness + if usage.tokens.is_known() { 2 } else { 0 };
        let state = match (is_last, metrics.is_some()) {
            (false, _) => State::Settled,
            (true, true) => State::Finished,
            (true, false) => State::Open,
        };
        self.out.put(&EventRow { completeness, ..usage.on(row) }, state);
    }

    fn thought(&mut self, m: Message<'_, '_>, number: usize, block: Json<'_, '_>) {
        if let Some(text) = block.str_at("thinking").or_else(|| block.str_at("text")) {
            let row = EventRow {
                id: Some(m.event_id(self.id, "thinking", &number.to_string())),
                message_id: m.id,
                role: Some("assistant"),
                text: Some(text),
                ..self.base(EventType::Thinking, m.ts_us)
            };
            self.out.put(&row, State::Settled);
        }
    }

    fn tool(&mut self, m: Message<'_, '_>, block: Json<'_, '_>) {
        let (key, name) = (block.str_at("id").unwrap_or_default(), block.str_at("name").unwrap_or("tool"));
        let input = block.get("input");
        let find = |name: &str| input.and_then(|i| i.str_at(name));
        let in_list = |list: &str, key: &str| {
            let first = input.and_then(|i| i.get(list)).and_then(|l| l.items().next())?;
            first.as_filled_str().or_else(|| first.str_at(key))
        };
        let path = find("path").or_else(|| find("file_path")).or_else(|| in_list("files", "path"));
        let commands: Vec<&str> =
            input.and_then(|i| i.get("commands")).into_iter().flat_map(Json::items).filter_map(Json::as_str).collect();
        let command = find("command").map(str::to_owned).or_else(|| filled(&commands.join("\n")).map(str::to_owned));
        let edit = find("new_text").map(|new| between(find("old_text").unwrap_or_default(), new));
        let arguments = input.map(content_json);
        let row = EventRow {
            id: Some(m.event_id(self.id, "tool", key)),
            message_id: m.id,
            role: Some("assistant"),
            tool_call_id: filled(key),
            tool_name: Some(name),
            tool_input: arguments.as_deref(),
            file_path: path,
            command: command.as_deref(),
            lines_added: edit.map(|e| e.0),
            lines_removed: edit.map(|e| e.1),
            ..self.base(event_type(name), m.ts_us)
        };
        self.out.put(&row, State::Settled);
        self.uses.insert(key.to_owned(), (name.to_owned(), path.map(str::to_owned), command));
    }
}

fn usage_of(metrics: Json<'_, '_>) -> Usage {
    let parts = ["inputTokens", "cacheReadTokens", "cacheWriteTokens", "outputTokens"];
    let [input, read, written, output] = parts.map(|key| metrics.i64_at(key));
    Usage {
        tokens: TokenUsage::as_provided(input, read, written, output),
        cost_nano_usd: metrics.get("cost").and_then(Json::as_f64).and_then(nano),
    }
}
