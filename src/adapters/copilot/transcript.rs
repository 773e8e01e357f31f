//! Transcripts of the extension, `GitHub.copilot-chat/transcripts/<sessionId>.jsonl`.
//!
//! Events `{type, data, id, timestamp, parentId}` in the shape of the Copilot CLI's, told from those by
//! their path and by `vscodeVersion`. The 20 newest are kept. They say what the session file says, under
//! fresh ids, without model and tokens; where a session file is on another machine they are all there
//! is. Their rows have the names that the session's rows have (see the module's head) and stand back:
//! one answer and one thought a turn, tool calls by the provider's id. All times are marked as inferred,
//! for a session file has others.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::clean::{extra, rest, write_clean};
use super::ids::{self, TRANSCRIPT};
use super::place::Place;
use super::tool::{Answer, Arguments, Call};
use super::{AGENT, session, text};
use crate::adapters::json::Json;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows, Status};

/// What is known before a turn.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    session: Option<String>,
    version: Option<String>,
    cwd: Option<String>,
    turn: i32,
    /// How often each prompt was asked, by its hash.
    prompts: BTreeMap<String, usize>,
    last_us: Option<i64>,
}

/// The turn that events belong to.
#[derive(Debug, Default)]
struct Current {
    name: String,
    answer: String,
    thought: String,
    message_id: Option<String>,
    ts_us: i64,
    offset: u64,
    /// It said something that is not handed out.
    dirty: bool,
}

/// What a call's result repeats.
#[derive(Debug, Default)]
struct Made {
    /// How many calls of this id there were before in the turn.
    nth: usize,
    done: bool,
    name: String,
    path: Option<String>,
    command: Option<String>,
}

/// Decodes one transcript.
#[derive(Debug)]
pub(super) struct TranscriptDecoder {
    parser: Parser,
    core: Core,
    read_to: u64,
    high_water: u64,
    /// Where the current turn starts, and what was known there.
    turn_at: u64,
    before: State,
    was_open: Option<bool>,
}

#[derive(Debug)]
struct Core {
    place: Place,
    state: State,
    current: Current,
    calls: BTreeMap<String, Made>,
    inner: std::cell::RefCell<Parser>,
    /// Rows are not handed out again.
    silent: bool,
}

impl TranscriptDecoder {
    /// Starts where `checkpoint` says; at byte 0 without one.
    #[must_use]
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let known = checkpoint.and_then(|c| serde_json::from_str::<State>(&c.state).ok().map(|state| (c, state)));
        let state = known.as_ref().map(|(_, state)| state.clone()).unwrap_or_default();
        let core = Core {
            place: Place::new(info),
            state: state.clone(),
            current: Current::default(),
            calls: BTreeMap::new(),
            inner: std::cell::RefCell::default(),
            silent: false,
        };
        Self {
            parser: Parser::default(),
            core,
            read_to: known.as_ref().map_or(0, |(c, _)| c.resume_at),
            high_water: known.as_ref().map_or(0, |(c, _)| c.high_water),
            turn_at: known.as_ref().map_or(0, |(c, _)| c.resume_at),
            before: state,
            was_open: known.map(|(c, _)| c.open),
        }
    }

    fn caught_up(&mut self) {
        if let Some(open) = self.was_open.take() {
            self.core.current.dirty = open;
        }
        self.core.silent = false;
    }
}

impl Core {
    fn session(&self) -> &str {
        self.state.session.as_deref().or(self.place.session.as_deref()).unwrap_or_default()
    }

    fn emit(&self, rows: &mut Rows, row: &EventRow<'_>) {
        if !self.silent {
            rows.event(row);
        }
    }

