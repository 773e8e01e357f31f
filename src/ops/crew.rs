//! What a running `ingest` does for other devlog processes, beside following the logs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::OpError;
use super::following::Following;
use super::history::{read_history, scope_of, watched};
use super::progress::Progress;
use super::upkeep::Job;
use super::{Allowed, BackfillPlan, Backfilled, lake};
use crate::backfill;
use crate::config::Settings;
use crate::discover::told;
use crate::pipeline::{self, Core, PipelineError, Tally, now_us, walk};
use crate::serve::Told;

/// How often it is looked whether those who wait have gone.
const TICK: Duration = Duration::from_millis(100);

/// What a job works with.
pub(super) struct Crew<'a> {
    pub(super) settings: &'a Settings,
    pub(super) core: &'a Arc<Core>,
    pub(super) following: &'a Following,
}

impl Crew<'_> {
    /// Does `job`, and says how far it is; it ends early when nobody waits for it any more.
    pub(super) fn does(&self, job: &Job, tell: &mut dyn FnMut(Told) -> bool) -> Result<Value, OpError> {
        let is_over = AtomicBool::new(false);
        let own = pipeline::Progress::default();
        let begun = self.first_tally();
        let mut on = |progress: Progress| {
            let shown = plus(progress, since(self.following.first.tally(), begun).into());
            let told = serde_json::to_value(shown).is_ok_and(|shown| tell(Told::Progress(shown)));
            if !told || self.following.stop.load(Ordering::Relaxed) {
                is_over.store(true, Ordering::Relaxed);
                own.stop();
            }
        };
        let goes_on = || !is_over.load(Ordering::Relaxed);
        match job {
            Job::CatchUp(plan) => json(&self.catch_up(plan, &own, &goes_on, &mut on)?),
            Job::Compact => {
                let work = || lake::merge(self.core, self.core.merge_bytes(), 1, &goes_on);
                json(&watched(&own, &mut on, work)?)
            }
            Job::Prune(plan) => json(&watched(&own, &mut on, || lake::prune_in(self.settings, self.core, plan))?),
            Job::AllowAgain => json(&self.allow_again(&goes_on, &mut on)?),
            Job::Snapshot => {
                let work = || self.core.drain().map_err(storing).and_then(|()| lake::link(self.settings));
                json(&watched(&own, &mut on, work)?)
            }
            Job::DropCopies => json(&watched(&own, &mut on, || lake::drop_copies_in(self.core))?),
            Job::Check => json(&watched(&own, &mut on, || lake::check(self.settings))?),
        }
    }

    /// What the first catch-up has read so far that a new client need not hear of: all, when it is over.
    fn first_tally(&self) -> Tally {
        let is_over = self.following.has_caught_up.load(Ordering::Relaxed);
        if is_over { self.following.first.tally() } else { Tally::default() }
    }

    /// Forgets what was pruned before, while the follower reads nothing: it goes on from the positions that are then.
    fn allow_again(&self, goes_on: &dyn Fn() -> bool, on: &mut dyn FnMut(Progress)) -> Result<Allowed, OpError> {
        let (tell, heard) = channel();
        let core = Arc::clone(self.core);
        self.following.looks.ask_after(move || {
            let done = core.drain().map_err(storing).and_then(|()| lake::allow_again_in(&core));
            // Who asked may be gone.
            let _unheard = tell.send(done);
        });
        loop {
            match heard.recv_timeout(TICK) {
                Ok(done) => return done,
                Err(RecvTimeoutError::Timeout) if goes_on() => on(Progress::default()),
                Err(_) => return Err(OpError::failed("allowing it", "the running devlog is ending")),
            }
        }
    }

    /// Waits until the follower has read what is there now, and reads what it does not follow.
    fn catch_up(
        &self,
        plan: &BackfillPlan,
        own: &pipeline::Progress,
        goes_on: &(dyn Fn() -> bool + Sync),
        on: &mut dyn FnMut(Progress),
    ) -> Result<Backfilled, OpError> {
        let (begun_us, rows, first, live) = (now_us(), self.rows(), self.first_tally(), self.following.live.tally());
        let looks = &self.following.looks;
        let look = looks.ask();
        let failed = |why: String| OpError::failed("reading the logs", why);
        while goes_on() && !looks.wait(look, TICK).map_err(failed)? {
            on(Progress::default());
        }
        self.core.drain().map_err(storing)?;
        let positions = self.core.positions();
        let here = || {
            let is_meant = |agent: &str| plan.agents.is_empty() || plan.agents.iter().any(|named| named == agent);
            positions.values().filter(move |p| !p.missing && is_meant(&p.agent))
        };
        let files = here().filter(|position| position.read_at_us >= begun_us).count() as u64;
        let failed = here().filter(|position| position.last_error.is_some()).count() as u64;
        let scope = scope_of(self.settings, plan);
        let mut found = backfill::look_around(self.settings, &scope, self.core);
        let mut done = Backfilled { found: found.found, failed, ..Backfilled::default() };
        done.notes = told(&found.notes);
        if plan.path.is_some() && goes_on() {
            // What the follower follows it has read, and reads on.
            found.leave_out(&walk(&self.settings.places, &backfill::scope(self.settings)));
            done = read_history(self.settings, self.core, plan, found, own, on)?;
            looks.ask();
        }
        let read =
            plus(since(self.following.first.tally(), first).into(), since(self.following.live.tally(), live).into());
        let read = Progress { files, files_done: files, ..read };
        done.progress = Progress { events: self.rows().saturating_sub(rows), ..plus(read, own.tally().into()) };
        done.stopped = !goes_on();
        done.needs_compaction = false;
        Ok(done)
    }

    fn rows(&self) -> u64 {
        self.core.snapshot().events.iter().map(|part| part.rows).sum()
    }
}

fn json(done: &impl Serialize) -> Result<Value, OpError> {
    serde_json::to_value(done).map_err(|error| OpError::failed("telling what was done", error))
}

fn storing(error: PipelineError) -> OpError {
    OpError::failed("writing the newest rows", error)
}

/// What was counted after `before`.
fn since(now: Tally, before: Tally) -> Tally {
    Tally {
        files_total: now.files_total.saturating_sub(before.files_total),
        bytes_total: now.bytes_total.saturating_sub(before.bytes_total),
        files: now.files.saturating_sub(before.files),
        bytes: now.bytes.saturating_sub(before.bytes),
        events: now.events.saturating_sub(before.events),
        rejects: now.rejects.saturating_sub(before.rejects),
        duplicates: now.duplicates.saturating_sub(before.duplicates),
        errors: now.errors.saturating_sub(before.errors),
    }
}

const fn plus(a: Progress, b: Progress) -> Progress {
    Progress {
        files_done: a.files_done + b.files_done,
        files: a.files + b.files,
        bytes_done: a.bytes_done + b.bytes_done,
        bytes: a.bytes + b.bytes,
        events: a.events + b.events,
        rejects: a.rejects + b.rejects,
    }
}
