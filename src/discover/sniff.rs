//! What a file is, by its first bytes. Pure.
//!
//! Only the names of the fields at the top of each object and their short texts are looked at, by a
//! scanner that goes on when the object is cut off: first lines of 100 kB are ordinary (instructions,
//! images), and the deciding fields stand early.

use crate::discover::agents::AGENTS;
use crate::discover::head::{Head, Shape};
use crate::schema::Format;

/// Bytes of a file (decompressed) that are looked at.
pub const SNIFF_BYTES: usize = 64 * 1024;

/// Largest zstd window that is accepted, as the zstd tool does: 128 MiB.
pub(super) const ZSTD_WINDOW_LOG: u32 = 27;

/// First bytes of every SQLite database.
pub(super) const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// Why a file is no log that devlog knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unknown {
    /// The name is none that logs have.
    #[error("its name does not end as a log's does (.jsonl, .jsonl.zst, .json, .db, .vscdb, .sqlite, .md, .txt, .log)")]
    Name,
    /// It describes another file and is read with that one.
    #[error("it describes a sub-agent and is read with that transcript")]
    Companion,
    /// There is nothing in it yet.
    #[error("it is empty")]
    Empty,
    /// It does not start with a JSON object.
    #[error("it holds no JSON objects, and no text that an agent writes")]
    NotJson,
    /// It is JSON of a shape that no known agent writes.
    #[error("its fields are not those of a known agent's log")]
    Shape,
    /// It is a database without the tables of a known agent.
    #[error("its tables are not those of a known agent's database")]
    Tables,
    /// It is a log of another agent than the one asked for.
    #[error("it is a {} file, not one of the agent asked for", format.name())]
    OtherAgent {
        /// What it is.
        format: Format,
    },
}

/// What the file at `path` that starts with `bytes` is, asked for logs of `agent` (of any when `None`);
/// the first line that decides wins.
///
/// # Errors
///
/// Returns why no line decides.
pub fn sniff(path: &str, bytes: &[u8], agent: Option<&str>) -> Result<Format, Unknown> {
    if bytes.starts_with(SQLITE_MAGIC) {
        return decide(&Head::new(path, Shape::Database, bytes), agent).unwrap_or(Err(Unknown::Tables));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let blank = |b: &u8| b.is_ascii_whitespace() || *b == 0;
    let (mut rest, mut objects, mut other) = (bytes, 0, None);
    while let Some(start) = rest.iter().position(|b| !blank(b)) {
        rest = &rest[start..];
        if let Some(head) = Head::of_json(path, bytes, rest) {
            objects += 1;
            match decide(&head, agent) {
                Some(Ok(format)) => return Ok(format),
                Some(Err(unknown)) => other = other.or(Some(unknown)),
                None => {}
            }
        }
        match memchr::memchr(b'\n', rest) {
            Some(end) => rest = &rest[end..],
            None => break,
        }
    }
    match decide(&Head::new(path, Shape::Text, bytes), agent) {
        Some(Ok(format)) => Ok(format),
        Some(Err(unknown)) => Err(other.unwrap_or(unknown)),
        None => Err(other.unwrap_or(if objects > 0 {
            Unknown::Shape
        } else if bytes.iter().all(blank) {
            Unknown::Empty
        } else {
            Unknown::NotJson
        })),
    }
}

/// The answer of the first agent that knows the head.
fn decide(head: &Head<'_>, agent: Option<&str>) -> Option<Result<Format, Unknown>> {
    let Some(agent) = agent else { return AGENTS.iter().find_map(|known| (known.sniff)(head)).map(Ok) };
    let mut other = None;
    for format in AGENTS.iter().filter_map(|known| known.sniff_for(head, agent)) {
        if format.agent() == agent {
            return Some(Ok(format));
        }
        other = other.or(Some(Err(Unknown::OtherAgent { format })));
    }
    other
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_is_known_by_its_fields() {
        let table: &[(&str, Result<Format, Unknown>)] = &[
            (r#"{"type":"user","message":{"role":"user"},"uuid":"u","sessionId":"s"}"#, Ok(Format::ClaudeSession)),
            (r#"{"type":"summary","summary":"x","leafUuid":"u"}"#, Ok(Format::ClaudeSession)),
            (r#"{"type":"file-history-snapshot","messageId":"m","snapshot":{}}"#, Ok(Format::ClaudeSession)),
            (r#"{"type":"started","key":"k","agentId":"a"}"#, Ok(Format::ClaudeSession)),
            (r#"{"display":"x","pastedContents":{},"timestamp":1,"project":"/p"}"#, Ok(Format::ClaudeHistory)),
            (r#"{"timestamp":"t","type":"session_meta","payload":{"id":"x"}}"#, Ok(Format::CodexRollout)),
            (r#"{"id":"x","timestamp":"t","instructions":null}"#, Ok(Format::CodexRollout)),
            (r#"{"record_type":"state"}"#, Ok(Format::CodexRollout)),
            (r#"{"type":"function_call","name":"shell","call_id":"c"}"#, Ok(Format::CodexRollout)),
            ("{\n  \"session\": {\"id\": \"x\"},\n  \"items\": [\n {}]}", Ok(Format::CodexDocument)),
            (r#"{"session_id":"s","ts":1,"text":"x"}"#, Ok(Format::CodexHistory)),
            (r#"{"id":"x","thread_name":"n","updated_at":"t"}"#, Ok(Format::CodexIndex)),
            (r#"{"a":{"type":"user","uuid":"u"}}"#, Err(Unknown::Shape)),
            (r#"{"a":"\"type\":\"user\",\"uuid\":"}"#, Err(Unknown::Shape)),
            ("[1,2]", Err(Unknown::Shape)),
            ("hello\nworld", Err(Unknown::NotJson)),
            (" \n\0\n", Err(Unknown::Empty)),
            ("", Err(Unknown::Empty)),
        ];
        for (text, expected) in table {
            assert_eq!(sniff("/x/any", text.as_bytes(), None), *expected, "{text}");
        }
    }

    #[test]
    fn a_cut_off_first_line_and_leading_rubbish_do_not_hide_the_format() {
        let long = format!("{{\"type\":\"session_meta\",\"payload\":{{\"x\":\"{}", "y".repeat(SNIFF_BYTES));
        assert_eq!(sniff("/x/any", long.as_bytes(), None), Ok(Format::CodexRollout));
        let text = "\u{feff}rubbish\n{\"x\":1}\r\n{\"type\":\"mode\",\"sessionId\":\"s\"}\n";
        assert_eq!(sniff("/x/any", text.as_bytes(), None), Ok(Format::ClaudeSession));
    }

    proptest::proptest! {
        #[test]
        fn a_newline_at_the_end_changes_no_answer(bytes in proptest::collection::vec(proptest::sample::select(b"{}[]\",:\\a\n ".to_vec()), 0..200)) {
            proptest::prop_assert_eq!(sniff("/x/any", &bytes, None), sniff("/x/any", &[&bytes[..], b"\n"].concat(), None));
        }
    }
}
