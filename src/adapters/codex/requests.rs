//! Model calls: `token_count` events, `token_usage_record`s, and the totals of `codex exec --json`.
//!
//! - a record names its response, and the response is the call: the same in every copy of the log
//! - a count and the record of the same response are one call, whichever comes first; a compaction's
//!   call stands in its record only, and the totals never contain it
//! - a count that a fork may have copied is named by the thread it was forked from, so that it is that
//!   thread's call where its log is there, and one call of all its forks where it is not (`replay`)

use super::AGENT;
use super::items::filled;
use super::ledger::{Stream, content_hash};
use super::replay::UsageOwner;
use super::rollout::{Core, Outcome};
use super::state::Stamp;
use super::usage::{Call, Tokens};
use crate::adapters::json::Json;
use crate::schema::{EventId, EventRow, EventType, Rows, UsageSource};

/// What a count says beside the call that it stands for.
#[derive(Clone, Copy)]
struct Count<'a> {
    call: Call,
    total: Option<Tokens>,
    last: Option<Tokens>,
    model: Option<&'a str>,
}

impl Core {
    pub(super) fn token_count(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let info = event.get("info").filter(|i| i.is_object());
        let mut outcome = Outcome::Ignored;
        let limits = event.get("rate_limits").filter(|l| l.is_object());
        if let Some(info) = info {
            outcome = self.usage(event, info, stamp, rows);
        } else if limits.is_none() && event.len() > 2 {
            outcome = self.note(EventType::Progress, "token_count", event, stamp, rows);
        }
        if let Some(limits) = limits {
            outcome = outcome.max(self.rate_limits(limits, stamp, rows));
        }
        outcome
    }

    fn usage(&mut self, event: Json<'_, '_>, info: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let total_usage = info.get("total_token_usage");
        let (total, last) = (Tokens::read(total_usage), Tokens::read(info.get("last_token_usage")));
        if total.is_none() && last.is_none() {
            return Outcome::Ignored;
        }
        let standing = self.state.standing_of_usage(stamp, total.is_some() && total == last);
        let call = match (total, last) {
            (Some(total), None) => self.state.counter.step_total(total),
            _ => self.state.counter.step(total, last),
        };
        let Some(call) = call else { return Outcome::Ignored };
        let is_copied = standing == UsageOwner::Inherited;
        if self.state.doubles.count(call.tokens, last, is_copied) {
            return Outcome::Row;
        }
        if is_copied {
            return Outcome::Ignored;
        }
        self.extra.begin().rest(info, &["total_token_usage", "last_token_usage", "model"]);
        if let Some(total) = total_usage {
            self.extra.value("total_token_usage", total);
        }
        self.extra.end();
        let model = info.str_at("model").or_else(|| event.str_at("model"));
        let count = Count { call, total, last, model };
        match standing {
            UsageOwner::Shared => self.shared_call(count, stamp, rows),
            _ => self.own_call(count, stamp, rows),
        }
        Outcome::Row
    }

    /// The row of a call that only this thread can have made; `extra` is ready.
    fn own_call(&mut self, count: Count<'_>, stamp: &Stamp, rows: &mut Rows) {
        let id = match count.total {
            Some(total) => {
                let epoch = self.state.counter.epoch.to_le_bytes();
                let parts = [&epoch[..], &total.key(), &count.last.unwrap_or_default().key()];
                Some(self.state.natural_id(&self.origin, "usage", &parts))
            }
            None => {
                let key = count.last.unwrap_or_default().0.map(|n| n.to_string()).join(" ");
                self.content_id("usage", content_hash("usage", &[&key]), Stream::Item)
            }
        };
        let Some(id) = id else { return };
        let row = self.row(stamp, EventType::LlmRequest, id);
        self.emit_call(count, row, rows);
    }

    /// The row of a call that the fork may have copied, and a mark that the fork has told of it: what a
    /// fork of the fork copies finds the mark.
    fn shared_call(&mut self, count: Count<'_>, stamp: &Stamp, rows: &mut Rows) {
        let Some(own) = self.state.threads.first().map(|own| own.id.as_str()) else { return };
        let parent = self.state.replay.parent.as_deref().unwrap_or(own);
        let epoch = self.state.counter.epoch.to_le_bytes();
        let total = count.total.unwrap_or_default().key();
        let last = count.last.unwrap_or_default().key();
        let named = |thread: &str| EventId::of(AGENT, "usage", &[thread.as_bytes(), &epoch, &total, &last]);
        let row = self.state.shared(self.row(stamp, EventType::LlmRequest, named(parent)));
        let mark = EventRow {
            id: Some(named(own)),
            event_type: EventType::Progress,
            completeness: 1,
            extra: Some(r#"{"record":"token_count"}"#),
            ..row
        };
        self.emit(rows, mark);
        self.emit_call(count, row, rows);
    }

    fn emit_call(&self, count: Count<'_>, row: EventRow<'_>, rows: &mut Rows) {
        let row = EventRow {
            model: count.model.or(self.state.facts.model.as_deref()),
            service_tier: self.state.facts.tier.as_deref(),
            extra: self.extra.get(),
            ..row
        };
        self.emit(rows, count.call.tokens.usage().from(count.call.source).on(row));
    }

    /// `token_usage_record`: what one response took.
    pub(super) fn usage_record(&mut self, record: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        const USED: [&str; 5] = ["type", "thread_id", "response_id", "usage", "model"];
        let Some(tokens) = Tokens::read(record.get("usage")) else {
            return self.note(EventType::Progress, "token_usage_record", record, stamp, rows);
        };
        let response = record.str_at("response_id").unwrap_or_default();
        if tokens.is_zero() || self.state.doubles.record(response, tokens) {
            return Outcome::Row;
        }
        self.state.replay.answered = true;
        self.extra.begin().rest(record, &USED);
        self.extra.end();
        let id = if response.is_empty() {
            self.note_id("token_usage_record", record, &[])
        } else {
            Some(EventId::of(AGENT, "response", &[response.as_bytes()]))
        };
        let Some(id) = id else { return Outcome::Row };
        let mut row = EventRow { request_id: filled(response), ..self.row(stamp, EventType::LlmRequest, id) };
        // A copy of the log keeps the name of the thread that made the call.
        if let Some(thread) = record.str_at("thread_id").filter(|thread| row.session_id != Some(*thread)) {
            let known = (None, None, None);
            (row.parent_session_id, row.is_subagent, row.subagent_type) = known;
            (row.session_id, row.completeness) = (Some(thread), 0);
        }
        let call = Call { tokens, source: UsageSource::Reported };
        self.emit_call(Count { call, total: None, last: None, model: record.str_at("model") }, row, rows);
        Outcome::Row
    }

    /// Usage as `codex exec --json` prints it: the thread's totals so far.
    pub(super) fn turn_usage(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let Some(total) = Tokens::read(event.get("usage")) else { return Outcome::Ignored };
        self.extra.begin().rest(event, &["type", "usage"]);
        self.extra.end();
        match self.state.counter.step_total(total) {
            Some(call) => {
                self.own_call(Count { call, total: Some(total), last: None, model: None }, stamp, rows);
                Outcome::Row
            }
            None => Outcome::Ignored,
        }
    }
}
