//! Response items: what passes between Codex and the model.

use super::extra::{attachments, is_text, text_of};
use super::ledger::{Stream, content_hash, record_hash};
use super::rollout::{Core, Held, Outcome};
use super::script::script_commands;
use super::state::Stamp;
use super::tools::{Deed, Edit, Verdict, command_of, duration_ms, path_of};
use crate::adapters::clean::{write_content, write_record};
use crate::adapters::json::{Json, write_str};
use crate::adapters::line::Parser;
use crate::schema::{EventRow, EventType, Rows, Status};

/// Where newer builds repeat the turn's id on every item.
const TURN_NOTES: [&str; 2] = ["internal_chat_message_metadata_passthrough", "metadata"];
/// Tags without an underscore that Codex wraps injected context in.
const INJECTED_TAGS: [&str; 5] = ["skill", "instructions", "plugins", "permissions instructions", "hook"];

impl Core {
    pub(super) fn item(&mut self, item: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let kind = item.str_at("type").unwrap_or(if item.get("role").is_some() { "message" } else { "item" });
        match kind {
            "message" => self.message(item, stamp, rows),
            "reasoning" => self.reasoning(item, stamp, rows),
            "function_call" | "custom_tool_call" | "local_shell_call" | "tool_search_call" | "tool_call"
            | "mcp_tool_call" => self.call(item, stamp, rows),
            "function_call_output"
            | "custom_tool_call_output"
            | "tool_search_output"
            | "mcp_tool_call_output"
            | "local_shell_call_output"
            | "tool_result"
            | "function_result" => self.output(item, stamp, rows),
            "web_search_call" => self.web_search(item, Stream::Item, stamp, rows),
            "image_generation_call" => self.image(item, Stream::Item, stamp, rows),
            "agent_message" => self.agent_item(item, stamp, rows),
            "ghost_snapshot" => self.note(EventType::Snapshot, kind, item, stamp, rows),
            "compaction" | "context_compaction" | "compaction_summary" => self.compaction_sign(item, stamp, rows),
            "token_count" => self.note(EventType::Progress, kind, item, stamp, rows),
            _ => self.unknown(kind, item, stamp, rows),
        }
    }

    /// Puts what has no column into `extra`.
    pub(super) fn item_extra(&mut self, item: Json<'_, '_>, used: &[&str]) {
        let turn_id = self.state.turn_id.as_deref();
        self.extra.begin();
        for (key, value) in item.fields() {
            let repeated = TURN_NOTES.contains(&key) && value.len() == 1 && value.str_at("turn_id") == turn_id;
            if !repeated && key != "type" && !used.contains(&key) {
                self.extra.value(key, value);
            }
        }
    }

    fn message(&mut self, item: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        const USED: [&str; 8] = ["role", "content", "message", "id", "timestamp", "created_at", "ordinal", "model"];
        let role = item.str_at("role").unwrap_or("assistant");
        let content = item.get("content").or_else(|| item.get("message"));
        self.item_extra(item, &USED);
        if let Some(content) = content {
            attachments(content, &mut self.extra);
        }
        self.extra.end();
        let mut buffer = std::mem::take(&mut self.text);
        let text = content.and_then(|c| text_of(c, &mut buffer)).unwrap_or_default();
        let outcome = match role {
            "user" => {
                let record = if text.is_empty() { self.message_hash("user", item, &USED, "") } else { 0 };
                let outcome = self.hold(true, stamp, text, item.str_at("id"), record);
                if stamp.bare { self.close_now(rows) } else { outcome }
            }
            "assistant" => self.answer(item, text, stamp, rows),
            _ => {
                let content = self.message_hash(role, item, &USED, text);
                self.injected(role, text, content, item.str_at("id"), stamp, rows)
            }
        };
        self.text = buffer;
        outcome
    }

    /// Name of a message: its text, what stands beside the texts, and its fields but those in `used`.
    fn message_hash(&mut self, role: &str, item: Json<'_, '_>, used: &[&str], text: &str) -> u64 {
        let turn_id = self.state.turn_id.as_deref();
        let notes = |key: &str| {
            let note = item.get(key).filter(|_| TURN_NOTES.contains(&key));
            note.is_some_and(|note| note.len() == 1 && note.str_at("turn_id") == turn_id)
        };
        self.content.begin().text(text);
        self.content.fields(item, |key| key != "type" && !used.contains(&key) && !notes(key));
        let content = item.get("content").or_else(|| item.get("message"));
        for part in content.into_iter().flat_map(Json::items).filter(|part| !is_text(*part)) {
            self.content.value(part);
        }
        record_hash(role, &self.content)
    }

