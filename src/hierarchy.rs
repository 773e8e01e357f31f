//! Which project does an event belong to?
//!
//! Pure text: no files. A git remote names the project (`owner/name`); without one the folder does that the
//! session was started in. Worktrees below `.claude/worktrees` and `.worktrees` belong to the folder that
//! those stand in; those that Cursor and Codex keep in the home belong to the project that their path names.
//!
//! - [`project`] takes a piece out of a text, without allocation: it is asked for many rows
//! - [`git`] reads the texts that git keeps in a folder; whoever has the files hands them in
//! - [`uri`] reads the folders that editors keep as URIs

pub mod git;
pub mod uri;

/// Project of an event: the last two parts of `repo_url`, else the name of its folder.
#[must_use]
pub fn project<'a>(repo_url: Option<&'a str>, folder: Option<&'a str>) -> Option<&'a str> {
    repo_url.and_then(owner_and_name).or_else(|| folder.and_then(last_part))
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

/// The folder that an agent was started in, when `cwd` is that folder or below it; `slug` is the folder
/// with every character but ASCII letters and digits as `-`.
#[must_use]
pub fn launched<'a>(cwd: &'a str, slug: &str) -> Option<&'a str> {
    around(own_folder(cwd)).filter(|folder| has_slug(folder, slug)).last()
}

/// The folder that a worktree stands for; any other folder stands for itself.
#[must_use]
pub fn own_folder(cwd: &str) -> &str {
    let inside = ["/.claude/worktrees/", "/.worktrees/", "\\.claude\\worktrees\\", "\\.worktrees\\"];
    if let Some((folder, _)) = inside.iter().find_map(|place| cwd.split_once(place)) {
        return folder;
    }
    // In the home: …/<project>/<name>, and …/<name>/<project>.
    let kept = [
        ("/.cursor/worktrees/", 1),
        ("\\.cursor\\worktrees\\", 1),
        ("/.codex/worktrees/", 2),
        ("\\.codex\\worktrees\\", 2),
    ];
    let cut = kept.iter().find_map(|(place, parts)| {
        let start = cwd.find(place)? + place.len();
        let ends = cwd.char_indices().filter(|(at, c)| *at >= start && is_separator(*c)).map(|(at, _)| at);
        cwd.get(..ends.chain([cwd.len()]).nth(parts - 1)?)
    });
    cut.unwrap_or(cwd)
}

/// `folder` and those above it, the nearest first.
pub fn around(folder: &str) -> impl Iterator<Item = &str> {
    let folder = folder.trim_end_matches(is_separator);
    let ends = folder.char_indices().rev().filter(|(_, c)| is_separator(*c)).map(|(at, _)| at);
    [folder.len()].into_iter().chain(ends).filter_map(|end| folder.get(..end)).filter(|folder| !folder.is_empty())
}

/// True when `folder` is `top` or lies below it.
#[must_use]
pub fn is_within(folder: &str, top: &str) -> bool {
    let top = top.trim_end_matches(is_separator);
    folder.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with(is_separator))
}

/// True for a folder that holds projects and is none itself: a home, what homes are in, a root.
#[must_use]
pub fn is_home(folder: &str) -> bool {
    let parts: Vec<&str> = folder.split(is_separator).filter(|part| !part.is_empty() && !part.ends_with(':')).collect();
    matches!(parts[..], [] | ["~"] | ["root" | "home" | "Users"] | ["home" | "Users", _])
}

/// The last part of a path; a root or a drive has none.
fn last_part(path: &str) -> Option<&str> {
    let name = path.trim_end_matches(is_separator).rsplit(is_separator).next()?;
    (!name.is_empty() && !name.ends_with(':') && name != "~").then_some(name)
}

/// True when `slug` is `folder` with `-` for every UTF-16 unit that is no ASCII letter or digit.
#[must_use]
pub fn has_slug(folder: &str, slug: &str) -> bool {
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
            assert_eq!(project(Some(url), None), name, "{url}");
        }
    }

    #[test]
    fn without_a_remote_the_folder_names_the_project_and_a_worktree_is_its_folder() {
        for (cwd, name) in [
            ("/home/me/shop", Some("shop")),
            ("/home/me/shop/", Some("shop")),
            (r"C:\Users\me\shop", Some("shop")),
            ("C:/Users/me/shop", Some("shop")),
            ("/home/me/shop/.claude/worktrees/fix-1/src", Some("shop")),
            (r"C:\shop\.claude\worktrees\fix-1", Some("shop")),
            ("/home/me/shop/.worktrees/4", Some("shop")),
            ("/home/me/.cursor/worktrees/shop/x1/src", Some("shop")),
            ("/home/me/.codex/worktrees/a1b2/shop/src/api", Some("shop")),
            ("/home/me/.codex/worktrees/a1b2", Some("a1b2")),
            ("shop", Some("shop")),
            ("/", None),
            (r"C:\", None),
            ("", None),
        ] {
            assert_eq!(project(None, Some(own_folder(cwd))), name, "{cwd}");
        }
        assert_eq!(project(Some("/srv/git/shop"), Some("/home/me/garden")), Some("garden"), "a local remote");
    }

    #[test]
    fn a_slug_finds_the_folder_that_an_agent_was_started_in() {
        let shop = |cwd| launched(cwd, "-home-me-my-shop");
        assert_eq!(shop("/home/me/my.shop/src/api"), Some("/home/me/my.shop"));
        assert_eq!(shop("/home/me/my_shop"), Some("/home/me/my_shop"));
        assert_eq!(shop("/home/me/my/shop/.claude/worktrees/x/src"), Some("/home/me/my/shop"));
        assert_eq!(shop("/home/me/my.shopping/src"), None, "another folder");
        assert_eq!(shop("/srv/other"), None, "somewhere else");
        assert_eq!(launched(r"C:\Users\me\shop\src", "C--Users-me-shop"), Some(r"C:\Users\me\shop"));
        assert_eq!(launched("/home/jürgen/𝒳/src", "-home-j-rgen---"), Some("/home/jürgen/𝒳"));
    }

    #[test]
    fn folders_lie_in_those_above_them() {
        assert_eq!(around("/w/shop/src/").collect::<Vec<_>>(), ["/w/shop/src", "/w/shop", "/w"]);
        assert_eq!(around(r"C:\shop\src").collect::<Vec<_>>(), [r"C:\shop\src", r"C:\shop", "C:"]);
        assert!(is_within("/w/shop", "/w/shop") && is_within("/w/shop/src", "/w/shop/"));
        assert!(!is_within("/w/shopping", "/w/shop") && !is_within("/w", "/w/shop"));
    }

    #[test]
    fn a_home_is_no_project() {
        for home in ["/", "", "~", "/root", "/home", "/home/me/", "/Users/me", r"C:\Users\me", r"C:\"] {
            assert!(is_home(home), "{home}");
        }
        for other in ["/w", "/home/me/shop", "/srv/shop", r"C:\shop", "shop"] {
            assert!(!is_home(other), "{other}");
        }
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
