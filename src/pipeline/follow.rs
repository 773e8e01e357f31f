//! Follows the logs live.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::context::ReadContext;
use super::handed_on::HandedOn;
use super::job::{Job, Outcome};
use super::looks::Looks;
use super::progress::{Progress, Tally};
use super::reading::Reading;
use super::scan_plan::{Scope, mapping_of, survey, wanted_roots};
use super::silence::{AGAIN_US, silent_at_us};
use super::source::SourceReader;
use super::told::Told;
use super::trim::trim_heap;
use super::worker::{MachineContext, Worker};
use super::{Core, PipelineError, now_us};
use crate::config::Places;
use crate::discover::{Root, Stat, agent_of, classify_change, expand};
use crate::schema::{SourceId, SourcePosition};
use crate::watch::{Decision, Disk, Hint, Hints, Limits, Registry, WatchStatus, Watcher, WatcherConfig};

/// Decoders of sources that were not written to for this long are put away; their checkpoint stays.
const KEEP_US: i64 = 10 * 60 * 1_000_000;

/// Beyond so many decoders those that hold nothing open are put away sooner.
const KEPT: usize = 256;

/// Longest sleep while nothing happens: bounds how late a stop is noticed.
const NAP: Duration = Duration::from_millis(500);

/// Pause after a failure of the lake before reading goes on.
const BACK_OFF: Duration = Duration::from_secs(2);

/// How to follow.
#[derive(Debug, Clone)]
pub struct FollowerOptions {
    /// Where agents log.
    pub places: Places,
    /// Which of them are meant.
    pub scope: Scope,
    /// What is written into every row.
    pub stamp: MachineContext,
    /// Bounds of reading.
    pub limits: Limits,
    /// Time between scans beside the notifications.
    pub backstop: Duration,
    /// Who answers asks here how far the reading is.
    pub reading: Arc<Reading>,
    /// Looks that others wait for.
    pub looks: Arc<Looks>,
    /// What a catch-up has left open.
    pub open: Arc<HandedOn>,
}

/// A second look for those who wait, when files were being written at the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SecondLook {
    No,
    /// At this time, microseconds since 1970.
    At(i64),
    /// The next one is it.
    Due,
}

/// Reads what is appended as it is appended.
#[derive(Debug)]
pub struct Follower {
    core: Arc<Core>,
    options: FollowerOptions,
    roots: Vec<Root>,
    hints: Hints,
    watcher: Watcher,
    registry: Registry,
    positions: HashMap<SourceId, Arc<SourcePosition>>,
    kept: HashMap<PathBuf, (Job, SourceReader)>,
    /// As many decoders may be kept before it is looked which of them can go.
    room: usize,
    later: BTreeSet<(i64, PathBuf)>,
    second_look: SecondLook,
    worker: Worker,
    buffer: Vec<u8>,
    progress: Arc<Progress>,
}

impl Follower {
    /// Starts watching the places of `options`.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread.
    pub fn start(core: Arc<Core>, options: FollowerOptions, progress: Arc<Progress>) -> Result<Self, PipelineError> {
        let roots: Vec<Root> = wanted_roots(&options.places, &options.scope).iter().flat_map(expand).collect();
        let config = WatcherConfig {
            backstop: options.backstop,
            ..WatcherConfig::new(wanted_roots(&options.places, &options.scope))
        };
        let watcher = Watcher::start(config).map_err(|source| PipelineError::Thread { name: "watch", source })?;
        options.stamp.folders.remember(core.positions().values().map(|position| &**position));
        let worker = Worker::new(options.stamp.clone(), options.limits.max_line);
        Ok(Self {
            hints: watcher.hints(),
            core,
            options,
            roots,
            watcher,
            registry: Registry::default(),
            positions: HashMap::new(),
            kept: HashMap::new(),
            room: KEPT,
            later: BTreeSet::new(),
            second_look: SecondLook::No,
            worker,
            buffer: Vec::new(),
            progress,
        })
    }

    /// How each place is watched, whenever it is asked.
    #[must_use]
    pub fn status(&self) -> WatchStatus {
        self.watcher.status()
    }

