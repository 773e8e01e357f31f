//! `now()`, `current_date`, `current_time`: the instant at which the query began, the same wherever it stands.
//!
//! - `now()` (`current_timestamp`) has the type of the column `ts`
//! - `current_date` (`today()`) and `current_time` are those on a wall in the engine's zone

use arrow::datatypes::{DataType, TimeUnit};
use chrono::{DateTime, Utc};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::instant;
use crate::zone::{DAY_US, Zone};

/// What of the instant a [`Clock`] shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Hand {
    Instant,
    Date,
    Time,
}

/// One of the functions.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Clock {
    hand: Hand,
    zone: Zone,
    aliases: Vec<String>,
    signature: Signature,
}

/// All of them, for days and times in `zone`.
pub(super) fn functions(zone: Zone) -> [ScalarUDF; 3] {
    let function = |hand, aliases: &[&str]| {
        let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
        ScalarUDF::new_from_impl(Clock { hand, zone, aliases, signature: Signature::nullary(Volatility::Stable) })
    };
    [function(Hand::Instant, &["current_timestamp"]), function(Hand::Date, &["today"]), function(Hand::Time, &[])]
}

impl Clock {
    fn shows(&self, at: DateTime<Utc>) -> ScalarValue {
        let us = at.timestamp_micros();
        match self.hand {
            Hand::Instant => ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into())),
            Hand::Date => ScalarValue::Date32(Some(self.zone.local_day(us))),
            Hand::Time => ScalarValue::Time64Microsecond(Some(self.zone.local_us(us).rem_euclid(DAY_US))),
        }
    }
}

impl ScalarUDFImpl for Clock {
    fn name(&self) -> &str {
        match self.hand {
            Hand::Instant => "now",
            Hand::Date => "current_date",
            Hand::Time => "current_time",
        }
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(match self.hand {
            Hand::Instant => instant(),
            Hand::Date => DataType::Date32,
            Hand::Time => DataType::Time64(TimeUnit::Microsecond),
        })
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        Ok(match info.query_execution_start_time() {
            Some(at) => ExprSimplifyResult::Simplified(Expr::Literal(self.shows(at), None)),
            None => ExprSimplifyResult::Original(args),
        })
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        exec_err!("{} cannot be used here; it is known when the query is planned", self.name())
    }
}
