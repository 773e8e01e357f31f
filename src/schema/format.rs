//! Formats that devlog reads.

/// How a source's bytes are cut into the units that a decoder takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Appended lines, each a JSON value and ending in a newline.
    Lines,
    /// Appended lines of plain text; a last line without a newline counts once its file is silent.
    Text,
    /// One document, rewritten as a whole; the decoder gets it as one line.
    Document,
    /// A SQLite database; the decoder gets records instead of lines.
    Database,
}

/// What a format keeps of the tokens that model calls took: the value of `events.usage_source` that
/// its best rows have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// What the provider reported for each call.
    Reported,
    /// Differences of counters.
    Derived,
    /// Part of what a call took.
    Partial,
    /// Rounded or guessed numbers.
    Estimated,
    /// Nothing.
    None,
}

impl Usage {
    /// The word for people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Derived => "derived",
            Self::Partial => "partial",
            Self::Estimated => "estimated",
            Self::None => "none",
        }
    }
}

/// A format that devlog reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
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
    /// Chat session of Copilot in an editor: one JSON document.
    CopilotSession,
    /// Chat session of Copilot in an editor since 1.109: a log of changes to that document.
    CopilotOpLog,
    /// Transcript that the Copilot extension keeps beside the chat sessions.
    CopilotTranscript,
    /// The Copilot extension's span store, `agent-traces.db`.
    CopilotSpans,
    /// Edit checkpoints of Copilot in an editor, `chatEditingSessions/*/state.json`.
    CopilotEdits,
    /// Exported prompts and tool calls of a Copilot chat, `*.chatreplay.json`.
    CopilotReplay,
    /// Traces of Copilot in Visual Studio, one OTLP object a line.
    VisualStudioTraces,
    /// Event log of a Copilot CLI session.
    CopilotCliEvents,
    /// Copilot CLI session before October 2025: one JSON document.
    CopilotCliDocument,
    /// Where a Copilot CLI session works, and its title: `workspace.yaml`.
    CopilotCliWorkspace,
    /// The Copilot CLI's `session-store.db`: usage of each request.
    CopilotCliStore,
    /// Cursor's `state.vscdb`, of a workspace or of all.
    CursorState,
    /// Chat of the Cursor CLI, `store.db`.
    CursorChat,
    /// Cursor agent transcript, one message a line.
    CursorTranscript,
    /// Cursor agent transcript of the older kind, plain text.
    CursorText,
    /// Gemini CLI session before April 2026: one JSON document.
    GeminiDocument,
    /// Gemini CLI session: records and patches, one a line.
    GeminiSession,
    /// Gemini CLI prompt log, `logs.json`.
    GeminiPrompts,
    /// Gemini CLI telemetry: JSON objects one after the other.
    GeminiTelemetry,
    /// Qwen Code session.
    QwenSession,
    /// Session of early Qwen Code, in Gemini CLI's shape.
    QwenDocument,
    /// iFlow CLI session.
    IflowSession,
    /// OpenCode's `opencode.db`.
    OpencodeStore,
    /// OpenCode session of the JSON era.
    OpencodeSession,
    /// OpenCode message of the JSON era.
    OpencodeMessage,
    /// OpenCode part of a message of the JSON era.
    OpencodePart,
    /// What `opencode export` prints.
    OpencodeExport,
    /// Kilo's `kilo.db`, since April 2026.
    KiloStore,
    /// Messages of a Kilo task as its user saw them, before April 2026.
    KiloTask,
    /// Messages of a Kilo task as its model saw them, before April 2026.
    KiloCalls,
    /// MiMoCode's database, in OpenCode's schema.
    MimoStore,
    /// Messages of a Cline task as its user saw them, `ui_messages.json`.
    ClineTask,
    /// Messages of a Cline task as its model saw them, `api_conversation_history.json`.
    ClineCalls,
    /// Messages of a Cline session, `<id>.messages.json`.
    ClineSession,
    /// Messages of a Roo Code task as its user saw them.
    RooTask,
    /// Messages of a Roo Code task as its model saw them.
    RooCalls,
    /// Aider's chat history in Markdown.
    AiderChat,
    /// Aider's input history.
    AiderInput,
    /// Aider's log of what went to the model and came back.
    AiderCalls,
    /// Aider's analytics log.
    AiderAnalytics,
    /// Crush's `crush.db` of a project.
    CrushStore,
    /// Database of the Go program OpenCode, Crush's ancestor.
    OpencodeGoStore,
    /// Continue session.
    ContinueSession,
    /// Continue's development data: tokens generated, completions.
    ContinueTokens,
    /// Goose's `sessions.db`.
    GooseStore,
    /// Goose session before 1.10.
    GooseSession,
    /// Amp thread.
    AmpThread,
    /// Zed's `threads.db`.
    ZedStore,
    /// Transcript of an Antigravity conversation.
    AntigravityTranscript,
    /// Steps of a Windsurf conversation.
    WindsurfSteps,
    /// Kiro chat or execution.
    KiroChat,
    /// Kiro CLI session.
    KiroSession,
    /// The Kiro CLI's `data.sqlite3`.
    KiroStore,
    /// Factory Droid session.
    DroidSession,
    /// Warp's `warp.sqlite`.
    WarpStore,
    /// pi session.
    PiSession,
    /// Session of oh-my-pi, in pi's shape.
    OmpSession,
    /// Session of OpenClaw, in pi's shape.
    OpenclawSession,
    /// Log in the older collector's generic shape, or Claude Desktop's plain log.
    LegacyClaude,
    /// Cursor log in the older collector's generic shape, or plain text.
    LegacyCursor,
    /// Lines of a format that a user describes.
    MappedLines,
    /// Documents of a format that a user describes.
    MappedDocument,
}

