//! Folders that rows name: what is known of them, and what a source's rows have taught.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::learnt::Tree;
use super::{Name, SourcePosition};
use crate::hierarchy::{around, has_slug, is_home};

/// Folders, sessions and working trees of one source that are remembered.
const MOST_REMEMBERED: usize = 16;

/// Working trees, and start folders, that are remembered of all sources.
const MOST_KNOWN: usize = 50_000;

/// A longer path is no folder of a real system, and is not remembered.
const LONGEST_PATH: usize = 4096;

/// What is known of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folder {
    /// Git remote as https URL without credentials.
    pub repo_url: Option<Arc<str>>,
    /// Top folder of the (main) working tree that it belongs to.
    pub top: Option<Arc<str>>,
    /// Top folder of its own working tree; another one in a worktree.
    pub tree: Option<Arc<str>>,
    /// True when a log tells so, and not the folder itself.
    pub is_told: bool,
}

impl Tree {
    /// The working tree that `folder` says it belongs to.
    #[must_use]
    pub fn of(folder: &Folder) -> Option<Self> {
        let (tree, top) = (folder.tree.as_deref()?, folder.top.as_deref()?);
        Some(Self {
            folder: tree.into(),
            main: (top != tree).then(|| top.into()),
            repo_url: folder.repo_url.as_deref().map(Name::from),
            is_told: folder.is_told,
        })
    }

    fn about(&self) -> Folder {
        Folder {
            repo_url: self.repo_url.as_deref().map(Into::into),
            top: Some(self.main.as_deref().unwrap_or(&self.folder).into()),
            tree: Some(self.folder.as_str().into()),
            is_told: self.is_told,
        }
    }

    /// Of two things that are known of a folder the one that holds: what the folder itself has said, and of
    /// two logs the same one in whatever order they are read.
    fn holds_against(&self, other: &Self) -> bool {
        (self.is_told, &self.repo_url, &self.main) < (other.is_told, &other.repo_url, &other.main)
            || (!self.is_told && !other.is_told)
    }
}

/// Answers what is known of a folder: by what is on this machine, else by what was learnt before.
///
/// Asked when the folder of rows changes, so an answer should come from a memory. Clones share what they learn.
#[derive(Clone, Default)]
pub struct Folders {
    ask: Option<Arc<Ask>>,
    machine: Option<Arc<str>>,
    known: Arc<Mutex<Known>>,
}

type Ask = dyn Fn(&str) -> Folder + Send + Sync;

#[derive(Debug, Default)]
struct Known {
    trees: BTreeMap<Name, Tree>,
    /// Folders that sessions were started in, and whether they are in a repository.
    starts: BTreeMap<String, bool>,
}

impl Folders {
    /// Answers by `ask`.
    pub fn new(ask: impl Fn(&str) -> Folder + Send + Sync + 'static) -> Self {
        Self { ask: Some(Arc::new(ask)), ..Self::default() }
    }

    /// Answers for another machine, of which only the logs are here.
    #[must_use]
    pub fn of_machine(name: &str) -> Self {
        Self { machine: Some(name.into()), ..Self::default() }
    }

    /// The other machine that answers are for.
    #[must_use]
    pub fn machine(&self) -> Option<&str> {
        self.machine.as_deref()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the sources have taught that were read before.
    pub fn remember<'a>(&self, positions: impl IntoIterator<Item = &'a SourcePosition>) {
        for learnt in positions.into_iter().map(|position| &position.learnt) {
            if learnt.machine.as_deref() == self.machine.as_deref() {
                learnt.trees.iter().for_each(|tree| self.learn_tree(tree));
                learnt.sessions.iter().for_each(|session| self.learn_start(&session.start, session.has_branch));
            }
        }
    }

    /// Takes in a working tree, and the main one that it belongs to.
    pub fn learn_tree(&self, tree: &Tree) {
        if let Some(main) = &tree.main {
            self.learn_tree(&Tree { folder: main.clone(), main: None, ..tree.clone() });
        }
        if is_home(&tree.folder) || tree.folder.len() > LONGEST_PATH {
            return;
        }
        let mut known = self.known();
        let holds = known.trees.get(&tree.folder).is_none_or(|old| tree.holds_against(old));
        if holds && known.trees.len() < MOST_KNOWN {
            known.trees.insert(tree.folder.clone(), tree.clone());
        }
    }

    /// Takes in that a session was started in `folder`.
    pub fn learn_start(&self, folder: &str, has_branch: bool) {
        let starts = &mut self.known().starts;
        if let Some(old) = starts.get_mut(folder) {
            *old |= has_branch;
        } else if starts.len() < MOST_KNOWN && folder.len() <= LONGEST_PATH {
            starts.insert(folder.to_owned(), has_branch);
        }
    }

    /// What is known of `folder`.
    #[must_use]
    pub fn about(&self, folder: &str) -> Folder {
        let here = self.ask.as_ref().map_or_else(Folder::default, |ask| ask(folder));
        if here != Folder::default() {
            return here;
        }
        let known = self.known();
        around(folder).find_map(|above| known.trees.get(above)).map_or_else(Folder::default, Tree::about)
    }

    /// The outermost folder around `folder` that a session in a repository was started in.
    #[must_use]
    pub fn started_around(&self, folder: &str) -> Option<String> {
        let known = self.known();
        let above = around(folder).skip(1).filter(|above| !is_home(above) && known.starts.get(*above) == Some(&true));
        above.last().map(str::to_owned)
    }

    /// A folder with this slug that a session was started in.
    #[must_use]
    pub fn started_with_slug(&self, slug: &str) -> Option<String> {
        self.known().starts.keys().find(|start| has_slug(start, slug)).cloned()
    }
}

impl std::fmt::Debug for Folders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Folders").field(&self.ask.is_some()).finish()
    }
}

/// Remembers that `folder` was visited last; the oldest of too many is forgotten.
pub fn visit(visited: &mut Vec<Name>, folder: &str) {
    if !folder.is_empty() && folder.len() <= LONGEST_PATH {
        remember(visited, |known| *known == *folder, || folder.into());
    }
}

/// Makes what is `same` the newest of `all`; without one, `new` is.
pub(super) fn remember<T>(all: &mut Vec<T>, same: impl FnMut(&T) -> bool, new: impl FnOnce() -> T) {
    match all.iter().position(same) {
        Some(at) => all[at..].rotate_left(1),
        None => {
            if all.len() >= MOST_REMEMBERED {
                all.remove(0);
            }
            all.push(new());
        }
    }
}

#[cfg(test)]
mod tests;
