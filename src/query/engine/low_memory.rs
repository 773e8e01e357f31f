//! Plans that need little memory at once and take longer: joins sort both sides, and sorts spill.
//!
//! Rows are not divided among several readers: what is divided waits in memory for the slowest of them, as
//! much as there is of it (DataFusion 55). Many readers of files hand their rows to one that works.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::config::{ConfigNonZeroUsize, ConfigOptions};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SessionState, SessionStateBuilder};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

use crate::query::error::QueryError;
use crate::query::memory::Pool;

use super::runtime::failed;

/// Rows of a batch: a batch is the least that a sort can hold.
const ROWS: usize = 256;
/// Spilled files that are merged at once.
const MERGED_FILES: usize = 4;

/// `session` with such plans.
pub(super) fn low_memory_session(session: &SessionState, memory_bytes: u64) -> Result<SessionState, QueryError> {
    let bytes = usize::try_from(memory_bytes).unwrap_or(usize::MAX);
    let env = RuntimeEnvBuilder::from_runtime_env(session.runtime_env())
        .with_memory_pool(Arc::new(Pool::frugal(bytes)))
        .with_max_spill_merge_fan_in(MERGED_FILES)
        .build_arc()
        .map_err(|e| failed(&e))?;
    let undivided = |rule: &Arc<dyn PhysicalOptimizerRule + Send + Sync>| Arc::new(Undivided(Arc::clone(rule))) as _;
    let rules = session.physical_optimizers().iter().map(undivided).collect();
    let mut state = SessionStateBuilder::new_from_existing(session.clone())
        .with_runtime_env(env)
        .with_physical_optimizer_rules(rules)
        .build();
    let options = state.config_mut().options_mut();
    options.optimizer.prefer_hash_join = false;
    // The planner joins by sorting only where there is more than one; the rules then see one.
    options.execution.target_partitions = 2;
    options.execution.batch_size = ConfigNonZeroUsize::try_new(ROWS).map_err(|e| failed(&e))?;
    Ok(state)
}

/// A rule for plans whose rows are not divided.
#[derive(Debug)]
struct Undivided(Arc<dyn PhysicalOptimizerRule + Send + Sync>);

impl PhysicalOptimizerRule for Undivided {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let mut config = config.clone();
        config.execution.target_partitions = 1;
        self.0.optimize(plan, &config)
    }

    fn name(&self) -> &str {
        self.0.name()
    }

    fn schema_check(&self) -> bool {
        self.0.schema_check()
    }
}
