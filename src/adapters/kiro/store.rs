//! `data.sqlite3` of the CLI, and of Amazon Q before it: one conversation a row.
//!
//! `conversations_v2(key, conversation_id, value, created_at, updated_at)` is rewritten in place after
//! each turn; `conversations(key, value)` of older versions is replaced, which gives a new row id.

use super::AGENT;
use super::ids::Seen;
use crate::adapters::chat::{At, Call, Calls, Facts, output_text};
use crate::adapters::clean::{RECORD, content_json};
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::{DatabaseDecoder, Taken, UnknownSchema, time};
use crate::schema::{EventId, EventRow, EventType, Query, Record, RejectReason, Rows, Status, Tables};

/// Decoder of that database.
#[derive(Debug, Default)]
pub(super) struct Store {
    parser: Parser,
}

impl DatabaseDecoder for Store {
    fn queries(&mut self, tables: &Tables) -> Result<Vec<Query>, UnknownSchema> {
        let mut queries = Vec::new();
        if tables.has("conversations_v2") {
            let created = tables.column_or_null("conversations_v2", "c", "created_at");
            let (updated, changed) = if tables.has_column("conversations_v2", "updated_at") {
                ("c.updated_at", "c.updated_at >= :mark OR c.rowid > :rowid")
            } else {
                ("0", "c.rowid > :rowid")
            };
            queries.push(Query {
                name: "conversations_v2",
                sql: format!(
                    "SELECT c.rowid, {updated}, c.key, c.conversation_id, c.value, {created} \
                     FROM conversations_v2 c WHERE {changed} ORDER BY c.rowid"
                ),
                anchor: Some("SELECT conversation_id FROM conversations_v2 WHERE rowid = :rowid".to_owned()),
            });
        }
        if tables.has("conversations") {
            queries.push(Query {
                name: "conversations",
                sql: "SELECT c.rowid, 0, c.key, NULL, c.value, NULL FROM conversations c \
                      WHERE c.rowid > :rowid ORDER BY c.rowid"
                    .to_owned(),
                anchor: Some("SELECT key FROM conversations WHERE rowid = :rowid".to_owned()),
            });
        }
        if queries.is_empty() {
            let detail = "no table conversations_v2 or conversations: not the data.sqlite3 of Kiro CLI or Amazon Q";
            return Err(UnknownSchema { detail: detail.to_owned() });
        }
        Ok(queries)
    }

    fn record(&mut self, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
        let value = record.value(2).bytes().unwrap_or_default();
        let mut taken = Taken::Ignored;
        let seen = self.parser.each(value, |json| {
            // A row is refused once, whatever else stands in it.
            if taken == Taken::Rejected {
                return;
            }
            taken = if json.is_object() {
                let mut conversation = Conversation::new(record, json, provisional);
                conversation.decode(json, rows)
            } else {
                Taken::Ignored
            };
        });
        if let Err(refused) = seen {
            rows.reject(record.offset(), value.len() as u64, refused.reason, &refused.detail, value);
            return Taken::Rejected;
        }
        if value.is_empty() {
            rows.reject(record.offset(), 0, RejectReason::WrongShape, "the conversation is empty", b"");
            return Taken::Rejected;
        }
        taken
    }
}

/// A conversation while it is read.
struct Conversation {
    facts: Facts,
    calls: Calls,
    fields: Extra,
    seen: Seen,
    offset: u64,
    provisional: bool,
    created_us: Option<i64>,
    any: bool,
}

/// User and answer of a turn, and what is known of the request: an object, or a pair in old versions.
fn parts<'t, 'i>(turn: Json<'t, 'i>) -> (Option<Json<'t, 'i>>, Option<Json<'t, 'i>>, Option<Json<'t, 'i>>) {
    if turn.is_array() {
        let mut items = turn.items();
        return (items.next(), items.next(), items.next());
    }
    (turn.get("user"), turn.get("assistant"), turn.get("request_metadata"))
}

