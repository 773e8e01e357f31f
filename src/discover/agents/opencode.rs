//! Where OpenCode and its kin log, and how their logs are known.

use super::Shared;
use crate::discover::head::{Head, Shape};
use crate::discover::pattern::{Files, log, with};
use crate::discover::table::{ANY, Layout, Row, Start, row};
use crate::schema::Format;

/// The data folder; XDG's place on every system. Parts are read with their messages.
const FILES: Files = Files {
    folders: &["storage", "project"],
    files: &["opencode.db", "opencode-*.db"],
    skip_dirs: &[],
    patterns: &[
        log("opencode.db", Format::OpencodeStore),
        log("opencode-*.db", Format::OpencodeStore),
        with(
            "storage/message/*/*.json",
            Format::OpencodeMessage,
            &["../../session/*/{parent}.json", "../../part/{stem}/*.json"],
        ),
        log("storage/session/*/*.json", Format::OpencodeSession),
        with(
            "project/*/storage/session/message/*/*.json",
            Format::OpencodeMessage,
            &["../../info/{parent}.json", "../../part/{parent}/{stem}/*.json"],
        ),
        log("project/*/storage/session/info/*.json", Format::OpencodeSession),
    ],
};

/// One database at a place that the user names.
const ONE: Files = Files { folders: &[], files: &[""], skip_dirs: &[], patterns: &[log("", Format::OpencodeStore)] };

const KILO: Files = Files {
    folders: &[],
    files: &["kilo.db", "kilo-*.db"],
    skip_dirs: &[],
    patterns: &[log("kilo.db", Format::KiloStore), log("kilo-*.db", Format::KiloStore)],
};

const MIMO: Files =
    Files { folders: &[], files: &["*.db"], skip_dirs: &[], patterns: &[log("*.db", Format::MimoStore)] };

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("opencode", Layout::Files(&FILES), ANY, Start::List("OPENCODE_DATA_DIR"), ""),
    row("opencode", Layout::Files(&FILES), ANY, Start::XdgData, "opencode"),
    row("opencode", Layout::Files(&ONE), ANY, Start::Below("OPENCODE_DB", "opencode"), ""),
    row("kilo", Layout::Files(&KILO), ANY, Start::XdgData, "kilo"),
    row("mimo", Layout::Files(&MIMO), ANY, Start::XdgData, "mimocode"),
];

/// Databases are told by the names of file and folder.
pub(super) const STORES: Shared = Shared {
    formats: &[(Format::OpencodeStore, &["opencode"]), (Format::MimoStore, &["mimo"]), (Format::KiloStore, &["kilo"])],
    has_word: |path, word| path.rsplit('/').take(2).any(|part| part.starts_with(word)),
};

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    match head.shape {
        Shape::Database if head.has_table("message") && head.has_table("part") => Some(STORES.of(head.path)),
        Shape::Database if head.has_table("session_message") => Some(STORES.of(head.path)),
        Shape::Object if head.has(&["info", "messages"]) => Some(Format::OpencodeExport),
        Shape::Object if head.has(&["id", "messageID", "type"]) => Some(Format::OpencodePart),
        Shape::Object if head.has(&["id", "role"]) && (head.has(&["sessionID"]) || is_early(head)) => {
            Some(Format::OpencodeMessage)
        }
        Shape::Object if head.has(&["id", "title", "version", "time"]) && !head.has(&["type"]) => {
            Some(Format::OpencodeSession)
        }
        _ => None,
    }
}

