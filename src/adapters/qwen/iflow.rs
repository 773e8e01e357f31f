//! One record of an iFlow session becomes rows.

use super::session::{Stamp, State, call};
use crate::adapters::fields::{text_or_json, time_at};
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::outcome::Outcome;
use crate::adapters::response::{output, shown};

use crate::adapters::tool::exit_code;
use crate::schema::{EventRow, EventType, Rows, Status, TokenUsage};

/// Fields that have columns.
const ENVELOPE: [&str; 11] = [
    "uuid",
    "parentUuid",
    "sessionId",
    "timestamp",
    "type",
    "cwd",
    "version",
    "gitBranch",
    "message",
    "isSidechain",
    "toolUseResult",
];

pub(super) fn record(state: &mut State, json: Json<'_, '_>, stamp: &Stamp<'_>, rows: &mut Rows) -> Outcome {
    match json.str_at("type").unwrap_or_default() {
        "user" => user(state, json, stamp, rows),
        "assistant" => answer(state, json, stamp, rows),
        "summary" => {
            let text = json.str_at("summary");
            rows.event(&EventRow { text, ..stamp.row(EventType::Title, &[text.unwrap_or_default()]) });
            Outcome::Row
        }
        kind => {
            let mut extra = Extra::default();
            extra.rest(json, &["uuid", "parentUuid", "sessionId", "timestamp", "cwd", "version", "gitBranch"]);
            let extra = extra.finish();
            let known = kind == "system";
            let row = stamp.row(if known { EventType::System } else { EventType::Unknown }, &[]);
            rows.event(&EventRow { text: json.str_at("content"), extra: extra.as_deref(), ..row });
            if known { Outcome::Row } else { Outcome::Unknown }
        }
    }
}

fn content<'t, 'i>(json: Json<'t, 'i>) -> Option<Json<'t, 'i>> {
    json.path(&["message", "content"])
}

fn blocks<'t, 'i>(json: Json<'t, 'i>, kind: &'static str) -> impl Iterator<Item = Json<'t, 'i>> {
    content(json).into_iter().flat_map(Json::items).filter(move |block| block.str_at("type") == Some(kind))
}

fn said(json: Json<'_, '_>) -> String {
    match content(json).and_then(Json::as_str) {
        Some(text) => text.to_owned(),
        None => blocks(json, "text").filter_map(|block| block.str_at("text")).collect::<Vec<_>>().join("\n"),
    }
}

/// Appends blocks of kinds that make no rows of their own.
fn others(json: Json<'_, '_>, extra: &mut Extra) {
    for (i, block) in content(json).into_iter().flat_map(Json::items).enumerate() {
        if !matches!(block.str_at("type"), Some("text" | "tool_use" | "tool_result" | "thinking")) {
            extra.value(&format!("part{i}"), block);
        }
    }
}

fn user(state: &mut State, json: Json<'_, '_>, stamp: &Stamp<'_>, rows: &mut Rows) -> Outcome {
    for (i, block) in blocks(json, "tool_result").enumerate() {
        result(state, block, i, json, stamp, rows);
    }
    let text = said(json);
    if text.is_empty() && blocks(json, "tool_result").next().is_some() {
        return Outcome::Row;
    }
    let is_prompt = json.get("isMeta").and_then(Json::as_bool) != Some(true) && stamp.is_subagent != Some(true);
    if is_prompt {
        state.turn += 1;
    }
    let mut extra = Extra::default();
    extra.rest(json, &ENVELOPE);
    others(json, &mut extra);
    let extra = extra.finish();
    rows.event(&EventRow {
        role: Some("user"),
        turn: Some(state.turn),
        text: (!text.is_empty()).then_some(&*text),
        extra: extra.as_deref(),
        ..stamp.row(if is_prompt { EventType::UserInteraction } else { EventType::System }, &[])
    });
    Outcome::Row
}

