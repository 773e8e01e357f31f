//! Reads one database: what is new in it since the last look.
//!
//! - the decoder says which queries to run; each query's position is the largest row id and the
//!   largest mark it has handed out
//! - a record that the agent may still change is held: it is shown as a provisional row, and the
//!   durable position stays before it, so that the next look reads it again
//! - rows handed out lately are read again when they were changed where they stand
//! - a record that comes back unchanged for 30 s can no longer change, however busy the database is
//! - the whole look is one read transaction; positions move only when all its records were read from
//!   one state of the database

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::companions::read_companions;
use super::context::{Around, ReadContext, mark_failed, vanished};
use super::job::{Job, Outcome, Stop, new_position};
use super::leftover::Leftover;
use super::recent_rows::{RecentRows, TouchedRows};
use super::rowid_proofs::{EmittedRowids, RowidProofs};
use super::silence::{AGAIN_US, SILENCE_US, is_due, is_silent, proves_more};
use super::unsettled::UnsettledRecord;
use super::values::has_too_many_values;
use super::worker::Worker;
use super::{PipelineError, now_us};
use crate::adapters::{Companion, DatabaseDecoder, SourceInfo, Taken, database_decoder};
use crate::discover::Stat;
use crate::schema::{
    Checkpoint, EventId, Fingerprint, Query, Record, RejectReason, Rows, SourceId, SourcePosition, Value,
};
use crate::watch::{Cursor, Database, DatabaseError, UNTRUSTED, is_untouched};

/// A database whose last change may not have been seen whole is looked at again after this.
const SOON_US: i64 = 500_000;

/// Records that are held take at most this much memory; what is beyond is handed out as it is.
const HELD_BYTES: usize = 32 << 20;

/// A database with its decoder, ready to read on.
pub struct DatabaseReader {
    decoder: Box<dyn DatabaseDecoder>,
    position: SourcePosition,
    held: Vec<UnsettledRecord>,
    held_bytes: usize,
    /// Since when each held record is as it is.
    since: Since,
    /// Events that are shown as open.
    shown: Vec<EventId>,
    /// What was shown as open at the look before.
    leftover: Option<Leftover>,
}

/// Hash and time of first sight of the records that are held, by query and row id.
type Since = BTreeMap<(&'static str, i64), (u64, i64)>;

/// Version of [`QueryPositions`] in checkpoints; with another one a database is read from its beginning.
const POSITIONS_VERSION: u32 = 1;

/// Positions of all queries, as they stand in a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct QueryPositions(BTreeMap<String, ProvenPosition>);

/// A position, and what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ProvenPosition {
    #[serde(flatten)]
    cursor: Cursor,
    #[serde(default, skip_serializing_if = "RowidProofs::is_empty")]
    anchors: RowidProofs,
    #[serde(default, skip_serializing_if = "RecentRows::is_empty")]
    recent: RecentRows,
}

impl ProvenPosition {
    fn start() -> Self {
        Self { cursor: Cursor::START, anchors: RowidProofs::default(), recent: RecentRows::default() }
    }
}

impl std::fmt::Debug for DatabaseReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseReader").field("position", &self.position).finish_non_exhaustive()
    }
}

impl DatabaseReader {
    pub(super) const fn position(&self) -> &SourcePosition {
        &self.position
    }

    pub(super) const fn position_mut(&mut self) -> &mut SourcePosition {
        &mut self.position
    }

    pub(super) fn is_open(&self) -> bool {
        !self.held.is_empty()
    }

    pub(super) fn count_copies(&mut self, source: SourceId, copies: u64) {
        if source == self.position.id {
            self.position.counts.duplicates += copies;
        }
    }

