//! A session: its header, its states, its totals.

use serde::{Deserialize, Serialize};

use super::AGENT;
use crate::adapters::SourceInfo;
use crate::adapters::chat::{At, Calls, Facts, Outcome, Records, file_stem};
use crate::adapters::json::Json;
use crate::adapters::kit::content::Content;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::time;
use crate::schema::{EventId, EventRow, EventType, Format, Rows, UsageSource};

/// The session's totals, as the file beside it says.
#[derive(Debug, Default, Clone)]
struct Totals {
    input: Option<i64>,
    output: Option<i64>,
    read: Option<i64>,
    write: Option<i64>,
    thinking: Option<i64>,
    extra: String,
}

/// A session while its lines are read.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Session {
    pub(super) facts: Facts,
    pub(super) calls: Calls,
    /// Messages without an id so far, by time and role: such twins are told apart by number.
    nameless: u64,
    /// The record that started the session, while none has had a time, and where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<(String, u64)>,
    /// True when lines have come since the totals were told.
    pending: bool,
    #[serde(skip)]
    totals: Option<Totals>,
    #[serde(skip)]
    path: String,
    #[serde(skip)]
    pub(super) modified_us: i64,
    #[serde(skip)]
    pub(super) fields: Extra,
}

impl Records for Session {
    fn begin(&mut self, _format: Format, info: SourceInfo<'_>) {
        info.path.clone_into(&mut self.path);
        self.modified_us = info.modified_us;
        let settings = info.companions.iter().find(|c| c.name.ends_with(".settings.json"));
        self.totals = settings.and_then(|settings| self.settings(settings.text));
    }

    fn record(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(kind) = json.str_at("type") else { return Outcome::Wrong };
        if self.facts.session.is_none() {
            self.facts.session = Some(file_stem(&self.path).to_owned());
        }
        self.pending = true;
        let stamp = json.get("timestamp");
        let ts_us = stamp.and_then(|s| s.as_str().and_then(time::rfc3339_us).or_else(|| s.as_i64().map(time::unix_us)));
        let at = self.facts.at(offset, ts_us, self.modified_us);
        if !at.inferred {
            self.start_again(at.ts_us, rows);
        }
        match kind {
            "session_start" => {
                if at.inferred && self.facts.first_us.is_none() {
                    self.header = Some((json.to_json(), offset));
                }
                self.start(json, at, 1, rows)
            }
            "message" if json.get("message").is_some_and(Json::is_object) => self.message(json, at, rows),
            "todo_state" => self.note(EventType::System, kind, json, at, rows),
            "compaction_state" => self.compaction(json, at, rows),
            "session_end" => self.note(EventType::SessionEnd, kind, json, at, rows),
            "system" | "message" | "tool_call" | "tool_result" | "completion" | "error" | "reasoning" => {
                self.stream(kind, json, at, rows)
            }
            _ => {
                rows.counts().unknown_types += 1;
                self.note(EventType::Unknown, kind, json, at, rows)
            }
        }
    }

    fn last_us(&self) -> Option<i64> {
        self.facts.last_us
    }

    fn owes_totals(&self) -> bool {
        self.pending && self.totals.is_some()
    }

    fn totals(&self, provisional: bool, rows: &mut Rows) {
        let Some(totals) = &self.totals else { return };
        let first = self.facts.first_us;
        let at = At { offset: 0, ts_us: first.unwrap_or(self.modified_us), inferred: true };
        let row = EventRow {
            id: Some(EventId::of(AGENT, "usage", &[self.facts.session().as_bytes()])),
            provisional,
            model: self.facts.model.as_deref(),
            provider: self.facts.provider.as_deref(),
            input_tokens: totals.input,
            output_tokens: totals.output,
            cache_read_tokens: totals.read,
            cache_write_5m_tokens: totals.write,
            reasoning_tokens: totals.thinking,
            usage_source: Some(UsageSource::Derived),
            extra: Some(&totals.extra),
            turn: None,
            ..self.facts.row(EventType::System, at)
        };
        let completeness = row.total().unwrap_or(0).saturating_add(1);
        rows.event(&EventRow { completeness, ..row });
    }

    fn told(&mut self) {
        self.pending = false;
    }
}

