//! Entries of a session.

use serde::{Deserialize, Serialize};

use crate::adapters::SourceInfo;
use crate::adapters::chat::{At, Calls, Facts, Outcome, Records, attachments, file_stem, joined_text};
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::time;
use crate::schema::{EventId, EventRow, EventType, Format, Rows};

/// A session while its lines are read.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Session {
    pub(super) facts: Facts,
    pub(super) calls: Calls,
    #[serde(skip)]
    pub(super) agent: &'static str,
    #[serde(skip)]
    path: String,
    #[serde(skip)]
    pub(super) modified_us: i64,
    #[serde(skip)]
    pub(super) fields: Extra,
}

/// An entry: what all kinds have.
#[derive(Clone, Copy)]
pub(super) struct Entry<'i> {
    pub(super) id: Option<&'i str>,
    pub(super) parent: Option<&'i str>,
    pub(super) stamp: &'i str,
    pub(super) at: At,
}

impl Records for Session {
    fn begin(&mut self, format: Format, info: SourceInfo<'_>) {
        self.agent = format.agent();
        info.path.clone_into(&mut self.path);
        self.modified_us = info.modified_us;
    }

    fn record(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let Some(kind) = json.str_at("type") else { return Outcome::Wrong };
        if self.facts.session.is_none() {
            // `<time>_<id>.jsonl`; the header, if there is one, says it again.
            let stem = file_stem(&self.path);
            self.facts.session = Some(stem.rsplit_once('_').map_or(stem, |(_, id)| id).to_owned());
        }
        let stamp = json.str_at("timestamp").unwrap_or_default();
        let message = json.get("message").filter(|m| m.is_object());
        let said = message.and_then(|m| m.i64_at("timestamp")).map(time::unix_us);
        let ts_us = time::rfc3339_us(stamp).or_else(|| json.i64_at("timestamp").map(time::unix_us)).or(said);
        let at = self.facts.at(offset, ts_us, self.modified_us);
        let entry = Entry { id: json.str_at("id"), parent: json.str_at("parentId"), stamp, at };
        match (kind, message) {
            ("session", _) => self.header(json, &entry, rows),
            ("message", Some(message)) => self.message(json, message, &entry, rows),
            ("compaction" | "compactionSummary" | "compact", _) => {
                self.summary(EventType::Compaction, json, &entry, rows)
            }
            ("branch_summary" | "branchSummary", _) => self.summary(EventType::Compaction, json, &entry, rows),
            ("custom_message", _) => self.custom(json, &entry, rows),
            ("session_info" | "title" | "label", _) => self.title(kind, json, &entry, rows),
            (
                "model_change"
                | "thinking_level_change"
                | "custom"
                | "context_transform"
                | "ephemeral"
                | "mode_change"
                | "session_init"
                | "ttsr_injection"
                | "service_tier_change"
                | "leaf",
                _,
            ) => {
                if kind == "model_change" {
                    self.model(json);
                }
                self.note(EventType::System, kind, json, &entry, rows)
            }
            _ => {
                rows.counts().unknown_types += 1;
                self.note(EventType::Unknown, kind, json, &entry, rows)
            }
        }
    }

    fn last_us(&self) -> Option<i64> {
        self.facts.last_us
    }
}

impl Session {
    /// Id of an entry that is no message.
    fn id(&self, kind: &str, entry: &Entry<'_>) -> EventId {
        let own = entry.id.unwrap_or_else(|| self.facts.session());
        let offset = if entry.stamp.is_empty() { entry.at.offset } else { 0 };
        EventId::of(self.agent, kind, &[own.as_bytes(), entry.stamp.as_bytes(), &offset.to_le_bytes()])
    }

