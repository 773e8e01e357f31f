//! A directory for rows that do not fit into memory: one of each process that asks, gone with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Number of the next directory of this process.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A directory of this process, removed when dropped.
#[derive(Debug)]
pub(super) struct SpillDir(PathBuf);

impl SpillDir {
    /// Makes a directory in `parent`, and removes those of processes that are gone.
    ///
    /// # Errors
    ///
    /// Nothing can be written there.
    pub(super) fn create_in(parent: &Path) -> io::Result<Self> {
        create_private(parent)?;
        sweep(parent);
        let path = parent.join(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        create_private(&path)?;
        // One of a process that had this number before.
        let probe = path.join("probe");
        fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe))?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for SpillDir {
    fn drop(&mut self) {
        // What stays is removed by the next process that asks.
        let _left = fs::remove_dir_all(&self.0);
    }
}

fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Removes from `parent` what processes that are gone have left there.
pub fn remove_spilled(parent: &Path) {
    sweep(parent);
}

fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.split_once('-')).and_then(|(pid, _)| pid.parse::<i32>().ok());
        if pid.is_none_or(|pid| !is_alive(pid)) {
            let _left = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(unix)]
fn is_alive(pid: i32) -> bool {
    let process = rustix::process::Pid::from_raw(pid);
    process.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
const fn is_alive(_: i32) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_goes_with_its_owner_and_those_of_the_dead_are_removed() {
        let parent = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let dead = child.id();
        child.wait().unwrap();
        for left in [format!("{dead}-0"), "datafusion-x".to_owned()] {
            fs::create_dir_all(parent.path().join(left).join("deep")).unwrap();
        }
        let (one, two) = (SpillDir::create_in(parent.path()).unwrap(), SpillDir::create_in(parent.path()).unwrap());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 2);
        fs::write(two.path().join("rows"), "x").unwrap();
        drop((one, two));
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
