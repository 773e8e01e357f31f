//! What is never stored: tokens, keys, encrypted reasoning, signatures and unsent prompts, in any format.

use std::fs;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use devlog::adapters::{Line, SourceInfo, database_decoder, decoder};
use devlog::discover;
use devlog::schema::{Format, Framing, Record, RowContext, Rows, Tables};
use serde_json::{Map, Value, json};

use super::bodies;
#[cfg(unix)]
use super::home::{Home, prompt, wait_for};

/// Names of secrets as agents write them.
const KEYS: [&str; 27] = [
    "encrypted_content",
    "encryptedContent",
    "encryptedReasoning",
    "reasoningEncryptedContent",
    "reasoningOpaque",
    "redactedContent",
    "redactedData",
    "signature",
    "thinkingSignature",
    "textSignature",
    "thoughtSignature",
    "thought_signature",
    "reasoning_signature",
    "statefulMarker",
    "encrypted",
    "auth",
    "authorization",
    "Authorization",
    "accessToken",
    "access_token",
    "refreshToken",
    "refresh_token",
    "apiKey",
    "OPENAI_API_KEY",
    "blobEncryptionKey",
    "speculativeSummarizationEncryptionKey",
    "inputState",
];

/// What no row may hold.
const MARK: &str = "never-to-be-seen";

/// Where an agent keeps what was said to a tool and by it: content, whatever it speaks of.
const CONTENTS: [&str; 29] = [
    "input",
    "arguments",
    "args",
    "rawArgs",
    "parsedArgs",
    "params",
    "parameters",
    "action",
    "output",
    "result",
    "results",
    "toolUseResult",
    "toolResult",
    "response",
    "metadata",
    "rawInput",
    "rawOutput",
    "resultDetails",
    "tool_input",
    "tool_args",
    "tool_output",
    "content",
    "changes",
    "tool",
    "capabilities",
    "resultMetadata",
    "toolSpecificData",
    "uses",
    "trees",
];

/// Puts every secret into every object of a record that is none of a tool's.
fn poison(value: &mut Value, is_content: bool) {
    match value {
        Value::Object(fields) => {
            for (key, inner) in fields.iter_mut() {
                poison(inner, is_content || CONTENTS.contains(&key.as_str()));
            }
            if !is_content {
                add(fields);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, is_content)),
        _ => {}
    }
}

fn add(fields: &mut Map<String, Value>) {
    for key in KEYS {
        fields.entry(key).or_insert_with(|| json!(format!("{MARK}-{key}")));
    }
    fields.entry("pendingDraft").or_insert_with(|| json!({"inputState": {"inputText": MARK}, "draft": [MARK]}));
}

fn poisoned(text: &[u8]) -> Option<Vec<u8>> {
    let mut value: Value = serde_json::from_slice(text).ok().filter(|v: &Value| v.is_object() || v.is_array())?;
    poison(&mut value, false);
    Some(value.to_string().into_bytes())
}

/// Notes the columns that show a secret; what is one of `texts`, values that stand by themselves, is a text.
fn found_in(batch: &RecordBatch, texts: &[Vec<u8>], found: &mut Vec<String>) {
    let options = FormatOptions::default();
    for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
        let cells = ArrayFormatter::try_new(column.as_ref(), &options).unwrap();
        for i in 0..batch.num_rows() {
            let cell = cells.value(i).to_string();
            let is_text = texts.iter().any(|text| text == cell.as_bytes());
            if let Some(at) = cell.find(MARK).filter(|_| !is_text) {
                let around: String = cell.chars().skip(at.saturating_sub(60)).take(110).collect();
                found.push(format!("{}: …{around}", field.name()));
            }
        }
    }
}

