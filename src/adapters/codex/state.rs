//! What a decoder remembers from line to line; small, and written into checkpoints.
//!
//! Bounded: ledger and open calls have fixed budgets, so the text of a checkpoint stays below 64 KiB
//! however long the rollout is.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::AGENT;
use super::doubles::Doubles;
use super::ledger::{Ledger, Occurrence, Stream};
use super::replay::{Replay, Thread};
use super::search::Searches;
use super::tools::{Edit, Verdict};
use super::usage::Counter;
use crate::schema::{EventId, EventRow, EventType, Status, hash64};

/// Bytes of open calls that are kept.
const CALL_BYTES: usize = 24 * 1024;
/// Longest command or path that is repeated on the result's row.
const REPEAT_BYTES: usize = 8 * 1024;
/// Calls that are remembered for each thing worth remembering of calls that are not open.
const REMEMBERED: usize = 64;

/// What is true of the thread now and goes to columns of every row.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Facts {
    pub(super) cwd: Option<String>,
    pub(super) branch: Option<String>,
    pub(super) commit: Option<String>,
    pub(super) repo_url: Option<String>,
    pub(super) project: Option<String>,
    pub(super) version: Option<String>,
    pub(super) provider: Option<String>,
    pub(super) model: Option<String>,
    pub(super) tier: Option<String>,
    pub(super) parent: Option<String>,
    pub(super) subagent: Option<String>,
    pub(super) is_subagent: bool,
}

/// A call whose result has not come yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct OpenCall {
    pub(super) id: String,
    pub(super) tool: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    /// What its patch changes; whether it did, the result says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) edit: Option<Edit>,
    /// What the event of its end has said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failed: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) exit_code: Option<i32>,
}

impl OpenCall {
    fn bytes(&self) -> usize {
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let edit = self.edit.as_ref().map_or(0, |edit| 48 + edit.list.len());
        64 + self.id.len() + self.tool.len() + length(&self.command) + length(&self.path) + edit
    }

    /// Adds what the event of the end has said to what the result says.
    pub(super) fn complete(&self, verdict: &mut Verdict) {
        verdict.exit_code = verdict.exit_code.or(self.exit_code);
        verdict.failed = verdict.failed.or(self.failed);
    }
}

/// Ids of calls, oldest first; the oldest gives way to the newest.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Recent(VecDeque<u64>);

impl Recent {
    /// Adds `id`; false when it is there already.
    pub(super) fn add(&mut self, id: &str) -> bool {
        let key = hash64(id.as_bytes());
        if self.0.contains(&key) {
            return false;
        }
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(key);
        true
    }

    fn remove(&mut self, id: &str) {
        let key = hash64(id.as_bytes());
        self.0.retain(|other| *other != key);
    }

    fn contains(&self, id: &str) -> bool {
        self.0.contains(&hash64(id.as_bytes()))
    }
}

/// Calls waiting for their results, oldest first, and what is remembered of others.
///
/// A failure is told by one row: the result's, or that of an end which comes after the result or
/// belongs to no call.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Calls {
    open: VecDeque<OpenCall>,
    answered: Recent,
    /// Answered calls whose command ran on: the end may come much later.
    running: Recent,
    /// Calls whose failure a row has told.
    failed: Recent,
    #[serde(skip)]
    bytes: usize,
}

impl Calls {
    /// Remembers a call; the oldest ones give way when the budget is used up.
    pub(super) fn open(
        &mut self,
        id: &str,
        tool: &str,
        command: Option<&str>,
        path: Option<&str>,
        mut edit: Option<Edit>,
    ) {
        let keep = |text: Option<&str>| text.filter(|t| t.len() <= REPEAT_BYTES).map(str::to_owned);
        if let Some(edit) = edit.as_mut().filter(|edit| edit.list.len() > REPEAT_BYTES) {
            edit.list.clear();
        }
        self.open.push_back(OpenCall {
            id: id.to_owned(),
            tool: tool.to_owned(),
            command: keep(command),
            path: keep(path),
            edit,
            failed: None,
            exit_code: None,
        });
        self.bytes = self.open.iter().map(OpenCall::bytes).sum();
        while self.bytes > CALL_BYTES
            && let Some(oldest) = self.open.pop_front()
        {
            self.bytes -= oldest.bytes();
        }
    }

    /// The open call with this id.
    pub(super) fn find(&self, id: &str) -> Option<&OpenCall> {
        self.open.iter().rev().find(|call| call.id == id)
    }

    /// Takes the open call with this id; it is answered now.
    pub(super) fn answer(&mut self, id: &str) -> Option<OpenCall> {
        self.answered.add(id);
        let at = self.open.iter().rposition(|call| call.id == id)?;
        self.open.remove(at)
    }

