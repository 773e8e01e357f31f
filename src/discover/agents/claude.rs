//! Where Claude Code logs, and how its logs are known.

use crate::config::Os;
use crate::discover::head::Head;
use crate::discover::table::{ANY, Layout, Row, Start, UNIX, row};
use crate::schema::Format;

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("claude", Layout::Claude, ANY, Start::List("CLAUDE_CONFIG_DIR"), ""),
    row("claude", Layout::Claude, ANY, Start::Home, ".claude"),
    row("claude", Layout::Claude, UNIX, Start::XdgConfig, "claude"),
    row("claude", Layout::ClaudeDesktop, &[Os::Linux], Start::XdgConfig, "Claude/local-agent-mode-sessions"),
    row("claude", Layout::ClaudeDesktop, &[Os::MacOs], Start::Home,
        "Library/Application Support/Claude/local-agent-mode-sessions"),
    row("claude", Layout::ClaudeDesktop, &[Os::Windows], Start::Known("APPDATA", "AppData/Roaming"),
        "Claude/local-agent-mode-sessions"),
    row("claude", Layout::ClaudeDesktop, &[Os::Windows], Start::Known("LOCALAPPDATA", "AppData/Local"),
        "Packages/Claude_*/LocalCache/Roaming/Claude/local-agent-mode-sessions"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    let turn = matches!(head.kind(), "user" | "assistant" | "system" | "summary");
    if head.has(&["display", "timestamp"]) && (head.has(&["project"]) || head.has(&["pastedContents"])) {
        Some(Format::ClaudeHistory)
    } else if head.has(&["type", "sessionId"])
        || head.has(&["type", "uuid"])
        || head.has(&["type", "leafUuid"])
        || head.has(&["type", "key", "agentId"])
        || head.kind().starts_with("file-history-")
        || (turn && head.has(&["message"]))
    {
        Some(Format::ClaudeSession)
    } else {
        None
    }
}
