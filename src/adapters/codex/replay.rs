//! Whose line is it? Forks and sub-agents copy their parent's history into their own file.
//!
//! - a copy follows a second `session_meta` with another, older id; or the file names a parent and
//!   its first turn, time or ordinal is older than the thread itself
//! - the copy ends at the first turn that began after the thread was made (UUIDv7 of the turn id,
//!   else `started_at`), at `subagent_history_start_ordinal`, at the file's own `session_meta` again,
//!   or, where nothing names turns, at the first gap of more than a second
//! - a sub-agent that started empty, and a review, copy nothing
//! - where a fork has no second `session_meta` and nothing proves a count its own, the count may be a
//!   copy: it is shared with the parent and its other forks, up to the first turn of the fork's own or a
//!   gap of an hour, since a copy is written in one go

use serde::{Deserialize, Serialize};

use super::state::{Stamp, State};
use crate::adapters::time;

const SECOND_US: i64 = 1_000_000;
/// No model answers faster than this; usage that near to the file's birth was copied.
const FASTEST_CALL_US: i64 = 500_000;
/// What comes so long after a copied count is no copy.
const REST_US: i64 = 3600 * SECOND_US;

/// A thread this file tells of.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Thread {
    pub(super) id: String,
    /// When it was made, microseconds since 1970.
    pub(super) made_us: i64,
}

/// Where the file stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Mode {
    /// Nothing has told yet whether a copy follows.
    #[default]
    Fresh,
    /// Lines are copies.
    Replaying,
    /// Lines are the thread's own.
    Native,
}

/// Whose call a count tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum UsageOwner {
    /// The thread's own.
    Own,
    /// Another thread's, or what was handed down at the start.
    Inherited,
    /// The parent's if it has it, else the fork's.
    Shared,
}

/// State of the detection.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Replay {
    pub(super) mode: Mode,
    /// The thread that the file's own meta record names as its origin.
    pub(super) parent: Option<String>,
    /// True when the file says that it is a fork, not only whose sub-agent it is.
    pub(super) forked: bool,
    /// True while its counts may be copies that nothing else tells from its own.
    pub(super) shares: bool,
    /// True once such a count has been seen.
    shared: bool,
    /// First ordinal that is not copied.
    pub(super) history_start: Option<i64>,
    /// True once a turn with a known time has been seen in the copy.
    dated_turns: bool,
    /// Time of the copied turn.
    turn_us: Option<i64>,
    last_us: Option<i64>,
    /// Stamp of the file's own meta record.
    written_us: Option<i64>,
    /// When the file's own thread was made.
    made_us: i64,
    /// True once the model has said anything in the thread's own part.
    pub(super) answered: bool,
}

impl Replay {
    pub(super) const fn is_replaying(&self) -> bool {
        matches!(self.mode, Mode::Replaying)
    }

    /// Time of a row and whether it is inferred: stamps in a copy are the fork's.
    pub(super) fn time(&self, stamp: &Stamp) -> (i64, bool) {
        if !self.is_replaying() {
            return (stamp.ts_us, stamp.inferred);
        }
        if !stamp.inferred && stamp.ts_us + SECOND_US < self.made_us {
            return (stamp.ts_us, false);
        }
        (self.turn_us.unwrap_or(stamp.ts_us), true)
    }

    /// Notes the file's own meta record.
    pub(super) fn own(&mut self, made_us: i64, stamp: &Stamp) {
        self.made_us = made_us;
        self.written_us = (!stamp.inferred).then_some(stamp.ts_us);
        self.last_us = self.written_us;
    }
}

impl State {
    /// True when the file names a thread it comes from.
    pub(super) const fn has_origin(&self) -> bool {
        self.replay.parent.is_some()
    }

    /// Takes note of the next line's stamp, before the line is read.
    pub(super) fn pass(&mut self, stamp: &Stamp, is_meta: bool) {
        if self.threads.is_empty() || is_meta {
            return;
        }
        self.pass_rest(stamp);
        match self.replay.mode {
            Mode::Native if !self.replay.shares => return,
            Mode::Native => {}
            Mode::Fresh => self.pass_fresh(stamp),
            Mode::Replaying => self.pass_replaying(stamp),
        }
        if !stamp.inferred {
            self.replay.last_us = Some(stamp.ts_us);
        }
    }

    /// Ends what is shared after a rest.
    fn pass_rest(&mut self, stamp: &Stamp) {
        let Replay { shares: true, shared: true, made_us, last_us: Some(last_us), .. } = self.replay else { return };
        if !stamp.inferred && stamp.ts_us >= made_us && stamp.ts_us - last_us >= REST_US {
            self.end_sharing();
        }
    }

    /// What follows is the fork's own.
    fn end_sharing(&mut self) {
        self.replay.shares = false;
        if self.replay.is_replaying() {
            self.begin_native();
        }
    }

