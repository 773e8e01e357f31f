//! Aligned columns of text, without the query engine.
//!
//! What does not fit on a terminal is cut with `…`, the widest column first; keys are never cut. Control
//! characters become symbols: logs must not drive the terminal.

use std::io::{self, Write};

use crate::text::{clean, one_line, width};

/// Text is broken into lines of at least this many columns.
const NARROWEST: usize = 24;

/// How a column is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
    /// To the left and never cut: what the row is known by. A last column of keys may run over.
    Key,
}

/// A table being filled.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<String>>,
    /// The last row is a sum: a rule comes before it.
    total: bool,
}

impl Table {
    pub(super) fn new(columns: &[(&'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new(), total: false }
    }

    /// Appends a row; missing cells are empty.
    pub(super) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut row: Vec<String> = cells.into_iter().map(|cell| one_line(&cell).into_owned()).collect();
        row.resize(self.columns.len(), String::new());
        self.rows.push(row);
    }

    /// Appends the row that sums up the others.
    pub(super) fn total(&mut self, cells: impl IntoIterator<Item = String>) {
        self.row(cells);
        self.total = true;
    }

    /// Writes it, at most `columns` wide when that is known.
    pub(super) fn write(&self, out: &mut dyn Write, columns: Option<u16>) -> io::Result<()> {
        let widths = self.widths(columns.map(usize::from));
        let header: Vec<String> = self.columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        self.line(out, &header, &widths)?;
        let rule = self.rule(&widths, columns.map(usize::from));
        self.line(out, &rule, &widths)?;
        for (i, row) in self.rows.iter().enumerate() {
            if self.total && i + 1 == self.rows.len() {
                self.line(out, &rule, &widths)?;
            }
            self.line(out, row, &widths)?;
        }
        Ok(())
    }

    /// The line below the header; it ends where the screen does.
    fn rule(&self, widths: &[usize], limit: Option<usize>) -> Vec<String> {
        let mut rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        if let (Some(limit), Some((last, before)), Some((name, _))) = (limit, widths.split_last(), self.columns.last())
        {
            let left = limit.saturating_sub(before.iter().map(|width| width + 2).sum());
            if let Some(rule) = rule.last_mut() {
                *rule = "─".repeat((*last).min(left.max(width(name))));
            }
        }
        rule
    }

    /// Writes it like [`Table::write`], but nothing is cut: the last column is broken between words.
    pub(super) fn write_wrapped(&self, out: &mut dyn Write, columns: Option<u16>) -> io::Result<()> {
        let all = self.widths(None);
        let Some((last, before)) = all.split_last() else { return Ok(()) };
        let indent = before.iter().map(|width| width + 2).sum::<usize>();
        let room = columns.map_or(*last, |columns| usize::from(columns).saturating_sub(indent));
        let mut wrapped = Self { rows: Vec::new(), ..Self::new(&self.columns) };
        for row in &self.rows {
            let Some((text, cells)) = row.split_last() else { continue };
            // A strip of single words would be worse than lines that the terminal breaks.
            for (i, line) in words_in_lines(text, room.max(NARROWEST)).into_iter().enumerate() {
                let cells = cells.iter().map(|cell| if i == 0 { cell.clone() } else { String::new() });
                wrapped.row(cells.chain([line]));
            }
        }
        wrapped.write(out, None)
    }

    fn widths(&self, limit: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|(name, _)| width(name)).collect();
        for row in &self.rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell));
            }
        }
        let Some(limit) = limit else { return widths };
        // The widest left-aligned column gives way first, down to a width that still says something.
        let gaps = 2 * widths.len().saturating_sub(1);
        while widths.iter().sum::<usize>() + gaps > limit {
            let shrinkable =
                self.columns.iter().zip(&mut widths).filter(|((_, align), width)| *align == Align::Left && **width > 8);
            match shrinkable.map(|(_, width)| width).max() {
                Some(widest) => *widest -= 1,
                None => break,
            }
        }
        widths
    }

    fn line(&self, out: &mut dyn Write, cells: &[String], widths: &[usize]) -> io::Result<()> {
        let mut line = String::new();
        for (i, ((cell, limit), (_, align))) in cells.iter().zip(widths).zip(&self.columns).enumerate() {
            if i > 0 {
                line.push_str("  ");
            }
            let text = clean(cell, *limit);
            let padding = " ".repeat(limit.saturating_sub(width(&text)));
            match align {
                Align::Left | Align::Key => line.extend([text.as_str(), &padding]),
                Align::Right => line.extend([padding.as_str(), &text]),
            }
        }
        writeln!(out, "{}", line.trim_end())
    }
}

/// `text` as lines of at most `limit` terminal columns, but for words that are longer.
pub(super) fn words_in_lines(text: &str, limit: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if width(line) + 1 + width(word) <= limit => line.extend([" ", word]),
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(table: &Table, columns: Option<u16>) -> String {
        let mut out = Vec::new();
        table.write(&mut out, columns).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn sample() -> Table {
        let mut table = Table::new(&[("agent", Align::Left), ("rows", Align::Right), ("path", Align::Left)]);
        table.row(["claude".into(), "1,234".into(), "/home/ann/数据/a-long-name.jsonl".into()]);
        table.row(["codex".into(), "5".into(), "bad\u{1b}[2Jname\nx".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_and_control_characters_do_nothing() {
        insta::assert_snapshot!(printed(&sample(), None), @"
    agent    rows  path
    ──────  ─────  ────────────────────────────────
    claude  1,234  /home/ann/数据/a-long-name.jsonl
    codex       5  bad␛[2Jname↵x
    ");
    }

    #[test]
    fn what_is_wrapped_is_whole() {
        let mut table = Table::new(&[("column", Align::Left), ("meaning", Align::Left)]);
        table.row(["ts".into(), "When it happened, as the agent wrote it down, in UTC.".into()]);
        let wrapped = |columns| {
            let mut out = Vec::new();
            table.write_wrapped(&mut out, columns).unwrap();
            String::from_utf8(out).unwrap()
        };
        insta::assert_snapshot!(wrapped(Some(38)), @"
    column  meaning
    ──────  ──────────────────────────────
    ts      When it happened, as the agent
            wrote it down, in UTC.
    ");
        assert_eq!(wrapped(None), printed(&table, None));
        assert!(wrapped(Some(5)).contains("UTC."), "nothing is lost in any width");
    }

    #[test]
    fn keys_are_whole_in_any_width() {
        let mut table = Table::new(&[("rows", Align::Right), ("remark", Align::Left), ("path", Align::Key)]);
        table.row(["5".into(), "a rather long remark".into(), "/home/ann/a-long-name.jsonl".into()]);
        insta::assert_snapshot!(printed(&table, Some(30)), @"
    rows  remark    path
    ────  ────────  ──────────────
       5  a rathe…  /home/ann/a-long-name.jsonl
    ");
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        let text = printed(&sample(), Some(30));
        assert!(text.lines().all(|line| width(line) <= 30), "{text}");
        assert!(text.contains("/home/ann/数据…"), "{text}");
    }
}
