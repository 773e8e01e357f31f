//! Where Codex logs, and how its logs are known.

use crate::discover::head::Head;
use crate::discover::table::{ANY, Layout, Row, Start, row};
use crate::schema::Format;

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("codex", Layout::Codex, ANY, Start::List("CODEX_HOME"), ""),
    row("codex", Layout::Codex, ANY, Start::Home, ".codex"),
    // The fork "code" writes the same format into its own home.
    row("codex", Layout::Codex, ANY, Start::List("CODE_HOME"), ""),
    row("codex", Layout::Codex, ANY, Start::Home, ".code"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    let item = matches!(
        head.kind(),
        "message"
            | "reasoning"
            | "function_call"
            | "function_call_output"
            | "local_shell_call"
            | "custom_tool_call"
            | "custom_tool_call_output"
            | "web_search_call"
    );
    if head.has(&["type", "payload"]) || head.has(&["record_type"]) {
        Some(Format::CodexRollout)
    } else if head.has(&["session", "items"]) {
        Some(Format::CodexDocument)
    } else if head.has(&["session_id", "ts", "text"]) {
        Some(Format::CodexHistory)
    } else if head.has(&["id", "thread_name"]) {
        Some(Format::CodexIndex)
    } else if item || head.has(&["id", "timestamp", "instructions"]) || head.has(&["id", "timestamp", "git"]) {
        Some(Format::CodexRollout)
    } else {
        None
    }
}
