//! The nearest right word for a wrong one.

/// The word of `known` that is closest to `word`, unless all are too far away to be meant.
#[must_use]
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = word.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for candidate in known {
        let score = likeness(&wanted, &candidate.to_lowercase());
        if best.is_none_or(|(top, _)| score > top) {
            best = Some((score, candidate));
        }
    }
    best.filter(|(score, _)| *score >= 0.6).map(|(_, word)| word)
}

/// Between 0 and 1. Typing mistakes count by edits; a part of the word (`tokens` for `total_tokens`) is likely too.
fn likeness(wanted: &str, candidate: &str) -> f64 {
    let edits = strsim::normalized_damerau_levenshtein(wanted, candidate);
    let part = wanted.len() >= 4 && (candidate.contains(wanted) || wanted.contains(candidate) && candidate.len() >= 4);
    let related = if part { 0.7 } else { 0.0 };
    edits.max(related)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_mistake_finds_its_word_and_nonsense_finds_none() {
        let known = ["model", "session_id", "output_tokens", "turn"];
        assert_eq!(nearest("modle", known), Some("model"));
        assert_eq!(nearest("SesionId", known), Some("session_id"));
        assert_eq!(nearest("tokens", known), Some("output_tokens"));
        assert_eq!(nearest("xylophone", known), None);
        assert_eq!(nearest("evnts", ["events", "rejects", "sources"]), Some("events"));
        assert_eq!(nearest("Source", ["events", "rejects", "sources"]), Some("sources"));
        assert_eq!(nearest("qqqq", ["events", "rejects", "sources"]), None);
    }
}