    /// Closes a message just held: lines without an envelope have no doubles.
    fn close_now(&mut self, rows: &mut Rows) -> Outcome {
        if let Some(held) = &mut self.held {
            held.glue();
        }
        self.flush_held(rows);
        Outcome::Row
    }

    fn injected(
        &mut self,
        role: &str,
        text: &str,
        content: u64,
        item: Option<&str>,
        stamp: &Stamp,
        rows: &mut Rows,
    ) -> Outcome {
        if let Some(id) = self.content_id(role, content, Stream::Item) {
            let row = EventRow {
                role: Some(role),
                text: Some(text).filter(|t| !t.is_empty()),
                message_id: item,
                extra: self.extra.get(),
                ..self.row(stamp, EventType::System, id)
            };
            self.emit(rows, row);
        }
        Outcome::Row
    }

    /// A user's message that no event has told: the prompt of old files, else injected context.
    pub(super) fn user_item(&mut self, held: &Held, rows: &mut Rows) {
        let injected = is_injected(&held.text);
        if injected && self.state.facts.cwd.is_none() {
            self.state.facts.cwd = tag_content(&held.text, "cwd").map(str::to_owned);
            self.state.own_facts.cwd.clone_from(&self.state.facts.cwd);
        }
        let content = Self::prompt_hash(&held.text, held.record);
        let told = self.state.ledger.owes_item(content);
        let human = !told && !injected && !self.state.user_events;
        if human {
            self.state.begin_prompt();
        }
        let Some(id) = self.content_id("user", content, Stream::Item) else { return };
        let row = EventRow {
            role: Some("user"),
            text: Some(held.text.as_str()).filter(|t| !t.is_empty()),
            message_id: Some(held.item_id.as_str()).filter(|t| !t.is_empty()),
            extra: Some(held.extra.as_str()).filter(|t| !t.is_empty()),
            ..self.row(&held.stamp, if human { EventType::UserInteraction } else { EventType::System }, id)
        };
        self.emit(rows, row);
    }

    /// The assistant's text; joins the event held before it.
    fn answer(&mut self, item: Json<'_, '_>, text: &str, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        self.state.replay.answered = true;
        let content = content_hash("assistant", &[text]);
        let mut stamp = *stamp;
        let mut told = None;
        if let Some(held) = self.held.take() {
            // The event's text lacks what Codex cuts out before it shows an answer (citations).
            let shown = held.text.trim_end();
            if held.text == text || (!shown.is_empty() && text.starts_with(shown)) {
                told = self.content_id("assistant", content, Stream::Event);
                if held.text != text {
                    let shown = content_hash("assistant", &[&held.text]);
                    self.state.ledger.note(shown, Stream::Event);
                    self.state.ledger.note(shown, Stream::Item);
                }
                stamp = Stamp { bare: stamp.bare, ..held.stamp };
                self.extra.merge(&held.extra);
                self.release(held, rows);
            } else {
                let own = std::mem::take(&mut self.extra);
                self.emit_held(held, rows);
                self.extra = own;
            }
        }
        let id = self.content_id("assistant", content, Stream::Item).or(told);
        if let Some(id) = id {
            let row = EventRow {
                role: Some("assistant"),
                model: item.str_at("model").or(self.state.facts.model.as_deref()),
                text: Some(text).filter(|t| !t.is_empty()),
                message_id: item.str_at("id"),
                extra: self.extra.get(),
                ..self.row(&stamp, EventType::LlmResponse, id)
            };
            self.emit(rows, row);
        }
        Outcome::Row
    }

    /// A message from another agent.
    fn agent_item(&mut self, item: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        const USED: [&str; 2] = ["content", "id"];
        self.item_extra(item, &USED);
        self.extra.end();
        let mut buffer = std::mem::take(&mut self.text);
        let text = item.get("content").and_then(|c| text_of(c, &mut buffer)).unwrap_or_default();
        let content = self.message_hash("agent", item, &USED, text);
        let outcome = self.injected("agent", text, content, item.str_at("id"), stamp, rows);
        self.text = buffer;
        outcome
    }

