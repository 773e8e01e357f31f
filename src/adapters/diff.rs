//! Lines that a unified diff, or a patch of the form `*** Begin Patch`, adds and removes.
//!
//! - the head of a hunk (`@@ -a,b +c,d @@`) says how many lines follow: what begins with `---` or `+++`
//!   among them is a line of the file that begins with `--` or `++`
//! - outside such a hunk (a diff without heads, or whose heads give no lengths) such lines name files;
//!   a patch names files in another way, so that it has none

/// Lines added and removed.
pub(super) fn lines(diff: &str) -> (i32, i32) {
    let names_files = !diff.trim_start().starts_with("*** Begin Patch");
    let mut hunk = Hunk::default();
    let (mut added, mut removed) = (0i32, 0i32);
    for line in diff.lines() {
        if let Some(head) = line.strip_prefix("@@") {
            hunk = Hunk::of(head).unwrap_or_default();
            continue;
        }
        let is_name = !hunk.takes(line) && names_files && (line.starts_with("+++") || line.starts_with("---"));
        match line.as_bytes().first() {
            Some(b'+') if !is_name => added = added.saturating_add(1),
            Some(b'-') if !is_name => removed = removed.saturating_add(1),
            _ => {}
        }
    }
    (added, removed)
}

/// True when a text has hunks: it is a diff.
pub(super) fn has_hunks(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("@@"))
}

/// How many lines of the old and of the new text a hunk still has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Hunk {
    old: u32,
    new: u32,
}

impl Hunk {
    /// What stands behind the first `@@` of a head: ` -a,b +c,d @@ …`; a length that is left out is 1.
    fn of(head: &str) -> Option<Self> {
        let mut ranges = head.split("@@").next()?.split_ascii_whitespace();
        let mut length = |sign: char| {
            let range = ranges.next()?.strip_prefix(sign)?;
            range.split_once(',').map_or(Some(1), |(_, length)| length.parse().ok())
        };
        Some(Self { old: length('-')?, new: length('+')? })
    }

    /// True when the line is one of the hunk's.
    fn takes(&mut self, line: &str) -> bool {
        if line.starts_with("diff --git ") || line.starts_with("Index: ") {
            // The head promised more than there is.
            *self = Self::default();
        }
        if *self == Self::default() {
            return false;
        }
        let (old, new) = match line.as_bytes().first() {
            Some(b'+') => (0, 1),
            Some(b'-') => (1, 0),
            Some(b'\\') => (0, 0),
            _ => (1, 1),
        };
        *self = Self { old: self.old.saturating_sub(old), new: self.new.saturating_sub(new) };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_hunk_count_whatever_they_begin_with() {
        let sql = "--- a/q.sql\n+++ b/q.sql\n@@ -1,3 +1,3 @@ head\n--- old comment\n+++x\n select 1;\n\n";
        assert_eq!(lines(sql), (1, 1));
        let two = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +0,0 @@\n--- gone\n--- a/y\n+++ b/y\n@@ -0,0 +1,2 @@\n+++i\n+j\n\
                   \\ No newline at end of file\n";
        assert_eq!(lines(two), (2, 1), "files are named between hunks");
    }

    #[test]
    fn heads_that_promise_too_much_or_nothing_do_not_swallow_the_names_of_files() {
        assert_eq!(lines("@@ -1,9 +1,9 @@\n-x\ndiff --git a/y b/y\n--- a/y\n+++ b/y\n@@ -1 +1 @@\n-y\n+z\n"), (1, 2));
        assert_eq!(lines("--- a\n+++ b\n@@\n-x\n+y\n+z\n"), (2, 1));
        assert_eq!(lines("--- a\n+++ b\n@@ -x +y @@\n-x\n+y\n"), (1, 1));
        assert_eq!(lines("--- a\n+++ b\n-x\n+y\n"), (1, 1), "without heads");
        // More lines than promised are lines all the same.
        assert_eq!(lines("@@ -1 +1 @@\n-x\n+y\n+z\n"), (2, 1));
    }

    #[test]
    fn a_patch_has_no_names_of_files_to_leave_out() {
        assert_eq!(lines("*** Begin Patch\n*** Update File: q.sql\n@@\n--- old\n+++i\n*** End Patch"), (1, 1));
    }

    #[test]
    fn only_a_text_with_hunks_is_a_diff() {
        assert!(has_hunks("--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y"));
        assert!(!has_hunks("- a list\n+ not a diff"));
    }
}
