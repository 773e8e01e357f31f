//! What does a command do?
//!
//! One function a command, and what a running `ingest` does for others: a plan comes in, a result goes out. Nothing
//! here parses what was typed, prints, or knows an exit code.

mod adapters;
#[cfg(unix)]
mod crew;
#[cfg(feature = "query")]
mod cut;
mod error;
mod following;
mod history;
mod ingest;
mod lake;
mod looked;
#[cfg(feature = "query")]
mod memory;
mod note;
mod progress;
#[cfg(feature = "query")]
mod rows;
#[cfg(unix)]
mod service;
mod signals;
#[cfg(any(unix, feature = "query"))]
mod unread;
#[cfg(unix)]
mod unreadable;
mod upkeep;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

/// A running `devlog ingest` with this home.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Daemon {
    /// Its process id.
    pub pid: u32,
    /// When it started, microseconds since 1970.
    pub started_us: i64,
    /// How it learns of new bytes: `notify`, `scan` where notifications do not work, or `starting`.
    pub watch_mode: String,
    /// Why it scans.
    pub watch_reason: Option<String>,
    /// Rows in memory that are not durable yet.
    pub ring_rows: u64,
    /// Memory they take.
    pub ring_bytes: u64,
    /// Why its answers lack rows that stand in the logs; empty when they do not.
    pub lacking: Vec<String>,
    /// Since when its rows are not made durable (microseconds since 1970), and why.
    pub trouble: Option<(i64, String)>,
}

/// What `ingest` is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct IngestPlan {
    /// End once everything present is durable.
    pub once: bool,
    /// Time between commits while following.
    pub flush_every: Duration,
}

/// What `ingest` tells while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Moment {
    /// The lake is its own: it runs for long from here on.
    Begun,
    /// It reads what was there when it started.
    Reading(Progress),
    /// It has read that, and follows from now on.
    Following {
        /// What it has read; the events without the copies.
        read: Progress,
        /// Log files it follows, by agent.
        files: BTreeMap<String, u64>,
    },
}

/// What `ingest` came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ingested {
    /// What was there when it started; the events without the copies.
    pub read: Progress,
    /// What came while it followed.
    pub live: Progress,
    /// A signal ended it before it had read everything it was to read.
    pub is_interrupted: bool,
}

/// What `backfill` is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct BackfillPlan {
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
    /// The machine that the logs are of, when it is not this one.
    pub machine: Option<String>,
}

/// A log that would be read.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Planned {
    /// Whose log it is.
    pub agent: String,
    /// Where it is.
    pub path: PathBuf,
    /// Bytes that are new.
    pub bytes: u64,
}

/// One query.
#[cfg(feature = "query")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct QueryPlan {
    /// The SQL.
    pub sql: String,
    /// Values for `$name` in it.
    pub parameters: Vec<(String, String)>,
    /// Catch up with the logs first.
    pub sync: bool,
    /// Give up after this long.
    pub timeout: Option<Duration>,
}

/// What `compact` did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Compacted {
    /// Live files before.
    pub parts_before: u64,
    /// Live files after.
    pub parts_after: u64,
    /// Bytes in the files before.
    pub bytes_before: u64,
    /// Bytes in the files after.
    pub bytes_after: u64,
}

/// What `fsck` mends before it checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repair {
    /// Nothing.
    None,
    /// The log, from the footers of the files.
    Rebuild,
    /// What is in quarantine and whole goes back.
    Restore,
    /// Copies of events go.
    Copies,
}

/// What `fsck` found.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Checked {
    /// Commits read.
    pub commits: u64,
    /// Files read.
    pub parts: u64,
    /// Events in them.
    pub rows: u64,
    /// Stretches that could not be decoded in them.
    pub rejects: u64,
    /// What was repaired, one sentence each.
    pub repaired: Vec<String>,
    /// What is wrong still, one sentence each with path and remedy.
    pub faults: Vec<String>,
}

