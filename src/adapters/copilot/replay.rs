//! Exported prompts of the extension's debug view, `*.chatreplay.json`.
//!
//! `{exportedAt, prompts: [{prompt, hasSeen, logs: [...]}]}`. Of the logs, `request` is a model call with
//! its usage, `toolCall` a tool call with its result, `element` a piece of the rendered prompt. A prompt
//! stands once for each round of its turn (`hasSeen`). All calls of a turn have one `requestId`: the
//! extension's id of the turn, as spans have it, so that a call known from both stores is one.

use std::collections::BTreeMap;

use super::clean::extra;
use super::ids::{self, MEASURED};
use super::tool::{Answer, Arguments, Call};
use super::{clean, session};
use crate::adapters::json::Json;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, EventRow, EventType, Rows, Status, TokenUsage};

/// Decodes one export.
#[derive(Debug)]
pub(super) struct ReplayDecoder {
    parser: Parser,
    inner: std::cell::RefCell<Parser>,
    modified_us: i64,
    read_to: u64,
    last_us: Option<i64>,
}

/// What goes on from log to log.
#[derive(Debug, Default)]
struct Walk {
    ts_us: Option<i64>,
    turn: i32,
    turn_id: String,
    /// Calls so far, by turn.
    calls: BTreeMap<String, u64>,
}

