//! Edits in an answer, and the figures in Aider's own lines.

use serde::{Deserialize, Serialize};

use crate::adapters::changes::between;
use crate::adapters::money::nano;

/// Lines that an answer adds to and removes from a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Edit {
    pub(super) path: String,
    pub(super) added: i32,
    pub(super) removed: i32,
}

/// The edits in an answer: SEARCH/REPLACE blocks (ORIGINAL/UPDATED before 2023-07) and unified diffs.
pub(super) fn edits_of(answer: &str) -> Vec<Edit> {
    let mut reader = Reader::default();
    answer.lines().for_each(|line| reader.line(line));
    reader.edits
}

#[derive(Debug, Default)]
struct Reader {
    edits: Vec<Edit>,
    /// The last line that was no fence and not blank: what stands above a block names its file.
    above: String,
    part: Part,
    path: String,
    old: String,
    new: String,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Text,
    Old,
    New,
    Diff,
}

impl Reader {
    fn line(&mut self, line: &str) {
        let line = line.trim_end();
        match self.part {
            Part::Text if line.starts_with("<<<<<<<") => {
                self.part = Part::Old;
                // A second block of the same file need not name it again.
                if let Some(path) = path_in(&self.above) {
                    self.path = path.to_owned();
                }
                self.old.clear();
                self.new.clear();
            }
            Part::Text if line.starts_with("```diff") => self.part = Part::Diff,
            Part::Text if line.is_empty() || line.starts_with("```") => {}
            Part::Text => line.clone_into(&mut self.above),
            Part::Old if line.starts_with("=======") => self.part = Part::New,
            Part::Old => push(&mut self.old, line),
            Part::New if line.starts_with(">>>>>>>") => {
                let (added, removed) = between(&self.old, &self.new);
                self.edits.push(Edit { path: self.path.clone(), added, removed });
                self.part = Part::Text;
                self.above.clear();
            }
            Part::New => push(&mut self.new, line),
            Part::Diff => self.diff(line),
        }
    }

    fn diff(&mut self, line: &str) {
        if line.starts_with("```") {
            self.part = Part::Text;
        } else if let Some(path) = line.strip_prefix("+++ ") {
            let path = path.strip_prefix("b/").unwrap_or(path);
            self.edits.push(Edit { path: path.to_owned(), added: 0, removed: 0 });
        } else if let Some(edit) = self.edits.last_mut().filter(|_| !line.starts_with("--- ")) {
            match line.as_bytes().first() {
                Some(b'+') => edit.added = edit.added.saturating_add(1),
                Some(b'-') => edit.removed = edit.removed.saturating_add(1),
                _ => {}
            }
        }
    }
}

fn push(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// The path in the line above a block: `src/a.py`, `**src/a.py**`, `` `src/a.py`: ``.
fn path_in(above: &str) -> Option<&str> {
    let path = above.trim().trim_end_matches(':').trim_matches(['*', '`', '#', ' ']);
    (!path.is_empty() && !path.contains(' ')).then_some(path)
}

/// What a `Tokens:` line tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub(super) sent: Option<i64>,
    pub(super) received: Option<i64>,
    pub(super) cache_write: Option<i64>,
    pub(super) cache_hit: Option<i64>,
    pub(super) cost_nano_usd: Option<i64>,
    /// At least one number is rounded.
    pub(super) rounded: bool,
}

impl Figures {
    /// Reads `Tokens: 12k sent, 8.4k cache write, 4.2k cache hit, 1k received. Cost: $0.05 message, $0.12 session.`
    pub(super) fn of(line: &str) -> Option<Self> {
        let rest = line.strip_prefix("Tokens: ")?;
        let (tokens, cost) = rest.split_once(" Cost: $").map_or((rest, None), |(tokens, cost)| (tokens, Some(cost)));
        let mut figures = Self::default();
        for part in tokens.trim_end_matches(['.', ' ']).split(", ") {
            let (number, what) = part.split_once(' ')?;
            // `cache costs not included` stands between numbers.
            let Some((value, exact)) = number_of(number) else {
                if part.starts_with("cache costs") {
                    continue;
                }
                return None;
            };
            match what {
                "sent" => figures.sent = Some(value),
                "received" => figures.received = Some(value),
                "cache write" => figures.cache_write = Some(value),
                "cache hit" | "cached" => figures.cache_hit = Some(value),
                _ => return None,
            }
            figures.rounded |= !exact;
        }
        let dollars = cost.and_then(|cost| cost.split([' ', ',']).next()?.parse().ok());
        figures.cost_nano_usd = dollars.and_then(nano);
        (figures.sent.is_some() || figures.received.is_some()).then_some(figures)
    }
}

