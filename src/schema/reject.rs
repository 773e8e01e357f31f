//! The `rejects` table under construction.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Builder, Int64Builder, RecordBatch, TimestampMicrosecondBuilder};

use super::EventId;
use super::column::TextColumn;
use super::context::RowContext;
use super::table::rejects_schema;

/// Bytes of the refused stretch that are kept.
const SAMPLE_BYTES: usize = 4096;

/// So many refused lines in a row are stored one by one.
const ALONE: u64 = 1000;

/// What a row takes beside its texts.
const ROW_BYTES: usize = 224;

/// Why bytes could not be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectReason {
    /// No JSON value.
    NotJson,
    /// JSON nested deeper than 128.
    TooDeep,
    /// Longer than the memory budget allows.
    TooLong,
    /// JSON, but not of a shape the format can have (an array where an object must be, no id, ...).
    WrongShape,
}

impl RejectReason {
    /// The word that stands in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::TooDeep => "too_deep",
            Self::TooLong => "too_long",
            Self::WrongShape => "wrong_shape",
        }
    }
}

/// Columns of `rejects` while rows are appended.
#[derive(Debug, Default)]
pub struct RejectColumns {
    reject_id: TextColumn,
    agent: TextColumn,
    source_path: TextColumn,
    source_generation: Int32Builder,
    source_offset: Int64Builder,
    length: Int64Builder,
    reason: TextColumn,
    detail: TextColumn,
    sample: TextColumn,
    ingested_at: TimestampMicrosecondBuilder,
    stretch: Option<Stretch>,
    /// Refused one after the other, without a row between them, and the source they are of.
    in_a_row: u64,
    source: Option<Arc<str>>,
}

/// Lines refused one after the other that make one row.
#[derive(Debug)]
struct Stretch {
    context: RowContext,
    offset: u64,
    end: u64,
    lines: u64,
    reason: RejectReason,
    detail: String,
    sample: Vec<u8>,
}

impl RejectColumns {
    /// Appends one refused line of `length` bytes starting at `offset`; `bytes` is it, or its beginning.
    ///
    /// Where a whole file is no log, its lines are not stored one by one: after `ALONE` of them those that
    /// follow each other make one row.
    pub fn push(
        &mut self,
        context: &RowContext,
        offset: u64,
        length: u64,
        reason: RejectReason,
        detail: &str,
        bytes: &[u8],
    ) {
        if !self.source.as_ref().is_some_and(|source| Arc::ptr_eq(source, &context.source_path)) {
            self.end_of_run();
            self.source = Some(Arc::clone(&context.source_path));
        }
        self.in_a_row += 1;
        if self.in_a_row <= ALONE {
            return self.append(context, (offset, length), reason, detail, bytes);
        }
        match &mut self.stretch {
            Some(known) if known.reason == reason && (known.end..=known.end + 2).contains(&offset) => {
                known.end = offset + length;
                known.lines += 1;
            }
            _ => {
                self.end_of_stretch();
                self.stretch = Some(Stretch {
                    context: context.clone(),
                    offset,
                    end: offset + length,
                    lines: 1,
                    reason,
                    detail: detail.to_owned(),
                    sample: bytes[..bytes.len().min(SAMPLE_BYTES)].to_vec(),
                });
            }
        }
    }

    /// Says that a line made a row: lines refused from now on are stored one by one again.
    pub(super) fn end_of_run(&mut self) {
        self.end_of_stretch();
        self.in_a_row = 0;
    }

    fn end_of_stretch(&mut self) {
        let Some(stretch) = self.stretch.take() else { return };
        let Stretch { context, offset, end, lines, reason, mut detail, sample } = stretch;
        if lines > 1 {
            detail = format!("{detail}; so are the {} lines after it", lines - 1);
        }
        self.append(&context, (offset, end - offset), reason, &detail, &sample);
    }

    fn append(
        &mut self,
        context: &RowContext,
        (offset, length): (u64, u64),
        reason: RejectReason,
        detail: &str,
        bytes: &[u8],
    ) {
        let sample = String::from_utf8_lossy(&bytes[..bytes.len().min(SAMPLE_BYTES)]);
        let id = EventId::of(
            &context.agent,
            "reject",
            &[context.source_path.as_bytes(), &offset.to_le_bytes(), &length.to_le_bytes(), sample.as_bytes()],
        );
        self.reject_id.push_text(std::str::from_utf8(&id.hex()).unwrap_or_default());
        self.agent.push_text(&context.agent);
        self.source_path.push_text(&context.source_path);
        self.source_generation.append_value(context.generation.cast_signed());
        self.source_offset.append_value(offset.cast_signed());
        self.length.append_value(length.cast_signed());
        self.reason.push_text(reason.as_str());
        self.detail.push_text(detail);
        self.sample.push_text(&sample);
        self.ingested_at.append_value(context.now_us);
    }

    /// Number of rows so far, without those that one still joins.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reject_id.len()
    }

    /// True before the first row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reject_id.is_empty() && self.stretch.is_none()
    }

    /// Rough size of the rows so far, in bytes of memory.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        let texts = [&self.source_path, &self.detail, &self.sample].map(TextColumn::stored_bytes);
        texts.iter().sum::<usize>() + self.len() * ROW_BYTES
    }

    /// Takes the rows so far as one batch and starts over.
    ///
    /// # Panics
    ///
    /// Never: a test holds columns and schema together.
    #[must_use]
    pub fn finish(&mut self) -> RecordBatch {
        self.end_of_stretch();
        let columns: Vec<ArrayRef> = vec![
            self.reject_id.finish(),
            self.agent.finish(),
            self.source_path.finish(),
            Arc::new(self.source_generation.finish()),
            Arc::new(self.source_offset.finish()),
            Arc::new(self.length.finish()),
            self.reason.finish(),
            self.detail.finish(),
            self.sample.finish(),
            Arc::new(self.ingested_at.finish().with_timezone("UTC")),
        ];
        RecordBatch::try_new(rejects_schema(), columns).expect("columns follow schemas/rejects.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reject_keeps_the_first_four_kibibytes() {
        let mut columns = RejectColumns::default();
        let bytes = vec![0xff; 10_000];
        columns.push(&RowContext::new("claude", "/x"), 5, 10_000, RejectReason::NotJson, "no", &bytes);
        let batch = columns.finish();
        assert_eq!(batch.schema(), rejects_schema());
        let sample = arrow::array::AsArray::as_string_view(batch.column_by_name("sample").unwrap());
        assert_eq!(sample.value(0).chars().count(), 4096);
    }
}
