//! Files that the user writes into the home, and that nobody else may: they decide what is read, shown and deleted.
//!
//! - the home belongs to this user or to root, and nobody else may write to it
//! - so do its files; one that the group may write is taken where the home is closed to the group
//! - what is no text, no plain file, or far too large is refused with a reason, never waited for

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// No file that a user writes by hand is larger.
const MOST_BYTES: u64 = 1 << 20;

/// Why a file or folder of the user's own is not used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OwnFileError {
    /// The system refuses to read it.
    #[error("cannot read {path:?}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A folder, a pipe, a device.
    #[error("{path:?} is not a plain file")]
    NotAFile {
        /// What it is called.
        path: PathBuf,
    },
    /// Larger than anybody writes.
    #[error("{path:?} is larger than 1 MB")]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// Not UTF-8.
    #[error("{path:?} is not UTF-8 (byte {offset} is not part of any character); save it as UTF-8")]
    NotText {
        /// The file.
        path: PathBuf,
        /// The first byte that is wrong, from 0.
        offset: usize,
    },
    /// Others may write it.
    #[error(
        "{path:?} may be written by {whom} (mode {mode:04o}), who could change what devlog does; chmod go-w {path:?}"
    )]
    Writable {
        /// The file or folder.
        path: PathBuf,
        /// Who may.
        whom: &'static str,
        /// Its permissions.
        mode: u32,
    },
    /// Somebody else's.
    #[error("{path:?} belongs to another user (id {owner}); chown it to yours, or use another directory")]
    Foreign {
        /// The file or folder.
        path: PathBuf,
        /// Whose it is.
        owner: u32,
    },
}

impl OwnFileError {
    /// True when it is not there.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        use io::ErrorKind::{NotADirectory, NotFound};
        matches!(self, Self::Read { source, .. } if matches!(source.kind(), NotFound | NotADirectory))
    }
}

/// Refuses a home that others may write to, or own. One that is not there yet is fine.
///
/// # Errors
///
/// Says who may write to it, and how to change that.
pub(super) fn check_home(home: &Path) -> Result<(), OwnFileError> {
    match fs::metadata(home) {
        Ok(meta) => check(home, &meta, None),
        // Whoever needs it says what is wrong with it.
        Err(_) => Ok(()),
    }
}

/// Refuses a lake that others may write to. Whose it is matters to those who write it.
///
/// # Errors
///
/// Says who may write to it, and how to change that.
pub(super) fn check_lake(lake: &Path) -> Result<(), OwnFileError> {
    match fs::metadata(lake) {
        Ok(meta) => check_mode(lake, &meta, false),
        Err(_) => Ok(()),
    }
}

/// Reads a file that the user wrote into `home`, or into a folder there.
///
/// # Errors
///
/// Why it cannot, or must not, be used.
pub fn read_own(home: &Path, path: &Path) -> Result<String, OwnFileError> {
    let refused = |source| OwnFileError::Read { path: path.to_owned(), source };
    let file = open(path).map_err(refused)?;
    let meta = file.metadata().map_err(refused)?;
    if !meta.is_file() {
        return Err(OwnFileError::NotAFile { path: path.to_owned() });
    }
    let home_meta = fs::metadata(home).ok();
    if let Some((folder, meta)) =
        path.parent().filter(|folder| *folder != home).and_then(|f| Some((f, fs::metadata(f).ok()?)))
    {
        check(folder, &meta, home_meta.as_ref())?;
    }
    check(path, &meta, home_meta.as_ref())?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(refused)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(OwnFileError::TooLarge { path: path.to_owned() });
    }
    String::from_utf8(bytes)
        .map_err(|error| OwnFileError::NotText { path: path.to_owned(), offset: error.utf8_error().valid_up_to() })
}

/// Reads a view of the user's own, `<home>/queries/NAME.sql`.
///
/// # Errors
///
/// Why it cannot, or must not, be used.
pub fn read_view(path: &Path) -> Result<String, String> {
    let home = path.parent().and_then(Path::parent).unwrap_or(path);
    read_own(home, path).map_err(|error| error.to_string())
}

