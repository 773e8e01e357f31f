//! Gemini CLI: chats of both generations, the prompt log, telemetry.
//!
//! Facts (google-gemini/gemini-cli, `chatRecordingService.ts`, `logger.ts`, `telemetry/`):
//!
//! - `.json` chats are rewritten as a whole, `.jsonl` chats are a log of changes to the same document:
//!   messages (one id may come again, the last record counts), `$set` patches, `$rewindTo`
//! - `$set.messages` repeats the history: only messages whose id is new make rows
//! - a message that was rewound was paid for: its rows stay, a `system` row names it
//! - `tokens` is the usage of one API response: `cached` is part of `input`; `thoughts` is *not* part of
//!   `output`; `tool` is input on top. `output_tokens` = output + thoughts, `input_tokens` = input −
//!   cached + tool
//! - ids: session id + message id, so that `.json` and `.jsonl` twins, copies and archives are one event;
//!   a file may share its session id with another one
//! - telemetry repeats the chats: it has usage only for calls that no chat records (`utility_*` roles)
//! - times are UTC in RFC 3339; no file names its folder: `projectHash` is SHA-256 of its path

mod document;
mod message;
mod project;
mod session;
mod telemetry;

#[cfg(test)]
mod tests;

use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

use document::DocumentDecoder;

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder);

/// Decoder of this agent's lines and documents, and of the documents that Qwen Code wrote as its early fork.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::GeminiDocument | Format::GeminiPrompts | Format::GeminiTelemetry | Format::QwenDocument => {
            Some(Box::new(DocumentDecoder::new(format, info, checkpoint)))
        }
        Format::GeminiSession => Some(Box::new(session::SessionDecoder::new(info, checkpoint))),
        _ => None,
    }
}
