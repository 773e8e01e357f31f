//! Every real log under `DEVLOG_CORPUS`: exact accounting, and the same numbers as a count by other means.

use serde_json::Value;

use crate::adapters::tests::{corpus, decode, files_below};
use crate::discover::sniff;
use crate::schema::Format;

const KINDS: [&str; 5] = ["tool_use", "file_read", "file_write", "file_modify", "command_execution"];

#[test]
fn every_file_is_accounted_for_and_agrees_with_an_independent_count() {
    let (mut files, mut rows, mut rejects, mut output) = (0, 0, 0, 0);
    for path in corpus("copilot-cli").into_iter().flat_map(|folder| files_below(&folder)) {
        let bytes = std::fs::read(&path).unwrap();
        let Ok(format) = sniff(path.to_str().unwrap(), &bytes, None) else { continue };
        if !matches!(format, Format::CopilotCliEvents | Format::CopilotCliDocument) {
            continue;
        }
        let decoded = decode(format, path.to_str().unwrap(), &bytes);
        files += 1;
        rows += decoded.rows.len();
        rejects += decoded.rejects.len();
        output += decoded.sum("output_tokens");
        if format != Format::CopilotCliEvents {
            continue;
        }
        let events: Vec<Value> =
            bytes.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect();
        let of = |kind: &str| events.iter().filter(|e| e["type"] == kind).map(|e| &e["data"]).collect::<Vec<_>>();
        if of("session.start").is_empty() && bytes.starts_with(b"{\"session_id\"") {
            continue;
        }
        let mut calls: Vec<(&str, &str)> = Vec::new();
        let requested = of("assistant.message").into_iter().filter_map(|d| d["toolRequests"].as_array()).flatten();
        calls.extend(requested.filter_map(|r| Some((r["toolCallId"].as_str()?, r["name"].as_str()?))));
        let started = of("tool.execution_start").into_iter();
        calls.extend(started.filter_map(|d| Some((d["toolCallId"].as_str()?, d["toolName"].as_str()?))));
        calls.sort_unstable();
        calls.dedup();
        let expected = calls.iter().filter(|(_, name)| *name != "report_intent").count();
        let events = decoded.events();
        let made = events.iter().filter(|row| KINDS.contains(&row["event_type"].as_str().unwrap())).count();
        // Ids that a fixture has trimmed away are all the same.
        if !String::from_utf8_lossy(&bytes).contains("[trimmed for fixture]") {
            assert_eq!(made, expected, "tool calls of {}", path.display());
            assert_eq!(
                decoded.of("llm_response").len(),
                of("assistant.message").len(),
                "answers of {}",
                path.display()
            );
        }
        let said: i64 = of("assistant.message").iter().filter_map(|d| d["outputTokens"].as_i64()).sum();
        let ended = of("session.shutdown")
            .iter()
            .filter_map(|d| d["modelMetrics"].as_object())
            .flat_map(|m| m.values())
            .filter_map(|m| m["usage"]["outputTokens"].as_i64())
            .sum::<i64>();
        assert_eq!(decoded.sum("output_tokens"), said.max(ended), "output of {}", path.display());
    }
    if files > 0 {
        #[expect(clippy::print_stderr, reason = "figures for those who look")]
        {
            eprintln!("copilot-cli: {files} files, {rows} rows, {rejects} rejects, {output} output tokens");
        }
    }
}
