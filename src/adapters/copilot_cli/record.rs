//! One event becomes rows.

use super::events::{Core, Place};
use super::{AGENT, shutdown_id};
use crate::adapters::fields::time_at;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::outcome::Outcome;
use crate::schema::{EventId, EventRow, EventType, Rows, Status, TokenUsage};

/// Types whose rows are `system` and say no more than their fields.
const PLAIN: [&str; 48] = [
    "session.info",
    "session.warning",
    "session.mode_changed",
    "session.permissions_changed",
    "session.plan_changed",
    "session.workspace_file_changed",
    "session.handoff",
    "session.context_cleared",
    "session.compaction_start",
    "session.task_complete",
    "session.schedule_created",
    "session.schedule_updated",
    "session.schedule_cancelled",
    "session.schedule_triggered",
    "session.autopilot_objective_changed",
    "session.session_limits_changed",
    "session.remote_steerable_changed",
    "session.canvas.recorded",
    "session.canvas.removed",
    "session.model_change",
    "session.auto_mode_resolved",
    "session.context_changed",
    "session.snapshot_rewind",
    "session.tools_updated",
    "session.skills_loaded",
    "session.mcp_servers_loaded",
    "session.mcp_server_status_changed",
    "session.extensions_loaded",
    "session.custom_agents_updated",
    "session.background_tasks_changed",
    "session.idle",
    "tool_search.activated",
    "skill.invoked",
    "subagent.started",
    "subagent.completed",
    "subagent.failed",
    "subagent.selected",
    "subagent.deselected",
    "system.message",
    "system.notification",
    "permission.requested",
    "permission.completed",
    "user_input.requested",
    "user_input.completed",
    "elicitation.requested",
    "elicitation.completed",
    "assistant.intent",
    "abort",
];

/// Identity, time and place of an event.
#[derive(Debug, Clone)]
pub(super) struct Stamp<'i> {
    pub(super) kind: &'i str,
    /// The event's own id, else its place in the file.
    pub(super) id: String,
    /// Counts the rows of one event.
    pub(super) part: usize,
    pub(super) parent: Option<&'i str>,
    pub(super) ts_us: i64,
    pub(super) inferred: bool,
    pub(super) is_subagent: bool,
    pub(super) subagent: Option<String>,
    pub(super) model: Option<String>,
    pub(super) turn: i32,
    pub(super) offset: u64,
}

/// Fields around the data that have no column.
pub(super) fn envelope_rest(json: Json<'_, '_>, extra: &mut Extra) {
    if json.get("data").is_some() {
        extra.rest(json, &["type", "data", "id", "timestamp", "parentId", "agentId", "ephemeral"]);
    }
}