    fn reasoning(&mut self, item: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        self.state.replay.answered = true;
        self.item_extra(item, &["summary", "content", "id", "duration_ms"]);
        self.extra.end();
        let mut outcome = Outcome::Ignored;
        let parts = ["summary", "content"].iter().filter_map(|key| item.get(key)).flat_map(Json::items);
        for text in parts.filter_map(|part| part.str_at("text")) {
            let content = content_hash("thinking", &[text]);
            outcome = Outcome::Row;
            if let Some(id) = self.content_id("thinking", content, Stream::Item) {
                let row = EventRow {
                    role: Some("assistant"),
                    model: self.state.facts.model.as_deref(),
                    text: Some(text),
                    message_id: item.str_at("id"),
                    duration_ms: item.i64_at("duration_ms"),
                    extra: self.extra.get(),
                    ..self.row(stamp, EventType::Thinking, id)
                };
                self.emit(rows, row);
            }
        }
        outcome
    }

    /// A tool call.
    pub(super) fn call(&mut self, item: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        const USED: [&str; 11] = [
            "name",
            "function",
            "call_id",
            "arguments",
            "input",
            "action",
            "id",
            "status",
            "timestamp",
            "created_at",
            "callId",
        ];
        self.state.replay.answered = true;
        let name = item.str_at("name").or_else(|| item.path(&["function", "name"]).and_then(Json::as_filled_str));
        let name = name.unwrap_or(match item.str_at("type") {
            Some("tool_search_call") => "tool_search",
            Some("local_shell_call") => "local_shell",
            _ => "unknown",
        });
        let call_id = item.str_at("call_id").or_else(|| item.str_at("callId")).or_else(|| item.str_at("id"));
        self.item_extra(item, &USED);
        let (deed, edit) = self.arguments(name, item);
        self.extra.end();
        // The result says whether a patch was applied; a call without an id has none that could.
        let changed = edit.as_ref().filter(|_| call_id.is_none()).map(|edit| (edit.added, edit.removed));
        let again = call_id.is_some_and(|id| self.state.calls.knows(id));
        // A search may have told of the call before.
        let searched = call_id.filter(|_| !again).and_then(|id| self.state.searches.row_of(id));
        let id = match call_id {
            _ if searched.is_some() => searched.map(|(id, _)| id),
            Some(call_id) if !again => {
                Some(self.state.natural_id(&self.origin, "call", &[call_id.as_bytes(), name.as_bytes()]))
            }
            _ => {
                self.content.begin();
                ["arguments", "input", "action"].iter().find_map(|key| item.get(key)).map(|a| self.content.value(a));
                self.content_id("call", record_hash(name, &self.content), Stream::Item)
            }
        };
        let (command, path) = (filled(&self.command), filled(&self.path));
        if let Some(call_id) = call_id {
            self.state.calls.open(call_id, name, command, path, edit);
        }
        let Some(id) = id else { return Outcome::Row };
        let row = EventRow {
            role: Some("assistant"),
            model: self.state.facts.model.as_deref(),
            message_id: item.str_at("id"),
            tool_call_id: call_id,
            tool_name: Some(name),
            tool_input: filled(&self.input),
            command,
            file_path: path,
            lines_added: changed.map(|(added, _)| added),
            lines_removed: changed.map(|(_, removed)| removed),
            status: item.str_at("status").map(Status::of),
            extra: self.extra.get(),
            ..self.row(stamp, deed.event_type(), id)
        };
        let completeness = row.completeness + searched.map_or(0, |(_, more)| more);
        self.emit(rows, EventRow { completeness, ..row });
        Outcome::Row
    }

    /// Reads a call's arguments into `command`, `path` and `input`.
    fn arguments(&mut self, name: &str, item: Json<'_, '_>) -> (Deed, Option<Edit>) {
        self.command.clear();
        self.path.clear();
        self.input.clear();
        let mut deed = Deed::of(name);
        let Some(arguments) = ["arguments", "input", "action"].iter().find_map(|key| item.get(key)) else {
            return (deed, None);
        };
        let mut patch = String::new();
        let Self { inner, command, path, input, .. } = self;
        match arguments.as_str() {
            Some(text) if is_json(inner, text, |json| read_arguments(json, deed, command, path, &mut patch)) => {
                input.push_str(text);
            }
            Some(text) => {
                write_str(text, input);
                if deed == Deed::Modify {
                    patch.push_str(text);
                } else if matches!(name, "exec" | "functions.exec") {
                    script_commands(text, command);
                } else if deed == Deed::Command {
                    command.push_str(text);
                }
            }
            None => {
                read_arguments(arguments, deed, command, path, &mut patch);
                write_content(arguments, input);
            }
        }
        if deed == Deed::Use && !command.is_empty() && matches!(name, "exec" | "functions.exec") {
            deed = Deed::Command;
        }
        let mut edit = None;
        if deed == Deed::Command && command.contains("*** Begin Patch") {
            patch.clone_from(command);
        }
        if !patch.is_empty() {
            let found = Edit::of_patch(&patch, path, &mut self.extra);
            if found.files > 0 {
                deed = Deed::Modify;
                edit = Some(found);
            }
        }
        (deed, edit)
    }

