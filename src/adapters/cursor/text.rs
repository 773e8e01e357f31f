//! Agent transcripts of 2025: plain text.
//!
//! `user:` and `assistant:` on a line of their own begin a message. Inside of an answer, `[Thinking]`
//! begins a thought, `[Tool call] Name` a call with its arguments as `key: value` lines, and
//! `[Tool result] Name` a result. Ids and times as in the transcripts of lines; the last message is
//! open until the next begins or the agent falls silent.

use serde::{Deserialize, Serialize};

use super::AGENT;
use super::message::{Prompt, Talk};
use super::tool::Call;
use super::transcript::Conversation;
use crate::adapters::json::ObjectWriter;
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows};

/// Longest message that is kept; what is beyond is cut off.
const LONGEST: usize = 32 << 20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    User,
    Assistant,
    System,
}

/// A message whose end has not been seen.
#[derive(Debug, Clone)]
struct Message {
    role: Role,
    number: u64,
    offset: u64,
    text: String,
    /// Bytes of the text when it was last handed out.
    handed: Option<usize>,
}

/// What decoding goes on from: the state before the open message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    messages: u64,
    /// How much of the open message was handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handed: Option<usize>,
    #[serde(flatten)]
    talk: Talk,
}

/// Decodes transcripts of plain text.
#[derive(Debug)]
pub(super) struct TextDecoder {
    conversation: Conversation,
    state: State,
    open: Option<Message>,
    /// Lines before this were counted already.
    high_water: u64,
    read_to: u64,
}

