//! Event ids and the meaning of columns are a contract: for every fixture, every kept fuzz input and, where
//! `DEVLOG_CORPUS` names a folder of real logs, every log in it, the rows must be those that `tests/golden/`
//! remembers.
//!
//! A line of a golden file is `format rows digest input`. The digest covers the ids and the columns that
//! people count with, in the order of the ids. `DEVLOG_GOLDEN=write` writes the files anew: look at the diff,
//! and say in the commit which lines change and why.
//!
//! Each input goes through its decoder alone, under a path and with times that are the same on every machine:
//! who owns an event that two files share is the pipeline's decision and no part of this.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use devlog::adapters::{Companion, Line, SourceInfo, database_decoder, decoder};
use devlog::discover::{self, FoundFile};
use devlog::schema::{Format, Framing, Record, RowContext, Rows, Tables};
use devlog::watch::{Cursor, Database, Opened};

use super::bodies;

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

/// The fixtures by their format.
pub(super) const FIXTURES: [(&str, &[&str]); 14] = [
    ("amp-thread", &["amp/thread.json"]),
    ("antigravity-transcript", &["antigravity/transcript_full.jsonl"]),
    (
        "codex-rollout",
        &[
            "codex/fork_parent.jsonl",
            "codex/fork_several_seconds.jsonl",
            "codex/rollout.jsonl",
            "codex/same_second.jsonl",
            "codex/tree_child.jsonl",
            "codex/tree_parent.jsonl",
            "codex/two_epochs.jsonl",
        ],
    ),
    ("copilot-cli-events", &["copilot-cli/events.jsonl"]),
    ("droid-session", &["droid/session.jsonl", "droid/stream.jsonl"]),
    ("gemini-session", &["gemini/session-2026-04-25T08-23-aaaa0001.jsonl"]),
    ("iflow-session", &["qwen/iflow.jsonl"]),
    ("kiro-chat", &["kiro/execution.json", "kiro/old.chat", "kiro/workspace.json"]),
    ("kiro-session", &["kiro/cli.jsonl", "kiro/messages.jsonl"]),
    ("legacy-claude", &["legacy/claude.log"]),
    ("legacy-cursor", &["legacy/cursor.log"]),
    ("pi-session", &["pi/session.jsonl"]),
    ("qwen-session", &["qwen/qwen.jsonl"]),
    ("windsurf-steps", &["windsurf/steps.jsonl"]),
];

/// The rows of one input, one text a row.
struct Seen {
    format: String,
    rows: Vec<String>,
}

