//! One Parquet file under construction.
//!
//! - written to `.<id>.tmp`, synced, its footer read back, renamed to `part-<id>.parquet`, directory
//!   synced: a file with a name that readers match is whole and durable
//! - row groups hold at most 131,072 rows and about 64 MB of Arrow data
//! - the footer repeats which ranges of which sources the file holds, so that the log can be rebuilt

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::file::metadata::{KeyValue, ParquetMetaData, ParquetMetaDataReader};

use super::blocks::Summer;
use super::disk;
use super::entry::Live;
use super::error::{At, LakeError};
use super::footer::{RANGES_KEY, Range, SCHEMA_KEY};
use super::ids::{IdCollector, PartIds};
use super::reader::PartReader;
use super::settings::{GROUP_ROWS, properties};
use super::stats;
use super::{Blocks, Part};
use crate::schema::{EVENTS_VERSION, Table, events};

/// Arrow bytes of a row group.
const GROUP_BYTES: usize = 64 << 20;
/// Files written and not yet committed; clean-up leaves them alone.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Mutex<std::collections::HashSet<PathBuf>>);

impl InFlight {
    pub(crate) fn holds(&self, path: &Path) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(path)
    }

    fn claim(self: &Arc<Self>, path: PathBuf) -> TempFileGuard {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.clone());
        TempFileGuard { set: Arc::clone(self), path }
    }
}

/// Protects one path from clean-up while it lives.
#[derive(Debug)]
struct TempFileGuard {
    set: Arc<InFlight>,
    path: PathBuf,
}

impl Drop for TempFileGuard {
    fn drop(&mut self) {
        self.set.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.path);
    }
}

/// A durable Parquet file that no commit names yet.
///
/// Dropped without a commit it is an orphan, which a later clean-up removes.
#[derive(Debug)]
pub struct NewPart {
    pub(crate) part: Arc<Part>,
    pub(crate) crc32c: u32,
    pub(crate) ids: Arc<PartIds>,
    _claims: [TempFileGuard; 2],
}

impl NewPart {
    /// The file as the commit log will describe it.
    #[must_use]
    pub fn part(&self) -> &Part {
        &self.part
    }
}

/// Appends batches to a new file. Dropped before [`PartWriter::finish`] it removes what it wrote.
pub(crate) struct PartWriter {
    month: String,
    dir: PathBuf,
    temp: PathBuf,
    target: PathBuf,
    claims: Option<[TempFileGuard; 2]>,
    writer: Option<ArrowWriter<Summing>>,
    seen: Seen,
    group_rows: usize,
    group_bytes: usize,
}

/// A whole file that is neither durable nor under its final name. Dropped it is removed.
pub(crate) struct ClosedPart {
    writer: PartWriter,
    file: File,
    bytes: u64,
    crc32c: u32,
    blocks: Blocks,
}

impl ClosedPart {
    /// Where the file stands now.
    pub(crate) fn path(&self) -> &Path {
        &self.writer.temp
    }

    /// Makes the file durable under its final name.
    pub(crate) fn settle(self) -> Result<NewPart, LakeError> {
        let Self { mut writer, file, bytes, crc32c, blocks } = self;
        file.sync_all().at("sync", &writer.temp)?;
        drop(file);
        let metadata = verify(&writer.temp, bytes, writer.seen.rows)?;
        disk::rename(&writer.temp, &writer.target)?;
        let part = writer.describe(bytes, blocks, &metadata);
        let Some(claims) = writer.claims.take() else {
            return Err(LakeError::CorruptPart { path: writer.target.clone(), reason: "it was closed already" });
        };
        let ids = Arc::new(std::mem::take(&mut writer.seen.ids).finish());
        Ok(NewPart { part: Arc::new(part), crc32c, ids, _claims: claims })
    }
}

/// What the footer and the log will say of the rows.
struct Seen {
    rows: u64,
    min_ts_us: i64,
    max_ts_us: i64,
    inferred_rows: u64,
    ranges: BTreeMap<(String, i32), (i64, i64, u64)>,
    ids: IdCollector,
    /// The column that says when.
    time: &'static str,
}

