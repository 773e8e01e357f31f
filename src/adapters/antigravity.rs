//! Antigravity, the editor and the CLI (`agy`): transcripts below
//! `~/.gemini/antigravity{,-ide,-cli}/brain/<conversation>/.system_generated/logs/`.
//!
//! Facts (transcripts of 2026, and programs that read them): a line is a step, `{step_index, source, type,
//! status, created_at, content?, thinking?, tool_calls?}`.
//!
//! - a conversation is named by its folder; no line says it
//! - `transcript_full.jsonl` holds all, `transcript.jsonl` the same steps with long contents cut
//!   (`truncated_fields`). A step has one id in both, and the fuller record stays
//! - `USER_INPUT` wraps the prompt in `<USER_REQUEST>` and puts more beside it: the time, settings that
//!   changed, among them the model
//! - `PLANNER_RESPONSE` is what the model says: a thought, a text, calls of tools in any mix. Arguments may be
//!   texts in quotes of their own. The `k`-th call of step `n` is answered by step `n + 1 + k`, whose type is
//!   what was done (`VIEW_FILE`, `RUN_COMMAND`, …)
//! - no line has tokens
//!
//! The conversations themselves (`conversations/*.db`, before `*.pb`) hold protobuf without a public schema, and
//! are not read.

mod steps;

#[cfg(test)]
mod tests;

use crate::adapters::chat::Lines;
use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

/// Agent id of the rows.
const AGENT: &str = "antigravity";

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder);

/// Decoder of this agent's lines and documents.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::AntigravityTranscript => Some(Box::new(Lines::<steps::Steps>::new(format, info, checkpoint))),
        _ => None,
    }
}
