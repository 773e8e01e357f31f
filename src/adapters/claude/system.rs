//! `system` records (the client's own notes) and `attachment` records (what it adds to a prompt).

use super::record::{Level, Record, filled, nested, object};
use super::session::Context;
use super::user::{prompt_id, wrapper};
use crate::adapters::json::Json;
use crate::adapters::outcome::Outcome;
use crate::schema::{EventRow, EventType, Status};

/// Subtypes of `system` that this version knows.
const KNOWN: &[&str] = &[
    "",
    "stop_hook_summary",
    "turn_duration",
    "away_summary",
    "api_error",
    "error",
    "compact_boundary",
    "microcompact_boundary",
    "local_command",
    "bridge_status",
    "informational",
    "model_refusal_fallback",
    "scheduled_task_fire",
    "api_refusal",
    "session_start",
];

/// Decodes a `system` record.
pub(super) fn decode(cx: &mut Context<'_>, rec: &Record<'_, '_>) -> Outcome {
    let subtype = rec.json.str_at("subtype").unwrap_or_default();
    let error = rec.json.get("error").filter(|e| e.is_object());
    let event_type = match subtype {
        "stop_hook_summary" => EventType::Hook,
        "compact_boundary" | "microcompact_boundary" => EventType::Compaction,
        "api_error" | "error" if error.is_some_and(is_rate_limit) => EventType::RateLimit,
        "api_error" | "error" | "api_refusal" => EventType::ErrorEncountered,
        "session_start" => EventType::SessionStart,
        _ => EventType::System,
    };
    let failed = matches!(event_type, EventType::RateLimit | EventType::ErrorEncountered);
    let plain = |key: &str| rec.json.get(key).and_then(Json::as_str);
    let text = plain("content").or_else(|| error?.str_at("message").or_else(|| error?.str_at("formatted")));
    let tool = plain("toolUseID").filter(|id| is_tool_id(id));
    object(&mut cx.scratch.extra, |object| {
        rec.rest(object, |key| match key {
            "content" => plain("content").is_some(),
            "durationMs" => true,
            "toolUseID" => tool.is_some(),
            "logicalParentUuid" => rec.parent.is_none(),
            _ => false,
        });
    });
    let base = rec.row(cx.source, cx.state.turn, cx.offset);
    cx.rows.event(&EventRow {
        id: Some(rec.whole_id("system")),
        event_type,
        role: Some("system"),
        text: text.filter(|t| !t.is_empty()),
        tool_call_id: tool,
        is_error: failed.then_some(true),
        duration_ms: rec.json.i64_at("durationMs"),
        parent_event_id: rec.parent.or_else(|| rec.json.str_at("logicalParentUuid")),
        extra: filled(&cx.scratch.extra),
        ..base
    });
    if KNOWN.contains(&subtype) { Outcome::Row } else { Outcome::Unknown }
}

fn is_rate_limit(error: Json<'_, '_>) -> bool {
    error.i64_at("status") == Some(429) || error.get("rateLimits").is_some_and(|r| r.is_object() && !r.is_empty())
}

pub(super) fn is_tool_id(id: &str) -> bool {
    id.starts_with("toolu_") || id.starts_with("srvtoolu_") || id.starts_with("call_")
}

