//! Parts of a message: texts, thoughts, tool calls with their results, files, patches.

use super::message::{Role, Scene, Tokens, filled, of_steps};
use crate::adapters::clean::write_content;
use crate::adapters::deed::{Deed, line_count};
use crate::adapters::diff;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::time::unix_us;
use crate::schema::{EventRow, EventType, Rows, Status, UsageSource};

/// What the parts of one message add to the message's own row; buffers are used again.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    /// Texts, one paragraph each.
    pub(super) text: String,
    /// Latest change of a part that is in here.
    pub(super) changed_ms: i64,
    pub(super) steps: Vec<Tokens>,
    pub(super) reason: String,
    pub(super) snapshot: String,
    pub(super) snapshot_after: String,
    /// A person said something.
    pub(super) is_prompt: bool,
    /// Rows made so far.
    pub(super) rows: usize,
    /// Something was of an unknown kind.
    pub(super) unknown: bool,
    extra: Extra,
    input: String,
    output: String,
}

impl Gathered {
    /// Starts over.
    pub(super) fn begin(&mut self) {
        for text in [&mut self.text, &mut self.reason, &mut self.snapshot, &mut self.snapshot_after] {
            text.clear();
        }
        self.steps.clear();
        (self.changed_ms, self.is_prompt, self.rows, self.unknown) = (0, false, 0, false);
    }

    /// What the message took, and how that is known.
    pub(super) fn tokens_with(&self, message: Tokens) -> (Tokens, UsageSource) {
        of_steps(&self.steps, message).map_or((message, UsageSource::Reported), |sum| (sum, UsageSource::Derived))
    }

    fn say(&mut self, text: &str, changed_ms: i64) {
        self.changed_ms = self.changed_ms.max(changed_ms);
        if !self.text.is_empty() && !text.is_empty() {
            self.text.push('\n');
        }
        self.text.push_str(text);
    }
}

/// A part's identity and times where they do not stand in it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PartStamp<'a> {
    pub(super) id: &'a str,
    pub(super) created_ms: Option<i64>,
    pub(super) changed_ms: i64,
    /// It is a part of OpenCode 2.
    pub(super) is_newer: bool,
}

/// Fields that every part has.
const COMMON: [&str; 9] = [
    "id",
    "sessionID",
    "messageID",
    "type",
    "time",
    // What only a provider can read.
    "native",
    "providerState",
    "providerMetadata",
    "providerResultState",
];

/// Takes in one part: makes its rows, or adds it to what the message's row will say.
pub(super) fn part(scene: &Scene<'_>, json: Json<'_, '_>, stamp: PartStamp<'_>, to: &mut Gathered, rows: &mut Rows) {
    let own = json.str_at("id").filter(|_| !stamp.is_newer);
    let stamp = PartStamp { id: own.unwrap_or(stamp.id), ..stamp };
    let text = json.get("text").and_then(Json::as_str).unwrap_or_default();
    let flag = |key: &str| json.get(key).and_then(Json::as_bool) == Some(true);
    match json.str_at("type").unwrap_or_default() {
        "text" if flag("synthetic") || flag("ignored") => attachment(scene, json, stamp, to, rows),
        "text" => {
            to.say(text, stamp.changed_ms);
            to.is_prompt = true;
        }
        "reasoning" => thinking(scene, json, text, stamp, to, rows),
        "tool" => tool(scene, json, stamp, to, rows),
        "tool-invocation" => invocation(scene, json, stamp, to, rows),
        "step-start" => {
            to.snapshot.clear();
            to.snapshot.push_str(json.str_at("snapshot").unwrap_or_default());
        }
        "step-finish" => {
            to.changed_ms = to.changed_ms.max(stamp.changed_ms);
            to.steps.push(Tokens::of(json.get("tokens")));
            for (slot, key) in [(&mut to.reason, "reason"), (&mut to.snapshot_after, "snapshot")] {
                slot.clear();
                slot.push_str(json.str_at(key).unwrap_or_default());
            }
        }
        "subtask" => {
            to.say(json.str_at("prompt").unwrap_or_default(), stamp.changed_ms);
            to.is_prompt = true;
            attachment(scene, json, stamp, to, rows);
        }
        "file" | "agent" => attachment(scene, json, stamp, to, rows),
        "patch" | "snapshot" | "checkpoint" => simple(scene, json, EventType::Snapshot, stamp, to, rows),
        "compaction" => simple(scene, json, EventType::Compaction, stamp, to, rows),
        "retry" => retry(scene, json, stamp, to, rows),
        _ => {
            simple(scene, json, EventType::Unknown, stamp, to, rows);
            to.unknown = true;
        }
    }
}