    /// Follows until `stop` is set.
    ///
    /// A lake that cannot be read or written does not end it: reading pauses, `report` is told, and
    /// goes on from the durable positions when the lake works again.
    ///
    /// # Errors
    ///
    /// When the last rows cannot be handed to the ring; they are read again at the next start.
    pub fn run(&mut self, stop: &AtomicBool, mut report: impl FnMut(&PipelineError)) -> Result<(), PipelineError> {
        self.learn();
        self.take_over();
        self.options.looks.attach(&self.hints);
        // What was needed to catch up is not needed to follow.
        trim_heap();
        let mut told = Told::default();
        while !stop.load(Ordering::Relaxed) {
            let hint = self.hints.take(self.nap());
            let was_idle = hint.is_none();
            let step = match hint {
                Some(Hint::Path(path)) => self.read_path(&path),
                Some(_) => self.rescan(),
                None => Ok(()),
            };
            match step.and_then(|()| self.read_due()) {
                Ok(()) if was_idle => {}
                Ok(()) => told.works_again(),
                Err(error) => {
                    let text = error.to_string();
                    self.options.reading.is_stuck(&text);
                    self.options.looks.failed(&text);
                    if told.is_news(&error) {
                        report(&error);
                    }
                    self.start_over();
                    std::thread::sleep(BACK_OFF);
                }
            }
        }
        self.run_upkeep()
    }

    /// Takes the last rows out of the decoders.
    fn run_upkeep(&mut self) -> Result<(), PipelineError> {
        let mut means = ReadContext {
            core: &self.core,
            progress: &self.progress,
            worker: &mut self.worker,
            buffer: &mut self.buffer,
            limits: self.options.limits,
            history: false,
            shown: true,
            comes_again: true,
            live: true,
        };
        for (_, reader) in self.kept.values_mut() {
            reader.finish_for_now(&mut means);
        }
        self.worker.deliver(&self.core, &self.progress).map(drop)
    }

    fn nap(&self) -> Duration {
        let look = if let SecondLook::At(at_us) = self.second_look { Some(at_us) } else { None };
        let Some(due) = self.later.first().map(|(due, _)| *due).into_iter().chain(look).min() else { return NAP };
        let wait = u64::try_from(due - now_us()).unwrap_or(0);
        Duration::from_micros(wait).min(NAP)
    }

    /// Takes the known positions from the core.
    fn learn(&mut self) {
        self.positions = self.core.positions();
        self.registry = Registry::default();
        for position in self.positions.values() {
            self.registry.put(position, Path::new(&position.path));
        }
    }

    /// Goes on with what a catch-up has left open.
    fn take_over(&mut self) {
        for (job, mut reader) in self.options.open.take() {
            let Some(position) = self.positions.get(&reader.position().id) else { continue };
            if reader.stands_at(position) {
                self.later.insert((silent_at_us(position), job.path.clone()));
                self.kept.insert(job.path.clone(), (job, reader));
            }
        }
    }

    /// Forgets everything that is not in the core: it is read again from the positions there.
    fn start_over(&mut self) {
        self.worker = Worker::new(self.options.stamp.clone(), self.options.limits.max_line);
        self.kept.clear();
        self.later.clear();
        self.learn();
        self.hints.push(Hint::Rescan);
    }

    /// Takes in sources that others have read meanwhile: a backfill of other places in this process.
    fn learn_of_others(&mut self) {
        for (id, position) in self.core.positions() {
            if let Entry::Vacant(unknown) = self.positions.entry(id) {
                self.registry.put(&position, Path::new(&position.path));
                unknown.insert(position);
            }
        }
    }

    fn rescan(&mut self) -> Result<(), PipelineError> {
        let awaited = self.options.looks.awaited();
        if self.options.looks.do_errands() {
            self.start_over();
        } else if awaited.is_some() {
            self.learn_of_others();
        }
        self.roots = wanted_roots(&self.options.places, &self.options.scope).iter().flat_map(expand).collect();
        let begun = Instant::now();
        let found = survey(&self.options.places, &self.options.scope, &self.positions);
        self.hints.scan_took(begun.elapsed());
        self.watcher.watch_also(&found.project_roots);
        self.watcher.watch_links(found.links);
        self.options.reading.met(found.notes);
        self.roots.extend(found.project_roots);
        let mut are_busy = false;
        for job in found.jobs {
            if self.progress.stopped() {
                return Ok(());
            }
            are_busy |= matches!(self.read_job(job)?, Outcome::Later { .. });
        }
        if let Some(look) = awaited {
            self.tell_of(look, are_busy);
        }
        self.options.reading.is_current();
        let old = now_us() - KEEP_US;
        self.kept.retain(|_, (_, reader)| reader.is_unfinished() || reader.position().read_at_us > old);
        Ok(())
    }

    /// Tells those who wait that `look` was made; files that were being written get one more first.
    fn tell_of(&mut self, look: u64, are_busy: bool) {
        match self.second_look {
            SecondLook::No if are_busy => self.second_look = SecondLook::At(now_us() + AGAIN_US),
            SecondLook::At(_) if are_busy => {}
            _ => {
                self.second_look = SecondLook::No;
                self.options.looks.made(look);
            }
        }
    }

