//! The decoder of a transcript: parses lines, tells record types apart, keeps count.

use super::call::{Calls, Place};
use super::record::Record;
use super::state::{self, Source, State};
use super::{assistant, progress, small, system, user};
use crate::adapters::json::Json;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, Rows};

/// Texts under construction, used again for every row.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) extra: String,
    pub(super) input: String,
    pub(super) text: String,
    pub(super) blocks: String,
}

/// All that decoding one record needs.
pub(super) struct Context<'x> {
    pub(super) source: &'x Source,
    pub(super) state: &'x mut State,
    pub(super) calls: &'x mut Calls,
    pub(super) scratch: &'x mut Scratch,
    pub(super) rows: &'x mut Rows,
    /// Where the line starts.
    pub(super) offset: u64,
}

impl Context<'_> {
    /// Where a call that begins here has its first line.
    pub(super) const fn place(&self) -> Place {
        Place { offset: self.offset, turn: self.state.turn, line: self.state.lines }
    }

    fn record(&mut self, json: Json<'_, '_>) -> Outcome {
        if !json.is_object() {
            return Outcome::Wrong;
        }
        let rec = Record::read(json, self.state.last_us.unwrap_or(self.source.modified_us));
        if let Some(us) = rec.own_us {
            self.state.last_us = Some(us);
        }
        self.source.note_copy(&rec);
        match rec.kind {
            "assistant" => assistant::decode(self, &rec),
            "user" => user::decode(self, &rec),
            "progress" => progress::decode(self, &rec),
            "attachment" => system::attachment(self, &rec),
            "system" => system::decode(self, &rec),
            _ => small::decode(self, &rec),
        }
    }
}

/// Decodes a Claude Code transcript: `<session>.jsonl`, `agent-*.jsonl` or a workflow's
/// `journal.jsonl`.
#[derive(Debug, Default)]
pub(super) struct SessionDecoder {
    parser: Parser,
    source: Source,
    state: State,
    calls: Calls,
    scratch: Scratch,
    /// Lines before this offset only rebuild open calls.
    high_water: u64,
    /// Lines before the first one with a time: they wait for it.
    early: Early,
}

/// Lines without a time at the beginning of a file, such as `permission-mode` and `summary`.
#[derive(Debug, Default)]
struct Early {
    /// Start, end and bytes of each.
    lines: Vec<(u64, u64, Vec<u8>)>,
    bytes: usize,
}

impl Early {
    /// Most bytes that wait; a file that begins with more has no times.
    const MOST_BYTES: usize = 256 * 1024;

    fn keep(&mut self, line: Line<'_>) {
        self.bytes += line.bytes.len();
        self.lines.push((line.offset, line.end, line.bytes.to_vec()));
    }

    fn has_room(&self, line: Line<'_>) -> bool {
        self.bytes + line.bytes.len() <= Self::MOST_BYTES
    }
}

impl SessionDecoder {
    /// A decoder that goes on where `checkpoint` says, or starts at byte 0.
    #[must_use]
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let source = Source::new(info);
        let (state, calls) = checkpoint.and_then(|c| state::restore(&source, c)).unwrap_or_default();
        let high_water = state.end;
        Self { source, state, calls, high_water, ..Self::default() }
    }

    /// Takes what an earlier decoder has counted already: only open calls grow.
    fn rebuild(&mut self, line: Line<'_>) {
        let (calls, source) = (&mut self.calls, &self.source);
        // A line that is no JSON was rejected when it was new.
        let rebuilt = self.parser.each(line.bytes, |json| {
            let rec = Record::read(json, 0);
            match rec.kind {
                "assistant" => assistant::rebuild(calls, source, &rec, line.offset),
                "progress" => progress::rebuild(calls, source, &rec, line.offset),
                _ => {}
            }
        });
        rebuilt.unwrap_or_default();
    }

    /// Time of the first record of a line that has one.
    fn time_of(&mut self, line: Line<'_>) -> Option<i64> {
        let mut first = None;
        let parsed = self.parser.each(line.bytes, |json| first = first.or(Record::read(json, 0).own_us));
        parsed.ok().and(first)
    }

    /// Decodes the lines that waited for a time.
    fn decode_early(&mut self, rows: &mut Rows) {
        for (offset, end, bytes) in std::mem::take(&mut self.early).lines {
            self.decode(Line { bytes: &bytes, offset, end }, rows);
        }
    }

    fn decode(&mut self, line: Line<'_>, rows: &mut Rows) {
        self.state.lines += 1;
        self.calls.close_idle(self.state.lines, rows);
        let mut outcome = Outcome::Ignored;
        let mut context = Context {
            source: &self.source,
            state: &mut self.state,
            calls: &mut self.calls,
            scratch: &mut self.scratch,
            rows,
            offset: line.offset,
        };
        let seen = self.parser.each(line.bytes, |json| outcome = outcome.max(context.record(json)));
        self.state.end = line.end;
        count(line, seen, outcome, rows);
    }
}

impl Decoder for SessionDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        if line.offset < self.high_water {
            return self.rebuild(line);
        }
        if self.state.last_us.is_none() {
            let time = self.time_of(line);
            if time.is_none() && self.early.has_room(line) {
                return self.early.keep(line);
            }
            self.state.last_us = time;
            self.decode_early(rows);
        }
        self.decode(line, rows);
    }

    fn settle(&mut self, rows: &mut Rows) {
        self.decode_early(rows);
        self.calls.settle(rows);
    }

    fn settle_finished(&mut self, rows: &mut Rows) {
        self.decode_early(rows);
        self.calls.settle_finished(rows);
    }

    fn provisional(&self, rows: &mut Rows) {
        if !self.early.lines.is_empty() {
            let counts = *rows.counts();
            let mut shown = Self { source: self.source.clone(), ..Self::default() };
            for (offset, end, bytes) in &self.early.lines {
                shown.decode(Line { bytes, offset: *offset, end: *end }, rows);
            }
            *rows.counts() = counts;
        }
        self.calls.provisional(rows);
    }

    fn is_open(&self) -> bool {
        self.calls.is_open() || !self.early.lines.is_empty()
    }

    fn checkpoint(&self) -> Checkpoint {
        let saved = state::save(&self.source, &self.state, &self.calls);
        Checkpoint { open: saved.open || !self.early.lines.is_empty(), ..saved }
    }

    fn last_us(&self) -> Option<i64> {
        self.state.last_us
    }
}
