//! The `rejects` table under construction.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Builder, Int64Builder, RecordBatch, TimestampMicrosecondBuilder};

use super::EventId;
use super::column::TextColumn;
use super::rows::RowContext;
use super::table::rejects_schema;

/// Bytes of the refused stretch that are kept.
const SAMPLE_BYTES: usize = 4096;

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
}

impl RejectColumns {
    /// Appends one refused stretch of `length` bytes starting at `offset`; `bytes` is it, or its
    /// beginning.
    pub fn push(
        &mut self,
        context: &RowContext,
        offset: u64,
        length: u64,
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

    /// Number of rows so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reject_id.len()
    }

    /// True before the first row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reject_id.is_empty()
    }

    /// Takes the rows so far as one batch and starts over.
    ///
    /// # Panics
    ///
    /// Never: a test holds columns and schema together.
    #[must_use]
    pub fn finish(&mut self) -> RecordBatch {
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
