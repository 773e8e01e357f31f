//! Every view over a lake of N rows, each answer read to its end.
//!
//! `DEVLOG_BENCH_ROWS=2000000 cargo bench --bench views` (default 500,000 rows)

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

#[path = "common/rows.rs"]
mod rows;

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use devlog::lake::{Commit, CompactOptions, Lake, LakeOptions};
use devlog::query::{Cut, Engine, EngineOptions, Sources};
use devlog::schema::sources_schema;

/// Rows of a flush, as a backfill with the default budget has them.
const FLUSH: u64 = 32_768;
const NOW_US: i64 = 1_780_000_000_000_000;

fn fill(lake: &Lake, total: u64) {
    let mut first = 0;
    while first < total {
        let count = FLUSH.min(total - first);
        let parts = lake.encode_rows(&[rows::batch(first, count, total).events]).unwrap();
        let replaced = HashSet::new();
        lake.commit(Commit { operation: "bench", parts, replaced, now_us: NOW_US, ..Commit::default() }).unwrap();
        first += count;
    }
    lake.compact(CompactOptions::new(NOW_US)).unwrap();
}

fn answer(engine: &Engine, sql: &str) -> usize {
    let mut answer = engine.run_blocking(sql, &[]).unwrap();
    let mut rows = 0;
    while let Some(batch) = answer.next_blocking() {
        rows += batch.unwrap().num_rows();
    }
    rows
}

fn bench(c: &mut Criterion) {
    let total = std::env::var("DEVLOG_BENCH_ROWS").ok().and_then(|n| n.parse().ok()).unwrap_or(500_000);
    let home = tempfile::tempdir().unwrap();
    let lake = Lake::open(LakeOptions::new(&home.path().join("lake"), NOW_US)).unwrap();
    fill(&lake, total);
    let options = EngineOptions {
        memory_bytes: 128 << 20,
        spill_dir: home.path().join("spill"),
        timezone: "Europe/Berlin".to_owned(),
        user_queries: None,
        read_view: devlog::config::read_view,
        timeout: None,
        growth_bytes: None,
        threads: 0,
    };
    let cut = Cut {
        events: Vec::new(),
        rejects: Vec::new(),
        replaced: Arc::default(),
        sources: Sources::from(RecordBatch::new_empty(sources_schema())),
        lake: lake.snapshot(),
    };
    let engine = Engine::new(cut, options).unwrap();
    let mut views: Vec<String> = engine.views().map(|view| view.name.clone()).collect();
    views.sort();
    let mut group = c.benchmark_group(format!("views of {total} rows"));
    group.throughput(Throughput::Elements(total)).sample_size(10);
    for view in views {
        let sql = format!("SELECT * FROM {view}");
        group.bench_function(view, |b| b.iter(|| answer(&engine, &sql)));
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
