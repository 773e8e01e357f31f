//! Reading live files back: whole, some columns, or the ids.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;

use super::disk;
use super::error::{At, LakeError, MISSING};
use super::ids::{ID_COLUMNS, IdCollector, PartIds};
use super::part::Part;
use super::part_file::PartFile;
use crate::schema::Table;

/// Size of a batch of whole rows: as views they keep each page in memory that they touch.
const BATCH_BYTES: i64 = 4 << 20;

/// How many rows come at a time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rows {
    /// Fewer where whole rows are long.
    AtMost(usize),
    /// These, however long they are.
    Exactly(usize),
}

/// Reads the rows of one file in the order they stand there, as batches of the table's schema.
pub(crate) struct PartReader {
    path: std::path::PathBuf,
    inner: ParquetRecordBatchReader,
    schema: SchemaRef,
}

impl PartReader {
    /// Opens `path` for batches of at most `rows` rows with the columns of `table` that `wanted`
    /// names, or all of them; whole rows that are long come in smaller batches.
    pub(crate) fn open(path: &Path, table: &Table, wanted: Option<&[&str]>, rows: usize) -> Result<Self, LakeError> {
        let file = match disk::open_file(path) {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(LakeError::CorruptPart { path: path.to_owned(), reason: MISSING });
            }
            Err(e) => return Err(e).at("open", path),
        };
        Self::start(file, path, table, wanted, (0, Rows::AtMost(rows)))
    }

    /// The same for a live file of the lake in `root`: what is read is compared with the log's checksums.
    pub(crate) fn open_part(
        root: &Path,
        table: &Table,
        part: &Part,
        wanted: Option<&[&str]>,
        rows: usize,
    ) -> Result<Self, LakeError> {
        let directory = root.join(&table.name);
        let file = PartFile::open(&directory, part)?;
        Self::start(file, &directory.join(&part.path), table, wanted, (0, Rows::AtMost(rows)))
    }

    /// The same for whole rows from the row `first` on; pages of only earlier rows are not unpacked.
    pub(crate) fn open_part_at(
        root: &Path,
        table: &Table,
        part: &Part,
        first: usize,
        rows: Rows,
    ) -> Result<Self, LakeError> {
        let directory = root.join(&table.name);
        let file = PartFile::open(&directory, part)?;
        Self::start(file, &directory.join(&part.path), table, None, (first, rows))
    }

    fn start<R: ChunkReader + 'static>(
        file: R,
        path: &Path,
        table: &Table,
        wanted: Option<&[&str]>,
        (first, rows): (usize, Rows),
    ) -> Result<Self, LakeError> {
        let found = ArrowReaderMetadata::load(&file, ArrowReaderOptions::new()).at("read the footer of", path)?;
        // Texts are read as views, which costs no copy; files say plain strings for other engines.
        let fields: Vec<Field> = found.schema().fields().iter().map(|f| as_view(f)).collect();
        let options = ArrowReaderOptions::new().with_schema(Arc::new(Schema::new(fields)));
        let metadata = ArrowReaderMetadata::try_new(Arc::clone(found.metadata()), options).at("read", path)?;
        let schema = projected(table, wanted);
        let roots: Vec<usize> = (0..metadata.schema().fields().len())
            .filter(|i| schema.column_with_name(metadata.schema().field(*i).name()).is_some())
            .collect();
        let mask = ProjectionMask::roots(metadata.parquet_schema(), roots);
        let rows = match rows {
            Rows::AtMost(rows) if wanted.is_none() => rows.min(rows_of_a_batch(metadata.metadata())),
            Rows::AtMost(rows) | Rows::Exactly(rows) => rows,
        };
        let (group, offset) = place_of(metadata.metadata(), first);
        let groups = (group..metadata.metadata().num_row_groups()).collect();
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
        let builder = builder.with_row_groups(groups).with_offset(offset);
        let inner = builder.with_projection(mask).with_batch_size(rows).build().at("read", path)?;
        Ok(Self { path: path.to_owned(), inner, schema })
    }

    /// The next rows.
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>, LakeError> {
        let Some(batch) = self.inner.next() else { return Ok(None) };
        let batch = batch.at("read", &self.path)?;
        self.adapt(&batch).at("read", &self.path).map(Some)
    }

    // Files of older schemas lack columns; those are null.
    fn adapt(&self, batch: &RecordBatch) -> Result<RecordBatch, arrow::error::ArrowError> {
        let columns: Result<Vec<_>, _> = self
            .schema
            .fields()
            .iter()
            .map(|field| match batch.column_by_name(field.name()) {
                Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
                Some(column) => cast(column, field.data_type()),
                None => Ok(new_null_array(field.data_type(), batch.num_rows())),
            })
            .collect();
        RecordBatch::try_new(Arc::clone(&self.schema), columns?)
    }
}

/// Rows that take about [`BATCH_BYTES`] where they are longest, at least one: groups differ, rows of one are taken
/// for equal.
fn rows_of_a_batch(metadata: &ParquetMetaData) -> usize {
    let fitting =
        |group: &RowGroupMetaData| BATCH_BYTES.saturating_mul(group.num_rows()) / group.total_byte_size().max(1);
    let fewest = metadata.row_groups().iter().map(fitting).min().unwrap_or(1);
    usize::try_from(fewest).unwrap_or(usize::MAX).max(1)
}

/// The group of the row `first`, and its place there.
fn place_of(metadata: &ParquetMetaData, first: usize) -> (usize, usize) {
    let mut before = 0;
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let rows = usize::try_from(group.num_rows()).unwrap_or_default();
        if first < before + rows {
            return (number, first - before);
        }
        before += rows;
    }
    (metadata.num_row_groups(), 0)
}

fn as_view(field: &Field) -> Field {
    match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 => field.clone().with_data_type(DataType::Utf8View),
        _ => field.clone(),
    }
}

fn projected(table: &Table, wanted: Option<&[&str]>) -> SchemaRef {
    let full = table.arrow();
    let Some(wanted) = wanted else { return full };
    let fields: Vec<_> = full.fields().iter().filter(|f| wanted.contains(&f.name().as_str())).map(Arc::clone).collect();
    Arc::new(Schema::new(fields))
}

/// What is to be read of a file for its ids.
const IDS: [&str; 4] = [ID_COLUMNS[0], ID_COLUMNS[1], "completeness", "source_path"];

/// Reads the ids of a file of `table`.
pub(crate) fn read_ids(path: &Path, table: &Table, rows: u64) -> Result<PartIds, LakeError> {
    collect(PartReader::open(path, table, Some(&IDS), 8192)?, path, rows)
}

/// Reads the ids of a live file of `table`, and compares what is read with the log's checksums.
pub(crate) fn read_part_ids(root: &Path, table: &Table, part: &Part) -> Result<PartIds, LakeError> {
    let path = root.join(&table.name).join(&part.path);
    collect(PartReader::open_part(root, table, part, Some(&IDS), 8192)?, &path, part.rows)
}

fn collect(mut reader: PartReader, path: &Path, rows: u64) -> Result<PartIds, LakeError> {
    let mut ids = IdCollector::with_capacity(usize::try_from(rows).unwrap_or_default());
    while let Some(batch) = reader.next()? {
        ids.add(&batch);
    }
    let ids = ids.finish();
    if ids.len() as u64 != rows {
        return Err(LakeError::CorruptPart { path: path.to_owned(), reason: "it has other rows than the log says" });
    }
    Ok(ids)
}
