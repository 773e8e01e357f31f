//! What a tool call does, and what its answer says.

use super::extra::Extra;
use crate::adapters::json::Json;

/// Longest head of an answer that is searched for exit code and time.
const HEAD_LINES: usize = 8;

/// What a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    Command,
    Modify,
    Write,
    Read,
    Use,
}

impl Deed {
    pub(super) const fn event_type(self) -> &'static str {
        match self {
            Self::Command => "command_execution",
            Self::Modify => "file_modify",
            Self::Write => "file_write",
            Self::Read => "file_read",
            Self::Use => "tool_use",
        }
    }

    /// What the tool called `name` does.
    pub(super) fn of(name: &str) -> Self {
        match name.strip_prefix("functions.").unwrap_or(name) {
            "exec_command" | "shell" | "container.exec" | "shell_command" | "local_shell" | "bash" | "unified_exec"
            | "run_shell_command" | "exec_shell" => Self::Command,
            "apply_patch" | "edit_file" | "replace" => Self::Modify,
            "write_file" | "create_file" => Self::Write,
            "read_file" | "view_image" | "list_dir" | "list_directory" | "grep_files" | "read" | "open_file" => {
                Self::Read
            }
            _ => Self::Use,
        }
    }
}

/// Appends the command line of a call to `out`: `cmd` or `command`, as a text or a list of words.
pub(super) fn command_of(arguments: Json<'_, '_>, out: &mut String) {
    let Some(command) = arguments.get("cmd").or_else(|| arguments.get("command")) else { return };
    words(command, out);
}

/// Appends a command given as a text or a list of words; `bash -lc X` is `X`.
pub(super) fn words(command: Json<'_, '_>, out: &mut String) {
    if let Some(text) = command.as_str() {
        out.push_str(text);
        return;
    }
    let mut items = command.items().filter_map(Json::as_str);
    if let (Some(shell), Some("-lc" | "-c"), Some(script), None) =
        (items.next(), items.next(), items.next(), items.next())
        && matches!(shell.rsplit('/').next(), Some("bash" | "sh" | "zsh" | "dash" | "fish"))
    {
        out.push_str(script);
        return;
    }
    for (i, word) in command.items().filter_map(Json::as_str).enumerate() {
        if i > 0 {
            out.push(' ');
        }
        out.push_str(word);
    }
}

/// File that a call names in its arguments.
pub(super) fn path_of<'i>(arguments: Json<'_, 'i>) -> Option<&'i str> {
    ["path", "file_path", "filePath", "target_file", "filename", "dir_path"].iter().find_map(|k| arguments.str_at(k))
}

/// Appends the commands that a script of the `exec` tool runs: the `cmd` literals of its
/// `tools.exec_command` calls, one a line.
pub(super) fn script_commands(script: &str, out: &mut String) {
    let mut rest = script;
    while let Some((_, call)) = rest.split_once("tools.exec_command(") {
        rest = call;
        let Some((before, value)) = call.split_once("cmd") else { return };
        if !before.trim().trim_start_matches('{').trim().trim_matches('"').is_empty() {
            continue;
        }
        let value = value.trim_start_matches(['"', '\'']).trim_start();
        let Some(value) = value.strip_prefix(':').map(str::trim_start) else { continue };
        let Some(quote) = value.chars().next().filter(|q| matches!(q, '"' | '\'' | '`')) else { continue };
        if !out.is_empty() {
            out.push('\n');
        }
        rest = unquote(value.get(1..).unwrap_or_default(), quote, out);
    }
}

/// Appends a JavaScript string up to its closing quote; returns what follows.
fn unquote<'s>(text: &'s str, quote: char, out: &mut String) -> &'s str {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => return text.get(at + 1..).unwrap_or_default(),
            '\\' => match chars.next() {
                Some((_, 'n')) => out.push('\n'),
                Some((_, 't')) => out.push('\t'),
                Some((_, 'r')) => out.push('\r'),
                Some((_, other)) => out.push(other),
                None => {}
            },
            c => out.push(c),
        }
    }
    ""
}

/// Lines that an edit adds and removes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) files: usize,
    pub(super) added: i32,
    pub(super) removed: i32,
}

impl Edit {
    /// Reads a patch in Codex' own format. The first file goes to `path`, the names of all of them
    /// as `files` to `extra` when there is more than one.
    pub(super) fn of_patch(patch: &str, path: &mut String, extra: &mut Extra) -> Self {
        let mut edit = Self::default();
        let mut inside = false;
        let mut files = String::new();
        for line in patch.lines() {
            if let Some(rest) = line.strip_prefix("*** ") {
                inside = inside || rest.starts_with("Begin Patch");
                if rest.starts_with("End Patch") {
                    inside = false;
                }
                let file = ["Add File: ", "Update File: ", "Delete File: "].iter().find_map(|p| rest.strip_prefix(p));
                if let Some(file) = file.filter(|_| inside) {
                    edit.name(file.trim(), path, &mut files);
                } else if let Some(file) = rest.strip_prefix("Move to: ") {
                    edit.name(file.trim(), path, &mut files);
                }
            } else if inside {
                edit.line(line);
            }
        }
        if edit.files > 1 {
            extra.text("files", &files);
        }
        edit
    }