    /// The answer to a tool call.
    fn output(&mut self, item: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        const USED: [&str; 10] =
            ["call_id", "output", "result", "tools", "id", "name", "status", "timestamp", "created_at", "success"];
        let call_id = item.str_at("call_id");
        let again = call_id.is_some_and(|id| self.state.calls.is_answered(id));
        let open = call_id.and_then(|id| self.state.calls.answer(id));
        let own = ["output", "result", "tools"].iter().find_map(|key| item.get(key));
        let output = own.unwrap_or(item);
        self.item_extra(item, &USED);
        let mut buffer = std::mem::take(&mut self.text);
        let name = open.as_ref().map(|o| o.tool.as_str()).or_else(|| item.str_at("name"));
        let (text, mut verdict) = self.read_output(output, own.is_none(), name, &mut buffer);
        let success = item.get("success").or_else(|| output.get("success")).and_then(Json::as_bool);
        if let Some(open) = &open {
            open.complete(&mut verdict);
        }
        verdict.failed = verdict.failed.or(success.map(|s| !s));
        let edit = open.as_ref().and_then(|o| o.edit.as_ref()).filter(|_| verdict.is_done());
        if let Some(edit) = edit {
            edit.write(&mut self.extra, true);
        }
        self.extra.end();
        let is_error = match call_id {
            Some(call_id) => self.state.calls.note_result(call_id, &verdict),
            None => verdict.failed,
        };
        let id = match call_id {
            Some(call_id) if !again => Some(self.state.natural_id(&self.origin, "result", &[call_id.as_bytes()])),
            _ => {
                self.content.begin().value(output);
                self.content_id("result", record_hash(name.unwrap_or_default(), &self.content), Stream::Item)
            }
        };
        if let Some(id) = id {
            let row = EventRow {
                role: Some("tool"),
                message_id: item.str_at("id"),
                tool_call_id: call_id,
                tool_name: name,
                command: open.as_ref().and_then(|o| o.command.as_deref()),
                file_path: open.as_ref().and_then(|o| o.path.as_deref()),
                tool_output: Some(text),
                exit_code: verdict.exit_code,
                duration_ms: verdict.duration_ms,
                lines_added: edit.map(|e| e.added),
                lines_removed: edit.map(|e| e.removed),
                is_error,
                status: item.str_at("status").map(Status::of).or(verdict.status),
                extra: self.extra.get(),
                ..self.row(stamp, EventType::ToolResult, id)
            };
            self.emit(rows, row);
        }
        self.text = buffer;
        Outcome::Row
    }

