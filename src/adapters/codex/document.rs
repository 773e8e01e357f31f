//! Rollouts of the TypeScript CLI: one JSON document `{session, items}`, rewritten as a whole.
//!
//! Each version of the document is decoded from its beginning; ids do not depend on the version, so
//! what was known already comes out with the same id.

use super::rollout::{Core, Outcome, count};
use super::state::Stamp;
use crate::adapters::json::Json;
use crate::adapters::line::Parser;
use crate::adapters::{Decoder, Line, SourceInfo, time};
use crate::schema::{Checkpoint, Rows};

/// Decodes one `rollout-*.json`.
#[derive(Debug)]
pub(super) struct DocumentDecoder {
    parser: Parser,
    path: String,
    modified_us: i64,
    read_to: u64,
    last_us: Option<i64>,
}

impl DocumentDecoder {
    /// Starts where `checkpoint` says; at byte 0 without one.
    #[must_use]
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        Self {
            parser: Parser::default(),
            path: info.path.to_owned(),
            modified_us: info.modified_us,
            read_to: checkpoint.map_or(0, |c| c.high_water),
            last_us: checkpoint.and_then(|c| c.state.parse().ok()),
        }
    }
}

/// Rows of one version of the document.
fn document(core: &mut Core, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
    let Some(session) = json.get("session").filter(|s| s.is_object()) else { return Outcome::Wrong };
    let ts_us = session.str_at("timestamp").and_then(time::rfc3339_us);
    let stamp =
        Stamp { offset, ts_us: ts_us.unwrap_or(core.origin.modified_us), inferred: true, ordinal: None, bare: true };
    core.state.last_us = ts_us;
    let outcome = core.session_meta(session, &Stamp { inferred: ts_us.is_none(), ..stamp }, rows);
    for item in json.get("items").into_iter().flat_map(Json::items).filter(|i| i.is_object()) {
        core.state.pass(&stamp, false);
        core.item(item, &stamp, rows);
    }
    outcome
}

impl Decoder for DocumentDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        let info = SourceInfo { path: &self.path, companions: &[], modified_us: self.modified_us, zone: None };
        let mut core = Core::new(info);
        let mut outcome = Outcome::Ignored;
        let seen = self.parser.each(line.bytes, |json| {
            outcome = outcome.max(document(&mut core, json, line.offset, rows));
        });
        self.read_to = line.end;
        self.last_us = self.last_us.max(core.state.last_us);
        count(line, seen, outcome, rows);
    }

    fn checkpoint(&self) -> Checkpoint {
        let state = self.last_us.map(|us| us.to_string()).unwrap_or_default();
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: false, state }
    }

    fn last_us(&self) -> Option<i64> {
        self.last_us
    }
}
