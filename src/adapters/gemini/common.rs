//! What the decoders of the Gemini family and of the Copilot CLI share: `extra`, tool calls, counting.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::adapters::json::{Json, write_str};
use crate::adapters::line::{Parser, Refused, Seen};
use crate::adapters::{Line, time};
use crate::schema::{EventId, EventRow, RejectReason, Rows};

/// Shorter base64 texts stay as they are.
const BLOB_BYTES: usize = 128;

/// What became of a line; of several values on one line the largest counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::adapters) enum Outcome {
    /// By rule it makes no row.
    Ignored,
    /// It made or joined a row.
    Row,
    /// It made a row, but is of a kind that this version does not know.
    Unknown,
    /// It is not of a shape that the format can have.
    Wrong,
}

/// Adds one line to the counters.
pub(in crate::adapters) fn count(line: Line<'_>, seen: Result<Seen, Refused>, outcome: Outcome, rows: &mut Rows) {
    rows.counts().lines += 1;
    let length = line.bytes.len() as u64;
    let seen = match seen {
        Err(refused) => return rows.reject(line.offset, length, refused.reason, &refused.detail, line.bytes),
        Ok(seen) => seen,
    };
    if outcome == Outcome::Wrong {
        let detail = "its fields are not those of a record of this format";
        return rows.reject(line.offset, length, RejectReason::WrongShape, detail, line.bytes);
    }
    let counts = rows.counts();
    counts.replaced_chars += seen.replaced;
    match outcome {
        Outcome::Ignored => counts.ignored += 1,
        Outcome::Unknown => {
            counts.unknown_types += 1;
            counts.line_rows += 1;
        }
        _ => counts.line_rows += 1,
    }
}

/// The rows handed out so far, so that a record that is written again makes only the rows that changed.
#[derive(Debug, Default)]
pub(in crate::adapters) struct Ledger {
    /// Hash of the content, and how often it has changed.
    rows: HashMap<EventId, (u64, i64)>,
    /// Lines are read again: nothing is handed out.
    pub(in crate::adapters) quiet: bool,
}

impl Ledger {
    /// True when a row of this event has been handed out.
    pub(in crate::adapters) fn knows(&self, id: Option<EventId>) -> bool {
        id.is_some_and(|id| self.rows.contains_key(&id))
    }

    /// Hands `row` out unless its content has been handed out already.
    ///
    /// Of two records of an event that with what matters most (`whole`: usage, a result) is the more
    /// complete, then the later one of a file, then the longer one.
    pub(in crate::adapters) fn emit(&mut self, row: &EventRow<'_>, whole: bool, rows: &mut Rows) {
        self.emit_as(row, row, whole, rows);
    }

    /// The same for a row that is new only when `like` is.
    pub(in crate::adapters) fn emit_as(
        &mut self,
        like: &EventRow<'_>,
        row: &EventRow<'_>,
        whole: bool,
        rows: &mut Rows,
    ) {
        let content = content(like);
        let times = match row.id.map(|id| self.rows.entry(id)) {
            Some(std::collections::hash_map::Entry::Occupied(mut known)) => {
                let (before, times) = *known.get();
                if before == content {
                    return;
                }
                known.insert((content, times + 1));
                times + 1
            }
            Some(std::collections::hash_map::Entry::Vacant(free)) => {
                free.insert((content, 0));
                0
            }
            None => 0,
        };
        if !self.quiet {
            let length = row.text.or(row.tool_output).map_or(0, str::len).min((1 << 20) - 1);
            let length = i64::try_from(length).unwrap_or_default();
            rows.event(&EventRow { completeness: 1 + (i64::from(whole) << 40) + (times << 20) + length, ..*row });
        }
    }
}

fn content(row: &EventRow<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    (row.ts_us, row.text, row.model, row.tool_name, row.tool_input, row.tool_output).hash(&mut hasher);
    (row.status, row.is_error, row.exit_code, row.extra, row.event_type).hash(&mut hasher);
    (row.input_tokens, row.output_tokens, row.cache_read_tokens, row.reasoning_tokens).hash(&mut hasher);
    (row.lines_added, row.lines_removed, row.duration_ms).hash(&mut hasher);
    hasher.finish()
}

/// Tokens of a call in devlog's parts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::adapters) struct Usage {
    pub(in crate::adapters) fresh: Option<i64>,
    pub(in crate::adapters) cached: Option<i64>,
    pub(in crate::adapters) output: Option<i64>,
    pub(in crate::adapters) reasoning: Option<i64>,
}

