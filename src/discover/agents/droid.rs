//! Where Factory Droid logs, and how its logs are known.

use crate::discover::head::Head;
use crate::discover::pattern::{Files, with};
use crate::discover::table::{ANY, Layout, Row, Start, row};
use crate::schema::Format;

/// Below Factory's folder; early versions kept all sessions in one folder.
const FILES: Files = Files {
    folders: &["sessions"],
    files: &[],
    skip_dirs: &["node_modules", ".git"],
    patterns: &[with("sessions/**/*.jsonl", Format::DroidSession, &["{stem}.settings.json"])],
};

#[rustfmt::skip]
pub(in crate::discover) const ROWS: &[Row] = &[
    row("droid", Layout::Files(&FILES), ANY, Start::List("FACTORY_DIR"), ""),
    row("droid", Layout::Files(&FILES), ANY, Start::Home, ".factory"),
];

pub(in crate::discover) fn sniff(head: &Head<'_>) -> Option<Format> {
    let header = head.kind() == "session_start" && head.has(&["id"]) && (head.has(&["title"]) || head.has(&["owner"]));
    let session = head.has(&["session_id"]) || head.has(&["sessionId"]);
    let printed = match head.kind() {
        "tool_call" => session && head.has(&["toolName", "parameters"]),
        "message" => session && head.has(&["role", "text"]),
        "completion" => session && head.has(&["finalText"]),
        // Other agents print such a first line too; what follows tells.
        "system" => {
            session
                && !head.has(&["uuid"])
                && head.contains("\n{\"type\":\"completion\",")
                && head.contains("\"finalText\":")
        }
        _ => false,
    };
    (header || printed).then_some(Format::DroidSession)
}
