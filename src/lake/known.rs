//! Which events are durable already? Asked for every row that arrives.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::LakeError;
use super::ids::{Filter, IdCache, PartIds};
use super::reader::read_ids;
use super::{Part, Snapshot};
use crate::schema::{EventId, events};

/// Copies of one event are less than this apart.
const SLACK_US: i64 = 86_400_000_000;

/// A durable row that has an id asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How complete it is; a record that is more complete replaces it.
    pub completeness: i64,
    /// Where it was read from.
    pub source_path: Arc<str>,
}

/// Looks events up by id in the live files of a snapshot; needs no lock on the lake.
#[derive(Debug)]
pub struct Known {
    root: PathBuf,
    pub(crate) ids: IdCache,
}

impl Known {
    /// Looks events of the lake in `root` up, remembering ids in at most `cache_bytes`.
    #[must_use]
    pub fn new(root: &Path, cache_bytes: usize) -> Self {
        Self { root: root.to_owned(), ids: IdCache::new(cache_bytes) }
    }

    /// For each `(id, time, time is inferred)`: the durable row with this id, if there is one.
    ///
    /// Exact, whatever is in memory. A time that stands in the log is the same in every copy, or differs
    /// by less than a day, so only files that span it are asked; rows with inferred times are looked for
    /// everywhere.
    ///
    /// # Errors
    ///
    /// When a live file cannot be read.
    pub fn find(&self, snapshot: &Snapshot, rows: &[(EventId, i64, bool)]) -> Result<Vec<Option<Found>>, LakeError> {
        let mut found = vec![None; rows.len()];
        // In the order of ids the filters are walked from front to back.
        let asked = rows.iter().enumerate().map(|(at, (id, ts_us, inferred))| (id.0, *ts_us, *inferred, at));
        let mut order: Vec<(u128, i64, bool, usize)> = asked.collect();
        order.sort_unstable();
        let logged = rows.iter().filter(|row| !row.2).map(|row| row.1);
        let (first, last) = logged.fold((i64::MAX, i64::MIN), |(a, b), ts| (a.min(ts), b.max(ts)));
        let (first, last) = (first.saturating_sub(SLACK_US), last.saturating_add(SLACK_US));
        let any_inferred = rows.iter().any(|row| row.2);
        for part in snapshot.events.iter() {
            let anywhere = part.inferred_rows > 0;
            if !anywhere && !any_inferred && (part.max_ts_us < first || last < part.min_ts_us) {
                continue;
            }
            let filter = self.filter(part)?;
            let mut ids: Option<Arc<PartIds>> = None;
            for (id, ts_us, inferred, at) in &order {
                let spans = part.min_ts_us.saturating_sub(SLACK_US) <= *ts_us
                    && *ts_us <= part.max_ts_us.saturating_add(SLACK_US);
                let here = anywhere || *inferred || spans;
                if !here || !filter.may_hold(*id) {
                    continue;
                }
                let ids = match &ids {
                    Some(ids) => ids,
                    None => ids.insert(self.part_ids(part)?),
                };
                if let Some((completeness, path)) = ids.get(*id) {
                    found[*at] = Some(Found { completeness, source_path: Arc::clone(path) });
                }
            }
        }
        Ok(found)
    }

    pub(crate) fn filter(&self, part: &Part) -> Result<Arc<Filter>, LakeError> {
        if let Some(filter) = self.ids.filter(&part.path) {
            return Ok(filter);
        }
        let ids = Arc::new(read_ids(&self.root.join("events").join(&part.path), events(), part.rows)?);
        Ok(self.ids.keep(&part.path, &ids))
    }

    /// The ids of a live file.
    pub(crate) fn part_ids(&self, part: &Part) -> Result<Arc<PartIds>, LakeError> {
        if let Some(ids) = self.ids.ids(&part.path) {
            return Ok(ids);
        }
        let ids = Arc::new(read_ids(&self.root.join("events").join(&part.path), events(), part.rows)?);
        self.ids.keep(&part.path, &ids);
        Ok(ids)
    }
}