    fn name(&mut self, file: &str, path: &mut String, files: &mut String) {
        if self.files == 0 {
            path.push_str(file);
        } else {
            files.push('\n');
        }
        files.push_str(file);
        self.files += 1;
    }

    fn line(&mut self, line: &str) {
        match line.as_bytes().first() {
            Some(b'+') => self.added = self.added.saturating_add(1),
            Some(b'-') => self.removed = self.removed.saturating_add(1),
            _ => {}
        }
    }

    /// Reads the `changes` of a finished patch: path → `{type, unified_diff | content}`.
    pub(super) fn of_changes(changes: Json<'_, '_>, path: &mut String, files: &mut String) -> Self {
        let mut edit = Self::default();
        for (file, change) in changes.entries() {
            edit.name(file, path, files);
            let content = change.get("content").and_then(Json::as_str).unwrap_or_default();
            let lines = i32::try_from(content.lines().count()).unwrap_or(i32::MAX);
            match change.str_at("type") {
                Some("add") => edit.added = edit.added.saturating_add(lines),
                Some("delete") => edit.removed = edit.removed.saturating_add(lines),
                _ => {
                    let diff = change.get("unified_diff").and_then(Json::as_str).unwrap_or_default();
                    for line in diff.lines().filter(|l| !l.starts_with("+++ ") && !l.starts_with("--- ")) {
                        edit.line(line);
                    }
                }
            }
        }
        edit
    }
}

/// What the head of an answer says.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Verdict {
    pub(super) exit_code: Option<i32>,
    pub(super) duration_ms: Option<i64>,
    pub(super) failed: Option<bool>,
    pub(super) status: Option<&'static str>,
}

impl Verdict {
    /// Reads the lines that Codex puts before a tool's own output.
    pub(super) fn of_text(text: &str) -> Self {
        let mut verdict = Self::default();
        for (i, line) in text.lines().take(HEAD_LINES).enumerate() {
            if let Some(code) =
                line.strip_prefix("Exit code: ").or_else(|| line.strip_prefix("Process exited with code "))
            {
                verdict.exit_code = code.trim().parse().ok();
            } else if let Some(time) = line.strip_prefix("Wall time") {
                verdict.duration_ms = seconds_ms(time.trim_start_matches(':').trim().split(' ').next());
            } else if line.starts_with("Process running with session") || line.starts_with("Script running with cell") {
                verdict.status = Some("running");
            } else if i == 0 {
                verdict.first_line(line);
            } else if line == "Output:" {
                break;
            }
        }
        if let Some(code) = verdict.exit_code {
            verdict.failed = Some(code != 0);
        }
        verdict
    }

    fn first_line(&mut self, line: &str) {
        if let Some(time) = line.strip_prefix("aborted by user after ") {
            self.status = Some("interrupted");
            self.duration_ms = seconds_ms(Some(time.trim_end().trim_end_matches('s')));
        } else if line == "aborted" || line.starts_with("aborted by user") {
            self.status = Some("interrupted");
        } else if line.starts_with("Script completed") {
            self.failed = Some(false);
        } else if ["apply_patch verification failed", "Script failed", "execution error", "failed to parse"]
            .iter()
            .any(|p| line.starts_with(p))
            || line.starts_with("unsupported call: ")
            || line.starts_with("collab spawn failed")
        {
            self.failed = Some(true);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a time in milliseconds far below 2^53")]
fn seconds_ms(text: Option<&str>) -> Option<i64> {
    let seconds: f64 = text?.parse().ok()?;
    (seconds.is_finite() && seconds.abs() < 1e12).then(|| (seconds * 1000.0).round() as i64)
}

/// Milliseconds of `{secs, nanos}`, of a number of seconds, or of a text such as `1.5s`.
pub(super) fn duration_ms(duration: Option<Json<'_, '_>>) -> Option<i64> {
    let duration = duration?;
    if let Some(seconds) = duration.i64_at("secs") {
        let nanos = duration.i64_at("nanos").unwrap_or(0);
        return Some(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000));
    }
    let text = duration.as_str().map(|t| t.trim_end_matches('s').to_owned());
    let text = text.or_else(|| duration.as_f64().map(|n| n.to_string()));
    seconds_ms(text.as_deref())
}
