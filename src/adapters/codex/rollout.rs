//! The decoder of rollout files: lines in, rows and counters out.
//!
//! - a user's message and an answer's event are held until the next line, which may be their double;
//!   nothing else stays open
//! - a held line has touched no state yet, so a checkpoint is: state as it is, read on from the held
//!   line. `resume_at` and `high_water` are therefore always equal
//! - blank lines behind a held line neither close it nor are counted before it

use super::ledger::{Stream, content_hash, record_hash};
use super::state::{Origin, Stamp, State};
use crate::adapters::json::Json;
use crate::adapters::kit::content::Content;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
pub(super) use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Decoder, Line, SourceInfo, time};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows};

/// A message that waits for its double.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    /// True for a user's message, false for an answer's event.
    pub(super) user: bool,
    pub(super) stamp: Stamp,
    pub(super) text: String,
    pub(super) item_id: String,
    pub(super) extra: String,
    /// Name of what the message holds beside its text; 0 when it has a text.
    pub(super) record: u64,
    replaced: u64,
    /// Blank lines that followed.
    blanks: u64,
    /// True when the line holds more values and is counted with them.
    glued: bool,
}

impl Held {
    /// The line holds more values, or is counted elsewhere.
    pub(super) const fn glue(&mut self) {
        self.glued = true;
    }
}

/// The decoder without its line parser.
#[derive(Debug, Default)]
pub(super) struct Core {
    pub(super) state: State,
    pub(super) origin: Origin,
    pub(super) held: Option<Held>,
    spare: Held,
    pub(super) extra: Extra,
    pub(super) text: String,
    pub(super) command: String,
    pub(super) path: String,
    pub(super) input: String,
    pub(super) content: Content,
    /// Parses JSON that stands inside strings.
    pub(super) inner: Parser,
    preview: bool,
}

impl Core {
    pub(super) fn new(info: SourceInfo<'_>) -> Self {
        let origin = Origin {
            thread: thread_of_path(info.path).map(str::to_owned),
            path: info.path.to_owned(),
            modified_us: info.modified_us,
        };
        Self { origin, ..Self::default() }
    }

    /// Hands a row out.
    pub(super) fn emit(&self, rows: &mut Rows, row: EventRow<'_>) {
        rows.event(&EventRow { provisional: self.preview, ..row });
    }

    /// Id of the next record with this content; `None` when the other stream has told it already.
    pub(super) fn content_id(&mut self, kind: &str, content: u64, stream: Stream) -> Option<EventId> {
        self.state.content_id(&self.origin, kind, content, stream)
    }

    /// Id of a record named by its kind and its fields but those in `used`.
    pub(super) fn note_id(&mut self, kind: &str, record: Json<'_, '_>, used: &[&str]) -> Option<EventId> {
        self.content.begin().fields(record, |key| key != "type" && !used.contains(&key));
        self.content_id(kind, record_hash(kind, &self.content), Stream::Item)
    }

    /// Name of a user's message with this text. One without a text is named by `record`, what it holds beside it.
    pub(super) fn prompt_hash(text: &str, record: u64) -> u64 {
        if text.is_empty() { record } else { content_hash("user", &[text, ""]) }
    }

