//! How far a long piece of work is.

use crate::pipeline::Tally;

impl From<Tally> for Progress {
    fn from(tally: Tally) -> Self {
        Self {
            files_done: tally.files,
            files: tally.files_total,
            bytes_done: tally.bytes,
            bytes: tally.bytes_total,
            events: tally.events.saturating_sub(tally.duplicates),
            rejects: tally.rejects,
        }
    }
}

/// What has been done of what there is to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Progress {
    /// Files read to their end.
    pub files_done: u64,
    /// Files to read.
    pub files: u64,
    /// Bytes read.
    pub bytes_done: u64,
    /// Bytes to read.
    pub bytes: u64,
    /// Rows made.
    pub events: u64,
    /// Lines refused.
    pub rejects: u64,
}
