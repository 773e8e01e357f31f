//! Events: what Codex tells its own user interface.

use super::extra::{text_of, write_scrubbed};
use super::items::{filled, is_injected};
use super::ledger::{Stream, content_hash};
use super::rollout::{Core, Outcome};
use super::state::Stamp;
use super::tools::{Edit, duration_ms, words};
use super::usage::{Call, Tokens};
use crate::adapters::json::Json;
use crate::schema::{EventRow, Rows};

/// Output above this size is kept on the `progress` row of a finished command: what the model got
/// may have been cut. Smaller output stands whole on the `tool_result` row.
const WHOLE_OUTPUT_BYTES: usize = 4096;

/// Events that stay whole in `extra`, as rows of type `system`.
const SYSTEM: [&str; 13] = [
    "thread_rolled_back",
    "entered_review_mode",
    "thread_goal_updated",
    "sub_agent_activity",
    "session_configured",
    "undo_started",
    "undo_completed",
    "deprecation_notice",
    "background_event",
    "guardian_assessment",
    "model_reroute",
    "shutdown_complete",
    "thread_goal_cleared",
];

/// Events that accompany a call or a turn, as rows of type `progress`.
const PROGRESS: [&str; 18] = [
    "exec_command_begin",
    "exec_command_output_delta",
    "exec_approval_request",
    "apply_patch_approval_request",
    "request_user_input",
    "patch_apply_begin",
    "mcp_tool_call_begin",
    "mcp_startup_update",
    "mcp_startup_complete",
    "web_search_begin",
    "view_image_tool_call",
    "collab_agent_spawn_end",
    "collab_agent_interaction_end",
    "collab_waiting_end",
    "collab_close_end",
    "collab_resume_end",
    "plan_update",
    "turn_diff",
];

impl Core {
    pub(super) fn event(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let kind = event.str_at("type").unwrap_or("event");
        match kind {
            "token_count" | "account/rateLimits/updated" => self.token_count(event, stamp, rows),
            "agent_message" => self.agent_event(event, stamp),
            "user_message" => self.user_event(event, event.get("message"), stamp, rows),
            "agent_reasoning" | "agent_reasoning_raw_content" => self.thought(event.str_at("text"), stamp, rows),
            "agent_reasoning_section_break" => Outcome::Ignored,
            "exec_command_end" => self.command_end(event, stamp, rows),
            "patch_apply_end" => self.patch_end(event, stamp, rows),
            "mcp_tool_call_end" | "dynamic_tool_call_response" => self.tool_end(event, stamp, rows),
            "dynamic_tool_call_request" => self.dynamic_request(event, stamp, rows),
            "tool_call" => self.call(event, stamp, rows),
            "web_search_end" => self.web_search(event, Stream::Event, stamp, rows),
            "image_generation_end" => self.image(event, Stream::Event, stamp, rows),
            "task_started" | "turn_started" => {
                self.state.mark_turn(event.str_at("turn_id"), event.i64_at("started_at"));
                self.mark("progress", Some("started"), event, stamp, rows)
            }
            "task_complete" | "turn_complete" | "task_completed" => self.turn_end(event, stamp, rows),
            "turn_aborted" => self.mark("system", event.str_at("reason"), event, stamp, rows),
            "error" | "stream_error" | "warning" => self.error(event, stamp, rows),
            "context_compacted" => self.compaction_sign(event, stamp, rows),
            "exited_review_mode" => self.review(event, stamp, rows),
            "thread_name_updated" => self.title(event, stamp, rows),
            "thread_settings_applied" => {
                if let Some(settings) = event.get("thread_settings") {
                    self.apply_settings(settings);
                }
                self.note("system", kind, event, stamp, rows)
            }
            "item_completed" => self.item_completed(event, stamp, rows),
            "item_started" => self.note("progress", kind, event, stamp, rows),
            "turn.completed" if event.get("usage").is_some() => self.turn_usage(event, stamp, rows),
            _ if PROGRESS.contains(&kind) => self.note("progress", kind, event, stamp, rows),
            _ if SYSTEM.contains(&kind) => self.note("system", kind, event, stamp, rows),
            _ if kind.starts_with("hook_") => self.note("hook", kind, event, stamp, rows),
            _ => self.unknown(kind, event, stamp, rows),
        }
    }