    /// Looks at `job` and reads what is new; `kept` is what an earlier call returned for this path.
    pub(super) fn run(
        job: &Job,
        kept: Option<Self>,
        known: Option<&SourcePosition>,
        means: &mut ReadContext<'_>,
    ) -> Result<(Outcome, Option<Self>), Stop> {
        let stat = match job.stat {
            Some(stat) => stat,
            None => match std::fs::metadata(&job.path) {
                Ok(metadata) => Stat::of(&metadata).with_changes_beside(&job.path, job.format),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    let position = known.cloned();
                    let settle = |means: &mut ReadContext<'_>| {
                        if let Some(mut kept) = kept {
                            kept.settle(means);
                            kept.leave(means);
                        }
                    };
                    return Ok((vanished(position, settle, means), None));
                }
                Err(error) => return Err(error.into()),
            },
        };
        let untouched = known.is_some_and(|k| is_untouched(&k.fingerprint, &stat) && k.last_error.is_none());
        let silent = is_silent(stat.modified_ns / 1000, known.and_then(|k| means.seen_us(k)));
        if untouched {
            let held = known.is_some_and(|k| k.checkpoint.open && (means.shown || is_due(k, means.seen_us(k))));
            if kept.as_ref().is_some_and(|k| k.leftover.is_none() && !(silent && k.is_open())) {
                return Ok((Outcome::Unchanged, kept));
            }
            if !held {
                return Ok((Outcome::Unchanged, None));
            }
        }
        let mut reader = Self::new(job, known, &stat, means.around())?;
        if let Some(mut kept) = kept {
            reader.since = std::mem::take(&mut kept.since);
            reader.leftover = kept.into_leftover(means.worker);
        }
        match reader.read(job, silent, means)? {
            Ok(outcome) => Ok((outcome, Some(reader))),
            Err(DatabaseError::Busy) => Ok((Outcome::Later { at_us: now_us() + AGAIN_US }, Some(reader))),
            Err(DatabaseError::Io { source }) => Err(source.into()),
            Err(error) => Ok((mark_failed(job, Some(reader.position), &error.to_string(), means), None)),
        }
    }

    fn new(job: &Job, known: Option<&SourcePosition>, stat: &Stat, around: Around) -> Result<Self, Stop> {
        let Around { zone, most_bytes } = around;
        let mut position = known.cloned().unwrap_or_else(|| new_position(job, stat));
        position.path = job.path.to_string_lossy().into_owned();
        position.missing = false;
        let read = read_companions(&job.companions, most_bytes)?;
        let companions: Vec<Companion<'_>> = read.iter().map(|(name, text)| Companion { name, text }).collect();
        let modified_us = stat.modified_ns / 1000;
        let info = SourceInfo { path: &position.path, companions: &companions, modified_us, zone };
        let decoder = database_decoder(job.format, info)
            .ok_or_else(|| std::io::Error::new(std::io::ErrorKind::Unsupported, "this build has no decoder for it"))?;
        let (shown, leftover) = (Vec::new(), None);
        Ok(Self { decoder, position, held: Vec::new(), held_bytes: 0, since: Since::new(), shown, leftover })
    }

    /// What is shown as open, now that the database is looked at again.
    fn into_leftover(self, worker: &Worker) -> Option<Leftover> {
        let Self { mut decoder, position, held, shown, leftover, .. } = self;
        let settle = move |rows: &mut Rows| {
            for held in held {
                held.with(|record| take(decoder.as_mut(), record, rows));
            }
        };
        leftover.or_else(|| Leftover::new(worker.no_rows(&position), shown, settle))
    }

    /// Hands out what the database does not hold any more.
    fn leave(&mut self, means: &mut ReadContext<'_>) {
        if let Some((rows, counts)) = self.leftover.take().and_then(Leftover::rest) {
            self.position.counts += counts;
            means.worker.leave(self.position.id, rows);
        }
    }

    /// Reads what is new. The inner error is about this database; nothing has moved then.
    fn read(
        &mut self,
        job: &Job,
        silent: bool,
        means: &mut ReadContext<'_>,
    ) -> Result<Result<Outcome, DatabaseError>, Stop> {
        let before = self.position.clone();
        means.worker.begin(&self.position);
        let database = match Database::open_within(&job.path, job.format, means.limits.max_line) {
            Ok(database) => database,
            Err(error) => return Ok(Err(error)),
        };
        let tables = match database.tables() {
            Ok(tables) => tables,
            Err(error) => return Ok(Err(error)),
        };
        let queries = match self.decoder.queries(&tables) {
            Ok(queries) => queries,
            Err(unknown) => {
                let outcome = mark_failed(job, Some(self.position.clone()), &unknown.to_string(), means);
                return Ok(Ok(outcome));
            }
        };
        let known = self.position.checkpoint.state_of(POSITIONS_VERSION);
        let mut cursors: QueryPositions = known.and_then(|s| serde_json::from_str(s).ok()).unwrap_or_default();
        if is_other_file(&before.fingerprint, database.stat()) {
            // Another file under this name; positions that anchors prove may still be right.
            cursors.0.retain(|_, proved| !proved.anchors.is_empty());
        }
        let since = std::mem::take(&mut self.since);
        let patience = Patience { silent, since: &since, now_us: now_us() };
        for query in &queries {
            match self.run_query(&database, query, &mut cursors, patience, means)? {
                Ok(true) => {}
                Ok(false) => return Ok(Ok(Outcome::Stopped)),
                Err(error) => return Ok(Err(error)),
            }
        }
        if !database.stands()? {
            // Someone began to write meanwhile: what was read has stable ids, and is read again.
            means.worker.close(&mut self.position, means.progress);
            return Ok(Ok(Outcome::Later { at_us: now_us() + AGAIN_US }));
        }
        let stat = database.trusted_stat(now_us())?;
        means.progress.read(stat.size.saturating_sub(before.checkpoint.resume_at.min(stat.size)));
        self.mark(&cursors, &stat);
        self.finish(&before, means);
        if means.live && stat.changed_ns == UNTRUSTED {
            return Ok(Ok(Outcome::Later { at_us: now_us() + SOON_US }));
        }
        Ok(Ok(Outcome::Read))
    }

    /// Runs one query; false when someone asked to stop before its end.
    fn run_query(
        &mut self,
        database: &Database,
        query: &Query,
        cursors: &mut QueryPositions,
        patience: Patience<'_>,
        means: &mut ReadContext<'_>,
    ) -> Result<Result<bool, DatabaseError>, Stop> {
        let mut proved = cursors.0.remove(query.name).unwrap_or_else(ProvenPosition::start);
        if query.anchor.is_some() && proved.anchors.is_empty() {
            proved = ProvenPosition::start();
        }
        match proved.anchors.resume(proved.cursor.rowid, |rowid| database.anchor(query, rowid)) {
            Ok(Some(rowid)) => proved.cursor.rowid = rowid,
            Ok(None) => proved = ProvenPosition::start(),
            Err(error) => return Ok(Err(error)),
        }
        let from = proved.cursor;
        let mut changed = Vec::new();
        if query.asks_for_single_rows() && from != Cursor::START {
            changed = match proved.recent.changed(from.rowid, |rowids| database.anchors(query, rowids)) {
                Ok(changed) => changed,
                Err(error) => return Ok(Err(error)),
            };
        }
        let mut seen = Seen { reached: from, handed: EmittedRowids::default(), touched: TouchedRows::default() };
        let single = changed.iter().map(|rowid| (Cursor { rowid: rowid.saturating_sub(1), mark: i64::MIN }, *rowid));
        for (after, until) in single.chain([(from, i64::MAX)]) {
            match self.hand_out(database, query, (after, until), patience, &mut seen, means)? {
                Ok(true) => {}
                other => return Ok(other),
            }
        }
        let mut reached = seen.reached;
        let mut waiting = Vec::new();
        for held in self.held.iter().filter(|held| held.query == query.name) {
            // A row that changed where it stands is found again by that.
            if changed.binary_search(&held.rowid).is_ok() {
                waiting.push(held.rowid);
            } else {
                reached.rowid = reached.rowid.min(held.rowid.saturating_sub(1));
            }
            reached.mark = reached.mark.min(held.mark);
        }
        if let Err(error) = proved.anchors.extend(seen.handed, reached.rowid, |rowid| database.anchor(query, rowid)) {
            return Ok(Err(error));
        }
        if query.asks_for_single_rows() {
            let taken_in = proved.recent.extend(seen.touched, &waiting, |rowids| database.anchors(query, rowids));
            if let Err(error) = taken_in {
                return Ok(Err(error));
            }
        }
        cursors.0.insert(query.name.to_owned(), ProvenPosition { cursor: reached, ..proved });
        Ok(Ok(true))
    }

    /// Hands out what one query answers after a position up to a row; false when someone asked to stop before
    /// its end.
    fn hand_out(
        &mut self,
        database: &Database,
        query: &Query,
        (after, until): (Cursor, i64),
        patience: Patience<'_>,
        seen: &mut Seen,
        means: &mut ReadContext<'_>,
    ) -> Result<Result<bool, DatabaseError>, Stop> {
        let mut failed: Option<PipelineError> = None;
        let mut stopped = false;
        let most_bytes = means.limits.max_line;
        let answered = database.each_until(query, after, until, |record| {
            if let Some(why) = too_much(record, most_bytes) {
                seen.take(record, query.anchor.is_some());
                means.worker.rows.counts().lines += 1;
                means.worker.rows.reject(record.offset(), record.size() as u64, RejectReason::TooLong, why, &[]);
                return true;
            }
            if self.holds(record, patience) {
                return true;
            }
            seen.take(record, query.anchor.is_some());
            // A look goes back a little, as the times of a database are not exact.
            means.worker.rows.again(record.rowid <= after.rowid && record.mark <= after.mark);
            take(self.decoder.as_mut(), record, &mut means.worker.rows);
            means.worker.rows.again(false);
            if means.worker.is_full() {
                // Durable positions stay where they are until the end of the look.
                means.worker.close(&mut self.position, means.progress);
                if let Some(leftover) = &mut self.leftover {
                    leftover.found(means.worker.rows.ids());
                }
                let _turn = means.core.shared_permit();
                match means.worker.deliver(means.core, means.progress) {
                    Ok(copies) => copies.into_iter().for_each(|(source, n)| self.count_copies(source, n)),
                    Err(error) => failed = Some(error),
                }
                means.worker.begin(&self.position);
            }
            stopped = means.progress.stopped();
            failed.is_none() && !stopped
        });
        if let Some(error) = failed {
            return Err(error.into());
        }
        if let Err(error) = answered {
            return Ok(Err(error));
        }
        if stopped {
            means.worker.close(&mut self.position, means.progress);
        }
        Ok(Ok(!stopped))
    }

    /// True when the record is held, because its agent may still change it.
    fn holds(&mut self, record: &Record<'_>, patience: Patience<'_>) -> bool {
        let Patience { silent, since, now_us } = patience;
        if silent || self.decoder.is_settled(record) {
            return false;
        }
        let size = record.size();
        let (key, hash) = ((record.query, record.rowid), hash_of(record));
        let first_us = since.get(&key).filter(|(known, _)| *known == hash).map_or(now_us, |(_, first_us)| *first_us);
        if now_us.saturating_sub(first_us) >= SILENCE_US || self.held_bytes.saturating_add(size) > HELD_BYTES {
            return false;
        }
        self.held_bytes += size;
        self.since.insert(key, (hash, first_us));
        self.held.push(UnsettledRecord::of(record));
        true
    }

    fn mark(&mut self, cursors: &QueryPositions, stat: &Stat) {
        self.position.last_error = None;
        self.position.checkpoint = Checkpoint {
            resume_at: stat.size,
            high_water: stat.size,
            open: self.is_open(),
            state: Checkpoint::versioned(POSITIONS_VERSION, serde_json::to_string(cursors).unwrap_or_default()),
        };
        self.position.fingerprint = Fingerprint {
            device: stat.device,
            inode: stat.inode,
            size: stat.size,
            modified_ns: stat.modified_ns,
            changed_ns: stat.changed_ns,
            ..Fingerprint::default()
        };
    }

    /// Ends the rows of this source for now: position and provisional rows go with them.
    fn finish(&mut self, before: &SourcePosition, means: &mut ReadContext<'_>) {
        let tail = self.is_open().then(|| {
            let (held, decoder) = (&self.held, self.decoder.as_mut());
            means.worker.open_rows(&self.position, |rows| {
                for record in held {
                    record.with(|record| decoder.record(record, true, rows));
                }
            })
        });
        self.shown.extend(tail.iter().flat_map(|rows| rows.ids.iter().copied()));
        if let Some(leftover) = &mut self.leftover {
            leftover.found(means.worker.rows.ids());
            leftover.found(&self.shown);
        }
        self.leave(means);
        // A database that was only touched is no reason for a commit while it is followed.
        let same = SourcePosition {
            fingerprint: before.fingerprint,
            checkpoint: Checkpoint {
                resume_at: before.checkpoint.resume_at,
                high_water: before.checkpoint.high_water,
                ..self.position.checkpoint.clone()
            },
            ..self.position.clone()
        };
        let is_proved = proves_more(before, &self.position, means);
        if !means.worker.counts_nothing() || same != *before || is_proved || self.is_open() {
            means.worker.close(&mut self.position, means.progress);
        }
        if let Some(rows) = tail {
            means.worker.tail(self.position.id, rows);
        }
    }

    /// Hands out what is held: it can no longer change.
    fn settle(&mut self, means: &mut ReadContext<'_>) {
        for held in std::mem::take(&mut self.held) {
            held.with(|record| take(self.decoder.as_mut(), record, &mut means.worker.rows));
        }
    }
}