fn answer(state: &mut State, json: Json<'_, '_>, stamp: &Stamp<'_>, rows: &mut Rows) -> Outcome {
    let message = json.get("message");
    let model = message.and_then(|m| m.str_at("model"));
    for (i, block) in blocks(json, "thinking").enumerate() {
        let text = block.str_at("thinking");
        let row = stamp.row(EventType::Thinking, &[&i.to_string()]);
        rows.event(&EventRow { role: Some("assistant"), model, text, ..row });
    }
    let mut calls = 0;
    let text = said(json);
    for (i, block) in blocks(json, "tool_use").enumerate() {
        let id = block.str_at("id");
        if id.is_some_and(|id| !state.is_first(id)) {
            continue;
        }
        calls += 1;
        // A call belongs to its own id: the next record repeats it.
        let own = Stamp {
            key: id.map_or_else(|| stamp.key.clone(), |id| format!("{}/{id}", stamp.session)),
            ..stamp.clone()
        };
        let name = block.str_at("name").unwrap_or_default();
        call(state, &own, &i.to_string(), (id, name, block.get("input")), model, rows);
    }
    if text.is_empty() && calls == 0 && blocks(json, "tool_use").next().is_some() {
        return Outcome::Row;
    }
    let tokens = |key| message.and_then(|m| m.path(&["usage", key])).and_then(Json::as_i64).filter(|n| *n > 0);
    let (input, output) = (tokens("input_tokens"), tokens("output_tokens"));
    let usage = TokenUsage::disjoint(input, tokens("cache_read_input_tokens"), None, output);
    let mut extra = Extra::default();
    extra.rest(json, &ENVELOPE);
    if let Some(message) = message {
        extra.rest(message, &["id", "type", "role", "content", "model", "stop_reason", "usage"]);
    }
    others(json, &mut extra);
    let extra = extra.finish();
    let row = EventRow {
        role: Some("assistant"),
        model,
        message_id: message.and_then(|m| m.str_at("id")).or(stamp.uuid),
        text: (!text.is_empty()).then_some(&*text),
        stop_reason: message.and_then(|m| m.str_at("stop_reason")),
        extra: extra.as_deref(),
        ..stamp.row(EventType::LlmResponse, &[])
    };
    rows.event(&usage.on(row));
    Outcome::Row
}

fn result(state: &mut State, block: Json<'_, '_>, i: usize, json: Json<'_, '_>, stamp: &Stamp<'_>, rows: &mut Rows) {
    let own_id = block.str_at("tool_use_id");
    let call = own_id.and_then(|id| state.calls.close(id)).unwrap_or_default();
    let about = json.get("toolUseResult");
    let status = about.and_then(|a| a.str_at("status"));
    let content = block.get("content").filter(|c| !c.is_null());
    let said = match content {
        Some(c) if c.get("responseParts").is_some() => c.get("responseParts").map(output).unwrap_or_default(),
        Some(c) => text_or_json(c),
        None => String::new(),
    };
    let display = content.and_then(|c| c.get("resultDisplay")).filter(|d| !d.is_null());
    let (display, lines) = display.map(shown).unwrap_or_default();
    let mut extra = Extra::default();
    extra.rest(json, &ENVELOPE);
    if let Some(about) = about.filter(|a| a.is_object()) {
        extra.rest(about, &["toolName", "status", "timestamp"]);
    }
    if let Some(display) = display.as_deref().filter(|d| !d.is_empty() && !said.contains(*d)) {
        extra.text("resultDisplay", display);
    }
    let extra = extra.finish();
    let named = about.and_then(|a| a.str_at("toolName")).or((!call.name.is_empty()).then_some(&*call.name));
    let is_error = block.get("is_error").and_then(Json::as_bool).or_else(|| status.map(|s| s == "error"));
    let ended = about.and_then(|a| time_at(a, "timestamp"));
    rows.event(&EventRow {
        role: Some("tool"),
        ts_us: ended.unwrap_or(stamp.ts_us),
        ts_inferred: ended.is_none() && stamp.inferred,
        tool_name: named,
        tool_call_id: own_id,
        file_path: call.path.as_deref(),
        command: call.command.as_deref(),
        tool_output: (!said.is_empty()).then_some(&*said),
        exit_code: if call.runs { exit_code(&said) } else { None },
        lines_added: lines.map(|l| l.0),
        lines_removed: lines.map(|l| l.1),
        is_error,
        status: status.map(Status::of),
        extra: extra.as_deref(),
        ..stamp.row(EventType::ToolResult, &[&i.to_string()])
    });
}