impl Usage {
    /// `prompt` includes `cached` (which cannot be more), thoughts come beside `candidates`, and the
    /// input of the provider's own tools beside `prompt`.
    pub(in crate::adapters) fn of(
        prompt: Option<i64>,
        cached: Option<i64>,
        candidates: Option<i64>,
        thoughts: Option<i64>,
        tool: Option<i64>,
    ) -> Option<Self> {
        let parts = [prompt, cached, candidates, thoughts, tool].map(|part| part.map(|n| n.max(0)));
        parts.iter().any(Option::is_some).then_some(())?;
        let [prompt, cached, candidates, thoughts, tool] = parts;
        let cached = cached.map(|cached| prompt.map_or(cached, |prompt| cached.min(prompt)));
        let sum = |a: Option<i64>, b: Option<i64>| match (a, b) {
            (None, None) => None,
            (a, b) => Some(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
        };
        Some(Self {
            fresh: sum(prompt.map(|prompt| prompt - cached.unwrap_or(0)), tool),
            cached,
            output: sum(candidates, thoughts),
            reasoning: thoughts,
        })
    }

    /// The row with this usage.
    pub(in crate::adapters) fn on<'a>(self, row: EventRow<'a>, source: &'a str) -> EventRow<'a> {
        EventRow {
            input_tokens: self.fresh,
            cache_read_tokens: self.cached,
            output_tokens: self.output,
            reasoning_tokens: self.reasoning,
            usage_source: Some(source),
            ..row
        }
    }
}

/// One JSON object under construction: the column `extra`.
#[derive(Debug, Default)]
pub(in crate::adapters) struct Extra(String);

impl Extra {
    fn key(&mut self, key: &str) {
        self.0.push(if self.0.is_empty() { '{' } else { ',' });
        write_str(key, &mut self.0);
        self.0.push(':');
    }

    pub(in crate::adapters) fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        write_str(value, &mut self.0);
    }

    pub(in crate::adapters) fn number(&mut self, key: &str, value: i64) {
        self.key(key);
        write!(self.0, "{value}").unwrap_or_default();
    }

    pub(in crate::adapters) fn real(&mut self, key: &str, value: f64) {
        self.key(key);
        match serde_json::Number::from_f64(value) {
            Some(number) if value.fract() != 0.0 => write!(self.0, "{number}").unwrap_or_default(),
            Some(_) => write!(self.0, "{value:.0}").unwrap_or_default(),
            None => self.0.push_str("null"),
        }
    }

    /// A value that is JSON text already.
    pub(in crate::adapters) fn json(&mut self, key: &str, value: &str) {
        self.key(key);
        self.0.push_str(value);
    }

    pub(in crate::adapters) fn value(&mut self, key: &str, value: Json<'_, '_>) {
        self.key(key);
        write_clean(value, &mut self.0);
    }

    /// A list of texts.
    pub(in crate::adapters) fn texts<'t>(&mut self, key: &str, values: impl Iterator<Item = &'t str>) {
        self.key(key);
        self.0.push('[');
        for (i, value) in values.enumerate() {
            if i > 0 {
                self.0.push(',');
            }
            write_str(value, &mut self.0);
        }
        self.0.push(']');
    }

    /// Appends every field of `object` that is not named in `used` and says something.
    pub(in crate::adapters) fn rest(&mut self, object: Json<'_, '_>, used: &[&str]) {
        for (key, value) in object.entries() {
            let blank = value.is_null()
                || value.as_str() == Some("")
                || ((value.is_array() || value.is_object()) && value.is_empty());
            if !blank && !is_secret(key) && !used.contains(&key) {
                self.value(key, value);
            }
        }
    }

    /// The whole object; `None` when it has no keys.
    pub(in crate::adapters) fn end(mut self) -> Option<String> {
        (!self.0.is_empty()).then(|| {
            self.0.push('}');
            self.0
        })
    }
}

/// Encrypted reasoning and signatures of it.
fn is_secret(key: &str) -> bool {
    matches!(key, "encryptedContent" | "encrypted_content" | "reasoningOpaque" | "thoughtSignature")
}

/// Appends `value` as JSON without encrypted content and without blobs.
pub(in crate::adapters) fn write_clean(value: Json<'_, '_>, out: &mut String) {
    if value.is_object() {
        let mut separator = '{';
        let media = ["mimeType", "media_type", "mediaType", "mime_type"].iter().find_map(|key| value.str_at(key));
        for (key, inner) in value.entries().filter(|(key, _)| !is_secret(key)) {
            out.push(separator);
            separator = ',';
            write_str(key, out);
            out.push(':');
            match inner.as_str().filter(|_| matches!(key, "data" | "base64")).and_then(decoded) {
                Some(bytes) => write_blob(&bytes, media, out),
                None => write_clean(inner, out),
            }
        }
        out.push_str(if separator == '{' { "{}" } else { "}" });
    } else if value.is_array() {
        out.push('[');
        for (i, inner) in value.items().enumerate() {
            if i > 0 {
                out.push(',');
            }
            write_clean(inner, out);
        }
        out.push(']');
    } else if let Some((media, bytes)) = value.as_str().and_then(data_url) {
        write_blob(&bytes, Some(media), out);
    } else {
        value.write(out);
    }
}

