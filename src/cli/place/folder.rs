//! The folder that an export with partitions fills.
//!
//! - files are written into a hidden folder inside, and moved to their places when all of them are whole
//! - the list of them stays in the folder: a later export replaces these files, and leaves no old one
//! - a folder in which anything else lies is refused: nobody's files are deleted

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::{is_abandoned, is_unfinished, make, private, unfinished_name};
use crate::cli::CliError;
use crate::cli::unfinished::Pending;

/// Names what an export has written, one path relative to the folder each.
const LIST: &str = ".devlog-export.json";
/// Name of the hidden folder, without its ending.
const HIDDEN: &str = ".devlog-export";
/// Says in the hidden folder that it is in use.
const IN_USE: &str = "in-use";

/// A folder that is being filled. Dropped before [`Folder::settle`] it leaves what stood there before.
#[derive(Debug)]
pub(in crate::cli) struct Folder {
    path: PathBuf,
    hidden: PathBuf,
    /// Files of an earlier export.
    old: BTreeSet<PathBuf>,
    is_new: bool,
    pending: Option<(Pending, File)>,
}

fn unwritable(path: &Path) -> impl FnOnce(io::Error) -> CliError {
    let path = path.to_owned();
    move |source| CliError::Write { path, source }
}

/// Makes a folder that only the user may enter, and those it lies in.
pub(in crate::cli) fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// All files below `folder` but hidden ones of exports, relative to it; links are files.
fn files(folder: &Path) -> io::Result<BTreeSet<PathBuf>> {
    let mut found = BTreeSet::new();
    let mut open = vec![PathBuf::new()];
    while let Some(inside) = open.pop() {
        for entry in fs::read_dir(folder.join(&inside))? {
            let entry = entry?;
            let name = inside.join(entry.file_name());
            let at_the_top = inside.as_os_str().is_empty();
            if at_the_top && (is_unfinished(&entry.file_name(), HIDDEN.as_ref()) || name == Path::new(LIST)) {
                continue;
            }
            if entry.file_type()?.is_dir() {
                open.push(name);
            } else {
                found.insert(name);
            }
        }
    }
    Ok(found)
}

