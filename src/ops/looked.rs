//! Where devlog looked for an agent's logs, and what was there.

use std::io;
use std::path::{Path, PathBuf};

use super::AgentFound;
use crate::discover::{Root, ScanWarning, expand};
use crate::schema::SourcePosition;

/// What is at a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Logs.
    Logs,
    /// Something, but no log.
    NoLogs,
    /// A link to something that is not there.
    DanglingLink,
    /// What the system keeps from this user.
    NotReadable,
    /// Nothing.
    #[default]
    NotThere,
}

/// A place where an agent may log.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Looked {
    /// The folder or file.
    pub path: PathBuf,
    /// What is there.
    pub state: State,
    /// Log files in it.
    pub logs: u64,
    /// What of it was not read, and why.
    pub notes: Vec<String>,
}

/// Looks at the places of `root`: at those that its pattern stands for, else at itself.
pub(super) fn look(agent: &mut AgentFound, root: &Root) {
    let paths: Vec<PathBuf> = expand(root).into_iter().map(|root| root.path).collect();
    let paths = if paths.is_empty() { vec![root.path.clone()] } else { paths };
    for path in paths {
        if agent.looked.iter().all(|looked| looked.path != path) {
            agent.looked.push(Looked { state: state(&path), path, ..Looked::default() });
        }
    }
}

fn state(path: &Path) -> State {
    let absent = |error: &io::Error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => match std::fs::read_dir(path) {
            Ok(_) => State::NoLogs,
            Err(_) => State::NotReadable,
        },
        Ok(_) => State::NoLogs,
        Err(error) if !absent(&error) => State::NotReadable,
        Err(_) if std::fs::symlink_metadata(path).is_ok() => State::DanglingLink,
        Err(_) => State::NotThere,
    }
}

/// Counts a log at its place.
pub(super) fn count(agent: &mut AgentFound, position: &SourcePosition) {
    let path = Path::new(&position.path);
    if !position.missing
        && let Some(looked) = innermost(&mut agent.looked, path)
    {
        looked.logs += 1;
        looked.state = State::Logs;
        looked.notes.extend(position.last_error.as_ref().map(|why| format!("{}: {why}", path.display())));
    }
}

/// Says at its place what was not read.
pub(super) fn note(agent: &mut AgentFound, note: &ScanWarning) {
    if let Some(looked) = innermost(&mut agent.looked, note.path()) {
        if matches!(note, ScanWarning::Unreadable { .. }) && looked.state == State::NoLogs {
            looked.state = State::NotReadable;
        }
        let text = note.to_string();
        if !looked.notes.contains(&text) {
            looked.notes.push(text);
        }
    }
}

fn innermost<'a>(all: &'a mut [Looked], path: &Path) -> Option<&'a mut Looked> {
    let around = all.iter_mut().filter(|looked| path.starts_with(&looked.path));
    around.max_by_key(|looked| looked.path.components().count())
}
