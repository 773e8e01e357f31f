//! The walk: readdir everywhere, metadata only of files that can be logs.
//!
//! Nearly all of the time is the kernel's (`statx`), and folders do not disturb one another: once
//! enough folders wait, a second thread takes half of them.

use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};

use crate::discover::classify::{DESKTOP_DEPTH, classify, companion_name, is_skipped_dir, may_be_log_of};
use crate::discover::expand::{expand, matching_paths};
use crate::discover::links::{Elsewhere, Followed, Met};
use crate::discover::places::Root;
use crate::discover::stat::Stat;
use crate::discover::table::Layout;
use crate::discover::warning::{MAX_DEPTH, MOST_LINKED, ScanWarning};
use crate::schema::Format;

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

/// What a walk hands out.
#[derive(Debug)]
pub enum ScanItem {
    /// A log file.
    File(FoundFile),
    /// A link below the root that was followed: changes in what it leads to are its own.
    Link(Followed),
    /// A place that was not read, and why.
    ScanWarning(ScanWarning),
}

/// Walks the folders of `root` and calls `visit` for each log file and each place that could not be
/// read. A root or folder that does not exist is nothing to tell. The order is the file system's.
pub fn scan(root: &Root, visit: impl FnMut(ScanItem)) {
    scan_among(root, &Elsewhere::default(), visit);
}

/// The same beside other roots: a link that leads into the folders of one of them is met there.
pub fn scan_among(root: &Root, elsewhere: &Elsewhere<'_>, mut visit: impl FnMut(ScanItem)) {
    for root in expand(root) {
        let folders: Vec<PathBuf> = root.folders().collect();
        let mut walk = Walk::new(&root.path, &mut visit, Rule::Place(&root));
        for file in root.files().flat_map(|file| matching_paths(&file)) {
            walk.single(&file);
        }
        walk.stack.extend(folders.iter().map(|folder| (folder.clone(), 0)));
        walk.run(FEW_FOLDERS);
        let (mut waiting, mut links) = (std::mem::take(&mut walk.stack), std::mem::take(&mut walk.links));
        if !waiting.is_empty() {
            let mut turn = false;
            let other: Waiting = waiting
                .extract_if(.., |_| {
                    turn = !turn;
                    turn
                })
                .collect();
            drop(walk);
            links.extend(in_two(&root, waiting, other, &mut visit));
            walk = Walk::new(&root.path, &mut visit, Rule::Place(&root));
        }
        walk.follow(links, &folders, elsewhere);
    }
}

/// Walks two sets of folders at once; returns the links in them. Those are followed afterwards, in one
/// place, so that no two links lead to the same folder twice.
fn in_two(root: &Root, own: Waiting, other: Waiting, visit: &mut dyn FnMut(ScanItem)) -> Vec<Link> {
    let part = |stack: Waiting, visit: &mut dyn FnMut(ScanItem)| {
        let mut walk = Walk::new(&root.path, visit, Rule::Place(root));
        walk.stack = stack;
        walk.run(usize::MAX);
        walk.links
    };
    std::thread::scope(|scope| {
        let (give, take) = std::sync::mpsc::channel();
        let spawned = std::thread::Builder::new().spawn_scoped(scope, move || {
            let mut seen = Vec::new();
            let links = part(take.recv().unwrap_or_default(), &mut |found| seen.push(found));
            (seen, links)
        });
        let Ok(helper) = spawned else {
            // The system refuses threads: one after the other.
            let mut links = part(own, visit);
            links.extend(part(other, visit));
            return links;
        };
        // It waits for this.
        let _heard = give.send(other);
        let mut links = part(own, visit);
        match helper.join() {
            Ok((seen, more)) => {
                seen.into_iter().for_each(&mut *visit);
                links.extend(more);
            }
            Err(panic) => std::panic::resume_unwind(panic),
        }
        links
    })
}

