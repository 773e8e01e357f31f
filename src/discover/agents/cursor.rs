//! Where Cursor logs, and how its logs are known.
//!
//! The editor keeps its databases where every editor of VS Code's kind does; agent and CLI keep theirs in
//! `~/.cursor` on every system. A transcript names the stores that hold the same conversations as its
//! companions: whether its conversation is there decides what it is read for. A transcript's name is the id of
//! its conversation.

use crate::discover::head::{Head, Shape};
use crate::discover::pattern::{Files, log, with};
use crate::discover::table::{ANY, Layout, Row, Start, row};
use crate::schema::Format;

const EDITOR: Files = Files {
    folders: &["globalStorage", "workspaceStorage"],
    files: &[],
    skip_dirs: &["images", "redhat.java", "ms-python.python", "GitHub.copilot-chat"],
    patterns: &[
        log("globalStorage/state.vscdb", Format::CursorState),
        with("workspaceStorage/*/state.vscdb", Format::CursorState, &["workspace.json"]),
    ],
};

/// Where a conversation may be, seen from a folder of transcripts five levels below home: under its id in
/// the database of the editor or of its server, or as a chat of the CLI.
const OWNERS: &[&str] = &[
    "../../../../../.config/Cursor/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{id}",
    "../../../../../Library/Application Support/Cursor/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{id}",
    "../../../../../AppData/Roaming/Cursor/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{id}",
    "../../../../../.cursor-server/data/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{id}",
    "../../../../chats/*/{id}/store.db",
    "../../../../chats/{id}/store.db",
    "{root}/globalStorage/state.vscdb/cursorDiskKV/composerData:{id}",
    "{root}/chats/*/{id}/store.db",
];

/// The same from one level higher: `agent-transcripts/<id>.jsonl`, or a window without a project.
const OWNERS_ABOVE: &[&str] = &[
    "../../../../.config/Cursor/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{id}",
    "../../../../Library/Application Support/Cursor/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{id}",
    "../../../../AppData/Roaming/Cursor/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{id}",
    "../../../../.cursor-server/data/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{id}",
    "../../../chats/*/{id}/store.db",
    "../../../chats/{id}/store.db",
    "{root}/globalStorage/state.vscdb/cursorDiskKV/composerData:{id}",
    "{root}/chats/*/{id}/store.db",
];

/// The same from one level higher still: a window without a project, in plain text.
const OWNERS_TOP: &[&str] = &[
    "../../../.config/Cursor/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{id}",
    "../../../Library/Application Support/Cursor/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{id}",
    "../../../AppData/Roaming/Cursor/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{id}",
    "../../../.cursor-server/data/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{id}",
    "../../chats/*/{id}/store.db",
    "../../chats/{id}/store.db",
    "{root}/globalStorage/state.vscdb/cursorDiskKV/composerData:{id}",
    "{root}/chats/*/{id}/store.db",
];

/// The same from a sub-agent's folder. The store that has the conversation has its sub-agents too, whether
/// their ids there are the names here or not.
const OWNERS_BELOW: &[&str] = &[
    "../../../../../../.config/Cursor/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{above}",
    "../../../../../../Library/Application Support/Cursor/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{above}",
    "../../../../../../AppData/Roaming/Cursor/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{above}",
    "../../../../../../.cursor-server/data/User/globalStorage/state.vscdb/cursorDiskKV/composerData:{above}",
    "../../../../../chats/*/{above}/store.db",
    "../../../../../chats/{above}/store.db",
    "../../../../../chats/*/{id}/store.db",
    "{root}/globalStorage/state.vscdb/cursorDiskKV/composerData:{above}",
    "{root}/chats/*/{above}/store.db",
];

const HOME: Files = Files {
    folders: &["chats", "projects"],
    files: &[],
    skip_dirs: &["agent-tools", "terminals", "mcps", "assets", "node_modules", ".git"],
    patterns: &[
        with("chats/*/*/store.db", Format::CursorChat, &["meta.json"]),
        with("chats/*/store.db", Format::CursorChat, &["meta.json"]),
        with("projects/*/agent-transcripts/*/subagents/*.jsonl", Format::CursorTranscript, OWNERS_BELOW),
        with("projects/*/agent-transcripts/*/*.jsonl", Format::CursorTranscript, OWNERS),
        with("projects/*/agent-transcripts/*.jsonl", Format::CursorTranscript, OWNERS_ABOVE),
        with("projects/*/agent-transcripts/*.txt", Format::CursorText, OWNERS_ABOVE),
        with("projects/agent-transcripts/*/*.jsonl", Format::CursorTranscript, OWNERS_ABOVE),
        with("projects/agent-transcripts/*.txt", Format::CursorText, OWNERS_TOP),
    ],
};

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("cursor", Layout::Files(&EDITOR), ANY, Start::Editor("Cursor"), ""),
    row("cursor", Layout::Files(&HOME), ANY, Start::List("CURSOR_CONFIG_DIR"), ""),
    row("cursor", Layout::Files(&HOME), ANY, Start::Home, ".cursor"),
    // The CLI follows the XDG specification where the variable is set.
    row("cursor", Layout::Files(&HOME), &[crate::config::Os::Linux], Start::XdgConfig, "cursor"),
];

