//! `.aider.input.history`: all that was typed, with its time (`prompt_toolkit`'s `FileHistory`).
//!
//! `# <local time with microseconds>`, then the lines of the entry, each after a `+`. Answers to questions (`y`) and
//! commands are entries too.

use chrono_tz::Tz;

use super::lines::{Progress, local_us, text_of};
use super::{AGENT, project_folder};
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows};

/// What was typed at once.
#[derive(Debug)]
struct Entry {
    offset: u64,
    time: String,
    text: String,
    lines: u32,
    shown: bool,
}

/// Decodes an input history.
#[derive(Debug)]
pub(super) struct InputDecoder {
    cwd: Option<String>,
    zone: Option<Tz>,
    modified_us: i64,
    progress: Progress,
    entry: Option<Entry>,
    last_us: Option<i64>,
}

impl InputDecoder {
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        Self {
            cwd: project_folder(info.path).map(str::to_owned),
            zone: info.zone,
            modified_us: info.modified_us,
            progress: checkpoint.map_or_else(Progress::default, |c| Progress::at(c.resume_at, c.high_water)),
            entry: None,
            last_us: checkpoint.and_then(|c| c.state.parse().ok()),
        }
    }

    fn take(&mut self, line: &Line<'_>, text: &str, rows: &mut Rows) {
        if let Some(time) = text.strip_prefix("# ") {
            self.close(rows);
            self.last_us = self.last_us.max(local_us(time.trim(), self.zone));
            let time = time.trim().to_owned();
            self.entry = Some(Entry { offset: line.offset, time, text: String::new(), lines: 0, shown: false });
        } else if let Some(typed) = text.strip_prefix('+')
            && let Some(entry) = &mut self.entry
        {
            if entry.lines > 0 {
                entry.text.push('\n');
            }
            entry.text.push_str(typed);
            entry.lines += 1;
            entry.shown = false;
        } else {
            self.close(rows);
        }
    }

    fn close(&mut self, rows: &mut Rows) {
        if let Some(entry) = self.entry.take().filter(|e| !e.shown)
            && !self.progress.replays
        {
            self.put(&entry, false, rows);
        }
    }

    fn put(&self, entry: &Entry, provisional: bool, rows: &mut Rows) {
        if entry.lines == 0 {
            return;
        }
        let ts_us = local_us(&entry.time, self.zone);
        let first = entry.text.lines().next().unwrap_or_default();
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "input", &[entry.time.as_bytes(), first.as_bytes()])),
            provisional,
            ts_us: ts_us.unwrap_or(self.modified_us),
            ts_inferred: ts_us.is_none(),
            event_type: EventType::PromptHistory,
            cwd: self.cwd.as_deref(),
            role: Some("user"),
            text: Some(&entry.text),
            source_offset: entry.offset,
            completeness: i64::from(entry.lines),
            ..EventRow::default()
        });
    }
}

impl Decoder for InputDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        let (text, replaced) = text_of(&line);
        let is_ignored = !text.starts_with("# ") && !text.starts_with('+');
        if self.progress.take(&line, is_ignored, replaced, rows) {
            self.take(&line, &text, rows);
        }
    }

    fn settle(&mut self, rows: &mut Rows) {
        self.progress.replays = false;
        if let Some(mut entry) = self.entry.take() {
            if !entry.shown {
                self.put(&entry, false, rows);
            }
            entry.shown = true;
            self.entry = Some(entry);
        }
    }

    fn provisional(&self, rows: &mut Rows) {
        if let Some(entry) = self.entry.as_ref().filter(|e| !e.shown) {
            self.put(entry, true, rows);
        }
    }

    fn is_open(&self) -> bool {
        self.entry.as_ref().is_some_and(|e| !e.shown && e.lines > 0)
    }

    fn checkpoint(&self) -> Checkpoint {
        let resume_at = self.entry.as_ref().map_or(self.progress.read_to, |e| e.offset);
        Checkpoint {
            resume_at,
            high_water: self.progress.high_water.max(resume_at),
            open: self.is_open(),
            state: self.last_us.map(|us| us.to_string()).unwrap_or_default(),
        }
    }

    fn last_us(&self) -> Option<i64> {
        self.last_us
    }
}
