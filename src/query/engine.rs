//! The engine: one cut, any number of queries.
//!
//! - statements only read: no file is written, no setting is changed, no path is opened but the lake's
//! - answers stream; nothing is collected, a slow reader slows the query down
//! - planning and execution run on threads with large stacks, under a memory limit, beside a private
//!   directory for spilling, and end at the time limit or when the reader goes away
//! - a query that meets the memory limit before its first row runs once more, with plans that spill

mod frugal;
mod runtime;
mod spill;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::dataframe::DataFrame;
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;

use super::catalog::{self, Names};
use super::error::{QueryError, Surroundings};
use super::headers::{self, Headers};
use super::views::View;
use super::zone::Zone;
use super::{Cut, params};
use frugal::frugal_state;
pub use runtime::{EngineOptions, Runtime};

/// How often it is asked whether somebody still waits for an answer.
const ASKED_EVERY: Duration = Duration::from_millis(250);

/// Batches that wait for a slow reader.
const WAITING_BATCHES: usize = 2;

/// Answers queries about one cut.
#[derive(Debug)]
pub struct Engine {
    runtime: Runtime,
    names: Arc<Names>,
    session: Arc<SessionState>,
    surroundings: Surroundings,
    warnings: Vec<String>,
}

/// Everything that planning needs, apart from the engine itself.
struct Planner {
    names: Arc<Names>,
    session: Arc<SessionState>,
    surroundings: Surroundings,
    /// Names of the answer's columns.
    headers: Headers,
}

impl Engine {
    /// An engine of its own for `cut`; a process that asks more than once keeps a [`Runtime`].
    ///
    /// # Errors
    ///
    /// See [`Runtime::new`] and [`Runtime::engine`].
    pub fn new(cut: Cut, options: EngineOptions) -> Result<Self, QueryError> {
        Runtime::new(options)?.engine(cut)
    }

    /// The zone that days are formed in.
    #[must_use]
    pub fn zone(&self) -> Zone {
        self.runtime.shared.zone
    }

    /// Views of the user that cannot be used, and why.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Names of the tables.
    #[must_use]
    pub fn tables(&self) -> Vec<String> {
        self.names.tables()
    }

    /// All views, by name.
    pub fn views(&self) -> impl Iterator<Item = &View> {
        self.names.views().values()
    }

    /// Starts `sql` with `params` for its `$name`s.
    ///
    /// # Errors
    ///
    /// What is wrong with the query; errors while rows are made come with the rows.
    pub async fn run(&self, sql: &str, params: &[(String, String)]) -> Result<Answer, QueryError> {
        let (sql, params) = (sql.to_owned(), params.to_vec());
        let planner = Planner {
            names: Arc::clone(&self.names),
            session: Arc::clone(&self.session),
            surroundings: self.surroundings.clone(),
            headers: Headers::default(),
        };
        let timeout = self.runtime.shared.options.timeout;
        let threads = self.runtime.shared.threads.0.as_ref();
        let Some(threads) = threads else {
            return Err(QueryError::Failed { message: "the engine is closing".to_owned() });
        };
        // The engine must outlive its answers: the threads stop with the last handle to them.
        let keep = self.runtime.clone();
        let (tell, told) = tokio::sync::oneshot::channel();
        let deadline: Deadline = timeout.map(|limit| (tokio::time::Instant::now() + limit, limit));
        threads.spawn(async move {
            let work = planner.answer(&sql, &params, tell);
            match deadline {
                // Ending early drops the sender before its last message: the reader sees why.
                Some((at, _)) => drop(tokio::time::timeout_at(at, work).await),
                None => work.await,
            }
        });
        let started = told.await.map_err(|_| stopped(deadline))?;
        let (schema, batches) = started?;
        Ok(Answer { schema, batches, deadline, finished: false, is_abandoned: false, _keep: keep })
    }

    /// [`Engine::run`] for threads that are not async.
    ///
    /// # Errors
    ///
    /// See [`Engine::run`].
    pub fn run_blocking(&self, sql: &str, params: &[(String, String)]) -> Result<Answer, QueryError> {
        match &self.runtime.shared.threads.0 {
            Some(threads) => threads.block_on(self.run(sql, params)),
            None => Err(QueryError::Failed { message: "the engine is closing".to_owned() }),
        }
    }
}

type Deadline = Option<(tokio::time::Instant, Duration)>;

/// Why the working side is gone without a last word.
fn stopped(deadline: Deadline) -> QueryError {
    match deadline {
        Some((at, limit)) if tokio::time::Instant::now() >= at => QueryError::Timeout { seconds: limit.as_secs_f64() },
        _ => QueryError::Failed { message: "the engine stopped working on it; this is a bug".to_owned() },
    }
}

type Message = Result<Option<RecordBatch>, QueryError>;
type Started = Result<(SchemaRef, mpsc::Receiver<Message>), QueryError>;

impl Planner {
    /// Plans `sql`, tells what comes, then sends it. The last message is `Ok(None)`: without it the
    /// answer is not complete.
    async fn answer(mut self, sql: &str, params: &[(String, String)], tell: tokio::sync::oneshot::Sender<Started>) {
        let (plan, first) = match self.prepare(sql, params).await {
            Ok(prepared) => prepared,
            Err(error) => {
                // Nobody waits any more: nothing is lost.
                drop(tell.send(Err(error)));
                return;
            }
        };
        let (sender, receiver) = mpsc::channel(WAITING_BATCHES);
        let schema = self.headers.apply(&first.schema());
        if tell.send(Ok((Arc::clone(&schema), receiver))).is_err() {
            return;
        }
        let outcome = tokio::select! {
            outcome = self.send(plan, first, &schema, &sender) => outcome,
            () = sender.closed() => return,
        };
        // A reader that has gone away needs no end.
        drop(sender.send(outcome.map(|()| None)).await);
    }

