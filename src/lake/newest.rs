//! A note of the newest commit, by which a log is known that has lost its end.
//!
//! `.state/newest`: the number, and which directory the log stood in. It is written after the entry is
//! durable and not synced itself, so it never says too much; in a copy of the lake, which may have been
//! made while commits went on, the directory is another one and the note says nothing.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::disk;
use super::error::{At, LakeError};

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("newest")
}

/// Notes that entry `version` of the log in `log_dir` is durable; writes nothing when that is noted.
pub(crate) fn note(state_dir: &Path, log_dir: &Path, version: u64) -> Result<(), LakeError> {
    let text = format!("{version} {}\n", disk::identity(log_dir)?);
    if disk::read_file(&path(state_dir)).is_ok_and(|noted| noted == text.as_bytes()) {
        return Ok(());
    }
    let temp = state_dir.join(format!(".newest.{}.tmp", disk::random_name()?));
    let mut file = disk::create_file(&temp)?;
    let done = file.write_all(text.as_bytes()).at("write", &temp);
    drop(file);
    let target = path(state_dir);
    let done = done.and_then(|()| std::fs::rename(&temp, &target).at("rename a file to", &target));
    if done.is_err() {
        std::fs::remove_file(&temp).ok();
    }
    done
}

/// The newest commit that was noted for the log in `log_dir`, be it there or not.
pub(crate) fn read(state_dir: &Path, log_dir: &Path) -> Option<u64> {
    let text = String::from_utf8(disk::read_file(&path(state_dir)).ok()?).ok()?;
    let (version, identity) = text.strip_suffix('\n')?.split_once(' ')?;
    let same = !log_dir.is_dir() || disk::identity(log_dir).is_ok_and(|here| here == identity);
    version.parse().ok().filter(|_| same)
}
