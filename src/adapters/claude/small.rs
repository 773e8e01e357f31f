//! Small records: titles, modes, snapshots, links, queue operations, workflow journals; and records
//! of unknown types, kept whole.

use super::AGENT;
use super::record::{Record, filled, object};
use super::session::Context;
use crate::adapters::clean::RECORD;
use crate::adapters::json::Json;
use crate::adapters::kit::content::Content;
use crate::adapters::outcome::Outcome;
use crate::adapters::time;
use crate::schema::{EventId, EventRow, EventType};

/// Record types that are appended again and again, with the field that holds their value.
const VALUES: &[(&str, &str, EventType)] = &[
    ("ai-title", "aiTitle", EventType::Title),
    ("custom-title", "customTitle", EventType::Title),
    ("agent-name", "agentName", EventType::Title),
    ("last-prompt", "lastPrompt", EventType::System),
    ("mode", "mode", EventType::System),
    ("permission-mode", "permissionMode", EventType::System),
    ("bridge-session", "bridgeSessionId", EventType::System),
    ("atis-latch", "atis", EventType::System),
    ("relocated", "relocatedCwd", EventType::System),
];

/// Decodes a record of any other type.
pub(super) fn decode(cx: &mut Context<'_>, rec: &Record<'_, '_>) -> Outcome {
    if let Some((_, field, event_type)) = VALUES.iter().find(|(kind, _, _)| *kind == rec.kind) {
        return value(cx, rec, field, *event_type);
    }
    match rec.kind {
        "summary" => summary(cx, rec),
        "file-history-snapshot" | "file-history-delta" => snapshot(cx, rec),
        "queue-operation" => plain(cx, rec, EventType::System, &["content"]),
        "pr-link" => plain(cx, rec, EventType::System, &["prUrl"]),
        "frame-link" => plain(cx, rec, EventType::System, &["title", "frameUrl"]),
        // The session came from the web.
        "teleported-from" | "teleported-to" => plain(cx, rec, EventType::System, &["branch"]),
        "worktree-state" => plain(cx, rec, EventType::System, &[]),
        "started" | "result" if rec.json.get("key").is_some() => plain(cx, rec, EventType::Progress, &["result"]),
        _ => unknown(cx, rec),
    }
}

fn value(cx: &mut Context<'_>, rec: &Record<'_, '_>, field: &str, event_type: EventType) -> Outcome {
    let text = rec.json.get(field).and_then(Json::as_str).unwrap_or_default();
    let Some(id) = cx.state.changed_value(rec, text) else {
        return Outcome::Ignored;
    };
    kept(cx, rec, id, event_type, &[field]);
    Outcome::Row
}

/// A title of the conversation that ends in `leafUuid`, which may be in another file.
fn summary(cx: &mut Context<'_>, rec: &Record<'_, '_>) -> Outcome {
    let (text, leaf) = (rec.json.str_at("summary").unwrap_or_default(), rec.json.str_at("leafUuid"));
    let id = EventId::of(AGENT, "summary", &[leaf.unwrap_or_default().as_bytes(), text.as_bytes()]);
    object(&mut cx.scratch.extra, |object| {
        object.text("type", rec.kind);
        rec.rest(object, |key| matches!(key, "summary" | "leafUuid"));
    });
    let base = rec.row(cx.source, cx.state.turn, cx.offset);
    cx.rows.event(&EventRow {
        id: Some(id),
        event_type: EventType::Title,
        text: filled(text),
        session_id: rec.session,
        parent_event_id: leaf.or(rec.parent),
        extra: filled(&cx.scratch.extra),
        ..base
    });
    Outcome::Row
}

/// What the client saved of the user's files before an edit.
fn snapshot(cx: &mut Context<'_>, rec: &Record<'_, '_>) -> Outcome {
    let inner = rec.json.get("snapshot");
    let own_us = rec.own_us.or_else(|| time::rfc3339_us(inner?.str_at("timestamp")?));
    if let Some(us) = own_us {
        cx.state.last_us = Some(us);
    }
    let path = rec.json.str_at("trackingPath");
    let message = rec.json.str_at("messageId");
    object(&mut cx.scratch.extra, |object| {
        object.text("type", rec.kind);
        rec.rest(object, |key| matches!(key, "trackingPath" | "messageId"));
    });
    let mut content = Content::default();
    content.fields(rec.json, |key| rec.is_said(key));
    let id = EventId::of(AGENT, "snapshot", &[content.bytes()]);
    let base = rec.row(cx.source, cx.state.turn, cx.offset);
    cx.rows.event(&EventRow {
        id: Some(id),
        ts_us: own_us.unwrap_or(base.ts_us),
        ts_inferred: own_us.is_none(),
        event_type: EventType::Snapshot,
        message_id: message.or(rec.uuid),
        file_path: path,
        extra: filled(&cx.scratch.extra),
        ..base
    });
    Outcome::Row
}

/// A record whose text is the first of `fields` that is a text.
fn plain(cx: &mut Context<'_>, rec: &Record<'_, '_>, event_type: EventType, fields: &[&str]) -> Outcome {
    // The same record written again is the same event.
    let id = match (rec.uuid, rec.kind) {
        (None, "pr-link") => {
            let url = rec.json.str_at("prUrl").unwrap_or_default();
            EventId::of(AGENT, "pr-link", &[rec.session.unwrap_or_default().as_bytes(), url.as_bytes()])
        }
        _ => rec.whole_id("small"),
    };
    kept(cx, rec, id, event_type, fields);
    Outcome::Row
}

/// Hands out a row with the first text of `fields`, and the rest in `extra`.
fn kept(cx: &mut Context<'_>, rec: &Record<'_, '_>, id: EventId, event_type: EventType, fields: &[&str]) {
    let found = fields.iter().find_map(|field| Some((*field, rec.json.str_at(field)?)));
    let (field, text) = found.map_or(("", None), |(field, text)| (field, Some(text)));
    object(&mut cx.scratch.extra, |object| {
        object.text("type", rec.kind);
        rec.rest(object, |key| key == field);
    });
    let base = rec.row(cx.source, cx.state.turn, cx.offset);
    cx.rows.event(&EventRow {
        id: Some(id),
        event_type,
        text,
        is_subagent: Some(rec.level != super::record::Level::Main || cx.source.agent_file),
        extra: filled(&cx.scratch.extra),
        ..base
    });
}

/// Keeps a record of an unknown type whole.
pub(super) fn unknown(cx: &mut Context<'_>, rec: &Record<'_, '_>) -> Outcome {
    let own_us = rec.own_us.or_else(|| time::rfc3339_us(rec.json.str_at("ts")?));
    object(&mut cx.scratch.extra, |object| {
        for (key, value) in rec.json.fields() {
            let has_column = match key {
                "uuid" | "parentUuid" | "sessionId" | "version" | "cwd" | "gitBranch" => value.as_str().is_some(),
                "timestamp" => rec.own_us.is_some(),
                _ => false,
            };
            if !has_column {
                RECORD.field(key, value, object);
            }
        }
    });
    let id = rec.whole_id("unknown");
    let base = rec.row(cx.source, cx.state.turn, cx.offset);
    cx.rows.event(&EventRow {
        id: Some(id),
        ts_us: own_us.unwrap_or(base.ts_us),
        ts_inferred: own_us.is_none(),
        event_type: EventType::Unknown,
        extra: filled(&cx.scratch.extra),
        ..base
    });
    Outcome::Unknown
}