    /// A prompt of the user; joins the item held before it.
    fn user_event(
        &mut self,
        event: Json<'_, '_>,
        message: Option<Json<'_, '_>>,
        stamp: &Stamp,
        rows: &mut Rows,
    ) -> Outcome {
        let mut buffer = std::mem::take(&mut self.text);
        let text = message.and_then(|m| text_of(m, &mut buffer)).unwrap_or_default();
        self.item_extra(event, &["message", "content", "id", "item", "thread_id", "turn_id"]);
        let mut stamp = *stamp;
        let mut item_id = String::new();
        let mut told = None;
        let held = self.held.take();
        let joined = held.as_ref().is_some_and(|held| held.text == text || !is_injected(&held.text));
        if let Some(held) = held {
            if joined {
                self.state.user_events = true;
                self.state.begin_prompt();
                if held.text != text {
                    self.extra.text("model_text", &held.text);
                }
                let content = content_hash("user", &[&held.text, if held.text.is_empty() { &held.extra } else { "" }]);
                told = self.content_id("user", content, Stream::Item).filter(|_| held.text == text);
                item_id.push_str(&held.item_id);
                stamp = held.stamp;
                self.extra.end();
                self.extra.merge(&held.extra);
                self.release(held, rows);
            } else {
                let own = std::mem::take(&mut self.extra);
                self.emit_held(held, rows);
                self.extra = own;
                self.extra.end();
            }
        } else {
            self.extra.end();
        }
        if !joined {
            self.prompt_alone(text);
        }
        let nothing = if text.is_empty() { self.extra.get().unwrap_or_default() } else { "" };
        let content = content_hash("user", &[text, nothing]);
        if let Some(id) = self.content_id("user", content, Stream::Event).or(told) {
            let row = EventRow {
                role: Some("user"),
                text: filled(text),
                message_id: filled(&item_id),
                extra: self.extra.get(),
                ..self.row(&stamp, "user_interaction", id)
            };
            self.emit(rows, row);
        }
        self.text = buffer;
        Outcome::Row
    }

    /// A prompt whose item comes later, or came without waiting.
    fn prompt_alone(&mut self, text: &str) {
        self.state.user_events = true;
        if !self.state.ledger.owes_event(content_hash("user", &[text, ""])) {
            self.state.begin_prompt();
        }
    }

    /// The event of an answer: held, the item follows.
    fn agent_event(&mut self, event: Json<'_, '_>, stamp: &Stamp) -> Outcome {
        self.item_extra(event, &["message", "phase"]);
        self.extra.end();
        self.hold(false, stamp, event.str_at("message").unwrap_or_default(), None)
    }

    fn thought(&mut self, text: Option<&str>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        self.state.replay.answered = true;
        let Some(text) = text else { return Outcome::Ignored };
        if let Some(id) = self.content_id("thinking", content_hash("thinking", &[text]), Stream::Event) {
            let row = EventRow {
                role: Some("assistant"),
                model: self.state.facts.model.as_deref(),
                text: Some(text),
                ..self.row(stamp, "thinking", id)
            };
            self.emit(rows, row);
        }
        Outcome::Row
    }

    fn token_count(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let info = event.get("info").filter(|i| i.is_object());
        let mut outcome = Outcome::Ignored;
        let limits = event.get("rate_limits").filter(|l| l.is_object());
        if let Some(info) = info {
            outcome = self.usage(event, info, stamp, rows);
        } else if limits.is_none() && event.len() > 2 {
            outcome = self.note("progress", "token_count", event, stamp, rows);
        }
        if let Some(limits) = limits {
            outcome = outcome.max(self.rate_limits(limits, stamp, rows));
        }
        outcome
    }

    fn usage(&mut self, event: Json<'_, '_>, info: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let total_usage = info.get("total_token_usage");
        let (total, last) = (Tokens::read(total_usage), Tokens::read(info.get("last_token_usage")));
        if total.is_none() && last.is_none() {
            return Outcome::Ignored;
        }
        let inherited = self.state.usage_is_inherited(stamp, total.is_some() && total == last);
        let call = match (total, last) {
            (Some(total), None) => self.state.counter.step_total(total),
            _ => self.state.counter.step(total, last),
        };
        let Some(call) = call.filter(|_| !inherited) else { return Outcome::Ignored };
        self.extra.begin().rest(info, &["total_token_usage", "last_token_usage", "model"]);
        if let Some(total) = total_usage {
            self.extra.value("total_token_usage", total);
        }
        self.extra.end();
        let model = info.str_at("model").or_else(|| event.str_at("model"));
        self.emit_call(call, total, last, model, stamp, rows);
        Outcome::Row
    }

