//! Do row ids still mean what they meant?
//!
//! A table without an integer key may give its row ids anew (a restored copy, some vacuums), and a row
//! that is replaced leaves its id. So a query's position is proved by several of the rows it has handed
//! out: dense near the newest, sparse before. Those that are still what they were bound what may have
//! changed; reading goes on behind the newest of them.

use serde::{Deserialize, Serialize};

/// Row ids that wait to be thinned, at most.
const WAITING: usize = 4096;

/// Row ids with the hashes of what they named, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct RowidProofs(Vec<(i64, u64)>);

/// Row ids that were handed out during one look.
#[derive(Debug, Default)]
pub(super) struct EmittedRowids(Vec<i64>);

impl EmittedRowids {
    pub(super) fn push(&mut self, rowid: i64) {
        self.0.push(rowid);
        if self.0.len() > WAITING {
            thin(&mut self.0);
        }
    }
}

impl RowidProofs {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Row id behind which to go on, or `None` for the beginning; `hash_at` says what a row id names now.
    ///
    /// Without anchors there is nothing to prove: `rowid` itself.
    pub(super) fn resume<E>(
        &mut self,
        rowid: i64,
        mut hash_at: impl FnMut(i64) -> Result<u64, E>,
    ) -> Result<Option<i64>, E> {
        if self.0.is_empty() {
            return Ok(Some(rowid));
        }
        let mut kept = None;
        for (at, (rowid, hash)) in self.0.iter().enumerate() {
            if hash_at(*rowid)? == *hash {
                kept = Some(at);
                break;
            }
        }
        self.0.drain(..kept.unwrap_or(self.0.len()));
        Ok(self.0.first().map(|(rowid, _)| *rowid))
    }

    /// Takes in what was handed out up to the row id `reached`; `hash_at` is 0 for queries that name no
    /// anchor, and 1 for a row id that names nothing.
    pub(super) fn extend<E>(
        &mut self,
        handed: EmittedRowids,
        reached: i64,
        mut hash_at: impl FnMut(i64) -> Result<u64, E>,
    ) -> Result<(), E> {
        let known = self.0.iter().map(|(rowid, _)| *rowid);
        let mut rowids: Vec<i64> = handed.0.into_iter().chain(known).filter(|rowid| *rowid <= reached).collect();
        thin(&mut rowids);
        self.0.clear();
        for rowid in rowids {
            let hash = hash_at(rowid)?;
            if hash > 1 {
                self.0.push((rowid, hash));
            }
        }
        Ok(())
    }
}

/// Keeps, newest first, at most two row ids at each order of distance from the newest.
fn thin(rowids: &mut Vec<i64>) {
    rowids.sort_unstable_by(|a, b| b.cmp(a));
    rowids.dedup();
    let Some(newest) = rowids.first().copied() else { return };
    let order = |rowid: i64| newest.abs_diff(rowid).checked_ilog2().map_or(0, |log| log / 2 + 1);
    let mut last = (u32::MAX, 0);
    rowids.retain(|rowid| {
        let order = order(*rowid);
        last = if order == last.0 { (order, last.1 + 1) } else { (order, 1) };
        last.1 <= 2
    });
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    type Table = BTreeMap<i64, u64>;

    fn hash_at(table: &Table) -> impl FnMut(i64) -> Result<u64, Infallible> + '_ {
        |rowid| Ok(table.get(&rowid).copied().unwrap_or(1))
    }

    fn read(table: &Table, anchors: &mut RowidProofs, reached: &mut i64) -> Vec<u64> {
        let from = anchors.resume(*reached, hash_at(table)).unwrap().unwrap_or(i64::MIN);
        let mut handed = EmittedRowids::default();
        let seen: Vec<u64> = table.iter().filter(|(r, _)| **r > from).map(|(r, v)| (handed.push(*r), *v).1).collect();
        *reached = table.keys().filter(|r| **r > from).max().copied().unwrap_or(from);
        anchors.extend(handed, *reached, hash_at(table)).unwrap();
        seen
    }

    #[test]
    fn a_row_that_is_replaced_costs_the_rows_behind_its_neighbour() {
        let mut table: Table = (1..=1000).map(|r| (r, 1000 + r as u64)).collect();
        let (mut anchors, mut reached) = (RowidProofs::default(), i64::MIN);
        assert_eq!(read(&table, &mut anchors, &mut reached).len(), 1000);
        assert!(anchors.0.len() < 16, "{anchors:?}");
        for next in 1001..1100 {
            table.remove(&(next - 1));
            table.insert(next, 1_000_000 + next as u64);
            let seen = read(&table, &mut anchors, &mut reached);
            assert!(seen.contains(&(1_000_000 + next as u64)) && seen.len() <= 2, "{seen:?}");
        }
    }

    #[test]
    fn row_ids_given_anew_start_over_and_a_reused_one_is_seen() {
        let mut table: Table = (1..=100).map(|r| (r * 7, 1000 + r as u64)).collect();
        let (mut anchors, mut reached) = (RowidProofs::default(), i64::MIN);
        read(&table, &mut anchors, &mut reached);
        table = table.values().enumerate().map(|(i, v)| (i as i64 + 1, *v)).collect();
        assert_eq!(read(&table, &mut anchors, &mut reached).len(), 100);
        table.remove(&100);
        table.insert(100, 5);
        assert_eq!(read(&table, &mut anchors, &mut reached), [5]);
    }

    proptest! {
        /// Writes as SQLite does them: a new key, a key again, keys removed; now and then a compaction.
        #[test]
        fn every_value_is_seen(steps in prop::collection::vec((0..12_u8, 0..40_u64), 1..200)) {
            let (mut table, mut keys) = (Table::new(), BTreeMap::<u64, i64>::new());
            let (mut anchors, mut reached, mut seen) = (RowidProofs::default(), i64::MIN, std::collections::BTreeSet::new());
            for (number, (step, key)) in steps.into_iter().enumerate() {
                match step {
                    0..=6 => {
                        let next = table.keys().max().map_or(1, |r| r + 1);
                        if let Some(old) = keys.insert(key, next) { table.remove(&old); }
                        table.insert(next, 1000 + number as u64 * 64 + key);
                    }
                    7 => if let Some(old) = keys.remove(&key) { table.remove(&old); },
                    8 if number % 5 == 0 => {
                        let values: Vec<u64> = table.values().copied().collect();
                        table = values.iter().enumerate().map(|(i, v)| (i as i64 + 1, *v)).collect();
                        keys = table.iter().map(|(r, v)| ((v - 1000) % 64, *r)).collect();
                    }
                    _ => {
                        seen.extend(read(&table, &mut anchors, &mut reached));
                        let missed: Vec<_> = table.values().filter(|v| !seen.contains(*v)).collect();
                        prop_assert!(missed.is_empty(), "{:?}", missed);
                    }
                }
            }
        }
    }
}
