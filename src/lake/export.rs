//! A directory that any Parquet reader may glob: hard links of one version's files.
//!
//! It stands in the lake it belongs to, under a name that no other version of any lake has. What is
//! deleted from the lake is deleted from here too; see [`remove_snapshots`].

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::disk;
use super::error::{At, LakeError};
use super::handle::Lake;
use super::layout::is_part;
use super::log::{Found, Log};
use super::{Part, Snapshot};

/// Marks a directory as one that [`snapshot_dir`] made.
pub(crate) const MARKER: &str = ".devlog-snapshot";
/// Begins the name of one that is being made.
const UNFINISHED: &str = ".new-";
/// Attempts when files vanish while they are being linked.
const TRIES: u32 = 5;
/// A snapshot nobody asked for again goes after this long ...
const KEPT_US: i64 = 7 * 24 * 3_600_000_000;
/// ... and one that was begun and never finished after this long.
const UNFINISHED_US: i64 = 3_600_000_000;

/// Where the snapshots of the lake in `root` are.
fn snapshots_dir(root: &Path) -> PathBuf {
    root.join(".snapshots")
}

/// Name of the directory that shows `snapshot`: the table, the version, and the checksum of its
/// commit, which tells two histories of one table apart.
fn name_of(snapshot: &Snapshot) -> String {
    let table: String = snapshot.table_id.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    snapshot
        .version
        .map_or_else(|| "empty".to_owned(), |version| format!("{table}-{version}-{:08x}", snapshot.entry_crc32c))
}

