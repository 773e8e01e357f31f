//! Tokens as Google's API counts them: the cache is part of the prompt, thoughts come beside the answer.

use crate::schema::TokenUsage;

/// `prompt` includes `cached` (which cannot be more), thoughts come beside `candidates`, and the input of the
/// provider's own tools beside `prompt`.
pub(super) fn google(
    prompt: Option<i64>,
    cached: Option<i64>,
    candidates: Option<i64>,
    thoughts: Option<i64>,
    tool: Option<i64>,
) -> Option<TokenUsage> {
    let parts = [prompt, cached, candidates, thoughts, tool].map(|part| part.map(|n| n.max(0)));
    parts.iter().any(Option::is_some).then_some(())?;
    let [prompt, cached, candidates, thoughts, tool] = parts;
    let cached = cached.map(|cached| prompt.map_or(cached, |prompt| cached.min(prompt)));
    let usage = TokenUsage::inclusive(prompt, cached, None, candidates).thoughts_beside(thoughts);
    let fresh = tool.map(|tool| tool.saturating_add(usage.fresh.unwrap_or(0))).or(usage.fresh);
    Some(TokenUsage { fresh, ..usage })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cached_input_is_part_of_the_prompt_and_thoughts_come_on_top() {
        let usage = google(Some(100), Some(30), Some(10), Some(5), Some(7)).unwrap();
        let expected = TokenUsage::disjoint(Some(77), Some(30), None, Some(15)).thoughts_within(Some(5));
        assert_eq!(usage, expected);
        assert_eq!(google(None, None, None, None, None), None);
        let more = google(Some(10), Some(30), None, None, None).unwrap();
        assert_eq!((more.fresh, more.read, more.output), (Some(0), Some(10), None));
    }
}
