//! What one version of the log says.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Part;
use super::prune::PruneFilter;
use crate::schema::{SourceId, SourcePosition};

/// One version of the lake: immutable, cheap to share.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Directory of the lake; a table is the folder of its name inside.
    pub root: PathBuf,
    /// Number of the newest commit; `None` before the first.
    pub version: Option<u64>,
    /// Time of the newest commit, microseconds since 1970.
    pub committed_at_us: i64,
    /// Live files of `events`.
    pub events: Arc<Vec<Arc<Part>>>,
    /// Live files of `rejects`.
    pub rejects: Arc<Vec<Arc<Part>>>,
    /// Position of every source ever seen.
    pub sources: Arc<HashMap<SourceId, Arc<SourcePosition>>>,
    /// Which rows were pruned and stay away, whatever source still holds them.
    pub pruned: Arc<Vec<PruneFilter>>,
}

impl Snapshot {
    /// The lake in `root` before anything was written.
    #[must_use]
    pub fn empty(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            version: None,
            committed_at_us: 0,
            events: Arc::default(),
            rejects: Arc::default(),
            sources: Arc::default(),
            pruned: Arc::default(),
        }
    }
}
