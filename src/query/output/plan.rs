//! The answer to EXPLAIN: plans are texts of many lines, each below its name.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::OutputError;

pub(super) struct Plans<W> {
    out: W,
    any: bool,
}

impl<W: Write> Plans<W> {
    pub(super) const fn new(out: W) -> Self {
        Self { out, any: false }
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), OutputError> {
        let options = FormatOptions::new();
        let [names, plans] = [0, 1].map(|i| ArrayFormatter::try_new(batch.column(i), &options));
        let (names, plans) = (names?, plans?);
        for row in 0..batch.num_rows() {
            let before = if std::mem::replace(&mut self.any, true) { "\n" } else { "" };
            let text = plans.value(row).to_string();
            writeln!(self.out, "{before}{}\n{}", names.value(row), text.trim_end_matches('\n'))?;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), OutputError> {
        self.out.flush()?;
        Ok(())
    }
}
