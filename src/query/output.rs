//! Answers as text and files.
//!
//! - every format streams: one batch is held at a time, and of a table what decides its columns' widths
//! - a table on a screen wants no more than [`OutputOptions::max_rows`] rows
//! - values are whole, unless a table must fit a screen; there ids are
//! - times are RFC 3339 in UTC in formats for programs, local in formats for people
//! - text from logs cannot drive a terminal: tables and Markdown show control characters as symbols,
//!   and so does every other text format when [`OutputOptions::terminal`] is set

mod cell;
mod delimited;
mod markdown;
mod plain;
mod plan;
mod safe;
mod table;

use std::io::{self, BufWriter, Write};
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use arrow::json::writer::{JsonArray, LineDelimited, WriterBuilder};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

pub(super) use crate::text::grid::{Cell, Column, Grid};
use crate::text::nearest;
use crate::zone::Zone;
pub(super) use cell::{Cells, is_number, is_rigid};
use delimited::{Delimited, Kind};
use markdown::Markdown;
use plan::Plans;
use safe::TerminalSafe;
use table::Table;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// Aligned columns for people.
    Table,
    /// One JSON array of objects.
    Json,
    /// One JSON object a line.
    Ndjson,
    /// Comma-separated values with a header; nulls are empty, empty texts are `""`.
    Csv,
    /// Tab-separated values with a header; tabs, line ends and backslashes are written as in PostgreSQL's COPY.
    Tsv,
    /// A Markdown table.
    Markdown,
    /// A Parquet file.
    Parquet,
    /// An Arrow IPC file (Feather 2).
    Arrow,
    /// An Arrow IPC stream.
    ArrowStream,
}

/// All formats by name.
const FORMATS: [(&str, OutputFormat); 9] = [
    ("table", OutputFormat::Table),
    ("json", OutputFormat::Json),
    ("ndjson", OutputFormat::Ndjson),
    ("csv", OutputFormat::Csv),
    ("tsv", OutputFormat::Tsv),
    ("markdown", OutputFormat::Markdown),
    ("parquet", OutputFormat::Parquet),
    ("arrow", OutputFormat::Arrow),
    ("arrow-stream", OutputFormat::ArrowStream),
];

/// Endings of files, the usual one of a format first.
const ENDINGS: [(&str, OutputFormat); 15] = [
    ("txt", OutputFormat::Table),
    ("json", OutputFormat::Json),
    ("ndjson", OutputFormat::Ndjson),
    ("jsonl", OutputFormat::Ndjson),
    ("csv", OutputFormat::Csv),
    ("tsv", OutputFormat::Tsv),
    ("md", OutputFormat::Markdown),
    ("markdown", OutputFormat::Markdown),
    ("parquet", OutputFormat::Parquet),
    ("pq", OutputFormat::Parquet),
    ("arrow", OutputFormat::Arrow),
    ("feather", OutputFormat::Arrow),
    ("ipc", OutputFormat::Arrow),
    ("arrows", OutputFormat::ArrowStream),
    ("arrow-stream", OutputFormat::ArrowStream),
];

impl OutputFormat {
    /// All formats by name.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        FORMATS.into_iter()
    }

    /// Names of all formats.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FORMATS.iter().map(|(name, _)| *name)
    }

    /// The format that a file name ends in: `.csv`, `.parquet`, `.jsonl`, ...
    #[must_use]
    pub fn of_path(path: &std::path::Path) -> Option<Self> {
        let ending = path.extension()?.to_str()?;
        let found = ENDINGS.iter().find(|(known, _)| known.eq_ignore_ascii_case(ending));
        found.map(|(_, format)| *format)
    }

    /// The ending of its files.
    #[must_use]
    pub fn ending(self) -> &'static str {
        ENDINGS.iter().find(|(_, format)| *format == self).map_or("txt", |(ending, _)| *ending)
    }

    /// All endings that name a format, as in a sentence.
    #[must_use]
    pub fn endings() -> String {
        let known: Vec<String> = ENDINGS.iter().map(|(ending, _)| format!(".{ending}")).collect();
        known.join(", ")
    }

    /// What it is, in a few words.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Table => "Aligned columns; on a terminal long texts are cut",
            Self::Json => "One JSON array of objects",
            Self::Ndjson => "One JSON object per line",
            Self::Csv => "Comma-separated values with a header",
            Self::Tsv => "Tab-separated values with a header; \\N is NULL, as in PostgreSQL's COPY",
            Self::Markdown => "A Markdown table",
            Self::Parquet => "A Parquet file, zstd",
            Self::Arrow => "An Arrow IPC file (Feather 2)",
            Self::ArrowStream => "An Arrow IPC stream",
        }
    }

    /// True when the format is bytes that do not belong on a terminal.
    #[must_use]
    pub const fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow | Self::ArrowStream)
    }
}

