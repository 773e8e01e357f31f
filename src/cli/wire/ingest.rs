//! `ingest` and `backfill` as one process runs them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

#[cfg(unix)]
use super::service::Watching;
use super::{BackfillPlan, IngestPlan, OnProgress};
use crate::backfill;
use crate::cli::{CliError, Progress, signals};
use crate::config::Settings;
use crate::discover::told;
use crate::lake::LakeError;
use crate::pipeline::{
    self, Core, Flusher, Follower, FollowerOptions, How, PipelineError, Reading, Scope, Survey, Tally, limits_for,
    now_us,
};
use crate::watch::WatchStatus;

/// How often progress is shown.
const TICK: Duration = Duration::from_millis(100);

/// Time between scans beside the notifications.
const BACKSTOP: Duration = Duration::from_secs(5);

impl From<Tally> for Progress {
    fn from(tally: Tally) -> Self {
        Self {
            files_done: tally.files,
            files: tally.files_total,
            bytes_done: tally.bytes,
            bytes: tally.bytes_total,
            events: tally.events,
            rejects: tally.rejects,
        }
    }
}

/// Runs `work` on a thread of its own and shows its progress until it is done. Where the system refuses a
/// thread it runs on this one, and shows nothing.
pub(super) fn watched<T: Send>(
    progress: &pipeline::Progress,
    on: OnProgress<'_>,
    work: impl FnOnce() -> Result<T, CliError> + Send,
) -> Result<T, CliError> {
    let panicked = || Err(CliError::failed("reading the logs", PipelineError::Worker));
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

/// Sets `stop` and stops each of `work` at the first SIGINT or SIGTERM; the second one ends the process
/// at once. From its return on no signal ends the process unseen.
fn on_signal(stop: Arc<AtomicBool>, work: Vec<Arc<pipeline::Progress>>) -> Result<(), CliError> {
    signals::listen(|mut signals| async move {
        if signals.next().await.is_err() {
            return;
        }
        stop.store(true, Ordering::Relaxed);
        work.iter().for_each(|progress| progress.stop());
        if signals.next().await.is_ok() {
            // Nothing durable can be harmed.
            signals::leave();
        }
    })
}

fn writer(settings: &Settings, scope: &Scope) -> Result<(Core, Survey), CliError> {
    backfill::open_and_look(settings, scope, backfill::open_writer)
        .map_err(|source| CliError::failed("opening the lake for writing", source))
}

fn workers(jobs: Option<u16>) -> usize {
    jobs.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from)
}

/// Reads history; returns what was read, or with `dry_run` what would be.
pub(in crate::cli) fn backfill(
    settings: &Settings,
    plan: &BackfillPlan,
    on: OnProgress<'_>,
) -> Result<super::Backfilled, CliError> {
    let scope = Scope {
        agents: plan.agents.clone(),
        paths: plan.path.iter().cloned().collect(),
        since_us: plan.since_us,
        until_us: plan.until_us,
        ..backfill::scope(settings)
    };
    if plan.dry_run {
        let core = backfill::open_reader(settings).map_err(|e| CliError::failed("reading the lake", e))?;
        let found = backfill::look_around(settings, &scope, &core);
        let progress = Progress { files: found.files() as u64, bytes: found.bytes, ..Progress::default() };
        let plan = found.plan().filter(|(_, path, _)| path.exists());
        let planned = plan.map(|(agent, path, bytes)| super::Planned { agent: agent.into(), path: path.into(), bytes });
        return Ok(super::Backfilled {
            progress,
            found: found.found,
            notes: told(&found.notes),
            planned: planned.collect(),
            ..super::Backfilled::default()
        });
    }
    let progress = Arc::new(pipeline::Progress::default());
    on_signal(Arc::default(), vec![Arc::clone(&progress)])?;
    let (core, found) = writer(settings, &scope)?;
    let own = Settings { other_machine: plan.machine.clone(), ..settings.clone() };
    let settings = &own;
    let report = watched(&progress, on, || {
        backfill::run(settings, &core, &scope, found, How { workers: workers(plan.jobs), history: true }, &progress)
            .map_err(|source| CliError::failed("reading the logs", source))
    })?;
    Ok(super::Backfilled {
        progress: Progress { events: report.stored, ..progress.tally().into() },
        found: report.found,
        failed: report.caught_up.failed,
        stopped: progress.stopped(),
        notes: told(&report.notes),
        is_untidy: report.is_untidy,
        planned: Vec::new(),
    })
}

