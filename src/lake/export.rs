//! A directory that any Parquet reader may glob: hard links of one version's files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::disk;
use super::error::{At, LakeError};
use super::open::Lake;
use super::{Part, Snapshot};

/// Marks a directory as one that [`snapshot_dir`] made.
pub(crate) const MARKER: &str = ".devlog-snapshot";
/// Attempts when files vanish while they are being linked.
const TRIES: u32 = 5;

/// Where the snapshots of the lake in `root` are.
pub(crate) fn snapshots_dir(root: &Path) -> PathBuf {
    disk::parent_of(root).join("snapshots")
}

/// Links the live files of the newest version into `<dest>/<version>/<table>/...` and returns that
/// path, resolved. `dest` is `snapshots` beside `root` when it is `None`.
///
/// The directory never changes afterwards and keeps its rows even when the lake rewrites or removes
/// them; deleting it is up to the caller. Files are copied where the file system cannot link.
///
/// # Errors
///
/// When the lake cannot be read or `dest` not be written.
pub fn snapshot_dir(root: &Path, dest: Option<&Path>) -> Result<PathBuf, LakeError> {
    let dest = dest.map_or_else(|| snapshots_dir(root), Path::to_owned);
    disk::create_dir(&dest)?;
    let mut attempt = 0;
    loop {
        let snapshot = Lake::read(root)?;
        match link_all(&snapshot, &dest) {
            Ok(path) => return fs::canonicalize(&path).at("resolve", &path),
            // A compaction and its clean-up came in between: the next version has other files.
            Err(LakeError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && attempt < TRIES => {
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

fn link_all(snapshot: &Snapshot, dest: &Path) -> Result<PathBuf, LakeError> {
    let name = snapshot.version.map_or_else(|| "empty".to_owned(), |version| version.to_string());
    let target = dest.join(&name);
    if target.join(MARKER).is_file() {
        return Ok(target);
    }
    let temp = dest.join(format!(".{name}.{}.tmp", disk::random_name()?));
    disk::create_dir(&temp)?;
    let done = fill(snapshot, &temp).and_then(|()| match fs::rename(&temp, &target) {
        // Somebody else made the same snapshot meanwhile.
        Err(_) if target.join(MARKER).is_file() => Ok(()),
        other => other.at("rename a directory to", &target),
    });
    if temp.is_dir() {
        fs::remove_dir_all(&temp).ok();
    }
    done.map(|()| target)
}

fn fill(snapshot: &Snapshot, temp: &Path) -> Result<(), LakeError> {
    for (table, parts) in [("events", &snapshot.events), ("rejects", &snapshot.rejects)] {
        disk::create_dir(&temp.join(table))?;
        for part in parts.iter() {
            link(&snapshot.root.join(table), &temp.join(table), part)?;
        }
    }
    disk::write_new(&temp.join(MARKER), b"")
}

fn link(from: &Path, to: &Path, part: &Part) -> Result<(), LakeError> {
    let (from, to) = (from.join(&part.path), to.join(&part.path));
    let dir = disk::parent_of(&to);
    if !dir.is_dir() {
        disk::create_dir(dir)?;
    }
    match fs::hard_link(&from, &to) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            let mut file = disk::create_file(&to)?;
            let mut source = disk::open_file(&from).at("open", &from)?;
            io::copy(&mut source, &mut file).at("copy to", &to).map(|_| ())
        }
        other => other.at("link", &from),
    }
}
