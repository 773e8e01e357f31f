//! Real files, where they are at hand. Nothing of them is printed.

use super::*;
use crate::adapters::tests::{corpus, files_below};
use crate::discover::{SNIFF_BYTES, sniff};

#[test]
fn every_real_file_is_decoded_and_counts_agree_with_an_independent_one() {
    let Some(folder) = corpus("aider") else { return };
    let mut formats = Vec::new();
    for path in files_below(&folder) {
        let bytes = std::fs::read(&path).unwrap();
        let shown = path.to_string_lossy();
        let Ok(format) = sniff(&shown, &bytes[..bytes.len().min(SNIFF_BYTES)], None) else { continue };
        assert_eq!(format.agent(), "aider");
        formats.push(format);
        let decoded = decode(format, &shown, &bytes);
        assert!(decoded.rejects.is_empty());
        let text = String::from_utf8_lossy(&bytes);
        let lines = |start: &str| text.lines().filter(|l| l.starts_with(start)).count();
        match format {
            Format::AiderChat => {
                assert_eq!(decoded.of("session_start").len(), lines("# aider chat started at 20"));
                let figures = decoded.of("llm_response").iter().filter(|r| r.contains_key("total_tokens")).count();
                assert_eq!(figures, lines("> Tokens: "));
                assert_eq!(decoded.of("file_modify").len(), lines("> Applied edit to "));
            }
            Format::AiderInput => assert_eq!(decoded.of("prompt_history").len(), lines("# 20")),
            Format::AiderAnalytics => assert_eq!(decoded.rows.len(), text.lines().count()),
            _ => {}
        }
    }
    assert_eq!(formats.iter().filter(|f| **f == Format::AiderChat).count(), 4);
    assert_eq!(formats.len(), 6);
}
