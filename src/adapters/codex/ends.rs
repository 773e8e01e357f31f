//! Events of finished calls: a `progress` row beside the call, or, where no call announced it, the
//! only record of what was done and therefore the call's own row.
//!
//! Beside a call that waits for its result, such a row says nothing of failure: the result's does. Of a
//! command whose result only said that it runs on it is the last word.

use super::items::filled;
use super::ledger::{Stream, content_hash};
use super::rollout::{Core, Outcome};
use super::state::Stamp;
use super::tools::{Edit, duration_ms, words};
use crate::adapters::clean::write_content;
use crate::adapters::json::Json;
use crate::schema::{EventRow, EventType, Rows, Status};

/// Output above this size is kept on the `progress` row of a finished command: what the model got
/// may have been cut. Smaller output stands whole on the `tool_result` row.
const WHOLE_OUTPUT_BYTES: usize = 4096;

impl Core {
    /// A finished command: beside its call, or the only record of it.
    pub(super) fn command_end(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        const USED: [&str; 11] = [
            "call_id",
            "command",
            "cwd",
            "aggregated_output",
            "formatted_output",
            "stdout",
            "stderr",
            "exit_code",
            "duration",
            "status",
            "turn_id",
        ];
        self.item_extra(event, &USED);
        self.extra.end();
        self.command.clear();
        if let Some(command) = event.get("command") {
            words(command, &mut self.command);
        }
        let call_id = event.str_at("call_id").unwrap_or_default();
        let known = self.state.calls.knows(call_id);
        let ran_on = self.state.calls.runs_on(call_id);
        let mut output = std::mem::take(&mut self.text);
        output.clear();
        match event.str_at("aggregated_output") {
            Some(text) => output.push_str(text),
            None => ["stdout", "stderr"].iter().filter_map(|k| event.str_at(k)).for_each(|t| output.push_str(t)),
        }
        if known && !ran_on && output.len() <= WHOLE_OUTPUT_BYTES {
            output.clear();
        }
        let exit_code = event.i64_at("exit_code").and_then(|c| i32::try_from(c).ok());
        let is_error = self.state.calls.note_end(call_id, exit_code.map(|c| c != 0), exit_code);
        let ended = content_hash("command", &[call_id]);
        let Some(id) = self.content_id("end", ended, Stream::Item) else { return Outcome::Row };
        let open = self.state.calls.find(call_id);
        let row = EventRow {
            tool_call_id: filled(call_id),
            tool_name: open
                .map(|o| o.tool.as_str())
                .or(ran_on.then_some("exec_command"))
                .or_else(|| event.str_at("source")),
            command: open.and_then(|o| o.command.as_deref()).or(filled(&self.command)),
            tool_output: filled(&output),
            exit_code,
            is_error,
            duration_ms: duration_ms(event.get("duration")),
            status: event.str_at("status").map(Status::of),
            extra: self.extra.get(),
            ..self.row(stamp, if known { EventType::Progress } else { EventType::CommandExecution }, id)
        };
        let cwd = event.str_at("cwd").or(row.cwd);
        self.emit(rows, EventRow { cwd, ..row });
        self.text = output;
        Outcome::Row
    }

    /// An applied patch: beside its call, or the only record of it.
    pub(super) fn patch_end(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        self.item_extra(event, &["call_id", "changes", "stdout", "stderr", "success", "status", "turn_id"]);
        self.path.clear();
        self.input.clear();
        self.text.clear();
        let call_id = event.str_at("call_id").unwrap_or_default();
        let known = self.state.calls.knows(call_id);
        let mut edit = Edit::default();
        if let Some(changes) = event.get("changes") {
            edit = Edit::of_changes(changes, &mut self.path);
            if !known {
                write_content(changes, &mut self.input);
            }
        }
        let failed = event.get("success").and_then(Json::as_bool).map(|s| !s);
        let applied = failed != Some(true);
        edit.name_files(&mut self.extra);
        if !known {
            edit.write(&mut self.extra, applied);
            ["stdout", "stderr"].iter().filter_map(|k| event.str_at(k)).for_each(|t| self.text.push_str(t));
        }
        self.extra.end();
        let is_error = self.state.calls.note_end(call_id, failed, None);
        let ended = content_hash("patch", &[call_id]);
        let Some(id) = self.content_id("end", ended, Stream::Item) else { return Outcome::Row };
        let row = EventRow {
            tool_call_id: filled(call_id),
            tool_name: Some("apply_patch"),
            tool_input: filled(&self.input),
            tool_output: filled(&self.text),
            file_path: filled(&self.path),
            lines_added: (!known && applied).then_some(edit.added),
            lines_removed: (!known && applied).then_some(edit.removed),
            is_error,
            status: event.str_at("status").map(Status::of),
            extra: self.extra.get(),
            ..self.row(stamp, if known { EventType::Progress } else { EventType::FileModify }, id)
        };
        self.emit(rows, row);
        Outcome::Row
    }

