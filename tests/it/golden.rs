//! Event ids and the meaning of columns are a contract: for every fixture and every kept fuzz input the rows
//! must be those that `tests/golden/` remembers.
//!
//! A line of a golden file is `format rows digest input`. The digest covers the ids and the columns that
//! people count with, in the order of the ids. `DEVLOG_GOLDEN=write` writes the files anew: look at the diff,
//! and say in the commit which lines change and why.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use devlog::adapters::{Line, SourceInfo, database_decoder, decoder};
use devlog::schema::{Format, Framing, Record, RowContext, Rows, Tables};

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
const FIXTURES: [(&str, &[&str]); 13] = [
    ("amp-thread", &["amp/thread.json"]),
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
    let key = |line: &str| line.rsplit(' ').next().unwrap_or_default().to_owned();
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
