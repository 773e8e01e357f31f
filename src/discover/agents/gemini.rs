//! Where Gemini CLI logs, and how its logs are known.
//!
//! `GEMINI_CLI_HOME` stands for the home directory: the data lies in `.gemini` below it. Without a home
//! the CLI writes below the system's folder for temporary files. `antigravity*` beside it is another
//! agent's.

use crate::discover::head::{Head, Shape};
use crate::discover::pattern::{Files, log, with};
use crate::discover::table::{ANY, Layout, Row, Start, UNIX, row};
use crate::schema::Format;

const PROJECT: &[&str] = &["../.project_root", "../../../projects.json"];
const SUBAGENT: &[&str] = &["../../.project_root", "../../../../projects.json"];
const BESIDE: &[&str] = &[".project_root", "../../projects.json"];

const FILES: Files = Files {
    folders: &["tmp"],
    files: &["telemetry.log"],
    skip_dirs: &["checkpoints", "tool-outputs", "logs", "plans", "tasks", "tracker", "bin", "node_modules", ".git"],
    patterns: &[
        with("tmp/*/chats/*.jsonl", Format::GeminiSession, PROJECT),
        with("tmp/*/chats/*.json", Format::GeminiDocument, PROJECT),
        with("tmp/*/chats/*/*.jsonl", Format::GeminiSession, SUBAGENT),
        with("tmp/*/chats/*/*.json", Format::GeminiDocument, SUBAGENT),
        with("tmp/*/logs.json", Format::GeminiPrompts, BESIDE),
        log("telemetry.log", Format::GeminiTelemetry),
    ],
};

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("gemini", Layout::Files(&FILES), ANY, Start::List("GEMINI_CLI_HOME"), ".gemini"),
    row("gemini", Layout::Files(&FILES), ANY, Start::Home, ".gemini"),
    row("gemini", Layout::Files(&FILES), UNIX, Start::List("TMPDIR"), ".gemini"),
    row("gemini", Layout::Files(&FILES), &[crate::config::Os::Windows], Start::List("TEMP"), ".gemini"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    // Qwen Code once wrote the same documents into a home of its own.
    let qwen = head.path.contains("/.qwen/");
    let document = if qwen { Format::QwenDocument } else { Format::GeminiDocument };
    if head.shape == Shape::Array {
        let prompt = head.has(&["sessionId", "messageId", "message"]);
        return prompt.then_some(if qwen { Format::QwenDocument } else { Format::GeminiPrompts });
    }
    let message = matches!(head.kind(), "user" | "gemini" | "info" | "error" | "warning")
        && head.has(&["id", "timestamp", "content"])
        && !head.has(&["message"]);
    let messages = head.has(&["sessionId", "messages"]);
    if messages && (head.has(&["projectHash"]) || head.has(&["startTime", "lastUpdated"]))
        || head.has(&["history", "start_time", "lastUpdated"])
    {
        Some(document)
    } else if head.has(&["sessionId", "projectHash"]) || head.has(&["$set"]) || head.has(&["$rewindTo"]) || message {
        Some(Format::GeminiSession)
    } else if head.contains("\"gemini_cli.") && head.has(&["attributes"]) {
        Some(Format::GeminiTelemetry)
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

    const OWN: &[&str] = &["gemini"];

    #[test]
    fn every_system_has_its_places_and_a_moved_home_is_one_more() {
        let of = |paths: &[&str]| paths.iter().map(|p| ("gemini".to_owned(), (*p).to_owned())).collect::<Vec<_>>();
        assert_eq!(places(Os::Linux, "/h", &[]), of(&["/h/.gemini"]));
        assert_eq!(
            places(Os::MacOs, "/h", &[("GEMINI_CLI_HOME", "/g"), ("TMPDIR", "/t")]),
            of(&["/g/.gemini", "/h/.gemini", "/t/.gemini"])
        );
        assert_eq!(places(Os::Windows, "C:\\u", &[("TEMP", "C:\\t")]), of(&["C:\\u/.gemini", "C:\\t/.gemini"]));
    }

    #[test]
    fn chats_of_both_generations_sub_agents_and_the_prompt_log_are_found() {
        let table = [
            ("tmp/shop/chats/session-2026-04-25T08-23-e435870b.jsonl", Some(Format::GeminiSession)),
            ("tmp/7e89/chats/session-2026-01-10T01-33-08d1e5f6.json", Some(Format::GeminiDocument)),
            ("tmp/shop/chats/e435870b-0000/0a1b.jsonl", Some(Format::GeminiSession)),
            ("tmp/shop/chats/e435870b-0000/0a1b.json", Some(Format::GeminiDocument)),
            ("tmp/shop/chats/e435870b-0000-4000-8000-000000000001.json", Some(Format::GeminiDocument)),
            ("tmp/shop/logs.json", Some(Format::GeminiPrompts)),
            ("telemetry.log", Some(Format::GeminiTelemetry)),
            ("tmp/shop/logs.json.corrupt.17.bak", None),
            ("tmp/shop/checkpoint-a.json", None),
            ("tmp/shop/chats/session-a.jsonl.unreadable-17", None),
            ("tmp/shop/logs/session-a.jsonl", None),
            ("antigravity/x.jsonl", None),
            ("projects.json", None),
            ("oauth_creds.json", None),
        ];
        for (path, expected) in table {
            assert_eq!(format("/h/.gemini", path), expected, "{path}");
        }
    }

    #[test]
    fn a_chat_comes_with_the_files_that_name_its_folder() {
        let root = roots(&Places { os: Os::Linux, home: "/h".into(), env: Default::default() });
        let root = root.into_iter().find(|root| root.agent == "gemini").unwrap();
        let companions = |path| classify(&root, Path::new(path)).unwrap().companions;
        let beside = ["/h/.gemini/tmp/shop/.project_root", "/h/.gemini/projects.json"].map(std::path::PathBuf::from);
        assert_eq!(companions("tmp/shop/chats/session-a.json"), beside);
        assert_eq!(companions("tmp/shop/chats/parent/a.jsonl"), beside);
        assert_eq!(companions("tmp/shop/logs.json"), beside);
    }

    #[test]
    fn content_tells_what_a_file_is() {
        let table = [
            (r#"{"sessionId":"s","projectHash":"h","startTime":"t","kind":"main"}"#, Some(Format::GeminiSession)),
            (r#"{"sessionId":"s","projectHash":"h","startTime":"t","messages":[]}"#, Some(Format::GeminiDocument)),
            (r#"{"id":"a","timestamp":"t","type":"gemini","content":"x"}"#, Some(Format::GeminiSession)),
            (r#"{"$set":{"lastUpdated":"t"}}"#, Some(Format::GeminiSession)),
            (r#"[{"sessionId":"s","messageId":0,"type":"user","message":"x"}]"#, Some(Format::GeminiPrompts)),
            (
                "{\n \"hrTime\": [1,2],\n \"attributes\": {\"event.name\": \"gemini_cli.api_response\"}\n}\n",
                Some(Format::GeminiTelemetry),
            ),
            (r#"{"type":"user","message":{"role":"user"},"uuid":"u","sessionId":"s"}"#, Some(Format::ClaudeSession)),
            (r#"{"id":"x","timestamp":"t","instructions":null}"#, Some(Format::CodexRollout)),
        ];
        for (text, expected) in table {
            assert_eq!(sniffed("/x/any", text), expected, "{text}");
        }
        assert_eq!(sniffed("/h/.qwen/tmp/a/chats/session-a.json", table[1].0), Some(Format::QwenDocument));
    }
}
