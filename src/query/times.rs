//! Times without seconds: `ts < '2026-11-30 05:00'`.
//!
//! The engine wants seconds in a text that becomes a time. Where a text stands beside a time, or is cast to
//! one, they are added; a text among texts stays as it is.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Between, InList};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Cast, Expr, ExprSchemable, LogicalPlan, TryCast};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

/// Length of `2026-11-30 05:00`.
const MINUTES: usize = 16;

/// `text` with seconds, if it is a time that lacks them.
fn with_seconds(text: &str) -> Option<String> {
    let (time, rest) = text.split_at_checked(MINUTES)?;
    let form = time.bytes().zip(b"0000-00-00 00:00".iter()).all(|(byte, form)| match form {
        b'0' => byte.is_ascii_digit(),
        b' ' => matches!(byte, b' ' | b'T' | b't'),
        other => byte == *other,
    });
    let ends = rest.is_empty() || rest.starts_with(['Z', 'z', '+', '-', ' ']);
    (form && ends).then(|| format!("{time}:00{rest}"))
}

/// `plan` with seconds in all such times; `tokens` are those of its text.
///
/// # Errors
///
/// A plan that cannot be walked; that is a bug.
pub(super) fn complete(plan: LogicalPlan, tokens: &[TokenWithSpan]) -> Result<LogicalPlan> {
    let is_short = |t: &TokenWithSpan| matches!(&t.token, Token::SingleQuotedString(s) if with_seconds(s).is_some());
    if !tokens.iter().any(is_short) {
        return Ok(plan);
    }
    let completed = plan.transform_up_with_subqueries(|node| {
        let schema = merge_schema(&node.inputs());
        let names = NamePreserver::new(&node);
        node.map_expressions(|expr| {
            let name = names.save(&expr);
            let changed = expr.transform_up(|expr| Ok(completed(expr, &schema)))?;
            Ok(Transformed::new_transformed(name.restore(changed.data), changed.transformed))
        })
    })?;
    Ok(completed.data)
}

fn completed(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let is_time = |expr: &Expr| matches!(expr.get_type(schema), Ok(DataType::Timestamp(..)));
    match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if op.supports_propagation() => {
            let (left, right) = match (is_time(&left), is_time(&right)) {
                (true, false) => (left, literal(right)),
                (false, true) => (literal(left), right),
                _ => (left, right),
            };
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Expr::Between(Between { expr, negated, low, high }) if is_time(&expr) => {
            Transformed::yes(Expr::Between(Between { expr, negated, low: literal(low), high: literal(high) }))
        }
        Expr::InList(InList { expr, list, negated }) if is_time(&expr) => {
            let list = list.into_iter().map(|item| *literal(Box::new(item))).collect();
            Transformed::yes(Expr::InList(InList { expr, list, negated }))
        }
        Expr::Cast(Cast { expr, field }) if matches!(field.data_type(), DataType::Timestamp(..)) => {
            Transformed::yes(Expr::Cast(Cast { expr: literal(expr), field }))
        }
        Expr::TryCast(TryCast { expr, field }) if matches!(field.data_type(), DataType::Timestamp(..)) => {
            Transformed::yes(Expr::TryCast(TryCast { expr: literal(expr), field }))
        }
        other => Transformed::no(other),
    }
}

/// A text as a whole time; anything else as it is.
fn literal(mut expr: Box<Expr>) -> Box<Expr> {
    if let Expr::Literal(
        ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)),
        _,
    ) = expr.as_mut()
        && let Some(whole) = with_seconds(text)
    {
        *text = whole;
    }
    expr
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_time_to_the_minute_gets_seconds() {
        for (text, whole) in [
            ("2026-11-30 05:00", Some("2026-11-30 05:00:00")),
            ("2026-11-30T05:00", Some("2026-11-30T05:00:00")),
            ("2026-11-30T05:00Z", Some("2026-11-30T05:00:00Z")),
            ("2026-11-30 05:00+02:00", Some("2026-11-30 05:00:00+02:00")),
            ("2026-11-30 05:00:00", None),
            ("2026-11-30", None),
            ("2026-11-30 05:00 o'clock", Some("2026-11-30 05:00:00 o'clock")),
            ("a time of 16 ümläuts", None),
        ] {
            assert_eq!(with_seconds(text).as_deref(), whole, "{text}");
        }
    }
}
