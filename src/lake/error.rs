//! Why the lake refused. Each message says where, and what to do.

use std::io;
use std::path::{Path, PathBuf};

use parquet::errors::ParquetError;

/// Why a part is damaged whose file is not there.
pub(crate) const MISSING: &str = "it is missing";

/// Why an operation on the lake stopped. Unless a variant says otherwise nothing was committed and
/// nothing that a reader sees has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// Another process writes this lake.
    #[error("{path:?} is being written by another devlog{}; try again when it has ended", pid_text(*.pid))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Process that holds it, when it could be read.
        pid: Option<u32>,
    },
    /// The lake's directory is on a network file system, whose locks and syncs cannot be trusted.
    #[error(
        "{path:?} is on a network file system ({kind}), where a crash may lose data; use a local directory, or \
         accept the risk with --unsafe-network-fs"
    )]
    NetworkFs {
        /// The lake's directory.
        path: PathBuf,
        /// Kind of file system.
        kind: &'static str,
    },
    /// The file system lacks something a commit needs.
    #[error("the file system of {path:?} cannot {action} ({source}); put the lake on a local ext4, xfs, btrfs or APFS")]
    Unsuitable {
        /// What was tried on.
        path: PathBuf,
        /// What it cannot do.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing was ever stored there.
    #[error("there is no lake at {path:?}; `devlog backfill` creates one")]
    NoLake {
        /// Where it would be.
        path: PathBuf,
    },
    /// A folder with other things in it.
    #[error("{path:?} is not a lake, and not empty; name the folder of a lake, or a new one, with --lake")]
    NotALake {
        /// The folder.
        path: PathBuf,
    },
    /// Others may write into the lake's directory, or own it.
    #[error("{path:?} {fault}; change that with chmod or chown, or choose another directory with --lake")]
    NotPrivate {
        /// The lake's directory.
        path: PathBuf,
        /// What is wrong.
        fault: &'static str,
    },
    /// No space, no inodes or no quota left.
    #[error("no space left to {action} {path:?} ({source}); free some space: nothing is lost, the next try goes on")]
    DiskFull {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file system is read-only, or permissions forbid it.
    #[error("not allowed to {action} {path:?} ({source}); make it writable, or choose another directory with --lake")]
    NotWritable {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The operating system refused; trying again may succeed.
    #[error("cannot {action} {path:?}: {source}")]
    Io {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A commit entry other than the newest is damaged. The writer stops; nothing is skipped.
    #[error("commit {path:?} is damaged ({reason}); restore it, or run `devlog fsck --rebuild-from-footers`")]
    CorruptEntry {
        /// The entry.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A commit entry between others, or the whole log, is gone.
    #[error("commit {path:?} is missing; restore it, or run `devlog fsck --rebuild-from-footers`")]
    MissingEntry {
        /// Where it should be.
        path: PathBuf,
    },
    /// A live Parquet file is missing, truncated or damaged.
    #[error("part {path:?} is damaged ({reason}); restore it, or run `devlog fsck` to see what is lost")]
    CorruptPart {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A Parquet file cannot be read or written.
    #[error("cannot {action} part {path:?}: {source}; `devlog fsck` tells whether it is damaged")]
    Parquet {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the Parquet library said.
        source: ParquetError,
    },
    /// Batches that do not have the table's columns; a bug of the caller.
    #[error("rows do not fit the table {table}: {source}")]
    Rows {
        /// The table.
        table: &'static str,
        /// What Arrow said.
        source: arrow::error::ArrowError,
    },
    /// Somebody else wrote the commit this writer was about to write. Nothing was deleted.
    #[error("{path:?} was written by another writer; two processes share this lake: stop one, then start again")]
    OtherWriter {
        /// The entry.
        path: PathBuf,
    },
    /// It is unknown whether a commit is durable; nothing else is committed until it is.
    #[error("it is unknown whether commit {path:?} reached the disk; nothing is lost, the next try finds out")]
    Unresolved {
        /// The entry.
        path: PathBuf,
    },
    /// The lake was written by a newer devlog.
    #[error("{path:?} was written by a newer devlog (version {found}, this one knows {supported}); update devlog")]
    NewerVersion {
        /// What was read.
        path: PathBuf,
        /// Version found.
        found: u32,
        /// Newest version this build knows.
        supported: u32,
    },
    /// A rewrite did not hold exactly the rows it had to; it was not committed.
    #[error("rewriting {path:?} gave other rows than it was given; nothing was changed, please report this")]
    RewriteDiffers {
        /// The new file.
        path: PathBuf,
    },
    /// Inputs of a rewrite were removed meanwhile; nothing was changed.
    #[error("{path:?} was removed while it was being rewritten; nothing was changed, run it again")]
    Conflict {
        /// The input that is gone.
        path: PathBuf,
    },
}

fn pid_text(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

/// Number of the system's error in the text that the standard library makes of it.
fn os_error(text: &str) -> Option<i32> {
    let (_, number) = text.rsplit_once("(os error ")?;
    number.split_once(')')?.0.parse().ok()
}

impl LakeError {
    /// The error for a refused system call.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { action, path, source }
            }
            io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
                Self::NotWritable { action, path, source }
            }
            _ => Self::Io { action, path, source },
        }
    }

    /// The error for a refusal of the Parquet library, which may hide one of the system.
    pub(crate) fn parquet(action: &'static str, path: &Path, source: ParquetError) -> Self {
        match source {
            ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(error) if error.raw_os_error().is_some() => Self::io(action, path, *error),
                Ok(error) if error.get_ref().is_some_and(|inner| inner.is::<Self>()) => {
                    match error.into_inner().map(|inner| inner.downcast::<Self>()) {
                        Some(Ok(own)) => *own,
                        _ => Self::CorruptPart { path: path.to_owned(), reason: "it cannot be read" },
                    }
                }
                // A codec that cannot make anything of the bytes says so as an error of input.
                Ok(error) => Self::Parquet { action, path: path.to_owned(), source: ParquetError::External(error) },
                Err(inner) => match inner.downcast::<Self>() {
                    Ok(own) => *own,
                    Err(inner) => {
                        Self::Parquet { action, path: path.to_owned(), source: ParquetError::External(inner) }
                    }
                },
            },
            // At the end of a file the library keeps only the text of what the system said.
            ParquetError::General(text) if os_error(&text).is_some() => {
                let source = os_error(&text).map_or_else(|| io::Error::other(text), io::Error::from_raw_os_error);
                Self::io(action, path, source)
            }
            source => Self::Parquet { action, path: path.to_owned(), source },
        }
    }

    /// True when the same attempt with new files may succeed at once.
    pub(crate) const fn may_pass(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::DiskFull { .. })
    }

    /// True when the system refused something: what was asked about may be whole all the same.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::DiskFull { .. } | Self::NotWritable { .. } => true,
            Self::Io { source, .. } => source.raw_os_error().is_some(),
            _ => false,
        }
    }

    /// What is wrong, without the path and what to do.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::CorruptPart { reason, .. } | Self::CorruptEntry { reason, .. } => (*reason).to_owned(),
            Self::Parquet { source, .. } => source.to_string(),
            Self::Io { source, .. } => source.to_string(),
            other => other.to_string(),
        }
    }

    /// True when a file is not there any more: a prune or a merge may have removed it, and a newer version
    /// of the lake does without it.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self, Self::CorruptPart { reason, .. } if *reason == MISSING)
    }

    /// True when something on disk is damaged or missing, so that `fsck` has something to say.
    #[must_use]
    pub const fn is_corruption(&self) -> bool {
        matches!(
            self,
            Self::CorruptEntry { .. } | Self::MissingEntry { .. } | Self::CorruptPart { .. } | Self::Parquet { .. }
        )
    }
}

