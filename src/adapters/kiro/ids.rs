//! Names of entries that have none, and numbers that Kiro writes as fractions.

use std::collections::HashMap;

use super::AGENT;
use crate::schema::EventId;

/// How many equal texts have come before, by hash.
#[derive(Debug, Default)]
pub(super) struct Seen(HashMap<u128, u64>);

impl Seen {
    /// Id of an entry of `owner` with this content.
    pub(super) fn id(&mut self, kind: &str, owner: &str, content: &str) -> EventId {
        let plain = EventId::of(AGENT, kind, &[owner.as_bytes(), content.as_bytes()]);
        let times = self.0.entry(plain.0).or_default();
        let id = EventId::of(AGENT, kind, &[owner.as_bytes(), content.as_bytes(), &times.to_le_bytes()]);
        *times += 1;
        id
    }
}

/// Texts that Kiro itself puts into the conversation in the user's name.
pub(super) fn is_own(text: &str) -> bool {
    const STARTS: [&str; 7] = [
        "# System Prompt",
        "# Identity",
        "<identity>",
        "## Included Rules",
        "You are operating in a workspace",
        "<system",
        "<key_kiro_features>",
    ];
    let text = text.trim_start();
    STARTS.iter().any(|start| text.starts_with(start))
}

/// A prompt without the tag that some versions wrap it in.
pub(super) fn unwrapped(text: &str) -> &str {
    let inner =
        text.trim().strip_prefix("<kiro-ide-message>").map(|t| t.trim_end().trim_end_matches("</kiro-ide-message>"));
    inner.unwrap_or(text).trim()
}
