//! Equal records beside each other.
//!
//! Two calls may say the same in the same second. A record without an id of its own is then told from the one before
//! it by its number among its equals, which a copy of the file gives it too.

use crate::schema::EventId;

/// The newest record without an id, and how often it came in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Repeats {
    last: Option<EventId>,
    before: u32,
}

impl Repeats {
    /// The id of the record whose content gives it `own`: that one for the first of equal ones.
    pub(super) fn tell(&mut self, own: EventId, agent: &str, kind: &str) -> EventId {
        self.before = if self.last == Some(own) { self.before.saturating_add(1) } else { 0 };
        self.last = Some(own);
        match self.before {
            0 => own,
            number => EventId::of(agent, kind, &[&own.0.to_be_bytes(), &number.to_le_bytes()]),
        }
    }

    /// Text that [`of_state`](Self::of_state) reads; empty when there was no such record.
    pub(super) fn state(self) -> String {
        self.last.map(|last| format!(" {:032x} {}", last.0, self.before)).unwrap_or_default()
    }

    /// What the words of a state say.
    pub(super) fn of_state<'s>(mut words: impl Iterator<Item = &'s str>) -> Self {
        let last = words.next().and_then(|word| u128::from_str_radix(word, 16).ok()).map(EventId);
        Self { last, before: words.next().and_then(|word| word.parse().ok()).unwrap_or(0) }
    }
}