/// Links the live files of the newest version into `<lake>/.snapshots/<name>/<table>/...` and returns
/// that path, resolved.
///
/// The directory never changes and keeps its rows when the lake merges its files. It is removed seven
/// days after it was last asked for, by whatever writes the lake then, and by a prune at once. Files
/// are copied where the file system cannot link.
///
/// # Errors
///
/// When the lake cannot be read or the directory not be written.
pub fn snapshot_dir(root: &Path, now_us: i64) -> Result<PathBuf, LakeError> {
    let dest = snapshots_dir(root);
    let mut attempt = 0;
    loop {
        let snapshot = Lake::read(root)?;
        disk::create_dir(&dest)?;
        remove_outdated(root, now_us)?;
        match link_all(&snapshot, &dest) {
            Ok(path) => return fs::canonicalize(&path).at("resolve", &path),
            // A prune came in between, or a clean-up: the next version has other files.
            Err(LakeError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound && attempt < TRIES => {
                disk::back_off(attempt);
                attempt += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

fn link_all(snapshot: &Snapshot, dest: &Path) -> Result<PathBuf, LakeError> {
    let name = name_of(snapshot);
    let target = dest.join(&name);
    if is_snapshot(&target) {
        // Asked for again, it is kept for longer.
        touch(&target.join(MARKER))?;
        return Ok(target);
    }
    let temp = dest.join(format!("{UNFINISHED}{name}.{}", disk::random_name()?));
    disk::create_dir(&temp)?;
    let done = fill(snapshot, &temp).and_then(|()| match fs::rename(&temp, &target) {
        // Somebody else made the same snapshot meanwhile.
        Err(_) if is_snapshot(&target) => Ok(()),
        other => other.at("rename a directory to", &target),
    });
    if temp.is_dir() {
        fs::remove_dir_all(&temp).ok();
    }
    done.map(|()| target)
}

fn fill(snapshot: &Snapshot, temp: &Path) -> Result<(), LakeError> {
    for (table, parts) in [("events", &snapshot.events), ("rejects", &snapshot.rejects)] {
        make(&temp.join(table))?;
        for part in parts.iter() {
            link(&snapshot.root.join(table), &temp.join(table), part)?;
        }
    }
    disk::write_new(&temp.join(MARKER), b"")
}

// Parents are not made: where a prune has removed them, what is here is incomplete.
fn make(dir: &Path) -> Result<(), LakeError> {
    if dir.is_dir() { Ok(()) } else { disk::private_dir().create(dir).at("create the directory", dir) }
}

fn link(from: &Path, to: &Path, part: &Part) -> Result<(), LakeError> {
    let (from, to) = (from.join(&part.path), to.join(&part.path));
    make(disk::parent_of(&to))?;
    match fs::hard_link(&from, &to) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            let mut file = disk::create_file(&to)?;
            let mut source = disk::open_file(&from).at("open", &from)?;
            io::copy(&mut source, &mut file).at("copy to", &to).map(|_| ())
        }
        other => other.at("link", &from),
    }
}

fn touch(marker: &Path) -> Result<(), LakeError> {
    disk::remove_file(marker)?;
    match disk::write_new(marker, b"") {
        // Somebody else asked for it at the same time.
        Err(LakeError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

fn is_snapshot(dir: &Path) -> bool {
    dir.join(MARKER).is_file()
}

/// Removes the snapshots of the lake in `root`, but for one of exactly its newest version: that has
/// no row which the lake does not have. Returns how many.
///
/// # Errors
///
/// When the lake cannot be read, or a directory not be removed.
pub fn remove_snapshots(root: &Path, all: bool) -> Result<u64, LakeError> {
    let newest = name_of(&*Lake::read(root)?);
    let removed = remove(&snapshots_dir(root), |name, _| all || !name.contains(&newest))?;
    Ok(removed + remove_beside(root)?)
}

/// Removes what nobody asked for in a long time, and what was begun and never finished.
pub(crate) fn remove_outdated(root: &Path, now_us: i64) -> Result<u64, LakeError> {
    remove(&snapshots_dir(root), |_, path| {
        let (since, kept) =
            if is_snapshot(path) { (path.join(MARKER), KEPT_US) } else { (path.to_owned(), UNFINISHED_US) };
        disk::modified_us(&since).is_some_and(|at_us| now_us.saturating_sub(at_us) > kept)
    })
}

/// Removes the directories that `goes` means until none is left: one may be finished, and renamed, just
/// as it is being removed.
fn remove(dir: &Path, goes: impl Fn(&str, &Path) -> bool) -> Result<u64, LakeError> {
    let mut removed = 0;
    loop {
        let found = disk::list(dir)?;
        let found: Vec<_> = found.iter().filter(|(name, path)| path.is_dir() && goes(name, path)).collect();
        if found.is_empty() {
            return Ok(removed);
        }
        for (name, path) in found {
            match fs::remove_dir_all(path) {
                Ok(()) => removed += u64::from(!name.starts_with(UNFINISHED)),
                Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {}
                Err(e) => return Err(e).at("remove", path),
            }
        }
    }
}

/// Removes what earlier versions left in `snapshots` beside the lake, where it is of this lake: its
/// files have names that only one lake gave.
fn remove_beside(root: &Path) -> Result<u64, LakeError> {
    let dir = disk::parent_of(root).join("snapshots");
    let found: Vec<PathBuf> = disk::list(&dir)?.into_iter().map(|(_, path)| path).filter(|p| p.is_dir()).collect();
    if found.is_empty() {
        return Ok(0);
    }
    let log = Log::master(root);
    let mut ours = std::collections::HashSet::new();
    for version in log.versions()? {
        if let Found::Valid(read) = log.read(version)? {
            ours.extend(read.entry.events.add.iter().map(|live| live.part.path.clone()));
        }
    }
    let mut removed = 0;
    for path in found {
        let mut parts = Vec::new();
        for (month, months) in disk::list(&path.join("events"))? {
            let inside = disk::list(&months)?;
            parts.extend(inside.into_iter().filter(|(n, _)| is_part(n)).map(|(n, _)| format!("{month}/{n}")));
        }
        if parts.iter().any(|part| ours.contains(part)) {
            fs::remove_dir_all(&path).at("remove", &path)?;
            removed += 1;
        }
    }
    // Only when nothing else is in it.
    fs::remove_dir(&dir).ok();
    Ok(removed)
}
