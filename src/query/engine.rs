//! The engine: one cut, any number of queries.
//!
//! - statements only read: no file is written, no setting is changed, no path is opened but the lake's
//! - answers stream; nothing is collected, a slow reader slows the query down
//! - planning and execution run on threads with large stacks, under a memory limit, beside a private
//!   directory for spilling, and end at the time limit or when the reader goes away

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::{CatalogProvider, MemTable, MemoryCatalogProvider, TableProvider};
use datafusion::config::ConfigNonZeroUsize;
use datafusion::dataframe::DataFrame;
use datafusion::execution::context::{SQLOptions, SessionContext};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, MemoryPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionConfig;
use futures::{Stream, StreamExt};
use tokio::sync::mpsc;

use super::catalog::{self, Names, SCHEMA};
use super::error::{QueryError, Surroundings};
use super::memory::FrugalPool;
use super::scan::LakeTable;
use super::views::{self, View};
use super::zone::Zone;
use super::{Cut, functions, nearest, params};
use crate::schema;

/// Stack of every thread that plans or runs a query.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// Batches that wait for a slow reader.
const WAITING_BATCHES: usize = 2;
/// Rows of a batch when memory is short: a batch is the least that a sort can hold.
const FRUGAL_ROWS: usize = 1024;
/// Spilled files that are merged at once when memory is short.
const MERGED_FILES: usize = 4;
/// Bytes of spilled rows on disk.
const SPILL_BYTES: u64 = 100 * 1024 * 1024 * 1024;

/// What an engine may use and how it sees time.
#[derive(Debug, Clone)]
pub struct EngineOptions {
    /// Memory for sorting, grouping and joining.
    pub memory_bytes: u64,
    /// Directory for rows that do not fit; created with mode 0700.
    pub spill_dir: PathBuf,
    /// IANA zone for days, weeks and months.
    pub timezone: String,
    /// The user's own views.
    pub user_queries: Option<PathBuf>,
    /// Longest time for one answer, reading included.
    pub timeout: Option<Duration>,
    /// Threads, and partitions of a plan; 0 for one per core.
    pub threads: usize,
}

/// What outlives a cut: threads, memory limit, cached footers, functions. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
}

struct Shared {
    options: EngineOptions,
    zone: Zone,
    threads: Threads,
    template: SessionState,
    functions: Arc<Vec<String>>,
}

/// Threads that may be dropped anywhere, async code included.
struct Threads(Option<tokio::runtime::Runtime>);

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("options", &self.shared.options).finish()
    }
}

fn create_private(path: &Path) -> Result<(), QueryError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|source| QueryError::Io { path: path.to_owned(), source })
}

fn config(threads: usize, memory_bytes: u64) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(threads)
        .with_default_catalog_and_schema("devlog", SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false);
    let options = config.options_mut();
    // What a sort keeps free for merging what it spilled; the default takes most of a small limit.
    let reserve = usize::try_from(memory_bytes / 64).unwrap_or(usize::MAX);
    options.execution.sort_spill_reservation_bytes = reserve.clamp(256 * 1024, 10 * 1024 * 1024);
    options.execution.parquet.pushdown_filters = true;
    options.execution.parquet.reorder_filters = true;
    options.explain.show_sizes = false;
    // A view's ORDER BY is what `SELECT * FROM view` shows; it costs little, such views are small.
    options.sql_parser.enable_subquery_sort_elimination = false;
    // `x IS TRUE` is planned as never null and executed as perhaps null; the check would refuse it.
    options.execution.skip_physical_aggregate_schema_check = true;
    config
}

impl Runtime {
    /// Starts threads and prepares functions; knows no rows yet.
    ///
    /// # Errors
    ///
    /// An unknown time zone, a spill directory that cannot be made, threads that cannot be started.
    pub fn new(options: EngineOptions) -> Result<Self, QueryError> {
        let zone = Zone::named(&options.timezone).ok_or_else(|| QueryError::UnknownZone {
            nearest: nearest::nearest(&options.timezone, Zone::all_names()).map(str::to_owned),
            name: options.timezone.clone(),
        })?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = if options.threads == 0 { cores } else { options.threads };
        create_private(&options.spill_dir)?;
        let threads = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(count)
            .thread_name("query")
            .thread_stack_size(STACK_BYTES)
            .enable_time()
            .build()
            .map_err(|source| QueryError::Io { path: options.spill_dir.clone(), source })?;
        let env = environment(&options)?;
        let mut state = SessionStateBuilder::new().with_default_features();
        if let Some(known) = state.scalar_functions() {
            functions::install(known, zone);
        }
        if let Some(known) = state.aggregate_functions() {
            known.extend(functions::aggregates());
        }
        let mut template = state.with_config(config(count, options.memory_bytes)).with_runtime_env(env).build();
        datafusion_functions_json::register_all(&mut template).map_err(|e| failed(&e))?;
        let functions = Arc::new(function_names(&template));
        let threads = Threads(Some(threads));
        Ok(Self { shared: Arc::new(Shared { options, zone, threads, template, functions }) })
    }

