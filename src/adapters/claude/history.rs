//! `history.jsonl`: every prompt the user typed, kept longer than the transcripts.

use super::AGENT;
use super::record::{filled, object};
use crate::adapters::clean::RECORD;
use crate::adapters::json::Json;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Decoder, Line, SourceInfo, time};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows};

/// Decodes the prompt history; a line is a row, nothing is ever open.
///
/// The checkpoint's state holds the first and the last time seen.
#[derive(Debug, Default)]
pub(super) struct HistoryDecoder {
    parser: Parser,
    modified_us: i64,
    end: u64,
    last_us: Option<i64>,
    extra: String,
}

impl HistoryDecoder {
    /// A decoder that goes on where `checkpoint` says, or starts at byte 0.
    #[must_use]
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let fresh = Self { modified_us: info.modified_us, ..Self::default() };
        let Some(checkpoint) = checkpoint else { return fresh };
        match serde_json::from_str::<Option<i64>>(&checkpoint.state) {
            Ok(last_us) => Self { last_us, end: checkpoint.high_water, ..fresh },
            Err(_) => fresh,
        }
    }
}

/// Hands out the row of one prompt.
fn prompt(json: Json<'_, '_>, ts_us: i64, inferred: bool, offset: u64, extra: &mut String, rows: &mut Rows) {
    let text = json.str_at("display");
    let session = json.str_at("sessionId");
    object(extra, |object| {
        for (key, value) in json.fields() {
            let has_column = match key {
                "display" | "sessionId" | "project" => value.as_str().is_some(),
                "timestamp" => !inferred,
                _ => false,
            };
            if !has_column {
                RECORD.field(key, value, object);
            }
        }
    });
    let own_time = if inferred { 0 } else { ts_us };
    // Two machines may share a session id only when they share the session: the text settles it.
    let place = session.or_else(|| json.str_at("project")).unwrap_or_default();
    let parts = [place.as_bytes(), &own_time.to_le_bytes(), text.unwrap_or_default().as_bytes()];
    rows.event(&EventRow {
        id: Some(EventId::of(AGENT, "history", &parts)),
        ts_us,
        ts_inferred: inferred,
        event_type: EventType::PromptHistory,
        session_id: session,
        cwd: json.str_at("project"),
        is_subagent: Some(false),
        role: Some("user"),
        text,
        extra: filled(extra),
        source_offset: offset,
        ..EventRow::default()
    });
}

impl Decoder for HistoryDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        if line.offset < self.end {
            return;
        }
        let (mut refused_shape, mut unknown) = (false, false);
        let (last_us, extra) = (&mut self.last_us, &mut self.extra);
        let modified_us = self.modified_us;
        let seen = self.parser.each(line.bytes, |json| {
            if !json.is_object() {
                refused_shape = true;
                return;
            }
            unknown |= json.get("display").is_none();
            let own = json
                .get("timestamp")
                .and_then(|t| t.as_i64().map(time::unix_us).or_else(|| t.as_str().and_then(time::rfc3339_us)));
            *last_us = own.or(*last_us);
            prompt(json, last_us.unwrap_or(modified_us), own.is_none(), line.offset, extra, rows);
        });
        self.end = line.end;
        let read = seen.as_ref().is_ok_and(|seen| seen.values > 0);
        let outcome = match (refused_shape, unknown, read) {
            (true, ..) => Outcome::Wrong,
            (false, true, _) => Outcome::Unknown,
            (false, false, true) => Outcome::Row,
            _ => Outcome::Ignored,
        };
        count(line, seen, outcome, rows);
    }

    fn checkpoint(&self) -> Checkpoint {
        // Two numbers always have a text.
        let state = serde_json::to_string(&self.last_us).unwrap_or_default();
        Checkpoint { resume_at: self.end, high_water: self.end, open: false, state }
    }

    fn last_us(&self) -> Option<i64> {
        self.last_us
    }
}
