//! Inputs that a fuzzer once found interesting, run through the same checks on every test run.

#[path = "../../fuzz/bodies.rs"]
mod bodies;

use std::fs;
use std::path::Path;

use devlog::schema::Format;

fn replay(format: Format, target: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut inputs: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "{} holds inputs", folder.display());
    for input in inputs {
        bodies::decode(format, &fs::read(&input).unwrap());
    }
}

#[test]
fn kept_inputs_of_claude_session_hold_the_decoders_promises() {
    replay(Format::ClaudeSession, "claude_session");
}

#[test]
fn kept_inputs_of_claude_history_hold_the_decoders_promises() {
    replay(Format::ClaudeHistory, "claude_history");
}

#[test]
fn kept_inputs_of_codex_rollout_hold_the_decoders_promises() {
    replay(Format::CodexRollout, "codex_rollout");
}

#[test]
fn kept_inputs_of_codex_document_hold_the_decoders_promises() {
    replay(Format::CodexDocument, "codex_document");
}

#[test]
fn kept_inputs_of_codex_history_hold_the_decoders_promises() {
    replay(Format::CodexHistory, "codex_history");
}

#[test]
fn kept_inputs_of_codex_index_hold_the_decoders_promises() {
    replay(Format::CodexIndex, "codex_index");
}
