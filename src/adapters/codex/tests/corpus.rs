//! Every real log under `DEVLOG_CORPUS`: no panic, exact accounting, stable ids, right usage.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Decoded, info, lines, run};
use crate::adapters::codex::{HistoryDecoder, RolloutDecoder};

fn corpus() -> Option<PathBuf> {
    let root = std::env::var_os("DEVLOG_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"), PathBuf::from);
    let found = std::fs::metadata(&root).is_ok();
    if !found {
        #[expect(clippy::print_stdout, reason = "says why the test proves nothing here")]
        {
            println!("skipped: no corpus at {}", root.display());
        }
    }
    found.then_some(root)
}

fn files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            files(&path, out);
        } else if path.extension().is_some_and(|e| e == "jsonl") {
            out.push(path);
        }
    }
}

fn codex_files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    if let Some(root) = corpus() {
        files(&root.join("codex"), &mut found);
        files(&root.join("growing/codex"), &mut found);
        found.sort();
    }
    found
}

fn decode_file(path: &Path, bytes: &[u8]) -> Decoded {
    let name = path.to_str().unwrap();
    if name.ends_with("history.jsonl") {
        run(&mut HistoryDecoder::new(info(name), None), bytes)
    } else {
        run(&mut RolloutDecoder::new(info(name), None), bytes)
    }
}

/// Input, cached, cache writes, output, reasoning.
type Tokens = [i64; 5];

fn tokens(value: &Value) -> Option<Tokens> {
    let keys =
        ["input_tokens", "cached_input_tokens", "cache_write_input_tokens", "output_tokens", "reasoning_output_tokens"];
    let object = value.as_object()?;
    keys.iter().any(|k| object.contains_key(*k)).then(|| keys.map(|k| value[k].as_i64().unwrap_or(0)))
}

/// The rules once more, written apart from the decoder.
fn expected_usage(bytes: &[u8]) -> (Tokens, u64) {
    let (mut sum, mut calls, mut before): (Tokens, u64, Option<Tokens>) = ([0; 5], 0, None);
    for line in lines(bytes) {
        for value in serde_json::Deserializer::from_slice(line.bytes).into_iter::<Value>().map_while(Result::ok) {
            let payload = &value["payload"];
            if value["type"] != "event_msg" {
                continue;
            }
            let (total, last) = match payload["type"].as_str() {
                Some("token_count") => {
                    (tokens(&payload["info"]["total_token_usage"]), tokens(&payload["info"]["last_token_usage"]))
                }
                Some("turn.completed") => (tokens(&payload["usage"]), None),
                _ => continue,
            };
            let call = match (total, last, before) {
                (None, last, _) => last,
                (Some(total), Some(last), None) => Some(last).filter(|_| total != [0; 5]),
                (Some(total), None, None) => Some(total),
                (Some(total), _, Some(b)) if total == b => None,
                (Some(total), Some(last), Some(_)) if total == last => Some(total),
                (Some(total), _, Some(b)) if (0..5).all(|i| total[i] >= b[i]) => {
                    Some(std::array::from_fn(|i| total[i] - b[i]))
                }
                (Some(_), Some(last), Some(_)) => Some(last),
                (Some(total), None, Some(_)) => Some(total),
            };
            before = total.or(before);
            if let Some(call) = call.filter(|c| *c != [0; 5]) {
                calls += 1;
                (0..5).for_each(|i| sum[i] += call[i]);
            }
        }
    }
    (sum, calls)
}

#[test]
fn every_corpus_file_is_accounted_for_and_decodes_to_the_same_ids_twice() {
    for path in codex_files() {
        let bytes = std::fs::read(&path).unwrap();
        let decoded = decode_file(&path, &bytes);
        decoded.check_counts(lines(&bytes).len());
        let again = decode_file(&path, &bytes);
        assert!(decoded.batch.ids == again.batch.ids, "{}", path.display());
        let mut ids = decoded.batch.ids.clone();
        ids.sort_unstable();
        let rows = ids.len();
        ids.dedup();
        let twice = rows - ids.len();
        let kinds: Vec<_> = (0..decoded.len())
            .filter(|i| decoded.batch.ids[..*i].contains(&decoded.batch.ids[*i]))
            .map(|i| (decoded.text(i, "event_type"), decoded.i64(i, "source_offset")))
            .collect();
        assert!(twice == 0, "{kinds:?}: {twice} rows of {} share an id", path.display());
    }
}

#[test]
fn usage_of_every_corpus_file_is_what_the_rules_give() {
    for path in codex_files() {
        let bytes = std::fs::read(&path).unwrap();
        let decoded = decode_file(&path, &bytes);
        let ([input, cached, written, output, reasoning], calls) = expected_usage(&bytes);
        let got = (
            decoded.sum("input_tokens") + decoded.sum("cache_read_tokens") + decoded.sum("cache_write_5m_tokens"),
            decoded.sum("cache_read_tokens"),
            decoded.sum("cache_write_5m_tokens"),
            decoded.sum("output_tokens"),
            decoded.sum("reasoning_tokens"),
            decoded.sum("total_tokens"),
            decoded.of_type("llm_request").len() as u64,
        );
        let expected = (input, cached, written, output, reasoning, input + output, calls);
        assert!(got == expected, "{}: {got:?} instead of {expected:?}", path.display());
    }
}

#[test]
fn successive_states_of_a_live_session_are_prefixes_of_each_other() {
    let mut states: Vec<_> = codex_files().into_iter().filter(|p| p.to_string_lossy().contains("growing")).collect();
    states.sort();
    for pair in states.windows(2).filter(|pair| pair[0].parent() == pair[1].parent()) {
        let (early, late) = (std::fs::read(&pair[0]).unwrap(), std::fs::read(&pair[1]).unwrap());
        if !late.starts_with(&early) {
            continue;
        }
        let (early, late) = (decode_file(&pair[0], &early), decode_file(&pair[1], &late));
        // The last line of a state may be unfinished.
        let sure = early.batch.ids.len().saturating_sub(2);
        assert!(late.batch.ids[..sure] == early.batch.ids[..sure], "{}", pair[1].display());
    }
}
