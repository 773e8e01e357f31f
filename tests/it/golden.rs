//! Event ids and the meaning of columns are a contract: for every fixture, every kept fuzz input and, where
//! they are there, every real log, the rows must be those that `tests/golden/` remembers.
//!
//! A line of a golden file is `format rows digest input`. The digest covers the ids and the columns that
//! people count with, in the order of the ids. `DEVLOG_GOLDEN=write` writes the files anew: look at the diff,
//! and say in the commit which lines change and why.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use devlog::adapters::{Line, SourceInfo, database_decoder, decoder};
use devlog::schema::{Format, Framing, Record, RowContext, Rows, Tables};

use super::bodies;
use super::home::Home;

/// What a digest covers: the id, and what reports and people count.
const COLUMNS: [&str; 19] = [
    "event_id",
    "event_type",
    "tool_name",
    "file_path",
    "command",
    "session_id",
    "turn",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "total_tokens",
    "usage_source",
    "cost_usd_reported",
    "credits",
    "lines_added",
    "lines_removed",
];

/// The rows of one input, one text a row.
#[derive(Default)]
struct Seen {
    format: String,
    rows: Vec<String>,
}

impl Seen {
    fn add(&mut self, batch: &RecordBatch) {
        let options = FormatOptions::default().with_null("\u{0}");
        let columns: Vec<&ArrayRef> = COLUMNS.iter().map(|name| batch.column_by_name(name).unwrap()).collect();
        let cells: Vec<_> = columns.iter().map(|c| ArrayFormatter::try_new(c.as_ref(), &options).unwrap()).collect();
        for i in 0..batch.num_rows() {
            let mut row = String::new();
            for cell in &cells {
                write!(row, "{}\u{1f}", cell.value(i)).unwrap();
            }
            self.rows.push(row);
        }
    }

    fn line(mut self, input: &str) -> String {
        self.rows.sort_unstable();
        let mut hash = blake3::Hasher::new();
        for row in &self.rows {
            hash.update(row.as_bytes()).update(b"\n");
        }
        format!("{} {} {} {input}", self.format, self.rows.len(), &hash.finalize().to_hex()[..16])
    }
}

/// Compares with the golden file `name`, or writes it when asked to. Inputs that are not there are passed over.
fn hold(name: &str, mut lines: Vec<String>, all_there: bool) {
    lines.sort_unstable();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("DEVLOG_GOLDEN").is_some_and(|asked| asked == "write") {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, lines.join("\n") + "\n").unwrap();
        return;
    }
    let known = fs::read_to_string(&file).unwrap_or_default();
    let key = |line: &str| line.rsplit(' ').next().unwrap_or_default().to_owned();
    let known: BTreeMap<String, &str> = known.lines().map(|line| (key(line), line)).collect();
    let found: BTreeMap<String, &str> = lines.iter().map(|line| (key(line), line.as_str())).collect();
    let mut differ = String::new();
    for (input, line) in &found {
        match known.get(input) {
            Some(before) if before == line => {}
            Some(before) => writeln!(differ, "- {before}\n+ {line}").unwrap(),
            None if all_there => writeln!(differ, "+ {line}").unwrap(),
            None => {}
        }
    }
    for (input, before) in known.iter().filter(|(input, _)| all_there && !found.contains_key(*input)) {
        writeln!(differ, "- {before} ({input} is gone)").unwrap();
    }
    assert!(
        differ.is_empty(),
        "rows are no longer those of {}:\n{differ}DEVLOG_GOLDEN=write cargo test --release --test it golden writes it anew",
        file.display()
    );
}

