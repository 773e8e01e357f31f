//! Continue: sessions (one JSON document each) and development data (lines).
//!
//! - a session's messages have ids of their own since 2024; copies of a session keep them. Without one, session and
//!   position are the identity: Continue never inserts
//! - no message has a time. The date of the session stands in `sessions.json` beside it (milliseconds as text, before
//!   2024 seconds); rows get it, one microsecond apart, and are marked as inferred
//! - `promptLogs` repeat the whole prompt of every turn (90 % of the bytes) and what the history has: their sizes and
//!   models are kept. `editorState` is the prompt again
//! - `usage` of a session is a running sum: one row that grows with it, unless the messages have their own
//! - `dev_data` counts what models were given and gave back, without saying for whom: its numbers are Continue's own
//!   count and marked as estimates. What it repeats of sessions (`chatInteraction`, `toolUsage`) is kept by size
//!
//! Source: continuedev/continue `core/index.d.ts`, `core/util/history.ts`, `core/util/paths.ts`.

mod data;
mod index;
mod session;
mod steps;

#[cfg(test)]
mod tests;

use crate::adapters::kit::adapter::Adapter;
use crate::adapters::walk::DocumentDecoder;
use crate::adapters::{Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

const AGENT: &str = "continue";

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder);

/// Decoder of this agent's lines and documents.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::ContinueSession => Some(Box::new(DocumentDecoder::new(session::SessionWalk::new(info), checkpoint))),
        Format::ContinueTokens => Some(Box::new(data::DataDecoder::new(info, checkpoint))),
        _ => None,
    }
}
