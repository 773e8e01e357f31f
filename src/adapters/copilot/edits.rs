//! How many lines an edit adds and removes.
//!
//! A `textEditGroup` is one write of one file. Its `edits` are a list of lists, because the editor
//! applies them as they stream in, line by line: hundreds of entries are one write.

use crate::adapters::json::Json;

/// Lines that changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) added: i32,
    pub(super) removed: i32,
}

impl Lines {
    pub(super) const fn add(&mut self, other: Self) {
        self.added = self.added.saturating_add(other.added);
        self.removed = self.removed.saturating_add(other.removed);
    }

    /// How many there are, as part of a completeness.
    pub(super) fn size(self) -> i64 {
        i64::from(self.added.saturating_add(self.removed)).clamp(0, 1 << 20)
    }
}

/// Lines of all edits of a group, however deep they are nested; `None` when there are none.
pub(super) fn lines_of(edits: Json<'_, '_>) -> Option<Lines> {
    let mut sum = None;
    for item in edits.items() {
        let one = if item.is_array() { lines_of(item) } else { of_edit(item) };
        if let Some(one) = one {
            sum.get_or_insert_with(Lines::default).add(one);
        }
    }
    sum
}

/// True when there is no edit in a group, however deep it is nested.
pub(super) fn is_empty(edits: Json<'_, '_>) -> bool {
    edits.items().all(|item| item.is_array() && is_empty(item))
}

/// `{text, range: {startLineNumber, startColumn, endLineNumber, endColumn}}`; columns start at 1.
fn of_edit(edit: Json<'_, '_>) -> Option<Lines> {
    let text = edit.get("text")?.as_str()?;
    let range = edit.get("range")?;
    let at = |key: &str| range.i64_at(key);
    let (first, last) = (at("startLineNumber")?, at("endLineNumber")?);
    let (from, to) = (at("startColumn").unwrap_or(1), at("endColumn").unwrap_or(1));
    let is_empty = first == last && from == to;
    let breaks = i64::try_from(text.matches('\n').count()).unwrap_or(i64::MAX);
    // Whole lines: the range ends, and the text too, where a line starts.
    let removed = last.saturating_sub(first).max(0) + i64::from(!is_empty && to > 1);
    let after_line = from > 1 && is_empty && text.starts_with('\n');
    let added = breaks.saturating_add(i64::from(!text.is_empty() && !text.ends_with('\n') && !after_line));
    // Text put into the middle of a line changes that line.
    let changed = i64::from(is_empty && from > 1 && !text.is_empty() && !after_line);
    let narrow = |n: i64| i32::try_from(n).unwrap_or(i32::MAX);
    Some(Lines { added: narrow(added), removed: narrow(removed.saturating_add(changed)) })
}

/// Lines that a patch in `apply_patch`'s form, or a pair of old and new texts, adds and removes.
pub(super) fn lines_of_arguments(arguments: Json<'_, '_>) -> Option<Lines> {
    let count = |text: &str| i32::try_from(text.lines().count()).unwrap_or(i32::MAX);
    if let Some(patch) = arguments.str_at("input").filter(|p| p.contains("*** ")) {
        let starting = |c: char| {
            let lines = patch.lines().filter(|l| l.starts_with(c));
            i32::try_from(lines.count()).unwrap_or(i32::MAX)
        };
        return Some(Lines { added: starting('+'), removed: starting('-') });
    }
    let pair = |old: &str, new: &str| {
        let new = arguments.get(new).and_then(Json::as_str)?;
        Some(Lines { added: count(new), removed: count(arguments.get(old).and_then(Json::as_str)?) })
    };
    if let Some(lines) = pair("oldString", "newString") {
        return Some(lines);
    }
    if let Some(list) = arguments.get("replacements").filter(|l| l.is_array()) {
        let mut sum = Lines::default();
        list.items().filter_map(lines_of_arguments).for_each(|lines| sum.add(lines));
        return Some(sum);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::line::Parser;

    fn lines(edits: &str) -> Option<Lines> {
        let mut found = None;
        Parser::default().each(edits.as_bytes(), |json| found = lines_of(json)).unwrap();
        found
    }

    fn edit(text: &str, range: [u32; 4]) -> String {
        let [a, b, c, d] = range;
        let range = serde_json::json!({"startLineNumber": a, "startColumn": b, "endLineNumber": c, "endColumn": d});
        serde_json::json!({"text": text, "range": range}).to_string()
    }

    #[test]
    fn edits_are_counted_in_lines() {
        for (text, range, added, removed) in [
            ("new\n", [3, 1, 3, 1], 1, 0),
            ("new\n", [3, 1, 4, 1], 1, 1),
            ("", [3, 1, 6, 1], 0, 3),
            ("x", [3, 5, 3, 7], 1, 1),
            ("x", [3, 5, 3, 5], 1, 1),
            ("\nx", [3, 5, 3, 5], 1, 0),
            ("a\nb\nc", [1, 1, 2, 9], 3, 2),
        ] {
            let found = lines(&format!("[[{}]]", edit(text, range)));
            assert_eq!(found, Some(Lines { added, removed }), "{text:?} {range:?}");
        }
        assert_eq!(lines("[[],[]]"), None);
        for (text, empty) in [("[[],[]]", true), ("[[],[{}]]", false), ("[{}]", false), ("[]", true)] {
            Parser::default().each(text.as_bytes(), |json| assert_eq!(is_empty(json), empty, "{text}")).unwrap();
        }
        assert_eq!(
            lines(&format!("[[{}],[{}]]", edit("a\n", [1, 1, 1, 1]), edit("b\n", [2, 1, 2, 1]))).unwrap().added,
            2
        );
    }
}
