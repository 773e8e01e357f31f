//! `.aider.llm.history`: what went to the model and what came back, in full.
//!
//! Each request repeats the whole prompt with the map of the repository, so the file grows with the square of the
//! conversation, and the answers are those of the chat history: the rows tell when, how much and how long.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::lines::{Progress, local_us, text_of};
use super::{AGENT, project_folder};
use crate::adapters::kit::extra::Extra;
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, EventId, EventRow, EventType, Rows, Status};

/// Everything between two heads.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Section {
    offset: u64,
    /// `LLM RESPONSE`, not `TO LLM`.
    is_answer: bool,
    time: String,
    /// Number among the sections with this head.
    number: u32,
    bytes: u64,
    lines: u64,
    messages: u64,
    /// When the request went out that this is the answer to.
    asked: Option<String>,
    shown: bool,
}

/// Decodes a log of requests.
#[derive(Debug)]
pub(super) struct RequestsDecoder {
    cwd: Option<String>,
    zone: Option<Tz>,
    modified_us: i64,
    progress: Progress,
    section: Option<Section>,
    last_us: Option<i64>,
}

impl RequestsDecoder {
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let known = checkpoint.and_then(|c| Some((c, serde_json::from_str::<Option<Section>>(&c.state).ok()?)));
        let (progress, section) = match known {
            Some((c, section)) => (Progress::at(c.resume_at, c.high_water), section),
            None => (Progress::default(), None),
        };
        Self {
            cwd: project_folder(info.path).map(str::to_owned),
            zone: info.zone,
            modified_us: info.modified_us,
            last_us: section.as_ref().and_then(|s| local_us(&s.time, info.zone)),
            progress,
            section,
        }
    }

    fn take(&mut self, line: &Line<'_>, text: &str, rows: &mut Rows) {
        let head = [("TO LLM ", false), ("LLM RESPONSE ", true)].into_iter().find_map(|(mark, is_answer)| {
            let time = text.strip_prefix(mark)?.trim_end();
            local_us(time, self.zone).map(|us| (time, is_answer, us))
        });
        let Some((time, is_answer, us)) = head else {
            if let Some(section) = &mut self.section {
                section.bytes += line.bytes.len() as u64 + 1;
                section.lines += u64::from(!text.is_empty());
                section.messages += u64::from(text == "-------");
                section.shown = false;
            }
            return;
        };
        let before = self.section.take();
        let is_same = |s: &&Section| s.time == time && s.is_answer == is_answer;
        let number = before.as_ref().filter(is_same).map_or(0, |s| s.number + 1);
        let asked = before.as_ref().filter(|s| !s.is_answer && is_answer).map(|s| s.time.clone());
        if let Some(section) = before.filter(|s| !s.shown) {
            self.put(&section, false, rows);
        }
        self.last_us = self.last_us.max(Some(us));
        let time = time.to_owned();
        self.section = Some(Section { offset: line.offset, is_answer, time, number, asked, ..Section::default() });
    }

    fn put(&self, section: &Section, provisional: bool, rows: &mut Rows) {
        if self.progress.replays && !provisional {
            return;
        }
        let ts_us = local_us(&section.time, self.zone);
        let asked_us = section.asked.as_deref().and_then(|t| local_us(t, self.zone));
        let mut extra = Extra::default();
        extra.number("bytes", section.bytes).number("lines", section.lines).number("messages", section.messages);
        let kind = if section.is_answer { "response" } else { "request" };
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, kind, &[section.time.as_bytes(), &section.number.to_le_bytes()])),
            provisional,
            ts_us: ts_us.unwrap_or(self.modified_us),
            ts_inferred: ts_us.is_none(),
            event_type: if section.is_answer { EventType::System } else { EventType::LlmRequest },
            cwd: self.cwd.as_deref(),
            status: Some(Status::Named(kind)),
            duration_ms: ts_us.zip(asked_us).map(|(end, start)| end.saturating_sub(start) / 1000),
            source_offset: section.offset,
            completeness: i64::try_from(section.bytes).unwrap_or(i64::MAX),
            extra: extra.end(),
            ..EventRow::default()
        });
    }
}

impl Decoder for RequestsDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        let (text, replaced) = text_of(&line);
        if self.progress.take(&line, text.trim().is_empty(), replaced, rows) {
            self.take(&line, &text, rows);
        }
    }

    fn settle(&mut self, rows: &mut Rows) {
        self.progress.replays = false;
        if let Some(mut section) = self.section.take() {
            if !section.shown {
                self.put(&section, false, rows);
            }
            section.shown = true;
            self.section = Some(section);
        }
    }

    fn provisional(&self, rows: &mut Rows) {
        if let Some(section) = self.section.as_ref().filter(|s| !s.shown) {
            self.put(section, true, rows);
        }
    }

    fn is_open(&self) -> bool {
        self.section.as_ref().is_some_and(|s| !s.shown)
    }

    // The section in hand is all there is to remember: nothing is read again.
    fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            resume_at: self.progress.read_to,
            high_water: self.progress.high_water.max(self.progress.read_to),
            open: self.is_open(),
            state: serde_json::to_string(&self.section).unwrap_or_default(),
        }
    }

    fn last_us(&self) -> Option<i64> {
        self.last_us
    }
}
