//! Files that a decoder needs beside the one it reads.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::discover::matching_paths;
use crate::watch::{Database, DatabaseError};

/// Largest companion that is read.
const COMPANION_BYTES: u64 = 4 << 20;

/// What a database begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";

/// Names and contents of those companions that exist. Of folders, databases, values in databases, and of files
/// that are not small only the name is handed over: that they are there is all a decoder may ask. Documents
/// are read whole, up to `most_bytes`; one that is too long to be read as a source is not told of, so that nobody counts on its
/// rows.
///
/// # Errors
///
/// [`io::ErrorKind::WouldBlock`] when a database that may hold one is busy: whether it does is not known, and
/// what depends on it must not be read yet.
pub(super) fn read_companions(paths: &[PathBuf], most_bytes: usize) -> io::Result<Vec<(String, String)>> {
    let mut all = Vec::new();
    for path in paths.iter().flat_map(|path| matching_paths(path)) {
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        match fs::metadata(&path) {
            Ok(metadata) => all.extend(small_text(&path, &metadata, most_bytes as u64).map(|text| (name, text))),
            Err(_) if is_kept(&path)? => all.push((name, String::new())),
            Err(_) => {}
        }
    }
    Ok(all)
}

/// When the newest of those companions that exist was changed, in nanoseconds since 1970; 0 when there is none.
pub(super) fn changed_ns(paths: &[PathBuf]) -> i64 {
    let all = paths.iter().filter_map(|path| fs::metadata(path).ok()?.modified().ok());
    let since = all.filter_map(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.filter_map(|since| i64::try_from(since.as_nanos()).ok()).max().unwrap_or(0)
}

/// Content of a small file or of a document; empty for anything else that is there, `None` for what cannot
/// be read.
fn small_text(path: &Path, metadata: &fs::Metadata, most_bytes: u64) -> Option<String> {
    let is_document = path.extension().is_some_and(|extension| extension == "json");
    let limit = if is_document { most_bytes } else { COMPANION_BYTES.min(most_bytes) };
    if !metadata.is_file() || metadata.len() > limit {
        return (!is_document || !metadata.is_file()).then(String::new);
    }
    let mut opened = fs::File::open(path).ok()?.take(MAGIC.len() as u64);
    let mut bytes = Vec::new();
    opened.read_to_end(&mut bytes).ok()?;
    if bytes == MAGIC {
        return Some(String::new());
    }
    opened.set_limit(limit);
    opened.read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

/// True when `path` is a database's with a table and a key behind it, and the key has a value there.
fn is_kept(path: &Path) -> io::Result<bool> {
    let mut folders = path.ancestors().skip(1);
    let (Some(table), Some(database)) = (folders.next().and_then(Path::file_name), folders.next()) else {
        return Ok(false);
    };
    let (Some(table), Some(key)) = (table.to_str(), path.file_name().and_then(|key| key.to_str())) else {
        return Ok(false);
    };
    if !database.is_file() {
        return Ok(false);
    }
    match Database::has_key(database, table, key) {
        Ok(is_kept) => Ok(is_kept),
        Err(DatabaseError::Busy) => Err(io::ErrorKind::WouldBlock.into()),
        // What nobody can read is not read twice.
        Err(_) => Ok(false),
    }
}

#[cfg(test)]
mod tests;