/// One stretch of a message.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Said(String),
    Thought(String),
    Call(&'a str, String),
    Result(&'a str, String),
}

impl TextDecoder {
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let known = checkpoint.and_then(|c| Some((serde_json::from_str(&c.state).ok()?, c.resume_at, c.high_water)));
        let (state, read_to, high_water) = known.unwrap_or_default();
        Self { conversation: Conversation::new(info), state, open: None, high_water, read_to }
    }

    /// The rows of a message; `talk` is what came before it.
    fn rows(&self, message: &Message, provisional: bool, talk: &mut Talk, rows: &mut Rows) {
        let mut base = EventRow { provisional, ..self.conversation.row(message.number, message.offset) };
        base.completeness = i64::try_from(message.text.len()).unwrap_or(i64::MAX);
        let is_copy = self.conversation.is_copy;
        let mut part = 0_u32;
        let mut row = |kind: &str, turn: i32, cwd: Option<&str>, row: &EventRow<'_>, rows: &mut Rows| {
            let key = [self.conversation.id.as_bytes(), &message.number.to_le_bytes(), &part.to_le_bytes()];
            part += 1;
            if !is_copy || row.event_type == EventType::PromptHistory {
                rows.event(&EventRow { id: Some(EventId::of(AGENT, kind, &key)), turn: Some(turn), cwd, ..*row });
            }
        };
        match message.role {
            Role::User => {
                let prompt = Prompt::of(&message.text);
                talk.cwd = prompt.folder().map(str::to_owned).or(talk.cwd.take());
                let mut extra = String::new();
                let mut object = ObjectWriter::new(&mut extra);
                if let (Some(_), Some(added)) = (&prompt.text, &prompt.added) {
                    object.text("added", added);
                }
                let filled = object.end();
                talk.turn += i32::from(prompt.text.is_some());
                let event_type = match &prompt.text {
                    None => EventType::System,
                    Some(_) if is_copy => EventType::PromptHistory,
                    Some(_) => EventType::UserInteraction,
                };
                let Some(text) = prompt.text.as_deref().or(prompt.added.as_deref()) else { return };
                let extra = filled.then_some(extra.as_str());
                let own = EventRow { event_type, role: Some("user"), text: Some(text), extra, ..base };
                row("text-prompt", talk.turn, talk.cwd.as_deref(), &own, rows);
            }
            Role::System => {
                let own = EventRow {
                    event_type: EventType::System,
                    role: Some("system"),
                    text: Some(message.text.trim()),
                    ..base
                };
                row("text-system", talk.turn, talk.cwd.as_deref(), &own, rows);
            }
            Role::Assistant => {
                let mut calls: Vec<(Call, String)> = Vec::new();
                for (nth, piece) in pieces(&message.text).iter().enumerate() {
                    self.piece(piece, nth, &mut calls, message, &base, &mut |kind, own| {
                        row(kind, talk.turn, talk.cwd.as_deref(), own, rows);
                    });
                }
            }
        }
    }

    /// Hands the row of one piece of an answer to `row`.
    fn piece(
        &self,
        piece: &Piece<'_>,
        nth: usize,
        calls: &mut Vec<(Call, String)>,
        message: &Message,
        base: &EventRow<'_>,
        row: &mut dyn FnMut(&str, &EventRow<'_>),
    ) {
        let assistant = EventRow { role: Some("assistant"), ..*base };
        match piece {
            Piece::Said(text) => {
                row("text-said", &EventRow { event_type: EventType::LlmResponse, text: Some(text), ..assistant });
            }
            Piece::Thought(text) => {
                row("text-thought", &EventRow { event_type: EventType::Thinking, text: Some(text), ..assistant });
            }
            Piece::Call(name, arguments) => {
                let mut call = Call::new(name);
                let input = input_of(arguments);
                call.learn_text(&input, &mut crate::adapters::line::Parser::default());
                let id = format!("{}:{}:{nth}", self.conversation.id, message.number);
                let own = EventRow {
                    event_type: call.event_type(),
                    tool_name: Some(name),
                    tool_input: Some(&input),
                    tool_call_id: Some(&id),
                    file_path: call.path.as_deref(),
                    command: call.command.as_deref(),
                    ..assistant
                };
                row("text-call", &own);
                calls.push((call, id));
            }
            Piece::Result(name, output) => {
                let at = calls.iter().position(|(call, _)| call.name == *name);
                let (call, id) = at.map(|at| calls.remove(at)).unzip();
                let own = EventRow {
                    event_type: EventType::ToolResult,
                    role: Some("tool"),
                    tool_name: Some(name),
                    tool_output: Some(output).filter(|text| !text.is_empty()).map(String::as_str),
                    tool_call_id: id.as_deref(),
                    file_path: call.as_ref().and_then(|call| call.path.as_deref()),
                    command: call.as_ref().and_then(|call| call.command.as_deref()),
                    ..*base
                };
                row("text-result", &own);
            }
        }
    }

    /// Hands out what is new in the open message, and returns what the next one follows.
    fn hand_out(&mut self, rows: &mut Rows) -> Option<Talk> {
        let mut message = self.open.take()?;
        let mut talk = self.state.talk.clone();
        let is_new = message.handed != Some(message.text.len());
        let mut unheard = Rows::new(rows.context().clone());
        self.rows(&message, false, &mut talk, if is_new { rows } else { &mut unheard });
        message.handed = Some(message.text.len());
        self.open = Some(message);
        Some(talk)
    }

    /// True when the message has something to hand out.
    fn has_rows(&self, message: &Message) -> bool {
        let is_copy = self.conversation.is_copy;
        match message.role {
            Role::User => {
                let prompt = Prompt::of(&message.text);
                prompt.text.is_some() || (prompt.added.is_some() && !is_copy)
            }
            Role::System => !is_copy && !message.text.trim().is_empty(),
            Role::Assistant => !is_copy && !pieces(&message.text).is_empty(),
        }
    }
}

/// The arguments of a call, `key: value` a line; a line without a key goes on with the value before it.
fn input_of(arguments: &str) -> String {
    let mut fields: Vec<(&str, String)> = Vec::new();
    for line in arguments.lines() {
        let named = line.trim_start().split_once(':');
        let plain = |key: &str| !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        match (named, fields.last_mut()) {
            (Some((key, value)), _) if plain(key) => fields.push((key, value.trim().to_owned())),
            (_, Some((_, value))) => {
                value.push('\n');
                value.push_str(line);
            }
            (_, None) if line.trim().is_empty() => {}
            (_, None) => fields.push(("text", line.to_owned())),
        }
    }
    let mut out = String::new();
    let mut object = ObjectWriter::new(&mut out);
    fields.iter().for_each(|(key, value)| object.text(key, value.trim_end()));
    object.end();
    out
}

