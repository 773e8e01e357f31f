//! The answer to a query, written for whoever asked.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::rows::{Rows, rows};
use super::{Layout, OnProgress, QueryPlan, Shown};
use crate::cli::CliError;
use crate::config::{Settings, read_view};
use crate::pipeline::Core;
use crate::query::{Cut, EngineOptions, More, Output, OutputError, OutputOptions, Sources, growth, is_explain};
use crate::schema::sources_batch;
use crate::zone::Zone;

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
    let memory_bytes = super::memory::for_queries(settings);
    EngineOptions {
        memory_bytes,
        growth_bytes: Some(growth(memory_bytes)),
        spill_dir: settings.home.join("spill"),
        timezone: timezone.to_owned(),
        user_queries: Some(settings.home.join("queries")),
        read_view,
        timeout,
        threads: 0,
    }
}

/// Views of the user's own that cannot be used, and why.
pub(in crate::cli) fn broken_views(settings: &Settings) -> Vec<String> {
    let tables = crate::schema::tables().map(|table| table.name.as_str());
    crate::query::broken_views(&settings.home.join("queries"), &tables, read_view)
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
