//! Columns under construction.
//!
//! - most columns of a row are null: a null costs nothing until the next value comes, see
//!   [`TextColumn::set`] and [`Numbers::set`]
//! - a column without nulls has no null map, a column of nulls only shares its buffers with all
//!   others of its batch, see [`Blank`]

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray, StringViewArray};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};

use super::EventId;

/// Longest text that fits into the view itself.
const INLINE: usize = 12;
/// Blocks grow from this size ...
const FIRST_BLOCK: usize = 8 * 1024;
/// ... up to this one; a longer value gets a block of its own.
const LARGEST_BLOCK: usize = 256 * 1024;

/// View of a value of at most [`INLINE`] bytes: length, then the bytes.
///
/// Arrow's own `make_view` does the same with a call and a jump per value, a tenth of the time of a row.
#[inline]
fn short_view(bytes: &[u8]) -> u128 {
    let text = match bytes.len() {
        0 => 0,
        n @ 8.. => {
            // Two words that overlap where the text is shorter than both.
            let low = bytes.first_chunk::<8>().map_or(0, |b| u64::from_le_bytes(*b));
            let high = bytes.last_chunk::<8>().map_or(0, |b| u64::from_le_bytes(*b));
            u128::from(low) | (u128::from(high) << ((n - 8) * 8))
        }
        n @ 4.. => {
            let low = bytes.first_chunk::<4>().map_or(0, |b| u32::from_le_bytes(*b));
            let high = bytes.last_chunk::<4>().map_or(0, |b| u32::from_le_bytes(*b));
            u128::from(u64::from(low) | (u64::from(high) << ((n - 4) * 8)))
        }
        n => {
            let (first, middle, last) = (bytes[0], bytes[n / 2], bytes[n - 1]);
            u128::from(u32::from(first) | (u32::from(middle) << (n / 2 * 8)) | (u32::from(last) << ((n - 1) * 8)))
        }
    };
    (text << 32) | bytes.len() as u128
}

/// View of a longer value: length, first four bytes, block, offset.
#[inline]
fn long_view(bytes: &[u8], block: u32, offset: u32) -> u128 {
    let prefix = bytes.first_chunk::<4>().map_or(0, |prefix| u32::from_le_bytes(*prefix));
    (u128::from(offset) << 96) | (u128::from(block) << 64) | (u128::from(prefix) << 32) | bytes.len() as u128
}

/// Which rows have a value; rows that nobody names have none.
#[derive(Debug, Default)]
struct Valid {
    words: Vec<u64>,
    values: usize,
}

impl Valid {
    #[inline]
    fn set(&mut self, row: usize) {
        let word = row / 64;
        if word >= self.words.len() {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (row % 64);
        self.values += 1;
    }

    fn fill(&mut self, from: usize, to: usize) {
        self.words.resize(to.div_ceil(64).max(self.words.len()), 0);
        for word in from / 64..to.div_ceil(64) {
            let (low, high) = (from.max(word * 64) - word * 64, to.min(word * 64 + 64) - word * 64);
            self.words[word] |= (u64::MAX >> (64 - (high - low))) << low;
        }
        self.values += to - from;
    }

    /// The null map of `rows` rows, none when each has a value.
    fn finish(&mut self, rows: usize) -> Option<NullBuffer> {
        let (mut words, nulls) = (std::mem::take(&mut self.words), rows - self.values);
        self.values = 0;
        if nulls == 0 {
            return None;
        }
        words.resize(rows.div_ceil(64), 0);
        let bits = BooleanBuffer::new(Buffer::from_vec(words), 0, rows);
        // SAFETY: `set` is called once for each row with a value, so the rest are nulls.
        Some(unsafe { NullBuffer::new_unchecked(bits, nulls) })
    }
}

/// What columns of nulls only are made of.
#[derive(Debug)]
pub(super) struct Blank {
    rows: usize,
    zeros: Buffer,
    nulls: NullBuffer,
}

impl Blank {
    pub(super) fn new(rows: usize) -> Self {
        Self { rows, zeros: Buffer::from_vec(vec![0u128; rows]), nulls: NullBuffer::new_null(rows) }
    }
}

/// Builds a `Utf8View` column.
///
/// A value equal to the one before it is not stored again: its view is repeated. Columns such as
/// the session id or the working directory cost 16 bytes a row whatever their length.
#[derive(Debug, Default)]
pub struct TextColumn {
    views: Vec<u128>,
    valid: Valid,
    blocks: Vec<Buffer>,
    block: Vec<u8>,
    block_bytes: usize,
    last: Option<(u128, usize, usize)>,
    stored: usize,
}

impl TextColumn {
    /// Appends a value, or null.
    pub fn push(&mut self, value: Option<&str>) {
        match value {
            Some(text) => self.push_text(text),
            None => self.push_null(),
        }
    }

    /// Appends a null.
    pub fn push_null(&mut self) {
        self.views.push(0);
    }

    /// Appends a value.
    pub fn push_text(&mut self, text: &str) {
        self.valid.set(self.views.len());
        let view = self.view(text.as_bytes());
        self.views.push(view);
    }

