//! Documents of the IDE: `.chat` files and workspace sessions; executions are in [`super::execution`].

use super::execution;
use super::ids::{Seen, is_own, unwrapped};
use crate::adapters::chat::{Facts, Outcome, Sink, Source, file_stem, joined_text};
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::time;
use crate::schema::{EventId, EventRow, EventType};

/// Rows of one state of a document.
pub(super) fn decode(source: &Source, json: Json<'_, '_>, sink: &mut Sink<'_>) -> Outcome {
    if !json.is_object() {
        // `sessions.json` lists the sessions beside it.
        return if json.is_array() { Outcome::Ignored } else { Outcome::Wrong };
    }
    if json.get("history").is_some_and(Json::is_array) && json.get("sessionId").is_some() {
        return session(source, json, sink);
    }
    if json.get("chat").is_some_and(Json::is_array) {
        return chat(source, json, sink);
    }
    if json.get("executionId").is_some() && json.get("executions").is_none() {
        return execution::decode(source, json, sink);
    }
    // Indexes and settings lie among the executions.
    Outcome::Ignored
}

/// `{executionId, actionId, chat: [{role, content}], metadata}`.
fn chat(source: &Source, json: Json<'_, '_>, sink: &mut Sink<'_>) -> Outcome {
    let metadata = json.get("metadata");
    let text = |key: &str| metadata.and_then(|m| m.str_at(key)).map(str::to_owned);
    let number = |key: &str| metadata.and_then(|m| m.i64_at(key)).filter(|n| *n > 0).map(time::unix_us);
    let execution = json.str_at("executionId").unwrap_or_else(|| file_stem(&source.path));
    let session = text("workflowId").unwrap_or_else(|| execution.to_owned());
    let mut facts = Facts { session: Some(session), provider: text("modelProvider"), ..Facts::default() };
    let model = text("modelId");
    let (start, end) = (number("startTime"), number("endTime"));
    let (mut seen, mut fields) = (Seen::default(), Extra::default());
    let entries: Vec<Json<'_, '_>> = json.get("chat").into_iter().flat_map(Json::items).collect();
    let last = entries.iter().rposition(|entry| entry.str_at("role") == Some("bot"));
    for (index, entry) in entries.iter().enumerate() {
        let content = entry.get("content").and_then(joined_text).unwrap_or_default();
        let role = entry.str_at("role").unwrap_or_default();
        let order = i64::try_from(index).unwrap_or(0);
        let known = if Some(index) == last { end } else { None };
        let mut at = facts.at(index as u64, known, start.unwrap_or(source.modified_us));
        if at.inferred {
            at.ts_us = start.unwrap_or(source.modified_us).saturating_add(order);
        }
        let own = is_own(&content) || content == "I will follow these instructions.";
        let (event_type, id, shown) = match role {
            "human" | "user" if !own => {
                facts.turn += 1;
                let prompt = unwrapped(&content);
                (EventType::UserInteraction, seen.id("prompt", facts.session(), prompt), prompt)
            }
            "bot" | "assistant" if !own => (EventType::LlmResponse, seen.id("bot", execution, &content), &*content),
            "tool" => (EventType::ToolResult, seen.id("tool", execution, &content), &*content),
            _ => (EventType::System, seen.id("own", execution, &content), &*content),
        };
        let answer = event_type == EventType::LlmResponse;
        let output = event_type == EventType::ToolResult;
        fields.begin().rest(*entry, &["role", "content"]).end();
        let row = EventRow {
            id: Some(id),
            request_id: Some(execution),
            role: Some(match event_type {
                EventType::LlmResponse => "assistant",
                EventType::ToolResult => "tool",
                EventType::UserInteraction => "user",
                _ => "system",
            }),
            text: Some(shown).filter(|t| !t.is_empty() && !output),
            tool_output: Some(shown).filter(|_| output),
            model: model.as_deref().filter(|_| answer),
            provider: facts.provider.as_deref().filter(|_| answer),
            extra: fields.get(),
            completeness: 2,
            ..facts.row(event_type, at)
        };
        sink.row(row, false);
        if answer {
            tools(&content, id, &EventRow { text: None, model: None, provider: None, extra: None, ..row }, sink);
        }
    }
    let last_us = start.max(end);
    fields.begin().text("record", "execution").rest(json, &["chat", "executionId", "metadata", "validations"]);
    if let Some(metadata) = metadata {
        fields.rest(metadata, &["workflowId", "modelProvider", "modelId", "startTime", "endTime"]);
    }
    fields.end();
    let at = facts.at(0, start, source.modified_us);
    let row = EventRow {
        id: Some(EventId::of(super::AGENT, "execution", &[execution.as_bytes()])),
        request_id: Some(execution),
        duration_ms: start.zip(end).map(|(start, end)| (end - start) / 1000),
        extra: fields.get(),
        completeness: last_us.unwrap_or(0).max(2),
        ..facts.row(EventType::System, at)
    };
    sink.row(row, false);
    Outcome::Row
}

