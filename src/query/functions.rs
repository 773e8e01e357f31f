//! SQL functions of our own, and limits on built-in ones that could take all memory.
//!
//! - `local_date(ts)` and `local_time(ts)`: the wall clock in the engine's zone; a comparison of
//!   `local_date(ts)` with a date becomes a range of `ts`, so files outside it are not opened
//! - `text_list(text)`: the distinct texts of a group
//! - `now()`, `current_date`, `current_time` of the moment at which the query began
//! - functions that make long values from a number (`repeat`, `lpad`, ...) refuse results that the
//!   memory limit cannot see

mod clock;
mod series;
mod text_list;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Date32Array, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{
    AggregateUDF, ColumnarValue, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

use crate::zone::{Offsets, Zone};
pub(super) use series::series;

/// Most bytes (or list elements) that one call on one batch may make.
const MAX_MADE: i64 = 64 * 1024 * 1024;

/// Functions that only other kinds of tables answer: rows here are of the lake, not of a file.
const ELSEWHERE: [&str; 2] = ["file_row_index", "input_file_name"];

fn instant() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// What a [`Local`] function answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Date,
    Time,
}

/// `local_date` and `local_time`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Local {
    part: Part,
    zone: Zone,
    signature: Signature,
}

impl Local {
    fn udf(part: Part, zone: Zone) -> ScalarUDF {
        let signature = Signature::exact(vec![instant()], Volatility::Immutable);
        ScalarUDF::new_from_impl(Self { part, zone, signature })
    }
}

impl ScalarUDFImpl for Local {
    fn name(&self) -> &str {
        match self.part {
            Part::Date => "local_date",
            Part::Time => "local_time",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.part {
            Part::Date => DataType::Date32,
            Part::Time => DataType::Timestamp(TimeUnit::Microsecond, None),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalar = matches!(args.args.first(), Some(ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let times = arrays[0].as_primitive::<TimestampMicrosecondType>();
        let mut offsets = Offsets::new(self.zone);
        let array: ArrayRef = match self.part {
            Part::Date => {
                let days: Vec<i32> = times.values().iter().map(|us| offsets.local_day(*us)).collect();
                Arc::new(Date32Array::new(days.into(), times.nulls().cloned()))
            }
            Part::Time => {
                let local: Vec<i64> = times.values().iter().map(|us| offsets.local_us(*us)).collect();
                Arc::new(TimestampMicrosecondArray::new(local.into(), times.nulls().cloned()))
            }
        };
        if scalar {
            ScalarValue::try_from_array(&array, 0).map(ColumnarValue::Scalar)
        } else {
            Ok(ColumnarValue::Array(array))
        }
    }

    fn preimage(&self, args: &[Expr], literal: &Expr, _: &SimplifyContext) -> Result<PreimageResult> {
        let (Part::Date, [arg], Expr::Literal(ScalarValue::Date32(Some(days)), _)) = (self.part, args, literal) else {
            return Ok(PreimageResult::None);
        };
        let Some((from, to)) = self.zone.range_of_day(*days) else { return Ok(PreimageResult::None) };
        let bound = |us| ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into()));
        let interval = Box::new(Interval::try_new(bound(from), bound(to))?);
        Ok(PreimageResult::Range { expr: arg.clone(), interval })
    }
}

/// Which argument of a built-in function says how much it makes, and what one of it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Measure {
    /// Text in the first argument, times the second.
    Repeat,
    /// The second argument is the length of the result.
    Length,
    /// The first argument is repeated as often as the second says, as a list.
    Copies,
    /// A series from the first to the second argument by the third.
    Series,
}

/// A built-in function that checks what it is about to make.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Capped {
    inner: Arc<ScalarUDF>,
    measure: Measure,
}

impl ScalarUDFImpl for Capped {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let made = made(self.measure, &args)?;
        if made > MAX_MADE {
            return exec_err!("{} would make {made} bytes or elements at once, more than {MAX_MADE}", self.name());
        }
        self.inner.invoke_with_args(args)
    }
}

fn numbers(args: &ScalarFunctionArgs, index: usize) -> Result<Option<Vec<Option<i64>>>> {
    let Some(value) = args.args.get(index) else { return Ok(None) };
    let array = value.to_array(args.number_rows)?;
    // A series of dates has few elements: its step is an interval of at least a day or it is refused.
    if !array.data_type().is_integer() {
        return Ok(None);
    }
    let array = cast(&array, &DataType::Int64)?;
    Ok(Some(array.as_primitive::<Int64Type>().iter().collect()))
}

fn made(measure: Measure, args: &ScalarFunctionArgs) -> Result<i64> {
    let sum =
        |values: Vec<Option<i64>>| values.into_iter().flatten().filter(|n| *n > 0).fold(0i64, i64::saturating_add);
    match measure {
        Measure::Length | Measure::Copies => Ok(numbers(args, 1)?.map_or(0, sum)),
        Measure::Repeat => {
            let Some(times) = numbers(args, 1)? else { return Ok(0) };
            let text = cast(&args.args[0].to_array(args.number_rows)?, &DataType::Utf8View)?;
            let text = text.as_string_view();
            let each = text.iter().zip(times).map(|(t, n)| {
                let bytes = t.map_or(0, |t| i64::try_from(t.len()).unwrap_or(i64::MAX));
                Some(bytes.saturating_mul(n.unwrap_or_default().max(0)))
            });
            Ok(sum(each.collect()))
        }
        Measure::Series => {
            let first = numbers(args, 0)?.unwrap_or_default();
            if args.args.len() == 1 {
                return Ok(sum(first));
            }
            let last = numbers(args, 1)?.unwrap_or_default();
            let step = numbers(args, 2)?;
            let each = first.iter().zip(last).enumerate().map(|(i, (from, to))| {
                let step = step.as_ref().and_then(|s| s.get(i).copied().flatten()).unwrap_or(1).unsigned_abs().max(1);
                let span = from.unwrap_or_default().abs_diff(to.unwrap_or_default()) / step;
                Some(i64::try_from(span).unwrap_or(i64::MAX))
            });
            Ok(sum(each.collect()))
        }
    }
}

/// The aggregate functions of our own.
pub(super) fn aggregates() -> [Arc<AggregateUDF>; 1] {
    [Arc::new(text_list::udaf())]
}

/// Replaces built-in functions of `known` by limited ones and adds our own.
pub(super) fn install(known: &mut Vec<Arc<ScalarUDF>>, zone: Zone) {
    for udf in known.iter_mut() {
        let measure = match udf.name() {
            "repeat" => Measure::Repeat,
            "lpad" | "rpad" | "array_resize" => Measure::Length,
            "array_repeat" => Measure::Copies,
            "generate_series" | "range" => Measure::Series,
            _ => continue,
        };
        *udf = Arc::new(ScalarUDF::new_from_impl(Capped { inner: Arc::clone(udf), measure }));
    }
    let clocks = clock::functions(zone);
    known.retain(|udf| clocks.iter().all(|clock| clock.name() != udf.name()) && !ELSEWHERE.contains(&udf.name()));
    known.extend(clocks.map(Arc::new));
    known.push(Arc::new(Local::udf(Part::Date, zone)));
    known.push(Arc::new(Local::udf(Part::Time, zone)));
}
