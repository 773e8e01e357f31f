//! Making a new log from the files, when entries of the old one are lost.
//!
//! Files that a readable entry removed stay out. Where two files hold the same event, the more
//! complete copy stays: a lost entry may have removed one of them. Positions start at byte 0: what
//! the sources still hold is decoded again and found to be known. Rows that were pruned and whose
//! sources still exist come back; prune again.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::filter_record_batch;

use super::checkpoint;
use super::commit::live;
use super::compact::losers;
use super::disk;
use super::entry::{Change, Entry, TableInfo};
use super::error::{At, LakeError};
use super::fsck::footer;
use super::guard::WriterLock;
use super::ids::id_of;
use super::log::{Found, Log};
use super::open::{quarantine, state_dir};
use super::reader::{PartReader, read_ids};
use super::rewrite::{READ_ROWS, size_of_batch};
use super::vacuum::{files, is_part};
use super::writer::{InFlight, NewPart, PartWriter, describe_file};
use crate::schema::{EVENTS_VERSION, events, rejects};

/// What a rebuild found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RebuildReport {
    /// Files that are live now.
    pub parts: u64,
    /// Rows in them.
    pub rows: u64,
    /// Copies of events dropped.
    pub duplicates: u64,
    /// Files that are damaged, moved to quarantine.
    pub damaged: Vec<PathBuf>,
    /// Where the old log is now.
    pub old_log: Option<PathBuf>,
}

/// Replaces the log of the lake in `root` by one made from the footers of its files.
///
/// # Errors
///
/// Until the new log is complete and durable nothing changes; afterwards the old one is in
/// quarantine.
pub fn rebuild_from_footers(root: &Path, now_us: i64) -> Result<RebuildReport, LakeError> {
    let _lock = WriterLock::take(root)?;
    let mut report = RebuildReport::default();
    let log = Log::master(root);
    let (removed, info) = what_is_left(&log)?;
    let in_flight = Arc::default();
    let mut entry = Entry::blank(0);
    entry.txn_id = disk::random_name()?;
    "rebuild".clone_into(&mut entry.operation);
    entry.now_us = now_us;
    entry.info = Some(match info {
        Some(info) => info,
        None => TableInfo { id: disk::random_name()?, schema_version: EVENTS_VERSION },
    });
    let mut copies: Vec<NewPart> = Vec::new();
    let mut candidates: Vec<(String, PathBuf, u64)> = Vec::new();
    for (table, path, name) in files(root)? {
        let file = name.rsplit('/').next().unwrap_or(&name);
        if !is_part(file) || removed.contains(&format!("{table}/{name}")) {
            continue;
        }
        match footer(&path) {
            Err(_) => {
                quarantine(root, &path)?;
                report.damaged.push(path);
            }
            Ok((rows, _)) if table == "events" => candidates.push((name, path, rows)),
            Ok(_) => entry.rejects.add.push(describe_file(rejects(), &name, &path)?),
        }
    }
    readable(root, &mut candidates, &mut report)?;
    entry.events = without_copies(root, &candidates, &in_flight, &mut copies, &mut report)?;
    report.parts = (entry.events.add.len() + entry.rejects.add.len()) as u64;
    report.rows = entry.events.add.iter().chain(&entry.rejects.add).map(|live| live.part.rows).sum();
    report.old_log = replace_log(root, &log, &entry)?;
    Ok(report)
}

/// Files that readable entries removed, and the table's identity.
fn what_is_left(log: &Log) -> Result<(BTreeSet<String>, Option<TableInfo>), LakeError> {
    let (mut removed, mut info) = (BTreeSet::new(), None);
    for version in log.versions()? {
        if let Found::Valid(read) = log.read(version)? {
            removed.extend(read.entry.events.remove.iter().map(|path| format!("events/{path}")));
            removed.extend(read.entry.rejects.remove.iter().map(|path| format!("rejects/{path}")));
            info = read.entry.info.or(info);
        }
    }
    Ok((removed, info))
}

