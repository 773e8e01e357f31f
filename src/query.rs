//! What is true now?

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::RecordBatch;

use crate::lake::Snapshot;
use crate::schema::EventId;

/// What a query sees: the newest rows and the durable ones, each row once.
#[derive(Debug, Clone)]
pub struct Cut {
    /// Rows of `events` in memory, settled and provisional, no row of which is visible in `lake`.
    pub events: Vec<RecordBatch>,
    /// Rows of `rejects` in memory.
    pub rejects: Vec<RecordBatch>,
    /// Durable events that a newer record in `events` replaces: not seen from the lake. Nearly always empty.
    pub replaced: Arc<HashSet<EventId>>,
    /// The table `sources`.
    pub sources: RecordBatch,
    /// The durable rows.
    pub lake: Arc<Snapshot>,
}
