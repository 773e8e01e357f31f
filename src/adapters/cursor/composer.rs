//! A chat: what its `composerData`, its entry in a list of chats, or its tab says of it.

use std::collections::{HashMap, HashSet};

use super::AGENT;
use super::bubble::is_uuid;
use super::extra::{field, rest, scalars};
use super::place::{first_time_us, uri_path};
use super::words::{is_empty_field, named};
use crate::adapters::json::{Json, ObjectWriter};
use crate::adapters::money::nano;
use crate::schema::{EventId, EventRow, EventType, Rows, Status};

/// Where a bubble stands in its chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Number of the prompt it belongs to.
    pub(super) turn: i32,
    /// Time for a bubble that has none: the chat's, rising with the order.
    pub(super) ts_us: i64,
    /// The bubble's type, where the list says it.
    pub(super) kind: Option<i64>,
    /// False for what the editor does not show.
    pub(super) shown: bool,
}

/// What is known of a chat.
#[derive(Debug, Clone, Default)]
pub(super) struct Composer {
    pub(super) id: String,
    /// Row of its `composerData`; what is written later than that may not be in its list yet.
    pub(super) rowid: i64,
    /// True when it has a list of its bubbles: what the list does not name is no part of it.
    pub(super) is_listed: bool,
    /// True when anything but a bubble speaks of it.
    pub(super) is_known: bool,
    pub(super) places: HashMap<String, Place>,
    pub(super) created_us: Option<i64>,
    pub(super) updated_us: Option<i64>,
    pub(super) model: Option<String>,
    pub(super) cwd: Option<String>,
    pub(super) workspace_id: Option<String>,
    parent: Option<String>,
    is_subagent: Option<bool>,
    subagent_type: Option<String>,
    name: Option<String>,
    status: Option<String>,
    generating: HashSet<String>,
    first: Option<String>,
    last: Option<String>,
    /// Time of last resort.
    fallback_us: i64,
}

/// Fields of a chat that are read, that are drafts, or that repeat what stands elsewhere.
const USED: [&str; 14] = [
    "composerId",
    "tabId",
    "name",
    "chatTitle",
    "createdAt",
    "lastUpdatedAt",
    "lastSendTime",
    "status",
    "text",
    "richText",
    "conversationState",
    "workspaceIdentifier",
    "subagentInfo",
    "type",
];

/// Lists and objects of a chat that are kept whole.
const KEPT: [&str; 7] =
    ["modelConfig", "usageData", "promptTokenBreakdown", "subComposerIds", "newlyCreatedFiles", "todos", "addedFiles"];

impl Composer {
    pub(super) fn new(id: &str, fallback_us: i64) -> Self {
        Self { id: id.to_owned(), rowid: i64::MIN, fallback_us, ..Self::default() }
    }

    /// Takes over what a `composerData`, a tab, or an entry of a list says.
    pub(super) fn learn(&mut self, json: Json<'_, '_>) {
        let keep = |slot: &mut Option<String>, found: Option<&str>| {
            if let Some(found) = found {
                *slot = Some(found.to_owned());
            }
        };
        self.is_known = true;
        self.created_us = self.created_us.or_else(|| first_time_us(json, &["createdAt"]));
        self.updated_us = self.updated_us.max(first_time_us(json, &["lastUpdatedAt", "lastSendTime"]));
        keep(&mut self.name, json.str_at("name").or_else(|| json.str_at("chatTitle")));
        keep(&mut self.status, json.str_at("status"));
        keep(&mut self.model, json.path(&["modelConfig", "modelName"]).and_then(Json::as_filled_str));
        if let Some(workspace) = json.get("workspaceIdentifier") {
            keep(&mut self.workspace_id, workspace.str_at("id"));
            self.cwd = workspace.get("uri").and_then(uri_path).or_else(|| self.cwd.take());
        }
        if let Some(subagent) = json.get("subagentInfo").filter(|info| info.is_object()) {
            self.is_subagent = Some(true);
            let named = ["parentComposerId", "rootParentConversationId"].iter().find_map(|key| subagent.str_at(key));
            keep(&mut self.parent, named);
            keep(
                &mut self.subagent_type,
                subagent.str_at("subagentTypeName").or_else(|| subagent.str_at("subagentType")),
            );
        }
        let generating = json.get("generatingBubbleIds").into_iter().flat_map(Json::items);
        self.generating.extend(generating.filter_map(Json::as_filled_str).map(str::to_owned));
        if let Some(list) = json.get("fullConversationHeadersOnly").filter(|list| list.is_array()) {
            self.list(list, "bubbleId");
        }
        if let Some(list) = json.get("conversation").filter(|list| list.is_array() && !list.is_empty()) {
            self.list(list, "bubbleId");
        }
    }