/// Sets files aside whose ids cannot be read.
fn readable(
    root: &Path,
    candidates: &mut Vec<(String, PathBuf, u64)>,
    report: &mut RebuildReport,
) -> Result<(), LakeError> {
    let mut bad = BTreeSet::new();
    for (name, path, rows) in candidates.iter() {
        if read_ids(path, events(), *rows).is_err() {
            quarantine(root, path)?;
            report.damaged.push(path.clone());
            bad.insert(name.clone());
        }
    }
    candidates.retain(|(name, _, _)| !bad.contains(name));
    Ok(())
}

/// The files as the new log names them; a file with copies of events in others is rewritten.
fn without_copies(
    root: &Path,
    candidates: &[(String, PathBuf, u64)],
    in_flight: &Arc<InFlight>,
    copies: &mut Vec<NewPart>,
    report: &mut RebuildReport,
) -> Result<Change, LakeError> {
    let mut change = Change::default();
    let mut ids = Vec::with_capacity(candidates.len());
    for (_, path, rows) in candidates {
        ids.push(Arc::new(read_ids(path, events(), *rows)?));
    }
    // Rows with inferred times may differ in their month, so all files are compared with all.
    let lost = losers(&ids);
    for (at, (name, path, _)) in candidates.iter().enumerate() {
        let Some(lost) = lost.get(&at) else {
            change.add.push(describe_file(events(), name, path)?);
            continue;
        };
        report.duplicates += lost.len() as u64;
        if let Some(copy) = copy_without(root, path, name, lost, in_flight)? {
            change.add.push(live(&copy));
            copies.push(copy);
        }
    }
    Ok(change)
}

fn copy_without(
    root: &Path,
    path: &Path,
    name: &str,
    lost: &HashSet<u128>,
    in_flight: &Arc<InFlight>,
) -> Result<Option<NewPart>, LakeError> {
    let month = name.split('/').next().and_then(|m| m.strip_prefix("month=")).unwrap_or_default();
    let mut reader = PartReader::open(path, events(), None, READ_ROWS)?;
    let mut writer = PartWriter::create(root, events(), month, 1, in_flight)?;
    while let Some(batch) = reader.next()? {
        let Some(ids) = batch.column_by_name("event_id").map(|c| c.as_string_view()) else { continue };
        let keep: BooleanArray =
            (0..ids.len()).map(|row| Some(!lost.contains(&id_of(ids.value(row).as_bytes())))).collect();
        let batch = filter_record_batch(&batch, &keep).at("rewrite", path)?;
        if batch.num_rows() > 0 {
            let bytes = size_of_batch(&batch);
            writer.write(&batch, bytes)?;
        }
    }
    if writer.rows() == 0 { Ok(None) } else { writer.finish().map(Some) }
}

/// Puts a log of one entry in the place of the old one.
fn replace_log(root: &Path, log: &Log, entry: &Entry) -> Result<Option<PathBuf>, LakeError> {
    let new = root.join("events").join(format!(".rebuild-{}", disk::random_name()?));
    disk::create_dir(&new)?;
    let (bytes, _) = entry.encode(events(), true);
    disk::write_new(&new.join(format!("{:020}.json", 0)), &bytes)?;
    disk::sync_dir(&new)?;
    for (_, path) in checkpoint::list(&state_dir(root))? {
        disk::remove_file(&path)?;
    }
    let old = log.dir.is_dir().then(|| exchange(&new, &log.dir)).transpose()?;
    let result = match old {
        Some(()) => Some(quarantine(root, &new)?),
        None => {
            disk::rename(&new, &log.dir)?;
            None
        }
    };
    fs::remove_dir_all(root.join("rejects").join("_delta_log")).ok();
    Ok(result)
}

/// Swaps two directories; readers see the one or the other.
fn exchange(a: &Path, b: &Path) -> Result<(), LakeError> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).map_err(std::io::Error::from).at("exchange", b)?;
        disk::sync_dir(disk::parent_of(b))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let aside = a.with_extension("old");
        fs::rename(b, &aside).at("rename", b)?;
        fs::rename(a, b).at("rename", a)?;
        fs::rename(&aside, a).at("rename", &aside)?;
        disk::sync_dir(disk::parent_of(b))
    }
}
