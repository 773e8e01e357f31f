//! `user` records: prompts, tool results, and what the client says in the user's name.

use super::record::{Level, Record, filled, nested, object};
use super::result;
use super::session::Context;
use super::small;
use crate::adapters::clean::write_record;
use crate::adapters::json::Json;
use crate::adapters::outcome::Outcome;
use crate::schema::{EventId, EventRow, EventType, Status};

/// Beginnings of texts that nobody typed as a prompt, and what they are.
const WRAPPERS: &[(&str, &str)] = &[
    ("<command-", "command"),
    ("<local-command-", "local-command"),
    ("<system-reminder", "system-reminder"),
    ("<task-notification", "task-notification"),
    ("<teammate-message", "teammate-message"),
    ("<scheduled-task", "scheduled-task"),
    ("<bash-input", "bash-input"),
    ("<bash-stdout", "bash-output"),
    ("<bash-stderr", "bash-output"),
    ("<user-prompt-submit-hook", "hook"),
    ("<session-start-hook", "hook"),
    ("<ide_", "ide"),
    ("<tick", "tick"),
];

/// What kind of wrapped text this is; `None` for a prompt.
pub(super) fn wrapper(text: &str) -> Option<&'static str> {
    let text = text.trim_start();
    text.starts_with('<').then(|| WRAPPERS.iter().find(|(start, _)| text.starts_with(start)).map(|(_, kind)| *kind))?
}

/// Decodes the record: a row for each tool result, one for everything else it says.
pub(super) fn decode(cx: &mut Context<'_>, rec: &Record<'_, '_>) -> Outcome {
    let Some(message) = rec.message.filter(|m| !m.is_null()) else {
        return small::unknown(cx, rec);
    };
    let content = if message.is_object() { message.get("content") } else { Some(message) };
    let blocks = content.map_or(0, |c| if c.is_array() { c.len() } else { 0 });
    let mut results = 0;
    for (index, block) in content.into_iter().flat_map(Json::items).enumerate() {
        if is_result(block) {
            // `toolUseResult` says more about the first result; a line has one in all but odd cases.
            let details = rec.result.filter(|_| results == 0);
            result::decode(cx, rec, block, details, index);
            results += 1;
        }
    }
    if results == 0 || results < blocks {
        said(cx, rec, message, content, results > 0);
    }
    Outcome::Row
}

fn is_result(block: Json<'_, '_>) -> bool {
    block.str_at("type") == Some("tool_result")
}

/// What a line's text is.
struct Said {
    event_type: EventType,
    kind: Option<&'static str>,
    status: Option<Status<'static>>,
    prompt: bool,
}

fn classify(rec: &Record<'_, '_>, content: Option<Json<'_, '_>>, text: &str) -> Said {
    let said = |event_type, kind| Said { event_type, kind, status: None, prompt: false };
    if rec.summary {
        return said(EventType::Compaction, None);
    }
    let only_wrapped = match content.filter(|c| c.is_array()) {
        None => wrapper(text),
        Some(blocks) => {
            let mut texts = blocks.items().filter_map(|b| b.as_str().or_else(|| b.str_at("text")));
            let first = texts.next().and_then(wrapper);
            if texts.all(|t| wrapper(t).is_some()) { first } else { None }
        }
    };
    if only_wrapped.is_some() {
        return said(EventType::System, only_wrapped);
    }
    if rec.meta {
        return said(EventType::System, Some("meta"));
    }
    if text.starts_with("[Request interrupted by user") {
        // Written by the program, in the user's name.
        return Said { status: Some(Status::Interrupted), ..said(EventType::System, Some("interruption")) };
    }
    Said { prompt: true, ..said(EventType::UserInteraction, None) }
}

/// Hands out the row of the texts and attachments of the line.
fn said(
    cx: &mut Context<'_>,
    rec: &Record<'_, '_>,
    message: Json<'_, '_>,
    content: Option<Json<'_, '_>>,
    beside_result: bool,
) {
    let (text, blocks) = (&mut cx.scratch.text, &mut cx.scratch.blocks);
    gather(content, text, blocks);
    let said = classify(rec, content, text);
    // In the file of a session the side chains' prompts are other models' work.
    if said.prompt && (rec.level == Level::Main || (cx.source.agent_file && rec.level == Level::Side)) {
        cx.state.count_prompt(rec.uuid);
    }
    object(&mut cx.scratch.extra, |object| {
        if let Some(kind) = said.kind {
            object.text("kind", kind);
        }
        rec.rest(object, |_| false);
        if !blocks.is_empty() {
            object.with("blocks", |out| {
                out.push('[');
                out.push_str(blocks);
                out.push(']');
            });
        }
        if message.is_object() {
            nested(object, "message", message, |key| matches!(key, "role" | "content" | "type"));
        }
        if let Some(details) = rec.result.filter(|_| !beside_result) {
            object.with("result", |out| write_record(details, out));
        }
    });
    let kind = if beside_result { "user-text" } else { "user" };
    cx.rows.event(&EventRow {
        id: Some(rec.id(kind, text.as_bytes())),
        event_type: said.event_type,
        role: Some("user"),
        text: filled(text),
        status: said.status,
        extra: filled(&cx.scratch.extra),
        ..rec.row(cx.source, cx.state.turn, cx.offset)
    });
}

/// Collects the texts of a message, and its other blocks as JSON values separated by commas.
fn gather(content: Option<Json<'_, '_>>, text: &mut String, blocks: &mut String) {
    text.clear();
    blocks.clear();
    let Some(content) = content else { return };
    if let Some(plain) = content.as_str() {
        text.push_str(plain);
        return;
    }
    for block in content.items().filter(|b| !is_result(*b)) {
        let plain = block.as_str().or_else(|| {
            let is_text = block.str_at("type") == Some("text");
            block.get("text").and_then(Json::as_str).filter(|_| is_text)
        });
        if let Some(plain) = plain {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(plain);
        } else {
            if !blocks.is_empty() {
                blocks.push(',');
            }
            write_record(block, blocks);
        }
    }
}

/// Identity of the prompt with this uuid, the same whichever record delivers it.
pub(super) fn prompt_id(uuid: &str) -> EventId {
    EventId::of(super::AGENT, "user", &[uuid.as_bytes()])
}
