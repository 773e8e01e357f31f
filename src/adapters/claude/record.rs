//! One record of a transcript: the fields all records share, read in one pass over its keys.

use std::borrow::Cow;

use super::state::Source;
use crate::adapters::clean::RECORD;
use crate::adapters::json::{Json, ObjectWriter};
use crate::adapters::kit::content::Content;
use crate::adapters::time;
use crate::schema::{EventId, EventRow};

/// Where a record stands, by how much its copies of shared events are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Inside a `progress/agent_progress` record of the parent: a copy, often unfinished.
    Progress,
    /// Side chain: authoritative, but `/btw` replays the parent's messages there.
    Side,
    /// Main chain.
    Main,
}

/// A record and its common fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'t, 'i> {
    pub(super) json: Json<'t, 'i>,
    pub(super) kind: &'i str,
    pub(super) level: Level,
    pub(super) uuid: Option<&'i str>,
    pub(super) parent: Option<&'i str>,
    pub(super) session: Option<&'i str>,
    /// Session that a branch, or a sub-agent that began with the conversation, copied this record from.
    pub(super) copied_from: Option<&'i str>,
    pub(super) version: Option<&'i str>,
    pub(super) cwd: Option<&'i str>,
    pub(super) branch: Option<&'i str>,
    pub(super) request: Option<&'i str>,
    pub(super) agent_id: Option<&'i str>,
    pub(super) agent_name: Option<&'i str>,
    pub(super) agent_kind: Option<&'i str>,
    /// Tool call that runs the sub-agent, where a progress record says so.
    pub(super) agent_call: Option<&'i str>,
    /// Time of the record itself.
    pub(super) own_us: Option<i64>,
    /// Its time, or the last one seen before it.
    pub(super) ts_us: i64,
    pub(super) meta: bool,
    pub(super) summary: bool,
    pub(super) api_error: bool,
    pub(super) message: Option<Json<'t, 'i>>,
    pub(super) result: Option<Json<'t, 'i>>,
    pub(super) data: Option<Json<'t, 'i>>,
    pub(super) attachment: Option<Json<'t, 'i>>,
}

impl<'t, 'i> Record<'t, 'i> {
    /// Reads the common fields; without a time of its own the record gets `last_us`.
    pub(super) fn read(json: Json<'t, 'i>, last_us: i64) -> Self {
        let mut r = Self::empty(json, last_us);
        let mut side = false;
        for (key, value) in json.entries() {
            match key {
                "type" => r.kind = value.as_str().unwrap_or_default(),
                "uuid" => r.uuid = value.as_filled_str(),
                "parentUuid" => r.parent = value.as_filled_str(),
                "sessionId" => r.session = value.as_filled_str(),
                "forkedFrom" => r.copied_from = value.str_at("sessionId"),
                "version" => r.version = value.as_filled_str(),
                "cwd" => r.cwd = value.as_filled_str(),
                "gitBranch" => r.branch = value.as_filled_str(),
                "requestId" => r.request = value.as_filled_str(),
                "timestamp" => r.own_us = value.as_str().and_then(time::rfc3339_us),
                "isSidechain" => side = value.as_bool() == Some(true),
                "agentId" => r.agent_id = value.as_filled_str(),
                "agentName" => r.agent_name = value.as_filled_str(),
                "attributionAgent" => r.agent_kind = value.as_filled_str(),
                "isMeta" => r.meta = value.as_bool() == Some(true),
                "isCompactSummary" => r.summary = value.as_bool() == Some(true),
                "isApiErrorMessage" => r.api_error = value.as_bool() == Some(true),
                "message" => r.message = Some(value),
                "toolUseResult" => r.result = Some(value),
                "data" => r.data = Some(value),
                "attachment" => r.attachment = Some(value),
                _ => {}
            }
        }
        r.level = if side { Level::Side } else { Level::Main };
        r.ts_us = r.own_us.unwrap_or(last_us);
        r
    }

    const fn empty(json: Json<'t, 'i>, ts_us: i64) -> Self {
        Self {
            json,
            kind: "",
            level: Level::Main,
            uuid: None,
            parent: None,
            session: None,
            copied_from: None,
            version: None,
            cwd: None,
            branch: None,
            request: None,
            agent_id: None,
            agent_name: None,
            agent_kind: None,
            agent_call: None,
            own_us: None,
            ts_us,
            meta: false,
            summary: false,
            api_error: false,
            message: None,
            result: None,
            data: None,
            attachment: None,
        }
    }

    /// The sub-agent's message inside this `agent_progress` record, with the surroundings of this one.
    pub(super) fn inner(&self, message: Json<'t, 'i>, agent_id: Option<&'i str>) -> Self {
        let mut inner = Self::read(message, self.ts_us);
        inner.level = Level::Progress;
        inner.session = inner.session.or(self.session);
        inner.version = inner.version.or(self.version);
        inner.cwd = inner.cwd.or(self.cwd);
        inner.branch = inner.branch.or(self.branch);
        inner.agent_id = inner.agent_id.or(agent_id);
        inner.agent_call = self.json.str_at("parentToolUseID");
        inner
    }

    /// True for the work of a sub-agent, a side chain or a teammate.
    pub(super) const fn is_subagent(&self) -> bool {
        !matches!(self.level, Level::Main) || self.agent_id.is_some() || self.agent_name.is_some()
    }