    /// A finished MCP or dynamic tool: beside its call, or the only record of it.
    pub(super) fn tool_end(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        const USED: [&str; 11] = [
            "call_id",
            "invocation",
            "result",
            "duration",
            "arguments",
            "content_items",
            "success",
            "error",
            "tool",
            "turn_id",
            "namespace",
        ];
        self.item_extra(event, &USED);
        let invocation = event.get("invocation").unwrap_or(event);
        for key in ["server", "namespace"] {
            if let Some(text) = invocation.str_at(key) {
                self.extra.text(key, text);
            }
        }
        self.extra.end();
        let call_id = event.str_at("call_id").unwrap_or_default();
        let known = self.state.calls.knows(call_id);
        let answer = event.path(&["result", "Ok"]).or_else(|| event.get("content_items"));
        let failure = event.path(&["result", "Err"]).or_else(|| event.get("error")).filter(|e| !e.is_null());
        let mut output = std::mem::take(&mut self.text);
        output.clear();
        self.input.clear();
        if !known {
            if let Some(arguments) = invocation.get("arguments") {
                write_content(arguments, &mut self.input);
            }
            if let Some(answer) = answer.or(failure) {
                let content = answer.get("content").unwrap_or(answer);
                let texts = content.items().filter_map(|i| i.str_at("text"));
                texts.for_each(|text| output.push_str(text));
                if output.is_empty() {
                    write_content(answer, &mut output);
                }
            }
        }
        let refused = answer.and_then(|a| a.get("isError")).and_then(Json::as_bool);
        let success = event.get("success").and_then(Json::as_bool);
        let failed = if failure.is_some() { Some(true) } else { refused.or(success.map(|s| !s)) };
        let is_error = self.state.calls.note_end(call_id, failed, None);
        let ended = content_hash("tool", &[call_id]);
        let Some(id) = self.content_id("end", ended, Stream::Item) else { return Outcome::Row };
        let row = EventRow {
            tool_call_id: filled(call_id),
            tool_name: invocation.str_at("tool"),
            tool_input: filled(&self.input),
            tool_output: filled(&output),
            is_error,
            duration_ms: duration_ms(event.get("duration")),
            extra: self.extra.get(),
            ..self.row(stamp, if known { EventType::Progress } else { EventType::ToolUse }, id)
        };
        self.emit(rows, row);
        self.text = output;
        Outcome::Row
    }

    pub(super) fn dynamic_request(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let call_id = event.str_at("callId").or_else(|| event.str_at("call_id")).unwrap_or_default();
        if self.state.calls.knows(call_id) {
            return self.note(EventType::Progress, "dynamic_tool_call_request", event, stamp, rows);
        }
        self.input.clear();
        if let Some(arguments) = event.get("arguments") {
            write_content(arguments, &mut self.input);
        }
        self.item_extra(event, &["callId", "call_id", "tool", "arguments", "turnId", "turn_id"]);
        self.extra.end();
        let tool = event.str_at("tool").unwrap_or("unknown");
        self.state.calls.open(call_id, tool, None, None, None);
        let id = self.state.natural_id(&self.origin, "call", &[call_id.as_bytes(), tool.as_bytes()]);
        let row = EventRow {
            role: Some("assistant"),
            tool_call_id: filled(call_id),
            tool_name: Some(tool),
            tool_input: filled(&self.input),
            extra: self.extra.get(),
            ..self.row(stamp, EventType::ToolUse, id)
        };
        self.emit(rows, row);
        Outcome::Row
    }
}