fn decoded(format: Format, bytes: &[u8]) -> Seen {
    let info = SourceInfo {
        path: "/logs/0f6b2c4e-0000-4000-8000-000000000000.jsonl",
        modified_us: 1,
        ..SourceInfo::default()
    };
    let mut rows = Rows::new(RowContext::new(format.agent(), info.path));
    if format.framing() == Framing::Database {
        let mut decoder = database_decoder(format, info).unwrap();
        let queries = decoder.queries(&Tables::all()).unwrap();
        for (rowid, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
            let Some((pick, rest)) = line.split_first() else { continue };
            let query = queries[usize::from(*pick) % queries.len()].name;
            let values: Vec<_> = rest.split(|b| *b == 0x1e).map(bodies::value).collect();
            decoder.record(&Record { query, rowid, mark: rowid, values: &values }, false, &mut rows);
        }
    } else {
        let mut decoder = decoder(format, info, None).unwrap();
        for (offset, line) in bodies::cut(format, bytes) {
            decoder.line(Line { bytes: line, offset, end: offset + line.len() as u64 + 1 }, &mut rows);
        }
        decoder.settle(&mut rows);
    }
    let mut seen = Seen { format: format.name().to_owned(), rows: Vec::new() };
    seen.add(&rows.finish().events);
    seen
}

#[test]
fn ids_and_rows_of_kept_fuzz_inputs_are_a_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut lines = Vec::new();
    for format in Format::all() {
        for entry in fs::read_dir(root.join(format.name())).into_iter().flatten() {
            let path = entry.unwrap().path();
            let input = format!("{}/{}", format.name(), path.file_name().unwrap().to_str().unwrap());
            lines.push(decoded(format, &fs::read(&path).unwrap()).line(&input));
        }
    }
    hold("fuzz.txt", lines, true);
}

/// Rows of every file below `folder`, as the program itself stores them; `named` turns a path into what the
/// golden file calls it.
fn stored(folder: &Path, named: impl Fn(&Path) -> String) -> Vec<String> {
    let home = Home::new();
    home.ok(&["backfill", "--quiet", "--path", folder.to_str().unwrap()]);
    let mut files: BTreeMap<PathBuf, Seen> = BTreeMap::new();
    for source in home.query("SELECT path, format FROM sources") {
        let format = source["format"].as_str().unwrap().to_owned();
        files.insert(PathBuf::from(source["path"].as_str().unwrap()), Seen { format, rows: Vec::new() });
    }
    let arrow = home.path().join("rows.arrow");
    let sql = format!("SELECT source_path, {} FROM events", COLUMNS.join(", "));
    home.ok(&["query", "--no-sync", "-o", arrow.to_str().unwrap(), &sql]);
    let reader = arrow::ipc::reader::FileReader::try_new(fs::File::open(&arrow).unwrap(), None).unwrap();
    for batch in reader {
        let batch = batch.unwrap();
        let paths = arrow::compute::cast(batch.column(0), &arrow::datatypes::DataType::Utf8).unwrap();
        for (i, path) in paths.as_string::<i32>().iter().enumerate() {
            let seen = files.entry(PathBuf::from(path.unwrap())).or_default();
            seen.add(&batch.slice(i, 1));
        }
    }
    files.into_iter().map(|(path, seen)| seen.line(&named(&path))).collect()
}

#[test]
fn ids_and_rows_of_every_fixture_are_a_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let lines = stored(&root, |path| path.strip_prefix(&root).unwrap().display().to_string());
    hold("fixtures.txt", lines, true);
}

#[test]
fn ids_and_rows_of_real_logs_are_a_contract() {
    let root = std::env::var_os("DEVLOG_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"), PathBuf::from);
    let Ok(root) = root.canonicalize() else {
        eprintln!("skipped: there is no corpus at {}", root.display());
        return;
    };
    let mut lines = Vec::new();
    for entry in fs::read_dir(&root).unwrap() {
        let folder = entry.unwrap().path();
        if folder.is_dir() {
            // A path may name people: the golden file knows it by a hash.
            lines.extend(stored(&folder, |path| {
                let inside = path.strip_prefix(&root).unwrap_or(path).to_str().unwrap().to_owned();
                blake3::hash(inside.as_bytes()).to_hex()[..16].to_owned()
            }));
        }
    }
    hold("corpus.txt", lines, false);
}
