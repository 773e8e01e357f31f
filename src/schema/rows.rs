//! Rows on their way from a decoder to the ring.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::error::ArrowError;

use super::context::RowContext;
use super::event::{EventColumns, EventRow};
use super::folders::{Folders, visit};
use super::learnt::Learnt;
use super::place::Place;
use super::position::Counts;
use super::possible::{impossible, possible};
use super::reject::{RejectColumns, RejectReason};
use super::{EventId, Name, table};

/// Longest record that is decoded where nothing else is said.
const MOST_BYTES: usize = 64 << 20;

/// Collects decoded rows of one or more sources, column by column.
#[derive(Debug)]
pub struct Rows {
    context: RowContext,
    events: EventColumns,
    ids: Vec<EventId>,
    rejects: RejectColumns,
    counts: Counts,
    place: Place,
    folders: Folders,
    visited: Vec<Name>,
    learnt: Learnt,
    is_again: bool,
    is_tail: bool,
    most_bytes: usize,
}

/// Decoded rows: `events` and `rejects` in the layout of their schema files.
#[derive(Debug, Clone)]
pub struct RowBatch {
    /// Rows of `events`.
    pub events: RecordBatch,
    /// `ids[i]` is the identity of row `i` of `events`.
    pub ids: Vec<EventId>,
    /// Rows of `rejects`.
    pub rejects: RecordBatch,
}

impl Default for RowBatch {
    fn default() -> Self {
        Self::empty()
    }
}

impl RowBatch {
    /// A batch without rows.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            events: RecordBatch::new_empty(table::events_schema()),
            ids: Vec::new(),
            rejects: RecordBatch::new_empty(table::rejects_schema()),
        }
    }

    /// These rows and those of `other` behind them.
    ///
    /// # Errors
    ///
    /// Never: both have the layout of the schema files.
    pub fn joined(self, other: Self) -> Result<Self, ArrowError> {
        let join = |a: &RecordBatch, b: &RecordBatch| concat_batches(&a.schema(), [a, b]);
        let (events, rejects) = (join(&self.events, &other.events)?, join(&self.rejects, &other.rejects)?);
        Ok(Self { events, rejects, ids: [self.ids, other.ids].concat() })
    }
}

impl Rows {
    /// No rows yet; the next ones belong to `context`.
    #[must_use]
    pub fn new(context: RowContext) -> Self {
        Self {
            context,
            events: EventColumns::default(),
            ids: Vec::new(),
            rejects: RejectColumns::default(),
            counts: Counts::default(),
            place: Place::default(),
            folders: Folders::default(),
            visited: Vec::new(),
            learnt: Learnt::default(),
            is_again: false,
            is_tail: false,
            most_bytes: MOST_BYTES,
        }
    }

    /// The same, with `folders` to ask for the repositories of folders.
    #[must_use]
    pub fn with_folders(self, folders: Folders) -> Self {
        Self { folders, ..self }
    }

    /// The same with another length of the longest record that is decoded.
    #[must_use]
    pub fn within(self, most_bytes: usize) -> Self {
        Self { most_bytes, ..self }
    }

    /// Length of the longest record that is decoded, also of what is packed in one.
    #[must_use]
    pub const fn most_bytes(&self) -> usize {
        self.most_bytes
    }

    /// The same for what is open: every row is provisional, and nothing is refused yet.
    #[must_use]
    pub fn of_tail(self) -> Self {
        Self { is_tail: true, ..self }
    }

    /// Says that the next rows belong to `context`; rows so far stay.
    pub fn begin(&mut self, context: RowContext) {
        self.context = context;
        self.learnt = Learnt::default();
        self.visited.clear();
    }

    /// Says what the source of the next rows has taught of folders so far, and who is asked about them.
    pub fn go_on(&mut self, learnt: Learnt, folders: Folders) {
        self.learnt = learnt;
        self.folders = folders;
    }

    /// The source the next rows belong to.
    #[must_use]
    pub const fn context(&self) -> &RowContext {
        &self.context
    }

    /// Appends one event. A row without an id gets one from its path and offset, the last resort.
    pub fn event(&mut self, row: &EventRow<'_>) {
        let id = row.id.unwrap_or_else(|| {
            let place = [self.context.source_path.as_bytes(), &row.source_offset.to_le_bytes()];
            EventId::of(&self.context.agent, row.event_type.as_str(), &place)
        });
        self.ids.push(id);
        self.counts.rows += 1;
        self.rejects.end_of_run();
        if self.place.go_to(&self.context.source_path, row, &self.folders, &mut self.learnt)
            && let Some(cwd) = row.cwd
        {
            visit(&mut self.visited, cwd);
        }
        let project = row.project.or(self.place.project.as_deref());
        let repo_url = self.place.repo_url.as_deref();
        let provisional = row.provisional || self.is_tail;
        let row = EventRow { project, repo_url, provisional, ..*row };
        match impossible(&row) {
            Some(extra) => self.events.push(&self.context, id, &EventRow { extra: Some(&extra), ..possible(&row) }),
            None => self.events.push(&self.context, id, &row),
        }
    }

    /// Takes the folders that the rows since [`Rows::begin`] name, newest last.
    pub fn take_visited(&mut self) -> Vec<Name> {
        std::mem::take(&mut self.visited)
    }

    /// What the source of these rows has taught of folders.
    #[must_use]
    pub const fn learnt(&self) -> &Learnt {
        &self.learnt
    }

    /// Appends one refused line: `length` bytes at `offset`, of which `bytes` is at least the beginning.
    pub fn reject(&mut self, offset: u64, length: u64, reason: RejectReason, detail: &str, bytes: &[u8]) {
        if self.is_again || self.is_tail {
            return;
        }
        self.counts.rejects += 1;
        self.rejects.push(&self.context, offset, length, reason, detail, bytes);
    }

    /// Says whether what follows was handed out before, and is only looked at again: what was refused then
    /// is not refused once more.
    pub const fn again(&mut self, is_again: bool) {
        self.is_again = is_again;
    }

    /// What [`Rows::again`] said.
    #[must_use]
    pub const fn is_again(&self) -> bool {
        self.is_again
    }

    /// Counters of the lines since [`Rows::take_counts`]; decoders and the framer add to them.
    pub const fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }

    /// Takes the counters and starts them over.
    pub fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }

    /// Ids of the events so far.
    #[must_use]
    pub fn ids(&self) -> &[EventId] {
        &self.ids
    }

    /// Events so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// True when there is neither an event nor a reject.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty() && self.rejects.is_empty()
    }

    /// Rough size of the rows so far, in bytes of memory.
    #[must_use]
    pub fn stored_bytes(&self) -> usize {
        self.events.stored_bytes() + self.rejects.stored_bytes()
    }

    /// Takes the rows so far and starts over; context and counters stay.
    #[must_use]
    pub fn finish(&mut self) -> RowBatch {
        RowBatch { events: self.events.finish(), ids: std::mem::take(&mut self.ids), rejects: self.rejects.finish() }
    }
}
