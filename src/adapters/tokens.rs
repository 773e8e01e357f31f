//! Tokens as Google's API counts them: the cache is part of the prompt, thoughts come beside the answer.

use crate::schema::EventRow;

/// Tokens of a call in devlog's parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) fresh: Option<i64>,
    pub(super) cached: Option<i64>,
    pub(super) output: Option<i64>,
    pub(super) reasoning: Option<i64>,
}

impl Usage {
    /// `prompt` includes `cached` (which cannot be more), thoughts come beside `candidates`, and the
    /// input of the provider's own tools beside `prompt`.
    pub(super) fn of(
        prompt: Option<i64>,
        cached: Option<i64>,
        candidates: Option<i64>,
        thoughts: Option<i64>,
        tool: Option<i64>,
    ) -> Option<Self> {
        let parts = [prompt, cached, candidates, thoughts, tool].map(|part| part.map(|n| n.max(0)));
        parts.iter().any(Option::is_some).then_some(())?;
        let [prompt, cached, candidates, thoughts, tool] = parts;
        let cached = cached.map(|cached| prompt.map_or(cached, |prompt| cached.min(prompt)));
        let sum = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
        };
        Some(Self {
            fresh: sum(prompt.map(|prompt| prompt - cached.unwrap_or(0)), tool),
            cached,
            output: sum(candidates, thoughts),
            reasoning: thoughts,
        })
    }

    /// The row with this usage.
    pub(super) fn on<'a>(self, row: EventRow<'a>, source: &'a str) -> EventRow<'a> {
        EventRow {
            input_tokens: self.fresh,
            cache_read_tokens: self.cached,
            output_tokens: self.output,
            reasoning_tokens: self.reasoning,
            usage_source: Some(source),
            ..row
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_input_is_part_of_the_prompt_and_thoughts_come_on_top() {
        let usage = Usage::of(Some(100), Some(30), Some(10), Some(5), Some(7)).unwrap();
        let expected = Usage { fresh: Some(77), cached: Some(30), output: Some(15), reasoning: Some(5) };
        assert_eq!(usage, expected);
        assert_eq!(Usage::of(None, None, None, None, None), None);
        let more = Usage::of(Some(10), Some(30), None, None, None).unwrap();
        assert_eq!((more.fresh, more.cached, more.output), (Some(0), Some(10), None));
    }
}
