//! Real files: each decodes, every record is counted, and sums are those of an independent count.

use serde_json::Value;

use super::*;
use crate::adapters::tests::{corpus, decode, files_below};

fn text_at(path: &Path, sql: &str) -> Vec<String> {
    let uri = format!("file:{}?immutable=1", path.display());
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI;
    let connection = rusqlite::Connection::open_with_flags(uri, flags).unwrap();
    let Ok(mut statement) = connection.prepare(sql) else { return Vec::new() };
    statement.query_map([], |row| row.get::<_, String>(0)).unwrap().flatten().collect()
}

#[expect(clippy::print_stderr, reason = "figures of a test run")]
fn say(text: &str) {
    eprintln!("{text}");
}

#[test]
fn every_file_of_the_corpus_decodes_and_no_transcript_loses_a_call() {
    let Some(folder) = corpus("cursor") else { return };
    let (mut seen, mut rows) = (0, 0);
    for path in files_below(&folder).iter().filter(|path| path.extension().is_some_and(|e| e == "jsonl")) {
        let bytes = std::fs::read(path).unwrap();
        let decoded = decode(Format::CursorTranscript, &path.to_string_lossy(), &bytes);
        let values: Vec<Value> =
            bytes.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let parts = values.iter().filter_map(|line| line["message"]["content"].as_array()).flatten();
        let calls = parts.filter(|part| matches!(part["type"].as_str(), Some("tool_use" | "tool_call"))).count();
        let made = ["tool_use", "file_read", "file_write", "file_modify", "command_execution"]
            .map(|kind| decoded.of(kind).len());
        assert_eq!(made.iter().sum::<usize>(), calls, "{}", path.display());
        assert!(decoded.rejects.is_empty(), "{}", path.display());
        seen += 1;
        rows += decoded.rows.len();
    }
    assert!(seen > 0);
    say(&format!("{seen} transcripts, {rows} rows"));
}

#[test]
fn databases_of_the_corpus_have_as_many_prompts_and_answers_as_counted_by_hand() {
    let Some(folder) = corpus("cursor") else { return };
    for path in files_below(&folder) {
        let (format, name) = match path.extension().and_then(|e| e.to_str()) {
            Some("vscdb") => (Format::CursorState, "state.vscdb"),
            Some("db") => (Format::CursorChat, "store.db"),
            _ => continue,
        };
        let (decoded, _) = decode_database_with(format, &path, name, &[]);
        assert!(decoded.rejects.is_empty(), "{}", path.display());
        let (rows, records, tokens) = (decoded.rows.len(), decoded.counts.lines, decoded.sum("total_tokens"));
        say(&format!("{}: {records} records, {rows} rows, {tokens} tokens", path.display()));
        if format == Format::CursorChat {
            continue;
        }
        let (mut prompts, mut answers) = (0, 0);
        let kind = |bubble: &Value| {
            bubble["type"].as_i64().or_else(|| match bubble["type"].as_str()? {
                "user" => Some(1),
                _ => Some(2),
            })
        };
        let filled = |bubble: &Value| {
            ["text", "rawText", "context"].iter().any(|key| bubble[key].as_str().is_some_and(|t| !t.trim().is_empty()))
        };
        let mut count = |bubble: &Value| match kind(bubble) {
            Some(1) => prompts += usize::from(filled(bubble)),
            _ => {
                answers +=
                    usize::from(filled(bubble) || bubble["tokenCount"]["outputTokens"].as_i64().is_some_and(|n| n > 0))
            }
        };
        let sql = "SELECT CAST(value AS TEXT) FROM cursorDiskKV WHERE key >= 'bubbleId:' AND key < 'bubbleId;'";
        for text in text_at(&path, sql) {
            count(&serde_json::from_str(&text).unwrap());
        }
        let sql = "SELECT value FROM ItemTable WHERE key IN ('composer.composerData', 'workbench.panel.aichat.view.aichat.chatdata')";
        for text in text_at(&path, sql) {
            let value: Value = serde_json::from_str(&text).unwrap();
            let lists = [("allComposers", "conversation"), ("tabs", "bubbles")];
            for (chats, bubbles) in lists {
                let chats = value[chats].as_array().into_iter().flatten();
                chats.filter_map(|chat| chat[bubbles].as_array()).flatten().for_each(&mut count);
            }
        }
        let texts = decoded.of("user_interaction").iter().filter(|row| row.contains_key("text")).count();
        assert_eq!((texts, decoded.of("llm_response").len()), (prompts, answers), "{}", path.display());
        assert_eq!(decoded.events().len(), decoded.rows.len(), "no id comes twice in {}", path.display());
    }
}
