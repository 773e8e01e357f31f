//! A message as models get it: a role, and a content of texts, thoughts, calls and results. The CLI's
//! chats and the transcripts share it; only names of fields differ.

use serde::{Deserialize, Serialize};

use super::AGENT;
use super::extra::{field, is_blank, rest, write_content};
use super::tool::Call;
use crate::adapters::json::{Json, ObjectWriter};
use crate::schema::{EventId, EventRow, EventType, Rows, Status};

/// Stands where a thought or a secret was taken out.
const REDACTED: &str = "[REDACTED]";

/// Calls that wait for their results, at most.
const OPEN_CALLS: usize = 256;

/// Tags around what the agent adds to a prompt.
const ADDED: [&str; 9] = [
    "<user_info>",
    "<system_reminder>",
    "<system-reminder>",
    "<open_and_recently_viewed_files>",
    "<git_status>",
    "<rules>",
    "<agent_transcripts>",
    "<agent_skills>",
    "<project_layout>",
];

/// What surrounds a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    /// The conversation's id, and what tells the message from others of it.
    pub(super) key: [&'a [u8]; 2],
    /// All that is the same for the message's rows.
    pub(super) base: EventRow<'a>,
    /// Another store holds the conversation: only prompts are kept, as history.
    pub(super) is_copy: bool,
    /// The message was handed out as if no other store held it: what it said is taken back.
    pub(super) takes_back: bool,
}

/// What earlier messages tell about later ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Talk {
    /// Prompts so far.
    #[serde(default)]
    pub(super) turn: i32,
    /// The folder that the agent was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cwd: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    calls: Vec<(String, Call)>,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Made {
    Nothing,
    Rows,
    Unknown,
}

/// What a user's message says: the prompt by itself, and what the agent added.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    pub(super) text: Option<String>,
    pub(super) added: Option<String>,
}

impl Prompt {
    /// Takes a user's text apart: prompts stand in `<user_query>`, where there is one.
    pub(super) fn of(text: &str) -> Self {
        let filled = |text: String| Some(text.trim().to_owned()).filter(|t| !t.is_empty());
        let (mut asked, mut added, mut rest) = (Vec::new(), String::new(), text);
        while let Some((before, after)) = rest.split_once("<user_query>") {
            let (query, behind) = after.split_once("</user_query>").unwrap_or((after, ""));
            added.push_str(before);
            asked.push(query.trim());
            rest = behind;
        }
        if asked.is_empty() {
            let own = text.trim_start();
            if ADDED.iter().any(|tag| own.starts_with(tag)) {
                return Self { text: None, added: filled(text.to_owned()) };
            }
            return Self { text: filled(text.to_owned()), added: None };
        }
        added.push_str(rest);
        Self { text: filled(asked.join("\n")), added: filled(added) }
    }

    /// The folder that the agent added (`Workspace Path: /w/shop`).
    pub(super) fn folder(&self) -> Option<&str> {
        let lines = self.added.as_deref()?.lines();
        lines.filter_map(|line| line.trim().strip_prefix("Workspace Path:")).map(str::trim).find(|p| !p.is_empty())
    }
}

/// A message under decoding.
struct Writer<'a, 't, 'r> {
    spot: Spot<'a>,
    talk: &'t mut Talk,
    rows: &'r mut Rows,
    /// Number of the next part.
    part: u32,
    /// Fields without a column; the first row takes them.
    extra: Option<String>,
    made: Made,
}

/// Appends the rows of a message. `outer` is the record around it, or the message itself.
pub(super) fn rows_of(outer: Json<'_, '_>, spot: Spot<'_>, talk: &mut Talk, rows: &mut Rows) -> Made {
    let message = outer.get("message").filter(|message| message.is_object()).unwrap_or(outer);
    let role = outer.str_at("role").or_else(|| message.str_at("role")).unwrap_or_default();
    let mut extra = String::new();
    let mut object = ObjectWriter::new(&mut extra);
    rest(outer, &["role", "message", "content", "id", "model", "providerOptions"], &mut object);
    if outer.get("message").is_some_and(Json::is_object) {
        rest(message, &["role", "content", "id", "model"], &mut object);
    }
    let filled = object.end();
    let options = outer.path(&["providerOptions", "cursor"]);
    let named = options.and_then(|o| o.str_at("modelName"));
    let model = named.or_else(|| outer.str_at("model")).or_else(|| message.str_at("model"));
    let base = EventRow {
        model: model.or(spot.base.model.filter(|_| role == "assistant")),
        request_id: options.and_then(|o| o.str_at("requestId")),
        message_id: outer.str_at("id").or_else(|| message.str_at("id")).or(spot.base.message_id),
        ..spot.base
    };
    let extra = filled.then_some(extra);
    let mut writer = Writer { spot: Spot { base, ..spot }, talk, rows, part: 0, extra, made: Made::Nothing };
    let content = message.get("content").or_else(|| outer.get("content"));
    match (role, content) {
        ("user" | "assistant" | "system" | "tool", Some(content)) => writer.content(role, content),
        _ => writer.unknown(outer, &["role"]),
    }
    writer.made
}

