//! Aligned columns.
//!
//! - columns that do not fit give way: the widest texts are cut first, then heads; numbers, times and keys
//!   (short values without spaces, such as ids) never
//! - when even that is not enough, each row becomes a block of `name  value` lines
//! - a [`Layout`] is made from the first rows and writes any number of further ones

use std::io::{self, Write};

use crate::text::{clean, width};

/// Columns between two columns.
const GAP: usize = 2;
/// A text column is not cut below this.
const NARROWEST: usize = 10;
/// A head is not cut below this.
const NARROWEST_HEAD: usize = 8;
/// Values without spaces that are no wider than this are keys.
pub(crate) const KEY_COLUMNS: usize = 64;

const FAINT: &str = "\x1b[2m";
const PLAIN: &str = "\x1b[0m";

/// A text that stands where there is no value, or a value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    /// It stands for the absence of a value.
    pub(crate) is_null: bool,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, is_null: false }
    }
}

impl Cell {
    /// A sign for the absence of a value.
    #[cfg(any(test, feature = "query"))]
    pub(crate) fn null(sign: &str) -> Self {
        Self { text: sign.to_owned(), is_null: true }
    }

    fn is_key(&self) -> bool {
        self.is_null || (!self.text.contains(char::is_whitespace) && width(&self.text) <= KEY_COLUMNS)
    }
}

/// How a column is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its values stand to the right.
    pub(crate) is_number: bool,
    /// Its values are never cut, whatever they are.
    pub(crate) is_rigid: bool,
    /// Its values are cut first, also when they look like keys.
    pub(crate) is_text: bool,
}

/// Cells to be laid out; every row has one cell per header.
#[derive(Debug, Default)]
pub(crate) struct Grid {
    pub(crate) headers: Vec<String>,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// A last row below a line.
    pub(crate) total: Option<Vec<Cell>>,
    /// Rules and absent values are faint.
    pub(crate) color: bool,
    /// Heads are never cut.
    pub(crate) whole_heads: bool,
    /// The last column is what a row is known by: it runs over the edge of a screen that is too narrow.
    pub(crate) runs_over: bool,
}

/// Where the columns stand.
#[derive(Debug)]
pub(crate) struct Layout {
    headers: Vec<String>,
    columns: Vec<Column>,
    /// Columns of which a cell may be cut.
    cut: Vec<bool>,
    /// `None` when rows are blocks.
    widths: Option<Vec<usize>>,
    limit: Option<usize>,
    color: bool,
    written: usize,
    line: String,
}

impl Grid {
    /// Writes the cells, at most `limit` columns wide if given.
    pub(crate) fn write(&self, out: &mut impl Write, limit: Option<usize>) -> io::Result<()> {
        let mut layout = self.start(out, limit)?;
        for row in &self.rows {
            layout.row(out, row)?;
        }
        if let Some(total) = &self.total {
            layout.rule(out)?;
            layout.row(out, total)?;
        }
        Ok(())
    }

    /// Writes the heads; further rows follow the layout that suits the rows at hand.
    pub(crate) fn start(&self, out: &mut impl Write, limit: Option<usize>) -> io::Result<Layout> {
        let cut = self.cut();
        let mut layout = Layout {
            widths: self.widths(&cut, limit),
            headers: self.headers.clone(),
            columns: self.columns.clone(),
            cut,
            limit,
            color: self.color,
            written: 0,
            line: String::new(),
        };
        layout.head(out)?;
        Ok(layout)
    }

    /// Whether the columns stand beside each other within `limit`.
    #[cfg(feature = "query")]
    pub(crate) fn fits(&self, limit: usize) -> bool {
        self.widths(&self.cut(), Some(limit)).is_some()
    }

    /// Columns that may be cut: those of texts that are no keys.
    fn cut(&self) -> Vec<bool> {
        let is_key = |i: usize| self.rows.iter().filter_map(|row| row.get(i)).all(Cell::is_key);
        self.columns.iter().enumerate().map(|(i, c)| !c.is_rigid && (c.is_text || !is_key(i))).collect()
    }

