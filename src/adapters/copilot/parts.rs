//! The parts of a response, and the rounds behind it.
//!
//! Two lists tell of a turn: the response's parts are what the user saw, the rounds in the result's
//! metadata what the model saw. Only rounds have arguments and results; only parts have what inner
//! calls of sub-agents did, how a call was confirmed, and what a terminal showed. A call of one list
//! is that of the other when the ids agree (since 2026), else when names agree in order; what finds no
//! partner stands by itself.

use super::clean::{extra, rest, write_clean};
use super::edits::{self, Lines};
use super::request::Turn;
use super::tool::{self, Rounds, Shown};
use super::{ids, text, uri};
use crate::adapters::json::Json;
use crate::schema::{EventRow, Rows};

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
    Other(&'static str),
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
        Some("progressMessage" | "progressTask" | "progressTaskSerialized") => Kind::Other("progress"),
        Some("hook") => Kind::Other("hook"),
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
        ) => Kind::Other("system"),
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
    let joined = join_edits(response, &shown, &rounds);
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
                if let Some(call) = shown.get(at.tool) {
                    tool::shown_rows(turn, call, rounds.partner(at.tool), joined.of_tool(at.tool), rows);
                }
                at.tool += 1;
            }
            Kind::Edit => {
                if joined.alone.contains(&at.edit) {
                    edit(turn, part, &mut at, rows);
                }
                at.edit += 1;
            }
            Kind::Noise => {}
            Kind::Other(event_type) => other(turn, part, event_type, &mut at, rows),
            Kind::Unknown => {
                out.unknown = true;
                other(turn, part, "unknown", &mut at, rows);
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
    let row = turn.nth("thinking", at.thought, "thinking");
    at.thought += 1;
    rows.event(&EventRow {
        role: Some("assistant"),
        text: Some(words),
        extra: facts.as_deref(),
        completeness: row.completeness + ids::length(words),
        ..row
    });
}

/// A part that is shown and no more.
fn other<'i>(turn: &Turn<'_>, part: Json<'_, 'i>, event_type: &str, at: &mut Counter<'i>, rows: &mut Rows) {
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
    let row = turn.nth(kind, nth, "");
    rows.event(&EventRow { event_type, text: said.filter(|t| !t.is_empty()), extra: facts.as_deref(), ..row });
}

/// Edits, by what made them.
#[derive(Debug, Default)]
struct Joined {
    /// Of each tool call: lines of the groups that it made.
    tools: Vec<Option<Lines>>,
    /// Groups that no tool call made.
    alone: Vec<usize>,
}

impl Joined {
    fn of_tool(&self, at: usize) -> Option<Lines> {
        self.tools.get(at).copied().flatten()
    }
}

/// Gives each group of edits to the editing call before it that works on the same file, or on any.
fn join_edits(response: Json<'_, '_>, shown: &[Shown<'_>], rounds: &Rounds<'_>) -> Joined {
    let mut joined = Joined { tools: vec![None; shown.len()], alone: Vec::new() };
    let (mut tool, mut group, mut last) = (0, 0, None);
    for part in response.items() {
        match kind_of(part) {
            Kind::Tool => {
                let name = rounds.partner(tool).map(|c| c.name).or(shown.get(tool).map(|s| s.tool_id));
                if name.is_some_and(tool::edits_files) {
                    last = Some(tool);
                }
                tool += 1;
            }
            Kind::Edit => {
                let file = part.get("uri").and_then(uri::path_of);
                let same = |at: &usize| match rounds.partner(*at).and_then(|c| c.file()) {
                    Some(path) => file.as_deref().is_none_or(|f| f == path),
                    None => true,
                };
                match last.filter(same) {
                    Some(at) => {
                        if let Some(lines) = part.get("edits").and_then(edits::lines_of) {
                            joined.tools[at].get_or_insert_with(Lines::default).add(lines);
                        }
                    }
                    None => joined.alone.push(group),
                }
                group += 1;
            }
            _ => {}
        }
    }
    joined
}

/// A write that no tool call made: one group of edits is one write.
fn edit<'i>(turn: &Turn<'_>, part: Json<'_, 'i>, at: &mut Counter<'i>, rows: &mut Rows) {
    let path = part.get("uri").and_then(uri::path_of);
    let lines = part.get("edits").and_then(edits::lines_of);
    let facts = extra(|writer| rest(part, &["kind", "uri", "edits", "done"], writer));
    let nth = at.lone_edit;
    at.lone_edit += 1;
    let name = part.str_at("kind");
    let call_id = format!("edit_{}", ids::nth_of_turn("edit", turn.name, nth));
    let row = EventRow {
        tool_name: name,
        tool_call_id: Some(&call_id),
        file_path: path.as_deref(),
        completeness: turn.base.completeness + i64::from(lines.map_or(0, |l| l.added.saturating_add(l.removed))),
        ..turn.base
    };
    let event_id = |kind: &str| Some(ids::nth_of_turn(kind, turn.name, nth));
    rows.event(&EventRow {
        id: event_id("edit"),
        event_type: "file_modify",
        role: Some("assistant"),
        extra: facts.as_deref(),
        ..row
    });
    let done = part.get("done").and_then(Json::as_bool);
    if done != Some(false) {
        rows.event(&EventRow {
            id: event_id("edited"),
            event_type: "tool_result",
            role: Some("tool"),
            lines_added: lines.map(|l| l.added),
            lines_removed: lines.map(|l| l.removed),
            status: Some("completed"),
            ..row
        });
    }
}
