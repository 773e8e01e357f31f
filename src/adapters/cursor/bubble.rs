//! A bubble: a prompt, or a part of an answer.

use super::AGENT;
use super::composer::{Composer, Place, kind_of};
use super::extra::{as_json, field, rest, scalars, write_content};
use super::place::{first_time_us, path_of, time_us};
use super::tool::{Answer, Call, is_going_on};
use super::words::{is_attached, text_of, words_of};
use crate::adapters::Taken;
use crate::adapters::json::{Json, ObjectWriter};
use crate::adapters::line::Parser;
use crate::schema::{EventId, EventRow, EventType, Rows, Status, TokenUsage};

/// What surrounds a bubble.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) composer: &'a Composer,
    pub(super) place: Option<Place>,
    pub(super) offset: u64,
    pub(super) provisional: bool,
    /// The agent may still change it.
    pub(super) is_open: bool,
}

/// Fields of a bubble that are read, or that repeat its text as the editor's own tree.
const USED: [&str; 22] = [
    "bubbleId",
    "id",
    "type",
    "text",
    "rawText",
    "content",
    "message",
    "richText",
    "initText",
    "delegate",
    "createdAt",
    "timestamp",
    "timingInfo",
    "thinking",
    "allThinkingBlocks",
    "thinkingDurationMs",
    "toolFormerData",
    "modelInfo",
    "modelType",
    "requestId",
    "workspaceProjectDir",
    "isFocused",
];

/// Added to the completeness of what its agent no longer changes; below it the size decides, since no store
/// tells an order of two states of a bubble: row ids are given anew by compactions and in copies, and the
/// only time of change is the whole chat's, which a copy of the chat moves on too. So a bubble that was
/// replaced by a shorter text keeps the longer one where that was read; where it was not, the shorter is all
/// there is.
const DONE: i64 = 1 << 32;

/// True for an id that no two bubbles share.
pub(super) fn is_uuid(id: &str) -> bool {
    id.len() == 36 && id.bytes().filter(|b| *b == b'-').count() == 4
}

/// Id of an event of a bubble. A bubble's id is a UUID and goes with it into copies of its chat; any
/// other id is one within its chat only.
pub(super) fn event_id(kind: &str, composer: &str, bubble: &str) -> EventId {
    if is_uuid(bubble) {
        EventId::of(AGENT, kind, &[bubble.as_bytes()])
    } else {
        EventId::of(AGENT, kind, &[composer.as_bytes(), bubble.as_bytes()])
    }
}

/// The part of a bubble's JSON that says whether its tool is still going on.
pub(super) fn has_open_tool(bubble: Json<'_, '_>) -> bool {
    let tool = bubble.get("toolFormerData").filter(|tool| names_tool(*tool));
    tool.and_then(|tool| tool.str_at("status")).is_some_and(is_going_on)
}

/// True when the data are those of a call: all else is a rest that the editor leaves behind in bubbles of any
/// kind.
fn names_tool(data: Json<'_, '_>) -> bool {
    let numbered =
        data.get("tool").is_some_and(|tool| tool.as_i64().is_some_and(|n| n != 0) || tool.as_filled_str().is_some());
    data.is_object() && (data.str_at("name").is_some() || numbered)
}

/// What the parts of a bubble have in common.
struct Parts<'a, 'b> {
    scene: Scene<'a>,
    id: &'a str,
    base: EventRow<'b>,
    made: bool,
    /// Fields without a column; the first row takes them.
    extra: Option<&'b str>,
}

impl<'b> Parts<'_, 'b> {
    fn event<'r>(&mut self, kind: &str, size: usize, row: &EventRow<'r>, rows: &mut Rows)
    where
        'b: 'r,
    {
        let size = i64::try_from(size).unwrap_or(DONE).min(DONE - 1);
        self.made = true;
        rows.event(&EventRow {
            id: Some(event_id(kind, &self.scene.composer.id, self.id)),
            completeness: size + if self.scene.is_open { 0 } else { DONE },
            extra: row.extra.or(self.extra.take()),
            ..*row
        });
    }
}

