//! The generator against counts of its lines that know nothing of it.

use std::collections::HashMap;
use std::path::Path;

use serde_json::Value;

use super::*;

const END_US: i64 = 1_795_435_200_000_000;

fn options(home: &Path, bytes: Option<u64>, seed: u64) -> Options {
    Options { home: home.to_owned(), bytes, seed, end_us: END_US }
}

/// Every file below `home` with its content, compressed ones unpacked.
fn files(home: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut folders = vec![home.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            let name = path.strip_prefix(home).unwrap().to_str().unwrap().replace('\\', "/");
            found.push(if name.ends_with(".zst") {
                (name, zstd::decode_all(&bytes[..]).unwrap())
            } else {
                (name, bytes)
            });
        }
    }
    found.sort();
    found
}

fn lines(files: &[(String, Vec<u8>)]) -> impl Iterator<Item = (&str, Value)> {
    files.iter().filter(|(name, _)| name.contains(".jsonl")).flat_map(|(name, bytes)| {
        let text = std::str::from_utf8(bytes).unwrap();
        assert!(text.ends_with('\n'), "{name}");
        text.lines().map(move |line| {
            (name.as_str(), serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}")))
        })
    })
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("{key} in {value}"))
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_does_not() {
    let homes: Vec<_> = (0..3).map(|_| tempfile::tempdir().unwrap()).collect();
    let truths: Vec<_> =
        homes.iter().zip([7, 7, 8]).map(|(home, seed)| generate(&options(home.path(), None, seed)).unwrap()).collect();
    assert_eq!(truths[0], truths[1]);
    assert_ne!(truths[0], truths[2]);
    let all: Vec<_> = homes.iter().map(|home| files(home.path())).collect();
    assert!(all[0] == all[1], "two runs with one seed differ");
    assert!(all[0] != all[2]);
}

#[test]
fn every_line_is_json_and_files_and_lines_are_as_counted() {
    let home = tempfile::tempdir().unwrap();
    let truth = generate(&options(home.path(), None, 1)).unwrap();
    let files = files(home.path());
    let logs: Vec<_> = files.iter().filter(|(name, _)| name.contains(".jsonl")).collect();
    assert_eq!(truth.files, logs.len() as u64);
    assert_eq!(truth.lines, lines(&files).count() as u64);
    for kind in
        [".claude/projects/-home-dev-work-orchard-api/", "/subagents/agent-", ".meta.json", ".codex/sessions/20"]
    {
        assert!(files.iter().any(|(name, _)| name.contains(kind)), "{kind}");
    }
    for kind in [".claude/history.jsonl", ".codex/history.jsonl", "archived_sessions/rollout-", ".jsonl.zst"] {
        assert!(files.iter().any(|(name, _)| name.contains(kind)), "{kind}");
    }
    let newest = lines(&files).filter_map(|(_, line)| line["timestamp"].as_str().map(str::to_owned)).max().unwrap();
    assert!(newest.as_str() < "2026-11-23T12:00:00.000Z" && newest.as_str() > "2026-11-20", "{newest}");
}

/// Counts Claude's calls the simple way: of each `message.id` the record with the most output.
fn claude_by_message(files: &[(String, Vec<u8>)]) -> (BTreeMap<String, Usage>, u64, u64) {
    let mut calls: HashMap<String, (u64, Value)> = HashMap::new();
    let (mut rows, mut copies) = (0, 0);
    for (name, line) in lines(files).filter(|(name, _)| name.starts_with(".claude/projects")) {
        let message = &line["message"];
        if line["type"] != "assistant" || message["model"] == "<synthetic>" {
            continue;
        }
        rows += 1;
        let id = message["id"].as_str().unwrap().to_owned();
        let output = number(&message["usage"], "output_tokens");
        let best = calls.entry(id).or_insert((output, message.clone()));
        copies += u64::from(best.1 != *message && name.contains("jsonl"));
        if output > best.0 {
            *best = (output, message.clone());
        }
    }
    let mut models: BTreeMap<String, Usage> = BTreeMap::new();
    for (_, message) in calls.values() {
        for (i, part) in message["usage"]["iterations"].as_array().unwrap().iter().rev().enumerate() {
            let model = part["model"].as_str().filter(|_| i > 0).or(message["model"].as_str()).unwrap();
            models.entry(format!("claude/{model}")).or_default().add(&Usage {
                calls: 1,
                input_tokens: number(part, "input_tokens"),
                cache_read_tokens: number(part, "cache_read_input_tokens"),
                cache_write_5m_tokens: number(&part["cache_creation"], "ephemeral_5m_input_tokens"),
                cache_write_1h_tokens: number(&part["cache_creation"], "ephemeral_1h_input_tokens"),
                output_tokens: number(part, "output_tokens"),
                reasoning_tokens: if i > 0 {
                    0
                } else {
                    message["usage"]["output_tokens_details"]["thinking_tokens"].as_u64().unwrap_or(0)
                },
            });
        }
    }
    (models, rows, copies)
}

