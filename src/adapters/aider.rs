//! Aider: four files, all only ever appended to, most of them in the project's folder.
//!
//! - `chat` (`.aider.chat.history.md`) makes the rows: prompts, answers, edits, commits. Its figures are rounded
//!   (`2.4k sent`): such calls are marked as estimates; up to 0.5x, and below 1,000 tokens, they are exact
//! - `input` (`.aider.input.history`) has the times of all that was typed: `prompt_history`
//! - `requests` (`.aider.llm.history`) repeats the whole prompt at each request: its rows tell sizes and times only
//! - `analytics` has exact tokens of each message, but nothing that says which message: as columns they would count
//!   every call of the chat file twice, so they stand in `extra` (`prompt_tokens`, `completion_tokens`, `cost`)
//! - times are local and name no zone: [`SourceInfo::zone`] says which it is
//!
//! Sources: Aider-AI/aider `aider/io.py`, `aider/coders/base_coder.py`, `aider/analytics.py`.

mod analytics;
mod chat;
mod edits;
mod input;
mod lines;
mod requests;

#[cfg(test)]
mod tests;

use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

const AGENT: &str = "aider";

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder);

/// Decoder of this agent's lines and documents.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::AiderChat => Some(Box::new(chat::ChatDecoder::new(info, checkpoint))),
        Format::AiderInput => Some(Box::new(input::InputDecoder::new(info, checkpoint))),
        Format::AiderCalls => Some(Box::new(requests::RequestsDecoder::new(info, checkpoint))),
        Format::AiderAnalytics => Some(Box::new(analytics::AnalyticsDecoder::new(info, checkpoint))),
        _ => None,
    }
}

/// Folder of a file that Aider keeps in the project; `None` when the file has another name.
fn project_folder(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once(['/', '\\'])?;
    (name.starts_with(".aider.") && !folder.is_empty()).then_some(folder)
}
