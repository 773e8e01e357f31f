//! The answer to a query, written for whoever asked.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::CliError;
use crate::config::Settings;
use crate::ops::{OnProgress, QueryPlan, Rows, rows};
use crate::query::{More, Output, OutputError, OutputFormat, OutputOptions, is_explain};
use crate::zone::Zone;

/// Rows of a table on a screen.
const SCREENFUL: usize = 40;

/// How long the rows that are not shown are counted.
const COUNTED_FOR: Duration = Duration::from_secs(1);

/// Runs a query and writes its rows to `out` as they come.
pub(super) fn query(
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

/// How a query's rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// The format.
    pub format: OutputFormat,
    /// What it is shown on; `None` for a pipe or a file, which get everything.
    pub screen: Option<Screen>,
    /// Show all rows on a screen too.
    pub all: bool,
}

/// A terminal that an answer goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Screen {
    /// Its width, where it is known.
    pub columns: Option<u16>,
    /// It shows colours.
    pub color: bool,
}

/// What became of a query's rows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// Rows in the answer; with `and_more` those that were counted.
    pub rows: u64,
    /// Rows of them that were written.
    pub written: u64,
    /// There may be more rows than were counted.
    pub and_more: bool,
}
