//! `.aider.chat.history.md`: Markdown, appended message by message.
//!
//! - `# aider chat started at <local time>` starts a session; nothing else does, not even a banner (`/model` prints it again)
//! - `#### ` starts each line of what the user wrote, `> ` each line of Aider's own; both end in two blanks. The rest is the
//!   model's. Inside an answer, a heading or a quote without the two blanks belongs to the answer; with them nobody can
//!   tell. A text of Aider's own with newlines in it has the mark before its first line and the blanks behind its last. Files whose blanks were trimmed away are read by the marks alone
//! - a block ends when another kind begins. An answer is held until its `Tokens:` line came, or the next message
//! - identity: a session is known by the local time in its header and by nothing else, not by its project: the same
//!   history copied or merged is the same session, and two that began in the same second (of any zone, in any project)
//!   share a session id. A block is known by that time, its number in the session, its kind and its first line, so that
//!   the events of two such sessions stay apart wherever they differ in these

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::edits::{Edit, Figures, Said, edits_of, said};
use super::lines::{Progress, local_us, text_of};
use super::{AGENT, project_folder};
use crate::adapters::blocks::filled;
use crate::adapters::kit::extra::Extra;
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows, Status, TokenUsage, UsageSource};

/// Commands whose argument goes to the model.
const ASKING: [&str; 6] = ["/ask", "/code", "/architect", "/help", "/context", "/chat"];

/// Commands after which Aider says anew which model answers.
const SWITCHING: [&str; 10] = [
    "/model",
    "/weak-model",
    "/editor-model",
    "/chat-mode",
    "/ask",
    "/code",
    "/architect",
    "/context",
    "/help",
    "/load",
];

/// What is known at one place of the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct State {
    /// Time of the session as its header has it.
    header: Option<String>,
    header_us: Option<i64>,
    /// Blocks of the session so far.
    blocks: u32,
    turn: i32,
    /// The user has written something in this session.
    asked: bool,
    /// What the user wrote last may have changed the model.
    switches: bool,
    model: Option<String>,
    version: Option<String>,
    /// Marks end in two blanks; unknown before the first.
    blanks: Option<bool>,
    /// Edits of the newest answer that have not been applied.
    edits: Vec<Edit>,
    last_us: Option<i64>,
    /// The line before was not blank.
    follows_text: bool,
}

/// Who a block is by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    User,
    Tool,
    Answer,
}

/// Lines that belong together.
#[derive(Debug, Clone)]
struct Block {
    kind: Kind,
    offset: u64,
    number: u32,
    text: String,
    lines: u32,
    /// A line of Aider's that goes on without a mark, and its number.
    unfinished: Option<(String, usize)>,
    /// It has been handed out as it is.
    shown: bool,
}

impl Block {
    /// The block without its text.
    const fn bare(&self) -> Self {
        let Self { kind, offset, number, lines, shown, .. } = *self;
        Self { kind, offset, number, text: String::new(), lines, unfinished: None, shown }
    }
}

/// An answer whose figures may come.
#[derive(Debug, Clone)]
struct Answer {
    block: Block,
    turn: i32,
    figures: Option<Figures>,
    shown: bool,
}

