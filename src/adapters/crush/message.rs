//! One message: its parts.

use crate::adapters::clean::write_content;
use crate::adapters::deed::Deed;
use crate::adapters::json::Json;
use crate::adapters::kit::calls::OpenCalls;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::time::unix_us;
use crate::schema::{EventId, EventRow, EventType, Rows, Status};

/// A message without its parts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) agent: &'static str,
    pub(super) id: &'a str,
    pub(super) session: &'a str,
    pub(super) parent: Option<&'a str>,
    pub(super) role: &'a str,
    pub(super) model: Option<&'a str>,
    pub(super) provider: Option<&'a str>,
    pub(super) cwd: &'a str,
    pub(super) created_us: i64,
    pub(super) inferred: bool,
    pub(super) level: i64,
    pub(super) is_summary: bool,
    pub(super) turn: i32,
    pub(super) provisional: bool,
    pub(super) offset: u64,
}

/// What a result repeats of its call.
#[derive(Debug, Clone, Default)]
pub(super) struct Call {
    name: String,
    file_path: Option<String>,
    command: Option<String>,
}

impl Call {
    /// Takes the calls among `parts`.
    pub(super) fn collect(parts: Json<'_, '_>, calls: &mut OpenCalls<Self>) {
        let mut seen = Seen::default();
        for part in parts.items().filter(|part| part.str_at("type") == Some("tool_call")) {
            let Some(data) = part.get("data") else { continue };
            let Some(id) = data.str_at("id").map(|id| seen.name(id)) else { continue };
            let name = data.str_at("name").unwrap_or_default();
            let input = data.get("input").and_then(Json::as_str).unwrap_or_default();
            let mut call = Self { name: name.to_owned(), ..Self::default() };
            let found = Parser::default().each(input.as_bytes(), |json| {
                let deed = Deed::of(name, Some(json));
                call.file_path = deed.file_path.map(str::to_owned);
                call.command = deed.command.map(str::to_owned);
            });
            if found.is_ok() || !name.is_empty() {
                calls.open(&id, call);
            }
        }
    }
}

/// Names for what has one id several times in a message, as some providers give it to all calls of an answer: the
/// first keeps it, the others get a number.
#[derive(Debug, Default)]
struct Seen(Vec<String>);

impl Seen {
    fn name(&mut self, id: &str) -> String {
        let before = self.0.iter().filter(|known| *known == id).count();
        self.0.push(id.to_owned());
        numbered(id, before)
    }
}

fn numbered(id: &str, number: usize) -> String {
    if number == 0 { id.to_owned() } else { format!("{id}#{number}") }
}

/// What the parts of one message add to its own row; buffers are used again.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) extra: Extra,
    pub(super) rows: usize,
    pub(super) unknown: bool,
    text: String,
    input: String,
    part_extra: Extra,
    parser: Parser,
    reason: String,
    message: String,
    details: String,
    finished: Option<i64>,
    has_text: bool,
}

impl Gathered {
    /// Starts over.
    pub(super) fn begin(&mut self) {
        self.extra.begin();
        for text in [&mut self.text, &mut self.reason, &mut self.message, &mut self.details] {
            text.clear();
        }
        (self.rows, self.unknown, self.finished, self.has_text) = (0, false, None, false);
    }
}

fn set(slot: &mut String, text: Option<&str>) {
    slot.clear();
    slot.push_str(text.unwrap_or_default());
}

fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

impl<'a> Message<'a> {
    fn id(&self, kind: &str, part: &str) -> Option<EventId> {
        Some(EventId::of(self.agent, kind, &[self.id.as_bytes(), part.as_bytes()]))
    }

