//! Crush, and its ancestor, the program OpenCode in Go: one database a project.
//!
//! - `<project>/.crush/crush.db`, `<project>/.opencode/opencode.db`; most rows are often in the log
//!   beside it only
//! - `parts` of a message are `[{type, data}]`; a call's result is in the next message of the role
//!   `tool`, by the call's id
//! - times are seconds, whatever the schema's comments say; the size of the number decides
//! - `prompt_tokens` and `completion_tokens` of a session are those of its last request (early versions
//!   summed them), `cost` is a sum: no row has usage, the session's row has the cost, which grows with
//!   the session under one id
//! - `files` holds whole files before and after each edit: their rows say which, not what
//!
//! Source of the facts: Crush's `internal/db/migrations`, `internal/message/content.go`, and databases.

mod message;
mod store;

#[cfg(test)]
mod tests;

use crate::adapters::kit::adapter::Adapter;
use crate::adapters::{DatabaseDecoder, SourceInfo};
use crate::schema::Format;

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::of_databases(database);

/// Decoder of this agent's databases.
#[must_use]
fn database(format: Format, info: SourceInfo<'_>) -> Option<Box<dyn DatabaseDecoder>> {
    match format {
        Format::CrushStore | Format::OpencodeGoStore => Some(Box::new(store::StoreDecoder::new(format, info))),
        _ => None,
    }
}
