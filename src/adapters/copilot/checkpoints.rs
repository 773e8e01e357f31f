//! Edit checkpoints, `chatEditingSessions/<key>/state.json` (versions 1 and 2): which files a session
//! has edited, with hashes of what they held before and after.
//!
//! They are evidence of writes that the session's own rows have told already: `snapshot` rows with file
//! and hashes, never a second write. The contents beside the file are copies of the user's sources and
//! are not read.

use super::clean::{self, extra};
use super::{AGENT, uri};
use crate::adapters::json::Json;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Companion, Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows};

use super::place::Place;

/// Decodes one state of checkpoints.
#[derive(Debug)]
pub(super) struct CheckpointDecoder {
    parser: Parser,
    place: Place,
    /// The folder's name: the session's id.
    key: String,
    read_to: u64,
}

impl CheckpointDecoder {
    /// Starts where `checkpoint` says; at byte 0 without one.
    #[must_use]
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let companions: &[Companion<'_>] = info.companions;
        let place = Place::new(SourceInfo { companions, ..info });
        let key = info.path.rsplit(['/', '\\']).nth(1).unwrap_or_default().to_owned();
        Self { parser: Parser::default(), place, key, read_to: checkpoint.map_or(0, |c| c.high_water) }
    }

    fn document(&self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let snapshot = json.get("recentSnapshot").filter(|s| s.is_object());
        let history = json.get("linearHistory").filter(|h| h.is_array());
        if snapshot.is_none() && history.is_none() && json.get("initialFileContents").is_none() {
            return Outcome::Wrong;
        }
        let stops = history.into_iter().flat_map(Json::items).flat_map(|turn| {
            let stops = turn.get("stops").filter(|s| s.is_array());
            stops.into_iter().flat_map(Json::items).chain(stops.is_none().then_some(turn))
        });
        let mut outcome = Outcome::Ignored;
        for stop in stops.chain(snapshot) {
            for entry in stop.get("entries").into_iter().flat_map(Json::items) {
                outcome = outcome.max(self.entry(entry, offset, rows));
            }
        }
        outcome
    }

    fn entry(&self, entry: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(path) = entry.get("resource").and_then(uri::path_of) else { return Outcome::Ignored };
        let told = entry.get("telemetryInfo");
        let of = |key: &str| told.and_then(|t| t.str_at(key));
        let hash = |key: &str| entry.str_at(key).unwrap_or_default();
        let parts = [&*self.key, &path, of("requestId").unwrap_or_default(), hash("originalHash"), hash("currentHash")];
        let facts = extra(|writer| {
            clean::rest(entry, &["resource", "telemetryInfo", "snapshotUri", "original", "current"], writer);
            if let Some(told) = told.filter(|t| !t.is_blank()) {
                writer.object("telemetry", |writer| clean::rest(told, &["requestId", "modelId", "sessionId"], writer));
            }
        });
        let model = of("modelId").map(|m| m.split_once('/').map_or(m, |(_, name)| name));
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "checkpoint", &parts.map(str::as_bytes))),
            event_type: EventType::Snapshot,
            ts_us: self.place.modified_us,
            ts_inferred: true,
            model,
            workspace_id: self.place.workspace_id.as_deref(),
            cwd: self.place.cwd.as_deref(),
            repo_url: self.place.repo_url.as_deref(),
            session_id: of("sessionId").or(Some(&*self.key)).filter(|k| !k.is_empty()),
            message_id: of("requestId"),
            file_path: Some(&path),
            source_offset: offset,
            completeness: 1,
            extra: facts.as_deref(),
            ..EventRow::default()
        });
        Outcome::Row
    }
}

impl Decoder for CheckpointDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        let mut parser = std::mem::take(&mut self.parser);
        let mut outcome = Outcome::Ignored;
        let seen = parser.each(line.bytes, |json| outcome = outcome.max(self.document(json, line.offset, rows)));
        self.parser = parser;
        self.read_to = line.end;
        count(line, seen, outcome, rows);
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: false, state: String::new() }
    }

    fn last_us(&self) -> Option<i64> {
        None
    }
}
