//! Symbolic links below a root: where they were followed, and what has a name without them.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::discover::expand::expand;
use crate::discover::places::Root;

/// A link below a root that was followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Followed {
    /// The link: the logs behind it are named by it.
    pub path: PathBuf,
    /// The real folder or file.
    pub target: PathBuf,
    /// Which of the two it is.
    pub is_folder: bool,
}

/// The folders of all roots: what lies in them is met there. Looked for once, when there is a link.
#[derive(Debug, Default)]
pub struct Elsewhere<'a> {
    roots: &'a [Root],
    tops: OnceLock<Vec<PathBuf>>,
}

impl<'a> Elsewhere<'a> {
    /// The folders of `roots`.
    #[must_use]
    pub const fn new(roots: &'a [Root]) -> Self {
        Self { roots, tops: OnceLock::new() }
    }

    fn tops(&self) -> &[PathBuf] {
        let real = |root: Root| root.folders().filter_map(|folder| fs::canonicalize(folder).ok()).collect::<Vec<_>>();
        self.tops.get_or_init(|| self.roots.iter().flat_map(expand).flat_map(real).collect())
    }
}

/// What a walk has met, by real paths.
#[derive(Debug, Default)]
pub(super) struct Met {
    /// Folders that are walked as a whole, and the names they are walked under, if this walk does it.
    folders: Vec<(PathBuf, Option<PathBuf>)>,
    /// How many of them are the walk's own.
    tops: usize,
    /// Files behind links.
    files: HashSet<PathBuf>,
}

impl Met {
    /// What is met without any link: the walk's own `folders`, and those of other roots.
    pub(super) fn new(folders: &[PathBuf], elsewhere: &Elsewhere<'_>) -> Self {
        let own = folders.iter().filter_map(|folder| Some((fs::canonicalize(folder).ok()?, Some(folder.clone()))));
        let own: Vec<_> = own.collect();
        let other = elsewhere.tops().iter().filter(|top| own.iter().all(|(own, _)| own != *top));
        let folders = own.iter().cloned().chain(other.map(|top| (top.clone(), None))).collect();
        Self { folders, tops: own.len(), files: HashSet::new() }
    }

    pub(super) fn add_folder(&mut self, real: PathBuf, name: PathBuf) {
        self.folders.push((real, Some(name)));
    }

    pub(super) fn add_file(&mut self, real: PathBuf) {
        self.files.insert(real);
    }

    /// The name under which this walk meets what is at `real`; `Some(None)` when another one meets it, or
    /// a link did.
    pub(super) fn name_of(&self, real: &Path) -> Option<Option<PathBuf>> {
        if self.files.contains(real) {
            return Some(None);
        }
        self.folders.iter().find_map(|(top, name)| {
            let below = real.strip_prefix(top).ok()?;
            Some(name.as_ref().map(|name| name.join(below)))
        })
    }

    /// True when exactly this folder is walked under another name.
    pub(super) fn is_folder(&self, real: &Path) -> bool {
        self.folders.iter().any(|(top, _)| top == real)
    }

    /// True when one of the walk's own folders lies in the folder at `real`.
    pub(super) fn is_above(&self, real: &Path) -> bool {
        self.folders.iter().take(self.tops).any(|(top, _)| top.starts_with(real))
    }
}
