//! Rows in memory to files: split by month, sorted by time.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::thread::{Scope, ScopedJoinHandle};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::interleave;
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, Datelike};

use super::disk;
use super::error::{At, LakeError};
use super::writer::{ClosedPart, InFlight, NewPart, PartWriter};
use crate::schema::{Table, events, rejects};

/// Rows that go to the Parquet writer at once ...
const CHUNK_ROWS: usize = 8192;
/// ... unless their texts are longer than this.
const CHUNK_BYTES: usize = 8 << 20;
/// Columns whose size differs by orders of magnitude from row to row.
const LONG: [&str; 4] = ["text", "tool_input", "tool_output", "extra"];
/// What a row takes beside those.
const ROW_BYTES: usize = 800;

/// Most files that wait for the disk at a time.
const MOST_WAITING: usize = 8;

/// Where a row stands: its time, its batch, its place in it.
type Place = (i64, u32, u32);

/// Writes rows of `events` to one durable file per month.
pub(crate) fn events_parts(
    root: &Path,
    batches: &[RecordBatch],
    in_flight: &Arc<InFlight>,
) -> Result<Vec<NewPart>, LakeError> {
    check(events(), batches)?;
    let mut places = places(batches, "ts");
    if !places.is_sorted() {
        places.sort_unstable();
    }
    let months: Vec<(String, &[Place])> = months(&places).collect();
    disk::create_dirs(&root.join(&events().name), months.iter().map(|(month, _)| format!("month={month}")))?;
    // One file at a time is encoded, which bounds the memory; several at a time wait for the disk.
    std::thread::scope(|scope| {
        let mut waiting = VecDeque::new();
        let mut parts = Vec::with_capacity(months.len());
        let end = |(month, rows, waiter): (&str, &[Place], Waiter<'_>)| match waiter.end() {
            Ok(part) => Ok(part),
            Err(error) => retry(root, events(), month, batches, rows, in_flight, error),
        };
        for (month, rows) in &months {
            if waiting.len() == MOST_WAITING
                && let Some(oldest) = waiting.pop_front()
            {
                parts.push(end(oldest)?);
            }
            let waiter = match write(root, events(), month, batches, rows, in_flight) {
                Ok(closed) => Waiter::start(scope, closed, months.len()),
                Err(error) => Waiter::Done(Err(error)),
            };
            waiting.push_back((month.as_str(), *rows, waiter));
        }
        for oldest in waiting {
            parts.push(end(oldest)?);
        }
        Ok(parts)
    })
}

/// A file on its way to the disk.
enum Waiter<'s> {
    Thread(ScopedJoinHandle<'s, Result<NewPart, LakeError>>),
    Done(Result<NewPart, LakeError>),
}

impl<'s> Waiter<'s> {
    /// Makes the file durable: on a thread of its own when it is one of several.
    fn start<'e>(scope: &'s Scope<'s, 'e>, closed: ClosedPart, files: usize) -> Self {
        if files == 1 {
            return Self::Done(closed.settle());
        }
        let path = closed.path().to_owned();
        match std::thread::Builder::new().name("sync".to_owned()).spawn_scoped(scope, || closed.settle()) {
            Ok(thread) => Self::Thread(thread),
            Err(error) => Self::Done(Err(error).at("start a thread to sync", &path)),
        }
    }

    fn end(self) -> Result<NewPart, LakeError> {
        match self {
            Self::Thread(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Self::Done(result) => result,
        }
    }
}

/// The rows of each month.
fn months(mut rest: &[Place]) -> impl Iterator<Item = (String, &[Place])> {
    std::iter::from_fn(move || {
        let month = month_of(rest.first()?.0);
        let count = rest.partition_point(|(ts, _, _)| month_of(*ts) <= month);
        let (these, later) = rest.split_at(count);
        rest = later;
        Some((month, these))
    })
}

/// Writes rows of `rejects` to one durable file; none for no rows.
pub(crate) fn rejects_part(
    root: &Path,
    batches: &[RecordBatch],
    in_flight: &Arc<InFlight>,
) -> Result<Option<NewPart>, LakeError> {
    check(rejects(), batches)?;
    let mut places = places(batches, "ingested_at");
    places.sort_unstable();
    if places.is_empty() {
        return Ok(None);
    }
    durable(root, rejects(), "", batches, &places, in_flight).map(Some)
}

fn check(table: &'static Table, batches: &[RecordBatch]) -> Result<(), LakeError> {
    let schema = table.arrow();
    let stranger = batches.iter().find(|b| b.schema().fields() != schema.fields());
    stranger.map_or(Ok(()), |batch| {
        let source = arrow::error::ArrowError::SchemaError(format!("got {}", batch.schema()));
        Err(LakeError::Rows { table: &table.name, source })
    })
}

#[expect(clippy::cast_possible_truncation, reason = "a flush has far fewer than 2^32 batches and rows")]
fn places(batches: &[RecordBatch], time: &str) -> Vec<Place> {
    let mut places = Vec::with_capacity(batches.iter().map(RecordBatch::num_rows).sum());
    for (number, batch) in batches.iter().enumerate() {
        if let Some(times) = batch.column_by_name(time) {
            let times = times.as_primitive::<TimestampMicrosecondType>().values();
            places.extend(times.iter().enumerate().map(|(row, ts)| (*ts, number as u32, row as u32)));
        }
    }
    places
}

