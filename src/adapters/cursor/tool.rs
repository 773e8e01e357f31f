//! Tools: what a call does, on which file, with which command, and what came of it.

use crate::adapters::json::Json;
use crate::adapters::line::Parser;
use crate::schema::EventType;

/// What a call of a tool is, and what it works on.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Call {
    pub(super) name: String,
    #[serde(default)]
    pub(super) path: Option<String>,
    #[serde(default)]
    pub(super) command: Option<String>,
}

/// What came of a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// The output by itself, where the answer names one.
    pub(super) output: Option<String>,
    pub(super) exit_code: Option<i32>,
    pub(super) added: Option<i32>,
    pub(super) removed: Option<i32>,
    pub(super) failed: bool,
}

/// Names of arguments that hold a file's path.
const PATHS: [&str; 11] = [
    "targetFile",
    "target_file",
    "relativeWorkspacePath",
    "relative_workspace_path",
    "file_path",
    "filePath",
    "absolutePath",
    "targetNotebook",
    "target_notebook",
    "path",
    "uri",
];

impl Call {
    /// The call of the tool `name`, without what it works on.
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Event type of the call.
    pub(super) fn event_type(&self) -> EventType {
        match self.name.as_str() {
            "read_file" | "read_file_v2" | "Read" | "ReadFile" => EventType::FileRead,
            "write" | "write_file" | "create_file" | "Write" | "WriteFile" => EventType::FileWrite,
            "edit_file" | "edit_file_v2" | "MultiEdit" | "multi_edit" | "search_replace" | "reapply"
            | "apply_patch" | "edit_notebook" | "delete_file" | "Edit" | "StrReplace" | "Delete" | "DeleteFile"
            | "EditNotebook" | "ApplyPatch" => EventType::FileModify,
            "run_terminal_cmd"
            | "run_terminal_command"
            | "run_terminal_command_v2"
            | "Shell"
            | "Bash"
            | "shell"
            | "bash" => EventType::CommandExecution,
            _ => EventType::ToolUse,
        }
    }

    /// Takes path and command out of the call's arguments; what is known already stays.
    pub(super) fn learn(&mut self, arguments: Json<'_, '_>) {
        if !arguments.is_object() {
            return;
        }
        if self.event_type().is_file() {
            let found = || PATHS.iter().find_map(|key| super::place::uri_path(arguments.get(key)?));
            self.path = self.path.take().or_else(found);
        }
        if self.event_type() == EventType::CommandExecution {
            let found = || arguments.str_at("command").map(str::to_owned);
            self.command = self.command.take().or_else(found);
        }
    }

    /// The same for arguments that are JSON text; text that is none tells nothing.
    pub(super) fn learn_text(&mut self, arguments: &str, parser: &mut Parser) {
        // Not valid: the text itself is kept as the input.
        drop(parser.each(arguments.as_bytes(), |json| self.learn(json)));
    }
}

impl Answer {
    /// Reads an answer that is a JSON object; a text is its own output.
    pub(super) fn of(json: Json<'_, '_>) -> Self {
        let code = ["exitCode", "exitCodeV2", "exit_code"].iter().find_map(|key| json.i64_at(key));
        let output = ["output", "contents", "stdout"].iter().find_map(|key| json.get(key)?.as_str());
        let chunks = || json.path(&["diff", "chunks"]).into_iter().flat_map(Json::items);
        let lines = |key: &str| {
            let own = json.i64_at(key);
            let parts = chunks().filter_map(|chunk| chunk.i64_at(key)).reduce(i64::saturating_add);
            own.or(parts).and_then(|n| i32::try_from(n).ok())
        };
        let exit_code = code.and_then(|code| i32::try_from(code).ok());
        let says_so = ["applyFailed", "rejected", "isError"]
            .iter()
            .any(|key| json.get(key).and_then(Json::as_bool) == Some(true));
        Self {
            output: output.map(str::to_owned),
            exit_code,
            added: lines("linesAdded"),
            removed: lines("linesRemoved"),
            failed: says_so || exit_code.is_some_and(|code| code != 0),
        }
    }

    /// The same for JSON text; any other text has no parts.
    pub(super) fn of_text(text: &str, parser: &mut Parser) -> Self {
        let mut answer = Self::default();
        drop(parser.each(text.as_bytes(), |json| answer = Self::of(json)));
        answer
    }
}

/// True for the status of a call that is still going on.
pub(super) fn is_going_on(status: &str) -> bool {
    matches!(status, "loading" | "running" | "pending" | "generating" | "streaming" | "in_progress")
}
