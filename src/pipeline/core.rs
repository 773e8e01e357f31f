//! Ring and lake behind one lock.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use arrow::array::RecordBatch;

use super::dedup::{Candidates, Decision, Load, tie_break};
use super::gathered::Gathered;
use super::memory_gate::{MemoryGate, ReadPermit};
use super::retention::Retention;
use super::trim::trim_heap;
use super::{PipelineError, now_us};
use crate::lake::{Clock, Commit, Found, Known, Lake, LakeError, NewPart, Snapshot};
use crate::ring::{Arrival, IdSet, Precedence, Ring, Segment, Span, Tail};
use crate::schema::{SourceId, SourcePosition};

/// How long somebody waits who is told of a newer version before it is shown.
const MOMENT: Duration = Duration::from_millis(5);

/// Sizes that bound the memory of the pipeline.
#[derive(Debug, Clone, Copy)]
pub struct CoreOptions {
    /// Open rows of this size are sealed and written.
    pub segment_bytes: usize,
    /// Appending waits while the ring holds more than this.
    pub ring_bytes: usize,
    /// Memory for remembering ids of durable events.
    pub id_cache_bytes: usize,
    /// Memory for the files that are merged while rows arrive.
    pub merge_bytes: u64,
}

impl CoreOptions {
    /// Sizes for a memory budget: a seventh of it may wait in the ring, half of that is written at a time by
    /// each of two workers; the rest is for reading, encoding, and what the allocator keeps.
    #[must_use]
    pub fn for_budget(memory_bytes: u64) -> Self {
        let budget = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
        Self {
            segment_bytes: (budget / 14).max(1 << 20),
            ring_bytes: (budget / 7).max(2 << 20),
            id_cache_bytes: budget / 12,
            merge_bytes: memory_bytes / 4,
        }
    }
}

pub(super) struct Live {
    pub(super) ring: Ring,
    pub(super) lake: Arc<Snapshot>,
    /// Segments whose commit failed, oldest first: tried again before anything newer.
    unwritten: VecDeque<Arc<Segment>>,
    /// Number of the segment whose turn it is to be committed.
    next_commit: u64,
    /// Its commit may be durable already; the lake finds out.
    in_doubt: bool,
    generation: u64,
}

/// Newest and durable rows at one instant; no row is in both.
#[derive(Debug, Clone)]
pub struct Cut {
    /// Rows of `events` in memory.
    pub events: Vec<RecordBatch>,
    /// Rows of `rejects` in memory.
    pub rejects: Vec<RecordBatch>,
    /// Durable events that must not be seen from the lake.
    pub replaced: IdSet,
    /// Positions that have moved since the last commit.
    pub positions: BTreeMap<SourceId, Arc<SourcePosition>>,
    /// The durable rows.
    pub lake: Arc<Snapshot>,
}

/// The ring, the lake, and the lock that keeps them in step.
///
/// Without a lake to write (`lake: None`, another process writes) rows stay in the ring.
#[derive(Debug)]
pub struct Core {
    live: Mutex<Live>,
    moved: Condvar,
    lake: Option<Lake>,
    known: Arc<Known>,
    rejected: Arc<Known>,
    /// Held from a commit until its snapshot is shown, so that nobody shows a newer one without
    /// releasing the rows it holds.
    commits: Mutex<()>,
    /// Held during upkeep of the lake: one merge or prune at a time.
    upkeep: Mutex<()>,
    options: CoreOptions,
    born_by_path: Mutex<HashMap<String, i64>>,
    gate: MemoryGate,
    pub(super) retention: Retention,
    gathered: Mutex<Gathered>,
    cuts: AtomicU64,
    /// Since when nothing could be committed, and why.
    trouble: Mutex<Option<(i64, String)>>,
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Live").field("rows", &self.ring.rows()).field("version", &self.lake.version).finish()
    }
}

