//! Where the rows of an answer come from: the running `ingest`, else this process.
//!
//! - one that gives no sign of life, or cannot answer now, is told of, and this process reads the logs
//! - while another process writes the lake it is waited for, for some seconds; then the answer is what that
//!   one has committed
//! - what an answer lacks is said with it

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::cut::{engine_options, query_cut};
use super::history::watched;
use super::{OnProgress, QueryPlan, unread};
use super::{OpError, note};
use crate::backfill;
use crate::config::Settings;
use crate::lake::Lake;
use crate::pipeline::{self, Core, Unread};
use crate::query::{Answer, QueryError, Runtime};
#[cfg(unix)]
use crate::serve::Preface;

/// Further looks at a lake whose files go away while it is read.
pub(super) const LOOKS: u32 = 4;

/// Pause before the first of them; doubled before each other.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// What is said where there is nothing to read.
const NO_LOGS: &str =
    "no logs of any agent were found; devlog adapters says where it looked, devlog demo makes some to try";

/// Longest wait for another process that is reading the logs.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A wait that is not told.
pub(super) const QUIET: Duration = Duration::from_millis(500);

/// Rows of an answer, wherever they come from.
pub(crate) struct Rows {
    from: From,
    lacking: Vec<String>,
    unread: Unread,
    /// What is said on stderr as a warning.
    told: Vec<String>,
    /// What is said beside it.
    notes: Vec<String>,
    warnings: Vec<String>,
}

enum From {
    /// This process, which has seen the first rows already.
    Here(Box<(Option<Result<RecordBatch, QueryError>>, Answer)>),
    /// The running `ingest`, and when it was asked with which time limit.
    #[cfg(unix)]
    There(Box<crate::serve::Answered>, Instant, Option<Duration>),
}

impl Rows {
    /// Columns of the answer.
    pub(crate) fn schema(&self) -> SchemaRef {
        match &self.from {
            From::Here(local) => local.1.schema(),
            #[cfg(unix)]
            From::There(rows, ..) => rows.schema(),
        }
    }

    /// Why rows are missing that stand in the logs; empty when the answer shows them all.
    pub(crate) fn lacking(&self) -> Vec<String> {
        self.lacking.iter().cloned().chain(unread::lacking(&self.unread)).collect()
    }

    /// What no answer shows: it is not read by rule, or by no program but its own.
    pub(crate) fn not_read(&self) -> Vec<String> {
        unread::closed(&self.unread)
    }

    /// Says on stderr what is to be known about the answer.
    fn tell(&self) {
        for text in &self.told {
            tracing::warn!("{text}");
        }
        for text in &self.notes {
            note!("{text}");
        }
        // Who uses one hears it as an error, and everybody in `status`.
        for text in &self.warnings {
            tracing::debug!("{text}");
        }
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, OpError>;

    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.from {
            From::Here(local) => {
                let (first, answer) = &mut **local;
                Some(first.take().or_else(|| answer.next_blocking())?.map_err(refused))
            }
            #[cfg(unix)]
            From::There(rows, asked, limit) => {
                let late = limit.filter(|limit| asked.elapsed() >= *limit);
                Some(rows.next()?.map_err(|error| match late {
                    Some(limit) if error.is_about_the_other_side() => {
                        refused(QueryError::Timeout { seconds: limit.as_secs_f64() })
                    }
                    _ => refused(error),
                }))
            }
        }
    }
}

pub(crate) fn refused(error: impl std::error::Error + Send + Sync + 'static) -> OpError {
    OpError::Query(Box::new(error))
}

/// Starts a query, and says what is to be known about its answer: the running `ingest` answers when there is
/// one, else this process catches up with the logs and answers.
pub(crate) fn rows(settings: &Settings, plan: &QueryPlan, on: OnProgress<'_>) -> Result<Rows, OpError> {
    let mut attempt = 0;
    loop {
        match looked_up(settings, plan, on) {
            // Somebody prunes or merges: the newest version of the lake has other files.
            Err(error) if error.is_gone() && attempt < LOOKS => {
                std::thread::sleep(PAUSE * 2u32.pow(attempt));
                attempt += 1;
            }
            rows => {
                rows.iter().for_each(Rows::tell);
                return rows;
            }
        }
    }
}

