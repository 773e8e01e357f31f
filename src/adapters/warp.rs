//! Warp's `warp.sqlite`: the agent's conversations in a terminal's database.
//!
//! Facts (crates/persistence of warpdotdev/warp, agentsview's and codeburn's readers):
//! - `ai_queries`: one exchange with a model a row; `input` is JSON `[{"Query": {"text": …}}]` for a
//!   prompt, other items for what was sent back; answers are in `agent_tasks.task`, a protobuf that is
//!   not read. `output_status` is JSON text: `"Completed"`, `"Cancelled"`, `"Failed"`, else still running
//! - `agent_conversations.conversation_data.conversation_usage_metadata`: totals of a conversation by
//!   model (`warp_tokens` + `byok_tokens`, input and output together), credits and cost in cents. One row
//!   a conversation and model with derived usage, of the same id and time, that grows
//! - `blocks` are the terminal's commands; those the agent asked for have `ai_metadata`. What people typed
//!   themselves is not read. `stylized_*` hold ANSI escapes
//! - times are UTC texts: `2026-04-07 08:55:40.123456`

mod conversation;
mod exchange;
mod terminal;

#[cfg(test)]
mod tests;

use crate::adapters::kit::adapter::Adapter;
use crate::adapters::line::Parser;
use crate::adapters::{DatabaseDecoder, SourceInfo, Taken, UnknownSchema, time};
use crate::schema::{Format, Query, Record, Rows, Tables};

/// Agent id of the rows.
const AGENT: &str = "warp";

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::of_databases(database);

/// Decoder of this agent's databases.
#[must_use]
fn database(format: Format, _info: SourceInfo<'_>) -> Option<Box<dyn DatabaseDecoder>> {
    match format {
        Format::WarpStore => Some(Box::new(Store::default())),
        _ => None,
    }
}

/// Decoder of that database.
#[derive(Debug, Default)]
struct Store {
    parser: Parser,
}

impl DatabaseDecoder for Store {
    fn queries(&mut self, tables: &Tables) -> Result<Vec<Query>, UnknownSchema> {
        let mut queries = Vec::new();
        if tables.has("ai_queries") {
            queries.push(exchange::query(tables));
        }
        if tables.has("agent_conversations") {
            queries.push(conversation::query(tables));
        }
        if tables.has("blocks") && tables.has_column("blocks", "ai_metadata") {
            queries.push(terminal::query(tables));
        }
        if queries.is_empty() {
            let detail = "no table ai_queries, agent_conversations or blocks with ai_metadata: not Warp's warp.sqlite";
            return Err(UnknownSchema { detail: detail.to_owned() });
        }
        Ok(queries)
    }

    fn is_settled(&self, record: &Record<'_>) -> bool {
        match record.query {
            exchange::QUERY => exchange::is_settled(record),
            terminal::QUERY => terminal::is_settled(record),
            _ => true,
        }
    }

    fn record(&mut self, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
        match record.query {
            exchange::QUERY => exchange::rows(&mut self.parser, record, provisional, rows),
            conversation::QUERY => conversation::rows(&mut self.parser, record, provisional, rows),
            terminal::QUERY => terminal::rows(&mut self.parser, record, provisional, rows),
            _ => Taken::Ignored,
        }
    }
}

/// Microseconds since 1970 of a UTC text with a space or a `T`, with or without a zone.
fn utc_us(text: &str) -> Option<i64> {
    let text = text.trim();
    let joined = text.replacen(' ', "T", 1);
    time::rfc3339_us(&joined).or_else(|| time::rfc3339_us(&format!("{joined}Z")))
}
