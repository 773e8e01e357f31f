//! CSV (RFC 4180) and TSV (as PostgreSQL's COPY writes it).

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::OutputError;
use super::cell::is_absent;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Csv,
    Tsv,
}

pub(super) struct Delimited<W> {
    kind: Kind,
    out: W,
    line: String,
    text: String,
}

impl<W: Write> Delimited<W> {
    pub(super) fn new(kind: Kind, schema: &SchemaRef, out: W) -> Result<Self, OutputError> {
        let mut writer = Self { kind, out, line: String::new(), text: String::new() };
        for (i, field) in schema.fields().iter().enumerate() {
            writer.text.clone_from(field.name());
            writer.put(i, true);
        }
        writer.end_line()?;
        Ok(writer)
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        let options = FormatOptions::new();
        let columns = batch.columns().iter().map(|c| Ok((c, ArrayFormatter::try_new(c, &options)?)));
        let columns = columns.collect::<Result<Vec<_>, OutputError>>()?;
        for row in 0..batch.num_rows() {
            for (i, (values, formatter)) in columns.iter().enumerate() {
                self.text.clear();
                let known = !is_absent(values, row);
                if known {
                    formatter.value(row).write(&mut self.text)?;
                }
                self.put(i, known);
            }
            self.end_line()?;
        }
        Ok(())
    }

    fn put(&mut self, column: usize, known: bool) {
        match self.kind {
            Kind::Csv => {
                if column > 0 {
                    self.line.push(',');
                }
                let quoted = self.text.is_empty() || self.text.contains([',', '"', '\n', '\r']);
                if known && quoted {
                    self.line.push('"');
                    self.line.push_str(&self.text.replace('"', "\"\""));
                    self.line.push('"');
                } else if known {
                    self.line.push_str(&self.text);
                }
            }
            Kind::Tsv => {
                if column > 0 {
                    self.line.push('\t');
                }
                if !known {
                    self.line.push_str("\\N");
                }
                for c in self.text.chars() {
                    match c {
                        '\t' => self.line.push_str("\\t"),
                        '\n' => self.line.push_str("\\n"),
                        '\r' => self.line.push_str("\\r"),
                        '\\' => self.line.push_str("\\\\"),
                        c => self.line.push(c),
                    }
                }
            }
        }
    }

    fn end_line(&mut self) -> Result<(), OutputError> {
        self.line.push('\n');
        self.out.write_all(self.line.as_bytes())?;
        self.line.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), OutputError> {
        self.out.flush()?;
        Ok(())
    }
}
