//! Claude Code: transcripts (main, sub-agent, side chain), workflow journals and `history.jsonl`.
//!
//! There is no public schema; the format changes every few releases, so everything is read
//! leniently and what has no column goes to `extra`.
//!
//! - one row per model call (`llm_response`): the lines of one `message.id` are merged, field by
//!   field the largest usage, their texts joined; it is open until another message of the same
//!   chain begins, until 256 lines passed without it, or until [`super::Decoder::settle`]
//! - `thinking` and tool calls are rows of their own, handed out at once: their content is final
//!   when it is written
//! - identity: calls by `message.id`, tool calls and results by the tool call's id, thinking by
//!   `message.id` and the end of its signature, everything else by `uuid`; never by `sessionId`,
//!   which forks rewrite. Records without `uuid` are never copied: theirs is made of session, type
//!   and content
//! - `completeness`: see `call::Call::completeness` for calls; other rows have 3 on the main chain, 2 where
//!   `forkedFrom` marks a copy, 1 on a side chain, 0 in the copies that `progress/agent_progress` holds, and
//!   tool results 4 more when the call is known
//! - what `forkedFrom` marks is of the session it names, which is the branch's `parent_session_id`
//! - sub-agents' rows keep `sessionId` of the parent as `session_id` (their work belongs to it) with
//!   `is_subagent`, without `parent_session_id`; `extra.agentId` tells agents apart
//! - records that are appended again and again (`last-prompt`, `mode`, titles, ...) make a row when
//!   their value differs from the last one in the file, else the line is ignored
//!
//! Left out, because it says nothing or says it twice:
//! - of every record: null, empty texts, lists and objects; `userType: external`, `isMeta: false`,
//!   `session_id` equal to `sessionId`, `sourceToolAssistantUUID` equal to `parentUuid`
//! - `thinking.signature` and `redacted_thinking.data`: encrypted reasoning
//! - of usage: `inference_geo` when not available, server tool counters of zero
//! - of `toolUseResult`: flags that are false; texts that stand in the tool's answer (`stdout`, the
//!   read file's text when each line of it stands in the numbered answer, ...); what repeats the
//!   arguments of a call seen in the same file (`oldString`, `newString`, `edits`, `prompt`, ...);
//!   `originalFile`: it is neither the tool's answer nor a change but the file before the edit (17 %
//!   of all bytes measured), which `structuredPatch` and the arguments describe; its length stays
//! - of `agent_progress`: `prompt` (it is the call's argument), messages of earlier records

mod assistant;
mod call;
mod history;
mod progress;
mod record;
mod result;
mod session;
mod small;
mod state;
mod system;
#[cfg(test)]
mod tests;
mod usage;
mod user;

use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

use history::HistoryDecoder;
use session::SessionDecoder;

/// Agent id, the first part of every event's identity.
const AGENT: &str = "claude";

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder);

fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::ClaudeSession => Some(Box::new(SessionDecoder::new(info, checkpoint))),
        Format::ClaudeHistory => Some(Box::new(HistoryDecoder::new(info, checkpoint))),
        _ => None,
    }
}
