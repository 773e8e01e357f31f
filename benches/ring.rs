//! The ring: appending, sealing and releasing, what a reader sees.
//!
//! `cargo bench --no-default-features --bench ring`

#![allow(missing_docs, reason = "a benchmark")]

#[path = "common/rows.rs"]
mod rows;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use devlog::ring::{Arrival, Precedence, Ring, Span};
use devlog::schema::{RowBatch, SourceId};

/// Rows in the ring.
const ROWS: u64 = 65_536;

fn arrival(rows: RowBatch) -> Arrival {
    let count = rows.ids.len();
    Arrival {
        precedences: vec![Precedence { completeness: 2, born_us: 0, tie_break: 0 }; count],
        stale: Vec::new(),
        replaces: Vec::new(),
        positions: Vec::new(),
        spans: vec![Span { source: SourceId(1), end: u32::try_from(count).unwrap_or(u32::MAX) }],
        bytes: count * 1000,
        rows,
    }
}

/// All rows, `each` at a time.
fn batches(each: u64) -> Vec<RowBatch> {
    (0..ROWS / each).map(|i| rows::batch(i * each, each, ROWS)).collect()
}

fn filled(batches: &[RowBatch]) -> Ring {
    let mut ring = Ring::default();
    for batch in batches {
        ring.append(arrival(batch.clone()));
    }
    ring
}

fn bench(c: &mut Criterion) {
    let mut group = c.benchmark_group("ring");
    group.throughput(Throughput::Elements(ROWS)).sample_size(10);
    let large = batches(4096);
    group.bench_function("append 4,096 rows at a time", |b| b.iter(|| filled(&large)));
    let ring = filled(&large);
    group.bench_function("append copies only", |b| {
        b.iter_batched(
            || filled(&large),
            |mut ring| {
                for batch in &large {
                    black_box(ring.append(arrival(batch.clone())));
                }
                ring
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("seal and release", |b| {
        b.iter_batched(
            || filled(&large),
            |mut ring| {
                if let Some(segment) = ring.seal() {
                    ring.release(segment.number);
                }
                ring
            },
            BatchSize::LargeInput,
        );
    });
    group.bench_function("view of 16 chunks", |b| b.iter(|| ring.view().events.len()));
    group.throughput(Throughput::Elements(4096));
    let single: Vec<RowBatch> = (0..4096).map(|i| rows::batch(i, 1, ROWS)).collect();
    group.bench_function("append one row at a time", |b| b.iter(|| filled(&single)));
    let ring = filled(&single);
    group.bench_function("view of single rows", |b| b.iter(|| ring.view().events.len()));
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
