//! Where Cursor logs, and how its logs are known.
//!
//! The editor keeps its databases where every editor of VS Code's kind does; agent and CLI keep theirs in
//! `~/.cursor` on every system. A transcript names the stores that hold the same conversations as its
//! companions: whether they are there decides what it is read for.

use crate::discover::pattern::{Files, log, with};
use crate::discover::places::{ANY, Layout, Row, Start, row};
use crate::discover::sniff::{Head, Shape};
use crate::schema::Format;

const EDITOR: Files = Files {
    folders: &["globalStorage", "workspaceStorage"],
    files: &[],
    barren: &["images", "redhat.java", "ms-python.python", "GitHub.copilot-chat"],
    patterns: &[
        log("globalStorage/state.vscdb", Format::CursorState),
        with("workspaceStorage/*/state.vscdb", Format::CursorState, &["workspace.json"]),
    ],
};

/// Stores of the same conversations, seen from a folder of transcripts five levels below home.
const OWNERS: &[&str] = &[
    "../../../../../.config/Cursor/User/globalStorage/state.vscdb",
    "../../../../../Library/Application Support/Cursor/User/globalStorage/state.vscdb",
    "../../../../../AppData/Roaming/Cursor/User/globalStorage/state.vscdb",
    "../../../../chats",
];

/// The same from one level higher: `agent-transcripts/<id>.jsonl`, or a window without a project.
const OWNERS_ABOVE: &[&str] = &[
    "../../../../.config/Cursor/User/globalStorage/state.vscdb",
    "../../../../Library/Application Support/Cursor/User/globalStorage/state.vscdb",
    "../../../../AppData/Roaming/Cursor/User/globalStorage/state.vscdb",
    "../../../chats",
];

/// The same from a sub-agent's folder.
const OWNERS_BELOW: &[&str] = &[
    "../../../../../../.config/Cursor/User/globalStorage/state.vscdb",
    "../../../../../../Library/Application Support/Cursor/User/globalStorage/state.vscdb",
    "../../../../../../AppData/Roaming/Cursor/User/globalStorage/state.vscdb",
    "../../../../../chats",
];

const HOME: Files = Files {
    folders: &["chats", "projects"],
    files: &[],
    barren: &["agent-tools", "terminals", "mcps", "assets", "node_modules", ".git"],
    patterns: &[
        with("chats/*/*/store.db", Format::CursorChat, &["meta.json"]),
        with("chats/*/store.db", Format::CursorChat, &["meta.json"]),
        with("projects/*/agent-transcripts/*/subagents/*.jsonl", Format::CursorTranscript, OWNERS_BELOW),
        with("projects/*/agent-transcripts/*/*.jsonl", Format::CursorTranscript, OWNERS),
        with("projects/*/agent-transcripts/*.jsonl", Format::CursorTranscript, OWNERS_ABOVE),
        with("projects/*/agent-transcripts/*.txt", Format::CursorText, OWNERS_ABOVE),
        with("projects/agent-transcripts/*/*.jsonl", Format::CursorTranscript, OWNERS_ABOVE),
        log("projects/agent-transcripts/*.txt", Format::CursorText),
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
            let foreign = ["uuid", "sessionId", "id", "timestamp", "created"].iter().any(|key| head.has(&[key]));
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
