//! `ingest` and `backfill` as one process runs them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::OpError;
use super::following::Following;
use super::history::{read_history, scope_of, watched, workers};
use super::progress::Progress;
use super::signals;
use super::upkeep::{Job, Wait, with_writer};
use super::{BackfillPlan, IngestPlan, Ingested, Moment, OnProgress};
use crate::backfill;
use crate::config::Settings;
use crate::discover::told;
use crate::lake::LakeError;
use crate::pipeline::{
    self, CatchUpOptions, Core, Flusher, Follower, FollowerOptions, HandedOn, PipelineError, Reading, limits_for,
    now_us,
};

/// Time between scans beside the notifications.
const BACKSTOP: Duration = Duration::from_secs(5);

/// Sets `stop` and stops each of `work` at the first SIGINT or SIGTERM; the second one ends the process
/// at once. From its return on no signal ends the process unseen.
fn on_signal(stop: Arc<AtomicBool>, work: Vec<Arc<pipeline::Progress>>) -> Result<(), OpError> {
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

/// Reads history; returns what was read, or with `dry_run` what would be.
pub(crate) fn backfill(
    settings: &Settings,
    plan: &BackfillPlan,
    on: OnProgress<'_>,
) -> Result<super::Backfilled, OpError> {
    let scope = scope_of(settings, plan);
    if plan.dry_run {
        let core = backfill::open_reader(settings).map_err(|e| OpError::failed("reading the lake", e))?;
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

/// Catches up, then follows the logs until a signal; returns what was read.
pub(crate) fn ingest(settings: &Settings, plan: IngestPlan, on: &mut dyn FnMut(Moment)) -> Result<Ingested, OpError> {
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
    on(Moment::Begun);
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
        other => {
            let report = other.map_err(|source| OpError::failed("reading the logs", source))?;
            reading.met(report.notes);
            Some(report.stored)
        }
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
            .map_err(|source| OpError::failed("following the logs", source))?;
        follow_until(settings, &core, &following, &reading, open_sources)?;
        flusher.stop();
    }
    core.drain().map_err(|source| OpError::failed("writing the last rows", source))?;
    let live = following.live.tally();
    let events = live.events.saturating_sub(live.duplicates);
    Ok(Ingested { read, live: Progress { events, ..live.into() }, is_interrupted: false })
}

/// Opens the lake for the one process that follows the logs; `None` when the user ended the waiting.
fn only_follower<C>(
    settings: &Settings,
    is_stopped: &dyn Fn() -> bool,
    mut open: impl FnMut() -> Result<C, PipelineError>,
) -> Result<Option<C>, OpError> {
    let mut wait = Wait::new(settings.lock_wait);
    loop {
        match open() {
            Ok(opened) => return Ok(Some(opened)),
            Err(PipelineError::Lake(LakeError::Locked { pid, .. })) => {
                if let Some(daemon) = super::daemon(settings)?
                    && pid.is_none_or(|pid| pid == daemon.pid)
                {
                    return Err(OpError::Following { pid: daemon.pid });
                }
                wait.until_free(settings, pid, is_stopped)?;
                if is_stopped() {
                    return Ok(None);
                }
            }
            Err(error) => return Err(OpError::failed("opening the lake for writing", error)),
        }
    }
}

/// Log files that are there, by agent.
fn files_by_agent(core: &Core) -> BTreeMap<String, u64> {
    let mut files = BTreeMap::new();
    for position in core.positions().values().filter(|position| !position.missing) {
        *files.entry(position.agent.to_string()).or_default() += 1;
    }
    files
}

fn follow_until(
    settings: &Settings,
    core: &Arc<Core>,
    following: &Following,
    reading: &Arc<Reading>,
    open: Arc<HandedOn>,
) -> Result<(), OpError> {
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
    let mut follower = follower.map_err(|source| OpError::failed("following the logs", source))?;
    // Asked whenever somebody wants to know: at this moment not even the first root is watched.
    let _first = following.watch.set(follower.status());
    follower.run(&following.stop, tell).map_err(|source| OpError::failed("following the logs", source))
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
