//! Aligned columns.
//!
//! - columns that do not fit give way: the widest texts are cut first, numbers and times never
//! - when even that is not enough, each row becomes a block of `name  value` lines

use std::io::{self, Write};

use super::cell::{clean, width};

/// Columns between two columns.
const GAP: usize = 2;
/// A text column is not cut below this.
const NARROWEST: usize = 10;

/// Cells to be laid out; every row has one cell per header.
#[derive(Debug, Default)]
pub(crate) struct Grid {
    pub(crate) headers: Vec<String>,
    /// Columns that are shown to the right.
    pub(crate) numbers: Vec<bool>,
    /// Columns that are never cut.
    pub(crate) rigid: Vec<bool>,
    pub(crate) rows: Vec<Vec<String>>,
    /// A last row below a line.
    pub(crate) total: Option<Vec<String>>,
}

impl Grid {
    /// Writes the cells, at most `limit` columns wide if given.
    pub(crate) fn write(&self, out: &mut impl Write, limit: Option<usize>) -> io::Result<()> {
        let natural = self.natural();
        let Some(widths) = fit(&natural, &self.rigid, limit) else {
            return self.write_blocks(out, limit.unwrap_or(80));
        };
        let mut line = String::new();
        self.line(&self.headers, &widths, &mut line);
        writeln!(out, "{line}")?;
        rule(&widths, &mut line);
        writeln!(out, "{line}")?;
        for row in &self.rows {
            self.line(row, &widths, &mut line);
            writeln!(out, "{line}")?;
        }
        if let Some(total) = &self.total {
            rule(&widths, &mut line);
            writeln!(out, "{line}")?;
            self.line(total, &widths, &mut line);
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    /// Whether the columns stand beside each other within `limit`.
    pub(crate) fn fits(&self, limit: usize) -> bool {
        fit(&self.natural(), &self.rigid, Some(limit)).is_some()
    }

    fn natural(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.headers.iter().map(|h| width(h)).collect();
        for row in self.rows.iter().chain(&self.total) {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(cell));
            }
        }
        widths
    }

    fn line(&self, cells: &[String], widths: &[usize], line: &mut String) {
        line.clear();
        for (i, (cell, wide)) in cells.iter().zip(widths).enumerate() {
            if i > 0 {
                pad(line, GAP);
            }
            let cut = clean(cell, *wide);
            let space = wide.saturating_sub(width(&cut));
            if self.numbers.get(i).copied().unwrap_or_default() {
                pad(line, space);
                line.push_str(&cut);
            } else {
                line.push_str(&cut);
                pad(line, space);
            }
        }
        line.truncate(line.trim_end_matches(' ').len());
    }

    fn write_blocks(&self, out: &mut impl Write, limit: usize) -> io::Result<()> {
        let names = self.headers.iter().map(|h| width(h)).max().unwrap_or_default();
        let room = limit.saturating_sub(names + GAP).max(NARROWEST);
        for (number, row) in self.rows.iter().chain(&self.total).enumerate() {
            let title = format!("── {} ", number + 1);
            let dashes = limit.min(names + GAP + 40).saturating_sub(width(&title));
            writeln!(out, "{title}{}", "─".repeat(dashes))?;
            for (name, cell) in self.headers.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
                writeln!(out, "{name}{}{}", " ".repeat(names - width(name) + GAP), clean(cell, room))?;
            }
        }
        Ok(())
    }
}

fn pad(line: &mut String, columns: usize) {
    line.extend(std::iter::repeat_n(' ', columns));
}

fn rule(widths: &[usize], line: &mut String) {
    line.clear();
    for (i, wide) in widths.iter().enumerate() {
        if i > 0 {
            pad(line, GAP);
        }
        line.extend(std::iter::repeat_n('─', *wide));
    }
}

/// Widths that fit into `limit`, or `None` when there are none.
fn fit(natural: &[usize], fixed: &[bool], limit: Option<usize>) -> Option<Vec<usize>> {
    let Some(limit) = limit else { return Some(natural.to_vec()) };
    let gaps = GAP * natural.len().saturating_sub(1);
    if natural.iter().sum::<usize>() + gaps <= limit {
        return Some(natural.to_vec());
    }
    let is_fixed = |i: usize, wide: usize| fixed.get(i).copied().unwrap_or_default() || wide <= NARROWEST;
    let taken: usize = natural.iter().enumerate().filter(|(i, w)| is_fixed(*i, **w)).map(|(_, w)| *w).sum();
    let mut room = limit.checked_sub(taken + gaps)?;
    let mut open: Vec<(usize, usize)> =
        natural.iter().copied().enumerate().filter(|(i, w)| !is_fixed(*i, *w)).map(|(i, w)| (w, i)).collect();
    open.sort_unstable();
    let mut widths = natural.to_vec();
    // Narrow columns take what they need; the others share what is left.
    while !open.is_empty() {
        let share = room / open.len();
        if share < NARROWEST {
            return None;
        }
        let (wide, index) = open.remove(0);
        widths[index] = wide.min(share);
        room -= widths[index];
    }
    Some(widths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(grid: &Grid, limit: Option<usize>) -> String {
        let mut out = Vec::new();
        grid.write(&mut out, limit).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn grid() -> Grid {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        Grid {
            headers: row(["name", "n", "text"]),
            numbers: vec![false, true, false],
            rigid: vec![false, true, false],
            rows: vec![row(["a", "1", "short"]), row(["日本", "1000", "a rather long text that must give way"])],
            total: Some(row(["", "1001", ""])),
        }
    }

    #[test]
    fn numbers_stand_to_the_right_and_long_texts_give_way() {
        insta::assert_snapshot!(show(&grid(), Some(34)), @r"
        name     n  text
        ────  ────  ──────────────────────
        a        1  short
        日本  1000  a rather long text th…
        ────  ────  ──────────────────────
              1001
        ");
        assert!(show(&grid(), Some(34)).lines().all(|l| width(l) <= 34));
        assert!(show(&grid(), None).contains("give way\n"));
    }

    #[test]
    fn what_does_not_fit_at_all_becomes_blocks() {
        let shown = show(&grid(), Some(18));
        insta::assert_snapshot!(shown, @r"
        ── 1 ─────────────
        name  a
        n     1
        text  short
        ── 2 ─────────────
        name  日本
        n     1000
        text  a rather lo…
        ── 3 ─────────────
        n     1001
        ");
    }
}
