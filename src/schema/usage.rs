//! What a model call took, in parts that do not overlap.

use super::event::EventRow;
use super::usage_source::UsageSource;

/// Tokens in disjoint parts. How a log counts decides which function makes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Input that was neither read from nor written to a cache.
    pub fresh: Option<i64>,
    /// Input read from a cache.
    pub read: Option<i64>,
    /// Input written to a cache.
    pub written: Option<i64>,
    /// Output, reasoning included.
    pub output: Option<i64>,
    /// The part of the output that was reasoning.
    pub reasoning: Option<i64>,
    /// Where the numbers are from.
    pub source: UsageSource,
}

impl TokenUsage {
    /// The log's input has no cache in it (Anthropic's way).
    #[must_use]
    pub fn disjoint(input: Option<i64>, read: Option<i64>, written: Option<i64>, output: Option<i64>) -> Self {
        Self { fresh: input, read, written, output, ..Self::default() }
    }

    /// The log's input has in it what was read from and written to a cache (OpenAI's way).
    #[must_use]
    pub fn inclusive(input: Option<i64>, read: Option<i64>, written: Option<i64>, output: Option<i64>) -> Self {
        let cached = read.unwrap_or(0).saturating_add(written.unwrap_or(0));
        Self::disjoint(input.map(|input| input.saturating_sub(cached).max(0)), read, written, output)
    }

    /// The log counts as the provider does, and does not say which one: an input that can hold what the cache
    /// took holds it.
    #[must_use]
    pub fn as_provided(input: Option<i64>, read: Option<i64>, written: Option<i64>, output: Option<i64>) -> Self {
        let cached = read.unwrap_or(0).saturating_add(written.unwrap_or(0));
        if input.is_some_and(|input| cached > input) {
            Self::disjoint(input, read, written, output)
        } else {
            Self::inclusive(input, read, written, output)
        }
    }

    /// With reasoning that the log's output has in it.
    #[must_use]
    pub const fn thoughts_within(self, reasoning: Option<i64>) -> Self {
        Self { reasoning, ..self }
    }

    /// With reasoning that the log counts beside its output (Google's way).
    #[must_use]
    pub fn thoughts_beside(self, reasoning: Option<i64>) -> Self {
        let output = match (self.output, reasoning) {
            (None, None) => None,
            (output, reasoning) => Some(output.unwrap_or(0).saturating_add(reasoning.unwrap_or(0))),
        };
        Self { output, reasoning, ..self }
    }

    /// The numbers are a step of counters that run on from call to call.
    #[must_use]
    pub const fn counter_step(self) -> Self {
        self.from(UsageSource::Derived)
    }

    /// With another source.
    #[must_use]
    pub const fn from(self, source: UsageSource) -> Self {
        Self { source, ..self }
    }

    /// True when a part is known that counts in a total.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.fresh.is_some() || self.read.is_some() || self.written.is_some() || self.output.is_some()
    }

    /// The row with these numbers; without any, it has no source of them either.
    #[must_use]
    pub fn on(self, row: EventRow<'_>) -> EventRow<'_> {
        EventRow {
            input_tokens: self.fresh,
            cache_read_tokens: self.read,
            cache_write_5m_tokens: self.written,
            output_tokens: self.output,
            reasoning_tokens: self.reasoning,
            usage_source: self.is_known().then_some(self.source),
            ..row
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count() -> impl Strategy<Value = Option<i64>> {
        prop::option::of(0i64..1_000_000)
    }

    #[test]
    fn the_same_call_is_the_same_row_however_its_log_counts() {
        let call = TokenUsage::disjoint(Some(70), Some(20), Some(10), Some(15)).thoughts_within(Some(5));
        assert_eq!(TokenUsage::inclusive(Some(100), Some(20), Some(10), Some(15)).thoughts_within(Some(5)), call);
        assert_eq!(TokenUsage::inclusive(Some(100), Some(20), Some(10), Some(10)).thoughts_beside(Some(5)), call);
        assert_eq!(TokenUsage::as_provided(Some(100), Some(20), Some(10), Some(10)).thoughts_beside(Some(5)), call);
        let row = call.on(EventRow::default());
        assert_eq!((row.total(), row.usage_source), (Some(115), Some(UsageSource::Reported)));
        assert_eq!(call.counter_step().on(row).usage_source, Some(UsageSource::Derived));
    }

    #[test]
    fn an_input_that_is_smaller_than_the_cache_has_none_of_it() {
        let usage = TokenUsage::as_provided(Some(3), Some(900), None, Some(1));
        assert_eq!((usage.fresh, usage.read), (Some(3), Some(900)));
    }

    #[test]
    fn without_numbers_there_is_no_source() {
        assert_eq!(TokenUsage::default().on(EventRow::default()).usage_source, None);
        assert_eq!(TokenUsage::default().thoughts_within(Some(3)).on(EventRow::default()).usage_source, None);
    }

    proptest! {
        #[test]
        fn parts_never_fall_below_zero_and_an_inclusive_input_is_kept_whole(
            input in count(), read in count(), written in count(), output in count(), thoughts in count()
        ) {
            let usage = TokenUsage::inclusive(input, read, written, output).thoughts_beside(thoughts);
            prop_assert!([usage.fresh, usage.output].iter().flatten().all(|n| *n >= 0));
            let cached = read.unwrap_or(0) + written.unwrap_or(0);
            if let Some(input) = input {
                prop_assert_eq!(usage.fresh.unwrap() + cached, input.max(cached));
            }
            prop_assert_eq!(usage.is_known(), usage.on(EventRow::default()).total().is_some());
            prop_assert_eq!(usage.is_known(), usage.on(EventRow::default()).usage_source.is_some());
        }
    }
}
