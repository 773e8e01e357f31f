//! Real databases and files.

use std::collections::BTreeSet;
use std::path::Path;

use rusqlite::Connection;
use serde_json::Value;

use crate::adapters::Companion;
use crate::adapters::tests::{corpus, decode_database, decode_with, files_below};
use crate::schema::Format;

/// What the tables say, counted without the decoder.
fn counted(path: &Path) -> (usize, usize, usize, i64) {
    let connection = Connection::open(path).unwrap();
    let list = |sql: &str| -> Vec<Value> {
        let mut statement = connection.prepare(sql).unwrap();
        let texts = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        texts.map(|text| serde_json::from_str(&text.unwrap()).unwrap()).collect()
    };
    let (messages, parts) = (list("SELECT data FROM message"), list("SELECT data FROM part"));
    let role = |role: &str| messages.iter().filter(|m| m["role"] == role).count();
    let tokens = |m: &Value| {
        let t = &m["tokens"];
        let parts = [&t["input"], &t["output"], &t["reasoning"], &t["cache"]["read"], &t["cache"]["write"]];
        parts.iter().filter_map(|n| n.as_i64()).sum::<i64>()
    };
    let tools = parts.iter().filter(|p| p["type"] == "tool").count();
    (role("user"), role("assistant"), tools, messages.iter().map(tokens).sum())
}

#[test]
fn every_database_of_the_corpus_agrees_with_an_independent_count() {
    let Some(folder) = corpus("opencode") else { return };
    let databases: Vec<_> =
        files_below(&folder).into_iter().filter(|p| p.extension().is_some_and(|e| e == "db")).collect();
    assert!(!databases.is_empty());
    for path in databases {
        let (decoded, _) = decode_database(Format::OpencodeStore, &path, "/corpus/opencode.db");
        let (users, assistants, tools, tokens) = counted(&path);
        assert_eq!(decoded.of("user_interaction").len(), users);
        assert_eq!(decoded.of("llm_response").len(), assistants);
        let calls = ["command_execution", "file_read", "file_write", "file_modify", "tool_use"];
        assert_eq!(calls.iter().map(|kind| decoded.of(kind).len()).sum::<usize>(), tools);
        assert_eq!(decoded.sum("total_tokens"), tokens);
        assert!(decoded.rejects.is_empty());
    }
}

#[test]
fn every_file_of_the_corpus_is_read_with_its_parts() {
    let Some(folder) = corpus("opencode") else { return };
    let files = files_below(&folder);
    let is_message = |path: &&std::path::PathBuf| path.to_string_lossy().contains("/message/");
    let mut ids = BTreeSet::new();
    for path in files.iter().filter(is_message) {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let beside = path.parent().unwrap().join("../../part").join(&stem);
        let parts: Vec<(String, String)> = files_below(&beside)
            .iter()
            .map(|p| (p.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read_to_string(p).unwrap()))
            .collect();
        let companions: Vec<_> = parts.iter().map(|(name, text)| Companion { name, text }).collect();
        let bytes = std::fs::read(path).unwrap();
        let decoded = decode_with(Format::OpencodeMessage, &path.to_string_lossy(), &companions, &bytes);
        assert!(decoded.rejects.is_empty() && !decoded.rows.is_empty());
        ids.extend(decoded.ids());
    }
    let parts = files.iter().filter(|path| path.to_string_lossy().contains("/part/"));
    for path in parts {
        let decoded = decode_with(Format::OpencodePart, &path.to_string_lossy(), &[], &std::fs::read(path).unwrap());
        assert!(decoded.rejects.is_empty());
        assert!(
            decoded.ids().iter().all(|id| ids.contains(id)),
            "a part alone makes no event that its message does not"
        );
    }
}
