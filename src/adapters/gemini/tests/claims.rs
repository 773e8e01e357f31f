//! Content of other agents' logs is not taken for ours.

use crate::adapters::tests::{corpus, files_below};
use crate::discover::sniff;

#[test]
fn no_log_of_another_agent_is_claimed() {
    let others = [
        "claude",
        "claude-via-vscode",
        "codex",
        "copilot-vscode",
        "cursor",
        "cline",
        "continue",
        "opencode",
        "aider",
        "crush-and-opencode-go",
    ];
    let mut claimed = Vec::new();
    for path in others.iter().filter_map(|folder| corpus(folder)).flat_map(|folder| files_below(&folder)) {
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(crate::discover::SNIFF_BYTES);
        let ours = ["gemini", "qwen", "iflow", "copilot-cli"];
        if let Ok(format) = sniff(path.to_str().unwrap(), &bytes, None)
            && ours.contains(&format.agent())
            // Two events that do not say whose they are.
            && !path.ends_with("copilot_transcript_session_lookup.jsonl")
        {
            claimed.push(format!("{} as {}", path.display(), format.name()));
        }
    }
    assert!(claimed.is_empty(), "{claimed:#?}");
}
