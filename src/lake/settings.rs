//! How each column is written.

use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use super::stats::TEXT_BYTES;
use crate::schema::Table;

/// Columns of long texts: a dictionary would be built only to be thrown away. `DELTA_LENGTH_BYTE_ARRAY`
/// would be 0.4 % smaller, but arrow-rs reads a scattered selection of such a column 30 times as slowly.
const LONG: [&str; 6] = ["text", "tool_input", "tool_output", "extra", "event_id", "sample"];
/// Ids of which few rows share one: without a dictionary they came out 8 % smaller (68 MB of rows
/// from real logs).
const PLAIN: [&str; 4] = ["parent_event_id", "message_id", "request_id", "tool_call_id"];
/// Numbers of which few rows share one. Plain ones under zstd came out smaller than `DELTA_BINARY_PACKED`
/// (644 kB of 20.4 MB of real logs, instead of 686), whose writer holds 1 MiB a column besides.
const NUMBERS: [&str; 4] = ["ts", "source_offset", "ingested_at", "completeness"];
/// Columns of few values, or of none: their dictionary codes are about as short as they get. zstd saves at most
/// 0.04 % of a file with one of them, makes half of them longer, and costs a context for each in reader and
/// writer.
const BARE: [&str; 32] = [
    "agent",
    "agent_version",
    "cost_usd_reported",
    "credits",
    "cwd",
    "exit_code",
    "git_branch",
    "git_commit",
    "is_error",
    "is_subagent",
    "lines_added",
    "lines_removed",
    "machine_id",
    "model",
    "parent_session_id",
    "project",
    "provider",
    "provisional",
    "repo_url",
    "role",
    "schema_version",
    "service_tier",
    "source_generation",
    "status",
    "stop_reason",
    "subagent_type",
    "tool_name",
    "ts_source",
    "turn",
    "usage_source",
    "user_name",
    "workspace_id",
];
/// Ids that people look up.
const BLOOM: [&str; 4] = ["event_id", "session_id", "tool_call_id", "message_id"];
/// Page size of long texts: half of it was 1 % more bytes, twice of it no fewer and more memory.
const LONG_PAGE_BYTES: usize = 2 << 20;
/// Rows that a page of short values holds, the writer's default. A file with no more has one page a
/// column: an index of pages would repeat what the footer says.
const PAGE_ROWS: usize = 20_000;

/// Settings for a file of `table` with row groups of about `rows` rows.
pub(crate) fn properties(table: &Table, rows: usize) -> WriterProperties {
    let level = ZstdLevel::try_new(3).unwrap_or_default();
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_created_by(concat!("devlog ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_statistics_enabled(if rows > PAGE_ROWS { EnabledStatistics::Page } else { EnabledStatistics::Chunk })
        .set_offset_index_disabled(rows <= PAGE_ROWS)
        .set_statistics_truncate_length(Some(TEXT_BYTES))
        .set_column_index_truncate_length(Some(TEXT_BYTES))
        .set_write_batch_size(256);
    for column in &table.columns {
        let (name, path) = (column.name.as_str(), ColumnPath::from(column.name.as_str()));
        if LONG.contains(&name) {
            // The writer keeps whole copies of the smallest and largest value of page and chunk: of texts
            // of 40 MB that is a lot of memory for statistics nobody can use.
            let statistics = if name == "event_id" { EnabledStatistics::Chunk } else { EnabledStatistics::None };
            builder = builder
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_data_page_size_limit(path.clone(), LONG_PAGE_BYTES)
                .set_column_statistics_enabled(path.clone(), statistics);
        }
        if PLAIN.contains(&name) || NUMBERS.contains(&name) || name.ends_with("_tokens") {
            builder = builder.set_column_dictionary_enabled(path.clone(), false);
        }
        if BARE.contains(&name) {
            builder = builder.set_column_compression(path.clone(), Compression::UNCOMPRESSED);
        }
        if BLOOM.contains(&name) {
            builder = builder
                .set_column_bloom_filter_enabled(path.clone(), true)
                .set_column_bloom_filter_max_ndv(path, rows as u64);
        }
    }
    if let Some(index) = table.index_of("ts").and_then(|i| i32::try_from(i).ok()) {
        let ascending = SortingColumn { column_idx: index, descending: false, nulls_first: false };
        builder = builder.set_sorting_columns(Some(vec![ascending]));
    }
    builder.build()
}

/// Rows of a row group.
pub(crate) const GROUP_ROWS: usize = 128 * 1024;
