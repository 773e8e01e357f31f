//! URIs as VS Code writes them, and the paths they stand for.
//!
//! As text (`file:///c%3A/Users/x`, `vscode-remote://ssh-remote%2Bhost/home/u`) or as an object
//! (`{"$mid":1,"fsPath","external","path","scheme","authority"}`), of which `external` is the only
//! member that is never abbreviated; `fsPath` is there only if somebody had asked for it. Drive
//! letters come in both cases.

use crate::adapters::json::Json;

/// What a URI says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// The path on the machine it is on.
    pub(super) path: String,
    /// Scheme and authority of a place that is not the machine's own file system, decoded:
    /// `ssh-remote+host`, `github`.
    pub(super) remote: Option<String>,
    /// The folder outside of the container that a development container shows.
    pub(super) host_path: Option<String>,
}

/// Reads a URI in text form; a plain path is its own location.
pub(super) fn locate(text: &str) -> Option<Location> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return (!text.is_empty() && !text.starts_with("data:")).then(|| plain(drive(text)));
    };
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    of_parts(scheme, &decode(authority), &decode(path.split(['?', '#']).next().unwrap_or(path)))
}

/// A path as an argument has it, spelled as URIs are here.
pub(super) fn located(path: &str) -> String {
    locate(path).map_or_else(|| path.to_owned(), |l| l.path)
}

fn plain(path: String) -> Location {
    Location { path, remote: None, host_path: None }
}

fn of_parts(scheme: &str, authority: &str, path: &str) -> Option<Location> {
    if path.is_empty() {
        return None;
    }
    match scheme {
        "file" if authority.is_empty() => Some(plain(drive(path))),
        "file" => Some(plain(format!("\\\\{authority}{}", path.replace('/', "\\")))),
        "vscode-remote" | "vscode-vfs" | "vscode-test-web" => Some(Location {
            path: path.to_owned(),
            remote: Some(authority.split_once("+7b").map_or(authority, |(kind, _)| kind).to_owned()),
            host_path: authority.split_once('+').and_then(|(_, hex)| host_path(hex)),
        }),
        // Notebook cells, untitled and Git documents: the path is that of the file they show.
        "vscode-notebook-cell" | "untitled" | "git" | "vscode-userdata" => Some(plain(drive(path))),
        _ => Some(plain(format!("{scheme}://{authority}{path}"))),
    }
}

/// `/c:/x` and `c:\x` are `C:\x`.
fn drive(path: &str) -> String {
    let inner = path.strip_prefix('/').unwrap_or(path);
    let b = inner.as_bytes();
    if b.len() < 2 || b[1] != b':' || !b[0].is_ascii_alphabetic() || (b.len() > 2 && !matches!(b[2], b'/' | b'\\')) {
        return path.to_owned();
    }
    let mut out = inner.replace('/', "\\");
    out.get_mut(..1).into_iter().for_each(str::make_ascii_uppercase);
    out
}

/// Replaces `%41` by what it stands for; anything else stays.
pub(super) fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let byte = (bytes[at] == b'%').then(|| bytes.get(at + 1..at + 3).and_then(hex_byte)).flatten();
        out.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn hex_byte(two: &[u8]) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
    Some(digit(*two.first()?)? * 16 + digit(*two.get(1)?)?)
}

/// The folder in the hexadecimal authority of a development container: a path, or an object with
/// `hostPath`.
fn host_path(hex: &str) -> Option<String> {
    let hex = hex.split(['@', '+']).next()?;
    if hex.len() < 2 || !hex.len().is_multiple_of(2) {
        return None;
    }
    let bytes: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(hex_byte).collect();
    let text = String::from_utf8(bytes?).ok()?;
    if text.starts_with('{') {
        let value: serde_json::Value = serde_json::from_str(&text).ok()?;
        return value.get("hostPath").and_then(|p| p.as_str()).map(str::to_owned);
    }
    text.starts_with(['/', '\\']).then_some(text)
}

/// Path that a URI (object or text), or a `{uri, range}` location, stands for.
pub(super) fn path_of(value: Json<'_, '_>) -> Option<String> {
    if let Some(text) = value.as_str() {
        return locate(text).map(|l| l.path);
    }
    if !value.is_object() {
        return None;
    }
    if let Some(inner) = value.get("uri").or_else(|| value.get("location")) {
        return path_of(inner);
    }
    if let Some(external) = value.str_at("external") {
        return locate(external).map(|l| l.path);
    }
    let path = value.str_at("path").or_else(|| value.str_at("fsPath"))?;
    let authority = value.str_at("authority").unwrap_or_default();
    of_parts(value.str_at("scheme").unwrap_or("file"), authority, path).map(|l| l.path)
}

/// Last part of a path of any system.
pub(super) fn base_name(path: &str) -> &str {
    path.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trap_13_uris_become_paths_whatever_their_encoding() {
        let hex = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<String>();
        let object = format!("vscode-remote://dev-container%2B{}/workspaces/x", hex(r#"{"hostPath":"/home/u/x"}"#));
        let path = format!("vscode-remote://dev-container%2B{}/workspaces/y", hex("/home/u/y"));
        for (uri, path, remote, host) in [
            ("file:///home/u/My%20Proj", "/home/u/My Proj", None, None),
            ("file:///c%3A/Users/u/p", "C:\\Users\\u\\p", None, None),
            ("file:///D:/src", "D:\\src", None, None),
            ("file://server/share/x", "\\\\server\\share\\x", None, None),
            ("g:\\src\\x", "G:\\src\\x", None, None),
            ("/home/u", "/home/u", None, None),
            ("vscode-remote://ssh-remote%2Bhost/home/u/p", "/home/u/p", Some("ssh-remote+host"), None),
            ("vscode-remote://wsl%2Bubuntu/home/u", "/home/u", Some("wsl+ubuntu"), None),
            ("vscode-vfs://github/o/n", "/o/n", Some("github"), None),
            (&object, "/workspaces/x", Some("dev-container"), Some("/home/u/x")),
            (&path, "/workspaces/y", None, Some("/home/u/y")),
        ] {
            let found = locate(uri).unwrap();
            assert_eq!(found.path, path, "{uri}");
            assert_eq!(found.host_path.as_deref(), host, "{uri}");
            if remote.is_some() {
                assert_eq!(found.remote.as_deref(), remote, "{uri}");
            }
        }
        assert_eq!(locate("file://"), None);
        assert_eq!(decode("%zz%4"), "%zz%4");
    }
}