impl FromStr for OutputFormat {
    type Err = OutputError;

    fn from_str(text: &str) -> Result<Self, OutputError> {
        let text = match text {
            "jsonl" => "ndjson",
            "md" => "markdown",
            other => other,
        };
        let found = FORMATS.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
        found.map(|(_, format)| *format).ok_or_else(|| OutputError::UnknownFormat {
            name: text.to_owned(),
            nearest: nearest(text, Self::names()).unwrap_or("table"),
        })
    }
}

/// Why an answer could not be written. What was written before is valid as far as it goes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutputError {
    /// No such format.
    #[error("no output format `{name}`; did you mean `{nearest}`?")]
    UnknownFormat {
        /// What was asked for.
        name: String,
        /// What was probably meant.
        nearest: &'static str,
    },
    /// The reader has gone away, as `head` does: no failure.
    #[error("the reader of the output has gone away")]
    BrokenPipe,
    /// The output cannot be written.
    #[error("cannot write the output")]
    Io {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The format cannot hold a value.
    #[error("the output format cannot hold this answer: {message}")]
    Unfit {
        /// What does not fit.
        message: String,
    },
}

impl From<io::Error> for OutputError {
    fn from(source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::BrokenPipe { Self::BrokenPipe } else { Self::Io { source } }
    }
}

impl From<ArrowError> for OutputError {
    fn from(error: ArrowError) -> Self {
        match error {
            ArrowError::IoError(_, source) => source.into(),
            other => Self::Unfit { message: other.to_string() },
        }
    }
}

impl From<ParquetError> for OutputError {
    fn from(error: ParquetError) -> Self {
        match error {
            ParquetError::External(inner) => match inner.downcast::<io::Error>() {
                Ok(source) => (*source).into(),
                Err(other) => Self::Unfit { message: other.to_string() },
            },
            other => Self::Unfit { message: other.to_string() },
        }
    }
}

/// How an answer is shown.
#[derive(Debug, Clone)]
pub struct OutputOptions {
    /// Columns of the terminal; `None` when there is no terminal: nothing is cut.
    pub width: Option<usize>,
    /// Zone of times in tables.
    pub zone: Zone,
    /// Most rows of a table; `None` for all.
    pub max_rows: Option<usize>,
    /// The output goes straight to a terminal.
    pub terminal: bool,
    /// The terminal shows colours.
    pub color: bool,
    /// The answer is that of an EXPLAIN, see [`is_explain`](super::is_explain).
    pub explains: bool,
}

impl Default for OutputOptions {
    fn default() -> Self {
        Self { width: None, zone: Zone::UTC, max_rows: None, terminal: false, color: false, explains: false }
    }
}

/// Whether more rows are of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum More {
    /// Go on.
    Wanted,
    /// The table is full: stop the query and call [`Output::finish`].
    Enough,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Rows in the output.
    pub rows: u64,
    /// True when there may be more rows than are in the output.
    pub cut: bool,
}

type Sink<W> = TerminalSafe<BufWriter<W>>;

enum Writer<W: Write + Send> {
    // Cells are made safe one by one; what is written beside them may be colours.
    Table(Table<BufWriter<W>>),
    Plans(Plans<Sink<W>>),
    Json(arrow::json::Writer<Sink<W>, JsonArray>),
    Ndjson(arrow::json::Writer<Sink<W>, LineDelimited>),
    Delimited(Delimited<Sink<W>>),
    Markdown(Markdown<Sink<W>>),
    Parquet(Box<ArrowWriter<BufWriter<W>>>),
    Arrow(FileWriter<BufWriter<W>>),
    ArrowStream(StreamWriter<BufWriter<W>>),
}

/// Writes one answer.
pub struct Output<W: Write + Send> {
    writer: Writer<W>,
    /// What files for programs hold: texts that every reader of Arrow knows.
    plain: SchemaRef,
    rows: u64,
    cut: bool,
}

impl<W: Write + Send> std::fmt::Debug for Output<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("rows", &self.rows).field("cut", &self.cut).finish_non_exhaustive()
    }
}

