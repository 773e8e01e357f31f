//! Rows of a session itself: its start, and its title.

use super::message::{Session, filled};
use crate::adapters::time::unix_us;
use crate::schema::{EventId, EventRow, EventType, Rows};

/// What a session says of itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct SessionRow<'a> {
    pub(super) agent: &'static str,
    pub(super) session: &'a Session,
    pub(super) title: Option<&'a str>,
    pub(super) created_ms: Option<i64>,
    pub(super) modified_ms: i64,
    pub(super) extra: Option<&'a str>,
    /// Completeness: time of the last change in a database, a small number elsewhere.
    pub(super) level: i64,
    pub(super) offset: u64,
}

impl SessionRow<'_> {
    /// Makes the rows. Titles and totals change: the latest record stays.
    pub(super) fn write(&self, rows: &mut Rows) {
        let session = self.session;
        let id = |kind| Some(EventId::of(self.agent, kind, &[session.id.as_bytes()]));
        let row = EventRow {
            id: id("session"),
            ts_us: unix_us(self.created_ms.unwrap_or(self.modified_ms)),
            ts_inferred: self.created_ms.is_none(),
            event_type: EventType::SessionStart,
            agent_version: filled(&session.version),
            workspace_id: filled(&session.workspace),
            cwd: filled(&session.directory),
            session_id: filled(&session.id),
            parent_session_id: filled(&session.parent).or(filled(&session.fork)),
            is_subagent: Some(!session.parent.is_empty()),
            completeness: self.level,
            source_offset: self.offset,
            ..EventRow::default()
        };
        rows.event(&EventRow { extra: self.extra, ..row });
        if self.title.is_some() {
            rows.event(&EventRow { id: id("title"), event_type: EventType::Title, text: self.title, ..row });
        }
    }
}
