//! The calls that commands make into the other rooms: all of them, and nothing else.
//!
//! A command builds one of the plans below from what the user typed, calls one function here, and
//! renders what comes back.

use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::{CliError, Progress};
use crate::config::Settings;
use crate::lake::Snapshot;

#[cfg(feature = "query")]
use super::args::{ExportFormat, OutputFormat};
#[cfg(feature = "query")]
use std::{io::Write, time::Duration};

/// A running `devlog ingest` with this home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// Its process id.
    pub pid: u32,
    /// When it started, microseconds since 1970.
    pub started_us: i64,
    /// How it learns of new bytes: `notify`, or `scan` where notifications do not work.
    pub watch_mode: String,
    /// Rows in memory that are not durable yet.
    pub ring_rows: u64,
    /// Memory they take.
    pub ring_bytes: u64,
}

/// What `ingest` is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IngestPlan {
    /// End once everything present is durable.
    pub once: bool,
}

/// What `backfill` is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackfillPlan {
    /// Only these agents; empty for all.
    pub agents: Vec<String>,
    /// Read this file or folder, as files of the one agent in `agents`.
    pub path: Option<PathBuf>,
    /// Only files changed at or after this, microseconds since 1970.
    pub since_us: Option<i64>,
    /// Only files changed before this.
    pub until_us: Option<i64>,
    /// Files decoded at once; `None` for one per core.
    pub jobs: Option<u16>,
    /// Find and measure only.
    pub dry_run: bool,
}

/// One query.
#[cfg(feature = "query")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryPlan {
    /// The SQL.
    pub sql: String,
    /// Values for `$name` in it.
    pub parameters: Vec<(String, String)>,
    /// Catch up with the logs first.
    pub sync: bool,
    /// Give up after this long.
    pub timeout: Option<Duration>,
}

/// How a query's rows are written.
#[cfg(feature = "query")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The format.
    pub format: OutputFormat,
    /// Width of the terminal; `None` to cut nothing.
    pub columns: Option<u16>,
}

/// What `export` is to write.
#[cfg(feature = "query")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportPlan {
    /// Where the rows come from.
    pub query: QueryPlan,
    /// What is written.
    pub format: ExportFormat,
    /// The file, or the directory when there are partitions.
    pub output: PathBuf,
    /// Columns that become folders `name=value`.
    pub partition_by: Vec<String>,
}

/// What `export` wrote.
#[cfg(feature = "query")]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Exported {
    /// Rows written.
    pub rows: u64,
    /// Files written.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// What `compact` did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Compacted {
    /// Live files before.
    pub parts_before: u64,
    /// Live files after.
    pub parts_after: u64,
    /// Bytes in the files before.
    pub bytes_before: u64,
    /// Bytes in the files after.
    pub bytes_after: u64,
}

/// What `fsck` found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Checked {
    /// Commits read.
    pub commits: u64,
    /// Files read.
    pub parts: u64,
    /// Rows in them.
    pub rows: u64,
    /// What was repaired, one sentence each.
    pub repaired: Vec<String>,
    /// What is wrong still, one sentence each with path and remedy.
    pub faults: Vec<String>,
}

/// What `snapshot` made.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Linked {
    /// The directory.
    pub path: PathBuf,
    /// Files in it.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// Which rows `prune` deletes: those for which all that is given holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PrunePlan {
    /// Older than this, microseconds since 1970.
    pub before_us: Option<i64>,
    /// Of one of these sessions.
    pub sessions: Vec<String>,
    /// Of one of these projects.
    pub projects: Vec<String>,
    /// Count only.
    pub dry_run: bool,
}

/// What `prune` deleted, or would.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Pruned {
    /// Rows.
    pub rows: u64,
    /// Files that were rewritten or removed.
    pub parts: u64,
}

/// Reports progress to the caller.
pub type OnProgress<'a> = &'a mut dyn FnMut(Progress);

/// The newest version of the lake, without a lock; an empty one when there is none yet.
pub(super) fn lake(_settings: &Settings) -> Result<Arc<Snapshot>, CliError> {
    Err(CliError::Unavailable { what: "reading the lake" })
}

/// The `devlog ingest` that holds this home, if one runs.
pub(super) fn daemon(_settings: &Settings) -> Result<Option<Daemon>, CliError> {
    Err(CliError::Unavailable { what: "asking the daemon" })
}

/// The table `sources`: what the lake knows, joined with a look at the files; reads no content.
pub(super) fn sources(_settings: &Settings) -> Result<RecordBatch, CliError> {
    Err(CliError::Unavailable { what: "the table sources" })
}

/// Catches up, then follows the logs until a signal; returns what was read.
pub(super) fn ingest(_settings: &Settings, _plan: IngestPlan, _on: OnProgress<'_>) -> Result<Progress, CliError> {
    Err(CliError::Unavailable { what: "ingest" })
}

/// Reads history; returns what was read, or with `dry_run` what would be.
pub(super) fn backfill(_settings: &Settings, _plan: &BackfillPlan, _on: OnProgress<'_>) -> Result<Progress, CliError> {
    Err(CliError::Unavailable { what: "backfill" })
}

/// Runs a query and writes its rows to `out` as they come; returns how many.
#[cfg(feature = "query")]
pub(super) fn query(
    _settings: &Settings,
    _plan: &QueryPlan,
    _layout: Layout,
    _on: OnProgress<'_>,
    _out: &mut dyn Write,
) -> Result<u64, CliError> {
    Err(CliError::Unavailable { what: "query" })
}

/// Runs a query whose answer is small and returns its rows.
#[cfg(feature = "query")]
pub(super) fn collect(
    _settings: &Settings,
    _plan: &QueryPlan,
    _on: OnProgress<'_>,
) -> Result<Vec<RecordBatch>, CliError> {
    Err(CliError::Unavailable { what: "query" })
}

/// Runs a query and writes its rows to files.
#[cfg(feature = "query")]
pub(super) fn export(_settings: &Settings, _plan: &ExportPlan, _on: OnProgress<'_>) -> Result<Exported, CliError> {
    Err(CliError::Unavailable { what: "export" })
}

/// Merges small files.
pub(super) fn compact(_settings: &Settings) -> Result<Compacted, CliError> {
    Err(CliError::Unavailable { what: "compact" })
}

/// Checks every commit and file; with `rebuild` writes the log anew from the files' footers.
pub(super) fn fsck(_settings: &Settings, _rebuild: bool) -> Result<Checked, CliError> {
    Err(CliError::Unavailable { what: "fsck" })
}

/// Links the live files into a new directory.
pub(super) fn snapshot(_settings: &Settings) -> Result<Linked, CliError> {
    Err(CliError::Unavailable { what: "snapshot" })
}

/// Deletes rows for good, or counts them.
pub(super) fn prune(_settings: &Settings, _plan: &PrunePlan) -> Result<Pruned, CliError> {
    Err(CliError::Unavailable { what: "prune" })
}
