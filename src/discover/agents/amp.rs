//! Where Amp logs, and how its logs are known.

use crate::config::Os;
use crate::discover::head::{Head, Shape};
use crate::discover::pattern::{Files, log};
use crate::discover::table::{ANY, Layout, Row, Start, UNIX, row};
use crate::schema::Format;

/// Below Amp's data folder.
const FILES: Files = Files {
    folders: &["threads"],
    files: &[],
    skip_dirs: &[],
    patterns: &[log("threads/T-*.json", Format::AmpThread)],
};

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("amp", Layout::Files(&FILES), ANY, Start::List("AMP_DATA_DIR"), ""),
    row("amp", Layout::Files(&FILES), ANY, Start::List("AMP_DIR"), ""),
    row("amp", Layout::Files(&FILES), UNIX, Start::XdgData, "amp"),
    row("amp", Layout::Files(&FILES), &[Os::Windows], Start::Home, ".local/share/amp"),
    row("amp", Layout::Files(&FILES), &[Os::Windows], Start::Known("LOCALAPPDATA", "AppData/Local"), "amp"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    let thread = head.shape == Shape::Object && head.has(&["id", "messages"]);
    let named = head.contains("\"id\":\"T-") || head.contains("\"id\": \"T-") || head.path.contains("/amp/");
    (thread && named && (head.has(&["created"]) || head.has(&["title"]))).then_some(Format::AmpThread)
}