    /// Text of an answer, and what it says of the outcome.
    fn read_output<'a>(
        &mut self,
        output: Json<'_, 'a>,
        is_record: bool,
        tool: Option<&str>,
        buffer: &'a mut String,
    ) -> (&'a str, Verdict) {
        if let Some(text) = output.as_str() {
            let mut verdict = None;
            let Self { inner, extra, .. } = self;
            if text.starts_with("{\"") && text.contains("\"metadata\"") {
                is_json(inner, text, |json| {
                    if let (Some(answer), Some(metadata)) =
                        (json.get("output").and_then(Json::as_str), json.get("metadata").filter(|m| m.is_object()))
                    {
                        buffer.clear();
                        buffer.push_str(answer);
                        extra.rest(json, &["output", "metadata"]);
                        extra.rest(metadata, &["exit_code", "duration_seconds"]);
                        verdict = Some(verdict_of(metadata));
                    }
                });
            }
            return match verdict {
                Some(verdict) => (buffer, verdict),
                None => (text, Verdict::of_text(text, tool)),
            };
        }
        attachments(output, &mut self.extra);
        let exit_code = output.i64_at("exit_code").or_else(|| output.i64_at("exitCode"));
        let object = output.is_object() && output.get("text").is_none();
        if object || !output.items().any(|i| i.get("text").is_some() || i.as_str().is_some()) && output.is_array() {
            buffer.clear();
            // An answer without a field for it is the rest of its record.
            if is_record {
                write_record(output, buffer)
            } else {
                write_content(output, buffer)
            }
            let exit_code = exit_code.and_then(|c| i32::try_from(c).ok());
            return (buffer, Verdict { exit_code, failed: exit_code.map(|c| c != 0), ..Verdict::default() });
        }
        let text = text_of(output, buffer).unwrap_or_default();
        (text, Verdict::of_text(text, tool))
    }

    /// A generated image, told by an event and by an item; the image itself becomes its digest.
    pub(super) fn image(&mut self, item: Json<'_, '_>, stream: Stream, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        self.state.replay.answered = true;
        let call_id = item.str_at("call_id").or_else(|| item.str_at("id"));
        self.item_extra(item, &["call_id", "id", "status", "revised_prompt", "result", "saved_path"]);
        if let Some(result) = item.str_at("result") {
            self.extra.blob("result", result, "image/png");
        }
        self.extra.end();
        let content = content_hash("image_generation", &[call_id.unwrap_or_default()]);
        if let Some(id) = self.content_id("image_generation", content, stream) {
            let row = EventRow {
                role: Some("assistant"),
                tool_call_id: call_id,
                tool_name: Some("image_generation"),
                text: item.str_at("revised_prompt"),
                file_path: item.str_at("saved_path"),
                status: item.str_at("status").map(Status::of),
                extra: self.extra.get(),
                ..self.row(stamp, EventType::ToolUse, id)
            };
            self.emit(rows, row);
        }
        Outcome::Row
    }

    /// An event or item that says only that the history was compacted.
    pub(super) fn compaction_sign(&mut self, item: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        self.item_extra(item, &[]);
        self.extra.end();
        let told = self.state.compactions > 0 && self.extra.get().is_none();
        if told {
            self.state.compactions -= 1;
            return Outcome::Row;
        }
        if let Some(id) = self.note_id("compaction_sign", item, &[]) {
            let row = EventRow { extra: self.extra.get(), ..self.row(stamp, EventType::Compaction, id) };
            self.emit(rows, row);
        }
        Outcome::Row
    }
}

pub(super) fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|t| !t.is_empty())
}

fn verdict_of(metadata: Json<'_, '_>) -> Verdict {
    let exit_code = metadata.i64_at("exit_code").and_then(|c| i32::try_from(c).ok());
    Verdict {
        exit_code,
        duration_ms: duration_ms(metadata.get("duration_seconds")),
        failed: exit_code.map(|c| c != 0),
        status: None,
    }
}

/// Calls `visit` with the object that `text` holds; false when it holds none, or more.
fn is_json(parser: &mut Parser, text: &str, mut visit: impl FnMut(Json<'_, '_>)) -> bool {
    if !text.trim_start().starts_with('{') {
        return false;
    }
    let mut object = false;
    let seen = parser.each(text.as_bytes(), |json| {
        object = json.is_object();
        visit(json);
    });
    object && seen.is_ok_and(|seen| seen.values == 1)
}

fn read_arguments(arguments: Json<'_, '_>, deed: Deed, command: &mut String, path: &mut String, patch: &mut String) {
    match deed {
        Deed::Modify => {
            if let Some(text) = ["input", "patch", "content"].iter().find_map(|k| arguments.str_at(k)) {
                patch.push_str(text);
            }
        }
        _ => command_of(arguments, command),
    }
    if let Some(file) = path_of(arguments).filter(|_| deed != Deed::Command && patch.is_empty()) {
        path.push_str(file);
    }
}

/// True for texts that Codex puts into the conversation in the user's name.
pub(super) fn is_injected(text: &str) -> bool {
    let text = text.trim_start();
    if text.starts_with("# AGENTS.md") {
        return true;
    }
    let Some((tag, _)) = text.strip_prefix('<').and_then(|t| t.split_once('>')) else { return false };
    let word = tag.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-' | b' '));
    word && (tag.contains('_') || INJECTED_TAGS.contains(&tag))
}

/// What stands between `<tag>` and `</tag>`.
fn tag_content<'t>(text: &'t str, tag: &str) -> Option<&'t str> {
    let (_, rest) = text.split_once(&format!("<{tag}>"))?;
    let (content, _) = rest.split_once(&format!("</{tag}>"))?;
    Some(content).filter(|c| !c.is_empty())
}