/// What a look has handed out of one query.
#[derive(Debug)]
struct Seen {
    reached: Cursor,
    handed: EmittedRowids,
    touched: TouchedRows,
}

impl Seen {
    fn take(&mut self, record: &Record<'_>, is_anchored: bool) {
        self.reached.rowid = self.reached.rowid.max(record.rowid);
        self.reached.mark = self.reached.mark.max(record.mark);
        if is_anchored {
            self.handed.push(record.rowid);
            self.touched.push(record.rowid);
        }
    }
}

/// Why a record is not decoded: a value was too long to load, or what stands in it is too much to parse.
fn too_much(record: &Record<'_>, most_bytes: usize) -> Option<&'static str> {
    if record.values.is_empty() {
        return Some(LONG);
    }
    let mut texts = record.values.iter().filter_map(|value| value.bytes());
    let is_too_much = record.size() > most_bytes || texts.any(|bytes| has_too_many_values(bytes, most_bytes));
    is_too_much.then_some(LONG)
}

/// Why a record is refused, and what helps.
const LONG: &str =
    "it takes more than a quarter of the memory budget; with a larger --memory such records are read from then on";

/// How long records are waited for.
#[derive(Debug, Clone, Copy)]
struct Patience<'a> {
    /// The whole database has been silent long enough.
    silent: bool,
    /// What was held at the last look.
    since: &'a Since,
    now_us: i64,
}