    /// A row with everything that does not depend on the record.
    pub(super) fn row<'a>(&'a self, stamp: &Stamp, event_type: EventType, id: EventId) -> EventRow<'a> {
        EventRow { id: Some(id), ..self.state.row(&self.origin, stamp, event_type) }
    }

    /// Keeps a message until the next line; the buffers are reused. `record` is as for
    /// [`prompt_hash`](Self::prompt_hash).
    pub(super) fn hold(
        &mut self,
        user: bool,
        stamp: &Stamp,
        text: &str,
        item_id: Option<&str>,
        record: u64,
    ) -> Outcome {
        let mut held = std::mem::take(&mut self.spare);
        held.text.clear();
        held.text.push_str(text);
        held.item_id.clear();
        held.item_id.push_str(item_id.unwrap_or_default());
        held.extra.clear();
        held.extra.push_str(self.extra.get().unwrap_or_default());
        self.held = Some(Held { user, stamp: *stamp, record, replaced: 0, blanks: 0, glued: false, ..held });
        Outcome::Held
    }

    /// Counts the held line as one that made a row, with the blank ones behind it, and gives its
    /// buffers back.
    pub(super) fn release(&mut self, held: Held, rows: &mut Rows) {
        let counts = rows.counts();
        counts.lines += held.blanks;
        counts.ignored += held.blanks;
        if !held.glued {
            counts.lines += 1;
            counts.line_rows += 1;
            counts.replaced_chars += held.replaced;
        }
        self.spare = held;
    }

    /// Closes the held message without a double.
    pub(super) fn flush_held(&mut self, rows: &mut Rows) {
        if let Some(held) = self.held.take() {
            self.state.pass(&held.stamp, false);
            self.emit_held(held, rows);
        }
    }

    /// Hands out a held message that has found no double.
    pub(super) fn emit_held(&mut self, held: Held, rows: &mut Rows) {
        if held.user {
            self.user_item(&held, rows);
        } else {
            self.state.replay.answered = true;
            let content = content_hash("assistant", &[&held.text]);
            if let Some(id) = self.content_id("assistant", content, Stream::Event) {
                let row = EventRow {
                    role: Some("assistant"),
                    model: self.state.facts.model.as_deref(),
                    text: Some(&held.text),
                    extra: Some(held.extra.as_str()).filter(|e| !e.is_empty()),
                    ..self.row(&held.stamp, EventType::LlmResponse, id)
                };
                self.emit(rows, row);
            }
        }
        self.release(held, rows);
    }

    /// Decodes one value of the line at `offset`.
    pub(super) fn value(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        if !json.is_object() {
            self.flush_held(rows);
            return Outcome::Wrong;
        }
        let (mut kind, mut payload, mut stamp_text, mut ordinal) = (None, None, None, None);
        for (key, value) in json.entries() {
            match key {
                "type" => kind = value.as_str(),
                "payload" => payload = Some(value).filter(|p| p.is_object()),
                "timestamp" | "created_at" => stamp_text = value.as_str(),
                "ordinal" => ordinal = value.as_i64(),
                _ => {}
            }
        }
        let mut ts_us = stamp_text.and_then(time::rfc3339_us);
        if ts_us.is_none()
            && let Some(payload) = payload
        {
            ts_us = payload.str_at("timestamp").and_then(time::rfc3339_us);
        }
        let stamp = Stamp {
            offset,
            ts_us: ts_us.or(self.state.meta_us).unwrap_or(self.origin.modified_us),
            inferred: ts_us.is_none(),
            ordinal,
            bare: payload.is_none(),
        };
        self.settle_before(kind, payload, rows);
        self.state.last_us = self.state.last_us.max(ts_us);
        match (kind, payload) {
            (Some(kind), Some(payload)) => self.envelope(kind, payload, &stamp, rows),
            _ => self.bare(kind, json, &stamp, rows),
        }
    }

    /// Closes the held message, unless this line may be its double.
    fn settle_before(&mut self, kind: Option<&str>, payload: Option<Json<'_, '_>>, rows: &mut Rows) {
        let Some(held) = &self.held else { return };
        let payload_type = payload.and_then(|p| p.str_at("type"));
        let may_join = matches!(
            (held.user, kind, payload_type),
            (true, Some("event_msg"), Some("user_message" | "item_completed"))
                | (false, Some("response_item"), Some("message"))
        );
        if may_join {
            let stamp = held.stamp;
            self.state.pass(&stamp, false);
        } else {
            self.flush_held(rows);
        }
    }

    fn envelope(&mut self, kind: &str, payload: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        self.state.pass(stamp, kind == "session_meta");
        match kind {
            "response_item" => self.item(payload, stamp, rows),
            "event_msg" => self.event(payload, stamp, rows),
            "session_meta" => self.session_meta(payload, stamp, rows),
            "turn_context" => self.turn_context(payload, stamp, rows),
            "token_usage_record" => self.usage_record(payload, stamp, rows),
            "compacted" => self.compacted(payload, stamp, rows),
            "world_state" | "inter_agent_communication" | "inter_agent_communication_metadata" => {
                self.note(EventType::System, kind, payload, stamp, rows)
            }
            _ => self.unknown(kind, payload, stamp, rows),
        }
    }

    /// A line without an envelope: the first Rust CLI, or a saved `codex exec --json` stream.
    fn bare(&mut self, kind: Option<&str>, json: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        if kind.is_none() && json.str_at("id").is_some() && json.get("role").is_none() && json.get("ts").is_none() {
            return self.session_meta(json, stamp, rows);
        }
        self.state.pass(stamp, false);
        match kind {
            None if json.str_at("record_type") == Some("state") => Outcome::Ignored,
            None if json.get("role").is_none() => self.unknown("record", json, stamp, rows),
            Some(kind) if kind.contains('.') || kind == "error" => self.exec(kind, json, stamp, rows),
            _ => self.item(json, stamp, rows),
        }
    }

    /// A record kept whole in `extra`.
    pub(super) fn note(
        &mut self,
        event_type: EventType,
        kind: &str,
        payload: Json<'_, '_>,
        stamp: &Stamp,
        rows: &mut Rows,
    ) -> Outcome {
        self.extra.begin().text("record", kind);
        self.extra.rest(payload, &["type"]);
        self.extra.end();
        if let Some(id) = self.note_id(kind, payload, &[]) {
            let row = EventRow { extra: self.extra.get(), ..self.row(stamp, event_type, id) };
            self.emit(rows, row);
        }
        Outcome::Row
    }

    /// A record of a kind this version does not know.
    pub(super) fn unknown(&mut self, kind: &str, payload: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        rows.counts().unknown_types += 1;
        self.note(EventType::Unknown, kind, payload, stamp, rows)
    }
}

