//! What was taken out of the way, and where it is kept.
//!
//! - files of the tables keep their place: `.quarantine/events/month=2026-03/part-<id>.parquet`
//! - logs and unfinished entries get a random ending
//! - nothing of it is deleted but by a prune, and by [`super::restore_quarantine`] once its rows are
//!   back; of unfinished entries, which hold no rows, the newest few are kept

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::compute::filter_record_batch;

use super::disk;
use super::encode::month_of;
use super::error::{At, LakeError};
use super::evidence::{Evidence, patiently};
use super::prune::PruneFilter;
use super::reader::PartReader;
use super::rewrite::{READ_ROWS, size_of_batch};
use super::vacuum::{VacuumReport, files, is_part_file};
use super::writer::PartWriter;
use crate::schema::events;

/// Unfinished entries kept.
const ENTRIES: usize = 64;

/// Directory of what was taken out of the way.
pub(crate) fn quarantine_dir(root: &Path) -> PathBuf {
    root.join(".quarantine")
}

/// Moves an entry or a whole log to quarantine.
pub(crate) fn set_aside(root: &Path, path: &Path) -> Result<PathBuf, LakeError> {
    let dir = quarantine_dir(root);
    disk::create_dir(&dir)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let target = dir.join(format!("{name}.{}", disk::random_name()?));
    fs::rename(path, &target).at("move to quarantine", path)?;
    disk::sync_dir(disk::parent_of(path))?;
    disk::sync_dir(&dir)?;
    let entries = disk::list(&dir)?.into_iter().filter(|(name, path)| name.contains(".json.") && path.is_file());
    let mut entries: Vec<(Option<i64>, PathBuf)> = entries.map(|(_, path)| (disk::modified_us(&path), path)).collect();
    entries.sort();
    for (_, path) in entries.iter().take(entries.len().saturating_sub(ENTRIES)) {
        disk::remove_file(path)?;
    }
    Ok(target)
}

/// Gives a file of a table a second name in quarantine, durably; the first one may go then. `name` is
/// its path in `table`.
pub(crate) fn keep_part(root: &Path, table: &str, name: &str, path: &Path) -> Result<PathBuf, LakeError> {
    let target = quarantine_dir(root).join(table).join(name);
    disk::create_dir(disk::parent_of(&target))?;
    match fs::hard_link(path, &target) {
        // Names are given once: it is the same file, kept before a crash.
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
        other => other.at("move to quarantine", path)?,
    }
    disk::sync_dir(disk::parent_of(&target))?;
    Ok(target)
}

/// Moves a file of a table to quarantine.
pub(crate) fn set_part_aside(root: &Path, table: &str, name: &str, path: &Path) -> Result<PathBuf, LakeError> {
    let target = keep_part(root, table, name, path)?;
    disk::remove_file(path)?;
    disk::sync_dir(disk::parent_of(path))?;
    Ok(target)
}

/// Files of the tables in quarantine: table, path, and path within the table.
pub(crate) fn parts(root: &Path) -> Result<Vec<(&'static str, PathBuf, String)>, LakeError> {
    Ok(files(&quarantine_dir(root))?.into_iter().filter(|(_, path, _)| is_part_file(path)).collect())
}

/// Logs in quarantine.
pub(crate) fn logs(root: &Path) -> Result<Vec<PathBuf>, LakeError> {
    let found = disk::list(&quarantine_dir(root))?.into_iter();
    Ok(found.filter(|(name, path)| is_log(name) && path.is_dir()).map(|(_, path)| path).collect())
}

fn logs_and_entries(root: &Path) -> Result<Vec<PathBuf>, LakeError> {
    let found = disk::list(&quarantine_dir(root))?.into_iter();
    Ok(found.filter(|(name, _)| is_log(name) || name.contains(".json.")).map(|(_, path)| path).collect())
}

/// Removes the rows that `filter` means from quarantine too. A file that is whole is copied without them;
/// one that is damaged goes when it may hold some, and so do rejects. Logs are kept while there are files,
/// whose checksums they know.
pub(crate) fn prune(root: &Path, filter: &PruneFilter, report: &mut VacuumReport) -> Result<(), LakeError> {
    let parts_here = parts(root)?;
    if !parts_here.is_empty() {
        let evidence = Evidence::gather(root)?;
        for (table, path, name) in parts_here {
            if table == "rejects" || prune_part(root, filter, &evidence, &path, &name)? {
                report.remove(&path)?;
            }
        }
    }
    if parts(root)?.is_empty() {
        for path in logs_and_entries(root)? {
            if path.is_dir() {
                fs::remove_dir_all(&path).at("remove", &path)?;
            } else {
                report.remove(&path)?;
            }
        }
    }
    Ok(())
}

/// True when a file of events is to go: a copy without the rows is made where that is possible.
fn prune_part(
    root: &Path,
    filter: &PruneFilter,
    evidence: &Evidence,
    path: &Path,
    name: &str,
) -> Result<bool, LakeError> {
    let month = name.split('/').next().and_then(|dir| dir.strip_prefix("month=")).unwrap_or_default();
    if filter.before_us.is_some_and(|before_us| month > month_of(before_us).as_str()) {
        return Ok(false);
    }
    // A copy of what is damaged could not be told from what is whole.
    let is_whole = evidence.fault(&events().name, name, path)?.is_none();
    let copied = patiently(|| {
        let mut reader = PartReader::open(path, events(), None, READ_ROWS)?;
        let mut writer = PartWriter::create(&quarantine_dir(root), events(), month, 1, &Arc::default())?;
        let mut gone = 0;
        while let Some(batch) = reader.next()? {
            let Some(keep) = filter.keeps(&batch) else { continue };
            gone += keep.len() - keep.true_count();
            let kept = filter_record_batch(&batch, &keep).at("rewrite", path)?;
            if kept.num_rows() > 0 {
                writer.write(&kept, size_of_batch(&kept))?;
            }
        }
        if gone > 0 && writer.rows() > 0 && is_whole {
            writer.finish()?;
        }
        Ok(gone > 0)
    });
    match copied {
        Err(error) if !error.is_refusal() => Ok(true),
        other => other,
    }
}

// A rebuild makes the new log under the second name and exchanges the two.
fn is_log(name: &str) -> bool {
    name.starts_with("_delta_log.") || name.starts_with(".rebuild-")
}
