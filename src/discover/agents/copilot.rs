//! Where GitHub Copilot in editors logs, and how its logs are known.
//!
//! Sources: microsoft/vscode `chatSessionStore.ts` and `chatEditingSessionStorage.ts`;
//! microsoft/vscode-copilot-chat for what the extension keeps. Sessions are written by the editor's
//! window, the extension's own stores by the host it runs on: both kinds are looked for in all `User`
//! folders. A profile has a `globalStorage` of its own.

use crate::config::Os;
use crate::discover::pattern::{Files, log, with};
use crate::discover::places::{ANY, Layout, Row, Start, UNIX, row};
use crate::discover::sniff::{Head, Shape};
use crate::schema::Format;

const AGENT: &str = "github-copilot";

/// Below a `User` folder. `contents` holds copies of the user's sources.
const EDITOR: Files = Files {
    folders: &["workspaceStorage", "globalStorage", "profiles"],
    files: &[],
    barren: &["contents", "debug-logs", "node_modules", "History", "ms-vscode.cpptools", "redhat.java"],
    patterns: &[
        with("workspaceStorage/*/chatSessions/*.json", Format::CopilotSession, &["../workspace.json"]),
        with("workspaceStorage/*/chatSessions/*.jsonl", Format::CopilotOpLog, &["../workspace.json"]),
        with("workspaceStorage/*/chatEditingSessions/*/state.json", Format::CopilotEdits, &["../../workspace.json"]),
        with(
            "workspaceStorage/*/GitHub.copilot-chat/transcripts/*.jsonl",
            Format::CopilotTranscript,
            &["../../workspace.json"],
        ),
        with(
            "workspaceStorage/*/github.copilot-chat/transcripts/*.jsonl",
            Format::CopilotTranscript,
            &["../../workspace.json"],
        ),
        log("globalStorage/emptyWindowChatSessions/*.json", Format::CopilotSession),
        log("globalStorage/emptyWindowChatSessions/*.jsonl", Format::CopilotOpLog),
        log("globalStorage/transferredChatSessions/*.json", Format::CopilotSession),
        log("globalStorage/transferredChatSessions/*.jsonl", Format::CopilotOpLog),
        log("globalStorage/github.copilot-chat/transcripts/*.jsonl", Format::CopilotTranscript),
        log("globalStorage/GitHub.copilot-chat/transcripts/*.jsonl", Format::CopilotTranscript),
        log("globalStorage/github.copilot-chat/agent-traces.db", Format::CopilotSpans),
        log("globalStorage/GitHub.copilot-chat/agent-traces.db", Format::CopilotSpans),
        log("profiles/*/globalStorage/emptyWindowChatSessions/*.json", Format::CopilotSession),
        log("profiles/*/globalStorage/emptyWindowChatSessions/*.jsonl", Format::CopilotOpLog),
        log("profiles/*/globalStorage/github.copilot-chat/agent-traces.db", Format::CopilotSpans),
    ],
};

/// The span store of an extension without a folder of its own.
const TEMPORARY: Files = Files {
    folders: &[],
    files: &["copilot-agent-traces.db"],
    barren: &[],
    patterns: &[log("copilot-agent-traces.db", Format::CopilotSpans)],
};

/// Visual Studio's traces.
const VISUAL_STUDIO: Files = Files {
    folders: &[""],
    files: &[],
    barren: &[],
    patterns: &[log("*_VSGitHubCopilot_traces.jsonl", Format::VisualStudioTraces)],
};

const WINDOWS: &[Os] = &[Os::Windows];

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row(AGENT, Layout::Files(&EDITOR), ANY, Start::Editors, ""),
    row(AGENT, Layout::Files(&TEMPORARY), UNIX, Start::List("TMPDIR"), ""),
    row(AGENT, Layout::Files(&TEMPORARY), WINDOWS, Start::Known("TEMP", "AppData/Local/Temp"), ""),
    row(AGENT, Layout::Files(&VISUAL_STUDIO), WINDOWS, Start::Known("LOCALAPPDATA", "AppData/Local"),
        "Temp/VSGitHubCopilotLogs/traces"),
    row(AGENT, Layout::Files(&VISUAL_STUDIO), WINDOWS, Start::Known("TEMP", "AppData/Local/Temp"),
        "VSGitHubCopilotLogs/traces"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    match head.shape {
        Shape::Database => {
            (head.has_table("spans") && head.has_table("span_attributes")).then_some(Format::CopilotSpans)
        }
        Shape::Object => sniff_object(head),
        Shape::Array | Shape::Text => None,
    }
}

fn sniff_object(head: &Head<'_>) -> Option<Format> {
    let is_transcript = matches!(
        head.kind(),
        "session.start" | "user.message" | "assistant.message" | "assistant.turn_start" | "tool.execution_start"
    );
    if head.has(&["kind", "v"]) || (head.has(&["kind", "k"]) && !head.has(&["id"])) {
        Some(Format::CopilotOpLog)
    } else if head.has(&["exportedAt", "prompts"])
        || (head.has(&["prompts"]) && head.name().ends_with("chatreplay.json"))
    {
        Some(Format::CopilotReplay)
    } else if head.has(&["requests"]) && is_session(head) {
        Some(Format::CopilotSession)
    } else if head.has(&["initialFileContents"]) || head.has(&["recentSnapshot"]) || head.has(&["linearHistory"]) {
        Some(Format::CopilotEdits)
    } else if head.has(&["resourceSpans"]) && (head.contains("vs-copilot") || head.contains("copilot_chat.")) {
        Some(Format::VisualStudioTraces)
    } else if is_transcript && head.has(&["data", "id"]) && transcript_of_an_editor(head) {
        Some(Format::CopilotTranscript)
    } else {
        None
    }
}

/// Other programs have requests too.
fn is_session(head: &Head<'_>) -> bool {
    head.has(&["responderUsername"])
        || head.has(&["sessionId"])
        || head.has(&["initialLocation"])
        || head.has(&["creationDate"])
        || head.contains("\"requestId\"")
}

/// The Copilot CLI writes events of the same shape; an editor's name the editor, or lie in its folder.
fn transcript_of_an_editor(head: &Head<'_>) -> bool {
    head.contains("\"vscodeVersion\"") || head.path.contains("copilot-chat/transcripts/")
}
