//! Where Zed logs, and how its logs are known.

use crate::config::Os;
use crate::discover::head::Head;
use crate::discover::pattern::{Files, log};
use crate::discover::table::{Layout, Row, Start, row};
use crate::schema::Format;

/// The folder of threads.
const FILES: Files =
    Files { folders: &[], files: &["threads.db"], skip_dirs: &[], patterns: &[log("threads.db", Format::ZedStore)] };

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("zed", Layout::Files(&FILES), &[Os::Linux], Start::XdgData, "zed/threads"),
    row("zed", Layout::Files(&FILES), &[Os::Linux], Start::Home, ".var/app/dev.zed.Zed/data/zed/threads"),
    row("zed", Layout::Files(&FILES), &[Os::MacOs], Start::Home, "Library/Application Support/Zed/threads"),
    row("zed", Layout::Files(&FILES), &[Os::Windows], Start::Known("LOCALAPPDATA", "AppData/Local"), "Zed/threads"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    (head.has_table("threads") && head.contains("data_type") && head.contains("summary")).then_some(Format::ZedStore)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Places;
    use crate::discover::places::roots;
    use crate::discover::sniff::sniff as sniff_any;

    #[test]
    fn each_system_has_its_place() {
        let paths = |os, env: &[(&str, &str)]| -> Vec<String> {
            let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let found = roots(&Places { os, home: "/h".into(), env });
            let own = found.into_iter().filter(|root| root.agent == "zed");
            own.map(|root| root.path.to_string_lossy().replace('\\', "/")).collect()
        };
        let linux = ["/h/.local/share/zed/threads", "/h/.var/app/dev.zed.Zed/data/zed/threads"];
        assert_eq!(paths(Os::Linux, &[]), linux);
        assert_eq!(paths(Os::MacOs, &[]), ["/h/Library/Application Support/Zed/threads"]);
        assert_eq!(paths(Os::Windows, &[("LOCALAPPDATA", "/l")]), ["/l/Zed/threads"]);
    }

    #[test]
    fn a_database_is_known_by_its_table() {
        let head = b"SQLite format 3\0CREATE TABLE threads (id, summary, updated_at, data_type, data)";
        assert_eq!(sniff_any("/x/any.db", head, None), Ok(Format::ZedStore));
        let other = b"SQLite format 3\0CREATE TABLE threads (id, title)";
        assert!(sniff_any("/x/any.db", other, None).is_err());
    }
}
