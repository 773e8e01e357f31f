//! One Parquet file of a table.

use std::collections::BTreeMap;

use super::Blocks;

/// One live Parquet file, as the commit log describes it.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Part {
    /// Path relative to the table's directory, `/` as separator: `month=2026-03/part-<id>.parquet`.
    pub path: String,
    /// Partition: UTC month of every row's `ts`, as `YYYY-MM`; empty for unpartitioned tables.
    pub month: String,
    /// Size of the file.
    pub bytes: u64,
    /// Rows in it.
    pub rows: u64,
    /// Smallest `ts`, microseconds since 1970 (`ingested_at` for `rejects`).
    pub min_ts_us: i64,
    /// Largest `ts`.
    pub max_ts_us: i64,
    /// Rows whose `ts_source` is `inferred`: no log says their time.
    pub inferred_rows: u64,
    /// Smallest and largest value of columns with statistics: JSON numbers or strings (strings may be
    /// truncated to 32 characters: a prefix for the minimum, raised at the end for the maximum).
    pub min_max: BTreeMap<String, (serde_json::Value, serde_json::Value)>,
    /// Nulls by column.
    pub nulls: BTreeMap<String, u64>,
    /// Checksums of its bytes.
    pub blocks: Blocks,
}
