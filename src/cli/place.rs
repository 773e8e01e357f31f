//! The place that rows are written to when the user names one.
//!
//! - a file appears whole or not at all: it is written beside its place and renamed at the end, so that
//!   what stood there stays when something fails
//! - links are followed: what a link leads to is replaced, the link stays
//! - a device or a pipe is written into, and never replaced
//! - a new file is the user's alone, as the lake is; one that is replaced keeps its permissions
//! - an unfinished file is locked by its writer: what a killed one left is removed by the next to write there

mod folder;

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use super::CliError;
use super::unfinished::Pending;
pub(super) use folder::{Folder, make_private};

/// Ending of what is not finished.
const UNFINISHED: &str = ".part";

/// A place that is being written to. Dropped before [`Place::settle`] it leaves what stood there before.
#[derive(Debug)]
pub(super) struct Place {
    /// As the user named it.
    named: PathBuf,
    /// The unfinished file, and where it goes when it is whole; `None` for what is written in place.
    waiting: Option<(PathBuf, PathBuf, Pending)>,
}

/// True when something would be lost by writing to `path`. A device or a pipe loses nothing.
pub(super) fn is_taken(path: &Path) -> bool {
    match path.metadata() {
        Ok(found) if found.is_dir() => fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()),
        Ok(found) => found.is_file(),
        Err(_) => path.symlink_metadata().is_ok(),
    }
}

/// For a new file that only the user may read.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes a file that others can see to be in use.
fn make(path: &Path) -> io::Result<File> {
    let file = private().create_new(true).open(path)?;
    // Where files cannot be locked a leftover stays until somebody removes it.
    let _unlocked = file.try_lock();
    Ok(file)
}

/// True when nobody has `path`, which [`make`] made, in use any more.
fn is_abandoned(path: &Path) -> bool {
    File::open(path).is_ok_and(|file| file.try_lock().is_ok())
}

/// The name of an unfinished thing of this process.
fn unfinished_name(name: &OsStr) -> OsString {
    let mut unfinished = name.to_owned();
    unfinished.push(format!(".{}{UNFINISHED}", std::process::id()));
    unfinished
}

/// True when `found` is the name of an unfinished `name` of any process.
fn is_unfinished(found: &OsStr, name: &OsStr) -> bool {
    let middle = found.as_encoded_bytes().strip_prefix(name.as_encoded_bytes());
    let process = middle.and_then(|rest| rest.strip_prefix(b".")?.strip_suffix(UNFINISHED.as_bytes()));
    process.is_some_and(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}

/// Removes what writers of `target` left when they were killed.
fn remove_leftovers(target: &Path) {
    let (Some(folder), Some(name)) = (target.parent(), target.file_name()) else { return };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && is_unfinished(&entry.file_name(), name) && is_abandoned(&entry.path()) {
            let _stays = fs::remove_file(entry.path());
        }
    }
}

impl Place {
    /// Opens `path` for writing.
    pub(super) fn open(path: &Path) -> Result<(Self, File), CliError> {
        let opened = Self::try_open(path);
        opened.map_err(|source| CliError::Write { path: path.to_owned(), source })
    }

