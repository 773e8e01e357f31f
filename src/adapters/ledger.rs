//! Which rows of a file have been handed out: for logs that write a record again as it grows.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::schema::{EventId, EventRow, Rows};

/// The rows handed out so far, so that a record that is written again makes only the rows that changed.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Hash of the content, and how often it has changed.
    rows: HashMap<EventId, (u64, i64)>,
    /// Lines are read again: nothing is handed out.
    pub(super) quiet: bool,
}

impl Ledger {
    /// True when a row of this event has been handed out.
    pub(super) fn knows(&self, id: Option<EventId>) -> bool {
        id.is_some_and(|id| self.rows.contains_key(&id))
    }

    /// Hands `row` out unless its content has been handed out already.
    ///
    /// Of two records of an event that with what matters most (`whole`: usage, a result) is the more
    /// complete, then the later one of a file, then the longer one.
    pub(super) fn emit(&mut self, row: &EventRow<'_>, whole: bool, rows: &mut Rows) {
        self.emit_as(row, row, whole, rows);
    }

    /// The same for a row that is new only when `like` is.
    pub(super) fn emit_as(&mut self, like: &EventRow<'_>, row: &EventRow<'_>, whole: bool, rows: &mut Rows) {
        let content = content(like);
        let times = match row.id.map(|id| self.rows.entry(id)) {
            Some(std::collections::hash_map::Entry::Occupied(mut known)) => {
                let (before, times) = *known.get();
                if before == content {
                    return;
                }
                known.insert((content, times + 1));
                times + 1
            }
            Some(std::collections::hash_map::Entry::Vacant(free)) => {
                free.insert((content, 0));
                0
            }
            None => 0,
        };
        if !self.quiet {
            let length = row.text.or(row.tool_output).map_or(0, str::len).min((1 << 20) - 1);
            let length = i64::try_from(length).unwrap_or_default();
            rows.event(&EventRow { completeness: 1 + (i64::from(whole) << 40) + (times << 20) + length, ..*row });
        }
    }
}

fn content(row: &EventRow<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (row.ts_us, row.text, row.model, row.tool_name, row.tool_input, row.tool_output).hash(&mut hasher);
    (row.status, row.is_error, row.exit_code, row.extra, row.event_type).hash(&mut hasher);
    (row.input_tokens, row.output_tokens, row.cache_read_tokens, row.reasoning_tokens).hash(&mut hasher);
    (row.lines_added, row.lines_removed, row.duration_ms).hash(&mut hasher);
    hasher.finish()
}
