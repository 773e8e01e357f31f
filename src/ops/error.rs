//! Why what a command does has failed.

use std::error::Error;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// Why what a command does has failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum OpError {
    /// A file that the user named cannot be read.
    #[error("cannot read {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A second `ingest` for one home.
    #[error("devlog ingest (process {pid}) is already following these logs; devlog status says how far it is")]
    Following {
        /// The process that follows.
        pid: u32,
    },
    /// Another process writes the lake, and cannot be asked to do what is wanted.
    #[error(
        "{who} is writing the lake and has not ended within {}; try again when it has, or wait longer with \
         --lock-wait 10m",
        crate::text::units::duration(*.waited)
    )]
    Busy {
        /// The process.
        who: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The lake's log cannot be written anew under a running `ingest`.
    #[error("devlog ingest (process {pid}) is using this lake; stop it first, then run this again")]
    LakeInUse {
        /// The process that uses it.
        pid: u32,
    },
    /// The running `ingest` could not do what it was asked for.
    #[cfg(unix)]
    #[error(transparent)]
    Asked(#[from] crate::serve::ClientError),
    /// A query has no answer, and says so itself.
    #[error(transparent)]
    #[cfg(feature = "query")]
    Query(Box<dyn Error + Send + Sync>),
    /// Another room failed.
    #[error("{doing} failed")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl OpError {
    /// Wraps the error of another room.
    pub(crate) fn failed(doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed { doing, source: source.into() }
    }

    /// True when a file of the lake went away meanwhile: a prune or a merge removed it, and a newer version of
    /// the lake does without it.
    #[cfg(feature = "query")]
    pub(crate) fn is_gone(&self) -> bool {
        use crate::lake::LakeError;
        use crate::pipeline::PipelineError;
        use crate::query::QueryError;
        let mut cause: Option<&(dyn Error + 'static)> = match self {
            // It speaks in the words of this error, so this is no cause of it.
            Self::Query(error) => Some(error.as_ref()),
            other => Some(other),
        };
        while let Some(error) = cause {
            let of_lake = error.downcast_ref::<LakeError>().is_some_and(LakeError::is_gone);
            let on_the_way =
                matches!(error.downcast_ref::<PipelineError>(), Some(PipelineError::Lake(error)) if error.is_gone());
            let asked = matches!(error.downcast_ref::<QueryError>(), Some(QueryError::Part { is_gone: true, .. }));
            if of_lake || on_the_way || asked {
                return true;
            }
            cause = error.source();
        }
        false
    }
}

/// An error and its causes in one sentence; a cause that repeats its effect is left out.
pub(crate) fn sentence(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.contains(&reason) {
            text = format!("{text}: {reason}");
        }
        cause = error.source();
    }
    text
}
