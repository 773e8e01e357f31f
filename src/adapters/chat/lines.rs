//! Logs of lines, each settled when it is read.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::adapters::json::Json;
use crate::adapters::line::{Parser, Seen};
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, Format, Rows};

/// What one format makes of its records. What is serialized is the state in a checkpoint.
pub(in crate::adapters) trait Records: Default + Serialize + DeserializeOwned + Send {
    /// Takes over what is known from outside: at the start, and again before totals are told.
    fn begin(&mut self, format: Format, info: SourceInfo<'_>);

    /// Decodes one value of the line at `offset`.
    fn record(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome;

    /// Decodes a line of plain text; `None` when lines of this format are JSON.
    fn plain(&mut self, _line: &[u8], _offset: u64, _rows: &mut Rows) -> Option<Outcome> {
        None
    }

    /// Time of the newest record.
    fn last_us(&self) -> Option<i64>;

    /// True when totals of the file beside the log are not told yet.
    fn owes_totals(&self) -> bool {
        false
    }

    /// Appends the totals.
    fn totals(&self, _provisional: bool, _rows: &mut Rows) {}

    /// The totals have been handed out.
    fn told(&mut self) {}
}

/// Decoder of such a log.
#[derive(Debug)]
pub(in crate::adapters) struct Lines<R> {
    parser: Parser,
    format: Format,
    records: R,
    read_to: u64,
}

impl<R: Records> Lines<R> {
    /// Starts where `checkpoint` says; at byte 0 without one, or when its state is not readable.
    pub(in crate::adapters) fn new(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let loaded = checkpoint
            .and_then(|checkpoint| Some((serde_json::from_str::<R>(&checkpoint.state).ok()?, checkpoint.high_water)));
        let (mut records, read_to) = loaded.unwrap_or_default();
        records.begin(format, info);
        Self { parser: Parser::default(), format, records, read_to }
    }

    fn is_json(line: &[u8]) -> bool {
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        line.iter().find(|b| !b.is_ascii_whitespace() && **b != 0).is_some_and(|b| *b == b'{')
    }
}

impl<R: Records> Decoder for Lines<R> {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        if line.offset < self.read_to {
            return;
        }
        self.read_to = line.end;
        let plain = if Self::is_json(line.bytes) { None } else { self.records.plain(line.bytes, line.offset, rows) };
        if let Some(outcome) = plain {
            count(line, Ok(Seen::default()), outcome, rows);
            return;
        }
        let Self { parser, records, .. } = self;
        let mut outcome = Outcome::Ignored;
        let seen = parser.each(line.bytes, |json| {
            let one = if json.is_object() { records.record(json, line.offset, rows) } else { Outcome::Wrong };
            outcome = outcome.max(one);
        });
        // A text log may hold lines that only look like JSON.
        let seen = match seen {
            Err(refused) => match self.records.plain(line.bytes, line.offset, rows) {
                Some(plain) => {
                    outcome = plain;
                    Ok(Seen::default())
                }
                None => Err(refused),
            },
            seen => seen,
        };
        count(line, seen, outcome, rows);
    }

    fn settle(&mut self, rows: &mut Rows) {
        if self.records.owes_totals() {
            self.records.totals(false, rows);
            self.records.told();
        }
    }

    fn provisional(&self, rows: &mut Rows) {
        if self.records.owes_totals() {
            let counts = *rows.counts();
            self.records.totals(true, rows);
            *rows.counts() = counts;
        }
    }

    fn is_open(&self) -> bool {
        self.records.owes_totals()
    }

    fn checkpoint(&self) -> Checkpoint {
        let state = serde_json::to_string(&self.records).unwrap_or_default();
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: self.is_open(), state }
    }

    fn last_us(&self) -> Option<i64> {
        self.records.last_us()
    }

    fn refresh(&mut self, info: SourceInfo<'_>) {
        self.records.begin(self.format, info);
    }
}
