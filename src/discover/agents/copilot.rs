//! Where GitHub Copilot in editors logs, and how its logs are known.
//!
//! Sources: microsoft/vscode `chatSessionStore.ts` and `chatEditingSessionStorage.ts`;
//! microsoft/vscode-copilot-chat for what the extension keeps. Sessions are written by the editor's
//! window, the extension's own stores by the host it runs on: both kinds are looked for in all `User`
//! folders. A profile has a `globalStorage` of its own.

use crate::config::Os;
use crate::discover::head::{Head, Shape};
use crate::discover::pattern::{Files, log, with};
use crate::discover::table::{ANY, Layout, Row, Start, UNIX, row};
use crate::schema::Format;

const AGENT: &str = "github-copilot";

/// Below a `User` folder. `contents` holds copies of the user's sources.
const EDITOR: Files = Files {
    folders: &["workspaceStorage", "globalStorage", "profiles"],
    files: &[],
    skip_dirs: &["contents", "debug-logs", "node_modules", "History", "ms-vscode.cpptools", "redhat.java"],
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
    skip_dirs: &[],
    patterns: &[log("copilot-agent-traces.db", Format::CopilotSpans)],
};

/// Visual Studio's traces.
const VISUAL_STUDIO: Files = Files {
    folders: &[""],
    files: &[],
    skip_dirs: &[],
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Places;
    use crate::discover::{classify, roots, sniff as sniff_bytes};

    /// Format of the file at `path`, by the places of a system.
    fn format_at(os: Os, env: &[(&str, &str)], path: &str) -> Option<(Format, Vec<String>)> {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let places = Places { os, home: "/h".into(), env };
        let own = roots(&places).into_iter().filter(|root| root.agent == AGENT);
        own.filter_map(|root| {
            let found = classify(&root, Path::new(path).strip_prefix(&root.path).ok()?)?;
            let companions = found.companions.iter().map(|c| c.to_string_lossy().into_owned()).collect();
            Some((found.format, companions))
        })
        .next()
    }

    #[test]
    fn every_store_is_found_on_every_system() {
        type Env<'a> = &'a [(&'a str, &'a str)];
        let bases: [(Os, Env<'_>, &str); 7] = [
            (Os::Linux, &[], "/h/.config/Code/User"),
            (Os::Linux, &[("XDG_CONFIG_HOME", "/x")], "/x/VSCodium/User"),
            (Os::Linux, &[], "/h/.vscode-server/data/User"),
            (Os::Linux, &[("VSCODE_PORTABLE", "/p/data")], "/p/data/user-data/User"),
            (Os::MacOs, &[], "/h/Library/Application Support/Code - Insiders/User"),
            (Os::Windows, &[("APPDATA", "/r")], "/r/Code/User"),
            (Os::Windows, &[], "/h/AppData/Roaming/Cursor/User"),
        ];
        for (os, env, base) in bases {
            for (below, format) in [
                ("workspaceStorage/w/chatSessions/s.json", Some(Format::CopilotSession)),
                ("workspaceStorage/no-workspace/chatSessions/s.json", Some(Format::CopilotSession)),
                ("workspaceStorage/w/chatSessions/s.jsonl", Some(Format::CopilotOpLog)),
                ("workspaceStorage/w/chatEditingSessions/s/state.json", Some(Format::CopilotEdits)),
                ("workspaceStorage/w/chatEditingSessions/s/contents/abcdef0", None),
                ("workspaceStorage/w/GitHub.copilot-chat/transcripts/s.jsonl", Some(Format::CopilotTranscript)),
                ("workspaceStorage/w/GitHub.copilot-chat/debug-logs/s/main.jsonl", None),
                ("globalStorage/emptyWindowChatSessions/s.jsonl", Some(Format::CopilotOpLog)),
                ("globalStorage/emptyWindowChatSessions/s.json", Some(Format::CopilotSession)),
                ("globalStorage/transferredChatSessions/s.json", Some(Format::CopilotSession)),
                ("globalStorage/github.copilot-chat/agent-traces.db", Some(Format::CopilotSpans)),
                ("profiles/p/globalStorage/github.copilot-chat/agent-traces.db", Some(Format::CopilotSpans)),
                ("workspaceStorage/w/state.vscdb", None),
            ] {
                let found = format_at(os, env, &format!("{base}/{below}"));
                assert_eq!(found.map(|(format, _)| format), format, "{base}/{below}");
            }
        }
        let traces = "VSGitHubCopilotLogs/traces/1_VSGitHubCopilot_traces.jsonl";
        let local = format!("/l/Temp/{traces}");
        let found = format_at(Os::Windows, &[("LOCALAPPDATA", "/l")], &local);
        assert_eq!(found.map(|(format, _)| format), Some(Format::VisualStudioTraces));
        let found = format_at(Os::Windows, &[("TEMP", "/t")], &format!("/t/{traces}"));
        assert_eq!(found.map(|(format, _)| format), Some(Format::VisualStudioTraces));
        assert_eq!(format_at(Os::Linux, &[], &local), None);
    }

    #[test]
    fn workspace_stores_come_with_the_workspace() {
        for (below, companion) in [
            ("chatSessions/s.json", "/h/.config/Code/User/workspaceStorage/w/workspace.json"),
            ("GitHub.copilot-chat/transcripts/s.jsonl", "/h/.config/Code/User/workspaceStorage/w/workspace.json"),
            ("chatEditingSessions/s/state.json", "/h/.config/Code/User/workspaceStorage/w/workspace.json"),
        ] {
            let found = format_at(Os::Linux, &[], &format!("/h/.config/Code/User/workspaceStorage/w/{below}"));
            assert_eq!(found.unwrap().1, [companion], "{below}");
        }
    }

    #[test]
    fn content_tells_what_a_file_is_wherever_it_lies() {
        let start = r#"{"type":"session.start","data":{"sessionId":"s","producer":"copilot-agent","copilotVersion":"1"#;
        let table: &[(&str, String, Option<Format>)] = &[
            ("/x/a", r#"{"version":3,"sessionId":"s","requests":[]}"#.into(), Some(Format::CopilotSession)),
            ("/x/a", r#"{"responderUsername":"GitHub Copilot","requests":[{}]}"#.into(), Some(Format::CopilotSession)),
            ("/x/a", r#"{"requests":[{"url":"x"}],"name":"load test"}"#.into(), None),
            ("/x/a", r#"{"kind":0,"v":{"requests":[]}}"#.into(), Some(Format::CopilotOpLog)),
            ("/x/a", r#"{"kind":1,"k":["customTitle"],"v":"t"}"#.into(), Some(Format::CopilotOpLog)),
            ("/x/a", format!("{start}\",\"vscodeVersion\":\"1\"}},\"id\":\"e\"}}"), Some(Format::CopilotTranscript)),
            ("/x/a", format!("{start}\"}},\"id\":\"e\"}}"), None),
            (
                "/x/GitHub.copilot-chat/transcripts/s.jsonl",
                r#"{"type":"user.message","data":{"content":"x"},"id":"e"}"#.into(),
                Some(Format::CopilotTranscript),
            ),
            ("/x/a", r#"{"version":2,"initialFileContents":[],"timeline":{}}"#.into(), Some(Format::CopilotEdits)),
            ("/x/a", r#"{"exportedAt":"t","totalPrompts":1,"prompts":[]}"#.into(), Some(Format::CopilotReplay)),
            ("/x/a", r#"{"resourceSpans":[{"resource":{"x":"vs-copilot"}}]}"#.into(), Some(Format::VisualStudioTraces)),
            ("/x/a", r#"{"resourceSpans":[{"resource":{"x":"other"}}]}"#.into(), None),
        ];
        for (path, text, format) in table {
            let found = sniff_bytes(path, text.as_bytes(), Some(AGENT)).ok();
            assert_eq!(found, *format, "{text}");
        }
        let database = b"SQLite format 3\0 CREATE TABLE spans (span_id) CREATE TABLE span_attributes (span_id)";
        assert_eq!(sniff_bytes("/x/a", database, None), Ok(Format::CopilotSpans));
    }

    /// Logs of all other agents are none of these.
    #[test]
    fn no_other_agents_file_is_taken_for_one() {
        let Some(corpus) = crate::adapters::tests::corpus("claude").and_then(|p| p.parent().map(Path::to_owned)) else {
            return;
        };
        let agents = std::fs::read_dir(corpus).unwrap().flatten().map(|e| e.path());
        for folder in agents.filter(|p| p.is_dir() && !p.ends_with("copilot-vscode")) {
            for path in crate::adapters::tests::files_below(&folder) {
                use std::io::Read as _;
                let mut bytes = Vec::new();
                let Ok(file) = std::fs::File::open(&path) else { continue };
                if file.take(crate::discover::SNIFF_BYTES as u64).read_to_end(&mut bytes).is_err() {
                    continue;
                }
                let shown = path.to_string_lossy().into_owned();
                if let Ok(format) = sniff_bytes(&shown, &bytes, Some(AGENT)) {
                    assert!(shown.contains("opilot"), "{} claims {shown}", format.name());
                }
            }
        }
    }
}
