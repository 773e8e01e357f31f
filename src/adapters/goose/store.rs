//! The database: `sessions.db`.

use std::collections::HashMap;

use super::AGENT;
use super::content::{Buffers, Calls, Message, collect, is_prompt};
use super::usage::{Tokens, total_id};
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::money::nano;
use crate::adapters::time::unix_us;
use crate::adapters::{DatabaseDecoder, SourceInfo, Taken, UnknownSchema};
use crate::schema::{EventId, EventRow, EventType, Query, Record, RejectReason, Rows, Tables, UsageSource};

const SESSIONS: &str = "sessions";
const LEDGER: &str = "ledger";

/// A database's record is more complete than any line.
const STORE: i64 = 1 << 40;

/// Decodes one database.
#[derive(Debug)]
pub(super) struct StoreDecoder {
    modified_us: i64,
    parser: Parser,
    buffers: Buffers,
    extra: Extra,
    calls: Calls,
    turns: HashMap<String, i32>,
}

impl StoreDecoder {
    pub(super) fn new(info: SourceInfo<'_>) -> Self {
        Self {
            modified_us: info.modified_us,
            parser: Parser::default(),
            buffers: Buffers::default(),
            extra: Extra::default(),
            calls: Calls::default(),
            turns: HashMap::new(),
        }
    }
}

/// Columns of a session that go to `extra`.
const SETTINGS: [&str; 13] = [
    "session_type",
    "user_set_name",
    "schedule_id",
    "project_id",
    "archived_at",
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "accumulated_total_tokens",
    "accumulated_input_tokens",
    "accumulated_output_tokens",
    "accumulated_cost",
    "goose_mode",
];

fn sessions(tables: &Tables) -> Query {
    let column = |name: &str| tables.column_or_null(SESSIONS, "s", name);
    let settings: String = SETTINGS.iter().map(|name| format!(", {}", column(name))).collect();
    let ledger = if tables.has_column("usage_ledger", "session_id") {
        "EXISTS (SELECT 1 FROM usage_ledger l WHERE l.session_id = s.id)"
    } else {
        "0"
    };
    let sql = format!(
        "SELECT s.rowid, coalesce(unixepoch(s.updated_at), 0), s.id, s.working_dir, unixepoch(s.created_at), {}, {}, {}, \
         {}, {}, {}, {}, {}, {}, {}, {ledger}{settings} FROM sessions s \
         WHERE s.rowid > :rowid OR unixepoch(s.updated_at) >= :mark - 2 ORDER BY s.rowid",
        column("name"),
        column("description"),
        column("parent_session_id"),
        column("provider_name"),
        column("model_config_json"),
        column("accumulated_input_tokens"),
        column("accumulated_output_tokens"),
        column("accumulated_total_tokens"),
        column("accumulated_cache_read_tokens"),
        column("accumulated_cache_write_tokens"),
    );
    Query { name: SESSIONS, sql, anchor: Some("SELECT id FROM sessions WHERE rowid = :rowid".to_owned()) }
}

fn messages(tables: &Tables) -> Query {
    let session = |name: &str| tables.column_or_null(SESSIONS, "s", name);
    let own = |name: &str| tables.column_or_null("messages", "m", name);
    let sql = format!(
        "SELECT m.id, 0, m.session_id, m.role, m.content_json, m.created_timestamp, unixepoch({}), {}, {}, {}, s.working_dir, \
         {}, {}, {}, {}, \
         CASE WHEN :rowid < -9223372036854775807 THEN NULL ELSE (SELECT count(*) FROM messages u \
         WHERE u.session_id = m.session_id AND u.role = 'user' AND u.id <= m.id \
         AND (instr(u.content_json, '\"type\":\"text\"') > 0 OR instr(u.content_json, '\"type\":\"image\"') > 0) \
         AND instr(u.content_json, '\"type\":\"toolResponse\"') = 0) END, \
         CASE WHEN :rowid > -9223372036854775808 AND instr(m.content_json, '\"toolResponse\"') > 0 THEN \
         (SELECT a.content_json FROM messages a WHERE a.session_id = m.session_id AND a.role = 'assistant' \
         AND a.id < m.id ORDER BY a.id DESC LIMIT 1) END \
         FROM messages m LEFT JOIN sessions s ON s.id = m.session_id WHERE m.id > :rowid ORDER BY m.id",
        own("timestamp"),
        own("message_id"),
        own("metadata_json"),
        own("tokens"),
        session("parent_session_id"),
        session("session_type"),
        session("provider_name"),
        session("model_config_json"),
    );
    // The key is an integer, yet another database may be copied over this one.
    let anchor = "SELECT coalesce(session_id, '') || '/' || coalesce(role, '') || '/' || coalesce(created_timestamp, '') \
                  || '/' || coalesce(length(content_json), '') FROM messages WHERE id = :rowid";
    Query { name: "messages", sql, anchor: Some(anchor.to_owned()) }
}

