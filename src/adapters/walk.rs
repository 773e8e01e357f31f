//! A document that is decoded from its beginning at every change.
//!
//! What its agent may still change is not kept as rows: the bytes are kept, and walked again when the
//! open rows are asked for.

use crate::adapters::json::Json;
use crate::adapters::line::Parser;
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, EventRow, RejectReason, Rows};

/// Makes the rows of one version of a document.
pub(super) trait Walk: Send {
    /// Puts all rows of the document; false when it has not the shape of the format.
    fn walk(&self, document: Json<'_, '_>, out: &mut Out<'_>) -> bool;

    /// Takes over the companions as they are now.
    fn refresh(&mut self, _info: SourceInfo<'_>) {}
}

/// Whether a row may still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It will not.
    Settled,
    /// It looks finished, but nothing after it says so yet.
    Finished,
    /// Its agent is at it.
    Open,
}

/// Which rows a walk hands out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pass {
    Settled,
    Open,
    Provisional,
}

/// Where a walk puts its rows.
#[derive(Debug)]
pub(super) struct Out<'r> {
    rows: &'r mut Rows,
    pass: Pass,
    offset: u64,
    made: bool,
    open: bool,
    unfinished: bool,
    last_us: Option<i64>,
}

impl<'r> Out<'r> {
    fn new(rows: &'r mut Rows, pass: Pass, offset: u64) -> Self {
        Self { rows, pass, offset, made: false, open: false, unfinished: false, last_us: None }
    }

    /// Hands the row out, or leaves it for later.
    pub(super) fn put(&mut self, row: &EventRow<'_>, state: State) {
        self.made = true;
        if !row.ts_inferred {
            self.last_us = self.last_us.max(Some(row.ts_us));
        }
        let is_open = state != State::Settled;
        self.open |= is_open;
        self.unfinished |= state == State::Open;
        if is_open != (self.pass == Pass::Settled) {
            let provisional = self.pass == Pass::Provisional;
            self.rows.event(&EventRow { provisional, source_offset: self.offset, ..*row });
        }
    }

    /// Hands out a row of a kind that this version does not know.
    pub(super) fn put_unknown(&mut self, row: &EventRow<'_>) {
        if self.pass == Pass::Settled {
            self.rows.counts().unknown_types += 1;
        }
        self.put(row, State::Settled);
    }
}

/// Decodes a document by walking it.
#[derive(Debug)]
pub(super) struct DocumentDecoder<W> {
    walk: W,
    parser: Parser,
    /// The document while rows of it are open.
    held: Vec<u8>,
    offset: u64,
    unfinished: bool,
    read_to: u64,
    last_us: Option<i64>,
}

impl<W: Walk> DocumentDecoder<W> {
    /// Every version is decoded from its beginning.
    pub(super) fn new(walk: W, checkpoint: Option<&Checkpoint>) -> Self {
        Self {
            walk,
            parser: Parser::default(),
            held: Vec::new(),
            offset: 0,
            unfinished: false,
            read_to: checkpoint.map_or(0, |c| c.high_water),
            last_us: checkpoint.and_then(|c| c.state.parse().ok()),
        }
    }

    fn open_rows(&self, pass: Pass, rows: &mut Rows) {
        if !self.held.is_empty() {
            let mut out = Out::new(rows, pass, self.offset);
            // It was parsed before.
            Parser::default()
                .each(&self.held, |json| {
                    self.walk.walk(json, &mut out);
                })
                .unwrap_or_default();
        }
    }
}

impl<W: Walk> Decoder for DocumentDecoder<W> {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        rows.counts().lines += 1;
        let mut out = Out::new(rows, Pass::Settled, line.offset);
        let mut is_right = true;
        let seen = self.parser.each(line.bytes, |json| is_right &= self.walk.walk(json, &mut out));
        let Out { made, open, unfinished, last_us, .. } = out;
        self.last_us = self.last_us.max(last_us);
        self.read_to = line.end;
        self.offset = line.offset;
        self.unfinished = unfinished;
        self.held.clear();
        let length = line.bytes.len() as u64;
        match seen {
            Err(refused) => rows.reject(line.offset, length, refused.reason, &refused.detail, line.bytes),
            Ok(_) if !is_right => {
                let detail = "the document has not the shape of its format";
                rows.reject(line.offset, length, RejectReason::WrongShape, detail, line.bytes);
            }
            Ok(seen) => {
                if open {
                    self.held.extend_from_slice(line.bytes);
                }
                let counts = rows.counts();
                counts.replaced_chars += seen.replaced;
                if made { counts.line_rows += 1 } else { counts.ignored += 1 }
            }
        }
    }

    fn settle(&mut self, rows: &mut Rows) {
        self.open_rows(Pass::Open, rows);
        self.held = Vec::new();
    }

    fn settle_finished(&mut self, rows: &mut Rows) {
        if !self.unfinished {
            self.settle(rows);
        }
    }

    fn provisional(&self, rows: &mut Rows) {
        self.open_rows(Pass::Provisional, rows);
    }

    fn is_open(&self) -> bool {
        !self.held.is_empty()
    }

    fn checkpoint(&self) -> Checkpoint {
        let state = self.last_us.map(|us| us.to_string()).unwrap_or_default();
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: self.is_open(), state }
    }

    fn last_us(&self) -> Option<i64> {
        self.last_us
    }

    fn refresh(&mut self, info: SourceInfo<'_>) {
        self.walk.refresh(info);
    }
}
