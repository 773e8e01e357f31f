//! Windsurf transcripts: `~/.windsurf/transcripts/<conversation>.jsonl`, one step a line.
//!
//! Facts (transcripts that Windsurf's hooks are given, 2026): a step is `{type, status, <type>: {…}}`,
//! without id, time, model or usage. So a step is named by its conversation and its number, its time is
//! the file's, and a step holds both a call and its result. Paths are `file:` URIs.
//!
//! The conversations themselves (`~/.codeium/windsurf/cascade/*.pb`) are encrypted.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::adapters::chat::{At, Call, Deed, Facts, Lines, Outcome, Records, file_stem, joined_text, output_text};
use crate::adapters::clean::content_json;
use crate::adapters::json::Json;
use crate::adapters::kit::adapter::Adapter;
use crate::adapters::kit::extra::Extra;
use crate::adapters::{Decoder, SourceInfo};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Format, Rows, Status};

/// Agent id of the rows.
const AGENT: &str = "windsurf";

/// What its folder has to offer.
pub(super) const ADAPTER: Adapter = Adapter::new(1, decoder);

/// Decoder of this agent's lines and documents.
#[must_use]
fn decoder(format: Format, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Option<Box<dyn Decoder>> {
    match format {
        Format::WindsurfSteps => Some(Box::new(Lines::<Steps>::new(format, info, checkpoint))),
        _ => None,
    }
}

/// A conversation while its steps are read.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Steps {
    facts: Facts,
    /// Number of the next step.
    next: u64,
    #[serde(skip)]
    path: String,
    #[serde(skip)]
    modified_us: i64,
    #[serde(skip)]
    fields: Extra,
}

impl Records for Steps {
    fn begin(&mut self, _format: Format, info: SourceInfo<'_>) {
        info.path.clone_into(&mut self.path);
        self.modified_us = info.modified_us;
    }

    fn record(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(kind) = json.str_at("type") else { return Outcome::Wrong };
        if self.facts.session.is_none() {
            self.facts.session = Some(file_stem(&self.path).to_owned());
        }
        let at = self.facts.at(offset, None, self.modified_us);
        // Steps follow each other: their order survives in times that are no more than that.
        let at = At { ts_us: at.ts_us.saturating_add(i64::try_from(self.next).unwrap_or(0)), ..at };
        let step = json.get(kind).filter(|s| s.is_object());
        match (kind, step) {
            ("user_input", Some(step)) => {
                self.facts.turn += 1;
                self.said(EventType::UserInteraction, "user", json, step, at, rows);
            }
            ("planner_response", Some(step)) => self.said(EventType::LlmResponse, "assistant", json, step, at, rows),
            (_, Some(step)) => self.tool(kind, json, step, at, rows),
            (_, None) => {
                rows.counts().unknown_types += 1;
                self.fields.begin().rest(json, &[]).end();
                rows.event(&EventRow {
                    id: Some(self.id("step")),
                    extra: self.fields.get(),
                    status: json.str_at("status").map(Status::of),
                    ..self.facts.row(EventType::Unknown, at)
                });
            }
        }
        self.next += 1;
        Outcome::Row
    }

    fn last_us(&self) -> Option<i64> {
        self.facts.last_us
    }
}

impl Steps {
    fn id(&self, kind: &str) -> EventId {
        EventId::of(AGENT, kind, &[self.facts.session().as_bytes(), &self.next.to_le_bytes()])
    }

    fn said(
        &mut self,
        event_type: EventType,
        role: &str,
        json: Json<'_, '_>,
        step: Json<'_, '_>,
        at: At,
        rows: &mut Rows,
    ) {
        let kind = json.str_at("type").unwrap_or_default();
        let text = ["user_response", "response", "text"].iter().find_map(|key| step.get(key)).and_then(joined_text);
        let thinking = step.str_at("thinking");
        self.fields.begin().rest(json, &["type", "status", kind]);
        self.fields.rest(step, &["user_response", "response", "text", "thinking"]).end();
        rows.event(&EventRow {
            id: Some(self.id("step")),
            role: Some(role),
            text: text.as_deref(),
            status: json.str_at("status").map(Status::of),
            extra: self.fields.get(),
            ..self.facts.row(event_type, at)
        });
        if thinking.is_some() {
            rows.event(&EventRow {
                id: Some(self.id("thinking")),
                role: Some(role),
                text: thinking,
                ..self.facts.row(EventType::Thinking, at)
            });
        }
    }

    fn tool(&mut self, kind: &str, json: Json<'_, '_>, step: Json<'_, '_>, at: At, rows: &mut Rows) {
        const ANSWERS: [&str; 6] = ["output", "content", "results", "result", "response", "error"];
        let status = json.str_at("status");
        let call_id = format!("{}#{}", self.facts.session(), self.next);
        let (call, deed) = Call::new(&call_id, kind, Some(step));
        if let Some(cwd) = step.str_at("cwd") {
            self.facts.cwd = Some(cwd.to_owned());
        }
        // What a step was asked for is all that it does not answer.
        self.fields.begin().rest(step, &ANSWERS);
        self.fields.rest(json, &["type", "status", kind]).end();
        let input = self.fields.get().map(str::to_owned);
        let row = EventRow {
            tool_call_id: Some(&call_id),
            tool_name: Some(kind),
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            ..self.facts.row(deed.event_type(), at)
        };
        let role = Some("assistant");
        rows.event(&EventRow { id: Some(self.id("step")), role, tool_input: input.as_deref(), ..row });
        let answer = ANSWERS.iter().find_map(|key| step.get(key).filter(|v| !v.is_null()));
        let output = answer.and_then(|a| if a.is_object() { Some(content_json(a)) } else { output_text(a) });
        let exit_code = step.i64_at("exit_code").and_then(|c| i32::try_from(c).ok());
        let rejected = step.get("user_rejected").and_then(Json::as_bool) == Some(true);
        let failed = rejected || status == Some("error") || exit_code.is_some_and(|code| code != 0);
        let written = step.str_at("new_content").filter(|_| deed == Deed::Modify).map(|t| t.lines().count());
        let added = call.added.or_else(|| written.and_then(|n| i32::try_from(n).ok())).filter(|_| !failed);
        let result = EventRow { event_type: EventType::ToolResult, role: Some("tool"), exit_code, ..row };
        rows.event(&EventRow {
            id: Some(self.id("result")),
            tool_output: output.as_deref(),
            is_error: Some(failed),
            status: if rejected { Some(Status::Denied) } else { status.map(Status::of) },
            lines_added: added,
            lines_removed: call.removed.filter(|_| !failed),
            ..result
        });
    }
}
