//! Which events are durable already?
//!
//! Two things are kept in memory per part, both rebuilt from the file when they are gone:
//!
//! - a filter: 32 bits of each id in buckets by its first bits, about 4.5 bytes a row; a batch of
//!   new ids is turned away at a few nanoseconds an id and part
//! - the ids themselves with completeness and source, 28 bytes a row: the exact answer, asked only
//!   after the filter said perhaps
//!
//! Both share one budget of bytes; the least recently used go first. The answer does not depend on
//! what is in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

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

    /// The ids with the completeness of their rows, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u128, i64)> + '_ {
        self.ids.iter().copied().zip(self.completeness.iter().copied())
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    fn bytes(&self) -> usize {
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

    /// Takes in `event_id`, `completeness` and `source_path` of a batch.
    pub(crate) fn add(&mut self, batch: &RecordBatch) {
        let (Some(ids), Some(completeness), Some(paths)) = (
            batch.column_by_name("event_id"),
            batch.column_by_name("completeness"),
            batch.column_by_name("source_path"),
        ) else {
            return;
        };
        let (ids, paths) = (ids.as_string_view(), paths.as_string_view());
        let completeness = completeness.as_primitive::<Int64Type>().values();
        let mut last: Option<(u128, u32)> = None;
        for row in 0..ids.len() {
            // Equal views are equal texts; most rows repeat the one before.
            let view = paths.views()[row];
            let source = match last {
                Some((seen, number)) if seen == view => number,
                _ => self.number(paths.value(row)),
            };
            last = Some((view, source));
            self.rows.push((id_of(ids.value(row).as_bytes()), completeness[row], source));
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

/// Says "not here" for nearly every id that is not in a part, never for one that is.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Bits of the id that choose the bucket.
    bits: u32,
    /// Where each bucket starts in `tags`; one more than there are buckets.
    starts: Vec<u32>,
    tags: Vec<u32>,
}

/// Ids in a bucket on average: with their tags they fill half a cache line.
const BUCKET: usize = 8;

impl Filter {
    pub(crate) fn new(ids: &PartIds) -> Self {
        let bits = (ids.len() / BUCKET).max(1).next_power_of_two().trailing_zeros();
        let mut starts = vec![0u32; (1 << bits) + 1];
        for id in &ids.ids {
            starts[bucket(*id, bits) + 1] += 1;
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        Self { bits, starts, tags: ids.ids.iter().map(|id| tag(*id, bits)).collect() }
    }

    /// True for every id in the part, and for about one in 500 million others.
    pub(crate) fn may_hold(&self, id: u128) -> bool {
        let bucket = bucket(id, self.bits);
        let tag = tag(id, self.bits);
        self.tags[self.starts[bucket] as usize..self.starts[bucket + 1] as usize].contains(&tag)
    }

    fn bytes(&self) -> usize {
        (self.starts.len() + self.tags.len()) * 4
    }
}

const fn bucket(id: u128, bits: u32) -> usize {
    if bits == 0 { 0 } else { (id >> (128 - bits)) as usize }
}

#[expect(clippy::cast_possible_truncation, reason = "the 32 bits after those of the bucket")]
const fn tag(id: u128, bits: u32) -> u32 {
    (id >> (96 - bits)) as u32
}

/// Filters and ids of parts, up to a number of bytes.
#[derive(Debug)]
pub(crate) struct IdCache {
    budget: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    parts: HashMap<String, Slot>,
    bytes: usize,
    clock: u64,
}

#[derive(Debug, Default)]
struct Slot {
    filter: Option<(Arc<Filter>, u64)>,
    ids: Option<(Arc<PartIds>, u64)>,
}

impl IdCache {
    pub(crate) fn new(budget: usize) -> Self {
        Self { budget, inner: Mutex::default() }
    }

    pub(crate) fn filter(&self, path: &str) -> Option<Arc<Filter>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now = inner.tick();
        let (filter, used) = inner.parts.get_mut(path)?.filter.as_mut()?;
        *used = now;
        Some(Arc::clone(filter))
    }

    pub(crate) fn ids(&self, path: &str) -> Option<Arc<PartIds>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let now = inner.tick();
        let (ids, used) = inner.parts.get_mut(path)?.ids.as_mut()?;
        *used = now;
        Some(Arc::clone(ids))
    }

    /// Keeps the ids of a part and its filter; returns the filter.
    pub(crate) fn keep(&self, path: &str, ids: &Arc<PartIds>) -> Arc<Filter> {
        let filter = Arc::new(Filter::new(ids));
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.forget(path);
        let now = inner.tick();
        inner.bytes += filter.bytes() + ids.bytes();
        let slot = Slot { filter: Some((Arc::clone(&filter), now)), ids: Some((Arc::clone(ids), now)) };
        inner.parts.insert(path.to_owned(), slot);
        inner.shrink(self.budget);
        filter
    }

    /// Drops what is kept of a part that is no longer live.
    pub(crate) fn forget(&self, path: &str) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).forget(path);
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }
}

