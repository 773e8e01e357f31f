//! What a running `ingest` answers over its socket.

use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, TryLockError};
use std::time::Duration;

use super::crew::Crew;
use super::following::Following;
use super::sentence;
use super::unread;
use super::unreadable::Unreadable;
use crate::config::Settings;
use crate::pipeline::{Core, Reading, State, Unread, now_us};
use crate::serve::{Ended, Refusal, Reply, Request, Service, Status, Told, Trouble};
use crate::text::units;
use crate::watch::{WatchMode, WatchStatus};

/// Pause between two looks whether it is one's turn.
const AGAIN: Duration = Duration::from_millis(100);

/// Answers from a core.
pub(super) struct Answering {
    settings: Settings,
    core: Arc<Core>,
    following: Arc<Following>,
    reading: Arc<Reading>,
    started_us: i64,
    /// Held by who does work for another process.
    work: Mutex<()>,
    unreadable: Mutex<Unreadable>,
    #[cfg(feature = "query")]
    workers: crate::serve::workers::Workers,
}

impl Answering {
    pub(super) fn new(
        settings: Settings,
        core: Arc<Core>,
        following: Arc<Following>,
        reading: Arc<Reading>,
        started_us: i64,
    ) -> io::Result<Self> {
        Ok(Self {
            settings,
            core,
            following,
            reading,
            started_us,
            work: Mutex::default(),
            unreadable: Mutex::default(),
            #[cfg(feature = "query")]
            workers: crate::serve::workers::Workers::of_this_program()?,
        })
    }

    /// Why an answer of this moment lacks rows of logs that can be read.
    fn lacking(&self) -> Option<String> {
        match self.reading.state() {
            State::Current => None,
            State::Starting => Some(format!("the running devlog is still catching up: {}", self.behind())),
            State::Stuck { since_us, why } => {
                let since = units::ago(since_us, now_us());
                Some(format!("the running devlog has stopped reading ({since}), and tries again: {why}"))
            }
        }
    }

    /// What could not be read at the last looks, or never is.
    fn unread(&self) -> Unread {
        let mut known = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = known.among(&self.core.cut());
        drop(known);
        Unread::of(failed.iter().map(|position| &**position), &self.reading.notes(), &self.settings.places)
    }

    /// How far a catch-up is.
    fn behind(&self) -> String {
        let tally = self.reading.catch_up();
        if tally.files_total == 0 {
            return "it is looking for logs".to_owned();
        }
        let (files, bytes) =
            (tally.files_total.saturating_sub(tally.files), tally.bytes_total.saturating_sub(tally.bytes));
        format!("{} with {} are left", units::counted(files, "file"), units::bytes(bytes))
    }
}

/// How changes are noticed now, and why not by notification.
fn watch_mode(watch: &OnceLock<WatchStatus>) -> (&'static str, Option<String>) {
    let roots = watch.get().map(WatchStatus::roots).unwrap_or_default();
    if roots.is_empty() {
        return ("starting", None);
    }
    let scanned = roots.into_iter().find_map(|root| match root.mode {
        WatchMode::Scan { reason } => Some(reason),
        WatchMode::Absent | WatchMode::Notify => None,
    });
    if scanned.is_some() { ("scan", scanned) } else { ("notify", None) }
}

impl Service for Answering {
    fn status(&self) -> Status {
        let (watch_mode, watch_reason) = watch_mode(&self.following.watch);
        let unread = Unread { closed: Vec::new(), ..self.unread() };
        let unread = if unread.failed.is_empty() { None } else { unread::note(&self.settings.places.home, &unread) };
        Status {
            pid: std::process::id(),
            started_us: self.started_us,
            watch_mode: watch_mode.to_owned(),
            watch_reason,
            ring_rows: self.core.ring_rows() as u64,
            ring_bytes: self.core.ring_bytes() as u64,
            lacking: self.lacking().into_iter().chain(unread).collect(),
            trouble: self.core.trouble().map(|(since_us, why)| Trouble { since_us, why }),
        }
    }

