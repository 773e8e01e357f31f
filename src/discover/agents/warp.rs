//! Where Warp keeps its agent's conversations, and how its database is known.

use crate::config::Os;
use crate::discover::head::Head;
use crate::discover::pattern::{Files, log};
use crate::discover::table::{Layout, Row, Start, row};
use crate::schema::Format;

/// Warp's data folder.
const FILES: Files =
    Files { folders: &[], files: &["warp.sqlite"], skip_dirs: &[], patterns: &[log("warp.sqlite", Format::WarpStore)] };

const MAC: &str = "Library/Group Containers/2BBY89MBSN.dev.warp/Library/Application Support/dev.warp.Warp-*";

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("warp", Layout::Files(&FILES), &[Os::Linux], Start::XdgState, "warp-terminal"),
    row("warp", Layout::Files(&FILES), &[Os::Linux], Start::XdgState, "warp-terminal-preview"),
    row("warp", Layout::Files(&FILES), &[Os::MacOs], Start::Home, MAC),
    row("warp", Layout::Files(&FILES), &[Os::MacOs], Start::Home, "Library/Application Support/dev.warp.Warp-*"),
    row("warp", Layout::Files(&FILES), &[Os::Windows], Start::Known("LOCALAPPDATA", "AppData/Local"), "warp/Warp/data"),
    row("warp", Layout::Files(&FILES), &[Os::Windows], Start::Known("LOCALAPPDATA", "AppData/Local"), "warp/WarpPreview/data"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    (head.has_table("ai_queries") || head.has_table("agent_conversations")).then_some(Format::WarpStore)
}