/// Adds what was being done, and where, to an error of the system.
pub(crate) trait At<T> {
    /// Names the action and the path.
    fn at(self, action: &'static str, path: &Path) -> Result<T, LakeError>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, LakeError> {
        self.map_err(|source| LakeError::io(action, path, source))
    }
}

impl<T> At<T> for Result<T, ParquetError> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, LakeError> {
        self.map_err(|source| LakeError::parquet(action, path, source))
    }
}

impl<T> At<T> for Result<T, arrow::error::ArrowError> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, LakeError> {
        self.map_err(|source| LakeError::parquet(action, path, ParquetError::from(source)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_known_in_the_words_of_the_parquet_library_too() {
        let path = Path::new("/lake/part");
        for (number, full) in [(28, true), (122, true), (5, false)] {
            let said = io::Error::from_raw_os_error(number).to_string();
            let error = ParquetError::General(format!("fail to get inner writer: {said:?}"));
            let error = LakeError::parquet("write", path, error);
            assert_eq!(matches!(&error, LakeError::DiskFull { .. }), full, "{error}");
            assert!(full || matches!(&error, LakeError::Io { .. }), "{error}");
        }
        let other = LakeError::parquet("read", path, ParquetError::General("no magic".to_owned()));
        assert!(matches!(other, LakeError::Parquet { .. }));
    }
}
