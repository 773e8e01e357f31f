//! Steps become rows.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::AGENT;
use crate::adapters::SourceInfo;
use crate::adapters::chat::{At, Call, Facts, Outcome, Records, file_stem, output_text};
use crate::adapters::clean::{content_json, write_content};
use crate::adapters::json::{Json, ObjectWriter};
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::time;
use crate::schema::{EventId, EventRow, EventType, Format, Rows, Status};

/// Calls that are remembered for their results.
const KEPT: usize = 256;

/// Steps that only say something to the model.
const NOTES: [&str; 8] = [
    "CONVERSATION_HISTORY",
    "EPHEMERAL_MESSAGE",
    "SYSTEM_MESSAGE",
    "KNOWLEDGE_ARTIFACTS",
    "MEMORY",
    "INFO",
    "TASK_BOUNDARY",
    "NOTIFY_USER",
];

/// A conversation while its steps are read.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Steps {
    facts: Facts,
    /// The newest calls, open or answered.
    calls: VecDeque<Made>,
    /// Step of the newest prompt.
    prompt: Option<i64>,
    /// Number of the next line.
    next: i64,
    #[serde(skip)]
    path: String,
    #[serde(skip)]
    is_full: bool,
    #[serde(skip)]
    modified_us: i64,
    #[serde(skip)]
    fields: Extra,
}

/// A call.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(default)]
struct Made {
    call: Call,
    /// Step of the answer by the place of the call.
    due: i64,
    /// Step that has answered.
    answered: Option<i64>,
}

impl Records for Steps {
    fn begin(&mut self, _format: Format, info: SourceInfo<'_>) {
        self.path = info.path.replace('\\', "/");
        self.is_full = file_stem(&self.path) != "transcript";
        self.modified_us = info.modified_us;
    }

    fn record(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(kind) = json.str_at("type") else { return Outcome::Wrong };
        if self.facts.session.is_none() {
            let folder = self.path.rsplit('/').skip_while(|part| *part != ".system_generated").nth(1);
            self.facts.session = Some(folder.unwrap_or_else(|| file_stem(&self.path)).to_owned());
        }
        let number = json.i64_at("step_index").unwrap_or(self.next);
        self.next = number.max(self.next).saturating_add(1);
        let ts_us = json.str_at("created_at").and_then(time::rfc3339_us);
        let at = self.facts.at(offset, ts_us, self.modified_us);
        let content = json.get("content").and_then(output_text).unwrap_or_default();
        let cut = json.get("truncated_fields").is_some_and(|fields| !fields.is_empty());
        let step = Step {
            number,
            kind,
            json,
            at,
            content: &content,
            level: (i64::from(self.is_full || !cut) << 40) + i64::from(self.is_full),
        };
        self.fields.begin().rest(
            json,
            &["step_index", "type", "status", "created_at", "content", "thinking", "tool_calls", "source", "error"],
        );
        self.fields.end();
        let outcome = match (kind, json.str_at("source").unwrap_or_default()) {
            ("USER_INPUT", "SYSTEM") => self.note(&step, EventType::System, rows),
            ("USER_INPUT", _) => self.prompt(&step, rows),
            ("PLANNER_RESPONSE", _) => self.answer(&step, rows),
            ("CHECKPOINT", _) => self.note(&step, EventType::Compaction, rows),
            ("ERROR_MESSAGE" | "ERROR", _) => self.note(&step, EventType::ErrorEncountered, rows),
            (kind, _) if NOTES.contains(&kind) => self.note(&step, EventType::System, rows),
            ("TOOL_RESPONSE", _) | (_, "MODEL") => self.result(&step, rows),
            _ => {
                rows.counts().unknown_types += 1;
                self.note(&step, EventType::Unknown, rows)
            }
        };
        // Only a planner's calls are answered by later steps.
        if kind != "PLANNER_RESPONSE" {
            self.calls(&step, rows);
        }
        outcome
    }

    fn last_us(&self) -> Option<i64> {
        self.facts.last_us
    }
}

/// A step while its rows are made.
struct Step<'s, 't, 'i> {
    number: i64,
    kind: &'s str,
    json: Json<'t, 'i>,
    at: At,
    content: &'s str,
    level: i64,
}

impl Step<'_, '_, '_> {
    fn status(&self) -> Option<Status<'_>> {
        self.json.str_at("status").map(Status::of)
    }

    /// A step that has ended, and then says more, is the fuller one.
    fn completeness(&self, text: &str) -> i64 {
        let done = self.status() == Some(Status::Completed);
        self.level + (i64::from(done) << 32) + (i64::try_from(text.len()).unwrap_or(0).min((1 << 24) - 1) << 4)
    }
}

