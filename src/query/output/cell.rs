//! One value as text for people.

use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::DateTime;

use crate::zone::{Offsets, Zone};

/// The values of one batch.
pub(crate) struct Cells<'a> {
    columns: Vec<Source<'a>>,
}

enum Source<'a> {
    /// Instants, shown in local time.
    Time(&'a arrow::array::TimestampMicrosecondArray, Offsets),
    Other(&'a ArrayRef, ArrayFormatter<'a>),
}

const FORMAT: FormatOptions<'static> = FormatOptions::new();

impl<'a> Cells<'a> {
    pub(crate) fn new(batch: &'a RecordBatch, zone: Zone) -> Result<Self, ArrowError> {
        let source = |column: &'a ArrayRef| match column.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => {
                let times = column.as_primitive::<TimestampMicrosecondType>();
                Ok(Source::Time(times, Offsets::new(zone)))
            }
            _ => Ok(Source::Other(column, ArrayFormatter::try_new(column, &FORMAT)?)),
        };
        Ok(Self { columns: batch.columns().iter().map(source).collect::<Result<_, ArrowError>>()? })
    }

    /// Replaces `out` by the value; false when it is null.
    pub(crate) fn read(&mut self, column: usize, row: usize, out: &mut String) -> Result<bool, ArrowError> {
        out.clear();
        match &mut self.columns[column] {
            Source::Time(times, _) if times.is_null(row) => return Ok(false),
            Source::Time(times, offsets) => {
                let local = DateTime::from_timestamp_micros(offsets.local_us(times.value(row)));
                // A time outside the calendar is shown as its number.
                let written = match local {
                    Some(time) => write!(out, "{}", time.format("%Y-%m-%d %H:%M:%S")),
                    None => write!(out, "{}", times.value(row)),
                };
                written.map_err(|_| ArrowError::CastError("cannot show a time".to_owned()))?;
            }
            Source::Other(values, _) if is_absent(values, row) => return Ok(false),
            Source::Other(_, formatter) => formatter.value(row).write(out)?,
        }
        Ok(true)
    }
}

/// True where there is no value; arrays of the type of `NULL` do not say so themselves.
pub(super) fn is_absent(values: &dyn Array, row: usize) -> bool {
    values.is_null(row) || *values.data_type() == DataType::Null
}

/// True for columns that are shown to the right.
pub(crate) fn is_number(kind: &DataType) -> bool {
    kind.is_numeric() || matches!(kind, DataType::Decimal128(..) | DataType::Duration(_))
}

/// True for columns that make no sense when cut.
pub(crate) fn is_rigid(kind: &DataType) -> bool {
    is_number(kind) || kind.is_temporal() || *kind == DataType::Boolean
}
