//! The log of `rejects`, derived from the master log so that other engines can read the table.
//!
//! The master log decides which files are live. Each entry here names the master's version it was
//! made for; one that is missing or damaged is made again at the next start.

use std::collections::BTreeSet;
use std::path::Path;

use super::disk;
use super::entry::{Change, Entry, TableInfo};
use super::error::LakeError;
use super::log::{Found, Log};
use super::quarantine;
use super::state::State;

/// Brings the log up to `state` after the commit `version`.
pub(crate) fn follow(root: &Path, state: &State, version: u64) -> Result<(), LakeError> {
    let log = Log::rejects(root);
    disk::create_dir(&log.dir)?;
    let (live, next) = read(&log)?.unwrap_or_default();
    let wanted: BTreeSet<&String> = state.rejects.keys().collect();
    let mut entry = Entry::blank(next);
    entry.txn_id = disk::random_name()?;
    "derived".clone_into(&mut entry.operation);
    entry.now_us = state.committed_at_us;
    entry.derived_from = Some(version);
    entry.info = info(state, next);
    entry.events = Change {
        add: state.rejects.iter().filter(|(path, _)| !live.contains(*path)).map(|(_, live)| live.clone()).collect(),
        remove: live.iter().filter(|path| !wanted.contains(path)).cloned().collect(),
    };
    log.write(&entry, false).map(|_| ())
}

// The table's id is the lake's with its last digit changed: two tables, two ids.
fn info(state: &State, next: u64) -> Option<TableInfo> {
    let info = state.info.as_ref().filter(|_| next == 0)?;
    let mut id = info.id.clone();
    let last = id.pop()?;
    id.push(if last == 'f' { '0' } else { 'f' });
    Some(TableInfo { id, schema_version: info.schema_version })
}

/// Makes the log again where a crash, or damage, left it behind the master's.
pub(crate) fn heal(root: &Path, state: &State) -> Result<(), LakeError> {
    let Some(version) = state.rejects_version else { return Ok(()) };
    let log = Log::rejects(root);
    let newest = log.versions()?.last().copied();
    if let Some(newest) = newest
        && let Ok(Found::Valid(read)) = log.read(newest)
        && read.entry.derived_from == Some(version)
    {
        return Ok(());
    }
    if newest.is_some() && read(&log)?.is_none() {
        quarantine::set_aside(root, &log.dir)?;
    }
    follow(root, state, version)
}

/// Live files and the next number, or `None` when an entry is damaged or missing.
fn read(log: &Log) -> Result<Option<(BTreeSet<String>, u64)>, LakeError> {
    let mut live = BTreeSet::new();
    let versions = log.versions()?;
    for (at, version) in versions.iter().enumerate() {
        let Found::Valid(read) = log.read(*version)? else { return Ok(None) };
        if *version != at as u64 {
            return Ok(None);
        }
        live.retain(|path| !read.entry.events.remove.contains(path));
        live.extend(read.entry.events.add.iter().map(|live| live.part.path.clone()));
    }
    Ok(Some((live, versions.len() as u64)))
}