    fn row(&self, ts_us: i64, offset: u64) -> EventRow<'_> {
        EventRow {
            ts_us,
            ts_inferred: true,
            agent_version: self.state.version.as_deref(),
            session_id: Some(self.session()).filter(|s| !s.is_empty()),
            workspace_id: self.place.workspace_id.as_deref(),
            cwd: self.place.cwd.as_deref().or(self.state.cwd.as_deref()),
            repo_url: self.place.repo_url.as_deref(),
            turn: Some(self.state.turn),
            source_offset: offset,
            completeness: TRANSCRIPT,
            ..EventRow::default()
        }
    }

    fn record(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(kind) = json.str_at("type") else { return Outcome::Wrong };
        let data = json.get("data").filter(|d| d.is_object()).unwrap_or(Json::new(&[]));
        let ts = json.get("timestamp").and_then(session::when);
        self.state.last_us = self.state.last_us.max(ts);
        let ts_us = ts.or(self.state.last_us).unwrap_or(self.place.modified_us);
        if self.current.name.is_empty() && kind != "session.start" {
            self.current.name = ids::shared_turn(self.session(), 0, 0);
        }
        match kind {
            "session.start" => self.start(data, ts_us, offset, rows),
            "user.message" => self.prompt(json, data, ts_us, offset, rows),
            "assistant.message" => self.message(data, ts_us, offset, rows),
            "tool.execution_start" => self.call(data, "toolName", ts_us, offset, rows),
            "tool.execution_complete" => self.result(data, ts_us, offset, rows),
            "assistant.turn_start" | "assistant.turn_end" => return Outcome::Ignored,
            _ => {
                let facts = extra(|writer| rest(json, &["timestamp", "parentId", "id"], writer));
                let id = json.str_at("id").map(|id| EventId::of(AGENT, "transcript", &[id.as_bytes()]));
                let row =
                    EventRow { id, event_type: EventType::Unknown, extra: facts.as_deref(), ..self.row(ts_us, offset) };
                self.emit(rows, &row);
                return Outcome::Unknown;
            }
        }
        Outcome::Row
    }

    fn start(&mut self, data: Json<'_, '_>, ts_us: i64, offset: u64, rows: &mut Rows) {
        self.state.session = data.str_at("sessionId").map(str::to_owned).or(self.state.session.take());
        self.state.version = data.str_at("copilotVersion").map(str::to_owned);
        self.state.cwd = data.path(&["context", "cwd"]).and_then(Json::as_filled_str).map(str::to_owned);
        let facts = extra(|writer| rest(data, &["sessionId", "copilotVersion", "startTime", "context"], writer));
        let row = EventRow {
            id: Some(EventId::of(AGENT, "session", &[self.session().as_bytes()])),
            event_type: EventType::SessionStart,
            extra: facts.as_deref(),
            ..self.row(ts_us, offset)
        };
        self.emit(rows, &row);
    }

    fn prompt(&mut self, json: Json<'_, '_>, data: Json<'_, '_>, ts_us: i64, offset: u64, rows: &mut Rows) {
        let words = data.get("content").and_then(Json::as_str).unwrap_or_default();
        let hash = ids::prompt_hash(words);
        let count = self.state.prompts.entry(format!("{hash:032x}")).or_default();
        let nth = *count;
        *count += 1;
        self.state.turn += 1;
        let name = ids::shared_turn(self.session(), hash, nth);
        self.current = Current { name, ts_us, offset, ..Current::default() };
        self.calls.clear();
        let facts = extra(|writer| {
            if let Some(attachments) = data.get("attachments").filter(|a| !a.is_blank()) {
                writer.with("attachments", |out| write_clean(attachments, out));
            }
            rest(data, &["content", "attachments"], writer);
        });
        let row = EventRow {
            id: Some(ids::of_turn("prompt", &self.current.name)),
            event_type: EventType::UserInteraction,
            role: Some("user"),
            message_id: json.str_at("id"),
            text: Some(words),
            extra: facts.as_deref(),
            ..self.row(ts_us, offset)
        };
        self.emit(rows, &row);
    }

    fn message(&mut self, data: Json<'_, '_>, ts_us: i64, offset: u64, rows: &mut Rows) {
        let append = |to: &mut String, words: &str| {
            if !to.is_empty() {
                to.push_str("\n\n");
            }
            to.push_str(words.trim());
        };
        let words = data.get("content").and_then(Json::as_str).unwrap_or_default();
        let current = &mut self.current;
        if !words.trim().is_empty() {
            append(&mut current.answer, words);
            (current.ts_us, current.offset, current.dirty) = (ts_us, offset, true);
            current.message_id = data.str_at("messageId").map(str::to_owned);
        }
        if let Some(thought) = data.str_at("reasoningText").filter(|t| !t.trim().is_empty()) {
            append(&mut current.thought, thought);
            current.dirty = true;
        }
        for request in data.get("toolRequests").into_iter().flat_map(Json::items) {
            self.call(request, "name", ts_us, offset, rows);
        }
    }

    fn call(&mut self, data: Json<'_, '_>, name_key: &str, ts_us: i64, offset: u64, rows: &mut Rows) {
        let bare = data.str_at("toolCallId").map(ids::bare_call).unwrap_or_default();
        let nth = match self.calls.get(bare) {
            // The request and the start of a call are one call.
            Some(made) if !made.done => return,
            Some(made) => made.nth + 1,
            None => 0,
        };
        if bare.is_empty() {
            return;
        }
        let name = data.str_at(name_key).unwrap_or_default();
        let arguments = Arguments::read(data.get("arguments"), &self.inner);
        let (path, command) = (arguments.path.clone(), arguments.command.clone());
        self.calls.insert(bare.to_owned(), Made { nth, done: false, name: name.to_owned(), path, command });
        let id = ids::unique_call(&self.current.name, bare, nth);
        let call = Call { id: &id, name, arguments, ..Call::default() };
        if !self.silent {
            call.rows(self.row(ts_us, offset), rows);
        }
    }

    fn result(&mut self, data: Json<'_, '_>, ts_us: i64, offset: u64, rows: &mut Rows) {
        let bare = data.str_at("toolCallId").map(ids::bare_call).unwrap_or_default();
        if let Some(made) = self.calls.get_mut(bare) {
            made.done = true;
        }
        if bare.is_empty() || self.silent {
            return;
        }
        let made = self.calls.get(bare);
        let failed = data.get("success").and_then(Json::as_bool) == Some(false);
        let mut output = String::new();
        let answer = data.get("result").or_else(|| data.get("error"));
        answer.into_iter().for_each(|value| text::result(value, &mut output));
        let facts = extra(|writer| rest(data, &["toolCallId", "success", "result", "error"], writer));
        let answer = Answer {
            output: Some(output).filter(|o| !o.is_empty()),
            is_error: failed.then_some(true),
            status: Some(if failed { Status::Failed } else { Status::Completed }),
            facts,
            ..Answer::default()
        };
        let arguments = Arguments {
            path: made.and_then(|m| m.path.clone()),
            command: made.and_then(|m| m.command.clone()),
            ..Arguments::default()
        };
        let name = made.map_or("", |m| &m.name);
        let id = ids::unique_call(&self.current.name, bare, made.map_or(0, |m| m.nth));
        let call = Call { id: &id, name, arguments, result: Some(answer), ..Call::default() };
        call.result_row(self.row(ts_us, offset), rows);
    }

    /// The turn's answer and thought so far.
    fn said(&self, provisional: bool, rows: &mut Rows) {
        let current = &self.current;
        let row = EventRow { role: Some("assistant"), provisional, ..self.row(current.ts_us, current.offset) };
        if !current.thought.is_empty() {
            rows.event(&EventRow {
                id: Some(ids::nth_of_turn("thinking", &current.name, 0)),
                event_type: EventType::Thinking,
                text: Some(&current.thought),
                completeness: TRANSCRIPT + ids::length(&current.thought),
                ..row
            });
        }
        if !current.answer.is_empty() {
            rows.event(&EventRow {
                id: Some(ids::of_turn("answer", &current.name)),
                event_type: EventType::LlmResponse,
                message_id: current.message_id.as_deref(),
                text: Some(&current.answer),
                completeness: TRANSCRIPT + ids::length(&current.answer),
                ..row
            });
        }
    }
}