fn looked_up(settings: &Settings, plan: &QueryPlan, on: OnProgress<'_>) -> Result<Rows, OpError> {
    if !plan.sync {
        super::lake::there(settings)?;
        let core = backfill::open_reader(settings).map_err(|source| OpError::failed("reading the lake", source))?;
        return here(settings, plan, &core);
    }
    let begun = Instant::now();
    let patience = plan.timeout.map_or(PATIENCE, |limit| (limit / 2).min(PATIENCE));
    let mut is_told = false;
    loop {
        #[cfg(unix)]
        let asked = there(settings, plan)?;
        #[cfg(not(unix))]
        let asked = Asked::Nobody;
        if let Asked::Rows(rows) = asked {
            return Ok(*rows);
        }
        let progress = pipeline::Progress::default();
        let refreshed = watched(&progress, on, || {
            backfill::refresh(settings, workers(), &progress)
                .map_err(|source| OpError::failed("catching up with the logs", source))
        })?;
        // One that gives no sign of life is not waited for.
        let writer = refreshed.writer().filter(|_| matches!(asked, Asked::Nobody) && begun.elapsed() < patience);
        let Some(pid) = writer else {
            let mut rows = here(settings, plan, &refreshed.core)?;
            rows.lacking = refreshed.lacking.iter().map(ToString::to_string).collect();
            let unstored = refreshed.unstored.as_ref();
            let unstored = unstored.map(|why| format!("the newest rows of the answer are not stored: {why}"));
            rows.told = rows.lacking.iter().cloned().chain(unstored).collect();
            rows.notes = Vec::from_iter(unread::note(&settings.places.home, &refreshed.unread));
            if refreshed.core.positions().is_empty() && refreshed.core.snapshot().events.is_empty() {
                rows.notes.push(NO_LOGS.to_owned());
            }
            rows.unread = refreshed.unread;
            return Ok(rows);
        };
        if !is_told && begun.elapsed() >= QUIET {
            is_told = true;
            let who = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
            crate::ops::note!("waiting for another devlog{who}, which is reading the logs");
        }
        drop(refreshed);
        wait_for_writer(settings, patience.saturating_sub(begun.elapsed()).min(QUIET));
    }
}

/// Waits until nobody writes the lake or somebody can be asked.
fn wait_for_writer(settings: &Settings, patience: Duration) {
    let begun = Instant::now();
    loop {
        std::thread::sleep(Duration::from_millis(20));
        if begun.elapsed() >= patience || Lake::writer_of(&settings.lake).is_none() || answers(settings) {
            return;
        }
    }
}

#[cfg(unix)]
fn answers(settings: &Settings) -> bool {
    settings.socket.exists()
}

#[cfg(not(unix))]
const fn answers(_: &Settings) -> bool {
    false
}

/// What came of asking the running `ingest`.
enum Asked {
    /// Its answer.
    #[cfg(unix)]
    Rows(Box<Rows>),
    /// None runs.
    Nobody,
    /// It gives none; this process looks itself.
    #[cfg(unix)]
    Nothing,
}

#[cfg(unix)]
fn there(settings: &Settings, plan: &QueryPlan) -> Result<Asked, OpError> {
    let request = crate::serve::Request::Query {
        sql: plan.sql.clone(),
        params: plan.parameters.clone(),
        timezone: settings.timezone.clone(),
        timeout_ms: plan.timeout.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX)),
    };
    let begun = Instant::now();
    let asked = crate::serve::Client::connect(&settings.socket).and_then(|client| {
        client.map(|client| client.query(&request, &mut |why| crate::ops::note!("{why}"))).transpose()
    });
    match asked {
        Ok(Some(rows)) => {
            let preface = rows.preface().clone();
            let from = From::There(Box::new(rows), begun, plan.timeout);
            let Preface { lacking, unread, warnings } = preface;
            let notes = Vec::from_iter(unread::note(&settings.places.home, &unread));
            Ok(Asked::Rows(Box::new(Rows { from, told: lacking.clone(), lacking, unread, notes, warnings })))
        }
        Ok(None) => Ok(Asked::Nobody),
        Err(error) if error.is_about_the_other_side() => {
            if let Some(limit) = plan.timeout.filter(|limit| begun.elapsed() >= *limit) {
                return Err(refused(QueryError::Timeout { seconds: limit.as_secs_f64() }));
            }
            tracing::warn!("{error}; reading the logs here instead");
            Ok(Asked::Nothing)
        }
        Err(error) => Err(refused(error)),
    }
}

/// Answers in this process. A file of the lake that is not there any more is told before any row.
fn here(settings: &Settings, plan: &QueryPlan, core: &Core) -> Result<Rows, OpError> {
    let runtime = Runtime::new(engine_options(settings, &settings.timezone, plan.timeout)).map_err(refused)?;
    let engine = runtime.engine(query_cut(core)).map_err(refused)?;
    let mut answer = engine.run_blocking(&plan.sql, &plan.parameters).map_err(refused)?;
    let first = match answer.next_blocking() {
        Some(Err(error @ QueryError::Part { is_gone: true, .. })) => return Err(refused(error)),
        first => first,
    };
    let warnings = engine.warnings().to_vec();
    let from = From::Here(Box::new((first, answer)));
    Ok(Rows { from, lacking: Vec::new(), unread: Unread::default(), told: Vec::new(), notes: Vec::new(), warnings })
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
