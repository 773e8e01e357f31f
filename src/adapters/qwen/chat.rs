//! One record of a Qwen Code session becomes rows.

use super::session::{Answer, Stamp, State, call};
use crate::adapters::clean::write_content;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::outcome::Outcome;
use crate::adapters::response::{output, shown};
use crate::adapters::tokens::google;
use crate::adapters::tool::exit_code;
use crate::schema::{EventRow, EventType, Rows, Status, TokenUsage, hash64_of};

/// Fields that have columns.
const ENVELOPE: [&str; 13] = [
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
    "agentName",
    "model",
    "usageMetadata",
];

pub(super) fn record(state: &mut State, json: Json<'_, '_>, stamp: &Stamp<'_>, rows: &mut Rows) -> Outcome {
    match json.str_at("type").unwrap_or_default() {
        "user" => user(state, json, stamp, rows),
        "assistant" => answer(state, json, stamp, rows),
        "tool_result" => results(state, json, stamp, rows),
        "system" => system(json, stamp, rows),
        _ => {
            let mut extra = Extra::default();
            extra.rest(json, &["uuid", "parentUuid", "sessionId", "timestamp", "cwd", "version", "gitBranch"]);
            let extra = extra.finish();
            rows.event(&EventRow { extra: extra.as_deref(), ..stamp.row(EventType::Unknown, &[]) });
            Outcome::Unknown
        }
    }
}

fn parts<'t, 'i>(json: Json<'t, 'i>) -> impl Iterator<Item = Json<'t, 'i>> {
    json.path(&["message", "parts"]).into_iter().flat_map(Json::items)
}

/// Texts of the parts, thoughts or all others.
fn said(json: Json<'_, '_>, thoughts: bool) -> String {
    let is_thought = |part: &Json<'_, '_>| part.get("thought").and_then(Json::as_bool) == Some(true);
    let texts = parts(json).filter(|part| is_thought(part) == thoughts).filter_map(|part| part.str_at("text"));
    texts.collect::<Vec<_>>().join("\n")
}

fn user(state: &mut State, json: Json<'_, '_>, stamp: &Stamp<'_>, rows: &mut Rows) -> Outcome {
    let all = said(json, false);
    if all.is_empty() && parts(json).any(|part| part.get("functionResponse").is_some()) {
        return results(state, json, stamp, rows);
    }
    let subtype = json.str_at("subtype");
    let payload = json.get("systemPayload");
    let shown = payload.and_then(|p| p.str_at("displayText"));
    let text = shown.unwrap_or(&all);
    let is_prompt = matches!(subtype, None | Some("mid_turn_user_message"));
    if is_prompt {
        state.turn += 1;
    }
    let mut extra = Extra::default();
    extra.rest(json, &[&ENVELOPE[..], &["systemPayload"]].concat());
    if let Some(payload) = payload {
        extra.rest(payload, &["displayText"]);
    }
    if text != all {
        extra.text("sent", &all);
    }
    for (i, part) in parts(json).enumerate().filter(|(_, part)| part.get("text").is_none()) {
        extra.value(&format!("part{i}"), part);
    }
    let extra = extra.finish();
    rows.event(&EventRow {
        role: Some("user"),
        turn: Some(state.turn),
        text: (!text.is_empty()).then_some(text),
        status: subtype.map(Status::Named),
        extra: extra.as_deref(),
        ..stamp.row(if is_prompt { EventType::UserInteraction } else { EventType::System }, &[])
    });
    Outcome::Row
}

/// Usage of an answer; thoughts are part of the candidates where the total leaves no room for them.
fn usage(json: Json<'_, '_>) -> Option<TokenUsage> {
    let metadata = json.get("usageMetadata").filter(|m| m.is_object())?;
    let part = |key| metadata.i64_at(key);
    let (prompt, output, thoughts) =
        (part("promptTokenCount"), part("candidatesTokenCount"), part("thoughtsTokenCount"));
    let within = thoughts.is_some_and(|thoughts| {
        thoughts > 0
            && part("totalTokenCount").is_some_and(|total| prompt.zip(output).is_some_and(|(p, o)| p + o == total))
    });
    let beside = if within { output.zip(thoughts).map(|(output, thoughts)| output - thoughts) } else { output };
    google(prompt, part("cachedContentTokenCount"), beside, thoughts, part("toolUsePromptTokenCount"))
}

