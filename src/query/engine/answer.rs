//! Waiting for a query: whoever asked leaves at the time limit, at the memory limit, or when nobody waits
//! any more, whether the threads that work for it listen or not.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use tokio::sync::{mpsc, oneshot};

use super::Runtime;
use crate::query::error::QueryError;
use crate::query::memory::Residence;

/// How often it is asked whether somebody still waits, and how much memory there is.
const ASKED_EVERY: Duration = Duration::from_millis(50);

pub(super) type Message = Result<Option<RecordBatch>, QueryError>;
pub(super) type Started = Result<(SchemaRef, mpsc::Receiver<Message>), QueryError>;

/// What a query may take.
#[derive(Debug)]
pub(super) struct Bounds {
    /// When it ends, and the limit that says so.
    pub(super) deadline: Option<(Instant, Duration)>,
    /// The most that this process may hold, and the limit that says so.
    memory: Option<(Residence, u64, u64)>,
}

impl Bounds {
    /// Those of a query that begins now. With `growth` this process may grow by so much.
    pub(super) fn new(timeout: Option<Duration>, growth: Option<u64>, memory_bytes: u64) -> Self {
        let deadline = timeout.and_then(|limit| Some((Instant::now().checked_add(limit)?, limit)));
        let memory = growth.and_then(|growth| {
            let own = Residence::of(std::process::id());
            let most = own.bytes()?.saturating_add(growth);
            Some((own, most, memory_bytes))
        });
        Self { deadline, memory }
    }

    fn timed_out(&self) -> Option<QueryError> {
        let (at, limit) = self.deadline?;
        (Instant::now() >= at).then_some(QueryError::Timeout { seconds: limit.as_secs_f64() })
    }

    /// The bound that was passed.
    fn passed(&self) -> Option<QueryError> {
        let too_much = |(own, most, limit_bytes): &(Residence, u64, u64)| {
            own.bytes().is_some_and(|bytes| bytes > *most).then_some(QueryError::Memory { limit_bytes: *limit_bytes })
        };
        self.timed_out().or_else(|| self.memory.as_ref().and_then(too_much))
    }

    /// Why the working side is gone without a last word.
    fn stopped(&self) -> QueryError {
        let bug = || QueryError::Failed { message: "the engine stopped working on it; this is a bug".to_owned() };
        self.timed_out().unwrap_or_else(bug)
    }

    /// Polls until there is something, a bound is passed or nobody `waits` any more.
    fn wait<T>(
        &self,
        waits: &dyn Fn() -> bool,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> Result<T, QueryError> {
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        let mut asked = Instant::now();
        loop {
            if let Poll::Ready(value) = poll(&mut context) {
                return Ok(value);
            }
            if asked.elapsed() >= ASKED_EVERY {
                asked = Instant::now();
                if let Some(error) = self.passed() {
                    return Err(error);
                }
                if !waits() {
                    return Err(QueryError::Failed { message: "nobody waits for it any more".to_owned() });
                }
            }
            let left = self.deadline.map_or(ASKED_EVERY, |(at, _)| at.saturating_duration_since(Instant::now()));
            std::thread::park_timeout(left.clamp(Duration::from_millis(1), ASKED_EVERY));
        }
    }
}

/// Wakes a thread that waits for rows.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Rows on their way: a schema and a stream of batches.
///
/// Dropping it ends the query.
#[derive(Debug)]
pub struct Answer {
    schema: SchemaRef,
    batches: mpsc::Receiver<Message>,
    bounds: Bounds,
    finished: bool,
    is_abandoned: bool,
    /// The engine must outlive its answers: the threads stop with the last handle to them.
    _keep: Runtime,
}

impl Answer {
    /// Waits until the query is planned, while somebody `waits`.
    pub(super) fn wait(
        mut told: oneshot::Receiver<Started>,
        bounds: Bounds,
        waits: &dyn Fn() -> bool,
        keep: Runtime,
    ) -> Result<Self, QueryError> {
        let started = bounds.wait(waits, |context| std::pin::Pin::new(&mut told).poll(context))?;
        let (schema, batches) = started.map_err(|_| bounds.stopped())??;
        Ok(Self { schema, batches, bounds, finished: false, is_abandoned: false, _keep: keep })
    }

    /// The columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Waits for the next batch; `None` after the last.
    pub fn next_blocking(&mut self) -> Option<Result<RecordBatch, QueryError>> {
        self.next_while(&|| true)
    }

    /// Waits for the next batch while somebody `waits` for it, and not beyond the query's bounds.
    pub fn next_while(&mut self, waits: &dyn Fn() -> bool) -> Option<Result<RecordBatch, QueryError>> {
        if self.finished {
            return None;
        }
        let batches = &mut self.batches;
        let item = match self.bounds.wait(waits, |context| batches.poll_recv(context)) {
            Ok(Some(Ok(Some(batch)))) => return Some(Ok(batch)),
            Ok(Some(Ok(None))) => None,
            Ok(Some(Err(error))) => Some(Err(error)),
            // The sender went away without saying that it is done.
            Ok(None) => Some(Err(self.bounds.stopped())),
            Err(error) => {
                self.is_abandoned = true;
                Some(Err(error))
            }
        };
        self.finished = true;
        item
    }

    /// True when its reader left before its end: threads of its [`Runtime`] may still be busy with it.
    #[must_use]
    pub const fn is_abandoned(&self) -> bool {
        self.is_abandoned
    }
}