impl Steps {
    fn id(&self, kind: &str, step: &Step<'_, '_, '_>, part: usize) -> EventId {
        let (number, part) = (step.number.to_le_bytes(), part.to_le_bytes());
        EventId::of(AGENT, kind, &[self.facts.session().as_bytes(), step.kind.as_bytes(), &number, &part])
    }

    fn prompt(&mut self, step: &Step<'_, '_, '_>, rows: &mut Rows) -> Outcome {
        if self.prompt.is_none_or(|known| known < step.number) {
            self.facts.turn += 1;
            self.prompt = Some(step.number);
        }
        let (text, beside) = request(step.content);
        if let Some(model) = chosen_model(beside.as_deref().unwrap_or_default()) {
            self.facts.model = Some(model.to_owned());
        }
        let mut fields = std::mem::take(&mut self.fields);
        fields.begin().rest(step.json, &["step_index", "type", "status", "created_at", "content", "source"]);
        if let Some(beside) = &beside {
            fields.text("context", beside);
        }
        fields.end();
        rows.event(&EventRow {
            id: Some(self.id("step", step, 0)),
            role: Some("user"),
            text: Some(text).filter(|t| !t.is_empty()),
            completeness: step.completeness(step.content),
            extra: fields.get(),
            ..self.facts.row(EventType::UserInteraction, step.at)
        });
        self.fields = fields;
        Outcome::Row
    }

    fn answer(&mut self, step: &Step<'_, '_, '_>, rows: &mut Rows) -> Outcome {
        let before = rows.len();
        if let Some(thought) = step.json.str_at("thinking") {
            rows.event(&EventRow {
                id: Some(self.id("thinking", step, 0)),
                role: Some("assistant"),
                text: Some(thought),
                completeness: step.completeness(thought),
                ..self.facts.row(EventType::Thinking, step.at)
            });
        }
        if !step.content.trim().is_empty() {
            rows.event(&EventRow {
                id: Some(self.id("step", step, 0)),
                role: Some("assistant"),
                text: Some(step.content),
                model: self.facts.model.as_deref(),
                status: step.status().filter(|status| *status != Status::Completed),
                completeness: step.completeness(step.content),
                extra: self.fields.get(),
                ..self.facts.row(EventType::LlmResponse, step.at)
            });
        }
        self.calls(step, rows);
        if rows.len() > before { Outcome::Row } else { Outcome::Ignored }
    }

    /// The calls that a step makes.
    fn calls(&mut self, step: &Step<'_, '_, '_>, rows: &mut Rows) {
        for (place, call) in step.json.get("tool_calls").into_iter().flat_map(Json::items).enumerate() {
            let function = call.get("function").unwrap_or(call);
            let name = function.str_at("name").unwrap_or_default();
            let arguments = ["args", "arguments"].iter().find_map(|key| function.get(key));
            let own = call
                .str_at("id")
                .map_or_else(|| format!("{}#{}.{place}", self.facts.session(), step.number), str::to_owned);
            let due = step.number.saturating_add(1).saturating_add(i64::try_from(place).unwrap_or(0));
            self.call(step, &own, (name, arguments.map(plain).as_deref()), (place, due), rows);
        }
    }

    fn call(
        &mut self,
        step: &Step<'_, '_, '_>,
        call_id: &str,
        (name, input): (&str, Option<&str>),
        (place, due): (usize, i64),
        rows: &mut Rows,
    ) {
        let bare = name.rsplit(':').next().unwrap_or(name);
        let mut made = None;
        let arguments = input.unwrap_or("{}");
        let read = Parser::default().each(arguments.as_bytes(), |json| {
            if let Some(cwd) = json.str_at("Cwd") {
                self.facts.cwd = Some(cwd.to_owned());
            }
            made = Some(Call::new(call_id, bare, Some(json)));
        });
        let (call, deed) = made.filter(|_| read.is_ok()).unwrap_or_else(|| Call::new(call_id, bare, None));
        rows.event(&EventRow {
            id: Some(self.id("call", step, place)),
            role: Some("assistant"),
            tool_call_id: Some(call_id),
            tool_name: Some(name).filter(|name| !name.is_empty()),
            tool_input: input,
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            model: self.facts.model.as_deref(),
            completeness: step.completeness(arguments),
            ..self.facts.row(deed.event_type(), step.at)
        });
        if !self.calls.iter().any(|known| known.call.id == call.id) {
            if self.calls.len() >= KEPT {
                self.calls.pop_front();
            }
            self.calls.push_back(Made { call, due, answered: None });
        }
    }

