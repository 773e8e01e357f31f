//! The parts of a response, and the rounds behind it.
//!
//! Two lists tell of a turn: the response's parts are what the user saw, the rounds in the result's
//! metadata what the model saw. Only rounds have arguments and results; only parts have what inner
//! calls of sub-agents did, how a call was confirmed, and what a terminal showed. A call of one list
//! is that of the other when the ids agree (since 2026), else when names agree in order; what finds no
//! partner stands by itself.

use super::clean::{extra, rest, write_clean};
use super::groups::{self, Groups};
use super::pairs::{RoundCall, Rounds, Shown};
use super::request::Turn;
use super::{ids, text, tool};
use crate::adapters::json::Json;
use crate::schema::{EventRow, EventType, Rows};

/// What a response said.
#[derive(Debug, Default)]
pub(super) struct Response {
    /// The answer's text, references included.
    pub(super) text: String,
    /// True when it has a part of a kind that this version does not know.
    pub(super) unknown: bool,
}

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Markdown,
    Reference,
    Thinking,
    Tool,
    Edit,
    /// Says nothing that is not said elsewhere.
    Noise,
    /// Makes a row of this type.
    Other(EventType),
    Unknown,
}

fn kind_of(part: Json<'_, '_>) -> Kind {
    if part.as_str().is_some() {
        return Kind::Markdown;
    }
    match part.str_at("kind") {
        None if part.is_object() => Kind::Markdown,
        Some("markdownContent" | "markdownVuln" | "markdown") => Kind::Markdown,
        Some("inlineReference") => Kind::Reference,
        Some("thinking") => Kind::Thinking,
        Some("toolInvocationSerialized" | "toolInvocation") => Kind::Tool,
        Some("textEditGroup" | "notebookEditGroup" | "textEdit" | "notebookEdit") => Kind::Edit,
        Some(
            "prepareToolInvocation"
            | "undoStop"
            | "codeblockUri"
            | "mcpServersStarting"
            | "mcpServersStartingSerialized"
            | "clearToPreviousToolInvocation"
            | "disabledClaudeHooks"
            | "externalToolInvocationUpdate"
            | "references"
            | "reference"
            | "usage",
        ) => Kind::Noise,
        Some("progressMessage" | "progressTask" | "progressTaskSerialized") => Kind::Other(EventType::Progress),
        Some("hook") => Kind::Other(EventType::Hook),
        Some(
            "confirmation"
            | "elicitation"
            | "elicitationSerialized"
            | "elicitation2"
            | "elicitation2Serialized"
            | "multiDiffData"
            | "command"
            | "extensions"
            | "pullRequest"
            | "questionCarousel"
            | "planReview"
            | "warning"
            | "treeData"
            | "workspaceEdit"
            | "codeCitation"
            | "info",
        ) => Kind::Other(EventType::System),
        _ => Kind::Unknown,
    }
}

/// Appends the rows of a response's parts, and of the calls that only the rounds have.
pub(super) fn rows_of(turn: &Turn<'_>, rows: &mut Rows) -> Response {
    let response = turn.request.get("response").unwrap_or(Json::new(&[]));
    let mut out = Response::default();
    if let Some(text) = text::markdown(response) {
        out.text.push_str(text);
    }
    let shown = Shown::list(response.items().filter(|part| kind_of(*part) == Kind::Tool));
    let mut rounds = Rounds::new(turn.metadata);
    rounds.pair(&shown);
    let groups = join(response, &shown, &rounds);
    let mut at = Counter::default();
    for part in response.items() {
        match kind_of(part) {
            Kind::Markdown => out.say(text::markdown(part).unwrap_or_default()),
            Kind::Reference => out.refer(&text::reference(part).unwrap_or_default()),
            Kind::Thinking => {
                out.pause();
                let words = text::thought(part.get("value").unwrap_or(Json::new(&[])));
                thinking(turn, &words, Some(part), &mut at, rows);
            }
            Kind::Tool => {
                out.pause();
                if let Some(call) = shown.get(at.tool).filter(|call| !call.is_half()) {
                    tool::shown_rows(turn, call, rounds.partner(at.tool), groups.of_call(at.tool), rows);
                }
                at.tool += 1;
            }
            Kind::Edit => {
                if groups.is_alone(at.edit) {
                    groups::edit(turn, part, at.lone_edit, rows);
                    at.lone_edit += 1;
                }
                at.edit += 1;
            }
            Kind::Noise => {}
            Kind::Other(event_type) => other(turn, part, event_type, &mut at, rows),
            Kind::Unknown => {
                out.unknown = true;
                other(turn, part, EventType::Unknown, &mut at, rows);
            }
        }
    }
    rounds.alone().for_each(|call| tool::round_rows(turn, call, rows));
    if at.thought == 0 {
        rounds.thoughts().for_each(|words| thinking(turn, &words, None, &mut at, rows));
    }
    if out.text.is_empty() {
        out.text = rounds.words();
    }
    out.text.truncate(out.text.trim_end().len());
    out
}

