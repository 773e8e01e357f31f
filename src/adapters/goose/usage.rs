//! What requests took.

use super::AGENT;
use crate::schema::{EventId, EventRow};

/// Tokens as Goose counts them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    pub(super) input: Option<i64>,
    pub(super) output: Option<i64>,
    pub(super) total: Option<i64>,
    pub(super) read: Option<i64>,
    pub(super) write: Option<i64>,
}

impl Tokens {
    /// Nothing when no count is above zero.
    pub(super) fn known(self) -> Option<Self> {
        let parts = [self.input, self.output, self.read, self.write];
        parts.iter().flatten().any(|n| *n > 0).then_some(self)
    }

    /// Fresh input: what was read from and written to a cache is part of `input`, unless the total
    /// counts it beside.
    fn fresh(self) -> Option<i64> {
        let input = self.input?;
        let cached = self.read.unwrap_or(0).saturating_add(self.write.unwrap_or(0));
        let beside = self.total.is_some_and(|total| {
            cached > 0 && total == input.saturating_add(self.output.unwrap_or(0)).saturating_add(cached)
        });
        Some(if beside || cached > input { input } else { input - cached })
    }

    /// Fills the usage columns of a row.
    pub(super) fn fill<'a>(self, source: &'a str, row: EventRow<'a>) -> EventRow<'a> {
        EventRow {
            input_tokens: self.fresh(),
            cache_read_tokens: self.read,
            cache_write_5m_tokens: self.write,
            output_tokens: self.output,
            usage_source: Some(source),
            ..row
        }
    }
}

/// Identity of what a session took before there was a ledger.
pub(super) fn total_id(session: &str) -> Option<EventId> {
    Some(EventId::of(AGENT, "total", &[session.as_bytes()]))
}