impl PartWriter {
    /// Starts a file of `table` for rows of `month` (empty for tables without partitions), of which
    /// about `rows` are to come.
    pub(crate) fn create(
        root: &Path,
        table: &'static Table,
        month: &str,
        rows: usize,
        in_flight: &Arc<InFlight>,
    ) -> Result<Self, LakeError> {
        let table_dir = root.join(&table.name);
        let dir = if month.is_empty() { table_dir } else { table_dir.join(format!("month={month}")) };
        disk::create_dir(&dir)?;
        let id = disk::random_name()?;
        let (temp, target) = (dir.join(format!(".{id}.tmp")), dir.join(format!("part-{id}.parquet")));
        let claims = [in_flight.claim(temp.clone()), in_flight.claim(target.clone())];
        let file = disk::create_file(&temp)?;
        let options = ArrowWriterOptions::new()
            .with_properties(properties(table, rows.clamp(1, GROUP_ROWS)))
            .with_skip_arrow_metadata(true);
        let writer = ArrowWriter::try_new_with_options(Summing::new(file), table.arrow(), options);
        let mut this = Self {
            month: month.to_owned(),
            dir,
            temp,
            target,
            claims: Some(claims),
            writer: None,
            seen: Seen::new(table, rows),
            group_rows: 0,
            group_bytes: 0,
        };
        this.writer = Some(writer.at("write", &this.temp)?);
        Ok(this)
    }

    /// Appends rows, which must follow the ones before in the order of time. `bytes` is their size
    /// in memory.
    pub(crate) fn write(&mut self, batch: &RecordBatch, bytes: usize) -> Result<(), LakeError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let (rows, full) = (batch.num_rows(), self.group_rows > 0);
        if full && (self.group_rows + rows > GROUP_ROWS || self.group_bytes + bytes > GROUP_BYTES) {
            writer.flush().at("write", &self.temp)?;
            (self.group_rows, self.group_bytes) = (0, 0);
        }
        writer.write(batch).at("write", &self.temp)?;
        self.group_rows += rows;
        self.group_bytes += bytes;
        self.seen.add(batch);
        Ok(())
    }

    /// Bytes that the file will have, roughly.
    pub(crate) fn bytes(&self) -> usize {
        self.writer.as_ref().map_or(0, |w| w.bytes_written() + w.in_progress_size())
    }

    /// Rows so far.
    pub(crate) const fn rows(&self) -> u64 {
        self.seen.rows
    }

    /// Makes the file durable under its final name.
    pub(crate) fn finish(self) -> Result<NewPart, LakeError> {
        self.close()?.settle()
    }

    /// Writes the file out; what is left to do is waiting for the disk.
    pub(crate) fn close(mut self) -> Result<ClosedPart, LakeError> {
        let Some(mut writer) = self.writer.take() else {
            return Err(LakeError::CorruptPart { path: self.temp.clone(), reason: "it was closed already" });
        };
        for (key, value) in [(SCHEMA_KEY, EVENTS_VERSION.to_string()), (RANGES_KEY, self.seen.ranges_json())] {
            writer.append_key_value_metadata(KeyValue::new(key.to_owned(), value));
        }
        let out = writer.into_inner().at("write", &self.temp)?;
        let (file, bytes, crc32c, blocks) = out.finish().at("write", &self.temp)?;
        Ok(ClosedPart { writer: self, file, bytes, crc32c, blocks })
    }

    fn describe(&self, bytes: u64, blocks: Blocks, metadata: &ParquetMetaData) -> Part {
        let (min_max, nulls) = stats::from_footer(metadata);
        let name = self.target.file_name().unwrap_or_default().to_string_lossy();
        let path = if self.month.is_empty() { name.into_owned() } else { format!("month={}/{name}", self.month) };
        Part {
            path,
            month: self.month.clone(),
            bytes,
            rows: self.seen.rows,
            min_ts_us: self.seen.min_ts_us,
            max_ts_us: self.seen.max_ts_us,
            inferred_rows: self.seen.inferred_rows,
            min_max,
            nulls,
            blocks,
        }
    }
}

impl Drop for PartWriter {
    fn drop(&mut self) {
        // Whether finished or not, only the temporary name can be left, and nothing refers to it.
        self.writer = None;
        if self.claims.is_some() {
            fs::remove_file(&self.temp).ok();
            disk::sync_dir(&self.dir).ok();
        }
    }
}

/// A finished file as the log names it, from its content alone. `name` is its path in the table.
pub(crate) fn describe_file(table: &'static Table, name: &str, path: &Path) -> Result<Live, LakeError> {
    let wanted = ["ts", "ts_source", "source_path", "source_generation", "source_offset", "ingested_at"];
    let mut reader = PartReader::open(path, table, Some(&wanted), 8192)?;
    let mut seen = Seen::new(table, 0);
    while let Some(batch) = reader.next()? {
        seen.add(&batch);
    }
    let file = disk::open_file(path).at("open", path)?;
    let bytes = file.metadata().at("look at", path)?.len();
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).at("read the footer of", path)?;
    let (min_max, nulls) = stats::from_footer(&metadata);
    let month = name.split('/').next().and_then(|dir| dir.strip_prefix("month=")).unwrap_or_default();
    let mut sums = Summer::default();
    disk::read_through(path, |bytes| sums.add(bytes)).at("read", path)?;
    let (crc32c, blocks) = sums.finish();
    let part = Part {
        path: name.to_owned(),
        month: month.to_owned(),
        bytes,
        rows: seen.rows,
        min_ts_us: seen.min_ts_us,
        max_ts_us: seen.max_ts_us,
        inferred_rows: seen.inferred_rows,
        min_max,
        nulls,
        blocks,
    };
    Ok(Live { part: Arc::new(part), crc32c })
}