    fn widths(&self, cut: &[bool], limit: Option<usize>) -> Option<Vec<usize>> {
        let mut cells = vec![0; self.headers.len()];
        for row in self.rows.iter().chain(&self.total) {
            for (widest, cell) in cells.iter_mut().zip(row) {
                *widest = (*widest).max(width(&cell.text));
            }
        }
        let heads: Vec<usize> = self.headers.iter().map(|h| width(h)).collect();
        let natural: Vec<usize> = heads.iter().zip(&cells).map(|(head, cell)| *head.max(cell)).collect();
        let least = |((head, cell), cut): ((&usize, &usize), &bool)| {
            let head = if self.whole_heads { *head } else { (*head).min(NARROWEST_HEAD) };
            if *cut { head.max((*cell).min(NARROWEST)) } else { head.max(*cell) }
        };
        let mut least: Vec<usize> = heads.iter().zip(&cells).zip(cut).map(least).collect();
        if let (true, Some(last), Some(head)) = (self.runs_over, least.last_mut(), heads.last()) {
            *last = *head;
        }
        limit.map_or_else(|| Some(natural.clone()), |limit| fit(&natural, &least, limit))
    }
}

impl Layout {
    fn head(&mut self, out: &mut impl Write) -> io::Result<()> {
        let Some(widths) = self.widths.clone() else { return Ok(()) };
        let heads: Vec<Cell> = self.headers.iter().cloned().map(Cell::from).collect();
        let cut = std::mem::replace(&mut self.cut, vec![true; heads.len()]);
        self.put(&heads, &widths);
        self.cut = cut;
        writeln!(out, "{}", self.line)?;
        self.rule(out)
    }

    /// A line between rows.
    pub(crate) fn rule(&mut self, out: &mut impl Write) -> io::Result<()> {
        let Some(widths) = &self.widths else { return Ok(()) };
        self.line.clear();
        for (i, wide) in widths.iter().enumerate() {
            pad(&mut self.line, if i > 0 { GAP } else { 0 });
            self.line.extend(std::iter::repeat_n('─', *wide));
        }
        let (before, after) = if self.color { (FAINT, PLAIN) } else { ("", "") };
        writeln!(out, "{before}{}{after}", self.line)
    }

    /// Writes one row.
    pub(crate) fn row(&mut self, out: &mut impl Write, cells: &[Cell]) -> io::Result<()> {
        self.written += 1;
        match self.widths.take() {
            Some(widths) => {
                self.put(cells, &widths);
                self.widths = Some(widths);
                writeln!(out, "{}", self.line)
            }
            None => self.block(out, cells),
        }
    }

    fn put(&mut self, cells: &[Cell], widths: &[usize]) {
        self.line.clear();
        for (i, (cell, wide)) in cells.iter().zip(widths).enumerate() {
            pad(&mut self.line, if i > 0 { GAP } else { 0 });
            // A row that came after the layout was made may be wider than it.
            let is_cut = self.limit.is_some() && self.cut.get(i).copied().unwrap_or_default();
            let shown = clean(&cell.text, if is_cut { *wide } else { usize::MAX });
            let space = wide.saturating_sub(width(&shown));
            let to_the_right = self.columns.get(i).is_some_and(|c| c.is_number);
            pad(&mut self.line, if to_the_right { space } else { 0 });
            self.shown(&shown, cell.is_null);
            pad(&mut self.line, if to_the_right { 0 } else { space });
        }
        self.line.truncate(self.line.trim_end_matches(' ').len());
    }

    fn shown(&mut self, text: &str, is_null: bool) {
        let (before, after) = if is_null && self.color { (FAINT, PLAIN) } else { ("", "") };
        self.line.extend([before, text, after]);
    }

