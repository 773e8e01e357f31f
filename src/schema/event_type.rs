//! What an event is: the words of the column `event_type`.

/// Makes the enum, and what the column holds of each word.
macro_rules! event_types {
    ($($word:ident = $text:literal),+ $(,)?) => {
        /// What an event is: the column `event_type`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[expect(missing_docs, reason = "schemas/events.toml documents the column")]
        pub enum EventType { $($word),+ }

        impl EventType {
            /// Every type, in the order of the alphabet.
            pub const ALL: &[Self] = &[$(Self::$word),+];

            /// The word as the column holds it.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text),+ }
            }

            /// The type that is written so, exactly.
            #[must_use]
            pub fn named(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$word),)+ _ => None }
            }
        }
    };
}

event_types! {
    Attachment = "attachment",
    CommandExecution = "command_execution",
    Compaction = "compaction",
    ErrorEncountered = "error_encountered",
    FileModify = "file_modify",
    FileRead = "file_read",
    FileWrite = "file_write",
    Hook = "hook",
    LlmRequest = "llm_request",
    LlmResponse = "llm_response",
    Progress = "progress",
    PromptHistory = "prompt_history",
    RateLimit = "rate_limit",
    SessionEnd = "session_end",
    SessionStart = "session_start",
    Snapshot = "snapshot",
    System = "system",
    Thinking = "thinking",
    Title = "title",
    ToolResult = "tool_result",
    ToolUse = "tool_use",
    Unknown = "unknown",
    UserInteraction = "user_interaction",
}

#[expect(clippy::derivable_impls, reason = "a macro makes the variants")]
impl Default for EventType {
    fn default() -> Self {
        Self::Unknown
    }
}

impl std::fmt::Display for EventType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl EventType {
    /// True for what reads, writes or changes a file.
    #[must_use]
    pub const fn is_file(self) -> bool {
        matches!(self, Self::FileModify | Self::FileRead | Self::FileWrite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::events;

    #[test]
    fn event_types_are_those_of_the_schema_file() {
        let doc = &events().columns.iter().find(|c| c.name == "event_type").unwrap().doc;
        let mut known: Vec<&str> = doc.trim_end_matches('.').split(", ").collect();
        known.sort_unstable();
        assert_eq!(EventType::ALL.iter().map(|t| t.as_str()).collect::<Vec<_>>(), known);
    }

    #[test]
    fn a_word_is_read_back_as_itself_and_nothing_else_is() {
        for word in EventType::ALL {
            assert_eq!(EventType::named(word.as_str()), Some(*word));
        }
        assert_eq!((EventType::named("Tool_use"), EventType::named("")), (None, None));
    }
}
