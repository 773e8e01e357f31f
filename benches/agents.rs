//! Every agent's decoder on real logs, one core: bytes a second for lines and documents, records a
//! second for databases, against the same queries without decoding.
//!
//! Reads real logs from `DEVLOG_CORPUS` (default `../shared/corpus`); formats it holds less than 16 kB of
//! are left out. `cargo bench --bench agents -- cursor` runs those whose name holds a word.

#![allow(clippy::print_stderr, clippy::unwrap_used, missing_docs, reason = "a benchmark says what it skips")]

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use devlog::adapters::{Line, SourceInfo, database_decoder, decoder};
use devlog::discover::{ScanItem, explicit};
use devlog::schema::{Format, Framing, RowContext, Rows};
use devlog::watch::{Cursor, Database};

/// Less of a format says nothing about its speed.
const FEW_BYTES: usize = 16 * 1024;

/// What one pass decodes, at least: small files are decoded again and again.
const PASS_BYTES: usize = 4 << 20;

/// Real logs by format.
fn corpus() -> BTreeMap<Format, Vec<PathBuf>> {
    let corpus = std::env::var_os("DEVLOG_CORPUS").map_or_else(|| PathBuf::from("../shared/corpus"), PathBuf::from);
    let mut found: BTreeMap<Format, Vec<PathBuf>> = BTreeMap::new();
    for folder in fs::read_dir(corpus).into_iter().flatten().flatten() {
        explicit(None, &folder.path(), |seen| {
            if let ScanItem::File(file) = seen {
                found.entry(file.format).or_default().push(file.path);
            }
        });
    }
    found
}

/// Memory of rows that go on together, as the pipeline hands them on: small files share a batch.
const LOAD_BYTES: usize = 4 << 20;

/// Takes the rows once there are many, and says how many.
fn taken(rows: &mut Rows, load_bytes: usize) -> usize {
    if rows.stored_bytes() < load_bytes {
        return 0;
    }
    black_box(rows.finish()).ids.len()
}

fn decode(format: Format, path: &str, bytes: &[u8], rows: &mut Rows) -> usize {
    rows.begin(RowContext::new(format.agent(), path));
    let info = SourceInfo { path, companions: &[], modified_us: 0, zone: None };
    let mut current = decoder(format, info, None).expect("a format of lines or documents");
    let mut total = 0;
    if format.framing() == Framing::Document {
        current.line(Line { bytes, offset: 0, end: bytes.len() as u64 }, rows);
    } else {
        let mut offset = 0;
        for line in bytes.split_inclusive(|b| *b == b'\n') {
            let end = offset + line.len() as u64;
            current.line(Line { bytes: line.strip_suffix(b"\n").unwrap_or(line), offset, end }, rows);
            offset = end;
            total += taken(rows, LOAD_BYTES);
        }
    }
    current.settle(rows);
    total + taken(rows, LOAD_BYTES)
}

fn streams(c: &mut Criterion, format: Format, paths: &[PathBuf]) {
    let files: Vec<(String, Vec<u8>)> = paths
        .iter()
        .filter(|p| p.extension().is_none_or(|e| e != "zst"))
        .map(|p| (p.to_string_lossy().into_owned(), fs::read(p).unwrap_or_default()))
        .collect();
    let bytes: usize = files.iter().map(|(_, b)| b.len()).sum();
    if bytes < FEW_BYTES {
        return;
    }
    let passes = (PASS_BYTES / bytes).max(1);
    let mut group = c.benchmark_group(format!("{}/{}", format.agent(), format.name()));
    group.throughput(Throughput::Bytes((bytes * passes) as u64)).sample_size(10);
    group.bench_function("batches", |b| {
        b.iter(|| {
            let mut rows = Rows::new(RowContext::new(format.agent(), "/bench"));
            let mut pass = || -> usize { files.iter().map(|(path, file)| decode(format, path, file, &mut rows)).sum() };
            (0..passes).map(|_| pass()).sum::<usize>() + taken(&mut rows, 0)
        });
    });
    group.finish();
}

/// Records of all queries; their rows are made when `decoded`.
fn read(format: Format, path: &Path, decoded: bool, rows: &mut Rows) -> u64 {
    let shown = path.to_string_lossy();
    let info = SourceInfo { path: &shown, companions: &[], modified_us: 0, zone: None };
    let mut decoder = database_decoder(format, info).expect("a format of databases");
    let Ok(database) = Database::open(path, format) else { return 0 };
    let Ok(queries) = decoder.queries(&database.tables().unwrap()) else { return 0 };
    rows.begin(RowContext::new(format.agent(), &shown));
    let mut records = 0;
    for query in &queries {
        let each = database.each(query, Cursor::START, |record| {
            records += 1;
            if decoded {
                black_box(decoder.record(record, false, rows));
                taken(rows, LOAD_BYTES);
            } else {
                black_box(record.size());
            }
            true
        });
        each.unwrap();
    }
    records
}

fn databases(c: &mut Criterion, format: Format, paths: &[PathBuf]) {
    let mut rows = Rows::new(RowContext::new(format.agent(), "/bench"));
    let records: u64 = paths.iter().map(|path| read(format, path, false, &mut rows)).sum();
    if records < 20 {
        return;
    }
    let mut group = c.benchmark_group(format!("{}/{}", format.agent(), format.name()));
    group.throughput(Throughput::Elements(records)).sample_size(10);
    for (name, decoded) in [("the queries alone", false), ("batches", true)] {
        group.bench_function(name, |b| {
            b.iter(|| {
                let all: u64 = paths.iter().map(|path| read(format, path, decoded, &mut rows)).sum();
                all + taken(&mut rows, 0) as u64
            });
        });
    }
    group.finish();
}

fn bench(c: &mut Criterion) {
    let found = corpus();
    if found.is_empty() {
        eprintln!("skipped, no logs below DEVLOG_CORPUS");
    }
    for (format, paths) in &found {
        if format.framing() == Framing::Database {
            databases(c, *format, paths);
        } else {
            streams(c, *format, paths);
        }
    }
}

criterion_group!(benches, bench);
criterion_main!(benches);