    /// Sets the value of `row`, if there is one. Rows come in ascending order; those left out are
    /// null.
    #[inline]
    pub(super) fn set(&mut self, row: usize, value: Option<&str>) {
        if let Some(text) = value {
            self.set_text(row, text);
        }
    }

    fn set_text(&mut self, row: usize, text: &str) {
        if self.views.len() < row {
            self.views.resize(row, 0);
        }
        self.push_text(text);
    }

    /// Gives all rows up to `end`, which have none yet, the same value.
    pub(super) fn fill(&mut self, end: usize, value: Option<&str>) {
        let view = value.map_or(0, |text| {
            self.valid.fill(self.views.len(), end);
            self.view(text.as_bytes())
        });
        self.views.resize(end, view);
    }

    fn view(&mut self, bytes: &[u8]) -> u128 {
        if bytes.len() <= INLINE {
            return short_view(bytes);
        }
        if let Some((view, block, offset)) = self.last
            && self.slice(block, offset, view) == bytes
        {
            return view;
        }
        let (block, offset) = self.store(bytes);
        // Blocks and offsets stay far below 4 GiB: a batch is cut long before.
        #[expect(clippy::cast_possible_truncation, reason = "bounded by the batch size")]
        let view = long_view(bytes, block as u32, offset as u32);
        self.last = Some((view, block, offset));
        view
    }

    fn slice(&self, block: usize, offset: usize, view: u128) -> &[u8] {
        let length = (view & u128::from(u32::MAX)) as usize;
        let bytes: &[u8] = self.blocks.get(block).map_or(&self.block, |b| b.as_slice());
        bytes.get(offset..offset + length).unwrap_or_default()
    }

    fn store(&mut self, bytes: &[u8]) -> (usize, usize) {
        self.stored += bytes.len();
        if self.block.len() + bytes.len() > self.block.capacity() {
            self.seal_block();
            self.block_bytes = (self.block_bytes * 2).clamp(FIRST_BLOCK, LARGEST_BLOCK);
            self.block.reserve_exact(self.block_bytes.max(bytes.len()));
        }
        let offset = self.block.len();
        self.block.extend_from_slice(bytes);
        (self.blocks.len(), offset)
    }

    fn seal_block(&mut self) {
        if !self.block.is_empty() {
            self.blocks.push(Buffer::from_vec(std::mem::take(&mut self.block)));
        }
    }

    /// Number of values so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.views.len()
    }

    /// True before the first value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    /// Bytes of text stored outside the views.
    #[must_use]
    pub const fn stored_bytes(&self) -> usize {
        self.stored
    }

    /// Takes the values so far as one array and starts over.
    #[must_use]
    pub fn finish(&mut self) -> ArrayRef {
        let rows = self.views.len();
        self.take(rows)
    }

    /// The column of the rows of `blank`, which are at least those set; starts over.
    pub(super) fn finish_with(&mut self, blank: &Blank) -> ArrayRef {
        if self.valid.values > 0 {
            return self.take(blank.rows);
        }
        self.views.clear();
        let views = ScalarBuffer::new(blank.zeros.clone(), 0, blank.rows);
        // SAFETY: every view is the empty inline one, which is valid text.
        Arc::new(unsafe { StringViewArray::new_unchecked(views, Vec::new(), Some(blank.nulls.clone())) })
    }

    fn take(&mut self, rows: usize) -> ArrayRef {
        self.seal_block();
        self.last = None;
        self.stored = 0;
        self.block_bytes = 0;
        let mut views = std::mem::take(&mut self.views);
        views.resize(rows, 0);
        let blocks = std::mem::take(&mut self.blocks);
        // SAFETY: each view was made from a `&str` that lies, unchanged, in the block and at the
        // offset the view names; null rows hold the empty inline view.
        Arc::new(unsafe { StringViewArray::new_unchecked(views.into(), blocks, self.valid.finish(rows)) })
    }
}

/// The column of ids, as hex digits.
pub(super) fn ids_column(ids: &[EventId]) -> ArrayRef {
    let mut text = Vec::with_capacity(ids.len() * 32);
    let mut views = Vec::with_capacity(ids.len());
    for id in ids {
        let hex = id.hex();
        // 2^27 ids fill the four gigabytes that an offset reaches; a batch is cut long before.
        #[expect(clippy::cast_possible_truncation, reason = "bounded by the batch size")]
        views.push(long_view(&hex, 0, text.len() as u32));
        text.extend_from_slice(&hex);
    }
    // SAFETY: each view names the 32 ASCII digits just written.
    Arc::new(unsafe { StringViewArray::new_unchecked(views.into(), vec![Buffer::from_vec(text)], None) })
}

/// Builds a column of numbers or times.
#[derive(Debug)]
pub(super) struct Numbers<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    valid: Valid,
}

impl<T: ArrowPrimitiveType> Default for Numbers<T> {
    fn default() -> Self {
        Self { values: Vec::new(), valid: Valid::default() }
    }
}