    /// Looks again at sources whose time has come.
    fn read_due(&mut self) -> Result<(), PipelineError> {
        if matches!(self.second_look, SecondLook::At(at_us) if at_us <= now_us()) {
            self.second_look = SecondLook::Due;
            self.hints.push(Hint::Rescan);
        }
        while self.later.first().is_some_and(|(due, _)| *due <= now_us()) {
            if let Some((_, path)) = self.later.pop_first() {
                self.read_path(&path)?;
            }
        }
        Ok(())
    }

    fn read_path(&mut self, path: &Path) -> Result<(), PipelineError> {
        if let Some((job, _)) = self.kept.get(path) {
            let job = Job { stat: None, ..job.clone() };
            return self.read_job(job).map(drop);
        }
        match self.job_at(path) {
            Some(job) => self.read_job(job).map(drop),
            None => Ok(()),
        }
    }

    /// What the file at `path` is, if it is a log and not another name of a known one.
    fn job_at(&mut self, path: &Path) -> Option<Job> {
        let (root, (path, found)) = self.roots.iter().find_map(|root| Some((root, classify_change(root, path)?)))?;
        let agent: Arc<str> = agent_of(root, found.format).into();
        let mapping = mapping_of(&self.options.scope.own, found.format, &agent);
        let path = path.as_path();
        let companions = found.companions;
        let known = self.registry.at(path);
        let Ok(metadata) = std::fs::metadata(path) else {
            let previous = self.positions.get(&known?).cloned();
            return Some(Job {
                path: path.into(),
                agent,
                format: found.format,
                companions,
                stat: None,
                previous,
                mapping,
            });
        };
        if !metadata.is_file() {
            return None;
        }
        let stat = Stat::of(&metadata).with_changes_beside(path, found.format);
        let previous = match self.registry.decide(path, &stat, &Disk) {
            Decision::Alias { .. } => return None,
            Decision::New => None,
            Decision::Known(id) => self.positions.get(&id).cloned(),
            Decision::Moved { id, from } => {
                self.kept.remove(&from);
                self.registry.moved(id, path);
                self.positions.get(&id).cloned()
            }
        };
        Some(Job { path: path.into(), agent, format: found.format, companions, stat: Some(stat), previous, mapping })
    }

    fn read_job(&mut self, job: Job) -> Result<Outcome, PipelineError> {
        let kept = self.kept.remove(&job.path).map(|(_, reader)| reader);
        let mut means = ReadContext {
            core: &self.core,
            progress: &self.progress,
            worker: &mut self.worker,
            buffer: &mut self.buffer,
            limits: self.options.limits,
            history: false,
            shown: true,
            comes_again: true,
            live: true,
        };
        let before = self.progress.tally();
        let (outcome, reader) = SourceReader::run(&job, kept, &mut means)?;
        let copies = self.worker.deliver(&self.core, &self.progress)?;
        trace(&job, outcome, reader.as_ref(), before, self.progress.tally());
        if let Outcome::Later { at_us } = outcome {
            self.later.retain(|(_, path)| *path != job.path);
            self.later.insert((at_us, job.path.clone()));
        }
        let Some(mut reader) = reader else {
            self.learn_one(job.previous.as_deref());
            return Ok(outcome);
        };
        for (source, rows) in copies {
            reader.count_copies(source, rows);
        }
        let position = Arc::new(reader.position().clone());
        self.registry.put(&position, &job.path);
        self.positions.insert(position.id, position);
        if reader.is_unfinished() || reader.asks_again() {
            // Once it is silent all has been done that can be until it changes.
            let quiet_us = silent_at_us(reader.position());
            if quiet_us > now_us() {
                self.later.insert((quiet_us, job.path.clone()));
            }
        }
        self.kept.insert(job.path.clone(), (job, reader));
        if self.kept.len() > self.room {
            self.kept.retain(|_, (_, reader)| reader.is_unfinished() || reader.asks_again());
            self.room = KEPT.max(self.kept.len() * 2);
        }
        Ok(outcome)
    }

    /// Takes one source's position from the core: it was marked gone or failed there.
    fn learn_one(&mut self, previous: Option<&SourcePosition>) {
        let Some(previous) = previous else { return };
        if let Some(position) = self.core.position(previous.id) {
            self.registry.put(&position, Path::new(&position.path));
            self.positions.insert(position.id, position);
        }
    }
}

/// Tells, for those who ask for details, what came of a look at one log.
fn trace(job: &Job, outcome: Outcome, reader: Option<&SourceReader>, before: Tally, after: Tally) {
    let open = if reader.is_some_and(SourceReader::is_unfinished) { ", the newest may still change" } else { "" };
    tracing::debug!(
        "{} {:?}: {outcome:?}, {} bytes, {} events{open}",
        job.agent,
        job.path,
        after.bytes - before.bytes,
        after.events - before.events,
    );
}