    /// A row as lines; absent values are left out.
    fn block(&self, out: &mut impl Write, cells: &[Cell]) -> io::Result<()> {
        let limit = self.limit.unwrap_or(80);
        let widest = self.headers.iter().map(|h| width(h)).max().unwrap_or_default();
        let names = widest.min((limit / 2).max(NARROWEST));
        let room = limit.saturating_sub(names + GAP).max(NARROWEST);
        let title = format!("── {} ", self.written);
        let dashes = limit.min(names + GAP + 40).saturating_sub(width(&title));
        writeln!(out, "{title}{}", "─".repeat(dashes))?;
        let columns = self.headers.iter().zip(&self.columns).zip(cells);
        for ((name, column), cell) in columns.filter(|(_, cell)| !cell.is_null) {
            let name = clean(name, names);
            let space = names - width(&name) + GAP;
            let text = clean(&cell.text, if column.is_rigid || cell.is_key() { usize::MAX } else { room });
            writeln!(out, "{}", format!("{name}{}{text}", " ".repeat(space)).trim_end_matches(' '))?;
        }
        Ok(())
    }
}

fn pad(line: &mut String, columns: usize) {
    line.extend(std::iter::repeat_n(' ', columns));
}

/// Widths between `least` and `natural` that fit into `limit`, or `None` when there are none: what is left
/// beside the least goes to the narrowest columns first, so that the widest give way.
fn fit(natural: &[usize], least: &[usize], limit: usize) -> Option<Vec<usize>> {
    let gaps = GAP * natural.len().saturating_sub(1);
    let mut room = limit.checked_sub(least.iter().sum::<usize>() + gaps)?;
    let mut widths = least.to_vec();
    while room > 0 {
        let open = widths.iter_mut().zip(natural).filter(|(wide, natural)| **wide < **natural);
        let Some((narrowest, _)) = open.min_by_key(|(wide, _)| **wide) else { break };
        *narrowest += 1;
        room -= 1;
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
        let row = |cells: [&str; 3]| cells.map(|cell| Cell::from(cell.to_owned())).to_vec();
        Grid {
            headers: ["name", "n", "text"].map(str::to_owned).to_vec(),
            columns: vec![
                Column::default(),
                Column { is_number: true, is_rigid: true, is_text: false },
                Column::default(),
            ],
            rows: vec![row(["a", "1", "short"]), row(["日本", "1000", "a rather long text that must give way"])],
            total: Some(row(["", "1001", ""])),
            ..Grid::default()
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
        name
        n     1001
        text
        ");
    }

    #[test]
    fn keys_are_whole_where_texts_and_heads_are_cut() {
        let id = "3ee1ca7a-a43d-4f6e-9b0e-2f6f0c1d7e55";
        let cells =
            |text: &str| vec![Cell::from(id.to_owned()), Cell::from("7".to_owned()), Cell::from(text.to_owned())];
        let headers = ["session_id", "sum(output_tokens) FILTER (WHERE true)", "text"];
        let grid = Grid {
            headers: headers.map(str::to_owned).to_vec(),
            rows: vec![cells("one two three four")],
            total: None,
            ..grid()
        };
        insta::assert_snapshot!(show(&grid, Some(62)), @"
        session_id                            sum(output…  text
        ────────────────────────────────────  ───────────  ───────────
        3ee1ca7a-a43d-4f6e-9b0e-2f6f0c1d7e55            7  one two th…
        ");
        for limit in [58, 40, 20] {
            assert!(show(&grid, Some(limit)).contains(id), "{limit}");
        }
    }

    #[test]
    fn rows_after_the_layout_was_made_are_whole_too() {
        let mut out = Vec::new();
        let mut layout = grid().start(&mut out, None).unwrap();
        layout
            .row(&mut out, &[Cell::from("wider than all before".to_owned()), Cell::null("NULL"), Cell::default()])
            .unwrap();
        assert!(String::from_utf8(out).unwrap().ends_with("\nwider than all before  NULL\n"));
    }

    #[test]
    fn what_is_absent_is_faint_on_a_screen_with_colours() {
        let mut grid = grid();
        grid.rows[0][2] = Cell::null("NULL");
        assert!(!show(&grid, Some(34)).contains('\x1b'));
        grid.color = true;
        let shown = show(&grid, Some(34));
        assert!(shown.contains("\x1b[2mNULL\x1b[0m"), "{shown}");
    }
}
