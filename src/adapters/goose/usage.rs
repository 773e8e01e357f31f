//! What requests took.

use super::AGENT;
use crate::schema::{EventId, TokenUsage};

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

    /// Cache counts are part of `input`, unless the total counts them beside.
    pub(super) fn usage(self) -> TokenUsage {
        let cached = self.read.unwrap_or(0).saturating_add(self.write.unwrap_or(0));
        let parts = [self.input, self.output, Some(cached)];
        let all = parts.iter().flatten().fold(0i64, |sum, n| sum.saturating_add(*n));
        if self.input.is_some() && cached > 0 && self.total == Some(all) {
            TokenUsage::disjoint(self.input, self.read, self.write, self.output)
        } else {
            TokenUsage::as_provided(self.input, self.read, self.write, self.output)
        }
    }
}

/// Identity of what a session took before there was a ledger.
pub(super) fn total_id(session: &str) -> Option<EventId> {
    Some(EventId::of(AGENT, "total", &[session.as_bytes()]))
}
