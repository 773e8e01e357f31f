//! Which rows were removed for good, and stay away.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::TimestampMicrosecondType;
use serde::{Deserialize, Serialize};

use super::Part;

/// Which rows go: those that meet all conditions given. No condition removes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PruneFilter {
    /// Rows whose time is earlier, microseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before_us: Option<i64>,
    /// Rows of this session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Rows of this project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
}

impl PruneFilter {
    /// True when every row that `other` means is meant by this one too.
    fn covers(&self, other: &Self) -> bool {
        let wider = |own: &Option<String>, other: &Option<String>| own.is_none() || own == other;
        let later = match (self.before_us, other.before_us) {
            (Some(own), Some(other)) => own >= other,
            (own, _) => own.is_none(),
        };
        later && wider(&self.session, &other.session) && wider(&self.project, &other.project)
    }

    /// False when no row of the part can meet the conditions.
    pub(super) fn may_touch(&self, part: &Arc<Part>) -> bool {
        let outside = |column: &str, wanted: &Option<String>| {
            let (Some(wanted), Some((min, max))) = (wanted.as_deref(), part.min_max.get(column)) else { return false };
            min.as_str().is_some_and(|min| wanted < min) || max.as_str().is_some_and(|max| wanted > max)
        };
        let too_new = self.before_us.is_some_and(|before| part.min_ts_us >= before);
        !too_new && !outside("session_id", &self.session) && !outside("project", &self.project)
    }

    /// Rows that stay.
    pub(crate) fn keeps(&self, batch: &RecordBatch) -> Option<BooleanArray> {
        let times = batch.column_by_name("ts")?.as_primitive::<TimestampMicrosecondType>();
        let sessions = batch.column_by_name("session_id")?.as_string_view();
        let projects = batch.column_by_name("project")?.as_string_view();
        let is = |column: &arrow::array::StringViewArray, row: usize, wanted: &Option<String>| {
            wanted.as_deref().is_none_or(|wanted| column.is_valid(row) && column.value(row) == wanted)
        };
        let goes = |row: usize| {
            self.before_us.is_none_or(|before| times.value(row) < before)
                && is(sessions, row, &self.session)
                && is(projects, row, &self.project)
        };
        Some((0..batch.num_rows()).map(|row| Some(!goes(row))).collect())
    }
}

/// Rows of `events`, ascending, that were pruned and stay away. A filter that reaches into the future
/// was made by a clock that was ahead, and says nothing.
#[must_use]
pub fn pruned_rows(pruned: &[PruneFilter], now_us: i64, events: &RecordBatch) -> Vec<u32> {
    let valid = pruned.iter().filter(|filter| filter.before_us.is_none_or(|before| before <= now_us));
    let masks: Vec<BooleanArray> = valid.filter_map(|filter| filter.keeps(events)).collect();
    let goes = |row: &u32| masks.iter().any(|mask| !mask.value(*row as usize));
    (0..u32::try_from(events.num_rows()).unwrap_or(u32::MAX)).filter(goes).collect()
}

/// The list with `filter` in it; `None` when it says no more than what is there.
pub(super) fn remembered(known: &[PruneFilter], filter: &PruneFilter) -> Option<Vec<PruneFilter>> {
    if known.iter().any(|known| known.covers(filter)) {
        return None;
    }
    Some(known.iter().filter(|known| !filter.covers(known)).chain([filter]).cloned().collect())
}
