//! Amp threads: one JSON document each, `threads/T-<uuid>.json`, rewritten as a whole.
//!
//! Facts (threads of 2026, `v` counts rewrites):
//! - `created` and `meta.sentAt` are milliseconds; an answer's time is `usage.timestamp`; results have
//!   the time of the `tools` trace that names the asking message
//! - `messageId` counts within the thread and is not given twice; threads before it are counted here
//! - `totalInputTokens` is the sum of the three input parts; `maxInputTokens` is the window
//! - for `gpt-*` the uncached prompt stands under `cacheCreationInputTokens`: nothing is written to a
//!   paid cache, so it is fresh input
//! - a `usageLedger` repeats the calls with the credits they took; a message's own usage wins, and a
//!   ledger event without a message is a call of its own
//! - `state.type`, `complete` and `run.status` tell what is still being written

mod content;
mod thread;

#[cfg(test)]
mod tests;

use crate::adapters::chat::Documents;
use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

/// Agent id of the rows.
const AGENT: &str = "amp";

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder);

/// Decoder of this agent's lines and documents.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::AmpThread => Some(Box::new(Documents::new(info, checkpoint, thread::decode))),
        _ => None,
    }
}
