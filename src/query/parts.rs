//! What the commit log knows about parts, in the planner's terms: which can be skipped, how many rows.
//!
//! - a part is skipped only when its statistics prove that no row of it can match; what the log does
//!   not say proves nothing
//! - text bounds may be shortened (see [`Part::min_max`]): good for skipping, never used as values

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, Int64Array, StringViewArray, TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::Session;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, DFSchema, Result, ScalarValue, Statistics};
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::utils::conjunction;
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use serde_json::Value;

use crate::lake::Part;

/// Statistics of `parts` as the pruning predicate asks for them.
struct PartStatistics<'a> {
    parts: &'a [Arc<Part>],
    schema: &'a SchemaRef,
    /// Column that `min_ts_us` and `max_ts_us` are about.
    time: &'a str,
}

#[derive(Clone, Copy)]
enum Bound {
    Min,
    Max,
}

impl PartStatistics<'_> {
    fn bounds(&self, column: &Column, bound: Bound) -> Option<ArrayRef> {
        let name = column.name();
        if name == self.time {
            let of = |p: &Arc<Part>| match bound {
                Bound::Min => p.min_ts_us,
                Bound::Max => p.max_ts_us,
            };
            let times: TimestampMicrosecondArray = self.parts.iter().map(|p| Some(of(p))).collect();
            return Some(Arc::new(times.with_timezone("UTC")));
        }
        let value = |p: &'_ Arc<Part>| -> Option<Value> {
            let (min, max) = p.min_max.get(name)?;
            Some(match bound {
                Bound::Min => min.clone(),
                Bound::Max => max.clone(),
            })
        };
        let values = self.parts.iter().map(value);
        match self.schema.field_with_name(name).ok()?.data_type() {
            DataType::Utf8View => {
                let texts: Vec<Option<Value>> = values.collect();
                let texts = texts.iter().map(|v| v.as_ref().and_then(Value::as_str));
                Some(Arc::new(texts.collect::<StringViewArray>()))
            }
            DataType::Int64 => Some(Arc::new(values.map(|v| v?.as_i64()).collect::<Int64Array>())),
            DataType::Int32 => {
                let small = values.map(|v| v?.as_i64().and_then(|n| i32::try_from(n).ok()));
                Some(Arc::new(small.collect::<Int32Array>()))
            }
            DataType::Boolean => Some(Arc::new(values.map(|v| v?.as_bool()).collect::<BooleanArray>())),
            _ => None,
        }
    }
}

impl PruningStatistics for PartStatistics<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, Bound::Min)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.bounds(column, Bound::Max)
    }

    fn num_containers(&self) -> usize {
        self.parts.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        let counts = self.parts.iter().map(|p| p.nulls.get(column.name()).copied());
        Some(Arc::new(counts.collect::<UInt64Array>()))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        Some(Arc::new(self.parts.iter().map(|p| Some(p.rows)).collect::<UInt64Array>()))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// The parts that can hold rows for which all `filters` are true, oldest first.
///
/// # Errors
///
/// A filter that does not fit the schema; the planner has checked that before.
pub(super) fn that_can_match(
    state: &dyn Session,
    schema: &SchemaRef,
    time: &str,
    parts: &[Arc<Part>],
    filters: &[Expr],
) -> Result<Vec<Arc<Part>>> {
    let mut kept: Vec<Arc<Part>> = parts.iter().filter(|p| p.rows > 0).map(Arc::clone).collect();
    if let Some(filter) = conjunction(filters.iter().cloned()).filter(|_| !kept.is_empty()) {
        let predicate = state.create_physical_expr(filter, &DFSchema::try_from(Arc::clone(schema))?)?;
        if let Some(predicate) = PruningPredicateBuilder::new().with_file_schema(Arc::clone(schema)).build(predicate) {
            let statistics = PartStatistics { parts: &kept, schema, time };
            let mut keep = predicate.prune(&statistics)?.into_iter();
            kept.retain(|_| keep.next().unwrap_or(true));
        }
    }
    kept.sort_by(|a, b| (a.min_ts_us, &a.path).cmp(&(b.min_ts_us, &b.path)));
    Ok(kept)
}

/// What is known about the rows of one part.
pub(super) fn statistics(part: &Part, schema: &SchemaRef, time: &str) -> Statistics {
    let column = |field: &Arc<arrow::datatypes::Field>| {
        let mut known = ColumnStatistics::new_unknown();
        let name = field.name();
        if let Some(nulls) = part.nulls.get(name) {
            known.null_count = count(*nulls);
        } else if !field.is_nullable() {
            known.null_count = Precision::Exact(0);
        }
        if name == time {
            let at = |us| Precision::Exact(ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into())));
            (known.min_value, known.max_value) = (at(part.min_ts_us), at(part.max_ts_us));
        } else if let Some((min, max)) = part.min_max.get(name) {
            (known.min_value, known.max_value) = (number(min, field.data_type()), number(max, field.data_type()));
        }
        known
    };
    Statistics {
        num_rows: count(part.rows),
        total_byte_size: Precision::Absent,
        column_statistics: schema.fields().iter().map(column).collect(),
    }
}

fn count(n: u64) -> Precision<usize> {
    usize::try_from(n).map_or(Precision::Absent, Precision::Exact)
}

fn number(value: &Value, kind: &DataType) -> Precision<ScalarValue> {
    let scalar = match kind {
        DataType::Int64 => value.as_i64().map(|n| ScalarValue::Int64(Some(n))),
        DataType::Int32 => value.as_i64().and_then(|n| i32::try_from(n).ok()).map(|n| ScalarValue::Int32(Some(n))),
        _ => None,
    };
    scalar.map_or(Precision::Absent, Precision::Exact)
}