/// Appends the rows of a bubble.
pub(super) fn rows_of(json: Json<'_, '_>, id: &str, scene: Scene<'_>, parser: &mut Parser, rows: &mut Rows) -> Taken {
    let composer = scene.composer;
    let kind = json.get("type").and_then(kind_of).or(scene.place.and_then(|place| place.kind)).unwrap_or(0);
    let own = first_time_us(json, &["createdAt", "timestamp"]);
    let started = timing(json, "clientStartTime");
    let inferred = scene.place.map(|place| place.ts_us).or(composer.created_us).or(composer.updated_us);
    let folder = folder_of(json);
    let model =
        json.path(&["modelInfo", "modelName"]).and_then(Json::as_filled_str).or_else(|| json.str_at("modelType"));
    let usage = usage(json).filter(|_| kind == 2);
    let mut extra = String::new();
    let filled = write_extra(json, usage.is_some(), &mut extra);
    let base = EventRow {
        ts_us: own.or(started).or(inferred).unwrap_or_else(|| composer.row().ts_us),
        ts_inferred: own.or(started).is_none(),
        provisional: scene.provisional,
        model: model.or_else(|| composer.model.as_deref().filter(|_| kind == 2)),
        cwd: folder.as_deref().or(composer.cwd.as_deref()),
        turn: scene.place.map(|place| place.turn),
        message_id: Some(id).filter(|id| !id.is_empty()),
        request_id: json.str_at("requestId"),
        source_offset: scene.offset,
        ..composer.row()
    };
    let mut parts = Parts { scene, id, base, made: false, extra: filled.then_some(extra.as_str()) };
    match kind {
        1 => prompt(json, &mut parts, rows),
        2 => answer(json, usage, &mut parts, parser, rows),
        _ => {
            let row = EventRow { event_type: EventType::Unknown, text: text_of(json), ..parts.base };
            parts.event("unknown", 0, &row, rows);
            return Taken::Unknown;
        }
    }
    if parts.made { Taken::Rows } else { Taken::Ignored }
}

fn prompt<'b>(json: Json<'_, 'b>, parts: &mut Parts<'_, 'b>, rows: &mut Rows) {
    let words = words_of(json);
    let text = words.as_deref();
    if text.is_none() && !is_attached(json) {
        return;
    }
    let hidden = parts.scene.place.is_some_and(|place| !place.shown);
    let automatic = json.get("isCapabilityIteration").and_then(Json::as_bool) == Some(true);
    let event_type = if hidden || automatic { EventType::System } else { EventType::UserInteraction };
    let row = EventRow { event_type, role: Some("user"), text, ..parts.base };
    parts.event("prompt", text.map_or(0, str::len), &row, rows);
}

fn answer<'b>(
    json: Json<'_, 'b>,
    usage: Option<(i64, i64)>,
    parts: &mut Parts<'_, 'b>,
    parser: &mut Parser,
    rows: &mut Rows,
) {
    let duration = json.get("timingInfo").and(duration_ms(json));
    let text = text_of(json);
    let blocks = ["codeBlocks", "suggestedDiffs", "errorDetails"];
    let bare = usage.is_some() || blocks.iter().any(|key| json.get(key).is_some_and(|v| !super::extra::is_blank(v)));
    let tool = json.get("toolFormerData").filter(|tool| names_tool(*tool));
    if text.is_some() || usage.is_some() || (bare && tool.is_none()) {
        let (input, output) = usage.unzip();
        let row = EventRow {
            event_type: EventType::LlmResponse,
            role: Some("assistant"),
            text,
            duration_ms: duration,
            ..TokenUsage::disjoint(input, None, None, output).on(parts.base)
        };
        parts.event("answer", text.map_or(0, str::len), &row, rows);
    }
    let thought = thought(json);
    if let Some(thought) = thought.as_deref() {
        let duration_ms = json.i64_at("thinkingDurationMs");
        let (id, composer) = (parts.id, &parts.scene.composer.id);
        let extra = parts.extra.take();
        parts.made = true;
        rows.event(&EventRow {
            id: Some(event_id("thinking", composer, id)),
            event_type: EventType::Thinking,
            role: Some("assistant"),
            text: Some(thought),
            duration_ms,
            completeness: size_of(thought) + if parts.scene.is_open { 0 } else { DONE },
            extra,
            ..parts.base
        });
    }
    if let Some(tool) = tool {
        let ended = timing(json, "clientEndTime").filter(|end| *end >= parts.base.ts_us);
        parts.made |= tool_rows(tool, parts, ended, duration, parser, rows);
    }
}