    async fn prepare(
        &mut self,
        sql: &str,
        params: &[(String, String)],
    ) -> Result<(LogicalPlan, SendableRecordBatchStream), QueryError> {
        let (mut statement, tokens) = catalog::parse(sql)?;
        headers::select_all(&mut statement);
        self.headers = Headers::of(&mut statement, sql, &tokens);
        self.surroundings.tokens = Arc::new(tokens);
        catalog::only_reads(&statement)?;
        let explain = |e| self.surroundings.explain(e);
        let references = self.session.resolve_table_references(&statement).map_err(explain)?;
        self.names.check(&references, &self.surroundings)?;
        let plan = self.session.statement_to_plan(statement).await.map_err(explain)?;
        let nothing = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        nothing.verify_plan(&plan).map_err(explain)?;
        let plan = params::fill(plan, params, &self.surroundings)?;
        let plan = self.readable(plan)?;
        let stream = self.start((*self.session).clone(), plan.clone()).await?;
        Ok((plan, stream))
    }

    /// Makes JSON values of several types, which no output format knows, text.
    fn readable(&self, plan: LogicalPlan) -> Result<LogicalPlan, QueryError> {
        let schema = Arc::clone(plan.schema());
        if !schema.fields().iter().any(|f| matches!(f.data_type(), DataType::Union(..))) {
            return Ok(plan);
        }
        let to_text = datafusion_functions_json::udfs::json_union_to_text_udf();
        let columns = schema.columns().into_iter().zip(schema.fields()).map(|(column, field)| {
            let name = column.name.clone();
            let value = Expr::Column(column);
            match field.data_type() {
                DataType::Union(..) => to_text.call(vec![value]).alias(name),
                _ => value,
            }
        });
        let projected = LogicalPlanBuilder::from(plan).project(columns).and_then(LogicalPlanBuilder::build);
        projected.map_err(|e| self.surroundings.explain(e))
    }

    async fn start(&self, state: SessionState, plan: LogicalPlan) -> Result<SendableRecordBatchStream, QueryError> {
        let explain = |e| self.surroundings.explain(e);
        let frame = match plan {
            described @ LogicalPlan::DescribeTable(_) => {
                SessionContext::new_with_state(state).execute_logical_plan(described).await.map_err(explain)?
            }
            plan => DataFrame::new(state, plan),
        };
        frame.execute_stream().await.map_err(explain)
    }

    async fn send(
        &self,
        plan: LogicalPlan,
        mut stream: SendableRecordBatchStream,
        schema: &SchemaRef,
        sender: &mpsc::Sender<Message>,
    ) -> Result<(), QueryError> {
        let mut sent = false;
        let mut frugal = false;
        while let Some(item) = stream.next().await {
            match item.map_err(|e| self.surroundings.explain(e)) {
                Ok(batch) if batch.num_rows() == 0 => {}
                Ok(batch) => {
                    sent = true;
                    let batch = headers::renamed(batch, schema).map_err(|e| self.surroundings.explain(e.into()))?;
                    if sender.send(Ok(Some(batch))).await.is_err() {
                        return Ok(());
                    }
                }
                // Hash joins hold one side in memory; sorting both can spill, and takes longer.
                Err(QueryError::Memory { .. }) if !sent && !frugal => {
                    frugal = true;
                    drop(stream);
                    stream =
                        self.start(frugal_state(&self.session, self.surroundings.memory_bytes)?, plan.clone()).await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Rows on their way: a schema and a stream of batches.
///
/// Dropping it ends the query.
#[derive(Debug)]
pub struct Answer {
    schema: SchemaRef,
    batches: mpsc::Receiver<Message>,
    deadline: Deadline,
    finished: bool,
    is_abandoned: bool,
    _keep: Runtime,
}

/// Wakes a thread that waits for rows.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Answer {
    /// The columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Waits for the next batch; `None` after the last.
    pub fn next_blocking(&mut self) -> Option<Result<RecordBatch, QueryError>> {
        self.next_while(&|| true)
    }

    /// Waits for the next batch while somebody `waits` for it, and not beyond the deadline: an operator that
    /// compares every row with every other one may not listen for long.
    pub fn next_while(&mut self, waits: &dyn Fn() -> bool) -> Option<Result<RecordBatch, QueryError>> {
        if self.finished {
            return None;
        }
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(message) = self.batches.poll_recv(&mut context) {
                return self.receive(message);
            }
            let left = self.deadline.map_or(ASKED_EVERY, |(at, _)| at.duration_since(tokio::time::Instant::now()));
            if left.is_zero() || !waits() {
                self.is_abandoned = true;
                return self.receive(None);
            }
            std::thread::park_timeout(left.min(ASKED_EVERY));
        }
    }

    /// True when its reader left before its end: threads of its [`Runtime`] may still be busy with it.
    #[must_use]
    pub const fn is_abandoned(&self) -> bool {
        self.is_abandoned
    }

    fn receive(&mut self, message: Option<Message>) -> Option<Result<RecordBatch, QueryError>> {
        let item = match message {
            Some(Ok(Some(batch))) => return Some(Ok(batch)),
            Some(Ok(None)) => None,
            Some(Err(error)) => Some(Err(error)),
            // The sender went away without saying that it is done.
            None => Some(Err(stopped(self.deadline))),
        };
        self.finished = true;
        item
    }
}

impl Stream for Answer {
    type Item = Result<RecordBatch, QueryError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.finished {
            return Poll::Ready(None);
        }
        match self.batches.poll_recv(cx) {
            Poll::Ready(message) => Poll::Ready(self.receive(message)),
            Poll::Pending => Poll::Pending,
        }
    }
}
