//! The table `sources`: made when a query reads it.
//!
//! A home has tens of thousands of sources, and most queries name none: a query that does not must
//! not pay for them.

use std::future::ready;
use std::pin::Pin;
use std::sync::{Arc, LazyLock};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::Result;
use datafusion::datasource::TableType;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

use crate::schema;

type Make = Box<dyn FnOnce() -> RecordBatch + Send>;

/// Rows of `sources`, made at most once.
#[derive(Clone)]
pub struct Sources(Arc<LazyLock<RecordBatch, Make>>);

impl Sources {
    /// Rows that `make` will return.
    #[must_use]
    pub fn lazy(make: impl FnOnce() -> RecordBatch + Send + 'static) -> Self {
        Self(Arc::new(LazyLock::new(Box::new(make))))
    }

    /// The rows, made now if they were not yet.
    #[must_use]
    pub fn rows(&self) -> RecordBatch {
        RecordBatch::clone(&self.0)
    }
}

impl From<RecordBatch> for Sources {
    fn from(batch: RecordBatch) -> Self {
        Self::lazy(move || batch)
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sources")
    }
}

impl TableProvider for Sources {
    fn schema(&self) -> SchemaRef {
        schema::sources_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn scan<'life0, 'life1, 'life2, 'life3, 'async_trait>(
        &'life0 self,
        _: &'life1 dyn Session,
        projection: Option<&'life2 Vec<usize>>,
        _: &'life3 [Expr],
        _: Option<usize>,
    ) -> Pin<Box<dyn Future<Output = Result<Arc<dyn ExecutionPlan>>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        'life3: 'async_trait,
        Self: 'async_trait,
    {
        let rows = [vec![self.rows()]];
        let exec = MemorySourceConfig::try_new_exec(&rows, self.schema(), projection.cloned());
        Box::pin(ready(exec.map(|exec| exec as Arc<dyn ExecutionPlan>)))
    }
}
