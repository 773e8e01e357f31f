//! A session file of records, one a line: what both agents share.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::adapters::fields::time_at;
use crate::adapters::json::Json;
use crate::adapters::kit::calls::OpenCalls;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::path::stem;
use crate::adapters::tool::Tool;
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Format, Rows};

/// Ids of tool calls that are remembered.
const REMEMBERED: usize = 1024;

/// What is known after the lines so far; the checkpoint keeps it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) turn: i32,
    /// Calls without a result.
    pub(super) calls: OpenCalls<Call>,
    /// The newest answer: a record with its uuid adds to it.
    pub(super) answer: Answer,
    /// Ids of calls that made their row.
    pub(super) seen: VecDeque<String>,
    pub(super) last_us: Option<i64>,
    /// Session that the newest copied record is from: what follows is a branch of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) branched_from: Option<String>,
}

/// What a result repeats of its call.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Call {
    pub(super) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) command: Option<String>,
    /// It runs a command.
    pub(super) runs: bool,
}

/// An answer whose records may go on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub(super) uuid: String,
    pub(super) ts_us: i64,
    pub(super) text: String,
    pub(super) records: u32,
    /// Hash of its last record.
    pub(super) last: u64,
    pub(super) tokens: [Option<i64>; 4],
}

impl State {
    /// True the first time that a call of this id is seen.
    pub(super) fn is_first(&mut self, id: &str) -> bool {
        if self.seen.iter().rev().any(|seen| seen == id) {
            return false;
        }
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back(id.to_owned());
        true
    }
}

/// Identity and place of a record: what all its rows share.
#[derive(Debug, Clone)]
pub(super) struct Stamp<'i> {
    pub(super) agent: &'static str,
    pub(super) key: String,
    pub(super) uuid: Option<&'i str>,
    pub(super) parent: Option<&'i str>,
    pub(super) session: &'i str,
    /// It is a copy of another session's record.
    pub(super) is_copy: bool,
    /// The session that this one is a branch of.
    pub(super) origin: Option<String>,
    pub(super) ts_us: i64,
    pub(super) inferred: bool,
    pub(super) cwd: Option<&'i str>,
    pub(super) version: Option<&'i str>,
    pub(super) branch: Option<&'i str>,
    pub(super) is_subagent: Option<bool>,
    pub(super) subagent: Option<&'i str>,
    pub(super) turn: i32,
    pub(super) offset: u64,
}

impl Stamp<'_> {
    pub(super) fn id(&self, kind: &str, parts: &[&str]) -> Option<EventId> {
        let mut all = vec![self.key.as_bytes()];
        all.extend(parts.iter().map(|part| part.as_bytes()));
        Some(EventId::of(self.agent, kind, &all))
    }

    /// A row of this record.
    pub(super) fn row(&self, kind: EventType, parts: &[&str]) -> EventRow<'_> {
        EventRow {
            id: self.id(kind.as_str(), parts),
            ts_us: self.ts_us,
            ts_inferred: self.inferred,
            event_type: kind,
            agent_version: self.version,
            cwd: self.cwd,
            git_branch: self.branch,
            session_id: (!self.session.is_empty()).then_some(self.session),
            parent_session_id: self.origin.as_deref(),
            is_subagent: self.is_subagent,
            subagent_type: self.subagent,
            turn: Some(self.turn),
            parent_event_id: self.parent,
            message_id: self.uuid,
            source_offset: self.offset,
            completeness: i64::from(!self.is_copy),
            ..EventRow::default()
        }
    }
}