/// An answer taken apart.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut all: Vec<Piece<'_>> = vec![Piece::Said(String::new())];
    for line in text.lines() {
        let (next, rest) = if let Some(rest) = line.strip_prefix("[Thinking]") {
            (Some(Piece::Thought(String::new())), rest.trim_start())
        } else if let Some(name) = line.strip_prefix("[Tool call]") {
            (Some(Piece::Call(name.trim(), String::new())), "")
        } else if let Some(name) = line.strip_prefix("[Tool result]") {
            (Some(Piece::Result(name.trim(), String::new())), "")
        } else {
            (None, line)
        };
        let begins = next.is_some();
        all.extend(next);
        let Some(Piece::Said(body) | Piece::Thought(body) | Piece::Call(_, body) | Piece::Result(_, body)) =
            all.last_mut()
        else {
            continue;
        };
        if !(body.is_empty() && rest.is_empty()) {
            if !body.is_empty() {
                body.push('\n');
            }
            body.push_str(rest);
        }
        // An answer goes on in plain text after a thought's blank line.
        let thought = matches!(all.last(), Some(Piece::Thought(_)));
        if thought && rest.is_empty() && !begins {
            all.push(Piece::Said(String::new()));
        }
    }
    let filled = |body: &mut String| {
        *body = body.replace("[REDACTED]", "").trim().to_owned();
        !body.is_empty()
    };
    all.retain_mut(|piece| match piece {
        Piece::Said(body) | Piece::Thought(body) => filled(body),
        Piece::Call(_, body) | Piece::Result(_, body) => {
            filled(body);
            true
        }
    });
    all
}

fn role_of(line: &str) -> Option<Role> {
    match line.trim_end() {
        "user:" => Some(Role::User),
        "assistant:" => Some(Role::Assistant),
        "system:" => Some(Role::System),
        _ => None,
    }
}

impl Decoder for TextDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        let text = String::from_utf8_lossy(line.bytes);
        let text = text.trim_end_matches('\r').trim_start_matches('\u{feff}');
        let is_new = line.offset >= self.high_water;
        self.read_to = line.end;
        let role = role_of(text);
        if let Some(role) = role {
            if let Some(talk) = self.hand_out(rows) {
                self.state.talk = talk;
            }
            let number = self.state.messages;
            self.state.messages += 1;
            let handed = self.state.handed.take().filter(|_| !is_new);
            self.open = Some(Message { role, number, offset: line.offset, text: String::new(), handed });
        }
        let is_copy = self.conversation.is_copy;
        let joined = self.open.as_mut().is_some_and(|open| {
            if role.is_none() && open.text.len() < LONGEST {
                open.text.push_str(text);
                open.text.push('\n');
            }
            !is_copy || open.role == Role::User
        });
        if is_new {
            self.high_water = line.end;
            let counts = rows.counts();
            counts.lines += 1;
            // What stands before the first message, or nothing, makes no row.
            if joined && !text.is_empty() { counts.line_rows += 1 } else { counts.ignored += 1 }
        }
    }

    fn settle(&mut self, rows: &mut Rows) {
        self.hand_out(rows);
    }

    fn provisional(&self, rows: &mut Rows) {
        if let Some(open) = self.open.as_ref().filter(|_| self.is_open()) {
            self.rows(open, true, &mut self.state.talk.clone(), rows);
        }
    }

    fn is_open(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.handed != Some(open.text.len()) && self.has_rows(open))
    }

    fn checkpoint(&self) -> Checkpoint {
        let resume_at = self.open.as_ref().map_or(self.read_to, |open| open.offset);
        let messages = self.state.messages - u64::from(self.open.is_some());
        let handed = self.open.as_ref().and_then(|open| open.handed);
        let state = State { messages, handed, talk: self.state.talk.clone() };
        let state = serde_json::to_string(&state).unwrap_or_default();
        Checkpoint { resume_at, high_water: self.high_water, open: self.is_open(), state }
    }

    fn last_us(&self) -> Option<i64> {
        None
    }
}
