//! GitHub Copilot CLI: event logs, sessions of its first weeks, the session store, titles.
//!
//! Facts (event schema of github/copilot-sdk, github/copilot-cli's changelog, real logs):
//!
//! - `events.jsonl` is appended to, also by resumes; ephemeral events are not in it, so the `parentId` of
//!   another event may point nowhere
//! - a tool call stands in `assistant.message.toolRequests` and again in `tool.execution_start`: one row,
//!   with the id of the session and of the call
//! - the folder, branch and model may change in a session; they are those of the event before
//! - no event has the session's title: `workspace.yaml` gets it when the agent finds one
//!
//! Usage has three witnesses; no sum of two of them is right. It stands on rows apart from the texts, so
//! that a better witness can replace a worse one in any order of reading:
//!
//! 1. `assistant.message.outputTokens`: an `llm_request` a call, the `n`-th of its session
//! 2. `session.shutdown.modelMetrics`: counters of a session and model, of one leg or of all so far (the
//!    leg's own messages tell which: [`usage`]), begun anew by compaction. No call, but a `system` row a
//!    session and model with the sum so far, its output less what the messages have counted; each shutdown
//!    replaces it. Its time is the last shutdown's; a session that was killed has none, and no input
//!    tokens. Reasoning is a part of output, so what that row has no output for is told with the calls
//! 3. `session-store.db`, since July 2026: one row a request, with all parts. The `n`-th request of a
//!    session replaces the row of its `n`-th message, and the first request of a model replaces the
//!    shutdown's row of that session and model by one without usage
//!
//! So the sums are right with any subset of the stores, but where the store knows only the later part
//! of a session: then the input of the part before is not counted. Input includes what was read from
//! and written to the cache; output includes reasoning. Nano-AIU are billionths of a credit; in versions
//! without them a premium request is one. Of a session that was killed its last `session.usage_checkpoint`
//! knows them.
//!
//! A sub-agent's records have `agentId`, or name the call that started it (`parentToolCallId`);
//! `parentAgentTaskId` stands on a person's own prompts too.

mod calls;
mod document;
mod events;
mod message;
mod record;
mod store;
mod tool;
mod usage;
mod workspace;

#[cfg(test)]
mod tests;

use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{DatabaseDecoder, Decoder, SourceInfo};
use crate::schema::{Checkpoint, EventId, Format};

const AGENT: &str = "copilot-cli";

/// Id of the `n`-th request of a session, in the event log and in the store.
fn request_id(session: &str, n: i64) -> EventId {
    EventId::of(AGENT, "request", &[session.as_bytes(), &n.to_le_bytes()])
}

/// Id of what the shutdowns of a session say about a model.
fn shutdown_id(session: &str, model: &str) -> EventId {
    EventId::of(AGENT, "shutdown", &[session.as_bytes(), model.as_bytes()])
}

/// Completeness of a call of which a shutdown has told more: above that of any message, below the store's.
const OF_SHUTDOWN: i64 = 1 << 32;

/// Completeness of what comes from the store: more than any event log can say.
const OF_STORE: i64 = 1 << 40;

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(2, decoder).and_databases(database);

/// Decoder of this agent's lines and documents.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::CopilotCliEvents => Some(Box::new(events::EventsDecoder::new(info, checkpoint))),
        Format::CopilotCliDocument => Some(Box::new(document::DocumentDecoder::new(info, checkpoint))),
        Format::CopilotCliWorkspace => Some(Box::new(workspace::WorkspaceDecoder::new(info, checkpoint))),
        _ => None,
    }
}

/// Decoder of this agent's databases.
#[must_use]
fn database(format: Format, _info: SourceInfo<'_>) -> Option<Box<dyn DatabaseDecoder>> {
    match format {
        Format::CopilotCliStore => Some(Box::new(store::StoreDecoder)),
        _ => None,
    }
}