    /// Takes note of what a result says; returns what its row says of the failure.
    pub(super) fn note_result(&mut self, id: &str, verdict: &Verdict) -> Option<bool> {
        if verdict.status == Some(Status::Running) {
            self.running.add(id);
        }
        self.tell(id, verdict.failed)
    }

    /// Takes note of the end of a call; returns what the end's row says of the failure: nothing while
    /// the call is open, since its result will.
    pub(super) fn note_end(&mut self, id: &str, failed: Option<bool>, exit_code: Option<i32>) -> Option<bool> {
        if let Some(call) = self.open.iter_mut().rev().find(|call| call.id == id) {
            call.failed = failed.or(call.failed);
            call.exit_code = exit_code.or(call.exit_code);
            return None;
        }
        if self.runs_on(id) {
            self.running.remove(id);
            return self.tell(id, failed);
        }
        if self.knows(id) {
            return self.tell(id, failed.filter(|failed| *failed));
        }
        if id.is_empty() {
            return failed;
        }
        self.answered.add(id);
        self.tell(id, failed)
    }

    /// `failed`, unless it is a failure that a row has told.
    fn tell(&mut self, id: &str, failed: Option<bool>) -> Option<bool> {
        failed.filter(|failed| !failed || self.failed.add(id))
    }

    /// True when the call with this id is answered, or has its own row.
    pub(super) fn is_answered(&self, id: &str) -> bool {
        self.answered.contains(id)
    }

    /// True when the result of the call with this id said that its command runs on, and no end has come.
    pub(super) fn runs_on(&self, id: &str) -> bool {
        self.running.contains(id)
    }

    /// True when the call with this id has, or had, a row of its own.
    pub(super) fn knows(&self, id: &str) -> bool {
        !id.is_empty() && (self.find(id).is_some() || self.is_answered(id) || self.running.contains(id))
    }
}

/// Everything that is remembered from line to line.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// The file's own thread, then those whose history it copied.
    pub(super) threads: Vec<Thread>,
    /// Which of `threads` the lines belong to now.
    pub(super) owner: usize,
    pub(super) facts: Facts,
    /// Facts of the file's own thread, while a parent's history is read.
    pub(super) own_facts: Facts,
    pub(super) turn: i32,
    pub(super) turn_id: Option<String>,
    pub(super) ledger: Ledger,
    pub(super) calls: Calls,
    pub(super) counter: Counter,
    pub(super) doubles: Doubles,
    pub(super) searches: Searches,
    pub(super) replay: Replay,
    pub(super) context_hash: u64,
    pub(super) instructions_hash: u64,
    pub(super) limits_hash: u64,
    /// `compacted` records whose event has not come yet.
    pub(super) compactions: u32,
    /// True once an event has told a prompt of the user: then no other record is one.
    pub(super) user_events: bool,
    pub(super) last_us: Option<i64>,
    /// Time of the last meta record: what lines without a time get.
    pub(super) meta_us: Option<i64>,
    /// Digest of thread and turn; `None` after either has changed.
    #[serde(skip)]
    pub(super) scope: Option<[u8; 16]>,
}

/// Where a record stands and when it was written.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Stamp {
    pub(super) offset: u64,
    pub(super) ts_us: i64,
    pub(super) inferred: bool,
    pub(super) ordinal: Option<i64>,
    /// True for lines without an envelope.
    pub(super) bare: bool,
}

/// What names the thread where the log does not: the file.
#[derive(Debug, Clone, Default)]
pub(super) struct Origin {
    /// Thread id out of the file's name.
    pub(super) thread: Option<String>,
    pub(super) path: String,
    pub(super) modified_us: i64,
}

impl State {
    /// Id of the thread the lines belong to now.
    pub(super) fn thread<'a>(&'a self, origin: &'a Origin) -> Option<&'a str> {
        self.threads.get(self.owner).map(|t| t.id.as_str()).or(origin.thread.as_deref())
    }

    /// Starts the turn `turn_id`; the same id again changes nothing.
    pub(super) fn begin_turn(&mut self, turn_id: &str) {
        if self.turn_id.as_deref() != Some(turn_id) {
            self.turn_id = Some(turn_id.to_owned());
            self.scope = None;
            self.ledger.reset();
            self.doubles.begin_turn();
        }
    }

    /// Counts a prompt; without turn ids it starts a turn.
    pub(super) fn begin_prompt(&mut self) {
        self.turn = self.turn.saturating_add(1);
        if self.turn_id.is_none() {
            self.scope = None;
            self.ledger.reset();
            self.doubles.begin_turn();
        }
    }

