//! One file to look at, and what came of it.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::{PipelineError, now_us};
use crate::discover::Stat;
use crate::schema::{Checkpoint, Counts, EventId, Fingerprint, Format, Learnt, Mapping, SourceId, SourcePosition};

/// One file to look at.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) path: PathBuf,
    /// Whose log it is.
    pub(super) agent: Arc<str>,
    pub(super) format: Format,
    pub(super) companions: Vec<PathBuf>,
    pub(super) stat: Option<Stat>,
    pub(super) previous: Option<Arc<SourcePosition>>,
    /// What describes the format, when a user does.
    pub(super) mapping: Option<Arc<Mapping>>,
}

/// What came of reading a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing new; its content was not read.
    Unchanged,
    /// Read to its end.
    Read,
    /// It changed a moment ago: look again at this time, microseconds since 1970.
    Later {
        /// When to look again.
        at_us: i64,
    },
    /// It is gone; its rows stay.
    Gone,
    /// The system refused; `sources.last_error` says why.
    Failed,
    /// Someone asked to stop before its end.
    Stopped,
}

/// Why reading stopped: this file only, or everything.
pub(super) enum Stop {
    File(io::Error),
    Pipeline(PipelineError),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<PipelineError> for Stop {
    fn from(error: PipelineError) -> Self {
        Self::Pipeline(error)
    }
}

pub(super) fn new_position(job: &Job, stat: &Stat) -> SourcePosition {
    let path = job.path.to_string_lossy().into_owned();
    let modified_us = stat.modified_ns / 1000;
    let created = fs::metadata(&job.path).and_then(|m| m.created()).ok();
    let created_us = created
        .and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok())
        .and_then(|d| i64::try_from(d.as_micros()).ok());
    let made = now_us().to_le_bytes();
    let id = EventId::of("source", &path, &[&stat.device.to_le_bytes(), &stat.inode.to_le_bytes(), &made]);
    SourcePosition {
        #[expect(clippy::cast_possible_truncation, reason = "64 of the hash's bits are enough for a source")]
        id: SourceId(id.0 as u64),
        agent: job.agent.as_ref().into(),
        format: job.format.name().into(),
        path,
        generation: 0,
        born_us: created_us.map_or(modified_us, |c| c.min(modified_us)),
        checkpoint: Checkpoint::default(),
        fingerprint: Fingerprint { size: stat.size, modified_ns: stat.modified_ns, ..Fingerprint::default() },
        counts: Counts::default(),
        read_at_us: 0,
        missing: false,
        last_error: None,
        folders: Vec::new(),
        learnt: Learnt::default(),
    }
}
