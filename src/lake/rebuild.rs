//! Making a new log from the files, when entries of the old one are lost.
//!
//! - files that a readable entry removed stay out, and rows that were pruned stay away
//! - a file whose bytes are not those that were committed, or that cannot be read, is left out and kept
//!   in quarantine; what the system refuses to read stops the rebuild, and nothing has changed
//! - where two files hold the same event, the more complete copy stays: a lost entry may have removed
//!   one of them
//! - positions start at byte 0: what the sources still hold is decoded again and found to be known
//! - the table gets a new identity, as its versions start over

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray};
use arrow::compute::filter_record_batch;

use super::checkpoint;
use super::commit::{live, uuid};
use super::compact::losers;
use super::disk;
use super::entry::{Change, Entry, TableInfo};
use super::error::{At, LakeError};
use super::evidence::{Evidence, patiently};
use super::footer::footer;
use super::guard::WriterLock;
use super::handle::note_newest;
use super::ids::id_of;
use super::layout::{files, is_part_file, state_dir};
use super::log::Log;
use super::quarantine;
use super::reader::{PartReader, read_ids};
use super::rewrite::{READ_ROWS, size_of_batch};
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
    /// Files that are damaged and left out.
    pub damaged: Vec<LeftOut>,
    /// Where the old log is now.
    pub old_log: Option<PathBuf>,
}

/// A file that is not part of the lake any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it was.
    pub path: PathBuf,
    /// Why.
    pub why: String,
    /// Where it is kept.
    pub kept: PathBuf,
}

/// A file in the directories of the tables.
struct Candidate {
    table: &'static str,
    path: PathBuf,
    name: String,
    rows: u64,
}

/// Replaces the log of the lake in `root` by one made from the footers of its files.
///
/// # Errors
///
/// Until the new log is complete and durable nothing changes. Afterwards the old one is in quarantine,
/// and so are files that are damaged.
pub fn rebuild_from_footers(root: &Path, now_us: i64) -> Result<RebuildReport, LakeError> {
    let _lock = WriterLock::take(root)?;
    let mut report = RebuildReport::default();
    let log = Log::master(root);
    for (name, path) in disk::list(&root.join("events"))? {
        // One that was interrupted may have left the old log under this name.
        if name.starts_with(".rebuild-") {
            quarantine::set_aside(root, &path)?;
        }
    }
    let evidence = Evidence::gather(root)?;
    if let Some(found) = evidence.info.as_ref().map(|info| info.schema_version).filter(|v| *v > EVENTS_VERSION) {
        let (found, supported) = (found.unsigned_abs(), EVENTS_VERSION.unsigned_abs());
        return Err(LakeError::NewerVersion { path: log.dir, found, supported });
    }
    let (whole, damaged) = judged(root, &evidence)?;
    let mut entry = Entry::blank(0);
    entry.txn_id = disk::random_name()?;
    "rebuild".clone_into(&mut entry.operation);
    entry.now_us = now_us;
    entry.info = Some(TableInfo { id: uuid(&disk::random_name()?), schema_version: EVENTS_VERSION });
    entry.pruned = (!evidence.pruned.is_empty()).then_some(evidence.pruned);
    for file in whole.iter().filter(|file| file.table == "rejects") {
        entry.rejects.add.push(patiently(|| describe_file(rejects(), &file.name, &file.path))?);
    }
    let in_flight = Arc::default();
    let mut copies: Vec<NewPart> = Vec::new();
    let of_events: Vec<Candidate> = whole.into_iter().filter(|file| file.table == "events").collect();
    entry.events = without_copies(root, &of_events, &in_flight, &mut copies, &mut report)?;
    report.parts = (entry.events.add.len() + entry.rejects.add.len()) as u64;
    report.rows = entry.events.add.iter().chain(&entry.rejects.add).map(|live| live.part.rows).sum();
    // They get their second name before, and lose the first one after the new log counts.
    for (file, why) in damaged {
        let kept = quarantine::keep_part(root, file.table, &file.name, &file.path)?;
        report.damaged.push(LeftOut { path: file.path, why, kept });
    }
    report.old_log = replace_log(root, &log, &entry)?;
    for file in &report.damaged {
        disk::remove_file(&file.path)?;
        disk::sync_dir(disk::parent_of(&file.path))?;
    }
    Ok(report)
}

/// Files that are what was committed, and those that are not, with what is wrong with them.
type Judged = (Vec<Candidate>, Vec<(Candidate, String)>);

fn judged(root: &Path, evidence: &Evidence) -> Result<Judged, LakeError> {
    let (mut whole, mut damaged) = (Vec::new(), Vec::new());
    for (table, path, name) in files(root)? {
        if !is_part_file(&path) || evidence.removed.contains(&format!("{table}/{name}")) {
            continue;
        }
        let mut file = Candidate { table, path, name, rows: 0 };
        match evidence.fault(table, &file.name, &file.path)? {
            Some(why) => damaged.push((file, why)),
            None => {
                file.rows = patiently(|| footer(&file.path).at("read the footer of", &file.path))?.0;
                whole.push(file);
            }
        }
    }
    Ok((whole, damaged))
}

/// The files as the new log names them; a file with copies of events in others is rewritten.
fn without_copies(
    root: &Path,
    candidates: &[Candidate],
    in_flight: &Arc<InFlight>,
    copies: &mut Vec<NewPart>,
    report: &mut RebuildReport,
) -> Result<Change, LakeError> {
    let mut change = Change::default();
    let mut ids = Vec::with_capacity(candidates.len());
    for file in candidates {
        ids.push(Arc::new(patiently(|| read_ids(&file.path, events(), file.rows))?));
    }
    // Rows with inferred times may differ in their month, so all files are compared with all.
    let lost = losers(&ids);
    for (at, file) in candidates.iter().enumerate() {
        let Some(lost) = lost.get(&at) else {
            change.add.push(patiently(|| describe_file(events(), &file.name, &file.path))?);
            continue;
        };
        report.duplicates += lost.len() as u64;
        if let Some(copy) = patiently(|| copy_without(root, file, lost, in_flight))? {
            change.add.push(live(&copy));
            copies.push(copy);
        }
    }
    Ok(change)
}

fn copy_without(
    root: &Path,
    file: &Candidate,
    lost: &HashSet<u128>,
    in_flight: &Arc<InFlight>,
) -> Result<Option<NewPart>, LakeError> {
    let month = file.name.split('/').next().and_then(|m| m.strip_prefix("month=")).unwrap_or_default();
    let mut reader = PartReader::open(&file.path, events(), None, READ_ROWS)?;
    let mut writer = PartWriter::create(root, events(), month, 1, in_flight)?;
    while let Some(batch) = reader.next()? {
        let Some(ids) = batch.column_by_name("event_id").map(|c| c.as_string_view()) else { continue };
        let keep: BooleanArray =
            (0..ids.len()).map(|row| Some(!lost.contains(&id_of(ids.value(row).as_bytes())))).collect();
        let batch = filter_record_batch(&batch, &keep).at("rewrite", &file.path)?;
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
    let old = log.dir.is_dir().then(|| exchange(&new, &log.dir)).transpose()?;
    let result = match old {
        Some(()) => Some(quarantine::set_aside(root, &new)?),
        None => {
            disk::rename(&new, &log.dir)?;
            None
        }
    };
    // Those of the old log name another table by now.
    for (_, path) in checkpoint::list(&state_dir(root))? {
        disk::remove_file(&path)?;
    }
    disk::create_dir(&state_dir(root))?;
    note_newest(root, log, 0);
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