/// What `snapshot` made.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Linked {
    /// The directory.
    pub path: PathBuf,
    /// Files in it.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// Which rows `prune` deletes: those for which all that is given holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct PrunePlan {
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Pruned {
    /// Rows.
    pub rows: u64,
    /// Files that were rewritten or removed.
    pub parts: u64,
}

/// What `prune --allow-again` took back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Allowed {
    /// Prunes that are forgotten.
    pub filters: u64,
    /// Logs that are read from their beginning.
    pub sources: u64,
}

/// An agent, and what of it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AgentFound {
    /// Its id.
    pub agent: String,
    /// The description's file, when a user describes it.
    pub described_in: Option<PathBuf>,
    /// Where it may log.
    pub places: BTreeSet<PathBuf>,
    /// Those that exist.
    pub roots: BTreeSet<PathBuf>,
    /// Log files that are there.
    pub sources: u64,
    /// Those whose last look failed.
    pub errors: u64,
    /// Sessions in the lake, where the build can count them.
    pub sessions: Option<u64>,
    /// Events in the lake.
    pub rows: u64,
    /// Stretches that could not be decoded, as the lake has them.
    pub rejects: u64,
    /// Time of the first row, microseconds since 1970.
    pub first_us: Option<i64>,
    /// Time of the last row.
    pub last_us: Option<i64>,
    /// What its logs keep of the tokens that calls took, in one word.
    pub usage: &'static str,
    /// What is there and cannot be read at all.
    pub unreadable: Vec<Unreadable>,
    /// Where it was looked for, and what was there.
    pub looked: Vec<Looked>,
}

impl AgentFound {
    /// True when there is anything of it on this machine.
    #[must_use]
    pub(crate) fn is_here(&self) -> bool {
        self.sources > 0 || self.rows > 0 || !self.roots.is_empty() || self.described_in.is_some()
    }
}

/// Something of an agent that cannot be read, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unreadable {
    /// The agent.
    pub agent: String,
    /// The file or folder.
    pub path: PathBuf,
    /// Why, and what the user can do.
    pub why: String,
}

/// What a described format makes of a file.
#[derive(Debug)]
pub(crate) struct Tried {
    /// Rows and rejects.
    pub(super) batch: crate::schema::RowBatch,
    /// What was seen in the file.
    pub(super) counts: crate::schema::Counts,
}

/// Reports progress to the caller.
pub(crate) type OnProgress<'a> = &'a mut dyn FnMut(Progress);

/// What `backfill` did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Backfilled {
    /// What was read, or is to be read.
    pub progress: Progress,
    /// Log files found, changed or not.
    pub found: u64,
    /// Files that could not be read.
    pub failed: u64,
    /// A signal ended it early; a further run goes on there.
    pub stopped: bool,
    /// Places that were not read, and why.
    pub notes: Vec<String>,
    /// The lake has many small files: merging them makes queries faster.
    pub needs_compaction: bool,
    /// Of a dry run, the logs that would be read, oldest first.
    pub planned: Vec<Planned>,
}

pub(crate) use adapters::{adapters, shown_places, try_mapping};
#[cfg(feature = "query")]
pub(crate) use cut::broken_views;
pub(crate) use error::{OpError, sentence};
pub(crate) use ingest::{backfill, ingest};
pub(crate) use lake::{
    allow_again, compact, daemon, doubt, fsck, looked_at, prune, remove_snapshots, rows_by_agent, snapshot, sources,
    sweep, waiting, writer_of,
};
pub(crate) use looked::{Looked, State as PlaceState};
pub(crate) use note::{NOTE, note};
pub(crate) use progress::Progress;
#[cfg(feature = "query")]
pub(crate) use rows::{Rows, refused, rows};
#[cfg(all(feature = "query", unix))]
pub(crate) use service::work;
pub(crate) use signals::INTERRUPTED;
#[cfg(feature = "query")]
pub(crate) use signals::{leave, listen};
#[cfg(test)]
pub(crate) use upkeep::COMMANDS;
