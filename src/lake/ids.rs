//! The ids of one part, and what decides between copies of an event.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;

/// The ids of one part in ascending order, with what decides between copies.
#[derive(Debug, Default)]
pub(crate) struct PartIds {
    ids: Vec<u128>,
    completeness: Vec<i64>,
    sources: Vec<u32>,
    paths: Vec<Arc<str>>,
}

impl PartIds {
    /// Completeness and source of the row with this id.
    pub(crate) fn get(&self, id: u128) -> Option<(i64, &Arc<str>)> {
        let at = self.ids.binary_search(&id).ok()?;
        Some((self.completeness[at], &self.paths[self.sources[at] as usize]))
    }

    /// The ids, ascending.
    pub(crate) fn ids(&self) -> &[u128] {
        &self.ids
    }

    /// The ids with the completeness of their rows, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u128, i64)> + '_ {
        self.ids.iter().copied().zip(self.completeness.iter().copied())
    }

    /// The ids with completeness and the number of the source's path, ascending.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u128, i64, usize)> + '_ {
        self.iter().zip(&self.sources).map(|((id, completeness), source)| (id, completeness, *source as usize))
    }

    /// Paths of the sources.
    pub(crate) fn paths(&self) -> &[Arc<str>] {
        &self.paths
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Memory they take.
    pub(crate) fn bytes(&self) -> usize {
        self.ids.len() * 28 + self.paths.iter().map(|p| p.len() + 32).sum::<usize>()
    }
}

/// Collects the ids of a part while it is written or read.
#[derive(Debug, Default)]
pub(crate) struct IdCollector {
    rows: Vec<(u128, i64, u32)>,
    paths: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, u32>,
}

impl IdCollector {
    pub(crate) fn with_capacity(rows: usize) -> Self {
        Self { rows: Vec::with_capacity(rows), ..Self::default() }
    }

    /// Takes in id, `completeness` and `source_path` of a batch; rejects are all equally complete.
    pub(crate) fn add(&mut self, batch: &RecordBatch) {
        let ids = ID_COLUMNS.iter().find_map(|name| batch.column_by_name(name));
        let (Some(ids), Some(paths)) = (ids, batch.column_by_name("source_path")) else { return };
        let (ids, paths) = (ids.as_string_view(), paths.as_string_view());
        let completeness = batch.column_by_name("completeness").map(|c| c.as_primitive::<Int64Type>().values());
        let mut last: Option<(u128, u32)> = None;
        for row in 0..ids.len() {
            // Equal views are equal texts; most rows repeat the one before.
            let view = paths.views()[row];
            let source = match last {
                Some((seen, number)) if seen == view => number,
                _ => self.number(paths.value(row)),
            };
            last = Some((view, source));
            let completeness = completeness.map_or(0, |completeness| completeness[row]);
            self.rows.push((id_of(ids.value(row).as_bytes()), completeness, source));
        }
    }

    fn number(&mut self, path: &str) -> u32 {
        if let Some(number) = self.numbers.get(path) {
            return *number;
        }
        let number = u32::try_from(self.paths.len()).unwrap_or(u32::MAX);
        let path: Arc<str> = path.into();
        self.paths.push(Arc::clone(&path));
        self.numbers.insert(path, number);
        number
    }

    pub(crate) fn finish(mut self) -> PartIds {
        self.rows.sort_unstable_by_key(|row| row.0);
        PartIds {
            ids: self.rows.iter().map(|r| r.0).collect(),
            completeness: self.rows.iter().map(|r| r.1).collect(),
            sources: self.rows.iter().map(|r| r.2).collect(),
            paths: self.paths,
        }
    }
}

/// Columns of ids: that of `events`, that of `rejects`.
pub(crate) const ID_COLUMNS: [&str; 2] = ["event_id", "reject_id"];

/// The id that 32 hex digits spell; other text is hashed, so that any text still has its own id.
pub(crate) fn id_of(text: &[u8]) -> u128 {
    parse_hex(text).unwrap_or_else(|| {
        let hash = blake3::hash(text);
        hash.as_bytes().first_chunk::<16>().map_or(0, |b| u128::from_be_bytes(*b))
    })
}

fn parse_hex(text: &[u8]) -> Option<u128> {
    let text: &[u8; 32] = text.try_into().ok()?;
    let (mut value, mut bad) = (0u128, 0u8);
    for byte in text {
        let digit = HEX[usize::from(*byte)];
        bad |= digit;
        value = value << 4 | u128::from(digit & 15);
    }
    (bad < 16).then_some(value)
}

const HEX: [u8; 256] = {
    let mut table = [255u8; 256];
    let mut digit = 0u8;
    while digit < 16 {
        table[b"0123456789abcdef"[digit as usize] as usize] = digit;
        digit += 1;
    }
    table
};

#[cfg(test)]
pub(crate) fn ids_for_tests(values: impl Iterator<Item = u128>) -> Arc<PartIds> {
    let rows = values.zip(0..).map(|(id, i)| (id, i, 0)).collect();
    Arc::new(IdCollector { rows, paths: vec!["/x".into()], numbers: HashMap::new() }.finish())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn hex_digits_spell_the_id(id: u128) {
            prop_assert_eq!(id_of(format!("{id:032x}").as_bytes()), id);
            prop_assert_eq!(parse_hex(format!("{id:032X}").as_bytes()).is_some(), !format!("{id:x}").bytes().any(|b| b.is_ascii_alphabetic()));
        }
    }
}