fn size_of(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(DONE).min(DONE - 1)
}

/// The rows of the tool that `data` describes: the call, and what came of it.
fn tool_rows(
    data: Json<'_, '_>,
    parts: &mut Parts<'_, '_>,
    ended_us: Option<i64>,
    duration_ms: Option<i64>,
    parser: &mut Parser,
    rows: &mut Rows,
) -> bool {
    let number = data.get("tool").map(Json::to_json);
    let name = data.str_at("name").or_else(|| data.get("tool")?.as_filled_str()).or(number.as_deref());
    let mut call = Call::new(name.unwrap_or("unknown"));
    let (params, raw) = (text_or_json(data, "params"), text_or_json(data, "rawArgs"));
    params.iter().chain(&raw).for_each(|arguments| call.learn_text(arguments, parser));
    let other = raw.as_deref().filter(|raw| params.as_deref().is_some_and(|params| params != *raw));
    let input = params.as_deref().or(raw.as_deref()).map(as_json);
    let (id, composer) = (parts.id, &parts.scene.composer.id);
    let decision = data.str_at("userDecision");
    let status = decision.filter(|word| *word == "rejected").or_else(|| data.str_at("status"));
    let mut extra = String::new();
    let mut object = ObjectWriter::new(&mut extra);
    if let Some(inner) = parts.extra.take().and_then(|e| e.strip_prefix('{')?.strip_suffix('}')) {
        object.inner(inner);
    }
    rest(data, &["name", "params", "rawArgs", "result", "status", "toolCallId", "error"], &mut object);
    if let Some(other) = other {
        object.with("rawArgs", |out| out.push_str(&as_json(other)));
    }
    let filled = object.end();
    let done = if parts.scene.is_open || status.is_some_and(is_going_on) { 0 } else { DONE };
    let shared = EventRow {
        tool_name: Some(&call.name),
        tool_call_id: data.str_at("toolCallId").or(Some(id).filter(|id| !id.is_empty())),
        file_path: call.path.as_deref(),
        command: call.command.as_deref(),
        status: status.map(Status::of),
        ..parts.base
    };
    rows.event(&EventRow {
        id: Some(event_id("call", composer, id)),
        event_type: call.event_type(),
        role: Some("assistant"),
        tool_input: input.as_deref(),
        completeness: input.as_deref().map_or(0, size_of) + done,
        extra: filled.then_some(extra.as_str()),
        ..shared
    });
    let result = text_or_json(data, "result");
    let error = text_or_json(data, "error");
    let over = status.is_some_and(|status| !is_going_on(status) && status != "none");
    if result.is_none() && error.is_none() && !over {
        return true;
    }
    let answer = result.as_deref().map(|text| Answer::of_text(text, parser)).unwrap_or_default();
    let alone =
        answer.output.as_deref().filter(|_| call.command.is_some() || call.event_type() == EventType::CommandExecution);
    let mut left = String::new();
    let kept = alone.is_some() && remaining(result.as_deref(), &mut left, parser);
    rows.event(&EventRow {
        id: Some(event_id("result", composer, id)),
        ts_us: ended_us.unwrap_or(parts.base.ts_us),
        ts_inferred: ended_us.is_none(),
        event_type: EventType::ToolResult,
        role: Some("tool"),
        tool_output: alone.or(result.as_deref()).or(error.as_deref()),
        exit_code: answer.exit_code,
        lines_added: answer.added,
        lines_removed: answer.removed,
        is_error: Some(answer.failed || error.is_some() || matches!(status, Some("error" | "failed"))),
        duration_ms,
        completeness: result.as_deref().map_or(0, size_of) + done,
        extra: kept.then_some(left.as_str()),
        ..shared
    });
    true
}

/// Fields of a command's result beside its output.
fn remaining(result: Option<&str>, out: &mut String, parser: &mut Parser) -> bool {
    let mut filled = false;
    let seen = parser.each(result.unwrap_or_default().as_bytes(), |json| {
        let mut object = ObjectWriter::new(out);
        scalars(json, &["output", "contents", "stdout", "exitCode", "exitCodeV2", "exit_code"], &mut object);
        filled = object.end();
    });
    seen.is_ok() && filled
}

