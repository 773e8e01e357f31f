//! `progress` records: what a running tool, hook or sub-agent reported meanwhile.

use super::call::Calls;
use super::record::{Record, filled, nested, object};
use super::session::Context;
use super::state::Source;
use super::system::is_tool_id;
use super::{assistant, user};
use crate::adapters::clean::write_record;
use crate::adapters::json::Json;
use crate::adapters::outcome::Outcome;
use crate::schema::{EventRow, EventType, Status};

/// The sub-agent's record inside an `agent_progress` record.
fn inner<'t, 'i>(rec: &Record<'t, 'i>) -> Option<Record<'t, 'i>> {
    let data = rec.data?;
    if data.str_at("type") != Some("agent_progress") {
        return None;
    }
    let message = data.get("message").filter(|m| m.is_object())?;
    let inner = rec.inner(message, data.str_at("agentId"));
    (matches!(inner.kind, "assistant" | "user") && inner.message.is_some_and(|m| m.is_object())).then_some(inner)
}

/// Lets an open call of a sub-agent grow by a record that was decoded before.
pub(super) fn rebuild(calls: &mut Calls, source: &Source, rec: &Record<'_, '_>, offset: u64) {
    if let Some(inner) = inner(rec).filter(|i| i.kind == "assistant") {
        assistant::rebuild(calls, source, &inner, offset);
    }
}

/// Decodes the record.
pub(super) fn decode(cx: &mut Context<'_>, rec: &Record<'_, '_>) -> Outcome {
    if let Some(inner) = inner(rec) {
        return if inner.kind == "assistant" { assistant::decode(cx, &inner) } else { user::decode(cx, &inner) };
    }
    let data = rec.data.filter(|d| d.is_object());
    let at = |key: &str| data.and_then(|d| d.str_at(key));
    let kind = at("type").unwrap_or_default();
    let is_hook = kind == "hook_progress";
    let parent = rec.json.str_at("parentToolUseID");
    let call_id = parent.filter(|id| is_tool_id(id));
    let tool = call_id.and_then(|id| cx.state.tool(id));
    // `output` is the end of `fullOutput`.
    let full = at("fullOutput");
    let output = full.or_else(|| at("output"));
    let tail_repeats = full.is_some_and(|full| at("output").is_some_and(|tail| full.contains(tail)));
    object(&mut cx.scratch.extra, |object| {
        rec.rest(object, |key| match key {
            "parentToolUseID" => call_id.is_some(),
            "toolUseID" => rec.json.str_at("toolUseID") == parent,
            _ => false,
        });
        if let Some(data) = rec.data.filter(|d| d.is_object()) {
            nested(object, "data", data, |key| match key {
                "fullOutput" => true,
                "output" => full.is_none() || tail_repeats,
                "command" => is_hook,
                "query" | "taskDescription" => true,
                "elapsedTimeMs" => data.get(key).and_then(Json::as_i64).is_some(),
                _ => false,
            });
        } else if let Some(data) = rec.data {
            object.with("data", |out| write_record(data, out));
        }
    });
    let base = rec.row(cx.source, cx.state.turn, cx.offset);
    let seconds = data.and_then(|d| d.i64_at("elapsedTimeSeconds")).map(|s| s.saturating_mul(1000));
    cx.rows.event(&EventRow {
        id: Some(rec.whole_id("progress")),
        event_type: if is_hook { EventType::Hook } else { EventType::Progress },
        role: Some("system"),
        text: at("query").or_else(|| at("taskDescription")),
        tool_call_id: call_id,
        tool_name: tool.map(|t| t.name.as_str()),
        file_path: tool.and_then(|t| filled(&t.path)),
        command: if is_hook { at("command") } else { tool.and_then(|t| filled(&t.command)) },
        tool_output: output,
        status: filled(kind).map(Status::Named),
        duration_ms: data.and_then(|d| d.i64_at("elapsedTimeMs")).or(seconds),
        extra: filled(&cx.scratch.extra),
        ..base
    });
    Outcome::Row
}
