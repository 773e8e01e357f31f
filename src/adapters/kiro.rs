//! Kiro, the IDE and the CLI (formerly Amazon Q).
//!
//! Facts (agentsview's and codeburn's readers, and the stores that they were tested with):
//! - no store has tokens worth the name: CLI turns carry counters that are 0 beside a bill in credits.
//!   Zeros are no measurement and stay null; credits are kept
//! - IDE, before 2026: `<workspace>/<execution>.chat` holds the whole conversation up to an action, so
//!   files of one execution repeat each other; entries have no ids. An entry is named by its execution,
//!   role, content and how many like it came before
//! - IDE, then: `workspace-sessions/<folder>/<session>.json` holds prompts and stubs of answers; the
//!   answer is in the execution's file (no ending), which both name by `executionId`. The fuller wins
//! - IDE, since summer 2026: `~/.kiro/sessions/<workspace>/sess_<id>/messages.jsonl`
//! - CLI: `~/.kiro/sessions/cli/<id>.jsonl`, lines `{version, kind, data}`; credits per turn stand in
//!   `<id>.json` beside it, and grow while a turn runs
//! - CLI, before: `data.sqlite3`, one conversation a row, rewritten after each turn; a copy of it in
//!   another folder keeps its conversation id

mod chat;
mod execution;
mod ids;
mod session;
mod store;
mod turns;
mod v2;

#[cfg(test)]
mod tests;

use crate::adapters::chat::{Documents, Lines};
use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{DatabaseDecoder, Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

/// Agent id of the rows.
const AGENT: &str = "kiro";

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder).and_databases(database);

/// Decoder of this agent's lines and documents.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::KiroChat => Some(Box::new(Documents::new(info, checkpoint, chat::decode))),
        Format::KiroSession => Some(Box::new(Lines::<session::Session>::new(format, info, checkpoint))),
        _ => None,
    }
}

/// Decoder of this agent's databases.
#[must_use]
fn database(format: Format, _info: SourceInfo<'_>) -> Option<Box<dyn DatabaseDecoder>> {
    match format {
        Format::KiroStore => Some(Box::new(store::Store::default())),
        _ => None,
    }
}
