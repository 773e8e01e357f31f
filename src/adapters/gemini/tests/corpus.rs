//! Every real log under `DEVLOG_CORPUS`: exact accounting, and the same sums as a count by other means.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::adapters::tests::{Decoded, corpus, decode, files_below};
use crate::discover::sniff;
use crate::schema::Format;

const FORMATS: [Format; 4] =
    [Format::GeminiDocument, Format::GeminiSession, Format::GeminiPrompts, Format::GeminiTelemetry];

/// Gemini's files with what they are.
fn gemini_files() -> Vec<(PathBuf, Format, Vec<u8>)> {
    let folders = [corpus("gemini"), corpus("others")];
    let files = folders.into_iter().flatten().flat_map(|folder| files_below(&folder));
    let known = files.filter_map(|path| {
        let bytes = std::fs::read(&path).unwrap();
        let format = sniff(path.to_str().unwrap(), &bytes, None).ok()?;
        FORMATS.contains(&format).then_some((path, format, bytes))
    });
    known.collect()
}

/// The messages of a file, by the plainest means; the last record of an id stands.
fn messages(bytes: &[u8]) -> (String, BTreeMap<String, Value>) {
    let mut found = BTreeMap::new();
    let mut session = String::new();
    let put = |message: &Value, found: &mut BTreeMap<String, Value>| {
        let key = message["id"].as_str().map_or_else(|| format!("#{}", found.len()), str::to_owned);
        found.insert(key, message.clone());
    };
    for value in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>().map_while(Result::ok) {
        if let Some(id) = value["sessionId"].as_str() {
            session = id.to_owned();
        }
        for message in ["messages", "history"].iter().filter_map(|key| value[*key].as_array()).flatten() {
            put(message, &mut found);
        }
        if value["type"].is_string() {
            put(&value, &mut found);
        }
    }
    (session, found)
}

fn tokens<'m>(messages: impl Iterator<Item = &'m Value>) -> [i64; 4] {
    let mut sum = [0; 4];
    for tokens in messages.map(|m| &m["tokens"]).filter(|t| t.is_object()) {
        let part = |key: &str| tokens[key].as_i64().unwrap_or(0);
        let cached = part("cached").min(part("input"));
        let parts =
            [part("input") - cached + part("tool"), cached, part("output") + part("thoughts"), part("thoughts")];
        (0..4).for_each(|i| sum[i] += parts[i]);
    }
    sum
}

fn sums(decoded: &Decoded) -> [i64; 4] {
    ["input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens"].map(|column| decoded.sum(column))
}

#[test]
fn every_file_is_accounted_for_and_agrees_with_an_independent_count() {
    let (mut rows, mut rejects, mut all, mut files) = (0, 0, BTreeMap::new(), 0);
    let mut everything = Decoded { rows: Vec::new(), rejects: Vec::new(), counts: Default::default() };
    for (path, format, bytes) in gemini_files() {
        let decoded = decode(format, path.to_str().unwrap(), &bytes);
        let (session, found) = messages(&bytes);
        let shown = path.display();
        let calls: usize = found.values().map(|m| m["toolCalls"].as_array().map_or(0, Vec::len)).sum();
        let kinds = ["tool_use", "file_read", "file_write", "file_modify", "command_execution"];
        let events = decoded.events();
        let made = events.iter().filter(|row| kinds.contains(&row["event_type"].as_str().unwrap())).count();
        assert_eq!(made, calls, "tool calls of {shown}");
        assert!(sums(&decoded) == tokens(found.values()), "tokens of {shown}");
        let answers = found
            .values()
            .filter(|m| matches!(m["type"].as_str().or(m["role"].as_str()), Some("gemini" | "model")))
            .count();
        assert_eq!(events.iter().filter(|r| r["event_type"] == "llm_response").count(), answers, "answers of {shown}");
        files += 1;
        rows += decoded.rows.len();
        rejects += decoded.rejects.len();
        let session =
            if session.is_empty() { crate::adapters::path::stem(path.to_str().unwrap()).to_owned() } else { session };
        for (id, message) in found {
            all.insert((session.clone(), id), message);
        }
        everything.rows.extend(decoded.rows.into_iter().filter(|row| row.contains_key("total_tokens")));
    }
    if files > 0 {
        assert_eq!(rejects, 0);
        assert!(sums(&everything) == tokens(all.values()), "tokens by last record per session and message");
        #[expect(clippy::print_stderr, reason = "figures for those who look")]
        {
            eprintln!("gemini: {files} files, {rows} rows, tokens {:?}", sums(&everything));
        }
    }
}
