//! Every real log decodes: no panic, exact accounting, the same tokens as an independent count.
//!
//! Needs `DEVLOG_CORPUS` (default `../shared/corpus`); skipped where that is missing. Failures name
//! files and numbers, never contents.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::*;
use crate::adapters::claude::HistoryDecoder;

fn corpus() -> Option<PathBuf> {
    let root = std::env::var_os("DEVLOG_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"), PathBuf::from);
    let claude = root.join("claude");
    std::fs::read_dir(&claude).ok().map(|_| root)
}

/// Files below `dir`, sorted, so that every run reads them in the same order.
pub(super) fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(dir).into_iter().flatten().flatten().map(|e| e.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "jsonl") {
            out.push(path);
        }
    }
}

/// The corpus' transcripts, or nothing and a line that says so.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
pub(super) fn transcripts() -> Vec<PathBuf> {
    let Some(root) = corpus() else {
        eprintln!("skipped: no corpus (set DEVLOG_CORPUS)");
        return Vec::new();
    };
    let mut out = Vec::new();
    files(&root.join("claude"), &mut out);
    files(&root.join("growing/claude"), &mut out);
    out.retain(|p| p.file_name().is_some_and(|n| n != "history.jsonl"));
    out
}

/// Decodes a file twice, on its own.
fn decode_file(path: &Path) -> Decoded {
    let bytes = std::fs::read(path).unwrap();
    let first = decode_as(info(MAIN), &bytes);
    let ids = |d: &Decoded| d.rows.iter().map(|r| r["event_id"].clone()).collect::<Vec<_>>();
    assert!(ids(&first) == ids(&decode_as(info(MAIN), &bytes)), "{}: ids differ in a second run", path.display());
    first
}

#[test]
fn every_line_is_counted_once_and_every_run_gives_the_same_ids() {
    for path in transcripts() {
        let c = decode_file(&path).counts;
        assert_eq!(c.lines, c.line_rows + c.ignored + c.rejects, "{}", path.display());
        assert_eq!(c.lines, lines(&std::fs::read(&path).unwrap()).len() as u64, "{}", path.display());
    }
}

#[test]
fn histories_decode() {
    let Some(root) = corpus() else { return };
    let mut all = Vec::new();
    files(&root.join("claude"), &mut all);
    for path in all.iter().filter(|p| p.file_name().is_some_and(|n| n == "history.jsonl")) {
        let bytes = std::fs::read(path).unwrap();
        let mut rows = context(MAIN);
        let mut decoder = HistoryDecoder::new(info(MAIN), None);
        lines(&bytes).iter().for_each(|l| decoder.line(*l, &mut rows));
        let c = finish(&mut rows).counts;
        assert_eq!((c.line_rows, c.rejects), (c.lines, 0), "{}", path.display());
    }
}

/// Token counts in the order input, cache read, cache write, output.
type Tokens = [i64; 4];

fn tokens(usage: &Value) -> Tokens {
    let at = |key: &str| usage[key].as_i64().unwrap_or(0);
    ["input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"].map(at)
}

/// One call: level of the copy, usage of the call, usage of its earlier iterations.
type Copy = (u8, Tokens, Tokens);

/// Calls by message id, counted without the decoder: of the lines of one file the largest of each
/// field, of the files the copy of the highest level and, within it, with the most tokens.
#[derive(Default)]
struct Oracle(HashMap<String, Copy>);

impl Oracle {
    fn add(&mut self, level: u8, record: &Value) {
        let message = &record["message"];
        let usage = &message["usage"];
        if !message.is_object() || message["model"] == "<synthetic>" || record["isApiErrorMessage"] == true {
            return;
        }
        let filled = |v: &Value| v.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
        let made = || format!("{}@{}", record["sessionId"], record["timestamp"]);
        let id = filled(&message["id"]).or_else(|| filled(&record["uuid"])).unwrap_or_else(made);
        let runs = usage["iterations"].as_array().map_or(&[][..], Vec::as_slice);
        let mut earlier = [0; 4];
        for run in runs.iter().take(runs.len().saturating_sub(1)) {
            earlier = std::array::from_fn(|i| earlier[i] + tokens(run)[i]);
        }
        let call = self.0.entry(id).or_insert((level, [0; 4], [0; 4]));
        if level > call.0 {
            *call = (level, [0; 4], [0; 4]);
        }
        if level == call.0 {
            let now = tokens(usage);
            call.1 = std::array::from_fn(|i| call.1[i].max(now[i]));
            call.2 = std::array::from_fn(|i| call.2[i].max(earlier[i]));
        }
    }