fn decoded(text: &str) -> Option<Vec<u8>> {
    (text.len() >= BLOB_BYTES).then(|| STANDARD.decode(text).ok()).flatten()
}

fn data_url(text: &str) -> Option<(&str, Vec<u8>)> {
    let (media, base64_text) = text.strip_prefix("data:")?.split_once(";base64,")?;
    Some((media, decoded(base64_text)?))
}

fn write_blob(bytes: &[u8], media: Option<&str>, out: &mut String) {
    out.push_str("{\"sha256\":\"");
    for byte in Sha256::digest(bytes) {
        write!(out, "{byte:02x}").unwrap_or_default();
    }
    write!(out, "\",\"bytes\":{}", bytes.len()).unwrap_or_default();
    if let Some(media) = media {
        out.push_str(",\"media_type\":");
        write_str(media, out);
    }
    out.push('}');
}

/// A text, or the JSON of anything else.
pub(in crate::adapters) fn text_or_json(value: Json<'_, '_>) -> String {
    value.as_str().map_or_else(
        || {
            let mut out = String::new();
            write_clean(value, &mut out);
            out
        },
        str::to_owned,
    )
}

/// Time in a field: RFC 3339, or a Unix time of any unit.
pub(in crate::adapters) fn time_at(json: Json<'_, '_>, key: &str) -> Option<i64> {
    let value = json.get(key)?;
    value.as_str().and_then(time::rfc3339_us).or_else(|| value.as_i64().map(time::unix_us))
}

/// A number that fits the column.
pub(in crate::adapters) fn small(number: i64) -> Option<i32> {
    i32::try_from(number).ok()
}

/// What a tool call does.
#[derive(Debug, Clone, Default)]
pub(in crate::adapters) struct Tool {
    pub(in crate::adapters) event_type: &'static str,
    /// Its arguments as JSON.
    pub(in crate::adapters) input: Option<String>,
    pub(in crate::adapters) path: Option<String>,
    pub(in crate::adapters) command: Option<String>,
}

impl Tool {
    /// The call of `name` with `arguments`: an object, or an object in a text.
    pub(in crate::adapters) fn of(name: &str, arguments: Option<Json<'_, '_>>) -> Self {
        let Some(arguments) = arguments.filter(|a| !a.is_null()) else {
            return Self { event_type: deed(name, None), ..Self::default() };
        };
        let Some(text) = arguments.as_str() else { return Self::of_object(name, arguments) };
        let mut inner = None;
        let whole = Parser::default().each(text.as_bytes(), |json| {
            if json.is_object() {
                inner = Some(Self::of_object(name, json));
            }
        });
        inner.filter(|_| whole.is_ok_and(|seen| seen.values == 1)).unwrap_or_else(|| {
            let mut input = String::new();
            write_str(text, &mut input);
            Self { event_type: deed(name, None), input: Some(input), path: patch_path(text), command: None }
        })
    }

    fn of_object(name: &str, arguments: Json<'_, '_>) -> Self {
        let event_type = deed(name, arguments.str_at("command"));
        let mut input = String::new();
        write_clean(arguments, &mut input);
        let keys = ["file_path", "absolute_path", "path", "filePath", "file", "fileName", "notebook_path", "dir_path"];
        let path = || keys.iter().find_map(|key| arguments.str_at(key)).map(str::to_owned);
        let patch = || ["input", "patch"].iter().find_map(|key| arguments.str_at(key)).and_then(patch_path);
        let is_command = event_type == "command_execution";
        let command = arguments.get("command").or_else(|| arguments.get("cmd")).filter(|_| is_command);
        Self {
            event_type,
            input: Some(input),
            path: if matches!(event_type, "tool_use" | "command_execution") { None } else { path().or_else(patch) },
            command: command.filter(|c| !c.is_null()).map(text_or_json),
        }
    }
}

/// First file that a patch in OpenAI's form names.
fn patch_path(patch: &str) -> Option<String> {
    let names = ["*** Update File: ", "*** Add File: ", "*** Delete File: "];
    patch.lines().find_map(|line| names.iter().find_map(|name| line.strip_prefix(name))).map(str::to_owned)
}

