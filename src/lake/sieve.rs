//! Which ids are in no part at all?
//!
//! Nearly all rows that arrive are new, and a lake may have a thousand parts: one look into a field of
//! bits over the ids of all of them answers for most rows, whatever their time. It is made of the
//! filters of the parts when it begins to pay, takes new parts in, and is made anew when it has become
//! too full. Parts that are gone leave their bits behind: these cost a look into the filters, no more.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Rows that a word of 64 bits is for.
const ROWS_A_WORD: usize = 4;
/// Rows that the smallest field is for.
const LEAST_ROWS: usize = 1 << 14;

/// A field of bits over the ids of many parts.
#[derive(Debug)]
pub(crate) struct Sieve {
    words: Vec<AtomicU64>,
    rows: AtomicUsize,
}

impl Sieve {
    /// One for twice as many rows, in at most `limit` bytes.
    pub(crate) fn for_rows(rows: usize, limit: usize) -> Self {
        let words = (rows.max(LEAST_ROWS / 2) * 2 / ROWS_A_WORD).min(limit / 8).max(1);
        Self { words: (0..words).map(|_| AtomicU64::new(0)).collect(), rows: AtomicUsize::new(0) }
    }

    /// Takes in the ids that begin with these 32 bits.
    pub(crate) fn add(&self, prefixes: impl Iterator<Item = u32>) {
        let mut new = 0;
        for prefix in prefixes {
            let (word, mask) = self.place(prefix);
            let before = self.words[word].fetch_or(mask, Ordering::Relaxed);
            new += usize::from(before & mask != mask);
        }
        self.rows.fetch_add(new, Ordering::Relaxed);
    }

    /// True for every id that was taken in, and for about one in 200 others while it is not too full.
    pub(crate) fn may_hold(&self, id: u128) -> bool {
        let (word, mask) = self.place((id >> 96) as u32);
        self.words[word].load(Ordering::Relaxed) & mask == mask
    }

    /// True when it holds more rows than it is for.
    pub(crate) fn is_full(&self) -> bool {
        self.rows.load(Ordering::Relaxed) > self.words.len() * ROWS_A_WORD
    }

    /// Memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.words.len() * 8
    }

    /// The word of an id and its four bits there.
    fn place(&self, prefix: u32) -> (usize, u64) {
        let mut hash = u64::from(prefix).wrapping_add(0x9E37_79B9_7F4A_7C15);
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        hash ^= hash >> 31;
        let word = ((u128::from(hash >> 32) * self.words.len() as u128) >> 32) as usize;
        let bit = |at: u32| 1u64 << ((hash >> (6 * at)) & 63);
        (word, bit(0) | bit(1) | bit(2) | bit(3))
    }
}

/// The sieve that is in use, and the parts whose ids it holds.
#[derive(Debug, Default)]
pub(crate) struct Covered {
    pub(crate) sieve: Option<Arc<Sieve>>,
    pub(crate) parts: HashSet<String>,
    /// What looking without one has cost, in rows that building one would have cost.
    pub(crate) spent: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sieve_lets_what_it_holds_pass_and_little_else() {
        let spread = |i: u64| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32;
        let sieve = Sieve::for_rows(100_000, usize::MAX);
        sieve.add((0..100_000).map(spread));
        assert!(!sieve.is_full());
        assert!((0..100_000).all(|i| sieve.may_hold(u128::from(spread(i)) << 96)));
        let others = (1 << 32..(1u64 << 32) + 100_000).map(spread);
        let passed = others.filter(|prefix| sieve.may_hold(u128::from(*prefix) << 96)).count();
        assert!(passed < 1000, "{passed}");
        sieve.add((200_000..400_000).map(spread));
        assert!(sieve.is_full());
        assert!(Sieve::for_rows(1 << 30, 4096).bytes() <= 4096);
    }
}