    /// The lines belong to `owner` from now on.
    pub(super) fn change_owner(&mut self, owner: usize) {
        if self.owner != owner {
            self.owner = owner;
            self.start_over();
        }
    }

    /// Forgets turn and ledger.
    pub(super) fn start_over(&mut self) {
        self.turn = 0;
        self.turn_id = None;
        self.scope = None;
        self.ledger.reset();
        self.context_hash = 0;
        self.limits_hash = 0;
    }

    /// Id of a record that has an id of its own within the thread.
    pub(super) fn natural_id(&self, origin: &Origin, kind: &str, parts: &[&[u8]]) -> EventId {
        let thread = self.thread(origin).unwrap_or(&origin.path);
        match parts {
            [one] => EventId::of(AGENT, kind, &[thread.as_bytes(), one]),
            [one, two] => EventId::of(AGENT, kind, &[thread.as_bytes(), one, two]),
            [one, two, three, ..] => EventId::of(AGENT, kind, &[thread.as_bytes(), one, two, three]),
            [] => EventId::of(AGENT, kind, &[thread.as_bytes()]),
        }
    }

    /// Id of a record named by its content; `None` when the other stream has told it already.
    pub(super) fn content_id(&mut self, origin: &Origin, kind: &str, content: u64, stream: Stream) -> Option<EventId> {
        let occurrence = self.ledger.note(content, stream)?;
        Some(self.occurrence_id(origin, kind, content, occurrence))
    }

    /// Id that the item got whose event comes now; `None` when there is no such item.
    pub(super) fn told_id(&mut self, origin: &Origin, kind: &str, content: u64) -> Option<EventId> {
        let occurrence = self.ledger.note_late_event(content)?;
        Some(self.occurrence_id(origin, kind, content, occurrence))
    }

    fn occurrence_id(&mut self, origin: &Origin, kind: &str, content: u64, occurrence: Occurrence) -> EventId {
        let Occurrence { segment, number } = occurrence;
        let scope = self.scope(origin);
        // Agent, kind and these 30 bytes fill one block of the hash for most kinds.
        let mut place = [0; 14];
        place[..8].copy_from_slice(&content.to_le_bytes());
        place[8..12].copy_from_slice(&segment.to_le_bytes());
        place[12..].copy_from_slice(&number.to_le_bytes());
        EventId::of(AGENT, kind, &[&scope, &place])
    }

    /// Digest of thread and turn, made once per turn.
    fn scope(&mut self, origin: &Origin) -> [u8; 16] {
        if let Some(scope) = self.scope {
            return scope;
        }
        let thread = self.thread(origin).unwrap_or(&origin.path).as_bytes();
        let turn = self.turn.to_le_bytes();
        let turn = self.turn_id.as_ref().map_or(&turn[..], |id| id.as_bytes());
        let scope = EventId::of(AGENT, "scope", &[thread, turn]).0.to_be_bytes();
        self.scope = Some(scope);
        scope
    }

    /// A row with everything that does not depend on the record.
    pub(super) fn row<'a>(&'a self, origin: &'a Origin, stamp: &Stamp, event_type: EventType) -> EventRow<'a> {
        let facts = &self.facts;
        let replayed = self.replay.is_replaying();
        let (ts_us, ts_inferred) = self.replay.time(stamp);
        let row = EventRow {
            ts_us,
            ts_inferred,
            event_type,
            agent_version: facts.version.as_deref(),
            provider: facts.provider.as_deref(),
            project: facts.project.as_deref(),
            repo_url: facts.repo_url.as_deref(),
            cwd: facts.cwd.as_deref(),
            git_branch: facts.branch.as_deref(),
            git_commit: facts.commit.as_deref(),
            session_id: self.thread(origin),
            parent_session_id: facts.parent.as_deref(),
            is_subagent: facts.is_subagent.then_some(true),
            subagent_type: facts.subagent.as_deref(),
            turn: Some(self.turn),
            source_offset: stamp.offset,
            completeness: i64::from(!replayed),
            ..EventRow::default()
        };
        if replayed && self.replay.shares { self.shared(row) } else { row }
    }

    /// `row` as the fork tells it of what may be its parent's: the parent's own record stays; without one,
    /// that of its first fork.
    pub(super) fn shared<'a>(&'a self, row: EventRow<'a>) -> EventRow<'a> {
        let Some(own) = self.threads.first() else { return row };
        EventRow {
            session_id: Some(&own.id),
            parent_session_id: self.own_facts.parent.as_deref(),
            is_subagent: self.own_facts.is_subagent.then_some(true),
            subagent_type: self.own_facts.subagent.as_deref(),
            completeness: -own.made_us.max(0),
            ..row
        }
    }
}
