//! The two small files beside the rollouts: `history.jsonl` and `session_index.jsonl`.
//!
//! Both are lists of independent records; ids come from all their fields, so that a file trimmed in
//! place gives the same rows again.

use super::AGENT;
use super::rollout::{Outcome, count};
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::{Decoder, Line, SourceInfo, time};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows};

/// Decodes a file of independent records.
#[derive(Debug)]
struct Records {
    parser: Parser,
    extra: Extra,
    modified_us: i64,
    read_to: u64,
    last_us: Option<i64>,
}

type Record = fn(&mut Records, Json<'_, '_>, u64, &mut Rows) -> Outcome;

impl Records {
    fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        Self {
            parser: Parser::default(),
            extra: Extra::default(),
            modified_us: info.modified_us,
            read_to: checkpoint.map_or(0, |c| c.high_water),
            last_us: checkpoint.and_then(|c| c.state.parse().ok()),
        }
    }

    fn line(&mut self, line: Line<'_>, rows: &mut Rows, record: Record) {
        if line.offset < self.read_to {
            return;
        }
        let mut parser = std::mem::take(&mut self.parser);
        let mut outcome = Outcome::Ignored;
        let seen = parser.each(line.bytes, |json| outcome = outcome.max(record(self, json, line.offset, rows)));
        self.parser = parser;
        self.read_to = line.end;
        count(line, seen, outcome, rows);
    }

    fn checkpoint(&self) -> Checkpoint {
        let state = self.last_us.map(|us| us.to_string()).unwrap_or_default();
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: false, state }
    }

    fn time(&mut self, ts_us: Option<i64>) -> (i64, bool) {
        self.last_us = self.last_us.max(ts_us);
        (ts_us.unwrap_or(self.modified_us), ts_us.is_none())
    }

    /// `{"session_id","ts","text"}`: one prompt.
    fn prompt(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(text) = json.get("text").and_then(Json::as_str) else { return Outcome::Wrong };
        let session = json.str_at("session_id").or_else(|| json.str_at("conversation_id"));
        let seconds = json.i64_at("ts");
        let (ts_us, ts_inferred) = self.time(seconds.map(time::unix_us));
        self.extra.begin().rest(json, &["session_id", "conversation_id", "ts", "text"]);
        self.extra.end();
        let key = seconds.unwrap_or_default().to_le_bytes();
        let id = EventId::of(AGENT, "history", &[session.unwrap_or_default().as_bytes(), &key, text.as_bytes()]);
        rows.event(&EventRow {
            id: Some(id),
            ts_us,
            ts_inferred,
            event_type: EventType::PromptHistory,
            session_id: session,
            role: Some("user"),
            text: Some(text),
            source_offset: offset,
            completeness: 1,
            extra: self.extra.get(),
            ..EventRow::default()
        });
        Outcome::Row
    }

    /// `{"id","thread_name","updated_at"}`: the name of a thread.
    fn title(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(session) = json.str_at("id") else { return Outcome::Wrong };
        let name = json.str_at("thread_name");
        let updated = json.get("updated_at");
        let ts = updated.and_then(|u| u.as_str().and_then(time::rfc3339_us).or_else(|| u.as_i64().map(time::unix_us)));
        let (ts_us, ts_inferred) = self.time(ts);
        self.extra.begin().rest(json, &["id", "thread_name", "updated_at"]);
        self.extra.end();
        let key = ts.unwrap_or_default().to_le_bytes();
        let id = EventId::of(AGENT, "index", &[session.as_bytes(), &key, name.unwrap_or_default().as_bytes()]);
        rows.event(&EventRow {
            id: Some(id),
            ts_us,
            ts_inferred,
            event_type: EventType::Title,
            session_id: Some(session),
            text: name,
            source_offset: offset,
            completeness: 1,
            extra: self.extra.get(),
            ..EventRow::default()
        });
        Outcome::Row
    }
}

/// Decodes `history.jsonl`: what the user typed, also in threads whose rollout is gone.
#[derive(Debug)]
pub(super) struct HistoryDecoder(Records);

impl HistoryDecoder {
    /// Starts where `checkpoint` says; at byte 0 without one.
    #[must_use]
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        Self(Records::new(info, checkpoint))
    }
}

impl Decoder for HistoryDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        self.0.line(line, rows, Records::prompt);
    }

    fn checkpoint(&self) -> Checkpoint {
        self.0.checkpoint()
    }

    fn last_us(&self) -> Option<i64> {
        self.0.last_us
    }
}

/// Decodes `session_index.jsonl`: the names of threads.
#[derive(Debug)]
pub(super) struct IndexDecoder(Records);

impl IndexDecoder {
    /// Starts where `checkpoint` says; at byte 0 without one.
    #[must_use]
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        Self(Records::new(info, checkpoint))
    }
}

impl Decoder for IndexDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        self.0.line(line, rows, Records::title);
    }

    fn checkpoint(&self) -> Checkpoint {
        self.0.checkpoint()
    }

    fn last_us(&self) -> Option<i64> {
        self.0.last_us
    }
}
