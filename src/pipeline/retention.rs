//! What a core knows of time and age: the clock that is believed, and rows too old to be taken in.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::now_us;
use crate::lake::{Clock, Snapshot};

/// What a core knows of time and age.
#[derive(Debug)]
pub(super) struct Retention {
    clock: Mutex<Seen>,
    /// Rows earlier than this are not taken in.
    pub(super) cutoff_us: AtomicI64,
    /// Rows that were not taken in and not told yet.
    pub(super) aged: AtomicU64,
}

/// The clock as it is believed, and as it was written last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    pub(super) clock: Clock,
    pub(super) written: Option<Clock>,
}

impl Retention {
    /// Looks at the clock for the lake in `snapshot`.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let (now_us, written) = (now_us(), Clock::read(&snapshot.root));
        let clock = written.unwrap_or_else(|| Clock::of(snapshot, now_us)).seen(now_us);
        Self {
            clock: Mutex::new(Seen { clock, written }),
            cutoff_us: AtomicI64::new(i64::MIN),
            aged: AtomicU64::new(0),
        }
    }

    /// Rows earlier than this are not taken in.
    pub(super) fn cutoff_us(&self) -> i64 {
        self.cutoff_us.load(Ordering::Relaxed)
    }

    /// Some rows were not taken in.
    pub(super) fn count_aged(&self, rows: u64) {
        self.aged.fetch_add(rows, Ordering::Relaxed);
    }

    /// Changes what is seen of the clock, and says what is believed then.
    pub(super) fn change(&self, change: impl FnOnce(&mut Seen)) -> Clock {
        let mut seen = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut seen);
        seen.clock
    }
}
