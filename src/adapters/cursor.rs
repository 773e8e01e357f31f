//! Cursor: the editor, and the CLI `cursor-agent`.
//!
//! Nothing is published by its maker; shapes are those of real files (databases of November 2024,
//! transcripts of 2026) and of other programs that read and write these stores.
//!
//! | store | what it is | here |
//! |---|---|---|
//! | `globalStorage/state.vscdb` | `cursorDiskKV`: `composerData:<chat>` and `bubbleId:<chat>:<bubble>` | `state` |
//! | `workspaceStorage/*/state.vscdb` | `ItemTable`: whole chats before 2025, lists of chats and prompts since | `items` |
//! | `~/.cursor/chats/*/<chat>/store.db` | the CLI's chats: content-addressed blobs under a root | `chat` |
//! | `agent-transcripts/**` | a copy of each agent chat without ids, times, usage and results | `transcript` |
//!
//! - times are milliseconds (numbers, also with fractions) or ISO texts, by version; where there are
//!   none they are inferred from the chat's, and rise with the order
//! - a bubble is a part of an answer: a text, a thought or a tool call with its result. Its id is its
//!   own UUID, the same in every generation of the store and in copies of a chat
//! - a chat's bubbles are those that its header list names; others are left over from edits and stay
//!   out (`state` says how a bubble that is just being written is told from them)
//! - `tokenCount` was filled in 2025 and is 0/0 since 2026: null, not zero. Of a prompt it repeats what
//!   the answer has. `contextTokensUsed` is no usage of a call: it is in `extra`
//! - `usageData` is what a chat's requests have cost so far, by model: a `system` row each, no call
//! - `toolFormerData` is a call when it names a tool; bubbles of any kind may have a rest of it
//! - one chat, four stores: `agentKv:blob:*` repeats the bubbles and is not read; a transcript
//!   whose conversation is in the editor's database or among the CLI's chats is a copy, of which only the
//!   prompts are kept as `prompt_history` (views show them when the chat itself is gone). Any other, also in
//!   a home that has these stores, is read in full
//! - `cursorAuth/*` and other secrets are in the same tables: queries name the keys they want, and keys
//!   for encryption inside of chats are not stored. Unsent drafts (`text` of a chat) neither

mod bubble;
mod chat;
mod composer;
mod extra;
mod items;
mod message;
mod place;
mod state;
mod text;
mod tool;
mod transcript;
mod words;

use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{DatabaseDecoder, Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

/// Agent id of the rows.
const AGENT: &str = "cursor";

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder).and_databases(database);

/// Decoder of this agent's lines and documents.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::CursorTranscript => Some(Box::new(transcript::TranscriptDecoder::new(info, checkpoint))),
        Format::CursorText => Some(Box::new(text::TextDecoder::new(info, checkpoint))),
        _ => None,
    }
}

/// Decoder of this agent's databases.
#[must_use]
fn database(format: Format, info: SourceInfo<'_>) -> Option<Box<dyn DatabaseDecoder>> {
    match format {
        Format::CursorState => Some(Box::new(state::StateDecoder::new(info))),
        Format::CursorChat => Some(Box::new(chat::ChatDecoder::new(info))),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