/// A row of the part, at the time the part names.
fn row<'a>(scene: &Scene<'a>, json: Json<'_, '_>, stamp: PartStamp<'_>) -> EventRow<'a> {
    let time = json.get("time");
    let own = time.and_then(|t| t.i64_at("start").or_else(|| t.i64_at("created"))).or(stamp.created_ms);
    let row = scene.row();
    EventRow {
        id: scene.id("part", stamp.id),
        ts_us: own.map_or(row.ts_us, unix_us),
        ts_inferred: own.is_none(),
        completeness: scene.level(stamp.changed_ms, 1),
        ..row
    }
}

const fn role(scene: &Scene<'_>) -> Option<&'static str> {
    match scene.message.role {
        Role::User => Some("user"),
        Role::Assistant => Some("assistant"),
        Role::Other => None,
    }
}

fn thinking(
    scene: &Scene<'_>,
    json: Json<'_, '_>,
    text: &str,
    stamp: PartStamp<'_>,
    to: &mut Gathered,
    rows: &mut Rows,
) {
    if text.is_empty() {
        return;
    }
    let time = |key: &str| json.get("time").and_then(|t| t.i64_at(key));
    to.extra.begin().rest(json, &[&COMMON[..], &["text", "state"]].concat());
    rows.event(&EventRow {
        event_type: EventType::Thinking,
        role: Some("assistant"),
        text: Some(text),
        duration_ms: time("end").zip(time("start")).map(|(end, start)| end.saturating_sub(start)),
        extra: to.extra.end(),
        ..row(scene, json, stamp)
    });
    to.rows += 1;
}

/// What a message brings along: files, mentions of agents, texts that OpenCode adds itself.
fn attachment(scene: &Scene<'_>, json: Json<'_, '_>, stamp: PartStamp<'_>, to: &mut Gathered, rows: &mut Rows) {
    let is_subtask = json.str_at("type") == Some("subtask");
    let text = if is_subtask { None } else { json.str_at("text") };
    let file = json.path(&["source", "path"]).and_then(Json::as_filled_str).or_else(|| json.str_at("filename"));
    let agent = if is_subtask { json.str_at("agent") } else { json.str_at("name") };
    to.extra.begin().text("kind", json.str_at("type").unwrap_or_default());
    to.extra.rest(json, &[&COMMON[..], &["text", "filename", "prompt", "name", "agent"]].concat());
    let row = row(scene, json, stamp);
    rows.event(&EventRow {
        event_type: EventType::Attachment,
        role: role(scene),
        text,
        file_path: file,
        subagent_type: agent.or(row.subagent_type),
        extra: to.extra.end(),
        ..row
    });
    to.rows += 1;
}

fn simple(
    scene: &Scene<'_>,
    json: Json<'_, '_>,
    event_type: EventType,
    stamp: PartStamp<'_>,
    to: &mut Gathered,
    rows: &mut Rows,
) {
    to.extra.begin();
    if event_type != EventType::Compaction {
        to.extra.text("kind", json.str_at("type").unwrap_or_default());
    }
    to.extra.rest(json, &COMMON);
    rows.event(&EventRow { event_type, role: role(scene), extra: to.extra.end(), ..row(scene, json, stamp) });
    to.rows += 1;
}

/// A part that is no JSON.
pub(super) fn broken(scene: &Scene<'_>, data: &str, stamp: PartStamp<'_>, to: &mut Gathered, rows: &mut Rows) {
    rows.event(&EventRow {
        id: scene.id("part", stamp.id),
        event_type: EventType::Unknown,
        text: filled(data),
        completeness: scene.level(stamp.changed_ms, 0),
        ..scene.row()
    });
    to.rows += 1;
    to.unknown = true;
}

fn retry(scene: &Scene<'_>, json: Json<'_, '_>, stamp: PartStamp<'_>, to: &mut Gathered, rows: &mut Rows) {
    let message = json.path(&["error", "data", "message"]).and_then(Json::as_filled_str);
    to.extra.begin().rest(json, &[&COMMON[..], &["error"]].concat());
    if let Some(data) = json.path(&["error", "data"]) {
        to.extra.rest(data, &["message", "responseHeaders"]);
    }
    rows.event(&EventRow {
        event_type: EventType::ErrorEncountered,
        text: message.or_else(|| json.path(&["error", "name"]).and_then(Json::as_filled_str)),
        is_error: Some(true),
        status: Some(Status::Retried),
        extra: to.extra.end(),
        ..row(scene, json, stamp)
    });
    to.rows += 1;
}

/// What a tool's own metadata repeats of its input, its output, or whole files.
const REPEATED: [&str; 7] = ["output", "exit", "preview", "filediff", "todos", "files", "interrupted"];

fn tool(scene: &Scene<'_>, json: Json<'_, '_>, stamp: PartStamp<'_>, to: &mut Gathered, rows: &mut Rows) {
    let Some(state) = json.get("state") else {
        simple(scene, json, EventType::Unknown, stamp, to, rows);
        to.unknown = true;
        return;
    };
    // OpenCode 2 calls a call by its own id and has the times of its state beside it.
    let (name, call_id, times) = match stamp.is_newer {
        true => (json.str_at("name"), json.str_at("id"), json.get("time")),
        false => (json.str_at("tool"), json.str_at("callID"), state.get("time")),
    };
    let (name, call_id) = (name.unwrap_or_default(), call_id.unwrap_or(stamp.id));
    let input = state.get("input");
    let deed = Deed::of(name, input);
    to.input.clear();
    if let Some(input) = input {
        write_content(input, &mut to.input);
    }
    let status = state.str_at("status").unwrap_or_default();
    let done = matches!(status, "completed" | "error");
    let time = |key: &str, newer: &str| times.and_then(|t| t.i64_at(key).or_else(|| t.i64_at(newer)));
    let (began, ended) = (time("start", "ran"), time("end", "completed"));
    let start = began.or(stamp.created_ms);
    let base = row(scene, json, stamp);
    to.extra.begin().rest(json, &[&COMMON[..], &["tool", "callID", "name", "state", "metadata", "provider"]].concat());
    if !done {
        to.extra.text("title", state.str_at("title").unwrap_or_default());
    }
    rows.event(&EventRow {
        id: scene.id("call", stamp.id),
        event_type: deed.event_type,
        ts_us: start.map_or(base.ts_us, unix_us),
        ts_inferred: start.is_none(),
        role: Some("assistant"),
        tool_name: filled(name),
        tool_call_id: filled(call_id),
        tool_input: filled(&to.input),
        file_path: deed.file_path,
        command: deed.command,
        status: base.status.or(filled(status).filter(|_| !done).map(Status::of)),
        completeness: scene.level(stamp.changed_ms, if done { 3 } else { i64::from(status == "running") + 1 }),
        extra: to.extra.end(),
        ..base
    });
    to.rows += 1;
    if done {
        let end = ended.or((stamp.changed_ms > 0).then_some(stamp.changed_ms));
        let result = EventRow {
            event_type: EventType::ToolResult,
            ts_us: end.or(start).map_or(base.ts_us, unix_us),
            ts_inferred: ended.is_none(),
            tool_name: filled(name),
            tool_call_id: filled(call_id),
            file_path: deed.file_path,
            command: deed.command,
            duration_ms: ended.zip(began).map(|(end, start)| end.saturating_sub(start)),
            ..base
        };
        outcome(scene, state, &result, stamp, to, rows);
    }
}

/// The row of a call's result.
fn outcome(
    scene: &Scene<'_>,
    state: Json<'_, '_>,
    result: &EventRow<'_>,
    stamp: PartStamp<'_>,
    to: &mut Gathered,
    rows: &mut Rows,
) {
    let metadata = state.get("metadata").or_else(|| state.get("structured"));
    let name = result.tool_name.unwrap_or_default();
    let failed = state.str_at("status") == Some("error");
    let interrupted = metadata.and_then(|m| m.get("interrupted")).and_then(Json::as_bool) == Some(true);
    let exit = metadata
        .and_then(|m| m.i64_at("exit").or_else(|| m.i64_at("exitCode")))
        .and_then(|code| i32::try_from(code).ok());
    to.output.clear();
    let said = state.get("output").or_else(|| state.get("error"));
    match said.filter(|said| !said.is_null()) {
        Some(said) => match said.as_str().or_else(|| said.str_at("message")) {
            Some(text) => to.output.push_str(text),
            None => write_content(said, &mut to.output),
        },
        None => {
            let texts = state.get("content").into_iter().flat_map(Json::items).filter_map(|item| item.str_at("text"));
            for text in texts {
                to.output.push_str(if to.output.is_empty() { "" } else { "\n" });
                to.output.push_str(text);
            }
        }
    }
    to.extra.begin();
    to.extra
        .rest(state, &["status", "input", "output", "error", "time", "metadata", "structured", "content", "result"]);
    if let Some(metadata) = metadata {
        to.extra.rest(metadata, &REPEATED);
    }
    let compacted = state.path(&["time", "compacted"]).and_then(Json::as_i64);
    to.extra.number("compacted_ms", compacted);
    let (added, removed) = changed_lines(name, state, metadata).unzip();
    let status = match state.str_at("status") {
        _ if interrupted => Some(Status::Interrupted),
        status => status.map(Status::of),
    };
    // A compaction may clear the output of an old call: the row with the output stays.
    let cleared = compacted.is_some() && to.output.is_empty();
    rows.event(&EventRow {
        id: scene.id("result", stamp.id),
        role: Some("tool"),
        tool_output: filled(&to.output),
        is_error: Some(failed || name == "invalid" || exit.is_some_and(|code| code != 0)),
        exit_code: exit,
        lines_added: added,
        lines_removed: removed,
        status,
        completeness: if cleared { 0 } else { scene.level(stamp.changed_ms, 3) },
        extra: to.extra.end(),
        ..*result
    });
    to.rows += 1;
}

/// Lines that an edit added and removed, as far as it tells.
fn changed_lines(name: &str, state: Json<'_, '_>, metadata: Option<Json<'_, '_>>) -> Option<(i32, i32)> {
    if !matches!(name, "edit" | "multiedit" | "write" | "patch" | "apply_patch") {
        return None;
    }
    let count = |key: &str| i32::try_from(metadata?.path(&["filediff", key])?.as_i64()?).ok();
    if let (Some(added), Some(removed)) = (count("additions"), count("deletions")) {
        return Some((added, removed));
    }
    if let Some(diff) = metadata.and_then(|m| m.str_at("diff")) {
        return Some(diff::lines(diff));
    }
    let is_new = metadata.and_then(|m| m.get("exists")).and_then(Json::as_bool) == Some(false);
    let content = state.path(&["input", "content"]).and_then(Json::as_str).filter(|_| is_new);
    content.map(|content| (line_count(content), 0))
}

/// A call of the time before summer 2025: `{toolInvocation: {state, toolCallId, toolName, args, result}}`.
fn invocation(scene: &Scene<'_>, json: Json<'_, '_>, stamp: PartStamp<'_>, to: &mut Gathered, rows: &mut Rows) {
    let Some(call) = json.get("toolInvocation") else {
        return simple(scene, json, EventType::Unknown, stamp, to, rows);
    };
    let name = call.str_at("toolName").unwrap_or_default();
    let call_id = call.str_at("toolCallId").unwrap_or(stamp.id);
    let args = call.get("args");
    let deed = Deed::of(name, args);
    to.input.clear();
    if let Some(args) = args {
        write_content(args, &mut to.input);
    }
    let done = call.str_at("state") == Some("result");
    let base = EventRow {
        tool_name: filled(name),
        tool_call_id: filled(call_id),
        file_path: deed.file_path,
        command: deed.command,
        ts_inferred: true,
        ..row(scene, json, stamp)
    };
    rows.event(&EventRow {
        id: scene.id("call", call_id),
        event_type: deed.event_type,
        role: Some("assistant"),
        tool_input: filled(&to.input),
        status: base.status.or(call.str_at("state").filter(|_| !done).map(Status::of)),
        completeness: scene.level(stamp.changed_ms, 1 + i64::from(done)),
        ..base
    });
    to.rows += 1;
    if done {
        to.output.clear();
        if let Some(result) = call.get("result") {
            match result.as_str() {
                Some(text) => to.output.push_str(text),
                None => write_content(result, &mut to.output),
            }
        }
        rows.event(&EventRow {
            id: scene.id("result", call_id),
            event_type: EventType::ToolResult,
            role: Some("tool"),
            tool_output: filled(&to.output),
            status: Some(Status::Completed),
            ..base
        });
        to.rows += 1;
    }
}
