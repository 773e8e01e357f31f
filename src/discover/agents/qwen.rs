//! Where Qwen Code and iFlow log, and how their logs are known.

use crate::discover::pattern::{Files, log, with};
use crate::discover::places::{ANY, Layout, Row, Start, row};
use crate::discover::sniff::Head;
use crate::schema::Format;

const PROJECT: &[&str] = &["../.project_root", "../../../projects.json"];

const QWEN: Files = Files {
    folders: &["projects", "tmp"],
    files: &[],
    barren: &["checkpoints", "tool-outputs", "debug", "todos", "node_modules", ".git"],
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
    barren: &["node_modules", ".git"],
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
    if has("\"sessionId\":\"session-", "\"sessionId\": \"session-") && !head.has(&["systemPayload"]) {
        return Some(Format::IflowSession);
    }
    let parts = has("\"role\":\"user\",\"parts\":", "\"role\": \"user\", \"parts\":")
        || has("\"role\":\"model\",\"parts\":", "\"role\": \"model\", \"parts\":");
    let own = ["usageMetadata", "systemPayload", "toolCallResult"].iter().any(|key| head.has(&[key]));
    let kind = matches!(head.kind(), "user" | "assistant" | "tool_result" | "system");
    (kind && (own || parts)).then_some(Format::QwenSession)
}