/// Opens a file; a pipe without a writer is no reason to wait.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    options.open(path)
}

#[cfg(unix)]
fn check(path: &Path, meta: &Metadata, home: Option<&Metadata>) -> Result<(), OwnFileError> {
    use std::os::unix::fs::MetadataExt as _;
    let (me, owner) = (rustix::process::geteuid(), meta.uid());
    // Root that works in somebody's home takes what is theirs.
    let is_known = owner == me.as_raw() || owner == 0 || me.is_root() && home.is_none_or(|home| home.uid() == owner);
    if !is_known {
        return Err(OwnFileError::Foreign { path: path.to_owned(), owner });
    }
    check_mode(path, meta, home.is_some_and(|home| home.mode() & 0o011 == 0))
}

/// Refuses what everybody may write, or its group when that can get to it.
#[cfg(unix)]
fn check_mode(path: &Path, meta: &Metadata, is_closed: bool) -> Result<(), OwnFileError> {
    use std::os::unix::fs::MetadataExt as _;
    let mode = meta.mode() & 0o7777;
    let whom = match mode {
        _ if mode & 0o002 != 0 => "everybody",
        _ if mode & 0o020 != 0 && !is_closed => "its group",
        _ => return Ok(()),
    };
    Err(OwnFileError::Writable { path: path.to_owned(), whom, mode })
}

#[cfg(not(unix))]
fn check(_: &Path, _: &Metadata, _: Option<&Metadata>) -> Result<(), OwnFileError> {
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: &Metadata, _: bool) -> Result<(), OwnFileError> {
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_home_that_others_may_write_is_refused_with_the_way_out() {
        let home = tempfile::tempdir().unwrap();
        for (mode, whom) in [(0o777, "everybody"), (0o775, "its group"), (0o1777, "everybody")] {
            set(home.path(), mode);
            let error = check_home(home.path()).unwrap_err().to_string();
            assert!(error.contains(whom) && error.contains(&format!("{mode:04o}")), "{error}");
            assert!(error.contains("chmod go-w"), "{error}");
        }
        for mode in [0o700, 0o755, 0o750] {
            set(home.path(), mode);
            check_home(home.path()).unwrap();
        }
        check_home(&home.path().join("not there yet")).unwrap();
    }

    #[test]
    fn a_file_that_others_may_write_is_refused_and_its_folder_counts_too() {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("queries");
        fs::create_dir(&folder).unwrap();
        let path = folder.join("mine.sql");
        fs::write(&path, "SELECT 1").unwrap();
        // home, folder, file, and whether it is used
        for (door, around, inside, is_used) in [
            (0o755, 0o755, 0o644, true),
            (0o755, 0o755, 0o664, false),
            (0o755, 0o755, 0o666, false),
            (0o755, 0o775, 0o644, false),
            (0o700, 0o775, 0o664, true),
            (0o700, 0o700, 0o666, false),
            (0o700, 0o777, 0o600, false),
        ] {
            set(&path, inside);
            set(&folder, around);
            set(home.path(), door);
            let read = read_own(home.path(), &path);
            assert_eq!(read.is_ok(), is_used, "{door:o} {around:o} {inside:o}: {read:?}");
        }
    }

    #[test]
    fn what_is_no_text_or_no_file_is_refused_at_once() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.toml");
        assert!(read_own(home.path(), &path).unwrap_err().is_absent());
        fs::write(&path, b"ok = \"\xff\"").unwrap();
        let error = read_own(home.path(), &path).unwrap_err().to_string();
        assert!(error.ends_with("is not UTF-8 (byte 6 is not part of any character); save it as UTF-8"), "{error}");
        fs::write(&path, vec![b' '; (1 << 20) + 1]).unwrap();
        assert!(read_own(home.path(), &path).unwrap_err().to_string().ends_with("is larger than 1 MB"));
        fs::remove_file(&path).unwrap();
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        if made.is_ok_and(|status| status.success()) {
            assert!(read_own(home.path(), &path).unwrap_err().to_string().ends_with("is not a plain file"));
        }
    }
}
