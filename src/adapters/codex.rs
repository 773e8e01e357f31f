//! Codex: CLI, Desktop and IDE extensions, all generations since April 2025.
//!
//! - one rollout file is one thread; [`RolloutDecoder`] reads every line format, [`DocumentDecoder`]
//!   the JSON documents of the TypeScript CLI, [`HistoryDecoder`] and [`IndexDecoder`] the two small
//!   files beside them
//! - Codex writes prompts, answers and thoughts twice, as an event and as a response item: the first
//!   sight makes the row, the second joins it (`ledger`)
//! - usage stands on `llm_request` rows, one per model call, computed from the cumulative counters
//!   (`usage`); the answers' text stands on `llm_response` rows without usage
//! - history that a fork copied from its parent gives rows with the parent's thread id, the ids the
//!   parent's own file gives, a lower completeness and no usage (`replay`)
//! - counts of which nothing says whether a fork copied them carry their usage under the parent's ids: they
//!   are the parent's where its log is there, else its first fork's, in whatever order logs come (`requests`)
//! - a `token_usage_record` is its response's call, in every copy
//! - `exec_command_end` and its kin are `progress` rows beside the call they belong to; without such
//!   a call they are the only record of it and become the call's row

mod document;
mod doubles;
mod ends;
mod events;
mod exec;
mod extra;
mod items;
mod ledger;
mod meta;
mod replay;
mod requests;
mod rollout;
mod script;
mod search;
mod side;
mod state;
mod tools;
mod usage;
mod words;

#[cfg(test)]
mod tests;

use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};
use document::DocumentDecoder;
use rollout::RolloutDecoder;
use side::{HistoryDecoder, IndexDecoder};

/// Agent id of all ids made here.
const AGENT: &str = "codex";

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder);

fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::CodexRollout => Some(Box::new(RolloutDecoder::new(info, checkpoint))),
        Format::CodexDocument => Some(Box::new(DocumentDecoder::new(info, checkpoint))),
        Format::CodexHistory => Some(Box::new(HistoryDecoder::new(info, checkpoint))),
        Format::CodexIndex => Some(Box::new(IndexDecoder::new(info, checkpoint))),
        _ => None,
    }
}
