//! Files that are one document: chats before April 2026, the prompt log, telemetry.

use super::message::Chat;
use super::session::chat;
use super::telemetry;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::ledger::Ledger;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, EventRow, EventType, Format, Rows};

/// Decodes one document; each version of it from its beginning.
#[derive(Debug)]
pub(in crate::adapters) struct DocumentDecoder {
    parser: Parser,
    format: Format,
    chat: Chat,
    read_to: u64,
}

impl DocumentDecoder {
    /// Starts where `checkpoint` says; at byte 0 without one.
    pub(in crate::adapters) fn new(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let chat = Chat { agent: format.agent(), ..chat(info) };
        Self { parser: Parser::default(), format, chat, read_to: checkpoint.map_or(0, |c| c.high_water) }
    }
}

/// `{sessionId, projectHash, startTime, messages: [...]}`.
fn session(json: Json<'_, '_>, chat: &mut Chat, offset: u64, rows: &mut Rows) -> Outcome {
    let messages = ["messages", "history"].iter().find_map(|key| json.get(key).filter(|m| m.is_array()));
    if json.str_at("sessionId").is_none() && messages.is_none() {
        return Outcome::Wrong;
    }
    chat.header(json, offset, rows);
    for message in messages.into_iter().flat_map(Json::items) {
        chat.message(message, offset, rows);
    }
    Outcome::Row
}

/// `[{sessionId, messageId, type, message, timestamp}]`: what the user typed.
fn prompts(json: Json<'_, '_>, chat: &mut Chat, offset: u64, rows: &mut Rows) -> Outcome {
    let mut outcome = if json.is_empty() { Outcome::Ignored } else { Outcome::Wrong };
    for prompt in json.items() {
        let Some(text) = prompt.get("message").and_then(Json::as_str) else { continue };
        outcome = Outcome::Row;
        prompt.str_at("sessionId").unwrap_or_default().clone_into(&mut chat.session);
        let ts = crate::adapters::fields::time_at(prompt, "timestamp");
        chat.last_us = chat.last_us.max(ts);
        let number = prompt.i64_at("messageId").unwrap_or(-1).to_string();
        let mut extra = Extra::default();
        extra.rest(prompt, &["sessionId", "message", "timestamp", "type"]);
        let extra = extra.finish();
        let mut ledger = std::mem::take(&mut chat.ledger);
        let row =
            chat.row(EventType::PromptHistory, &[&number, prompt.str_at("timestamp").unwrap_or_default()], offset);
        let row = EventRow {
            ts_us: ts.unwrap_or(row.ts_us),
            ts_inferred: ts.is_none(),
            session_id: prompt.str_at("sessionId"),
            role: Some("user"),
            text: Some(text),
            turn: None,
            extra: extra.as_deref(),
            ..row
        };
        ledger.emit(&row, false, rows);
        chat.ledger = ledger;
    }
    outcome
}

impl Decoder for DocumentDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        let Self { parser, chat, format, .. } = self;
        chat.ledger = Ledger::default();
        chat.turn = 0;
        let mut outcome = Outcome::Ignored;
        let seen = parser.each(line.bytes, |json| {
            let became = match format {
                Format::GeminiTelemetry => telemetry::record(json, chat, line.offset, rows),
                _ if json.is_array() => prompts(json, chat, line.offset, rows),
                _ => session(json, chat, line.offset, rows),
            };
            outcome = outcome.max(became);
        });
        self.read_to = line.end;
        // Telemetry is appended to: its last object may be half written.
        let torn = seen.is_err() && *format == Format::GeminiTelemetry && outcome != Outcome::Ignored;
        count(line, if torn { Ok(Default::default()) } else { seen }, outcome, rows);
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: false, state: String::new() }
    }

    fn last_us(&self) -> Option<i64> {
        self.chat.last_us
    }
}
