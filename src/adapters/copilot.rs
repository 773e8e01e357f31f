//! GitHub Copilot in VS Code, its forks, and Visual Studio.
//!
//! One conversation stands in up to five stores of the editor's `User` folder. They are one
//! conversation here too: ids are formed from what the stores have in common, and `completeness` says
//! which record of an event is the better one, in whatever order the stores are read.
//!
//! - **Chat sessions** (`chatSessions/*.json`, versions 1 to 3; since 1.109 `*.jsonl`, a log of changes
//!   to the same document) are the authority for what was said and done. Exports and copies carry the
//!   same request ids.
//! - **Transcripts** of the extension (since 0.37) know no request ids. From that version on the *turn*
//!   of a session's prompt is named by session, prompt text and occurrence, which both can form, and
//!   tool calls by the provider's own id; a transcript's rows stand back behind the session's.
//!   Where the editor shows a call under a UUID (0.37), its round says which id the provider gave it.
//!   A prompt that is asked again is taken out of the session and put in anew: a log of changes knows
//!   both attempts, as the transcript does. A document, or a log that was compacted since, holds the
//!   last one only, which then takes the first one's place. A limit: of a log that was read before it was
//!   compacted, the last attempt stands in both places, with its usage once if the result names the turn.
//! - **Spans** (`agent-traces.db`) are the only store with the usage of each call. A chat span's
//!   conversation id is the extension's id of the turn, which sessions keep as
//!   `result.metadata.responseId`: the first call of a turn takes the place of the session's own,
//!   partial figure.
//! - **Edit checkpoints** name files and hashes of their contents.
//!
//! Source: microsoft/vscode `chatModel.ts`, `objectMutationLog.ts`, `chatSessionOperationLog.ts`;
//! microsoft/vscode-copilot-chat `chatParticipantRequestHandler.ts`, `chatMLFetcher.ts`,
//! `otelSqliteStore.ts`.

mod checkpoints;
mod clean;
mod document;
mod edits;
mod groups;
mod ids;
mod oplog;
mod pairs;
mod parts;
mod place;
mod replay;
mod request;
mod session;
mod spans;
mod text;
mod tool;
mod traces;
mod transcript;
mod tree;
mod uri;

#[cfg(test)]
mod tests;

use checkpoints::CheckpointDecoder;
use document::DocumentDecoder;
use oplog::OpLogDecoder;
use replay::ReplayDecoder;
use spans::SpanDecoder;
use traces::TraceDecoder;
use transcript::TranscriptDecoder;

use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{DatabaseDecoder, Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

/// Agent id of the rows.
const AGENT: &str = "github-copilot";

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder).and_databases(database);

/// Decoder of this agent's lines and documents.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    Some(match format {
        Format::CopilotSession => Box::new(DocumentDecoder::new(info, checkpoint)),
        Format::CopilotOpLog => Box::new(OpLogDecoder::new(info, checkpoint)),
        Format::CopilotTranscript => Box::new(TranscriptDecoder::new(info, checkpoint)),
        Format::CopilotEdits => Box::new(CheckpointDecoder::new(info, checkpoint)),
        Format::CopilotReplay => Box::new(ReplayDecoder::new(info, checkpoint)),
        Format::VisualStudioTraces => Box::new(TraceDecoder::new(info, checkpoint)),
        _ => return None,
    })
}

/// Decoder of this agent's databases.
#[must_use]
fn database(format: Format, info: SourceInfo<'_>) -> Option<Box<dyn DatabaseDecoder>> {
    (format == Format::CopilotSpans).then(|| Box::new(SpanDecoder::new(info)) as Box<dyn DatabaseDecoder>)
}
