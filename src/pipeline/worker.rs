//! Rows of one or more sources on their way from the decoders to the core.

use std::sync::Arc;

use super::dedup::Load;
use super::progress::Progress;
use super::{Core, PipelineError, now_us};
use crate::lake::LakeError;
use crate::ring::{Span, compact, position_bytes};
use crate::schema::{Folders, Learnt, RowBatch, RowContext, Rows, SourceId, SourcePosition, visit};

/// Rows are handed to the core when they take this much memory.
const LOAD_BYTES: usize = 4 << 20;

/// What is written into every row of this machine.
#[derive(Debug, Clone)]
pub struct MachineContext {
    /// `events.machine_id`.
    pub machine_id: Arc<str>,
    /// `events.user_name`.
    pub user_name: Arc<str>,
    /// What this machine knows of the folders in the rows.
    pub folders: Folders,
    /// Zone of local times in logs; UTC when it is not known.
    pub zone: Option<chrono_tz::Tz>,
}

/// Collects the rows of the sources that one thread reads, so that many small files share a batch.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) rows: Rows,
    stamp: MachineContext,
    most_bytes: usize,
    spans: Vec<Span>,
    positions: Vec<SourcePosition>,
    tails: Vec<(SourceId, RowBatch)>,
    /// Memory of the positions and tails.
    beside: usize,
    /// Rows that stand in no content any more.
    left: Vec<(SourceId, RowBatch)>,
}

impl Worker {
    /// No rows yet; a record, and what is packed in one, may have `most_bytes`.
    pub(super) fn new(stamp: MachineContext, most_bytes: usize) -> Self {
        Self {
            rows: Rows::new(RowContext::new("", "")).with_folders(stamp.folders.clone()).within(most_bytes),
            stamp,
            most_bytes,
            spans: Vec::new(),
            positions: Vec::new(),
            tails: Vec::new(),
            beside: 0,
            left: Vec::new(),
        }
    }

    /// Zone of local times in logs.
    pub(super) const fn zone(&self) -> Option<chrono_tz::Tz> {
        self.stamp.zone
    }

    /// Says that the next rows come from the source at `position`.
    pub(super) fn begin(&mut self, position: &SourcePosition) {
        let context = self.context(position);
        self.rows.begin(context);
        let (learnt, folders) = self.ground(position);
        self.rows.go_on(learnt, folders);
    }

    /// The machine that the logs of a source are of, when it is another than this.
    fn machine_of(&self, position: &SourcePosition) -> Option<String> {
        let is_new = position.read_at_us == 0;
        position.learnt.machine.clone().or_else(|| self.stamp.folders.machine().filter(|_| is_new).map(str::to_owned))
    }

    /// What a source has taught of folders, and who is asked about them.
    fn ground(&self, position: &SourcePosition) -> (Learnt, Folders) {
        let learnt = Learnt { machine: self.machine_of(position), ..position.learnt.clone() };
        let folders = match learnt.machine.as_deref() {
            machine if machine == self.stamp.folders.machine() => self.stamp.folders.clone(),
            None => Folders::default(),
            Some(machine) => Folders::of_machine(machine),
        };
        if folders.machine() != self.stamp.folders.machine() {
            folders.remember([position]);
        }
        (learnt, folders)
    }

    pub(super) fn context(&self, position: &SourcePosition) -> RowContext {
        RowContext {
            agent: position.agent.as_str().into(),
            source_path: position.path.as_str().into(),
            generation: position.generation,
            machine_id: Some(self.machine_of(position).map_or_else(|| Arc::clone(&self.stamp.machine_id), Arc::from)),
            user_name: Some(Arc::clone(&self.stamp.user_name)),
            now_us: now_us(),
        }
    }

    /// True when the rows so far should go to the core before more are decoded.
    pub(super) fn is_full(&self) -> bool {
        self.rows.stored_bytes() + self.beside >= LOAD_BYTES
    }

    /// True when nothing has been counted since the last source was closed.
    pub(super) fn counts_nothing(&mut self) -> bool {
        *self.rows.counts() == crate::schema::Counts::default()
    }

    /// Ends the rows of a source for now: its counters move into `position`, and `position` goes to
    /// the core with the rows.
    pub(super) fn close(&mut self, position: &mut SourcePosition, progress: &Progress) {
        let counts = self.rows.take_counts();
        progress.decoded(counts.rows, counts.rejects);
        position.counts += counts;
        self.rows.take_visited().iter().for_each(|folder| visit(&mut position.folders, folder));
        position.learnt.clone_from(self.rows.learnt());
        position.read_at_us = now_us();
        let end = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
        self.spans.push(Span { source: position.id, end });
        match self.positions.iter_mut().find(|p| p.id == position.id) {
            Some(known) => known.clone_from(position),
            None => {
                self.beside += position_bytes(position);
                self.positions.push(position.clone());
            }
        }
    }

    /// Rows of what the source at `position` still holds open.
    pub(super) fn open_rows(&self, position: &SourcePosition, provisional: impl FnOnce(&mut Rows)) -> RowBatch {
        let mut rows = self.no_rows(position).of_tail();
        provisional(&mut rows);
        let rows = rows.finish();
        // Each source may have some, and a batch under construction begins with room for many rows.
        RowBatch { events: compact(&rows.events), ..rows }
    }

    /// No rows yet of the source at `position`, apart from those of the worker.
    pub(super) fn no_rows(&self, position: &SourcePosition) -> Rows {
        let mut rows = Rows::new(self.context(position)).within(self.most_bytes);
        let (learnt, folders) = self.ground(position);
        rows.go_on(learnt, folders);
        rows
    }

    /// Takes what a source still holds open, to be shown with its rows.
    pub(super) fn tail(&mut self, source: SourceId, rows: RowBatch) {
        self.beside += rows.events.get_array_memory_size();
        self.tails.retain(|(other, _)| *other != source);
        self.tails.push((source, rows));
    }

    /// Takes rows of a source that its content does not hold any more; those of its content go first.
    pub(super) fn leave(&mut self, source: SourceId, rows: RowBatch) {
        self.left.push((source, rows));
    }

    /// Hands everything to the core; returns how many rows of which source were copies.
    pub(super) fn deliver(&mut self, core: &Core, progress: &Progress) -> Result<Vec<(SourceId, u64)>, PipelineError> {
        if self.positions.is_empty() && self.rows.is_empty() && self.left.is_empty() {
            return Ok(Vec::new());
        }
        let bytes = self.rows.stored_bytes();
        self.beside = 0;
        let (mut rows, mut spans) = (self.rows.finish(), std::mem::take(&mut self.spans));
        for (source, left) in std::mem::take(&mut self.left) {
            rows = rows.joined(left).map_err(|source| LakeError::Rows { table: "events", source })?;
            spans.push(Span { source, end: u32::try_from(rows.ids.len()).unwrap_or(u32::MAX) });
        }
        let load = Load {
            rows,
            spans,
            positions: std::mem::take(&mut self.positions),
            tails: std::mem::take(&mut self.tails),
            bytes,
        };
        let copies = core.admit(load)?;
        progress.copies(copies.iter().map(|(_, n)| n).sum());
        Ok(copies)
    }
}
