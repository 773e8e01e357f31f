//! Cline, Roo Code, Kilo (before April 2026).
//!
//! A task is a folder with two stores of one conversation, both rewritten as a whole at every message:
//! `ui_messages.json` (what its user saw) and `api_conversation_history.json` (what its model saw).
//!
//! - the first one makes the rows: prompts, answers with usage, thoughts, tool calls, outputs of commands.
//!   The second adds only what the first lacks: answers of tools, and calls of tools that were never shown.
//!   It is read with the first beside it; where there is none, it makes all rows itself
//! - a message's identity is its task, time, kind and number among those of equal time and kind: positions in the
//!   array shift when messages are deleted, and the same task may lie in two editors' folders
//! - one `llm_response` a request: its row is that of `api_req_started`, whose usage its agent fills in later;
//!   its text is what the model said until the next request. It is open until the next one starts
//! - `tokensIn` of Cline excludes the cache. Roo since 3.29.5 and Kilo since 4.119 write the whole prompt: theirs is
//!   reduced by the cache where it is not smaller than it, and the row says `derived`
//! - `deleted_api_reqs` and `subagent_usage` are sums over requests that are nowhere else: one row each. When
//!   the deleted requests were read before they were deleted, their rows stay, and the sum repeats them
//! - sessions of the Cline SDK (`<id>.messages.json`) are `session`
//!
//! Sources: cline/cline `shared/ExtensionMessage.ts`, RooCodeInc/Roo-Code `packages/types/src/message.ts`.

mod calls;
mod kinds;
mod messages;
mod outline;
mod session;
mod task;
mod usage;

#[cfg(test)]
mod tests;

use crate::adapters::kit::adapter::Adapter;
use crate::adapters::walk::DocumentDecoder;
use crate::adapters::{Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder);

/// Decoder of this agent's lines and documents.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::ClineTask | Format::RooTask | Format::KiloTask => {
            Some(Box::new(DocumentDecoder::new(task::TaskWalk::new(format, info), checkpoint)))
        }
        Format::ClineCalls | Format::RooCalls | Format::KiloCalls => {
            Some(Box::new(DocumentDecoder::new(calls::CallsWalk::new(format, info), checkpoint)))
        }
        Format::ClineSession => Some(Box::new(DocumentDecoder::new(session::SessionWalk::new(info), checkpoint))),
        _ => None,
    }
}