fn ledger(tables: &Tables) -> Query {
    let own = |name: &str| tables.column_or_null("usage_ledger", "l", name);
    let session = |name: &str| tables.column_or_null(SESSIONS, "s", name);
    let sql = format!(
        "SELECT l.rowid, 0, l.session_id, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, s.working_dir, {}, {} \
         FROM usage_ledger l LEFT JOIN sessions s ON s.id = l.session_id WHERE l.rowid > :rowid ORDER BY l.rowid",
        own("created_timestamp"),
        own("model"),
        own("input_tokens"),
        own("output_tokens"),
        own("total_tokens"),
        own("cache_read_tokens"),
        own("cache_write_tokens"),
        own("cost"),
        own("cost_source"),
        own("is_compaction"),
        own("source"),
        session("provider_name"),
        session("parent_session_id"),
    );
    let anchor = format!(
        "SELECT coalesce(l.session_id, '') || '/' || coalesce({}, '') FROM usage_ledger l WHERE l.rowid = :rowid",
        own("created_timestamp"),
    );
    Query { name: LEDGER, sql, anchor: Some(anchor) }
}

impl DatabaseDecoder for StoreDecoder {
    fn queries(&mut self, tables: &Tables) -> Result<Vec<Query>, UnknownSchema> {
        let wanted = |table: &str, columns: &[&str]| columns.iter().all(|column| tables.has_column(table, column));
        if !wanted(SESSIONS, &["id", "working_dir", "created_at", "updated_at"])
            || !wanted("messages", &["id", "session_id", "role", "content_json", "created_timestamp"])
        {
            let detail = "it has no tables `sessions` and `messages` as Goose's databases have; if a newer Goose made \
                          it, update devlog";
            return Err(UnknownSchema { detail: detail.to_owned() });
        }
        self.turns.clear();
        let mut queries = vec![sessions(tables), messages(tables)];
        if wanted("usage_ledger", &["session_id"]) {
            queries.push(ledger(tables));
        }
        Ok(queries)
    }

    fn record(&mut self, record: &Record<'_>, _provisional: bool, rows: &mut Rows) -> Taken {
        let Some(session) = record.text(0) else {
            rows.reject(record.offset(), 0, RejectReason::WrongShape, "a record names no session", b"");
            return Taken::Rejected;
        };
        match record.query {
            SESSIONS => self.session(&session, record, rows),
            LEDGER => self.request(&session, record, rows),
            _ => self.message(&session, record, rows),
        }
    }
}

impl StoreDecoder {
    /// Model named by a session's settings.
    fn model(&mut self, settings: Option<&[u8]>) -> Option<String> {
        let mut model = None;
        let read = self.parser.each(settings?, |json| {
            model = ["model_name", "modelName", "model"].iter().find_map(|key| json.str_at(key)).map(str::to_owned);
        });
        model.filter(|_| read.is_ok())
    }

    fn session(&mut self, session: &str, record: &Record<'_>, rows: &mut Rows) -> Taken {
        let model = self.model(record.value(7).bytes());
        let (cwd, parent, provider) = (record.text(1), record.text(5), record.text(6));
        let title = record.text(3).or_else(|| record.text(4));
        let created = record.integer(2).map(unix_us);
        let extra = self.extra.begin();
        for (index, name) in SETTINGS.into_iter().enumerate() {
            let value = record.value(14 + index);
            let text = if value.integer().is_some() { None } else { value.text() };
            extra.number(name, value.integer()).text(name, text.as_deref().unwrap_or_default());
            if let (None, Some(real)) = (value.integer().map(|_| ()).or(value.bytes().map(|_| ())), value.real()) {
                extra.real(name, real);
            }
        }
        let is_subagent = parent.is_some() || record.text(14).as_deref() == Some("sub_agent");
        let row = EventRow {
            ts_us: created.unwrap_or(self.modified_us),
            ts_inferred: created.is_none(),
            cwd: cwd.as_deref(),
            session_id: Some(session),
            parent_session_id: parent.as_deref(),
            is_subagent: Some(is_subagent),
            source_offset: record.offset(),
            completeness: STORE + record.mark,
            ..EventRow::default()
        };
        let id = |kind| Some(EventId::of(AGENT, kind, &[session.as_bytes()]));
        rows.event(&EventRow { id: id("session"), event_type: EventType::SessionStart, extra: extra.end(), ..row });
        if title.is_some() {
            rows.event(&EventRow { id: id("title"), event_type: EventType::Title, text: title.as_deref(), ..row });
        }
        let tokens = Tokens {
            input: record.integer(8),
            output: record.integer(9),
            total: record.integer(10),
            read: record.integer(11),
            write: record.integer(12),
        };
        let has_ledger = record.integer(13) == Some(1);
        if let Some(tokens) = tokens.known() {
            let level = tokens.input.unwrap_or(0).saturating_add(tokens.output.unwrap_or(0));
            let total = EventRow {
                id: total_id(session),
                event_type: EventType::System,
                model: model.as_deref(),
                provider: provider.as_deref(),
                ..row
            };
            if has_ledger {
                // The ledger's rows say it all: what stood here before they came is taken back.
                rows.event(&EventRow { completeness: STORE + (1 << 39), ..total });
            } else {
                let total = EventRow { completeness: STORE + level.min(1 << 38), ..total };
                rows.event(&tokens.usage().counter_step().on(total));
            }
        }
        Taken::Rows
    }

