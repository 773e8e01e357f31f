//! Who may read while a long line is in memory? Nobody else.
//!
//! - a line takes its size a few times over until its rows are durable: as bytes, as rows, as a page of a
//!   file, as that page compressed
//! - readers share their turn for a load of rows at a time; one that has met a long line waits until the
//!   others have handed theirs over, and reads on alone
//! - whoever reads a database takes a turn only to hand rows over: its records come one by one

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Readers side by side, or one alone.
#[derive(Debug, Default)]
pub(super) struct MemoryGate(RwLock<()>);

/// The right to read on. Whoever holds it may wait for the lake; those who write the lake for others never
/// wait for a turn.
pub(super) enum ReadPermit<'a> {
    /// Others read too.
    Shared { _held: RwLockReadGuard<'a, ()> },
    /// Nobody else reads.
    Alone { _held: RwLockWriteGuard<'a, ()> },
}

impl MemoryGate {
    /// Waits while somebody reads alone.
    pub(super) fn shared(&self) -> ReadPermit<'_> {
        ReadPermit::Shared { _held: self.0.read().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Waits until nobody reads. The caller must not hold a turn.
    pub(super) fn alone(&self) -> ReadPermit<'_> {
        ReadPermit::Alone { _held: self.0.write().unwrap_or_else(PoisonError::into_inner) }
    }
}

impl ReadPermit<'_> {
    /// True when nobody else reads.
    pub(super) const fn is_alone(&self) -> bool {
        matches!(self, Self::Alone { .. })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn whoever_reads_a_long_line_reads_alone() {
        let (turns, reading, alone) = (MemoryGate::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let read = |long: bool| {
            for _ in 0..200 {
                let turn = if long { turns.alone() } else { turns.shared() };
                let others = reading.fetch_add(1, Ordering::SeqCst);
                assert!(!turn.is_alone() || others == 0, "{others} others read");
                assert!(turn.is_alone() || alone.load(Ordering::SeqCst) == 0);
                alone.fetch_add(usize::from(turn.is_alone()), Ordering::SeqCst);
                std::thread::yield_now();
                alone.fetch_sub(usize::from(turn.is_alone()), Ordering::SeqCst);
                reading.fetch_sub(1, Ordering::SeqCst);
            }
        };
        std::thread::scope(|threads| {
            for long in [false, true, false, true] {
                threads.spawn(move || read(long));
            }
        });
    }
}