/// Walks `folder` only, which lies at or below one of the folders of `root`. Follows no link; true when
/// there is one, which only a whole scan can place.
pub fn scan_below(root: &Root, folder: &Path, mut visit: impl FnMut(ScanItem)) -> bool {
    let mut walk = Walk::new(&root.path, &mut visit, Rule::Place(root));
    walk.stack.push((folder.to_owned(), 0));
    walk.run(usize::MAX);
    !walk.links.is_empty()
}

/// Walks everything below `path`, and calls `decide` for each regular file (with its name).
pub(super) fn scan_all(
    path: &Path,
    decide: &mut dyn FnMut(&Path, &Stat) -> Option<ScanItem>,
    visit: &mut dyn FnMut(ScanItem),
) {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut walk = Walk::new(&path, visit, Rule::Ask(decide));
    walk.stack.push((path.clone(), 0));
    walk.run(usize::MAX);
    let links = std::mem::take(&mut walk.links);
    walk.follow(links, std::slice::from_ref(&path), &Elsewhere::default());
}

/// How a walk decides what a file is.
enum Rule<'a> {
    /// By place, below this root.
    Place(&'a Root),
    /// By asking.
    Ask(&'a mut dyn FnMut(&Path, &Stat) -> Option<ScanItem>),
}

struct Walk<'a> {
    root: &'a Path,
    rule: Rule<'a>,
    visit: &'a mut dyn FnMut(ScanItem),
    stack: Waiting,
    /// Links met, to be followed when the folders have been walked.
    links: Vec<Link>,
    /// The link behind which the walk is: its path, where it leads, folders so far.
    behind: Option<(PathBuf, PathBuf, usize)>,
    /// What has a name of its own already.
    met: Met,
}

/// Folders to walk, with their depth.
type Waiting = Vec<(PathBuf, usize)>;

/// A link that was met: its path and depth.
type Link = (PathBuf, usize);

/// Waiting folders that one thread walks faster than two.
const FEW_FOLDERS: usize = 48;

impl<'a> Walk<'a> {
    fn new(root: &'a Path, visit: &'a mut dyn FnMut(ScanItem), rule: Rule<'a>) -> Self {
        Self { root, rule, visit, stack: Vec::new(), links: Vec::new(), behind: None, met: Met::default() }
    }

    fn note(&mut self, note: ScanWarning) {
        (self.visit)(ScanItem::ScanWarning(note));
    }

    fn unreadable(&mut self, path: PathBuf, source: io::Error) {
        if !is_absent(&source) {
            self.note(ScanWarning::Unreadable { path, source });
        }
    }