/// Keys that only Cursor writes into the table that all editors of its kind share.
const KEYS: [&str; 5] =
    ["composer.composerData", "workbench.panel.aichat.view", "aiService.prompts", "cursorAuth/", "anysphere."];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    match head.shape {
        Shape::Database => {
            let own = || head.path.contains("/Cursor/User/") || KEYS.iter().any(|key| head.contains(key));
            if head.has_table("cursorDiskKV") || (head.has_table("ItemTable") && own()) {
                Some(Format::CursorState)
            } else if head.has_table("blobs") && head.has_table("meta") && head.name().ends_with(".db") {
                Some(Format::CursorChat)
            } else {
                None
            }
        }
        Shape::Object => {
            let message = head.has(&["role", "message"]) && head.kind().is_empty();
            let foreign =
                ["uuid", "sessionId", "id", "timestamp", "created", "created_at"].iter().any(|key| head.has(&[key]));
            (message && !foreign).then_some(Format::CursorTranscript)
        }
        Shape::Text => {
            let said = head.bytes.starts_with(b"user:\n") || head.bytes.starts_with(b"user:\r\n");
            let placed = head.path.contains("agent-transcripts/") && head.path.ends_with(".txt");
            (said && (placed || head.contains("<user_query>"))).then_some(Format::CursorText)
        }
        Shape::Array => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Os, Places};
    use crate::discover::classify::classify;
    use crate::discover::places::roots;
    use crate::discover::sniff::{Unknown, sniff};

    fn places(os: Os, env: &[(&str, &str)]) -> Vec<String> {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let found = roots(&Places { os, home: "/h".into(), env });
        let own = |layout: Layout| matches!(layout, Layout::Files(files) if *files == EDITOR || *files == HOME);
        found.into_iter().filter(|r| own(r.layout)).map(|r| r.path.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn each_system_has_its_places() {
        let linux = ["/h/.config/Cursor/User", "/h/.cursor-server/data/User", "/h/.cursor", "/h/.config/cursor"];
        assert_eq!(places(Os::Linux, &[]), linux);
        let mac = ["/h/Library/Application Support/Cursor/User", "/h/.cursor-server/data/User", "/h/.cursor"];
        assert_eq!(places(Os::MacOs, &[]), mac);
        let windows = ["/r/Cursor/User", "/h/.cursor-server/data/User", "/h/.cursor"];
        assert_eq!(places(Os::Windows, &[("APPDATA", "/r")]), windows);
        let moved = places(Os::Linux, &[("CURSOR_CONFIG_DIR", "~/c"), ("XDG_CONFIG_HOME", "/x")]);
        assert_eq!(moved, ["/x/Cursor/User", "/h/.cursor-server/data/User", "/h/c", "/h/.cursor", "/x/cursor"]);
    }

    #[test]
    fn each_file_is_known_by_its_place() {
        let found = roots(&Places { os: Os::Linux, home: "/h".into(), env: Default::default() });
        let of = |path: &str| {
            let path = Path::new(path);
            let root = found.iter().find(|r| r.agent == "cursor" && path.starts_with(&r.path)).unwrap();
            let found = classify(root, path.strip_prefix(&root.path).unwrap())?;
            let companions: Vec<String> = found.companions.iter().map(|c| c.to_string_lossy().into_owned()).collect();
            Some((found.format, companions))
        };
        let own = |path: &str| of(path).map(|(format, _)| format);
        assert_eq!(own("/h/.config/Cursor/User/globalStorage/state.vscdb"), Some(Format::CursorState));
        assert_eq!(own("/h/.config/Cursor/User/globalStorage/state.vscdb.backup"), None);
        assert_eq!(
            of("/h/.config/Cursor/User/workspaceStorage/0a/state.vscdb"),
            Some((Format::CursorState, vec!["/h/.config/Cursor/User/workspaceStorage/0a/workspace.json".to_owned()]))
        );
        assert_eq!(
            of("/h/.cursor/chats/0f/c/store.db"),
            Some((Format::CursorChat, vec!["/h/.cursor/chats/0f/c/meta.json".to_owned()]))
        );
        assert_eq!(own("/h/.cursor/projects/w/agent-transcripts/c.txt"), Some(Format::CursorText));
        assert_eq!(own("/h/.cursor/projects/w/agent-tools/x.txt"), None);
    }

    /// What belongs to the log at `path`, as a walk of the agent's places names it.
    fn beside(env: &[(&str, &str)], path: &str) -> Vec<String> {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let found = roots(&Places { os: Os::Linux, home: "/h".into(), env });
        let path = Path::new(path);
        let root = found.iter().find(|root| root.agent == "cursor" && path.starts_with(&root.path)).unwrap();
        let companions = classify(root, path.strip_prefix(&root.path).unwrap()).unwrap().companions;
        companions.iter().map(|companion| companion.to_string_lossy().into_owned()).collect()
    }

    const KEY: &str = "Cursor/User/globalStorage/state.vscdb/cursorDiskKV/composerData:c";

    #[test]
    fn a_transcript_names_its_conversation_in_the_stores_of_its_home() {
        for path in [
            "w/agent-transcripts/c/c.jsonl",
            "w/agent-transcripts/c.jsonl",
            "w/agent-transcripts/c/subagents/s.jsonl",
            "agent-transcripts/c/c.jsonl",
            "w/agent-transcripts/c.txt",
            "agent-transcripts/c.txt",
        ] {
            let found = beside(&[], &format!("/h/.cursor/projects/{path}"));
            let server = "/h/.cursor-server/data/User/globalStorage/state.vscdb/cursorDiskKV/composerData:c";
            for wanted in [
                &format!("/h/.config/{KEY}"),
                &format!("/h/Library/Application Support/{KEY}"),
                &format!("/h/AppData/Roaming/{KEY}"),
                server,
                "/h/.cursor/chats/*/c/store.db",
                "/h/.cursor/chats/c/store.db",
            ] {
                assert!(found.iter().any(|companion| companion == wanted), "{path}: no {wanted} in {found:#?}");
            }
            assert!(found.len() < 8, "a usual home needs no further places: {found:#?}");
        }
    }

    #[test]
    fn a_transcript_names_the_stores_of_places_that_were_moved() {
        let env = [("XDG_CONFIG_HOME", "/x"), ("CURSOR_CONFIG_DIR", "/y/c")];
        for home in ["/h/.cursor", "/y/c", "/x/cursor"] {
            let found = beside(&env, &format!("{home}/projects/w/agent-transcripts/c/c.jsonl"));
            let server = "/h/.cursor-server/data/User/globalStorage/state.vscdb/cursorDiskKV/composerData:c";
            let editor = format!("/x/{KEY}");
            for wanted in [&editor, server, "/y/c/chats/*/c/store.db", "/h/.cursor/chats/*/c/store.db"] {
                assert!(found.iter().any(|companion| companion == wanted), "{home}: no {wanted} in {found:#?}");
            }
        }
        let found = beside(&[], "/h/.config/cursor/projects/w/agent-transcripts/c/c.jsonl");
        assert!(found.contains(&format!("/h/.config/{KEY}")), "{found:#?}");
    }

    #[test]
    fn each_format_is_known_by_its_first_bytes() {
        let database = |tables: &str| format!("SQLite format 3\0 {tables}");
        let item = "CREATE TABLE ItemTable (key TEXT, value BLOB)";
        let table: &[(&str, String, Result<Format, Unknown>)] = &[
            ("/x/a", database("CREATE TABLE cursorDiskKV (key TEXT)"), Ok(Format::CursorState)),
            ("/x/a", database(&format!("{item} aiService.prompts")), Ok(Format::CursorState)),
            ("/Cursor/User/x/a", database(item), Ok(Format::CursorState)),
            ("/Code/User/x/state.vscdb", database(item), Err(Unknown::Tables)),
            ("/x/store.db", database("CREATE TABLE blobs (id) CREATE TABLE meta (key)"), Ok(Format::CursorChat)),
            ("/x/a.jsonl", r#"{"role":"user","message":{"content":[]}}"#.to_owned(), Ok(Format::CursorTranscript)),
            ("/x/a.txt", "user:\n<user_query>\nx\n</user_query>\n".to_owned(), Ok(Format::CursorText)),
            ("/x/a.txt", "user:\nroot\n".to_owned(), Err(Unknown::NotJson)),
        ];
        for (path, text, expected) in table {
            assert_eq!(sniff(path, text.as_bytes(), Some("cursor")), *expected, "{text}");
        }
        let claude = r#"{"type":"user","message":{"role":"user"},"uuid":"u","sessionId":"s"}"#;
        assert_eq!(sniff("/x/a", claude.as_bytes(), None), Ok(Format::ClaudeSession));
    }

    #[test]
    fn no_file_of_another_agent_in_the_corpus_is_claimed() {
        use crate::adapters::tests::corpus;
        use crate::discover::explicit::explicit;
        use crate::discover::scan::ScanItem;
        let Some(root) = corpus("cursor") else { return };
        let mut claimed = Vec::new();
        for folder in std::fs::read_dir(root.parent().unwrap()).unwrap().flatten().filter(|f| f.file_name() != "cursor")
        {
            explicit(None, &folder.path(), |seen| {
                if let ScanItem::File(file) = seen
                    && file.format.agent() == "cursor"
                {
                    claimed.push(file.path);
                }
            });
        }
        // Files of the folder of mixed agents may be Cursor's own.
        claimed.retain(|path| !path.to_string_lossy().to_lowercase().contains("cursor"));
        assert!(claimed.is_empty(), "{claimed:#?}");
    }
}
