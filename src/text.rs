//! What may a screen be shown?
//!
//! Logs, paths and errors of others are text that may drive a terminal, reverse the direction of writing,
//! or hide. Whatever is text for people goes through [`symbol`]; data formats are left as they are.

pub(crate) mod grid;
mod nearest;
pub(crate) mod units;

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

pub use nearest::nearest;

/// What stands for `c` where people read: line ends become `↵`, tabs spaces, other control characters their
/// symbols, and what reverses the direction of writing or is not seen at all `�`.
#[must_use]
pub fn symbol(c: char) -> char {
    match c {
        '\n' => '↵',
        '\t' => ' ',
        '\0'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('�'),
        '\u{7f}' => '␡',
        c if is_hidden(c) => '�',
        c => c,
    }
}

/// Controls of C1 and of formatting, but for the joiners (U+200C, U+200D) that scripts and emoji are written with.
const fn is_hidden(c: char) -> bool {
    matches!(
        c,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{600}'..='\u{605}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

/// `text` on one line, without anything that a terminal obeys or a reader cannot see.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    replaced(text, |c| symbol(c) == c)
}

/// Like [`one_line`], for texts of several lines: their line ends and tabs stay.
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    replaced(text, |c| matches!(c, '\n' | '\t') || symbol(c) == c)
}

fn replaced(text: &str, stays: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.chars().all(&stays) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if stays(c) { c } else { symbol(c) }).collect())
}

/// Columns that a character takes on a terminal.
#[must_use]
pub fn char_width(c: char) -> usize {
    c.width().unwrap_or(1)
}

/// Columns that `text` takes on a terminal.
#[must_use]
pub fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// [`one_line`] of at most `limit` columns; a cut text ends in `…`.
#[must_use]
pub fn clean(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit.saturating_mul(2)));
    let mut used = 0;
    // Where to cut when the text turns out to be too wide.
    let mut fits = 0;
    for c in text.chars() {
        let shown = symbol(c);
        used += char_width(shown);
        if used > limit {
            out.truncate(fits);
            out.push('…');
            return out;
        }
        out.push(shown);
        if used < limit {
            fits = out.len();
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_by_columns_and_keeps_its_last_one_for_the_sign() {
        assert_eq!(clean("abcdef", 6), "abcdef");
        assert_eq!(clean("abcdefg", 6), "abcde…");
        assert_eq!(clean("日本語", 6), "日本語");
        assert_eq!(clean("日本語です", 6), "日本…");
        assert_eq!(clean("日本語", 4), "日…");
        assert!(width(&clean("日本語です", 6)) <= 6);
        assert_eq!(clean("abc", usize::MAX), "abc");
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let all: String = (0..0xe1000u32).filter_map(char::from_u32).collect();
        let shown = clean(&all, usize::MAX);
        assert!(!shown.chars().any(char::is_control));
        assert!(!shown.contains(['\u{202e}', '\u{2066}', '\u{2069}', '\u{200f}', '\u{61c}', '\u{feff}', '\u{e0041}']));
        assert!(shown.contains(['\u{200c}', '\u{200d}']), "scripts and emoji need their joiners");
        assert_eq!(one_line("\u{1b}[31mred\r\n\tx"), "␛[31mred␍↵ x");
        assert_eq!(lines("\u{1b}[31mred\r\n\tx\u{202e}"), "␛[31mred␍\n\tx�");
        assert!(matches!(one_line("plain 日本語"), Cow::Borrowed(_)));
    }
}
