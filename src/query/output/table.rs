//! The aligned table: rows are held until the end, so only the first ones are.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

use super::{Cells, Grid, OutputError, OutputOptions, clean, is_number, is_rigid};

/// Widest cell, when there is no terminal that sets a limit.
const CELL_COLUMNS: usize = 120;

pub(super) struct Table<W> {
    grid: Grid,
    out: W,
    options: OutputOptions,
    cell_columns: usize,
}

impl<W: Write> Table<W> {
    pub(super) fn new(schema: &SchemaRef, out: W, options: &OutputOptions) -> Self {
        let schema: &Schema = schema;
        let headers = schema.fields().iter().map(|f| clean(f.name(), CELL_COLUMNS)).collect();
        let numbers = schema.fields().iter().map(|f| is_number(f.data_type())).collect();
        let rigid = schema.fields().iter().map(|f| is_rigid(f.data_type())).collect();
        let cell_columns = options.width.unwrap_or(CELL_COLUMNS).max(20);
        Self { grid: Grid { headers, numbers, rigid, ..Grid::default() }, out, options: options.clone(), cell_columns }
    }

    /// Takes as many rows as there is room for; returns how many.
    pub(super) fn take(&mut self, batch: &RecordBatch) -> Result<usize, OutputError> {
        let room = self.options.max_rows.saturating_sub(self.grid.rows.len());
        let taken = batch.num_rows().min(room);
        let mut cells = Cells::new(batch, self.options.zone)?;
        let mut text = String::new();
        for row in 0..taken {
            let mut line = Vec::with_capacity(batch.num_columns());
            for column in 0..batch.num_columns() {
                let known = cells.read(column, row, &mut text)?;
                line.push(if known { clean(&text, self.cell_columns) } else { String::new() });
            }
            self.grid.rows.push(line);
        }
        Ok(taken)
    }

    pub(super) fn is_full(&self) -> bool {
        self.grid.rows.len() >= self.options.max_rows
    }

    pub(super) fn finish(mut self) -> Result<(), OutputError> {
        self.grid.write(&mut self.out, self.options.width)?;
        self.out.flush()?;
        Ok(())
    }
}
