//! Agent transcripts: one message a line, since the end of 2025.
//!
//! - no ids, no times, no model, no usage, mostly no results: ids come from the conversation's id (the
//!   file's name) and the number of the line; times from the file's, rising with the lines
//! - thoughts are replaced by `[REDACTED]`, which makes no row
//! - `<project>/agent-transcripts/<id>/subagents/<id>.jsonl` belongs to the conversation it lies in
//! - the project's folder is named by its path with `-` for each separator: it cannot be told back, so
//!   `cwd` is null unless the agent was told its folder
//! - when the editor's database or the CLI's chats have the conversation it is a copy: see the head of the
//!   agent. The store may get it later than the transcript was read, and the rows of both have no ids in
//!   common: so the store is asked again when the transcript has grown or fallen silent, and once it has
//!   the conversation the transcript is read again from its beginning; its rows become `system` rows with
//!   the status `copy`, under their ids, and its prompts history. Where the store gets it later still,
//!   both count until the transcript grows

use serde::{Deserialize, Serialize};

use super::AGENT;
use super::extra::rest;
use super::message::{self, Made, Spot, Talk, taken_back};
use crate::adapters::json::{Json, ObjectWriter};
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Companion, Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows, Status};

/// True for a companion that says that another store has the conversation: its row in the editor's database,
/// or its chat of the CLI.
fn is_owner(companion: &Companion<'_>) -> bool {
    companion.name == "store.db" || companion.name.starts_with("composerData:")
}

/// What a transcript's path says.
#[derive(Debug, Clone, Default)]
pub(super) struct Conversation {
    pub(super) id: String,
    pub(super) parent: Option<String>,
    pub(super) is_copy: bool,
    pub(super) modified_us: i64,
}

impl Conversation {
    pub(super) fn new(info: SourceInfo<'_>) -> Self {
        let mut parts = info.path.rsplit(['/', '\\']);
        let name = parts.next().unwrap_or_default();
        let id = name.strip_suffix(".zst").unwrap_or(name);
        let id = id.rsplit_once('.').map_or(id, |(stem, _)| stem);
        let parent = if parts.next() == Some("subagents") { parts.next() } else { None };
        Self {
            id: id.to_owned(),
            parent: parent.filter(|p| !p.is_empty()).map(str::to_owned),
            is_copy: info.companions.iter().any(is_owner),
            modified_us: info.modified_us,
        }
    }

    /// What the rows of the message with that number have in common.
    pub(super) fn row(&self, number: u64, offset: u64) -> EventRow<'_> {
        EventRow {
            ts_us: self.modified_us.saturating_add(i64::try_from(number).unwrap_or(i64::MAX)),
            ts_inferred: true,
            session_id: Some(&self.id),
            parent_session_id: self.parent.as_deref(),
            is_subagent: self.parent.is_some().then_some(true),
            source_offset: offset,
            completeness: 1,
            ..EventRow::default()
        }
    }
}

/// What decoding goes on from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// Lines so far, blank ones not counted.
    lines: u64,
    /// Lines before this offset were handed out as those of a conversation that no other store has.
    #[serde(default, skip_serializing_if = "is_zero")]
    told_to: u64,
    #[serde(flatten)]
    talk: Talk,
}

const fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Decodes transcripts of lines.
#[derive(Debug)]
pub(super) struct TranscriptDecoder {
    parser: Parser,
    conversation: Conversation,
    state: State,
    read_to: u64,
}

impl TranscriptDecoder {
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let known = checkpoint.and_then(|c| Some((serde_json::from_str(&c.state).ok()?, c.high_water)));
        let (mut state, mut read_to): (State, u64) = known.unwrap_or_default();
        let conversation = Conversation::new(info);
        if conversation.is_copy && state.told_to > 0 {
            (state, read_to) = (State { told_to: state.told_to, ..State::default() }, 0);
        }
        Self { parser: Parser::default(), conversation, state, read_to }
    }

    fn value(&mut self, json: Json<'_, '_>, nth: u32, offset: u64, rows: &mut Rows) -> Option<Made> {
        if !json.is_object() {
            return None;
        }
        let mut key = self.state.lines.to_le_bytes().to_vec();
        key.extend_from_slice(&nth.to_le_bytes());
        let is_message = json.str_at("role").is_some() || json.path(&["message", "role"]).is_some();
        let conversation = &self.conversation;
        let base = conversation.row(self.state.lines, offset);
        let id = conversation.id.as_bytes();
        let takes_back = conversation.is_copy && offset < self.state.told_to;
        let spot = Spot { key: [id, &key], base, is_copy: conversation.is_copy, takes_back };
        if is_message {
            return Some(message::rows_of(json, spot, &mut self.state.talk, rows));
        }
        if conversation.is_copy {
            if takes_back {
                let row = EventRow { id: Some(EventId::of(AGENT, "line", &[id, &key])), ..taken_back(&base) };
                rows.event(&row);
            }
            return Some(if takes_back { Made::Rows } else { Made::Nothing });
        }
        let kind = json.str_at("type").unwrap_or_default();
        let (event_type, made) = match kind {
            "error" => (EventType::ErrorEncountered, Made::Rows),
            "status" | "turn_ended" | "turn_started" => (EventType::System, Made::Rows),
            _ => (EventType::Unknown, Made::Unknown),
        };
        let text = ["message", "text", "error"].iter().find_map(|key| json.str_at(key));
        let mut extra = String::new();
        let mut object = ObjectWriter::new(&mut extra);
        rest(json, &["status", "message", "text"], &mut object);
        let filled = object.end();
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "line", &[id, &key])),
            event_type,
            turn: Some(self.state.talk.turn),
            cwd: self.state.talk.cwd.as_deref(),
            text,
            status: json.str_at("status").map(Status::of),
            is_error: (kind == "error").then_some(true),
            extra: filled.then_some(extra.as_str()),
            ..base
        });
        Some(made)
    }
}

impl Decoder for TranscriptDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        if line.offset < self.read_to {
            return;
        }
        self.read_to = line.end;
        let mut parser = std::mem::take(&mut self.parser);
        let (mut nth, mut wrong, mut made) = (0, false, Made::Nothing);
        let seen = parser.each(line.bytes, |json| {
            match self.value(json, nth, line.offset, rows) {
                Some(this) => made = made.max(this),
                None => wrong = true,
            }
            nth += 1;
        });
        self.parser = parser;
        self.state.lines += u64::from(seen.as_ref().map_or(1, |seen| seen.values) > 0);
        if !self.conversation.is_copy {
            self.state.told_to = line.end;
        } else if line.end >= self.state.told_to {
            self.state.told_to = 0;
        }
        let outcome = match made {
            Made::Nothing if wrong => Outcome::Wrong,
            Made::Nothing => Outcome::Ignored,
            Made::Unknown => Outcome::Unknown,
            _ => Outcome::Row,
        };
        count(line, seen, outcome, rows);
    }

    fn checkpoint(&self) -> Checkpoint {
        let state = serde_json::to_string(&self.state).unwrap_or_default();
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: false, state }
    }

    fn last_us(&self) -> Option<i64> {
        None
    }

    fn asks_again(&self) -> bool {
        !self.conversation.is_copy
    }
}
