//! Reading what there is, with progress.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::progress::Progress;
use super::{BackfillPlan, Backfilled, OnProgress, OpError};
use crate::backfill;
use crate::config::Settings;
use crate::discover::told;
use crate::pipeline::{self, CatchUpOptions, Core, PipelineError, ScanPlan, Scope};

/// Runs `work` on a thread of its own and shows its progress until it is done. Where the system refuses a
/// thread it runs on this one, and shows nothing.
pub(super) fn watched<T: Send>(
    progress: &pipeline::Progress,
    on: OnProgress<'_>,
    work: impl FnOnce() -> Result<T, OpError> + Send,
) -> Result<T, OpError> {
    let panicked = || Err(OpError::failed("reading the logs", PipelineError::Worker));
    let work = Mutex::new(Some(work));
    let run = || work.lock().unwrap_or_else(PoisonError::into_inner).take().map(|work| work());
    let (done, finished) = channel();
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, || {
            let result = run();
            // The other side waits for this message or for the channel's end.
            let _unheard = done.send(());
            result
        });
        let Ok(thread) = thread else { return run().unwrap_or_else(panicked) };
        while matches!(finished.recv_timeout(TICK), Err(RecvTimeoutError::Timeout)) && !thread.is_finished() {
            on(progress.tally().into());
        }
        let result = thread.join().ok().flatten().unwrap_or_else(panicked);
        on(progress.tally().into());
        result
    })
}

pub(super) fn workers(jobs: Option<u16>) -> usize {
    jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// The logs that `plan` means.
pub(super) fn scope_of(settings: &Settings, plan: &BackfillPlan) -> Scope {
    Scope {
        agents: plan.agents.clone(),
        paths: plan.path.iter().cloned().collect(),
        since_us: plan.since_us,
        until_us: plan.until_us,
        ..backfill::scope(settings)
    }
}

/// Reads what was `found`, on a thread of its own, and makes it durable.
pub(super) fn read_history(
    settings: &Settings,
    core: &Core,
    plan: &BackfillPlan,
    found: ScanPlan,
    progress: &pipeline::Progress,
    on: OnProgress<'_>,
) -> Result<Backfilled, OpError> {
    let scope = scope_of(settings, plan);
    let own = Settings { other_machine: plan.machine.clone(), ..settings.clone() };
    let settings = &own;
    let how = CatchUpOptions { workers: workers(plan.jobs), history: true, shown: false, open: None };
    let report = watched(progress, on, || {
        backfill::run(settings, core, &scope, found, how, progress)
            .map_err(|source| OpError::failed("reading the logs", source))
    })?;
    Ok(Backfilled {
        progress: Progress { events: report.stored, ..progress.tally().into() },
        found: report.found,
        failed: report.caught_up.failed,
        stopped: progress.stopped(),
        notes: told(&report.notes),
        needs_compaction: report.needs_compaction,
        planned: Vec::new(),
    })
}

/// How often progress is shown.
const TICK: Duration = Duration::from_millis(100);