/// Counts Codex's calls the simple way: rises of the total, fork prefixes left out.
fn codex_by_rises(files: &[(String, Vec<u8>)]) -> BTreeMap<String, Usage> {
    let mut models: BTreeMap<String, Usage> = BTreeMap::new();
    for (name, _) in files.iter().filter(|(name, _)| name.starts_with(".codex") && name.contains("rollout-")) {
        let one: Vec<Value> = lines(files).filter(|(of, _)| of == name).map(|(_, line)| line).collect();
        let created = one[0]["timestamp"].as_str().unwrap();
        let forked = one[0]["payload"]["forked_from_id"].is_string();
        let (mut model, mut before) = (String::new(), Value::Null);
        for line in &one {
            let payload = &line["payload"];
            if line["type"] == "turn_context" {
                model = format!("codex/{}", payload["model"].as_str().unwrap());
            }
            let total = &payload["info"]["total_token_usage"];
            if payload["type"] != "token_count" || total.is_null() || *total == before {
                continue;
            }
            let replayed = forked && line["timestamp"].as_str().unwrap() == created;
            if !replayed {
                let rise = |key: &str| number(total, key) - before[key].as_u64().unwrap_or(0);
                models.entry(model.clone()).or_default().add(&Usage {
                    calls: 1,
                    input_tokens: rise("input_tokens") - rise("cached_input_tokens"),
                    cache_read_tokens: rise("cached_input_tokens"),
                    output_tokens: rise("output_tokens"),
                    reasoning_tokens: rise("reasoning_output_tokens"),
                    ..Usage::default()
                });
            }
            before = total.clone();
        }
    }
    models
}

#[test]
fn an_independent_count_of_the_lines_finds_the_truth() {
    let home = tempfile::tempdir().unwrap();
    let truth = generate(&options(home.path(), Some(12_000_000), 3)).unwrap();
    let files = files(home.path());
    let (mut models, rows, copies) = claude_by_message(&files);
    assert!(rows > 2 * models.values().map(|usage| usage.calls).sum::<u64>(), "calls repeat over lines");
    assert!(copies > 0);
    models.append(&mut codex_by_rises(&files));
    assert_eq!(truth.models, models);
    let total = truth.total();
    assert_eq!(total.calls, models.values().map(|usage| usage.calls).sum::<u64>());
    assert!(total.cache_read_tokens > total.input_tokens && total.total_tokens() > total.cache_read_tokens);
}

#[test]
fn forks_hold_copies_of_their_parents() {
    let home = tempfile::tempdir().unwrap();
    generate(&options(home.path(), None, 1)).unwrap();
    let files = files(home.path());
    let mut places: HashMap<String, std::collections::BTreeSet<&str>> = HashMap::new();
    let mut replays = 0;
    for (name, line) in lines(&files) {
        if let Some(uuid) = line["uuid"].as_str() {
            places.entry(uuid.to_owned()).or_default().insert(name);
        }
        replays += u64::from(line["payload"]["forked_from_id"].is_string());
    }
    assert!(places.values().any(|names| names.len() > 1), "no line of Claude Code stands in two files");
    assert!(replays > 0, "no rollout is a fork");
}

#[test]
fn the_size_asked_for_is_met_and_texts_compress_like_real_ones() {
    let home = tempfile::tempdir().unwrap();
    let truth = generate(&options(home.path(), Some(20_000_000), 5)).unwrap();
    assert!((18_000_000..36_000_000).contains(&truth.bytes), "{}", truth.bytes);
    let all: Vec<u8> = files(home.path()).into_iter().flat_map(|(_, bytes)| bytes).collect();
    let ratio = all.len() as f64 / zstd::bulk::compress(&all, 3).unwrap().len() as f64;
    assert!((3.5..9.0).contains(&ratio), "{ratio}");
}
