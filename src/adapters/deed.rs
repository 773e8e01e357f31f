//! What a tool call does, by the names that agents give their tools and arguments.

use crate::adapters::json::Json;
use crate::schema::EventType;

/// What a call does, and to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deed<'i> {
    /// Event type of the call's row.
    pub(super) event_type: EventType,
    /// The file it works on.
    pub(super) file_path: Option<&'i str>,
    /// The command line it runs.
    pub(super) command: Option<&'i str>,
}

impl<'i> Deed<'i> {
    /// What the tool called `name` does with `input`. A prefix that names the tool's extension
    /// (`developer__shell`) does not matter.
    pub(super) fn of(name: &str, input: Option<Json<'_, 'i>>) -> Self {
        let text = |key: &str| input.and_then(|input| input.str_at(key));
        let short = name.rsplit("__").next().unwrap_or(name);
        let event_type = match short {
            "bash" | "shell" | "terminal" | "run_shell_command" | "execute_command" | "powershell" => {
                EventType::CommandExecution
            }
            "read" | "view" | "read_file" | "read_image" | "view_image" => EventType::FileRead,
            "write" | "write_file" | "create_file" => EventType::FileWrite,
            "edit" | "multiedit" | "edit_file" | "patch" | "apply_patch" | "str_replace" | "streaming_edit_file" => {
                EventType::FileModify
            }
            "text_editor" => match text("command") {
                Some("view") => EventType::FileRead,
                Some("write" | "create") => EventType::FileWrite,
                _ => EventType::FileModify,
            },
            _ => EventType::ToolUse,
        };
        let is_command = event_type == EventType::CommandExecution;
        let is_file = !is_command && event_type != EventType::ToolUse;
        let own = ["filePath", "file_path", "filepath"].iter().find_map(|key| text(key));
        let path = own.or_else(|| if is_file { text("path").or_else(|| text("source")) } else { None });
        Self { event_type, file_path: path, command: if is_command { text("command") } else { None } }
    }
}

/// Lines of a text.
pub(super) fn line_count(text: &str) -> i32 {
    i32::try_from(text.lines().count()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::line::Parser;

    #[test]
    fn a_call_is_told_by_its_tool_and_arguments() {
        let table = [
            ("bash", r#"{"command":"ls"}"#, (EventType::CommandExecution, None, Some("ls"))),
            ("developer__shell", r#"{"command":"ls"}"#, (EventType::CommandExecution, None, Some("ls"))),
            ("read", r#"{"filePath":"/a"}"#, (EventType::FileRead, Some("/a"), None)),
            ("edit_file", r#"{"path":"a/b"}"#, (EventType::FileModify, Some("a/b"), None)),
            ("grep", r#"{"path":"a/b"}"#, (EventType::ToolUse, None, None)),
            ("developer__text_editor", r#"{"command":"view","path":"a"}"#, (EventType::FileRead, Some("a"), None)),
            ("developer__text_editor", r#"{"command":"write","path":"a"}"#, (EventType::FileWrite, Some("a"), None)),
            (
                "developer__text_editor",
                r#"{"command":"str_replace","path":"a"}"#,
                (EventType::FileModify, Some("a"), None),
            ),
        ];
        for (name, input, (event_type, file_path, command)) in table {
            let mut seen = false;
            Parser::default()
                .each(input.as_bytes(), |json| {
                    assert_eq!(Deed::of(name, Some(json)), Deed { event_type, file_path, command }, "{name}");
                    seen = true;
                })
                .unwrap();
            assert!(seen);
        }
    }
}
