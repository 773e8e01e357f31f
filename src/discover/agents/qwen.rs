//! Where Qwen Code and iFlow log, and how their logs are known.

use crate::discover::head::Head;
use crate::discover::pattern::{Files, log, with};
use crate::discover::table::{ANY, Layout, Row, Start, row};
use crate::schema::Format;

const PROJECT: &[&str] = &["../.project_root", "../../../projects.json"];

const QWEN: Files = Files {
    folders: &["projects", "tmp"],
    files: &[],
    skip_dirs: &["checkpoints", "tool-outputs", "debug", "todos", "node_modules", ".git"],
    patterns: &[
        log("projects/*/chats/**/*.jsonl", Format::QwenSession),
        with("tmp/*/chats/session-*.json", Format::QwenDocument, PROJECT),
        log("tmp/*/chats/*.jsonl", Format::QwenSession),
        log("tmp/*/logs.json", Format::QwenDocument),
    ],
};

const IFLOW: Files = Files {
    folders: &["projects"],
    files: &[],
    skip_dirs: &["node_modules", ".git"],
    patterns: &[log("projects/*/*.jsonl", Format::IflowSession)],
};

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("qwen", Layout::Files(&QWEN), ANY, Start::List("QWEN_RUNTIME_DIR"), ""),
    row("qwen", Layout::Files(&QWEN), ANY, Start::List("QWEN_HOME"), ""),
    row("qwen", Layout::Files(&QWEN), ANY, Start::Home, ".qwen"),
    row("iflow", Layout::Files(&IFLOW), ANY, Start::Home, ".iflow"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    if !head.has(&["uuid", "sessionId", "timestamp", "type"]) {
        return None;
    }
    let has = |compact: &str, spaced: &str| head.contains(compact) || head.contains(spaced);
    // Claude's session ids are plain uuids.
    if has("\"sessionId\":\"session-", "\"sessionId\": \"session-") && head.has(&["isSidechain", "userType"]) {
        return Some(Format::IflowSession);
    }
    let parts = has("\"role\":\"user\",\"parts\":", "\"role\": \"user\", \"parts\":")
        || has("\"role\":\"model\",\"parts\":", "\"role\": \"model\", \"parts\":");
    let own = ["usageMetadata", "systemPayload", "toolCallResult"].iter().any(|key| head.has(&[key]));
    let kind = matches!(head.kind(), "user" | "assistant" | "tool_result" | "system");
    (kind && (own || parts)).then_some(Format::QwenSession)
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

    const OWN: &[&str] = &["qwen", "iflow"];

    #[test]
    fn both_agents_have_their_places_on_every_system() {
        let of =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(a, p)| ((*a).to_owned(), (*p).to_owned())).collect::<Vec<_>>();
        let plain = of(&[("qwen", "/h/.qwen"), ("iflow", "/h/.iflow")]);
        assert_eq!(places(Os::Linux, "/h", &[]), plain);
        assert_eq!(places(Os::MacOs, "/h", &[]), plain);
        assert_eq!(places(Os::Windows, "C:\\u", &[]), of(&[("qwen", "C:\\u/.qwen"), ("iflow", "C:\\u/.iflow")]));
        let moved = places(Os::Linux, "/h", &[("QWEN_RUNTIME_DIR", "/r"), ("QWEN_HOME", "/q")]);
        assert_eq!(moved, [of(&[("qwen", "/r"), ("qwen", "/q")]), plain].concat());
    }

    #[test]
    fn sessions_are_found_by_their_place() {
        let table = [
            ("/h/.qwen", "projects/-home-me-shop/chats/0a1b.jsonl", Some(Format::QwenSession)),
            ("/h/.qwen", "projects/-home-me-shop/chats/0a1b/subagents/2.jsonl", Some(Format::QwenSession)),
            ("/h/.qwen", "tmp/7e89/chats/session-2025-09-01T00-00-s.json", Some(Format::QwenDocument)),
            ("/h/.qwen", "tmp/7e89/logs.json", Some(Format::QwenDocument)),
            ("/h/.qwen", "debug/0a1b.txt", None),
            ("/h/.qwen", "settings.json", None),
            ("/h/.iflow", "projects/-C-exp/session-1f.jsonl", Some(Format::IflowSession)),
            ("/h/.iflow", "settings.json", None),
        ];
        for (home, path, expected) in table {
            assert_eq!(format(home, path), expected, "{path}");
        }
    }

    #[test]
    fn content_tells_both_from_each_other_and_from_claude() {
        let qwen = r#"{"uuid":"u","parentUuid":null,"sessionId":"s","timestamp":"t","type":"user","message":{"role":"user","parts":[{"text":"x"}]}}"#;
        let iflow = r#"{"uuid":"u","parentUuid":null,"sessionId":"session-5d","timestamp":"t","type":"user","isSidechain":false,"userType":"external","message":{"role":"user","content":"x"}}"#;
        let claude = r#"{"uuid":"u","parentUuid":null,"sessionId":"5d","timestamp":"t","type":"user","isSidechain":false,"userType":"external","message":{"role":"user","content":"x"}}"#;
        assert_eq!(sniffed("/x/any", qwen), Some(Format::QwenSession));
        assert_eq!(sniffed("/x/any", iflow), Some(Format::IflowSession));
        assert_eq!(sniffed("/x/any", claude), Some(Format::ClaudeSession));
        let system =
            r#"{"uuid":"u","sessionId":"s","timestamp":"t","type":"system","subtype":"rewind","systemPayload":{}}"#;
        assert_eq!(sniffed("/x/any", system), Some(Format::QwenSession));
    }
}