/// What a line is by its mark.
enum Mark<'a> {
    Header(&'a str),
    User(&'a str),
    Tool(&'a str),
    Plain,
}

/// Decodes a chat history.
#[derive(Debug)]
pub(super) struct ChatDecoder {
    cwd: Option<String>,
    /// Session of a file without headers.
    name: Option<String>,
    zone: Option<Tz>,
    modified_us: i64,
    progress: Progress,
    state: State,
    /// Where the newest message of the user starts, and what was known there.
    mark: (u64, State),
    block: Option<Block>,
    answer: Option<Answer>,
}

impl ChatDecoder {
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let known = checkpoint.and_then(|c| Some((c, serde_json::from_str::<State>(&c.state).ok()?)));
        let name = info.path.rsplit(['/', '\\']).next().unwrap_or_default();
        let (progress, state) = match known {
            Some((c, state)) => (Progress::at(c.resume_at, c.high_water), state),
            None => (Progress::default(), State::default()),
        };
        Self {
            cwd: project_folder(info.path).map(str::to_owned),
            name: Some(name.strip_suffix(".md").unwrap_or(name).to_owned()).filter(|n| !n.starts_with('.')),
            zone: info.zone,
            modified_us: info.modified_us,
            mark: (progress.read_to, state.clone()),
            progress,
            state,
            block: None,
            answer: None,
        }
    }

    fn mark_of<'a>(&mut self, text: &'a str) -> Mark<'a> {
        if let Some(time) = text.strip_prefix("# aider chat started at ")
            && time.trim_end().len() == 19
            && local_us(time.trim_end(), None).is_some()
        {
            return Mark::Header(time.trim_end());
        }
        let body = |mark: &str| text.strip_prefix(mark).filter(|rest| rest.is_empty() || rest.starts_with(' '));
        let (kind, rest) = match (body("####"), body(">")) {
            (Some(rest), _) => (Kind::User, rest),
            (_, Some(rest)) => (Kind::Tool, rest),
            _ => return Mark::Plain,
        };
        let ends = rest.ends_with("  ");
        let blanks = *self.state.blanks.get_or_insert(ends);
        let inside = self.block.as_ref().map(|b| b.kind);
        let is_mark = match (blanks, kind) {
            (true, _) if ends => true,
            (true, Kind::Tool) if rest.starts_with(" Tokens: ") => rest.ends_with(" received."),
            (true, Kind::Tool) => inside != Some(Kind::Answer) && self.state.follows_text,
            (true, _) => false,
            (false, Kind::User) => inside == Some(Kind::User) || !self.state.follows_text,
            (false, _) => inside != Some(Kind::Answer) || !self.state.follows_text,
        };
        let inner = |text: &'a str| text.strip_prefix(' ').unwrap_or(text);
        match kind {
            _ if !is_mark => Mark::Plain,
            Kind::User => Mark::User(inner(rest.strip_suffix("  ").unwrap_or(rest))),
            _ => Mark::Tool(inner(rest)),
        }
    }

    fn take(&mut self, line: &Line<'_>, text: &str, rows: &mut Rows) {
        let wraps = self.block.as_ref().is_some_and(|b| b.unfinished.is_some());
        match self.mark_of(text) {
            Mark::Header(time) => self.header(line, time, rows),
            Mark::User(rest) => {
                if self.block.as_ref().is_none_or(|b| b.kind != Kind::User || !self.state.follows_text) {
                    self.close_all(rows);
                    self.mark = (line.offset, self.state.clone());
                }
                self.add(Kind::User, line, rest, rows);
            }
            Mark::Tool(rest) => {
                let ends = rest.ends_with("  ") || rest.trim().is_empty();
                self.finish_line(rows);
                self.add(Kind::Tool, line, rest.trim_end(), rows);
                if let Some(block) = &mut self.block {
                    block.unfinished = Some((rest.trim_end().to_owned(), block.lines as usize));
                }
                if ends || self.state.blanks == Some(false) {
                    self.finish_line(rows);
                }
            }
            Mark::Plain if wraps => {
                self.add(Kind::Tool, line, text.trim_end(), rows);
                if let Some((unfinished, _)) = self.block.as_mut().and_then(|b| b.unfinished.as_mut()) {
                    unfinished.push(' ');
                    unfinished.push_str(text.trim_end());
                }
                if text.ends_with("  ") {
                    self.finish_line(rows);
                }
            }
            Mark::Plain if text.trim().is_empty() => {
                // Blank lines are content only within an answer.
                if let Some(block) = self.block.as_mut().filter(|b| b.kind == Kind::Answer) {
                    block.text.push('\n');
                }
            }
            Mark::Plain => self.add(Kind::Answer, line, text, rows),
        }
        self.state.follows_text = !text.trim().is_empty();
    }

    fn header(&mut self, line: &Line<'_>, time: &str, rows: &mut Rows) {
        self.close_all(rows);
        let header_us = local_us(time, self.zone);
        let last_us = self.state.last_us.max(header_us);
        self.mark = (line.offset, self.state.clone());
        // Whoever wrote two blanks once goes on writing them.
        let blanks = self.state.blanks.filter(|blanks| *blanks);
        self.state = State { header: Some(time.to_owned()), header_us, last_us, blanks, ..State::default() };
        let id = EventId::of(AGENT, "start", &[time.as_bytes()]);
        let row = EventRow { id: Some(id), ..self.row(EventType::SessionStart, line.offset, 0) };
        self.put(&EventRow { ts_inferred: header_us.is_none(), ..row }, rows);
    }

    /// Adds a line to the open block of this kind, or starts one.
    fn add(&mut self, kind: Kind, line: &Line<'_>, text: &str, rows: &mut Rows) {
        if let Some(block) = self.block.as_mut().filter(|b| b.kind == kind) {
            block.text.push('\n');
            block.text.push_str(text);
            block.lines += 1;
            block.shown = false;
            return;
        }
        self.close_block(rows);
        self.state.blocks += 1;
        let number = self.state.blocks;
        self.block = Some(Block {
            kind,
            offset: line.offset,
            number,
            text: text.to_owned(),
            lines: 1,
            unfinished: None,
            shown: false,
        });
    }

    fn row<'s>(&'s self, event_type: EventType, offset: u64, number: u32) -> EventRow<'s> {
        EventRow {
            ts_us: self.state.header_us.map_or(self.modified_us, |us| us.saturating_add(i64::from(number))),
            ts_inferred: true,
            event_type,
            agent_version: self.state.version.as_deref(),
            session_id: self.state.header.as_deref().or(self.name.as_deref()),
            cwd: self.cwd.as_deref(),
            turn: Some(self.state.turn),
            source_offset: offset,
            completeness: 1,
            ..EventRow::default()
        }
    }

    /// Id of the `part`th row of a block; without a session's time the place is all there is.
    fn id_of(&self, kind: &str, block: &Block, part: usize) -> Option<EventId> {
        let header = self.state.header.as_deref()?;
        let first = block.text.lines().next().unwrap_or_default();
        let number = block.number.to_le_bytes();
        Some(EventId::of(AGENT, kind, &[header.as_bytes(), &number, &part.to_le_bytes(), first.as_bytes()]))
    }

    fn put(&self, row: &EventRow<'_>, rows: &mut Rows) {
        if row.provisional || !self.progress.replays {
            rows.event(row);
        }
    }

    fn close_all(&mut self, rows: &mut Rows) {
        self.close_block(rows);
        self.close_answer(rows);
    }

    fn close_block(&mut self, rows: &mut Rows) {
        self.finish_line(rows);
        let Some(block) = self.block.take() else { return };
        match block.kind {
            Kind::User => {
                if !block.shown {
                    self.put_user(&block, false, rows);
                }
                self.state.turn += i32::from(is_prompt(&block.text));
                self.state.asked = true;
                self.state.switches = command_of(&block.text).is_some_and(|command| SWITCHING.contains(&command));
            }
            Kind::Tool if block.shown => {}
            Kind::Tool => self.put_tool(&block, false, rows),
            Kind::Answer => {
                self.close_answer(rows);
                self.state.edits = edits_of(&block.text);
                let shown = block.shown;
                self.answer = Some(Answer { block, turn: self.state.turn, figures: None, shown });
            }
        }
    }

    fn close_answer(&mut self, rows: &mut Rows) {
        if let Some(answer) = self.answer.take().filter(|a| !a.shown) {
            self.put_answer(&answer, false, rows);
        }
    }

    fn put_user(&self, block: &Block, provisional: bool, rows: &mut Rows) {
        let text = block.text.trim_end();
        let row = self.row(EventType::UserInteraction, block.offset, block.number);
        let row = EventRow {
            id: self.id_of("user", block, 0),
            provisional,
            role: Some("user"),
            text: Some(text),
            completeness: i64::from(block.lines),
            ..row
        };
        if text == "<blank>" {
            return self.put(
                &EventRow { event_type: EventType::System, status: Some(Status::Blank), text: None, ..row },
                rows,
            );
        }
        let command = command_of(text);
        let mut extra = Extra::default();
        extra.text("command", command.unwrap_or_default());
        if is_prompt(text) {
            let turn = Some(self.state.turn + 1);
            return self.put(&EventRow { turn, extra: extra.end(), ..row }, rows);
        }
        let run = text.strip_prefix("/run ").or_else(|| text.strip_prefix('!'));
        let row = EventRow {
            event_type: EventType::System,
            status: Some(Status::Command),
            command: run,
            extra: extra.end(),
            ..row
        };
        self.put(&row, rows);
    }

    fn put_answer(&self, answer: &Answer, provisional: bool, rows: &mut Rows) {
        let text = answer.block.text.trim_end();
        // `aider --message` shows no question.
        let is_answer = self.state.asked || answer.figures.is_some();
        let row = EventRow {
            id: self.id_of("answer", &answer.block, 0),
            provisional,
            turn: Some(answer.turn),
            role: is_answer.then_some("assistant"),
            text: filled(text),
            model: self.state.model.as_deref().filter(|_| is_answer),
            provider: provider_of(self.state.model.as_deref()).filter(|_| is_answer),
            completeness: i64::from(answer.block.lines) + (i64::from(answer.figures.is_some()) << 40),
            // Text before anybody has asked anything is no answer.
            ..self.row(
                if is_answer { EventType::LlmResponse } else { EventType::System },
                answer.block.offset,
                answer.block.number,
            )
        };
        self.put(&answer.figures.map_or(row, |figures| with_figures(row, &figures)), rows);
    }

    /// Hands out what the newest line of Aider's own says, now that it is whole.
    fn finish_line(&mut self, rows: &mut Rows) {
        let Some(block) = &mut self.block else { return };
        let Some((line, part)) = block.unfinished.take() else { return };
        // Only what names its rows is needed.
        let first = block.text.lines().next().unwrap_or_default().to_owned();
        let (line, block) = (&*line, Block { text: first, ..block.bare() });
        match said(line) {
            Said::Figures(figures) => self.figures(figures, &block, part, rows),
            // In the middle of a session such a line is the output of some command.
            Said::Model(_) | Said::Version(_) if self.state.asked && !self.state.switches => {}
            Said::Model(model) => self.state.model = Some(model.to_owned()),
            Said::Version(version) => self.state.version = Some(version.to_owned()),
            Said::Edited(path) => self.edited(path, EventType::FileModify, &block, part, rows),
            Said::Created(path) => self.edited(path, EventType::FileWrite, &block, part, rows),
            Said::Commit(hash, message) => {
                let row = EventRow {
                    id: self.id_of("commit", &block, part),
                    git_commit: Some(hash),
                    text: Some(message),
                    ..self.row(EventType::Snapshot, block.offset, block.number)
                };
                self.put(&row, rows);
            }
            Said::Error => {
                let row = EventRow {
                    id: self.id_of("error", &block, part),
                    text: Some(line),
                    is_error: Some(true),
                    ..self.row(EventType::ErrorEncountered, block.offset, block.number)
                };
                self.put(&row, rows);
            }
            Said::Nothing => {}
        }
    }

    fn put_tool(&self, block: &Block, provisional: bool, rows: &mut Rows) {
        if !block.text.trim().is_empty() {
            let row = EventRow {
                id: self.id_of("tool", block, 0),
                provisional,
                text: Some(block.text.trim_end()),
                completeness: i64::from(block.lines),
                ..self.row(EventType::System, block.offset, block.number)
            };
            self.put(&row, rows);
        }
    }

    /// Figures belong to the answer before them; without one they are a call that said nothing.
    fn figures(&mut self, figures: Figures, block: &Block, part: usize, rows: &mut Rows) {
        if let Some(answer) = self.answer.take_if(|a| a.figures.is_none()) {
            self.put_answer(&Answer { figures: Some(figures), ..answer }, false, rows);
            return;
        }
        let row = EventRow {
            id: self.id_of("call", block, part),
            role: Some("assistant"),
            model: self.state.model.as_deref(),
            provider: provider_of(self.state.model.as_deref()),
            ..self.row(EventType::LlmResponse, block.offset, block.number)
        };
        self.put(&with_figures(row, &figures), rows);
    }

    fn edited(&mut self, path: &str, event_type: EventType, block: &Block, part: usize, rows: &mut Rows) {
        let own = |e: &Edit| {
            e.path == path || e.path.ends_with(&format!("/{path}")) || path.ends_with(&format!("/{}", e.path))
        };
        let edits: Vec<Edit> = self.state.edits.extract_if(.., |e| own(e)).collect();
        let sum = |of: fn(&Edit) -> i32| edits.iter().fold(0, |sum: i32, e| sum.saturating_add(of(e)));
        let row = EventRow {
            id: self.id_of("edit", block, part),
            role: Some("assistant"),
            tool_name: Some(if event_type == EventType::FileWrite { "create" } else { "edit" }),
            file_path: Some(path),
            model: self.state.model.as_deref(),
            lines_added: (!edits.is_empty()).then(|| sum(|e| e.added)),
            lines_removed: (!edits.is_empty()).then(|| sum(|e| e.removed)),
            ..self.row(event_type, block.offset, block.number)
        };
        self.put(&row, rows);
    }

    /// Rows of what is open; `provisional` ones change nothing.
    fn put_open(&self, provisional: bool, rows: &mut Rows) {
        if let Some(answer) = self.answer.as_ref().filter(|a| !a.shown) {
            self.put_answer(answer, provisional, rows);
        }
        let Some(block) = self.block.as_ref().filter(|b| !b.shown) else { return };
        match block.kind {
            Kind::User => self.put_user(block, provisional, rows),
            Kind::Tool => self.put_tool(block, provisional, rows),
            Kind::Answer => {
                let (block, turn) = (block.clone(), self.state.turn);
                self.put_answer(&Answer { block, turn, figures: None, shown: false }, provisional, rows);
            }
        }
    }
}

