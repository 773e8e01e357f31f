//! One file an agent: its places, the names of its logs, and how its bytes are told from others.

pub(super) mod aider;
pub(super) mod amp;
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

use super::places::Row;
use super::sniff::Head;
use crate::schema::Format;

/// What discovery knows of one agent, or of a family of agents that share their formats.
pub(super) struct Agent {
    /// Where it logs.
    pub(super) rows: &'static [Row],
    /// What a file is by its first bytes; `None` when it is nothing of this agent's.
    pub(super) sniff: fn(&Head<'_>) -> Option<Format>,
}

const fn agent(rows: &'static [Row], sniff: fn(&Head<'_>) -> Option<Format>) -> Agent {
    Agent { rows, sniff }
}

/// All agents; in this order content is asked, so formats with telling fields stand before those that
/// share theirs with others.
pub(super) const AGENTS: &[Agent] = &[
    agent(copilot::ROWS, copilot::sniff),
    agent(copilot_cli::ROWS, copilot_cli::sniff),
    agent(cursor::ROWS, cursor::sniff),
    agent(gemini::ROWS, gemini::sniff),
    agent(qwen::ROWS, qwen::sniff),
    agent(opencode::ROWS, opencode::sniff),
    agent(cline::ROWS, cline::sniff),
    agent(aider::ROWS, aider::sniff),
    agent(crush::ROWS, crush::sniff),
    agent(kiro::ROWS, kiro::sniff),
    agent(continue_dev::ROWS, continue_dev::sniff),
    agent(goose::ROWS, goose::sniff),
    agent(amp::ROWS, amp::sniff),
    agent(zed::ROWS, zed::sniff),
    agent(windsurf::ROWS, windsurf::sniff),
    agent(droid::ROWS, droid::sniff),
    agent(warp::ROWS, warp::sniff),
    agent(pi::ROWS, pi::sniff),
    agent(claude::ROWS, claude::sniff),
    agent(codex::ROWS, codex::sniff),
    agent(legacy::ROWS, legacy::sniff),
];