/// The columns in which a source shows a secret.
fn shown(format: Format, path: &str, bytes: &[u8]) -> Vec<String> {
    let info = SourceInfo { path, modified_us: 1, ..SourceInfo::default() };
    let mut rows = Rows::new(RowContext::new(format.agent(), path));
    let (mut found, mut texts) = (Vec::new(), Vec::new());
    if format.framing() == Framing::Database {
        let mut decoder = database_decoder(format, info).unwrap();
        let queries = decoder.queries(&Tables::all()).unwrap();
        for (rowid, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
            let Some((pick, rest)) = line.split_first() else { continue };
            let query = queries[usize::from(*pick) % queries.len()].name;
            let cells: Vec<_> = rest.split(|b| *b == 0x1e).map(|c| poisoned(c).unwrap_or_else(|| c.to_vec())).collect();
            let values: Vec<_> = cells.iter().map(|cell| bodies::value(cell)).collect();
            decoder.record(&Record { query, rowid, mark: rowid, values: &values }, false, &mut rows);
            texts.extend(cells);
        }
    } else {
        let mut decoder = decoder(format, info, None).unwrap();
        let mut offset = 0;
        for (_, line) in bodies::cut(format, bytes) {
            let line = poisoned(line).unwrap_or_else(|| line.to_vec());
            decoder.line(Line { bytes: &line, offset, end: offset + line.len() as u64 + 1 }, &mut rows);
            offset += line.len() as u64 + 1;
            let mut tail = Rows::new(RowContext::new(format.agent(), path)).of_tail();
            decoder.provisional(&mut tail);
            found_in(&tail.finish().events, &texts, &mut found);
        }
        decoder.settle(&mut rows);
    }
    let batch = rows.finish();
    found_in(&batch.events, &texts, &mut found);
    found_in(&batch.rejects, &texts, &mut found);
    found.truncate(3);
    found.iter().map(|column| format!("{} {path} {column}", format.name())).collect()
}

#[test]
fn no_format_stores_a_secret() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for format in Format::all() {
        for entry in fs::read_dir(root.join("fuzz/corpus").join(format.name())).into_iter().flatten() {
            let path = entry.unwrap().path();
            found.extend(shown(format, path.to_str().unwrap(), &fs::read(&path).unwrap()));
        }
    }
    for (format, inputs) in super::golden::FIXTURES {
        let format = Format::all().find(|f| f.name() == format).unwrap();
        for input in inputs {
            found.extend(shown(format, input, &fs::read(root.join("tests/fixtures").join(input)).unwrap()));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_real_log_would_store_a_secret() {
    const LONGEST: usize = 50 << 10;
    let Some(root) = std::env::var_os("DEVLOG_CORPUS").map(PathBuf::from).filter(|root| root.is_dir()) else {
        eprintln!("skipped: DEVLOG_CORPUS names no folder of real logs");
        return;
    };
    let mut found = Vec::new();
    discover::explicit(None, &root, |seen| {
        let discover::ScanItem::File(file) = seen else { return };
        let bytes = fs::read(&file.path).unwrap();
        if bytes.len() <= LONGEST && file.format.framing() != Framing::Database {
            found.extend(shown(file.format, file.path.to_str().unwrap(), &bytes));
        }
    });
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[cfg(unix)]
#[test]
fn neither_the_ring_nor_the_lake_holds_a_secret() {
    let home = Home::new();
    let mut log = String::new();
    for n in 0..3 {
        let mut record: Value = serde_json::from_str(&prompt("s-secret", n, "what is in the vault?")).unwrap();
        poison(&mut record, false);
        log += &format!("{record}\n");
    }
    fs::write(home.claude("-home-me-vault", "s-secret"), log).unwrap();
    let seen = |place: &str| {
        let rows = home.query("SELECT * FROM events");
        assert_eq!(rows.len(), 3, "{place}");
        assert!(!serde_json::to_string(&rows).unwrap().contains(MARK), "{place}");
    };
    let daemon = home.ingest(&["--flush-interval", "1h"]);
    wait_for("the rows", || home.number("SELECT count(*) FROM events") == 3);
    seen("in the ring");
    daemon.stop();
    seen("in the lake");
}
