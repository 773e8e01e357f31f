//! Which repository does a folder of this machine belong to?
//!
//! - reads the files in `.git` and starts no process: `config` for the remote, the `gitdir:` file of a
//!   worktree or submodule, `commondir` of a worktree; `HEAD` is not read, because today's branch says
//!   nothing about a row of the past
//! - a folder is looked up once in the life of the process
//! - a `.git` in the home directory or above it (dotfiles) is no repository of the folders below
//! - of a folder that is gone the nearest one around it tells
//! - whatever is missing, broken or odd means that nothing is known; it fails no row

use std::collections::HashMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::hierarchy::git;
use crate::schema::{Folder, Folders};

/// Folders that are remembered; with more the memory starts over.
const MOST_KNOWN: usize = 20_000;

/// Bytes of a `config` that are read.
const CONFIG_BYTES: u64 = 1 << 20;

/// Bytes of a small file in `.git` that are read.
const POINTER_BYTES: u64 = 8 << 10;

/// Answers for the folders of this machine, for a user who lives in `home`.
#[must_use]
pub fn repositories(home: &Path) -> Folders {
    let known: Mutex<HashMap<String, Folder>> = Mutex::default();
    let home = home.to_owned();
    Folders::new(move |folder| {
        let lock = || known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = lock().get(folder) {
            return answer.clone();
        }
        // Without the lock: a folder may be on a slow disk.
        let answer = look_up(Path::new(folder), &home).unwrap_or_default();
        let mut known = lock();
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(folder.to_owned(), answer.clone());
        answer
    })
}

fn look_up(folder: &Path, home: &Path) -> Option<Folder> {
    // A share could make every row wait for a server that is off.
    let is_share = folder.to_str().is_none_or(|text| text.starts_with(r"\\") || text.starts_with("//"));
    if is_share || !folder.is_absolute() {
        return None;
    }
    let own = |above: &&Path| *above == folder || !home.starts_with(above);
    let here = |above: &&Path| fs::metadata(above).is_ok_and(|metadata| metadata.is_dir());
    // Of a folder that is gone, what is around it still tells.
    folder.ancestors().take_while(own).skip_while(|above| !here(above)).find_map(repository)
}

/// The repository whose working tree starts at `top`.
fn repository(top: &Path) -> Option<Folder> {
    let dot_git = top.join(".git");
    let metadata = fs::metadata(&dot_git).ok()?;
    let (git_dir, main) = if metadata.is_dir() {
        (dot_git, top.to_owned())
    } else {
        let text = small_file(&dot_git, POINTER_BYTES)?;
        let own = top.join(git::gitdir(&text)?);
        match small_file(&own.join("commondir"), POINTER_BYTES) {
            Some(common) => {
                let common = resolved(&own.join(common.trim()));
                let main = common.parent().filter(|_| common.file_name().is_some_and(|name| name == ".git"));
                let main = main.map_or_else(|| top.to_owned(), Path::to_owned);
                (common, main)
            }
            None => (own, top.to_owned()),
        }
    };
    let config = small_file(&git_dir.join("config"), CONFIG_BYTES)?;
    let repo_url = git::origin(&config).and_then(|remote| git::https(&remote)).map(Into::into);
    Some(Folder { repo_url, top: main.to_str().map(Into::into), tree: top.to_str().map(Into::into), is_told: false })
}