impl Conversation {
    fn new(record: &Record<'_>, json: Json<'_, '_>, provisional: bool) -> Self {
        let key = record.text(0).map(|k| k.into_owned());
        let id = json.str_at("conversation_id").map(str::to_owned).or_else(|| record.text(1).map(|t| t.into_owned()));
        let model = json.path(&["model_info", "model_id"]).or_else(|| json.get("model")).and_then(Json::as_filled_str);
        let facts = Facts {
            session: Some(id.or_else(|| key.clone()).unwrap_or_default()),
            cwd: key,
            model: model.map(str::to_owned),
            ..Facts::default()
        };
        Self {
            facts,
            calls: Calls::default(),
            fields: Extra::default(),
            seen: Seen::default(),
            offset: record.offset(),
            provisional,
            created_us: record.integer(3).filter(|n| *n > 0).map(time::unix_us),
            any: false,
        }
    }

    fn emit(&mut self, row: EventRow<'_>, rows: &mut Rows) {
        self.any = true;
        rows.event(&EventRow { provisional: self.provisional, ..row });
    }

    fn at(&mut self, ts_us: Option<i64>) -> At {
        let created = self.created_us.unwrap_or_default();
        self.facts.at(self.offset, ts_us, created)
    }

    fn decode(&mut self, json: Json<'_, '_>, rows: &mut Rows) -> Taken {
        let history = json.get("history").filter(|h| h.is_array());
        for (index, turn) in history.into_iter().flat_map(Json::items).enumerate() {
            let (user, assistant, metadata) = parts(turn);
            if let Some(user) = user.filter(|u| u.is_object()) {
                self.user(user, index, rows);
            }
            if let Some(assistant) = assistant.filter(|a| a.is_object()) {
                self.assistant(assistant, metadata, index, rows);
            }
        }
        if let Some(summary) =
            json.get("latest_summary").and_then(|s| s.as_filled_str().or_else(|| s.items().next()?.as_filled_str()))
        {
            let at = self.at(None);
            let id = EventId::of(AGENT, "summary", &[self.facts.session().as_bytes(), summary.as_bytes()]);
            let facts = self.facts.clone();
            self.emit(EventRow { id: Some(id), text: Some(summary), ..facts.row(EventType::Compaction, at) }, rows);
        }
        match (self.any, history) {
            (true, _) => Taken::Rows,
            (false, Some(_)) => Taken::Ignored,
            (false, None) => {
                let text = RECORD.json(json);
                let detail = "a conversation must have a history";
                rows.reject(self.offset, text.len() as u64, RejectReason::WrongShape, detail, text.as_bytes());
                Taken::Rejected
            }
        }
    }

    fn user(&mut self, user: Json<'_, '_>, index: usize, rows: &mut Rows) {
        let stamp = user.str_at("timestamp").and_then(time::rfc3339_us);
        let at = self.at(stamp);
        let folder =
            user.path(&["env_context", "env_state", "current_working_directory"]).and_then(Json::as_filled_str);
        if let Some(folder) = folder {
            self.facts.cwd = Some(folder.to_owned());
        }
        let content = user.get("content");
        let prompt = content.and_then(|c| {
            c.path(&["Prompt", "prompt"]).or_else(|| c.path(&["CancelledToolUses", "prompt"]))?.as_filled_str()
        });
        if let Some(prompt) = prompt {
            self.facts.turn += 1;
            let id = match user.str_at("timestamp") {
                Some(stamp) => EventId::of(
                    AGENT,
                    "prompt",
                    &[self.facts.session().as_bytes(), stamp.as_bytes(), prompt.as_bytes()],
                ),
                None => self.seen.id("prompt", self.facts.session(), prompt),
            };
            let mut fields = std::mem::take(&mut self.fields);
            fields.begin().rest(user, &["content", "timestamp", "env_context", "images"]).end();
            let facts = self.facts.clone();
            let row = EventRow {
                id: Some(id),
                role: Some("user"),
                text: Some(prompt),
                extra: fields.get(),
                ..facts.row(EventType::UserInteraction, at)
            };
            self.emit(row, rows);
            self.fields = fields;
        }
        let results = content.and_then(|c| {
            c.path(&["ToolUseResults", "tool_use_results"])
                .or_else(|| c.path(&["CancelledToolUses", "tool_use_results"]))
        });
        for result in results.into_iter().flat_map(Json::items) {
            self.result(result, index, at, rows);
        }
    }

