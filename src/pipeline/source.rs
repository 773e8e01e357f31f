//! One source, whatever it is: looks at it, reads what is new, says what came of it.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::database::DatabaseReader;
use super::progress::Progress;
use super::stream::StreamReader;
use super::worker::Worker;
use super::{Core, PipelineError, now_us};
use crate::discover::Stat;
use crate::schema::{
    Checkpoint, Counts, EventId, Fingerprint, Format, Framing, Learnt, Mapping, SourceId, SourcePosition,
};
use crate::watch::Limits;

/// An agent that has not written for this long has settled what it wrote.
pub(super) const SILENCE_US: i64 = 30_000_000;

/// A log of the past that was written to so lately may still be being copied.
pub(super) const COPIED_US: i64 = 500_000;

/// A busy or moving database is looked at again after this.
pub(super) const AGAIN_US: i64 = 2_000_000;

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

/// What a thread reads with: shared by all the sources it reads.
pub(super) struct Means<'a> {
    pub(super) core: &'a Core,
    pub(super) progress: &'a Progress,
    pub(super) worker: &'a mut Worker,
    pub(super) buffer: &'a mut Vec<u8>,
    pub(super) limits: Limits,
    /// These are logs of the past, and this is the only look at them: what an agent has marked as
    /// finished is settled at the end of the file, instead of waiting for what may follow.
    pub(super) history: bool,
    /// Somebody is shown what is still open.
    pub(super) shown: bool,
    /// This run looks once more at what is being written at this moment.
    pub(super) comes_again: bool,
    /// The logs are followed as they grow; otherwise this look is for somebody who waits for it.
    pub(super) live: bool,
}

/// What a source is read with beside its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around {
    /// Zone of local times.
    pub(super) zone: Option<chrono_tz::Tz>,
    /// Length of the longest file that is read along.
    pub(super) most_bytes: usize,
}

impl Means<'_> {
    pub(super) const fn around(&self) -> Around {
        Around { zone: self.worker.zone(), most_bytes: self.limits.max_line }
    }

    /// When a change of the source at `position` was seen last; `None` in history, which nobody is writing.
    pub(super) fn seen_us(&self, position: &SourcePosition) -> Option<i64> {
        let never = position.read_at_us == 0;
        (!self.history).then(|| if never { now_us() } else { position.read_at_us })
    }
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

/// A source with its decoder, ready to read on.
#[derive(Debug)]
pub enum SourceReader {
    /// Lines or documents.
    Stream(Box<StreamReader>),
    /// A database.
    Database(Box<DatabaseReader>),
}

impl SourceReader {
    /// How far the source has been read.
    #[must_use]
    pub const fn position(&self) -> &SourcePosition {
        match self {
            Self::Stream(reader) => reader.position(),
            Self::Database(reader) => reader.position(),
        }
    }

    /// True while a later look may find more in the same bytes: its agent may still change the newest
    /// rows, or the last line has no newline yet.
    #[must_use]
    pub fn is_unfinished(&self) -> bool {
        match self {
            Self::Stream(reader) => reader.is_unfinished(),
            Self::Database(reader) => reader.is_open(),
        }
    }

    /// True when its companions are to be asked again once its agent has been silent.
    pub(super) fn asks_again(&self) -> bool {
        matches!(self, Self::Stream(reader) if reader.asks_again())
    }

