//! The aligned table: the first rows decide where its columns stand, the others follow.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

use super::{Cells, Grid, OutputError, OutputOptions, is_number, is_rigid};
use crate::text::grid::{Cell, Column, KEY_COLUMNS, Layout};
use crate::text::{clean, one_line};

/// Rows, and bytes in them, that are held to find out how wide the columns are.
const HELD_ROWS: usize = 10_000;
const HELD_BYTES: usize = 16 << 20;

/// What stands where there is no value: an empty text is empty.
const NULL: &str = "NULL";

pub(super) struct Table<W> {
    grid: Grid,
    /// Made when enough rows are held.
    layout: Option<Layout>,
    held_bytes: usize,
    rows: usize,
    out: W,
    options: OutputOptions,
}

impl<W: Write> Table<W> {
    pub(super) fn new(schema: &SchemaRef, out: W, options: &OutputOptions) -> Self {
        let schema: &Schema = schema;
        let headers = schema.fields().iter().map(|f| one_line(f.name()).into_owned()).collect();
        let column = |kind| Column { is_number: is_number(kind), is_rigid: is_rigid(kind), is_text: false };
        let columns = schema.fields().iter().map(|f| column(f.data_type())).collect();
        let grid = Grid { headers, columns, color: options.color, ..Grid::default() };
        Self { grid, layout: None, held_bytes: 0, rows: 0, out, options: options.clone() }
    }

    /// Takes as many rows as there is room for; returns how many.
    pub(super) fn take(&mut self, batch: &RecordBatch) -> Result<usize, OutputError> {
        let room = self.options.max_rows.map_or(usize::MAX, |most| most.saturating_sub(self.rows));
        let taken = batch.num_rows().min(room);
        // What is wider than the screen and no key is cut in any layout.
        let widest = self.options.width.map_or(usize::MAX, |width| width.max(KEY_COLUMNS));
        let mut cells = Cells::new(batch, self.options.zone)?;
        let mut text = String::new();
        for row in 0..taken {
            let mut line = Vec::with_capacity(batch.num_columns());
            for column in 0..batch.num_columns() {
                let known = cells.read(column, row, &mut text)?;
                line.push(if known { Cell::from(clean(&text, widest)) } else { Cell::null(NULL) });
            }
            self.put(line)?;
        }
        self.rows += taken;
        Ok(taken)
    }

    fn put(&mut self, row: Vec<Cell>) -> Result<(), OutputError> {
        if let Some(layout) = &mut self.layout {
            layout.row(&mut self.out, &row)?;
            return Ok(());
        }
        self.held_bytes += row.iter().map(|cell| cell.text.len()).sum::<usize>();
        self.grid.rows.push(row);
        if self.grid.rows.len() >= HELD_ROWS || self.held_bytes >= HELD_BYTES {
            self.show()?;
        }
        Ok(())
    }

    /// Writes the rows that are held, in the layout that all later ones follow.
    fn show(&mut self) -> Result<(), OutputError> {
        let mut layout = self.grid.start(&mut self.out, self.options.width)?;
        for row in self.grid.rows.drain(..) {
            layout.row(&mut self.out, &row)?;
        }
        self.layout = Some(layout);
        Ok(())
    }

    pub(super) fn is_full(&self) -> bool {
        self.options.max_rows.is_some_and(|most| self.rows >= most)
    }

    pub(super) fn finish(mut self) -> Result<(), OutputError> {
        if self.layout.is_none() {
            self.show()?;
        }
        self.out.flush()?;
        Ok(())
    }
}
