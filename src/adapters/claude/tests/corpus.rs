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
    let root = std::env::var_os("DEVLOG_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"),
        PathBuf::from,
    );
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

#[test]
fn speed() {
    let files: Vec<Vec<u8>> = transcripts().iter().map(|p| std::fs::read(p).unwrap()).collect();
    let total: usize = files.iter().map(Vec::len).sum();
    for _ in 0..3 {
        let t = std::time::Instant::now();
        let mut parser = crate::adapters::line::Parser::default();
        let mut n = 0usize;
        for f in &files {
            for l in lines(f) {
                let _ = parser.each(l.bytes, |j| n += j.len());
            }
        }
        let tape = t.elapsed().as_secs_f64();
        let t = std::time::Instant::now();
        let mut rows = context(MAIN);
        let mut c = 0;
        for f in &files {
            let mut d = SessionDecoder::new(info(MAIN), None);
            for l in lines(f) {
                d.line(l, &mut rows);
                if rows.stored_bytes() > 8 << 20 {
                    c += rows.finish().ids.len();
                }
            }
            d.settle(&mut rows);
        }
        c += rows.finish().ids.len();
        let dec = t.elapsed().as_secs_f64();
        eprintln!(
            "{} MB tape {:.0} MB/s decode {:.0} MB/s ratio {:.2} rows {c} {n} {:?}",
            total >> 20,
            total as f64 / tape / 1e6,
            total as f64 / dec / 1e6,
            tape / dec,
            rows.take_counts()
        );
    }
}
