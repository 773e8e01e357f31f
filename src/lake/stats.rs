//! Statistics of a part: from the Parquet footer, and to and from Delta's JSON.
//!
//! Texts are cut to 32 bytes as the Parquet writer does it: the minimum to a prefix, the maximum to
//! a prefix raised at its end, so both remain bounds. Times are microseconds here and ISO 8601 in
//! the log.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::statistics::Statistics;
use serde_json::{Map, Number, Value, json};

use super::Part;
use crate::schema::{ColumnType, Table};

/// Bytes of a text that statistics keep.
pub(crate) const TEXT_BYTES: usize = 32;

/// Columns whose bounds and null counts stand in the log; others are in the footers only, so that
/// an entry stays small.
const COLUMNS: [&str; 27] = [
    "ts",
    "ts_source",
    "event_type",
    "agent",
    "agent_version",
    "provider",
    "model",
    "user_name",
    "machine_id",
    "project",
    "repo_url",
    "cwd",
    "git_branch",
    "session_id",
    "parent_session_id",
    "tool_name",
    "is_error",
    "usage_source",
    "input_tokens",
    "cache_read_tokens",
    "output_tokens",
    "total_tokens",
    "duration_ms",
    "source_path",
    "source_generation",
    "ingested_at",
    "reason",
];

/// Bounds and null counts by column.
pub(crate) type Bounds = (BTreeMap<String, (Value, Value)>, BTreeMap<String, u64>);

/// Bounds and null counts of a whole file.
pub(crate) fn from_footer(metadata: &ParquetMetaData) -> Bounds {
    let (mut min_max, mut nulls) = Bounds::default();
    let schema = metadata.file_metadata().schema_descr();
    for (index, column) in schema.columns().iter().enumerate() {
        let name = column.name();
        if !COLUMNS.contains(&name) {
            continue;
        }
        let groups: Option<Vec<&Statistics>> =
            metadata.row_groups().iter().map(|group| group.column(index).statistics()).collect();
        let Some(groups) = groups else { continue };
        let count: Option<u64> = groups.iter().map(|s| s.null_count_opt()).sum();
        if let Some(count) = count {
            nulls.insert(name.to_owned(), count);
        }
        if let Some(bounds) = bounds(&groups, metadata, index) {
            min_max.insert(name.to_owned(), bounds);
        }
    }
    (min_max, nulls)
}

fn bounds(groups: &[&Statistics], metadata: &ParquetMetaData, index: usize) -> Option<(Value, Value)> {
    let mut numbers: Option<(i64, i64)> = None;
    let mut texts: Option<(&[u8], &[u8])> = None;
    for (statistics, group) in groups.iter().zip(metadata.row_groups()) {
        if statistics.null_count_opt() == u64::try_from(group.column(index).num_values()).ok() {
            continue;
        }
        match statistics {
            Statistics::Int32(s) => widen(&mut numbers, i64::from(*s.min_opt()?), i64::from(*s.max_opt()?)),
            Statistics::Int64(s) => widen(&mut numbers, *s.min_opt()?, *s.max_opt()?),
            Statistics::ByteArray(_) => widen(&mut texts, statistics.min_bytes_opt()?, statistics.max_bytes_opt()?),
            _ => return None,
        }
    }
    if let Some((min, max)) = numbers {
        return Some((json!(min), json!(max)));
    }
    let (min, max) = texts?;
    Some((json!(std::str::from_utf8(min).ok()?), json!(std::str::from_utf8(max).ok()?)))
}

fn widen<T: Ord + Copy>(range: &mut Option<(T, T)>, min: T, max: T) {
    *range = Some(range.map_or((min, max), |(a, b)| (a.min(min), b.max(max))));
}

/// Delta's `stats` of a part.
pub(crate) fn to_delta(part: &Part, table: &Table) -> String {
    let (mut min, mut max) = (Map::new(), Map::new());
    for (name, (low, high)) in &part.min_max {
        if let (Some(low), Some(high)) = (outward(name, low, table), outward(name, high, table)) {
            min.insert(name.clone(), low);
            max.insert(name.clone(), high);
        }
    }
    json!({"numRecords": part.rows, "minValues": min, "maxValues": max, "nullCount": part.nulls}).to_string()
}

fn is_time(name: &str, table: &Table) -> bool {
    table.columns.iter().any(|c| c.name == name && c.kind == ColumnType::Timestamp)
}

fn outward(name: &str, value: &Value, table: &Table) -> Option<Value> {
    if !is_time(name, table) {
        return Some(value.clone());
    }
    let time = DateTime::from_timestamp_micros(value.as_i64()?)?;
    let text = time.to_rfc3339_opts(SecondsFormat::Micros, true);
    // Years outside 0000..9999 carry a sign that other engines do not read.
    if text.len() == 27 { Some(Value::String(text)) } else { None }
}

fn inward(name: &str, value: Value, table: &Table) -> Option<Value> {
    if !is_time(name, table) {
        return Some(value);
    }
    let time = DateTime::parse_from_rfc3339(value.as_str()?).ok()?;
    Some(Value::Number(Number::from(time.timestamp_micros())))
}

/// Rows, bounds and null counts out of Delta's `stats`.
#[expect(clippy::type_complexity, reason = "the three are taken apart at once")]
pub(crate) fn from_delta(
    text: &str,
    table: &Table,
) -> Option<(u64, BTreeMap<String, (Value, Value)>, BTreeMap<String, u64>)> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Stats {
        num_records: u64,
        #[serde(default)]
        min_values: BTreeMap<String, Value>,
        #[serde(default)]
        max_values: BTreeMap<String, Value>,
        #[serde(default)]
        null_count: BTreeMap<String, u64>,
    }
    let mut stats: Stats = serde_json::from_str(text).ok()?;
    let mut min_max = BTreeMap::new();
    for (name, low) in stats.min_values {
        let high = stats.max_values.remove(&name)?;
        let bounds = (inward(&name, low, table)?, inward(&name, high, table)?);
        min_max.insert(name, bounds);
    }
    Some((stats.num_records, min_max, stats.null_count))
}
