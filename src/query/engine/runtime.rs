//! What outlives a cut: threads, memory limit, functions, cached footers.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datafusion::catalog::{
    CatalogProvider, CatalogProviderList, MemoryCatalogProvider, MemoryCatalogProviderList, TableProvider,
};
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

use super::Engine;
use super::spill::SpillDir;
use super::threads::Threads;
use crate::query::catalog::{Names, SCHEMA};
use crate::query::compact::CompactTexts;
use crate::query::error::{QueryError, Surroundings};
use crate::query::memory::Pool;
use crate::query::scan::LakeTable;
use crate::query::{Cut, functions, views};
use crate::schema;
use crate::text::nearest;
use crate::zone::Zone;

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
    /// Reads one of them.
    pub read_view: views::ReadView,
    /// Longest time for one answer, reading included.
    pub timeout: Option<Duration>,
    /// By how much this process may grow while a query runs, what the limit above does not see included;
    /// `None` when somebody else watches it.
    pub growth_bytes: Option<u64>,
    /// Threads, and partitions of a plan; 0 for one per core.
    pub threads: usize,
}

/// What outlives a cut: threads, memory limit, cached footers, functions. Cheap to clone.
#[derive(Clone)]
pub struct Runtime {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) options: EngineOptions,
    pub(super) zone: Zone,
    pub(super) threads: Threads,
    template: SessionState,
    functions: Arc<Vec<String>>,
    /// Dropped last: the threads are asked to stop before.
    _spill: Option<SpillDir>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runtime").field("options", &self.shared.options).finish()
    }
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
    /// An unknown time zone, threads that cannot be started.
    pub fn new(options: EngineOptions) -> Result<Self, QueryError> {
        let zone = Zone::named(&options.timezone).ok_or_else(|| QueryError::UnknownZone {
            nearest: nearest(&options.timezone, Zone::all_names()).map(str::to_owned),
            name: options.timezone.clone(),
        })?;
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = if options.threads == 0 { cores } else { options.threads };
        let threads = Threads::start(count).map_err(|source| QueryError::Threads { source })?;
        // A home that cannot be written can still be asked; then what does not fit into memory is refused.
        let spill = SpillDir::create_in(&options.spill_dir).ok();
        let env = environment(&options, spill.as_ref())?;
        let mut state =
            SessionStateBuilder::new().with_default_features().with_physical_optimizer_rule(Arc::new(CompactTexts));
        if let Some(known) = state.scalar_functions() {
            functions::install(known, zone);
        }
        if let Some(known) = state.aggregate_functions() {
            known.extend(functions::aggregates());
        }
        let mut template = state.with_config(config(count, options.memory_bytes)).with_runtime_env(env).build();
        datafusion_functions_json::register_all(&mut template).map_err(|e| failed(&e))?;
        for (name, table) in functions::series(template.table_functions()) {
            template.register_udtf(&name, table);
        }
        let functions = Arc::new(function_names(&template));
        Ok(Self { shared: Arc::new(Shared { options, zone, threads, template, functions, _spill: spill }) })
    }

    /// True when both are one: the same threads.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// An engine that sees `cut`.
    ///
    /// # Errors
    ///
    /// A catalog that cannot be made; that is a bug.
    pub fn engine(&self, cut: Cut) -> Result<Engine, QueryError> {
        let surroundings = Surroundings {
            tokens: Arc::default(),
            functions: Arc::clone(&self.shared.functions),
            memory_bytes: self.shared.options.memory_bytes,
        };
        let tables = tables(cut);
        let mut views = views::built_in();
        let known: Vec<&str> = tables.keys().map(String::as_str).collect();
        let own = self.shared.options.user_queries.as_ref();
        let warnings =
            own.map_or_else(Vec::new, |dir| views::add_own(&mut views, dir, &known, self.shared.options.read_view));
        let names = Arc::new(Names::new(tables, views, surroundings.clone()));
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(SCHEMA, Arc::clone(&names) as _).map_err(|e| failed(&e))?;
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog("devlog".to_owned(), Arc::new(catalog));
        let mut state = SessionStateBuilder::new_from_existing(self.shared.template.clone())
            .with_catalog_list(Arc::new(catalogs))
            .build();
        // Views may name the present too.
        state.mark_start_execution();
        let session = Arc::new(state);
        names.attach(&session);
        Ok(Engine { runtime: self.clone(), names, session, surroundings, warnings })
    }
}

pub(super) fn failed(error: &datafusion::error::DataFusionError) -> QueryError {
    QueryError::Failed { message: error.strip_backtrace() }
}

fn environment(options: &EngineOptions, spill: Option<&SpillDir>) -> Result<Arc<RuntimeEnv>, QueryError> {
    let bytes = usize::try_from(options.memory_bytes).unwrap_or(usize::MAX);
    // A fair pool gives every operator that could spill the same share, idle ones included: a view has
    // dozens, and all fail with most of the memory unused.
    let pool: Arc<dyn MemoryPool> = Arc::new(Pool::new(bytes));
    let mode = spill.map_or(DiskManagerMode::Disabled, |dir| DiskManagerMode::Directories(vec![dir.path().to_owned()]));
    let disk = DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(SPILL_BYTES);
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

fn tables(cut: Cut) -> BTreeMap<String, Arc<dyn TableProvider>> {
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
    let mut tables: BTreeMap<String, Arc<dyn TableProvider>> = BTreeMap::new();
    tables.insert("events".to_owned(), Arc::new(events));
    tables.insert("rejects".to_owned(), Arc::new(rejects));
    tables.insert("sources".to_owned(), Arc::new(cut.sources));
    tables
}
