//! The walk: readdir everywhere, metadata only of files that can be logs.
//!
//! Nearly all of the time is the kernel's (`statx`), and folders do not disturb one another: once
//! enough folders wait, a second thread takes half of them.

use std::collections::HashSet;
use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

use crate::discover::classify::{DESKTOP_DEPTH, classify, companion_name, is_barren, may_be_log_of};
use crate::discover::places::{Layout, Root};
use crate::discover::stat::Stat;
use crate::schema::Format;

/// Deepest folder that a walk enters; real trees end far above it.
const MAX_DEPTH: usize = 32;

/// A log file that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whose log it is.
    pub agent: &'static str,
    /// What its bytes are.
    pub format: Format,
    /// Where small files that belong to it would be.
    pub companions: Vec<PathBuf>,
    /// What the file system says about it; a database's changes beside it count as its own.
    pub stat: Stat,
}

/// Why a place was not read. The walk went on after each of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Note {
    /// The operating system refused; what is known of sources below `path` still holds.
    #[error("cannot read {path:?}: {source}")]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A FIFO, socket or device has the name of a log; opening it could block for ever.
    #[error("{path:?} is not a regular file; it is not read")]
    Special {
        /// The thing.
        path: PathBuf,
    },
    /// A name that no text can hold: positions and rows name their source as text.
    #[error("the name of {path:?} is no valid UTF-8; it is not read until it is renamed")]
    NoText {
        /// The file or folder.
        path: PathBuf,
    },
    /// A link below a root leads out of it.
    #[error("{path:?} links to {target:?}, outside of the logs' root; add that folder as a root to read it")]
    LinkOutside {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A link leads to a folder above itself.
    #[error("{path:?} links to {target:?}, which contains it; it is not followed")]
    LinkLoop {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A folder lies deeper than any agent writes.
    #[error("{path:?} is nested deeper than {MAX_DEPTH} folders; it is not entered")]
    TooDeep {
        /// The folder.
        path: PathBuf,
    },
    /// A file given by the user is no log that devlog knows.
    #[error("{path:?} is skipped: {reason}")]
    Skipped {
        /// The file.
        path: PathBuf,
        /// What was missing.
        reason: crate::discover::Unknown,
    },
}

impl Note {
    /// What it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Unreadable { path, .. }
            | Self::Special { path }
            | Self::LinkOutside { path, .. }
            | Self::NoText { path }
            | Self::LinkLoop { path, .. }
            | Self::TooDeep { path }
            | Self::Skipped { path, .. } => path,
        }
    }
}

/// What a walk hands out.
#[derive(Debug)]
pub enum Seen {
    /// A log file.
    File(FoundFile),
    /// A place that was not read, and why.
    Note(Note),
}

/// The existing folders that a root with a pattern stands for; any other root stands for itself,
/// whether it exists or not.
#[must_use]
pub fn expand(root: &Root) -> Vec<Root> {
    let paths = if root.wildcard {
        matching_paths(&root.path)
    } else {
        vec![std::path::absolute(&root.path).unwrap_or_else(|_| root.path.clone())]
    };
    paths.into_iter().map(|path| Root { path, wildcard: false, ..root.clone() }).collect()
}

/// The existing paths that `path` stands for when its components hold a `*`, sorted; any other path
/// stands for itself, whether it exists or not.
#[must_use]
pub fn matching_paths(path: &Path) -> Vec<PathBuf> {
    if !path.to_string_lossy().contains('*') {
        return vec![path.to_owned()];
    }
    let mut paths = vec![PathBuf::new()];
    for part in path.components() {
        let text = part.as_os_str().to_string_lossy();
        paths = match text.split_once('*') {
            None => paths.into_iter().map(|p| p.join(part)).collect(),
            Some((before, after)) => paths.iter().flat_map(|p| matching(p, before, after)).collect(),
        };
    }
    paths
}

fn matching(folder: &Path, before: &str, after: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter(|e| {
            let name = e.file_name();
            let name = name.to_string_lossy();
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        })
        .map(|e| e.path())
        .collect();
    found.sort();
    found
}

/// Walks the folders of `root` and calls `visit` for each log file and each place that could not be
/// read. A root or folder that does not exist is nothing to tell. The order is the file system's.
pub fn scan(root: &Root, mut visit: impl FnMut(Seen)) {
    for root in expand(root) {
        let folders: Vec<PathBuf> = root.folders().collect();
        let mut walk = Walk::new(&root.path, &folders, &mut visit, Rule::Place(&root));
        for file in root.files().flat_map(|file| matching_paths(&file)) {
            walk.single(&file);
        }
        walk.stack.extend(folders.iter().map(|folder| (folder.clone(), 0)));
        walk.run(FEW_FOLDERS);
        let mut waiting = std::mem::take(&mut walk.stack);
        if !waiting.is_empty() {
            let mut turn = false;
            let other: Waiting = waiting
                .extract_if(.., |_| {
                    turn = !turn;
                    turn
                })
                .collect();
            drop(walk);
            in_two(&root, &folders, waiting, other, &mut visit);
        }
    }
}

