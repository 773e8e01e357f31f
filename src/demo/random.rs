//! A small, fast, portable random number generator.

/// SplitMix64: every seed is good, the sequence is the same everywhere.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub(super) const fn below(&mut self, limit: u64) -> u64 {
        // The high half of the product is spread evenly enough for limits far below 2^64.
        ((self.next() as u128 * limit as u128) >> 64) as u64
    }

    /// A number from `low` to `high - 1`.
    pub(super) const fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low)
    }

    /// True in `percent` of 100 cases.
    pub(super) const fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `items`, which is not empty.
    #[expect(clippy::cast_possible_truncation, reason = "below the length of a slice")]
    pub(super) const fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len() as u64) as usize]
    }

    /// One of `items`; the first ones come far more often than the last ones.
    pub(super) const fn pick_skewed<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let r = self.next();
        let (a, b) = (r >> 32, r & 0xffff_ffff);
        // The product of two even variables: half of the picks fall into the first fifth.
        &items[((((a * b) >> 32) * items.len() as u64) >> 32) as usize]
    }
}
