//! What a tool call does and what came of it, read from names, arguments and answers.

use crate::adapters::clean::write_content;
use crate::adapters::diff;
use crate::adapters::fields::text_or_json;
use crate::adapters::json::{Json, write_str};
use crate::adapters::line::Parser;
use crate::schema::EventType;

/// What a tool call does.
#[derive(Debug, Clone, Default)]
pub(super) struct Tool {
    pub(super) event_type: EventType,
    /// Its arguments as JSON.
    pub(super) input: Option<String>,
    pub(super) path: Option<String>,
    pub(super) command: Option<String>,
}

impl Tool {
    /// The call of `name` with `arguments`: an object, or an object in a text.
    pub(super) fn of(name: &str, arguments: Option<Json<'_, '_>>) -> Self {
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
        write_content(arguments, &mut input);
        let keys = ["file_path", "absolute_path", "path", "filePath", "file", "fileName", "notebook_path", "dir_path"];
        let path = || keys.iter().find_map(|key| arguments.str_at(key)).map(str::to_owned);
        let patch = || ["input", "patch"].iter().find_map(|key| arguments.str_at(key)).and_then(patch_path);
        let is_command = event_type == EventType::CommandExecution;
        let command = arguments.get("command").or_else(|| arguments.get("cmd")).filter(|_| is_command);
        Self {
            event_type,
            input: Some(input),
            path: if matches!(event_type, EventType::ToolUse | EventType::CommandExecution) {
                None
            } else {
                path().or_else(patch)
            },
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
fn deed(name: &str, command: Option<&str>) -> EventType {
    match name {
        "run_shell_command" | "shell" | "bash" | "powershell" | "run_command" | "execute_command" | "local_shell" => {
            EventType::CommandExecution
        }
        "str_replace_editor" => match command {
            Some("view") => EventType::FileRead,
            Some("create") => EventType::FileWrite,
            _ => EventType::FileModify,
        },
        "replace" | "edit" | "edit_file" | "multi_edit" | "str_replace" | "apply_patch" | "smart_edit" => {
            EventType::FileModify
        }
        "write_file" | "create" | "create_file" => EventType::FileWrite,
        "read_file" | "read_many_files" | "view" | "list_directory" | "read" => EventType::FileRead,
        _ => EventType::ToolUse,
    }
}

/// Lines that a unified diff adds and removes; `None` when the text is no diff.
pub(super) fn diff_lines(text: &str) -> Option<(i32, i32)> {
    diff::has_hunks(text).then(|| diff::lines(text))
}

/// Exit code that stands in a line of its own in an answer: `Exit Code: 1`, `<exited with exit code 1>`.
pub(super) fn exit_code(output: &str) -> Option<i32> {
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
        let expected = (EventType::FileWrite, Some("/x".to_owned()), Some(r#"{"path":"/x"}"#.to_owned()));
        assert_eq!(of(r#"{"a":{"path":"/x"}}"#), expected);
        assert_eq!(of(r#"{"a":"{\"path\":\"/x\"}"}"#), expected);
        assert_eq!(of(r#"{"a":"{torn"}"#), (EventType::FileWrite, None, Some("\"{torn\"".to_owned())));
        assert_eq!(of(r#"{"a":null}"#), (EventType::FileWrite, None, None));
    }
}