    /// An engine that sees `cut`.
    ///
    /// # Errors
    ///
    /// Rows in memory that do not follow the schema files; that is a bug.
    pub fn engine(&self, cut: Cut) -> Result<Engine, QueryError> {
        let surroundings = Surroundings {
            tokens: Arc::default(),
            functions: Arc::clone(&self.shared.functions),
            memory_bytes: self.shared.options.memory_bytes,
        };
        let tables = tables(cut)?;
        let mut views = views::built_in();
        let known: Vec<&str> = tables.keys().map(String::as_str).collect();
        let own = self.shared.options.user_queries.as_ref();
        let warnings = own.map_or_else(Vec::new, |dir| views::add_own(&mut views, dir, &known));
        let names = Arc::new(Names::new(tables, views, surroundings.clone()));
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(SCHEMA, Arc::clone(&names) as _).map_err(|e| failed(&e))?;
        let catalogs = datafusion::catalog::MemoryCatalogProviderList::new();
        datafusion::catalog::CatalogProviderList::register_catalog(&catalogs, "devlog".into(), Arc::new(catalog));
        let state = SessionStateBuilder::new_from_existing(self.shared.template.clone())
            .with_catalog_list(Arc::new(catalogs))
            .build();
        let session = Arc::new(state);
        names.attach(&session);
        Ok(Engine { runtime: self.clone(), names, session, surroundings, warnings })
    }
}

fn failed(error: &datafusion::error::DataFusionError) -> QueryError {
    QueryError::Failed { message: error.strip_backtrace() }
}

fn environment(options: &EngineOptions) -> Result<Arc<RuntimeEnv>, QueryError> {
    let bytes = usize::try_from(options.memory_bytes).unwrap_or(usize::MAX);
    // A fair pool gives every operator that could spill the same share, idle ones included: a view has
    // dozens, and all fail with most of the memory unused.
    let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(bytes));
    let disk = DiskManagerBuilder::default()
        .with_mode(DiskManagerMode::Directories(vec![options.spill_dir.clone()]))
        .with_max_temp_directory_size(SPILL_BYTES);
    RuntimeEnvBuilder::new()
        .with_memory_pool(pool)
        .with_disk_manager_builder(disk)
        .with_metadata_cache_limit((bytes / 8).min(32 * 1024 * 1024))
        .build_arc()
        .map_err(|e| failed(&e))
}

fn function_names(state: &SessionState) -> Vec<String> {
    let mut names: HashSet<&str> = state.scalar_functions().keys().map(String::as_str).collect();
    names.extend(state.aggregate_functions().keys().map(String::as_str));
    names.extend(state.window_functions().keys().map(String::as_str));
    names.extend(state.table_functions().keys().map(String::as_str));
    let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    names.sort();
    names
}

fn tables(cut: Cut) -> Result<BTreeMap<String, Arc<dyn TableProvider>>, QueryError> {
    let root = &cut.lake.root;
    let events = LakeTable {
        schema: schema::events_schema(),
        time: "ts",
        directory: root.join("events"),
        parts: Arc::clone(&cut.lake.events),
        batches: cut.events,
        replaced: cut.replaced,
    };
    let rejects = LakeTable {
        schema: schema::rejects_schema(),
        time: "ingested_at",
        directory: root.join("rejects"),
        parts: Arc::clone(&cut.lake.rejects),
        batches: cut.rejects,
        replaced: Arc::default(),
    };
    let sources = MemTable::try_new(cut.sources.schema(), vec![vec![cut.sources]]).map_err(|e| failed(&e))?;
    let mut tables: BTreeMap<String, Arc<dyn TableProvider>> = BTreeMap::new();
    tables.insert("events".to_owned(), Arc::new(events));
    tables.insert("rejects".to_owned(), Arc::new(rejects));
    tables.insert("sources".to_owned(), Arc::new(sources));
    Ok(tables)
}

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
        Ok(Answer { schema, batches, deadline, finished: false, _keep: keep })
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
        if tell.send(Ok((first.schema(), receiver))).is_err() {
            return;
        }
        let outcome = tokio::select! {
            outcome = self.send(plan, first, &sender) => outcome,
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
        let (statement, tokens) = catalog::parse(sql)?;
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
        use datafusion::logical_expr::{Expr, LogicalPlanBuilder};
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
        sender: &mpsc::Sender<Message>,
    ) -> Result<(), QueryError> {
        let mut sent = false;
        let mut frugal = false;
        while let Some(item) = stream.next().await {
            match item.map_err(|e| self.surroundings.explain(e)) {
                Ok(batch) if batch.num_rows() == 0 => {}
                Ok(batch) => {
                    sent = true;
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

/// The session with plans that need little memory at once and take longer.
fn frugal_state(session: &SessionState, memory_bytes: u64) -> Result<SessionState, QueryError> {
    let bytes = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
    let env = RuntimeEnvBuilder::from_runtime_env(session.runtime_env())
        .with_memory_pool(Arc::new(FrugalPool::new(bytes)))
        .with_max_spill_merge_fan_in(MERGED_FILES)
        .build_arc()
        .map_err(|e| failed(&e))?;
    let mut state = SessionStateBuilder::new_from_existing(session.clone()).with_runtime_env(env).build();
    let options = state.config_mut().options_mut();
    options.optimizer.prefer_hash_join = false;
    // With one partition the planner knows hash joins only.
    options.execution.target_partitions = 2;
    options.execution.batch_size = ConfigNonZeroUsize::try_new(FRUGAL_ROWS).map_err(|e| failed(&e))?;
    Ok(state)
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
    _keep: Runtime,
}

impl Answer {
    /// The columns.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Waits for the next batch; `None` after the last.
    pub fn next_blocking(&mut self) -> Option<Result<RecordBatch, QueryError>> {
        if self.finished {
            return None;
        }
        let message = self.batches.blocking_recv();
        self.receive(message)
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