/// Hash of a record's values: the same as long as nobody changes it, within one process.
fn hash_of(record: &Record<'_>) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    record.mark.hash(&mut hasher);
    for value in record.values {
        match value {
            Value::Null => 0_u8.hash(&mut hasher),
            Value::Integer(number) => number.hash(&mut hasher),
            Value::Real(number) => number.to_bits().hash(&mut hasher),
            Value::Text(bytes) | Value::Blob(bytes) => bytes.hash(&mut hasher),
        }
    }
    hasher.finish()
}

/// True when the file is not the one that was read before.
fn is_other_file(known: &Fingerprint, stat: &Stat) -> bool {
    let was_read = known.inode != 0 && stat.inode != 0;
    was_read && (known.inode != stat.inode || known.device != stat.device)
}

/// Decodes and counts one record.
fn take(decoder: &mut dyn DatabaseDecoder, record: &Record<'_>, rows: &mut Rows) {
    rows.counts().lines += 1;
    match decoder.record(record, false, rows) {
        Taken::Rows => rows.counts().line_rows += 1,
        Taken::Unknown => {
            rows.counts().line_rows += 1;
            rows.counts().unknown_types += 1;
        }
        Taken::Ignored => rows.counts().ignored += 1,
        Taken::Rejected if rows.is_again() => rows.counts().ignored += 1,
        Taken::Rejected => {}
    }
}

#[cfg(test)]
mod tests;
