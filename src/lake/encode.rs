//! Rows in memory to files: split by month, sorted by time.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::interleave;
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, Datelike};

use super::disk;
use super::error::LakeError;
use super::writer::{InFlight, NewPart, PartWriter};
use crate::schema::{Table, events, rejects};

/// Rows that go to the Parquet writer at once ...
const CHUNK_ROWS: usize = 8192;
/// ... unless their texts are longer than this.
const CHUNK_BYTES: usize = 8 << 20;
/// Columns whose size differs by orders of magnitude from row to row.
const LONG: [&str; 4] = ["text", "tool_input", "tool_output", "extra"];
/// What a row takes beside those.
const ROW_BYTES: usize = 800;

/// Most files written at a time ...
const MOST_THREADS: usize = 4;
/// ... while their rows take no more memory than this.
const OPEN_BYTES: usize = 64 << 20;

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
    let sizes = Sizes::new(batches);
    let bytes = |rows: &[Place]| rows.iter().map(|(_, b, row)| sizes.of(*b as usize, *row as usize)).sum::<usize>();
    let largest = months.iter().map(|(_, rows)| bytes(rows)).max().unwrap_or(0);
    let threads = (OPEN_BYTES / largest.max(1)).clamp(1, MOST_THREADS);
    each(&months, threads, |(month, rows)| durable(root, events(), month, batches, rows, in_flight))
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

/// Does `work` for each item, up to `threads` at a time; the results are in the order of the items.
///
/// The work is mostly waiting for the disk, which makes several files durable in the time of one.
fn each<T: Sync, R: Send, E: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        let take = || {
            let at = next.fetch_add(1, Ordering::Relaxed);
            items.get(at).map(|item| (at, item))
        };
        while let Some((at, item)) = take() {
            let result = work(item);
            if result.is_err() {
                next.store(items.len(), Ordering::Relaxed);
            }
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(items.len()) {
            // Without more threads this one does all the work.
            if std::thread::Builder::new().name("encode".to_owned()).spawn_scoped(scope, run).is_err() {
                break;
            }
        }
        run();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
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
    let mut attempt = 0;
    loop {
        let error = match write(root, table, month, batches, places, in_flight) {
            Ok(part) => return Ok(part),
            Err(error) => error,
        };
        attempt += 1;
        if !error.may_pass() || attempt == disk::TRIES {
            return Err(error);
        }
        disk::back_off(attempt - 1);
    }
}

fn write(
    root: &Path,
    table: &'static Table,
    month: &str,
    batches: &[RecordBatch],
    places: &[Place],
    in_flight: &Arc<InFlight>,
) -> Result<NewPart, LakeError> {
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
    writer.finish()
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

    #[test]
    fn work_on_many_threads_keeps_its_order_and_ends_at_the_first_failure() {
        let items: Vec<u32> = (0..100).collect();
        for threads in [1, 8, 200] {
            assert_eq!(
                each(&items, threads, |n| Ok::<_, u32>(n * 2)).unwrap(),
                (0..100).map(|n| n * 2).collect::<Vec<_>>()
            );
        }
        let tried = AtomicUsize::new(0);
        let failed = each(&items, 1, |n| {
            tried.fetch_add(1, Ordering::Relaxed);
            if *n == 3 { Err(*n) } else { Ok(*n) }
        });
        assert_eq!((failed, tried.load(Ordering::Relaxed)), (Err(3), 4));
        assert_eq!(each(&items, 8, |n| if *n >= 50 { Err("late") } else { Ok(()) }), Err("late"));
        assert_eq!(each(&[] as &[u32], 8, |n| Ok::<_, ()>(*n)), Ok(vec![]));
    }
}
