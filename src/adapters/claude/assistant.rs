//! `assistant` records: one line of a model's response.

use std::borrow::Cow;

use super::AGENT;
use super::call::{Call, Calls, provider};
use super::record::{Record, filled, nested, object};
use super::session::Context;
use super::small;
use super::state::Source;
use super::usage::{Usage, runs_beside};
use crate::adapters::clean::{RECORD, write_content};
use crate::adapters::json::{Json, ObjectWriter};
use crate::adapters::money::nano;
use crate::adapters::outcome::Outcome;
use crate::schema::{EventId, EventRow, EventType, Status};

/// The message of the record.
#[derive(Debug, Clone, Copy, Default)]
struct Message<'t, 'i> {
    id: Option<&'i str>,
    model: Option<&'i str>,
    stop: Option<&'i str>,
    content: Option<Json<'t, 'i>>,
    usage: Option<Json<'t, 'i>>,
}

impl<'t, 'i> Message<'t, 'i> {
    fn read(json: Json<'t, 'i>) -> Self {
        let mut message = Self::default();
        for (key, value) in json.entries() {
            match key {
                "id" => message.id = value.as_filled_str(),
                "model" => message.model = value.as_filled_str(),
                "stop_reason" => message.stop = value.as_filled_str(),
                "content" => message.content = Some(value),
                "usage" => message.usage = Some(value).filter(|u| u.is_object()),
                _ => {}
            }
        }
        message
    }
}

/// Fields of the message that have a column or say nothing new.
fn message_taken(key: &str) -> bool {
    matches!(key, "id" | "model" | "stop_reason" | "content" | "usage" | "role" | "type")
}

fn record_taken(key: &str) -> bool {
    matches!(key, "costUSD" | "durationMs")
}

/// Decodes the record: its blocks become rows or join the call.
pub(super) fn decode(cx: &mut Context<'_>, rec: &Record<'_, '_>) -> Outcome {
    let Some(json) = rec.message.filter(|m| m.is_object()) else {
        return small::unknown(cx, rec);
    };
    let message = Message::read(json);
    if rec.api_error || message.model == Some("<synthetic>") {
        cx.calls.close_chain(rec, cx.rows);
        return client_error(cx, rec, &message, json);
    }
    let key = key_of(&message, rec);
    let place = cx.place();
    let call = cx.calls.of_line(&key, rec, place, cx.rows);
    grow(call, rec, &message, json, cx.source);
    blocks(cx, rec, &message);
    Outcome::Row
}

/// What names the call of a line.
fn key_of<'a>(message: &Message<'_, 'a>, rec: &Record<'_, 'a>) -> Cow<'a, str> {
    message.id.map_or_else(|| rec.name(), Cow::Borrowed)
}

/// Lets an open call grow by a line that was decoded before.
pub(super) fn rebuild(calls: &mut Calls, source: &Source, rec: &Record<'_, '_>, offset: u64) {
    let Some(json) = rec.message.filter(|m| m.is_object()) else { return };
    let message = Message::read(json);
    if let Some(call) = calls.of_old_line(&key_of(&message, rec), rec, offset) {
        grow(call, rec, &message, json, source);
    }
}

/// Merges the line into its call.
fn grow(call: &mut Call, rec: &Record<'_, '_>, message: &Message<'_, '_>, json: Json<'_, '_>, source: &Source) {
    let is_new = call.add_line(rec, source);
    for (slot, text) in [(&mut call.model, message.model), (&mut call.stop, message.stop)] {
        if let Some(text) = text {
            slot.clear();
            slot.push_str(text);
        }
    }
    if call.extra.is_empty() {
        first_extra(call, rec, json, message.usage);
    }
    if let Some(usage) = message.usage {
        grow_usage(call, usage, rec.json.str_at("advisorModel"));
    }
    let cost = rec.json.get("costUSD").and_then(Json::as_f64).and_then(nano);
    call.cost_nano = call.cost_nano.max(cost);
    call.duration_ms = call.duration_ms.max(rec.json.i64_at("durationMs"));
    if !is_new {
        return;
    }
    match message.content {
        Some(content) if content.is_array() => content.items().for_each(|block| grow_block(call, block)),
        Some(content) => call.add_text(content.as_str().unwrap_or_default()),
        None => {}
    }
}