/// Reads the footer of a file just written and compares it with what was meant to be written.
fn verify(path: &Path, bytes: u64, rows: u64) -> Result<ParquetMetaData, LakeError> {
    let file = disk::open_file(path).at("open", path)?;
    if file.metadata().at("look at", path)?.len() != bytes {
        return Err(LakeError::CorruptPart { path: path.to_owned(), reason: "it has another size than was written" });
    }
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).at("read back", path)?;
    if u64::try_from(metadata.file_metadata().num_rows()) != Ok(rows) {
        return Err(LakeError::CorruptPart { path: path.to_owned(), reason: "it has other rows than were written" });
    }
    Ok(metadata)
}

impl Seen {
    fn new(table: &Table, rows: usize) -> Self {
        Self {
            rows: 0,
            min_ts_us: i64::MAX,
            max_ts_us: i64::MIN,
            inferred_rows: 0,
            ranges: BTreeMap::new(),
            ids: IdCollector::with_capacity(rows),
            time: if table.name == events().name { "ts" } else { "ingested_at" },
        }
    }

    fn add(&mut self, batch: &RecordBatch) {
        if let Some(times) = batch.column_by_name(self.time) {
            for value in times.as_primitive::<TimestampMicrosecondType>().values() {
                self.min_ts_us = self.min_ts_us.min(*value);
                self.max_ts_us = self.max_ts_us.max(*value);
            }
        }
        if let Some(sources) = batch.column_by_name("ts_source") {
            let sources = sources.as_string_view();
            self.inferred_rows += sources.iter().flatten().filter(|s| *s == "inferred").count() as u64;
        }
        self.rows += batch.num_rows() as u64;
        self.add_ranges(batch);
        self.ids.add(batch);
    }

    fn add_ranges(&mut self, batch: &RecordBatch) {
        let (Some(paths), Some(generations), Some(offsets)) = (
            batch.column_by_name("source_path"),
            batch.column_by_name("source_generation"),
            batch.column_by_name("source_offset"),
        ) else {
            return;
        };
        let paths = paths.as_string_view();
        let generations = generations.as_primitive::<Int32Type>().values();
        let offsets = offsets.as_primitive::<Int64Type>().values();
        // Neighbours mostly come from the same source: the map is asked once a stretch.
        let mut row = 0;
        while row < batch.num_rows() {
            let (path, generation, from) = (paths.value(row), generations[row], row);
            let (mut low, mut high) = (i64::MAX, i64::MIN);
            while row < batch.num_rows() && generations[row] == generation && paths.value(row) == path {
                low = low.min(offsets[row]);
                high = high.max(offsets[row]);
                row += 1;
            }
            let range = self.ranges.entry((path.to_owned(), generation)).or_insert((low, high, 0));
            *range = (range.0.min(low), range.1.max(high), range.2 + (row - from) as u64);
        }
    }

    fn ranges_json(&self) -> String {
        let ranges: Vec<Range> = self
            .ranges
            .iter()
            .map(|((path, generation), (low, high, rows))| Range {
                path: path.clone(),
                generation: generation.cast_unsigned(),
                start: low.cast_unsigned(),
                end: high.cast_unsigned() + 1,
                rows: *rows,
            })
            .collect();
        serde_json::to_string(&ranges).unwrap_or_default()
    }
}

/// Counts and sums up the bytes on their way into the file.
struct Summing {
    out: BufWriter<File>,
    bytes: u64,
    sums: Summer,
}

impl Summing {
    fn new(file: File) -> Self {
        Self { out: BufWriter::with_capacity(256 * 1024, file), bytes: 0, sums: Summer::default() }
    }

    fn finish(self) -> std::io::Result<(File, u64, u32, Blocks)> {
        let file = self.out.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        let (crc32c, blocks) = self.sums.finish();
        Ok((file, self.bytes, crc32c, blocks))
    }
}

impl Write for Summing {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        let written = self.out.write(buffer)?;
        self.sums.add(&buffer[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.out.flush()
    }
}
