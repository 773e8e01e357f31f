//! Which rows were changed where they stand?
//!
//! A row that is replaced gets a new row id and is found behind the last one; a row that is updated keeps its
//! own. So some hundred rows are watched: those handed out last, of one look those with the largest row ids.
//! A look costs a look-up for each of them, however long the table is.

use serde::{Deserialize, Serialize};

/// Rows that are watched, at most.
const KEPT: usize = 256;

/// Row ids that wait to be cut down, at most.
const WAITING: usize = 4096;

/// Row ids with the hashes of what they named, those handed out last first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct RecentRows(Vec<(i64, u64)>);

/// Row ids that were handed out during one look.
#[derive(Debug, Default)]
pub(super) struct TouchedRows(Vec<i64>);

impl TouchedRows {
    pub(super) fn push(&mut self, rowid: i64) {
        self.0.push(rowid);
        if self.0.len() > WAITING {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.0.sort_unstable_by(|a, b| b.cmp(a));
        self.0.dedup();
        self.0.truncate(KEPT);
    }
}

impl RecentRows {
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Rows up to the row id `reached` that are no longer what they were, in ascending order; rows that are gone
    /// are watched no longer. `hashes_at` says what row ids name now: 1 for nothing.
    pub(super) fn changed<E>(
        &mut self,
        reached: i64,
        hashes_at: impl FnOnce(&[i64]) -> Result<Vec<u64>, E>,
    ) -> Result<Vec<i64>, E> {
        self.0.retain(|(rowid, _)| *rowid <= reached);
        let rowids: Vec<i64> = self.0.iter().map(|(rowid, _)| *rowid).collect();
        let now = hashes_at(&rowids)?;
        let mut changed: Vec<i64> =
            self.0.iter().zip(&now).filter(|((_, was), now)| **now > 1 && was != *now).map(|((r, _), _)| *r).collect();
        changed.sort_unstable();
        let mut now = now.into_iter();
        self.0.retain(|_| now.next().is_some_and(|now| now > 1));
        Ok(changed)
    }

    /// Takes in what was handed out. Rows that are `held` stay as they were, so that they are found changed
    /// again.
    pub(super) fn extend<E>(
        &mut self,
        mut touched: TouchedRows,
        held: &[i64],
        hashes_at: impl FnOnce(&[i64]) -> Result<Vec<u64>, E>,
    ) -> Result<(), E> {
        touched.cut();
        let hashes = hashes_at(&touched.0)?;
        let (first, last): (Vec<_>, Vec<_>) = self.0.drain(..).partition(|(rowid, _)| held.contains(rowid));
        let fresh = touched.0.iter().copied().zip(hashes).filter(|(rowid, hash)| *hash > 1 && !held.contains(rowid));
        let old = last.into_iter().filter(|(rowid, _)| touched.0.binary_search_by(|r| rowid.cmp(r)).is_err());
        self.0 = first.into_iter().chain(fresh).chain(old).take(KEPT).collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    use super::*;

    type Table = BTreeMap<i64, u64>;

    fn hashes(table: &Table) -> impl FnOnce(&[i64]) -> Result<Vec<u64>, Infallible> + '_ {
        |rowids| Ok(rowids.iter().map(|rowid| table.get(rowid).copied().unwrap_or(1)).collect())
    }

    fn handed(rowids: impl IntoIterator<Item = i64>) -> TouchedRows {
        let mut touched = TouchedRows::default();
        rowids.into_iter().for_each(|rowid| touched.push(rowid));
        touched
    }

    #[test]
    fn a_row_that_was_updated_is_found_and_one_that_was_replaced_is_forgotten() {
        let mut table: Table = (1..=10_000).map(|rowid| (rowid, 1000)).collect();
        let mut recent = RecentRows::default();
        recent.extend(handed(1..=10_000), &[], hashes(&table)).unwrap();
        assert_eq!(recent.0.len(), KEPT);
        assert!(recent.changed(i64::MAX, hashes(&table)).unwrap().is_empty());
        table.insert(9_990, 1001);
        table.insert(9_980, 1002);
        table.insert(17, 1003);
        table.remove(&9_999);
        assert_eq!(recent.changed(i64::MAX, hashes(&table)).unwrap(), [9_980, 9_990], "17 is too long ago");
        assert_eq!(recent.0.len(), KEPT - 1);
        recent.extend(handed([9_980, 9_990]), &[], hashes(&table)).unwrap();
        assert!(recent.changed(i64::MAX, hashes(&table)).unwrap().is_empty());
    }

    #[test]
    fn a_row_that_is_handed_out_again_and_again_stays_watched() {
        let mut table: Table = (1..=5_000).map(|rowid| (rowid, 1000)).collect();
        let mut recent = RecentRows::default();
        for rowid in 2..=5_000 {
            recent.extend(handed([1, rowid]), &[], hashes(&table)).unwrap();
        }
        table.insert(1, 1001);
        assert_eq!(recent.changed(i64::MAX, hashes(&table)).unwrap(), [1]);
    }

    #[test]
    fn a_row_that_is_held_is_found_changed_again() {
        let mut table: Table = [(1, 1000), (2, 1000)].into();
        let mut recent = RecentRows::default();
        recent.extend(handed([1, 2]), &[], hashes(&table)).unwrap();
        table.insert(1, 1001);
        for _ in 0..2 {
            assert_eq!(recent.changed(i64::MAX, hashes(&table)).unwrap(), [1]);
            recent.extend(handed([]), &[1], hashes(&table)).unwrap();
        }
        recent.extend(handed([1]), &[], hashes(&table)).unwrap();
        assert!(recent.changed(i64::MAX, hashes(&table)).unwrap().is_empty());
        assert!(recent.changed(0, hashes(&table)).unwrap().is_empty() && recent.is_empty());
    }
}