/// Members of the call's `extra` that its first line gives.
fn first_extra(call: &mut Call, rec: &Record<'_, '_>, json: Json<'_, '_>, usage: Option<Json<'_, '_>>) {
    let mut out = std::mem::take(&mut call.extra);
    object(&mut out, |object| {
        line_extra(rec, object);
        RECORD.rest(json, |key, _| !message_taken(key), object);
        for (key, value) in usage.into_iter().flat_map(Json::entries) {
            match key {
                "inference_geo" if value.as_str() != Some("not_available") && !value.is_blank() => {
                    RECORD.field(key, value, object);
                }
                "server_tool_use" if value.entries().any(|(_, n)| n.as_i64() != Some(0)) => {
                    RECORD.field(key, value, object)
                }
                _ => {}
            }
        }
    });
    // The braces come back when the row is made.
    if out.len() > 2 {
        out.pop();
        out.remove(0);
    }
    call.extra = out;
}

/// Members of `extra` on every row of a response's line.
fn line_extra(rec: &Record<'_, '_>, object: &mut ObjectWriter<'_>) {
    rec.rest(object, record_taken);
    if let Some(uuid) = rec.uuid {
        object.text("uuid", uuid);
    }
}

/// Takes the usage of a line; `asked` is the model that the answering one asks for advice.
fn grow_usage(call: &mut Call, json: Json<'_, '_>, asked: Option<&str>) {
    let usage = Usage::read(json);
    // Of several lines the one that tells of more runs, or of more of them.
    let told = |runs: &Json<'_, '_>| (runs.len(), runs.items().map(|run| Usage::read(run).total()).sum::<i64>());
    if let Some(runs) = json.get("iterations").filter(|runs| told(runs) > call.runs) {
        call.runs = told(&runs);
        call.iterations.clear();
        runs_beside(runs, &usage, asked, &mut call.iterations);
    }
    call.usage.merge(&usage);
    let tier = if json.str_at("speed") == Some("fast") { Some("fast") } else { json.str_at("service_tier") };
    if let Some(tier) = tier {
        call.tier.clear();
        call.tier.push_str(tier);
    }
}

/// Takes the parts of a block that have no row of their own.
fn grow_block(call: &mut Call, block: Json<'_, '_>) {
    let keep_whole = match block.str_at("type").unwrap_or_default() {
        "text" => {
            call.add_text(block.get("text").and_then(Json::as_str).unwrap_or_default());
            block.get("citations").is_some_and(|c| !c.is_blank())
        }
        "thinking" | "redacted_thinking" => false,
        kind => !is_call(kind) && !is_result(kind) && !block.is_blank(),
    };
    if !keep_whole {
        return;
    }
    if let Some(text) = block.as_str() {
        call.add_text(text);
        return;
    }
    if !call.blocks.is_empty() {
        call.blocks.push(',');
    }
    let mut object = ObjectWriter::new(&mut call.blocks);
    RECORD.rest(block, |key, _| key != "text", &mut object);
    object.end();
}

fn is_call(kind: &str) -> bool {
    matches!(kind, "tool_use" | "server_tool_use" | "mcp_tool_use")
}

fn is_result(kind: &str) -> bool {
    kind.ends_with("_tool_result") || kind == "tool_result"
}

