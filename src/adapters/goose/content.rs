//! The content of one message, the same in lines and database.

use serde::{Deserialize, Serialize};

use super::AGENT;
use crate::adapters::clean::write_content;
use crate::adapters::deed::Deed;
use crate::adapters::json::Json;
use crate::adapters::kit::calls::OpenCalls;
use crate::adapters::kit::content::Content;
use crate::adapters::kit::extra::Extra;
use crate::schema::{EventId, EventRow, EventType, Rows, Status};

/// A message without its content, and its session.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message<'a> {
    pub(super) session: &'a str,
    pub(super) parent: Option<&'a str>,
    pub(super) is_subagent: bool,
    pub(super) role: &'a str,
    pub(super) message_id: Option<&'a str>,
    pub(super) model: Option<&'a str>,
    pub(super) provider: Option<&'a str>,
    pub(super) cwd: Option<&'a str>,
    pub(super) ts_us: i64,
    pub(super) inferred: bool,
    /// False for what Goose tells the model only.
    pub(super) visible: bool,
    pub(super) turn: i32,
    pub(super) level: i64,
    pub(super) offset: u64,
}

/// What a result repeats of its call.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Call {
    #[serde(rename = "n", default)]
    name: String,
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

/// Calls whose results have not come, by their ids.
pub(super) type Calls = OpenCalls<Call>;

/// Takes the calls among `content`.
pub(super) fn collect(content: Json<'_, '_>, calls: &mut Calls) {
    for item in content.items() {
        if let (Some("toolRequest" | "frontendToolRequest"), Some(id)) = (item.str_at("type"), item.str_at("id")) {
            let value = item.path(&["toolCall", "value"]);
            let name = value.and_then(|v| v.str_at("name")).unwrap_or_default();
            let deed = Deed::of(name, value.and_then(|v| v.get("arguments")));
            let call = Call {
                name: name.to_owned(),
                file: deed.file_path.map(str::to_owned),
                command: deed.command.map(str::to_owned),
            };
            calls.open(id, call);
        }
    }
}

/// True when a person said something in it.
pub(super) fn is_prompt(role: &str, content: Json<'_, '_>) -> bool {
    role == "user" && content.items().any(|item| matches!(item.str_at("type"), Some("text" | "image")))
}

/// What came of a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) rows: usize,
    pub(super) unknown: bool,
}

/// Buffers, used again and again.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    text: String,
    value: String,
    extra: Extra,
}

fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

impl<'a> Message<'a> {
    /// Identity of a row: session, role and second of the message, and what tells it from others.
    fn id(&self, kind: &str, what: &[u8]) -> Option<EventId> {
        let seconds = self.ts_us.div_euclid(1_000_000).to_le_bytes();
        let time: &[u8] = if self.inferred { b"" } else { &seconds };
        Some(EventId::of(AGENT, kind, &[self.session.as_bytes(), self.role.as_bytes(), time, what]))
    }

