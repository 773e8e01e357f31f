//! The `sources` table, made from positions.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Builder, Int64Builder, RecordBatch, TimestampMicrosecondBuilder};

use super::column::TextColumn;
use super::position::SourcePosition;
use super::table::sources_schema;

/// How far a source has been read, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// Read to its end.
    Active,
    /// Bytes wait to be read, or records wait to be settled.
    Pending,
    /// Ends in an unfinished line.
    Torn,
    /// The file is gone; its rows stay.
    Missing,
    /// See the last error.
    Error,
}

impl SourceState {
    /// The word in the table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Pending => "pending",
            Self::Torn => "torn",
            Self::Missing => "missing",
            Self::Error => "error",
        }
    }
}

impl SourcePosition {
    /// State of the source when it was last looked at.
    #[must_use]
    pub fn state(&self) -> SourceState {
        if self.last_error.is_some() {
            SourceState::Error
        } else if self.missing {
            SourceState::Missing
        } else if self.checkpoint.open {
            SourceState::Pending
        } else if self.is_compressed() || self.checkpoint.high_water >= self.fingerprint.size {
            SourceState::Active
        } else if self.read_at_us == 0 || self.fingerprint.is_untrusted() {
            SourceState::Pending
        } else {
            SourceState::Torn
        }
    }

    /// True when positions count uncompressed bytes of a compressed file.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        std::path::Path::new(&self.path).extension().is_some_and(|e| e == "zst")
    }

    /// Bytes on disk that are not durable rows yet; 0 for compressed and missing files.
    #[must_use]
    pub fn lag_bytes(&self) -> u64 {
        if self.is_compressed() || self.missing {
            return 0;
        }
        let durable = if self.checkpoint.open { self.checkpoint.resume_at } else { self.checkpoint.high_water };
        self.fingerprint.size.saturating_sub(durable)
    }
}

#[derive(Default)]
struct SourceColumns {
    texts: [TextColumn; 4],
    generation: Int32Builder,
    numbers: [Int64Builder; 10],
    modified_at: TimestampMicrosecondBuilder,
    read_at: TimestampMicrosecondBuilder,
    last_error: TextColumn,
}

impl SourceColumns {
    fn push(&mut self, position: &SourcePosition) {
        let texts = [&*position.agent, &*position.path, &*position.format, position.state().as_str()];
        for (column, text) in self.texts.iter_mut().zip(texts) {
            column.push_text(text);
        }
        self.generation.append_value(position.generation.cast_signed());
        let counts = &position.counts;
        let numbers = [
            position.fingerprint.size,
            if position.checkpoint.open { position.checkpoint.resume_at } else { position.checkpoint.high_water },
            position.lag_bytes(),
            counts.lines,
            counts.rows,
            counts.duplicates,
            counts.ignored,
            counts.rejects,
            counts.replaced_chars,
            counts.unknown_types,
        ];
        for (column, number) in self.numbers.iter_mut().zip(numbers) {
            column.append_value(number.cast_signed());
        }
        let known = |us: i64| (us != 0).then_some(us);
        self.modified_at.append_option(known(position.fingerprint.modified_ns / 1_000));
        self.read_at.append_option(known(position.read_at_us));
        self.last_error.push(position.last_error.as_deref());
    }

    fn finish(mut self) -> RecordBatch {
        let mut columns: Vec<ArrayRef> = self.texts.iter_mut().map(TextColumn::finish).collect();
        columns.push(Arc::new(self.generation.finish()));
        columns.extend(self.numbers.iter_mut().map(|n| -> ArrayRef { Arc::new(n.finish()) }));
        for mut time in [self.modified_at, self.read_at] {
            columns.push(Arc::new(time.finish().with_timezone("UTC")));
        }
        columns.push(self.last_error.finish());
        RecordBatch::try_new(sources_schema(), columns).expect("columns follow schemas/sources.toml")
    }
}

/// The table `sources`: one row per position, in the order given.
///
/// # Panics
///
/// Never: a test holds columns and schema together.
#[must_use]
pub fn sources_batch<'a>(positions: impl IntoIterator<Item = &'a SourcePosition>) -> RecordBatch {
    let mut columns = SourceColumns::default();
    for position in positions {
        columns.push(position);
    }
    columns.finish()
}

#[cfg(test)]
mod tests {
    use super::super::{Checkpoint, Counts, Fingerprint, SourceId};
    use super::*;

    fn position() -> SourcePosition {
        SourcePosition {
            id: SourceId(1),
            agent: "claude".into(),
            format: "claude-session".into(),
            path: "/a.jsonl".into(),
            generation: 0,
            born_us: 0,
            checkpoint: Checkpoint { resume_at: 10, high_water: 10, open: false, state: String::new() },
            fingerprint: Fingerprint { size: 10, ..Fingerprint::default() },
            counts: Counts { lines: 3, ..Counts::default() },
            read_at_us: 5,
            missing: false,
            last_error: None,
            folders: Vec::new(),
            learnt: Default::default(),
        }
    }

    #[test]
    fn the_batch_follows_the_schema_file_and_states_tell_what_is_left() {
        let whole = position();
        let mut torn = position();
        torn.fingerprint.size = 12;
        let mut open = torn.clone();
        open.checkpoint.high_water = 12;
        open.checkpoint.open = true;
        let gone = SourcePosition { missing: true, ..position() };
        let bad = SourcePosition { last_error: Some("no".into()), ..position() };
        let all = [&whole, &torn, &open, &gone, &bad];
        assert_eq!(
            all.map(SourcePosition::state),
            [SourceState::Active, SourceState::Torn, SourceState::Pending, SourceState::Missing, SourceState::Error]
        );
        let batch = sources_batch(all);
        assert_eq!((batch.num_rows(), batch.schema()), (5, sources_schema()));
    }
}
