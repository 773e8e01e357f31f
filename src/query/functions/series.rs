//! `FROM generate_series(now() - INTERVAL '14 day', now(), INTERVAL '1 day')`: the engine's own tables of
//! series take times to the nanosecond only, and the times here are to the microsecond.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::catalog::{TableFunction, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;

/// A table of a series.
#[derive(Debug)]
struct Series(Arc<dyn TableFunctionImpl>);

/// Those of `known` that make series, for all times.
pub(in crate::query) fn series(
    known: &HashMap<String, Arc<TableFunction>>,
) -> Vec<(String, Arc<dyn TableFunctionImpl>)> {
    let wrapped = known.iter().map(|(name, table)| {
        let series: Arc<dyn TableFunctionImpl> = Arc::new(Series(Arc::clone(table.function())));
        (name.clone(), series)
    });
    wrapped.collect()
}

fn to_the_nanosecond(expr: &Expr) -> Expr {
    match expr {
        Expr::Literal(ScalarValue::TimestampMicrosecond(Some(us), zone), about) => {
            let time = ScalarValue::TimestampNanosecond(us.checked_mul(1_000), zone.clone());
            Expr::Literal(time, about.clone())
        }
        other => other.clone(),
    }
}

impl TableFunctionImpl for Series {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let exprs: Vec<Expr> = args.exprs().iter().map(to_the_nanosecond).collect();
        self.0.call_with_args(TableFunctionArgs::new(&exprs, args.session()))
    }
}
