//! A query as it goes to a worker, without what the worker has already.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

use arrow::array::{Array, RecordBatch};
use serde::{Deserialize, Serialize};

use super::Question;
use super::cut::send_batches;
use super::frames::Frames;
use crate::lake::Part;
use crate::query::{Cut, EngineOptions};
use crate::schema::{events_schema, rejects_schema};
use crate::serve::frame::{BatchWriter, Kind, write_frame};

/// A path as its bytes: it need not be text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Bytes(Vec<u8>);

impl Bytes {
    fn of(path: &Path) -> Self {
        Self(path.as_os_str().as_bytes().to_vec())
    }

    pub(super) fn path(self) -> PathBuf {
        PathBuf::from(OsString::from_vec(self.0))
    }
}

/// What a worker is to do.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) sql: String,
    pub(super) params: Vec<(String, String)>,
    pub(super) options: Options,
    /// Directory of the lake.
    pub(super) root: Bytes,
    pub(super) events: Table,
    pub(super) rejects: Table,
    /// Durable events that rows in memory replace.
    pub(super) replaced: Vec<String>,
}

/// What the query may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Options {
    pub(super) memory_bytes: u64,
    pub(super) spill_dir: Bytes,
    pub(super) timezone: String,
    pub(super) user_queries: Option<Bytes>,
    pub(super) threads: usize,
}

/// One table of the cut.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Table {
    /// Files that are not live any more.
    pub(super) gone: Vec<String>,
    /// Files that the worker does not know.
    pub(super) parts: Vec<Part>,
    /// Numbers of the batches in memory, in their order.
    pub(super) batches: Vec<u64>,
    /// Those of them that follow the job, since the worker does not have them.
    pub(super) fresh: Vec<u64>,
}

/// What a worker has.
#[derive(Debug, Default)]
pub(super) struct Sent {
    events: SentTable,
    rejects: SentTable,
}

#[derive(Debug, Default)]
struct SentTable {
    parts: Arc<Vec<Arc<Part>>>,
    batches: HashMap<usize, (Weak<dyn Array>, u64)>,
    next: u64,
}

/// A job and the batches that follow it.
pub(super) struct Wish {
    job: Job,
    events: Vec<RecordBatch>,
    rejects: Vec<RecordBatch>,
}

impl Wish {
    /// `question` about `cut` for a worker that has what was `sent`.
    pub(super) fn new(cut: &Cut, question: &Question<'_>, sent: &mut Sent) -> Self {
        let (events, fresh_events) = sent.events.update(&cut.lake.events, &cut.events);
        let (rejects, fresh_rejects) = sent.rejects.update(&cut.lake.rejects, &cut.rejects);
        let EngineOptions { memory_bytes, spill_dir, timezone, user_queries, threads, .. } = &question.options;
        let options = Options {
            memory_bytes: *memory_bytes,
            spill_dir: Bytes::of(spill_dir),
            timezone: timezone.clone(),
            user_queries: user_queries.as_deref().map(Bytes::of),
            threads: *threads,
        };
        let job = Job {
            sql: question.sql.to_owned(),
            params: question.params.to_vec(),
            options,
            root: Bytes::of(&cut.lake.root),
            events,
            rejects,
            replaced: cut.replaced.iter().map(ToString::to_string).collect(),
        };
        Self { job, events: fresh_events, rejects: fresh_rejects }
    }

    /// Sends it.
    pub(super) fn send(&self, out: &mut Frames) -> io::Result<()> {
        write_frame(out, Kind::Json, &[])?;
        BatchWriter(&mut *out).write_all(&serde_json::to_vec(&self.job)?)?;
        write_frame(out, Kind::Done, &[])?;
        if !self.events.is_empty() {
            send_batches(out, &events_schema(), &self.events)?;
        }
        if !self.rejects.is_empty() {
            send_batches(out, &rejects_schema(), &self.rejects)?;
        }
        Ok(())
    }
}

impl SentTable {
    /// What leads from what was sent to `parts` and `batches`, and the batches that were not sent yet.
    fn update(&mut self, parts: &Arc<Vec<Arc<Part>>>, batches: &[RecordBatch]) -> (Table, Vec<RecordBatch>) {
        let mut table = Table::default();
        if !Arc::ptr_eq(&self.parts, parts) {
            let known: HashMap<&str, ()> = self.parts.iter().map(|part| (part.path.as_str(), ())).collect();
            let live: HashMap<&str, ()> = parts.iter().map(|part| (part.path.as_str(), ())).collect();
            let is_gone = |part: &&Arc<Part>| !live.contains_key(part.path.as_str());
            table.gone = self.parts.iter().filter(is_gone).map(|part| part.path.clone()).collect();
            let is_new = |part: &&Arc<Part>| !known.contains_key(part.path.as_str());
            table.parts = parts.iter().filter(is_new).map(|part| Part::clone(part)).collect();
            drop(known);
            self.parts = Arc::clone(parts);
        }
        let mut fresh = Vec::new();
        let mut sent = HashMap::new();
        for batch in batches {
            // A batch is the same while its first column is; the place of a column that is only weakly held
            // is not given to another.
            let Some(column) = batch.columns().first() else { continue };
            let place = Arc::as_ptr(column).cast::<()>() as usize;
            let number = match self.batches.get(&place) {
                Some((known, number)) if known.strong_count() > 0 => *number,
                _ => {
                    self.next += 1;
                    table.fresh.push(self.next);
                    fresh.push(batch.clone());
                    self.next
                }
            };
            table.batches.push(number);
            sent.insert(place, (Arc::downgrade(column), number));
        }
        self.batches = sent;
        (table, fresh)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    fn batch(values: &[i64]) -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(values.to_vec()));
        RecordBatch::try_from_iter([("n", column)]).unwrap()
    }

    fn part(path: &str) -> Arc<Part> {
        Arc::new(Part { path: path.to_owned(), ..Part::default() })
    }

    #[test]
    fn what_a_worker_has_is_not_sent_again_and_what_is_gone_is_forgotten() {
        let mut sent = SentTable::default();
        let (one, two, three) = (batch(&[1]), batch(&[2]), batch(&[3]));
        let files = Arc::new(vec![part("a"), part("b")]);
        let (table, fresh) = sent.update(&files, &[one.clone(), two.clone()]);
        assert_eq!((table.batches, table.fresh, fresh.len(), table.parts.len()), (vec![1, 2], vec![1, 2], 2, 2));
        let (table, fresh) = sent.update(&files, &[two.clone(), three.clone()]);
        assert_eq!((table.batches, table.fresh, fresh), (vec![2, 3], vec![3], vec![three]));
        assert!(table.parts.is_empty() && table.gone.is_empty());
        // The first was forgotten, so it goes again under another number.
        let files = Arc::new(vec![part("b"), part("c")]);
        let (table, fresh) = sent.update(&files, std::slice::from_ref(&one));
        assert_eq!((table.batches, fresh, table.gone), (vec![4], vec![one], vec!["a".to_owned()]));
        assert_eq!(table.parts.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(), ["c"]);
    }
}