/// `stored 12 events of claude, codex in month=2026-11/part-1.parquet (3456 bytes)`.
fn stored(parts: &[NewPart], segment: &Segment) -> String {
    let agents: BTreeSet<&str> = segment.positions.values().map(|position| position.agent.as_str()).collect();
    let agents = agents.into_iter().collect::<Vec<_>>().join(", ");
    let rows: u64 = parts.iter().map(|part| part.part().rows).sum();
    let bytes: u64 = parts.iter().map(|part| part.part().bytes).sum();
    let events = if rows == 1 { "1 event".to_owned() } else { format!("{rows} events") };
    let logs = segment.positions.len();
    match parts {
        [] if logs == 1 => format!("stored the position of 1 log of {agents}, without new events"),
        [] => format!("stored the positions of {logs} logs of {agents}, without new events"),
        [part] => format!("stored {events} of {agents} in {} ({bytes} bytes)", part.part().path),
        _ => format!("stored {events} of {agents} in {} files ({bytes} bytes)", parts.len()),
    }
}

fn unpoison<T>(result: Result<T, PoisonError<T>>) -> T {
    // A panic while the lock was held is reported by the thread that had it; the state itself is
    // changed only by whole steps.
    result.unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    /// A core that makes rows durable in `lake`.
    #[must_use]
    pub fn writing(lake: Lake, options: CoreOptions) -> Self {
        let (snapshot, known, rejected) = (lake.snapshot(), lake.known(), lake.rejected());
        Self::new(Some(lake), snapshot, [known, rejected], options)
    }

    /// A core over a lake that somebody else writes.
    #[must_use]
    pub fn reading(snapshot: Arc<Snapshot>, options: CoreOptions) -> Self {
        let known = Known::new(&snapshot.root, options.id_cache_bytes);
        let rejected = Known::of_rejects(&snapshot.root, options.id_cache_bytes);
        Self::new(None, snapshot, [known, rejected].map(Arc::new), options)
    }

    fn new(lake: Option<Lake>, snapshot: Arc<Snapshot>, known: [Arc<Known>; 2], options: CoreOptions) -> Self {
        let [known, rejected] = known;
        let retention = Retention::of(&snapshot);
        let live = Live {
            ring: Ring::default(),
            lake: snapshot,
            unwritten: VecDeque::new(),
            next_commit: 0,
            in_doubt: false,
            generation: 0,
        };
        Self {
            live: Mutex::new(live),
            moved: Condvar::new(),
            lake,
            known,
            rejected,
            commits: Mutex::default(),
            upkeep: Mutex::default(),
            options,
            born_by_path: Mutex::default(),
            gate: MemoryGate::default(),
            retention,
            gathered: Mutex::default(),
            cuts: AtomicU64::new(0),
            trouble: Mutex::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Live> {
        unpoison(self.live.lock())
    }

    pub(super) fn gathered(&self) -> MutexGuard<'_, Gathered> {
        unpoison(self.gathered.lock())
    }

    /// From now on rows are made durable in `lake`, which shows what this core shows.
    pub(super) fn write_to(&mut self, lake: Lake) {
        self.known = lake.known();
        self.lake = Some(lake);
    }

    /// Newest and durable rows at this instant.
    #[must_use]
    pub fn cut(&self) -> Cut {
        self.cuts.fetch_add(1, Ordering::Relaxed);
        let live = self.lock();
        let view = live.ring.view();
        Cut {
            events: view.events,
            rejects: view.rejects,
            replaced: view.replaced,
            positions: view.positions,
            lake: Arc::clone(&live.lake),
        }
    }

    /// How many questions were asked.
    pub(super) fn cuts(&self) -> u64 {
        self.cuts.load(Ordering::Relaxed)
    }

    /// The durable rows.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.lock().lake)
    }

    /// Newest position of each source, durable or not.
    #[must_use]
    pub fn positions(&self) -> HashMap<SourceId, Arc<SourcePosition>> {
        let live = self.lock();
        let mut all = HashMap::clone(&live.lake.sources);
        all.extend(live.ring.positions());
        all
    }

    /// Newest position of one source.
    #[must_use]
    pub fn position(&self, source: SourceId) -> Option<Arc<SourcePosition>> {
        let live = self.lock();
        live.ring.position(source).or_else(|| live.lake.sources.get(&source).cloned())
    }

    /// Memory that a merge of files may take beside the pipeline.
    #[must_use]
    pub const fn merge_bytes(&self) -> u64 {
        self.options.merge_bytes
    }

    /// The right to read, together with others.
    pub(super) fn shared_permit(&self) -> ReadPermit<'_> {
        self.gate.shared()
    }

    /// The right to read a long line: nobody else reads or delivers, and the ring has been written, where
    /// there is a lake to write and it can be.
    pub(super) fn exclusive_permit(&self, held: ReadPermit<'_>) -> ReadPermit<'_> {
        drop(held);
        let turn = self.gate.alone();
        self.try_flush();
        trim_heap();
        turn
    }

    /// Makes everything durable if that is possible now. What is not stays in the ring, and the next who
    /// needs its room hears why.
    pub(super) fn try_flush(&self) {
        if let Err(error) = self.flush() {
            tracing::debug!(%error, "rows stay in memory for now");
        }
    }

    /// Memory of the rows that are not durable.
    #[must_use]
    pub fn ring_bytes(&self) -> usize {
        self.lock().ring.bytes()
    }

    /// Settled rows that are not durable.
    #[must_use]
    pub fn ring_rows(&self) -> usize {
        self.lock().ring.rows()
    }

    /// Takes rows in: copies are dropped, the rest is visible when this returns, together with the
    /// provisional tails of the sources that moved.
    ///
    /// Returns how many rows of which source were copies. Waits while the ring is full.
    ///
    /// # Errors
    ///
    /// When the lake cannot be read, or when making room fails to write it.
    pub fn admit(&self, mut load: Load) -> Result<Vec<(SourceId, u64)>, PipelineError> {
        self.make_room()?;
        if load.rows.rejects.num_rows() > 0 {
            // The commit decides; here it is about what queries show until then.
            let known = self.snapshot();
            load.rows.rejects = self.rejected.fresh_rejects(&known.rejects, &mut HashSet::new(), load.rows.rejects)?;
        }
        let born = load.positions.iter().map(|p| (p.id, (p.born_us, tie_break(&p.path)))).collect();
        let tail_spans: Vec<[Span; 1]> =
            load.tails.iter().map(|(source, _)| [Span { source: *source, end: u32::MAX }]).collect();
        let mut parcels = vec![Candidates::of(&load.rows.events, &load.rows.ids, &load.spans, &born)];
        for ((_, rows), spans) in load.tails.iter().zip(&tail_spans) {
            parcels.push(Candidates::of(&rows.events, &rows.ids, spans, &born));
        }
        let (mut live, mut verdicts) = self.judge(&parcels)?;
        let tail_verdicts = verdicts.split_off(1);
        let precedences: Vec<Vec<Precedence>> = parcels.into_iter().map(|p| p.precedences).collect();
        let mut precedences = precedences.into_iter();
        let verdict = verdicts.pop().unwrap_or_default();
        self.retention.count_aged(verdict.aged);
        let copies = live.ring.append(Arrival {
            precedences: precedences.next().unwrap_or_default(),
            stale: verdict.stale,
            replaces: verdict.replaces,
            positions: load.positions,
            spans: load.spans,
            bytes: load.bytes,
            rows: load.rows,
        });
        for (((source, rows), precedences), verdict) in load.tails.into_iter().zip(precedences).zip(tail_verdicts) {
            let Decision { stale, replaces, .. } = verdict;
            live.ring.set_tail(source, Tail::new(rows.events, rows.ids, precedences, &stale, replaces));
        }
        Ok(copies)
    }

    /// Asks the lake about rows until the answer is about the snapshot that is current while the
    /// returned lock is held.
    fn judge(&self, parcels: &[Candidates<'_>]) -> Result<(MutexGuard<'_, Live>, Vec<Decision>), PipelineError> {
        let mut live = self.lock();
        loop {
            let (snapshot, generation) = (Arc::clone(&live.lake), live.generation);
            let in_ring: Vec<Vec<bool>> = parcels.iter().map(|p| p.in_ring(&live.ring)).collect();
            drop(live);
            let cutoff_us = self.retention.cutoff_us();
            let ask = |(parcel, in_ring): (&Candidates<'_>, &Vec<bool>)| {
                parcel.against_lake(&self.known, &snapshot, in_ring, cutoff_us, |f| self.born_of(f, &snapshot))
            };
            let verdicts: Result<Vec<Decision>, _> = parcels.iter().zip(&in_ring).map(ask).collect();
            live = self.lock();
            // A file that was rewritten and deleted meanwhile is no failure: ask the new snapshot.
            if live.generation != generation {
                continue;
            }
            match verdicts {
                // A prune deletes files before its version is shown here, which it is in a moment.
                Err(error) if error.is_gone() && self.is_behind(&snapshot) => {
                    drop(live);
                    std::thread::sleep(MOMENT);
                    live = self.lock();
                }
                verdicts => return Ok((live, verdicts?)),
            }
        }
    }

    /// True when the lake has a newer version than what is shown.
    fn is_behind(&self, shown: &Snapshot) -> bool {
        self.lake.as_ref().is_some_and(|lake| lake.snapshot().version != shown.version)
    }

    fn born_of(&self, found: &Found, snapshot: &Snapshot) -> i64 {
        let mut known = unpoison(self.born_by_path.lock());
        if !known.contains_key(&*found.source_path) {
            known.extend(snapshot.sources.values().map(|p| (p.path.clone(), p.born_us)));
        }
        known.get(&*found.source_path).copied().unwrap_or(i64::MIN)
    }

    /// Writes segments until an append fits; without a lake to write it never waits.
    fn make_room(&self) -> Result<(), PipelineError> {
        if self.lake.is_none() {
            return Ok(());
        }
        loop {
            let live = self.lock();
            let is_full = live.ring.bytes() >= self.options.ring_bytes;
            // Rather than wait for those who write, what is open is written too.
            let enough = if is_full { self.options.segment_bytes / 2 } else { self.options.segment_bytes };
            if live.ring.open_bytes() >= enough {
                tracing::debug!("storing, as {} bytes of rows wait in memory", live.ring.bytes());
                drop(live);
                self.flush()?;
            } else if is_full && live.ring.sealed_segments() > 0 {
                // Someone else is writing, or has failed to: then nobody would wake us, and the flush
                // says why.
                if live.unwritten.is_empty() {
                    drop(unpoison(self.moved.wait(live)));
                } else {
                    drop(live);
                    self.flush()?;
                }
            } else {
                return Ok(());
            }
        }
    }

    /// Makes everything durable that has been admitted so far and is not being written already.
    ///
    /// # Errors
    ///
    /// When the lake cannot be written. The rows stay visible and the next flush tries again; no
    /// position has moved.
    pub fn flush(&self) -> Result<(), PipelineError> {
        let Some(lake) = &self.lake else { return Ok(()) };
        loop {
            let segment = {
                let mut live = self.lock();
                match live.unwritten.pop_front() {
                    Some(segment) => segment,
                    None => match live.ring.seal() {
                        Some(segment) => segment,
                        None => return Ok(()),
                    },
                }
            };
            self.write(lake, segment)?;
            if !self.lock().unwritten.is_empty() {
                continue;
            }
            return Ok(());
        }
    }

    /// Since when nothing could be made durable, microseconds since 1970, and why; `None` while it can.
    #[must_use]
    pub fn trouble(&self) -> Option<(i64, String)> {
        unpoison(self.trouble.lock()).clone()
    }

    fn remember(&self, written: &Result<(), PipelineError>) {
        let mut trouble = unpoison(self.trouble.lock());
        *trouble = match written {
            Ok(()) => None,
            Err(error) => Some((trouble.as_ref().map_or_else(now_us, |(since_us, _)| *since_us), error.to_string())),
        };
    }

    /// Makes everything durable that has been admitted so far, also what others are writing at this moment.
    ///
    /// # Errors
    ///
    /// As [`Core::flush`].
    pub fn drain(&self) -> Result<(), PipelineError> {
        self.flush()?;
        let mut live = self.lock();
        let until = live.next_commit + live.ring.sealed_segments() as u64;
        while live.next_commit < until {
            if live.unwritten.is_empty() {
                live = unpoison(self.moved.wait(live));
            } else {
                drop(live);
                self.flush()?;
                live = self.lock();
            }
        }
        Ok(())
    }

    fn write(&self, lake: &Lake, segment: Arc<Segment>) -> Result<(), PipelineError> {
        let result = self.encode_and_commit(lake, &segment);
        self.remember(&result);
        if result.is_err() {
            let mut live = self.lock();
            let at = live.unwritten.partition_point(|s| s.number < segment.number);
            live.unwritten.insert(at, segment);
        }
        self.moved.notify_all();
        result
    }

    fn encode_and_commit(&self, lake: &Lake, segment: &Segment) -> Result<(), PipelineError> {
        if self.is_in_doubt(segment) {
            let _shown = unpoison(self.commits.lock());
            self.show(segment, lake.settle()?);
            return Ok(());
        }
        let parts = lake.encode_rows(&segment.batches())?;
        self.await_commit_order(segment)?;
        let stored = stored(&parts, segment);
        let commit = Commit {
            operation: "ingest",
            parts,
            rejects: segment.rejects.clone(),
            sources: segment.positions.values().map(|p| SourcePosition::clone(p)).collect(),
            replaced: segment.replaced.iter().copied().collect(),
            now_us: now_us(),
        };
        let _shown = unpoison(self.commits.lock());
        match lake.commit(commit) {
            Ok(snapshot) => {
                self.show(segment, snapshot);
                tracing::info!("{stored}");
            }
            Err(error) => {
                self.lock().in_doubt = matches!(error, LakeError::Unresolved { .. });
                return Err(error.into());
            }
        }
        Ok(())
    }

    fn is_in_doubt(&self, segment: &Segment) -> bool {
        let live = self.lock();
        live.in_doubt && live.next_commit == segment.number.0
    }

    /// Shows the commit of a segment in the same instant in which the ring forgets it.
    fn show(&self, segment: &Segment, snapshot: Arc<Snapshot>) {
        let mut live = self.lock();
        live.ring.release(segment.number);
        live.lake = snapshot;
        live.next_commit += 1;
        live.in_doubt = false;
        live.generation += 1;
    }

    /// Waits until every older segment is durable; an older one that failed is written here first.
    fn await_commit_order(&self, segment: &Segment) -> Result<(), PipelineError> {
        let mut live = self.lock();
        while live.next_commit != segment.number.0 {
            if live.unwritten.front().is_some_and(|s| s.number < segment.number) {
                let Some(older) = live.unwritten.pop_front() else { continue };
                drop(live);
                if let Some(lake) = &self.lake {
                    self.write(lake, older)?;
                }
                live = self.lock();
            } else {
                live = unpoison(self.moved.wait(live));
            }
        }
        Ok(())
    }

    /// Keeps what is believed about the time beside the lake, where there is one to write.
    pub(super) fn keep_clock(&self, clock: &Clock) -> Result<(), LakeError> {
        self.lake.as_ref().map_or(Ok(()), |lake| lake.keep_clock(clock))
    }

    /// True when replaced files wait whose grace is over.
    pub(super) fn has_waited(&self) -> bool {
        self.lake.as_ref().is_some_and(|lake| lake.has_waited(now_us()))
    }

    /// True while some thread merges or prunes: who can wait leaves it alone.
    #[must_use]
    pub fn is_in_upkeep(&self) -> bool {
        matches!(self.upkeep.try_lock(), Err(TryLockError::WouldBlock))
    }

    /// Runs lake upkeep (compaction, pruning), one at a time, and shows the snapshot it made.
    ///
    /// # Errors
    ///
    /// What `work` returns.
    pub fn upkeep<T, E>(&self, work: impl FnOnce(&Lake) -> Result<T, E>) -> Result<Option<T>, E> {
        let Some(lake) = &self.lake else { return Ok(None) };
        let _alone = unpoison(self.upkeep.lock());
        let done = work(lake)?;
        let _shown = unpoison(self.commits.lock());
        let mut live = self.lock();
        live.lake = lake.snapshot();
        live.generation += 1;
        Ok(Some(done))
    }
}