/// Hands out the rows of thoughts, tool calls and server tools' results.
fn blocks(cx: &mut Context<'_>, rec: &Record<'_, '_>, message: &Message<'_, '_>) {
    let Some(content) = message.content else { return };
    for (index, block) in content.items().enumerate() {
        match block.str_at("type").unwrap_or_default() {
            "thinking" => thinking(cx, rec, message, block, index),
            kind if is_call(kind) => tool_call(cx, rec, message, block, index),
            kind if is_result(kind) => server_result(cx, rec, message, block, index),
            _ => {}
        }
    }
}

fn thinking(cx: &mut Context<'_>, rec: &Record<'_, '_>, message: &Message<'_, '_>, block: Json<'_, '_>, index: usize) {
    let Some(text) = block.str_at("thinking") else { return };
    // A signature ends in bytes that no other one has; replays under another uuid repeat it.
    let mark = block.str_at("signature").unwrap_or(text).as_bytes();
    let mark = mark.get(mark.len().saturating_sub(64)..).unwrap_or_default();
    let id = match message.id {
        Some(message_id) => EventId::of(AGENT, "thinking", &[message_id.as_bytes(), mark]),
        None => block_id(rec, "thinking", index),
    };
    object(&mut cx.scratch.extra, |object| line_extra(rec, object));
    cx.rows.event(&EventRow {
        id: Some(id),
        event_type: EventType::Thinking,
        text: Some(text),
        extra: filled(&cx.scratch.extra),
        ..message_row(cx.source, cx.state.turn, cx.offset, rec, message)
    });
}

fn block_id(rec: &Record<'_, '_>, kind: &str, index: usize) -> EventId {
    let index = u64::try_from(index).unwrap_or(u64::MAX).to_le_bytes();
    EventId::of(AGENT, kind, &[rec.name().as_bytes(), &index])
}

fn message_row<'a, 'i: 'a>(
    source: &'a Source,
    turn: i32,
    offset: u64,
    rec: &Record<'_, 'i>,
    message: &Message<'_, 'i>,
) -> EventRow<'a> {
    EventRow {
        model: message.model,
        provider: message.model.and_then(provider),
        message_id: message.id.or(rec.uuid),
        role: Some("assistant"),
        ..rec.row(source, turn, offset)
    }
}

/// Event type of a call of the tool `name`.
fn event_type(name: &str) -> EventType {
    match name {
        "Read" => EventType::FileRead,
        "Write" => EventType::FileWrite,
        "Edit" | "MultiEdit" | "NotebookEdit" => EventType::FileModify,
        "Bash" | "PowerShell" => EventType::CommandExecution,
        _ => EventType::ToolUse,
    }
}

fn tool_call(cx: &mut Context<'_>, rec: &Record<'_, '_>, message: &Message<'_, '_>, block: Json<'_, '_>, index: usize) {
    let (mut name, mut call_id, mut input) = ("", None, None);
    for (key, value) in block.entries() {
        match key {
            "name" => name = value.as_str().unwrap_or_default(),
            "id" => call_id = value.as_filled_str(),
            "input" => input = Some(value),
            _ => {}
        }
    }
    let event_type = event_type(name);
    let (mut path, mut command) = (None, None);
    for (key, value) in input.into_iter().flat_map(Json::entries) {
        match key {
            "file_path" | "notebook_path" => path = value.as_filled_str(),
            "command" if event_type == EventType::CommandExecution => command = value.as_filled_str(),
            _ => {}
        }
    }
    cx.scratch.input.clear();
    if let Some(input) = input.filter(|i| !i.is_null()) {
        input.write(&mut cx.scratch.input);
    }
    object(&mut cx.scratch.extra, |object| {
        line_extra(rec, object);
        for (key, value) in block.fields() {
            let taken = match key {
                "type" => value.as_str() == Some("tool_use"),
                "caller" => value.str_at("type") == Some("direct") && value.len() == 1,
                _ => matches!(key, "name" | "id" | "input"),
            };
            if !taken {
                RECORD.field(if key == "type" { "block" } else { key }, value, object);
            }
        }
    });
    let id = match call_id {
        Some(call_id) => EventId::of(AGENT, "tool", &[call_id.as_bytes()]),
        None => block_id(rec, "tool", index),
    };
    cx.rows.event(&EventRow {
        id: Some(id),
        event_type,
        tool_call_id: call_id,
        tool_name: filled(name),
        tool_input: filled(&cx.scratch.input),
        file_path: path,
        command,
        extra: filled(&cx.scratch.extra),
        ..message_row(cx.source, cx.state.turn, cx.offset, rec, message)
    });
    if let Some(call_id) = call_id {
        cx.state.open_tool(call_id, name, path, command);
    }
}

