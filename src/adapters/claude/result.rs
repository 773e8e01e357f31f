//! Tool results: the answer that the model saw, and what `toolUseResult` adds to it.

use memchr::memmem;

use super::AGENT;
use super::record::{Record, filled, object};
use super::session::Context;
use crate::adapters::clean::write_content;
use crate::adapters::json::{Json, ObjectWriter};
use crate::adapters::outcome::Outcome;
use crate::schema::{EventId, EventRow, EventType, Status};

/// Texts shorter than this stay although the answer has them: they are names and states.
const SHORT_TEXT: usize = 64;

/// What `toolUseResult` has for columns.
#[derive(Debug, Default)]
struct Details<'i> {
    exit_code: Option<i32>,
    added: Option<i32>,
    removed: Option<i32>,
    duration_ms: Option<i64>,
    interrupted: bool,
    status: Option<&'i str>,
    path: Option<&'i str>,
}

impl<'i> Details<'i> {
    fn read(json: Json<'_, 'i>) -> Self {
        let mut details = Self::default();
        let (mut patch, mut content, mut created) = (None, None, false);
        for (key, value) in json.entries() {
            match key {
                "exitCode" => details.exit_code = value.as_i64().and_then(|n| i32::try_from(n).ok()),
                "durationMs" | "totalDurationMs" => details.duration_ms = value.as_i64(),
                #[expect(clippy::cast_possible_truncation, reason = "a float cast saturates")]
                "durationSeconds" => details.duration_ms = value.as_f64().map(|s| (s * 1000.0).round() as i64),
                "interrupted" => details.interrupted = value.as_bool() == Some(true),
                "status" => details.status = value.as_filled_str(),
                "filePath" => details.path = value.as_filled_str(),
                "file" => details.path = details.path.or_else(|| value.str_at("filePath")),
                "structuredPatch" => patch = Some(value),
                "content" => content = value.as_str(),
                "type" => created = value.as_str() == Some("create"),
                _ => {}
            }
        }
        match (patch, content) {
            (Some(patch), _) if !patch.is_empty() => {
                let (added, removed) = changed_lines(patch);
                (details.added, details.removed) = (Some(added), Some(removed));
            }
            (_, Some(content)) if created => {
                let lines = i32::try_from(content.lines().count()).unwrap_or(i32::MAX);
                (details.added, details.removed) = (Some(lines), Some(0));
            }
            _ => {}
        }
        details
    }
}

/// Lines with `+` and with `-` in a patch's hunks.
fn changed_lines(patch: Json<'_, '_>) -> (i32, i32) {
    let (mut added, mut removed) = (0i32, 0i32);
    for line in patch.items().filter_map(|hunk| hunk.get("lines")).flat_map(Json::items) {
        match line.as_str().and_then(|l| l.as_bytes().first()) {
            Some(b'+') => added = added.saturating_add(1),
            Some(b'-') => removed = removed.saturating_add(1),
            _ => {}
        }
    }
    (added, removed)
}

/// The number after "Exit code" at the start of a failed command's answer.
fn exit_code_in(output: &str) -> Option<i32> {
    let rest = output.strip_prefix("Error: ").unwrap_or(output).strip_prefix("Exit code ")?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '-').unwrap_or(rest.len());
    rest.get(..end)?.parse().ok()
}