    /// The columns that every row of this record has.
    pub(super) fn row<'a>(&self, source: &'a Source, turn: i32, offset: u64) -> EventRow<'a>
    where
        'i: 'a,
    {
        // What was copied is the work of whom it was copied from.
        let subagent = self.copied_from.is_none() && (self.is_subagent() || source.agent_file);
        EventRow {
            ts_us: self.ts_us,
            ts_inferred: self.own_us.is_none(),
            agent_version: self.version,
            cwd: self.cwd,
            git_branch: self.branch,
            session_id: self.copied_from.or(self.session).or(source.session.as_deref()),
            parent_session_id: source.branch_of().filter(|_| self.copied_from.is_none()),
            is_subagent: Some(subagent),
            subagent_type: if subagent {
                self.agent_kind.or(source.agent_type.as_deref()).or(self.agent_name)
            } else {
                None
            },
            turn: Some(turn),
            parent_event_id: self.parent,
            message_id: self.uuid,
            request_id: self.request,
            source_offset: offset,
            completeness: self.completeness(),
            ..EventRow::default()
        }
    }

    /// Worth of this record's copy of an event that is no call.
    pub(super) const fn completeness(&self) -> i64 {
        self.worth()
    }

    /// Of equal records of one event the one at the worthiest place stays: the original on the main chain,
    /// else a copy that says what it is of, else one on a side chain.
    pub(super) const fn worth(&self) -> i64 {
        match self.level {
            Level::Progress => 0,
            _ if self.copied_from.is_some() => 2,
            Level::Side => 1,
            Level::Main => 3,
        }
    }

    /// What names this record: its uuid; where a writer leaves that out, session and time.
    pub(super) fn name(&self) -> Cow<'i, str> {
        // The record's own time only: what a neighbour lends is not known when the record is read again.
        let made = || Cow::Owned(format!("{}@{}", self.session.unwrap_or_default(), self.own_us.unwrap_or_default()));
        self.uuid.map_or_else(made, Cow::Borrowed)
    }

    /// Identity of the record's own event; without `uuid` made of session, type, time and `content`.
    pub(super) fn id(&self, kind: &str, content: &[u8]) -> EventId {
        match self.uuid {
            Some(uuid) => EventId::of(super::AGENT, kind, &[uuid.as_bytes()]),
            None => EventId::of(
                super::AGENT,
                kind,
                &[
                    self.session.unwrap_or_default().as_bytes(),
                    self.kind.as_bytes(),
                    &self.own_us.unwrap_or_default().to_le_bytes(),
                    content,
                ],
            ),
        }
    }

    /// Identity of a record that says nothing else which one it is: without `uuid` made of session, type, time
    /// and all that the client does not stamp on every record.
    pub(super) fn whole_id(&self, kind: &str) -> EventId {
        if self.uuid.is_some() {
            return self.id(kind, &[]);
        }
        let mut content = Content::default();
        content.fields(self.json, |key| self.is_said(key));
        self.id(kind, content.bytes())
    }

    /// True for the fields that are the record's own, not those that say where it was written.
    pub(super) fn is_said(&self, key: &str) -> bool {
        const STAMPED: [&str; 10] = [
            "uuid",
            "parentUuid",
            "sessionId",
            "session_id",
            "version",
            "cwd",
            "gitBranch",
            "requestId",
            "isSidechain",
            "userType",
        ];
        !STAMPED.contains(&key) && (key != "timestamp" || self.own_us.is_none())
    }

    /// Writes the fields that have no column into `object`, but those that `taken` names.
    pub(super) fn rest(&self, object: &mut ObjectWriter<'_>, taken: impl Fn(&str) -> bool) {
        for (key, value) in self.json.fields() {
            let has_column = match key {
                "type" | "uuid" | "parentUuid" | "sessionId" | "version" | "cwd" | "gitBranch" | "requestId"
                | "isSidechain" => true,
                "message" => matches!(self.kind, "user" | "assistant"),
                "toolUseResult" => self.kind == "user",
                "data" => self.kind == "progress",
                "attachment" => self.kind == "attachment" && value.is_object(),
                "timestamp" => self.own_us.is_some(),
                "session_id" => value.as_filled_str() == self.session,
                "userType" => value.as_str() == Some("external"),
                "isMeta" => !self.meta,
                "sourceToolAssistantUUID" => value.as_filled_str() == self.parent,
                _ => taken(key),
            };
            if !has_column {
                RECORD.field(key, value, object);
            }
        }
        if let (Level::Progress, Some(agent_id)) = (self.level, self.agent_id)
            && self.json.get("agentId").is_none()
        {
            object.text("agentId", agent_id);
        }
        if let Some(call) = self.agent_call {
            object.text("parentToolUseID", call);
        }
    }
}

/// Writes the fields of `value` but those that `taken` names, as an object called `name`.
pub(super) fn nested(object: &mut ObjectWriter<'_>, name: &str, value: Json<'_, '_>, taken: impl Fn(&str) -> bool) {
    object.object(name, |object| {
        RECORD.rest(value, |key, _| !taken(key), object);
    });
}

/// Writes one JSON object into `out`, emptied before; an object without keys becomes no text.
pub(super) fn object(out: &mut String, fill: impl FnOnce(&mut ObjectWriter<'_>)) {
    out.clear();
    let mut object = ObjectWriter::new(out);
    fill(&mut object);
    if !object.end() {
        out.clear();
    }
}

/// The text, unless it is empty.
pub(super) fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
