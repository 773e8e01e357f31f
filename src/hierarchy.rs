//! Which project does an event belong to?
//!
//! Pure text: no files. A git remote names the project (`owner/name`); without one the working folder
//! does. Worktrees below `.claude/worktrees` and `.worktrees` belong to the folder that those stand in.
//!
//! - [`project`] takes a piece out of a text, without allocation: it is asked for many rows
//! - [`git`] reads the texts that git keeps in a folder; whoever has the files hands them in
//! - [`uri`] reads the folders that editors keep as URIs

pub mod git;
pub mod uri;

/// Project of an event: the last two parts of `repo_url`, else the name of its folder.
///
/// `launch_slug` is the folder an agent was started in with every character but ASCII letters and digits
/// as `-`. When `cwd` is below that folder, it names the project: who enters `src` does not change
/// the project.
#[must_use]
pub fn project<'a>(repo_url: Option<&'a str>, cwd: Option<&'a str>, launch_slug: Option<&str>) -> Option<&'a str> {
    repo_url.and_then(owner_and_name).or_else(|| cwd.and_then(|cwd| folder(cwd, launch_slug)))
}

/// The slug of the launch folder in the path of a log: what follows `projects` in
/// `…/projects/-home-me-shop/….jsonl`.
#[must_use]
pub fn launch_slug(log_path: &str) -> Option<&str> {
    let mut parts = log_path.split(is_separator).skip_while(|part| *part != "projects").skip(1);
    let slug = parts.next().filter(|slug| !slug.is_empty())?;
    parts.next().map(|_| slug)
}

/// `owner/name` out of a remote: the last two parts of its path, without `.git`.
fn owner_and_name(url: &str) -> Option<&str> {
    let url = url.trim_end_matches('/');
    let url = url.strip_suffix(".git").unwrap_or(url);
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => url.split_once(':')?.1,
    };
    let (parent, name) = path.rsplit_once('/')?;
    let owner_at = parent.rfind('/').map_or(0, |at| at + 1);
    path.get(owner_at..).filter(|_| owner_at < parent.len() && !name.is_empty())
}

fn folder<'a>(cwd: &'a str, launch_slug: Option<&str>) -> Option<&'a str> {
    last_part(start_folder(cwd, launch_slug))
}

/// The folder that stands for `cwd`: the one the agent was started in when `cwd` is below it, else the
/// one that a worktree stands in, else `cwd` itself.
#[must_use]
pub fn start_folder<'a>(cwd: &'a str, launch_slug: Option<&str>) -> &'a str {
    let cwd = own_folder(cwd);
    let launched = launch_slug.and_then(|slug| {
        let ends = cwd.char_indices().filter(|(_, c)| is_separator(*c)).map(|(at, _)| at);
        ends.chain([cwd.len()]).filter_map(|end| cwd.get(..end)).find(|folder| has_slug(folder, slug))
    });
    launched.unwrap_or(cwd)
}

/// The folder that a worktree stands in.
fn own_folder(cwd: &str) -> &str {
    let places = ["/.claude/worktrees/", "/.worktrees/", "\\.claude\\worktrees\\", "\\.worktrees\\"];
    places.iter().find_map(|place| cwd.split_once(place)).map_or(cwd, |(folder, _)| folder)
}

/// The last part of a path; a root or a drive has none.
fn last_part(path: &str) -> Option<&str> {
    let name = path.trim_end_matches(is_separator).rsplit(is_separator).next()?;
    (!name.is_empty() && !name.ends_with(':') && name != "~").then_some(name)
}

/// True when `slug` is `folder` with `-` for every UTF-16 unit that is no ASCII letter or digit.
fn has_slug(folder: &str, slug: &str) -> bool {
    let mut rest = slug.bytes();
    let same = folder.chars().all(|c| {
        let plain = c.is_ascii_alphanumeric();
        (0..c.len_utf16()).all(|_| rest.next().is_some_and(|b| if plain { c == char::from(b) } else { b == b'-' }))
    });
    same && rest.next().is_none()
}

const fn is_separator(c: char) -> bool {
    matches!(c, '/' | '\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remote_names_owner_and_name() {
        for (url, name) in [
            ("https://github.com/acme/shop", Some("acme/shop")),
            ("https://github.com/acme/shop.git", Some("acme/shop")),
            ("git@github.com:acme/shop.git", Some("acme/shop")),
            ("ssh://git@git.example.org:2222/acme/shop.git/", Some("acme/shop")),
            ("https://gitlab.com/group/sub/shop", Some("sub/shop")),
            ("https://github.com/shop", None),
            ("https://github.com//shop", None),
            ("", None),
        ] {
            assert_eq!(project(Some(url), None, None), name, "{url}");
        }
    }

    #[test]
    fn without_a_remote_the_folder_names_the_project() {
        for (cwd, name) in [
            ("/home/me/shop", Some("shop")),
            ("/home/me/shop/", Some("shop")),
            (r"C:\Users\me\shop", Some("shop")),
            ("C:/Users/me/shop", Some("shop")),
            ("/home/me/shop/.claude/worktrees/fix-1/src", Some("shop")),
            (r"C:\shop\.claude\worktrees\fix-1", Some("shop")),
            ("/home/me/shop/.worktrees/4", Some("shop")),
            ("shop", Some("shop")),
            ("/", None),
            (r"C:\", None),
            ("", None),
        ] {
            assert_eq!(project(None, Some(cwd), None), name, "{cwd}");
        }
        assert_eq!(project(Some("/srv/git/shop"), Some("/home/me/garden"), None), Some("garden"), "a local remote");
    }

    #[test]
    fn entering_a_folder_below_does_not_change_the_project() {
        let in_shop = |cwd| project(None, Some(cwd), Some("-home-me-my-shop"));
        assert_eq!(in_shop("/home/me/my.shop/src/api"), Some("my.shop"));
        assert_eq!(in_shop("/home/me/my_shop"), Some("my_shop"));
        assert_eq!(in_shop("/home/me/my/shop"), Some("shop"));
        assert_eq!(in_shop("/home/me/my.shopping/src"), Some("src"), "another folder");
        assert_eq!(in_shop("/srv/other"), Some("other"), "somewhere else");
        assert_eq!(project(None, Some(r"C:\Users\me\shop\src"), Some("C--Users-me-shop")), Some("shop"));
        assert_eq!(project(None, Some("/home/jürgen/𝒳/src"), Some("-home-j-rgen---")), Some("𝒳"));
    }

    #[test]
    fn the_slug_stands_behind_projects_in_the_path_of_a_log() {
        assert_eq!(launch_slug("/home/me/.claude/projects/-home-me-shop/s.jsonl"), Some("-home-me-shop"));
        assert_eq!(launch_slug("/m/projects/-a/s/subagents/agent-1.jsonl"), Some("-a"));
        assert_eq!(launch_slug(r"C:\Users\me\.claude\projects\C--shop\s.jsonl"), Some("C--shop"));
        assert_eq!(launch_slug("/home/me/.claude/projects/s.jsonl"), None);
        assert_eq!(launch_slug("/home/me/.codex/sessions/2026/r.jsonl"), None);
    }
}
