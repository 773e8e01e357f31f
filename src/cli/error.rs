//! Why a command failed, and how that is said.

use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::config::{ConfigError, ParseWhenError};
use crate::ops::{OpError, sentence};

/// Why a command failed. The exit code is 2, except when the reader of stdout went away.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CliError {
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
    #[cfg(feature = "query")]
    Foreign {
        /// The folder.
        folder: PathBuf,
        /// One of the files.
        file: PathBuf,
    },
    /// A folder is being filled by another process.
    #[error("another devlog export is writing into {path:?}; wait for its end, or choose another folder")]
    #[cfg(feature = "query")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The name of the file does not tell what to write into it.
    #[error("the extension of {path:?} is not that of a format; use {endings}, or pass --format")]
    #[cfg(feature = "query")]
    UnknownEnding {
        /// The file.
        path: PathBuf,
        /// The endings that name one.
        endings: String,
    },
    /// Folders cannot go to stdout.
    #[error("--partition-by makes folders; name one with -o")]
    #[cfg(feature = "query")]
    PartitionsToStdout,
    /// Nothing can lie between the two.
    #[error("--since must be earlier than --until")]
    #[cfg(feature = "query")]
    EmptyRange,
    /// A binary format would go to a screen.
    #[error("refusing to write {format}, a binary format, to a terminal; name a file with -o, or redirect stdout")]
    #[cfg(feature = "query")]
    BinaryToTerminal {
        /// The format.
        format: &'static str,
    },
    /// No query was given.
    #[error("no query: pass SQL, -f FILE, or pipe it in; devlog schema lists the tables")]
    #[cfg(feature = "query")]
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
    #[cfg(feature = "query")]
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
    #[cfg(feature = "query")]
    IsView {
        /// Its name.
        name: String,
    },
    /// The lake has faults.
    #[error("{} found; see the list above", crate::text::units::counted(*.faults as u64, "fault"))]
    Faults {
        /// How many.
        faults: usize,
    },
    /// What the command does failed.
    #[error(transparent)]
    Op(#[from] OpError),
}

fn hint(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |name| format!(" (did you mean {name}?)"))
}

impl CliError {
    /// Wraps the error of another room.
    pub(crate) fn failed(doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Op(OpError::failed(doing, source))
    }

    /// True when the reader of stdout went away: it has seen enough. Any other pipe that breaks is a failure.
    #[must_use]
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Output { source } if source.kind() == io::ErrorKind::BrokenPipe)
    }

    /// The error and its causes in one sentence.
    pub(super) fn text(&self) -> String {
        sentence(self)
    }

    /// Writes the error as one line.
    pub(super) fn print(&self, err: &mut dyn Write) -> io::Result<()> {
        super::voice::write(err, &format!("error: {}", self.text()))
    }
}
