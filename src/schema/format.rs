//! Formats that devlog reads.

/// How a source's bytes are cut into the units that a decoder takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Appended lines, each ending in a newline.
    Lines,
    /// One document, rewritten as a whole; the decoder gets it as one line.
    Document,
}

/// A format that devlog reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Claude Code transcript, main or sub-agent.
    ClaudeSession,
    /// Claude Code prompt history, `history.jsonl`.
    ClaudeHistory,
    /// Codex rollout, all line formats since May 2025.
    CodexRollout,
    /// Rollout of the TypeScript Codex CLI: one JSON document.
    CodexDocument,
    /// Codex prompt history, `history.jsonl`.
    CodexHistory,
    /// Codex thread names, `session_index.jsonl`.
    CodexIndex,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 6] = [
        Self::ClaudeSession,
        Self::ClaudeHistory,
        Self::CodexRollout,
        Self::CodexDocument,
        Self::CodexHistory,
        Self::CodexIndex,
    ];

    /// Name in `sources.format` and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClaudeSession => "claude-session",
            Self::ClaudeHistory => "claude-history",
            Self::CodexRollout => "codex-rollout",
            Self::CodexDocument => "codex-document",
            Self::CodexHistory => "codex-history",
            Self::CodexIndex => "codex-index",
        }
    }

    /// The format called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }

    /// Agent id of the rows.
    #[must_use]
    pub const fn agent(self) -> &'static str {
        match self {
            Self::ClaudeSession | Self::ClaudeHistory => "claude",
            Self::CodexRollout | Self::CodexDocument | Self::CodexHistory | Self::CodexIndex => "codex",
        }
    }

    /// How the bytes are cut.
    #[must_use]
    pub const fn framing(self) -> Framing {
        match self {
            Self::CodexDocument => Framing::Document,
            _ => Framing::Lines,
        }
    }
}