    /// A step that a tool has taken. One that nobody asked for is its own call.
    fn result(&mut self, step: &Step<'_, '_, '_>, rows: &mut Rows) -> Outcome {
        let number = step.number;
        let of = |test: &dyn Fn(&Made) -> bool| self.calls.iter().position(test);
        let found = of(&|made| made.answered == Some(number))
            .or_else(|| of(&|made| made.answered.is_none() && made.due == number))
            .or_else(|| of(&|made| made.answered.is_none() && made.due < number));
        let found = found.unwrap_or_else(|| {
            let id = format!("{}#{number}", self.facts.session());
            self.call(step, &id, (&step.kind.to_lowercase(), None), (0, number), rows);
            self.calls.len().saturating_sub(1)
        });
        let call = self.calls.get_mut(found).map(|made| {
            made.answered = Some(number);
            made.call.clone()
        });
        let call = call.unwrap_or_default();
        let is_command = step.kind == "RUN_COMMAND" || call.command.is_some();
        let exit_code = exit_code(step.content).filter(|_| is_command);
        let error = step.json.get("error").and_then(output_text);
        let status = step.status();
        let failed = status == Some(Status::Failed) || error.is_some() || exit_code.is_some_and(|code| code != 0);
        let is_over = status.is_none_or(|status| !matches!(status, Status::Running | Status::Pending));
        let output = error.as_deref().or(Some(step.content)).filter(|text| !text.is_empty());
        self.fields.begin().text("step", step.kind);
        self.fields.rest(
            step.json,
            &["step_index", "type", "status", "created_at", "content", "thinking", "tool_calls", "source", "error"],
        );
        self.fields.end();
        let edit = call.added.zip(call.removed).filter(|_| !failed);
        rows.event(&EventRow {
            id: Some(self.id("result", step, 0)),
            role: Some("tool"),
            tool_call_id: Some(&call.id).filter(|id| !id.is_empty()).map(String::as_str),
            tool_name: call.name.as_deref(),
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            tool_output: output,
            exit_code,
            is_error: is_over.then_some(failed),
            status,
            lines_added: edit.map(|(added, _)| added),
            lines_removed: edit.map(|(_, removed)| removed),
            completeness: step.completeness(step.content),
            extra: self.fields.get(),
            ..self.facts.row(EventType::ToolResult, step.at)
        });
        Outcome::Row
    }

    fn note(&self, step: &Step<'_, '_, '_>, event_type: EventType, rows: &mut Rows) -> Outcome {
        let mut fields = Extra::default();
        fields.begin().text("step", step.kind);
        fields
            .rest(step.json, &["step_index", "type", "status", "created_at", "content", "source", "tool_calls"])
            .end();
        rows.event(&EventRow {
            id: Some(self.id("step", step, 0)),
            role: Some("system"),
            text: Some(step.content).filter(|text| !text.is_empty()),
            is_error: (event_type == EventType::ErrorEncountered).then_some(true),
            completeness: step.completeness(step.content),
            extra: fields.get(),
            ..self.facts.row(event_type, step.at)
        });
        Outcome::Row
    }
}

/// The prompt, and what stands beside it.
fn request(content: &str) -> (&str, Option<String>) {
    let (open, close) = ("<USER_REQUEST>", "</USER_REQUEST>");
    let Some((before, rest)) = content.split_once(open) else { return (content.trim(), None) };
    let (text, after) = rest.split_once(close).unwrap_or((rest, ""));
    let beside = [before.trim(), after.trim()].join("\n").trim().to_owned();
    (text.trim(), Some(beside).filter(|text| !text.is_empty()))
}

/// The model that a change of the settings names.
fn chosen_model(beside: &str) -> Option<&str> {
    let (_, change) = beside.split_once("`Model Selection`")?;
    let (_, model) = change.lines().next()?.split_once(" to ")?;
    // `… to Gemini 3.1 Pro (High). No need to comment …`
    let end = model.find(". ").unwrap_or(model.len());
    let model = model.get(..end)?.trim().trim_end_matches('.').trim_matches('`');
    (!model.is_empty()).then_some(model)
}

/// Arguments as JSON: texts lose the quotes that they have of their own.
fn plain(arguments: Json<'_, '_>) -> String {
    if !arguments.is_object() {
        return content_json(arguments);
    }
    let mut out = String::new();
    let mut object = ObjectWriter::new(&mut out);
    for (key, value) in arguments.fields() {
        let quoted = value.as_str().filter(|text| text.len() > 1 && text.starts_with('"') && text.ends_with('"'));
        match quoted.and_then(|text| serde_json::from_str::<String>(text).ok()) {
            Some(text) => object.text(key, &text),
            None => object.with(key, |out| write_content(value, out)),
        }
    }
    object.end();
    out
}

/// The exit code that a command's output names.
fn exit_code(content: &str) -> Option<i32> {
    if content.contains("The command completed successfully") {
        return Some(0);
    }
    let at = content.find("exit code")?;
    let rest = content.get(at + "exit code".len()..)?.trim_start_matches([':', ' ', '=']);
    let digits: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '-').collect();
    digits.parse().ok()
}
