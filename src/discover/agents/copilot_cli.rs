//! Where Copilot CLI logs, and how its logs are known.
//!
//! `XDG_STATE_HOME` is where the editor's own integration of the CLI looks when it is set.

use crate::discover::pattern::{Files, log, with};
use crate::discover::places::{ANY, Layout, Row, Start, UNIX, row};
use crate::discover::sniff::{Head, Shape};
use crate::schema::Format;

const FILES: Files = Files {
    folders: &["session-state", "history-session-state"],
    files: &["session-store.db"],
    barren: &["checkpoints", "files", "research", "rewind-file-snapshots", "node_modules", ".git"],
    patterns: &[
        with("session-state/*/events.jsonl", Format::CopilotCliEvents, &["workspace.yaml"]),
        log("session-state/*.jsonl", Format::CopilotCliEvents),
        log("history-session-state/*.json", Format::CopilotCliDocument),
        log("session-store.db", Format::CopilotCliStore),
    ],
};

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("copilot-cli", Layout::Files(&FILES), ANY, Start::List("COPILOT_HOME"), ""),
    row("copilot-cli", Layout::Files(&FILES), ANY, Start::Home, ".copilot"),
    row("copilot-cli", Layout::Files(&FILES), UNIX, Start::XdgState, ".copilot"),
];

/// First parts of the names of event types.
const EVENTS: [&str; 11] =
    ["session", "user", "assistant", "tool", "hook", "subagent", "system", "skill", "permission", "external_tool", "abort"];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    if head.shape == Shape::Database {
        let own = head.has_table("assistant_usage_events") || head.name() == "session-store.db" && head.has_table("turns");
        return own.then_some(Format::CopilotCliStore);
    }
    if head.shape != Shape::Object {
        return None;
    }
    if head.has(&["chatMessages"]) || head.has(&["sessionId", "timeline"]) || head.has(&["history", "workspacePath"]) {
        return Some(Format::CopilotCliDocument);
    }
    let is_event = head.kind().split('.').next().is_some_and(|first| EVENTS.contains(&first))
        && (head.kind().contains('.') || head.kind() == "abort");
    // Transcripts of the editor's extension have the same events.
    if !is_event || head.contains("\"vscodeVersion\"") || head.path.contains("/transcripts/") {
        return None;
    }
    if head.has(&["type", "data", "id", "timestamp"]) {
        // Written with line breaks, it is no file of lines.
        let printed = head.bytes.starts_with(b"{\n") || head.bytes.starts_with(b"{\r\n");
        Some(if printed { Format::CopilotCliDocument } else { Format::CopilotCliEvents })
    } else if head.has(&["session_id", "type", "timestamp"]) && (head.has(&["prompt"]) || head.has(&["output"])) {
        Some(Format::CopilotCliEvents)
    } else {
        None
    }
}
