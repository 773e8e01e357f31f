//! Where Antigravity logs, and how its logs are known: the editor (`antigravity`, `antigravity-ide`) and the CLI
//! each have a folder in Gemini's, on every system.

use crate::discover::head::{Head, Shape};
use crate::discover::pattern::{Files, log};
use crate::discover::table::{ANY, Layout, Row, Start, row};
use crate::schema::Format;

const FILES: Files = Files {
    folders: &["brain"],
    files: &[],
    skip_dirs: &["node_modules", ".git"],
    patterns: &[
        log("brain/*/.system_generated/logs/transcript_full.jsonl", Format::AntigravityTranscript),
        log("brain/*/.system_generated/logs/transcript.jsonl", Format::AntigravityTranscript),
    ],
};

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("antigravity", Layout::Files(&FILES), ANY, Start::Home, ".gemini/antigravity"),
    row("antigravity", Layout::Files(&FILES), ANY, Start::Home, ".gemini/antigravity-ide"),
    row("antigravity", Layout::Files(&FILES), ANY, Start::Home, ".gemini/antigravity-cli"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    let is_step = head.shape == Shape::Object && head.has(&["step_index", "type", "created_at"]);
    is_step.then_some(Format::AntigravityTranscript)
}