    fn row(&self) -> EventRow<'a> {
        EventRow {
            ts_us: self.created_us,
            ts_inferred: self.inferred,
            provisional: self.provisional,
            model: self.model,
            provider: self.provider,
            cwd: filled(self.cwd),
            session_id: filled(self.session),
            parent_session_id: self.parent,
            is_subagent: Some(self.parent.is_some()),
            turn: Some(self.turn),
            message_id: Some(self.id),
            role: filled(self.role),
            completeness: self.level,
            source_offset: self.offset,
            ..EventRow::default()
        }
    }

    /// Makes the rows of the message and its parts.
    pub(super) fn write(&self, parts: Json<'_, '_>, to: &mut Gathered, calls: &mut OpenCalls<Call>, rows: &mut Rows) {
        let (mut called, mut answered) = (Seen::default(), Seen::default());
        for (index, part) in parts.items().enumerate() {
            let index = index.to_string();
            let data = part.get("data").unwrap_or(part);
            match part.str_at("type").unwrap_or_default() {
                "text" if data.get("hidden").and_then(Json::as_bool) == Some(true) => {
                    self.plain(data, EventType::Attachment, &index, to, rows);
                }
                "text" => {
                    if to.has_text {
                        to.text.push('\n');
                    }
                    to.has_text = true;
                    to.text.push_str(data.get("text").and_then(Json::as_str).unwrap_or_default());
                }
                "reasoning" => self.thinking(data, &index, to, rows),
                "tool_call" => {
                    let id = called.name(data.str_at("id").unwrap_or_default());
                    self.call(data, &id, to, calls, rows);
                }
                "tool_result" => {
                    let id = data.str_at("tool_call_id").unwrap_or_default();
                    let named = if id.is_empty() { String::new() } else { answered.name(id) };
                    self.result(data, (&named, &index), to, calls, rows);
                }
                "finish" => {
                    to.finished = data.i64_at("time").filter(|time| *time > 0);
                    set(&mut to.reason, data.str_at("reason"));
                    set(&mut to.message, data.str_at("message"));
                    set(&mut to.details, data.str_at("details"));
                }
                "image_url" | "binary" => self.plain(data, EventType::Attachment, &index, to, rows),
                _ if data.get("command").is_some() && data.get("output").is_some() => {
                    self.shell(data, &index, to, rows);
                }
                _ => {
                    self.plain(part, EventType::Unknown, &index, to, rows);
                    to.unknown = true;
                }
            }
        }
        self.close(to, rows);
    }

    /// The message's own row.
    fn close(&self, to: &mut Gathered, rows: &mut Rows) {
        let row = EventRow { id: self.id("message", ""), text: filled(&to.text), ..self.row() };
        if self.is_summary {
            to.extra.with("is_summary_message", |out| out.push_str("true"));
        }
        match self.role {
            "user" if to.has_text => {
                rows.event(&EventRow { event_type: EventType::UserInteraction, extra: to.extra.end(), ..row });
            }
            "user" | "tool" if !to.has_text => return,
            "assistant" => {
                let status = match to.reason.as_str() {
                    "canceled" => Some(Status::Cancelled),
                    "permission_denied" => Some(Status::Denied),
                    "error" | "content_filter" => Some(Status::Failed),
                    _ => None,
                };
                let failed = status == Some(Status::Failed);
                let finished = to.finished.map(unix_us);
                to.extra.text("finish_message", &to.message).text("finish_details", &to.details);
                rows.event(&EventRow {
                    event_type: EventType::LlmResponse,
                    stop_reason: filled(&to.reason),
                    status,
                    duration_ms: finished
                        .filter(|_| !self.inferred)
                        .map(|us| us.saturating_sub(self.created_us).max(0) / 1000),
                    extra: to.extra.end(),
                    ..row
                });
                // The failure is one error: a row of its own.
                if failed {
                    to.message.push_str(if to.message.is_empty() || to.details.is_empty() { "" } else { "\n" });
                    to.message.push_str(&to.details);
                    rows.event(&EventRow {
                        id: self.id("error", ""),
                        event_type: EventType::ErrorEncountered,
                        ts_us: finished.unwrap_or(self.created_us),
                        text: filled(&to.message).or(filled(&to.reason)),
                        is_error: Some(true),
                        ..row
                    });
                    to.rows += 1;
                }
            }
            _ => {
                rows.event(&EventRow { event_type: EventType::Unknown, extra: to.extra.end(), ..row });
                to.unknown = true;
            }
        }
        to.rows += 1;
    }

    fn plain(&self, data: Json<'_, '_>, event_type: EventType, index: &str, to: &mut Gathered, rows: &mut Rows) {
        to.part_extra.begin().rest(data, &["text", "Path"]);
        rows.event(&EventRow {
            id: self.id("part", index),
            event_type,
            text: data.str_at("text"),
            file_path: data.str_at("Path"),
            extra: to.part_extra.end(),
            ..self.row()
        });
        to.rows += 1;
    }

    fn thinking(&self, data: Json<'_, '_>, index: &str, to: &mut Gathered, rows: &mut Rows) {
        let Some(text) = data.str_at("thinking") else { return };
        let time = |key: &str| data.i64_at(key).filter(|time| *time > 0).map(unix_us);
        rows.event(&EventRow {
            id: self.id("part", index),
            event_type: EventType::Thinking,
            ts_us: time("started_at").unwrap_or(self.created_us),
            text: Some(text),
            duration_ms: time("finished_at").zip(time("started_at")).map(|(to, from)| (to - from) / 1000),
            ..self.row()
        });
        to.rows += 1;
    }

    fn call(&self, data: Json<'_, '_>, id: &str, to: &mut Gathered, calls: &mut OpenCalls<Call>, rows: &mut Rows) {
        let name = data.str_at("name").unwrap_or_default();
        let input = data.get("input").and_then(Json::as_str).unwrap_or_default();
        let unfinished = data.get("finished").and_then(Json::as_bool) == Some(false);
        to.part_extra.begin().rest(data, &["id", "name", "input", "finished", "type"]);
        let mut call = Call { name: name.to_owned(), ..Call::default() };
        let mut event_type = Deed::of(name, None).event_type;
        to.input.clear();
        let clean = &mut to.input;
        let read = to.parser.each(input.as_bytes(), |json| {
            let deed = Deed::of(name, Some(json));
            event_type = deed.event_type;
            call.file_path = deed.file_path.map(str::to_owned);
            call.command = deed.command.map(str::to_owned);
            clean.clear();
            write_content(json, clean);
        });
        if read.is_err() {
            // A call that was cut off: its arguments are no JSON yet.
            to.input.clear();
            to.part_extra.text("raw_input", input);
        }
        rows.event(&EventRow {
            id: self.id("call", id),
            event_type,
            tool_name: filled(name),
            tool_call_id: filled(id),
            tool_input: filled(&to.input),
            file_path: call.file_path.as_deref(),
            command: call.command.as_deref(),
            status: unfinished.then_some(Status::Running),
            extra: to.part_extra.end(),
            ..self.row()
        });
        calls.open(id, call);
        to.rows += 1;
    }

    fn result(
        &self,
        data: Json<'_, '_>,
        (named, index): (&str, &str),
        to: &mut Gathered,
        calls: &mut OpenCalls<Call>,
        rows: &mut Rows,
    ) {
        // Results of calls with one id may come in a message each.
        let id = data.str_at("tool_call_id").unwrap_or_default();
        let open = (0..64).map(|number| numbered(id, number)).find(|name| calls.get(name).is_some());
        let open = open.filter(|_| calls.get(named).is_none());
        let call_id = open.as_deref().unwrap_or(named);
        let call = if self.provisional { calls.get(call_id).cloned() } else { calls.close(call_id) };
        let call = call.unwrap_or_default();
        let failed = data.get("is_error").and_then(Json::as_bool);
        let content = data.str_at("content");
        let extra = to.part_extra.begin();
        extra.rest(data, &["tool_call_id", "name", "content", "metadata", "is_error"]);
        let (mut added, mut removed, mut duration_ms) = (None, None, None);
        let metadata = data.get("metadata").and_then(Json::as_str).unwrap_or_default();
        let read = to.parser.each(metadata.as_bytes(), |json| {
            let lines = |key: &str| json.i64_at(key).and_then(|n| i32::try_from(n).ok());
            (added, removed) = (lines("additions"), lines("removals"));
            let time = |key: &str| json.i64_at(key).map(unix_us);
            duration_ms = time("end_time").zip(time("start_time")).map(|(to, from)| (to - from) / 1000);
            let repeated =
                ["additions", "removals", "start_time", "end_time", "output", "content", "old_content", "new_content"];
            extra.rest(json, &repeated);
        });
        if read.is_err() {
            extra.text("metadata", metadata);
        }
        let exit_code = call.command.as_ref().and(content).and_then(exit_code);
        rows.event(&EventRow {
            id: self.id("result", if named.is_empty() { index } else { named }),
            event_type: EventType::ToolResult,
            role: Some("tool"),
            tool_name: filled(&call.name).or_else(|| data.str_at("name")),
            tool_call_id: filled(call_id),
            tool_output: content,
            file_path: call.file_path.as_deref(),
            command: call.command.as_deref(),
            exit_code,
            is_error: failed,
            duration_ms,
            lines_added: added,
            lines_removed: removed,
            extra: to.part_extra.end(),
            ..self.row()
        });
        to.rows += 1;
    }

    /// A command that the person ran in the chat.
    fn shell(&self, data: Json<'_, '_>, index: &str, to: &mut Gathered, rows: &mut Rows) {
        let code = data.i64_at("exit_code").and_then(|code| i32::try_from(code).ok());
        let base = EventRow { tool_name: Some("shell"), command: data.str_at("command"), ..self.row() };
        rows.event(&EventRow { id: self.id("call", index), event_type: EventType::CommandExecution, ..base });
        rows.event(&EventRow {
            id: self.id("result", index),
            event_type: EventType::ToolResult,
            tool_output: data.str_at("output"),
            exit_code: code,
            is_error: code.map(|code| code != 0),
            ..base
        });
        to.rows += 2;
    }
}

/// The exit code that stands at the end of a command's answer.
fn exit_code(content: &str) -> Option<i32> {
    let line = content.lines().rev().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('<'))?;
    line.strip_prefix("Exit code ")?.trim().parse().ok()
}
