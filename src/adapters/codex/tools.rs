//! What a tool call does, and what its answer says.

use crate::schema::{EventType, Status};
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;

/// Longest head of an answer that is searched for exit code and time.
const HEAD_LINES: usize = 8;
/// How Codex' own words for a failure begin, whatever the tool.
const FAILURES: [&str; 11] = [
    "apply_patch verification failed",
    "Script failed",
    "execution error",
    "failed to parse",
    "unsupported call: ",
    "collab spawn failed",
    "patch rejected",
    "exec command rejected",
    "exec_command failed",
    "write_stdin failed",
    "tool call error",
];
/// The same of its patch machine up to version 0.46. The answers of its tools begin with JSON or a
/// head, so these words are none of a command's.
const PATCH_FAILURES: [&str; 2] = ["error: Failed to ", "error: invalid "];
/// Tools that may apply a patch.
const PATCH_TOOLS: [&str; 5] = ["shell", "container.exec", "shell_command", "local_shell", "apply_patch"];

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
    pub(super) const fn event_type(self) -> EventType {
        match self {
            Self::Command => EventType::CommandExecution,
            Self::Modify => EventType::FileModify,
            Self::Write => EventType::FileWrite,
            Self::Read => EventType::FileRead,
            Self::Use => EventType::ToolUse,
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

/// What an edit changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Edit {
    pub(super) files: usize,
    pub(super) added: i32,
    pub(super) removed: i32,
    /// One line per file, `path<tab>added<tab>removed`; empty unless there is more than one file.
    pub(super) list: String,
}

impl Edit {
    /// Reads a patch in Codex' own format. The first file goes to `path`, of several the names go to
    /// `extra`.
    pub(super) fn of_patch(patch: &str, path: &mut String, extra: &mut Extra) -> Self {
        let mut tally = Tally::default();
        let mut inside = false;
        for line in patch.lines() {
            if let Some(rest) = line.strip_prefix("*** ") {
                inside = inside || rest.starts_with("Begin Patch");
                if rest.starts_with("End Patch") {
                    inside = false;
                }
                let file = ["Add File: ", "Update File: ", "Delete File: "].iter().find_map(|p| rest.strip_prefix(p));
                if let Some(file) = file.filter(|_| inside).or_else(|| rest.strip_prefix("Move to: ")) {
                    tally.name(file.trim());
                }
            } else if inside {
                tally.line(line);
            }
        }
        let edit = tally.finish(path);
        edit.name_files(extra);
        edit.write(extra, false);
        edit
    }

    /// Reads the `changes` of a finished patch: path → `{type, unified_diff | content}`. The first file
    /// goes to `path`.
    pub(super) fn of_changes(changes: Json<'_, '_>, path: &mut String) -> Self {
        let mut tally = Tally::default();
        for (file, change) in changes.entries() {
            tally.name(file);
            let content = change.get("content").and_then(Json::as_str).unwrap_or_default();
            let lines = i32::try_from(content.lines().count()).unwrap_or(i32::MAX);
            match change.str_at("type") {
                Some("add") => tally.add(lines, 0),
                Some("delete") => tally.add(0, lines),
                _ => {
                    let diff = change.get("unified_diff").and_then(Json::as_str).unwrap_or_default();
                    for line in diff.lines().filter(|l| !l.starts_with("+++ ") && !l.starts_with("--- ")) {
                        tally.line(line);
                    }
                }
            }
        }
        tally.finish(path)
    }

    /// An edit of which only the files are known. The first goes to `path`.
    pub(super) fn of_names<'t>(files: impl Iterator<Item = &'t str>, path: &mut String) -> Self {
        let mut tally = Tally::default();
        files.for_each(|file| tally.name(file));
        tally.finish(path)
    }

    /// Adds the names of several files as `files` to `extra`.
    pub(super) fn name_files(&self, extra: &mut Extra) {
        if !self.list.is_empty() {
            extra.text("files", &self.names().collect::<Vec<_>>().join("\n"));
        }
    }

    /// Adds several files as `edits` to `extra`: with their lines where they are `applied`, else with 0.
    pub(super) fn write(&self, extra: &mut Extra, applied: bool) {
        if applied && !self.list.is_empty() {
            extra.text("edits", &self.list);
        } else if !self.list.is_empty() {
            let planned: Vec<_> = self.names().map(|name| format!("{name}\t0\t0")).collect();
            extra.text("edits", &planned.join("\n"));
        }
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.list.lines().filter_map(|line| line.split('\t').next())
    }
}

