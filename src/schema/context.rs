//! What is the same for every row of one source.

use std::sync::Arc;

/// What is the same for every row of one source.
#[derive(Debug, Clone)]
pub struct RowContext {
    /// Agent id.
    pub agent: Arc<str>,
    /// Path as it stands in `source_path`.
    pub source_path: Arc<str>,
    /// Incarnation of the source's bytes.
    pub generation: u32,
    /// Machine the logs were read on.
    pub machine_id: Option<Arc<str>>,
    /// User that owns the logs.
    pub user_name: Option<Arc<str>>,
    /// Time of decoding, microseconds since 1970.
    pub now_us: i64,
}

impl RowContext {
    /// Context for generation 0 of `source_path`, decoded at time 0, without machine and user.
    #[must_use]
    pub fn new(agent: &str, source_path: &str) -> Self {
        Self {
            agent: agent.into(),
            source_path: source_path.into(),
            generation: 0,
            machine_id: None,
            user_name: None,
            now_us: 0,
        }
    }
}
