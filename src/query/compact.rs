//! Texts that a query keeps, without the pages they came from.
//!
//! A text view shares the decompressed page that its text stands in. Joins, sorts and groups keep batches,
//! and count each one's buffers: a batch with a few texts of a page would keep, and count, all of it. So
//! what comes from files is copied out wherever most of its buffers is not its own.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Result, Statistics, internal_err};
use datafusion::config::ConfigOptions;
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::metrics::MetricsSet;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    ChildStats, DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, StatisticsArgs,
};
use futures::TryStreamExt;

/// Buffers that are at most this many times the texts in them are left as they are.
const SLACK: usize = 2;
/// Buffers that are smaller in all are left as they are.
const SMALL_BYTES: usize = 64 * 1024;

/// Puts a [`CompactExec`] above each scan of files that has texts; the last rule, so that what other rules
/// push down reaches the scan.
#[derive(Debug)]
pub(super) struct CompactTexts;

impl PhysicalOptimizerRule for CompactTexts {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let above = |node: Arc<dyn ExecutionPlan>| {
            let schema = node.schema();
            let has_texts = schema.fields().iter().any(|field| field.data_type() == &DataType::Utf8View);
            if has_texts && node.downcast_ref::<DataSourceExec>().is_some() {
                return Ok(Transformed::yes(Arc::new(CompactExec { input: node }) as Arc<dyn ExecutionPlan>));
            }
            Ok(Transformed::no(node))
        };
        plan.transform_up(above).map(|transformed| transformed.data)
    }

    fn name(&self) -> &'static str {
        "compact_texts"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Hands on its input's rows, with texts that share no large buffers.
#[derive(Debug)]
struct CompactExec {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for CompactExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CompactExec")
    }
}

impl ExecutionPlan for CompactExec {
    fn name(&self) -> &'static str {
        "CompactExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self { input })),
            _ => internal_err!("CompactExec has one input"),
        }
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let batches = self.input.execute(partition, context)?;
        let compacted = batches.and_then(|batch| std::future::ready(compact(batch)));
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), compacted)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        None
    }

    fn child_stats_requests(&self, partition: Option<usize>) -> Vec<ChildStats> {
        vec![ChildStats::At(partition)]
    }

    fn statistics_from_inputs(&self, inputs: &[Arc<Statistics>], _: &StatisticsArgs) -> Result<Arc<Statistics>> {
        inputs.first().map_or_else(|| internal_err!("CompactExec has one input"), |known| Ok(Arc::clone(known)))
    }
}

fn compact(batch: RecordBatch) -> Result<RecordBatch> {
    let Some(_) = batch.columns().iter().find(|column| is_sparse(column)) else { return Ok(batch) };
    let (rows, schema): (usize, SchemaRef) = (batch.num_rows(), batch.schema());
    let own = |column: &ArrayRef| -> ArrayRef {
        if is_sparse(column) { Arc::new(column.as_string_view().gc()) } else { Arc::clone(column) }
    };
    let columns = batch.columns().iter().map(own).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, columns, &options).map_err(DataFusionError::from)
}

/// True when most of the buffers behind a column of texts holds no text of it.
fn is_sparse(column: &ArrayRef) -> bool {
    let Some(texts) = column.as_string_view_opt() else { return false };
    let shared: usize = texts.data_buffers().iter().map(|buffer| buffer.len()).sum();
    shared > SMALL_BYTES && shared > texts.total_buffer_bytes_used().saturating_mul(SLACK)
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;
    use arrow::datatypes::{Field, Schema};

    use super::*;

    fn batch(texts: StringViewArray) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![Field::new("text", DataType::Utf8View, true)]));
        RecordBatch::try_new(schema, vec![Arc::new(texts)]).unwrap()
    }

    fn buffers(batch: &RecordBatch) -> usize {
        batch.column(0).as_string_view().data_buffers().iter().map(|buffer| buffer.len()).sum()
    }

    #[test]
    fn a_few_texts_of_a_large_page_leave_it_and_say_the_same() {
        let page: StringViewArray = (0..2000).map(|n| Some(format!("{n} {}", "x".repeat(100)))).collect();
        let few = batch(page.slice(100, 3));
        let own = compact(few.clone()).unwrap();
        assert_eq!(own, few);
        assert!(buffers(&few) > 200_000 && buffers(&own) < 400, "{} {}", buffers(&few), buffers(&own));
        let most = batch(page.slice(0, 1500));
        assert_eq!(buffers(&compact(most.clone()).unwrap()), buffers(&most), "nothing is copied for little");
    }
}
