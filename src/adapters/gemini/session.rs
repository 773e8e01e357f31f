//! `chats/*.jsonl`: a log of changes to a chat, replayed.
//!
//! - a source is read again from its beginning after a restart; lines that were handed out before only
//!   rebuild what is known, so the checkpoint needs no state
//! - a message that is appended again makes only the rows that are new or changed

use std::collections::HashMap;

use super::message::Chat;
use super::project::Folders;
use crate::adapters::fields::time_at;
use crate::adapters::json::Json;
use crate::adapters::kit::content::Content;
use crate::adapters::kit::extra::Extra;
use crate::adapters::ledger::Ledger;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::path::{folder, stem};
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, EventRow, EventType, Format, Rows, Status};

/// Decodes one `.jsonl` chat.
#[derive(Debug)]
pub(super) struct SessionDecoder {
    parser: Parser,
    chat: Chat,
    replay: Replay,
    high_water: u64,
}

/// The list of messages as the agent would load it.
#[derive(Debug, Default)]
struct Replay {
    order: Vec<String>,
    messages: HashMap<String, Known>,
    rewinds: HashMap<String, usize>,
}

/// A message that has come.
#[derive(Debug, Default, Clone, Copy)]
struct Known {
    /// A record of it had its usage.
    has_usage: bool,
    /// It is in the list.
    is_listed: bool,
}

impl SessionDecoder {
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let chat = Chat { agent: Format::GeminiSession.agent(), ..chat(info) };
        Self {
            parser: Parser::default(),
            chat,
            replay: Replay::default(),
            high_water: checkpoint.map_or(0, |c| c.high_water),
        }
    }
}

/// The chat of a file, as far as its path tells.
pub(super) fn chat(info: SourceInfo<'_>) -> Chat {
    // chats/<parent's session id>/<session id>.jsonl
    let parent = folder(info.path, 0).filter(|_| folder(info.path, 1) == Some("chats"));
    Chat {
        session: stem(info.path).to_owned(),
        parent: parent.map(str::to_owned),
        is_subagent: parent.map(|_| true),
        cwd: Folders::of(info).find(None).map(str::to_owned),
        folders: Folders::of(info),
        modified_us: info.modified_us,
        ledger: Ledger::default(),
        ..Chat::default()
    }
}

impl Replay {
    fn value(&mut self, json: Json<'_, '_>, chat: &mut Chat, offset: u64, rows: &mut Rows) -> Outcome {
        if !json.is_object() {
            return Outcome::Wrong;
        }
        if let Some(target) = json.get("$rewindTo") {
            return self.rewind(target.as_str().unwrap_or_default(), chat, offset, rows);
        }
        if let Some(patch) = json.get("$set") {
            return self.set(patch, chat, offset, rows);
        }
        if json.get("type").is_some() {
            return self.message(json, chat, offset, rows);
        }
        if json.str_at("sessionId").is_none() {
            return unknown(json, chat, offset, rows);
        }
        chat.header(json, offset, rows);
        // A document of the older generation on one line.
        for message in json.get("messages").into_iter().flat_map(Json::items) {
            self.message(message, chat, offset, rows);
        }
        Outcome::Row
    }

    fn message(&mut self, message: Json<'_, '_>, chat: &mut Chat, offset: u64, rows: &mut Rows) -> Outcome {
        if let Some(id) = message.str_at("id") {
            self.list(id);
            if let Some(known) = self.messages.get_mut(id) {
                known.has_usage |= has_usage(message);
            }
        }
        chat.message(message, offset, rows)
    }

    /// Puts a message at the end of the list, unless it is there.
    fn list(&mut self, id: &str) {
        let known = self.messages.entry(id.to_owned()).or_default();
        if !std::mem::replace(&mut known.is_listed, true) {
            self.order.push(id.to_owned());
        }
    }

    fn unlist(&mut self, from: usize) -> Vec<String> {
        let dropped = self.order.split_off(from);
        for id in &dropped {
            if let Some(known) = self.messages.get_mut(id) {
                known.is_listed = false;
            }
        }
        dropped
    }

