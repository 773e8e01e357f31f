//! Who asks over the wire?
//!
//! A Unix socket in the home, mode 0600: a running `ingest` answers queries of other devlog
//! processes, so that they see the rows that are not durable yet.
//!
//! - one request a connection; the answer streams
//! - SQL is read-only and bounded in memory and time by the query room
//! - at most [`CONNECTIONS`] at a time; the next one is told to try again

mod client;
mod frame;
mod server;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use client::{Client, ClientError, Rows as Answered};
pub use server::{Server, Service};

/// Connections answered at a time.
pub const CONNECTIONS: usize = 16;

/// Where the socket of a home is.
#[must_use]
pub fn socket_path(home: &Path) -> PathBuf {
    home.join("devlog.sock")
}

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
}
