//! Who asks over the wire?
//!
//! A Unix socket, in the home or in the user's own folder for sockets, mode 0600: a running `ingest` answers queries of other devlog
//! processes, so that they see the rows that are not durable yet.
//!
//! - one request a connection; the answer streams
//! - what only the lake's writer can do (merging, pruning, a backfill) it does for those who ask
//! - SQL is read-only and bounded in memory and time by the query room
//! - at most [`CONNECTIONS`] queries at a time; the next ones wait for their turn, and are told so
//! - whoever waits hears every second that the other side lives: a client of a stopped process looks for
//!   itself, and a reader that pauses is told from one that has gone

mod client;
mod desk;
mod frame;
mod refusal;
mod reply;
mod server;
mod service;
mod told;
mod upkeep;
#[cfg(feature = "query")]
pub mod workers;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use client::{Client, ClientError, Rows as Answered};
pub use refusal::Refusal;
pub use reply::Reply;
pub use server::Server;
pub use service::Service;
pub use told::{Ended, Told};

use crate::pipeline::Unread;

/// Queries answered at a time.
pub const CONNECTIONS: usize = 16;

/// Who works for a client says so this often.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Request {
    /// How are you?
    Status,
    /// Rows.
    Query {
        /// The SQL.
        sql: String,
        /// Values for `$name` in it.
        params: Vec<(String, String)>,
        /// IANA zone that days are formed in.
        timezone: String,
        /// Give up after this many milliseconds.
        timeout_ms: Option<u64>,
    },
    /// Work on the lake.
    Work {
        /// The lake that is meant.
        lake: PathBuf,
        /// What is to be done.
        job: serde_json::Value,
    },
}

/// What an answer begins with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preface {
    /// Why rows of logs that can be read are missing; empty when the answer shows them all.
    #[serde(default)]
    pub lacking: Vec<String>,
    /// What could not be read, or never is.
    #[serde(default)]
    pub unread: Unread,
    /// What else is to be told: own views that cannot be used.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// What a running `ingest` says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Process id.
    pub pid: u32,
    /// When it started, microseconds since 1970.
    pub started_us: i64,
    /// `notify`, `scan` when a place can only be watched by scanning, or `starting`.
    pub watch_mode: String,
    /// Why it scans.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watch_reason: Option<String>,
    /// Rows in memory that are not durable.
    pub ring_rows: u64,
    /// Memory they take.
    pub ring_bytes: u64,
    /// Why answers lack rows that stand in the logs; empty when they do not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lacking: Vec<String>,
    /// Why the rows in memory are not made durable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
}

/// Something that does not work at the moment and is tried again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Since when, microseconds since 1970.
    pub since_us: i64,
    /// Why.
    pub why: String,
}
