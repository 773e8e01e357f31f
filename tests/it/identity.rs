//! An event's id comes from what its record says, not from how the JSON of it is written.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use devlog::adapters::{Line, SourceInfo, database_decoder, decoder};
use devlog::discover;
use devlog::schema::{Format, Framing, Record, RowContext, Rows, Tables};
use serde_json::Value;

use super::bodies;

/// Databases whose cells are what people and models have said: one that looks like JSON is a text all the same.
const TEXT_CELLS: [Format; 1] = [Format::CopilotCliStore];

/// Writes a value as another program would: with spaces, and with escapes wherever they are allowed.
fn otherwise(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                out.push_str(if i > 0 { " ,\t" } else { " " });
                otherwise(item, out);
            }
            out.push_str(" ]");
        }
        Value::Object(fields) => {
            out.push('{');
            for (i, (key, value)) in fields.iter().enumerate() {
                out.push_str(if i > 0 { " , " } else { " " });
                string(key, out);
                out.push_str(" : ");
                otherwise(value, out);
            }
            out.push_str(" }");
        }
        plain => write!(out, "{plain}").unwrap(),
    }
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii_alphanumeric() || byte == b' ' => out.push(char::from(byte)),
            Ok(b'/') => out.push_str("\\/"),
            _ => write!(out, "\\u{unit:04x}").unwrap(),
        }
    }
    out.push('"');
}

/// The JSON text in another form; `None` for anything else, or with numbers or keys that would not come back
/// the same.
fn rewritten(text: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(text).ok()?;
    let mut out = String::new();
    otherwise(&value, &mut out);
    (value.is_object() || value.is_array()).then_some(out)
}

/// A source and the same source in another form, its lines at the same places.
fn both(format: Format, bytes: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut plain, mut other) = (Vec::new(), Vec::new());
    for (i, (_, line)) in bodies::cut(format, bytes).into_iter().enumerate() {
        if i > 0 {
            plain.push(b'\n');
            other.push(b'\n');
        }
        let form = rewritten(line).map_or_else(|| line.to_vec(), String::into_bytes);
        let padding = form.len().max(line.len());
        plain.extend(line.iter().copied().chain(std::iter::repeat(b' ')).take(padding));
        other.extend(form.iter().copied().chain(std::iter::repeat(b' ')).take(padding));
    }
    (plain, other)
}

fn ids(format: Format, path: &str, bytes: &[u8]) -> BTreeSet<u128> {
    let info = SourceInfo { path, modified_us: 1, ..SourceInfo::default() };
    let mut rows = Rows::new(RowContext::new(format.agent(), path));
    let mut decoder = decoder(format, info, None).unwrap();
    for (offset, line) in bodies::cut(format, bytes) {
        decoder.line(Line { bytes: line, offset, end: offset + line.len() as u64 + 1 }, &mut rows);
    }
    decoder.settle(&mut rows);
    rows.finish().ids.iter().map(|id| id.0).collect()
}

/// Ids of the records of a database; `bytes` as in `fuzz/bodies.rs`.
fn record_ids(format: Format, bytes: &[u8], other: bool) -> BTreeSet<u128> {
    let info = SourceInfo { path: "/logs/store.db", modified_us: 1, ..SourceInfo::default() };
    let mut rows = Rows::new(RowContext::new(format.agent(), info.path));
    let mut decoder = database_decoder(format, info).unwrap();
    let queries = decoder.queries(&Tables::all()).unwrap();
    for (rowid, line) in (1..).zip(bytes.split(|b| *b == b'\n')) {
        let Some((pick, rest)) = line.split_first() else { continue };
        let query = queries[usize::from(*pick) % queries.len()].name;
        let is_json = other && !TEXT_CELLS.contains(&format);
        let cell = |cell: &[u8]| rewritten(cell).filter(|_| is_json).map_or_else(|| cell.to_vec(), String::into_bytes);
        let cells: Vec<_> = rest.split(|b| *b == 0x1e).map(cell).collect();
        let values: Vec<_> = cells.iter().map(|cell| bodies::value(cell)).collect();
        decoder.record(&Record { query, rowid, mark: rowid, values: &values }, false, &mut rows);
    }
    rows.finish().ids.iter().map(|id| id.0).collect()
}

/// What differs, as a line of a message.
fn differs(format: Format, path: &str, bytes: &[u8]) -> Option<String> {
    let (known, found) = if format.framing() == Framing::Database {
        (record_ids(format, bytes, false), record_ids(format, bytes, true))
    } else {
        let (plain, other) = both(format, bytes);
        (ids(format, path, &plain), ids(format, path, &other))
    };
    let new = found.difference(&known).count();
    (known != found).then(|| format!("{new} of {} ids are others: {} {path}", found.len(), format.name()))
}

#[test]
fn a_record_in_another_form_is_the_same_event() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut wrong = Vec::new();
    for format in Format::all() {
        for entry in fs::read_dir(root.join(format.name())).into_iter().flatten() {
            let path = entry.unwrap().path();
            wrong.extend(differs(format, path.to_str().unwrap(), &fs::read(&path).unwrap()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_record_of_a_real_log_in_another_form_is_the_same_event() {
    const LONGEST: usize = 200 << 10;
    let Some(root) = std::env::var_os("DEVLOG_CORPUS").map(PathBuf::from).filter(|root| root.is_dir()) else {
        eprintln!("skipped: DEVLOG_CORPUS names no folder of real logs");
        return;
    };
    let mut wrong = Vec::new();
    discover::explicit(None, &root, |seen| {
        let discover::ScanItem::File(file) = seen else { return };
        let bytes = fs::read(&file.path).unwrap();
        if bytes.len() <= LONGEST && file.format.framing() != Framing::Database {
            wrong.extend(differs(file.format, file.path.to_str().unwrap(), &bytes));
        }
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
