//! Rows that came since the last commit and are too few for one: staged beside the lake, so that they are
//! durable before the command that showed them ends, and taken in by the next.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};

use super::core::Core;
use super::dedup::{Candidates, Load, tie_break};
use super::gathered::Gathered;
use super::{PipelineError, now_us};
use crate::lake::{Lake, LakeError, Snapshot, Staged, StagedFile, soon, stage};
use crate::ring::{Arrival, Span};
use crate::schema::{EventId, RowBatch, SourceId, SourcePosition, rejects_schema};

impl Core {
    /// Takes in what is staged on top of the lake that this core shows. What belongs to an older commit is
    /// in the tables already, but for a log that was made anew: those rows are compared, and no position
    /// moves.
    ///
    /// # Errors
    ///
    /// When the lake cannot be read.
    pub fn restore(&self, file: StagedFile) -> Result<(), PipelineError> {
        let snapshot = self.snapshot();
        let fits = file.fits(&snapshot);
        let StagedFile { staged, bytes, stamp, .. } = file;
        let Staged { events, rejects, sources, replaced, since_us } = staged;
        if !fits {
            for events in events {
                let rows = batch(events, RecordBatch::new_empty(rejects_schema()));
                let load = Load { rows, spans: Vec::new(), positions: Vec::new(), tails: Vec::new(), bytes };
                self.admit(load)?;
            }
            return Ok(());
        }
        let ids: HashMap<&str, SourceId> = sources.iter().map(|source| (source.path.as_str(), source.id)).collect();
        let born = sources.iter().map(|source| (source.id, (source.born_us, tie_break(&source.path)))).collect();
        let mut live = self.lock();
        let mut share = bytes;
        for events in events {
            let rows = batch(events, RecordBatch::new_empty(rejects_schema()));
            let spans = spans(&rows.events, &ids);
            let precedences = Candidates::of(&rows.events, &rows.ids, &spans, &born).precedences;
            // All of it takes about what the file takes.
            let bytes = std::mem::take(&mut share);
            live.ring.append(Arrival { rows, precedences, spans, bytes, ..Arrival::default() });
        }
        for rejects in rejects {
            let rows = RowBatch { rejects, ..RowBatch::empty() };
            live.ring.append(Arrival { rows, ..Arrival::default() });
        }
        let positions = sources.iter().map(|source| (source.id, Arc::new(source.clone()))).collect();
        live.ring.append(Arrival { positions: sources, replaces: replaced, ..Arrival::default() });
        drop(live);
        *self.gathered() = Gathered { stamp: Some(stamp), since_us: Some(since_us), positions };
        Ok(())
    }

    /// True when this core holds rows, or positions, that are neither in the lake nor staged.
    #[must_use]
    pub fn has_news(&self) -> bool {
        let gathered = self.gathered();
        let live = self.lock();
        let is_news = |(id, now): (SourceId, Arc<SourcePosition>)| {
            let before = gathered.positions.get(&id).or_else(|| live.lake.sources.get(&id));
            // That it was looked at once more is no news.
            before.is_none_or(|before| {
                let SourcePosition { fingerprint, read_at_us, .. } = **before;
                SourcePosition { fingerprint, read_at_us, ..SourcePosition::clone(&now) } != **before
            })
        };
        live.ring.positions().any(is_news)
    }

    /// When the oldest of the rows that are staged came; `None` when nothing is.
    #[must_use]
    pub fn gathered_since_us(&self) -> Option<i64> {
        self.gathered().since_us
    }

    /// Stages all settled rows of this core on top of the lake that it shows. False when somebody else has
    /// changed the lake, or what is staged, since they were read.
    ///
    /// # Errors
    ///
    /// When another process writes the lake, or it cannot be written.
    pub fn stage(&self) -> Result<bool, LakeError> {
        let (stamp, since_us) = {
            let gathered = self.gathered();
            (gathered.stamp, gathered.since_us)
        };
        let (snapshot, staged) = {
            let mut live = self.lock();
            let snapshot: Arc<Snapshot> = Arc::clone(&live.lake);
            let Some(segment) = live.ring.seal() else { return Ok(true) };
            let staged = Staged {
                events: segment.batches(),
                rejects: segment.rejects.clone(),
                sources: segment.positions.values().map(|p| SourcePosition::clone(p)).collect(),
                replaced: segment.replaced.iter().copied().collect(),
                since_us: since_us.unwrap_or_else(now_us),
            };
            (snapshot, staged)
        };
        soon(|| stage(&snapshot.root, &snapshot, stamp, &staged))
    }

    /// Gives a core that was opened for reading the lake to write. False, and nothing changes, when somebody
    /// else has changed the lake, or what is staged, since they were read.
    ///
    /// # Errors
    ///
    /// When what is staged cannot be read.
    pub fn adopt(&mut self, lake: Lake) -> Result<bool, LakeError> {
        let stamp = lake.staged()?.map(|file| file.stamp);
        if stamp != self.gathered().stamp || !lake.shows(&self.snapshot()) {
            return Ok(false);
        }
        self.write_to(lake);
        Ok(true)
    }
}

/// Rows with their ids.
fn batch(events: RecordBatch, rejects: RecordBatch) -> RowBatch {
    let texts = events.column_by_name("event_id").and_then(|column| column.as_string_view_opt());
    let ids = texts.map(|texts| texts.iter().map(|id| id.and_then(EventId::parse).unwrap_or(EventId(0))).collect());
    RowBatch { ids: ids.unwrap_or_default(), events, rejects }
}

/// Which rows came from which source, by its path.
fn spans(events: &RecordBatch, ids: &HashMap<&str, SourceId>) -> Vec<Span> {
    let Some(paths) = events.column_by_name("source_path").and_then(|column| column.as_string_view_opt()) else {
        return Vec::new();
    };
    let mut spans: Vec<Span> = Vec::new();
    for row in 0..paths.len() {
        let source = ids.get(paths.value(row)).copied().unwrap_or(SourceId(0));
        let end = u32::try_from(row + 1).unwrap_or(u32::MAX);
        match spans.last_mut().filter(|span| span.source == source) {
            Some(span) => span.end = end,
            None => spans.push(Span { source, end }),
        }
    }
    spans
}