/// Finds which call made each group of edits.
fn join(response: Json<'_, '_>, shown: &[Shown<'_>], rounds: &Rounds<'_>) -> Groups {
    let mut groups = Groups::default();
    let mut calls = shown.iter().enumerate();
    for part in response.items() {
        match kind_of(part) {
            Kind::Tool => {
                let Some((at, call)) = calls.next() else { continue };
                let partner = rounds.partner(at);
                let edits = !call.is_half() && tool::edits_files(partner.map_or(call.tool_id, |p| p.name));
                groups.call(edits, || partner.and_then(RoundCall::file).or_else(|| call.file()));
            }
            Kind::Edit => groups.group(part),
            _ => {}
        }
    }
    groups
}

/// How many parts of each kind there were so far.
#[derive(Debug, Default)]
struct Counter<'i> {
    tool: usize,
    edit: usize,
    thought: usize,
    lone_edit: usize,
    others: Vec<(&'i str, usize)>,
}

impl<'i> Counter<'i> {
    fn next_of(&mut self, kind: &'i str) -> usize {
        match self.others.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => {
                *count += 1;
                *count
            }
            None => {
                self.others.push((kind, 0));
                0
            }
        }
    }
}

impl Response {
    fn say(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn refer(&mut self, name: &str) {
        self.text.push_str(name);
    }

    /// Something else came in between: what follows is a paragraph of its own.
    fn pause(&mut self) {
        if !self.text.trim_end().is_empty() && !self.text.ends_with("\n\n") {
            self.text.push_str(if self.text.ends_with('\n') { "\n" } else { "\n\n" });
        }
    }
}

/// A thought; an empty one (`vscodeReasoningDone`, or all of it encrypted) only marks an end.
fn thinking<'i>(turn: &Turn<'_>, words: &str, part: Option<Json<'_, 'i>>, at: &mut Counter<'i>, rows: &mut Rows) {
    if words.trim().is_empty() {
        return;
    }
    let facts = extra(|writer| part.into_iter().for_each(|p| rest(p, &["kind", "value", "id"], writer)));
    let row = turn.nth("thinking", at.thought, EventType::Thinking);
    at.thought += 1;
    rows.event(&EventRow {
        role: Some("assistant"),
        text: Some(words),
        extra: facts.as_deref(),
        completeness: row.completeness + ids::size(words),
        ..row
    });
}

/// A part that is shown and no more.
fn other<'i>(turn: &Turn<'_>, part: Json<'_, 'i>, event_type: EventType, at: &mut Counter<'i>, rows: &mut Rows) {
    let kind = part.str_at("kind").unwrap_or("part");
    let nth = at.next_of(kind);
    let facts = extra(|writer| {
        if part.is_object() {
            rest(part, &[], writer);
        } else {
            writer.with("part", |out| write_clean(part, out));
        }
    });
    let said = ["content", "message", "title"].iter().find_map(|key| part.get(key).and_then(text::markdown));
    let row = turn.nth(kind, nth, event_type);
    rows.event(&EventRow { text: said.filter(|t| !t.is_empty()), extra: facts.as_deref(), ..row });
}