    fn add_file(&mut self, bytes: &[u8]) {
        let mut file = Self::default();
        file.read(bytes);
        let worth = |copy: &Copy| (copy.1.iter().sum::<i64>() > 0, copy.0, copy.1.iter().sum::<i64>());
        for (id, copy) in file.0 {
            let known = self.0.entry(id).or_insert(copy);
            if worth(&copy) > worth(known) {
                *known = copy;
            }
        }
    }

    fn read(&mut self, bytes: &[u8]) {
        for line in lines(bytes) {
            for record in serde_json::Deserializer::from_slice(line.bytes).into_iter::<Value>().map_while(Result::ok) {
                if record["type"] == "assistant" {
                    self.add(if record["isSidechain"] == true { 1 } else { 2 }, &record);
                } else if record["type"] == "progress" && record["data"]["type"] == "agent_progress" {
                    let inner = &record["data"]["message"];
                    if inner["type"] == "assistant" {
                        self.add(0, inner);
                    }
                }
            }
        }
    }
}

#[test]
fn the_corpus_has_as_many_tokens_as_an_independent_count() {
    let mut oracle = Oracle::default();
    let mut best: HashMap<String, (i64, Tokens)> = HashMap::new();
    for path in transcripts() {
        let bytes = std::fs::read(&path).unwrap();
        oracle.add_file(&bytes);
        for row in decode_as(info(MAIN), &bytes).of("llm_response") {
            let at = |key: &str| row.get(key).and_then(Value::as_i64).unwrap_or(0);
            let writes = at("cache_write_5m_tokens") + at("cache_write_1h_tokens");
            let now = (at("completeness"), [at("input_tokens"), at("cache_read_tokens"), writes, at("output_tokens")]);
            let known = best.entry(row["event_id"].to_string()).or_insert(now);
            if now.0 > known.0 {
                *known = now;
            }
        }
    }
    let sum = |all: &mut dyn Iterator<Item = Tokens>| all.fold([0i64; 4], |a, b| std::array::from_fn(|i| a[i] + b[i]));
    let decoded = sum(&mut best.values().map(|(_, t)| *t));
    let counted = sum(&mut oracle.0.values().flat_map(|(_, top, earlier)| [*top, *earlier]));
    assert_eq!(decoded, counted);
}

/// Texts inside a value, but those below the keys that are left out by rule.
fn texts<'v>(value: &'v Value, out: &mut Vec<&'v str>) {
    const LEFT_OUT: [&str; 7] =
        ["signature", "data", "base64", "originalFile", "originalFileContents", "normalizedMessages", "model"];
    match value {
        Value::String(text) => out.push(text),
        Value::Array(items) => items.iter().for_each(|v| texts(v, out)),
        Value::Object(fields) => fields.iter().for_each(|(k, v)| {
            // `data` is encrypted or base64 when it is a text, and a progress record's body when not.
            if !LEFT_OUT.contains(&k.as_str()) || !(v.is_string() || v.is_array()) {
                texts(v, out);
            }
        }),
        _ => {}
    }
}

#[test]
fn every_text_of_a_record_is_in_some_row() {
    const SHORTEST: usize = 24;
    for path in transcripts() {
        let bytes = std::fs::read(&path).unwrap();
        if bytes.len() > 1_000_000 {
            continue;
        }
        let decoded = decode_as(info(MAIN), &bytes);
        let mut stored = Vec::new();
        let rows: Vec<Value> = decoded.rows.into_iter().map(Value::Object).collect();
        rows.iter().for_each(|r| texts(r, &mut stored));
        let known: std::collections::HashSet<&str> = stored.iter().copied().collect();
        let all = stored.join("\0");
        let has = |text: &str| known.contains(text) || memchr::memmem::find(all.as_bytes(), text.as_bytes()).is_some();
        for line in lines(&bytes) {
            let Ok(record) = serde_json::from_slice::<Value>(line.bytes) else { continue };
            let mut said = Vec::new();
            texts(&record, &mut said);
            for text in said.into_iter().filter(|t| t.len() >= SHORTEST && t.contains(' ') && record.is_object()) {
                let text = text.strip_prefix("Error: ").unwrap_or(text);
                // A read file stands in the answer line by line, with numbers.
                let kept = has(text.trim()) || text.lines().all(|l| l.len() < SHORTEST || has(l.trim()));
                assert!(kept, "{} at byte {}: a text of {} bytes is lost", path.display(), line.offset, text.len());
            }
        }
    }
}