/// A number of tokens, and whether it is exact: `26,200`, `104`, `2.4k`, `12k`.
#[expect(clippy::cast_possible_truncation, reason = "the guard keeps it in range")]
fn number_of(text: &str) -> Option<(i64, bool)> {
    let plain = text.replace(',', "");
    match plain.strip_suffix(['k', 'K']) {
        None => plain.parse().ok().filter(|n: &i64| *n >= 0).map(|n| (n, true)),
        Some(thousands) => {
            let value: f64 = thousands.parse().ok()?;
            (0.0..1e9).contains(&value).then(|| ((value * 1000.0).round() as i64, false))
        }
    }
}

/// What one of Aider's own lines says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said<'a> {
    Figures(Figures),
    Edited(&'a str),
    Created(&'a str),
    /// Commit and its message.
    Commit(&'a str, &'a str),
    Model(&'a str),
    Version(&'a str),
    Error,
    Nothing,
}

/// Reads one of Aider's own lines.
pub(super) fn said(line: &str) -> Said<'_> {
    if let Some(figures) = Figures::of(line) {
        return Said::Figures(figures);
    }
    if let Some(path) = line.strip_prefix("Applied edit to ") {
        return Said::Edited(path);
    }
    if let Some(path) = ["Creating empty file ", "Created new file "].iter().find_map(|p| line.strip_prefix(p)) {
        return Said::Created(path);
    }
    if let Some((hash, message)) = line.strip_prefix("Commit ").and_then(|rest| rest.split_once(' '))
        && (7..=40).contains(&hash.len())
        && hash.bytes().all(|b| b.is_ascii_hexdigit())
    {
        return Said::Commit(hash, message);
    }
    if let Some(model) = ["Main model: ", "Models: ", "Model: "].iter().find_map(|p| line.strip_prefix(p)) {
        let end = model.find([' ', ',']).unwrap_or(model.len());
        let is_name = |model: &&str| model.starts_with(|c: char| c.is_ascii_alphanumeric());
        return model.get(..end).filter(is_name).map_or(Said::Nothing, Said::Model);
    }
    if let Some(version) = line.strip_prefix("Aider v").filter(|v| !v.contains(' ') && !v.is_empty()) {
        return Said::Version(version);
    }
    const ERRORS: [&str; 7] = [
        "litellm.",
        "Unexpected error",
        "The LLM did not conform",
        "Malformed response",
        "Exception while",
        "Unable to ",
        "Can't initialize",
    ];
    if ERRORS.iter().any(|start| line.starts_with(start)) { Said::Error } else { Said::Nothing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_all_ages_name_file_and_lines() {
        let text = "Here:\n\nsrc/a.py\n```python\n<<<<<<< SEARCH\na\nb\n=======\na\nc\nd\n>>>>>>> REPLACE\n```\n\nAnd:\n```css\nb.css\n<<<<<<< ORIGINAL\nx\n=======\n>>>>>>> UPDATED\n```\n```diff\n--- a/c.py\n+++ b/c.py\n@@ @@\n-1\n+2\n+3\n```\n";
        let found: Vec<_> = edits_of(text).into_iter().map(|e| (e.path, e.added, e.removed)).collect();
        assert_eq!(found, [("src/a.py".into(), 2, 1), ("b.css".into(), 0, 1), ("c.py".into(), 2, 1)]);
    }

    #[test]
    fn lines_that_are_aiders_own_are_understood() {
        assert_eq!(said("Applied edit to a b.py"), Said::Edited("a b.py"));
        assert_eq!(said("Commit 1a2b3c4 feat: x"), Said::Commit("1a2b3c4", "feat: x"));
        assert_eq!(said("Commit before the chat proceeds [y/n]? y"), Said::Nothing);
        assert_eq!(
            said("Main model: anthropic/claude-sonnet-4 with diff edit format"),
            Said::Model("anthropic/claude-sonnet-4")
        );
        assert_eq!(said("Models: gpt-4o, weak model gpt-4o-mini"), Said::Model("gpt-4o"));
        assert_eq!(said("Models: ['gpt-4o', 'gpt-4']"), Said::Nothing);
        assert_eq!(said("Aider v0.86.1"), Said::Version("0.86.1"));
        assert_eq!(said("Aider version 1"), Said::Nothing);
    }
}
