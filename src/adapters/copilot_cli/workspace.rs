//! `session-state/<id>/workspace.yaml`: where a session works, and its title.
//!
//! Written when the session begins, and again whenever something in it changes. Event logs take the
//! folder, branch and repository of their first events from it. The title comes late, often after the
//! last event: so the file is a source of its own, whose row takes the place of one that an event log
//! or the store has for the same title.

use super::AGENT;
use super::events::Place;
use crate::adapters::line::Seen;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::path::folder;
use crate::adapters::{Decoder, Line, SourceInfo, time};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows};

/// Completeness of a title from this file: its row has the time of the file's own last change.
const OF_FILE: i64 = 2;

/// What the file says: lines of `key: value`.
#[derive(Debug, Default)]
pub(super) struct Workspace {
    session: Option<String>,
    pub(super) place: Place,
    pub(super) summary: Option<String>,
    /// When it was last changed, else made.
    ts_us: Option<i64>,
}

impl Workspace {
    pub(super) fn of(text: &str) -> Self {
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?.trim();
            let plain = match line.chars().next() {
                Some(quote @ ('"' | '\'')) => line.trim_matches(quote),
                _ => line,
            };
            // Block texts have their lines below.
            let is_value = !matches!(plain, "" | "null" | "~" | "|" | "|-" | ">" | ">-");
            is_value.then(|| plain.to_owned())
        };
        let place =
            Place { cwd: value("cwd"), branch: value("branch"), repository: value("repository"), ..Place::default() };
        let ts_us = ["updated_at", "created_at"].into_iter().find_map(|key| time::rfc3339_us(&value(key)?));
        Self { session: value("id"), place, summary: value("summary").or_else(|| value("name")), ts_us }
    }

    fn is_blank(&self) -> bool {
        self.session.is_none() && self.place.cwd.is_none() && self.summary.is_none()
    }
}

/// Decodes one such file; each version of it from its beginning.
#[derive(Debug)]
pub(super) struct WorkspaceDecoder {
    /// The session, as the folder is named.
    folder: String,
    modified_us: i64,
    read_to: u64,
    last_us: Option<i64>,
}

impl WorkspaceDecoder {
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        Self {
            folder: folder(info.path, 0).unwrap_or_default().to_owned(),
            modified_us: info.modified_us,
            read_to: checkpoint.map_or(0, |c| c.high_water),
            last_us: None,
        }
    }

    fn title(&self, file: &Workspace, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(title) = file.summary.as_deref() else { return Outcome::Ignored };
        let session = file.session.as_deref().unwrap_or(&self.folder);
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "title", &[session.as_bytes(), title.as_bytes()])),
            ts_us: file.ts_us.unwrap_or(self.modified_us),
            ts_inferred: true,
            event_type: EventType::Title,
            project: file.place.repository.as_deref(),
            cwd: file.place.cwd.as_deref(),
            git_branch: file.place.branch.as_deref(),
            session_id: Some(session).filter(|s| !s.is_empty()),
            text: Some(title),
            source_offset: offset,
            completeness: OF_FILE,
            ..EventRow::default()
        });
        Outcome::Row
    }
}

impl Decoder for WorkspaceDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        let text = String::from_utf8_lossy(line.bytes);
        let file = Workspace::of(&text);
        let outcome = match file.is_blank() {
            true if text.trim().is_empty() => Outcome::Ignored,
            true => Outcome::Wrong,
            false => self.title(&file, line.offset, rows),
        };
        self.last_us = file.ts_us;
        self.read_to = line.end;
        let replaced = text.matches('\u{fffd}').count() as u64;
        count(line, Ok(Seen { values: 1, replaced }), outcome, rows);
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint { resume_at: self.read_to, high_water: self.read_to, open: false, state: String::new() }
    }

    fn last_us(&self) -> Option<i64> {
        self.last_us
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_workspace_file_is_read_without_a_parser_for_yaml() {
        let workspace =
            Workspace::of("id: x\ncwd: \"/home/me/shop\"\nbranch: main\nsummary: 'Fix: it'\nsummary_count: 2\n");
        assert_eq!(workspace.place.cwd.as_deref(), Some("/home/me/shop"));
        assert_eq!(workspace.summary.as_deref(), Some("Fix: it"));
        assert_eq!(Workspace::of("summary: |-\n  two\n  lines\nname: N").summary.as_deref(), Some("N"));
        assert_eq!(Workspace::of("").place.branch, None);
    }
}
