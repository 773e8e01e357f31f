//! Tokens and cost of a request, as `api_req_started` and its sums have them.

use crate::adapters::json::Json;
use crate::adapters::money::nano;
use crate::schema::{EventRow, Format, TokenUsage};

/// What a request took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) tokens: TokenUsage,
    pub(super) cost_nano_usd: Option<i64>,
}

impl Usage {
    /// Reads `{tokensIn, tokensOut, cacheWrites, cacheReads, cost}`.
    pub(super) fn of(info: Json<'_, '_>, format: Format) -> Self {
        let parts = ["tokensIn", "cacheReads", "cacheWrites", "tokensOut"];
        let [input, read, written, output] = parts.map(|key| info.i64_at(key));
        // Before 3.29.5 the input of Anthropic's models had no cache in it, and was a few tokens beside it.
        let tokens = match format {
            Format::RooTask | Format::KiloTask => TokenUsage::as_provided(input, read, written, output),
            _ => TokenUsage::disjoint(input, read, written, output),
        };
        Self { tokens, cost_nano_usd: info.get("cost").and_then(Json::as_f64).and_then(nano) }
    }

    /// The row with this usage.
    pub(super) fn on<'a>(&self, row: EventRow<'a>) -> EventRow<'a> {
        EventRow { cost_nano_usd: self.cost_nano_usd, ..self.tokens.on(row) }
    }
}