impl Session {
    fn settings(&mut self, text: &str) -> Option<Totals> {
        let mut totals = None;
        let facts = &mut self.facts;
        let read = Parser::default().each(text.as_bytes(), |json| {
            if let Some(model) = json.str_at("model") {
                facts.model = Some(model.to_owned());
            }
            facts.provider = json.str_at("providerLock").map(str::to_owned);
            let Some(usage) = json.get("tokenUsage").filter(|u| u.is_object() && !u.is_empty()) else { return };
            let tokens = |key: &str| usage.i64_at(key).filter(|n| *n >= 0);
            let mut fields = Extra::default();
            fields.begin().text("record", "session_totals").rest(json, &["model", "tokenUsage", "providerLock"]).end();
            totals = Some(Totals {
                input: tokens("inputTokens"),
                output: tokens("outputTokens"),
                read: tokens("cacheReadTokens"),
                write: tokens("cacheCreationTokens"),
                thinking: tokens("thinkingTokens"),
                extra: fields.get().unwrap_or_default().to_owned(),
            });
        });
        totals.filter(|_| read.is_ok())
    }

    /// Id of a record by its own id, else by session, time, kind and number.
    pub(super) fn id(&mut self, kind: &str, own: Option<&str>, json: Json<'_, '_>) -> EventId {
        let session = self.facts.session().as_bytes();
        match own {
            Some(own) if is_uuid(own) => EventId::of(AGENT, kind, &[own.as_bytes()]),
            Some(own) => EventId::of(AGENT, kind, &[session, own.as_bytes()]),
            None => {
                let stamp = json.get("timestamp").map(Content::of).unwrap_or_default();
                let number = self.nameless.to_le_bytes();
                let id = EventId::of(AGENT, kind, &[session, stamp.bytes(), &number]);
                self.nameless += 1;
                id
            }
        }
    }

    /// The header has no time, only the file's when it is read first: it is told again with that of the first
    /// record that has one.
    fn start_again(&mut self, ts_us: i64, rows: &mut Rows) {
        let Some((header, offset)) = self.header.take() else { return };
        let facts = self.facts.clone();
        let at = At { offset, ts_us, inferred: true };
        // It was read before.
        let read = Parser::default().each(header.as_bytes(), |json| {
            self.start(json, at, 2, rows);
        });
        debug_assert!(read.is_ok(), "a header is JSON");
        self.facts = facts;
    }

    fn start(&mut self, json: Json<'_, '_>, at: At, completeness: i64, rows: &mut Rows) -> Outcome {
        if let Some(id) = json.str_at("id") {
            self.facts.session = Some(id.to_owned());
        }
        self.facts.cwd = json.str_at("cwd").map(str::to_owned);
        self.facts.version = json.str_at("version").map(str::to_owned);
        let parent = json.str_at("parentSessionId").or_else(|| json.str_at("parent"));
        self.facts.parent = parent.map(str::to_owned);
        self.fields.begin().rest(json, &["type", "id", "cwd", "timestamp"]).end();
        let session = self.facts.session().as_bytes();
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "session", &[session])),
            extra: self.fields.get(),
            completeness,
            ..self.facts.row(EventType::SessionStart, at)
        });
        let title = json.str_at("sessionTitle").filter(|t| *t != "New Session").or_else(|| json.str_at("title"));
        if let Some(title) = title {
            rows.event(&EventRow {
                id: Some(EventId::of(AGENT, "title", &[session, title.as_bytes()])),
                text: Some(title),
                completeness,
                ..self.facts.row(EventType::Title, at)
            });
        }
        Outcome::Row
    }

    fn compaction(&mut self, json: Json<'_, '_>, at: At, rows: &mut Rows) -> Outcome {
        let id = self.id("compaction", json.str_at("id"), json);
        self.fields.begin().rest(json, &["type", "id", "timestamp", "summaryText", "summary"]).end();
        rows.event(&EventRow {
            id: Some(id),
            message_id: json.str_at("id"),
            text: json.str_at("summaryText").or_else(|| json.str_at("summary")),
            extra: self.fields.get(),
            ..self.facts.row(EventType::Compaction, at)
        });
        Outcome::Row
    }

    /// A record kept whole in `extra`.
    pub(super) fn note(
        &mut self,
        event_type: EventType,
        kind: &str,
        json: Json<'_, '_>,
        at: At,
        rows: &mut Rows,
    ) -> Outcome {
        let id = self.id(kind, json.str_at("id"), json);
        self.fields.begin().text("record", kind).rest(json, &["type", "id", "timestamp"]).end();
        rows.event(&EventRow {
            id: Some(id),
            message_id: json.str_at("id"),
            extra: self.fields.get(),
            ..self.facts.row(event_type, at)
        });
        Outcome::Row
    }
}

fn is_uuid(id: &str) -> bool {
    id.len() == 36 && id.bytes().enumerate().all(|(i, b)| (b == b'-') == matches!(i, 8 | 13 | 18 | 23))
}
