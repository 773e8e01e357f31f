//! pi sessions, and those of oh-my-pi and OpenClaw, which keep pi's shape: JSON lines, appended.
//!
//! Facts (`packages/coding-agent/src/core/session-manager.ts` of badlogic/pi-mono, versions 1 to 3):
//! - the first line is `{type:"session", id, cwd, version?, parentSession|branchedFrom?}`; further lines
//!   are entries of a tree (`id`, `parentId`), version 1 has no ids
//! - opening an old session rewrites the file with ids made up then, and a fork copies entries into a
//!   new file; both keep an entry's time and its message. So a message is named by its entry's time,
//!   its own time, role and text, and other entries by their id and time. What a fork has from before it
//!   began is its parent's, whichever file is read first
//! - `usage.input` is fresh input: cache reads and writes are apart; `cost.total` is in dollars and 0
//!   where pi knows no price; an answer that was stopped or failed at once has zeros everywhere
//! - `bashExecution` is a command that the user ran with `!`

mod entry;
mod message;

#[cfg(test)]
mod tests;

use crate::adapters::chat::Lines;
use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder);

/// Decoder of this agent's lines and documents.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::PiSession | Format::OmpSession | Format::OpenclawSession => {
            Some(Box::new(Lines::<entry::Session>::new(format, info, checkpoint)))
        }
        _ => None,
    }
}
