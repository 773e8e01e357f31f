//! A session as one JSON document: `chatSessions/*.json`, exports, hand-overs between windows.
//!
//! Versions: 1 has no `version`, 2 a `computedTitle`, 3 a `customTitle`; "Export Chat" leaves out
//! version, session id and date. The oldest hold texts where later ones hold objects. The document is
//! rewritten as a whole; requests that are still answered are kept back.

use super::ids::Store;
use super::request::{Spot, rows_of};
use super::session::{Session, is_final};
use crate::adapters::json::Json;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, Rows};

/// A request that may still change.
#[derive(Debug)]
struct Open {
    session: usize,
    index: usize,
    text: String,
}

/// Decodes one document.
#[derive(Debug)]
pub(super) struct DocumentDecoder {
    parser: Parser,
    path: String,
    workspace: Option<String>,
    modified_us: i64,
    sessions: Vec<Session>,
    open: Vec<Open>,
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
            workspace: info.companion("workspace.json").map(str::to_owned),
            modified_us: info.modified_us,
            sessions: Vec::new(),
            open: Vec::new(),
            read_to: checkpoint.map_or(0, |c| c.high_water),
            last_us: None,
        }
    }

    fn new_session(&self) -> Session {
        let companion = self.workspace.as_deref();
        let companion = companion.map(|text| crate::adapters::Companion { name: "workspace.json", text });
        let companions = companion.as_slice();
        let info = SourceInfo { path: &self.path, companions, modified_us: self.modified_us, zone: None };
        Session::new(info, Store::Document)
    }

    /// Takes a session, or a list of them as they stood in the editor's database at first.
    fn take(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        if json.is_array() {
            let each = json.items().map(|one| self.take_session(one, offset, rows));
            return each.fold(Outcome::Ignored, Outcome::max);
        }
        self.take_session(json.get("chat").filter(|c| c.is_object()).unwrap_or(json), offset, rows)
    }

    fn take_session(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(requests) = json.get("requests").filter(|r| r.is_array()) else { return Outcome::Wrong };
        let mut session = self.new_session();
        session.set_head(json);
        let each = || requests.items().filter(|r| r.is_object()).enumerate();
        each().for_each(|(index, request)| session.note(index, request));
        session.note_title();
        session.head_rows(offset, rows);
        let mut outcome = Outcome::Ignored;
        for (index, request) in each() {
            if is_final(request) {
                outcome = outcome.max(rows_of(&session, request, Spot { index, offset, provisional: false }, rows));
            } else {
                outcome = outcome.max(Outcome::Row);
                self.open.push(Open { session: self.sessions.len(), index, text: request.to_json() });
            }
        }
        self.last_us = self.last_us.max(session.last_us);
        self.sessions.push(session);
        outcome
    }

    fn show(&self, provisional: bool, rows: &mut Rows) -> u64 {
        let mut parser = Parser::default();
        let mut unknown = 0;
        for open in &self.open {
            let Some(session) = self.sessions.get(open.session) else { continue };
            let spot = Spot { index: open.index, offset: 0, provisional };
            let parsed = parser.each(open.text.as_bytes(), |json| {
                unknown += u64::from(rows_of(session, json, spot, rows) == Outcome::Unknown);
            });
            debug_assert!(parsed.is_ok());
        }
        unknown
    }
}

impl Decoder for DocumentDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        self.sessions.clear();
        self.open.clear();
        let mut parser = std::mem::take(&mut self.parser);
        let mut outcome = Outcome::Ignored;
        let seen = parser.each(line.bytes, |json| outcome = outcome.max(self.take(json, line.offset, rows)));
        self.parser = parser;
        self.read_to = line.end;
        count(line, seen, outcome, rows);
    }

    fn settle(&mut self, rows: &mut Rows) {
        let unknown = self.show(false, rows);
        rows.counts().unknown_types += unknown;
        self.open.clear();
    }

    fn provisional(&self, rows: &mut Rows) {
        self.show(true, rows);
    }

    fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            resume_at: self.read_to,
            high_water: self.read_to,
            open: !self.open.is_empty(),
            state: String::new(),
        }
    }

    fn last_us(&self) -> Option<i64> {
        self.last_us
    }
}