/// Tools of chats before version 3 stand in the chat: `capabilities[].data.bubbleDataMap`, an object or
/// its JSON text, keyed by bubble.
pub(super) fn capability_rows(
    chat: Json<'_, '_>,
    composer: &Composer,
    offset: u64,
    parsers: (&mut Parser, &mut Parser),
    rows: &mut Rows,
) {
    let (outer, inner) = parsers;
    let mut tools = |map: Json<'_, '_>| {
        for (id, data) in map.entries().filter(|(_, data)| names_tool(*data)) {
            let Some(place) = composer.places.get(id).copied() else { continue };
            let scene = Scene { composer, place: Some(place), offset, provisional: false, is_open: false };
            let base = EventRow {
                ts_us: place.ts_us,
                ts_inferred: true,
                model: composer.model.as_deref(),
                turn: Some(place.turn),
                message_id: Some(id),
                source_offset: offset,
                ..composer.row()
            };
            let mut parts = Parts { scene, id, base, made: false, extra: None };
            tool_rows(data, &mut parts, None, None, inner, rows);
        }
    };
    for capability in chat.get("capabilities").into_iter().flat_map(Json::items) {
        let Some(map) = capability.path(&["data", "bubbleDataMap"]) else { continue };
        match map.as_str() {
            // Not valid JSON: nothing can be told of these tools.
            Some(text) => drop(outer.each(text.as_bytes(), &mut tools)),
            None => tools(map),
        }
    }
}

fn thought(json: Json<'_, '_>) -> Option<String> {
    let own = json.path(&["thinking", "text"]).or_else(|| json.get("thinking")).and_then(Json::as_filled_str);
    if let Some(text) = own {
        return Some(text.to_owned());
    }
    let blocks = json.get("allThinkingBlocks")?.items();
    let texts: Vec<&str> = blocks.filter_map(|b| b.str_at("thinking").or_else(|| b.str_at("text"))).collect();
    (!texts.is_empty()).then(|| texts.join("\n"))
}

/// `tokenCount`; 0/0 is nothing.
fn usage(json: Json<'_, '_>) -> Option<(i64, i64)> {
    let count = json.get("tokenCount")?;
    let (input, output) = (count.i64_at("inputTokens").unwrap_or(0), count.i64_at("outputTokens").unwrap_or(0));
    (input >= 0 && output >= 0 && input.max(output) > 0).then_some((input, output))
}

fn timing(json: Json<'_, '_>, key: &str) -> Option<i64> {
    json.get("timingInfo")?.get(key).and_then(time_us)
}

fn duration_ms(json: Json<'_, '_>) -> Option<i64> {
    let end = timing(json, "clientEndTime").or_else(|| timing(json, "clientSettleTime"))?;
    Some((end - timing(json, "clientStartTime")?) / 1000).filter(|ms| *ms >= 0)
}

fn folder_of(json: Json<'_, '_>) -> Option<String> {
    if let Some(folder) = json.str_at("workspaceProjectDir") {
        return path_of(folder);
    }
    let uris = json.get("workspaceUris").filter(|uris| uris.len() == 1)?;
    path_of(uris.items().next()?.as_str()?)
}

/// A field that holds text, or JSON as text or as it is; `None` when it is missing or empty.
fn text_or_json(data: Json<'_, '_>, key: &str) -> Option<String> {
    let value = data.get(key)?;
    if let Some(text) = value.as_str() {
        return (!text.is_empty()).then(|| text.to_owned());
    }
    if super::extra::is_blank(value) {
        return None;
    }
    let mut out = String::new();
    write_content(value, &mut out);
    Some(out)
}

fn write_extra(json: Json<'_, '_>, has_usage: bool, extra: &mut String) -> bool {
    let mut object = ObjectWriter::new(extra);
    let zero = json.get("tokenCount").is_some_and(|count| count.entries().all(|(_, n)| n.as_i64() == Some(0)));
    let first = text_of(json);
    for (key, value) in json.entries() {
        let repeats = matches!(key, "text" | "rawText" | "content" | "message") && value.as_str() == first;
        let counted = key == "tokenCount" && (has_usage || zero);
        let texts = matches!(key, "rawText" | "content" | "message") && !repeats;
        let left = key == "toolFormerData" && !names_tool(value);
        if !counted && (texts || left || !USED.contains(&key)) {
            field(key, value, &mut object);
        }
    }
    object.end()
}
