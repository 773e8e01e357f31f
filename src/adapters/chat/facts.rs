//! What is known of a session, and the row that every event starts from.

use serde::{Deserialize, Serialize};

use crate::schema::{EventRow, EventType};

/// Place and time of a record.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::adapters) struct At {
    pub(in crate::adapters) offset: u64,
    pub(in crate::adapters) ts_us: i64,
    pub(in crate::adapters) inferred: bool,
}

/// Facts of a session; each stands on the rows that follow it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::adapters) struct Facts {
    pub(in crate::adapters) session: Option<String>,
    pub(in crate::adapters) parent: Option<String>,
    pub(in crate::adapters) cwd: Option<String>,
    pub(in crate::adapters) repo_url: Option<String>,
    pub(in crate::adapters) git_branch: Option<String>,
    pub(in crate::adapters) git_commit: Option<String>,
    pub(in crate::adapters) version: Option<String>,
    pub(in crate::adapters) provider: Option<String>,
    pub(in crate::adapters) model: Option<String>,
    pub(in crate::adapters) subagent: bool,
    pub(in crate::adapters) turn: i32,
    pub(in crate::adapters) first_us: Option<i64>,
    pub(in crate::adapters) last_us: Option<i64>,
    /// When the session was forked off another: what is older is that one's, here it is a copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::adapters) forked_us: Option<i64>,
}

impl Facts {
    /// Place and time of a record that says `ts_us`; else the time of the record before it, else of the
    /// file.
    pub(in crate::adapters) fn at(&mut self, offset: u64, ts_us: Option<i64>, modified_us: i64) -> At {
        if let Some(ts_us) = ts_us {
            self.first_us = self.first_us.or(Some(ts_us));
            self.last_us = self.last_us.max(Some(ts_us));
        }
        At { offset, ts_us: ts_us.or(self.last_us).unwrap_or(modified_us), inferred: ts_us.is_none() }
    }

    /// A row with what does not depend on the record; model and provider only stand on answers.
    pub(in crate::adapters) fn row<'a>(&'a self, event_type: EventType, at: At) -> EventRow<'a> {
        EventRow {
            ts_us: at.ts_us,
            ts_inferred: at.inferred,
            event_type,
            agent_version: self.version.as_deref(),
            repo_url: self.repo_url.as_deref(),
            cwd: self.cwd.as_deref(),
            git_branch: self.git_branch.as_deref(),
            git_commit: self.git_commit.as_deref(),
            session_id: self.session.as_deref(),
            parent_session_id: self.parent.as_deref(),
            is_subagent: Some(self.subagent),
            turn: Some(self.turn),
            source_offset: at.offset,
            completeness: i64::from(!self.is_copy(at)),
            ..EventRow::default()
        }
    }

    /// True for a record that the session took over from the one it was forked off.
    fn is_copy(&self, at: At) -> bool {
        !at.inferred && self.forked_us.is_some_and(|forked_us| at.ts_us < forked_us)
    }

    /// Session id: what the log says, else the name of its file.
    pub(in crate::adapters) fn session(&self) -> &str {
        self.session.as_deref().unwrap_or_default()
    }
}
