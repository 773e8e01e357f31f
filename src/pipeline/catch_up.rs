//! Reads many sources to their ends with a few workers.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::context::{ReadContext, mark_failed};
use super::handed_on::HandedOn;
use super::job::{Job, Outcome};
use super::progress::Progress;
use super::scan_plan::ScanPlan;
use super::source::SourceReader;
use super::starts;
use super::worker::{MachineContext, Worker};
use super::{Core, PipelineError, now_us};
use crate::schema::SourcePosition;
use crate::watch::Limits;

/// Longest wait for the writers of files: as long as a document is left alone before it is read.
const LONGEST_WAIT_US: i64 = 2_000_000;

/// Why a file was not read although someone waited for it.
const STILL_WRITTEN: &str = "its agent is writing it at this moment; it is tried again at the next look";

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
#[derive(Debug, Clone, Copy)]
pub struct CatchUpOptions<'a> {
    /// Threads that read.
    pub workers: usize,
    /// True when nobody will look again soon: what an agent has marked as finished, or dated more than
    /// 30 s ago, is settled at the end of its file although more of it may come.
    pub history: bool,
    /// True when somebody is shown what is still open; otherwise logs that hold nothing else are left alone.
    pub shown: bool,
    /// Where sources go in which something is still open, for who follows the logs from here on: it knows
    /// then what was shown, whatever becomes of the file meanwhile.
    pub open: Option<&'a HandedOn>,
}

/// Reads every file of `survey`, oldest first.
///
/// Rows are visible in `core` as they come and durable as far as the ring overflowed; the caller
/// flushes. After `progress.stop()` each worker ends after the record in hand. Files that are being
/// written are read once more when their writers may be done, at most 2 s later: no further look may
/// come. Those that are not to be read then either have a reason in `sources`.
///
/// # Errors
///
/// When the lake cannot be read or written: nothing that was not durable has moved a position.
pub fn catch_up(
    core: &Core,
    survey: &ScanPlan,
    stamp: &MachineContext,
    limits: Limits,
    how: CatchUpOptions<'_>,
    progress: &Progress,
) -> Result<CaughtUp, PipelineError> {
    progress.plan(survey.jobs.len() as u64, survey.bytes);
    if !survey.jobs.is_empty() {
        stamp.folders.remember(core.positions().values().map(|position| &**position));
        starts::learn(&survey.jobs, &stamp.folders);
    }
    let mut pass = Pass { core, stamp, limits, how, progress, is_last: false };
    let (mut total, later) = pass.read(&survey.jobs)?;
    let Some(at_us) = later.iter().map(|(at_us, _)| *at_us).max() else { return Ok(total) };
    wait(at_us, progress);
    pass.is_last = true;
    let known = core.positions();
    // What was read of a database that did not stand still is under a position by now.
    let by_path: HashMap<&str, _> = known.values().map(|position| (position.path.as_str(), position)).collect();
    let jobs: Vec<Job> = later.into_iter().map(|(_, job)| again(job, &by_path)).collect();
    total += pass.read(&jobs)?.0;
    Ok(total)
}

/// The job for a second look, now.
fn again(job: &Job, by_path: &HashMap<&str, &Arc<SourcePosition>>) -> Job {
    let known = job.path.to_str().and_then(|path| by_path.get(path)).map(|position| Arc::clone(position));
    Job { stat: None, previous: known.or_else(|| job.previous.clone()), ..job.clone() }
}

/// Waits until `at_us`, at most for [`LONGEST_WAIT_US`], or until someone asks to stop.
fn wait(at_us: i64, progress: &Progress) {
    let until_us = at_us.min(now_us() + LONGEST_WAIT_US);
    while now_us() < until_us && !progress.stopped() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// One pass over some files.
#[derive(Debug, Clone, Copy)]
struct Pass<'a> {
    core: &'a Core,
    stamp: &'a MachineContext,
    limits: Limits,
    how: CatchUpOptions<'a>,
    progress: &'a Progress,
    /// Nobody comes back for what cannot be read now.
    is_last: bool,
}

/// Files to look at once more, and when.
type Later<'j> = Vec<(i64, &'j Job)>;

impl Pass<'_> {
    /// Reads `jobs` with all workers.
    fn read<'j>(&self, jobs: &'j [Job]) -> Result<(CaughtUp, Later<'j>), PipelineError> {
        let next = AtomicUsize::new(0);
        let work = || self.work(jobs, &next);
        let workers = self.how.workers.clamp(1, jobs.len().max(1));
        if workers == 1 {
            return work();
        }
        let results: Vec<_> = std::thread::scope(|scope| {
            let start = |_| std::thread::Builder::new().spawn_scoped(scope, work).ok();
            let threads: Vec<_> = (0..workers).map_while(start).collect();
            // Where the system refuses threads, those there are do all of it, and this one if there is none.
            let own = threads.is_empty().then(|| Ok(work()));
            threads.into_iter().map(std::thread::ScopedJoinHandle::join).chain(own).collect()
        });
        let (mut total, mut later) = (CaughtUp::default(), Vec::new());
        for result in results {
            let (done, more) = result.unwrap_or(Err(PipelineError::Worker))?;
            total += done;
            later.extend(more);
        }
        Ok((total, later))
    }

    /// One worker: reads one file after another.
    fn work<'j>(&self, jobs: &'j [Job], next: &AtomicUsize) -> Result<(CaughtUp, Later<'j>), PipelineError> {
        let mut worker = Worker::new(self.stamp.clone(), self.limits.max_line);
        let mut buffer = Vec::new();
        let (mut done, mut later) = (CaughtUp::default(), Vec::new());
        let result = loop {
            let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) else { break Ok(()) };
            if self.progress.stopped() {
                done.waiting += 1;
                continue;
            }
            match self.one(job, &mut worker, &mut buffer) {
                Ok(Outcome::Later { at_us }) if !self.is_last => {
                    later.push((at_us, job));
                    continue;
                }
                Ok(outcome) => count(&mut done, outcome),
                Err(error) => break Err(error),
            }
            self.progress.file_done();
            if worker.is_full() {
                let _turn = self.core.shared_permit();
                worker.deliver(self.core, self.progress)?;
            }
        };
        if result.is_err() {
            // The others would wait for a lake that cannot be written.
            self.progress.stop();
        }
        result?;
        let _turn = self.core.shared_permit();
        worker.deliver(self.core, self.progress)?;
        Ok((done, later))
    }

    fn one(&self, job: &Job, worker: &mut Worker, buffer: &mut Vec<u8>) -> Result<Outcome, PipelineError> {
        let Self { core, limits, progress, .. } = *self;
        let mut means = ReadContext {
            core,
            progress,
            worker,
            buffer,
            limits,
            history: self.how.history,
            shown: self.how.shown,
            comes_again: !self.is_last,
            live: false,
        };
        let (outcome, reader) = SourceReader::run(job, None, &mut means)?;
        if let (Some(open), Some(reader)) = (self.how.open, reader.filter(SourceReader::is_unfinished)) {
            open.add(job, reader);
        }
        if self.is_last && matches!(outcome, Outcome::Later { .. }) {
            mark_failed(job, job.previous.as_deref().cloned(), STILL_WRITTEN, &mut means);
        }
        Ok(outcome)
    }
}

const fn count(done: &mut CaughtUp, outcome: Outcome) {
    match outcome {
        Outcome::Read | Outcome::Unchanged => done.read += 1,
        Outcome::Gone => done.gone += 1,
        Outcome::Failed => done.failed += 1,
        Outcome::Later { .. } | Outcome::Stopped => done.waiting += 1,
    }
}

#[cfg(test)]
mod tests;
