//! What devlog believes about the time, kept beside the checkpoints in `.state/clock`.
//!
//! A clock that jumps ahead makes all rows old at once. So time is believed step by step: what is much
//! later than the last time believed is in doubt until it has stayed so for a day.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Snapshot;
use super::disk;
use super::error::LakeError;
use super::layout::state_dir;

const DAY_US: i64 = 86_400_000_000;
/// Ahead of what was believed last a clock may be by so much.
const MARGIN_US: i64 = 2 * DAY_US;
/// A belief that has moved by less is not written again.
const WORTH_WRITING_US: i64 = DAY_US / 24;

/// The time as it is believed, and the doubt about the clock, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// The newest time believed, microseconds since 1970.
    pub believed_us: i64,
    /// What a clock far ahead of that would delete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<Doubt>,
}

/// A clock far ahead of what was believed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// What the clock said when it was noticed.
    pub since_us: i64,
    /// Rows earlier than this would be deleted by the clock alone; 0 before they are counted.
    pub before_us: i64,
    /// So many rows, if they are more than may go without waiting; else 0.
    pub rows: u64,
}

impl Clock {
    /// What the lake in `snapshot` proves: the newest commit and the newest event that do not lie in the
    /// future. Of an empty lake nothing can be lost, so the clock is believed.
    #[must_use]
    pub fn of(snapshot: &Snapshot, now_us: i64) -> Self {
        let logged = snapshot.events.iter().filter(|part| part.inferred_rows == 0).map(|part| part.max_ts_us);
        let committed = snapshot.version.map(|_| snapshot.committed_at_us);
        let proven = logged.chain(committed).filter(|us| *us <= now_us).max();
        Self { believed_us: proven.unwrap_or(now_us), doubt: None }
    }

    /// What was kept beside the lake in `root`.
    #[must_use]
    pub fn read(root: &Path) -> Option<Self> {
        serde_json::from_slice(&disk::read_file(&state_dir(root).join("clock")).ok()?).ok()
    }

    /// Keeps it beside the lake in `root`; not synced: without it the lake itself says what it proves.
    pub(crate) fn write(&self, root: &Path) -> Result<(), LakeError> {
        disk::put_copy(&state_dir(root).join("clock"), &serde_json::to_vec(self).unwrap_or_default())
    }

    /// Looks at the clock.
    #[must_use]
    pub const fn seen(self, now_us: i64) -> Self {
        let is_near = now_us <= self.believed_us.saturating_add(MARGIN_US);
        let doubt = match self.doubt {
            _ if is_near => None,
            Some(doubt) if now_us.saturating_sub(doubt.since_us) >= DAY_US => None,
            Some(doubt) if now_us >= doubt.since_us => Some(doubt),
            _ => Some(Doubt { since_us: now_us, before_us: 0, rows: 0 }),
        };
        let believed_us = if doubt.is_none() { now_us } else { self.believed_us };
        Self { believed_us, doubt }
    }

    /// The latest time that is beyond doubt.
    #[must_use]
    pub fn sure_us(&self, now_us: i64) -> i64 {
        now_us.min(self.believed_us.saturating_add(MARGIN_US))
    }

    /// True when a file that says `written` should say this.
    #[must_use]
    pub fn is_worth_writing(&self, written: Option<&Self>) -> bool {
        written.is_none_or(|old| {
            old.doubt != self.doubt || old.believed_us.abs_diff(self.believed_us) >= WORTH_WRITING_US.unsigned_abs()
        })
    }
}

impl Doubt {
    /// When the clock is believed if it stays as it is.
    #[must_use]
    pub const fn until_us(&self) -> i64 {
        self.since_us.saturating_add(DAY_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_on_is_believed_and_one_that_jumps_ahead_after_a_day_of_it() {
        let start = Clock { believed_us: 100 * DAY_US, doubt: None };
        let near = start.seen(101 * DAY_US);
        assert_eq!(near, Clock { believed_us: 101 * DAY_US, doubt: None });
        assert_eq!(near.seen(50 * DAY_US).believed_us, 50 * DAY_US, "it was ahead and is right again");
        let far = near.seen(1200 * DAY_US);
        assert_eq!((far.believed_us, far.doubt.map(|d| d.since_us)), (101 * DAY_US, Some(1200 * DAY_US)));
        assert_eq!(far.sure_us(1200 * DAY_US), 103 * DAY_US);
        assert_eq!(far.seen(1200 * DAY_US + DAY_US / 2), far, "half a day is not enough");
        assert_eq!(far.seen(1201 * DAY_US), Clock { believed_us: 1201 * DAY_US, doubt: None });
        assert_eq!(far.seen(102 * DAY_US), Clock { believed_us: 102 * DAY_US, doubt: None }, "right again");
        assert_eq!(far.seen(600 * DAY_US).doubt.map(|d| d.since_us), Some(600 * DAY_US), "another jump, another day");
        assert_eq!(far.seen(2000 * DAY_US).doubt, None, "a further jump is not told from a day of waiting");
        assert!(far.is_worth_writing(Some(&near)) && !far.is_worth_writing(Some(&far)) && far.is_worth_writing(None));
    }

    #[test]
    fn what_is_believed_stands_in_its_file() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Clock::read(dir.path()), None);
        std::fs::create_dir(state_dir(dir.path())).unwrap();
        let clock = Clock { believed_us: 7, doubt: Some(Doubt { since_us: 8, before_us: 9, rows: 10 }) };
        clock.write(dir.path()).unwrap();
        assert_eq!(Clock::read(dir.path()), Some(clock));
        std::fs::write(state_dir(dir.path()).join("clock"), "nonsense").unwrap();
        assert_eq!(Clock::read(dir.path()), None);
        assert_eq!(Clock::of(&Snapshot::empty(dir.path()), 5).believed_us, 5);
    }
}
