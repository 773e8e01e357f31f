//! Sessions of the time before the database: `sessions/<YYYYMMDD_HHMMSS>.jsonl`.

use serde::{Deserialize, Serialize};

use super::AGENT;
use super::content::{Buffers, Calls, Message, is_prompt};
use super::usage::{Tokens, total_id};
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Decoder, Line, SourceInfo, time};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows};

/// What earlier lines said.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct State {
    cwd: Option<String>,
    turn: i32,
    calls: Calls,
    last_us: Option<i64>,
}

/// Decodes one session.
#[derive(Debug)]
pub(super) struct LineDecoder {
    parser: Parser,
    session: String,
    modified_us: i64,
    read_to: u64,
    state: State,
    buffers: Buffers,
    extra: Extra,
}

impl LineDecoder {
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let name = info.path.rsplit(['/', '\\']).next().unwrap_or(info.path);
        let state = checkpoint.map(|c| serde_json::from_str::<State>(&c.state));
        // A state that cannot be read starts the file over.
        let (state, read_to) = match (state, checkpoint) {
            (Some(Ok(state)), Some(checkpoint)) => (state, checkpoint.high_water),
            _ => (State::default(), 0),
        };
        Self {
            parser: Parser::default(),
            session: name.strip_suffix(".jsonl").unwrap_or(name).to_owned(),
            modified_us: info.modified_us,
            read_to,
            state,
            buffers: Buffers::default(),
            extra: Extra::default(),
        }
    }

    fn record(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        if !json.is_object() {
            return Outcome::Wrong;
        }
        match (json.str_at("role"), json.get("content")) {
            (Some(role), Some(content)) if content.is_array() => self.message(role, json, content, offset, rows),
            (None, None) if json.get("working_dir").is_some() || json.get("description").is_some() => {
                self.head(json, offset, rows);
                Outcome::Row
            }
            _ => {
                self.extra.begin().rest(json, &[]);
                rows.event(&EventRow {
                    event_type: EventType::Unknown,
                    ts_us: self.state.last_us.unwrap_or(self.modified_us),
                    ts_inferred: true,
                    session_id: Some(&self.session),
                    source_offset: offset,
                    extra: self.extra.end(),
                    ..EventRow::default()
                });
                Outcome::Unknown
            }
        }
    }

    /// The first line: what the session is, and what it took.
    fn head(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) {
        self.state.cwd = json.str_at("working_dir").map(str::to_owned).or(self.state.cwd.take());
        let started = started_us(&self.session);
        let used = ["working_dir", "description"];
        let count = |key: &str| json.i64_at(key);
        let row = EventRow {
            ts_us: started.unwrap_or(self.modified_us),
            // The name is the local time.
            ts_inferred: true,
            session_id: Some(&self.session),
            cwd: self.state.cwd.as_deref(),
            is_subagent: Some(false),
            source_offset: offset,
            completeness: count("message_count").unwrap_or(0),
            ..EventRow::default()
        };
        let id = |kind| Some(EventId::of(AGENT, kind, &[self.session.as_bytes()]));
        let extra = self.extra.begin().rest(json, &used).end();
        rows.event(&EventRow { id: id("session"), event_type: EventType::SessionStart, extra, ..row });
        if let Some(title) = json.str_at("description") {
            rows.event(&EventRow { id: id("title"), event_type: EventType::Title, text: Some(title), ..row });
        }
        let tokens = Tokens {
            input: count("accumulated_input_tokens"),
            output: count("accumulated_output_tokens"),
            total: count("accumulated_total_tokens"),
            ..Tokens::default()
        };
        if let Some(tokens) = tokens.known() {
            let level = tokens.input.unwrap_or(0).saturating_add(tokens.output.unwrap_or(0));
            let row =
                EventRow { id: total_id(&self.session), event_type: EventType::System, completeness: level, ..row };
            rows.event(&tokens.usage().counter_step().on(row));
        }
    }

    fn message(
        &mut self,
        role: &str,
        json: Json<'_, '_>,
        content: Json<'_, '_>,
        offset: u64,
        rows: &mut Rows,
    ) -> Outcome {
        let own_us = json.i64_at("created").filter(|n| *n > 0).map(time::unix_us);
        let ts_us = own_us.or(self.state.last_us).unwrap_or(self.modified_us);
        self.state.last_us = Some(ts_us);
        self.state.turn = self.state.turn.saturating_add(i32::from(is_prompt(role, content)));
        let message = Message {
            session: &self.session,
            parent: None,
            is_subagent: false,
            role,
            message_id: json.str_at("id"),
            model: None,
            provider: None,
            cwd: self.state.cwd.as_deref(),
            ts_us,
            inferred: own_us.is_none(),
            visible: json.path(&["metadata", "userVisible"]).and_then(Json::as_bool) != Some(false),
            turn: self.state.turn,
            level: 0,
            offset,
        };
        let made = message.write(content, &mut self.state.calls, &mut self.buffers, rows);
        match (made.unknown, made.rows) {
            (true, _) => Outcome::Unknown,
            (false, 0) => Outcome::Ignored,
            (false, _) => Outcome::Row,
        }
    }
}

/// Time in a session's name, as if it were UTC.
fn started_us(session: &str) -> Option<i64> {
    let (date, clock) = session.split_once('_')?;
    let part = |text: &str, from: usize, to: usize| text.get(from..to).map(str::to_owned);
    if date.len() != 8 || clock.len() != 6 {
        return None;
    }
    let (year, month, day) = (part(date, 0, 4)?, part(date, 4, 6)?, part(date, 6, 8)?);
    let (hour, minute, second) = (part(clock, 0, 2)?, part(clock, 2, 4)?, part(clock, 4, 6)?);
    time::rfc3339_us(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

impl Decoder for LineDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        if line.offset < self.read_to {
            return;
        }
        let mut parser = std::mem::take(&mut self.parser);
        let mut outcome = Outcome::Ignored;
        let seen = parser.each(line.bytes, |json| outcome = outcome.max(self.record(json, line.offset, rows)));
        self.parser = parser;
        self.read_to = line.end;
        count(line, seen, outcome, rows);
    }

    fn checkpoint(&self) -> Checkpoint {
        let state = serde_json::to_string(&self.state).unwrap_or_default();
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: false, state }
    }

    fn last_us(&self) -> Option<i64> {
        self.state.last_us
    }
}
