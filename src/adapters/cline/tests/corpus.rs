//! Real files, where they are at hand. Nothing of them is printed.

use super::*;
use crate::adapters::tests::{corpus, files_below};
use crate::discover::{SNIFF_BYTES, sniff};

#[test]
fn every_real_file_is_decoded_and_sums_agree_with_an_independent_count() {
    let Some(folder) = corpus("cline") else { return };
    let mut sessions = 0;
    for path in files_below(&folder) {
        let bytes = std::fs::read(&path).unwrap();
        let shown = path.to_string_lossy();
        let Ok(format) = sniff(&shown, &bytes[..bytes.len().min(SNIFF_BYTES)], None) else { continue };
        assert_eq!(format.agent(), "cline");
        let decoded = decode(format, &shown, &bytes);
        assert!(decoded.rejects.is_empty());
        assert!(!decoded.rows.is_empty());
        if format == Format::ClineSession {
            sessions += 1;
            let document: Value = serde_json::from_slice(&bytes).unwrap();
            let metric = |name: &str| -> i64 {
                let messages = document["messages"].as_array().unwrap().iter();
                messages.filter_map(|m| m["metrics"][name].as_i64()).sum()
            };
            let blocks = |kind: &str| -> usize {
                let messages = document["messages"].as_array().unwrap().iter();
                messages.flat_map(|m| m["content"].as_array().unwrap()).filter(|b| b["type"] == kind).count()
            };
            assert_eq!(decoded.sum("output_tokens"), metric("outputTokens"));
            let input =
                decoded.sum("input_tokens") + decoded.sum("cache_read_tokens") + decoded.sum("cache_write_5m_tokens");
            assert_eq!(input, metric("inputTokens"));
            assert_eq!(decoded.of("tool_result").len(), blocks("tool_result"));
            let calls = ["tool_use", "file_read", "file_modify", "file_write", "command_execution"];
            assert_eq!(calls.iter().map(|c| decoded.of(c).len()).sum::<usize>(), blocks("tool_use"));
        }
    }
    assert!(sessions >= 3);
}

#[test]
fn no_file_of_another_agent_is_taken_for_one_of_these() {
    let Some(folder) = corpus("cline") else { return };
    let own = ["cline", "roo", "kilo", "continue", "aider"];
    for path in files_below(folder.parent().unwrap()) {
        let shown = path.to_string_lossy();
        let of = |agent: &str| {
            shown.contains(&format!("/corpus/{agent}/")) || shown.contains(&format!("/fixtures/{agent}/"))
        };
        if own.iter().any(|agent| of(agent)) || shown.ends_with(".zst") {
            continue;
        }
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.truncate(SNIFF_BYTES);
        if let Ok(format) = sniff(&shown, &bytes, None) {
            assert!(!own.contains(&format.agent()), "{shown} is taken for {}", format.name());
        }
    }
}