/// The word of a command (`/add`, `!`), if the text is one.
fn command_of(text: &str) -> Option<&str> {
    let word = text.split([' ', '\n']).next().unwrap_or_default();
    let is_word = |w: &str| w.len() > 1 && w.bytes().skip(1).all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_');
    match text.as_bytes().first() {
        Some(b'/') if is_word(word) => Some(word),
        Some(b'!') => Some("!"),
        _ => None,
    }
}

/// True for what goes to the model.
fn is_prompt(text: &str) -> bool {
    let text = text.trim_end();
    let has_more = || text.contains([' ', '\n']);
    text != "<blank>" && command_of(text).is_none_or(|command| ASKING.contains(&command) && has_more())
}

fn provider_of(model: Option<&str>) -> Option<&str> {
    model?.split_once('/').map(|(provider, _)| provider)
}

fn with_figures<'a>(row: EventRow<'a>, figures: &Figures) -> EventRow<'a> {
    let usage = TokenUsage::inclusive(figures.sent, figures.cache_hit, figures.cache_write, figures.received);
    let source = if figures.rounded { UsageSource::Estimated } else { UsageSource::Reported };
    EventRow { cost_nano_usd: figures.cost_nano_usd, usage_source: Some(source), ..usage.on(row) }
}

impl Decoder for ChatDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        let (text, replaced) = text_of(&line);
        if self.progress.take(&line, text.trim().is_empty(), replaced, rows) {
            self.take(&line, &text, rows);
        }
    }

    fn settle(&mut self, rows: &mut Rows) {
        self.progress.replays = false;
        self.finish_line(rows);
        self.put_open(false, rows);
        if let Some(block) = &mut self.block {
            block.shown = true;
        }
        if let Some(answer) = &mut self.answer {
            answer.shown = true;
        }
    }

    fn provisional(&self, rows: &mut Rows) {
        self.put_open(true, rows);
    }

    fn is_open(&self) -> bool {
        let has_row = |b: &Block| b.kind != Kind::Tool || !b.text.trim().is_empty();
        self.block.as_ref().is_some_and(|b| !b.shown && has_row(b)) || self.answer.as_ref().is_some_and(|a| !a.shown)
    }

    fn checkpoint(&self) -> Checkpoint {
        let (resume_at, state) = match (&self.block, &self.answer) {
            (None, None) if self.progress.high_water <= self.progress.read_to => (self.progress.read_to, &self.state),
            _ => (self.mark.0, &self.mark.1),
        };
        Checkpoint {
            resume_at,
            high_water: self.progress.high_water.max(resume_at),
            open: self.is_open(),
            state: serde_json::to_string(state).unwrap_or_default(),
        }
    }

    fn last_us(&self) -> Option<i64> {
        self.state.last_us
    }
}