    /// Looks at `job` and reads what is new; `kept` is what an earlier call returned for this path.
    ///
    /// Rows stay in the means' worker until it delivers them.
    pub(super) fn run(
        job: &Job,
        kept: Option<Self>,
        means: &mut Means<'_>,
    ) -> Result<(Outcome, Option<Self>), PipelineError> {
        let known = kept.as_ref().map_or_else(|| job.previous.as_deref().cloned(), |k| Some(k.position().clone()));
        let done = if job.format.framing() == Framing::Database {
            let kept = kept.and_then(|kept| if let Self::Database(reader) = kept { Some(*reader) } else { None });
            DatabaseReader::run(job, kept, known.as_ref(), means)
                .map(|(o, r)| (o, r.map(|r| Self::Database(Box::new(r)))))
        } else {
            let kept = kept.and_then(|kept| if let Self::Stream(reader) = kept { Some(*reader) } else { None });
            StreamReader::run(job, kept, known.as_ref(), means).map(|(o, r)| (o, r.map(|r| Self::Stream(Box::new(r)))))
        };
        match done {
            Ok(done) => Ok(done),
            Err(Stop::Pipeline(error)) => Err(error),
            Err(Stop::File(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                Ok((Outcome::Later { at_us: now_us() + AGAIN_US }, None))
            }
            Err(Stop::File(error)) => Ok((mark_failed(job, known, &refusal(&error), means), None)),
        }
    }

    /// True when it stands at `position`, whose counts it takes over: copies are known to the core only.
    pub(super) fn stands_at(&mut self, position: &SourcePosition) -> bool {
        let own = match self {
            Self::Stream(reader) => reader.position_mut(),
            Self::Database(reader) => reader.position_mut(),
        };
        own.counts = position.counts;
        own == position
    }

    /// Hands out what its agent has marked as finished: nobody will look again soon.
    pub(super) fn finish_for_now(&mut self, means: &mut Means<'_>) {
        if let Self::Stream(reader) = self {
            reader.finish_for_now(means);
        }
    }

    /// Adds copies that the core found among this source's rows.
    pub(super) fn count_copies(&mut self, source: SourceId, copies: u64) {
        match self {
            Self::Stream(reader) => reader.count_copies(source, copies),
            Self::Database(reader) => reader.count_copies(source, copies),
        }
    }
}

/// True when nobody has written for a while to a file with this time. One that is ahead of the clock does not
/// tell when that was: what counts then is when a change was seen last, `seen_us`.
pub(super) fn is_silent(modified_us: i64, seen_us: Option<i64>) -> bool {
    let now_us = now_us();
    let since_us = if is_ahead(modified_us, now_us) { seen_us.unwrap_or(i64::MIN) } else { modified_us };
    now_us.saturating_sub(since_us) >= SILENCE_US
}

/// When the source at `position` will have been silent for long enough if nobody writes to it.
pub(super) fn silent_at_us(position: &SourcePosition) -> i64 {
    let modified_us = position.fingerprint.modified_ns / 1000;
    let since_us = if is_ahead(modified_us, now_us()) { position.read_at_us } else { modified_us };
    since_us.saturating_add(SILENCE_US)
}

fn is_ahead(modified_us: i64, now_us: i64) -> bool {
    modified_us.saturating_sub(now_us) > SILENCE_US
}

/// True when the source at `position`, in which something is open or torn, was looked at last before its agent
/// had been silent for long enough: a further look may settle it.
pub(super) fn is_due(position: &SourcePosition, seen_us: Option<i64>) -> bool {
    let modified_us = position.fingerprint.modified_ns / 1000;
    let looked_us = position.read_at_us;
    let was_silent = looked_us.saturating_sub(modified_us) >= SILENCE_US || is_ahead(modified_us, looked_us);
    !was_silent && is_silent(modified_us, seen_us)
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
        agent: job.agent.as_ref().to_owned(),
        format: job.format.name().to_owned(),
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

/// The file is gone: what its agent had open is settled by that, if it is still in memory.
pub(super) fn vanished(
    position: Option<SourcePosition>,
    settle: impl FnOnce(&mut Means<'_>),
    means: &mut Means<'_>,
) -> Outcome {
    let Some(mut position) = position.filter(|p| !p.missing) else { return Outcome::Gone };
    means.worker.begin(&position);
    settle(means);
    position.missing = true;
    means.worker.close(&mut position, means.progress);
    Outcome::Gone
}

fn refusal(error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => "; give this user read permission",
        io::ErrorKind::InvalidInput => "; only regular files are read",
        _ => "; it is tried again at the next look",
    };
    format!("cannot read: {error}{advice}")
}

/// Remembers what went wrong with a source, once.
pub(super) fn mark_failed(job: &Job, known: Option<SourcePosition>, text: &str, means: &mut Means<'_>) -> Outcome {
    means.progress.file_failed();
    let mut position = known.unwrap_or_else(|| new_position(job, &job.stat.unwrap_or_default()));
    if position.last_error.as_deref() != Some(text) {
        position.last_error = Some(text.to_owned());
        means.worker.begin(&position);
        means.worker.close(&mut position, means.progress);
    }
    Outcome::Failed
}
