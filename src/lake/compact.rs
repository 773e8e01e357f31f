//! Merging small files into larger ones.
//!
//! - files of one month and of about the same size are merged, so a row is rewritten a few times in
//!   its life, not once per flush
//! - inputs are sorted by time and merged as streams ([`Merge`]); a file is opened when its time has come, so
//!   memory depends on how many overlap, and no more are taken than the budget allows
//! - a file whose bytes are not those that were committed is left as it is, and named at the end
//! - rows and ids of the outputs are read back and compared with the inputs before the commit
//! - inputs stay on disk until [`Lake::vacuum`], for readers of older versions

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::Part;
use super::commit::{first_missing, live};
use super::entry::Entry;
use super::error::LakeError;
use super::handle::Lake;
use super::ids::PartIds;
use super::merge::Merge;
use super::reader::read_ids;
use super::rewrite::check_bytes;
use crate::schema::events;

/// Files merged at once.
const FAN_IN: usize = 16;
/// Files of about the same size that are worth a merge.
const ENOUGH: usize = 4;
/// Memory that the pages of an open input take at most, of each long column about one ...
const PAGES_BYTES: u64 = 12 << 20;
/// ... a small file has no more than it has rows, which are so many times larger in memory ...
const UNPACKED: u64 = 6;
/// ... and what zstd needs for as many columns as there are.
const CODECS_BYTES: u64 = 5 << 20;
/// Merges begun again because another commit took an input away.
const CONFLICTS: u32 = 8;

/// What to merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CompactOptions {
    /// Size that files grow to.
    pub target_bytes: u64,
    /// Files of about the same size that make a merge worth while; 2 merges all that is small.
    pub min_parts: usize,
    /// Merges after which it is enough for now.
    pub max_merges: u64,
    /// Memory that the inputs of a merge may take, roughly; four are merged at once even so.
    pub memory_bytes: u64,
    /// Now, microseconds since 1970.
    pub now_us: i64,
}

impl CompactOptions {
    /// Files of about 128 MB, merged by four or more, within 64 MB.
    #[must_use]
    pub const fn new(now_us: i64) -> Self {
        Self { target_bytes: 128 << 20, min_parts: ENOUGH, max_merges: u64::MAX, memory_bytes: 64 << 20, now_us }
    }
}

/// What a compaction did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CompactReport {
    /// Merges committed.
    pub merges: u64,
    /// Files that are no longer live.
    pub removed: u64,
    /// Files in their place.
    pub written: u64,
    /// Bytes of the former.
    pub bytes_before: u64,
    /// Bytes of the latter.
    pub bytes_after: u64,
    /// Rows in the latter.
    pub rows: u64,
    /// Copies of events dropped; the most complete one stays.
    pub duplicates: u64,
}

impl Lake {
    /// Merges small files until no merge is worth while, or for as many merges as `options` say. Other
    /// commits may go on meanwhile.
    ///
    /// # Errors
    ///
    /// Merges committed before the error stay; the one that failed changed nothing. After
    /// [`LakeError::CorruptPart`] all merges were made but those of damaged files, of which it names the
    /// first.
    pub fn compact(&self, options: CompactOptions) -> Result<CompactReport, LakeError> {
        let mut report = CompactReport::default();
        let mut conflicts = 0;
        let mut damaged: HashMap<String, LakeError> = HashMap::new();
        while report.merges < options.max_merges
            && let Some(inputs) = plan(&self.snapshot().events, &damaged, options)
        {
            let known = damaged.len();
            self.set_aside(&inputs, &mut damaged)?;
            if damaged.len() > known {
                continue;
            }
            match self.merge(&inputs, options, &mut report) {
                // Another commit rewrote an input, and may have deleted it: the plan is made anew.
                Err(_) if conflicts < CONFLICTS && !self.are_live(&inputs) => conflicts += 1,
                other => other?,
            }
        }
        damaged.into_iter().min_by(|a, b| a.0.cmp(&b.0)).map_or(Ok(report), |(_, error)| Err(error))
    }

    /// Adds those inputs to `damaged` whose bytes are not those that were committed.
    fn set_aside(&self, inputs: &[Arc<Part>], damaged: &mut HashMap<String, LakeError>) -> Result<(), LakeError> {
        for part in inputs {
            // One that is not live any more is found by the merge, or by the next plan.
            let Some(live) = self.writer().state.events.get(&part.path).cloned() else { continue };
            match check_bytes(&self.root, events(), &live) {
                Err(error @ LakeError::CorruptPart { .. }) if self.are_live(std::slice::from_ref(part)) => {
                    damaged.insert(part.path.clone(), error);
                }
                Err(LakeError::CorruptPart { .. }) => {}
                other => other?,
            }
        }
        Ok(())
    }

    fn are_live(&self, parts: &[Arc<Part>]) -> bool {
        let snapshot = self.snapshot();
        parts.iter().all(|part| snapshot.events.iter().any(|live| live.path == part.path))
    }

