//! Where the older collector looked for logs of Claude Desktop and Cursor, and how its shapes are known.
//!
//! Of Cursor's own log folder only what can hold the assistant's lines: the files at its top, and those
//! of Cursor's extensions (`<start>/window<n>/exthost/anysphere.cursor-*/…`), not the whole editor's.

use crate::config::Os;
use crate::discover::head::{Head, Shape};
use crate::discover::pattern::{Files, log};
use crate::discover::table::{ANY, Layout, Row, Start, UNIX, row};
use crate::schema::Format;

const CLAUDE: Files = Files {
    folders: &[""],
    files: &[],
    skip_dirs: &["node_modules", ".git", "projects"],
    patterns: &[
        log("**/*.log", Format::LegacyClaude),
        log("**/*.jsonl", Format::LegacyClaude),
        log("**/*.ndjson", Format::LegacyClaude),
    ],
};

const CURSOR: Files = Files {
    folders: &[""],
    files: &[],
    skip_dirs: &["node_modules", ".git"],
    patterns: &[
        log("*.log", Format::LegacyCursor),
        log("*.txt", Format::LegacyCursor),
        log("*.jsonl", Format::LegacyCursor),
        log("*.ndjson", Format::LegacyCursor),
        log("*/window*/exthost/anysphere.cursor-*/*.log", Format::LegacyCursor),
    ],
};

const ROAMING: Start = Start::Known("APPDATA", "AppData/Roaming");
const LOCAL: Start = Start::Known("LOCALAPPDATA", "AppData/Local");

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("claude", Layout::Files(&CLAUDE), ANY, Start::Home, ".claude/logs"),
    row("claude", Layout::Files(&CLAUDE), UNIX, Start::XdgConfig, "claude/logs"),
    row("claude", Layout::Files(&CLAUDE), &[Os::Linux], Start::XdgConfig, "Claude/logs"),
    row("claude", Layout::Files(&CLAUDE), &[Os::Linux], Start::XdgData, "claude/logs"),
    row("claude", Layout::Files(&CLAUDE), &[Os::MacOs], Start::Home, "Library/Application Support/Claude/logs"),
    row("claude", Layout::Files(&CLAUDE), &[Os::MacOs], Start::Home, "Library/Logs/Claude"),
    row("claude", Layout::Files(&CLAUDE), &[Os::Windows], ROAMING, "Claude/logs"),
    row("claude", Layout::Files(&CLAUDE), &[Os::Windows], LOCAL, "Claude/logs"),
    row("cursor", Layout::Files(&CURSOR), ANY, Start::Home, ".cursor/logs"),
    row("cursor", Layout::Files(&CURSOR), &[Os::Linux], Start::XdgConfig, "Cursor/logs"),
    row("cursor", Layout::Files(&CURSOR), &[Os::Linux], Start::XdgData, "Cursor/logs"),
    row("cursor", Layout::Files(&CURSOR), &[Os::MacOs], Start::Home, "Library/Application Support/Cursor/logs"),
    row("cursor", Layout::Files(&CURSOR), &[Os::MacOs], Start::Home, "Library/Logs/Cursor"),
    row("cursor", Layout::Files(&CURSOR), &[Os::Windows], ROAMING, "Cursor/logs"),
    row("cursor", Layout::Files(&CURSOR), &[Os::Windows], LOCAL, "Cursor/logs"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    if head.shape != Shape::Object || !head.has(&["timestamp"]) || head.has(&["uuid"]) || head.has(&["payload"]) {
        return None;
    }
    let typed = matches!(
        head.kind(),
        "llm_request"
            | "llm_response"
            | "file_read"
            | "file_write"
            | "file_modify"
            | "completion_request"
            | "completion_response"
            | "tool_use"
            | "tool_call"
            | "prompt"
            | "completion"
            | "command_execution"
            | "user_interaction"
            | "error_encountered"
            | "session_start"
            | "session_end"
    );
    const OWN: [&str; 14] = [
        "prompt",
        "response",
        "tool_name",
        "tool_args",
        "tool_input",
        "file_path",
        "file",
        "tool",
        "tokens_used",
        "prompt_tokens",
        "response_tokens",
        "completion_tokens",
        "conversation_id",
        "session_id",
    ];
    let fields = OWN.iter().filter(|name| head.has(&[name])).count();
    let untyped = head.kind().is_empty() && fields > 1;
    if !(untyped || (typed && fields > 0)) {
        return None;
    }
    let cursor = ["tool_args", "completion_tokens", "session_id"].iter().any(|name| head.has(&[name]));
    let named = head.path.to_ascii_lowercase().contains("cursor");
    let claude = ["tool_name", "tokens_used", "response_tokens", "tool_input"].iter().any(|name| head.has(&[name]));
    Some(if named || (cursor && !claude) { Format::LegacyCursor } else { Format::LegacyClaude })
}