/// Calls that an answer spells as `<tool_use><name>…</name>…</tool_use>`.
fn tools(content: &str, answer: EventId, row: &EventRow<'_>, sink: &mut Sink<'_>) {
    for (index, part) in content.split("<tool_use>").skip(1).enumerate() {
        let inside = part.split_once("</tool_use>").map_or(part, |(inside, _)| inside);
        let Some((_, rest)) = inside.split_once("<name>") else { continue };
        let Some((name, _)) = rest.split_once("</name>") else { continue };
        let id = EventId::of(super::AGENT, "tool", &[&answer.0.to_be_bytes(), &index.to_le_bytes()]);
        sink.row(
            EventRow { id: Some(id), event_type: EventType::ToolUse, tool_name: Some(name.trim()), ..*row },
            false,
        );
    }
}

/// `{sessionId, title, workspaceDirectory, history: [{message, executionId}]}`.
fn session(source: &Source, json: Json<'_, '_>, sink: &mut Sink<'_>) -> Outcome {
    let id = json.str_at("sessionId").unwrap_or_else(|| file_stem(&source.path));
    let mut facts = Facts {
        session: Some(id.to_owned()),
        cwd: json.str_at("workspaceDirectory").or_else(|| json.str_at("workspacePath")).map(str::to_owned),
        ..Facts::default()
    };
    let created = json.get("dateCreated").and_then(|d| d.as_i64().or_else(|| d.as_str()?.parse().ok()));
    let start = created.map(time::unix_us);
    let (mut seen, mut fields) = (Seen::default(), Extra::default());
    let at = facts.at(0, start, source.modified_us);
    fields.begin().rest(json, &["sessionId", "title", "workspaceDirectory", "workspacePath", "history", "dateCreated"]);
    fields.end();
    let own = EventId::of(super::AGENT, "session", &[id.as_bytes()]);
    let extra = fields.get();
    sink.row(EventRow { id: Some(own), extra, completeness: 2, ..facts.row(EventType::SessionStart, at) }, false);
    if let Some(title) = json.str_at("title") {
        let own = EventId::of(super::AGENT, "title", &[id.as_bytes(), title.as_bytes()]);
        let row = facts.row(EventType::Title, at);
        sink.row(EventRow { id: Some(own), text: Some(title), ts_inferred: true, completeness: 2, ..row }, false);
    }
    let model = json.str_at("selectedModel");
    for (index, entry) in json.get("history").into_iter().flat_map(Json::items).enumerate() {
        let Some(message) = entry.get("message").filter(|m| m.is_object()) else { continue };
        let mut at = facts.at(index as u64 + 1, None, source.modified_us);
        at.ts_us = at.ts_us.saturating_add(i64::try_from(index).unwrap_or(0) + 1);
        let text = message.get("content").and_then(joined_text);
        let content = text.as_deref().unwrap_or_default();
        let execution = entry.str_at("executionId");
        let own_id = message.str_at("id");
        fields.begin().rest(entry, &["message", "executionId"]);
        fields.rest(message, &["role", "content", "id"]).end();
        let (event_type, role, id, completeness) = match message.str_at("role") {
            Some("user" | "human") => {
                facts.turn += 1;
                (EventType::UserInteraction, "user", seen.id("prompt", facts.session(), unwrapped(content)), 2)
            }
            Some("assistant" | "bot") => {
                // The execution's own file says it in full, under the same id.
                let id = execution.map(|e| EventId::of(super::AGENT, "answer", &[e.as_bytes()]));
                let named = own_id.map(|own| EventId::of(super::AGENT, "message", &[own.as_bytes()]));
                let id = id.or(named).unwrap_or_else(|| seen.id("bot", facts.session(), content));
                (EventType::LlmResponse, "assistant", id, 1)
            }
            Some("tool") => (EventType::ToolResult, "tool", seen.id("tool", facts.session(), content), 2),
            _ => (EventType::System, "system", seen.id("own", facts.session(), content), 2),
        };
        let output = event_type == EventType::ToolResult;
        let row = EventRow {
            id: Some(id),
            message_id: own_id,
            request_id: execution,
            role: Some(role),
            text: text.as_deref().filter(|_| !output),
            tool_output: text.as_deref().filter(|_| output),
            model: model.filter(|_| event_type == EventType::LlmResponse),
            extra: fields.get(),
            completeness,
            ..facts.row(event_type, at)
        };
        sink.row(row, false);
    }
    Outcome::Row
}
