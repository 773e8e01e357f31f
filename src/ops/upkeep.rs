//! Work that needs the lake's lock: done here, or by the running `ingest` that holds it.
//!
//! - the lock is tried first; when an `ingest` holds it, it does the work and tells how far it is
//! - another command that holds it is waited for, and named; it cannot be asked

use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::OpError;
use super::{BackfillPlan, OnProgress, PrunePlan};
use crate::config::Settings;
use crate::lake::{Lake, LakeError};
use crate::pipeline::PipelineError;

/// Pause between two tries for the lock.
const AGAIN: Duration = Duration::from_millis(100);

/// Who waits longer than this is told for whom.
const PATIENCE: Duration = Duration::from_secs(1);

/// What a running `ingest` does for other processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "job", content = "plan", rename_all = "snake_case")]
pub(super) enum Job {
    /// Read what there is now, and make it durable.
    CatchUp(BackfillPlan),
    /// Merge small files.
    Compact,
    /// Delete rows for good.
    Prune(PrunePlan),
    /// Forget what was pruned before.
    AllowAgain,
    /// Link the live files into a directory.
    Snapshot,
    /// Check every commit and file.
    Check,
    /// Remove copies of events.
    DropCopies,
}

/// Does something with the lake opened by `open`: `here`, or as `job` in the `ingest` that holds the lake.
/// `None` when the user does not want to wait any longer.
pub(super) fn with_writer<C, T: DeserializeOwned>(
    settings: &Settings,
    job: &Job,
    is_stopped: &dyn Fn() -> bool,
    on: OnProgress<'_>,
    mut open: impl FnMut() -> Result<C, PipelineError>,
    here: impl FnOnce(C, OnProgress<'_>) -> Result<T, OpError>,
) -> Result<Option<T>, OpError> {
    let mut wait = Wait::new(settings.lock_wait);
    loop {
        match open() {
            Ok(opened) => return here(opened, on).map(Some),
            Err(PipelineError::Lake(LakeError::Locked { pid, .. })) => {
                match ask(settings, job, is_stopped, on)? {
                    Asked::Done(done) => return Ok(Some(done)),
                    Asked::Stopped => return Ok(None),
                    Asked::Nobody => wait.until_free(settings, pid, is_stopped)?,
                }
                if is_stopped() {
                    return Ok(None);
                }
            }
            Err(error) => return Err(OpError::failed("opening the lake for writing", error)),
        }
    }
}

/// What came of asking the running `ingest`.
pub(super) enum Asked<T> {
    /// It did it.
    Done(T),
    /// The user does not want to wait any longer.
    Stopped,
    /// None runs that holds this lake.
    Nobody,
}

/// Has the running `ingest` do `job`.
#[cfg(unix)]
pub(super) fn ask<T: DeserializeOwned>(
    settings: &Settings,
    job: &Job,
    is_stopped: &dyn Fn() -> bool,
    on: OnProgress<'_>,
) -> Result<Asked<T>, OpError> {
    use crate::serve::Told;

    const ASKING: &str = "asking the running devlog";
    let Some(client) = crate::serve::Client::connect(&settings.socket)? else { return Ok(Asked::Nobody) };
    tracing::info!("devlog ingest is running, and is asked to do this");
    let job = serde_json::to_value(job).map_err(|error| OpError::failed(ASKING, error))?;
    let mut wait = Wait::new(settings.lock_wait);
    let mut late = None;
    let done = client.work(&settings.lake, &job, &mut |told| {
        match told {
            Told::Waits => {
                late = wait.goes_on(|| "the running devlog ingest, which works for another command".to_owned())
            }
            Told::Progress(progress) => drop(serde_json::from_value(progress.clone()).map(&mut *on)),
            Told::Done(_) | Told::Elsewhere => {}
        }
        late.is_none() && !is_stopped()
    })?;
    match done {
        Some(done) => serde_json::from_value(done).map(Asked::Done).map_err(|error| OpError::failed(ASKING, error)),
        None if is_stopped() => Ok(Asked::Stopped),
        None => late.map_or(Ok(Asked::Nobody), Err),
    }
}

/// Without Unix sockets nobody can be asked.
#[cfg(not(unix))]
pub(super) fn ask<T: DeserializeOwned>(
    _: &Settings,
    _: &Job,
    _: &dyn Fn() -> bool,
    _: OnProgress<'_>,
) -> Result<Asked<T>, OpError> {
    Ok(Asked::Nobody)
}

/// Waiting for another process, for a limited time; after a moment the user is told for whom.
pub(super) struct Wait {
    since: Instant,
    limit: Duration,
    is_told: bool,
}

impl Wait {
    pub(super) fn new(limit: Duration) -> Self {
        Self { since: Instant::now(), limit, is_told: false }
    }

    /// Waits until the lake may be free, or an `ingest` may be asked.
    pub(super) fn until_free(
        &mut self,
        settings: &Settings,
        pid: Option<u32>,
        is_stopped: &dyn Fn() -> bool,
    ) -> Result<(), OpError> {
        loop {
            if let Some(late) = self.goes_on(|| who(pid)) {
                return Err(late);
            }
            std::thread::sleep(AGAIN);
            // Where the system does not tell who holds a lock, it is tried again.
            if is_stopped() || Lake::writer_of(&settings.lake).is_none() || is_answering(settings) {
                return Ok(());
            }
        }
    }

    /// The error when the time is over.
    fn goes_on(&mut self, who: impl Fn() -> String) -> Option<OpError> {
        let waited = self.since.elapsed();
        if waited >= self.limit {
            return Some(OpError::Busy { who: who(), waited });
        }
        if waited >= PATIENCE && !self.is_told {
            self.is_told = true;
            crate::ops::note!("waiting for {}", who());
        }
        None
    }
}

#[cfg(unix)]
fn is_answering(settings: &Settings) -> bool {
    matches!(crate::serve::Client::connect(&settings.socket), Ok(Some(_)))
}

#[cfg(not(unix))]
const fn is_answering(_: &Settings) -> bool {
    false
}

/// Commands that may write the lake, as they stand in a process's command line.
pub(crate) const COMMANDS: [&str; 9] =
    ["adapters", "backfill", "compact", "export", "fsck", "ingest", "prune", "query", "report"];

/// A process as people know it: its command, where the system tells, and its number.
pub(super) fn who(pid: Option<u32>) -> String {
    let Some(pid) = pid else { return "another devlog".to_owned() };
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let words = line.split(|byte| *byte == 0).skip(1).filter_map(|word| std::str::from_utf8(word).ok());
    match words.into_iter().find(|word| COMMANDS.contains(word)) {
        Some(command) => format!("devlog {command} (process {pid})"),
        None => format!("process {pid}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_survive_the_way_to_the_other_process() {
        let plan = BackfillPlan { agents: vec!["codex".to_owned()], jobs: Some(2), ..BackfillPlan::default() };
        let prune = PrunePlan { sessions: vec!["s".to_owned()], before_us: Some(5), ..PrunePlan::default() };
        for job in [
            Job::CatchUp(plan),
            Job::Compact,
            Job::Prune(prune),
            Job::AllowAgain,
            Job::Snapshot,
            Job::Check,
            Job::DropCopies,
        ] {
            let text = serde_json::to_string(&job).unwrap();
            assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), job, "{text}");
        }
    }

    #[test]
    fn waiting_ends_with_the_name_of_the_process() {
        let mut wait = Wait::new(Duration::ZERO);
        let late = wait.goes_on(|| who(None)).unwrap().to_string();
        assert!(late.starts_with("another devlog is writing the lake and has not ended within"), "{late}");
        assert!(Wait::new(Duration::from_secs(60)).goes_on(|| who(Some(1))).is_none());
    }
}
