//! How it went: the words of the column `status`.

/// The column `status`: one spelling for what agents write in many, and the log's own word for the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status<'a> {
    /// The user took what was offered.
    Accepted,
    /// A line without text.
    Blank,
    /// Taken back before it ended.
    Cancelled,
    /// A command of the agent's own.
    Command,
    /// It ended, and well.
    Completed,
    /// A copy of what stands elsewhere.
    Copy,
    /// Somebody said no: the user, or a rule.
    Denied,
    /// It ended, and not well.
    Failed,
    /// Text that the agent put in, not the user.
    Injected,
    /// Stopped on its way.
    Interrupted,
    /// It waits for the user.
    NeedsInput,
    /// Written before it was whole.
    Partial,
    /// It has not begun.
    Pending,
    /// What the user typed while the agent was at work.
    QueuedCommand,
    /// A session that goes on.
    Resumed,
    /// Tried again later.
    Retried,
    /// Taken out of the conversation.
    Reverted,
    /// The conversation went back to an earlier point.
    Rewound,
    /// It goes on.
    Running,
    /// A value that was set.
    Set,
    /// Not done, and nobody minded.
    Skipped,
    /// What a session came to at its end.
    SessionShutdown,
    /// Handed down to a subagent.
    Subagent,
    /// It took too long.
    TimedOut,
    /// Usage without its answer.
    Usage,
    /// Usage that only the store of sessions keeps.
    UsageInStore,
    /// What the log says else: a reason, or the kind of a note.
    Named(&'a str),
}

impl<'a> Status<'a> {
    /// The state that a log writes so. The spellings of one state become one; any other word stays as it is.
    ///
    /// ```
    /// use devlog::schema::Status;
    /// assert_eq!(Status::of("canceled"), Status::Cancelled);
    /// assert_eq!(Status::of("Completed"), Status::of("success"));
    /// assert_eq!(Status::of("overloaded"), Status::Named("overloaded"));
    /// ```
    #[must_use]
    pub fn of(word: &'a str) -> Self {
        if let Some(known) = Self::spelt(word) {
            return known;
        }
        // Few words begin with a capital letter, so nothing is copied for most.
        let lower = || Self::spelt(&word.to_ascii_lowercase().replace([' ', '-'], "_"));
        let is_other = word.len() <= LONGEST && word.bytes().any(|b| b.is_ascii_uppercase() || b == b'-' || b == b' ');
        is_other.then(lower).flatten().unwrap_or(Self::Named(word))
    }

    fn spelt(word: &str) -> Option<Status<'static>> {
        Some(match word {
            "accepted" | "approved" => Status::Accepted,
            "cancelled" | "canceled" => Status::Cancelled,
            "completed" | "complete" | "done" | "finished" | "ok" | "success" | "succeeded" | "successful" => {
                Status::Completed
            }
            "denied" | "declined" | "rejected" | "rejected_by_user" | "refused" => Status::Denied,
            "failed" | "error" | "errored" | "failure" => Status::Failed,
            "interrupted" | "aborted" => Status::Interrupted,
            "needs_input" | "blocked_on_user" => Status::NeedsInput,
            "partial" => Status::Partial,
            "pending" | "queued" => Status::Pending,
            "running" | "executing" | "generating" | "in_progress" | "streaming" => Status::Running,
            "skipped" => Status::Skipped,
            "timed_out" | "timedout" | "timeout" => Status::TimedOut,
            _ => return None,
        })
    }

    /// The word as the column holds it.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        match self {
            Self::Accepted => "accepted",
            Self::Blank => "blank",
            Self::Cancelled => "cancelled",
            Self::Command => "command",
            Self::Completed => "completed",
            Self::Copy => "copy",
            Self::Denied => "denied",
            Self::Failed => "failed",
            Self::Injected => "injected",
            Self::Interrupted => "interrupted",
            Self::NeedsInput => "needs_input",
            Self::Partial => "partial",
            Self::Pending => "pending",
            Self::QueuedCommand => "queued_command",
            Self::Resumed => "resumed",
            Self::Retried => "retried",
            Self::Reverted => "reverted",
            Self::Rewound => "rewound",
            Self::Running => "running",
            Self::Set => "set",
            Self::Skipped => "skipped",
            Self::SessionShutdown => "session.shutdown",
            Self::Subagent => "subagent",
            Self::TimedOut => "timed_out",
            Self::Usage => "usage",
            Self::UsageInStore => "usage in session store",
            Self::Named(word) => word,
        }
    }
}

/// No spelling of a state is longer.
const LONGEST: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spellings_of_one_state_are_one_word_in_the_table() {
        for (word, column) in [
            ("canceled", "cancelled"),
            ("Cancelled", "cancelled"),
            ("errored", "failed"),
            ("Failed", "failed"),
            ("FAILED", "failed"),
            ("rejected-by-user", "denied"),
            ("Timed Out", "timed_out"),
            ("in-progress", "running"),
            ("success", "completed"),
        ] {
            assert_eq!(Status::of(word).as_str(), column, "{word}");
        }
    }

    #[test]
    fn what_is_no_state_stays_as_it_was_written() {
        for word in ["hook_success", "Rate Limit", "", "a-word-that-is-much-too-long-for-a-state"] {
            assert_eq!(Status::of(word), Status::Named(word));
        }
    }
}