fn hash(json: Json<'_, '_>) -> u64 {
    let [message, usage] = ["message", "usageMetadata"].map(|key| json.get(key).map(Json::to_json).unwrap_or_default());
    hash64_of(&[message.as_bytes(), usage.as_bytes()])
}

fn answer(state: &mut State, json: Json<'_, '_>, stamp: &Stamp<'_>, rows: &mut Rows) -> Outcome {
    let last = hash(json);
    if state.answer.uuid != stamp.key || state.answer.records == 0 {
        state.answer = Answer { uuid: stamp.key.clone(), ts_us: stamp.ts_us, ..Answer::default() };
    } else if state.answer.last == last {
        return Outcome::Row;
    }
    let model = json.str_at("model");
    let record = state.answer.records.to_string();
    state.answer.records += 1;
    state.answer.last = last;
    let thought = said(json, true);
    if !thought.is_empty() {
        let text = Some(&*thought);
        rows.event(&EventRow { role: Some("assistant"), model, text, ..stamp.row(EventType::Thinking, &[&record]) });
    }
    let text = said(json, false);
    let new = usage(json);
    if let Some(u) = new {
        state.answer.tokens = [u.fresh, u.read, u.output, u.reasoning];
    }
    let calls = || parts(json).filter_map(|part| part.get("functionCall"));
    let others = parts(json).enumerate().filter(|(_, p)| p.get("text").is_none() && p.get("functionCall").is_none());
    if !text.is_empty() || new.is_some() || calls().next().is_some() || thought.is_empty() {
        if !text.is_empty() && !state.answer.text.is_empty() {
            state.answer.text.push('\n');
        }
        state.answer.text.push_str(&text);
        let mut extra = Extra::default();
        extra.rest(json, &ENVELOPE);
        for (i, part) in others {
            extra.value(&format!("part{i}"), part);
        }
        let extra = extra.finish();
        let [fresh, cached, output, reasoning] = state.answer.tokens;
        let known = [fresh, cached, output, reasoning].iter().any(Option::is_some);
        let row = EventRow {
            ts_us: state.answer.ts_us,
            role: Some("assistant"),
            model,
            text: (!state.answer.text.is_empty()).then_some(&*state.answer.text),
            extra: extra.as_deref(),
            completeness: (i64::from(known) << 40) + 2 * i64::from(state.answer.records) + i64::from(!stamp.is_copy),
            ..stamp.row(EventType::LlmResponse, &[])
        };
        let usage = TokenUsage::disjoint(fresh, cached, None, output).thoughts_within(reasoning);
        rows.event(&usage.on(row));
    }
    for (i, function) in calls().enumerate() {
        let name = function.str_at("name").unwrap_or_default();
        let place = format!("{record}.{i}");
        call(state, stamp, &place, (function.str_at("id"), name, function.get("args")), model, rows);
    }
    Outcome::Row
}

fn results(state: &mut State, json: Json<'_, '_>, stamp: &Stamp<'_>, rows: &mut Rows) -> Outcome {
    let about = json.get("toolCallResult");
    let mut any = false;
    for (i, part) in parts(json).enumerate() {
        let Some(response) = part.get("functionResponse") else { continue };
        any = true;
        let own_id = response.str_at("id").or_else(|| about.and_then(|a| a.str_at("callId")));
        result(state, (part, response.str_at("name"), own_id, i), json, stamp, rows);
    }
    if !any {
        let own_id = about.and_then(|a| a.str_at("callId"));
        result(state, (Json::new(&[]), None, own_id, 0), json, stamp, rows);
    }
    Outcome::Row
}

