//! What a thread reads sources with.

use super::core::Core;
use super::job::{Job, Outcome, new_position};
use super::now_us;
use super::progress::Progress;
use super::worker::Worker;
use crate::schema::SourcePosition;
use crate::watch::Limits;

/// What a thread reads with: shared by all the sources it reads.
pub(super) struct ReadContext<'a> {
    pub(super) core: &'a Core,
    pub(super) progress: &'a Progress,
    pub(super) worker: &'a mut Worker,
    pub(super) buffer: &'a mut Vec<u8>,
    pub(super) limits: Limits,
    /// These are logs of the past, and this is the only look at them: what an agent has marked as
    /// finished is settled at the end of the file, instead of waiting for what may follow.
    pub(super) history: bool,
    /// Somebody is shown what is still open.
    pub(super) shown: bool,
    /// This run looks once more at what is being written at this moment.
    pub(super) comes_again: bool,
    /// The logs are followed as they grow; otherwise this look is for somebody who waits for it.
    pub(super) live: bool,
}

/// What a source is read with beside its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    /// Zone of local times.
    pub(super) zone: Option<chrono_tz::Tz>,
    /// Length of the longest file that is read along.
    pub(super) most_bytes: usize,
}

impl ReadContext<'_> {
    pub(super) const fn around(&self) -> Around {
        Around { zone: self.worker.zone(), most_bytes: self.limits.max_line }
    }

    /// When a change of the source at `position` was seen last; `None` in history, which nobody is writing.
    pub(super) fn seen_us(&self, position: &SourcePosition) -> Option<i64> {
        let never = position.read_at_us == 0;
        (!self.history).then(|| if never { now_us() } else { position.read_at_us })
    }
}

/// The file is gone: what its agent had open is settled by that, if it is still in memory.
pub(super) fn vanished(
    position: Option<SourcePosition>,
    settle: impl FnOnce(&mut ReadContext<'_>),
    means: &mut ReadContext<'_>,
) -> Outcome {
    let Some(mut position) = position.filter(|p| !p.missing) else { return Outcome::Gone };
    means.worker.begin(&position);
    settle(means);
    position.missing = true;
    means.worker.close(&mut position, means.progress);
    Outcome::Gone
}

/// Remembers what went wrong with a source, once.
pub(super) fn mark_failed(
    job: &Job,
    known: Option<SourcePosition>,
    text: &str,
    means: &mut ReadContext<'_>,
) -> Outcome {
    means.progress.file_failed();
    let mut position = known.unwrap_or_else(|| new_position(job, &job.stat.unwrap_or_default()));
    if position.last_error.as_deref() != Some(text) {
        position.last_error = Some(text.to_owned());
        means.worker.begin(&position);
        means.worker.close(&mut position, means.progress);
    }
    Outcome::Failed
}
