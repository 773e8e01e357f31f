//! Why the configuration cannot be used.

use std::path::PathBuf;

use super::{MappingError, OwnFileError, ParseQuantityError};

/// Why the configuration cannot be used. Nothing has been opened or written yet.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// Neither the environment nor the command line says where the user lives.
    #[error("cannot tell where your home directory is: set {variable}, or pass --home DIR")]
    NoHome {
        /// The variable that should say it.
        variable: &'static str,
    },
    /// The home, or a file in it, cannot or must not be used.
    #[error(transparent)]
    Own(#[from] OwnFileError),
    /// The configuration file is no TOML.
    #[error("{path:?} line {line} is not TOML: {message}")]
    NotToml {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What the parser said.
        message: String,
    },
    /// A key has a value of the wrong type.
    #[error("{path:?} line {line}: `{key}` must be {expected}")]
    WrongType {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The key.
        key: &'static str,
        /// What would be right, with an example.
        expected: &'static str,
    },
    /// A size or a duration in the file does not parse.
    #[error("{path:?} line {line}: `{key}`: {source}")]
    Quantity {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// The key.
        key: &'static str,
        /// What is wrong with it.
        #[source]
        source: ParseQuantityError,
    },
    /// A description of a format is wrong.
    #[error("{path:?} line {line}: {source}")]
    Mapping {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        #[source]
        source: MappingError,
    },
    /// A time zone that the IANA database does not know.
    #[error("unknown time zone {name:?} in {place}{}; use an IANA name such as Europe/Berlin or UTC", suggest(.nearest))]
    UnknownZone {
        /// What was asked for.
        name: String,
        /// Where it stands.
        place: &'static str,
        /// The name that was perhaps meant.
        nearest: Option<String>,
    },
    /// The memory budget is too small to work with.
    #[error("a memory budget of {bytes} bytes is too small; give at least {minimum} bytes (--memory 16MB)")]
    MemoryTooSmall {
        /// What was asked for.
        bytes: u64,
        /// The least that works.
        minimum: u64,
    },
}

fn suggest(nearest: &Option<String>) -> String {
    nearest.as_ref().map_or_else(String::new, |name| format!(" (did you mean {name}?)"))
}
