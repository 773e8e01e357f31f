//! Bytes to batches, all columns, one core: against simd-json's own tape and `serde_json` values on
//! the same lines.
//!
//! Reads real logs from `DEVLOG_CORPUS` (default `../shared/corpus`); where that is absent it says so.

#![allow(clippy::print_stderr, clippy::unwrap_used, missing_docs, reason = "a benchmark says what it skips")]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use devlog::adapters::{Line, SourceInfo, decoder};
use devlog::schema::{Format, RowContext, Rows};
use simd_json::{Buffers, INPUT_PADDING, Tape, fill_tape_padded};

/// Enough to leave the caches.
const SAMPLE_BYTES: usize = 48 << 20;

fn logs(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            logs(&path, found);
        } else if path.extension().is_some_and(|e| e == "jsonl") {
            found.push(path);
        }
    }
}

/// Whole files of one agent, up to `SAMPLE_BYTES`.
fn sample(agent: &str) -> Vec<Vec<u8>> {
    let corpus = std::env::var_os("DEVLOG_CORPUS").map_or_else(|| PathBuf::from("../shared/corpus"), PathBuf::from);
    let mut paths = Vec::new();
    logs(&corpus.join(agent), &mut paths);
    paths.sort();
    let mut files = Vec::new();
    let mut total = 0;
    for path in paths {
        if total >= SAMPLE_BYTES {
            break;
        }
        let bytes = fs::read(path).unwrap_or_default();
        total += bytes.len();
        files.push(bytes);
    }
    files
}

fn lines(file: &[u8]) -> impl Iterator<Item = &[u8]> {
    let whole = file.strip_suffix(b"\n").unwrap_or(file);
    let mut start = 0;
    memchr::memchr_iter(b'\n', whole).chain(std::iter::once(whole.len())).map(move |end| {
        let line = &whole[start..end];
        start = end + 1;
        line
    })
}

fn decode(format: Format, files: &[Vec<u8>]) -> usize {
    let mut rows = Rows::new(RowContext::new(format.agent(), "/bench.jsonl"));
    let mut total = 0;
    for file in files {
        let info = SourceInfo { path: "/bench.jsonl", companions: &[], modified_us: 0, zone: None };
        let mut current = decoder(format, info, None).expect("a format of lines or documents");
        let mut offset = 0;
        for bytes in lines(file) {
            let end = offset + bytes.len() as u64 + 1;
            current.line(Line { bytes, offset, end }, &mut rows);
            offset = end;
            if rows.stored_bytes() > 4 << 20 {
                total += black_box(rows.finish()).ids.len();
            }
        }
        current.settle(&mut rows);
    }
    total + black_box(rows.finish()).ids.len()
}

/// The parser by itself, with its buffers reused: the copy of the line it parses in, nothing else.
fn tape(files: &[Vec<u8>]) -> usize {
    let mut buffers = Buffers::new(64 * 1024);
    let (mut scratch, mut values) = (Vec::new(), 0);
    let mut tape = Tape::null();
    for line in files.iter().flat_map(|f| lines(f)) {
        scratch.clear();
        scratch.extend_from_slice(line);
        scratch.extend_from_slice(&[0; INPUT_PADDING]);
        let mut next = tape.reset();
        if fill_tape_padded(&mut scratch, line.len(), &mut buffers, &mut next).is_ok() {
            values += black_box(next.0.len());
        }
        tape = next.reset();
    }
    values
}

fn serde(files: &[Vec<u8>]) -> usize {
    let lines = files.iter().flat_map(|f| lines(f));
    lines.filter(|l| black_box(serde_json::from_slice::<serde_json::Value>(l)).is_ok()).count()
}

fn bench(c: &mut Criterion) {
    for (agent, format) in [("claude", Format::ClaudeSession), ("codex", Format::CodexRollout)] {
        let files = sample(agent);
        let bytes: usize = files.iter().map(Vec::len).sum();
        if bytes == 0 {
            eprintln!("{agent}: skipped, no logs below DEVLOG_CORPUS");
            continue;
        }
        let mut group = c.benchmark_group(format!("decode/{agent}"));
        group.throughput(Throughput::Bytes(bytes as u64)).sample_size(10);
        group.bench_function("batches", |b| b.iter(|| decode(format, &files)));
        group.bench_function("simd-json tape alone", |b| b.iter(|| tape(&files)));
        group.bench_function("serde_json values", |b| b.iter(|| serde(&files)));
        group.finish();
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
