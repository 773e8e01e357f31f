//! Logs that a running `ingest` could not read: its answers lack their rows.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::lake::Snapshot;
use crate::pipeline::{Cut, is_failed};
use crate::schema::{SourceId, SourcePosition};

/// Those in the lake: a home has tens of thousands of logs, and each commit is looked through once.
#[derive(Default)]
pub(super) struct Unreadable {
    durable: Option<Arc<Snapshot>>,
    failed: BTreeMap<SourceId, Arc<SourcePosition>>,
}

impl Unreadable {
    /// Those of `cut`.
    pub(super) fn among(&mut self, cut: &Cut) -> Vec<Arc<SourcePosition>> {
        if self.durable.as_ref().is_none_or(|known| !Arc::ptr_eq(&known.sources, &cut.lake.sources)) {
            let failed = cut.lake.sources.iter().filter(|(_, position)| is_failed(position));
            self.failed = failed.map(|(id, position)| (*id, Arc::clone(position))).collect();
            self.durable = Some(Arc::clone(&cut.lake));
        }
        let moved = cut.positions.values().filter(|position| is_failed(position));
        let still = self.failed.iter().filter(|(id, _)| !cut.positions.contains_key(id)).map(|(_, position)| position);
        still.chain(moved).map(Arc::clone).collect()
    }
}
