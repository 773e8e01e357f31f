//! Which events are durable already? Asked for every row that arrives.
//!
//! An id is in the lake once, whatever the times of the records that bear it, so all parts are asked:
//! first a sieve over all of them, then their filters, those near in time first, and for what is found
//! there the ids themselves.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use super::disk;
use super::error::{At, LakeError};
use super::filter::{Filter, Spilled};
use super::id_cache::{Held, IdCache};
use super::ids::{PartIds, id_of};
use super::layout::{filter_dir, filter_name};
use super::reader::read_part_ids;
use super::sieve::Sieve;
use super::{Part, Snapshot};
use crate::schema::{EventId, Table, events, rejects};

/// Copies of one event are mostly less than this apart: such parts are asked first.
const NEAR_US: i64 = 86_400_000_000;
/// What a look into a filter on disk costs, in looks into one in memory: to open it ...
const OPENING: usize = 500;
/// ... and for each id.
const READING: usize = 100;

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
    table: &'static Table,
    /// Whether filters are written beside the checkpoints.
    keeps: bool,
    cache: IdCache,
}

/// An id asked for: its time, and its number in the question.
type Asked = (u128, i64, usize);

impl Known {
    /// Looks events of the lake in `root` up, remembering ids in at most `cache_bytes`; writes nothing.
    #[must_use]
    pub fn new(root: &Path, cache_bytes: usize) -> Self {
        Self { root: root.to_owned(), table: events(), keeps: false, cache: IdCache::new(cache_bytes) }
    }

    /// The same for the rejects of the lake in `root`.
    #[must_use]
    pub fn of_rejects(root: &Path, cache_bytes: usize) -> Self {
        Self { table: rejects(), ..Self::new(root, cache_bytes) }
    }

    /// Keeps the filters of parts on disk, which only the lake's writer does.
    pub(crate) fn kept(self) -> Self {
        Self { keeps: true, ..self }
    }

    /// For each `(id, time)`: the durable row with this id, if there is one, whatever its time.
    ///
    /// Exact, whatever is in memory.
    ///
    /// # Errors
    ///
    /// When a live file cannot be read.
    pub fn find(&self, snapshot: &Snapshot, rows: &[(EventId, i64)]) -> Result<Vec<Option<Found>>, LakeError> {
        self.find_in(&snapshot.events, rows)
    }

    /// The rows of `batch` whose ids are in none of the live files `parts` of `rejects`, each id once.
    ///
    /// # Errors
    ///
    /// When a live file cannot be read.
    pub fn fresh_rejects(
        &self,
        parts: &[Arc<Part>],
        seen: &mut HashSet<u128>,
        batch: RecordBatch,
    ) -> Result<RecordBatch, LakeError> {
        let Some(ids) = batch.column_by_name("reject_id").map(|c| c.as_string_view()) else { return Ok(batch) };
        let asked: Vec<(EventId, i64)> =
            ids.iter().map(|id| (EventId(id_of(id.unwrap_or("").as_bytes())), 0)).collect();
        let found = self.find_in(parts, &asked)?;
        let fresh: BooleanArray =
            asked.iter().zip(&found).map(|((id, _), found)| Some(found.is_none() && seen.insert(id.0))).collect();
        if fresh.true_count() == batch.num_rows() {
            return Ok(batch);
        }
        filter_record_batch(&batch, &fresh).at("sort out the rejects of", &self.root)
    }

    fn find_in(&self, parts: &[Arc<Part>], rows: &[(EventId, i64)]) -> Result<Vec<Option<Found>>, LakeError> {
        let mut found = vec![None; rows.len()];
        // In the order of ids the filters are walked from front to back.
        let mut order: Vec<Asked> = rows.iter().zip(0..).map(|((id, ts_us), at)| (id.0, *ts_us, at)).collect();
        order.sort_unstable();
        self.sieve_if_due(parts)?;
        if let Some((sieve, missing)) = self.cache.sieve(parts.iter().map(|part| part.path.as_str())) {
            for part in missing {
                let filter = self.whole(&parts[part])?;
                self.cache.cover(&sieve, &parts[part].path, filter.prefixes());
            }
            order.retain(|(id, ..)| sieve.may_hold(*id));
        }
        if order.is_empty() {
            return Ok(found);
        }
        let near = |part: &Part, ts_us: i64| {
            part.min_ts_us.saturating_sub(NEAR_US) <= ts_us && ts_us <= part.max_ts_us.saturating_add(NEAR_US)
        };
        for first in [true, false] {
            for part in parts.iter() {
                let wanted = |(_, ts_us, at): &&Asked| found[*at].is_none() && near(part, *ts_us) == first;
                let wanted: Vec<Asked> = order.iter().filter(wanted).copied().collect();
                self.look(part, &wanted, &mut found)?;
            }
        }
        Ok(found)
    }

    /// Looks ascending ids up in one part.
    fn look(&self, part: &Part, asked: &[Asked], found: &mut [Option<Found>]) -> Result<(), LakeError> {
        let hits = self.perhaps(part, asked, |(id, ..)| *id)?;
        if hits.is_empty() {
            return Ok(());
        }
        let ids = self.part_ids(part)?;
        for (id, _, at) in hits {
            if let Some((completeness, path)) = ids.get(id) {
                found[at] = Some(Found { completeness, source_path: Arc::clone(path) });
            }
        }
        Ok(())
    }

    /// Those of `ids`, ascending, that stand in the part.
    pub(crate) fn among(&self, part: &Part, ids: &[u128]) -> Result<Vec<u128>, LakeError> {
        let perhaps = self.perhaps(part, ids, |id| *id)?;
        if perhaps.is_empty() {
            return Ok(perhaps);
        }
        let own = self.part_ids(part)?;
        Ok(perhaps.into_iter().filter(|id| own.get(*id).is_some()).collect())
    }