impl ReplayDecoder {
    /// Starts where `checkpoint` says; at byte 0 without one.
    #[must_use]
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        Self {
            parser: Parser::default(),
            inner: std::cell::RefCell::default(),
            modified_us: info.modified_us,
            read_to: checkpoint.map_or(0, |c| c.high_water),
            last_us: None,
        }
    }

    fn document(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(prompts) = json.get("prompts").filter(|p| p.is_array()) else { return Outcome::Wrong };
        let mut walk = Walk::default();
        let exported = json.get("exportedAt").and_then(session::when);
        walk.ts_us = exported.or(Some(self.modified_us));
        let mut outcome = Outcome::Ignored;
        for prompt in prompts.items() {
            let logs = || prompt.get("logs").into_iter().flat_map(Json::items);
            let first = logs().find_map(|l| l.path(&["metadata"]).and_then(turn_id)).unwrap_or_default();
            if !first.is_empty() && first != walk.turn_id {
                first.clone_into(&mut walk.turn_id);
                walk.turn += 1;
                let started = logs().find_map(|l| l.path(&["metadata", "startTime"]).and_then(session::when));
                walk.ts_us = started.or(walk.ts_us);
                if let Some(words) = prompt.str_at("prompt") {
                    rows.event(&EventRow {
                        id: Some(ids::of_turn("prompt", first)),
                        event_type: EventType::UserInteraction,
                        role: Some("user"),
                        text: Some(words),
                        ..self.row(&walk, offset)
                    });
                    outcome = outcome.max(Outcome::Row);
                }
            }
            for log in logs() {
                outcome = outcome.max(self.log(&mut walk, log, offset, rows));
            }
        }
        self.last_us = exported.max(walk.ts_us);
        outcome
    }

    fn row<'a>(&self, walk: &'a Walk, offset: u64) -> EventRow<'a> {
        EventRow {
            ts_us: walk.ts_us.unwrap_or(self.modified_us),
            ts_inferred: true,
            session_id: Some(&*walk.turn_id).filter(|t| !t.is_empty()),
            request_id: Some(&*walk.turn_id).filter(|t| !t.is_empty()),
            turn: Some(walk.turn),
            source_offset: offset,
            completeness: MEASURED,
            ..EventRow::default()
        }
    }

    fn log(&self, walk: &mut Walk, log: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        match log.str_at("kind") {
            Some("element") => Outcome::Ignored,
            Some("request") => {
                self.request(walk, log, offset, rows);
                Outcome::Row
            }
            Some("toolCall") => {
                walk.ts_us = log.get("time").and_then(session::when).or(walk.ts_us);
                let bare = log.str_at("id").map(ids::bare_call).unwrap_or_default();
                let id = ids::unique_call(&walk.turn_id, bare, 0);
                let output = log.get("response").map(|r| {
                    let mut out = String::new();
                    super::text::result(r, &mut out);
                    out
                });
                let call = Call {
                    id: &id,
                    name: log.str_at("tool").unwrap_or_default(),
                    arguments: Arguments::read(log.get("args"), &self.inner),
                    facts: extra(|w| clean::rest(log, &["kind", "id", "tool", "args", "time", "response"], w)),
                    result: output.map(|text| Answer {
                        output: Some(text).filter(|t| !t.is_empty()),
                        status: Some(Status::Completed),
                        ..Answer::default()
                    }),
                    ..Call::default()
                };
                call.rows(EventRow { completeness: ids::FINISHED, ..self.row(walk, offset) }, rows);
                Outcome::Row
            }
            _ => {
                let facts = extra(|writer| clean::rest(log, &[], writer));
                let name = log.str_at("id").unwrap_or_default();
                let id = Some(ids::of_turn("log", &format!("{}/{name}", walk.turn_id)));
                rows.event(&EventRow {
                    id,
                    event_type: EventType::Unknown,
                    extra: facts.as_deref(),
                    ..self.row(walk, offset)
                });
                Outcome::Unknown
            }
        }
    }

    fn request(&self, walk: &mut Walk, log: Json<'_, '_>, offset: u64, rows: &mut Rows) {
        let metadata = log.get("metadata").unwrap_or(Json::new(&[]));
        let turn = turn_id(metadata).or_else(|| log.str_at("id")).unwrap_or_default();
        walk.ts_us = metadata.get("startTime").and_then(session::when).or(walk.ts_us);
        let usage = metadata.get("usage").filter(|u| u.is_object());
        let count = |path: &[&str]| usage.and_then(|u| u.path(path)).and_then(Json::as_i64).filter(|n| *n >= 0);
        let cached = count(&["prompt_tokens_details", "cached_tokens"]);
        let output = count(&["completion_tokens"]);
        let reasoning = count(&["completion_tokens_details", "reasoning_tokens"]);
        let tokens = TokenUsage::inclusive(count(&["prompt_tokens"]), cached, None, output).thoughts_within(reasoning);
        let id = if output.is_some() {
            let calls = walk.calls.entry(turn.to_owned()).or_default();
            *calls += 1;
            ids::usage(turn, *calls - 1)
        } else {
            ids::of_turn("log", &format!("{turn}/{}", log.str_at("id").unwrap_or_default()))
        };
        let response = log.get("response");
        let mut text = String::new();
        response.and_then(|r| r.get("message")).into_iter().for_each(|m| super::text::result(m, &mut text));
        let failed = response.and_then(|r| r.str_at("type")).is_some_and(|t| t != "success");
        let facts = extra(|writer| {
            clean::rest(log, &["kind", "metadata", "requestMessages", "response"], writer);
            let used = ["model", "startTime", "endTime", "duration", "usage", "tools", "ourRequestId", "requestId"];
            writer.object("metadata", |writer| clean::rest(metadata, &used, writer));
        });
        rows.event(&EventRow {
            id: Some(id),
            event_type: EventType::LlmResponse,
            role: Some("assistant"),
            model: metadata.str_at("model"),
            text: Some(&*text).filter(|t| !t.is_empty()),
            is_error: failed.then_some(true),
            duration_ms: metadata.i64_at("duration"),
            extra: facts.as_deref(),
            ..tokens.on(self.row(walk, offset))
        });
    }
}

fn turn_id<'i>(metadata: Json<'_, 'i>) -> Option<&'i str> {
    metadata.str_at("requestId").or_else(|| metadata.str_at("ourRequestId"))
}

impl Decoder for ReplayDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        let mut parser = std::mem::take(&mut self.parser);
        let mut outcome = Outcome::Ignored;
        let seen = parser.each(line.bytes, |json| outcome = outcome.max(self.document(json, line.offset, rows)));
        self.parser = parser;
        self.read_to = line.end;
        count(line, seen, outcome, rows);
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: false, state: String::new() }
    }

    fn last_us(&self) -> Option<i64> {
        self.last_us
    }
}
