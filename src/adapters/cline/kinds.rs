//! What the tools do, by their names in both stores.

use crate::schema::{EventType, Status};

/// What a tool does: names of one family may stand for the same call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Read,
    Write,
    List,
    Search,
    Definitions,
    Command,
    Mcp,
    Browser,
    Web,
    /// A question or an answer to the user: it is a text, no call.
    Talk,
    Other,
}

pub(super) fn family(name: &str) -> Family {
    match name {
        "readFile" | "read_file" | "read_files" => Family::Read,
        "newFileCreated" | "editedExistingFile" | "appliedDiff" | "fileDeleted" | "insertContent"
        | "searchAndReplace" | "write_to_file" | "replace_in_file" | "apply_diff" | "insert_content"
        | "search_and_replace" | "edit_file" | "apply_patch" | "search_replace" | "editor" | "delete_file" => {
            Family::Write
        }
        "listFilesTopLevel" | "listFilesRecursive" | "list_files" => Family::List,
        "searchFiles" | "search_files" | "search_codebase" | "codebaseSearch" | "codebase_search" => Family::Search,
        "listCodeDefinitionNames" | "list_code_definition_names" => Family::Definitions,
        "execute_command" | "run_commands" => Family::Command,
        "use_mcp_tool" | "access_mcp_resource" | "use_mcp_server" => Family::Mcp,
        "browser_action" => Family::Browser,
        "webFetch" | "web_fetch" | "webSearch" | "web_search" | "fetch_web_content" => Family::Web,
        "attempt_completion"
        | "ask_followup_question"
        | "plan_mode_respond"
        | "act_mode_respond"
        | "new_task"
        | "condense"
        | "summarize_task"
        | "report_bug"
        | "ask_question" => Family::Talk,
        _ => Family::Other,
    }
}

/// Event type of a call of the tool.
pub(super) fn event_type(name: &str) -> EventType {
    match family(name) {
        Family::Read => EventType::FileRead,
        Family::Write if matches!(name, "newFileCreated" | "write_to_file") => EventType::FileWrite,
        Family::Write => EventType::FileModify,
        Family::Command => EventType::CommandExecution,
        _ => EventType::ToolUse,
    }
}

/// What the head of an answer says: whether it failed, its state, an exit code.
pub(super) fn verdict(text: &str) -> (Option<bool>, Option<Status<'static>>, Option<i32>) {
    let head = text.trim_start();
    let denied = head.starts_with("The user denied this operation") || head.contains("\"status\":\"denied\"");
    let failed = ["The tool execution failed", "Error", "<error>", "{\"status\":\"error\""]
        .iter()
        .any(|start| head.starts_with(start));
    let exit_code = head.lines().take(4).find_map(|line| {
        let (_, code) = line.split_once("Exit code: ")?;
        code.trim().trim_end_matches(['.', ')']).parse().ok()
    });
    let status = denied.then_some(Status::Denied);
    (Some(failed || exit_code.is_some_and(|code: i32| code != 0)), status, exit_code)
}
