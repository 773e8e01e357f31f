//! Reads many sources to their ends with a few workers.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::progress::Progress;
use super::source::{Job, Means, Outcome, SourceReader};
use super::survey::Survey;
use super::worker::{Stamp, Worker};
use super::{Core, PipelineError};
use crate::watch::Limits;

/// What a catch-up came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CaughtUp {
    /// Files read to their ends.
    pub read: u64,
    /// Files that are gone.
    pub gone: u64,
    /// Files that could not be read.
    pub failed: u64,
    /// Files that wait: changing at this moment, or behind the point where someone asked to stop.
    pub waiting: u64,
}

impl std::ops::AddAssign for CaughtUp {
    fn add_assign(&mut self, other: Self) {
        self.read += other.read;
        self.gone += other.gone;
        self.failed += other.failed;
        self.waiting += other.waiting;
    }
}

/// How to read many sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct How {
    /// Threads that read.
    pub workers: usize,
    /// True when nobody will look again soon: what an agent has marked as finished, or dated more than
    /// 30 s ago, is settled at the end of its file although more of it may come.
    pub history: bool,
}

/// Reads every file of `survey`, oldest first.
///
/// Rows are visible in `core` as they come and durable as far as the ring overflowed; the caller
/// flushes. After `progress.stop()` each worker ends after the record in hand.
///
/// # Errors
///
/// When the lake cannot be read or written: nothing that was not durable has moved a position.
pub fn catch_up(
    core: &Core,
    survey: &Survey,
    stamp: &Stamp,
    limits: Limits,
    how: How,
    progress: &Progress,
) -> Result<CaughtUp, PipelineError> {
    progress.plan(survey.jobs.len() as u64, survey.bytes);
    let next = AtomicUsize::new(0);
    let work = || one_worker(core, &survey.jobs, &next, stamp, limits, how.history, progress);
    let workers = how.workers.clamp(1, survey.jobs.len().max(1));
    if workers == 1 {
        return work();
    }
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
    });
    let mut total = CaughtUp::default();
    for result in results {
        let one = result.unwrap_or(Err(PipelineError::Worker))?;
        total += one;
    }
    Ok(total)
}

fn one_worker(
    core: &Core,
    jobs: &[Job],
    next: &AtomicUsize,
    stamp: &Stamp,
    limits: Limits,
    history: bool,
    progress: &Progress,
) -> Result<CaughtUp, PipelineError> {
    let mut worker = Worker::new(stamp.clone());
    let mut buffer = Vec::new();
    let mut done = CaughtUp::default();
    let result = loop {
        let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) else { break Ok(()) };
        if progress.stopped() {
            done.waiting += 1;
            continue;
        }
        let mut means =
            Means { core, progress, worker: &mut worker, buffer: &mut buffer, limits, history, live: false };
        match SourceReader::run(job, None, &mut means) {
            Ok((outcome, _)) => count(&mut done, outcome),
            Err(error) => break Err(error),
        }
        progress.file_done();
        if worker.is_full() {
            worker.deliver(core, progress)?;
        }
    };
    if result.is_err() {
        // The others would wait for a lake that cannot be written.
        progress.stop();
    }
    result?;
    worker.deliver(core, progress)?;
    Ok(done)
}

const fn count(done: &mut CaughtUp, outcome: Outcome) {
    match outcome {
        Outcome::Read | Outcome::Unchanged => done.read += 1,
        Outcome::Gone => done.gone += 1,
        Outcome::Failed => done.failed += 1,
        Outcome::Later { .. } | Outcome::Stopped => done.waiting += 1,
    }
}