/// Hands out the row of one `tool_result` block.
pub(super) fn decode(
    cx: &mut Context<'_>,
    rec: &Record<'_, '_>,
    block: Json<'_, '_>,
    result: Option<Json<'_, '_>>,
    index: usize,
) -> Outcome {
    let call_id = block.str_at("tool_use_id");
    let failed = block.get("is_error").and_then(Json::as_bool).unwrap_or(false);
    let content = block.get("content");
    gather(content, &mut cx.scratch.text, &mut cx.scratch.blocks);
    let output = content.and_then(Json::as_str).unwrap_or(&cx.scratch.text);
    let details = result.map(Details::read).unwrap_or_default();
    let tool = call_id.and_then(|id| cx.state.tool(id));
    let path = tool.and_then(|t| filled(&t.path)).or(details.path);
    let blocks = &cx.scratch.blocks;
    object(&mut cx.scratch.extra, |object| {
        rec.rest(object, |_| false);
        if !blocks.is_empty() {
            object.with("blocks", |out| {
                out.push('[');
                out.push_str(blocks);
                out.push(']');
            });
        }
        let rest = Rest { output, path, call_known: tool.is_some() };
        if let Some(result) = result {
            rest.write(result, object);
        }
    });
    let id = match call_id {
        Some(call_id) => EventId::of(AGENT, "result", &[call_id.as_bytes()]),
        None => EventId::of(
            AGENT,
            "result",
            &[rec.name().as_bytes(), &u64::try_from(index).unwrap_or(u64::MAX).to_le_bytes()],
        ),
    };
    let base = rec.row(cx.source, cx.state.turn, cx.offset);
    cx.rows.event(&EventRow {
        id: Some(id),
        event_type: EventType::ToolResult,
        role: Some("tool"),
        tool_call_id: call_id,
        tool_name: tool.map(|t| t.name.as_str()),
        tool_output: filled(output),
        file_path: path,
        command: tool.and_then(|t| filled(&t.command)),
        exit_code: details.exit_code.or_else(|| exit_code_in(output).filter(|_| failed)),
        lines_added: details.added,
        lines_removed: details.removed,
        is_error: Some(failed),
        status: Some(status(rec, &details, failed, output)),
        duration_ms: details.duration_ms,
        extra: filled(&cx.scratch.extra),
        completeness: base.completeness + 4 * i64::from(tool.is_some()),
        ..base
    });
    if let Some(call_id) = call_id {
        cx.state.close_tool(call_id);
    }
    Outcome::Row
}

fn status<'a>(rec: &Record<'_, 'a>, details: &Details<'a>, failed: bool, output: &str) -> Status<'a> {
    if details.interrupted || output.starts_with("[Request interrupted by user") {
        Status::Interrupted
    } else if rec.json.get("toolDenialKind").is_some_and(|k| !k.is_blank())
        || (failed && output.starts_with("The user doesn't want to"))
    {
        Status::Denied
    } else if let Some(status) = details.status {
        Status::of(status)
    } else if failed {
        Status::Failed
    } else {
        Status::Completed
    }
}

/// Collects the texts of an answer given as blocks, and its other blocks as JSON values.
fn gather(content: Option<Json<'_, '_>>, text: &mut String, blocks: &mut String) {
    text.clear();
    blocks.clear();
    for block in content.into_iter().flat_map(Json::items) {
        if block.str_at("type") == Some("text") || block.as_str().is_some() {
            if !text.is_empty() {
                text.push('\n');
            }
            let plain = block.as_str().or_else(|| block.get("text").and_then(Json::as_str));
            text.push_str(plain.unwrap_or_default());
        } else {
            if !blocks.is_empty() {
                blocks.push(',');
            }
            write_content(block, blocks);
        }
    }
    if let Some(content) = content.filter(|c| c.is_object()) {
        write_content(content, blocks);
    }
}

/// Decides what of `toolUseResult` says something new.
struct Rest<'a> {
    output: &'a str,
    path: Option<&'a str>,
    call_known: bool,
}