/// Counts the lines of an edit file by file.
#[derive(Default)]
struct Tally<'t> {
    files: Vec<(&'t str, i32, i32)>,
    places: HashMap<&'t str, usize>,
    /// The file that lines are counted for.
    at: usize,
}

impl<'t> Tally<'t> {
    fn name(&mut self, file: &'t str) {
        self.at = *self.places.entry(file).or_insert_with(|| {
            self.files.push((file, 0, 0));
            self.files.len() - 1
        });
    }

    fn add(&mut self, added: i32, removed: i32) {
        if let Some((_, all_added, all_removed)) = self.files.get_mut(self.at) {
            *all_added = all_added.saturating_add(added);
            *all_removed = all_removed.saturating_add(removed);
        }
    }

    fn line(&mut self, line: &str) {
        match line.as_bytes().first() {
            Some(b'+') => self.add(1, 0),
            Some(b'-') => self.add(0, 1),
            _ => {}
        }
    }

    fn finish(self, path: &mut String) -> Edit {
        let mut edit = Edit { files: self.files.len(), ..Edit::default() };
        for (i, (file, added, removed)) in self.files.iter().enumerate() {
            edit.added = edit.added.saturating_add(*added);
            edit.removed = edit.removed.saturating_add(*removed);
            if i == 0 {
                path.push_str(file);
            }
            if edit.files > 1 {
                // Tabs and line ends separate the fields.
                let file = file.replace(['\t', '\n', '\r'], " ");
                let end = if i == 0 { "" } else { "\n" };
                edit.list.push_str(&format!("{end}{file}\t{added}\t{removed}"));
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
    pub(super) status: Option<Status<'static>>,
}

impl Verdict {
    /// Reads the lines that Codex puts before the own output of `tool`.
    pub(super) fn of_text(text: &str, tool: Option<&str>) -> Self {
        let mut verdict = Self::default();
        for (i, line) in text.lines().take(HEAD_LINES).enumerate() {
            if let Some(code) =
                line.strip_prefix("Exit code: ").or_else(|| line.strip_prefix("Process exited with code "))
            {
                verdict.exit_code = code.trim().parse().ok();
            } else if let Some(time) = line.strip_prefix("Wall time") {
                verdict.duration_ms = seconds_ms(time.trim_start_matches(':').trim().split(' ').next());
            } else if line.starts_with("Process running with session") || line.starts_with("Script running with cell") {
                verdict.status = Some(Status::Running);
            } else if i == 0 {
                verdict.first_line(line, tool);
            } else if line == "Output:" {
                break;
            }
        }
        if let Some(code) = verdict.exit_code.filter(|_| verdict.failed != Some(true)) {
            verdict.failed = Some(code != 0);
        }
        verdict
    }

    fn first_line(&mut self, line: &str, tool: Option<&str>) {
        if let Some(time) = line.strip_prefix("aborted by user after ") {
            self.status = Some(Status::Interrupted);
            self.duration_ms = seconds_ms(Some(time.trim_end().trim_end_matches('s')));
        } else if line == "aborted" || line.starts_with("aborted by user") {
            self.status = Some(Status::Interrupted);
        } else if line.starts_with("Script completed") {
            self.failed = Some(false);
        } else if let Some(rest) = line.strip_prefix("failed in sandbox") {
            self.failed = Some(true);
            self.exit_code = sandbox_code(rest);
        } else {
            let patches = tool.is_some_and(|tool| PATCH_TOOLS.contains(&tool));
            let failed = FAILURES.iter().any(|start| line.starts_with(start))
                || (patches && PATCH_FAILURES.iter().any(|start| line.starts_with(start)));
            self.failed = failed.then_some(true);
        }
    }

    /// True when the call did what it was to do, as far as is known.
    pub(super) fn is_done(&self) -> bool {
        self.failed.map_or(self.status != Some(Status::Interrupted), |failed| !failed)
    }
}

/// Exit code in ` <sandbox> with execution error: sandbox denied exec error, exit code: N, stdout: …`.
fn sandbox_code(text: &str) -> Option<i32> {
    let (_, reason) = text.split_once(" with execution error: ")?;
    let (before, code) = reason.split_once("exit code: ")?;
    let code = code.split([',', ' ']).next()?;
    code.parse().ok().filter(|_| !before.contains("stdout"))
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
