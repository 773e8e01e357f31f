//! Where Windsurf logs, and how its logs are known.

use crate::discover::head::{Head, Shape};
use crate::discover::pattern::{Files, log};
use crate::discover::table::{ANY, Layout, Row, Start, row};
use crate::schema::Format;

/// Below Windsurf's folder in the home directory.
const FILES: Files = Files {
    folders: &["transcripts"],
    files: &[],
    skip_dirs: &[],
    patterns: &[log("transcripts/**/*.jsonl", Format::WindsurfSteps)],
};

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("windsurf", Layout::Files(&FILES), ANY, Start::Home, ".windsurf"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    let kind = head.kind();
    let step =
        head.shape == Shape::Object && !kind.is_empty() && kind != "status" && head.has(&["type", "status", kind]);
    (step && !head.has(&["uuid"]) && !head.has(&["id"])).then_some(Format::WindsurfSteps)
}
