//! Where pi logs, and its kin oh-my-pi and OpenClaw, and how their logs are known.
//!
//! `~/.pi/agent/sessions/--<folder>--/<time>_<id>.jsonl`, moved by `PI_CODING_AGENT_DIR`; oh-my-pi keeps
//! sub-agents one folder below their session. OpenClaw was called clawdbot and moltbot before.

use super::Shared;
use crate::discover::head::Head;
use crate::discover::pattern::{Files, log};
use crate::discover::table::{ANY, Layout, Row, Start, row};
use crate::schema::Format;

const PI: Files = Files {
    folders: &["sessions"],
    files: &[],
    skip_dirs: &["node_modules", ".git"],
    patterns: &[log("sessions/**/*.jsonl", Format::PiSession)],
};

const OMP: Files = Files {
    folders: &["sessions"],
    files: &[],
    skip_dirs: &["node_modules", ".git"],
    patterns: &[log("sessions/**/*.jsonl", Format::OmpSession)],
};

const OPENCLAW: Files = Files {
    folders: &["agents"],
    files: &[],
    skip_dirs: &["node_modules", ".git", "workspace"],
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

/// Sessions are told by the folders above them.
pub(super) const SESSIONS: Shared = Shared {
    formats: &[
        (Format::PiSession, &["/.pi/"]),
        (Format::OmpSession, &["/.omp/"]),
        (Format::OpenclawSession, &["openclaw", "clawdbot", "moltbot"]),
    ],
    has_word: |path, word| path.contains(word),
};

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    let header = head.kind() == "session" && head.has(&["id", "timestamp", "cwd"]);
    let entry = head.kind() == "message" && head.has(&["parentId", "timestamp", "message"]);
    if !header && !entry {
        return None;
    }
    Some(SESSIONS.of(head.path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::sniff::{Unknown, sniff as sniff_any};

    #[test]
    fn a_session_at_no_agents_place_is_that_of_the_agent_asked_for() {
        let header = br#"{"type":"session","id":"s","timestamp":"2026-05-12T01:02:27Z","cwd":"/w"}"#;
        let table = [
            ("/backup/x.jsonl", None, Ok(Format::PiSession)),
            ("/backup/x.jsonl", Some("pi"), Ok(Format::PiSession)),
            ("/backup/x.jsonl", Some("omp"), Ok(Format::OmpSession)),
            ("/backup/x.jsonl", Some("openclaw"), Ok(Format::OpenclawSession)),
            ("/h/.clawdbot/agents/a/sessions/x.jsonl", Some("openclaw"), Ok(Format::OpenclawSession)),
            ("/h/.pi/agent/sessions/x.jsonl", Some("omp"), Err(Unknown::OtherAgent { format: Format::PiSession })),
            ("/h/.omp/agent/sessions/x.jsonl", Some("pi"), Err(Unknown::OtherAgent { format: Format::OmpSession })),
        ];
        for (path, agent, format) in table {
            assert_eq!(sniff_any(path, header, agent), format, "{path} {agent:?}");
        }
    }
}
