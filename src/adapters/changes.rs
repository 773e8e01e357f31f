//! Lines that an edit adds and removes.

use crate::adapters::diff;

/// Lines added and removed.
pub(super) type Lines = (i32, i32);

fn int(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// Lines between two texts: what is equal at both ends does not count.
pub(super) fn between(old: &str, new: &str) -> Lines {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(a, b)| a == b).count();
    let common = (head + tail).min(old.len().min(new.len()));
    (int(new.len() - common), int(old.len() - common))
}

/// Lines of a diff: of SEARCH/REPLACE blocks, of a unified diff or a patch; `None` for anything else.
pub(super) fn of_diff(text: &str) -> Option<Lines> {
    let blocks = Blocks::default().read(text);
    if blocks.found {
        return Some((blocks.added, blocks.removed));
    }
    let is_diff = diff::has_hunks(text) || text.lines().any(|l| l.starts_with("*** Begin Patch"));
    is_diff.then(|| diff::lines(text))
}

/// Reads SEARCH/REPLACE blocks.
#[derive(Debug, Default)]
struct Blocks {
    found: bool,
    added: i32,
    removed: i32,
}

impl Blocks {
    fn read(mut self, text: &str) -> Self {
        let (mut old, mut new, mut part) = (String::new(), String::new(), 0);
        for line in text.lines() {
            let is = |mark: char| line.len() >= 7 && line.chars().take(7).all(|c| c == mark);
            let opens = is('<') || (line.starts_with("---") && line.ends_with("SEARCH"));
            let closes = is('>') || (line.starts_with("+++") && line.ends_with("REPLACE"));
            match part {
                0 if opens => part = 1,
                1 if is('=') => part = 2,
                2 if closes => {
                    let (added, removed) = between(&old, &new);
                    self.added = self.added.saturating_add(added);
                    self.removed = self.removed.saturating_add(removed);
                    self.found = true;
                    old.clear();
                    new.clear();
                    part = 0;
                }
                // Roo puts the line number before the text.
                1 if !line.starts_with(":start_line:") && !line.starts_with(":end_line:") && line != "-------" => {
                    old.push_str(line);
                    old.push('\n');
                }
                2 => {
                    new.push_str(line);
                    new.push('\n');
                }
                _ => {}
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_equal_at_both_ends_of_an_edit_does_not_count() {
        assert_eq!(between("a\nb\nc", "a\nx\ny\nc"), (2, 1));
        assert_eq!(between("a\na", "a"), (0, 1));
        assert_eq!(between("", "a\nb"), (2, 0));
        assert_eq!(between("same", "same"), (0, 0));
    }

    #[test]
    fn diffs_of_all_three_kinds_are_counted() {
        let blocks = "<<<<<<< SEARCH\n:start_line:4\n-------\nold\n=======\nnew\nmore\n>>>>>>> REPLACE\n";
        assert_eq!(of_diff(blocks), Some((2, 1)));
        assert_eq!(of_diff("------- SEARCH\na\n=======\nb\n+++++++ REPLACE"), Some((1, 1)));
        assert_eq!(of_diff("--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n+z"), Some((2, 1)));
        assert_eq!(of_diff("just text"), None);
    }
}
