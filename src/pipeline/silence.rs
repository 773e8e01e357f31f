//! Whether an agent has stopped writing for a while.

use super::context::ReadContext;
use super::now_us;
use crate::schema::SourcePosition;

/// An agent that has not written for this long has settled what it wrote.
pub(super) const SILENCE_US: i64 = 30_000_000;

/// A log of the past that was written to so lately may still be being copied.
pub(super) const COPIED_US: i64 = 500_000;

/// A busy or moving database is looked at again after this.
pub(super) const AGAIN_US: i64 = 2_000_000;

/// True when nobody has written for a while to a file with this time. One that is ahead of the clock does not
/// tell when that was: what counts then is when a change was seen last, `seen_us`.
pub(super) fn is_silent(modified_us: i64, seen_us: Option<i64>) -> bool {
    let now_us = now_us();
    let since_us = if is_ahead(modified_us, now_us) { seen_us.unwrap_or(i64::MIN) } else { modified_us };
    now_us.saturating_sub(since_us) >= SILENCE_US
}

/// When the source at `position` will have been silent for long enough if nobody writes to it.
pub(super) fn silent_at_us(position: &SourcePosition) -> i64 {
    let modified_us = position.fingerprint.modified_ns / 1000;
    let since_us = if is_ahead(modified_us, now_us()) { position.read_at_us } else { modified_us };
    since_us.saturating_add(SILENCE_US)
}

fn is_ahead(modified_us: i64, now_us: i64) -> bool {
    modified_us.saturating_sub(now_us) > SILENCE_US
}

/// True when the source at `position`, in which something is open or torn, was looked at last before its agent
/// had been silent for long enough: a further look may settle it.
pub(super) fn is_due(position: &SourcePosition, seen_us: Option<i64>) -> bool {
    let modified_us = position.fingerprint.modified_ns / 1000;
    let looked_us = position.read_at_us;
    let was_silent = looked_us.saturating_sub(modified_us) >= SILENCE_US || is_ahead(modified_us, looked_us);
    !was_silent && is_silent(modified_us, seen_us)
}

/// True when a look that found nothing new spares the next run one: the times of the file prove now that it is as
/// it was. While it is followed nobody waits for that, and the agent may touch it again at any time.
pub(super) fn proves_more(before: &SourcePosition, now: &SourcePosition, means: &ReadContext<'_>) -> bool {
    !means.live && !now.fingerprint.is_untrusted() && now.fingerprint != before.fingerprint
}