    /// Takes over what the columns of the table `composerHeaders` say.
    pub(super) fn learn_columns(&mut self, workspace: Option<&str>, is_subagent: Option<i64>, kind: Option<&str>) {
        self.is_known = true;
        self.workspace_id = self.workspace_id.take().or_else(|| workspace.map(str::to_owned));
        self.is_subagent = self.is_subagent.or_else(|| is_subagent.filter(|flag| *flag != 0).map(|_| true));
        self.subagent_type = self.subagent_type.take().or_else(|| kind.map(str::to_owned));
    }

    /// Numbers the bubbles of a list.
    pub(super) fn list(&mut self, list: Json<'_, '_>, id_key: &'static str) {
        self.is_listed = true;
        let mut turn = self.places.values().map(|place| place.turn).max().unwrap_or(0);
        let mut at = self.created_us.or(self.updated_us).unwrap_or(self.fallback_us);
        for (id, bubble) in named(list, id_key) {
            let own = first_time_us(bubble, &["createdAt"]);
            at = own.unwrap_or(at + 1).max(at);
            let kind = bubble.get("type").and_then(kind_of);
            let shown = bubble.path(&["grouping", "isRenderable"]).and_then(Json::as_bool) != Some(false);
            let automatic = bubble.get("isCapabilityIteration").and_then(Json::as_bool) == Some(true);
            let asks = kind == Some(1) && shown && !automatic && !is_empty_field(bubble);
            if asks && !self.places.contains_key(&*id) {
                turn += 1;
            }
            let id = id.into_owned();
            self.first.get_or_insert_with(|| id.clone());
            self.places.entry(id.clone()).or_insert(Place { turn, ts_us: own.unwrap_or(at), kind, shown });
            self.last = Some(id);
        }
    }

    /// Folder and workspace of the database that the chat is in, where the chat names none itself.
    pub(super) fn lies_in(&mut self, cwd: Option<&str>, workspace_id: Option<&str>) {
        self.cwd = self.cwd.take().or_else(|| cwd.map(str::to_owned));
        self.workspace_id = self.workspace_id.take().or_else(|| workspace_id.map(str::to_owned));
    }

    /// True while the agent is writing that bubble.
    pub(super) fn is_writing(&self, bubble: &str) -> bool {
        let busy = self.status.as_deref().is_some_and(super::tool::is_going_on);
        self.generating.contains(bubble) || (busy && self.last.as_deref() == Some(bubble))
    }

