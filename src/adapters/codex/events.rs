//! Events: what Codex tells its own user interface.

use super::extra::text_of;
use super::items::{filled, is_injected};
use super::ledger::{Stream, content_hash, record_hash};
use super::rollout::{Core, Outcome};
use super::state::Stamp;
use crate::adapters::json::Json;
use crate::schema::{EventId, EventRow, EventType, Rows, Status};

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
                self.mark(EventType::Progress, Some("started"), event, stamp, rows)
            }
            "task_complete" | "turn_complete" | "task_completed" => self.turn_end(event, stamp, rows),
            "turn_aborted" => self.mark(EventType::System, event.str_at("reason"), event, stamp, rows),
            "error" | "stream_error" | "warning" => self.error(event, stamp, rows),
            "context_compacted" => self.compaction_sign(event, stamp, rows),
            "exited_review_mode" => self.review(event, stamp, rows),
            "thread_name_updated" => self.title(event, stamp, rows),
            "thread_settings_applied" => {
                if let Some(settings) = event.get("thread_settings") {
                    self.apply_settings(settings);
                }
                self.note(EventType::System, kind, event, stamp, rows)
            }
            "item_completed" => self.item_completed(event, stamp, rows),
            "item_started" => self.note(EventType::Progress, kind, event, stamp, rows),
            "turn.completed" if event.get("usage").is_some() => self.turn_usage(event, stamp, rows),
            _ if PROGRESS.contains(&kind) => self.note(EventType::Progress, kind, event, stamp, rows),
            _ if SYSTEM.contains(&kind) => self.note(EventType::System, kind, event, stamp, rows),
            _ if kind.starts_with("hook_") => self.note(EventType::Hook, kind, event, stamp, rows),
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
        let used = ["message", "content", "id", "item", "thread_id", "turn_id"];
        self.item_extra(event, &used);
        let mut beside = std::mem::take(&mut self.content);
        beside.begin();
        if text.is_empty() {
            beside.fields(event, |key| key != "type" && (key == "content" || !used.contains(&key)));
        }
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
                let content = Self::prompt_hash(&held.text, held.record);
                beside.text(&format!("{:x}", held.record));
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
        let late = if joined { None } else { self.prompt_alone(text) };
        let content = Self::prompt_hash(text, record_hash("user", &beside));
        if let Some(id) = late.or_else(|| self.content_id("user", content, Stream::Event)).or(told) {
            let row = EventRow {
                role: Some("user"),
                text: filled(text),
                message_id: filled(&item_id),
                extra: self.extra.get(),
                ..self.row(&stamp, EventType::UserInteraction, id)
            };
            // The prompt takes the place of the row that its item made.
            let completeness = row.completeness + i64::from(late.is_some());
            self.emit(rows, EventRow { completeness, ..row });
        }
        self.text = buffer;
        self.content = beside;
        Outcome::Row
    }

    /// A prompt whose item comes later, or came without waiting; of the latter the id of the row that
    /// the item made, unless that row is the prompt already.
    fn prompt_alone(&mut self, text: &str) -> Option<EventId> {
        let events_before = std::mem::replace(&mut self.state.user_events, true);
        let content = content_hash("user", &[text, ""]);
        if !self.state.ledger.owes_event(content) {
            self.state.begin_prompt();
            return None;
        }
        if !events_before && !is_injected(text) {
            return None;
        }
        let id = self.state.told_id(&self.origin, "user", content);
        self.state.begin_prompt();
        id
    }

    /// The event of an answer: held, the item follows.
    fn agent_event(&mut self, event: Json<'_, '_>, stamp: &Stamp) -> Outcome {
        self.item_extra(event, &["message", "phase"]);
        self.extra.end();
        self.hold(false, stamp, event.str_at("message").unwrap_or_default(), None, 0)
    }

    fn thought(&mut self, text: Option<&str>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        self.state.replay.answered = true;
        let Some(text) = text else { return Outcome::Ignored };
        if let Some(id) = self.content_id("thinking", content_hash("thinking", &[text]), Stream::Event) {
            let row = EventRow {
                role: Some("assistant"),
                model: self.state.facts.model.as_deref(),
                text: Some(text),
                ..self.row(stamp, EventType::Thinking, id)
            };
            self.emit(rows, row);
        }
        Outcome::Row
    }

    /// A row when the limits differ from the last ones in more than the time until they reset.
    pub(super) fn rate_limits(&mut self, limits: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let mut parts: Vec<_> = limits.entries().filter(|(_, value)| !value.is_blank()).collect();
        parts.sort_by_key(|(key, _)| *key);
        self.content.begin();
        for (key, value) in parts {
            self.content.text(key);
            if value.is_object() {
                self.content.fields(value, |inner| !inner.starts_with("reset"));
            } else {
                self.content.value(value);
            }
        }
        let content = record_hash("rate_limit", &self.content);
        if std::mem::replace(&mut self.state.limits_hash, content) == content {
            return Outcome::Ignored;
        }
        self.extra.begin().rest(limits, &[]);
        self.extra.end();
        if let Some(id) = self.content_id("rate_limit", content, Stream::Item) {
            let row = EventRow { extra: self.extra.get(), ..self.row(stamp, EventType::RateLimit, id) };
            self.emit(rows, row);
        }
        Outcome::Row
    }

    /// A note with a status and a duration.
    fn mark(
        &mut self,
        event_type: EventType,
        status: Option<&str>,
        event: Json<'_, '_>,
        stamp: &Stamp,
        rows: &mut Rows,
    ) -> Outcome {
        let kind = event.str_at("type").unwrap_or("event");
        self.extra.begin().text("record", kind);
        self.extra.rest(event, &["type", "duration_ms", "reason"]);
        self.extra.end();
        if let Some(id) = self.note_id(kind, event, &["duration_ms"]) {
            let row = EventRow {
                status: status.map(Status::of),
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
        let Some(id) = self.note_id("task_complete", event, &["duration_ms", "last_agent_message"]) else {
            return Outcome::Row;
        };
        let message = error.and_then(|e| e.as_filled_str().or_else(|| e.str_at("message")));
        let row = EventRow {
            text: message.or(last.filter(|_| !told)),
            is_error: error.map(|_| true),
            status: Some(if error.is_some() { Status::Failed } else { Status::Completed }),
            duration_ms: event.i64_at("duration_ms"),
            extra: self.extra.get(),
            ..self.row(stamp, if error.is_some() { EventType::ErrorEncountered } else { EventType::Progress }, id)
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
        if let Some(id) = self.note_id(kind, event, &["timestamp"]) {
            let row = EventRow {
                text,
                is_error: (!warning).then_some(true),
                extra: self.extra.get(),
                ..self.row(stamp, if warning { EventType::System } else { EventType::ErrorEncountered }, id)
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
        if let Some(id) = self.note_id("exited_review_mode", event, &[]) {
            let row = EventRow { text, extra: self.extra.get(), ..self.row(stamp, EventType::System, id) };
            self.emit(rows, row);
        }
        Outcome::Row
    }

    fn title(&mut self, event: Json<'_, '_>, stamp: &Stamp, rows: &mut Rows) -> Outcome {
        let text = event.str_at("thread_name");
        self.extra.begin().rest(event, &["type", "thread_id", "thread_name"]);
        self.extra.end();
        if let Some(id) = self.note_id("title", event, &["thread_id"]) {
            let row = EventRow { text, extra: self.extra.get(), ..self.row(stamp, EventType::Title, id) };
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
                let outcome = self.hold(false, stamp, text, item.str_at("id"), 0);
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
            _ => self.note(EventType::Progress, "item_completed", event, stamp, rows),
        }
    }

    /// Closes a held prompt before an item that is not its double.
    fn close_other(&mut self, rows: &mut Rows) {
        if let Some(held) = self.held.take() {
            self.emit_held(held, rows);
        }
    }
}
