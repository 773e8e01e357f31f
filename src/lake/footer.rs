//! What stands in the footer of a Parquet file beside its columns: which ranges of which sources it holds.

use std::path::Path;

use parquet::file::metadata::ParquetMetaDataReader;
use serde::{Deserialize, Serialize};

use super::disk;

/// Footer key of the ranges.
pub(crate) const RANGES_KEY: &str = "devlog.ranges";

/// Footer key of the schema version.
pub(crate) const SCHEMA_KEY: &str = "devlog.schema_version";

/// Rows of one source that a file holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// Path of the source.
    pub path: String,
    /// Incarnation of its bytes.
    pub generation: u32,
    /// Offset of the first record.
    pub start: u64,
    /// One past the offset at which the last record starts.
    pub end: u64,
    /// Rows.
    pub rows: u64,
}

/// Rows and ranges that a file's footer names.
pub(crate) fn footer(path: &Path) -> Result<(u64, Vec<Range>), parquet::errors::ParquetError> {
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&disk::open_file(path)?)?;
    let file = metadata.file_metadata();
    let pairs = file.key_value_metadata().map(Vec::as_slice).unwrap_or_default();
    let ranges = pairs.iter().find(|pair| pair.key == RANGES_KEY).and_then(|pair| pair.value.as_deref());
    let ranges = ranges.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    Ok((u64::try_from(file.num_rows()).unwrap_or_default(), ranges))
}
