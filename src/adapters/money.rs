//! Amounts of money and credits as the columns hold them: in billionths.

/// Billionths of an amount; `None` for what is no amount.
#[expect(clippy::cast_possible_truncation, reason = "the guard keeps the value in range")]
pub(super) fn nano(amount: f64) -> Option<i64> {
    (amount.is_finite() && (0.0..9e8).contains(&amount)).then(|| (amount * 1e9).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_amount_has_no_billionths() {
        assert_eq!((nano(0.25), nano(0.0)), (Some(250_000_000), Some(0)));
        assert_eq!([nano(f64::NAN), nano(f64::INFINITY), nano(-1.0), nano(1e12)], [None; 4]);
    }
}
