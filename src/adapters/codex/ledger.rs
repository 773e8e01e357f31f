//! Which texts of the running turn have been seen, and how often in which stream.
//!
//! - an item without an id of its own is named by its turn, its content and its number among equal
//!   items of that turn; a copy of the log gives the same names
//! - what Codex writes in two streams (events and response items) is counted in each: the n-th in
//!   one is the n-th in the other
//! - at most [`SEGMENT`] contents are kept; a longer turn is cut into segments of that size

use serde::{Deserialize, Serialize};

/// Contents per segment of a turn.
const SEGMENT: usize = 1024;

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// In an event for the user interface.
    Event,
    /// In the conversation with the model, or nowhere else.
    Item,
}

/// The contents of the running turn.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Ledger {
    seen: Vec<(u64, u16, u16)>,
    segment: u32,
}

/// Name of an occurrence within its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Occurrence {
    pub(super) segment: u32,
    pub(super) number: u16,
}

impl Ledger {
    /// Forgets everything: a new turn, or another thread's lines.
    pub(super) fn reset(&mut self) {
        self.seen.clear();
        self.segment = 0;
    }

    /// Notes one more `content` in `stream`; `None` when the other stream has had it already.
    pub(super) fn note(&mut self, content: u64, stream: Stream) -> Option<Occurrence> {
        let at = match self.seen.iter().position(|(seen, ..)| *seen == content) {
            Some(at) => at,
            None => {
                if self.seen.len() == SEGMENT {
                    self.seen.clear();
                    self.segment += 1;
                }
                self.seen.push((content, 0, 0));
                self.seen.len() - 1
            }
        };
        let (_, events, items) = &mut self.seen[at];
        let (mine, other) = match stream {
            Stream::Event => (events, *items),
            Stream::Item => (items, *events),
        };
        *mine = mine.saturating_add(1);
        (*mine > other).then_some(Occurrence { segment: self.segment, number: *mine - 1 })
    }

    /// True when `content` has been an item more often than an event.
    pub(super) fn owes_event(&self, content: u64) -> bool {
        self.seen.iter().any(|(seen, events, items)| *seen == content && items > events)
    }

    /// True when `content` has been an event more often than an item.
    pub(super) fn owes_item(&self, content: u64) -> bool {
        self.seen.iter().any(|(seen, events, items)| *seen == content && events > items)
    }

    /// True when `content` has been seen in either stream.
    pub(super) fn knows(&self, content: u64) -> bool {
        self.seen.iter().any(|(seen, ..)| *seen == content)
    }
}

/// First 64 bits of the hash of `kind` and `parts`.
pub(super) fn content_hash(kind: &str, parts: &[&str]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(kind.as_bytes());
    for part in parts {
        hasher.update(&[0xff]);
        hasher.update(part.as_bytes());
    }
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}
