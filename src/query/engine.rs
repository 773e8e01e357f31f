//! The engine: one cut, any number of queries.
//!
//! - statements only read: no file is written, no setting is changed, no path is opened but the lake's
//! - answers stream; nothing is collected, a slow reader slows the query down
//! - planning and execution run on threads with large stacks, under a memory limit, beside a private
//!   directory for spilling, and end at the time limit or when the reader goes away; who asked leaves then
//!   in any case, also from planning and from one long call of a function, which do not listen
//! - a query that meets the memory limit before its first row runs once more, with plans that spill

mod answer;
mod low_memory;
mod runtime;
mod spill;
#[cfg(test)]
mod tests;
mod threads;

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::dataframe::DataFrame;
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use futures::StreamExt;
use tokio::sync::mpsc;

use super::catalog::Names;
use super::error::{QueryError, Surroundings};
use super::headers::{self, Headers};
use super::statement;
use super::views::View;
use super::{Cut, params, times};
use crate::zone::Zone;
pub use answer::Answer;
use answer::{Bounds, Message, Started};
use low_memory::low_memory_session;
pub use runtime::{EngineOptions, Runtime};
pub use spill::remove_spilled;

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

    /// [`Engine::run_while`] for somebody who waits in any case.
    ///
    /// # Errors
    ///
    /// See there.
    pub fn run_blocking(&self, sql: &str, params: &[(String, String)]) -> Result<Answer, QueryError> {
        self.run_while(sql, params, &|| true)
    }

    /// Starts `sql` with `params` for its `$name`s, and waits until it is planned: while somebody `waits`, and
    /// not beyond the time and the memory it may take.
    ///
    /// # Errors
    ///
    /// What is wrong with the query; errors while rows are made come with the rows.
    pub fn run_while(
        &self,
        sql: &str,
        params: &[(String, String)],
        waits: &dyn Fn() -> bool,
    ) -> Result<Answer, QueryError> {
        let options = &self.runtime.shared.options;
        let bounds = Bounds::new(options.timeout, options.growth_bytes, options.memory_bytes);
        let (sql, params) = (sql.to_owned(), params.to_vec());
        // One moment for the whole query, a second attempt included: what `now()` says.
        let mut session = (*self.session).clone();
        session.mark_start_execution();
        let planner = Planner {
            names: Arc::clone(&self.names),
            session: Arc::new(session),
            surroundings: self.surroundings.clone(),
            headers: Headers::default(),
        };
        let Some(threads) = self.runtime.shared.threads.0.as_ref() else {
            return Err(QueryError::Failed { message: "the engine is closing".to_owned() });
        };
        let (tell, told) = tokio::sync::oneshot::channel();
        let deadline = bounds.deadline.map(|(at, _)| at);
        threads.spawn(async move {
            let work = planner.answer(&sql, &params, tell);
            match deadline {
                // Ending early drops the sender before its last message: the reader sees why.
                Some(at) => drop(tokio::time::timeout_at(at.into(), work).await),
                None => work.await,
            }
        });
        Answer::wait(told, bounds, waits, self.runtime.clone())
    }
}

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
        let (mut statement, tokens) = statement::parse(sql)?;
        headers::select_all(&mut statement);
        self.headers = Headers::of(&mut statement, sql, &tokens);
        self.surroundings.tokens = Arc::new(tokens);
        statement::only_reads(&statement)?;
        let explain = |e| self.surroundings.explain(e);
        let references = self.session.resolve_table_references(&statement).map_err(explain)?;
        self.names.check(&references, &self.surroundings)?;
        let plan = self.session.statement_to_plan(statement).await.map_err(explain)?;
        let plan = times::complete(plan, &self.surroundings.tokens).map_err(explain)?;
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
                    stream = self
                        .start(low_memory_session(&self.session, self.surroundings.memory_bytes)?, plan.clone())
                        .await?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
