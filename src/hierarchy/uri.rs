//! Which folder does an editor's URI name?
//!
//! Editors of VS Code's kind keep the folder of a workspace as a URI (`workspace.json`, chat
//! sessions, recent folders). Sources: VS Code's `URI.fsPath`, the remote authorities of its own
//! extensions (`ssh-remote+HOST`, `wsl+DISTRO`, `dev-container+HEX`, `attached-container+HEX`,
//! `codespaces+NAME`, `tunnel+NAME`), RFC 3986 for percent signs.

/// The folder that `uri` names, as a program that runs there would spell it; `None` when it names none.
///
/// - a local Windows folder comes with backslashes and a large drive letter, a share as `\\server\share`
/// - a folder on a remote machine is the path there; a container's is the folder on the host that it was
///   opened from, where the URI tells
/// - a `.code-workspace` file stands for the folder that it lies in
/// - a plain path is taken as it is
///
/// ```
/// use devlog::hierarchy::uri::folder;
/// assert_eq!(folder("file:///c%3A/Users/me/shop").as_deref(), Some(r"C:\Users\me\shop"));
/// assert_eq!(folder("vscode-remote://ssh-remote%2Bbox/srv/shop").as_deref(), Some("/srv/shop"));
/// assert_eq!(folder("vscode-vfs://github/acme/shop"), None);
/// ```
#[must_use]
pub fn folder(uri: &str) -> Option<String> {
    let uri = uri.trim();
    let Some((scheme, rest)) = uri.split_once("://") else { return plain_path(uri) };
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let (authority, path) = (decoded(authority), decoded(path));
    let found = match scheme.to_ascii_lowercase().as_str() {
        "file" => local(&authority, &path),
        "vscode-remote" => remote(&authority, &path),
        _ => None,
    }?;
    own_folder(&found)
}

/// The repository that a folder without a disk stands for: `vscode-vfs://github/acme/shop` is
/// `https://github.com/acme/shop`.
#[must_use]
pub fn repository(uri: &str) -> Option<String> {
    let rest = uri.trim().strip_prefix("vscode-vfs://")?;
    let (authority, path) = rest.split_once('/')?;
    let (authority, path) = (decoded(authority), decoded(path));
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    // The authority may go on with a branch or commit: `github+7b22…`.
    match authority.split('+').next()? {
        "github" => Some(format!("https://github.com/{}/{}", parts.next()?, parts.next()?)),
        "gitlab" => Some(format!("https://gitlab.com/{}/{}", parts.next()?, parts.next()?)),
        "azurerepos" => {
            Some(format!("https://dev.azure.com/{}/{}/_git/{}", parts.next()?, parts.next()?, parts.next()?))
        }
        _ => None,
    }
}

fn plain_path(text: &str) -> Option<String> {
    let absolute = text.starts_with(['/', '\\', '~']) || drive(text).is_some();
    absolute.then(|| own_folder(text)).flatten()
}