impl Inner {
    const fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn forget(&mut self, path: &str) {
        if let Some(slot) = self.parts.remove(path) {
            self.bytes -= slot.filter.map_or(0, |(f, _)| f.bytes()) + slot.ids.map_or(0, |(i, _)| i.bytes());
        }
    }

    // Ids go before filters: a filter is asked for each batch, ids after a hit only.
    fn shrink(&mut self, budget: usize) {
        while self.bytes > budget {
            let oldest = self.parts.iter_mut().filter(|(_, s)| s.ids.is_some());
            let oldest = oldest.min_by_key(|(_, s)| s.ids.as_ref().map_or(0, |(_, used)| *used));
            let freed = oldest.and_then(|(_, slot)| slot.ids.take()).map(|(ids, _)| ids.bytes());
            if let Some(freed) = freed {
                self.bytes -= freed;
                continue;
            }
            let oldest = self.parts.iter().filter_map(|(p, s)| s.filter.as_ref().map(|(_, used)| (*used, p.clone())));
            let Some((_, path)) = oldest.min() else { return };
            self.forget(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(values: &[u128]) -> Arc<PartIds> {
        let rows = values.iter().enumerate().map(|(i, id)| (*id, i as i64, 0)).collect();
        Arc::new(IdCollector { rows, paths: vec!["/x".into()], numbers: HashMap::new() }.finish())
    }

    proptest! {
        #[test]
        fn a_filter_lets_every_id_of_its_part_pass(values in prop::collection::vec(any::<u128>(), 0..500), other: u128) {
            let ids = ids(&values);
            let filter = Filter::new(&ids);
            for (i, id) in values.iter().enumerate() {
                prop_assert!(filter.may_hold(*id));
                prop_assert_eq!(ids.get(*id).is_some(), true, "{}", i);
            }
            prop_assert_eq!(ids.get(other).is_some(), values.contains(&other));
        }

        #[test]
        fn hex_digits_spell_the_id(id: u128) {
            prop_assert_eq!(id_of(format!("{id:032x}").as_bytes()), id);
            prop_assert_eq!(parse_hex(format!("{id:032X}").as_bytes()).is_some(), !format!("{id:x}").bytes().any(|b| b.is_ascii_alphabetic()));
        }
    }

    #[test]
    fn a_filter_turns_strangers_away() {
        let values: Vec<u128> =
            (0..100_000u128).map(|i| i.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835)).collect();
        let filter = Filter::new(&ids(&values));
        let strangers =
            (0..1_000_000u128).filter(|i| filter.may_hold(!i.wrapping_mul(0xD1B5_4A32_D192_ED03_AAAA_AAAA_AAAA_AAAB)));
        assert!(strangers.count() < 10);
    }

    #[test]
    fn the_cache_stays_within_its_budget_and_drops_ids_before_filters() {
        let cache = IdCache::new(40_000);
        for i in 0..10 {
            let values: Vec<u128> = (0..1000u128).map(|j| j << 100 | i).collect();
            cache.keep(&format!("part{i}"), &ids(&values));
            assert!(cache.bytes() <= 40_000);
        }
        assert!(cache.ids("part0").is_none() && cache.filter("part9").is_some());
        for i in 0..10 {
            cache.forget(&format!("part{i}"));
        }
        assert_eq!(cache.bytes(), 0);
    }
}