    /// The row of a model call; `extra` is ready.
    fn emit_call(
        &mut self,
        call: Call,
        total: Option<Tokens>,
        last: Option<Tokens>,
        model: Option<&str>,
        stamp: &Stamp,
        rows: &mut Rows,
    ) {
        let id = match total {
            Some(total) => {
                let epoch = self.state.counter.epoch.to_le_bytes();
                let parts = [&epoch[..], &total.key(), &last.unwrap_or_default().key()];
                Some(self.state.natural_id(&self.origin, "usage", &parts))
            }
            None => {
                let key = last.unwrap_or_default().0.map(|n| n.to_string()).join(" ");
                self.content_id("usage", content_hash("usage", &[&key]), Stream::Item)
            }
        };
        let Some(id) = id else { return };
        let mut row = EventRow {
            model: model.or(self.state.facts.model.as_deref()),
            service_tier: self.state.facts.tier.as_deref(),
            usage_source: Some(call.source),
            extra: self.extra.get(),
            ..self.row(stamp, "llm_request", id)
        };
        call.tokens.fill(&mut row);
        self.emit(rows, row);
    }

    /// Usage as `codex exec --json` prints it: the thread's totals so far.
    pub(super) fn turn_usage(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let Some(total) = Tokens::read(event.get("usage")) else { return Outcome::Ignored };
        self.extra.begin().rest(event, &["type", "usage"]);
        self.extra.end();
        match self.state.counter.step_total(total) {
            Some(call) => {
                self.emit_call(call, Some(total), None, None, stamp, rows);
                Outcome::Row
            }
            None => Outcome::Ignored,
        }
    }

    /// A row when the limits differ from the last ones in more than the time until they reset.
    fn rate_limits(&mut self, limits: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        self.text.clear();
        for (key, value) in limits.entries() {
            self.text.push_str(key);
            if value.is_object() {
                for (inner, value) in value.entries().filter(|(inner, _)| !inner.starts_with("reset")) {
                    self.text.push_str(inner);
                    value.write(&mut self.text);
                }
            } else {
                value.write(&mut self.text);
            }
        }
        let content = content_hash("rate_limit", &[&self.text]);
        if std::mem::replace(&mut self.state.limits_hash, content) == content {
            return Outcome::Ignored;
        }
        self.extra.begin().rest(limits, &[]);
        self.extra.end();
        if let Some(id) = self.content_id("rate_limit", content, Stream::Item) {
            let row = EventRow { extra: self.extra.get(), ..self.row(stamp, "rate_limit", id) };
            self.emit(rows, row);
        }
        Outcome::Row
    }

    /// A finished command: beside its call, or the only record of it.
    fn command_end(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
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
        let mut output = std::mem::take(&mut self.text);
        output.clear();
        match event.str_at("aggregated_output") {
            Some(text) => output.push_str(text),
            None => ["stdout", "stderr"].iter().filter_map(|k| event.str_at(k)).for_each(|t| output.push_str(t)),
        }
        if known && output.len() <= WHOLE_OUTPUT_BYTES {
            output.clear();
        }
        let exit_code = event.i64_at("exit_code").and_then(|c| i32::try_from(c).ok());
        if !known {
            self.state.calls.note_answered(call_id);
        }
        let ended = content_hash("command", &[call_id]);
        let Some(id) = self.content_id("end", ended, Stream::Item) else { return Outcome::Row };
        let open = self.state.calls.find(call_id);
        let row = EventRow {
            tool_call_id: filled(call_id),
            tool_name: open.map(|o| o.tool.as_str()).or_else(|| event.str_at("source")),
            command: open.and_then(|o| o.command.as_deref()).or(filled(&self.command)),
            tool_output: filled(&output),
            exit_code,
            is_error: exit_code.map(|c| c != 0),
            duration_ms: duration_ms(event.get("duration")),
            status: event.str_at("status"),
            extra: self.extra.get(),
            ..self.row(stamp, if known { "progress" } else { "command_execution" }, id)
        };
        let cwd = event.str_at("cwd").or(row.cwd);
        self.emit(rows, EventRow { cwd, ..row });
        self.text = output;
        Outcome::Row
    }

