//! `export`: rows as files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::SchemaRef;
use arrow::util::display::{ArrayFormatter, FormatOptions};

use super::CliError;
use super::answer::unwritten;
use super::place::{Folder, Place, make_private};
use crate::config::Settings;
use crate::ops::{OnProgress, QueryPlan, Rows, refused, rows};
use crate::query::{Output, OutputFormat, OutputOptions, is_explain};
use crate::zone::Zone;

/// Folder names of more distinct values than this are not made.
const MAX_PARTITIONS: usize = 10_000;

/// Runs a query and writes its rows to files.
pub(super) fn export(settings: &Settings, plan: &ExportPlan, on: OnProgress<'_>) -> Result<Exported, CliError> {
    let options = OutputOptions {
        zone: Zone::named(&settings.timezone).unwrap_or(Zone::UTC),
        explains: is_explain(&plan.query.sql),
        ..OutputOptions::default()
    };
    if plan.partition_by.is_empty() {
        return one_file(plan, rows(settings, &plan.query, on)?, &options);
    }
    // What would be refused is refused before the query runs.
    let folder = Folder::open(&plan.output, plan.force)?;
    many_files(plan, folder, rows(settings, &plan.query, on)?, &options)
}

fn one_file(plan: &ExportPlan, rows: Rows, options: &OutputOptions) -> Result<Exported, CliError> {
    let path = &plan.output;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_private(folder).map_err(|source| CliError::Write { path: path.clone(), source })?;
    }
    let (place, file) = Place::open(path)?;
    let write = || {
        let mut output = Output::new(plan.format, &rows.schema(), file, options).map_err(unwritten)?;
        for batch in rows {
            output.write(&batch?).map_err(unwritten)?;
        }
        output.finish().map_err(unwritten)
    };
    let written = write().map_err(|error| place.blame(error))?;
    place.settle()?;
    Ok(Exported { rows: written.rows, files: 1, bytes: size(path) })
}

fn many_files(plan: &ExportPlan, folder: Folder, rows: Rows, options: &OutputOptions) -> Result<Exported, CliError> {
    let schema = rows.schema();
    let columns: Vec<usize> = plan.partition_by.iter().map(|name| column(&schema, name)).collect::<Result<_, _>>()?;
    let kept: Vec<usize> = (0..schema.fields().len()).filter(|i| !columns.contains(i)).collect();
    let inner = Arc::new(schema.project(&kept).map_err(refused)?);
    let mut files = Files { plan, options, schema: inner, folder, open: BTreeMap::new() };
    for batch in rows {
        let batch = batch?;
        let keys: Vec<ArrayRef> = columns.iter().map(|i| Arc::clone(batch.column(*i))).collect();
        let inner = batch.project(&kept).map_err(refused)?;
        for (folder, picked) in partitions(&plan.partition_by, &keys)? {
            let part = take_record_batch(&inner, &UInt32Array::from(picked)).map_err(refused)?;
            files.write(folder.join(format!("part-0.{}", plan.format.ending())), &part)?;
        }
    }
    files.finish()
}

/// Files of an export that are being written, by their path in the folder.
struct Files<'a> {
    plan: &'a ExportPlan,
    options: &'a OutputOptions,
    schema: SchemaRef,
    folder: Folder,
    open: BTreeMap<PathBuf, Output<File>>,
}

