//! How events are named, so that all stores of a conversation name them alike.

use std::borrow::Cow;

use super::AGENT;
use crate::schema::EventId;

/// Completeness of what a transcript says; what a session file says is above, whatever its length.
pub(super) const TRANSCRIPT: i64 = 1;
/// Completeness of what an unfinished request of a session file says.
pub(super) const UNFINISHED: i64 = 1 << 40;
/// Completeness of what a finished request of a session file says.
pub(super) const FINISHED: i64 = 1 << 41;
/// Completeness of what a session file says under the name of a turn, at least.
const TURN: i64 = 1 << 50;
/// Completeness of a call as its span or its exported record has it.
pub(super) const MEASURED: i64 = 1 << 51;
/// Bonus in completeness of what is no attempt and stands in a log of changes.
const LOGGED: i64 = 1 << 38;

/// Which of a session's files says it. Where both are, the editor reads the log of changes: the
/// document is what there was before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Store {
    /// The document.
    #[default]
    Document,
    /// The log of changes.
    Log,
}

impl Store {
    /// Completeness of what is no attempt, in this store.
    pub(super) fn rank(self, completeness: i64) -> i64 {
        completeness + if self == Self::Log { LOGGED } else { 0 }
    }
}

/// What of a completeness is left to the size of a text in a turn.
const SIZE_BITS: u32 = 21;
/// Seconds in the smallest difference of time that decides between two attempts.
const TICK_S: i64 = 4;
/// Beginning of the ticks: the year 2025, before there were turns that two attempts can share.
const FIRST_TICK_S: i64 = 1_735_689_600;

/// First version of the extension (0.37) that keeps transcripts beside the editor's sessions.
const TRANSCRIPTS_SINCE: (u32, u32) = (0, 37);

/// True when the extension that answered keeps transcripts, so that the turn is named in the way both
/// stores can.
pub(super) fn keeps_transcripts(extension_version: Option<&str>) -> bool {
    let mut numbers = extension_version.unwrap_or_default().split('.').map(|n| n.parse::<u32>().unwrap_or(0));
    (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)) >= TRANSCRIPTS_SINCE
}

/// Hash of a prompt, blind to blanks around it.
pub(super) fn prompt_hash(text: &str) -> u128 {
    EventId::of(AGENT, "text", &[text.trim().as_bytes()]).0
}

/// Name of a turn that session files and transcripts both form: the `nth` prompt (from 0) with this
/// text in the session.
pub(super) fn shared_turn(session: &str, prompt: u128, nth: usize) -> String {
    format!("{session}/{prompt:032x}/{nth}")
}

/// Id of an event of a turn.
pub(super) fn of_turn(kind: &str, turn: &str) -> EventId {
    EventId::of(AGENT, kind, &[turn.as_bytes()])
}

/// Id of the `nth` event of a kind in a turn.
pub(super) fn nth_of_turn(kind: &str, turn: &str, nth: usize) -> EventId {
    EventId::of(AGENT, kind, &[turn.as_bytes(), &(nth as u64).to_le_bytes()])
}

/// Id of the usage of the `nth` model call of a turn that the extension calls `turn_id`.
pub(super) fn usage(turn_id: &str, nth: u64) -> EventId {
    EventId::of(AGENT, "usage", &[turn_id.as_bytes(), &nth.to_le_bytes()])
}

/// A tool call's id without what the extension appends to make it unique within a session:
/// `__vscode-<n>`, a counter that starts anywhere and says nothing of the time.
pub(super) fn bare_call(id: &str) -> &str {
    id.split_once("__vscode-").map_or(id, |(bare, _)| bare)
}

/// A tool call's id as it stands in rows. Providers' ids and UUIDs are unique by themselves; short ones
/// (`call_0`) only within a turn, and not even there: `nth` counts the calls of one id.
pub(super) fn unique_call<'i>(turn: &str, bare: &'i str, nth: usize) -> Cow<'i, str> {
    match (bare.len() >= 20, nth) {
        (true, 0) => Cow::Borrowed(bare),
        (_, 0) => Cow::Owned(format!("{turn}/{bare}")),
        _ => Cow::Owned(format!("{turn}/{bare}#{nth}")),
    }
}

/// Id of an event of a tool call.
pub(super) fn call(kind: &str, unique: &str) -> EventId {
    EventId::of(AGENT, kind, &[unique.as_bytes()])
}

/// Completeness of what an attempt at a turn says, without the size of its text.
///
/// A document that was rewritten after a prompt was asked again holds the last attempt only, under the
/// name of the first one: whatever the lengths, the later attempt counts, of one attempt the finished
/// state, of one state the log's.
pub(super) fn attempt(asked_us: Option<i64>, is_finished: bool, store: Store) -> i64 {
    let seconds = asked_us.unwrap_or_default() / 1_000_000 - FIRST_TICK_S;
    let ticks = (seconds / TICK_S).clamp(0, (1 << 27) - 1);
    let state = (i64::from(is_finished) << 1) + i64::from(store == Store::Log);
    TURN + (((ticks << 2) + state) << SIZE_BITS)
}

/// A text's size as part of the completeness of an attempt.
pub(super) fn size(text: &str) -> i64 {
    length(text).min((1 << SIZE_BITS) - 1)
}

/// A length as part of a completeness.
pub(super) fn length(text: &str) -> i64 {
    i64::from(u32::try_from(text.len()).unwrap_or(u32::MAX))
}
