//! Sessions of the CLI: lines `{version, kind, data}`; lines of the IDE are in [`super::v2`].

use serde::{Deserialize, Serialize};

use super::AGENT;
use super::turns::Meta;
use crate::adapters::SourceInfo;
use crate::adapters::chat::{At, Call, Calls, Edit, Facts, Outcome, Records, file_stem, joined_text, output_text};
use crate::adapters::clean::content_json;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::time;
use crate::schema::{EventId, EventRow, EventType, Format, Rows, Status};

/// A session while its lines are read.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Session {
    pub(super) facts: Facts,
    pub(super) calls: Calls,
    /// Number of the next line.
    pub(super) next: u64,
    /// True once the header was told.
    started: bool,
    /// True when lines have come since the turns' bills were told.
    pending: bool,
    /// Turns whose bills were told; the last of them may have grown.
    told: usize,
    /// Ids of records are numbers within their session.
    #[serde(skip)]
    pub(super) is_counted: bool,
    #[serde(skip)]
    meta: Meta,
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
        self.meta = info.companions.iter().find_map(|c| Meta::read(c.text)).unwrap_or_default();
    }

    fn record(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let data = json.get("data").filter(|d| d.is_object());
        let payload = json.get("payload").filter(|p| p.is_object());
        if (json.get("kind").is_none() || data.is_none()) && payload.is_none() {
            return Outcome::Wrong;
        }
        self.pending = true;
        self.start(offset, rows);
        let outcome = match (data, payload) {
            (_, Some(payload)) => self.payload(json, payload, offset, rows),
            (Some(data), None) => self.line(json, data, offset, rows),
            (None, None) => Outcome::Wrong,
        };
        self.next += 1;
        outcome
    }

    fn last_us(&self) -> Option<i64> {
        self.facts.last_us
    }

    fn owes_totals(&self) -> bool {
        self.pending && !self.meta.turns.is_empty()
    }

    fn totals(&self, provisional: bool, rows: &mut Rows) {
        let from = self.told.saturating_sub(1).min(self.meta.turns.len().saturating_sub(1));
        for (index, turn) in self.meta.turns.iter().enumerate().skip(from) {
            turn.tell(index, &self.facts, self.modified_us, provisional, rows);
        }
    }

    fn told(&mut self) {
        self.pending = false;
        self.told = self.meta.turns.len();
    }
}