impl Core {
    /// One event; its rows go to `rows`.
    pub(super) fn event(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(kind) = json.str_at("type") else { return Outcome::Wrong };
        // Flat records of other writers have their fields beside the type.
        let data = json.get("data").filter(|d| d.is_object()).unwrap_or(json);
        if json.get("ephemeral").and_then(Json::as_bool) == Some(true) || kind.ends_with("_delta") {
            return Outcome::Ignored;
        }
        let stamp = self.stamp(kind, json, data, offset);
        if !stamp.inferred {
            self.state.last_us = self.state.last_us.max(Some(stamp.ts_us));
        }
        self.workspace_title(&stamp, rows);
        match kind {
            "session.start" | "session.resume" => self.begin(json, data, stamp, rows),
            "session.shutdown" => self.shutdown(json, data, &stamp, rows),
            "session.usage_checkpoint" => {
                if self.state.meters.checkpoint(data) {
                    self.totals(&stamp, false, rows);
                }
                self.plain(EventType::System, json, data, &stamp, rows)
            }
            "session.error" => self.plain(EventType::ErrorEncountered, json, data, &stamp, rows),
            "session.truncation" | "session.compaction_complete" => {
                self.plain(EventType::Compaction, json, data, &stamp, rows)
            }
            "session.binary_asset" => self.plain(EventType::Attachment, json, data, &stamp, rows),
            "session.title_changed" => {
                if let Some(title) = data.str_at("title") {
                    self.title(title, &stamp, rows);
                }
                Outcome::Row
            }
            "user.message" | "userpromptsubmitted" | "userPromptSubmitted" => self.user(json, data, stamp, rows),
            "assistant.message" | "assistantresponse" | "assistantResponse" => self.message(json, data, stamp, rows),
            "assistant.reasoning" => self.reasoning(json, data, &stamp, rows),
            // They say only when the model began and stopped.
            "assistant.turn_start" | "assistant.turn_end" => {
                self.learn_model(data.str_at("model"));
                Outcome::Ignored
            }
            "tool.execution_start" | "tool.user_requested" | "external_tool.requested" => {
                self.start(json, data, &stamp, rows)
            }
            "tool.execution_complete" | "external_tool.completed" => {
                self.learn_model(data.str_at("model").filter(|_| self.state.model.is_none() && !stamp.is_subagent));
                self.complete(json, data, &stamp, rows)
            }
            "hook.start" | "hook.end" => self.plain(EventType::Hook, json, data, &stamp, rows),
            _ if PLAIN.contains(&kind) => {
                self.learn(kind, json, data);
                let stamp = Stamp { model: self.state.model.clone(), ..stamp };
                self.plain(EventType::System, json, data, &stamp, rows)
            }
            _ => {
                self.plain(EventType::Unknown, json, data, &stamp, rows);
                Outcome::Unknown
            }
        }
    }

