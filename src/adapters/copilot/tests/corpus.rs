//! Real files: everything decodes, and an independent count agrees.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::adapters::tests::{corpus, decode_database, files_below};
use crate::discover::{SNIFF_BYTES, sniff};

/// What plain reading of a session document finds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Counted {
    prompts: usize,
    shown: usize,
    rounds: usize,
    thoughts: usize,
}

fn count(document: &Value) -> Counted {
    let mut out = Counted::default();
    let list = |v: &Value| v.as_array().cloned().unwrap_or_default();
    for request in list(&document["requests"]) {
        out.prompts += usize::from(request.get("message").is_some());
        for part in list(&request["response"]) {
            let text = match &part["value"] {
                Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
                other => other.as_str().unwrap_or_default().to_owned(),
            };
            match part["kind"].as_str() {
                Some("toolInvocationSerialized") => out.shown += 1,
                Some("thinking") if !text.trim().is_empty() => out.thoughts += 1,
                _ => {}
            }
        }
        let rounds = list(&request["result"]["metadata"]["toolCallRounds"]);
        out.rounds += rounds.iter().map(|r| list(&r["toolCalls"]).len()).sum::<usize>();
    }
    out
}

fn calls(out: &Decoded) -> usize {
    let kinds = ["tool_use", "file_read", "file_write", "file_modify", "command_execution"];
    let edit = |r: &&crate::adapters::tests::Row| r["tool_call_id"].as_str().is_some_and(|id| id.starts_with("edit_"));
    out.events().iter().filter(|r| kinds.iter().any(|k| r["event_type"] == *k) && !edit(r)).count()
}

#[test]
fn every_real_file_decodes_and_plain_counts_agree() {
    let Some(folder) = corpus("copilot-vscode") else { return };
    let mut known: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for path in files_below(&folder) {
        let bytes = std::fs::read(&path).unwrap();
        let shown = path.to_string_lossy().into_owned();
        let head = &bytes[..bytes.len().min(SNIFF_BYTES)];
        let Ok(format) = sniff(&shown, head, Some("github-copilot")) else { continue };
        let out = if format == Format::CopilotSpans {
            decode_database(format, &path, &shown).0
        } else {
            decode(format, &shown, &bytes)
        };
        assert!(out.rejects.is_empty(), "{shown}");
        let entry = known.entry(format.name()).or_default();
        *entry = (entry.0 + 1, entry.1 + out.events().len());
        if format == Format::CopilotSession {
            let text = String::from_utf8_lossy(&bytes);
            let document: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap();
            let counted = count(&document);
            let of = |kind: &str| out.events().iter().filter(|r| r["event_type"] == kind).count();
            assert_eq!(of("user_interaction") + of("system"), counted.prompts, "prompts in {shown}");
            assert_eq!(of("thinking"), counted.thoughts, "thoughts in {shown}");
            let calls = calls(&out);
            assert!(calls >= counted.shown.max(counted.rounds), "calls in {shown}");
            assert!(calls <= counted.shown + counted.rounds, "calls in {shown}");
        }
    }
    assert!(known.len() >= 6, "{known:?}");
}

#[test]
fn the_real_span_store_sums_to_its_chat_spans() {
    let Some(folder) = corpus("copilot-vscode") else { return };
    let Some(path) = files_below(&folder).into_iter().find(|p| p.ends_with("copilot-otel/traces.db")) else { return };
    let (out, _) = decode_database(Format::CopilotSpans, &path, "/x/agent-traces.db");
    let database = rusqlite::Connection::open_with_flags(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sum =
        "SELECT sum(input_tokens), sum(output_tokens), sum(cached_tokens) FROM spans WHERE operation_name = 'chat'";
    let wanted: (i64, i64, i64) = database.query_row(sum, [], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).unwrap();
    assert_eq!(
        (
            out.sum("input_tokens") + out.sum("cache_read_tokens"),
            out.sum("output_tokens"),
            out.sum("cache_read_tokens")
        ),
        wanted
    );
}