    fn request(&mut self, session: &str, record: &Record<'_>, rows: &mut Rows) -> Taken {
        let tokens = Tokens {
            input: record.integer(3),
            output: record.integer(4),
            total: record.integer(5),
            read: record.integer(6),
            write: record.integer(7),
        };
        let cost = record.value(8).real().and_then(nano);
        let created = record.integer(1).filter(|n| *n > 0).map(unix_us);
        let (model, provider, cwd, parent) = (record.text(2), record.text(13), record.text(12), record.text(14));
        let (cost_source, source) = (record.text(9), record.text(11));
        let is = |word: &str| [&cost_source, &source].iter().any(|text| text.as_deref() == Some(word));
        let extra = self.extra.begin();
        extra.text("cost_source", cost_source.as_deref().unwrap_or_default());
        extra.text("source", source.as_deref().unwrap_or_default());
        extra.number("is_compaction", record.integer(10).filter(|n| *n != 0));
        let carried = is("carried_forward");
        let usage_source = match source.as_deref() {
            Some("estimated") => UsageSource::Estimated,
            _ if carried => UsageSource::Derived,
            _ => UsageSource::Reported,
        };
        let number = record.rowid.to_le_bytes();
        let row = EventRow {
            id: if carried {
                total_id(session)
            } else {
                Some(EventId::of(AGENT, "request", &[session.as_bytes(), &number]))
            },
            ts_us: created.unwrap_or(self.modified_us),
            ts_inferred: created.is_none(),
            event_type: if carried { EventType::System } else { EventType::LlmRequest },
            model: model.as_deref(),
            provider: provider.as_deref(),
            cwd: cwd.as_deref(),
            session_id: Some(session),
            parent_session_id: parent.as_deref(),
            is_subagent: Some(parent.is_some()),
            cost_nano_usd: cost,
            source_offset: record.offset(),
            completeness: STORE + (1 << 40),
            extra: extra.end(),
            ..EventRow::default()
        };
        match tokens.known() {
            Some(tokens) => rows.event(&tokens.usage().from(usage_source).on(row)),
            None => rows.event(&row),
        }
        Taken::Rows
    }

    fn message(&mut self, session: &str, record: &Record<'_>, rows: &mut Rows) -> Taken {
        let content = record.value(2).bytes().unwrap_or_default();
        let role = record.text(1).unwrap_or_default();
        let model = self.model(record.value(12).bytes());
        let own_us = record.integer(3).filter(|n| *n > 0).or(record.integer(4)).map(unix_us);
        let mut visible = true;
        if let Some(metadata) = record.value(6).bytes() {
            let see = |json: Json<'_, '_>| {
                visible = json.get("userVisible").and_then(Json::as_bool) != Some(false);
            };
            // Metadata that cannot be read hides nothing.
            self.parser.each(metadata, see).unwrap_or_default();
        }
        if let Some(asked) = record.value(14).bytes() {
            let calls = &mut self.calls;
            // Without them the results lack the names of their tools, no more.
            self.parser.each(asked, |json| collect(json, calls)).unwrap_or_default();
        }
        let (message_id, cwd, parent, kind, provider) =
            (record.text(5), record.text(8), record.text(9), record.text(10), record.text(11));
        let turns = &mut self.turns;
        let known = record.integer(13).map(|n| i32::try_from(n).unwrap_or(i32::MAX));
        let (calls, buffers) = (&mut self.calls, &mut self.buffers);
        let mut made = None;
        let read = self.parser.each(content, |json| {
            if !json.is_array() {
                return;
            }
            let turn = known.unwrap_or_else(|| {
                let turn = turns.entry(session.to_owned()).or_default();
                *turn += i32::from(is_prompt(&role, json));
                *turn
            });
            let message = Message {
                session,
                parent: parent.as_deref(),
                is_subagent: parent.is_some() || kind.as_deref() == Some("sub_agent"),
                role: &role,
                message_id: message_id.as_deref(),
                model: model.as_deref(),
                provider: provider.as_deref(),
                cwd: cwd.as_deref(),
                ts_us: own_us.unwrap_or(self.modified_us),
                inferred: own_us.is_none(),
                visible,
                turn,
                level: STORE,
                offset: record.offset(),
            };
            made = Some(message.write(json, calls, buffers, rows));
        });
        match (read, made) {
            (Err(refused), _) => {
                rows.reject(record.offset(), content.len() as u64, refused.reason, &refused.detail, content);
                Taken::Rejected
            }
            (Ok(_), None) => {
                let detail = "the content of a message must be a list";
                rows.reject(record.offset(), content.len() as u64, RejectReason::WrongShape, detail, content);
                Taken::Rejected
            }
            (Ok(_), Some(made)) if made.unknown => Taken::Unknown,
            (Ok(_), Some(made)) if made.rows == 0 => Taken::Ignored,
            _ => Taken::Rows,
        }
    }
}
