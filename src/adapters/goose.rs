//! Goose.
//!
//! - since 1.10 one database, `sessions.db`: tables `sessions`, `messages`, and later `usage_ledger`;
//!   before, a file of lines a session, whose first line describes it. The files stay behind when the
//!   database takes them over
//! - message ids came later than both, and are not the same in both: an event is known by its session,
//!   role, second and what was said, tool calls by the call's id. A history that is written anew (a
//!   compaction, an edit) keeps these
//! - usage: a row of the ledger is one request, as an `llm_request`, since no message names it; input
//!   includes what was read from and written to a cache where the total says so. A session without
//!   ledger rows has its accumulated counters as one row, `derived` and no call; a ledger row
//!   `carried_forward` repeats those, and is the same event. That row is emptied once there is a ledger
//! - times are seconds
//!
//! Source of the facts: Goose's `session/session_manager.rs`; the ledger as other readers have it.

mod content;
mod lines;
mod store;
mod usage;

#[cfg(test)]
mod tests;

use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{DatabaseDecoder, Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

const AGENT: &str = "goose";

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(2, decoder).and_databases(database);

/// Decoder of this agent's lines and documents.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::GooseSession => Some(Box::new(lines::LineDecoder::new(info, checkpoint))),
        _ => None,
    }
}

/// Decoder of this agent's databases.
#[must_use]
fn database(format: Format, info: SourceInfo<'_>) -> Option<Box<dyn DatabaseDecoder>> {
    match format {
        Format::GooseStore => Some(Box::new(store::StoreDecoder::new(info))),
        _ => None,
    }
}
