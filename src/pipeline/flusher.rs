//! Makes rows durable at an interval, and keeps the number of files small.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::core::Core;
use super::expire::{ignore_transient, retain};
use super::told::Told;
use super::trim::trim_heap;
use super::{PipelineError, now_us};
use crate::lake::{CompactOptions, GRACE_US, Snapshot};

/// Months with more small files than this are compacted.
const SMALL_FILES: usize = 64;

/// Files below this size count as small.
const SMALL_BYTES: u64 = 32 << 20;

/// Pause between merges: who reads logs and asks questions comes first.
const BETWEEN_MERGES: Duration = Duration::from_millis(500);

/// Pause after a failed flush; doubled up to a minute while failures go on.
const BACK_OFF: Duration = Duration::from_secs(1);

/// A thread that flushes a core until it is stopped.
#[derive(Debug)]
pub struct Flusher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    bell: Condvar,
    gate: Mutex<()>,
}

impl Flusher {
    /// Flushes `core` every `every`, and deletes rows older than `keep_us`; `report` hears of failures,
    /// which do not end it.
    ///
    /// # Errors
    ///
    /// When the system refuses a thread.
    pub fn start(
        core: Arc<Core>,
        every: Duration,
        keep_us: Option<i64>,
        report: impl Fn(&PipelineError) + Send + 'static,
    ) -> Result<Self, PipelineError> {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("flush".to_owned())
            .spawn(move || run(&core, every, keep_us, &own, &report));
        let thread = thread.map_err(|source| PipelineError::Thread { name: "flush", source })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Stops the thread and waits for it; what is not durable stays in the ring.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.shared.bell.notify_all();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(core: &Core, every: Duration, keep_us: Option<i64>, shared: &Shared, report: &impl Fn(&PipelineError)) {
    let mut pause = every;
    let mut failing = BACK_OFF;
    let mut told = Told::default();
    let mut flushed: Option<Instant> = None;
    let mut cuts = 0;
    while wait(shared, pause) {
        let done = if flushed.is_some_and(|at| at.elapsed() < every) {
            unless_busy(core, || compact_step(core))
        } else {
            flushed = None;
            let idle = core.ring_bytes() == 0;
            if !idle {
                tracing::debug!("storing, as the flush interval of {every:?} has passed");
            }
            let care = || retain(core, keep_us).and_then(|()| compact_step(core));
            let done = core.flush().and_then(|()| unless_busy(core, care));
            // Answers take memory too.
            if !idle || core.cuts() != cuts {
                trim_heap();
                cuts = core.cuts();
            }
            done
        };
        pause = match done {
            // A merge at a time: what arrives meanwhile is made durable in between.
            Ok(true) => {
                flushed.get_or_insert_with(Instant::now);
                every.min(BETWEEN_MERGES)
            }
            Ok(false) => {
                told.works_again();
                failing = BACK_OFF;
                flushed = None;
                every
            }
            Err(error) => {
                if told.is_news(&error) {
                    report(&error);
                }
                flushed = None;
                failing = (failing * 2).min(Duration::from_secs(60));
                failing
            }
        };
    }
}

/// Does what the lake needs now and then, unless somebody sees to it at this moment: rows come first.
fn unless_busy(core: &Core, care: impl FnOnce() -> Result<bool, PipelineError>) -> Result<bool, PipelineError> {
    if core.is_in_upkeep() { Ok(false) } else { care() }
}

/// Sleeps for `pause`; false once it is to stop.
fn wait(shared: &Shared, pause: Duration) -> bool {
    let end = Instant::now() + pause;
    let mut gate = shared.gate.lock().unwrap_or_else(PoisonError::into_inner);
    while !shared.stop.load(Ordering::Relaxed) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        gate = shared.bell.wait_timeout(gate, left).unwrap_or_else(PoisonError::into_inner).0;
    }
    false
}

/// Makes one merge when a month has collected many small files, and removes what merges left long ago;
/// true when another one is due. A damaged file is told and left as it is: nobody who reads logs is
/// stopped by it.
///
/// # Errors
///
/// When the lake cannot be read or written; what was there stays valid.
pub fn compact_step(core: &Core) -> Result<bool, PipelineError> {
    if !needs_compaction(&core.snapshot()) {
        if core.has_waited() {
            core.upkeep(|lake| lake.vacuum(GRACE_US, now_us()))?;
        }
        return Ok(false);
    }
    let options = CompactOptions { max_merges: 1, memory_bytes: core.merge_bytes(), ..CompactOptions::new(now_us()) };
    trim_heap();
    let before = core.snapshot().version;
    core.upkeep(|lake| {
        if let Some(report) =
            ignore_transient(lake.compact(options), "merging small files")?.filter(|report| report.merges > 0)
        {
            tracing::info!("merged {} small files into {}", report.removed, report.written);
        }
        lake.vacuum(GRACE_US, now_us())
    })?;
    trim_heap();
    let after = core.snapshot();
    Ok(after.version != before && needs_compaction(&after))
}

/// True when a month has more small files than it should.
#[must_use]
pub fn needs_compaction(snapshot: &Snapshot) -> bool {
    let mut months: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    for part in snapshot.events.iter().filter(|p| p.bytes < SMALL_BYTES) {
        *months.entry(part.month.as_str()).or_default() += 1;
    }
    months.values().any(|files| *files > SMALL_FILES)
}

#[cfg(test)]
mod tests;
