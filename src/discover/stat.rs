//! What the file system says about a file without opening it.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use crate::schema::{Format, Framing};

/// Identity, size and times of a file: what changes when the file changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stat {
    /// Device the file is on; 0 where the system has none.
    pub device: u64,
    /// Inode. On Windows the creation time, which a rename keeps: a hint that content must confirm.
    pub inode: u64,
    /// Size on disk in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since 1970.
    pub modified_ns: i64,
    /// Status change time in nanoseconds since 1970; 0 where the system has none.
    pub changed_ns: i64,
    /// Names the inode has; 0 where `inode` does not identify a file by itself.
    pub links: u64,
}

impl Stat {
    /// Takes over what `metadata` says.
    #[cfg(unix)]
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            links: metadata.nlink(),
        }
    }

    /// Takes over what `metadata` says.
    #[cfg(windows)]
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        use std::os::windows::fs::MetadataExt;
        Self {
            device: 0,
            inode: metadata.creation_time(),
            size: metadata.file_size(),
            modified_ns: from_filetime(metadata.last_write_time()),
            changed_ns: 0,
            links: 0,
        }
    }

    /// For a database, the same with the changes that wait beside it (`-wal`, `-journal`): size is the
    /// sum, times are the newest. For anything else, itself.
    #[must_use]
    pub fn with_changes_beside(mut self, path: &Path, format: Format) -> Self {
        if format.framing() == Framing::Database {
            for beside in [log_of(path, "-wal"), log_of(path, "-journal")] {
                if let Ok(metadata) = fs::metadata(&beside) {
                    let log = Self::of(&metadata);
                    self.size += log.size;
                    self.modified_ns = self.modified_ns.max(log.modified_ns);
                    self.changed_ns = self.changed_ns.max(log.changed_ns);
                }
            }
        }
        self
    }

    /// True when (device, inode) alone proves two paths to be one file.
    #[must_use]
    pub const fn identifies(&self) -> bool {
        self.links > 0
    }
}

/// Path of a database's file beside it.
fn log_of(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

#[cfg(unix)]
const fn nanoseconds(seconds: i64, nanoseconds: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

/// `FILETIME` counts 100 ns steps since 1601.
#[cfg(windows)]
fn from_filetime(steps: u64) -> i64 {
    const STEPS_TO_1970: i64 = 116_444_736_000_000_000;
    i64::try_from(steps).unwrap_or(i64::MAX).saturating_sub(STEPS_TO_1970).saturating_mul(100)
}
