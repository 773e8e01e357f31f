//! Zed.
//!
//! - `threads/threads.db`: a row a thread, its JSON plain or packed with zstd; the row is replaced when
//!   the thread goes on
//! - 0.3.0: messages are `{"User": {id, content}}`, `{"Agent": {content, tool_results}}` or `"Resume"`;
//!   before: `{id, role, segments, tool_uses, tool_results}`
//! - no message has a time: that of the thread stands in, inferred. A user's message has an id, an
//!   agent's is known by the user's before it and its number after that
//! - `request_token_usage` says what the last request of each prompt took: it stands on the first
//!   answer to the prompt, `partial`. `cumulative_token_usage` is what the thread took in all: what is
//!   left over is one more row, `derived`, so that sums are right
//! - an unsent draft is not stored
//!
//! Source of the facts: Zed's `crates/agent/src/{db,legacy_thread,thread}.rs`.

mod legacy;
mod thread;

#[cfg(test)]
mod tests;

use std::io::Read as _;

use thread::Thread;

use crate::adapters::kit::adapter::Adapter;
use crate::adapters::line::Parser;
use crate::adapters::{DatabaseDecoder, SourceInfo, Taken, UnknownSchema, time};
use crate::schema::{Format, Query, Record, RejectReason, Rows, Tables};

const AGENT: &str = "zed";

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::of_databases(database);

/// Decoder of this agent's databases.
#[must_use]
fn database(format: Format, info: SourceInfo<'_>) -> Option<Box<dyn DatabaseDecoder>> {
    match format {
        Format::ZedStore => Some(Box::new(StoreDecoder { modified_us: info.modified_us, parser: Parser::default() })),
        _ => None,
    }
}

/// Decodes one database.
#[derive(Debug)]
struct StoreDecoder {
    modified_us: i64,
    parser: Parser,
}

impl DatabaseDecoder for StoreDecoder {
    fn queries(&mut self, tables: &Tables) -> Result<Vec<Query>, UnknownSchema> {
        let column = |name: &str| tables.column_or_null("threads", "t", name);
        if !["id", "summary", "updated_at", "data_type", "data"].iter().all(|c| tables.has_column("threads", c)) {
            let detail = "it has no table `threads` as Zed's databases have; if a newer Zed made it, update devlog";
            return Err(UnknownSchema { detail: detail.to_owned() });
        }
        let sql = format!(
            "SELECT t.rowid, coalesce(CAST(unixepoch(t.updated_at, 'subsec') * 1000 AS INTEGER), 0), \
             t.id, t.summary, t.updated_at, t.data_type, t.data, {}, {}, {} FROM threads t \
             WHERE t.rowid > :rowid OR unixepoch(t.updated_at, 'subsec') * 1000 >= :mark ORDER BY t.rowid",
            column("parent_id"),
            column("folder_paths"),
            column("created_at"),
        );
        let anchor = Some("SELECT id FROM threads WHERE rowid = :rowid".to_owned());
        Ok(vec![Query { name: "threads", sql, anchor }])
    }

    fn record(&mut self, record: &Record<'_>, _provisional: bool, rows: &mut Rows) -> Taken {
        let (Some(id), Some(data)) = (record.text(0), record.value(4).bytes()) else {
            rows.reject(record.offset(), 0, RejectReason::WrongShape, "a thread has no id or no data", b"");
            return Taken::Rejected;
        };
        let unpacked = match record.text(3).as_deref() {
            Some("zstd") => unpack(data, rows.most_bytes()),
            Some("json") | None => Ok(None),
            Some(other) => Err((RejectReason::NotJson, format!("threads packed as {other:?} are of a newer Zed"))),
        };
        let unpacked = match unpacked {
            Ok(unpacked) => unpacked,
            Err((reason, detail)) => {
                rows.reject(record.offset(), data.len() as u64, reason, &detail, data);
                return Taken::Rejected;
            }
        };
        let (title, parent, folders) = (record.text(1), record.text(5), record.text(6));
        let updated = record.text(2).as_deref().and_then(time::rfc3339_us);
        let created = record.text(7).as_deref().and_then(time::rfc3339_us);
        let mut thread = Thread::new(&id, parent.as_deref(), title.as_deref(), record.offset());
        thread.cwd = folders.as_deref().and_then(|paths| paths.lines().next()).map(str::to_owned);
        thread.updated_us = updated.unwrap_or(self.modified_us);
        thread.created_us = created.unwrap_or(thread.updated_us);
        let mut taken = Taken::Ignored;
        let bytes = unpacked.as_deref().unwrap_or(data);
        let read = self.parser.each(bytes, |json| taken = thread.write(json, rows));
        if let Err(refused) = read {
            rows.reject(record.offset(), bytes.len() as u64, refused.reason, &refused.detail, bytes);
            return Taken::Rejected;
        }
        if taken == Taken::Rejected {
            let detail = "a thread must be an object with messages";
            rows.reject(record.offset(), bytes.len() as u64, RejectReason::WrongShape, detail, bytes);
        }
        taken
    }
}

/// What is packed in `data`, of at most `most_bytes`.
fn unpack(data: &[u8], most_bytes: usize) -> Result<Option<Vec<u8>>, (RejectReason, String)> {
    let failed =
        |error: std::io::Error| (RejectReason::NotJson, format!("the packed thread cannot be unpacked: {error}"));
    let mut bytes = Vec::new();
    let stream = zstd::stream::read::Decoder::new(data).map_err(failed)?;
    stream.take(most_bytes as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() > most_bytes {
        let detail = format!("the packed thread has more than {most_bytes} bytes; with a larger --memory it is read");
        return Err((RejectReason::TooLong, detail));
    }
    Ok(Some(bytes))
}
