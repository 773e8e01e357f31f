//! Rows that become durable together.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::{Chunk, IdSet};
use crate::schema::{SourceId, SourcePosition};

/// Number of a segment; rises by one with each seal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentNumber(pub u64);

/// Rows, rejects and positions of one commit.
#[derive(Debug, Clone, Default)]
pub struct Segment {
    /// Its place in the order of commits.
    pub number: SegmentNumber,
    /// The rows.
    pub chunks: Vec<Chunk>,
    /// Refused lines.
    pub rejects: Vec<RecordBatch>,
    /// Positions after these rows.
    pub positions: BTreeMap<SourceId, Arc<SourcePosition>>,
    /// Durable events that rows of this segment replace.
    pub replaced: IdSet,
    /// Memory of the rows and of the refused lines.
    pub bytes: usize,
}

impl Segment {
    /// True when a commit of it would say nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty() && self.rejects.is_empty() && self.positions.is_empty()
    }

    /// The rows that count.
    #[must_use]
    pub fn batches(&self) -> Vec<RecordBatch> {
        self.chunks.iter().filter_map(|c| c.visible(&[])).collect()
    }

    /// The chunk with this number.
    pub fn chunk_mut(&mut self, number: u64) -> Option<&mut Chunk> {
        let at = self.chunks.binary_search_by_key(&number, Chunk::number).ok()?;
        self.chunks.get_mut(at)
    }
}
