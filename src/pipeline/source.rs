//! One source, whatever it is: looks at it, reads what is new, says what came of it.

use std::io;

use super::context::{ReadContext, mark_failed};
use super::database::DatabaseReader;
use super::job::{Job, Outcome, Stop};
use super::silence::AGAIN_US;
use super::stream::StreamReader;
use super::{PipelineError, now_us};
use crate::schema::{Framing, SourceId, SourcePosition};

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
    /// Rows stay in the worker until it delivers them.
    pub(super) fn run(
        job: &Job,
        kept: Option<Self>,
        means: &mut ReadContext<'_>,
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
    pub(super) fn finish_for_now(&mut self, means: &mut ReadContext<'_>) {
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

fn refusal(error: &io::Error) -> String {
    let advice = match error.kind() {
        io::ErrorKind::PermissionDenied => "; give this user read permission",
        io::ErrorKind::InvalidInput => "; only regular files are read",
        _ => "; it is tried again at the next look",
    };
    format!("cannot read: {error}{advice}")
}
