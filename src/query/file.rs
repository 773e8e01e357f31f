//! How parts are read: each block that a query touches is compared with its checksum in the commit log.
//!
//! A footer is read once; the cache may hold it for as long as it likes, since a part never changes under
//! its name.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::ParquetFileMetrics;
use datafusion::datasource::physical_plan::parquet::{CachedParquetMetaData, ParquetFileReaderFactory};
use datafusion::execution::cache::cache_manager::{CachedFileMetadataEntry, FileMetadataCache};
use datafusion::physical_plan::metrics::ExecutionPlanMetricsSet;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use parquet::arrow::arrow_reader::ArrowReaderOptions;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};

use crate::lake::{LakeError, Part, PartFile};

/// Opens the parts of one table.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) directory: PathBuf,
    pub(super) footers: Arc<FileMetadataCache>,
}

impl ParquetFileReaderFactory for Parts {
    fn create_reader(
        &self,
        partition_index: usize,
        file: PartitionedFile,
        _: Option<usize>,
        metrics: &ExecutionPlanMetricsSet,
    ) -> Result<Box<dyn AsyncFileReader + Send>> {
        let Some(part) = file.extension::<Arc<Part>>().map(Arc::clone) else {
            return Err(DataFusionError::Internal("a file of the lake without its part".to_owned()));
        };
        let metrics = ParquetFileMetrics::new(partition_index, file.object_meta.location.as_ref(), metrics);
        let (directory, footers) = (self.directory.clone(), Arc::clone(&self.footers));
        Ok(Box::new(Reader { directory, footers, file, part, open: None, metrics }))
    }
}

/// Reads one part; opened when it is needed.
struct Reader {
    directory: PathBuf,
    footers: Arc<FileMetadataCache>,
    file: PartitionedFile,
    part: Arc<Part>,
    open: Option<PartFile>,
    metrics: ParquetFileMetrics,
}

fn external(error: LakeError) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl Reader {
    fn opened(&mut self) -> ParquetResult<&PartFile> {
        let open = match self.open.take() {
            Some(open) => open,
            None => PartFile::open(&self.directory, &self.part).map_err(external)?,
        };
        Ok(self.open.insert(open))
    }

    fn read(&mut self, range: Range<u64>) -> ParquetResult<Bytes> {
        self.metrics.bytes_scanned.add(usize::try_from(range.end.saturating_sub(range.start)).unwrap_or_default());
        self.opened()?.read(range).map_err(external)
    }

    fn footer(&mut self, options: Option<&ArrowReaderOptions>) -> ParquetResult<Arc<ParquetMetaData>> {
        let policy = options.map_or(PageIndexPolicy::Optional, ArrowReaderOptions::column_index_policy);
        if let Some(cached) = self.footers.get(&self.file.object_meta.location)
            && let Some(cached) = cached.file_metadata.as_any().downcast_ref::<CachedParquetMetaData>()
        {
            let known = cached.parquet_metadata();
            if policy == PageIndexPolicy::Skip || known.offset_index().is_some() || !has_page_index(known) {
                return Ok(Arc::clone(known));
            }
        }
        let reader = ParquetMetaDataReader::new().with_page_index_policy(policy);
        let read = Arc::new(reader.parse_and_finish(self.opened()?)?);
        let entry = CachedParquetMetaData::new(Arc::clone(&read));
        let entry = CachedFileMetadataEntry::new(self.file.object_meta.clone(), Arc::new(entry));
        self.footers.put(&self.file.object_meta.location, entry);
        Ok(read)
    }
}

fn has_page_index(footer: &ParquetMetaData) -> bool {
    footer.row_groups().iter().any(|group| group.columns().iter().any(|column| column.offset_index_offset().is_some()))
}

impl AsyncFileReader for Reader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move { self.read(range) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move { self.footer(options) }.boxed()
    }
}