/// What is fixed about a format.
struct Spec {
    format: Format,
    name: &'static str,
    agent: &'static str,
    framing: Framing,
    usage: Usage,
}

const fn spec(format: Format, name: &'static str, agent: &'static str, framing: Framing, usage: Usage) -> Spec {
    Spec { format, name, agent, framing, usage }
}

/// One row a format, in the order of the enum.
#[rustfmt::skip]
const SPECS: &[Spec] = &[
    spec(Format::ClaudeSession, "claude-session", "claude", Framing::Lines, Usage::Reported),
    spec(Format::ClaudeHistory, "claude-history", "claude", Framing::Lines, Usage::None),
    spec(Format::CodexRollout, "codex-rollout", "codex", Framing::Lines, Usage::Derived),
    spec(Format::CodexDocument, "codex-document", "codex", Framing::Document, Usage::None),
    spec(Format::CodexHistory, "codex-history", "codex", Framing::Lines, Usage::None),
    spec(Format::CodexIndex, "codex-index", "codex", Framing::Lines, Usage::None),
    spec(Format::CopilotSession, "copilot-session", "github-copilot", Framing::Document, Usage::Partial),
    spec(Format::CopilotOpLog, "copilot-oplog", "github-copilot", Framing::Lines, Usage::Partial),
    spec(Format::CopilotTranscript, "copilot-transcript", "github-copilot", Framing::Lines, Usage::None),
    spec(Format::CopilotSpans, "copilot-spans", "github-copilot", Framing::Database, Usage::Reported),
    spec(Format::CopilotEdits, "copilot-edits", "github-copilot", Framing::Document, Usage::None),
    spec(Format::CopilotReplay, "copilot-replay", "github-copilot", Framing::Document, Usage::Reported),
    spec(Format::VisualStudioTraces, "visual-studio-traces", "github-copilot", Framing::Lines, Usage::Reported),
    spec(Format::CopilotCliEvents, "copilot-cli-events", "copilot-cli", Framing::Lines, Usage::Derived),
    spec(Format::CopilotCliDocument, "copilot-cli-document", "copilot-cli", Framing::Document, Usage::None),
    spec(Format::CopilotCliWorkspace, "copilot-cli-workspace", "copilot-cli", Framing::Document, Usage::None),
    spec(Format::CopilotCliStore, "copilot-cli-store", "copilot-cli", Framing::Database, Usage::Reported),
    spec(Format::CursorState, "cursor-state", "cursor", Framing::Database, Usage::Reported),
    spec(Format::CursorChat, "cursor-chat", "cursor", Framing::Database, Usage::None),
    spec(Format::CursorTranscript, "cursor-transcript", "cursor", Framing::Lines, Usage::None),
    spec(Format::CursorText, "cursor-text", "cursor", Framing::Text, Usage::None),
    spec(Format::GeminiDocument, "gemini-document", "gemini", Framing::Document, Usage::Reported),
    spec(Format::GeminiSession, "gemini-session", "gemini", Framing::Lines, Usage::Reported),
    spec(Format::GeminiPrompts, "gemini-prompts", "gemini", Framing::Document, Usage::None),
    spec(Format::GeminiTelemetry, "gemini-telemetry", "gemini", Framing::Document, Usage::Reported),
    spec(Format::QwenSession, "qwen-session", "qwen", Framing::Lines, Usage::Reported),
    spec(Format::QwenDocument, "qwen-document", "qwen", Framing::Document, Usage::Reported),
    spec(Format::IflowSession, "iflow-session", "iflow", Framing::Lines, Usage::None),
    spec(Format::OpencodeStore, "opencode-store", "opencode", Framing::Database, Usage::Reported),
    spec(Format::OpencodeSession, "opencode-session", "opencode", Framing::Document, Usage::None),
    spec(Format::OpencodeMessage, "opencode-message", "opencode", Framing::Document, Usage::Reported),
    spec(Format::OpencodePart, "opencode-part", "opencode", Framing::Document, Usage::None),
    spec(Format::OpencodeExport, "opencode-export", "opencode", Framing::Document, Usage::Reported),
    spec(Format::KiloStore, "kilo-store", "kilo", Framing::Database, Usage::Reported),
    spec(Format::KiloTask, "kilo-task", "kilo", Framing::Document, Usage::Reported),
    spec(Format::KiloCalls, "kilo-calls", "kilo", Framing::Document, Usage::None),
    spec(Format::MimoStore, "mimo-store", "mimo", Framing::Database, Usage::Reported),
    spec(Format::ClineTask, "cline-task", "cline", Framing::Document, Usage::Reported),
    spec(Format::ClineCalls, "cline-calls", "cline", Framing::Document, Usage::None),
    spec(Format::ClineSession, "cline-session", "cline", Framing::Document, Usage::Reported),
    spec(Format::RooTask, "roo-task", "roo", Framing::Document, Usage::Reported),
    spec(Format::RooCalls, "roo-calls", "roo", Framing::Document, Usage::None),
    spec(Format::AiderChat, "aider-chat", "aider", Framing::Text, Usage::Estimated),
    spec(Format::AiderInput, "aider-input", "aider", Framing::Text, Usage::None),
    spec(Format::AiderCalls, "aider-calls", "aider", Framing::Text, Usage::None),
    spec(Format::AiderAnalytics, "aider-analytics", "aider", Framing::Lines, Usage::None),
    spec(Format::CrushStore, "crush-store", "crush", Framing::Database, Usage::None),
    spec(Format::OpencodeGoStore, "opencode-go-store", "opencode-go", Framing::Database, Usage::None),
    spec(Format::ContinueSession, "continue-session", "continue", Framing::Document, Usage::Reported),
    spec(Format::ContinueTokens, "continue-tokens", "continue", Framing::Lines, Usage::Estimated),
    spec(Format::GooseStore, "goose-store", "goose", Framing::Database, Usage::Reported),
    spec(Format::GooseSession, "goose-session", "goose", Framing::Lines, Usage::Derived),
    spec(Format::AmpThread, "amp-thread", "amp", Framing::Document, Usage::Reported),
    spec(Format::ZedStore, "zed-store", "zed", Framing::Database, Usage::Reported),
    spec(Format::AntigravityTranscript, "antigravity-transcript", "antigravity", Framing::Lines, Usage::None),
    spec(Format::WindsurfSteps, "windsurf-steps", "windsurf", Framing::Lines, Usage::None),
    spec(Format::KiroChat, "kiro-chat", "kiro", Framing::Document, Usage::None),
    spec(Format::KiroSession, "kiro-session", "kiro", Framing::Lines, Usage::None),
    spec(Format::KiroStore, "kiro-store", "kiro", Framing::Database, Usage::None),
    spec(Format::DroidSession, "droid-session", "droid", Framing::Lines, Usage::Derived),
    spec(Format::WarpStore, "warp-store", "warp", Framing::Database, Usage::Derived),
    spec(Format::PiSession, "pi-session", "pi", Framing::Lines, Usage::Reported),
    spec(Format::OmpSession, "omp-session", "omp", Framing::Lines, Usage::Reported),
    spec(Format::OpenclawSession, "openclaw-session", "openclaw", Framing::Lines, Usage::Reported),
    spec(Format::LegacyClaude, "legacy-claude", "claude", Framing::Text, Usage::Reported),
    spec(Format::LegacyCursor, "legacy-cursor", "cursor", Framing::Text, Usage::Reported),
    spec(Format::MappedLines, "mapped-lines", "mapped", Framing::Lines, Usage::Reported),
    spec(Format::MappedDocument, "mapped-document", "mapped", Framing::Document, Usage::Reported),
];

