//! Small lakes with known rows, and what the engine says about them.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::{SortColumn, lexsort_to_indices, max, min, take_record_batch};
use arrow::datatypes::{DataType, Int64Type, TimestampMicrosecondType};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::DateTime;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use tempfile::TempDir;

use super::{Answer, Cut, Engine, EngineOptions, QueryError};
use crate::lake::{Part, Snapshot};
use crate::schema::{EventId, EventRow, RowContext, Rows, sources_schema};

mod behaviour;
mod property;
mod views;

/// Microseconds of an RFC 3339 time.
pub(super) fn at(text: &str) -> i64 {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_micros()
}

/// Options for a test in `dir`.
pub(super) fn options(dir: &Path) -> EngineOptions {
    EngineOptions {
        memory_bytes: 64 << 20,
        spill_dir: dir.join("spill"),
        timezone: "Europe/Berlin".to_owned(),
        user_queries: None,
        read_view: |path| fs::read_to_string(path).map_err(|error| error.to_string()),
        timeout: Some(Duration::from_secs(60)),
        growth_bytes: None,
        threads: 2,
    }
}

/// A batch of events of `agent`.
pub(super) fn events(agent: &str, rows: &[EventRow<'_>]) -> RecordBatch {
    let mut out = Rows::new(RowContext::new(agent, &format!("/logs/{agent}.jsonl")));
    for (offset, row) in rows.iter().enumerate() {
        out.event(&EventRow { source_offset: offset as u64, ..*row });
    }
    out.finish().events
}

fn by_time(batch: &RecordBatch) -> RecordBatch {
    let ts = batch.column_by_name("ts").unwrap();
    let order = lexsort_to_indices(&[SortColumn { values: Arc::clone(ts), options: None }], None).unwrap();
    take_record_batch(batch, &order).unwrap()
}

/// Writes `batch` as a part of the events of the lake in `root`.
pub(super) fn part(root: &Path, number: usize, batch: &RecordBatch) -> Arc<Part> {
    let batch = by_time(batch);
    let times = batch.column_by_name("ts").unwrap().as_primitive::<TimestampMicrosecondType>();
    let (first, last) = (min(times).unwrap(), max(times).unwrap());
    let month = DateTime::from_timestamp_micros(first).unwrap().format("%Y-%m").to_string();
    let path = format!("month={month}/part-{number}.parquet");
    let file = root.join("events").join(&path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let properties =
        WriterProperties::builder().set_bloom_filter_enabled(false).set_max_row_group_row_count(Some(1000));
    let mut writer =
        ArrowWriter::try_new(File::create(&file).unwrap(), batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let (mut min_max, mut nulls) = (BTreeMap::new(), BTreeMap::new());
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        nulls.insert(field.name().clone(), column.null_count() as u64);
        if let Some(bounds) = bounds(column) {
            min_max.insert(field.name().clone(), bounds);
        }
    }
    Arc::new(Part {
        path,
        month,
        bytes: fs::metadata(&file).unwrap().len(),
        rows: batch.num_rows() as u64,
        min_ts_us: first,
        max_ts_us: last,
        inferred_rows: 0,
        min_max,
        nulls,
        blocks: crate::lake::Blocks::default(),
    })
}

/// Bounds as the commit log has them: texts of at most 32 characters.
fn bounds(column: &dyn Array) -> Option<(serde_json::Value, serde_json::Value)> {
    match column.data_type() {
        DataType::Int64 => {
            let column = column.as_primitive::<Int64Type>();
            Some((min(column)?.into(), max(column)?.into()))
        }
        DataType::Utf8View => {
            let texts = || column.as_string_view().iter().flatten();
            let low: String = texts().min()?.chars().take(32).collect();
            let mut high: String = texts().max()?.chars().take(32).collect();
            if high.chars().count() == 32 {
                high.pop();
                high.push(char::MAX);
            }
            Some((low.into(), high.into()))
        }
        _ => None,
    }
}

/// A cut with `memory` in the ring and one part for each of `durable`.
pub(super) fn cut(root: &Path, memory: Vec<RecordBatch>, durable: &[RecordBatch]) -> Cut {
    let parts = durable.iter().filter(|b| b.num_rows() > 0).enumerate().map(|(i, b)| part(root, i, b)).collect();
    let lake = Snapshot { events: Arc::new(parts), ..Snapshot::empty(root) };
    Cut {
        events: memory,
        rejects: Vec::new(),
        replaced: Arc::default(),
        sources: RecordBatch::new_empty(sources_schema()).into(),
        lake: Arc::new(lake),
    }
}

/// An engine over a cut, and the directory that must outlive it.
pub(super) struct Bench {
    pub(super) engine: Engine,
    pub(super) dir: TempDir,
}

impl Bench {
    pub(super) fn new(memory: Vec<RecordBatch>, durable: &[RecordBatch]) -> Self {
        Self::with(memory, durable, |_, _| {})
    }

    pub(super) fn with(
        memory: Vec<RecordBatch>,
        durable: &[RecordBatch],
        change: impl FnOnce(&mut Cut, &mut EngineOptions),
    ) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut options = options(dir.path());
        // A home with a space, a percent sign and an umlaut.
        let mut cut = cut(&dir.path().join("a b%20ü=c"), memory, durable);
        change(&mut cut, &mut options);
        Self { engine: Engine::new(cut, options).unwrap(), dir }
    }

    /// All rows, columns separated by `|`, nulls as `-`.
    pub(super) fn rows(&self, sql: &str) -> Vec<String> {
        self.try_rows(sql).unwrap_or_else(|e| panic!("{e}\n{sql}"))
    }

    pub(super) fn try_rows(&self, sql: &str) -> Result<Vec<String>, QueryError> {
        rows_of(self.engine.run_blocking(sql, &[])?)
    }

    pub(super) fn rows_with(&self, sql: &str, params: &[(&str, &str)]) -> Result<Vec<String>, QueryError> {
        let params: Vec<_> = params.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        rows_of(self.engine.run_blocking(sql, &params)?)
    }

    /// The one value of a query.
    pub(super) fn value(&self, sql: &str) -> String {
        self.rows(sql).join("\n")
    }

    pub(super) fn error(&self, sql: &str) -> String {
        self.try_rows(sql).expect_err(sql).to_string()
    }
}

pub(super) fn rows_of(mut answer: Answer) -> Result<Vec<String>, QueryError> {
    let mut out = Vec::new();
    while let Some(batch) = answer.next_blocking() {
        let batch = batch?;
        let options = FormatOptions::default().with_null("-");
        let unshown = |e: arrow::error::ArrowError| QueryError::Failed { message: e.to_string() };
        let columns = batch.columns().iter().map(|c| ArrayFormatter::try_new(c, &options).map_err(unshown));
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        for row in 0..batch.num_rows() {
            out.push(columns.iter().map(|c| c.value(row).to_string()).collect::<Vec<_>>().join("|"));
        }
    }
    Ok(out)
}

pub(super) fn ids(batch: &RecordBatch) -> HashSet<EventId> {
    let ids = batch.column_by_name("event_id").unwrap().as_string_view();
    ids.iter().flatten().filter_map(EventId::parse).collect()
}