    fn try_open(path: &Path) -> io::Result<(Self, File)> {
        let named = path.to_owned();
        let found = match fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) => Some(found),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let target = match &found {
            Some(found) if found.is_file() => fs::canonicalize(path).ok(),
            // A link that leads nowhere yet: opening it makes the file there.
            None if fs::symlink_metadata(path).is_err() => Some(named.clone()),
            _ => None,
        };
        let Some(target) = target else {
            let file = private().create(true).truncate(true).open(path)?;
            return Ok((Self { named, waiting: None }, file));
        };
        remove_leftovers(&target);
        let part = target.with_file_name(unfinished_name(target.file_name().unwrap_or_default()));
        let undo = part.clone();
        let (file, pending) = Pending::make(|| make(&part), move || drop(fs::remove_file(undo)))?;
        let place = Self { named, waiting: Some((part, target, pending)) };
        if let Some(found) = found {
            file.set_permissions(found.permissions())?;
        }
        Ok((place, file))
    }

    /// Puts the file, which is written out, in its place.
    pub(super) fn settle(mut self) -> Result<(), CliError> {
        let Some((part, target, pending)) = self.waiting.take() else { return Ok(()) };
        pending.finish(|| fs::rename(&part, &target)).map_err(|source| {
            let _gone = fs::remove_file(&part);
            CliError::Write { path: self.named.clone(), source }
        })
    }

    /// `error`, which writing to this place gave, with its name.
    pub(super) fn blame(&self, error: CliError) -> CliError {
        match error {
            CliError::Output { source } => CliError::Write { path: self.named.clone(), source },
            other => other,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((part, _, _)) = &self.waiting {
            let _gone = fs::remove_file(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn put(path: &Path, text: &str) -> Result<(), CliError> {
        let (place, mut file) = Place::open(path)?;
        file.write_all(text.as_bytes()).map_err(|source| place.blame(CliError::Output { source }))?;
        place.settle()
    }

    fn names(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn what_is_dropped_half_way_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answer.csv");
        put(&path, "a\n1\n").unwrap();
        let (place, mut file) = Place::open(&path).unwrap();
        file.write_all(b"half").unwrap();
        drop(place);
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n1\n");
        assert_eq!(names(folder.path()), 1);
        put(&path, "b\n").unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names(folder.path())), ("b\n", 1));
    }

    #[test]
    fn a_place_that_is_taken_by_a_folder_is_refused_and_nothing_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answer");
        fs::create_dir(&path).unwrap();
        assert!(put(&path, "x").is_err());
        let (place, _file) = Place::open(&folder.path().join("late")).unwrap();
        fs::create_dir_all(folder.path().join("late/inside")).unwrap();
        let error = place.settle().unwrap_err();
        assert!(error.to_string().contains("late"), "{error}");
        assert_eq!(names(folder.path()), 2, "both folders, and no unfinished file");
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_and_what_they_lead_to_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("deep/real.csv"), folder.path().join("link.csv"));
        fs::create_dir(folder.path().join("deep")).unwrap();
        std::os::unix::fs::symlink("deep/real.csv", &link).unwrap();
        for text in ["made through the link", "replaced"] {
            put(&link, text).unwrap();
            assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(&real).unwrap(), text);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_new_file_is_private_and_a_replaced_one_keeps_its_permissions() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("answer.csv");
        let mode = || fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        put(&path, "a").unwrap();
        assert_eq!(mode(), 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        put(&path, "b").unwrap();
        assert_eq!(mode(), 0o644);
    }

    #[test]
    fn what_a_killed_writer_left_goes_and_what_others_write_stays() {
        let folder = tempfile::tempdir().unwrap();
        let here = |name: &str| folder.path().join(name);
        for name in ["answer.csv.1.part", "answer.csv.x.part", "other.csv.1.part", "answer.csv.part"] {
            fs::write(here(name), "half").unwrap();
        }
        let written = make(&here("answer.csv.2.part")).unwrap();
        put(&here("answer.csv"), "a\n").unwrap();
        assert!(!here("answer.csv.1.part").exists(), "nobody writes it any more");
        assert_eq!(names(folder.path()), 5);
        drop(written);
        put(&here("answer.csv"), "b\n").unwrap();
        assert!(!here("answer.csv.2.part").exists());
    }

    #[test]
    fn only_an_empty_directory_may_be_written_into() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!is_taken(folder.path()) && !is_taken(&folder.path().join("new")));
        fs::write(folder.path().join("old"), "").unwrap();
        assert!(is_taken(folder.path()) && is_taken(&folder.path().join("old")));
    }

    #[cfg(unix)]
    #[test]
    fn devices_and_pipes_are_written_into_and_stay_what_they_are() {
        use std::os::unix::fs::FileTypeExt as _;
        let folder = tempfile::tempdir().unwrap();
        // A link of one's own: were it replaced after all, the system's device would stay.
        let device = folder.path().join("device");
        std::os::unix::fs::symlink("/dev/null", &device).unwrap();
        put(&device, "gone").unwrap();
        assert!(fs::metadata(&device).unwrap().file_type().is_char_device());
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        if !made.is_ok_and(|status| status.success()) {
            return;
        }
        let heard = {
            let pipe = pipe.clone();
            std::thread::spawn(move || fs::read_to_string(pipe).unwrap())
        };
        put(&pipe, "through the pipe").unwrap();
        assert_eq!(heard.join().unwrap(), "through the pipe");
        assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
        assert_eq!(names(folder.path()), 2);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_named_in_the_error() {
        let folder = tempfile::tempdir().unwrap();
        let full = folder.path().join("full");
        std::os::unix::fs::symlink("/dev/full", &full).unwrap();
        let error = put(&full, "x").unwrap_err();
        assert!(matches!(&error, CliError::Write { path, .. } if *path == full), "{error}");
    }
}
