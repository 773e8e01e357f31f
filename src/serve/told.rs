//! What travels while a running `ingest` does work for another process.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What is told while work is done, and what comes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "told", content = "what", rename_all = "snake_case")]
pub enum Told {
    /// Somebody else's work is being done first.
    Waits,
    /// How far it is.
    Progress(Value),
    /// It is done.
    Done(Value),
    /// This process holds another lake.
    Elsewhere,
}

/// How the work of a client ended.
#[derive(Debug)]
pub enum Ended {
    /// It is done.
    Done(Value),
    /// It is about a lake that this process does not hold.
    Elsewhere,
    /// It failed, in the words that the client shows.
    Failed(String),
}