fn result(
    state: &mut State,
    (part, name, own_id, i): (Json<'_, '_>, Option<&str>, Option<&str>, usize),
    json: Json<'_, '_>,
    stamp: &Stamp<'_>,
    rows: &mut Rows,
) {
    let call = own_id.and_then(|id| state.calls.close(id)).unwrap_or_default();
    let about = json.get("toolCallResult");
    let status = about.and_then(|a| a.str_at("status"));
    let said = if part.is_null() { String::new() } else { output(part) };
    let (display, lines) =
        about.and_then(|a| a.get("resultDisplay")).filter(|d| !d.is_null()).map(shown).unwrap_or_default();
    let mut extra = Extra::default();
    extra.rest(json, &[&ENVELOPE[..], &["toolCallResult"]].concat());
    if let Some(about) = about {
        extra.rest(about, &["callId", "status", "resultDisplay"]);
    }
    if let Some(display) = display.as_deref().filter(|d| !d.is_empty() && !said.is_empty() && !said.contains(*d)) {
        extra.text("resultDisplay", display);
    }
    let extra = extra.finish();
    let text = if said.is_empty() { display.as_deref() } else { Some(&*said) }.filter(|text| !text.is_empty());
    let failed = part.path(&["functionResponse", "response", "error"]).is_some();
    let place = own_id.map_or_else(|| i.to_string(), str::to_owned);
    rows.event(&EventRow {
        role: Some("tool"),
        tool_name: name.or((!call.name.is_empty()).then_some(&*call.name)),
        tool_call_id: own_id,
        file_path: call.path.as_deref(),
        command: call.command.as_deref(),
        tool_output: text,
        exit_code: text.filter(|_| call.runs).and_then(exit_code),
        lines_added: lines.map(|l| l.0),
        lines_removed: lines.map(|l| l.1),
        is_error: status.map_or(Some(failed), |s| Some(s == "error" || failed)),
        status: status.map(Status::of),
        extra: extra.as_deref(),
        ..stamp.row(EventType::ToolResult, &[&place])
    });
}

fn system(json: Json<'_, '_>, stamp: &Stamp<'_>, rows: &mut Rows) -> Outcome {
    let subtype = json.str_at("subtype").unwrap_or_default();
    let payload = json.get("systemPayload");
    let event = payload.and_then(|p| p.get("uiEvent")).filter(|e| e.is_object());
    let texts = ["customTitle", "displayText", "rawCommand", "summary", "text", "message", "content"];
    let text = payload.and_then(|p| texts.iter().find_map(|key| p.str_at(key)));
    let mut extra = Extra::default();
    extra.rest(json, &[&ENVELOPE[..], &["systemPayload", "subtype"]].concat());
    if let Some(payload) = payload.filter(|p| p.is_object()) {
        let used = texts.iter().find(|key| payload.str_at(key).is_some()).copied().unwrap_or_default();
        extra.rest(payload, &[used, "targetUuid"]);
    } else if let Some(payload) = payload {
        extra.value("systemPayload", payload);
    }
    if let Some(message) = json.get("message").filter(|_| parts(json).next().is_some()) {
        let mut said = String::new();
        write_content(message, &mut said);
        extra.value("message", message);
    }
    let extra = extra.finish();
    let event_type = match subtype {
        "custom_title" => EventType::Title,
        "chat_compression" => EventType::Compaction,
        "file_history_snapshot" | "attribution_snapshot" | "session_artifact_snapshot" => EventType::Snapshot,
        _ => EventType::System,
    };
    let target = payload.and_then(|p| p.str_at("targetUuid"));
    let row = stamp.row(EventType::System, &[]);
    rows.event(&EventRow {
        event_type,
        role: Some("system"),
        text,
        status: (!subtype.is_empty()).then_some(if subtype == "rewind" {
            Status::Rewound
        } else {
            Status::Named(subtype)
        }),
        model: event.and_then(|e| e.str_at("model")).or_else(|| json.str_at("model")),
        duration_ms: event.and_then(|e| e.i64_at("duration_ms")),
        parent_event_id: target.or(row.parent_event_id),
        extra: extra.as_deref(),
        ..row
    });
    Outcome::Row
}
