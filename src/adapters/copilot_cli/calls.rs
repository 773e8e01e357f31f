//! The calls of the model behind the answers: one row each, with what its messages report.

use serde::{Deserialize, Serialize};

use super::OF_SHUTDOWN;
use super::events::Core;
use super::record::Stamp;
use super::request_id;
use crate::adapters::json::Json;
use crate::schema::{EventRow, EventType, Rows, UsageSource};

/// Calls of one leg that are kept until it ends.
const KEPT: usize = 8192;

/// A call, as its row may have to be told again.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Call {
    key: String,
    number: i64,
    messages: i64,
    output: Option<i64>,
    reasoning: Option<i64>,
    /// A thought came with it.
    thinks: bool,
    model: Option<String>,
    message_id: Option<String>,
    request_id: Option<String>,
    event: String,
    parent: Option<String>,
    ts_us: i64,
    turn: i32,
    is_subagent: bool,
    subagent: Option<String>,
    /// Where it was made: one of the places of its leg.
    place: usize,
    offset: u64,
}

impl Core {
    /// The call that a message belongs to, and the output that the message reports for it.
    pub(super) fn request(&mut self, data: Json<'_, '_>, stamp: &Stamp<'_>, rows: &mut Rows) {
        let key = data.str_at("apiCallId").or_else(|| data.str_at("messageId")).unwrap_or(&stamp.id);
        let known = self.state.leg.pop_if(|last| last.key == key);
        let mut call = match known {
            Some(last) => Call { messages: last.messages + 1, ..last },
            None => {
                self.state.calls += 1;
                self.state.meters.call();
                Call { key: key.to_owned(), number: self.state.calls - 1, ts_us: stamp.ts_us, ..Call::default() }
            }
        };
        call.thinks |=
            ["reasoningText", "reasoningOpaque", "encryptedContent"].iter().any(|k| data.str_at(k).is_some());
        if let Some(output) = data.i64_at("outputTokens").filter(|output| call.output.is_none_or(|o| *output > o)) {
            let output = output.max(0);
            self.state.meters.count(stamp.model.as_deref(), output - call.output.unwrap_or_default());
            let text = |value: Option<&str>| value.map(str::to_owned);
            call = Call {
                output: Some(output),
                model: stamp.model.clone(),
                message_id: text(data.str_at("messageId")),
                request_id: text(data.str_at("requestId").or_else(|| data.str_at("apiCallId"))),
                event: stamp.id.clone(),
                parent: text(stamp.parent),
                turn: stamp.turn,
                is_subagent: stamp.is_subagent,
                subagent: stamp.subagent.clone(),
                place: self.place(),
                offset: stamp.offset,
                ..call
            };
            self.tell(&call, rows);
        }
        if self.state.leg.len() >= KEPT {
            self.state.leg.drain(..KEPT / 2);
        }
        self.state.leg.push(call);
    }

    /// Number of the place where the session is now.
    fn place(&mut self) -> usize {
        if self.state.places.last() != Some(&self.state.place) {
            self.state.places.push(self.state.place.clone());
        }
        self.state.places.len() - 1
    }

    /// The row of a call.
    fn tell(&self, call: &Call, rows: &mut Rows) {
        let stamp = Stamp {
            kind: "assistant.message",
            id: call.event.clone(),
            part: 0,
            parent: call.parent.as_deref(),
            ts_us: call.ts_us,
            // The store has another time for the same request.
            inferred: true,
            is_subagent: call.is_subagent,
            subagent: call.subagent.clone(),
            model: call.model.clone(),
            turn: call.turn,
            offset: call.offset,
        };
        let row = self.row(EventType::LlmRequest, &stamp);
        let row = match self.state.places.get(call.place) {
            Some(place) => self.placed(place, row),
            None => row,
        };
        let told = call.reasoning.is_some();
        rows.event(&EventRow {
            id: Some(request_id(self.session(), call.number)),
            message_id: call.message_id.as_deref().or(row.message_id),
            request_id: call.request_id.as_deref(),
            output_tokens: call.output,
            reasoning_tokens: call.reasoning,
            usage_source: Some(if told { UsageSource::Derived } else { UsageSource::Reported }),
            completeness: 1 + call.messages + if told { OF_SHUTDOWN } else { 0 },
            ..row
        });
    }

    /// The counters know the reasoning of a model as a sum. Of `reasoning`, what does not stand with calls yet
    /// goes to those of the leg that have room for it in their output: to those with a thought first.
    pub(super) fn spread_reasoning(&mut self, model: &str, reasoning: i64, rows: &mut Rows) {
        let done = self.state.spread.get(model).copied().unwrap_or_default();
        let mut left = reasoning - done;
        let mut leg = std::mem::take(&mut self.state.leg);
        // A call may not say its model.
        let rounds = [(true, Some(model)), (false, Some(model)), (true, None), (false, None)];
        for (thinks, model) in rounds {
            for call in leg.iter_mut().filter(|call| call.thinks == thinks && call.model.as_deref() == model) {
                let part = left.min(call.output.unwrap_or_default() - call.reasoning.unwrap_or_default());
                if part > 0 {
                    left -= part;
                    call.reasoning = Some(call.reasoning.unwrap_or_default() + part);
                    self.tell(call, rows);
                }
            }
        }
        self.state.leg = leg;
        if reasoning - done > left {
            self.state.spread.insert(model.to_owned(), reasoning - left);
        }
    }
}
