//! One file an agent: its places, the names of its logs, and how its bytes are told from others.

pub(super) mod aider;
pub(super) mod amp;
pub(super) mod antigravity;
pub(super) mod claude;
pub(super) mod cline;
pub(super) mod codex;
pub(super) mod continue_dev;
pub(super) mod copilot;
pub(super) mod copilot_cli;
pub(super) mod crush;
pub(super) mod cursor;
pub(super) mod droid;
pub(super) mod gemini;
pub(super) mod goose;
pub(super) mod kiro;
pub(super) mod legacy;
pub(super) mod opencode;
pub(super) mod pi;
pub(super) mod qwen;
pub(super) mod warp;
pub(super) mod windsurf;
pub(super) mod zed;

#[cfg(test)]
mod tests;

use super::head::Head;
use super::table::Row;
use crate::schema::Format;

/// What discovery knows of one agent, or of a family of agents that share their formats.
pub(super) struct Agent {
    /// Where it logs.
    pub(super) rows: &'static [Row],
    /// What a file is by its first bytes; `None` when it is nothing of this agent's.
    pub(super) sniff: fn(&Head<'_>) -> Option<Format>,
    /// Formats that several agents of the family write.
    pub(super) shared: &'static [Shared],
}

const fn agent(rows: &'static [Row], sniff: fn(&Head<'_>) -> Option<Format>) -> Agent {
    Agent { rows, sniff, shared: &[] }
}

/// Agents that share formats.
const fn family(rows: &'static [Row], sniff: fn(&Head<'_>) -> Option<Format>, shared: &'static [Shared]) -> Agent {
    Agent { rows, sniff, shared }
}

impl Agent {
    /// What the file is when it is asked for as one of `agent`'s: of a shared format, that agent's own.
    pub(super) fn sniff_for(&self, head: &Head<'_>, agent: &str) -> Option<Format> {
        let found = (self.sniff)(head)?;
        let shared = self.shared.iter().find(|shared| shared.has(found));
        Some(shared.and_then(|shared| shared.own(head.path, agent)).unwrap_or(found))
    }
}

/// A format that several agents write, each under its own name: only a file's place tells them apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shared {
    /// One format an agent, with words of which a path has one; the first is that of files at other places.
    pub(super) formats: &'static [(Format, &'static [&'static str])],
    /// True when a path has a word.
    pub(super) has_word: fn(&str, &str) -> bool,
}

impl Shared {
    fn has(&self, format: Format) -> bool {
        self.formats.iter().any(|(own, _)| *own == format)
    }

    /// The format whose agent the path names.
    fn named(&self, path: &str) -> Option<Format> {
        let is_named = |words: &[&str]| words.iter().any(|word| (self.has_word)(path, word));
        self.formats.iter().rev().find(|(_, words)| is_named(words)).map(|(format, _)| *format)
    }

    /// The format of a file at `path`.
    pub(super) fn of(&self, path: &str) -> Format {
        self.named(path).unwrap_or(self.formats[0].0)
    }

    /// The format of `agent`, unless the path names another agent of these.
    fn own(&self, path: &str, agent: &str) -> Option<Format> {
        let (own, _) = self.formats.iter().find(|(format, _)| format.agent() == agent)?;
        self.named(path).is_none_or(|named| named == *own).then_some(*own)
    }
}

/// All agents; in this order content is asked, so formats with telling fields stand before those that
/// share theirs with others.
pub(super) const AGENTS: &[Agent] = &[
    agent(copilot::ROWS, copilot::sniff),
    agent(copilot_cli::ROWS, copilot_cli::sniff),
    agent(cursor::ROWS, cursor::sniff),
    agent(gemini::ROWS, gemini::sniff),
    agent(qwen::ROWS, qwen::sniff),
    family(opencode::ROWS, opencode::sniff, &[opencode::STORES]),
    family(cline::ROWS, cline::sniff, cline::SHARED),
    agent(aider::ROWS, aider::sniff),
    agent(crush::ROWS, crush::sniff),
    agent(kiro::ROWS, kiro::sniff),
    agent(continue_dev::ROWS, continue_dev::sniff),
    agent(goose::ROWS, goose::sniff),
    agent(amp::ROWS, amp::sniff),
    agent(zed::ROWS, zed::sniff),
    agent(antigravity::ROWS, antigravity::sniff),
    agent(windsurf::ROWS, windsurf::sniff),
    agent(droid::ROWS, droid::sniff),
    agent(warp::ROWS, warp::sniff),
    family(pi::ROWS, pi::sniff, &[pi::SESSIONS]),
    agent(claude::ROWS, claude::sniff),
    agent(codex::ROWS, codex::sniff),
    agent(legacy::ROWS, legacy::sniff),
];
