//! Events that stand in a lake more than once, and their removal.
//!
//! No commit makes such copies; lakes of older versions, and files copied in by hand, may have them.
//! The most complete record stays, of equally complete ones that of the source born first.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;

use super::commit::live;
use super::entry::{Change, Entry};
use super::error::LakeError;
use super::handle::Lake;
use super::ids::{ID_COLUMNS, id_of};
use super::reader::read_ids;
use super::state::State;
use super::writer::NewPart;
use crate::schema::{Table, events, rejects};

/// Ids compared at once, to bound memory.
const IDS_AT_ONCE: u64 = 2_000_000;

/// What [`Lake::drop_copies`] removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CopiesReport {
    /// Rows.
    pub rows: u64,
    /// Files that held them.
    pub parts: u64,
}

/// One of several records of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) id: u128,
    /// The best comes first.
    completeness: Reverse<i64>,
    born_us: i64,
    tie: u32,
    /// Number of the file.
    pub(crate) part: u32,
}

/// Calls `found` with all records of each event that has several, the best first; files that cannot be
/// read are left out when `lenient`.
pub(crate) fn each_copied(
    root: &Path,
    table: &Table,
    state: &State,
    lenient: bool,
    mut found: impl FnMut(&[Record]),
) -> Result<(), LakeError> {
    let files = state.files(table);
    let rows: u64 = files.values().map(|live| live.part.rows).sum();
    let born: HashMap<&str, i64> = state.sources.values().map(|s| (s.path.as_str(), s.born_us)).collect();
    let passes = u128::from(rows / IDS_AT_ONCE + 1);
    for pass in 0..passes {
        let mut seen: Vec<Record> = Vec::new();
        for (live, part) in files.values().zip(0u32..) {
            let ids = match read_ids(&root.join(&table.name).join(&live.part.path), table, live.part.rows) {
                Ok(ids) => ids,
                Err(_) if lenient => continue,
                Err(error) => return Err(error),
            };
            let claims: Vec<(i64, u32)> = ids.paths().iter().map(|path| claim(&born, path)).collect();
            let rows = ids.rows().filter(|(id, ..)| (id >> 64) % passes == pass);
            seen.extend(rows.map(|(id, completeness, source)| {
                let (born_us, tie) = claims[source];
                Record { id, completeness: Reverse(completeness), born_us, tie, part }
            }));
        }
        seen.sort_unstable();
        seen.chunk_by(|a, b| a.id == b.id).filter(|group| group.len() > 1).for_each(&mut found);
    }
    Ok(())
}

/// What decides between equally complete records, as for rows that arrive.
fn claim(born: &HashMap<&str, i64>, path: &str) -> (i64, u32) {
    (born.get(path).copied().unwrap_or(i64::MIN), crc32c::crc32c(path.as_bytes()))
}

/// Rows of one file that go: all of an id, or all but one as complete as this.
type Lost = HashMap<u128, Option<i64>>;

impl Lake {
    /// Removes all records of an event but the best one, each in its own month, and rejects that are there
    /// more than once, in one commit.
    ///
    /// # Errors
    ///
    /// When the lake cannot be read or written; nothing has changed then.
    pub fn drop_copies(&self, now_us: i64) -> Result<CopiesReport, LakeError> {
        let mut writer = self.ready()?;
        let mut report = CopiesReport::default();
        let mut parts = Vec::new();
        let mut entry = Entry::blank(0);
        "drop copies".clone_into(&mut entry.operation);
        entry.now_us = now_us;
        entry.events = self.without_copies(&writer.state, events(), &mut parts, &mut report)?;
        entry.rejects = self.without_copies(&writer.state, rejects(), &mut parts, &mut report)?;
        if !entry.events.is_empty() || !entry.rejects.is_empty() {
            self.put(&mut writer, entry, &parts)?;
        }
        Ok(report)
    }

    fn without_copies(
        &self,
        state: &State,
        table: &'static Table,
        parts: &mut Vec<NewPart>,
        report: &mut CopiesReport,
    ) -> Result<Change, LakeError> {
        let mut lost: BTreeMap<u32, (u64, Lost)> = BTreeMap::new();
        each_copied(&self.root, table, state, false, |records| {
            report.rows += records.len() as u64 - 1;
            let Some((best, others)) = records.split_first() else { return };
            for other in others {
                let (rows, ids) = lost.entry(other.part).or_default();
                *rows += 1;
                ids.insert(other.id, (other.part == best.part).then_some(best.completeness.0));
            }
        })?;
        let mut change = Change::default();
        for (old, number) in state.files(table).values().zip(0u32..) {
            let Some((rows, ids)) = lost.get(&number) else { continue };
            let mut kept = HashSet::new();
            let copy = self.rewrite(table, old, |batch| {
                let column = ID_COLUMNS.iter().find_map(|name| batch.column_by_name(name))?.as_string_view();
                let completeness = batch.column_by_name("completeness").map(|c| c.as_primitive::<Int64Type>());
                let stays = |row: usize| {
                    let id = id_of(column.value(row).as_bytes());
                    let own = completeness.map_or(0, |completeness| completeness.value(row));
                    match ids.get(&id) {
                        None => true,
                        Some(None) => false,
                        Some(Some(best)) => own == *best && kept.insert(id),
                    }
                };
                Some((0..column.len()).map(stays).map(Some).collect())
            })?;
            if rows + copy.as_ref().map_or(0, |copy| copy.part.rows) != old.part.rows {
                return Err(LakeError::RewriteDiffers { path: self.root.join(&table.name).join(&old.part.path) });
            }
            change.remove.push(old.part.path.clone());
            change.add.extend(copy.iter().map(live));
            parts.extend(copy);
        }
        report.parts += lost.len() as u64;
        Ok(change)
    }
}