impl Format {
    /// All formats.
    pub fn all() -> impl Iterator<Item = Self> {
        SPECS.iter().map(|spec| spec.format)
    }

    const fn spec(self) -> &'static Spec {
        &SPECS[self as usize]
    }

    /// Name in `sources.format` and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.spec().name
    }

    /// The format called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        SPECS.iter().find(|spec| spec.name == name).map(|spec| spec.format)
    }

    /// Agent id of the rows; formats that users describe have ids of their own instead.
    #[must_use]
    pub const fn agent(self) -> &'static str {
        self.spec().agent
    }

    /// True for the formats that users describe.
    #[must_use]
    pub const fn is_mapped(self) -> bool {
        matches!(self, Self::MappedLines | Self::MappedDocument)
    }

    /// True when rows say what stands in files beside the source that change after it: its end, its title.
    #[must_use]
    pub const fn follows_companions(self) -> bool {
        matches!(self, Self::ClineSession)
    }

    /// How the bytes are cut.
    #[must_use]
    pub const fn framing(self) -> Framing {
        self.spec().framing
    }

    /// What it keeps of the tokens that calls took.
    #[must_use]
    pub const fn usage(self) -> Usage {
        self.spec().usage
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_formats_and_names_are_unique() {
        for (index, spec) in SPECS.iter().enumerate() {
            assert_eq!(spec.format as usize, index, "{}", spec.name);
            assert_eq!(Format::from_name(spec.name), Some(spec.format));
        }
    }
}
