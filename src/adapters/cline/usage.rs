//! Tokens and cost of a request, as `api_req_started` and its sums have them.

use crate::adapters::json::Json;
use crate::adapters::money::nano;
use crate::schema::{EventRow, Format};

/// What a request took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) input: Option<i64>,
    pub(super) output: Option<i64>,
    pub(super) cache_read: Option<i64>,
    pub(super) cache_write: Option<i64>,
    pub(super) cost_nano_usd: Option<i64>,
    /// The fresh input is a difference.
    pub(super) derived: bool,
}

impl Usage {
    /// Reads `{tokensIn, tokensOut, cacheWrites, cacheReads, cost}`.
    pub(super) fn of(info: Json<'_, '_>, format: Format) -> Self {
        let mut usage = Self {
            input: info.i64_at("tokensIn"),
            output: info.i64_at("tokensOut"),
            cache_read: info.i64_at("cacheReads"),
            cache_write: info.i64_at("cacheWrites"),
            cost_nano_usd: info.get("cost").and_then(Json::as_f64).and_then(nano),
            derived: false,
        };
        // Before 3.29.5 the input of Anthropic's models had no cache in it, and was a few tokens beside it.
        if matches!(format, Format::RooTask | Format::KiloTask) {
            usage.without_cache();
        }
        usage
    }

    /// Takes the cache out of the input, where it can be in it.
    pub(super) fn without_cache(&mut self) {
        let cache = self.cache_read.unwrap_or(0).saturating_add(self.cache_write.unwrap_or(0));
        if let Some(input) = self.input.filter(|input| cache > 0 && *input >= cache) {
            self.input = Some(input - cache);
            self.derived = true;
        }
    }

    pub(super) const fn is_known(&self) -> bool {
        self.input.is_some() || self.output.is_some() || self.cache_read.is_some() || self.cache_write.is_some()
    }

    /// The row with this usage; `source` when nothing was converted.
    pub(super) fn on<'a>(&self, row: EventRow<'a>, source: &'a str) -> EventRow<'a> {
        EventRow {
            input_tokens: self.input,
            output_tokens: self.output,
            cache_read_tokens: self.cache_read,
            cache_write_5m_tokens: self.cache_write,
            cost_nano_usd: self.cost_nano_usd,
            usage_source: self.is_known().then_some(if self.derived { "derived" } else { source }),
            ..row
        }
    }
}
