//! What the small files of a `.git` say. Pure text; whoever has the files hands them in.
//!
//! Sources: `gitrepository-layout`, `git-config` (syntax of values), `git-clone` (forms of remotes).

/// The remote called `origin` in the text of a `config`, exactly as it stands there.
///
/// ```
/// use devlog::hierarchy::git::origin;
/// let config = "[core]\n\tbare = false\n[remote \"origin\"]\n\turl = git@github.com:acme/shop.git\n";
/// assert_eq!(origin(config).as_deref(), Some("git@github.com:acme/shop.git"));
/// ```
#[must_use]
pub fn origin(config: &str) -> Option<String> {
    let mut in_origin = false;
    for line in config.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            // A key may follow on the same line.
            let (name, rest) = section.split_once(']').unwrap_or((section, ""));
            in_origin = is_origin(name);
            if let Some(url) = url_of(rest.trim()).filter(|_| in_origin) {
                return Some(url);
            }
        } else if let Some(url) = url_of(line).filter(|_| in_origin) {
            return Some(url);
        }
    }
    None
}

fn is_origin(section: &str) -> bool {
    let Some((kind, name)) = section.trim().split_once(|c: char| c.is_whitespace() || c == '.') else { return false };
    kind.eq_ignore_ascii_case("remote") && name.trim().trim_matches('"') == "origin"
}

