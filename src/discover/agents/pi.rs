//! Where pi logs, and its kin oh-my-pi and OpenClaw, and how their logs are known.
//!
//! `~/.pi/agent/sessions/--<folder>--/<time>_<id>.jsonl`, moved by `PI_CODING_AGENT_DIR`; oh-my-pi keeps
//! sub-agents one folder below their session. OpenClaw was called clawdbot and moltbot before.

use crate::discover::pattern::{Files, log};
use crate::discover::places::{ANY, Layout, Row, Start, row};
use crate::discover::sniff::Head;
use crate::schema::Format;

const PI: Files = Files {
    folders: &["sessions"],
    files: &[],
    barren: &["node_modules", ".git"],
    patterns: &[log("sessions/**/*.jsonl", Format::PiSession)],
};

const OMP: Files = Files {
    folders: &["sessions"],
    files: &[],
    barren: &["node_modules", ".git"],
    patterns: &[log("sessions/**/*.jsonl", Format::OmpSession)],
};

const OPENCLAW: Files = Files {
    folders: &["agents"],
    files: &[],
    barren: &["node_modules", ".git", "workspace"],
    patterns: &[log("agents/*/sessions/*.jsonl", Format::OpenclawSession)],
};

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("pi", Layout::Files(&PI), ANY, Start::List("PI_CODING_AGENT_DIR"), ""),
    row("pi", Layout::Files(&PI), ANY, Start::Home, ".pi/agent"),
    row("omp", Layout::Files(&OMP), ANY, Start::Home, ".omp/agent"),
    row("openclaw", Layout::Files(&OPENCLAW), ANY, Start::List("OPENCLAW_STATE_DIR"), ""),
    row("openclaw", Layout::Files(&OPENCLAW), ANY, Start::Home, ".openclaw"),
    row("openclaw", Layout::Files(&OPENCLAW), ANY, Start::Home, ".clawdbot"),
    row("openclaw", Layout::Files(&OPENCLAW), ANY, Start::Home, ".moltbot"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    let header = head.kind() == "session" && head.has(&["id", "timestamp", "cwd"]);
    let entry = head.kind() == "message" && head.has(&["parentId", "timestamp", "message"]);
    if !header && !entry {
        return None;
    }
    let below = |names: &[&str]| names.iter().any(|name| head.path.contains(name));
    Some(if below(&["openclaw", "clawdbot", "moltbot"]) {
        Format::OpenclawSession
    } else if below(&["/.omp/"]) {
        Format::OmpSession
    } else {
        Format::PiSession
    })
}