    fn pass_fresh(&mut self, stamp: &Stamp) {
        if !self.has_origin() {
            self.replay.mode = Mode::Native;
            return;
        }
        let older = !stamp.inferred && stamp.ts_us + 5 * SECOND_US < self.replay.made_us;
        // A fork begins with its copy, which is written at once.
        let at_once = |born| !stamp.inferred && stamp.ts_us - born <= FASTEST_CALL_US;
        let at_once = self.replay.shares && self.replay.written_us.is_some_and(at_once);
        let copied = self.replay.history_start.zip(stamp.ordinal).is_some_and(|(start, ordinal)| ordinal < start);
        if older || copied || at_once {
            self.begin_replay();
        }
    }

    fn pass_replaying(&mut self, stamp: &Stamp) {
        if let Some((start, ordinal)) = self.replay.history_start.zip(stamp.ordinal) {
            if ordinal >= start {
                self.begin_native();
            }
            return;
        }
        let Some(last_us) = self.replay.last_us.filter(|_| !stamp.inferred && !self.replay.dated_turns) else { return };
        let recent = stamp.ts_us + SECOND_US >= self.replay.made_us;
        if recent && stamp.ts_us - last_us > SECOND_US {
            self.begin_native();
        }
    }

    /// A copy without a meta record of its own starts: the lines are the named parent's.
    fn begin_replay(&mut self) {
        let Some(parent) = self.replay.parent.clone() else { return };
        let made_us = time::uuid7_us(&parent).unwrap_or(i64::MIN);
        let owner = self.thread_index(&parent).unwrap_or(self.threads.len());
        if owner == self.threads.len() {
            self.threads.push(Thread { id: parent, made_us });
        }
        self.replay.mode = Mode::Replaying;
        self.facts.parent = None;
        self.facts.is_subagent = false;
        self.facts.subagent = None;
        self.change_owner(owner);
    }

    /// The thread's own part starts.
    pub(super) fn begin_native(&mut self) {
        self.replay.mode = Mode::Native;
        self.replay.turn_us = None;
        let before = std::mem::replace(&mut self.facts, self.own_facts.clone());
        if self.replay.shared {
            // Only a rest tells the copy's end: counter and settings go on.
            self.facts.model = self.facts.model.take().or(before.model);
            self.facts.tier = self.facts.tier.take().or(before.tier);
        } else {
            self.counter.epoch = 0;
        }
        self.change_owner(0);
    }

    pub(super) fn thread_index(&self, id: &str) -> Option<usize> {
        self.threads.iter().position(|t| t.id == id)
    }

    /// A turn starts: `started` is its start in whole seconds or finer, where the log says.
    pub(super) fn mark_turn(&mut self, turn_id: Option<&str>, started: Option<i64>) {
        if self.replay.mode != Mode::Native && self.replay.history_start.is_none() {
            let exact = turn_id.and_then(time::uuid7_us);
            // Whole seconds are cut off: the turn began within that second.
            let turn_us = exact.or_else(|| started.map(|s| time::unix_us(s) + SECOND_US - 1));
            match turn_us {
                Some(turn_us) if turn_us >= self.replay.made_us => self.begin_own_turn(),
                // Whole seconds alone are no proof: builds of other vendors write local time there.
                Some(turn_us) if exact.is_some() || self.replay.forked || self.replay.is_replaying() => {
                    self.mark_copied_turn(turn_us);
                }
                Some(_) => self.begin_own_turn(),
                None if self.replay.mode == Mode::Fresh && !self.has_origin() => self.replay.mode = Mode::Native,
                None => {}
            }
        }
        if let Some(turn_id) = turn_id {
            self.begin_turn(turn_id);
        }
    }

    fn begin_own_turn(&mut self) {
        self.replay.shares = false;
        match self.replay.mode {
            Mode::Replaying => self.begin_native(),
            _ => self.replay.mode = Mode::Native,
        }
    }

    fn mark_copied_turn(&mut self, turn_us: i64) {
        if self.replay.mode == Mode::Fresh {
            self.begin_replay();
        }
        if self.replay.is_replaying() {
            self.replay.dated_turns = true;
            self.replay.turn_us = Some(turn_us);
            let copied = self.threads.iter().enumerate().skip(1);
            let owner = copied.filter(|(_, t)| t.made_us <= turn_us).max_by_key(|(_, t)| t.made_us).map(|(i, _)| i);
            if let Some(owner) = owner {
                self.change_owner(owner);
            }
        }
    }

    /// Whose call the usage on this line is.
    pub(super) fn standing_of_usage(&mut self, stamp: &Stamp, total_is_last: bool) -> UsageOwner {
        if self.replay.mode == Mode::Fresh && self.has_origin() {
            let near = self.replay.written_us.is_some_and(|born| stamp.ts_us - born <= FASTEST_CALL_US);
            if near && !stamp.inferred && !self.replay.answered {
                self.begin_replay();
            } else {
                self.replay.mode = Mode::Native;
            }
        }
        let handed_down = !self.counter.has_baseline() && !self.replay.answered && !total_is_last;
        if self.has_origin() && handed_down {
            return UsageOwner::Inherited;
        }
        if self.replay.shares {
            self.replay.shared = true;
            return UsageOwner::Shared;
        }
        if self.replay.is_replaying() { UsageOwner::Inherited } else { UsageOwner::Own }
    }
}
