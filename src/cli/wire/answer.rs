//! Rows for `query`, `report` and `export`: from the running `ingest`, else from this process.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::ingest::watched;
use super::{Layout, OnProgress, QueryPlan, Shown};
use crate::backfill;
use crate::cli::CliError;
use crate::config::Settings;
use crate::pipeline::{self, Core};
use crate::query::{
    Answer, Cut, EngineOptions, More, Output, OutputError, OutputOptions, QueryError, Runtime, Sources, Zone,
    is_explain,
};
use crate::schema::sources_batch;

/// Further looks at a lake whose files go away while it is read.
pub(super) const LOOKS: u32 = 4;

/// Pause before the first of them; doubled before each other.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

/// Of so many logs it is told why they could not be read.
const TOLD: usize = 3;

/// What the query room sees of a core.
pub(super) fn query_cut(core: &Core) -> Cut {
    let cut = core.cut();
    let (durable, moved) = (Arc::clone(&cut.lake), cut.positions);
    let sources = Sources::lazy(move || {
        let mut sources = std::collections::HashMap::clone(&durable.sources);
        sources.extend(moved);
        let mut sources: Vec<_> = sources.into_values().collect();
        sources.sort_by(|a, b| (&a.agent, &a.path).cmp(&(&b.agent, &b.path)));
        sources_batch(sources.iter().map(|p| &**p))
    });
    Cut {
        events: cut.events,
        rejects: cut.rejects,
        replaced: Arc::new(cut.replaced.into_iter().collect()),
        sources,
        lake: cut.lake,
    }
}

/// What queries of this process may use.
pub(super) fn engine_options(settings: &Settings, timezone: &str, timeout: Option<Duration>) -> EngineOptions {
    EngineOptions {
        memory_bytes: super::memory::for_queries(settings),
        spill_dir: settings.home.join("spill"),
        timezone: timezone.to_owned(),
        user_queries: Some(settings.home.join("queries")),
        timeout,
        threads: 0,
    }
}

/// Rows of an answer, wherever they come from.
pub(in crate::cli) enum Rows {
    /// This process, which has seen the first rows already.
    Local { first: Option<Result<RecordBatch, QueryError>>, answer: Answer, warnings: Vec<String> },
    /// The running `ingest`.
    #[cfg(unix)]
    Remote(crate::serve::Answered),
}

impl Rows {
    /// Columns of the answer.
    pub(in crate::cli) fn schema(&self) -> SchemaRef {
        match self {
            Self::Local { answer, .. } => answer.schema(),
            #[cfg(unix)]
            Self::Remote(rows) => rows.schema(),
        }
    }

    /// Own views that cannot be used, and why.
    pub(in crate::cli) fn warnings(&self) -> &[String] {
        match self {
            Self::Local { warnings, .. } => warnings,
            #[cfg(unix)]
            Self::Remote(_) => &[],
        }
    }
}

impl Iterator for Rows {
    type Item = Result<RecordBatch, CliError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Local { first, answer, .. } => {
                Some(first.take().or_else(|| answer.next_blocking())?.map_err(refused))
            }
            #[cfg(unix)]
            Self::Remote(rows) => Some(rows.next()?.map_err(refused)),
        }
    }
}

pub(super) fn refused(error: impl std::error::Error + Send + Sync + 'static) -> CliError {
    CliError::failed("the query", error)
}

/// Starts a query: the running `ingest` answers when there is one, else this process catches up
/// with the logs and answers.
pub(in crate::cli) fn rows(settings: &Settings, plan: &QueryPlan, on: OnProgress<'_>) -> Result<Rows, CliError> {
    #[cfg(unix)]
    if plan.sync
        && let Some(client) = crate::serve::Client::connect(&settings.home)
    {
        let timeout_ms = plan.timeout.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX));
        let request = crate::serve::Request::Query {
            sql: plan.sql.clone(),
            params: plan.parameters.clone(),
            timezone: settings.timezone.clone(),
            timeout_ms,
        };
        return client.query(&request).map(Rows::Remote).map_err(refused);
    }
    let mut attempt = 0;
    loop {
        match here(settings, plan, on) {
            // Somebody prunes or merges: the newest version of the lake has other files.
            Err(error) if error.is_gone() && attempt < LOOKS => {
                std::thread::sleep(PAUSE * 2u32.pow(attempt));
                attempt += 1;
            }
            other => return other,
        }
    }
}

