//! Where Gemini CLI logs, and how its logs are known.
//!
//! `GEMINI_CLI_HOME` stands for the home directory: the data lies in `.gemini` below it. Without a home
//! the CLI writes below the system's folder for temporary files. `antigravity*` beside it is another
//! product.

use crate::discover::pattern::{Files, log, with};
use crate::discover::places::{ANY, Layout, Row, Start, UNIX, row};
use crate::discover::sniff::{Head, Shape};
use crate::schema::Format;

const PROJECT: &[&str] = &["../.project_root", "../../../projects.json"];
const SUBAGENT: &[&str] = &["../../.project_root", "../../../../projects.json"];
const BESIDE: &[&str] = &[".project_root", "../../projects.json"];

const FILES: Files = Files {
    folders: &["tmp"],
    files: &["telemetry.log"],
    barren: &["checkpoints", "tool-outputs", "logs", "plans", "tasks", "tracker", "bin", "node_modules", ".git"],
    patterns: &[
        with("tmp/*/chats/*.jsonl", Format::GeminiSession, PROJECT),
        with("tmp/*/chats/session-*.json", Format::GeminiDocument, PROJECT),
        with("tmp/*/chats/*/*.jsonl", Format::GeminiSession, SUBAGENT),
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
    if head.has(&["sessionId", "messages"]) && (head.has(&["projectHash"]) || head.has(&["startTime", "lastUpdated"])) {
        Some(document)
    } else if head.has(&["sessionId", "projectHash"]) || head.has(&["$set"]) || head.has(&["$rewindTo"]) || message {
        Some(Format::GeminiSession)
    } else if head.contains("\"gemini_cli.") && head.has(&["attributes"]) {
        Some(Format::GeminiTelemetry)
    } else {
        None
    }
}