impl<W: Write + Send> Output<W> {
    /// Starts an answer with the columns of `schema`.
    ///
    /// # Errors
    ///
    /// The output cannot be written, or the format has no such columns.
    pub fn new(format: OutputFormat, schema: &SchemaRef, out: W, options: &OutputOptions) -> Result<Self, OutputError> {
        let out = BufWriter::with_capacity(64 * 1024, out);
        let safe = |out| TerminalSafe::new(out, options.terminal);
        let json = WriterBuilder::new().with_explicit_nulls(true);
        // Not compressed: readers map such files into memory, and Polars 2.1 cannot read empty compressed buffers.
        let ipc = IpcWriteOptions::default();
        let plain = plain::schema(schema);
        let writer = match format {
            OutputFormat::Table if options.explains && schema.fields().len() == 2 => {
                Writer::Plans(Plans::new(safe(out)))
            }
            OutputFormat::Table => Writer::Table(Table::new(schema, out, options)),
            OutputFormat::Json => Writer::Json(json.build(safe(out))),
            OutputFormat::Ndjson => Writer::Ndjson(json.build(safe(out))),
            OutputFormat::Csv => Writer::Delimited(Delimited::new(Kind::Csv, schema, safe(out))?),
            OutputFormat::Tsv => Writer::Delimited(Delimited::new(Kind::Tsv, schema, safe(out))?),
            OutputFormat::Markdown => Writer::Markdown(Markdown::new(schema, safe(out), options.zone)?),
            OutputFormat::Parquet => {
                let compression = Compression::ZSTD(ZstdLevel::default());
                let properties = WriterProperties::builder().set_compression(compression).build();
                Writer::Parquet(Box::new(ArrowWriter::try_new(out, Arc::clone(&plain), Some(properties))?))
            }
            OutputFormat::Arrow => Writer::Arrow(FileWriter::try_new_with_options(out, &plain, ipc)?),
            OutputFormat::ArrowStream => Writer::ArrowStream(StreamWriter::try_new_with_options(out, &plain, ipc)?),
        };
        Ok(Self { writer, plain, rows: 0, cut: false })
    }

    /// Adds rows.
    ///
    /// # Errors
    ///
    /// The output cannot be written; [`OutputError::BrokenPipe`] when its reader has gone away.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<More, OutputError> {
        if let Writer::Table(table) = &mut self.writer {
            let taken = table.take(batch)?;
            self.rows += taken as u64;
            self.cut |= taken < batch.num_rows();
            return Ok(if table.is_full() { More::Enough } else { More::Wanted });
        }
        self.rows += batch.num_rows() as u64;
        match &mut self.writer {
            Writer::Table(_) => {}
            Writer::Plans(writer) => writer.write(batch)?,
            Writer::Json(writer) => writer.write(batch)?,
            Writer::Ndjson(writer) => {
                writer.write(batch)?;
                writer.get_mut().flush()?;
            }
            Writer::Delimited(writer) => writer.write(batch)?,
            Writer::Markdown(writer) => writer.write(batch)?,
            Writer::Parquet(writer) => plain::hand_on(batch, &self.plain, &mut |piece| -> Result<(), OutputError> {
                Ok(writer.write(piece)?)
            })?,
            Writer::Arrow(writer) => plain::hand_on(batch, &self.plain, &mut |piece| writer.write(piece))?,
            Writer::ArrowStream(writer) => plain::hand_on(batch, &self.plain, &mut |piece| writer.write(piece))?,
        }
        Ok(More::Wanted)
    }

    /// Ends the answer. Without this call the output is incomplete.
    ///
    /// # Errors
    ///
    /// The output cannot be written; [`OutputError::BrokenPipe`] when its reader has gone away.
    pub fn finish(self) -> Result<Written, OutputError> {
        let cut = self.cut || matches!(&self.writer, Writer::Table(table) if table.is_full());
        match self.writer {
            Writer::Table(table) => table.finish()?,
            Writer::Plans(plans) => plans.finish()?,
            Writer::Json(mut writer) => {
                writer.finish()?;
                let out = writer.get_mut();
                out.write_all(b"\n")?;
                out.flush()?;
            }
            Writer::Ndjson(mut writer) => {
                writer.finish()?;
                writer.get_mut().flush()?;
            }
            Writer::Delimited(writer) => writer.finish()?,
            Writer::Markdown(writer) => writer.finish()?,
            Writer::Parquet(writer) => flush(writer.into_inner()?)?,
            Writer::Arrow(writer) => flush(writer.into_inner()?)?,
            Writer::ArrowStream(writer) => flush(writer.into_inner()?)?,
        }
        Ok(Written { rows: self.rows, cut })
    }
}

fn flush<W: Write>(mut out: BufWriter<W>) -> Result<(), OutputError> {
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests;
