//! What was taken out of the way, and where it is kept.
//!
//! - files of the tables keep their place: `.quarantine/events/month=2026-03/part-<id>.parquet`
//! - logs and unfinished entries get a random ending
//! - nothing of it is deleted but by a prune, and by [`super::restore_quarantine`] once its rows are
//!   back; of unfinished entries, which hold no rows, the newest few are kept

use std::fs;
use std::path::{Path, PathBuf};

use super::disk;
use super::error::{At, LakeError};
use super::layout::{files, is_part_file, quarantine_dir};

/// Unfinished entries kept.
const ENTRIES: usize = 64;

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

pub(super) fn logs_and_entries(root: &Path) -> Result<Vec<PathBuf>, LakeError> {
    let found = disk::list(&quarantine_dir(root))?.into_iter();
    Ok(found.filter(|(name, _)| is_log(name) || name.contains(".json.")).map(|(_, path)| path).collect())
}

// A rebuild makes the new log under the second name and exchanges the two.
fn is_log(name: &str) -> bool {
    name.starts_with("_delta_log.") || name.starts_with(".rebuild-")
}
