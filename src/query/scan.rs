//! The tables `events` and `rejects`: rows in memory and durable parts as one table.
//!
//! - the two sides hold disjoint rows (see [`Cut`](super::Cut)), so their union shows each row once
//! - filters, projection and limit reach the Parquet reader; parts that cannot match are dropped from
//!   the plan by the commit log's statistics, before any file is opened
//! - a part is immutable under its name, so a cached footer never goes stale

use std::collections::HashSet;
use std::future::ready;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DataFusionError, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::object_store::path::Path as StorePath;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{col, in_list, lit};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;

use super::file::Parts;
use super::parts;
use crate::lake::Part;
use crate::schema::EventId;

/// Rows of one table in memory and on disk.
#[derive(Debug)]
pub(super) struct LakeTable {
    pub(super) schema: SchemaRef,
    /// The column that parts are sorted and bounded by.
    pub(super) time: &'static str,
    /// Directory that part paths start from.
    pub(super) directory: PathBuf,
    pub(super) parts: Arc<Vec<Arc<Part>>>,
    pub(super) batches: Vec<RecordBatch>,
    /// Rows of the parts that `batches` replace, by the column `event_id`.
    pub(super) replaced: Arc<HashSet<EventId>>,
}

type Plan = Arc<dyn ExecutionPlan>;

impl LakeTable {
    fn plan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Plan> {
        let parts = parts::that_can_match(state, &self.schema, self.time, &self.parts, filters)?;
        let target = state.config().target_partitions().max(1);
        let mut sides = Vec::with_capacity(2);
        if parts.is_empty() || self.batches.iter().any(|b| b.num_rows() > 0) {
            sides.push(self.memory(projection, target)?);
        }
        if !parts.is_empty() {
            sides.push(self.files_without_replaced(state, &parts, projection, limit, target)?);
        }
        if sides.len() == 1 { Ok(sides.swap_remove(0)) } else { UnionExec::try_new(sides) }
    }

    fn memory(&self, projection: Option<&Vec<usize>>, target: usize) -> Result<Plan> {
        let batches: Vec<&RecordBatch> = self.batches.iter().filter(|b| b.num_rows() > 0).collect();
        let each = batches.len().div_ceil(target).max(1);
        let mut partitions: Vec<Vec<RecordBatch>> =
            batches.chunks(each).map(|chunk| chunk.iter().map(|b| (*b).clone()).collect()).collect();
        if partitions.is_empty() {
            partitions.push(Vec::new());
        }
        let exec = MemorySourceConfig::try_new_exec(&partitions, Arc::clone(&self.schema), projection.cloned())?;
        Ok(exec)
    }

    fn files_without_replaced(
        &self,
        state: &dyn Session,
        parts: &[Arc<Part>],
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
        target: usize,
    ) -> Result<Plan> {
        if self.replaced.is_empty() {
            return self.files(state, parts, projection, limit, target);
        }
        let id = self.schema.index_of("event_id")?;
        let mut wanted: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..self.schema.fields().len()).collect());
        let shown = wanted.len();
        if !wanted.contains(&id) {
            wanted.push(id);
        }
        let files = self.files(state, parts, Some(&wanted), None, target)?;
        let schema = files.schema();
        let ids = self.replaced.iter().map(|id| lit(ScalarValue::Utf8View(Some(id.to_string())))).collect();
        let kept = in_list(col("event_id", &schema)?, ids, &true, &schema)?;
        let filtered: Plan = Arc::new(FilterExec::try_new(kept, files)?);
        if shown == wanted.len() {
            return Ok(filtered);
        }
        let columns = schema.fields().iter().take(shown).map(|f| {
            let column: Arc<dyn PhysicalExpr> = col(f.name(), &schema)?;
            Ok((column, f.name().clone()))
        });
        Ok(Arc::new(ProjectionExec::try_new(columns.collect::<Result<Vec<_>>>()?, filtered)?))
    }

    fn files(
        &self,
        state: &dyn Session,
        parts: &[Arc<Part>],
        projection: Option<&Vec<usize>>,
        limit: Option<usize>,
        target: usize,
    ) -> Result<Plan> {
        let url = ObjectStoreUrl::local_filesystem();
        let footers = state.runtime_env().cache_manager.get_file_metadata_cache();
        let options = state.config_options().execution.parquet.clone();
        let source = ParquetSource::new(Arc::clone(&self.schema))
            .with_pushdown_filters(options.pushdown_filters)
            .with_reorder_filters(options.reorder_filters)
            .with_enable_page_index(true)
            .with_bloom_filter_on_read(true)
            .with_parquet_file_reader_factory(Arc::new(Parts { directory: self.directory.clone(), footers }));
        let groups = self.groups(parts, target)?;
        let known: Vec<&Statistics> = groups.iter().filter_map(|g| g.file_statistics(None)).collect();
        let total = Statistics::try_merge_iter(known, &self.schema)?;
        let config = FileScanConfigBuilder::new(url, Arc::new(source))
            .with_statistics(total)
            .with_file_groups(groups)
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    /// Splits `parts`, which stand in the order of time, into at most `target` runs of similar size.
    fn groups(&self, parts: &[Arc<Part>], target: usize) -> Result<Vec<FileGroup>> {
        let bytes: u64 = parts.iter().map(|p| p.bytes).sum();
        let share = (bytes / u64::try_from(target).unwrap_or(1)).max(1);
        let mut groups: Vec<Vec<PartitionedFile>> = vec![Vec::new()];
        let mut filled = 0;
        for part in parts {
            if filled >= share && groups.len() < target {
                groups.push(Vec::new());
                filled = 0;
            }
            filled += part.bytes;
            let statistics = Arc::new(parts::statistics(part, &self.schema, self.time));
            let mut file =
                PartitionedFile::new("", part.bytes).with_statistics(statistics).with_extension(Arc::clone(part));
            file.object_meta.location = store_path(&self.directory.join(&part.path))?;
            if let Some(last) = groups.last_mut() {
                last.push(file);
            }
        }
        let with_statistics = |files: Vec<PartitionedFile>| {
            let known = files.iter().filter_map(|f| f.statistics.as_deref());
            let merged = Arc::new(Statistics::try_merge_iter(known, &self.schema)?);
            Ok(FileGroup::new(files).with_statistics(merged))
        };
        groups.into_iter().map(with_statistics).collect()
    }
}

fn store_path(path: &Path) -> Result<StorePath> {
    let absolute = std::path::absolute(path).map_err(DataFusionError::IoError)?;
    StorePath::from_absolute_path(absolute).map_err(|e| DataFusionError::ObjectStore(Box::new(e.into())))
}

impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn scan<'life0, 'life1, 'life2, 'life3, 'async_trait>(
        &'life0 self,
        state: &'life1 dyn Session,
        projection: Option<&'life2 Vec<usize>>,
        filters: &'life3 [Expr],
        limit: Option<usize>,
    ) -> Pin<Box<dyn Future<Output = Result<Plan>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        'life3: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(ready(self.plan(state, projection, filters, limit)))
    }

    /// Filters drop parts here and are applied exactly by the plan above, which pushes them into the
    /// Parquet reader.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}