/// Messages of the time before summer 2025 carry their session's id in `metadata`.
fn is_early(head: &Head<'_>) -> bool {
    head.has(&["parts", "metadata"]) && head.contains("\"sessionID\"")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Os, Places};
    use crate::discover::explicit::explicit;
    use crate::discover::places::roots;
    use crate::discover::scan::ScanItem;
    use crate::discover::sniff::{Unknown, sniff as sniff_any};

    fn paths(os: Os, env: &[(&str, &str)]) -> Vec<(&'static str, String)> {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let own = ["opencode", "mimo"];
        roots(&Places { os, home: "/h".into(), env })
            .into_iter()
            .filter(|root| own.contains(&root.agent) || root.layout == Layout::Files(&KILO))
            .map(|root| (root.agent, root.path.to_string_lossy().replace('\\', "/")))
            .collect()
    }

    #[test]
    fn every_system_has_the_same_places() {
        for os in [Os::Linux, Os::MacOs, Os::Windows] {
            let expected = [
                ("opencode", "/h/.local/share/opencode".to_owned()),
                ("kilo", "/h/.local/share/kilo".to_owned()),
                ("mimo", "/h/.local/share/mimocode".to_owned()),
            ];
            assert_eq!(paths(os, &[]), expected);
        }
        let named = [("XDG_DATA_HOME", "/x"), ("OPENCODE_DB", "work.db"), ("OPENCODE_DATA_DIR", "/d")];
        let found: Vec<_> = paths(Os::Linux, &named).into_iter().map(|(_, path)| path).collect();
        assert_eq!(found, ["/d", "/x/opencode", "/x/opencode/work.db", "/x/kilo", "/x/mimocode"]);
        let absolute = paths(Os::Linux, &[("OPENCODE_DB", "/y/own.db")]);
        assert!(absolute.contains(&("opencode", "/y/own.db".to_owned())));
    }

    #[test]
    fn the_database_of_a_channel_and_the_tree_of_files_are_known_by_their_places() {
        let format = |path: &str| FILES.find(Path::new(path)).map(|pattern| pattern.format);
        assert_eq!(format("opencode.db"), Some(Format::OpencodeStore));
        assert_eq!(format("opencode-dev.db"), Some(Format::OpencodeStore));
        assert_eq!(format("opencode.db-wal"), None);
        assert_eq!(format("auth.json"), None);
        assert_eq!(format("storage/message/ses_1/msg_1.json"), Some(Format::OpencodeMessage));
        assert_eq!(format("storage/session/abc/ses_1.json"), Some(Format::OpencodeSession));
        assert_eq!(format("storage/part/msg_1/prt_1.json"), None);
        assert_eq!(format("storage/session_share/ses_1.json"), None);
        assert_eq!(format("project/x/storage/session/info/ses_1.json"), Some(Format::OpencodeSession));
        assert_eq!(ONE.find(Path::new("")).map(|pattern| pattern.format), Some(Format::OpencodeStore));
        let message = FILES.find(Path::new("storage/message/ses_1/msg_1.json")).unwrap();
        let beside = message.companions_of(Path::new("/d/storage/message/ses_1/msg_1.json"), &[]);
        let beside: Vec<_> = beside.iter().map(|path| path.to_string_lossy().replace('\\', "/")).collect();
        assert_eq!(beside, ["/d/storage/session/*/ses_1.json", "/d/storage/part/msg_1/*.json"]);
    }

    #[test]
    fn records_and_exports_are_known_by_their_fields() {
        let table = [
            (r#"{"id":"msg_1","sessionID":"ses_1","role":"user","time":{"created":1}}"#, Format::OpencodeMessage),
            (r#"{"id":"msg_1","role":"user","parts":[],"metadata":{"sessionID":"s"}}"#, Format::OpencodeMessage),
            (r#"{"type":"tool","id":"prt_1","messageID":"msg_1","tool":"edit"}"#, Format::OpencodePart),
            (r#"{"id":"ses_1","version":"1","projectID":"p","title":"t","time":{}}"#, Format::OpencodeSession),
            ("Exporting session\n{\n  \"info\": {},\n  \"messages\": []\n}", Format::OpencodeExport),
        ];
        for (text, format) in table {
            assert_eq!(sniff_any("/x/any", text.as_bytes(), None), Ok(format), "{text}");
        }
    }

    #[test]
    fn databases_of_the_kin_are_told_by_their_names() {
        let head = b"SQLite format 3\0 CREATE TABLE `message` ( CREATE TABLE `part` (";
        let table = [
            ("/h/.local/share/opencode/opencode-dev.db", Format::OpencodeStore),
            ("/h/.local/share/kilo/kilo.db", Format::KiloStore),
            ("/copy/kilo.db", Format::KiloStore),
            ("/h/.local/share/mimocode/any.db", Format::MimoStore),
        ];
        for (path, format) in table {
            assert_eq!(sniff_any(path, head, None), Ok(format), "{path}");
        }
    }

    #[test]
    fn a_database_at_no_agents_place_is_that_of_the_agent_asked_for() {
        let head = b"SQLite format 3\0 CREATE TABLE `message` ( CREATE TABLE `part` (";
        let stores = [("opencode", Format::OpencodeStore), ("kilo", Format::KiloStore), ("mimo", Format::MimoStore)];
        for (agent, format) in stores {
            assert_eq!(sniff_any("/backup/old.db", head, Some(agent)), Ok(format));
        }
        for (path, agent, format) in [
            ("/h/.local/share/kilo/kilo.db", "opencode", Format::KiloStore),
            ("/h/.local/share/opencode/opencode.db", "kilo", Format::OpencodeStore),
        ] {
            assert_eq!(sniff_any(path, head, Some(agent)), Err(Unknown::OtherAgent { format }), "its place tells");
        }
    }

    #[test]
    fn no_file_of_another_agents_corpus_is_claimed_by_an_agent_that_keeps_databases() {
        let Some(root) = std::env::var_os("DEVLOG_CORPUS").filter(|root| Path::new(root).is_dir()) else { return };
        let root = Path::new(&root);
        let (mut own, mut foreign) = (0, Vec::new());
        explicit(None, root, |seen| {
            let ScanItem::File(file) = seen else { return };
            let agent = file.format.agent();
            if !matches!(agent, "opencode" | "opencode-go" | "crush" | "goose" | "zed" | "mimo")
                && file.format != Format::KiloStore
            {
                return;
            }
            let below = file.path.strip_prefix(root).unwrap();
            let folder = below.components().next().unwrap().as_os_str().to_string_lossy();
            match &*folder {
                "opencode" | "crush-and-opencode-go" => own += 1,
                _ => foreign.push((file.format, below.to_owned())),
            }
        });
        assert!(own >= 14, "{own}");
        assert_eq!(foreign, []);
    }
}
