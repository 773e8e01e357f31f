//! The analytics log: one JSON object an event, `{"event", "properties", "user_id", "time"}`, time in seconds.
//!
//! No event says which session it belongs to, and `message_send` is the same call that the chat history shows with
//! rounded figures: its exact ones stay in `extra`, so that no sum counts a call twice. `total_cost` is a running sum.

use serde::{Deserialize, Serialize};

use super::AGENT;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Decoder, Line, SourceInfo, time};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows, Status};

/// Events of the newest second: equal ones are numbered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Second {
    time: i64,
    events: Vec<(String, u32)>,
}

/// Decodes an analytics log.
#[derive(Debug)]
pub(super) struct AnalyticsDecoder {
    parser: Parser,
    modified_us: i64,
    read_to: u64,
    second: Second,
}

impl AnalyticsDecoder {
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let known = checkpoint.and_then(|c| Some((c.high_water, serde_json::from_str(&c.state).ok()?)));
        let (read_to, second) = known.unwrap_or_default();
        Self { parser: Parser::default(), modified_us: info.modified_us, read_to, second }
    }

    fn number_of(&mut self, event: &str, seconds: i64) -> u32 {
        if self.second.time != seconds {
            self.second = Second { time: seconds, events: Vec::new() };
        }
        match self.second.events.iter_mut().find(|(known, _)| known == event) {
            Some((_, number)) => {
                *number += 1;
                *number
            }
            None => {
                self.second.events.push((event.to_owned(), 0));
                0
            }
        }
    }

    fn record(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> bool {
        let Some(event) = json.str_at("event") else { return false };
        let seconds = json.i64_at("time");
        let number = self.number_of(event, seconds.unwrap_or_default());
        let user = json.str_at("user_id").unwrap_or_default();
        let time = seconds.unwrap_or_default().to_le_bytes();
        let properties = json.get("properties");
        let mut extra = Extra::default();
        if let Some(properties) = properties {
            extra.rest(properties, &[]);
        }
        extra.rest(json, &["event", "properties", "time"]);
        let parts: [&[u8]; 4] = [user.as_bytes(), &time, event.as_bytes(), &number.to_le_bytes()];
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "analytics", &parts)),
            ts_us: seconds.map_or(self.modified_us, time::unix_us),
            ts_inferred: seconds.is_none(),
            event_type: EventType::System,
            status: Some(Status::Named(event)),
            model: properties.and_then(|p| p.str_at("main_model")).filter(|m| *m != "None"),
            source_offset: offset,
            completeness: 1,
            extra: extra.end(),
            ..EventRow::default()
        });
        true
    }
}

impl Decoder for AnalyticsDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        if line.offset < self.read_to {
            return;
        }
        let mut parser = std::mem::take(&mut self.parser);
        let mut outcome = Outcome::Ignored;
        let seen = parser.each(line.bytes, |json| {
            let is_event = self.record(json, line.offset, rows);
            outcome = outcome.max(if is_event { Outcome::Row } else { Outcome::Wrong });
        });
        self.parser = parser;
        self.read_to = line.end;
        count(line, seen, outcome, rows);
    }

    fn checkpoint(&self) -> Checkpoint {
        let state = serde_json::to_string(&self.second).unwrap_or_default();
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: false, state }
    }

    fn last_us(&self) -> Option<i64> {
        (self.second.time != 0).then(|| time::unix_us(self.second.time))
    }
}
