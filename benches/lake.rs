//! The lake: encoding and committing rows, asking for known ids, compaction.
//!
//! `cargo bench --no-default-features --bench lake`

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

#[path = "common/rows.rs"]
mod rows;

use std::collections::HashSet;

use arrow::array::RecordBatch;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use devlog::lake::{Commit, CompactOptions, Lake, LakeOptions};
use devlog::schema::EventId;
use tempfile::TempDir;

/// Rows of a flush.
const ROWS: u64 = 16_384;
/// Flushes that a compaction merges.
const PARTS: u64 = 16;
const NOW_US: i64 = 1_780_000_000_000_000;

fn open() -> (TempDir, Lake) {
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::open(LakeOptions::new(&home.path().join("lake"), NOW_US)).unwrap();
    (home, lake)
}

fn commit(lake: &Lake, batches: &[RecordBatch]) {
    let parts = lake.encode_rows(batches).unwrap();
    let commit = Commit { operation: "bench", parts, replaced: HashSet::new(), now_us: NOW_US, ..Commit::default() };
    lake.commit(commit).unwrap();
}

fn bench(c: &mut Criterion) {
    // A row's time follows from its number: with this total all are in one month.
    let flushes: Vec<_> = (0..PARTS).map(|i| rows::batch(i * ROWS, ROWS, ROWS * PARTS * 3)).collect();
    let mut group = c.benchmark_group("lake");
    group.throughput(Throughput::Elements(ROWS)).sample_size(10);
    group.bench_function("encode and commit 16,384 rows", |b| {
        b.iter_batched(
            open,
            |(home, lake)| {
                commit(&lake, &[flushes[0].events.clone()]);
                (home, lake)
            },
            BatchSize::PerIteration,
        );
    });
    let full = || {
        let (home, lake) = open();
        for flush in &flushes {
            commit(&lake, std::slice::from_ref(&flush.events));
        }
        (home, lake)
    };
    let (_home, lake) = full();
    let new = rows::batch(ROWS * PARTS, ROWS, ROWS * PARTS * 3);
    let asked: Vec<(EventId, i64)> = new.ids.iter().map(|id| (*id, 1_767_225_700_000_000)).collect();
    group.bench_function("ask 16 files for 16,384 new ids", |b| {
        b.iter(|| lake.known().find(&lake.snapshot(), &asked).unwrap().len());
    });
    group.throughput(Throughput::Elements(ROWS * PARTS));
    group.bench_function("compact 16 files of 16,384 rows", |b| {
        b.iter_batched(
            full,
            |(home, lake)| {
                let options = CompactOptions { min_parts: 2, ..CompactOptions::new(NOW_US) };
                assert_eq!(lake.compact(options).unwrap().merges, 1);
                (home, lake)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
