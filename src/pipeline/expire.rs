//! Deletes what is older than the user wants to keep, without trusting the clock alone.
//!
//! - rows older than the time that is beyond doubt allows go at once, and are not taken in again
//! - while the clock is far ahead of all that the lake proves, what it alone would delete goes only when
//!   it is no more than a tenth of the lake; else it waits for a day, which is told
//! - nothing is remembered as a filter: when the clock is right again, rows are taken in as before

use std::sync::atomic::Ordering;

use super::core::Core;
use super::{PipelineError, now_us};
use crate::lake::{Doubt, Lake, LakeError, PruneFilter};

impl Core {
    /// Takes no rows in that are older than `keep_us`, if it is given.
    pub fn keep(&self, keep_us: Option<i64>) {
        let Some(keep_us) = keep_us else { return };
        let now_us = now_us();
        let clock = self.retention.change(|seen| seen.clock = seen.clock.seen(now_us));
        self.retention.cutoff_us.store(cutoff(clock.sure_us(now_us), keep_us), Ordering::Relaxed);
    }
}

/// The start of the day before which rows are older than `keep_us` at `us`: whole days, so that little is
/// rewritten more often than once a day.
const fn cutoff(us: i64, keep_us: i64) -> i64 {
    us.saturating_sub(keep_us).div_euclid(DAY_US).saturating_mul(DAY_US)
}

/// Deletes rows older than `keep_us`, as the user wants it, and says how many; `None` keeps all.
///
/// # Errors
///
/// When the lake cannot be read or written; what was there stays valid.
pub fn retain(core: &Core, keep_us: Option<i64>) -> Result<(), PipelineError> {
    let now_us = now_us();
    let clock = core.retention.change(|seen| seen.clock = seen.clock.seen(now_us));
    if let Some(keep_us) = keep_us {
        let mut before_us = cutoff(clock.sure_us(now_us), keep_us);
        expire(core, before_us)?;
        if let Some(doubt) = clock.doubt {
            let alone_us = cutoff(now_us, keep_us);
            let doubt = if doubt.before_us == alone_us { doubt } else { weighed(core, doubt, alone_us)? };
            if doubt.rows == 0 {
                before_us = alone_us;
                expire(core, before_us)?;
            }
        }
        core.retention.cutoff_us.store(before_us, Ordering::Relaxed);
    }
    remember(core);
    let aged = core.retention.aged.swap(0, Ordering::Relaxed);
    if aged > 0 {
        tracing::warn!("rows older than the `retention` of config.toml were not stored: {aged}");
    }
    Ok(())
}

/// Deletes the rows that are earlier.
fn expire(core: &Core, before_us: i64) -> Result<(), PipelineError> {
    if core.snapshot().events.iter().any(|part| part.min_ts_us < before_us) {
        let done =
            core.upkeep(|lake| ignore_transient(lake.expire(before_us, now_us()), "deleting what is old enough"))?;
        let rows = done.flatten().map_or(0, |report| report.events + report.rejects);
        if rows > 0 {
            tracing::warn!("rows older than the `retention` of config.toml are deleted: {rows}");
        }
    }
    Ok(())
}

/// The doubt with the number of rows that the clock alone would delete, which is told when it is large.
fn weighed(core: &Core, doubt: Doubt, before_us: i64) -> Result<Doubt, LakeError> {
    let snapshot = core.snapshot();
    let filter = PruneFilter { before_us: Some(before_us), ..PruneFilter::default() };
    let old = Lake::prunable(&snapshot.root, &filter)?.events;
    let all: u64 = snapshot.events.iter().map(|part| part.rows).sum();
    let rows = if old.saturating_mul(SHARE) > all { old } else { 0 };
    let doubt = Doubt { before_us, rows, ..doubt };
    core.retention.change(|seen| seen.clock.doubt = Some(doubt));
    if rows > 0 {
        tracing::warn!(
            "the clock is far ahead of all that was stored before: `retention` would delete {rows} of {all} rows; \
             they stay for a day, and go when the clock still says so then"
        );
    }
    Ok(doubt)
}

/// Keeps what is believed for the next run.
fn remember(core: &Core) {
    core.retention.change(|seen| {
        if !seen.clock.is_worth_writing(seen.written.as_ref()) {
            return;
        }
        match core.keep_clock(&seen.clock) {
            Ok(()) => seen.written = Some(seen.clock),
            Err(error) => tracing::debug!(%error, "cannot keep the time that is believed"),
        }
    });
}

const DAY_US: i64 = 86_400_000_000;

/// By the clock alone no more than one row in so many goes without waiting.
const SHARE: u64 = 10;

/// What was done, or `None` when a damaged file was in the way, which is told.
pub(super) fn ignore_transient<T>(done: Result<T, LakeError>, doing: &str) -> Result<Option<T>, LakeError> {
    match done {
        Err(error @ LakeError::CorruptPart { .. }) => {
            tracing::warn!("{doing}: {error}; it is left as it is");
            Ok(None)
        }
        other => other.map(Some),
    }
}