    fn stamp<'i>(&mut self, kind: &'i str, json: Json<'_, 'i>, data: Json<'_, 'i>, offset: u64) -> Stamp<'i> {
        if let Some(session) = json.str_at("session_id").or_else(|| json.str_at("sessionId")) {
            self.state.session = Some(session.to_owned());
        }
        if let Some(cwd) = json.str_at("cwd") {
            self.state.place.cwd = Some(cwd.to_owned());
        }
        let ts = time_at(json, "timestamp");
        let spawned = data.str_at("parentToolCallId");
        let agent_id = json.str_at("agentId");
        let named = spawned.or(agent_id).and_then(|id| self.state.agents.get(id)).cloned();
        Stamp {
            kind,
            id: json.str_at("id").map_or_else(|| format!("@{offset}"), str::to_owned),
            part: 0,
            parent: json.str_at("parentId"),
            ts_us: ts.or(self.state.last_us).unwrap_or(self.modified_us),
            inferred: ts.is_none(),
            is_subagent: spawned.is_some() || agent_id.is_some(),
            subagent: named.or_else(|| agent_id.map(str::to_owned)),
            model: data.str_at("model").map(str::to_owned).or_else(|| self.state.model.clone()),
            turn: self.state.turn,
            offset,
        }
    }

    /// A row of an event. Its id is the event's and its own type's.
    pub(super) fn row<'a>(&'a self, event_type: EventType, stamp: &'a Stamp<'_>) -> EventRow<'a> {
        let session = self.session();
        let row = EventRow {
            id: Some(EventId::of(AGENT, event_type.as_str(), &[session.as_bytes(), stamp.id.as_bytes()])),
            ts_us: stamp.ts_us,
            ts_inferred: stamp.inferred,
            event_type,
            agent_version: self.state.version.as_deref(),
            session_id: Some(session),
            is_subagent: Some(stamp.is_subagent),
            subagent_type: stamp.subagent.as_deref(),
            model: stamp.model.as_deref(),
            turn: Some(stamp.turn),
            parent_event_id: stamp.parent,
            message_id: Some(&stamp.id),
            source_offset: stamp.offset,
            completeness: 1,
            ..EventRow::default()
        };
        self.placed(&self.state.place, row)
    }

    /// The row of something that happened at `place`.
    pub(super) fn placed<'a>(&'a self, place: &'a Place, row: EventRow<'a>) -> EventRow<'a> {
        let fallback = &self.workspace.place;
        let of = |own: &'a Option<String>, other: &'a Option<String>| own.as_deref().or(other.as_deref());
        EventRow {
            project: of(&place.repository, &fallback.repository),
            repo_url: place.repo_url.as_deref(),
            cwd: of(&place.cwd, &fallback.cwd),
            git_branch: of(&place.branch, &fallback.branch),
            git_commit: place.commit.as_deref(),
            ..row
        }
    }

    /// The name that `workspace.yaml` gives the session, once.
    fn workspace_title(&mut self, stamp: &Stamp<'_>, rows: &mut Rows) {
        if let Some(title) = self.workspace.summary.take() {
            self.title(&title, &Stamp { inferred: true, ..stamp.clone() }, rows);
        }
    }

    pub(super) fn title(&mut self, title: &str, stamp: &Stamp<'_>, rows: &mut Rows) {
        if self.state.title.as_deref() == Some(title) {
            return;
        }
        self.state.title = Some(title.to_owned());
        let row = self.row(EventType::Title, stamp);
        let id = EventId::of(AGENT, "title", &[self.session().as_bytes(), title.as_bytes()]);
        rows.event(&EventRow { id: Some(id), text: Some(title), message_id: None, ts_inferred: true, ..row });
    }

    fn learn_model(&mut self, model: Option<&str>) {
        // "auto" is a route, not a model.
        if let Some(model) = model.filter(|model| *model != "auto") {
            self.state.model = Some(model.to_owned());
        }
    }

    /// What later events take from this one.
    fn learn(&mut self, kind: &str, json: Json<'_, '_>, data: Json<'_, '_>) {
        match kind {
            "session.model_change" => self.learn_model(data.str_at("newModel")),
            "session.auto_mode_resolved" => self.learn_model(data.str_at("chosenModel")),
            "session.context_changed" => self.learn_place(data.get("context").unwrap_or(data)),
            "subagent.started" => {
                let name = data.str_at("agentName");
                for id in [data.str_at("toolCallId"), json.str_at("agentId")] {
                    if let Some((id, name)) = id.zip(name) {
                        self.state.agents.insert(id.to_owned(), name.to_owned());
                    }
                }
            }
            _ => {}
        }
    }

    fn learn_place(&mut self, context: Json<'_, '_>) {
        if !context.is_object() {
            return;
        }
        let text = |key| context.str_at(key).map(str::to_owned);
        let repository = text("repository");
        let repo_url = context.str_at("repository").and_then(|repository| {
            let host = context
                .str_at("repositoryHost")
                .or((context.str_at("hostType") == Some("github")).then_some("github.com"))?;
            Some(format!("https://{host}/{repository}"))
        });
        let before = std::mem::take(&mut self.state.place);
        self.state.place = Place {
            cwd: text("cwd").or_else(|| text("gitRoot")).or(before.cwd),
            branch: text("branch"),
            commit: text("headCommit"),
            repository,
            repo_url,
        };
    }

    fn begin(&mut self, json: Json<'_, '_>, data: Json<'_, '_>, stamp: Stamp<'_>, rows: &mut Rows) -> Outcome {
        let resumed = stamp.kind == "session.resume";
        self.state.meters.begin();
        if let Some(session) = data.str_at("sessionId") {
            self.state.session = Some(session.to_owned());
        }
        if let Some(version) = data.str_at("copilotVersion") {
            self.state.version = Some(version.to_owned());
        }
        if let Some(context) = data.get("context") {
            self.learn_place(context);
        }
        self.learn_model(data.str_at("selectedModel"));
        let stamp = Stamp { model: self.state.model.clone(), ..stamp };
        let mut extra = Extra::default();
        extra.rest(data, &["sessionId", "copilotVersion", "context", "detachedFromSpawningParentSessionId"]);
        if let Some(context) = data.get("context") {
            extra.rest(context, &["cwd", "branch", "headCommit", "repository", "repositoryHost"]);
        }
        envelope_rest(json, &mut extra);
        let extra = extra.finish();
        let row = self.row(EventType::SessionStart, &stamp);
        rows.event(&EventRow {
            parent_session_id: data.str_at("detachedFromSpawningParentSessionId"),
            status: resumed.then_some(Status::Resumed),
            extra: extra.as_deref(),
            ..row
        });
        Outcome::Row
    }

    fn shutdown(&mut self, json: Json<'_, '_>, data: Json<'_, '_>, stamp: &Stamp<'_>, rows: &mut Rows) -> Outcome {
        let mut extra = Extra::default();
        extra.rest(data, &["shutdownType"]);
        envelope_rest(json, &mut extra);
        let extra = extra.finish();
        let row = self.row(EventType::SessionEnd, stamp);
        rows.event(&EventRow {
            status: data.str_at("shutdownType").map(Status::Named),
            extra: extra.as_deref(),
            ..row
        });
        let old = self.state.version.as_deref().is_some_and(|version| version.starts_with("0."));
        self.state.meters.shutdown(data, old);
        self.totals(stamp, true, rows);
        (self.state.leg, self.state.places) = (Vec::new(), Vec::new());
        Outcome::Row
    }

    /// Rows of what the counters say so far; those of a later end of the session replace them. They are no
    /// calls: what a model's reasoning has no output for here stands with its calls.
    fn totals(&mut self, stamp: &Stamp<'_>, is_end: bool, rows: &mut Rows) {
        for total in self.state.meters.totals() {
            let spread = self.state.spread.get(&total.model).copied().unwrap_or_default();
            let room = total.output.unwrap_or_default();
            let here = total.reasoning.map(|reasoning| (reasoning - spread).clamp(0, room));
            let of_calls = total.reasoning.unwrap_or_default() - here.unwrap_or_default();
            if is_end {
                self.spread_reasoning(&total.model, of_calls, rows);
            }
            let left = of_calls - self.state.spread.get(&total.model).copied().unwrap_or_default();
            let mut extra = Extra::default();
            if let Some(requests) = total.requests {
                extra.number("requests", requests);
            }
            if left > 0 {
                extra.number("reasoningTokens", left);
            }
            let extra = extra.finish();
            let row = self.row(EventType::System, stamp);
            let row = EventRow {
                id: Some(shutdown_id(self.session(), &total.model)),
                ts_inferred: true,
                message_id: None,
                is_subagent: None,
                turn: None,
                model: Some(&*total.model).filter(|model| !model.is_empty()),
                status: Some(Status::SessionShutdown),
                nano_credits: total.nano_credits,
                completeness: self.state.meters.ends,
                extra: extra.as_deref(),
                ..row
            };
            let usage = TokenUsage::disjoint(total.fresh, total.cache_read, total.cache_write, total.output);
            rows.event(&usage.thoughts_within(here).counter_step().on(row));
        }
    }

    /// An event with a text and fields.
    fn plain(
        &self,
        event_type: EventType,
        json: Json<'_, '_>,
        data: Json<'_, '_>,
        stamp: &Stamp<'_>,
        rows: &mut Rows,
    ) -> Outcome {
        let texts = ["message", "content", "summaryContent", "summary", "text", "intent"];
        let used = texts.iter().find(|key| data.str_at(key).is_some()).copied();
        let mut extra = Extra::default();
        extra.text("event", stamp.kind);
        extra.rest(data, &[used.unwrap_or_default(), "parentToolCallId", "toolCallId", "type", "id", "timestamp"]);
        envelope_rest(json, &mut extra);
        let extra = extra.finish();
        let success = data.get("success").and_then(Json::as_bool);
        let is_error =
            event_type == EventType::ErrorEncountered || stamp.kind == "subagent.failed" || success == Some(false);
        let row = self.row(event_type, stamp);
        rows.event(&EventRow {
            role: Some("system"),
            text: used.and_then(|key| data.str_at(key)),
            tool_call_id: data.str_at("toolCallId"),
            status: (event_type != EventType::Unknown)
                .then(|| stamp.kind.rsplit('.').next())
                .flatten()
                .map(Status::Named),
            is_error: is_error.then_some(true),
            duration_ms: data.i64_at("durationMs"),
            extra: extra.as_deref(),
            ..row
        });
        Outcome::Row
    }
}