    fn row(&self) -> EventRow<'a> {
        EventRow {
            ts_us: self.ts_us,
            ts_inferred: self.inferred,
            model: if self.role == "assistant" { self.model } else { None },
            provider: if self.role == "assistant" { self.provider } else { None },
            cwd: self.cwd,
            session_id: filled(self.session),
            parent_session_id: self.parent,
            is_subagent: Some(self.is_subagent),
            turn: Some(self.turn),
            message_id: self.message_id,
            role: filled(self.role),
            completeness: self.level,
            source_offset: self.offset,
            ..EventRow::default()
        }
    }

    /// Makes the rows of the message.
    pub(super) fn write(&self, content: Json<'_, '_>, calls: &mut Calls, to: &mut Buffers, rows: &mut Rows) -> Made {
        let mut made = Made::default();
        to.text.clear();
        let mut key = String::new();
        let mut has_text = false;
        for item in content.items() {
            made.rows += 1;
            match item.str_at("type").unwrap_or_default() {
                "text" => {
                    if has_text {
                        to.text.push('\n');
                    }
                    has_text = true;
                    to.text.push_str(item.get("text").and_then(Json::as_str).unwrap_or_default());
                    made.rows -= 1;
                }
                "thinking" => {
                    let text = item.str_at("thinking");
                    let id = self.id("thinking", text.unwrap_or_default().as_bytes());
                    rows.event(&EventRow { id, event_type: EventType::Thinking, text, ..self.row() });
                }
                "redactedThinking" => made.rows -= 1,
                "toolRequest" | "frontendToolRequest" => {
                    key.push_str(item.str_at("id").unwrap_or_default());
                    self.call(item, to, rows);
                }
                "toolResponse" => self.result(item, calls, to, rows),
                "image" => self.plain(item, EventType::Attachment, to, rows),
                "toolConfirmationRequest" | "actionRequired" | "systemNotification" => {
                    self.plain(item, EventType::System, to, rows);
                }
                "contextLengthExceeded" | "summarizationRequested" => self.plain(item, EventType::Compaction, to, rows),
                _ => {
                    self.plain(item, EventType::Unknown, to, rows);
                    made.unknown = true;
                }
            }
        }
        collect(content, calls);
        let event_type = match self.role {
            "user" if has_text && self.visible => EventType::UserInteraction,
            "user" if has_text => EventType::Attachment,
            "user" => return made,
            "assistant" => EventType::LlmResponse,
            _ => EventType::Unknown,
        };
        // An answer that only calls tools is known by its calls.
        key.insert_str(0, &to.text);
        let text = filled(&to.text);
        rows.event(&EventRow { id: self.id("message", key.as_bytes()), event_type, text, ..self.row() });
        made.rows += 1;
        made
    }

    fn plain(&self, item: Json<'_, '_>, event_type: EventType, to: &mut Buffers, rows: &mut Rows) {
        let text = ["text", "msg", "message", "prompt"].iter().find_map(|key| item.str_at(key));
        to.extra.begin().text("kind", item.str_at("type").unwrap_or_default());
        to.extra.rest(item, &["type", "text", "msg", "message", "prompt"]);
        let extra = to.extra.end();
        let id = self.id("item", Content::of(item).bytes());
        rows.event(&EventRow { id, event_type, text, extra, ..self.row() });
    }

    fn call(&self, item: Json<'_, '_>, to: &mut Buffers, rows: &mut Rows) {
        let id = item.str_at("id").unwrap_or_default();
        let value = item.path(&["toolCall", "value"]);
        let name = value.and_then(|v| v.str_at("name")).unwrap_or_default();
        let arguments = value.and_then(|v| v.get("arguments"));
        let deed = Deed::of(name, arguments);
        to.value.clear();
        if let Some(arguments) = arguments {
            write_content(arguments, &mut to.value);
        }
        to.extra.begin().rest(item, &["type", "id", "toolCall"]);
        // A call that the model wrote wrongly has an error in place of its name.
        let failed = item.path(&["toolCall", "error"]).and_then(Json::as_str);
        to.extra.text("error", failed.unwrap_or_default());
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "call", &[self.session.as_bytes(), id.as_bytes()])),
            event_type: deed.event_type,
            tool_name: filled(name),
            tool_call_id: filled(id),
            tool_input: filled(&to.value),
            file_path: deed.file_path,
            command: deed.command,
            is_error: failed.map(|_| true),
            extra: to.extra.end(),
            ..self.row()
        });
    }

    fn result(&self, item: Json<'_, '_>, calls: &mut Calls, to: &mut Buffers, rows: &mut Rows) {
        let id = item.str_at("id").unwrap_or_default();
        let call = calls.close(id).unwrap_or_default();
        let result = item.get("toolResult");
        let value = result.and_then(|r| r.get("value"));
        let error = result.and_then(|r| r.str_at("error"));
        let list = value.map(|v| v.get("content").unwrap_or(v));
        to.value.clear();
        to.extra.begin().rest(item, &["type", "id", "toolResult"]);
        let mut blobs = String::new();
        for block in list.into_iter().flat_map(Json::items) {
            match block.get("text").and_then(Json::as_str) {
                // Goose gives its own tools' texts twice, for the user and for the model.
                Some(text) if !to.value.is_empty() && to.value.ends_with(text) => {}
                Some(text) => {
                    if !to.value.is_empty() {
                        to.value.push('\n');
                    }
                    to.value.push_str(text);
                }
                None => {
                    blobs.push(if blobs.is_empty() { '[' } else { ',' });
                    write_content(block, &mut blobs);
                }
            }
        }
        if !blobs.is_empty() {
            blobs.push(']');
            to.extra.with("content", |out| out.push_str(&blobs));
        }
        let mut failed = result.and_then(|r| r.str_at("status")).map(|status| status == "error");
        if let Some(value) = value.filter(|value| value.is_object()) {
            to.extra.rest(value, &["content", "isError"]);
            failed = if value.get("isError").and_then(Json::as_bool) == Some(true) { Some(true) } else { failed };
        }
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "result", &[self.session.as_bytes(), id.as_bytes()])),
            event_type: EventType::ToolResult,
            role: Some("tool"),
            tool_name: filled(&call.name),
            tool_call_id: filled(id),
            tool_output: error.or(filled(&to.value)),
            file_path: call.file.as_deref(),
            command: call.command.as_deref(),
            is_error: failed,
            status: result.and_then(|r| r.str_at("status")).map(Status::of),
            extra: to.extra.end(),
            ..self.row()
        });
    }
}