fn url_of(line: &str) -> Option<String> {
    let (key, value) = line.split_once('=')?;
    if !key.trim().eq_ignore_ascii_case("url") {
        return None;
    }
    let mut out = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for c in value.trim().chars() {
        match c {
            _ if escaped => {
                out.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '#' | ';' if !quoted => break,
            c => out.push(c),
        }
    }
    let url = out.trim();
    (!url.is_empty()).then(|| url.to_owned())
}

/// Where a `.git` file leads: the rest of its line `gitdir: PATH`. Worktrees and submodules have such
/// files; a relative path starts at the folder of the file.
#[must_use]
pub fn gitdir(dot_git: &str) -> Option<&str> {
    let path = dot_git.lines().next()?.strip_prefix("gitdir:")?.trim();
    (!path.is_empty()).then_some(path)
}

/// A remote as https URL, without credentials, port, `.git` and slashes at the end; `None` for remotes
/// that are folders.
///
/// ```
/// use devlog::hierarchy::git::https;
/// assert_eq!(https("git@github.com:acme/shop.git").as_deref(), Some("https://github.com/acme/shop"));
/// assert_eq!(https("https://me:secret@git.acme.org/shop/api").as_deref(), Some("https://git.acme.org/shop/api"));
/// assert_eq!(https("/srv/git/shop.git"), None);
/// ```
#[must_use]
pub fn https(remote: &str) -> Option<String> {
    let remote = remote.trim();
    let (host, path) = match remote.split_once("://") {
        Some(("http" | "https" | "ssh" | "git" | "git+ssh" | "ssh+git" | "git+https", rest)) => {
            let (authority, path) = rest.split_once('/')?;
            // A port of ssh means nothing to https.
            (authority.rsplit('@').next()?.split(':').next()?, path)
        }
        Some(_) => return None,
        None => {
            let (authority, path) = remote.split_once(':')?;
            // One letter is a drive; a slash before the colon makes it a path.
            let host = authority.rsplit('@').next().filter(|host| host.len() > 1 && !host.contains(['/', '\\']))?;
            if path.starts_with(':') {
                return None;
            }
            (host, path)
        }
    };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/');
    if host.is_empty() || path.is_empty() {
        return None;
    }
    // Azure names one repository by two paths.
    if let Some(azure) = path.strip_prefix("v3/").filter(|_| host.eq_ignore_ascii_case("ssh.dev.azure.com"))
        && let Some((project, name)) = azure.rsplit_once('/')
    {
        return Some(format!("https://dev.azure.com/{project}/_git/{name}"));
    }
    Some(format!("https://{}/{path}", host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_origin_is_found_in_every_way_that_git_writes_it() {
        for (config, expected) in [
            ("[remote \"origin\"]\n\turl = https://h/a/b\n\tfetch = +refs/heads/*:x\n", Some("https://h/a/b")),
            (
                "[remote \"up\"]\n\turl = https://h/u/b\n[remote \"origin\"]\n\turl=\"https://h/a b\"\n",
                Some("https://h/a b"),
            ),
            ("[Remote \"origin\"] URL = h:a/b ; mine\n", Some("h:a/b")),
            ("[remote.origin]\nurl = h:a/b # old syntax\n", Some("h:a/b")),
            ("[remote \"origin\"]\r\n\turl = h:a/b\r\n", Some("h:a/b")),
            ("[remote \"origin\"]\n\tpushurl = h:p/b\n\turl = h:a/b\n\turl = h:c/d\n", Some("h:a/b")),
            ("[remote \"Origin\"]\n\turl = h:a/b\n", None),
            ("[branch \"origin\"]\n\turl = h:a/b\n", None),
            ("[remote \"origin\"]\n\turl =\n[core]\n\turl = h:a/b\n", None),
            ("[core]\n\trepositoryformatversion = 0\n", None),
            ("", None),
        ] {
            assert_eq!(origin(config).as_deref(), expected, "{config}");
        }
    }

    #[test]
    fn remotes_become_https_without_credentials() {
        for (remote, expected) in [
            ("https://github.com/acme/shop.git", Some("https://github.com/acme/shop")),
            ("https://GitHub.com/acme/Shop/", Some("https://github.com/acme/Shop")),
            ("https://x-access-token:ghs_1@github.com/acme/shop.git/", Some("https://github.com/acme/shop")),
            ("http://git.acme.org:3000/acme/shop", Some("https://git.acme.org/acme/shop")),
            ("ssh://git@git.acme.org:2222/acme/shop.git", Some("https://git.acme.org/acme/shop")),
            ("git@gitlab.com:group/sub/shop.git", Some("https://gitlab.com/group/sub/shop")),
            ("work:acme/shop", Some("https://work/acme/shop")),
            ("git@host:/srv/git/shop.git", Some("https://host/srv/git/shop")),
            ("git://git.kernel.org/pub/linux.git", Some("https://git.kernel.org/pub/linux")),
            ("git@ssh.dev.azure.com:v3/acme/team/shop", Some("https://dev.azure.com/acme/team/_git/shop")),
            ("https://acme@dev.azure.com/acme/team/_git/shop", Some("https://dev.azure.com/acme/team/_git/shop")),
            ("file:///srv/git/shop.git", None),
            ("/srv/git/shop.git", None),
            ("../shop", None),
            ("./a:b", None),
            (r"C:\git\shop", None),
            ("codecommit::eu-west-1://shop", None),
            ("https://github.com", None),
            ("https://github.com/", None),
            ("https:///a/b", None),
            ("", None),
        ] {
            assert_eq!(https(remote).as_deref(), expected, "{remote}");
        }
    }

    #[test]
    fn a_git_file_leads_elsewhere() {
        assert_eq!(gitdir("gitdir: /srv/shop/.git/worktrees/fix\n"), Some("/srv/shop/.git/worktrees/fix"));
        assert_eq!(gitdir("gitdir: ../.git/modules/lib\r\n"), Some("../.git/modules/lib"));
        assert_eq!(gitdir("gitdir:\n"), None);
        assert_eq!(gitdir("rubbish"), None);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_no_credential_survives(text in "\\PC{0,60}", user in "[a-z]{1,8}:[a-z0-9]{1,8}") {
            let _any = (origin(&text), https(&text), gitdir(&text));
            let url = https(&format!("https://{user}@github.com/acme/shop")).unwrap();
            prop_assert_eq!(url, "https://github.com/acme/shop");
        }
    }
}