/// Walks two sets of folders at once. Links are followed afterwards, in one place, so that no two
/// links lead to the same folder twice.
fn in_two(root: &Root, folders: &[PathBuf], own: Waiting, other: Waiting, visit: &mut dyn FnMut(Seen)) {
    let part = |stack: Waiting, visit: &mut dyn FnMut(Seen)| {
        let mut walk = Walk::new(&root.path, folders, visit, Rule::Place(root));
        walk.deferred = Some(Vec::new());
        walk.stack = stack;
        walk.run(usize::MAX);
        walk.deferred.unwrap_or_default()
    };
    let mut links = Vec::new();
    std::thread::scope(|scope| {
        let helper = scope.spawn(|| {
            let mut seen = Vec::new();
            let links = part(other, &mut |found| seen.push(found));
            (seen, links)
        });
        links = part(own, visit);
        match helper.join() {
            Ok((seen, more)) => {
                seen.into_iter().for_each(&mut *visit);
                links.extend(more);
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
    links.sort();
    let mut walk = Walk::new(&root.path, folders, visit, Rule::Place(root));
    for (path, name, depth) in links {
        walk.link(path, &name, depth);
        walk.run(usize::MAX);
    }
}

/// Walks `folder` only, which lies at or below one of the folders of `root`.
pub fn scan_below(root: &Root, folder: &Path, mut visit: impl FnMut(Seen)) {
    let folders: Vec<PathBuf> = root.folders().collect();
    Walk::new(&root.path, &folders, &mut visit, Rule::Place(root)).folder(folder.to_owned());
}

/// Walks everything below `path`, and calls `decide` for each regular file (with its name).
pub(super) fn scan_all(path: &Path, decide: &mut dyn FnMut(&Path, &Stat) -> Option<Seen>, visit: &mut dyn FnMut(Seen)) {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let folders = [path.clone()];
    Walk::new(&path, &folders, visit, Rule::Ask(decide)).folder(path.clone());
}

/// How a walk decides what a file is.
enum Rule<'a> {
    /// By place, below this root.
    Place(&'a Root),
    /// By asking.
    Ask(&'a mut dyn FnMut(&Path, &Stat) -> Option<Seen>),
}

struct Walk<'a> {
    root: &'a Path,
    rule: Rule<'a>,
    visit: &'a mut dyn FnMut(Seen),
    /// Real paths of the root and of all folders walked from the top.
    real_root: PathBuf,
    tops: Vec<PathBuf>,
    /// Real paths of linked folders entered so far.
    followed: HashSet<PathBuf>,
    stack: Waiting,
    /// Links met, when another thread must not follow them at the same time.
    deferred: Option<Vec<(PathBuf, String, usize)>>,
}

/// Folders to walk, with their depth.
type Waiting = Vec<(PathBuf, usize)>;

/// Waiting folders that one thread walks faster than two.
const FEW_FOLDERS: usize = 48;

impl<'a> Walk<'a> {
    fn new(root: &'a Path, folders: &[PathBuf], visit: &'a mut dyn FnMut(Seen), rule: Rule<'a>) -> Self {
        let real = |path: &Path| fs::canonicalize(path).ok();
        Self {
            root,
            rule,
            visit,
            real_root: real(root).unwrap_or_else(|| root.to_owned()),
            tops: folders.iter().filter_map(|f| real(f)).collect(),
            followed: HashSet::new(),
            stack: Vec::new(),
            deferred: None,
        }
    }

    fn note(&mut self, note: Note) {
        (self.visit)(Seen::Note(note));
    }

    fn unreadable(&mut self, path: PathBuf, source: io::Error) {
        if !is_absent(&source) {
            self.note(Note::Unreadable { path, source });
        }
    }

    /// A file named by the layout; a link here is the user's own arrangement and is followed.
    fn single(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => self.file(path.to_owned(), &Stat::of(&metadata)),
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => self.note(Note::Special { path: path.to_owned() }),
            Err(error) => self.unreadable(path.to_owned(), error),
        }
    }

    fn folder(&mut self, top: PathBuf) {
        self.stack.push((top, 0));
        self.run(usize::MAX);
    }

    /// Walks until nothing waits, or more than `most` folders do.
    fn run(&mut self, most: usize) {
        while self.stack.len() <= most
            && let Some((path, depth)) = self.stack.pop()
        {
            let entries = match fs::read_dir(&path) {
                Ok(entries) => entries,
                Err(error) => {
                    self.unreadable(path, error);
                    continue;
                }
            };
            for entry in entries {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(error) => {
                        self.unreadable(path.clone(), error);
                        break;
                    }
                };
                match entry.file_type() {
                    Ok(kind) => self.entry(&entry, kind, depth),
                    Err(error) => self.unreadable(entry.path(), error),
                }
            }
        }
    }

    fn entry(&mut self, entry: &fs::DirEntry, kind: FileType, depth: usize) {
        let name = entry.file_name();
        let is_text = name.to_str().is_some();
        let name = name.to_string_lossy();
        if !is_text {
            let is_ours = if kind.is_dir() { self.enters(&name, &entry.path(), depth) } else { self.wants(&name) };
            if is_ours {
                self.note(Note::NoText { path: entry.path() });
            }
        } else if kind.is_dir() {
            if self.enters(&name, &entry.path(), depth) {
                self.push(entry.path(), depth + 1);
            }
        } else if kind.is_file() {
            if self.wants(&name) {
                match entry.metadata() {
                    Ok(metadata) => self.file(entry.path(), &Stat::of(&metadata)),
                    Err(error) => self.unreadable(entry.path(), error),
                }
            }
        } else if kind.is_symlink() {
            if self.wants(&name) || self.enters(&name, &entry.path(), depth) {
                match &mut self.deferred {
                    Some(links) => links.push((entry.path(), name.into_owned(), depth)),
                    None => self.link(entry.path(), &name, depth),
                }
            }
        } else if self.wants(&name) {
            self.note(Note::Special { path: entry.path() });
        }
    }

    fn wants(&self, name: &str) -> bool {
        match self.rule {
            Rule::Place(root) => may_be_log_of(root.layout, name),
            Rule::Ask(_) => true,
        }
    }

    fn enters(&self, name: &str, path: &Path, depth: usize) -> bool {
        match self.rule {
            Rule::Place(Root { layout: Layout::Files(files), .. }) => {
                path.strip_prefix(self.root).is_ok_and(|relative| files.may_lead(relative))
            }
            Rule::Place(root) if root.layout == Layout::ClaudeDesktop => {
                depth < DESKTOP_DEPTH + 4 && !is_barren(root.layout, name)
            }
            Rule::Place(root) => !is_barren(root.layout, name),
            Rule::Ask(_) => !matches!(name, ".git" | "node_modules"),
        }
    }

    fn push(&mut self, path: PathBuf, depth: usize) {
        if depth > MAX_DEPTH {
            self.note(Note::TooDeep { path });
        } else {
            self.stack.push((path, depth));
        }
    }

    fn file(&mut self, path: PathBuf, stat: &Stat) {
        match &mut self.rule {
            Rule::Place(root) => {
                let Some(found) = path.strip_prefix(self.root).ok().and_then(|relative| classify(root, relative))
                else {
                    return;
                };
                let stat = stat.with_changes_beside(&path, found.format);
                let (format, agent, companions) = (found.format, agent_of(root, found.format), found.companions);
                (self.visit)(Seen::File(FoundFile { path, agent, format, companions, stat }));
            }
            Rule::Ask(decide) => {
                if let Some(seen) = decide(&path, stat) {
                    (self.visit)(seen);
                }
            }
        }
    }

    /// A link is entered when it leads inside the root to a place that the walk does not meet anyway.
    fn link(&mut self, path: PathBuf, name: &str, depth: usize) {
        let target = match fs::canonicalize(&path) {
            Ok(target) => target,
            Err(error) => return self.unreadable(path, error),
        };
        let metadata = match fs::metadata(&target) {
            Ok(metadata) => metadata,
            Err(error) => return self.unreadable(path, error),
        };
        if !metadata.is_dir() && !metadata.is_file() {
            if self.wants(name) {
                self.note(Note::Special { path });
            }
        } else if self.tops.iter().chain(&self.followed).any(|top| target != *top && target.starts_with(top)) {
            // Met under its own name.
        } else if self.tops.iter().chain(&self.followed).any(|top| top.starts_with(&target)) {
            if !self.followed.contains(&target) {
                self.note(Note::LinkLoop { path, target });
            }
        } else if !target.starts_with(&self.real_root) {
            if metadata.is_dir() || self.wants(name) {
                self.note(Note::LinkOutside { path, target });
            }
        } else if metadata.is_file() {
            if self.wants(name) {
                self.file(path, &Stat::of(&metadata));
            }
        } else {
            self.followed.insert(target);
            self.push(path, depth + 1);
        }
    }
}

/// Whose log a file of `format` below `root` is: formats that users describe have no agent of their own.
#[must_use]
pub fn agent_of(root: &Root, format: Format) -> &'static str {
    if format.is_mapped() { root.agent } else { format.agent() }
}

/// Path of the small file that belongs to a transcript at `path`, when it exists.
pub(super) fn companion_beside(format: Format, path: &Path) -> Option<PathBuf> {
    let beside = path.with_file_name(companion_name(format, path.file_name()?.to_str()?)?);
    fs::metadata(&beside).is_ok_and(|m| m.is_file()).then_some(beside)
}

/// True when the thing is simply not there (any more).
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
mod tests;
