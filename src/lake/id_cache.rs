//! What is kept in memory of the ids of parts, within one budget of bytes.
//!
//! - the sieve over all parts, at most half of it
//! - filters of parts, together with the sieve at most three quarters; those that do not fit are asked
//!   in their files
//! - the ids themselves with completeness and source, 28 bytes a row: the exact answer, asked only
//!   after a filter said perhaps; the least recently used go first
//!
//! The answer does not depend on what is in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::filter::{Filter, Spilled};
use super::ids::PartIds;
use super::sieve::{Covered, Sieve};

/// Filters and ids of parts, up to a number of bytes.
#[derive(Debug)]
pub(crate) struct IdCache {
    budget: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    parts: HashMap<String, Slot>,
    filter_bytes: usize,
    id_bytes: usize,
    clock: u64,
    covered: Covered,
}

#[derive(Debug, Default)]
struct Slot {
    filter: Option<Arc<Filter>>,
    spilled: Option<Arc<Spilled>>,
    ids: Option<(Arc<PartIds>, u64)>,
}

/// Where the filter of a part is at hand.
pub(crate) enum Held {
    Memory(Arc<Filter>),
    File(Arc<Spilled>),
    Nowhere,
}

impl IdCache {
    pub(crate) fn new(budget: usize) -> Self {
        Self { budget, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn filter(&self, path: &str) -> Held {
        let inner = self.lock();
        match inner.parts.get(path) {
            Some(Slot { filter: Some(filter), .. }) => Held::Memory(Arc::clone(filter)),
            Some(Slot { spilled: Some(spilled), .. }) => Held::File(Arc::clone(spilled)),
            _ => Held::Nowhere,
        }
    }

    pub(crate) fn ids(&self, path: &str) -> Option<Arc<PartIds>> {
        let mut inner = self.lock();
        inner.clock += 1;
        let now = inner.clock;
        let (ids, used) = inner.parts.get_mut(path)?.ids.as_mut()?;
        *used = now;
        Some(Arc::clone(ids))
    }

    /// True when a filter of so many bytes fits beside those that are held.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.lock().filter_room(self.budget) >= bytes
    }

    /// Remembers the file of a part's filter.
    pub(crate) fn keep_spilled(&self, path: &str, spilled: Arc<Spilled>) {
        self.lock().parts.entry(path.to_owned()).or_default().spilled = Some(spilled);
    }

    /// Forgets the file of a part's filter, which is no good.
    pub(crate) fn forget_spilled(&self, path: &str) {
        if let Some(slot) = self.lock().parts.get_mut(path) {
            slot.spilled = None;
        }
    }

    /// Keeps the filter of a part if it fits.
    pub(crate) fn keep_filter(&self, path: &str, filter: Arc<Filter>) {
        let mut inner = self.lock();
        if inner.filter_room(self.budget) < filter.bytes() {
            return;
        }
        inner.filter_bytes += filter.bytes();
        if let Some(old) = inner.parts.entry(path.to_owned()).or_default().filter.replace(filter) {
            inner.filter_bytes -= old.bytes();
        }
        inner.shrink(self.budget);
    }

    /// Keeps the ids of a part, in place of those not used for longest.
    pub(crate) fn keep_ids(&self, path: &str, ids: &Arc<PartIds>) {
        let mut inner = self.lock();
        inner.clock += 1;
        let now = inner.clock;
        inner.id_bytes += ids.bytes();
        let old = inner.parts.entry(path.to_owned()).or_default().ids.replace((Arc::clone(ids), now));
        inner.id_bytes -= old.map_or(0, |(ids, _)| ids.bytes());
        inner.shrink(self.budget);
    }

    /// Adds a part to a sieve, and remembers it when that is still the one in use.
    pub(crate) fn cover(&self, sieve: &Arc<Sieve>, path: &str, prefixes: impl Iterator<Item = u32>) {
        sieve.add(prefixes);
        let mut inner = self.lock();
        if inner.covered.sieve.as_ref().is_some_and(|current| Arc::ptr_eq(current, sieve)) {
            inner.covered.parts.insert(path.to_owned());
        }
    }

    /// Drops what is kept of a part that is no longer live.
    pub(crate) fn forget(&self, path: &str) {
        let mut inner = self.lock();
        inner.covered.parts.remove(path);
        if let Some(slot) = inner.parts.remove(path) {
            inner.filter_bytes -= slot.filter.map_or(0, |filter| filter.bytes());
            inner.id_bytes -= slot.ids.map_or(0, |(ids, _)| ids.bytes());
        }
    }

    /// The sieve, and which of `parts` it does not hold; `None` when there is none.
    pub(crate) fn sieve<'p>(&self, parts: impl Iterator<Item = &'p str>) -> Option<(Arc<Sieve>, Vec<usize>)> {
        let inner = self.lock();
        let sieve = inner.covered.sieve.as_ref()?;
        let missing = parts.enumerate().filter(|(_, path)| !inner.covered.parts.contains(*path));
        Some((Arc::clone(sieve), missing.map(|(at, _)| at).collect()))
    }