/// A path of this machine, or of a share.
fn local(authority: &str, path: &str) -> Option<String> {
    if !authority.is_empty() && authority != "localhost" {
        return Some(format!(r"\\{authority}{}", path.replace('/', r"\")));
    }
    match path.strip_prefix('/').and_then(drive) {
        Some((letter, rest)) => Some(format!("{letter}:{}", rest.replace('/', r"\"))),
        None => (!path.is_empty()).then(|| path.to_owned()),
    }
}

/// A path of another machine.
fn remote(authority: &str, path: &str) -> Option<String> {
    let (kind, name) = authority.split_once('+').unwrap_or((authority, ""));
    if kind == "dev-container"
        && let Some(host) = host_folder(name)
    {
        return Some(host);
    }
    let there = path.strip_prefix('/').and_then(drive);
    match there {
        // Windows behind a tunnel or SSH.
        Some((letter, rest)) => Some(format!("{letter}:{}", rest.replace('/', r"\"))),
        None => (!path.is_empty()).then(|| path.to_owned()),
    }
}

/// The folder on the host that a container was opened from: hexadecimal of a path, or of a JSON object
/// with `hostPath`. A further authority may follow (`…@ssh-remote+box`).
fn host_folder(name: &str) -> Option<String> {
    let hex = name.split('@').next()?;
    let bytes: Vec<u8> = hex.as_bytes().chunks(2).map(hex_byte).collect::<Option<_>>()?;
    let text = String::from_utf8(bytes).ok()?;
    if !text.starts_with('{') {
        return plain_path(&text);
    }
    let value: serde_json::Value = serde_json::from_str(&text).ok()?;
    let path = value.get("hostPath").or_else(|| value.get("localFolder"))?;
    plain_path(path.as_str()?)
}

/// What stands for a folder: a workspace file stands for the one it lies in, an unsaved workspace for
/// none; no separator at the end.
fn own_folder(path: &str) -> Option<String> {
    let is_separator = |c: char| matches!(c, '/' | '\\');
    let mut folder = path;
    if let Some((parent, name)) = path.rsplit_once(is_separator) {
        if name.ends_with(".code-workspace") {
            folder = parent;
        } else if name == "workspace.json" && parent.split(is_separator).any(|part| part == "Workspaces") {
            return None;
        }
    }
    let short = folder.trim_end_matches(is_separator);
    match short {
        "" => Some("/".to_owned()).filter(|_| path.starts_with(is_separator)),
        drive if drive.ends_with(':') => Some(format!(r"{drive}\")),
        short => Some(short.to_owned()),
    }
}

/// A drive letter, large, and what follows its colon.
fn drive(path: &str) -> Option<(char, &str)> {
    let (letter, rest) = path.split_once(':')?;
    let mut letters = letter.chars();
    let letter = letters.next().filter(char::is_ascii_alphabetic)?;
    let whole = letters.next().is_none() && (rest.is_empty() || rest.starts_with(['/', '\\']));
    whole.then(|| (letter.to_ascii_uppercase(), rest))
}

/// `text` with its percent escapes undone, twice where an escape was escaped again (`%253A`); what is no
/// escape stays.
fn decoded(text: &str) -> String {
    let once = unescaped(text);
    if text.contains("%25") && escapes(&once) { unescaped(&once) } else { once }
}

fn escapes(text: &str) -> bool {
    ["%3A", "%3a", "%2B", "%2b", "%20"].iter().any(|escape| text.contains(escape))
}

fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'%').then(|| after.get(..2).and_then(hex_byte)).flatten();
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hex_byte(pair: &[u8]) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    let [high, low] = pair else { return None };
    u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hex(text: &str) -> String {
        text.bytes().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn every_kind_of_uri_names_its_folder() {
        for (uri, expected) in [
            ("file:///home/me/shop", Some("/home/me/shop")),
            ("file:///home/me/shop/", Some("/home/me/shop")),
            ("file:///home/me/my%20shop%2Bx/%C3%A4", Some("/home/me/my shop+x/ä")),
            ("file:///c%3A/Users/me/shop", Some(r"C:\Users\me\shop")),
            ("file:///C:/Users/me/shop", Some(r"C:\Users\me\shop")),
            ("file:///d%253A/shop", Some(r"D:\shop")),
            ("file:///c%3A/", Some(r"C:\")),
            ("file://server/share/shop", Some(r"\\server\share\shop")),
            ("file://wsl.localhost/Ubuntu/home/me/shop", Some(r"\\wsl.localhost\Ubuntu\home\me\shop")),
            ("file:///", Some("/")),
            ("file:///home/me/100%25/x", Some("/home/me/100%/x")),
            ("file:///home/me/50%/x", Some("/home/me/50%/x")),
            ("vscode-remote://ssh-remote%2Bbox/srv/shop", Some("/srv/shop")),
            ("vscode-remote://ssh-remote+7b22686f73744e616d65223a22626f78227d/srv/shop", Some("/srv/shop")),
            ("vscode-remote://wsl%2Bubuntu/home/me/shop", Some("/home/me/shop")),
            ("vscode-remote://codespaces%2Bname/workspaces/shop", Some("/workspaces/shop")),
            ("vscode-remote://tunnel%2Bbox/c:/Users/me/shop", Some(r"C:\Users\me\shop")),
            ("vscode-remote://attached-container%2B7b7d/app", Some("/app")),
            ("vscode-remote://dev-container%2Bzz/workspaces/shop", Some("/workspaces/shop")),
            ("file:///home/me/all.code-workspace", Some("/home/me")),
            ("file:///home/me/.config/Code/Workspaces/17/workspace.json", None),
            ("/home/me/shop", Some("/home/me/shop")),
            (r"c:\Users\me\shop\", Some(r"c:\Users\me\shop")),
            ("vscode-vfs://github/acme/shop", None),
            ("untitled:Untitled-1", None),
            ("vscode-userdata:/home/me/x", None),
            ("shop", None),
            ("file://", None),
            ("", None),
        ] {
            assert_eq!(folder(uri).as_deref(), expected, "{uri}");
        }
    }

    #[test]
    fn a_container_is_the_folder_on_its_host() {
        let object = hex(r#"{"hostPath":"/home/me/shop","localDocker":false,"settings":{"context":"desktop"}}"#);
        let windows = hex(r#"{"hostPath":"c:\\Users\\me\\shop"}"#);
        for (name, expected) in [
            (hex("/home/me/shop"), "/home/me/shop"),
            (object.clone(), "/home/me/shop"),
            (format!("{object}%40ssh-remote%2Bbox"), "/home/me/shop"),
            (windows, r"c:\Users\me\shop"),
        ] {
            let uri = format!("vscode-remote://dev-container%2B{name}/workspaces/shop");
            assert_eq!(folder(&uri).as_deref(), Some(expected), "{uri}");
        }
    }

    #[test]
    fn a_folder_without_a_disk_stands_for_a_repository() {
        for (uri, expected) in [
            ("vscode-vfs://github/acme/shop", Some("https://github.com/acme/shop")),
            ("vscode-vfs://github%2B7b7d/acme/shop/src", Some("https://github.com/acme/shop")),
            ("vscode-vfs://azurerepos/acme/team/shop", Some("https://dev.azure.com/acme/team/_git/shop")),
            ("vscode-vfs://github/acme", None),
            ("vscode-vfs://other/a/b", None),
            ("file:///home/me", None),
        ] {
            assert_eq!(repository(uri).as_deref(), expected, "{uri}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(uri in "(file://|vscode-remote://|vscode-vfs://)?(\\PC|%[0-9a-f]{0,2}){0,40}") {
            let _any = (folder(&uri), repository(&uri));
        }
    }
}
