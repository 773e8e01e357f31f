//! A Markdown table, safe to paste: log content can neither end a cell nor become HTML.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::{Cells, OutputError, is_number};
use crate::text::symbol;
use crate::zone::Zone;

pub(super) struct Markdown<W> {
    out: W,
    zone: Zone,
}

impl<W: Write> Markdown<W> {
    pub(super) fn new(schema: &SchemaRef, mut out: W, zone: Zone) -> Result<Self, OutputError> {
        let names = schema.fields().iter().map(|f| escape(f.name()));
        writeln!(out, "| {} |", names.collect::<Vec<_>>().join(" | "))?;
        let marks = schema.fields().iter().map(|f| if is_number(f.data_type()) { "---:" } else { "---" });
        writeln!(out, "| {} |", marks.collect::<Vec<_>>().join(" | "))?;
        Ok(Self { out, zone })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        let mut cells = Cells::new(batch, self.zone)?;
        let mut text = String::new();
        for row in 0..batch.num_rows() {
            for column in 0..batch.num_columns() {
                let known = cells.read(column, row, &mut text)?;
                write!(self.out, "| {} ", if known { escape(&text) } else { "NULL".to_owned() })?;
            }
            writeln!(self.out, "|")?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), OutputError> {
        self.out.flush()?;
        Ok(())
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '|' => out.push_str("\\|"),
            '\\' => out.push_str("\\\\"),
            '<' => out.push_str("&lt;"),
            '\n' => out.push_str("<br>"),
            '\r' => {}
            c => out.push(symbol(c)),
        }
    }
    out
}