impl<T: ArrowPrimitiveType> Numbers<T> {
    /// Sets the value of `row`, if there is one. Rows come in ascending order; those left out are
    /// null.
    #[inline]
    pub(super) fn set(&mut self, row: usize, value: Option<T::Native>) {
        let Some(value) = value else { return };
        if self.values.len() < row {
            self.values.resize(row, T::default_value());
        }
        self.values.push(value);
        self.valid.set(row);
    }

    /// The column of the rows of `blank`, which are at least those set; starts over.
    pub(super) fn finish_with(&mut self, blank: &Blank) -> PrimitiveArray<T> {
        if self.valid.values == 0 {
            return PrimitiveArray::new(
                ScalarBuffer::new(blank.zeros.clone(), 0, blank.rows),
                Some(blank.nulls.clone()),
            );
        }
        let mut values = std::mem::take(&mut self.values);
        values.resize(blank.rows, T::default_value());
        PrimitiveArray::new(values.into(), self.valid.finish(blank.rows))
    }
}

/// Builds a column of truth values.
#[derive(Debug, Default)]
pub(super) struct Flags {
    yes: Valid,
    valid: Valid,
}

impl Flags {
    /// Sets the value of `row`, if there is one; rows left out are null.
    #[inline]
    pub(super) fn set(&mut self, row: usize, value: Option<bool>) {
        let Some(value) = value else { return };
        self.valid.set(row);
        if value {
            self.yes.set(row);
        }
    }

    /// The column of `rows` rows, which are at least those set; starts over.
    pub(super) fn finish(&mut self, rows: usize) -> ArrayRef {
        let mut words = std::mem::take(&mut self.yes).words;
        words.resize(rows.div_ceil(64), 0);
        let values = BooleanBuffer::new(Buffer::from_vec(words), 0, rows);
        Arc::new(BooleanArray::new(values, self.valid.finish(rows)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Decimal128Type, Int64Type};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_goes_in_comes_out(values in prop::collection::vec(prop::option::of("[a-zé]{0,40}"), 0..200), big in 0usize..3_000_000) {
            let big = "y".repeat(big);
            let mut column = TextColumn::default();
            for value in &values {
                column.push(value.as_deref());
            }
            column.push_text(&big);
            column.push_text(&big);
            let array = column.finish();
            let array = array.as_string_view();
            prop_assert_eq!(array.len(), values.len() + 2);
            array.to_data().validate_full().unwrap();
            for (i, value) in values.iter().enumerate() {
                prop_assert_eq!(array.is_valid(i).then(|| array.value(i)), value.as_deref());
            }
            prop_assert_eq!(array.value(values.len() + 1), &big);
            prop_assert!(column.is_empty());
        }

        #[test]
        fn rows_left_out_are_null_in_every_kind_of_column(
            texts in prop::collection::vec(prop::option::of("[a-zé]{0,20}"), 0..300),
            numbers in prop::collection::vec(prop::option::of(any::<i64>()), 300),
            again in any::<bool>(),
        ) {
            let (mut text, mut number, mut wide, mut flag) =
                (TextColumn::default(), Numbers::<Int64Type>::default(), Numbers::<Decimal128Type>::default(), Flags::default());
            for _ in 0..=usize::from(again) {
                for (row, (t, n)) in texts.iter().zip(&numbers).enumerate() {
                    text.set(row, t.as_deref());
                    number.set(row, *n);
                    wide.set(row, n.map(i128::from));
                    flag.set(row, n.map(|n| n > 0));
                }
                let blank = Blank::new(texts.len());
                let (t, n, w, f) =
                    (text.finish_with(&blank), number.finish_with(&blank), wide.finish_with(&blank), flag.finish(texts.len()));
                for array in [&*t, &n, &w, &*f] {
                    array.to_data().validate_full().unwrap();
                    prop_assert_eq!(array.len(), texts.len());
                    prop_assert_eq!(array.null_count(), array.nulls().map_or(0, |n| n.iter().filter(|v| !v).count()));
                }
                for row in 0..texts.len() {
                    prop_assert_eq!(t.is_valid(row).then(|| t.as_string_view().value(row)), texts[row].as_deref());
                    prop_assert_eq!(n.is_valid(row).then(|| n.value(row)), numbers[row]);
                    prop_assert_eq!(w.is_valid(row).then(|| w.value(row)), numbers[row].map(i128::from));
                    prop_assert_eq!(f.is_valid(row).then(|| f.as_boolean().value(row)), numbers[row].map(|n| n > 0));
                }
            }
        }
    }

    #[test]
    fn a_short_view_is_length_and_bytes_for_every_length() {
        for length in 0..=INLINE {
            let bytes: Vec<u8> = (1..=u8::try_from(length).unwrap()).collect();
            let plain = bytes.iter().rev().fold(0u128, |view, byte| (view << 8) | u128::from(*byte));
            assert_eq!(short_view(&bytes), (plain << 32) | length as u128, "{length}");
        }
    }

    #[test]
    fn a_repeated_value_is_stored_once() {
        let mut column = TextColumn::default();
        for _ in 0..1000 {
            column.push_text("a session id of some length");
        }
        assert_eq!(column.stored_bytes(), 27);
        assert_eq!(column.finish().as_string_view().value(999), "a session id of some length");
    }
}
