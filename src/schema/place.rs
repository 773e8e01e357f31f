//! Which project a row belongs to: by the remote that its log names, else by the folder that its session was
//! started in, else by the repository that it is in now.

use std::sync::Arc;

use super::event::EventRow;
use super::folders::{Folder, Folders, remember};
use super::learnt::{Learnt, Session, Tree};
use crate::hierarchy::{self, is_home, is_within, own_folder};

/// What the folder of the row before came to: most rows have the folder of the one before them.
#[derive(Debug, Default)]
pub(super) struct Place {
    source_path: Option<Arc<str>>,
    /// As the log has them.
    named_repo_url: Option<String>,
    cwd: Option<String>,
    session: Option<String>,
    /// What they came to.
    pub(super) repo_url: Option<Arc<str>>,
    pub(super) project: Option<String>,
}

impl Place {
    /// Goes to the place of `row`; true when its folder is another than before.
    pub(super) fn go_to(
        &mut self,
        source_path: &Arc<str>,
        row: &EventRow<'_>,
        folders: &Folders,
        learnt: &mut Learnt,
    ) -> bool {
        let same_source = self.source_path.as_ref().is_some_and(|path| Arc::ptr_eq(path, source_path));
        let same_folder = same_source && self.cwd.as_deref() == row.cwd;
        if same_folder && self.named_repo_url.as_deref() == row.repo_url && self.session.as_deref() == row.session_id {
            return false;
        }
        // An address of the log may hold a password.
        let named = row.repo_url.and_then(hierarchy::git::https);
        let slug = hierarchy::launch_slug(source_path);
        let (known, start) = match row.cwd {
            Some(cwd) => {
                let start = start(row, cwd, slug, named.as_deref(), folders, learnt);
                let known = if named.is_some() { Some(Folder::default()) } else { known(cwd, &start, folders, learnt) };
                match known {
                    Some(known) => (known, Some(start)),
                    None => (Folder::default(), Some(own_folder(cwd).to_owned())),
                }
            }
            None => (Folder::default(), None),
        };
        if let Some(tree) = Tree::of(&known) {
            learn(&tree, folders, learnt);
        }
        let repo_url = named.as_deref().or(known.repo_url.as_deref());
        let top = known.top.as_deref().or(start.as_deref());
        self.project = hierarchy::project(repo_url, top).map(str::to_owned);
        self.repo_url = named.map(Arc::from).or(known.repo_url);
        self.named_repo_url = row.repo_url.map(str::to_owned);
        self.cwd = row.cwd.map(str::to_owned);
        self.session = row.session_id.map(str::to_owned);
        self.source_path = Some(Arc::clone(source_path));
        !same_folder
    }
}

fn learn(tree: &Tree, folders: &Folders, learnt: &mut Learnt) {
    if !is_home(&tree.folder) && learnt.trees.last() != Some(tree) {
        folders.learn_tree(tree);
        learnt.trees.retain(|old| old == tree || old.folder != tree.folder);
        remember(&mut learnt.trees, |old| old == tree, || tree.clone());
    }
}

/// The folder whose name the project has where no repository is known: the one that the row's session was
/// started in. What its first row came to holds for the whole session.
fn start(
    row: &EventRow<'_>,
    cwd: &str,
    slug: Option<&str>,
    named: Option<&str>,
    folders: &Folders,
    learnt: &mut Learnt,
) -> String {
    let launched = slug.and_then(|slug| hierarchy::launched(cwd, slug));
    let has_branch = row.git_branch.is_some_and(|branch| !branch.is_empty());
    let known = row.session_id.and_then(|id| learnt.sessions.iter_mut().find(|session| session.id == id));
    let start = match known {
        // The slug says better where it was started than a first row in some other folder.
        Some(session) if launched.is_none_or(|folder| is_within(folder, &session.start)) => session.start.to_string(),
        known => {
            let first = launched.map(str::to_owned).or_else(|| folders.started_with_slug(slug?));
            let first = first.unwrap_or_else(|| own_folder(cwd).to_owned());
            folders.learn_start(&first, has_branch);
            let is_known = named.is_some() || folders.about(&first) != Folder::default();
            let outer = (has_branch && !is_known).then(|| folders.started_around(&first)).flatten();
            let start = outer.unwrap_or(first);
            match (known, row.session_id) {
                (Some(session), _) => session.start = start.as_str().into(),
                (None, Some(id)) => {
                    let session = || Session { id: id.to_owned(), start: start.as_str().into(), has_branch };
                    remember(&mut learnt.sessions, |_| false, session);
                }
                (None, None) => {}
            }
            start
        }
    };
    if let Some(url) = named.filter(|_| is_within(cwd, &start)) {
        let tree = Tree { folder: start.as_str().into(), main: None, repo_url: Some(url.into()), is_told: true };
        learn(&tree, folders, learnt);
    }
    // Who starts in the home works in what is below it.
    if is_home(&start) { own_folder(cwd).to_owned() } else { start }
}

/// What is known of the repository of `cwd`, in a session that was started in `start`: below that folder its
/// own comes first, elsewhere that of the place. `None` when the log names a remote where it started and none
/// here: then this is another project.
fn known(cwd: &str, start: &str, folders: &Folders, learnt: &Learnt) -> Option<Folder> {
    let own = own_folder(cwd);
    let ask = |all: &[&str]| all.iter().map(|folder| folders.about(folder)).find(|known| *known != Folder::default());
    if is_within(own, start) {
        return Some(ask(&[start, own, cwd]).unwrap_or_default());
    }
    let names_remotes = learnt.trees.iter().any(|tree| tree.is_told && tree.folder == *start);
    ask(&[own, cwd]).or_else(|| (!names_remotes).then(|| folders.about(start)))
}