impl Files<'_> {
    fn write(&mut self, path: PathBuf, batch: &RecordBatch) -> Result<(), CliError> {
        let named = self.plan.output.join(&path);
        let output = match self.open.entry(path) {
            std::collections::btree_map::Entry::Occupied(open) => open.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                let file = self.folder.create(new.key())?;
                let output = Output::new(self.plan.format, &self.schema, file, self.options);
                new.insert(output.map_err(|error| blame(&named, unwritten(error)))?)
            }
        };
        output.write(batch).map_err(|error| blame(&named, unwritten(error)))?;
        if self.open.len() > MAX_PARTITIONS {
            let text = format!("more than {MAX_PARTITIONS} partitions; choose a column with fewer values");
            return Err(CliError::failed("the export", text));
        }
        Ok(())
    }

    fn finish(self) -> Result<Exported, CliError> {
        let mut done = Exported::default();
        let mut written = BTreeSet::new();
        for (path, output) in self.open {
            let named = self.plan.output.join(&path);
            done.rows += output.finish().map_err(|error| blame(&named, unwritten(error)))?.rows;
            written.insert(path);
        }
        self.folder.settle(&written)?;
        done.files = written.len() as u64;
        done.bytes = written.iter().map(|path| size(&self.plan.output.join(path))).sum();
        Ok(done)
    }
}

fn size(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |found| found.len())
}

/// `error`, which writing to `path` gave, with its name.
fn blame(path: &Path, error: CliError) -> CliError {
    match error {
        CliError::Output { source } => CliError::Write { path: path.to_owned(), source },
        other => other,
    }
}

fn column(schema: &SchemaRef, name: &str) -> Result<usize, CliError> {
    schema.index_of(name).map_err(|_| {
        let known: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        CliError::failed(
            "the export",
            format!("there is no column {name} to partition by; there are {}", known.join(", ")),
        )
    })
}

/// Rows by the folder they belong to.
fn partitions(names: &[String], keys: &[ArrayRef]) -> Result<BTreeMap<PathBuf, Vec<u32>>, CliError> {
    let options = FormatOptions::default();
    let formatters: Vec<ArrayFormatter<'_>> = keys
        .iter()
        .map(|k| ArrayFormatter::try_new(k.as_ref(), &options))
        .collect::<Result<_, _>>()
        .map_err(refused)?;
    let rows = keys.first().map_or(0, |k| k.len());
    let mut folders: BTreeMap<PathBuf, Vec<u32>> = BTreeMap::new();
    for row in 0..rows {
        let mut folder = PathBuf::new();
        for ((name, key), formatter) in names.iter().zip(keys).zip(&formatters) {
            let value = if key.is_null(row) {
                "__HIVE_DEFAULT_PARTITION__".to_owned()
            } else {
                folder_name(&formatter.value(row).to_string())
            };
            folder.push(format!("{}={value}", folder_name(name)));
        }
        folders.entry(folder).or_default().push(u32::try_from(row).unwrap_or(u32::MAX));
    }
    Ok(folders)
}

/// A column's name or value as a folder's name: what is not plainly harmless is percent-encoded, as Hive does.
fn folder_name(value: &str) -> String {
    let mut name = String::new();
    for byte in value.bytes() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && !name.is_empty());
        if plain {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    if name.is_empty() { "__HIVE_DEFAULT_PARTITION__".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_name_never_leaves_its_folder() {
        assert_eq!(folder_name("gpt-5.2"), "gpt-5.2");
        assert_eq!(folder_name("../x"), "%2E.%2Fx");
        assert_eq!(folder_name(""), "__HIVE_DEFAULT_PARTITION__");
        let evil = ["../../evil".to_owned()];
        let values: ArrayRef = Arc::new(arrow::array::StringArray::from(vec!["/etc", "..", "a\0b"]));
        for folder in partitions(&evil, &[values]).unwrap().keys() {
            assert_eq!(folder.components().count(), 1, "{folder:?}");
        }
    }
}

/// What `export` is to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ExportPlan {
    /// Where the rows come from.
    pub query: QueryPlan,
    /// What is written.
    pub format: OutputFormat,
    /// The file, or the directory when there are partitions.
    pub output: PathBuf,
    /// Columns that become folders `name=value`.
    pub partition_by: Vec<String>,
    /// Replace what an earlier export wrote into the directory.
    pub force: bool,
}

/// What `export` wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Exported {
    /// Rows written.
    pub rows: u64,
    /// Files written.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}