    /// A patch of the document. `messages` is the whole history again: what is known is not taken from
    /// it, because outputs are masked there.
    fn set(&mut self, patch: Json<'_, '_>, chat: &mut Chat, offset: u64, rows: &mut Rows) -> Outcome {
        const SEEN: [&str; 3] = ["messages", "summary", "lastUpdated"];
        let mut outcome = Outcome::Ignored;
        chat.last_us = chat.last_us.max(time_at(patch, "lastUpdated"));
        if chat.title(patch, offset, rows) {
            outcome = Outcome::Row;
        }
        if let Some(messages) = patch.get("messages") {
            self.unlist(0);
            for message in messages.items() {
                let id = message.str_at("id");
                let is_new = id
                    .is_none_or(|id| self.messages.get(id).is_none_or(|known| !known.has_usage && has_usage(message)));
                if is_new && message.get("type").is_some() {
                    outcome = outcome.max(self.message(message, chat, offset, rows));
                } else if let Some(id) = id {
                    self.list(id);
                }
            }
        }
        let mut extra = Extra::default();
        extra.rest(patch, &SEEN);
        let Some(extra) = extra.finish() else { return outcome };
        let mut ledger = std::mem::take(&mut chat.ledger);
        let mut said = Content::default();
        said.text("set").fields(patch, |key| !SEEN.contains(&key));
        let row = chat.content_row(EventType::System, &said, offset);
        ledger.emit(&EventRow { status: Some(Status::Set), extra: Some(&extra), ..row }, false, rows);
        chat.ledger = ledger;
        outcome.max(Outcome::Row)
    }

    /// Drops the message and all after it; an unknown one drops all.
    fn rewind(&mut self, target: &str, chat: &mut Chat, offset: u64, rows: &mut Rows) -> Outcome {
        let at = self.order.iter().position(|id| id == target).unwrap_or(0);
        let dropped = self.unlist(at);
        let times = self.rewinds.entry(target.to_owned()).or_default();
        *times += 1;
        let mut extra = Extra::default();
        extra.texts("rewound", dropped.iter().map(String::as_str));
        let extra = extra.finish();
        let mut ledger = std::mem::take(&mut chat.ledger);
        let row = EventRow {
            parent_event_id: (!target.is_empty()).then_some(target),
            status: Some(Status::Rewound),
            extra: extra.as_deref(),
            ..chat.row(EventType::System, &["rewind", target, &times.to_string()], offset)
        };
        ledger.emit(&row, false, rows);
        chat.ledger = ledger;
        Outcome::Row
    }
}

fn has_usage(message: Json<'_, '_>) -> bool {
    message.get("tokens").is_some_and(Json::is_object)
}

fn unknown(json: Json<'_, '_>, chat: &mut Chat, offset: u64, rows: &mut Rows) -> Outcome {
    let mut extra = Extra::default();
    extra.rest(json, &[]);
    let extra = extra.finish();
    let mut ledger = std::mem::take(&mut chat.ledger);
    let row = chat.content_row(EventType::Unknown, &Content::of(json), offset);
    ledger.emit(&EventRow { extra: extra.as_deref(), ..row }, false, rows);
    chat.ledger = ledger;
    Outcome::Unknown
}

impl Decoder for SessionDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        let quiet = line.offset < self.high_water;
        let Self { parser, chat, replay, .. } = self;
        chat.ledger.quiet = quiet;
        let mut outcome = Outcome::Ignored;
        let seen = parser.each(line.bytes, |json| outcome = outcome.max(replay.value(json, chat, line.offset, rows)));
        if !quiet {
            count(line, seen, outcome, rows);
            self.high_water = line.end;
        }
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint { resume_at: 0, high_water: self.high_water, open: false, state: String::new() }
    }

    fn last_us(&self) -> Option<i64> {
        self.chat.last_us
    }
}
