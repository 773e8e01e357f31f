//! Where what lies in a lake, and how its files are called.

use std::path::{Path, PathBuf};

use super::disk;
use super::error::LakeError;

/// Directory of the checkpoints.
pub(crate) fn state_dir(root: &Path) -> PathBuf {
    root.join(".state")
}

/// Directory of the filters.
pub(crate) fn filter_dir(root: &Path) -> PathBuf {
    state_dir(root).join("ids")
}

/// Name of the filter's file of a part, whose own name is random.
pub(crate) fn filter_name(part: &str) -> &str {
    let name = part.rsplit('/').next().unwrap_or(part);
    name.strip_suffix(".parquet").unwrap_or(name)
}

/// Directory of what was taken out of the way.
pub(crate) fn quarantine_dir(root: &Path) -> PathBuf {
    root.join(".quarantine")
}

/// True for the name of a finished part.
pub(crate) fn is_part(name: &str) -> bool {
    name.starts_with("part-") && name.ends_with(".parquet")
}

/// True for the path of a finished part.
pub(crate) fn is_part_file(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(is_part)
}

/// True for the name of a file that was being written.
pub(crate) fn is_temp(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}

/// Files in the directories of the tables: table, path, and path within the table.
pub(crate) fn files(root: &Path) -> Result<Vec<(&'static str, PathBuf, String)>, LakeError> {
    let mut found = Vec::new();
    for (month, dir) in disk::list(&root.join("events"))? {
        if month.starts_with("month=") {
            let inside = disk::list(&dir)?;
            found.extend(inside.into_iter().map(|(name, path)| ("events", path, format!("{month}/{name}"))));
        }
    }
    let rejects = disk::list(&root.join("rejects"))?;
    found.extend(rejects.into_iter().filter(|(_, p)| !p.is_dir()).map(|(name, path)| ("rejects", path, name)));
    Ok(found)
}
