//! Why a command failed, and how that is said.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use crate::config::{ConfigError, ParseWhenError};

/// Why a command failed. The exit code is 2, except when the reader of stdout went away.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CliError {
    /// Settings cannot be resolved.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A point in time cannot be read.
    #[error("{flag}: {source}")]
    When {
        /// The flag it was given to.
        flag: &'static str,
        /// What is wrong with it.
        source: ParseWhenError,
    },
    /// The system's clock stands before 1970, which neither rows nor the engine of queries know.
    #[error("the system's clock stands before 1970; set it and try again")]
    Clock,
    /// The answer cannot be written to stdout.
    #[error("cannot write the answer to stdout")]
    Output {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file that the user named cannot be read.
    #[error("cannot read {path:?}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A file or directory cannot be written; what stood there before is unchanged.
    #[error("cannot write {path:?}")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The place for the output is taken.
    #[error("{path:?} exists; remove it, choose another path, or pass --force to overwrite it")]
    Exists {
        /// The place.
        path: PathBuf,
    },
    /// A folder holds files that no export wrote.
    #[error("{file:?} was not written by devlog export; move it away, or choose another folder than {folder:?}")]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// One of the files.
        file: PathBuf,
    },
    /// A folder is being filled by another process.
    #[error("another devlog export is writing into {path:?}; wait for its end, or choose another folder")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The name of the file does not tell what to write into it.
    #[error("the extension of {path:?} is not that of a format; use {endings}, or pass --format")]
    UnknownEnding {
        /// The file.
        path: PathBuf,
        /// The endings that name one.
        endings: String,
    },
    /// Folders cannot go to stdout.
    #[error("--partition-by makes folders; name one with -o")]
    PartitionsToStdout,
    /// Nothing can lie between the two.
    #[error("--since must be earlier than --until")]
    EmptyRange,
    /// A binary format would go to a screen.
    #[error("refusing to write {format}, a binary format, to a terminal; name a file with -o, or redirect stdout")]
    BinaryToTerminal {
        /// The format.
        format: &'static str,
    },
    /// No query was given.
    #[error("no query: pass SQL, -f FILE, or pipe it in; devlog schema lists the tables")]
    NoQuery,
    /// A table that does not exist.
    #[error("there is no table {name:?}{}; tables are {}", hint(.nearest), .known.join(", "))]
    UnknownTable {
        /// What was asked for.
        name: String,
        /// The table that was perhaps meant.
        nearest: Option<&'static str>,
        /// All tables.
        known: Vec<&'static str>,
    },
    /// An agent that is neither built in nor described.
    #[error("there is no agent {name:?}{}; agents are {}", hint(.nearest), .known.join(", "))]
    UnknownAgent {
        /// What was asked for.
        name: String,
        /// The agent that was perhaps meant.
        nearest: Option<&'static str>,
        /// All agents.
        known: Vec<&'static str>,
    },
    /// More than one project has a name that ends so; what deletes asks for one.
    #[error("{name} may mean {}; write the whole name", .projects.join(" or "))]
    ManyProjects {
        /// What was asked for.
        name: String,
        /// All that it may mean.
        projects: Vec<String>,
    },
    /// A format that nobody describes.
    #[error("there is no {path:?}{}", hint(.nearest))]
    NoDescription {
        /// Where the description would be.
        path: PathBuf,
        /// The description that was perhaps meant.
        nearest: Option<&'static str>,
    },
    /// The description of a format is wrong.
    #[error("{why}")]
    Description {
        /// What is wrong, with file and line.
        why: String,
    },
    /// A view, where only tables are known.
    #[error("{name} is a view: devlog query \"DESCRIBE {name}\" lists its columns, devlog schema those of the tables")]
    IsView {
        /// Its name.
        name: String,
    },
    /// The lake has faults.
    #[error("{} found; see the list above", super::units::counted(*.faults as u64, "fault"))]
    Faults {
        /// How many.
        faults: usize,
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
        super::units::duration(*.waited)
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
    /// This build cannot do it.
    #[error("{what} is not part of this build")]
    Unavailable {
        /// What was asked for.
        what: &'static str,
    },
}

fn hint(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |name| format!(" (did you mean {name}?)"))
}

impl CliError {
    /// Wraps the error of another room.
    pub fn failed(doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Failed { doing, source: source.into() }
    }

    /// True when the reader of stdout went away: it has seen enough. Any other pipe that breaks is a failure.
    #[must_use]
    pub fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output { source } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// True when a file of the lake went away meanwhile: a prune or a merge removed it, and a newer version of
    /// the lake does without it.
    #[cfg(feature = "query")]
    pub(super) fn is_gone(&self) -> bool {
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

    /// The error and its causes in one sentence; a cause that repeats its effect is left out.
    pub(super) fn text(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let reason = error.to_string();
            if !text.contains(&reason) {
                text = format!("{text}: {reason}");
            }
            cause = error.source();
        }
        text
    }

    /// Writes the error as one line.
    pub(super) fn print(&self, err: &mut dyn Write) -> io::Result<()> {
        super::voice::write(err, &format!("error: {}", self.text()))
    }
}
