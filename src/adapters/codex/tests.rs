//! Shared by the tests of the Codex decoders: decode texts, look at rows.

mod calls;
mod corpus;
mod forks;
mod prompts;
mod records;
mod resume;
mod searches;
mod shapes;
mod usage;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};

use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Counts, RowBatch, RowContext, Rows};

use super::RolloutDecoder;

pub(super) const PATH: &str =
    "/h/sessions/2026/01/02/rollout-2026-01-02T03-04-05-019b7000-0000-7000-8000-000000000001.jsonl";

/// Cuts `bytes` into lines as the watch room does; an unfinished last line counts as a line.
pub(super) fn lines(bytes: &[u8]) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut start = 0;
    while start < bytes.len() {
        let length = memchr::memchr(b'\n', &bytes[start..]);
        let stop = length.map_or(bytes.len(), |l| start + l);
        let end = (stop + 1).min(bytes.len());
        lines.push(Line { bytes: &bytes[start..stop], offset: start as u64, end: end as u64 });
        start = end.max(stop + usize::from(length.is_some()));
    }
    lines
}

pub(super) struct Decoded {
    pub(super) batch: RowBatch,
    pub(super) counts: Counts,
}

pub(super) fn finish(mut rows: Rows) -> Decoded {
    let counts = rows.take_counts();
    Decoded { batch: rows.finish(), counts }
}

pub(super) fn run(decoder: &mut dyn Decoder, bytes: &[u8]) -> Decoded {
    let mut rows = Rows::new(RowContext::new("codex", PATH));
    for line in lines(bytes) {
        decoder.line(line, &mut rows);
    }
    decoder.settle(&mut rows);
    assert!(!decoder.is_open());
    finish(rows)
}

pub(super) fn info(path: &str) -> SourceInfo<'_> {
    SourceInfo { path, companions: &[], modified_us: 1_700_000_000_000_000, zone: None }
}

pub(super) fn decode(text: &str) -> Decoded {
    let decoded = run(&mut RolloutDecoder::new(info(PATH), None), text.as_bytes());
    decoded.check_counts(lines(text.as_bytes()).len());
    decoded
}

impl Decoded {
    pub(super) fn check_counts(&self, lines: usize) {
        let c = self.counts;
        assert_eq!(c.lines, lines as u64, "{c:?}");
        assert_eq!(c.lines, c.line_rows + c.ignored + c.rejects, "{c:?}");
        assert_eq!(c.rows, self.batch.ids.len() as u64);
    }

    pub(super) fn len(&self) -> usize {
        self.batch.ids.len()
    }

    pub(super) fn text(&self, row: usize, column: &str) -> Option<&str> {
        let array = self.batch.events.column_by_name(column).unwrap().as_string_view();
        array.is_valid(row).then(|| array.value(row))
    }

    pub(super) fn i64(&self, row: usize, column: &str) -> Option<i64> {
        let array = self.batch.events.column_by_name(column).unwrap();
        if array.is_null(row) {
            return None;
        }
        if let Some(array) = array.as_primitive_opt::<Int64Type>() {
            return Some(array.value(row));
        }
        if let Some(array) = array.as_primitive_opt::<Int32Type>() {
            return Some(i64::from(array.value(row)));
        }
        Some(array.as_primitive::<TimestampMicrosecondType>().value(row))
    }

    pub(super) fn bool(&self, row: usize, column: &str) -> Option<bool> {
        let array = self.batch.events.column_by_name(column).unwrap().as_boolean();
        array.is_valid(row).then(|| array.value(row))
    }

    pub(super) fn types(&self) -> Vec<&str> {
        (0..self.len()).map(|i| self.text(i, "event_type").unwrap()).collect()
    }

    pub(super) fn of_type(&self, event_type: &str) -> Vec<usize> {
        (0..self.len()).filter(|i| self.text(*i, "event_type") == Some(event_type)).collect()
    }

    pub(super) fn only(&self, event_type: &str) -> usize {
        let rows = self.of_type(event_type);
        assert_eq!(rows.len(), 1, "{event_type} in {:?}", self.types());
        rows[0]
    }

    pub(super) fn errors(&self) -> Vec<usize> {
        (0..self.len()).filter(|i| self.bool(*i, "is_error") == Some(true)).collect()
    }

    pub(super) fn sum(&self, column: &str) -> i64 {
        (0..self.len()).filter_map(|i| self.i64(i, column)).sum()
    }

    /// Every row as text, for comparisons of whole runs.
    pub(super) fn dump(&self) -> Vec<String> {
        let columns = self.batch.events.columns();
        let formatters: Vec<_> = columns
            .iter()
            .map(|c| arrow::util::display::ArrayFormatter::try_new(c.as_ref(), &Default::default()).unwrap())
            .collect();
        (0..self.len())
            .map(|row| formatters.iter().map(|f| f.value(row).to_string()).collect::<Vec<_>>().join("\u{1f}"))
            .collect()
    }
}