/// Answers in this process. A file of the lake that is not there any more is told before any row.
fn here(settings: &Settings, plan: &QueryPlan, on: OnProgress<'_>) -> Result<Rows, CliError> {
    let core = if plan.sync {
        let progress = pipeline::Progress::default();
        let refreshed = watched(&progress, on, || {
            backfill::refresh(settings, workers(), &progress)
                .map_err(|source| CliError::failed("catching up with the logs", source))
        })?;
        tell(&refreshed);
        refreshed.core
    } else {
        super::lake::there(settings)?;
        let core = backfill::open_reader(settings);
        Arc::new(core.map_err(|source| CliError::failed("reading the lake", source))?)
    };
    let runtime = Runtime::new(engine_options(settings, &settings.timezone, plan.timeout)).map_err(refused)?;
    let engine = runtime.engine(query_cut(&core)).map_err(refused)?;
    let mut answer = engine.run_blocking(&plan.sql, &plan.parameters).map_err(refused)?;
    let first = match answer.next_blocking() {
        Some(Err(error @ QueryError::Part { is_gone: true, .. })) => return Err(refused(error)),
        first => first,
    };
    Ok(Rows::Local { first, answer, warnings: engine.warnings().to_vec() })
}

/// Says what an answer does not show.
fn tell(refreshed: &backfill::Refreshed) {
    for why in refreshed.lacking.iter().take(TOLD) {
        tracing::warn!("{why}");
    }
    if let Some(more) = refreshed.lacking.len().checked_sub(TOLD).filter(|more| *more > 0) {
        tracing::warn!("{more} more could not be read; devlog sources --state error says why");
    }
    if let Some(why) = &refreshed.unstored {
        tracing::warn!("the newest rows of the answer are not stored: {why}");
    }
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Rows of a table on a screen.
const SCREENFUL: usize = 40;

/// How long the rows that are not shown are counted.
const COUNTED_FOR: Duration = Duration::from_secs(1);

/// Runs a query and writes its rows to `out` as they come.
pub(in crate::cli) fn query(
    settings: &Settings,
    plan: &QueryPlan,
    layout: Layout,
    on: OnProgress<'_>,
    out: &mut (dyn Write + Send),
) -> Result<Shown, CliError> {
    let mut rows = rows(settings, plan, on)?;
    for warning in rows.warnings() {
        tracing::warn!("{warning}");
    }
    let screen = layout.screen;
    let options = OutputOptions {
        width: screen.and_then(|screen| screen.columns).map(usize::from),
        zone: Zone::named(&settings.timezone).unwrap_or(Zone::UTC),
        max_rows: (screen.is_some() && !layout.all).then_some(SCREENFUL),
        terminal: screen.is_some(),
        color: screen.is_some_and(|screen| screen.color),
        explains: is_explain(&plan.sql),
    };
    let mut output = Output::new(layout.format, &rows.schema(), out, &options).map_err(unwritten)?;
    let (mut seen, mut full) = (0, false);
    for batch in rows.by_ref() {
        let batch = batch?;
        seen += batch.num_rows() as u64;
        full = output.write(&batch).map_err(unwritten)? == More::Enough;
        if full {
            break;
        }
    }
    let written = output.finish().map_err(unwritten)?.rows;
    if !full {
        return Ok(Shown { rows: written, written, and_more: false });
    }
    let (more, is_whole) = counted(rows);
    Ok(Shown { rows: seen + more, written, and_more: !is_whole })
}

/// Counts `rows`, for a moment only; says whether that was all of them.
fn counted(rows: Rows) -> (u64, bool) {
    let count = Arc::new(AtomicU64::new(0));
    let (done, told) = std::sync::mpsc::channel();
    let counting = Arc::clone(&count);
    let until = Instant::now() + COUNTED_FOR;
    // A thread of its own: the next rows may be long in coming.
    let thread = std::thread::Builder::new().name("count".to_owned()).spawn(move || {
        let mut is_whole = true;
        for batch in rows {
            is_whole = Instant::now() < until && batch.is_ok();
            counting.fetch_add(batch.map_or(0, |batch| batch.num_rows() as u64), Ordering::Relaxed);
            if !is_whole {
                break;
            }
        }
        // Nobody may wait any more.
        let _unheard = done.send(is_whole);
    });
    let is_whole = thread.is_ok() && told.recv_timeout(COUNTED_FOR).unwrap_or_default();
    (count.load(Ordering::Relaxed), is_whole)
}

pub(super) fn unwritten(error: OutputError) -> CliError {
    match error {
        OutputError::BrokenPipe => CliError::Output { source: std::io::ErrorKind::BrokenPipe.into() },
        OutputError::Io { source } => CliError::Output { source },
        other => CliError::failed("writing the answer", other),
    }
}