    /// Notes what a look has cost; true when a sieve over `rows` rows would have been cheaper by now.
    pub(crate) fn spent(&self, cost: usize, rows: usize) -> bool {
        let mut inner = self.lock();
        inner.covered.spent += cost;
        let wanted = match &inner.covered.sieve {
            Some(sieve) => sieve.is_full() && sieve.bytes() < self.sieve_limit(),
            None => true,
        };
        wanted && inner.covered.spent >= rows
    }

    /// Memory that a sieve may take.
    pub(crate) const fn sieve_limit(&self) -> usize {
        self.budget / 2
    }

    /// Puts a sieve over `parts` in the place of the one before.
    pub(crate) fn set_sieve(&self, sieve: Sieve, parts: impl Iterator<Item = String>) {
        let mut inner = self.lock();
        inner.covered = Covered { sieve: Some(Arc::new(sieve)), parts: parts.collect(), spent: 0 };
        inner.shrink(self.budget);
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes()
    }
}

impl Inner {
    fn sieve_bytes(&self) -> usize {
        self.covered.sieve.as_ref().map_or(0, |sieve| sieve.bytes())
    }

    fn bytes(&self) -> usize {
        self.sieve_bytes() + self.filter_bytes + self.id_bytes
    }

    fn filter_room(&self, budget: usize) -> usize {
        (budget / 4 * 3).saturating_sub(self.sieve_bytes() + self.filter_bytes)
    }

    fn shrink(&mut self, budget: usize) {
        while self.bytes() > budget {
            let oldest = self.parts.values_mut().filter(|slot| slot.ids.is_some());
            let oldest = oldest.min_by_key(|slot| slot.ids.as_ref().map_or(0, |(_, used)| *used));
            let Some((ids, _)) = oldest.and_then(|slot| slot.ids.take()) else { break };
            self.id_bytes -= ids.bytes();
        }
        // A sieve that has grown takes room from filters.
        let limit = (budget / 4 * 3).max(self.sieve_bytes());
        for slot in self.parts.values_mut() {
            if self.covered.sieve.as_ref().map_or(0, |sieve| sieve.bytes()) + self.filter_bytes <= limit {
                break;
            }
            self.filter_bytes -= slot.filter.take().map_or(0, |filter| filter.bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::ids::ids_for_tests;
    use super::*;

    #[test]
    fn the_cache_stays_within_its_budget_and_drops_ids_before_filters() {
        let cache = IdCache::new(60_000);
        for i in 0..12 {
            let ids = ids_for_tests((0..1000u128).map(|j| j << 100 | i));
            cache.keep_filter(&format!("part{i}"), Arc::new(Filter::new(&ids)));
            cache.keep_ids(&format!("part{i}"), &ids);
            assert!(cache.bytes() <= 60_000);
        }
        assert!(cache.ids("part0").is_none() && matches!(cache.filter("part8"), Held::Memory(_)));
        assert!(matches!(cache.filter("part11"), Held::Nowhere), "others were there first");
        cache.set_sieve(Sieve::for_rows(6000, cache.sieve_limit()), std::iter::empty());
        assert!(cache.bytes() <= 60_000 && !cache.has_room(15_000));
        for i in 0..12 {
            cache.forget(&format!("part{i}"));
        }
        assert_eq!(cache.bytes(), Sieve::for_rows(6000, 30_000).bytes());
    }
}