/// UTC month of a time, `YYYY-MM`; times outside the years 0 to 9999 go to the nearest month.
pub(crate) fn month_of(ts_us: i64) -> String {
    match DateTime::from_timestamp_micros(ts_us) {
        Some(time) if (0..=9999).contains(&time.year()) => format!("{:04}-{:02}", time.year(), time.month()),
        _ if ts_us < 0 => "0000-01".to_owned(),
        _ => "9999-12".to_owned(),
    }
}

// A write or sync that is refused kills its file: each attempt begins with a new one.
fn durable(
    root: &Path,
    table: &'static Table,
    month: &str,
    batches: &[RecordBatch],
    places: &[Place],
    in_flight: &Arc<InFlight>,
) -> Result<NewPart, LakeError> {
    let first = write(root, table, month, batches, places, in_flight).and_then(ClosedPart::settle);
    first.or_else(|error| retry(root, table, month, batches, places, in_flight, error))
}

/// Attempts after a first one that ended with `error`.
fn retry(
    root: &Path,
    table: &'static Table,
    month: &str,
    batches: &[RecordBatch],
    places: &[Place],
    in_flight: &Arc<InFlight>,
    mut error: LakeError,
) -> Result<NewPart, LakeError> {
    for attempt in 1..disk::TRIES {
        if !error.may_pass() {
            break;
        }
        disk::back_off(attempt - 1);
        match write(root, table, month, batches, places, in_flight).and_then(ClosedPart::settle) {
            Ok(part) => return Ok(part),
            Err(next) => error = next,
        }
    }
    Err(error)
}

fn write(
    root: &Path,
    table: &'static Table,
    month: &str,
    batches: &[RecordBatch],
    places: &[Place],
    in_flight: &Arc<InFlight>,
) -> Result<ClosedPart, LakeError> {
    let mut writer = PartWriter::create(root, table, month, places.len(), in_flight)?;
    let sizes = Sizes::new(batches);
    let columns: Vec<Vec<&dyn Array>> = (0..table.columns.len())
        .map(|column| batches.iter().map(|batch| batch.column(column).as_ref()).collect())
        .collect();
    let schema = table.arrow();
    let mut rest = places;
    let mut indices = Vec::with_capacity(CHUNK_ROWS);
    while !rest.is_empty() {
        indices.clear();
        let mut bytes = 0;
        for (_, batch, row) in rest.iter().take(CHUNK_ROWS) {
            indices.push((*batch as usize, *row as usize));
            bytes += sizes.of(*batch as usize, *row as usize);
            if bytes >= CHUNK_BYTES {
                break;
            }
        }
        rest = &rest[indices.len()..];
        let arrays: Result<Vec<ArrayRef>, _> = columns.iter().map(|c| interleave(c, &indices)).collect();
        let batch = arrays.and_then(|arrays| RecordBatch::try_new(Arc::clone(&schema), arrays));
        let batch = batch.map_err(|source| LakeError::Rows { table: &table.name, source })?;
        writer.write(&batch, bytes)?;
    }
    writer.close()
}

/// Sizes of rows in memory.
pub(crate) struct Sizes<'a> {
    views: Vec<Vec<&'a [u128]>>,
}

impl<'a> Sizes<'a> {
    pub(crate) fn new(batches: &'a [RecordBatch]) -> Self {
        let long = |batch: &'a RecordBatch| {
            let columns = LONG.iter().filter_map(|name| batch.column_by_name(name));
            columns.filter_map(|c| c.as_string_view_opt()).map(|c| c.views().as_ref()).collect()
        };
        Self { views: batches.iter().map(long).collect() }
    }

    /// Bytes of one row. The low half of a view is the length of its text.
    #[expect(clippy::cast_possible_truncation, reason = "the length is in the low 32 bits")]
    pub(crate) fn of(&self, batch: usize, row: usize) -> usize {
        ROW_BYTES + self.views[batch].iter().map(|views| views[row] as u32 as usize).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_the_utc_month_and_far_times_stay_in_range() {
        assert_eq!(month_of(0), "1970-01");
        assert_eq!(month_of(-1), "1969-12");
        assert_eq!(month_of(1_772_323_200_000_000), "2026-03");
        assert_eq!(month_of(1_772_323_199_999_999), "2026-02");
        assert_eq!(month_of(i64::MAX), "9999-12");
        assert_eq!(month_of(i64::MIN), "0000-01");
    }

    #[test]
    fn rows_in_order_of_time_fall_into_whole_months() {
        let times = [i64::MIN, -1, 0, 2_678_399_999_999, 2_678_400_000_000, i64::MAX];
        let places: Vec<Place> = times.iter().map(|ts| (*ts, 0, 0)).collect();
        let counts: Vec<(String, usize)> = months(&places).map(|(month, rows)| (month, rows.len())).collect();
        let counts: Vec<(&str, usize)> = counts.iter().map(|(month, rows)| (month.as_str(), *rows)).collect();
        assert_eq!(counts, [("0000-01", 1), ("1969-12", 1), ("1970-01", 2), ("1970-02", 1), ("9999-12", 1)]);
    }
}