/// Decodes one record.
pub(super) type Record = fn(&mut State, Json<'_, '_>, &Stamp<'_>, &mut Rows) -> Outcome;

/// Decodes one session file.
#[derive(Debug)]
pub(super) struct SessionDecoder {
    parser: Parser,
    format: Format,
    record: Record,
    path: String,
    modified_us: i64,
    state: State,
    read_to: u64,
}

impl SessionDecoder {
    pub(super) fn new(format: Format, record: Record, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        // A state that cannot be read starts the file over.
        let kept = checkpoint.and_then(|c| Some((c.high_water, serde_json::from_str(&c.state).ok()?)));
        let (read_to, state) = kept.unwrap_or_default();
        let path = info.path.to_owned();
        Self { parser: Parser::default(), format, record, path, modified_us: info.modified_us, state, read_to }
    }
}

/// What the record says of itself.
fn stamp<'i>(
    json: Json<'_, 'i>,
    state: &State,
    format: Format,
    path: &'i str,
    modified_us: i64,
    offset: u64,
) -> Stamp<'i> {
    let ts = time_at(json, "timestamp");
    let uuid = json.str_at("uuid");
    let session = json.str_at("sessionId").unwrap_or_else(|| stem(path));
    let forked = json.get("forkedFrom").filter(|f| f.is_object());
    let original = forked.and_then(|f| f.str_at("messageUuid")).or(uuid);
    let key = original.map_or_else(
        || {
            format!(
                "{session}/{}/{}",
                json.str_at("timestamp").unwrap_or_default(),
                json.str_at("type").unwrap_or_default()
            )
        },
        str::to_owned,
    );
    let side = json.get("isSidechain").and_then(Json::as_bool);
    let agent_id = json.str_at("agentId");
    Stamp {
        agent: format.agent(),
        key,
        uuid,
        parent: json.str_at("parentUuid"),
        session,
        is_copy: forked.is_some(),
        origin: forked.and_then(|f| f.str_at("sessionId")).map(str::to_owned).or_else(|| state.branched_from.clone()),
        ts_us: ts.or(state.last_us).unwrap_or(modified_us),
        inferred: ts.is_none(),
        cwd: json.str_at("cwd"),
        version: json.str_at("version"),
        branch: json.str_at("gitBranch"),
        is_subagent: if agent_id.is_some() { Some(true) } else { side },
        subagent: json.str_at("agentName").or(agent_id),
        turn: state.turn,
        offset,
    }
}

/// Appends the row of a tool call, and remembers what its result repeats.
pub(super) fn call(
    state: &mut State,
    stamp: &Stamp<'_>,
    place: &str,
    call: (Option<&str>, &str, Option<Json<'_, '_>>),
    model: Option<&str>,
    rows: &mut Rows,
) {
    let (own_id, name, arguments) = call;
    let tool = Tool::of(name, arguments);
    let id = own_id.map_or_else(|| format!("{}#{place}", stamp.key), str::to_owned);
    rows.event(&EventRow {
        event_type: tool.event_type,
        role: Some("assistant"),
        model,
        tool_name: (!name.is_empty()).then_some(name),
        tool_input: tool.input.as_deref(),
        tool_call_id: Some(&id),
        file_path: tool.path.as_deref(),
        command: tool.command.as_deref(),
        ..stamp.row(EventType::ToolUse, &[&id])
    });
    let runs = tool.event_type == EventType::CommandExecution;
    state.calls.open(&id, Call { name: name.to_owned(), path: tool.path, command: tool.command, runs });
}

impl Decoder for SessionDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        if line.offset < self.read_to {
            return;
        }
        let Self { parser, format, record, path, modified_us, state, .. } = self;
        let mut outcome = Outcome::Ignored;
        let seen = parser.each(line.bytes, |json| {
            if !json.is_object() || json.str_at("type").is_none() {
                outcome = outcome.max(Outcome::Wrong);
                return;
            }
            let stamp = stamp(json, state, *format, path, *modified_us, line.offset);
            if !stamp.inferred {
                state.last_us = state.last_us.max(Some(stamp.ts_us));
            }
            if stamp.is_copy {
                state.branched_from.clone_from(&stamp.origin);
            }
            outcome = outcome.max(record(state, json, &stamp, rows));
        });
        self.read_to = line.end;
        count(line, seen, outcome, rows);
    }

    fn checkpoint(&self) -> Checkpoint {
        let state = serde_json::to_string(&self.state).unwrap_or_default();
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: false, state }
    }

    fn last_us(&self) -> Option<i64> {
        self.state.last_us
    }
}
