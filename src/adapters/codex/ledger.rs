//! Which texts of the running turn have been seen, and how often in which stream.
//!
//! - an item without an id of its own is named by its turn, its content and its number among equal
//!   items of that turn; a copy of the log gives the same names
//! - what Codex writes in two streams (events and response items) is counted in each: the n-th in
//!   one is the n-th in the other
//! - at most [`SEGMENT`] contents are kept; a longer turn is cut into segments of that size

use serde::{Deserialize, Serialize};

use crate::adapters::kit::content::Content;

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

    /// Notes the event of an item that has been told; gives the item's place, `None` without one.
    pub(super) fn note_late_event(&mut self, content: u64) -> Option<Occurrence> {
        let told = |(seen, events, items): &&mut (u64, u16, u16)| *seen == content && items > events;
        let (_, events, _) = self.seen.iter_mut().find(told)?;
        *events += 1;
        Some(Occurrence { segment: self.segment, number: *events - 1 })
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

/// Odd constants without pattern (digits of the square roots of 2, 3 and 5).
const MIX: [u64; 3] = [0x6a09_e667_f3bc_c909, 0xbb67_ae85_84ca_a73b, 0x3c6e_f372_fe94_f82b];

/// Both halves of the product: every bit of the result depends on all bits of both factors.
const fn fold(a: u64, b: u64) -> u64 {
    let product = (a as u128) * (b as u128);
    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    let halves = (product as u64, (product >> 64) as u64);
    halves.0 ^ halves.1
}

fn absorb(state: u64, bytes: &[u8]) -> u64 {
    let step = |state: u64, block: &[u8; 16]| {
        let block = u128::from_le_bytes(*block);
        #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
        let (low, high) = (block as u64, (block >> 64) as u64);
        // Adding the old state keeps it where a factor happens to be zero.
        fold(low ^ MIX[0], high ^ state).wrapping_add(state.rotate_left(23))
    };
    let (blocks, tail) = bytes.as_chunks::<16>();
    let state = blocks.iter().fold(state, step);
    let mut last = [0; 16];
    last[..tail.len()].copy_from_slice(tail);
    fold(step(state, &last) ^ MIX[1], bytes.len() as u64 ^ MIX[2])
}

/// A name of 64 bits for a text within its turn; it is the same in every version, see the test.
///
/// No digest that withstands attacks, which 64 bits could not be anyway: two texts with one name get
/// two numbers, so that their rows stay apart. Texts are hashed whole: BLAKE3 took a sixth of
/// all decoding time for them.
pub(super) fn content_hash(kind: &str, parts: &[&str]) -> u64 {
    parts.iter().fold(absorb(MIX[1], kind.as_bytes()), |state, part| absorb(state, part.as_bytes()))
}

/// The same for a record without a text that names it.
pub(super) fn record_hash(kind: &str, content: &Content) -> u64 {
    absorb(absorb(MIX[1], kind.as_bytes()), content.bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_of_contents_never_change_from_version_to_version() {
        assert_eq!(content_hash("user", &["hello"]), 0x6bc4_ac87_46c8_2d15);
        assert_eq!(content_hash("assistant", &["a text of more than sixteen bytes", ""]), 0xe827_53b6_c89b_736c);
    }

    #[test]
    fn texts_that_differ_a_little_have_different_names() {
        let text = "The quick brown fox jumps over the lazy dog, and then it goes home again.";
        let mut names = HashSet::new();
        for length in 0..=text.len() {
            let (head, _) = text.split_at(length);
            assert!(names.insert(content_hash("user", &[head])));
            assert!(names.insert(content_hash("user", &[head, ""])));
            assert!(names.insert(content_hash("user", &[head, "\0"])));
            assert!(names.insert(content_hash("tool", &[head])));
            for bit in 0..7 * length {
                let mut bytes = head.as_bytes().to_vec();
                bytes[bit / 7] ^= 1 << (bit % 7);
                assert!(names.insert(content_hash("user", &[std::str::from_utf8(&bytes).unwrap()])));
            }
        }
        let zeros = "\0".repeat(64);
        assert!((1..=64).all(|n| names.insert(content_hash("user", &[zeros.split_at(n).0]))));
    }
}