impl Decoder for TranscriptDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        self.core.silent = line.offset < self.high_water;
        if !self.core.silent {
            self.caught_up();
        }
        let mut outcome = Outcome::Ignored;
        let core = &mut self.core;
        let (turn_at, before) = (&mut self.turn_at, &mut self.before);
        let seen = self.parser.each(line.bytes, |json| {
            if json.str_at("type") == Some("user.message") {
                if core.current.dirty && !core.silent {
                    core.said(false, rows);
                }
                *before = core.state.clone();
                *turn_at = line.offset;
            }
            outcome = outcome.max(core.record(json, line.offset, rows));
        });
        self.read_to = line.end;
        if !core.silent {
            count(line, seen, outcome, rows);
        } else if line.end >= self.high_water {
            self.caught_up();
        }
    }

    fn settle(&mut self, rows: &mut Rows) {
        self.caught_up();
        if std::mem::take(&mut self.core.current.dirty) {
            self.core.said(false, rows);
        }
    }

    fn provisional(&self, rows: &mut Rows) {
        if self.is_open() {
            self.core.said(true, rows);
        }
    }

    fn is_open(&self) -> bool {
        self.was_open.unwrap_or(self.core.current.dirty)
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            resume_at: self.turn_at,
            high_water: self.read_to.max(self.high_water),
            open: self.was_open.unwrap_or(self.core.current.dirty),
            state: serde_json::to_string(&self.before).unwrap_or_default(),
        }
    }

    fn last_us(&self) -> Option<i64> {
        self.core.state.last_us
    }
}