/// Decodes an `attachment` record.
pub(super) fn attachment(cx: &mut Context<'_>, rec: &Record<'_, '_>) -> Outcome {
    let Some(json) = rec.attachment.filter(|a| a.is_object()) else {
        return bare_attachment(cx, rec);
    };
    let kind = json.str_at("type").unwrap_or_default();
    if kind == "queued_command" {
        return queued_command(cx, rec, json);
    }
    let is_hook = kind.starts_with("hook_") || kind == "async_hook_response";
    let plain = |key: &str| json.str_at(key);
    let (text_key, text) = ["content", "text", "snippet", "blockingError", "banner"]
        .into_iter()
        .find_map(|key| plain(key).map(|text| (key, Some(text))))
        .unwrap_or_default();
    let path = plain("filename").or_else(|| plain("path"));
    let tool = plain("toolUseID").filter(|id| is_tool_id(id));
    let failed = matches!(kind, "hook_blocking_error" | "hook_non_blocking_error" | "hook_cancelled");
    let output = plain("stdout").filter(|out| is_hook && Some(*out) != text);
    object(&mut cx.scratch.extra, |object| {
        rec.rest(object, |_| false);
        nested(object, "attachment", json, |key| match key {
            "type" | "stdout" if key == "type" || is_hook => true,
            "filename" | "path" => plain(key) == path,
            "toolUseID" => tool.is_some(),
            "command" | "exitCode" | "durationMs" => is_hook,
            _ => key == text_key,
        });
    });
    let base = rec.row(cx.source, cx.state.turn, cx.offset);
    cx.rows.event(&EventRow {
        id: Some(rec.whole_id("attachment")),
        event_type: if is_hook { EventType::Hook } else { EventType::Attachment },
        role: Some("system"),
        text,
        tool_output: output,
        status: filled(kind).map(Status::Named),
        file_path: path,
        tool_call_id: tool,
        command: plain("command").filter(|_| is_hook),
        exit_code: json.i64_at("exitCode").filter(|_| is_hook).and_then(|n| i32::try_from(n).ok()),
        duration_ms: json.i64_at("durationMs").filter(|_| is_hook),
        is_error: is_hook.then_some(failed),
        extra: filled(&cx.scratch.extra),
        ..base
    });
    Outcome::Row
}

/// A prompt typed while the model was busy; or a notice that took the same way.
fn queued_command(cx: &mut Context<'_>, rec: &Record<'_, '_>, json: Json<'_, '_>) -> Outcome {
    let mut text = std::mem::take(&mut cx.scratch.text);
    text.clear();
    let prompt = json.get("prompt");
    for block in prompt.into_iter().flat_map(Json::items) {
        if let Some(plain) = block.str_at("text").or_else(|| block.as_str()) {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(plain);
        }
    }
    text.push_str(prompt.and_then(Json::as_str).unwrap_or_default());
    let human = json.str_at("commandMode").is_none_or(|mode| mode == "prompt")
        && json.path(&["origin", "kind"]).and_then(Json::as_str).is_none_or(|kind| kind == "human")
        && wrapper(&text).is_none();
    // The prompt's own uuid, where it has one: a `user` record may deliver it too.
    let source = json.str_at("source_uuid");
    if human && (rec.level == Level::Main || cx.source.agent_file) {
        cx.state.count_prompt(source.or(rec.uuid));
    }
    object(&mut cx.scratch.extra, |object| {
        rec.rest(object, |_| false);
        nested(object, "attachment", json, |key| {
            key == "type" || (key == "prompt" && prompt.and_then(Json::as_str).is_some())
        });
    });
    let id = match source {
        Some(uuid) => prompt_id(uuid),
        None => rec.id("attachment", text.as_bytes()),
    };
    let base = rec.row(cx.source, cx.state.turn, cx.offset);
    cx.rows.event(&EventRow {
        id: Some(id),
        event_type: if human { EventType::UserInteraction } else { EventType::System },
        role: Some("user"),
        text: filled(&text),
        status: Some(Status::QueuedCommand),
        extra: filled(&cx.scratch.extra),
        ..base
    });
    cx.scratch.text = text;
    Outcome::Row
}

/// An attachment whose fields stand in the record itself.
fn bare_attachment(cx: &mut Context<'_>, rec: &Record<'_, '_>) -> Outcome {
    let text = rec.json.str_at("content");
    object(&mut cx.scratch.extra, |object| {
        rec.rest(object, |key| key == "attachment_type" || (key == "content" && text.is_some()));
    });
    let base = rec.row(cx.source, cx.state.turn, cx.offset);
    cx.rows.event(&EventRow {
        id: Some(rec.whole_id("attachment")),
        event_type: EventType::Attachment,
        role: Some("system"),
        text,
        status: rec.json.str_at("attachment_type").map(Status::Named),
        extra: filled(&cx.scratch.extra),
        ..base
    });
    Outcome::Row
}
