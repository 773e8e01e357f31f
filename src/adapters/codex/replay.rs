//! Whose line is it? Forks and sub-agents copy their parent's history into their own file.
//!
//! - a copy follows a second `session_meta` with another, older id; or the file names a parent and
//!   its first turn, time or ordinal is older than the thread itself
//! - the copy ends at the first turn that began after the thread was made (UUIDv7 of the turn id,
//!   else `started_at`), at `subagent_history_start_ordinal`, at the file's own `session_meta` again,
//!   or, where nothing names turns, at the first gap of more than a second
//! - a sub-agent that started empty, and a review, copy nothing

use serde::{Deserialize, Serialize};

use super::state::{Stamp, State};
use crate::adapters::time;

const SECOND_US: i64 = 1_000_000;
/// No model answers faster than this; usage that near to the file's birth was copied.
const FASTEST_CALL_US: i64 = 500_000;

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

/// State of the detection.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Replay {
    pub(super) mode: Mode,
    /// The thread that the file's own meta record names as its origin.
    pub(super) parent: Option<String>,
    /// True when the file says that it is a fork, not only whose sub-agent it is.
    pub(super) forked: bool,
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
        match self.replay.mode {
            Mode::Native => return,
            Mode::Fresh => self.pass_fresh(stamp),
            Mode::Replaying => self.pass_replaying(stamp),
        }
        if !stamp.inferred {
            self.replay.last_us = Some(stamp.ts_us);
        }
    }

    fn pass_fresh(&mut self, stamp: &Stamp) {
        if !self.has_origin() {
            self.replay.mode = Mode::Native;
            return;
        }
        let older = !stamp.inferred && stamp.ts_us + 5 * SECOND_US < self.replay.made_us;
        let copied = self.replay.history_start.zip(stamp.ordinal).is_some_and(|(start, ordinal)| ordinal < start);
        if older || copied {
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
        self.facts = self.own_facts.clone();
        self.counter.epoch = 0;
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

    /// True when the usage on this line is not the thread's own: a copy, or the parent's last count
    /// handed down at the start.
    pub(super) fn usage_is_inherited(&mut self, stamp: &Stamp, total_is_last: bool) -> bool {
        if self.replay.mode == Mode::Fresh && self.has_origin() {
            let near = self.replay.written_us.is_some_and(|born| stamp.ts_us - born <= FASTEST_CALL_US);
            if near && !stamp.inferred && !self.replay.answered {
                self.begin_replay();
            } else {
                self.replay.mode = Mode::Native;
            }
        }
        let handed_down = !self.counter.has_baseline() && !self.replay.answered && !total_is_last;
        self.replay.is_replaying() || (self.has_origin() && handed_down)
    }
}
