//! Folders that rows name: what this machine knows of them, and which a source visited last.

use std::sync::Arc;

/// Folders of one source that are remembered.
const MOST_VISITED: usize = 16;

/// A longer path is no folder of a real system, and is not remembered.
const LONGEST_PATH: usize = 4096;

/// What this machine knows of a folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folder {
    /// Git remote as https URL without credentials.
    pub repo_url: Option<Arc<str>>,
    /// Top folder of the (main) working tree that it belongs to.
    pub top: Option<Arc<str>>,
}

/// Answers what this machine knows of a folder; by default nothing.
///
/// Asked when the folder of rows changes, so an answer should come from a memory.
#[derive(Clone, Default)]
pub struct Folders(Option<Arc<Ask>>);

type Ask = dyn Fn(&str) -> Folder + Send + Sync;

impl Folders {
    /// Answers by `ask`.
    pub fn new(ask: impl Fn(&str) -> Folder + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(ask)))
    }

    /// What is known of `folder`.
    #[must_use]
    pub fn about(&self, folder: &str) -> Folder {
        self.0.as_ref().map_or_else(Folder::default, |ask| ask(folder))
    }
}

impl std::fmt::Debug for Folders {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Folders").field(&self.0.is_some()).finish()
    }
}

/// Remembers that `folder` was visited last; the oldest of too many is forgotten.
pub fn visit(visited: &mut Vec<String>, folder: &str) {
    if folder.is_empty() || folder.len() > LONGEST_PATH {
        return;
    }
    match visited.iter().position(|known| known == folder) {
        Some(at) => visited[at..].rotate_left(1),
        None => {
            if visited.len() >= MOST_VISITED {
                visited.remove(0);
            }
            visited.push(folder.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{EventRow, RowContext, Rows};
    use arrow::array::{Array, AsArray};

    #[test]
    fn the_newest_folders_are_remembered_whole_and_each_once() {
        let mut visited = Vec::new();
        for name in ["/a", "/b", "/a", "", "/c", &"x".repeat(5000)] {
            visit(&mut visited, name);
        }
        assert_eq!(visited, ["/b", "/a", "/c"]);
        (0..100).for_each(|i| visit(&mut visited, &format!("/{i}")));
        assert_eq!(visited.len(), MOST_VISITED);
        assert_eq!((visited[0].as_str(), visited[15].as_str()), ("/84", "/99"));
    }

    /// Rows with these `cwd`s and remotes; project and repo_url of each, and the folders visited.
    fn placed(path: &str, rows_in: &[(&str, Option<&str>)]) -> (Vec<(String, Option<String>)>, Vec<String>) {
        let folders = Folders::new(|folder| match folder {
            "/w/shop" | "/w/shop-fix" => {
                Folder { repo_url: Some("https://h/acme/shop".into()), top: Some("/w/shop".into()) }
            }
            "/w/local/src" => Folder { repo_url: None, top: Some("/w/local".into()) },
            _ => Folder::default(),
        });
        let mut rows = Rows::new(RowContext::new("x", path)).with_folders(folders);
        for (cwd, repo_url) in rows_in {
            rows.event(&EventRow { event_type: "system", cwd: Some(cwd), repo_url: *repo_url, ..EventRow::default() });
        }
        let visited = rows.take_visited();
        let events = rows.finish().events;
        let text = |name: &str, i: usize| {
            let column = events.column_by_name(name).unwrap().as_string_view();
            column.is_valid(i).then(|| column.value(i).to_owned())
        };
        let all = (0..events.num_rows()).map(|i| (text("project", i).unwrap(), text("repo_url", i)));
        (all.collect(), visited)
    }

    #[test]
    fn where_the_log_names_no_remote_the_folder_does() {
        let shop = || ("acme/shop".to_owned(), Some("https://h/acme/shop".to_owned()));
        let (rows, visited) = placed(
            "/logs/x.jsonl",
            &[
                ("/w/shop", None),
                ("/w/shop", None),
                ("/w/shop-fix", None),
                ("/w/shop", Some("https://h/me/fork")),
                ("/w/shop", Some("https://me:secret@h/me/fork.git")),
                ("/w/shop", Some("/srv/git/shop.git")),
                ("/w/shop", None),
                ("/w/local/src", None),
                ("/gone/garden", None),
            ],
        );
        let own = || ("me/fork".to_owned(), Some("https://h/me/fork".to_owned()));
        let expected = [
            shop(),
            shop(),
            shop(),
            own(),
            own(),
            shop(),
            shop(),
            ("local".to_owned(), None),
            ("garden".to_owned(), None),
        ];
        assert_eq!(rows, expected);
        assert_eq!(visited, ["/w/shop-fix", "/w/shop", "/w/local/src", "/gone/garden"]);
    }

    #[test]
    fn the_folder_an_agent_was_started_in_is_asked_first() {
        let (rows, _) = placed("/c/projects/-w-shop/s.jsonl", &[("/w/shop/vendor/lib", None), ("/w/local/src", None)]);
        assert_eq!(rows[0].0, "acme/shop");
        assert_eq!(rows[1].0, "local", "somewhere else");
    }
}