impl Seen {
    fn of(format: Format, rows: &mut Rows) -> Self {
        let mut seen = Self { format: format.name().to_owned(), rows: Vec::new() };
        seen.add(&rows.finish().events);
        seen
    }

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

/// Compares with the golden file `name`, or writes it when asked to.
fn hold(name: &str, mut lines: Vec<String>) {
    lines.sort_unstable();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("DEVLOG_GOLDEN").is_some_and(|asked| asked == "write") {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, lines.join("\n") + "\n").unwrap();
        return;
    }
    let known = fs::read_to_string(&file).unwrap_or_default();
    let key = |line: &str| line.splitn(4, ' ').last().unwrap_or_default().to_owned();
    let known: BTreeMap<String, &str> = known.lines().map(|line| (key(line), line)).collect();
    let found: BTreeMap<String, &str> = lines.iter().map(|line| (key(line), line.as_str())).collect();
    let mut differ = String::new();
    for (input, line) in &found {
        match known.get(input) {
            Some(before) if before == line => {}
            Some(before) => writeln!(differ, "- {before}\n+ {line}").unwrap(),
            None => writeln!(differ, "+ {line}").unwrap(),
        }
    }
    for (input, before) in known.iter().filter(|(input, _)| !found.contains_key(*input)) {
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
    if format.framing() == Framing::Database {
        let mut rows = Rows::new(RowContext::new(format.agent(), info.path));
        let mut decoder = database_decoder(format, info).unwrap();
        let queries = decoder.queries(&Tables::all()).unwrap();
        for (rowid, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
            let Some((pick, rest)) = line.split_first() else { continue };
            let query = queries[usize::from(*pick) % queries.len()].name;
            let values: Vec<_> = rest.split(|b| *b == 0x1e).map(bodies::value).collect();
            decoder.record(&Record { query, rowid, mark: rowid, values: &values }, false, &mut rows);
        }
        return Seen::of(format, &mut rows);
    }
    decoded_lines(format, info, bytes)
}

fn decoded_lines(format: Format, info: SourceInfo<'_>, bytes: &[u8]) -> Seen {
    let mut rows = Rows::new(RowContext::new(format.agent(), info.path));
    let mut decoder = decoder(format, info, None).unwrap();
    for (offset, line) in bodies::cut(format, bytes) {
        decoder.line(Line { bytes: line, offset, end: offset + line.len() as u64 + 1 }, &mut rows);
    }
    decoder.settle(&mut rows);
    Seen::of(format, &mut rows)
}

fn decoded_database(format: Format, info: SourceInfo<'_>, path: &Path) -> Seen {
    let mut rows = Rows::new(RowContext::new(format.agent(), info.path));
    let mut decoder = database_decoder(format, info).unwrap();
    let database = Database::open(path, format).unwrap();
    // A database that is named like the agent's and is none of its has no rows.
    for query in decoder.queries(&database.tables().unwrap()).unwrap_or_default() {
        let each = |record: &Record<'_>| {
            decoder.record(record, false, &mut rows);
            true
        };
        database.each(&query, Cursor::START, each).unwrap();
    }
    Seen::of(format, &mut rows)
}

/// A real log through its decoder, with the files beside it that belong to it.
fn decoded_file(root: &Path, found: &FoundFile) -> String {
    const MOST_BYTES: usize = 1 << 30;
    let below = found.path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
    let beside: Vec<(String, String)> = found.companions.iter().filter_map(|path| companion(path)).collect();
    let companions: Vec<_> = beside.iter().map(|(name, text)| Companion { name, text }).collect();
    let shown = format!("/logs/{below}");
    let info = SourceInfo { path: &shown, companions: &companions, modified_us: 1, zone: None };
    let seen = if found.format.framing() == Framing::Database {
        decoded_database(found.format, info, &found.path)
    } else {
        let bytes = Opened::open(&found.path).unwrap().content(MOST_BYTES).unwrap().unwrap();
        decoded_lines(found.format, info, &bytes)
    };
    seen.line(&below)
}

/// Name and text of what is beside a log; of a folder or a database only the name.
fn companion(path: &Path) -> Option<(String, String)> {
    let name = path.file_name()?.to_str()?.to_owned();
    path.exists().then(|| (name, fs::read_to_string(path).unwrap_or_default()))
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
    hold("fuzz.txt", lines);
}

#[test]
fn ids_and_rows_of_every_fixture_are_a_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut lines = Vec::new();
    for (format, inputs) in FIXTURES {
        let format = Format::all().find(|f| f.name() == format).unwrap();
        for input in inputs {
            lines.push(decoded(format, &fs::read(root.join(input)).unwrap()).line(input));
        }
    }
    hold("fixtures.txt", lines);
}

#[test]
fn ids_and_rows_of_every_log_of_the_corpus_are_a_contract() {
    let Some(root) = std::env::var_os("DEVLOG_CORPUS").map(PathBuf::from).filter(|root| root.is_dir()) else {
        eprintln!("skipped: DEVLOG_CORPUS names no folder of real logs");
        return;
    };
    let mut found = Vec::new();
    discover::explicit(None, &root, |seen| {
        if let discover::ScanItem::File(file) = seen {
            found.push(file);
        }
    });
    hold("corpus.txt", found.iter().map(|file| decoded_file(&root, file)).collect());
}
