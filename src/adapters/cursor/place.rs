//! Where and when: folders out of URIs and paths, times out of numbers and texts.

use crate::adapters::json::Json;
use crate::adapters::line::Parser;
use crate::adapters::time;

/// Earliest time that is one (2001-09-09, microseconds since 1970): smaller numbers are durations.
const EARLIEST_US: i64 = 1_000_000_000_000_000;

/// Microseconds since 1970 of a time as Cursor writes it: milliseconds, with or without a fraction, as a
/// number or a text, or an ISO text.
pub(super) fn time_us(value: Json<'_, '_>) -> Option<i64> {
    let us = match value.as_str() {
        Some(text) => time::rfc3339_us(text).or_else(|| number_us(text.trim().parse().ok()?))?,
        None => number_us(value.as_f64()?)?,
    };
    (us >= EARLIEST_US).then_some(us)
}

fn number_us(number: f64) -> Option<i64> {
    if !(1.0..1e18).contains(&number) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the range is checked above")]
    Some(if (1e11..1e14).contains(&number) { (number * 1000.0).round() as i64 } else { time::unix_us(number as i64) })
}

/// Time at the first of `keys` that has one.
pub(super) fn first_time_us(object: Json<'_, '_>, keys: &[&str]) -> Option<i64> {
    keys.iter().find_map(|key| time_us(object.get(key)?))
}

/// Path of a folder or file that is named by a URI or by a path; `None` for what lies on no file system.
pub(super) fn path_of(uri: &str) -> Option<String> {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return (!uri.trim().is_empty()).then(|| uri.to_owned());
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, path) = (percent_decoded(host), percent_decoded(path));
    match scheme {
        "file" => local(&host, path),
        "vscode-remote" | "cursor-remote" => Some(path),
        _ => None,
    }
    .filter(|path| !path.is_empty())
}

fn local(host: &str, path: String) -> Option<String> {
    // A distribution of the Windows Subsystem for Linux is the first folder of that host.
    if host == "wsl.localhost" || host == "wsl$" {
        let inside = path.trim_start_matches('/');
        return inside.find('/').and_then(|at| inside.get(at..)).map(str::to_owned);
    }
    if !host.is_empty() && host != "localhost" {
        return Some(format!("//{host}{path}"));
    }
    let bytes = path.as_bytes();
    let drive = bytes.len() >= 3 && bytes[0] == b'/' && bytes[1].is_ascii_alphabetic() && bytes[2] == b':';
    if drive { path.get(1..).map(|path| path.replace('/', "\\")) } else { Some(path) }
}

fn percent_decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok()).filter(|_| byte == b'%');
        match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(byte);
                rest = after;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

/// Folder in a URI that is a text, or an object with `fsPath`, `path` or `external`.
pub(super) fn uri_path(value: Json<'_, '_>) -> Option<String> {
    if let Some(text) = value.as_filled_str() {
        return path_of(text);
    }
    let own = value.str_at("fsPath").map(str::to_owned);
    own.or_else(|| value.str_at("external").and_then(path_of)).or_else(|| value.str_at("path").and_then(path_of))
}

/// Folder of an editor's workspace, out of its `workspace.json`. A workspace of several folders has
/// none.
pub(super) fn workspace_folder(json_text: &str) -> Option<String> {
    let mut folder = None;
    let seen = Parser::default().each(json_text.as_bytes(), |json| folder = json.get("folder").and_then(uri_path));
    seen.ok().and(folder)
}

/// Id of the workspace whose database lies at `path`.
pub(super) fn workspace_id(path: &str) -> Option<&str> {
    let mut parts = path.rsplit(['/', '\\']).skip(1);
    let id = parts.next()?;
    (parts.next()? == "workspaceStorage").then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_of_any_system_becomes_a_path() {
        for (uri, path) in [
            ("file:///home/me/my%20shop", Some("/home/me/my shop")),
            ("file:///c%3A/Users/me/shop", Some(r"c:\Users\me\shop")),
            ("file://wsl.localhost/Ubuntu/home/me/shop", Some("/home/me/shop")),
            ("file://server/share/shop", Some("//server/share/shop")),
            ("vscode-remote://ssh-remote%2B7b2268/srv/shop", Some("/srv/shop")),
            ("vscode-remote://wsl+ubuntu/home/me/shop", Some("/home/me/shop")),
            ("vscode-vfs://github/acme/shop", None),
            ("/home/me/shop", Some("/home/me/shop")),
            ("", None),
            ("file://", None),
            ("file:///%zz%2", Some("/%zz%2")),
        ] {
            assert_eq!(path_of(uri).as_deref(), path, "{uri}");
        }
        assert_eq!(workspace_folder(r#"{"folder":"file:///w/a"}"#).as_deref(), Some("/w/a"));
        assert_eq!(workspace_folder(r#"{"workspace":"file:///w/a.code-workspace"}"#), None);
        assert_eq!(workspace_id("/u/workspaceStorage/0a1b/state.vscdb"), Some("0a1b"));
        assert_eq!(workspace_id("/u/globalStorage/state.vscdb"), None);
    }

    #[test]
    fn times_are_numbers_or_texts_and_durations_are_none() {
        let of = |text: &str| {
            let mut us = None;
            Parser::default().each(text.as_bytes(), |json| us = time_us(json)).unwrap();
            us
        };
        assert_eq!(of("1700000000123"), Some(1_700_000_000_123_000));
        assert_eq!(of("1700000000123.456"), Some(1_700_000_000_123_456));
        assert_eq!(of("\"2023-11-14T22:13:20.123Z\""), Some(1_700_000_000_123_000));
        assert_eq!(of("\"1700000000123\""), Some(1_700_000_000_123_000));
        for nothing in ["0", "12345.5", "-1", "null", "\"soon\"", "1e300", "{}"] {
            assert_eq!(of(nothing), None, "{nothing}");
        }
    }
}