    /// A row with all that is the same for every row of the chat.
    pub(super) fn row(&self) -> EventRow<'_> {
        EventRow {
            session_id: Some(&self.id),
            parent_session_id: self.parent.as_deref(),
            is_subagent: self.is_subagent,
            subagent_type: self.subagent_type.as_deref(),
            cwd: self.cwd.as_deref(),
            workspace_id: self.workspace_id.as_deref(),
            ..EventRow::default()
        }
    }

    /// The rows of the chat itself: that it began, and its name.
    pub(super) fn rows(&self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) {
        let mut extra = String::new();
        let mut object = ObjectWriter::new(&mut extra);
        scalars(json, &USED, &mut object);
        KEPT.iter()
            .filter_map(|key| Some((*key, json.get(key)?)))
            .for_each(|(key, value)| field(key, value, &mut object));
        let filled = object.end();
        let done = self.status.as_deref().is_some_and(|s| s != "none" && !super::tool::is_going_on(s));
        let known = self.created_us.or(self.updated_us);
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "session", &[self.id.as_bytes()])),
            ts_us: known.unwrap_or(self.fallback_us),
            ts_inferred: self.created_us.is_none(),
            event_type: EventType::SessionStart,
            model: self.model.as_deref(),
            status: self.status.as_deref().map(Status::of),
            turn: Some(0),
            source_offset: offset,
            completeness: 1 + i64::from(done) + 2 * i64::from(self.cwd.is_some()),
            extra: filled.then_some(extra.as_str()),
            ..self.row()
        });
        self.title(offset, rows);
        self.costs(json, offset, rows);
    }

    /// `usageData`: what the chat's requests have cost so far, by model. A copy of a chat begins with the
    /// same bubble.
    fn costs(&self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) {
        for (model, usage) in json.get("usageData").into_iter().flat_map(Json::entries) {
            let Some(cost) = usage.get("costInCents").and_then(Json::as_f64).and_then(|c| nano(c / 100.0)) else {
                continue;
            };
            let whose = self.first.as_deref().filter(|id| is_uuid(id)).unwrap_or(&self.id);
            let mut extra = String::new();
            let mut object = ObjectWriter::new(&mut extra);
            rest(usage, &["costInCents"], &mut object);
            let filled = object.end();
            rows.event(&EventRow {
                id: Some(EventId::of(AGENT, "cost", &[whose.as_bytes(), model.as_bytes()])),
                ts_us: self.updated_us.or(self.created_us).unwrap_or(self.fallback_us),
                ts_inferred: true,
                event_type: EventType::System,
                model: Some(model),
                status: Some(Status::Named("cost")),
                cost_nano_usd: Some(cost),
                source_offset: offset,
                completeness: 1 + cost,
                extra: filled.then_some(extra.as_str()),
                ..self.row()
            });
        }
    }

    /// The row of the chat's name; false when it has none.
    pub(super) fn title(&self, offset: u64, rows: &mut Rows) -> bool {
        let Some(name) = self.name.as_deref() else { return false };
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "title", &[self.id.as_bytes(), name.as_bytes()])),
            ts_us: self.updated_us.or(self.created_us).unwrap_or(self.fallback_us),
            ts_inferred: true,
            event_type: EventType::Title,
            text: Some(name),
            source_offset: offset,
            completeness: 1 + i64::from(self.cwd.is_some()),
            ..self.row()
        });
        true
    }

    /// The row that says in which workspace a chat belongs whose bubbles are in another database.
    pub(super) fn belongs(&self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> bool {
        if self.title(offset, rows) {
            return true;
        }
        let Some(workspace) = self.workspace_id.as_deref().or(self.cwd.as_deref()) else { return false };
        let mut extra = String::new();
        let mut object = ObjectWriter::new(&mut extra);
        scalars(json, &USED, &mut object);
        let filled = object.end();
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "belongs", &[self.id.as_bytes(), workspace.as_bytes()])),
            ts_us: self.created_us.or(self.updated_us).unwrap_or(self.fallback_us),
            ts_inferred: true,
            event_type: EventType::System,
            source_offset: offset,
            completeness: 1,
            extra: filled.then_some(extra.as_str()),
            ..self.row()
        });
        true
    }
}

/// 1 for what the user said, 2 for what the agent did; other numbers are of unknown kinds.
pub(super) fn kind_of(value: Json<'_, '_>) -> Option<i64> {
    match value.as_str() {
        Some("user") => Some(1),
        Some("ai" | "assistant") => Some(2),
        Some(_) => Some(0),
        None => value.as_i64(),
    }
}