    #[cfg(not(feature = "query"))]
    fn answer(&self, _: &Request, _: &mut Reply<'_>) -> Result<(), Refusal> {
        let _ = &self.settings;
        Err(Refusal::Final("the running devlog was built without SQL; stop it, or query with --no-sync".to_owned()))
    }

    #[cfg(feature = "query")]
    fn answer(&self, request: &Request, reply: &mut Reply<'_>) -> Result<(), Refusal> {
        let Request::Query { sql, params, timezone, timeout_ms } = request else {
            return Err(Refusal::Final("this is no query".to_owned()));
        };
        let timeout = timeout_ms.map(std::time::Duration::from_millis);
        self.wait_for_catch_up(reply, timeout)?;
        let options = super::cut::engine_options(&self.settings, timezone, None);
        let lacking = Vec::from_iter(self.lacking());
        let unread = self.unread();
        let question = crate::serve::workers::Question { sql, params, options, timeout, lacking, unread };
        let mut attempt = 0;
        loop {
            match self.workers.answer(&super::cut::query_cut(&self.core), &question, reply) {
                // While this process prunes, files go before the cut is a newer one.
                Err(Refusal::Gone(_)) if attempt < super::rows::LOOKS => {
                    std::thread::sleep(super::rows::PAUSE * 2u32.pow(attempt));
                    attempt += 1;
                }
                other => return other,
            }
        }
    }

    #[cfg(feature = "query")]
    fn tidy(&self) {
        self.workers.tidy();
    }

    fn work(&self, lake: &Path, job: &serde_json::Value, tell: &mut dyn FnMut(Told) -> bool) -> Ended {
        if lake != self.settings.lake {
            return Ended::Elsewhere;
        }
        let job = match serde_json::from_value(job.clone()) {
            Ok(job) => job,
            Err(error) => return Ended::Failed(format!("the running devlog does not know this work ({error})")),
        };
        // One at a time.
        let _turn = loop {
            match self.work.try_lock() {
                Ok(turn) => break turn,
                Err(TryLockError::Poisoned(left)) => break left.into_inner(),
                Err(TryLockError::WouldBlock) if tell(Told::Waits) && !self.is_ending() => std::thread::sleep(AGAIN),
                Err(TryLockError::WouldBlock) => return Ended::Failed("the running devlog is ending".to_owned()),
            }
        };
        let crew = Crew { settings: &self.settings, core: &self.core, following: &self.following };
        match crew.does(&job, tell) {
            Ok(done) => Ended::Done(done),
            Err(error) => Ended::Failed(sentence(&error)),
        }
    }
}

impl Answering {
    fn is_ending(&self) -> bool {
        self.following.stop.load(Ordering::Relaxed)
    }
}

#[cfg(feature = "query")]
impl Answering {
    /// Waits for the end of a catch-up, as long as a reader may be kept waiting.
    fn wait_for_catch_up(&self, reply: &Reply<'_>, timeout: Option<std::time::Duration>) -> Result<(), Refusal> {
        let gone = |error: io::Error| Refusal::Final(error.to_string());
        let begun = std::time::Instant::now();
        let patience = timeout.map_or(super::rows::PATIENCE, |limit| (limit / 2).min(super::rows::PATIENCE));
        let mut is_told = false;
        while self.reading.state() == State::Starting && begun.elapsed() < patience {
            if !is_told && begun.elapsed() >= super::rows::QUIET {
                is_told = true;
                let text = format!("waiting for the running devlog, which is catching up: {}", self.behind());
                reply.working(&text).map_err(gone)?;
            }
            if !reply.waits() {
                return Err(gone(io::ErrorKind::BrokenPipe.into()));
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Ok(())
    }
}

/// Answers the queries of the process that started this one.
#[cfg(feature = "query")]
pub(crate) fn work() -> Result<(), super::OpError> {
    crate::serve::workers::work().map_err(|source| super::OpError::failed("answering queries", source))
}
