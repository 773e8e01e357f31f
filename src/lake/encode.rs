//! Rows in memory to files: split by month, sorted by time.

use std::path::Path;
use std::sync::Arc;

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
    let mut parts = Vec::new();
    let mut rest = places.as_slice();
    while let Some((first, _, _)) = rest.first() {
        let month = month_of(*first);
        let count = rest.partition_point(|(ts, _, _)| month_of(*ts) == month);
        let (these, later) = rest.split_at(count);
        parts.push(durable(root, events(), &month, batches, these, in_flight)?);
        rest = later;
    }
    Ok(parts)
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
}
