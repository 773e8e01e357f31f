//! Values for `$name` in a query, given as text.
//!
//! - where the query itself says which type it needs (`project = $p`), the text becomes that type
//! - elsewhere the text's own look decides: whole number, number, true/false, time, else text

use std::collections::HashMap;

use arrow::datatypes::DataType;
use chrono::{DateTime, NaiveDate};
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::logical_expr::LogicalPlan;

use super::error::{QueryError, Surroundings};
use super::position::place_of;
use crate::text::nearest;

/// Puts `params` into `plan`.
///
/// # Errors
///
/// A parameter without value, a value without parameter, a text that is no value of the needed type.
pub(super) fn fill(
    plan: LogicalPlan,
    params: &[(String, String)],
    surroundings: &Surroundings,
) -> Result<LogicalPlan, QueryError> {
    let wanted = plan.get_parameter_types().map_err(|e| surroundings.explain(e))?;
    if wanted.is_empty() && params.is_empty() {
        return Ok(plan);
    }
    let names: Vec<&str> = wanted.keys().map(|k| k.trim_start_matches('$')).collect();
    let mut values: HashMap<String, ScalarValue> = HashMap::with_capacity(params.len());
    for (name, text) in params {
        let Some(kind) = wanted.get(&format!("${name}")) else {
            let near = nearest(name, names.iter().copied()).map(str::to_owned);
            return Err(QueryError::UnusedParameter { name: name.clone(), nearest: near });
        };
        let value = match kind {
            Some(kind) => typed(text, kind).ok_or_else(|| QueryError::ParameterType {
                name: name.clone(),
                value: text.clone(),
                kind: kind_name(kind).to_owned(),
            })?,
            None => guessed(text),
        };
        values.insert(name.clone(), value);
    }
    if let Some(missing) = names.iter().find(|n| !values.contains_key(**n)) {
        let place = place_of(&surroundings.tokens, missing);
        return Err(QueryError::MissingParameter { name: (*missing).to_owned(), place });
    }
    plan.with_param_values(ParamValues::from(values)).map_err(|e| surroundings.explain(e))
}

fn kind_name(kind: &DataType) -> &'static str {
    match kind {
        DataType::Boolean => "boolean (true or false)",
        DataType::Timestamp(..) => "time (2026-03-01 or 2026-03-01T12:00:00Z)",
        DataType::Date32 | DataType::Date64 => "date",
        kind if kind.is_integer() => "whole number",
        kind if kind.is_numeric() => "number",
        _ => "value of the type needed",
    }
}

fn typed(text: &str, kind: &DataType) -> Option<ScalarValue> {
    match kind {
        DataType::Timestamp(..) => time(text).or_else(|| Some(ScalarValue::from(text)))?.cast_to(kind).ok(),
        // A bound such as `turn > 2.5` is meaningful: the planner widens both sides.
        kind if kind.is_integer() => match guessed(text) {
            number @ (ScalarValue::Int64(_) | ScalarValue::Float64(_)) => Some(number),
            _ => None,
        },
        kind => ScalarValue::from(text).cast_to(kind).ok().filter(|v| !v.is_null()),
    }
}

fn guessed(text: &str) -> ScalarValue {
    if let Ok(number) = text.parse::<i64>() {
        return ScalarValue::from(number);
    }
    if text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'))
        && let Ok(number) = text.parse::<f64>()
    {
        return ScalarValue::from(number);
    }
    match text {
        "true" => ScalarValue::from(true),
        "false" => ScalarValue::from(false),
        _ => time(text).unwrap_or_else(|| ScalarValue::Utf8View(Some(text.to_owned()))),
    }
}

fn time(text: &str) -> Option<ScalarValue> {
    let us = match DateTime::parse_from_rfc3339(text) {
        Ok(time) => time.timestamp_micros(),
        Err(_) => text.parse::<NaiveDate>().ok()?.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros(),
    };
    Some(ScalarValue::TimestampMicrosecond(Some(us), Some("UTC".into())))
}