/// The path without `..`, so that its parts are names.
fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Text of a regular file, at most `limit` bytes of it.
fn small_file(path: &Path, limit: u64) -> Option<String> {
    if !fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(limit).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = git@github.com:acme/shop.git\n";

    fn put(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A home with a repository `shop`; what is known of the folder at `path` in it.
    struct Home(tempfile::TempDir);

    impl Home {
        fn new() -> Self {
            let home = Self(tempfile::tempdir().unwrap());
            home.put("shop/.git/config", ORIGIN);
            home.put("shop/.git/HEAD", "ref: refs/heads/main\n");
            fs::create_dir_all(home.path("shop/src/api")).unwrap();
            home
        }

        fn path(&self, below: &str) -> PathBuf {
            // macOS keeps its temporary folders behind a link.
            fs::canonicalize(self.0.path()).unwrap().join(below)
        }

        fn put(&self, below: &str, text: &str) {
            put(&self.path(below), text);
        }

        fn about(&self, below: &str) -> Option<Folder> {
            look_up(&self.path(below), &self.path(""))
        }

        fn remote(&self, below: &str) -> Option<String> {
            Some(self.about(below)?.repo_url?.to_string())
        }
    }

    const SHOP: Option<&str> = Some("https://github.com/acme/shop");

    #[test]
    fn a_folder_belongs_to_the_repository_around_it() {
        let home = Home::new();
        assert_eq!(home.remote("shop").as_deref(), SHOP);
        assert_eq!(home.remote("shop/src/api").as_deref(), SHOP);
        assert_eq!(home.about("shop/src").unwrap().top.as_deref(), home.path("shop").to_str());
        assert_eq!(home.remote("shop/gone/src").as_deref(), SHOP, "a folder that is gone was in it");
        assert_eq!(home.about("gone/src"), None);
    }

    #[test]
    fn a_detached_head_and_packed_references_change_nothing() {
        let home = Home::new();
        home.put("shop/.git/HEAD", "1f0c2a5b3c4d5e6f708192a3b4c5d6e7f8091a2b\n");
        home.put("shop/.git/packed-refs", "# pack-refs with: peeled\n1f0c refs/remotes/origin/main\n");
        assert_eq!(home.remote("shop").as_deref(), SHOP);
    }

    #[test]
    fn a_worktree_belongs_to_the_repository_it_was_made_from() {
        let home = Home::new();
        for (folder, common) in [
            ("shop-fix", "../..\n".to_owned()),
            ("shop/.worktrees/4", format!("{}\n", home.path("shop/.git").display())),
        ] {
            let name = folder.rsplit('/').next().unwrap();
            home.put(
                &format!("{folder}/.git"),
                &format!("gitdir: {}\n", home.path(&format!("shop/.git/worktrees/{name}")).display()),
            );
            home.put(&format!("shop/.git/worktrees/{name}/commondir"), &common);
            let known = home.about(folder).unwrap();
            assert_eq!(known.repo_url.as_deref(), SHOP, "{folder}");
            assert_eq!(known.top.as_deref(), home.path("shop").to_str(), "{folder}");
            assert_eq!(known.tree.as_deref(), home.path(folder).to_str(), "{folder}");
        }
    }

    #[test]
    fn a_submodule_has_a_remote_of_its_own() {
        let home = Home::new();
        home.put("shop/lib/.git", "gitdir: ../.git/modules/lib\n");
        home.put("shop/.git/modules/lib/config", "[remote \"origin\"]\n\turl = https://u:p@github.com/acme/lib.git\n");
        assert_eq!(home.remote("shop/lib").as_deref(), Some("https://github.com/acme/lib"));
        assert_eq!(home.about("shop/lib").unwrap().top.as_deref(), home.path("shop/lib").to_str());
    }

    #[test]
    fn without_an_origin_the_top_folder_is_known() {
        let home = Home::new();
        home.put("local/.git/config", "[core]\n\tbare = false\n");
        home.put("local/src/a.rs", "");
        let known = home.about("local/src").unwrap();
        assert_eq!((known.repo_url, known.top.as_deref()), (None, home.path("local").to_str()));
        home.put("linked/.git/config", "[remote \"origin\"]\n\turl = /srv/git/x.git\n");
        assert_eq!(home.remote("linked"), None);
    }

    #[test]
    fn dotfiles_in_the_home_are_no_repository_of_what_is_below() {
        let home = Home::new();
        home.put(".git/config", ORIGIN);
        home.put("notes/a.txt", "");
        assert_eq!(home.about("notes"), None);
        assert_eq!(home.remote("").as_deref(), SHOP, "who works on the dotfiles works there");
    }

    #[test]
    fn broken_and_odd_repositories_are_unknown() {
        let home = Home::new();
        home.put("a/.git", "rubbish");
        home.put("b/.git", "gitdir: /nowhere/at/all\n");
        home.put("c/.git/HEAD", "ref: refs/heads/main\n");
        home.put("bare/HEAD", "ref: refs/heads/main\n");
        home.put("bare/config", "[core]\n\tbare = true\n[remote \"origin\"]\n\turl = h:a/b\n");
        fs::create_dir_all(home.path("d/.git/config")).unwrap();
        put(&home.path("e/.git/config"), "");
        fs::write(home.path("e/.git/config"), [0xff, 0xfe, b'[', b'\n']).unwrap();
        for folder in ["a", "b", "c", "d", "bare", "a-file-that-is-not-there"] {
            assert_eq!(home.about(folder), None, "{folder}");
        }
        assert_eq!(home.remote("e"), None);
        assert_eq!(look_up(Path::new("shop"), Path::new("/home/me")), None, "relative");
        assert_eq!(look_up(Path::new("//server/share"), Path::new("/home/me")), None, "a share");
    }

    #[test]
    fn a_folder_is_looked_up_once() {
        let home = Home::new();
        let folders = repositories(&home.path(""));
        let shop = home.path("shop");
        let shop = shop.to_str().unwrap();
        assert_eq!(folders.about(shop).repo_url.as_deref(), SHOP);
        fs::remove_dir_all(shop).unwrap();
        assert_eq!(folders.about(shop).repo_url.as_deref(), SHOP);
    }
}
