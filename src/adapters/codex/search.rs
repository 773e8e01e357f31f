//! Web searches: told by an event and by an item, or beside a call of `web.run`. Records with one call id
//! are one call, whatever else they say.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::items::filled;
use super::ledger::{Stream, content_hash, record_hash};
use super::rollout::{Core, Outcome};
use super::state::Stamp;
use crate::adapters::clean::write_content;
use crate::adapters::json::Json;
use crate::schema::{EventId, EventRow, EventType, Rows, Status, hash64};

/// Searches that are remembered.
const REMEMBERED: usize = 64;

/// A search that has a row.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Search {
    call: u64,
    /// Id of its row, in two halves.
    row: (u64, u64),
    /// How much its records have said.
    said: i64,
}

/// The newest searches that have rows, oldest first.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Searches(VecDeque<Search>);

impl Searches {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    fn add(&mut self, call_id: &str, EventId(id): EventId, said: i64) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(Search { call: hash64(call_id.as_bytes()), row: ((id >> 64) as u64, id as u64), said });
    }

    fn find(&mut self, call_id: &str) -> Option<(EventId, &mut i64)> {
        let call = hash64(call_id.as_bytes());
        let search = self.0.iter_mut().rev().find(|search| search.call == call)?;
        let (high, low) = search.row;
        Some((EventId((u128::from(high) << 64) | u128::from(low)), &mut search.said))
    }

    /// Row of the search with this call id, and a completeness above that of its records so far.
    pub(super) fn row_of(&mut self, call_id: &str) -> Option<(EventId, i64)> {
        let (id, said) = self.find(call_id)?;
        *said += 1;
        Some((id, *said + 1))
    }
}

/// How much a record says of its search.
fn said(item: Json<'_, '_>) -> i64 {
    let action = item.get("action").filter(|action| action.str_at("type") != Some("other") && !action.is_empty());
    let results = item.get("results").filter(|results| !results.is_empty());
    i64::from(action.is_some()) * 2 + i64::from(results.is_some())
}

impl Core {
    /// A web search, told by an event or by an item.
    pub(super) fn web_search(&mut self, item: Json<'_, '_>, stream: Stream, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        self.state.replay.answered = true;
        self.input.clear();
        if let Some(action) = item.get("action") {
            write_content(action, &mut self.input);
        }
        let mut output = std::mem::take(&mut self.text);
        output.clear();
        if let Some(results) = item.get("results").filter(|r| !r.is_null()) {
            write_content(results, &mut output);
        }
        self.item_extra(item, &["action", "call_id", "id", "status", "results", "query"]);
        self.extra.end();
        let call_id = item.str_at("call_id").or_else(|| item.str_at("id"));
        let beside = call_id.is_some_and(|id| self.state.calls.knows(id));
        if let Some((id, completeness)) = self.search_row(item, stream, call_id, beside) {
            let query = item.str_at("query").or_else(|| item.path(&["action", "query"]).and_then(Json::as_filled_str));
            let row = EventRow {
                role: Some("assistant"),
                model: self.state.facts.model.as_deref(),
                message_id: item.str_at("id"),
                tool_call_id: call_id,
                tool_name: Some("web_search"),
                text: query,
                tool_input: filled(&self.input),
                tool_output: filled(&output),
                status: item.str_at("status").map(Status::of),
                extra: self.extra.get(),
                ..self.row(stamp, if beside { EventType::Progress } else { EventType::ToolUse }, id)
            };
            self.emit(rows, EventRow { completeness: row.completeness + completeness, ..row });
        }
        self.text = output;
        Outcome::Row
    }

    /// Id of the row that this record makes, and how much more complete it is than a first one; `None` when
    /// the search has been told. `beside` a call it is that call's progress.
    fn search_row(
        &mut self,
        item: Json<'_, '_>,
        stream: Stream,
        call_id: Option<&str>,
        beside: bool,
    ) -> Option<(EventId, i64)> {
        if beside {
            let ended = content_hash("web_search", &[call_id.unwrap_or_default()]);
            return self.content_id("end", ended, Stream::Item).map(|id| (id, 0));
        }
        self.content.begin();
        if let Some(action) = item.get("action") {
            self.content.value(action);
        }
        let content = record_hash("web_search", &self.content);
        let now = said(item);
        if let Some((id, before)) = call_id.and_then(|id| self.state.searches.find(id)) {
            let more = (now > *before).then_some((id, now));
            *before = now.max(*before);
            self.state.ledger.note(content, stream);
            return more;
        }
        let id = self.content_id("web_search", content, stream)?;
        if let Some(call_id) = call_id {
            self.state.searches.add(call_id, id, now);
        }
        Some((id, 0))
    }
}
