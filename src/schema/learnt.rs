//! What rows have taught of folders: kept with the position of their source.

use serde::{Deserialize, Serialize};

use super::name::Name;

/// What the rows of one source have taught of folders: it holds after the folders are gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Learnt {
    /// The machine that the folders are on, when it is another one than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// Where its newest sessions were started, newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sessions: Vec<Session>,
    /// Working trees, newest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trees: Vec<Tree>,
}

impl Learnt {
    /// True when nothing was learnt.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.machine.is_none() && self.sessions.is_empty() && self.trees.is_empty()
    }
}

/// Where a session was started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// The folder; of one inside another session's repository, that one's.
    pub start: Name,
    /// True when its log names a branch: the folder is in a git repository.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_branch: bool,
}

/// A working tree.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    /// Its top folder, or as much of it as a log tells.
    pub folder: Name,
    /// Top folder of the main working tree, when this is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main: Option<Name>,
    /// Git remote as https URL without credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo_url: Option<Name>,
    /// True when a log tells so, and not the folder itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_told: bool,
}