    fn header(&mut self, json: Json<'_, '_>, entry: &Entry<'_>, rows: &mut Rows) -> Outcome {
        if let Some(id) = entry.id {
            self.facts.session = Some(id.to_owned());
        }
        self.facts.cwd = json.str_at("cwd").map(str::to_owned);
        let origin = json.str_at("parentSession").or_else(|| json.str_at("branchedFrom"));
        self.facts.forked_us = origin.and(time::rfc3339_us(entry.stamp));
        self.facts.parent = origin.map(|path| {
            let stem = file_stem(path);
            stem.rsplit_once('_').map_or(stem, |(_, id)| id).to_owned()
        });
        self.model(json);
        self.fields.begin().rest(json, &["type", "id", "timestamp", "cwd", "provider", "modelId"]).end();
        let id = EventId::of(self.agent, "session", &[self.facts.session().as_bytes()]);
        let row = self.facts.row(EventType::SessionStart, entry.at);
        rows.event(&EventRow {
            id: Some(id),
            provider: self.facts.provider.as_deref(),
            model: self.facts.model.as_deref(),
            extra: self.fields.get(),
            ..row
        });
        Outcome::Row
    }

    fn model(&mut self, json: Json<'_, '_>) {
        if let Some(model) = json.str_at("modelId").or_else(|| json.str_at("model")) {
            self.facts.model = Some(model.to_owned());
            self.facts.provider = json.str_at("provider").map(str::to_owned);
        }
    }

    fn summary(&mut self, event_type: EventType, json: Json<'_, '_>, entry: &Entry<'_>, rows: &mut Rows) -> Outcome {
        self.fields.begin();
        if let Some(kind) = json.str_at("type").filter(|kind| *kind != "compaction") {
            self.fields.text("record", kind);
        }
        self.fields.rest(json, &["type", "id", "parentId", "timestamp", "summary", "note", "usage"]);
        let counted = json.get("usage").filter(|u| u.is_object()).map(|usage| self.usage(usage)).unwrap_or_default();
        self.fields.end();
        let row = EventRow {
            id: Some(self.id(event_type.as_str(), entry)),
            message_id: entry.id,
            parent_event_id: entry.parent,
            text: json.str_at("summary").or_else(|| json.str_at("note")),
            extra: self.fields.get(),
            ..self.facts.row(event_type, entry.at)
        };
        rows.event(&counted.on(row));
        Outcome::Row
    }

    fn custom(&mut self, json: Json<'_, '_>, entry: &Entry<'_>, rows: &mut Rows) -> Outcome {
        let text = json.get("content").and_then(joined_text);
        self.fields.begin().rest(json, &["type", "id", "parentId", "timestamp", "content"]);
        if let Some(content) = json.get("content") {
            attachments(content, &mut self.fields);
        }
        self.fields.end();
        rows.event(&EventRow {
            id: Some(self.id("custom_message", entry)),
            message_id: entry.id,
            parent_event_id: entry.parent,
            role: Some("system"),
            text: text.as_deref(),
            extra: self.fields.get(),
            ..self.facts.row(EventType::System, entry.at)
        });
        Outcome::Row
    }

    fn title(&mut self, kind: &str, json: Json<'_, '_>, entry: &Entry<'_>, rows: &mut Rows) -> Outcome {
        let Some(name) = ["name", "title", "label"].iter().find_map(|key| json.str_at(key)) else {
            return self.note(EventType::System, kind, json, entry, rows);
        };
        self.fields.begin().rest(json, &["type", "id", "parentId", "timestamp", "name", "title", "label"]).end();
        // A label marks one entry, it does not name the session.
        let event_type = if kind == "label" { EventType::System } else { EventType::Title };
        rows.event(&EventRow {
            id: Some(self.id(kind, entry)),
            message_id: entry.id,
            parent_event_id: entry.parent,
            text: Some(name),
            extra: self.fields.get(),
            ..self.facts.row(event_type, entry.at)
        });
        Outcome::Row
    }

    /// An entry kept whole in `extra`.
    pub(super) fn note(
        &mut self,
        event_type: EventType,
        kind: &str,
        json: Json<'_, '_>,
        entry: &Entry<'_>,
        rows: &mut Rows,
    ) -> Outcome {
        self.fields.begin().text("record", kind).rest(json, &["type", "id", "parentId", "timestamp"]).end();
        rows.event(&EventRow {
            id: Some(self.id(kind, entry)),
            message_id: entry.id,
            parent_event_id: entry.parent,
            extra: self.fields.get(),
            ..self.facts.row(event_type, entry.at)
        });
        Outcome::Row
    }
}
