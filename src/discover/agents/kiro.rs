//! Where Kiro logs, the IDE and the CLI (formerly Amazon Q), and how its logs are known.

use crate::config::Os;
use crate::discover::head::{Head, Shape};
use crate::discover::pattern::{Files, log, with};
use crate::discover::table::{ANY, Layout, Row, Start, UNIX, row};
use crate::schema::Format;

/// Below the IDE's `User` folder. The second folder of executions has the same name everywhere.
const IDE: Files = Files {
    folders: &["globalStorage/kiro.kiroagent"],
    files: &[],
    skip_dirs: &["index", "dev_data", "default", ".migrations", "extensions"],
    patterns: &[
        log("globalStorage/kiro.kiroagent/workspace-sessions/*/*.json", Format::KiroChat),
        log("globalStorage/kiro.kiroagent/*/*.chat", Format::KiroChat),
        log("globalStorage/kiro.kiroagent/*/414d1636299d2b9e4ce7e17fb11f63e9/*", Format::KiroChat),
    ],
};

/// Below `~/.kiro`.
const SESSIONS: Files = Files {
    folders: &["sessions"],
    files: &[],
    skip_dirs: &[],
    patterns: &[
        with("sessions/cli/*.jsonl", Format::KiroSession, &["{stem}.json"]),
        with("sessions/*/sess_*/messages.jsonl", Format::KiroSession, &["session.json"]),
        with("sessions/*.jsonl", Format::KiroSession, &["{stem}.json"]),
    ],
};

/// The CLI's data folder.
const STORE: Files = Files {
    folders: &[],
    files: &["data.sqlite3"],
    skip_dirs: &[],
    patterns: &[log("data.sqlite3", Format::KiroStore)],
};

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("kiro", Layout::Files(&IDE), ANY, Start::Editor("Kiro"), ""),
    row("kiro", Layout::Files(&SESSIONS), ANY, Start::List("KIRO_HOME"), ""),
    row("kiro", Layout::Files(&SESSIONS), ANY, Start::Home, ".kiro"),
    row("kiro", Layout::Files(&STORE), UNIX, Start::XdgData, "kiro-cli"),
    row("kiro", Layout::Files(&STORE), UNIX, Start::XdgData, "amazon-q"),
    row("kiro", Layout::Files(&STORE), &[Os::MacOs], Start::Home, "Library/Application Support/kiro-cli"),
    row("kiro", Layout::Files(&STORE), &[Os::MacOs], Start::Home, "Library/Application Support/amazon-q"),
    row("kiro", Layout::Files(&STORE), &[Os::Windows], Start::Known("LOCALAPPDATA", "AppData/Local"), "kiro-cli"),
    row("kiro", Layout::Files(&STORE), &[Os::Windows], Start::Known("LOCALAPPDATA", "AppData/Local"), "amazon-q"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    if head.shape == Shape::Database {
        let store = head.has_table("conversations_v2") || (head.has_table("conversations") && head.has_table("state"));
        return store.then_some(Format::KiroStore);
    }
    if head.shape != Shape::Object {
        return None;
    }
    let sheet = head.name() == "messages.jsonl" && head.has(&["payload", "timestamp"]) && !head.has(&["type"]);
    let line = head.has(&["version", "kind", "data"]) || sheet;
    let chat = head.has(&["executionId", "chat"])
        || (head.has(&["executionId"]) && (head.has(&["actions"]) || head.has(&["workflowType"])))
        // Continue's sessions have these three too.
        || (head.has(&["sessionId", "workspaceDirectory", "history"])
            && (head.has(&["selectedModel"]) || head.contains("\"executionId\"") || head.path.contains("kiro")));
    if chat { Some(Format::KiroChat) } else { line.then_some(Format::KiroSession) }
}
