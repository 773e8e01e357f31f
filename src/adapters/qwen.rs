//! Qwen Code and iFlow CLI, forks of Gemini CLI that write Claude-like lines.
//!
//! Qwen Code (QwenLM/qwen-code, `ChatRecord`):
//!
//! - a tree of records, appended; `/branch` copies records with a new session id and `forkedFrom`: ids
//!   come from the record's uuid, of a copy from the uuid it was copied from
//! - records with the same uuid are pieces of one answer: the texts add up, the last usage counts
//! - `usageMetadata`: the prompt includes what was cached; thoughts come beside the candidates, unless
//!   the total says that they are part of them
//! - `ui_telemetry` repeats the usage of the answers: its rows have none
//! - what a rewind left behind was paid for: its rows stay
//! - early versions wrote Gemini CLI's documents
//!
//! iFlow: an answer repeats the tool calls of the record before it, so a call makes one row; its usage is
//! always zero, which says nothing (null).

mod chat;
mod iflow;
mod session;

#[cfg(test)]
mod tests;

use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(2, decoder);

/// Decoder of this agent's lines; its early documents are Gemini CLI's.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::QwenSession => Some(Box::new(session::SessionDecoder::new(format, chat::record, info, checkpoint))),
        Format::IflowSession => Some(Box::new(session::SessionDecoder::new(format, iflow::record, info, checkpoint))),
        _ => None,
    }
}
