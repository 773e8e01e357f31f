//! Tables of what commands know, in the same grid as the answers of queries.

use std::io::{self, Write};

use crate::text::grid::{Cell, Column, Grid};
use crate::text::{one_line, width};

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
        let set = |(_, align): &(&str, Align)| Column {
            is_number: *align == Align::Right,
            is_rigid: *align != Align::Left,
            is_text: *align == Align::Left,
        };
        let cells = |row: &Vec<String>| row.iter().cloned().map(Cell::from).collect();
        let (total, rows) = match self.rows.split_last() {
            Some((total, rows)) if self.total => (Some(total), rows),
            _ => (None, self.rows.as_slice()),
        };
        let grid = Grid {
            headers: self.columns.iter().map(|(name, _)| (*name).to_owned()).collect(),
            columns: self.columns.iter().map(set).collect(),
            rows: rows.iter().map(cells).collect(),
            total: total.map(cells),
            whole_heads: true,
            runs_over: self.columns.last().is_some_and(|(_, align)| *align == Align::Key),
            ..Grid::default()
        };
        grid.write(&mut &mut *out, columns.map(usize::from))
    }

    /// Writes it like [`Table::write`], but nothing is cut: the last column is broken between words.
    pub(super) fn write_wrapped(&self, out: &mut dyn Write, columns: Option<u16>) -> io::Result<()> {
        let Some((last, before)) = self.columns.len().checked_sub(1).map(|last| (self.widest(last), 0..last)) else {
            return Ok(());
        };
        let indent = before.map(|column| self.widest(column) + 2).sum::<usize>();
        let room = columns.map_or(last, |columns| usize::from(columns).saturating_sub(indent));
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

    /// Columns of a terminal that the widest cell of a column takes.
    fn widest(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|row| row.get(column).map_or(0, |cell| width(cell)));
        cells.chain(self.columns.get(column).map(|(name, _)| width(name))).max().unwrap_or_default()
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
    rows  remark       path
    ────  ───────────  ───────────
       5  a rather l…  /home/ann/a-long-name.jsonl
    ");
    }

    #[test]
    fn what_does_not_fit_is_cut() {
        let text = printed(&sample(), Some(30));
        assert!(text.lines().all(|line| width(line) <= 30), "{text}");
        assert!(text.contains("/home/ann/数据…"), "{text}");
    }
}
