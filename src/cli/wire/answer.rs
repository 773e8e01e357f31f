//! Rows for `query`, `report` and `export`: from the running `ingest`, else from this process.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::ingest::watched;
use super::{ExportPlan, Exported, Layout, OnProgress, QueryPlan};
use crate::backfill;
use crate::cli::CliError;
use crate::cli::args::{ExportFormat, OutputFormat as Wanted};
use crate::cli::place::Place;
use crate::config::Settings;
use crate::pipeline::{self, Core};
use crate::query::{
    Answer, Cut, EngineOptions, More, Output, OutputError, OutputFormat, OutputOptions, Runtime, Sources, Zone,
};
use crate::schema::sources_batch;

/// Folder names of more distinct values than this are not made.
const MAX_PARTITIONS: usize = 10_000;

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
    /// This process; the core is kept because its ring holds some of the rows.
    Local { answer: Answer, warnings: Vec<String> },
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
            Self::Local { answer, .. } => Some(answer.next_blocking()?.map_err(refused)),
            #[cfg(unix)]
            Self::Remote(rows) => Some(rows.next()?.map_err(refused)),
        }
    }
}

fn refused(error: impl std::error::Error + Send + Sync + 'static) -> CliError {
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
    let core = if plan.sync {
        let progress = pipeline::Progress::default();
        watched(&progress, on, || {
            let told = |text: &str| tracing::warn!("{text}");
            backfill::refresh(settings, workers(), &progress, told)
                .map_err(|source| CliError::failed("catching up with the logs", source))
        })?
    } else {
        let core = backfill::open_reader(settings);
        Arc::new(core.map_err(|source| CliError::failed("reading the lake", source))?)
    };
    let runtime = Runtime::new(engine_options(settings, &settings.timezone, plan.timeout)).map_err(refused)?;
    let engine = runtime.engine(query_cut(&core)).map_err(refused)?;
    let answer = engine.run_blocking(&plan.sql, &plan.parameters).map_err(refused)?;
    Ok(Rows::Local { answer, warnings: engine.warnings().to_vec() })
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs a query and writes its rows to `out` as they come; returns how many.
pub(in crate::cli) fn query(
    settings: &Settings,
    plan: &QueryPlan,
    layout: Layout,
    on: OnProgress<'_>,
    out: &mut (dyn Write + Send),
) -> Result<u64, CliError> {
    let rows = rows(settings, plan, on)?;
    for warning in rows.warnings() {
        tracing::warn!("{warning}");
    }
    let options = OutputOptions {
        width: layout.columns.map(usize::from),
        zone: Zone::named(&settings.timezone).unwrap_or(Zone::UTC),
        terminal: layout.columns.is_some(),
        ..OutputOptions::default()
    };
    let mut output = Output::new(format_of(layout.format), &rows.schema(), out, &options).map_err(unwritten)?;
    for batch in rows {
        if output.write(&batch?).map_err(unwritten)? == More::Enough {
            break;
        }
    }
    let written = output.finish().map_err(unwritten)?;
    if written.cut {
        tracing::warn!("the table ends after {} rows; --format ndjson or csv writes all", written.rows);
    }
    Ok(written.rows)
}

const fn format_of(wanted: Wanted) -> OutputFormat {
    match wanted {
        Wanted::Table => OutputFormat::Table,
        Wanted::Json => OutputFormat::Json,
        Wanted::Ndjson => OutputFormat::Ndjson,
        Wanted::Csv => OutputFormat::Csv,
        Wanted::Tsv => OutputFormat::Tsv,
        Wanted::Markdown => OutputFormat::Markdown,
        Wanted::Parquet => OutputFormat::Parquet,
        Wanted::Arrow => OutputFormat::Arrow,
        Wanted::ArrowStream => OutputFormat::ArrowStream,
    }
}

fn unwritten(error: OutputError) -> CliError {
    match error {
        OutputError::BrokenPipe => CliError::Output { source: std::io::ErrorKind::BrokenPipe.into() },
        OutputError::Io { source } => CliError::Output { source },
        other => CliError::failed("writing the answer", other),
    }
}

const fn export_format(wanted: ExportFormat) -> (OutputFormat, &'static str) {
    match wanted {
        ExportFormat::Parquet => (OutputFormat::Parquet, "parquet"),
        ExportFormat::Csv => (OutputFormat::Csv, "csv"),
        ExportFormat::Ndjson => (OutputFormat::Ndjson, "ndjson"),
        ExportFormat::Arrow => (OutputFormat::Arrow, "arrow"),
    }
}

/// Files of an export that are being written, by path.
struct Files<'a> {
    plan: &'a ExportPlan,
    schema: SchemaRef,
    open: BTreeMap<PathBuf, (Place, Output<File>)>,
}