/// The result of a tool that the provider ran itself.
fn server_result(
    cx: &mut Context<'_>,
    rec: &Record<'_, '_>,
    message: &Message<'_, '_>,
    block: Json<'_, '_>,
    index: usize,
) {
    let call_id = block.str_at("tool_use_id");
    let content = block.get("content");
    cx.scratch.text.clear();
    match content {
        Some(content) if content.as_str().is_some() => cx.scratch.text.push_str(content.as_str().unwrap_or_default()),
        Some(content) => write_content(content, &mut cx.scratch.text),
        None => {}
    }
    object(&mut cx.scratch.extra, |object| {
        line_extra(rec, object);
        nested(object, "result", block, |key| matches!(key, "tool_use_id" | "content"));
    });
    let id = match call_id {
        Some(call_id) => EventId::of(AGENT, "result", &[call_id.as_bytes()]),
        None => block_id(rec, "result", index),
    };
    let tool = call_id.and_then(|id| cx.state.tool(id));
    let failed = content.and_then(|c| c.str_at("type")).is_some_and(|t| t.ends_with("_error"));
    cx.rows.event(&EventRow {
        id: Some(id),
        event_type: EventType::ToolResult,
        tool_call_id: call_id,
        tool_name: tool.map(|t| t.name.as_str()),
        tool_output: filled(&cx.scratch.text),
        is_error: Some(failed),
        status: Some(if failed { Status::Failed } else { Status::Completed }),
        extra: filled(&cx.scratch.extra),
        ..message_row(cx.source, cx.state.turn, cx.offset, rec, message)
    });
    if let Some(call_id) = call_id {
        cx.state.close_tool(call_id);
    }
}

/// A line that the client wrote in the model's name: an error, no call, no usage.
fn client_error(cx: &mut Context<'_>, rec: &Record<'_, '_>, message: &Message<'_, '_>, json: Json<'_, '_>) -> Outcome {
    cx.scratch.text.clear();
    match message.content {
        Some(content) if content.is_array() => {
            for text in content.items().filter_map(|b| b.as_str().or_else(|| b.str_at("text"))) {
                if !cx.scratch.text.is_empty() {
                    cx.scratch.text.push_str("\n\n");
                }
                cx.scratch.text.push_str(text);
            }
        }
        Some(content) => cx.scratch.text.push_str(content.as_str().unwrap_or_default()),
        None => {}
    }
    let limited = rec.json.str_at("error") == Some("rate_limit")
        || rec.json.i64_at("apiErrorStatus") == Some(429)
        || ["hit your", "limit reached", "rate_limit_error"].iter().any(|sign| cx.scratch.text.contains(sign));
    object(&mut cx.scratch.extra, |object| {
        rec.rest(object, |_| false);
        nested(object, "message", json, |key| message_taken(key) || key == "stop_sequence");
    });
    cx.rows.event(&EventRow {
        id: Some(rec.id("error", cx.scratch.text.as_bytes())),
        event_type: if limited { EventType::RateLimit } else { EventType::ErrorEncountered },
        role: Some("assistant"),
        text: filled(&cx.scratch.text),
        is_error: Some(true),
        stop_reason: message.stop,
        extra: filled(&cx.scratch.extra),
        ..rec.row(cx.source, cx.state.turn, cx.offset)
    });
    Outcome::Row
}