    /// An applied patch: beside its call, or the only record of it.
    fn patch_end(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        self.item_extra(event, &["call_id", "changes", "stdout", "stderr", "success", "status", "turn_id"]);
        self.path.clear();
        self.input.clear();
        self.text.clear();
        let call_id = event.str_at("call_id").unwrap_or_default();
        let known = self.state.calls.knows(call_id);
        let mut edit = Edit::default();
        if let Some(changes) = event.get("changes") {
            edit = Edit::of_changes(changes, &mut self.path, &mut self.text);
            if !known {
                write_scrubbed(changes, &mut self.input);
            }
        }
        if edit.files > 1 {
            self.extra.text("files", &self.text);
        }
        self.extra.end();
        self.text.clear();
        if !known {
            ["stdout", "stderr"].iter().filter_map(|k| event.str_at(k)).for_each(|t| self.text.push_str(t));
            self.state.calls.note_answered(call_id);
        }
        let ended = content_hash("patch", &[call_id]);
        let Some(id) = self.content_id("end", ended, Stream::Item) else { return Outcome::Row };
        let row = EventRow {
            tool_call_id: filled(call_id),
            tool_name: Some("apply_patch"),
            tool_input: filled(&self.input),
            tool_output: filled(&self.text),
            file_path: filled(&self.path),
            lines_added: (!known).then_some(edit.added),
            lines_removed: (!known).then_some(edit.removed),
            is_error: event.get("success").and_then(Json::as_bool).map(|s| !s),
            status: event.str_at("status"),
            extra: self.extra.get(),
            ..self.row(stamp, if known { "progress" } else { "file_modify" }, id)
        };
        self.emit(rows, row);
        Outcome::Row
    }

