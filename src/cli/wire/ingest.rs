//! `ingest` and `backfill` as one process runs them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use super::upkeep::{Job, Wait, with_writer};
use super::{BackfillPlan, IngestPlan, Ingested, Moment, OnProgress};
use crate::backfill;
use crate::cli::{CliError, Progress, signals};
use crate::config::Settings;
use crate::discover::told;
use crate::lake::LakeError;
use crate::pipeline::{
    self, CatchUpOptions, Core, Flusher, Follower, FollowerOptions, HandedOn, Looks, PipelineError, Reading, ScanPlan,
    Scope, Tally, limits_for, now_us,
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
            events: tally.events.saturating_sub(tally.duplicates),
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

/// Reads history; returns what was read, or with `dry_run` what would be.
pub(in crate::cli) fn backfill(
    settings: &Settings,
    plan: &BackfillPlan,
    on: OnProgress<'_>,
) -> Result<super::Backfilled, CliError> {
    let scope = scope_of(settings, plan);
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
    let is_stopped = || progress.stopped();
    let open = || backfill::open_and_look(settings, &scope, backfill::open_writer);
    let done = with_writer(settings, &Job::CatchUp(plan.clone()), &is_stopped, on, open, |(core, found), on| {
        read_history(settings, &core, plan, found, &progress, on)
    })?;
    Ok(done.unwrap_or_else(|| super::Backfilled { stopped: true, ..super::Backfilled::default() }))
}

/// Reads what was `found`, on a thread of its own, and makes it durable.
pub(super) fn read_history(
    settings: &Settings,
    core: &Core,
    plan: &BackfillPlan,
    found: ScanPlan,
    progress: &pipeline::Progress,
    on: OnProgress<'_>,
) -> Result<super::Backfilled, CliError> {
    let scope = scope_of(settings, plan);
    let own = Settings { other_machine: plan.machine.clone(), ..settings.clone() };
    let settings = &own;
    let how = CatchUpOptions { workers: workers(plan.jobs), history: true, shown: false, open: None };
    let report = watched(progress, on, || {
        backfill::run(settings, core, &scope, found, how, progress)
            .map_err(|source| CliError::failed("reading the logs", source))
    })?;
    Ok(super::Backfilled {
        progress: Progress { events: report.stored, ..progress.tally().into() },
        found: report.found,
        failed: report.caught_up.failed,
        stopped: progress.stopped(),
        notes: told(&report.notes),
        needs_compaction: report.needs_compaction,
        planned: Vec::new(),
    })
}

/// What a running `ingest` knows of its own work; those who answer for it look here.
#[derive(Debug, Default)]
pub(super) struct Following {
    /// Set once it is to end.
    pub(super) stop: Arc<AtomicBool>,
    /// What was there when it started.
    pub(super) first: Arc<pipeline::Progress>,
    /// `first` has been read.
    pub(super) has_caught_up: AtomicBool,
    /// What came since.
    pub(super) live: Arc<pipeline::Progress>,
    /// Looks that others wait for.
    pub(super) looks: Arc<Looks>,
    /// How the logs are watched; unset until they are.
    pub(super) watch: OnceLock<WatchStatus>,
}

/// Catches up, then follows the logs until a signal; returns what was read.
pub(in crate::cli) fn ingest(
    settings: &Settings,
    plan: IngestPlan,
    on: &mut dyn FnMut(Moment),
) -> Result<Ingested, CliError> {
    let following = Arc::new(Following::default());
    let work = vec![Arc::clone(&following.first), Arc::clone(&following.live)];
    on_signal(Arc::clone(&following.stop), work)?;
    let scope = backfill::scope(settings);
    let open = || backfill::open_and_look(settings, &scope, backfill::open_writer);
    let is_stopped = || following.stop.load(Ordering::Relaxed);
    if plan.once {
        let job = Job::CatchUp(BackfillPlan::default());
        let on = &mut |progress| on(Moment::Reading(progress));
        let done = with_writer(settings, &job, &is_stopped, on, open, |(core, found), on| {
            read_history(settings, &core, &BackfillPlan::default(), found, &following.first, on)
        })?;
        let read = done.unwrap_or_default().progress;
        return Ok(Ingested { read, is_interrupted: is_stopped(), ..Ingested::default() });
    }
    let Some((core, found)) = only_follower(settings, &is_stopped, open)? else { return Ok(Ingested::default()) };
    if !settings.terminal.stderr {
        crate::cli::voice::say_when();
    }
    let core = Arc::new(core);
    let reading = Arc::new(Reading::new(Arc::clone(&following.first)));
    #[cfg(unix)]
    let _server = start_server(settings, &core, &following, &reading);
    let first = &following.first;
    let open_sources = Arc::new(HandedOn::default());
    let how = CatchUpOptions { workers: workers(None), history: false, shown: true, open: Some(&open_sources) };
    let caught_up = watched(first, &mut |progress| on(Moment::Reading(progress)), || {
        Ok(backfill::run(settings, &core, &scope, found, how, first))
    })?;
    let stored = match caught_up {
        // It may pass: the follower goes on where this ended, and tries again.
        Err(error @ PipelineError::Lake(_)) => {
            reading.is_stuck(&error.to_string());
            tell(&error);
            None
        }
        other => Some(other.map_err(|source| CliError::failed("reading the logs", source))?.stored),
    };
    if stored.is_some() {
        reading.is_current();
    }
    following.has_caught_up.store(true, Ordering::Relaxed);
    let read = Progress::from(first.tally());
    let read = Progress { events: stored.unwrap_or(read.events), ..read };
    if !is_stopped() {
        on(Moment::Following { read, files: files_by_agent(&core) });
        let flusher = Flusher::start(Arc::clone(&core), plan.flush_every, backfill::keep_us(settings), tell)
            .map_err(|source| CliError::failed("following the logs", source))?;
        follow_until(settings, &core, &following, &reading, open_sources)?;
        flusher.stop();
    }
    core.drain().map_err(|source| CliError::failed("writing the last rows", source))?;
    let live = following.live.tally();
    let events = live.events.saturating_sub(live.duplicates);
    Ok(Ingested { read, live: Progress { events, ..live.into() }, is_interrupted: false })
}

/// Opens the lake for the one process that follows the logs; `None` when the user ended the waiting.
fn only_follower<C>(
    settings: &Settings,
    is_stopped: &dyn Fn() -> bool,
    mut open: impl FnMut() -> Result<C, PipelineError>,
) -> Result<Option<C>, CliError> {
    let mut wait = Wait::new(settings.lock_wait);
    loop {
        match open() {
            Ok(opened) => return Ok(Some(opened)),
            Err(PipelineError::Lake(LakeError::Locked { pid, .. })) => {
                if let Some(daemon) = super::daemon(settings)?
                    && pid.is_none_or(|pid| pid == daemon.pid)
                {
                    return Err(CliError::Following { pid: daemon.pid });
                }
                wait.until_free(settings, pid, is_stopped)?;
                if is_stopped() {
                    return Ok(None);
                }
            }
            Err(error) => return Err(CliError::failed("opening the lake for writing", error)),
        }
    }
}

/// Log files that are there, by agent.
fn files_by_agent(core: &Core) -> BTreeMap<String, u64> {
    let mut files = BTreeMap::new();
    for position in core.positions().values().filter(|position| !position.missing) {
        *files.entry(position.agent.clone()).or_default() += 1;
    }
    files
}

fn follow_until(
    settings: &Settings,
    core: &Arc<Core>,
    following: &Following,
    reading: &Arc<Reading>,
    open: Arc<HandedOn>,
) -> Result<(), CliError> {
    let options = FollowerOptions {
        places: settings.places.clone(),
        scope: backfill::scope(settings),
        stamp: backfill::stamp(settings),
        limits: limits_for(settings.memory_bytes),
        backstop: BACKSTOP,
        reading: Arc::clone(reading),
        looks: Arc::clone(&following.looks),
        open,
    };
    let follower = Follower::start(Arc::clone(core), options, Arc::clone(&following.live));
    let mut follower = follower.map_err(|source| CliError::failed("following the logs", source))?;
    // Asked whenever somebody wants to know: at this moment not even the first root is watched.
    let _first = following.watch.set(follower.status());
    follower.run(&following.stop, tell).map_err(|source| CliError::failed("following the logs", source))
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
    following: &Arc<Following>,
    reading: &Arc<Reading>,
) -> Option<crate::serve::Server> {
    let (core, following, reading) = (Arc::clone(core), Arc::clone(following), Arc::clone(reading));
    let started = super::service::Answering::new(settings.clone(), core, following, reading, now_us())
        .and_then(|service| crate::serve::Server::start(&settings.socket, Arc::new(service)));
    match started {
        Ok(server) => Some(server),
        Err(error) => {
            tracing::warn!(
                "cannot listen at {:?} ({error}): queries see only what is on disk; set XDG_RUNTIME_DIR to a folder of \
                 your own (mode 0700), or use a shorter --home",
                settings.socket
            );
            None
        }
    }
}