impl Rest<'_> {
    fn write(&self, result: Json<'_, '_>, object: &mut ObjectWriter<'_>) {
        if let Some(text) = result.as_str() {
            let plain = text.strip_prefix("Error: ").unwrap_or(text);
            if !self.answered(plain) && !result.is_blank() {
                object.text("result", text);
            }
        } else if result.is_array() {
            // Texts and pictures of the answer once more.
            let repeats = result.items().all(|b| match b.str_at("type") {
                Some("text") => self.answered(b.str_at("text").unwrap_or_default()),
                kind => kind == Some("image"),
            });
            if !repeats {
                object.with("result", |out| write_content(result, out));
            }
        } else if result.is_object() {
            object.object("result", |object| {
                for (key, value) in result.entries() {
                    self.field(key, value, object);
                }
            });
        }
    }

    fn field(&self, key: &str, value: Json<'_, '_>, object: &mut ObjectWriter<'_>) {
        if value.is_blank() || value.as_bool() == Some(false) {
            return;
        }
        let left_out = match key {
            "filePath" => value.as_str() == self.path,
            "originalFile" | "originalFileContents" => {
                if let Some(text) = value.as_str() {
                    object.number("originalFileBytes", i64::try_from(text.len()).unwrap_or(i64::MAX));
                    return;
                }
                false
            }
            "stdout" | "stderr" => value.as_str().is_some_and(|t| self.answered(t)),
            "oldString" | "newString" | "edits" | "newTodos" | "prompt" => self.call_known,
            "content" => {
                let repeats_argument = self.call_known && self.path.is_some() && value.as_str().is_some();
                repeats_argument || self.repeats(value)
            }
            "file" if value.get("base64").is_none() => {
                self.file(value, object);
                true
            }
            "exitCode" | "durationMs" | "totalDurationMs" | "interrupted" => true,
            _ => self.repeats(value),
        };
        if !left_out {
            object.with(key, |out| write_content(value, out));
        }
    }

    /// What Read says of a file: all but the text that stands in the answer with line numbers.
    fn file(&self, file: Json<'_, '_>, object: &mut ObjectWriter<'_>) {
        object.object("file", |object| {
            for (key, value) in file.entries() {
                let left_out = match key {
                    "filePath" => value.as_str() == self.path,
                    "content" => value.as_str().is_some_and(|t| is_numbered_form(self.output, t)),
                    _ => value.is_blank(),
                };
                if !left_out {
                    object.with(key, |out| write_content(value, out));
                }
            }
        });
    }

    /// True when the long texts of `value`, and only texts, stand in the answer.
    fn repeats(&self, value: Json<'_, '_>) -> bool {
        if let Some(text) = value.as_str() {
            return text.len() >= SHORT_TEXT && self.answered(text);
        }
        if !value.is_array() {
            return false;
        }
        let mut from = 0;
        value.items().all(|item| {
            let text = match item.str_at("type") {
                Some("text") if item.len() == 2 => item.str_at("text"),
                _ => item.as_str(),
            };
            let rest = self.output.as_bytes().get(from..).unwrap_or_default();
            let end_of = |t: &[u8]| {
                // Lists repeat line by line: no search is needed.
                let next = rest.get(1..).is_some_and(|r| rest[0] == b'\n' && r.starts_with(t));
                if next { Some(1 + t.len()) } else { memmem::find(rest, t).map(|at| at + t.len()) }
            };
            match text.and_then(|t| end_of(t.as_bytes())) {
                Some(end) => {
                    from += end;
                    true
                }
                None => false,
            }
        })
    }

    /// True when the answer contains `text`.
    fn answered(&self, text: &str) -> bool {
        let text = text.trim();
        self.output.starts_with(text)
            || (text.len() <= self.output.len() && memmem::find(self.output.as_bytes(), text.as_bytes()).is_some())
    }
}

/// True when each line of `content` stands in `output` in its order behind a line number.
fn is_numbered_form(output: &str, content: &str) -> bool {
    let (mut numbered, content) = (output.as_bytes(), content.as_bytes());
    let mut start = 0;
    for end in memchr::memchr_iter(b'\n', content).chain([content.len()]) {
        let line = &content[start..end];
        start = end + 1;
        let digits = numbered.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let after = digits + numbered.iter().skip(digits).take_while(|b| b.is_ascii_digit()).count();
        let behind = numbered.get(after..).unwrap_or_default();
        let Some(rest) = ARROWS.iter().find_map(|arrow| behind.strip_prefix(*arrow)) else { return false };
        match rest.strip_prefix(line) {
            Some([b'\n', next @ ..]) if after > digits => numbered = next,
            Some([]) if after > digits && end == content.len() => numbered = &[],
            _ => return false,
        }
    }
    true
}

/// What stands between a line's number and its text, by version of the tool.
const ARROWS: [&[u8]; 4] = ["→".as_bytes(), b"\t", b":", b"|"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_text_whose_every_line_is_answered_with_its_number_is_redundant() {
        assert!(is_numbered_form("     1→a\n     2→\n<system-reminder>", "a\n"));
        assert!(is_numbered_form("1\ta\n2\tb", "a\nb"));
        assert!(!is_numbered_form("     1→a\n     2→b", "a\nc"));
        assert!(!is_numbered_form("     1→a", "a\nb"));
        assert!(!is_numbered_form("a", "a"));
    }

    #[test]
    fn exit_codes_are_read_from_the_answer() {
        assert_eq!(exit_code_in("Exit code 127\nno such command"), Some(127));
        assert_eq!(exit_code_in("Error: Exit code 2"), Some(2));
        assert_eq!(exit_code_in("Exit code none"), None);
        assert_eq!(exit_code_in("fine"), None);
    }
}