/// What the list in `folder` names; nothing when there is none.
fn listed(folder: &Path) -> BTreeSet<PathBuf> {
    let text = fs::read(folder.join(LIST)).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

impl Folder {
    /// Begins to fill `path`; what an earlier export wrote there is replaced with `force` only.
    pub(in crate::cli) fn open(path: &Path, force: bool) -> Result<Self, CliError> {
        let is_new = !path.exists();
        make_private(path).map_err(unwritable(path))?;
        let found = files(path).map_err(unwritable(path))?;
        let listed = listed(path);
        if let Some(foreign) = found.iter().find(|file| !listed.contains(*file)).filter(|_| force) {
            return Err(CliError::Foreign { folder: path.to_owned(), file: path.join(foreign) });
        }
        if !found.is_empty() && !force {
            return Err(CliError::Exists { path: path.to_owned() });
        }
        remove_leftovers(path)?;
        let hidden = path.join(unfinished_name(HIDDEN.as_ref()));
        let undo = (hidden.clone(), is_new.then(|| path.to_owned()));
        let begin = || {
            make_private(&hidden)?;
            make(&hidden.join(IN_USE))
        };
        let begun = Pending::make(begin, move || {
            let _gone = fs::remove_dir_all(undo.0);
            let _stays = undo.1.map(fs::remove_dir);
        });
        let (in_use, pending) = begun.map_err(unwritable(path))?;
        Ok(Self { path: path.to_owned(), hidden, old: found, is_new, pending: Some((pending, in_use)) })
    }

    /// A new file at `name`, relative to the folder.
    pub(in crate::cli) fn create(&self, name: &Path) -> Result<File, CliError> {
        let path = self.hidden.join(name);
        let folder = path.parent().unwrap_or(&self.hidden);
        let made = make_private(folder).and_then(|()| private().create_new(true).open(&path));
        made.map_err(unwritable(&self.path.join(name)))
    }

    /// Puts `new`, which are all files that were created and are written out, in their places.
    pub(in crate::cli) fn settle(mut self, new: &BTreeSet<PathBuf>) -> Result<(), CliError> {
        let Some((pending, in_use)) = self.pending.take() else { return Ok(()) };
        let moved = pending.finish(|| self.replace(new));
        drop(in_use);
        let _gone = fs::remove_dir_all(&self.hidden);
        moved.map_err(unwritable(&self.path))
    }

    /// The list names old and new files until all are in their places, so that whatever ends this half way
    /// leaves files that a later export knows as those of one before.
    fn replace(&self, new: &BTreeSet<PathBuf>) -> io::Result<()> {
        self.list(&self.old.union(new).cloned().collect())?;
        for file in &self.old {
            fs::remove_file(self.path.join(file))?;
            // Folders that are empty now go too, from the innermost on.
            for folder in file.ancestors().skip(1).take_while(|folder| !folder.as_os_str().is_empty()) {
                if fs::remove_dir(self.path.join(folder)).is_err() {
                    break;
                }
            }
        }
        for file in new {
            let target = self.path.join(file);
            if let Some(folder) = target.parent() {
                make_private(folder)?;
            }
            fs::rename(self.hidden.join(file), &target)?;
        }
        self.list(new)
    }

    fn list(&self, files: &BTreeSet<PathBuf>) -> io::Result<()> {
        let written = self.hidden.join(LIST);
        let text = serde_json::to_vec_pretty(files)?;
        io::Write::write_all(&mut private().create(true).truncate(true).open(&written)?, &text)?;
        fs::rename(written, self.path.join(LIST))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.pending.is_some() {
            let _gone = fs::remove_dir_all(&self.hidden);
            if self.is_new {
                let _stays = fs::remove_dir(&self.path);
            }
        }
    }
}

/// Removes what killed exports left in `path`; one that still runs is not disturbed.
fn remove_leftovers(path: &Path) -> Result<(), CliError> {
    for entry in fs::read_dir(path).map_err(unwritable(path))?.flatten() {
        if !is_unfinished(&entry.file_name(), HIDDEN.as_ref()) {
            continue;
        }
        let in_use = entry.path().join(IN_USE);
        if in_use.exists() && !is_abandoned(&in_use) {
            return Err(CliError::InUse { path: path.to_owned() });
        }
        fs::remove_dir_all(entry.path()).map_err(unwritable(path))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn fill(path: &Path, force: bool, names: &[&str]) -> Result<(), CliError> {
        let folder = Folder::open(path, force)?;
        for name in names {
            folder.create(name.as_ref())?.write_all(name.as_bytes()).unwrap();
        }
        folder.settle(&names.iter().map(PathBuf::from).collect())
    }

    fn names(path: &Path) -> Vec<String> {
        files(path).unwrap().iter().map(|file| file.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_later_export_replaces_what_an_earlier_one_wrote_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a/b");
        fill(&path, false, &["agent=x/day=1/part-0.csv", "agent=x/day=2/part-0.csv", "agent=y/day=1/part-0.csv"])
            .unwrap();
        assert!(matches!(fill(&path, false, &["n"]), Err(CliError::Exists { .. })));
        fill(&path, true, &["agent=y/part-0.csv"]).unwrap();
        assert_eq!(names(&path), ["agent=y/part-0.csv"]);
        assert!(!path.join("agent=x").exists(), "folders that are empty now are gone");
        fs::write(path.join("agent=y/mine.txt"), "").unwrap();
        let refused = fill(&path, true, &["n"]).unwrap_err().to_string();
        assert!(refused.contains("mine.txt"), "{refused}");
        assert_eq!(names(&path), ["agent=y/mine.txt", "agent=y/part-0.csv"]);
    }

    #[test]
    fn what_is_given_up_leaves_what_stood_there() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("out");
        let folder = Folder::open(&path, false).unwrap();
        folder.create("agent=x/part-0.csv".as_ref()).unwrap();
        drop(folder);
        assert!(!path.exists());
        fill(&path, false, &["a"]).unwrap();
        drop(Folder::open(&path, true).unwrap());
        assert_eq!(names(&path), ["a"]);
        assert_eq!(fs::read_dir(&path).unwrap().count(), 2, "the file and the list");
    }

    #[test]
    fn leftovers_of_the_dead_go_and_the_living_are_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("out");
        fs::create_dir_all(path.join(".devlog-export.1.part/agent=x")).unwrap();
        fs::write(path.join(".devlog-export.1.part/agent=x/part-0.csv"), "half").unwrap();
        fill(&path, false, &["a"]).unwrap();
        assert!(!path.join(".devlog-export.1.part").exists());
        fs::create_dir(path.join(".devlog-export.2.part")).unwrap();
        let alive = make(&path.join(".devlog-export.2.part/in-use")).unwrap();
        assert!(matches!(fill(&path, true, &["b"]), Err(CliError::InUse { .. })));
        drop(alive);
        fill(&path, true, &["b"]).unwrap();
        assert_eq!(names(&path), ["b"]);
    }
}
