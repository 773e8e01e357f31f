//! Generic logs of Claude Desktop and Cursor, as the older collector read them.
//!
//! Facts (`internal/adapters/{claude,cursor}_adapter.go` of codervisor/devlog):
//! - JSON lines with `timestamp` (RFC 3339, `YYYY-MM-DD hh:mm:ss`, or a Unix time), `type`, `message`,
//!   `conversation_id` or `session_id`, `model`, `prompt`, `response`, `tool_name`/`tool`,
//!   `tool_input`/`tool_args`, `tool_output`, `file_path`/`file`, `action`/`operation`, `metadata`, and
//!   tokens: `tokens_used`/`tokens`, `prompt_tokens`, `response_tokens`/`completion_tokens`
//! - `type` says what a record is; without it the fields do, then the words of `message`. A record with
//!   none of these fields is a program's own log line (MCP servers, updater, …) and is ignored
//! - of plain text only Cursor's lines with the words ai, completion, prompt or tool are kept, as `system`:
//!   nobody typed them. Their time has no zone and is taken for UTC
//! - there are no ids: a record is named by all that it says, equal neighbours by their number

mod record;
mod words;

#[cfg(test)]
mod tests;

use crate::adapters::chat::Lines;
use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{Decoder, SourceInfo};
use crate::schema::{Checkpoint, Format};

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder);

/// Decoder of this agent's lines and documents.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::LegacyClaude | Format::LegacyCursor => {
            Some(Box::new(Lines::<record::Log>::new(format, info, checkpoint)))
        }
        _ => None,
    }
}
