//! What the log says when it is read to its end.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use super::Snapshot;
use super::entry::{Change, Entry, Live, ReadEntry, TableInfo};
use super::pruned::PruneFilter;
use crate::schema::{SourceId, SourcePosition, Table, events};

/// Live files of one table by their path within it.
pub(crate) type Files = BTreeMap<String, Live>;

/// The lake after a number of commits.
#[derive(Debug, Clone, Default)]
pub(crate) struct State {
    /// Newest commit and the checksum of its entry.
    pub(crate) newest: Option<(u64, u32)>,
    pub(crate) committed_at_us: i64,
    pub(crate) info: Option<TableInfo>,
    pub(crate) events: Files,
    pub(crate) rejects: Files,
    pub(crate) sources: Arc<HashMap<SourceId, Arc<SourcePosition>>>,
    /// Files no longer live, by `table/path`, with the time of the commit that removed them; their
    /// bytes may still be there for readers of older versions.
    pub(crate) removed: BTreeMap<String, i64>,
    /// Which rows stay away, whatever source still holds them.
    pub(crate) pruned: Arc<Vec<PruneFilter>>,
    /// Newest commit that changed the files of `rejects`.
    pub(crate) rejects_version: Option<u64>,
}

impl State {
    /// Number of the next commit.
    pub(crate) fn next(&self) -> u64 {
        self.newest.map_or(0, |(version, _)| version + 1)
    }

    /// True when the file `name` of `table` is live, or was removed by a commit.
    pub(crate) fn names(&self, table: &str, name: &str) -> bool {
        let live = if table == "events" { &self.events } else { &self.rejects };
        live.contains_key(name) || self.removed.contains_key(&format!("{table}/{name}"))
    }

    /// Live files of a table.
    pub(crate) fn files(&self, table: &Table) -> &Files {
        if table.name == events().name { &self.events } else { &self.rejects }
    }

    /// Takes in the next entry, or says what in it cannot be.
    pub(crate) fn apply(&mut self, read: ReadEntry) -> Result<(), &'static str> {
        let Entry { version, now_us, info, events, rejects, sources, pruned, .. } = read.entry;
        if version != self.next() {
            return Err("it does not follow the one before");
        }
        if !rejects.is_empty() {
            self.rejects_version = Some(version);
        }
        change(&mut self.events, &mut self.removed, "events", events, now_us)?;
        change(&mut self.rejects, &mut self.removed, "rejects", rejects, now_us)?;
        if !sources.is_empty() {
            let known = Arc::make_mut(&mut self.sources);
            for position in sources {
                known.insert(position.id, Arc::new(position.fitted()));
            }
        }
        if let Some(pruned) = pruned {
            self.pruned = Arc::new(pruned);
        }
        if info.is_some() {
            self.info = info;
        }
        self.newest = Some((version, read.crc32c));
        self.committed_at_us = now_us;
        Ok(())
    }

    /// The same for readers.
    pub(crate) fn snapshot(&self, root: &Path) -> Snapshot {
        let parts = |files: &Files| Arc::new(files.values().map(|live| Arc::clone(&live.part)).collect::<Vec<_>>());
        Snapshot {
            root: root.to_owned(),
            version: self.newest.map(|(version, _)| version),
            table_id: self.info.as_ref().map_or_else(Arc::default, |info| info.id.as_str().into()),
            entry_crc32c: self.newest.map_or(0, |(_, crc)| crc),
            committed_at_us: self.committed_at_us,
            events: parts(&self.events),
            rejects: parts(&self.rejects),
            sources: Arc::clone(&self.sources),
            pruned: Arc::clone(&self.pruned),
        }
    }
}

fn change(
    files: &mut Files,
    removed: &mut BTreeMap<String, i64>,
    table: &str,
    change: Change,
    now_us: i64,
) -> Result<(), &'static str> {
    for path in change.remove {
        if files.remove(&path).is_none() {
            return Err("it removes a part that is not live");
        }
        removed.insert(format!("{table}/{path}"), now_us);
    }
    for live in change.add {
        if files.insert(live.part.path.clone(), live).is_some() {
            return Err("it adds a part that is live already");
        }
    }
    Ok(())
}