/// Catches up, then follows the logs until a signal; returns what was read, and whether a signal came.
pub(in crate::cli) fn ingest(
    settings: &Settings,
    plan: IngestPlan,
    on: OnProgress<'_>,
) -> Result<(Progress, bool), CliError> {
    let progress = Arc::new(pipeline::Progress::default());
    let stop = Arc::new(AtomicBool::new(false));
    let follow = Arc::new(pipeline::Progress::default());
    on_signal(Arc::clone(&stop), vec![Arc::clone(&progress), Arc::clone(&follow)])?;
    let scope = backfill::scope(settings);
    let (core, found) = writer(settings, &scope)?;
    let core = Arc::new(core);
    let watch = Arc::new(OnceLock::new());
    let reading = Arc::new(Reading::new(Arc::clone(&progress)));
    #[cfg(unix)]
    let _server = start_server(settings, &core, &watch, &reading);
    let how = How { workers: workers(None), history: plan.once };
    let caught_up = watched(&progress, on, || Ok(backfill::run(settings, &core, &scope, found, how, &progress)))?;
    let stored = match caught_up {
        // It may pass: the follower goes on where this ended, and tries again.
        Err(error @ PipelineError::Lake(_)) if !plan.once => {
            reading.is_stuck(&error.to_string());
            tell(&error);
            None
        }
        other => Some(other.map_err(|source| CliError::failed("reading the logs", source))?.stored),
    };
    if stored.is_some() {
        reading.is_current();
    }
    if !plan.once && !stop.load(Ordering::Relaxed) {
        let flusher = Flusher::start(Arc::clone(&core), plan.flush_every, backfill::keep_us(settings), tell)
            .map_err(|source| CliError::failed("following the logs", source))?;
        follow_until(settings, &core, &stop, &watch, (follow, reading))?;
        flusher.stop();
    }
    core.flush().map_err(|source| CliError::failed("writing the last rows", source))?;
    let read = Progress::from(progress.tally());
    let read = Progress { events: stored.unwrap_or(read.events), ..read };
    Ok((read, stop.load(Ordering::Relaxed)))
}

fn follow_until(
    settings: &Settings,
    core: &Arc<Core>,
    stop: &AtomicBool,
    watch: &OnceLock<WatchStatus>,
    (progress, reading): (Arc<pipeline::Progress>, Arc<Reading>),
) -> Result<(), CliError> {
    let options = FollowerOptions {
        places: settings.places.clone(),
        scope: backfill::scope(settings),
        stamp: backfill::stamp(settings),
        limits: limits_for(settings.memory_bytes),
        backstop: BACKSTOP,
        reading,
    };
    let follower = Follower::start(Arc::clone(core), options, progress);
    let mut follower = follower.map_err(|source| CliError::failed("following the logs", source))?;
    // Asked whenever somebody wants to know: at this moment not even the first root is watched.
    let _first = watch.set(follower.status());
    follower.run(stop, tell).map_err(|source| CliError::failed("following the logs", source))
}

/// Failures that pass: they are told, and tried again.
fn tell(error: &PipelineError) {
    match error {
        PipelineError::Lake(LakeError::DiskFull { .. }) => tracing::warn!("{error}"),
        _ => tracing::error!("{error}"),
    }
}

#[cfg(unix)]
fn start_server(
    settings: &Settings,
    core: &Arc<Core>,
    watch: &Watching,
    reading: &Arc<Reading>,
) -> Option<crate::serve::Server> {
    let (core, watch, reading) = (Arc::clone(core), Arc::clone(watch), Arc::clone(reading));
    let started = super::service::Answering::new(settings.clone(), core, watch, reading, now_us())
        .and_then(|service| crate::serve::Server::start(&settings.home, Arc::new(service)));
    match started {
        Ok(server) => Some(server),
        Err(error) => {
            let path = crate::serve::socket_path(&settings.home);
            tracing::warn!(%error, ?path, "no socket: queries will see durable rows only; a shorter --home may help");
            None
        }
    }
}
