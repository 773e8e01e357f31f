//! What a file is, by its first bytes. Pure.
//!
//! Only the names of the fields at the top of each object and their short texts are looked at, by a
//! scanner that goes on when the object is cut off: first lines of 100 kB are ordinary (instructions,
//! images), and the deciding fields stand early.

use crate::schema::Format;

/// Bytes of a file (decompressed) that are looked at.
pub const SNIFF_BYTES: usize = 64 * 1024;

/// Largest zstd window that is accepted, as the zstd tool does: 128 MiB.
pub(super) const ZSTD_WINDOW_LOG: u32 = 27;

/// Why a file is no log that devlog knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unknown {
    /// The name is not one of `.jsonl`, `.jsonl.zst`, `.json`, or is hidden.
    #[error("its name does not end in .jsonl, .jsonl.zst or .json")]
    Name,
    /// It describes another file and is read with that one.
    #[error("it describes a sub-agent and is read with that transcript")]
    Companion,
    /// There is nothing in it yet.
    #[error("it is empty")]
    Empty,
    /// It does not start with a JSON object.
    #[error("it holds no JSON objects")]
    NotJson,
    /// It is JSON of a shape that no known agent writes.
    #[error("its fields are not those of a known agent's log")]
    Shape,
    /// It is a log of another agent than the one asked for.
    #[error("it is a {} file, not one of the agent asked for", format.name())]
    OtherAgent {
        /// What it is.
        format: Format,
    },
}

/// What a file that starts with `bytes` is; the first line that decides wins.
///
/// # Errors
///
/// Returns why no line decides.
pub fn sniff(bytes: &[u8]) -> Result<Format, Unknown> {
    let mut objects = 0;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let blank = |b: &u8| b.is_ascii_whitespace() || *b == 0;
    let mut rest = bytes;
    while let Some(start) = rest.iter().position(|b| !blank(b)) {
        rest = &rest[start..];
        if rest[0] == b'{' {
            objects += 1;
            if let Some(format) = Keys::scan(rest).format() {
                return Ok(format);
            }
        }
        match memchr::memchr(b'\n', rest) {
            Some(end) => rest = &rest[end..],
            None => break,
        }
    }
    Err(if objects > 0 {
        Unknown::Shape
    } else if bytes.iter().all(blank) {
        Unknown::Empty
    } else {
        Unknown::NotJson
    })
}

/// Fields whose presence decides.
const NAMES: [&str; 23] = [
    "type",
    "payload",
    "timestamp",
    "record_type",
    "id",
    "instructions",
    "git",
    "session",
    "items",
    "session_id",
    "ts",
    "text",
    "thread_name",
    "updated_at",
    "display",
    "project",
    "pastedContents",
    "sessionId",
    "uuid",
    "message",
    "leafUuid",
    "key",
    "agentId",
];

/// Top-level fields of one object: which of [`NAMES`] it has, and the text of `type`.
struct Keys<'a> {
    present: u32,
    kind: &'a [u8],
}

impl<'a> Keys<'a> {
    /// Reads `object` (which starts with `{`) to its end, or as far as it goes.
    fn scan(object: &'a [u8]) -> Self {
        let mut keys = Self { present: 0, kind: b"" };
        let (mut at, mut depth, mut awaits_key, mut last) = (0, 0_u32, false, None);
        while let Some(&byte) = object.get(at) {
            at += 1;
            match byte {
                b'{' | b'[' => {
                    depth += 1;
                    awaits_key = depth == 1;
                }
                b'}' | b']' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        break;
                    }
                }
                b',' if depth == 1 => awaits_key = true,
                b'"' => {
                    let Some(length) = string_length(&object[at..]) else { break };
                    let text = &object[at..at + length];
                    at += length + 1;
                    if depth == 1 && awaits_key {
                        awaits_key = false;
                        last = NAMES.iter().position(|name| name.as_bytes() == text);
                        keys.present |= last.map_or(0, |index| 1 << index);
                    } else if depth == 1 && last == Some(0) && keys.kind.is_empty() {
                        keys.kind = text;
                    }
                }
                _ => {}
            }
        }
        keys
    }

    fn has(&self, names: &[&str]) -> bool {
        names.iter().all(|name| NAMES.iter().position(|n| n == name).is_some_and(|i| self.present & (1 << i) != 0))
    }

    fn format(&self) -> Option<Format> {
        let codex_item = matches!(
            self.kind,
            b"message"
                | b"reasoning"
                | b"function_call"
                | b"function_call_output"
                | b"local_shell_call"
                | b"custom_tool_call"
                | b"custom_tool_call_output"
                | b"web_search_call"
        );
        let claude_turn = matches!(self.kind, b"user" | b"assistant" | b"system" | b"summary");
        if self.has(&["type", "payload"]) || self.has(&["record_type"]) {
            Some(Format::CodexRollout)
        } else if self.has(&["session", "items"]) {
            Some(Format::CodexDocument)
        } else if self.has(&["session_id", "ts", "text"]) {
            Some(Format::CodexHistory)
        } else if self.has(&["id", "thread_name"]) {
            Some(Format::CodexIndex)
        } else if self.has(&["display", "timestamp"]) && (self.has(&["project"]) || self.has(&["pastedContents"])) {
            Some(Format::ClaudeHistory)
        } else if self.has(&["type", "sessionId"])
            || self.has(&["type", "uuid"])
            || self.has(&["type", "leafUuid"])
            || self.has(&["type", "key", "agentId"])
            || self.kind.starts_with(b"file-history-")
            || (claude_turn && self.has(&["message"]))
        {
            Some(Format::ClaudeSession)
        } else if codex_item
            || (self.has(&["id", "timestamp", "instructions"]) || self.has(&["id", "timestamp", "git"]))
        {
            Some(Format::CodexRollout)
        } else {
            None
        }
    }
}

/// Length of a JSON text up to its closing quote.
fn string_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes[at] == b'"' {
            return Some(at);
        }
        at += 2;
    }
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
            ("[1,2]", Err(Unknown::NotJson)),
            ("hello\nworld", Err(Unknown::NotJson)),
            (" \n\0\n", Err(Unknown::Empty)),
            ("", Err(Unknown::Empty)),
        ];
        for (text, expected) in table {
            assert_eq!(sniff(text.as_bytes()), *expected, "{text}");
        }
    }

    #[test]
    fn a_cut_off_first_line_and_leading_rubbish_do_not_hide_the_format() {
        let long = format!("{{\"type\":\"session_meta\",\"payload\":{{\"x\":\"{}", "y".repeat(SNIFF_BYTES));
        assert_eq!(sniff(long.as_bytes()), Ok(Format::CodexRollout));
        let text = "\u{feff}rubbish\n{\"x\":1}\r\n{\"type\":\"mode\",\"sessionId\":\"s\"}\n";
        assert_eq!(sniff(text.as_bytes()), Ok(Format::ClaudeSession));
    }

    proptest::proptest! {
        #[test]
        fn a_newline_at_the_end_changes_no_answer(bytes in proptest::collection::vec(proptest::sample::select(b"{}[]\",:\\a\n ".to_vec()), 0..200)) {
            proptest::prop_assert_eq!(sniff(&bytes), sniff(&[&bytes[..], b"\n"].concat()));
        }
    }
}