    /// Those of `asked`, ascending by id, that the part's filter lets pass.
    fn perhaps<A: Copy>(&self, part: &Part, asked: &[A], id_of: impl Fn(&A) -> u128) -> Result<Vec<A>, LakeError> {
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let filter = match self.held(part)? {
            Held::Memory(filter) => filter,
            Held::File(spilled) if asked.len() < spilled.blocks() || !self.cache.has_room(spilled.bytes()) => {
                self.cache.spent(OPENING + asked.len() * READING, usize::MAX);
                let mut hits = Vec::new();
                let mut rest = asked.iter();
                let read = spilled.ask(asked.iter().map(&id_of), |hit| {
                    hits.extend(rest.by_ref().find(|asked| id_of(asked) == hit).copied());
                });
                match read {
                    Ok(()) => return Ok(hits),
                    Err(_) => self.filter_of_part(part)?,
                }
            }
            Held::File(spilled) => self.loaded(part, &spilled)?,
            Held::Nowhere => self.filter_of_part(part)?,
        };
        self.cache.spent(asked.len(), usize::MAX);
        Ok(asked.iter().filter(|asked| filter.may_hold(id_of(asked))).copied().collect())
    }

    /// The part's filter in memory or in its file, if it is in either.
    fn held(&self, part: &Part) -> Result<Held, LakeError> {
        match self.cache.filter(&part.path) {
            Held::Nowhere => {}
            held => return Ok(held),
        }
        match Spilled::open(&self.filter_path(&part.path), part.rows) {
            Ok(spilled) => {
                let spilled = Arc::new(spilled);
                self.cache.keep_spilled(&part.path, Arc::clone(&spilled));
                Ok(Held::File(spilled))
            }
            Err(_) => Ok(Held::Nowhere),
        }
    }

    /// The part's whole filter, wherever it is.
    fn whole(&self, part: &Part) -> Result<Arc<Filter>, LakeError> {
        match self.held(part)? {
            Held::Memory(filter) => Ok(filter),
            Held::File(spilled) => self.loaded(part, &spilled),
            Held::Nowhere => self.filter_of_part(part),
        }
    }

    fn loaded(&self, part: &Part, spilled: &Spilled) -> Result<Arc<Filter>, LakeError> {
        let Ok(filter) = spilled.load() else { return self.filter_of_part(part) };
        let filter = Arc::new(filter);
        self.cache.keep_filter(&part.path, Arc::clone(&filter));
        Ok(filter)
    }

    /// The filter made of the part itself, for want of a good file.
    fn filter_of_part(&self, part: &Part) -> Result<Arc<Filter>, LakeError> {
        self.cache.forget_spilled(&part.path);
        let ids = self.read(part)?;
        self.cache.keep_ids(&part.path, &ids);
        Ok(self.keep_filter(&part.path, &ids))
    }

    /// Makes a sieve over the parts when looks without one have cost as much.
    fn sieve_if_due(&self, parts: &[Arc<Part>]) -> Result<(), LakeError> {
        let rows: usize = parts.iter().map(|part| usize::try_from(part.rows).unwrap_or_default()).sum();
        if !self.cache.spent(0, rows) {
            return Ok(());
        }
        let sieve = Sieve::for_rows(rows, self.cache.sieve_limit());
        for part in parts {
            sieve.add(self.whole(part)?.prefixes());
        }
        self.cache.set_sieve(sieve, parts.iter().map(|part| part.path.clone()));
        Ok(())
    }

    /// The ids of a live file.
    pub(crate) fn part_ids(&self, part: &Part) -> Result<Arc<PartIds>, LakeError> {
        if let Some(ids) = self.cache.ids(&part.path) {
            return Ok(ids);
        }
        let ids = self.read(part)?;
        self.cache.keep_ids(&part.path, &ids);
        Ok(ids)
    }

    fn read(&self, part: &Part) -> Result<Arc<PartIds>, LakeError> {
        read_part_ids(&self.root, self.table, part).map(Arc::new)
    }

    /// Takes in the ids of a part that has become live.
    pub(crate) fn keep(&self, path: &str, ids: &Arc<PartIds>) {
        let filter = self.keep_filter(path, ids);
        self.cache.keep_ids(path, ids);
        if let Some((sieve, _)) = self.cache.sieve(std::iter::empty()) {
            self.cache.cover(&sieve, path, filter.prefixes());
        }
    }

    fn keep_filter(&self, path: &str, ids: &PartIds) -> Arc<Filter> {
        let filter = Arc::new(Filter::new(ids));
        // A copy of what the part says: without it a look takes longer.
        if self.keeps
            && let Err(error) = self.spill(path, &filter)
        {
            tracing::debug!(%error, "cannot keep the filter of a file");
        }
        self.cache.keep_filter(path, Arc::clone(&filter));
        filter
    }

    fn spill(&self, path: &str, filter: &Filter) -> Result<(), LakeError> {
        let Some(bytes) = filter.encode() else { return Ok(()) };
        disk::put_copy(&self.filter_path(path), &bytes)
    }

    /// Forgets a part that is no longer live.
    pub(crate) fn forget(&self, path: &str) {
        self.cache.forget(path);
        if self.keeps {
            fs::remove_file(self.filter_path(path)).ok();
        }
    }

    fn filter_path(&self, part: &str) -> PathBuf {
        filter_dir(&self.root).join(filter_name(part))
    }
}
