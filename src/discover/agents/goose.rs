//! Where Goose logs, and how its logs are known.

use crate::config::Os;
use crate::discover::head::{Head, Shape};
use crate::discover::pattern::{Files, log};
use crate::discover::table::{ANY, Layout, Row, Start, UNIX, row};
use crate::schema::Format;

/// The folder of sessions.
const FILES: Files = Files {
    folders: &[""],
    files: &[],
    skip_dirs: &[],
    patterns: &[log("sessions.db", Format::GooseStore), log("*.jsonl", Format::GooseSession)],
};

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("goose", Layout::Files(&FILES), ANY, Start::List("GOOSE_PATH_ROOT"), "data/sessions"),
    row("goose", Layout::Files(&FILES), UNIX, Start::XdgData, "goose/sessions"),
    row("goose", Layout::Files(&FILES), &[Os::Windows], Start::Known("APPDATA", "AppData/Roaming"),
        "Block/goose/data/sessions"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    match head.shape {
        Shape::Database if head.has_table("messages") && head.contains("content_json") => Some(Format::GooseStore),
        // The first line of a session.
        Shape::Object if head.has(&["working_dir"]) && (head.has(&["message_count"]) || head.has(&["description"])) => {
            Some(Format::GooseSession)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Places;
    use crate::discover::places::roots;
    use crate::discover::sniff::sniff as sniff_any;

    #[test]
    fn each_system_has_its_place_and_the_variable_adds_one() {
        let paths = |os, env: &[(&str, &str)]| -> Vec<String> {
            let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let found = roots(&Places { os, home: "/h".into(), env });
            let own = found.into_iter().filter(|root| root.agent == "goose");
            own.map(|root| root.path.to_string_lossy().replace('\\', "/")).collect()
        };
        assert_eq!(paths(Os::Linux, &[]), ["/h/.local/share/goose/sessions"]);
        assert_eq!(paths(Os::MacOs, &[("XDG_DATA_HOME", "/x")]), ["/x/goose/sessions"]);
        assert_eq!(paths(Os::Windows, &[("APPDATA", "/r")]), ["/r/Block/goose/data/sessions"]);
        let both = ["/g/data/sessions", "/h/.local/share/goose/sessions"];
        assert_eq!(paths(Os::Linux, &[("GOOSE_PATH_ROOT", "/g")]), both);
    }

    #[test]
    fn both_kinds_are_known_by_their_content() {
        let database = b"SQLite format 3\0CREATE TABLE messages (id, content_json TEXT)";
        assert_eq!(sniff_any("/x/any.db", database, None), Ok(Format::GooseStore));
        let lines = "{\"working_dir\":\"/p\",\"description\":\"d\",\"message_count\":1}\n{\"role\":\"user\"}\n";
        assert_eq!(sniff_any("/x/any.jsonl", lines.as_bytes(), None), Ok(Format::GooseSession));
    }
}
