//! Factory Droid sessions: JSON lines, `sessions/<folder>/<id>.jsonl`, with `<id>.settings.json` beside.
//!
//! Facts (sessions of 2025-12 and 2026-01):
//! - messages carry no usage; `settings.json` holds the session's totals and its model. They make one
//!   row a session with derived usage: the same id and time each time, more complete as they grow
//! - `inputTokens` is fresh input, cache reads and writes are apart; `thinkingTokens` is a part of
//!   `outputTokens`
//! - message ids are UUIDs; without one a message is named by session, time and role
//! - text in `<system-reminder>` is the agent's own
//! - `droid exec --output-format stream-json` prints another shape: `message`, `tool_call`,
//!   `tool_result`, `completion` with flat fields; its totals stand in `completion.usage`

mod message;
mod session;
mod stream;

#[cfg(test)]
mod tests;

use crate::adapters::chat::Lines;
use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

/// Agent id of the rows.
const AGENT: &str = "droid";

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder);

/// Decoder of this agent's lines and documents.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::DroidSession => Some(Box::new(Lines::<session::Session>::new(format, info, checkpoint))),
        _ => None,
    }
}
