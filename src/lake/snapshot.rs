//! What one version of the log says.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Part;
use super::error::{LakeError, MISSING};
use super::pruned::PruneFilter;
use crate::schema::{SourceId, SourcePosition};

/// One version of the lake: immutable, cheap to share.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Directory of the lake; a table is the folder of its name inside.
    pub root: PathBuf,
    /// Number of the newest commit; `None` before the first.
    pub version: Option<u64>,
    /// Identity of the table, empty before the first commit.
    pub(crate) table_id: Arc<str>,
    /// Checksum of the newest commit.
    pub(crate) entry_crc32c: u32,
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
    /// The first of its files that is missing or has another size than was committed; looks at no content.
    #[must_use]
    pub fn fault(&self) -> Option<LakeError> {
        let tables = [("events", &self.events), ("rejects", &self.rejects)];
        tables.into_iter().flat_map(|(table, parts)| parts.iter().map(move |part| (table, part))).find_map(
            |(table, part)| {
                let path = self.root.join(table).join(&part.path);
                let reason = match std::fs::symlink_metadata(&path) {
                    Ok(found) if found.len() == part.bytes => return None,
                    Ok(_) => "it has another size than was committed",
                    Err(e) if e.kind() == std::io::ErrorKind::NotFound => MISSING,
                    Err(e) => return Some(LakeError::io("look at", &path, e)),
                };
                Some(LakeError::CorruptPart { path, reason })
            },
        )
    }

    /// The lake in `root` before anything was written.
    #[must_use]
    pub fn empty(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            version: None,
            table_id: Arc::default(),
            entry_crc32c: 0,
            committed_at_us: 0,
            events: Arc::default(),
            rejects: Arc::default(),
            sources: Arc::default(),
            pruned: Arc::default(),
        }
    }

    /// The newest commit: its number and the checksum of its entry.
    pub(crate) fn newest(&self) -> Option<(u64, u32)> {
        self.version.map(|version| (version, self.entry_crc32c))
    }
}