impl Files<'_> {
    fn write(&mut self, path: PathBuf, batch: &RecordBatch) -> Result<(), CliError> {
        if !self.open.contains_key(&path) {
            if self.open.len() >= MAX_PARTITIONS {
                let text = format!("more than {MAX_PARTITIONS} partitions; choose a column with fewer values");
                return Err(CliError::failed("the export", text));
            }
            let (place, file) = create(&path)?;
            let (format, _) = export_format(self.plan.format);
            let output = Output::new(format, &self.schema, file, &OutputOptions::default());
            let output = output.map_err(|error| place.blame(unwritten(error)))?;
            self.open.insert(path.clone(), (place, output));
        }
        match self.open.get_mut(&path) {
            Some((place, output)) => output.write(batch).map(drop).map_err(|error| place.blame(unwritten(error))),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<Exported, CliError> {
        let mut done = Exported::default();
        for (path, (place, output)) in self.open {
            done.rows += output.finish().map_err(|error| place.blame(unwritten(error)))?.rows;
            place.settle()?;
            done.files += 1;
            done.bytes += fs::metadata(&path).map_or(0, |m| m.len());
        }
        Ok(done)
    }
}

fn create(path: &Path) -> Result<(Place, File), CliError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|source| CliError::Write { path: path.to_owned(), source })?;
    }
    Place::open(path)
}

/// Runs a query and writes its rows to files.
pub(in crate::cli) fn export(settings: &Settings, plan: &ExportPlan, on: OnProgress<'_>) -> Result<Exported, CliError> {
    let rows = rows(settings, &plan.query, on)?;
    let schema = rows.schema();
    let columns: Vec<usize> = plan.partition_by.iter().map(|name| column(&schema, name)).collect::<Result<_, _>>()?;
    let kept: Vec<usize> = (0..schema.fields().len()).filter(|i| !columns.contains(i)).collect();
    let inner = schema.project(&kept).map_err(refused)?;
    let mut files = Files { plan, schema: Arc::new(inner), open: BTreeMap::new() };
    if columns.is_empty() {
        // An answer without rows is a file too.
        files.write(plan.output.clone(), &RecordBatch::new_empty(Arc::clone(&schema)))?;
    }
    for batch in rows {
        let batch = batch?;
        if columns.is_empty() {
            files.write(plan.output.clone(), &batch)?;
            continue;
        }
        let keys: Vec<ArrayRef> = columns.iter().map(|i| Arc::clone(batch.column(*i))).collect();
        let inner = batch.project(&kept).map_err(refused)?;
        for (folder, picked) in partitions(&plan.partition_by, &keys)? {
            let part = take_record_batch(&inner, &UInt32Array::from(picked)).map_err(refused)?;
            let name = format!("part-0.{}", export_format(plan.format).1);
            files.write(plan.output.join(folder).join(name), &part)?;
        }
    }
    files.finish()
}

fn column(schema: &SchemaRef, name: &str) -> Result<usize, CliError> {
    schema.index_of(name).map_err(|_| {
        let known: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        CliError::failed(
            "the export",
            format!("there is no column {name} to partition by; there are {}", known.join(", ")),
        )
    })
}

/// Rows by the folder they belong to.
fn partitions(names: &[String], keys: &[ArrayRef]) -> Result<BTreeMap<PathBuf, Vec<u32>>, CliError> {
    let options = FormatOptions::default();
    let formatters: Vec<ArrayFormatter<'_>> = keys
        .iter()
        .map(|k| ArrayFormatter::try_new(k.as_ref(), &options))
        .collect::<Result<_, _>>()
        .map_err(refused)?;
    let rows = keys.first().map_or(0, |k| k.len());
    let mut folders: BTreeMap<PathBuf, Vec<u32>> = BTreeMap::new();
    for row in 0..rows {
        let mut folder = PathBuf::new();
        for ((name, key), formatter) in names.iter().zip(keys).zip(&formatters) {
            let value = if key.is_null(row) {
                "__HIVE_DEFAULT_PARTITION__".to_owned()
            } else {
                folder_name(&formatter.value(row).to_string())
            };
            folder.push(format!("{name}={value}"));
        }
        folders.entry(folder).or_default().push(u32::try_from(row).unwrap_or(u32::MAX));
    }
    Ok(folders)
}

/// A value as a folder's name: what is not plainly harmless is percent-encoded, as Hive does.
fn folder_name(value: &str) -> String {
    let mut name = String::new();
    for byte in value.bytes() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && !name.is_empty());
        if plain {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    if name.is_empty() { "__HIVE_DEFAULT_PARTITION__".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_name_never_leaves_its_folder() {
        assert_eq!(folder_name("gpt-5.2"), "gpt-5.2");
        assert_eq!(folder_name("../x"), "%2E.%2Fx");
        assert_eq!(folder_name(""), "__HIVE_DEFAULT_PARTITION__");
    }
}
