//! Documents that their agent rewrites as a whole.

use crate::adapters::json::Json;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, EventRow, Rows};

/// What is known of a document from outside.
#[derive(Debug, Clone)]
pub(in crate::adapters) struct Source {
    pub(in crate::adapters) path: String,
    pub(in crate::adapters) modified_us: i64,
}

/// Which rows of a document are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::adapters) enum Pass {
    /// Those that stay as they are.
    Settled,
    /// Those that may still change, marked so.
    Provisional,
    /// Those that might have changed, had their agent not fallen silent.
    Silent,
}

/// Takes the rows of a document.
pub(in crate::adapters) struct Sink<'r> {
    rows: &'r mut Rows,
    pass: Pass,
    open: usize,
    last_us: Option<i64>,
}

impl std::fmt::Debug for Sink<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").field("pass", &self.pass).finish_non_exhaustive()
    }
}

impl Sink<'_> {
    /// Appends a row; an `open` one may still change, and is less complete than it will be.
    pub(in crate::adapters) fn row(&mut self, row: EventRow<'_>, open: bool) {
        if !row.ts_inferred {
            self.last_us = self.last_us.max(Some(row.ts_us));
        }
        self.open += usize::from(open);
        match self.pass {
            Pass::Settled if !open => self.rows.event(&row),
            Pass::Provisional if open => {
                let completeness = row.completeness - 1;
                self.rows.event(&EventRow { provisional: true, completeness, ..row });
            }
            Pass::Silent if open => self.rows.event(&EventRow { completeness: row.completeness - 1, ..row }),
            _ => {}
        }
    }

    /// Counts a record of an unknown kind, once.
    pub(in crate::adapters) fn unknown(&mut self) {
        if self.pass == Pass::Settled {
            self.rows.counts().unknown_types += 1;
        }
    }
}

/// Makes the rows of a document.
pub(in crate::adapters) type Decode = fn(&Source, Json<'_, '_>, &mut Sink<'_>) -> Outcome;

/// Decoder of such documents.
#[derive(Debug)]
pub(in crate::adapters) struct Documents {
    parser: Parser,
    source: Source,
    decode: Decode,
    /// The document while rows of it are open.
    kept: Vec<u8>,
    read_to: u64,
    last_us: Option<i64>,
}

impl Documents {
    /// Starts where `checkpoint` says: documents are always read from their beginning.
    pub(in crate::adapters) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>, decode: Decode) -> Self {
        Self {
            parser: Parser::default(),
            source: Source { path: info.path.to_owned(), modified_us: info.modified_us },
            decode,
            kept: Vec::new(),
            read_to: checkpoint.map_or(0, |c| c.high_water),
            last_us: None,
        }
    }

    fn open_rows(&self, pass: Pass, rows: &mut Rows) {
        let counts = *rows.counts();
        let mut sink = Sink { rows, pass, open: 0, last_us: None };
        let seen = Parser::default().each(&self.kept, |json| {
            (self.decode)(&self.source, json, &mut sink);
        });
        debug_assert!(seen.is_ok(), "it was decoded before");
        if pass == Pass::Provisional {
            *rows.counts() = counts;
        }
    }
}

impl Decoder for Documents {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        let mut sink = Sink { rows, pass: Pass::Settled, open: 0, last_us: self.last_us };
        let (decode, source) = (self.decode, &self.source);
        let mut outcome = Outcome::Ignored;
        let seen = self.parser.each(line.bytes, |json| outcome = outcome.max(decode(source, json, &mut sink)));
        let open = sink.open > 0;
        self.last_us = sink.last_us;
        self.kept.clear();
        if open && seen.is_ok() {
            self.kept.extend_from_slice(line.bytes);
        }
        self.read_to = line.end;
        count(line, seen, outcome, rows);
    }

    fn settle(&mut self, rows: &mut Rows) {
        if self.is_open() {
            self.open_rows(Pass::Silent, rows);
            self.kept = Vec::new();
        }
    }

    fn provisional(&self, rows: &mut Rows) {
        if self.is_open() {
            self.open_rows(Pass::Provisional, rows);
        }
    }

    fn is_open(&self) -> bool {
        !self.kept.is_empty()
    }

    fn checkpoint(&self) -> Checkpoint {
        let open = self.is_open();
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open, state: String::new() }
    }

    fn last_us(&self) -> Option<i64> {
        self.last_us
    }
}