impl Session {
    /// Tells what the file beside says, once.
    fn start(&mut self, offset: u64, rows: &mut Rows) {
        if self.started {
            return;
        }
        self.started = true;
        let stem = file_stem(&self.path);
        // `sess_<id>/messages.jsonl` has its id in the folder.
        let folder = self.path.rsplit(['/', '\\']).nth(1).filter(|_| stem == "messages");
        let own = folder.map_or(stem, |f| f.strip_prefix("sess_").unwrap_or(f));
        self.facts.session = Some(self.meta.session.clone().unwrap_or_else(|| own.to_owned()));
        self.facts.cwd.clone_from(&self.meta.cwd);
        self.facts.model.clone_from(&self.meta.model);
        let at = self.facts.at(offset, self.meta.created_us, self.modified_us);
        let session = self.facts.session().as_bytes();
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "session", &[session])),
            model: self.facts.model.as_deref(),
            ..self.facts.row(EventType::SessionStart, at)
        });
        if let Some(title) = &self.meta.title {
            rows.event(&EventRow {
                id: Some(EventId::of(AGENT, "title", &[session, title.as_bytes()])),
                text: Some(title),
                ts_inferred: true,
                ..self.facts.row(EventType::Title, at)
            });
        }
    }

    /// Id of a record by its own id, else by session and number.
    pub(super) fn id(&self, kind: &str, own: Option<&str>) -> EventId {
        match own {
            Some(own) if self.is_counted => {
                EventId::of(AGENT, kind, &[self.facts.session().as_bytes(), own.as_bytes()])
            }
            Some(own) => EventId::of(AGENT, kind, &[own.as_bytes()]),
            None => EventId::of(AGENT, kind, &[self.facts.session().as_bytes(), &self.next.to_le_bytes()]),
        }
    }

    fn line(&mut self, json: Json<'_, '_>, data: Json<'_, '_>, offset: u64, rows: &mut Rows) -> Outcome {
        let stamp = data.path(&["meta", "timestamp"]).or_else(|| json.get("timestamp"));
        let ts_us = stamp.and_then(|s| s.as_i64().map(time::unix_us).or_else(|| s.as_str().and_then(time::rfc3339_us)));
        let at = self.facts.at(offset, ts_us, self.modified_us);
        let own = data.str_at("message_id").or_else(|| data.str_at("id"));
        let content = data.get("content");
        let text = content.and_then(joined_text);
        self.fields.begin().rest(data, &["message_id", "id", "content"]).end();
        let row = EventRow { message_id: own, text: text.as_deref(), ..EventRow::default() };
        match json.str_at("kind").unwrap_or_default() {
            "Prompt" => {
                self.facts.turn += 1;
                self.said(EventType::UserInteraction, "user", row, at, rows);
            }
            "AssistantMessage" => {
                self.said(EventType::LlmResponse, "assistant", row, at, rows);
                self.blocks(own, content, at, rows);
            }
            "ToolResults" => self.results(data, content, at, rows),
            "Compaction" | "Summary" => self.said(EventType::Compaction, "system", row, at, rows),
            "Clear" => self.note(EventType::System, json, data, at, rows),
            _ => {
                rows.counts().unknown_types += 1;
                self.note(EventType::Unknown, json, data, at, rows);
            }
        }
        Outcome::Row
    }

    /// One text; `row` brings what the record says.
    pub(super) fn said(&self, event_type: EventType, role: &str, row: EventRow<'_>, at: At, rows: &mut Rows) {
        let answer = event_type == EventType::LlmResponse;
        let base = self.facts.row(event_type, at);
        rows.event(&EventRow {
            id: Some(self.id("message", row.message_id)),
            role: Some(role),
            text: row.text,
            message_id: row.message_id,
            model: row.model.or(self.facts.model.as_deref()).filter(|_| answer),
            extra: self.fields.get(),
            ..base
        });
    }

    fn note(&mut self, event_type: EventType, json: Json<'_, '_>, data: Json<'_, '_>, at: At, rows: &mut Rows) {
        let kind = json.str_at("kind").unwrap_or_default();
        self.fields.begin().text("record", kind).rest(data, &[]).end();
        rows.event(&EventRow {
            id: Some(self.id("record", data.str_at("message_id"))),
            extra: self.fields.get(),
            ..self.facts.row(event_type, at)
        });
    }

    fn blocks(&mut self, own: Option<&str>, content: Option<Json<'_, '_>>, at: At, rows: &mut Rows) {
        for (index, block) in content.into_iter().flat_map(Json::items).enumerate() {
            let Some(data) = block.get("data") else { continue };
            let id = EventId::of(AGENT, "block", &[&self.id("message", own).0.to_be_bytes(), &index.to_le_bytes()]);
            match block.str_at("kind") {
                Some("toolUse") => {
                    let tool = (data.str_at("toolUseId"), data.str_at("name").unwrap_or_default(), data.get("input"));
                    self.call(own, tool, id, at, rows);
                }
                Some("thinking" | "reasoning") => rows.event(&EventRow {
                    id: Some(id),
                    message_id: own,
                    role: Some("assistant"),
                    text: data.as_str().or_else(|| data.str_at("text")),
                    ..self.facts.row(EventType::Thinking, at)
                }),
                _ => {}
            }
        }
    }

    /// A call `(id, tool, arguments)`.
    pub(super) fn call(
        &mut self,
        own: Option<&str>,
        (call_id, name, input): (Option<&str>, &str, Option<Json<'_, '_>>),
        id: EventId,
        at: At,
        rows: &mut Rows,
    ) {
        let (call, deed) = Call::new(call_id.unwrap_or_default(), name, input);
        let arguments = input.map(content_json);
        rows.event(&EventRow {
            id: Some(id),
            message_id: own,
            role: Some("assistant"),
            tool_call_id: call_id,
            tool_name: call.name.as_deref(),
            tool_input: arguments.as_deref(),
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            ..self.facts.row(deed.event_type(), at)
        });
        if call_id.is_some() {
            self.calls.open(call);
        }
    }

    fn results(&mut self, data: Json<'_, '_>, content: Option<Json<'_, '_>>, at: At, rows: &mut Rows) {
        let own = data.str_at("message_id");
        for (index, block) in content.into_iter().flat_map(Json::items).enumerate() {
            let Some(result) = block.get("data").filter(|_| block.str_at("kind") == Some("toolResult")) else {
                continue;
            };
            let id = EventId::of(AGENT, "block", &[&self.id("message", own).0.to_be_bytes(), &index.to_le_bytes()]);
            let status = result.str_at("status");
            self.fields.begin().rest(result, &["toolUseId", "status", "content"]).end();
            let output = result.get("content").and_then(output_text);
            self.result((result.str_at("toolUseId"), status, output.as_deref(), own), id, at, rows);
        }
    }

    /// A result `(call, status, output, message)`.
    pub(super) fn result(
        &mut self,
        (call_id, status, output, own): (Option<&str>, Option<&str>, Option<&str>, Option<&str>),
        id: EventId,
        at: At,
        rows: &mut Rows,
    ) {
        let call = self.calls.close(call_id.unwrap_or_default());
        let failed = status.map(|s| matches!(&*s.to_lowercase(), "error" | "failed" | "cancelled" | "rejected"));
        let edit = call.added.zip(call.removed).filter(|_| failed != Some(true));
        let edit = edit.map(|(added, removed)| Edit { added, removed });
        rows.event(&EventRow {
            id: Some(id),
            message_id: own,
            role: Some("tool"),
            tool_call_id: call_id,
            tool_name: call.name.as_deref(),
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            tool_output: output,
            is_error: failed,
            status: status.map(Status::of),
            lines_added: edit.map(|e| e.added),
            lines_removed: edit.map(|e| e.removed),
            extra: self.fields.get(),
            ..self.facts.row(EventType::ToolResult, at)
        });
    }
}