    /// A file named by the layout; a link here is the user's own arrangement and is followed.
    fn single(&mut self, path: &Path) {
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => self.file(path.to_owned(), &Stat::of(&metadata)),
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => self.note(ScanWarning::Special { path: path.to_owned() }),
            Err(error) => self.unreadable(path.to_owned(), error),
        }
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
                self.note(ScanWarning::NoText { path: entry.path() });
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
                self.links.push((entry.path(), depth));
            }
        } else if self.wants(&name) {
            self.note(ScanWarning::Special { path: entry.path() });
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
                depth < DESKTOP_DEPTH + 4 && !is_skipped_dir(root.layout, name)
            }
            Rule::Place(root) => !is_skipped_dir(root.layout, name),
            Rule::Ask(_) => !matches!(name, ".git" | "node_modules"),
        }
    }

    fn push(&mut self, path: PathBuf, depth: usize) {
        if depth > MAX_DEPTH {
            return self.note(ScanWarning::TooDeep { path });
        }
        if let Some((link, target, folders)) = &mut self.behind {
            *folders += 1;
            let real = path.strip_prefix(link).map(|below| target.join(below));
            if *folders > MOST_LINKED || real.is_ok_and(|real| self.met.is_folder(&real)) {
                return;
            }
        }
        self.stack.push((path, depth));
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
                (self.visit)(ScanItem::File(FoundFile { path, agent, format, companions, stat }));
            }
            Rule::Ask(decide) => {
                if let Some(seen) = decide(&path, stat) {
                    (self.visit)(seen);
                }
            }
        }
    }

    /// Follows `links` and those behind them, in the order of their paths, each to what has no name yet.
    fn follow(&mut self, mut links: Vec<Link>, folders: &[PathBuf], elsewhere: &Elsewhere<'_>) {
        if links.is_empty() {
            return;
        }
        self.met = Met::new(folders, elsewhere);
        while !links.is_empty() {
            links.sort();
            for (path, depth) in std::mem::take(&mut links) {
                self.link(path, depth);
            }
            links = std::mem::take(&mut self.links);
        }
    }

    fn link(&mut self, path: PathBuf, depth: usize) {
        let (target, metadata) = match fs::canonicalize(&path).and_then(|real| Ok((fs::metadata(&real)?, real))) {
            Ok((metadata, real)) => (real, metadata),
            Err(error) if is_circle(&error) => return,
            Err(error) => return self.unreadable(path, error),
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if metadata.is_dir() && self.enters(&name, &path, depth) {
            self.linked_folder(path, target, depth);
        } else if metadata.is_dir() || !self.wants(&name) {
            // No log has this name.
        } else if !metadata.is_file() {
            self.note(ScanWarning::Special { path });
        } else if !self.is_met_file(&target) {
            self.met.add_file(target.clone());
            self.file(path.clone(), &Stat::of(&metadata));
            (self.visit)(ScanItem::Link(Followed { path, target, is_folder: false }));
        }
    }

    /// True when the file is a log under another name.
    fn is_met_file(&self, real: &Path) -> bool {
        match (self.met.name_of(real), &self.rule) {
            (None, _) => false,
            (Some(None), _) | (_, Rule::Ask(_)) => true,
            (Some(Some(name)), Rule::Place(root)) => {
                name.strip_prefix(self.root).is_ok_and(|relative| classify(root, relative).is_some())
            }
        }
    }

    /// Walks the folder behind a link. Of one with more folders than any agent makes nothing is handed out:
    /// which part it would be is chance.
    fn linked_folder(&mut self, path: PathBuf, target: PathBuf, depth: usize) {
        if self.met.name_of(&target).is_some() {
            return;
        }
        if self.met.is_above(&target) {
            return self.note(ScanWarning::LinkLoop { path, target });
        }
        if is_system(&target) {
            return self.note(ScanWarning::LinkToSystem { path, target });
        }
        if depth >= MAX_DEPTH {
            return self.note(ScanWarning::TooDeep { path });
        }
        self.met.add_folder(target.clone(), path.clone());
        let mut seen = Vec::new();
        let mut hold = |found| seen.push(found);
        let rule = match &mut self.rule {
            Rule::Place(root) => Rule::Place(root),
            Rule::Ask(decide) => Rule::Ask(&mut **decide),
        };
        let mut walk = Walk::new(self.root, &mut hold, rule);
        walk.met = std::mem::take(&mut self.met);
        walk.behind = Some((path.clone(), target.clone(), 0));
        walk.stack.push((path.clone(), depth + 1));
        walk.run(usize::MAX);
        let Walk { behind, links, met, .. } = walk;
        self.met = met;
        if behind.is_some_and(|(_, _, folders)| folders > MOST_LINKED) {
            return self.note(ScanWarning::LinkTooLarge { path, target });
        }
        self.links.extend(links);
        (self.visit)(ScanItem::Link(Followed { path, target, is_folder: true }));
        seen.into_iter().for_each(&mut *self.visit);
    }
}

/// True for folders in which the system shows itself as files.
fn is_system(target: &Path) -> bool {
    cfg!(unix) && ["/proc", "/sys", "/dev"].iter().any(|place| target.starts_with(place))
}

/// True when links lead to one another for ever: nothing is there.
#[cfg(unix)]
fn is_circle(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

#[cfg(not(unix))]
const fn is_circle(_: &io::Error) -> bool {
    false
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
