//! Where Continue logs, and how its logs are known.
//!
//! All systems alike: `~/.continue`, or where `CONTINUE_GLOBAL_DIR` says.

use crate::discover::head::{Head, Shape};
use crate::discover::pattern::{Files, log, with};
use crate::discover::table::{ANY, Layout, Row, Start, row};
use crate::schema::Format;

const FILES: Files = Files {
    folders: &["sessions", "dev_data"],
    files: &[],
    skip_dirs: &[],
    patterns: &[
        // Sessions are named by UUIDs; `sessions.json` is their index.
        with("sessions/*-*-*.json", Format::ContinueSession, &["sessions.json"]),
        log("dev_data/**/*.jsonl", Format::ContinueTokens),
    ],
};

pub(in crate::discover) const ROWS: &[Row] = &[
    row("continue", Layout::Files(&FILES), ANY, Start::List("CONTINUE_GLOBAL_DIR"), ""),
    row("continue", Layout::Files(&FILES), ANY, Start::Home, ".continue"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    if head.shape != Shape::Object {
        return None;
    }
    let is_session = (head.has(&["sessionId", "history"]) || head.has(&["session_id", "history"]))
        && (head.has(&["workspaceDirectory"]) || head.has(&["workspace_directory"]) || head.has(&["title"]));
    let is_data = head.has(&["promptTokens", "generatedTokens"])
        || head.has(&["completion", "completionId", "filepath"])
        || head.has(&["eventName", "schema", "timestamp"]);
    if is_session {
        Some(Format::ContinueSession)
    } else if is_data {
        Some(Format::ContinueTokens)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Os, Places};
    use crate::discover::classify::classify;
    use crate::discover::places::roots;
    use crate::discover::sniff::sniff as sniff_bytes;

    #[test]
    fn sessions_and_data_lie_in_the_same_place_on_every_system() {
        for os in [Os::Linux, Os::MacOs, Os::Windows] {
            let env = [("CONTINUE_GLOBAL_DIR".to_owned(), "/c".to_owned())].into();
            let found = roots(&Places { os, home: "/h".into(), env });
            let own: Vec<_> = found.iter().filter(|r| r.agent == "continue").collect();
            assert_eq!(
                own.iter().map(|r| r.path.as_path()).collect::<Vec<_>>(),
                [Path::new("/c"), Path::new("/h/.continue")]
            );
            let at = |path: &str| classify(own[0], Path::new(path)).map(|f| f.format);
            let uuid = "2dbfd673-096d-4773-b5f3-9023894a7355";
            assert_eq!(at(&format!("sessions/{uuid}.json")), Some(Format::ContinueSession));
            assert_eq!(at("dev_data/0.2.0/tokensGenerated.jsonl"), Some(Format::ContinueTokens));
            assert_eq!(at("dev_data/autocomplete.jsonl"), Some(Format::ContinueTokens));
            assert_eq!(at("sessions/sessions.json"), None);
            assert_eq!(at("config.json"), None);
            let session = classify(own[0], Path::new(&format!("sessions/{uuid}.json"))).unwrap();
            assert_eq!(session.companions, [Path::new("/c/sessions/sessions.json")]);
        }
    }

    #[test]
    fn content_tells_sessions_and_data() {
        let table: &[(&str, Option<Format>)] = &[
            (r#"{"sessionId":"s","title":"t","workspaceDirectory":"","history":[]}"#, Some(Format::ContinueSession)),
            (r#"{"session_id":"s","title":"t","history":{}}"#, Some(Format::ContinueSession)),
            (r#"{"model":"m","provider":"p","promptTokens":1,"generatedTokens":2}"#, Some(Format::ContinueTokens)),
            (r#"{"eventName":"toolUsage","schema":"0.2.0","timestamp":"t"}"#, Some(Format::ContinueTokens)),
            (r#"[{"sessionId":"s","title":"t","dateCreated":"1"}]"#, None),
        ];
        for (text, expected) in table {
            assert_eq!(sniff_bytes("/x/any", text.as_bytes(), None).ok(), *expected, "{text}");
        }
    }
}