/// What is left of a row whose event another store tells: it counts nowhere.
pub(super) fn taken_back<'a>(base: &EventRow<'a>) -> EventRow<'a> {
    EventRow { event_type: EventType::System, status: Some(Status::Copy), completeness: base.completeness + 1, ..*base }
}

impl Writer<'_, '_, '_> {
    fn content(&mut self, role: &str, content: Json<'_, '_>) {
        if let Some(text) = content.as_str() {
            self.text(role, text);
            return;
        }
        let is_text = |part: Json<'_, '_>| part.as_str().is_some() || part.str_at("type") == Some("text");
        let text_of = |part: Json<'_, '_>| part.as_str().or_else(|| part.str_at("text")).map(str::to_owned);
        let texts: Vec<String> = content.items().filter(|part| is_text(*part)).filter_map(text_of).collect();
        // Thoughts come before what is said, calls after it.
        let thinks = |part: &Json<'_, '_>| matches!(part.str_at("type"), Some("thinking" | "reasoning"));
        content.items().filter(thinks).for_each(|part| self.thought(part));
        self.text(role, &texts.join("\n"));
        for part in content.items().filter(|part| !is_text(*part) && !thinks(part)) {
            match part.str_at("type").unwrap_or_default() {
                "tool_use" | "tool-call" | "tool_call" | "function_call" => self.call(part),
                "tool_result" | "tool-result" => self.result(part),
                "redacted-reasoning" | "redacted_thinking" => {}
                "image" | "file" | "image_url" => self.attachment(role, part),
                _ => self.unknown(part, &["type"]),
            }
        }
    }

    fn row(&mut self, kind: &str, row: &EventRow<'_>) {
        let is_told = !self.spot.is_copy || row.event_type == EventType::PromptHistory;
        if !is_told && !self.spot.takes_back {
            return;
        }
        let told = EventRow { completeness: row.completeness + i64::from(self.spot.takes_back), ..*row };
        let row = if is_told { &told } else { &taken_back(&self.spot.base) };
        let extra = row.extra.map(str::to_owned).or_else(|| self.extra.take());
        let part = self.part.to_le_bytes();
        let [conversation, message] = self.spot.key;
        self.part += 1;
        self.made = self.made.max(Made::Rows);
        self.rows.event(&EventRow {
            id: Some(EventId::of(AGENT, kind, &[conversation, message, &part])),
            turn: Some(self.talk.turn),
            cwd: self.spot.base.cwd.or(self.talk.cwd.clone().as_deref()),
            extra: extra.as_deref(),
            ..*row
        });
    }

    fn text(&mut self, role: &str, text: &str) {
        let base = self.spot.base;
        if role == "user" {
            let prompt = Prompt::of(text);
            if let Some(folder) = prompt.folder() {
                self.talk.cwd = Some(folder.to_owned());
            }
            self.prompt(&prompt);
            return;
        }
        let said = text.replace(REDACTED, "");
        let said = said.trim();
        if said.is_empty() {
            return;
        }
        let (event_type, role) = match role {
            "assistant" => (EventType::LlmResponse, "assistant"),
            "tool" => (EventType::ToolResult, "tool"),
            _ => (EventType::System, "system"),
        };
        if event_type == EventType::ToolResult {
            self.row("result", &EventRow { event_type, role: Some(role), tool_output: Some(said), ..base });
        } else {
            self.row("said", &EventRow { event_type, role: Some(role), text: Some(said), ..base });
        }
    }

    /// A prompt; what the agent added to it is kept beside it, or is a row of its own.
    fn prompt(&mut self, prompt: &Prompt) {
        let base = self.spot.base;
        let Some(text) = prompt.text.as_deref() else {
            if let Some(added) = prompt.added.as_deref() {
                self.row(
                    "added",
                    &EventRow { event_type: EventType::System, role: Some("user"), text: Some(added), ..base },
                );
            }
            return;
        };
        if self.spot.is_copy && base.is_subagent == Some(true) {
            self.row("prompt", &EventRow { event_type: EventType::UserInteraction, ..base });
            return;
        }
        self.talk.turn += 1;
        let mut extra = String::new();
        let mut object = ObjectWriter::new(&mut extra);
        if let Some(inner) = self.extra.take().as_deref().and_then(|e| e.strip_prefix('{')?.strip_suffix('}')) {
            object.inner(inner);
        }
        if let Some(added) = prompt.added.as_deref() {
            object.text("added", added);
        }
        let filled = object.end();
        let event_type = if self.spot.is_copy { EventType::PromptHistory } else { EventType::UserInteraction };
        let extra = filled.then_some(extra.as_str());
        self.row("prompt", &EventRow { event_type, role: Some("user"), text: Some(text), extra, ..base });
    }

    fn thought(&mut self, part: Json<'_, '_>) {
        let text = ["thinking", "text", "reasoning"].iter().find_map(|key| part.str_at(key));
        let Some(text) = text.filter(|text| text.trim() != REDACTED) else { return };
        let base = self.spot.base;
        self.row(
            "thought",
            &EventRow { event_type: EventType::Thinking, role: Some("assistant"), text: Some(text), ..base },
        );
    }

    fn call(&mut self, part: Json<'_, '_>) {
        let mut call = Call::new(part.str_at("name").or_else(|| part.str_at("toolName")).unwrap_or("unknown"));
        let arguments = ["input", "args", "arguments"].iter().find_map(|key| part.get(key));
        let mut input = None;
        if let Some(arguments) = arguments.filter(|arguments| !arguments.is_null()) {
            call.learn(arguments);
            let mut text = String::new();
            write_content(arguments, &mut text);
            input = Some(text);
        }
        let id = call_id(part);
        let mut extra = String::new();
        let used = ["type", "name", "toolName", "input", "args", "arguments", "id", "toolCallId", "tool_use_id"];
        let filled = left(part, &used, &mut extra);
        let row = EventRow {
            event_type: call.event_type(),
            role: Some("assistant"),
            tool_name: Some(&call.name),
            tool_input: input.as_deref(),
            tool_call_id: id,
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            extra: filled.then_some(extra.as_str()),
            ..self.spot.base
        };
        self.row("call", &row);
        if let Some(id) = id {
            if self.talk.calls.len() >= OPEN_CALLS {
                self.talk.calls.remove(0);
            }
            self.talk.calls.push((id.to_owned(), call));
        }
    }

    fn result(&mut self, part: Json<'_, '_>) {
        let id = call_id(part);
        let known = id.and_then(|id| self.talk.calls.iter().position(|(open, _)| open == id));
        let call = known.map(|at| self.talk.calls.remove(at).1).unwrap_or_default();
        let named = part.str_at("toolName").or_else(|| part.str_at("name"));
        let name = named.or_else(|| Some(call.name.as_str()).filter(|name| !name.is_empty()));
        let output = ["content", "result", "output"].iter().find_map(|key| part.get(key)).map(plain);
        let failed = ["is_error", "isError"].iter().find_map(|key| part.get(key)?.as_bool());
        let mut extra = String::new();
        let used = [
            "type",
            "name",
            "toolName",
            "content",
            "result",
            "output",
            "toolCallId",
            "tool_use_id",
            "is_error",
            "isError",
        ];
        let filled = left(part, &used, &mut extra);
        let row = EventRow {
            event_type: EventType::ToolResult,
            role: Some("tool"),
            tool_name: name,
            tool_output: output.as_deref().filter(|text| !text.is_empty()),
            tool_call_id: id,
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            is_error: failed,
            extra: filled.then_some(extra.as_str()),
            ..self.spot.base
        };
        self.row("result", &row);
    }

    fn attachment(&mut self, role: &str, part: Json<'_, '_>) {
        let mut extra = String::new();
        let filled = left(part, &[], &mut extra);
        let role = if role == "user" { "user" } else { "assistant" };
        let extra = filled.then_some(extra.as_str());
        self.row(
            "attachment",
            &EventRow { event_type: EventType::Attachment, role: Some(role), extra, ..self.spot.base },
        );
    }

    /// A part or record of a kind that nobody knows: its fields, and its text.
    fn unknown(&mut self, part: Json<'_, '_>, used: &[&str]) {
        let mut extra = String::new();
        let mut object = ObjectWriter::new(&mut extra);
        if let Some(kind) = part.get("type") {
            field("type", kind, &mut object);
        }
        rest(part, used, &mut object);
        let filled = object.end();
        let row = EventRow {
            event_type: EventType::Unknown,
            text: part.str_at("text"),
            extra: filled.then_some(extra.as_str()),
            ..self.spot.base
        };
        self.row("unknown", &row);
        if !self.spot.is_copy {
            self.made = Made::Unknown;
        }
    }
}

fn call_id<'i>(part: Json<'_, 'i>) -> Option<&'i str> {
    ["toolCallId", "tool_use_id", "id", "call_id"].iter().find_map(|key| part.str_at(key))
}

/// Writes the fields of a part that are not in `used`; false when there are none.
fn left(part: Json<'_, '_>, used: &[&str], out: &mut String) -> bool {
    let mut object = ObjectWriter::new(out);
    rest(part, used, &mut object);
    object.end()
}

/// A tool's output as text: texts of a list, or JSON.
fn plain(value: Json<'_, '_>) -> String {
    if let Some(text) = value.as_str() {
        return text.to_owned();
    }
    let texts: Option<Vec<&str>> = value.items().map(|item| item.as_str().or_else(|| item.str_at("text"))).collect();
    if value.is_array()
        && let Some(texts) = texts
    {
        return texts.join("\n");
    }
    let mut out = String::new();
    if !is_blank(value) {
        write_content(value, &mut out);
    }
    out
}