/// Event type of a call; `command` tells the editor's functions apart.
fn deed(name: &str, command: Option<&str>) -> &'static str {
    match name {
        "run_shell_command" | "shell" | "bash" | "powershell" | "run_command" | "execute_command" | "local_shell" => {
            "command_execution"
        }
        "str_replace_editor" => match command {
            Some("view") => "file_read",
            Some("create") => "file_write",
            _ => "file_modify",
        },
        "replace" | "edit" | "edit_file" | "multi_edit" | "str_replace" | "apply_patch" | "smart_edit" => "file_modify",
        "write_file" | "create" | "create_file" => "file_write",
        "read_file" | "read_many_files" | "view" | "list_directory" | "read" => "file_read",
        _ => "tool_use",
    }
}

/// Lines that a unified diff adds and removes; `None` when the text is no diff.
pub(in crate::adapters) fn diff_lines(text: &str) -> Option<(i32, i32)> {
    let (mut added, mut removed, mut inside) = (0, 0, false);
    for line in text.lines() {
        if line.starts_with("@@") {
            inside = true;
        } else if line.starts_with("diff --git ") || line.starts_with("Index: ") {
            inside = false;
        } else if inside {
            added += i32::from(line.starts_with('+'));
            removed += i32::from(line.starts_with('-'));
        }
    }
    text.lines().any(|line| line.starts_with("@@")).then_some((added, removed))
}

/// Exit code that stands in a line of its own in an answer: `Exit Code: 1`, `<exited with exit code 1>`.
pub(in crate::adapters) fn exit_code(output: &str) -> Option<i32> {
    let code = |line: &str| {
        let line = line.trim();
        let code = line.strip_prefix("Exit Code: ").or_else(|| {
            let (_, code) = line.strip_prefix('<')?.strip_suffix('>')?.split_once("exited with exit code ")?;
            Some(code)
        });
        code?.trim().parse().ok()
    };
    output.lines().rev().take(64).find_map(code)
}

/// Name of a file without folders and extensions.
pub(in crate::adapters) fn stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let name = name.strip_suffix(".zst").unwrap_or(name);
    name.strip_suffix(".jsonl").or_else(|| name.strip_suffix(".json")).unwrap_or(name)
}

/// The `n`-th folder above the file at `path`, from 0.
pub(in crate::adapters) fn folder(path: &str, n: usize) -> Option<&str> {
    path.rsplit(['/', '\\']).nth(n + 1).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_and_an_exit_code_are_read_from_text() {
        assert_eq!(diff_lines("--- a\n+++ b\n@@ -1 +1,2 @@\n-x\n+y\n+z\n"), Some((2, 1)));
        assert_eq!(diff_lines("- a list\n+ not a diff"), None);
        assert_eq!(exit_code("Output: x\nExit Code: 2\nSignal: (none)"), Some(2));
        assert_eq!(exit_code("x\n<exited with exit code 1>"), Some(1));
        assert_eq!(exit_code("x\n<shellId: 0 exited with exit code 3>"), Some(3));
        assert_eq!(exit_code("no code"), None);
    }

    #[test]
    fn arguments_are_an_object_or_an_object_in_a_text() {
        let of = |line: &str| {
            let mut tool = Tool::default();
            Parser::default().each(line.as_bytes(), |json| tool = Tool::of("create", json.get("a"))).unwrap();
            (tool.event_type, tool.path, tool.input)
        };
        let expected = ("file_write", Some("/x".to_owned()), Some(r#"{"path":"/x"}"#.to_owned()));
        assert_eq!(of(r#"{"a":{"path":"/x"}}"#), expected);
        assert_eq!(of(r#"{"a":"{\"path\":\"/x\"}"}"#), expected);
        assert_eq!(of(r#"{"a":"{torn"}"#), ("file_write", None, Some("\"{torn\"".to_owned())));
        assert_eq!(of(r#"{"a":null}"#), ("file_write", None, None));
    }

    #[test]
    fn cached_input_is_part_of_the_prompt_and_thoughts_come_on_top() {
        let usage = Usage::of(Some(100), Some(30), Some(10), Some(5), Some(7)).unwrap();
        let expected = Usage { fresh: Some(77), cached: Some(30), output: Some(15), reasoning: Some(5) };
        assert_eq!(usage, expected);
        assert_eq!(Usage::of(None, None, None, None, None), None);
        let more = Usage::of(Some(10), Some(30), None, None, None).unwrap();
        assert_eq!((more.fresh, more.cached, more.output), (Some(0), Some(10), None));
    }
}