    fn result(&mut self, result: Json<'_, '_>, index: usize, at: At, rows: &mut Rows) {
        let call_id = result.str_at("tool_use_id").unwrap_or_default();
        let call = self.calls.close(call_id);
        let status = result.str_at("status");
        let failed = status.map(|s| matches!(s, "Error" | "error" | "Cancelled"));
        // `[{"Text": "…"}]` or `[{"Json": {…}}]`.
        let mut output = String::new();
        for block in result.get("content").into_iter().flat_map(Json::items) {
            let value = block.get("Text").or_else(|| block.get("Json")).unwrap_or(block);
            if !output.is_empty() {
                output.push('\n');
            }
            output.push_str(&output_text(value).unwrap_or_default());
        }
        let number = index.to_le_bytes();
        let id = EventId::of(AGENT, "result", &[self.facts.session().as_bytes(), call_id.as_bytes(), &number]);
        let facts = self.facts.clone();
        let row = EventRow {
            id: Some(id),
            role: Some("tool"),
            tool_call_id: Some(call_id).filter(|id| !id.is_empty()),
            tool_name: call.name.as_deref(),
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            tool_output: Some(&output),
            is_error: failed,
            status: status.map(Status::of),
            lines_added: call.added.filter(|_| failed != Some(true)),
            lines_removed: call.removed.filter(|_| failed != Some(true)),
            ..facts.row(EventType::ToolResult, at)
        };
        self.emit(row, rows);
    }

    fn assistant(&mut self, assistant: Json<'_, '_>, metadata: Option<Json<'_, '_>>, index: usize, rows: &mut Rows) {
        let number = |key: &str| metadata.and_then(|m| m.i64_at(key)).filter(|n| *n > 0);
        let (start, end) = (number("request_start_timestamp_ms"), number("stream_end_timestamp_ms"));
        let at = self.at(end.or(start).map(time::unix_us));
        let Some(body) = assistant.get("Response").or_else(|| assistant.get("ToolUse")) else { return };
        let own = body.str_at("message_id");
        let position = index.to_le_bytes();
        let session = self.facts.session.clone().unwrap_or_default();
        let key: &[u8] = own.map_or(&position, str::as_bytes);
        let id = EventId::of(AGENT, "answer", &[session.as_bytes(), key]);
        let model = metadata.and_then(|m| m.str_at("model_id"));
        let mut fields = std::mem::take(&mut self.fields);
        fields.begin().rest(body, &["message_id", "content", "tool_uses"]);
        if let Some(metadata) = metadata {
            fields.rest(
                metadata,
                &[
                    "request_id",
                    "message_id",
                    "request_start_timestamp_ms",
                    "stream_end_timestamp_ms",
                    "model_id",
                    "tool_use_ids_and_names",
                ],
            );
        }
        fields.end();
        let facts = self.facts.clone();
        let row = EventRow {
            id: Some(id),
            message_id: own,
            request_id: metadata.and_then(|m| m.str_at("request_id")),
            role: Some("assistant"),
            text: body.str_at("content"),
            model: model.or(facts.model.as_deref()),
            duration_ms: start.zip(end).map(|(start, end)| end - start),
            extra: fields.get(),
            ..facts.row(EventType::LlmResponse, at)
        };
        self.emit(row, rows);
        self.fields = fields;
        for (place, call) in body.get("tool_uses").into_iter().flat_map(Json::items).enumerate() {
            self.call(call, EventId::of(AGENT, "tool", &[&id.0.to_be_bytes(), &place.to_le_bytes()]), own, at, rows);
        }
    }

    fn call(&mut self, tool: Json<'_, '_>, id: EventId, own: Option<&str>, at: At, rows: &mut Rows) {
        let name = tool.str_at("name").or_else(|| tool.str_at("orig_name")).unwrap_or_default();
        let input = tool.get("args").or_else(|| tool.get("orig_args"));
        let (call, deed) = Call::new(tool.str_at("id").unwrap_or_default(), name, input);
        let arguments = input.map(content_json);
        let facts = self.facts.clone();
        let row = EventRow {
            id: Some(id),
            message_id: own,
            role: Some("assistant"),
            tool_call_id: tool.str_at("id"),
            tool_name: call.name.as_deref(),
            tool_input: arguments.as_deref(),
            file_path: call.path.as_deref(),
            command: call.command.as_deref(),
            ..facts.row(deed.event_type(), at)
        };
        self.emit(row, rows);
        self.calls.open(call);
    }
}
