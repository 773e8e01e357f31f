//! What a core took in of an earlier process.

use std::collections::HashMap;
use std::sync::Arc;

use crate::lake::StagedStamp;
use crate::schema::{SourceId, SourcePosition};

/// What a core took in of an earlier process.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    pub(super) stamp: Option<StagedStamp>,
    pub(super) since_us: Option<i64>,
    pub(super) positions: HashMap<SourceId, Arc<SourcePosition>>,
}