    fn merge(
        &self,
        inputs: &[Arc<Part>],
        options: CompactOptions,
        report: &mut CompactReport,
    ) -> Result<(), LakeError> {
        let ids: Result<Vec<_>, _> = inputs.iter().map(|part| self.known.part_ids(part)).collect();
        let ids = ids?;
        let losers = losers(&ids);
        let expected = Digest::of_inputs(&ids, &losers);
        let outputs = Merge::new(self, inputs, &losers).run(options.target_bytes)?;
        let mut written = Digest::default();
        for output in &outputs {
            let path = self.root.join("events").join(&output.part.path);
            written.add(read_ids(&path, events(), output.part.rows)?.iter().map(|(id, _)| id));
        }
        if written != expected {
            let path = outputs.first().map_or_else(Default::default, |o| o.part.path.clone());
            return Err(LakeError::RewriteDiffers { path: path.into() });
        }
        let mut entry = Entry::blank(0);
        "compact".clone_into(&mut entry.operation);
        entry.now_us = options.now_us;
        entry.data_change = false;
        entry.events.add = outputs.iter().map(live).collect();
        entry.events.remove = inputs.iter().map(|part| part.path.clone()).collect();
        let mut writer = self.ready()?;
        if let Some(path) = first_missing(&writer.state.events, &entry.events.remove) {
            return Err(LakeError::Conflict { path: self.root.join("events").join(path) });
        }
        self.put(&mut writer, entry, &outputs)?;
        report.merges += 1;
        report.removed += inputs.len() as u64;
        report.written += outputs.len() as u64;
        report.bytes_before += inputs.iter().map(|p| p.bytes).sum::<u64>();
        report.bytes_after += outputs.iter().map(|p| p.part.bytes).sum::<u64>();
        report.rows += expected.rows;
        report.duplicates += losers.values().map(|ids| ids.len() as u64).sum::<u64>();
        Ok(())
    }
}

/// Files of one month to merge next, oldest rows first; `damaged` ones are not merged.
fn plan(parts: &[Arc<Part>], damaged: &HashMap<String, LakeError>, options: CompactOptions) -> Option<Vec<Arc<Part>>> {
    let small = |part: &&Arc<Part>| part.bytes < options.target_bytes / 2 && !damaged.contains_key(&part.path);
    let small: Vec<&Arc<Part>> = parts.iter().filter(small).collect();
    // Classes of sizes by powers of four from 256 KiB: a row is rewritten a few times in its life.
    let class = |part: &Part| (part.bytes >> 16).max(1).ilog2() / 2;
    let min_parts = options.min_parts.max(2);
    let next = choose(&small, class, min_parts.max(ENOUGH), options);
    next.or_else(|| (min_parts < ENOUGH).then(|| choose(&small, |_| 0, min_parts, options)).flatten())
}

/// The first group of one month and one `class` of which at least `least` can be merged.
fn choose(
    parts: &[&Arc<Part>],
    class: impl Fn(&Part) -> u32,
    least: usize,
    options: CompactOptions,
) -> Option<Vec<Arc<Part>>> {
    let mut groups: BTreeMap<(&str, u32), Vec<&Arc<Part>>> = BTreeMap::new();
    for part in parts {
        groups.entry((&part.month, class(part))).or_default().push(part);
    }
    groups.into_values().find_map(|mut group| {
        group.sort_by_key(|part| (part.min_ts_us, part.path.clone()));
        let taken = group.len().min(fitting(&group, least, options));
        (taken >= least).then(|| group.into_iter().take(taken).map(Arc::clone).collect())
    })
}

/// How many of `group`, in order of time, are merged at once: so many that the file they make and the
/// memory of those that are open at the same time stay within bounds, but no fewer than `least`.
fn fitting(group: &[&Arc<Part>], least: usize, options: CompactOptions) -> usize {
    let memory = |part: &Part| (part.bytes * UNPACKED).min(PAGES_BYTES) + CODECS_BYTES;
    let mut bytes = 0;
    for (taken, part) in group.iter().enumerate() {
        let open = group[..taken].iter().filter(|earlier| earlier.max_ts_us >= part.min_ts_us);
        let open_bytes = open.map(|part| memory(part)).sum::<u64>() + memory(part);
        let too_large = bytes + part.bytes > options.target_bytes;
        if taken == FAN_IN || (taken >= least && (too_large || open_bytes > options.memory_bytes)) {
            return taken;
        }
        bytes += part.bytes;
    }
    group.len()
}

/// Ids that stand in more than one input: for each input, those of which another copy stays.
pub(crate) fn losers(inputs: &[Arc<PartIds>]) -> HashMap<usize, HashSet<u128>> {
    let mut all: Vec<(u128, Reverse<i64>, usize)> = Vec::with_capacity(inputs.iter().map(|ids| ids.len()).sum());
    for (input, ids) in inputs.iter().enumerate() {
        all.extend(ids.iter().map(|(id, completeness)| (id, Reverse(completeness), input)));
    }
    all.sort_unstable();
    let mut losers: HashMap<usize, HashSet<u128>> = HashMap::new();
    for pair in all.windows(2) {
        if pair[0].0 == pair[1].0 {
            losers.entry(pair[1].2).or_default().insert(pair[1].0);
        }
    }
    losers
}

/// What a set of ids is compared by.
#[derive(Debug, Default, PartialEq, Eq)]
struct Digest {
    rows: u64,
    xor: u128,
    sum: u128,
    range: Option<(u128, u128)>,
}

impl Digest {
    fn add(&mut self, ids: impl Iterator<Item = u128>) {
        for id in ids {
            self.rows += 1;
            self.xor ^= id;
            self.sum = self.sum.wrapping_add(id);
            self.range = Some(self.range.map_or((id, id), |(min, max)| (min.min(id), max.max(id))));
        }
    }

    fn of_inputs(inputs: &[Arc<PartIds>], losers: &HashMap<usize, HashSet<u128>>) -> Self {
        let mut digest = Self::default();
        for (input, ids) in inputs.iter().enumerate() {
            let lost = losers.get(&input);
            digest.add(ids.iter().map(|(id, _)| id).filter(|id| lost.is_none_or(|lost| !lost.contains(id))));
        }
        digest
    }
}

#[cfg(test)]
mod tests;
