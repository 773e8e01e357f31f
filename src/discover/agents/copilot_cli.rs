//! Where Copilot CLI logs, and how its logs are known.
//!
//! `XDG_STATE_HOME` is where the editor's own integration of the CLI looks when it is set.

use crate::discover::head::{Head, Shape};
use crate::discover::pattern::{Files, log, with};
use crate::discover::table::{ANY, Layout, Row, Start, UNIX, row};
use crate::schema::Format;

const FILES: Files = Files {
    folders: &["session-state", "history-session-state"],
    files: &["session-store.db"],
    skip_dirs: &["checkpoints", "files", "research", "rewind-file-snapshots", "node_modules", ".git"],
    patterns: &[
        with("session-state/*/events.jsonl", Format::CopilotCliEvents, &["workspace.yaml"]),
        log("session-state/*.jsonl", Format::CopilotCliEvents),
        log("session-state/*/workspace.yaml", Format::CopilotCliWorkspace),
        log("history-session-state/*.json", Format::CopilotCliDocument),
        log("session-store.db", Format::CopilotCliStore),
    ],
};

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("copilot-cli", Layout::Files(&FILES), ANY, Start::List("COPILOT_HOME"), ""),
    row("copilot-cli", Layout::Files(&FILES), ANY, Start::Home, ".copilot"),
    row("copilot-cli", Layout::Files(&FILES), UNIX, Start::XdgState, ".copilot"),
];

/// First parts of the names of event types.
const EVENTS: [&str; 11] = [
    "session",
    "user",
    "assistant",
    "tool",
    "hook",
    "subagent",
    "system",
    "skill",
    "permission",
    "external_tool",
    "abort",
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    if head.shape == Shape::Database {
        let own =
            head.has_table("assistant_usage_events") || head.name() == "session-store.db" && head.has_table("turns");
        return own.then_some(Format::CopilotCliStore);
    }
    if head.shape != Shape::Object {
        return None;
    }
    if head.has(&["chatMessages"]) || head.has(&["sessionId", "timeline"]) || head.has(&["history", "workspacePath"]) {
        return Some(Format::CopilotCliDocument);
    }
    // Records that hooks write.
    if matches!(head.kind(), "userpromptsubmitted" | "assistantresponse") && head.has(&["session_id", "timestamp"]) {
        return Some(Format::CopilotCliEvents);
    }
    let is_event = head.kind().split('.').next().is_some_and(|first| EVENTS.contains(&first))
        && (head.kind().contains('.') || head.kind() == "abort");
    // Transcripts of the editor's extension have the same events.
    if !is_event || head.contains("\"vscodeVersion\"") || head.path.contains("/transcripts/") {
        return None;
    }
    if head.has(&["type", "data", "id", "timestamp"]) {
        // Written with line breaks, it is no file of lines.
        let printed = head.bytes.starts_with(b"{\n") || head.bytes.starts_with(b"{\r\n");
        Some(if printed { Format::CopilotCliDocument } else { Format::CopilotCliEvents })
    } else if head.has(&["session_id", "type", "timestamp"]) && (head.has(&["prompt"]) || head.has(&["output"])) {
        Some(Format::CopilotCliEvents)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Os, Places};
    use crate::discover::classify::classify;
    use crate::discover::{roots, sniff};
    use crate::schema::Format;

    fn places(os: Os, home: &str, env: &[(&str, &str)]) -> Vec<(String, String)> {
        let env = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let found = roots(&Places { os, home: home.into(), env }).into_iter().filter(|root| OWN.contains(&root.agent));
        found.map(|root| (root.agent.to_owned(), root.path.to_string_lossy().into_owned())).collect()
    }

    fn format(home: &str, relative: &str) -> Option<Format> {
        let found = roots(&Places { os: Os::Linux, home: "/h".into(), env: Default::default() });
        let root = found.into_iter().find(|root| OWN.contains(&root.agent) && root.path == Path::new(home)).unwrap();
        classify(&root, Path::new(relative)).map(|found| found.format)
    }

    fn sniffed(path: &str, text: &str) -> Option<Format> {
        sniff(path, text.as_bytes(), None).ok()
    }

    const OWN: &[&str] = &["copilot-cli"];

    #[test]
    fn every_system_has_its_places() {
        let of = |paths: &[&str]| paths.iter().map(|p| ("copilot-cli".to_owned(), (*p).to_owned())).collect::<Vec<_>>();
        assert_eq!(places(Os::Linux, "/h", &[]), of(&["/h/.copilot", "/h/.local/state/.copilot"]));
        let env = [("COPILOT_HOME", "/c"), ("XDG_STATE_HOME", "/s")];
        assert_eq!(places(Os::MacOs, "/h", &env), of(&["/c", "/h/.copilot", "/s/.copilot"]));
        assert_eq!(places(Os::Windows, "C:\\u", &env), of(&["/c", "C:\\u/.copilot"]));
    }

    #[test]
    fn event_logs_titles_old_sessions_and_the_store_are_found() {
        let table = [
            ("session-state/0a1b/events.jsonl", Some(Format::CopilotCliEvents)),
            ("session-state/0a1b.jsonl", Some(Format::CopilotCliEvents)),
            ("history-session-state/session_a_1.json", Some(Format::CopilotCliDocument)),
            ("session-store.db", Some(Format::CopilotCliStore)),
            ("session-state/0a1b/workspace.yaml", Some(Format::CopilotCliWorkspace)),
            ("session-state/0a1b/files/workspace.yaml", None),
            ("session-state/0a1b/files/x.jsonl", None),
            ("config.json", None),
            ("jb/0a/partition-1.jsonl", None),
        ];
        for (path, expected) in table {
            assert_eq!(format("/h/.copilot", path), expected, "{path}");
        }
    }

    #[test]
    fn trap_9_content_tells_its_events_from_those_of_the_editor() {
        let event = |more: &str| {
            format!(
                r#"{{"type":"session.start","data":{{"producer":"copilot-agent"{more}}},"id":"e","timestamp":"t","parentId":null}}"#
            )
        };
        assert_eq!(sniffed("/x/any.jsonl", &event("")), Some(Format::CopilotCliEvents));
        assert_ne!(sniffed("/x/any.jsonl", &event(r#","vscodeVersion":"1.110""#)), Some(Format::CopilotCliEvents));
        let place = "/x/GitHub.copilot-chat/transcripts/a.jsonl";
        assert_ne!(sniffed(place, &event("")), Some(Format::CopilotCliEvents));
        let printed =
            "{\n  \"data\": {},\n  \"id\": \"e\",\n  \"timestamp\": \"t\",\n  \"type\": \"user.message\"\n}\n";
        assert_eq!(sniffed("/x/any.json", printed), Some(Format::CopilotCliDocument));
        assert_eq!(
            sniffed("/x/any.json", r#"{"sessionId":"s","startTime":"t","chatMessages":[],"timeline":[]}"#),
            Some(Format::CopilotCliDocument)
        );
        let store = b"SQLite format 3\0 CREATE TABLE assistant_usage_events (id INTEGER)";
        assert_eq!(sniff("/x/any.db", store, None), Ok(Format::CopilotCliStore));
    }
}
