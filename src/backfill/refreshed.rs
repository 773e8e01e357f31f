//! What a catch-up before an answer came to: rows to answer from, and what they lack.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::discover::ScanWarning;
use crate::lake::LakeError;
use crate::pipeline::Core;

/// Newest and durable rows for an answer, and what the answer does not show.
#[derive(Debug)]
pub struct Refreshed {
    /// The rows.
    pub core: Arc<Core>,
    /// Why rows are missing that stand in the logs at this moment; empty when the answer shows them all.
    pub lacking: Vec<Lacking>,
    /// Why rows that the answer shows are not stored; `None` when they are.
    pub unstored: Option<String>,
    /// Places that are not read by rule: links that lead out of the logs, names that are no text.
    pub notes: Vec<ScanWarning>,
}

impl Refreshed {
    /// True when the answer shows everything that stands in the logs at this moment.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.lacking.is_empty()
    }

    /// The process that writes the lake, if the answer lacks rows because of it: to wait for its end helps.
    #[must_use]
    pub fn writer(&self) -> Option<Option<u32>> {
        self.lacking.iter().find_map(|why| if let Lacking::Writer { pid } = why { Some(*pid) } else { None })
    }

    /// Takes `notes` apart: what could not be read is lacking, the rest is so by rule.
    pub(super) fn take_notes(&mut self, notes: Vec<ScanWarning>) {
        for note in notes {
            match note {
                ScanWarning::Unreadable { path, source } => {
                    self.lacking.push(Lacking::Place { path, why: source.to_string() })
                }
                note => self.notes.push(note),
            }
        }
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
    /// A log that could not be read, or not to its end.
    Log {
        /// The file.
        path: String,
        /// What the system said, and what to do.
        why: String,
    },
    /// A folder that could not be looked into.
    Place {
        /// The folder.
        path: PathBuf,
        /// What the system said.
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
            Self::Log { path, why } => write!(f, "{path:?} is not in the answer, or not all of it: {why}"),
            Self::Place { path, why } => write!(f, "{path:?} is not in the answer: cannot read: {why}"),
            Self::Stopped { files } => write!(f, "stopped before {files} logs were read: the answer lacks them"),
        }
    }
}
