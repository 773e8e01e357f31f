//! What a catch-up before an answer came to: rows to answer from, and what they lack.

use std::fmt;
use std::sync::Arc;

use crate::lake::LakeError;
use crate::pipeline::{Core, Unread};

/// Newest and durable rows for an answer, and what the answer does not show.
#[derive(Debug)]
pub struct Refreshed {
    /// The rows.
    pub core: Arc<Core>,
    /// Why rows of logs that can be read are missing; empty when the answer shows them all.
    pub lacking: Vec<Lacking>,
    /// Why rows that the answer shows are not stored; `None` when they are.
    pub unstored: Option<String>,
    /// What could not be read, or never is.
    pub unread: Unread,
}

impl Refreshed {
    /// The process that writes the lake, if the answer lacks rows because of it: to wait for its end helps.
    #[must_use]
    pub fn writer(&self) -> Option<Option<u32>> {
        self.lacking.iter().find_map(|why| if let Lacking::Writer { pid } = why { Some(*pid) } else { None })
    }
}

/// Why an answer lacks rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lacking {
    /// Another process writes the lake, and is reading the logs: the answer shows what it has committed.
    Writer {
        /// The process, where the system tells.
        pid: Option<u32>,
    },
    /// The lake cannot be written, and there is too much news to hold it in memory.
    Unwritable {
        /// What the system said, and what to do.
        why: String,
    },
    /// Someone asked to stop before everything was read.
    Stopped {
        /// Files that wait.
        files: u64,
    },
}

impl Lacking {
    /// Why a lake that could not be written leaves rows out; `None` for errors that no answer may hide.
    pub(super) fn of(error: &LakeError) -> Option<Self> {
        match error {
            LakeError::Locked { pid, .. } => Some(Self::Writer { pid: *pid }),
            LakeError::NotWritable { .. } | LakeError::DiskFull { .. } => {
                Some(Self::Unwritable { why: error.to_string() })
            }
            _ => None,
        }
    }
}

impl fmt::Display for Lacking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Writer { pid } => {
                let who = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
                write!(f, "another devlog{who} is reading the logs: the answer shows what it has committed so far")
            }
            Self::Unwritable { why } => write!(f, "the answer shows what was committed before: {why}"),
            Self::Stopped { files } => write!(f, "stopped before {files} logs were read: the answer lacks them"),
        }
    }
}