    /// A finished MCP or dynamic tool: beside its call, or the only record of it.
    fn tool_end(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
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
            self.state.calls.note_answered(call_id);
            if let Some(arguments) = invocation.get("arguments") {
                write_scrubbed(arguments, &mut self.input);
            }
            if let Some(answer) = answer.or(failure) {
                let content = answer.get("content").unwrap_or(answer);
                let texts = content.items().filter_map(|i| i.str_at("text"));
                texts.for_each(|text| output.push_str(text));
                if output.is_empty() {
                    write_scrubbed(answer, &mut output);
                }
            }
        }
        let refused = answer.and_then(|a| a.get("isError")).and_then(Json::as_bool);
        let success = event.get("success").and_then(Json::as_bool);
        let ended = content_hash("tool", &[call_id]);
        let Some(id) = self.content_id("end", ended, Stream::Item) else { return Outcome::Row };
        let row = EventRow {
            tool_call_id: filled(call_id),
            tool_name: invocation.str_at("tool"),
            tool_input: filled(&self.input),
            tool_output: filled(&output),
            is_error: if failure.is_some() { Some(true) } else { refused.or(success.map(|s| !s)) },
            duration_ms: duration_ms(event.get("duration")),
            extra: self.extra.get(),
            ..self.row(stamp, if known { "progress" } else { "tool_use" }, id)
        };
        self.emit(rows, row);
        self.text = output;
        Outcome::Row
    }

    fn dynamic_request(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let call_id = event.str_at("callId").or_else(|| event.str_at("call_id")).unwrap_or_default();
        if self.state.calls.knows(call_id) {
            return self.note("progress", "dynamic_tool_call_request", event, stamp, rows);
        }
        self.input.clear();
        if let Some(arguments) = event.get("arguments") {
            write_scrubbed(arguments, &mut self.input);
        }
        self.item_extra(event, &["callId", "call_id", "tool", "arguments", "turnId", "turn_id"]);
        self.extra.end();
        let tool = event.str_at("tool").unwrap_or("unknown");
        self.state.calls.open(call_id, tool, None, None);
        let id = self.state.natural_id(&self.origin, "call", &[call_id.as_bytes(), tool.as_bytes()]);
        let row = EventRow {
            role: Some("assistant"),
            tool_call_id: filled(call_id),
            tool_name: Some(tool),
            tool_input: filled(&self.input),
            extra: self.extra.get(),
            ..self.row(stamp, "tool_use", id)
        };
        self.emit(rows, row);
        Outcome::Row
    }

    /// A note with a status and a duration.
    fn mark(
        &mut self,
        event_type: &'static str,
        status: Option<&str>,
        event: Json<'_, '_>,
        stamp: &Stamp,
        rows: &mut Rows,
    ) -> Outcome {
        let kind = event.str_at("type").unwrap_or("event");
        self.extra.begin().text("record", kind);
        self.extra.rest(event, &["type", "duration_ms", "reason"]);
        self.extra.end();
        if let Some(id) = self.note_id(kind, status.unwrap_or_default()) {
            let row = EventRow {
                status,
                duration_ms: event.i64_at("duration_ms"),
                extra: self.extra.get(),
                ..self.row(stamp, event_type, id)
            };
            self.emit(rows, row);
        }
        Outcome::Row
    }

    fn turn_end(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        self.extra.begin().text("record", "task_complete");
        self.extra.rest(event, &["type", "duration_ms", "last_agent_message"]);
        self.extra.end();
        let error = event.get("error").filter(|e| !e.is_null());
        let last = event.str_at("last_agent_message");
        let told = last.is_some_and(|text| self.state.ledger.knows(content_hash("assistant", &[text])));
        let Some(id) = self.note_id("task_complete", "") else { return Outcome::Row };
        let message = error.and_then(|e| e.as_filled_str().or_else(|| e.str_at("message")));
        let row = EventRow {
            text: message.or(last.filter(|_| !told)),
            is_error: error.map(|_| true),
            status: Some(if error.is_some() { "failed" } else { "completed" }),
            duration_ms: event.i64_at("duration_ms"),
            extra: self.extra.get(),
            ..self.row(stamp, if error.is_some() { "error_encountered" } else { "progress" }, id)
        };
        self.emit(rows, row);
        Outcome::Row
    }

    pub(super) fn error(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let kind = event.str_at("type").unwrap_or("error");
        let inner = event.get("error").filter(|e| e.is_object());
        let texts = [event.str_at("message"), event.str_at("text"), inner.and_then(|e| e.str_at("message"))];
        let text = texts.into_iter().flatten().next();
        self.extra.begin().text("record", kind);
        self.extra.rest(event, &["type", "message", "text", "timestamp"]);
        self.extra.end();
        let warning = kind == "warning";
        if let Some(id) = self.note_id(kind, text.unwrap_or_default()) {
            let row = EventRow {
                text,
                is_error: (!warning).then_some(true),
                extra: self.extra.get(),
                ..self.row(stamp, if warning { "system" } else { "error_encountered" }, id)
            };
            self.emit(rows, row);
        }
        Outcome::Row
    }

    fn review(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        self.extra.begin().text("record", "exited_review_mode");
        self.extra.rest(event, &["type"]);
        self.extra.end();
        let text = event.path(&["review_output", "overall_explanation"]).and_then(Json::as_filled_str);
        if let Some(id) = self.note_id("exited_review_mode", "") {
            let row = EventRow { text, extra: self.extra.get(), ..self.row(stamp, "system", id) };
            self.emit(rows, row);
        }
        Outcome::Row
    }

    fn title(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let text = event.str_at("thread_name");
        self.extra.begin().rest(event, &["type", "thread_id", "thread_name"]);
        self.extra.end();
        if let Some(id) = self.note_id("title", text.unwrap_or_default()) {
            let row = EventRow { text, extra: self.extra.get(), ..self.row(stamp, "title", id) };
            self.emit(rows, row);
        }
        Outcome::Row
    }

    /// Items as newer builds tell them in paginated files: doubles of response items, or beside them.
    fn item_completed(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let item = event.get("item").filter(|i| i.is_object()).unwrap_or(event);
        match item.str_at("type") {
            Some("UserMessage") => return self.user_event(item, item.get("content"), stamp, rows),
            _ => self.close_other(rows),
        }
        match item.str_at("type") {
            Some("AgentMessage") => {
                let mut buffer = std::mem::take(&mut self.text);
                let text = item.get("content").and_then(|c| text_of(c, &mut buffer)).unwrap_or_default();
                self.item_extra(item, &["content", "id", "phase"]);
                self.extra.end();
                let outcome = self.hold(false, stamp, text, item.str_at("id"));
                self.text = buffer;
                outcome
            }
            Some("Reasoning") => {
                let mut outcome = Outcome::Ignored;
                let parts = ["summary_text", "raw_content"].iter().filter_map(|k| item.get(k)).flat_map(Json::items);
                for text in parts.filter_map(|p| p.as_filled_str().or_else(|| p.str_at("text"))) {
                    outcome = outcome.max(self.thought(Some(text), stamp, rows));
                }
                outcome
            }
            _ => self.note("progress", "item_completed", event, stamp, rows),
        }
    }

    /// Closes a held prompt before an item that is not its double.
    fn close_other(&mut self, rows: &mut Rows) {
        if let Some(held) = self.held.take() {
            self.emit_held(held, rows);
        }
    }
}
