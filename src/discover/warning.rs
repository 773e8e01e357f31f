//! Why a place was not read.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::sniff::Unknown;

/// Deepest folder that a walk enters; real trees end far above it.
pub(super) const MAX_DEPTH: usize = 32;

/// Folders behind one link that are walked; with more nothing behind it is read.
pub(super) const MOST_LINKED: usize = 20_000;

/// Why a place was not read. The walk went on after each of them.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanWarning {
    /// The operating system refused; what is known of sources below `path` still holds.
    #[error("cannot read {path:?}: {source}")]
    Unreadable {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// A FIFO, socket or device has the name of a log; opening it could block for ever.
    #[error("{path:?} is not a regular file; it is not read")]
    Special {
        /// The thing.
        path: PathBuf,
    },
    /// A name that no text can hold: positions and rows name their source as text.
    #[error("the name of {path:?} is not valid UTF-8; it is not read until it is renamed")]
    NoText {
        /// The file or folder.
        path: PathBuf,
    },
    /// A link leads to where the system shows itself as files.
    #[error("{path:?} links to {target:?}, which is not a place for logs; it is not followed")]
    LinkToSystem {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A link leads to a folder above the logs.
    #[error("{path:?} links to {target:?}, which contains it; it is not followed; {}", way_out(target))]
    LinkLoop {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// Behind a link lies more than any agent writes.
    #[error(
        "{path:?} links to {target:?}, which holds more than {MOST_LINKED} folders; it is not followed; {}",
        way_out(target)
    )]
    LinkTooLarge {
        /// The link.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// A folder lies deeper than any agent writes.
    #[error("{path:?} is nested deeper than {MAX_DEPTH} folders; it is not entered; {}", way_out(path))]
    TooDeep {
        /// The folder.
        path: PathBuf,
    },
    /// A file given by the user is no log that devlog knows.
    #[error("{path:?} is skipped: {reason}")]
    Skipped {
        /// The file.
        path: PathBuf,
        /// What was missing.
        reason: Unknown,
    },
}

/// What reads a folder that no walk enters.
fn way_out(folder: &Path) -> String {
    format!("devlog backfill --path {} reads logs there", folder.display())
}

impl ScanWarning {
    /// Why, in few words.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Unreadable { source, .. } => source.to_string(),
            Self::Special { .. } => "not a regular file".to_owned(),
            Self::NoText { .. } => "its name is no valid UTF-8".to_owned(),
            Self::LinkToSystem { target, .. } => format!("a link to {}", target.display()),
            Self::LinkLoop { target, .. } => format!("a link to {}, which contains it", target.display()),
            Self::LinkTooLarge { .. } => format!("a link to more than {MOST_LINKED} folders"),
            Self::TooDeep { .. } => format!("deeper than {MAX_DEPTH} folders"),
            Self::Skipped { reason, .. } => reason.to_string(),
        }
    }

    /// What it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Unreadable { path, .. }
            | Self::Special { path }
            | Self::LinkToSystem { path, .. }
            | Self::NoText { path }
            | Self::LinkLoop { path, .. }
            | Self::LinkTooLarge { path, .. }
            | Self::TooDeep { path }
            | Self::Skipped { path, .. } => path,
        }
    }
}

/// What these notes say, one line each; what was skipped below a folder in one line, however much it was.
#[must_use]
pub fn told(notes: &[ScanWarning]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let (mut others, mut unknown) = (BTreeMap::<&str, u64>::new(), Vec::new());
    for note in notes {
        match note {
            ScanWarning::Skipped { reason: Unknown::Companion, .. } => {}
            ScanWarning::Skipped { reason: Unknown::OtherAgent { format }, .. } => {
                *others.entry(format.agent()).or_default() += 1;
            }
            ScanWarning::Skipped { .. } => unknown.push(note),
            _ => lines.push(note.to_string()),
        }
    }
    let counted = |count: u64| if count == 1 { "1 file is".to_owned() } else { format!("{count} files are") };
    match unknown[..] {
        [] => {}
        [note] => lines.push(note.to_string()),
        [ScanWarning::Skipped { path, reason }, ..] => {
            let count = counted(unknown.len() as u64);
            lines.push(format!("{count} no logs of a known agent, such as {path:?}: {reason}"));
        }
        _ => {}
    }
    if !others.is_empty() {
        let all: Vec<String> = others.iter().map(|(agent, count)| format!("{agent} {count}")).collect();
        let count = counted(others.values().sum());
        lines.push(format!(
            "{count} of other agents than those asked for ({}); without --agent all are read",
            all.join(", ")
        ));
    }
    lines
}