/// Thread id at the end of `rollout-<local time>-<id>.<ending>`.
fn thread_of_path(path: &str) -> Option<&str> {
    let name = path.rsplit(['/', '\\']).next()?;
    let stem = name.strip_prefix("rollout-")?.split('.').next()?;
    let id = stem.get(stem.len().checked_sub(36)?..)?;
    let dashes = id.bytes().enumerate().all(|(i, b)| (b == b'-') == matches!(i, 8 | 13 | 18 | 23));
    dashes.then_some(id)
}

/// Decodes one rollout file.
#[derive(Debug)]
pub(super) struct RolloutDecoder {
    parser: Parser,
    core: Core,
    high_water: u64,
}

impl RolloutDecoder {
    /// Starts where `checkpoint` says; at byte 0 without one, or when its state is not readable.
    #[must_use]
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let mut core = Core::new(info);
        let mut high_water = 0;
        if let Some(checkpoint) = checkpoint
            && let Ok(state) = serde_json::from_str::<State>(&checkpoint.state)
        {
            core.state = state;
            high_water = checkpoint.high_water;
        }
        Self { parser: Parser::default(), core, high_water }
    }
}

impl Decoder for RolloutDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        if line.offset < self.high_water {
            return;
        }
        let Self { parser, core, .. } = self;
        let mut outcome = Outcome::Ignored;
        let mut values = 0;
        let seen = parser.each(line.bytes, |json| {
            // A message before another value on the same line is counted with the line.
            if let Some(held) = core.held.as_mut().filter(|_| values > 0) {
                held.glued = true;
            }
            values += 1;
            outcome = outcome.max(core.value(json, line.offset, rows));
        });
        self.high_water = line.end;
        if let Some(held) = core.held.as_mut().filter(|_| values == 0 && seen.is_ok()) {
            held.blanks += 1;
            return;
        }
        let Some(held) = core.held.as_mut().filter(|held| values > 0 && held.stamp.offset == line.offset) else {
            core.flush_held(rows);
            count(line, seen, outcome, rows);
            return;
        };
        match seen {
            Ok(seen) if values == 1 => held.replaced = seen.replaced,
            _ => {
                held.glued = true;
                core.flush_held(rows);
                count(line, seen, outcome, rows);
            }
        }
    }

    fn settle(&mut self, rows: &mut Rows) {
        self.core.flush_held(rows);
    }

    fn provisional(&self, rows: &mut Rows) {
        let Some(held) = &self.core.held else { return };
        let counts = *rows.counts();
        let mut preview = Core {
            state: self.core.state.clone(),
            origin: self.core.origin.clone(),
            held: Some(held.clone()),
            preview: true,
            ..Core::default()
        };
        preview.flush_held(rows);
        *rows.counts() = counts;
    }

    fn is_open(&self) -> bool {
        self.core.held.is_some()
    }

    fn checkpoint(&self) -> Checkpoint {
        let at = self.core.held.as_ref().map_or(self.high_water, |held| held.stamp.offset);
        let state = serde_json::to_string(&self.core.state).unwrap_or_default();
        Checkpoint { resume_at: at, high_water: at, open: self.core.held.is_some(), state }
    }

    fn last_us(&self) -> Option<i64> {
        self.core.state.last_us
    }
}
