//! What a running `ingest` answers over its socket.

use std::io::Write;
use std::sync::{Arc, OnceLock};
#[cfg(feature = "query")]
use std::sync::{Mutex, PoisonError};

use crate::config::Settings;
use crate::pipeline::Core;
use crate::serve::{Request, Service, Status};
use crate::watch::{WatchMode, WatchStatus};

/// How the logs are watched; unset until they are.
pub(super) type Watching = Arc<OnceLock<WatchStatus>>;

/// The first rows of an answer.
#[cfg(feature = "query")]
type First = Result<arrow::array::RecordBatch, crate::query::QueryError>;

/// Answers from a core.
pub(super) struct Answering {
    settings: Settings,
    core: Arc<Core>,
    watch: Watching,
    started_us: i64,
    #[cfg(feature = "query")]
    runtimes: Mutex<Vec<(String, Option<u64>, crate::query::Runtime)>>,
}

impl Answering {
    pub(super) fn new(settings: Settings, core: Arc<Core>, watch: Watching, started_us: i64) -> Self {
        Self {
            settings,
            core,
            watch,
            started_us,
            #[cfg(feature = "query")]
            runtimes: Mutex::default(),
        }
    }
}

/// How changes are noticed now, and why not by notification.
fn watch_mode(watch: &Watching) -> (&'static str, Option<String>) {
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
        let (watch_mode, watch_reason) = watch_mode(&self.watch);
        Status {
            pid: std::process::id(),
            started_us: self.started_us,
            watch_mode: watch_mode.to_owned(),
            watch_reason,
            ring_rows: self.core.ring_rows() as u64,
            ring_bytes: self.core.ring_bytes() as u64,
        }
    }

    #[cfg(not(feature = "query"))]
    fn answer(&self, _: &Request, _: &mut dyn Write, _: &dyn Fn() -> bool) -> Result<(), String> {
        let _ = &self.settings;
        Err("the running devlog was built without SQL; stop it, or query with --no-sync".to_owned())
    }

    #[cfg(feature = "query")]
    fn answer(&self, request: &Request, out: &mut dyn Write, waits: &dyn Fn() -> bool) -> Result<(), String> {
        let Request::Query { sql, params, timezone, timeout_ms } = request else {
            return Err("this is no query".to_owned());
        };
        let runtime = self.runtime(timezone, *timeout_ms)?;
        let (first, mut answer) = self.begin(&runtime, sql, params, waits)?;
        if answer.is_abandoned() {
            self.forget(&runtime);
        }
        let failed = |e: arrow::error::ArrowError| e.to_string();
        let buffered = std::io::BufWriter::with_capacity(64 << 10, out);
        let mut stream = arrow::ipc::writer::StreamWriter::try_new(buffered, &answer.schema()).map_err(failed)?;
        let mut next = first;
        while let Some(batch) = next.take().or_else(|| answer.next_while(waits)) {
            if answer.is_abandoned() {
                self.forget(&runtime);
            }
            stream.write(&batch.map_err(|e| e.to_string())?).map_err(failed)?;
            stream.flush().map_err(failed)?;
        }
        stream.finish().map_err(failed)?;
        stream.flush().map_err(failed)
    }
}

#[cfg(feature = "query")]
impl Answering {
    /// Threads and functions for a zone and a timeout; the last few are kept.
    fn runtime(&self, timezone: &str, timeout_ms: Option<u64>) -> Result<crate::query::Runtime, String> {
        let mut known = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, _, runtime)) = known.iter().find(|(zone, limit, _)| zone == timezone && *limit == timeout_ms) {
            return Ok(runtime.clone());
        }
        let timeout = timeout_ms.map(std::time::Duration::from_millis);
        let options = super::answer::engine_options(&self.settings, timezone, timeout);
        let runtime = crate::query::Runtime::new(options).map_err(|e| e.to_string())?;
        known.truncate(3);
        known.insert(0, (timezone.to_owned(), timeout_ms, runtime.clone()));
        Ok(runtime)
    }

    /// Starts a query and waits for its first rows. While this process prunes, files go before the cut is a
    /// newer one: then it is asked again.
    fn begin(
        &self,
        runtime: &crate::query::Runtime,
        sql: &str,
        params: &[(String, String)],
        waits: &dyn Fn() -> bool,
    ) -> Result<(Option<First>, crate::query::Answer), String> {
        let mut attempt = 0;
        loop {
            let engine = runtime.engine(super::answer::query_cut(&self.core)).map_err(|e| e.to_string())?;
            let mut answer = engine.run_blocking(sql, params).map_err(|e| e.to_string())?;
            match answer.next_while(waits) {
                Some(Err(crate::query::QueryError::Part { is_gone: true, .. })) if attempt < super::answer::LOOKS => {
                    std::thread::sleep(super::answer::PAUSE * 2u32.pow(attempt));
                    attempt += 1;
                }
                first => return Ok((first, answer)),
            }
        }
    }

    /// The next query gets other threads: those of `runtime` may be busy for long with what nobody waits for.
    fn forget(&self, runtime: &crate::query::Runtime) {
        let mut known = self.runtimes.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(_, _, other)| !other.is(runtime));
    }
}
