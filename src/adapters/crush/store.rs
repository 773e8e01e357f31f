//! The queries, and the rows of sessions and files.

use std::collections::HashMap;

use super::message::{Call, Gathered, Message};
use crate::adapters::kit::calls::OpenCalls;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::money::nano;
use crate::adapters::time::unix_us;
use crate::adapters::{DatabaseDecoder, SourceInfo, Taken, UnknownSchema};
use crate::schema::{EventId, EventRow, EventType, Format, Query, Record, RejectReason, Rows, Tables};

/// Newest messages that are looked through for changes: only the last one of a session changes.
const RECENT: usize = 256;

const SESSIONS: &str = "sessions";
const FILES: &str = "files";

/// Decodes one database.
#[derive(Debug)]
pub(super) struct StoreDecoder {
    agent: &'static str,
    /// The project's folder.
    cwd: String,
    modified_us: i64,
    parser: Parser,
    gathered: Gathered,
    extra: Extra,
    /// Calls whose results have not come.
    calls: OpenCalls<Call>,
    /// Prompts so far, of each session whose messages come from the first one on.
    turns: HashMap<String, i32>,
}

impl StoreDecoder {
    pub(super) fn new(format: Format, info: SourceInfo<'_>) -> Self {
        Self {
            agent: format.agent(),
            cwd: project_of(info.path).to_owned(),
            modified_us: info.modified_us,
            parser: Parser::default(),
            gathered: Gathered::default(),
            extra: Extra::default(),
            calls: OpenCalls::default(),
            turns: HashMap::new(),
        }
    }
}

/// The folder that the database's own folder is in; empty when that has another name.
fn project_of(path: &str) -> &str {
    let is_separator = |c: char| matches!(c, '/' | '\\');
    let folder = path.rsplit_once(is_separator).map_or("", |(folder, _)| folder);
    match folder.rsplit_once(is_separator) {
        Some((project, ".crush" | ".opencode")) => project,
        _ => "",
    }
}

fn sessions(tables: &Tables) -> Query {
    let column = |name: &str| tables.column_or_null("sessions", "s", name);
    let sql = format!(
        "SELECT s.rowid, s.updated_at, s.id, {}, s.title, s.created_at, s.updated_at, {}, {}, {}, {}, {}, {} \
         FROM sessions s WHERE s.rowid > :rowid OR s.updated_at >= :mark - 2 ORDER BY s.rowid",
        column("parent_session_id"),
        column("cost"),
        column("message_count"),
        column("prompt_tokens"),
        column("completion_tokens"),
        column("summary_message_id"),
        column("todos"),
    );
    Query { name: SESSIONS, sql, anchor: Some("SELECT id FROM sessions WHERE rowid = :rowid".to_owned()) }
}

fn messages(tables: &Tables) -> Query {
    let column = |name: &str| tables.column_or_null("messages", "m", name);
    let parent = if tables.has_column("sessions", "parent_session_id") { "s.parent_session_id" } else { "NULL" };
    let sql = format!(
        "WITH changed AS MATERIALIZED (SELECT rowid FROM messages WHERE rowid > :rowid UNION SELECT row FROM \
         (SELECT rowid AS row, updated_at FROM messages ORDER BY rowid DESC LIMIT {RECENT}) \
         WHERE updated_at >= :mark - 2) \
         SELECT m.rowid, m.updated_at, m.id, m.session_id, m.role, m.parts, m.created_at, m.updated_at, {}, {}, {}, {}, \
         {parent}, \
         m.role <> 'assistant' OR instr(m.parts, '\"type\":\"finish\"') > 0 \
         OR EXISTS (SELECT 1 FROM messages n WHERE n.session_id = m.session_id AND n.rowid > m.rowid), \
         CASE WHEN :rowid < -9223372036854775807 THEN NULL ELSE (SELECT count(*) FROM messages u \
         WHERE u.session_id = m.session_id AND u.role = 'user' AND u.rowid <= m.rowid) END, \
         CASE WHEN m.role = 'tool' AND :rowid > -9223372036854775808 THEN (SELECT a.parts FROM messages a \
         WHERE a.session_id = m.session_id AND a.role = 'assistant' AND a.rowid < m.rowid \
         ORDER BY a.rowid DESC LIMIT 1) END, {}, {} \
         FROM messages m LEFT JOIN sessions s ON s.id = m.session_id \
         WHERE m.rowid IN (SELECT rowid FROM changed) ORDER BY m.rowid",
        column("model"),
        column("provider"),
        column("finished_at"),
        column("is_summary_message"),
        column("prism_model_id"),
        column("prism_model_name"),
    );
    Query { name: "messages", sql, anchor: Some("SELECT id FROM messages WHERE rowid = :rowid".to_owned()) }
}

fn files() -> Query {
    let sql = "SELECT f.rowid, f.updated_at, f.id, f.session_id, f.path, f.version, f.created_at, length(f.content) \
               FROM files f WHERE f.rowid > :rowid ORDER BY f.rowid";
    let anchor = Some("SELECT id FROM files WHERE rowid = :rowid".to_owned());
    Query { name: FILES, sql: sql.to_owned(), anchor }
}

impl DatabaseDecoder for StoreDecoder {
    fn queries(&mut self, tables: &Tables) -> Result<Vec<Query>, UnknownSchema> {
        let wanted = |table: &str, columns: &[&str]| columns.iter().all(|column| tables.has_column(table, column));
        if !wanted("messages", &["id", "session_id", "role", "parts", "created_at", "updated_at"])
            || !wanted("sessions", &["id", "title", "created_at", "updated_at"])
        {
            let detail = "it has no tables `sessions` and `messages` as Crush's databases have; if a newer Crush made \
                          it, update devlog";
            return Err(UnknownSchema { detail: detail.to_owned() });
        }
        self.turns.clear();
        let mut queries = vec![sessions(tables), messages(tables)];
        if wanted("files", &["id", "session_id", "path", "content", "version", "created_at", "updated_at"]) {
            queries.push(files());
        }
        Ok(queries)
    }

    fn is_settled(&self, record: &Record<'_>) -> bool {
        record.query == SESSIONS || record.query == FILES || record.integer(11) != Some(0)
    }

    fn record(&mut self, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
        let Some(id) = record.text(0) else {
            rows.reject(record.offset(), 0, RejectReason::WrongShape, "a record has no id", b"");
            return Taken::Rejected;
        };
        match record.query {
            SESSIONS => self.session(&id, record, rows),
            FILES => self.file(&id, record, rows),
            _ => self.message(&id, record, provisional, rows),
        }
    }
}

impl StoreDecoder {
    fn session(&mut self, id: &str, record: &Record<'_>, rows: &mut Rows) -> Taken {
        let (parent, title) = (record.text(1), record.text(2));
        let created = record.integer(3);
        let cost = record.value(5).real().and_then(nano);
        let extra = self.extra.begin();
        for (index, name) in ["message_count", "prompt_tokens", "completion_tokens"].into_iter().enumerate() {
            extra.number(name, record.integer(6 + index));
        }
        for (index, name) in ["summary_message_id", "todos"].into_iter().enumerate() {
            extra.text(name, record.text(9 + index).as_deref().unwrap_or_default());
        }
        // What a sub-agent cost is added to its parent's cost when it ends.
        let own_cost = cost.filter(|_| parent.is_none());
        if let Some(real) = record.value(5).real().filter(|_| parent.is_some()) {
            extra.real("cost", real);
        }
        // Times are whole seconds: within one, the cost can only have grown.
        let grown = cost.map_or(0, |nano| (nano / 1000).clamp(0, 999_999_999));
        let row = EventRow {
            id: Some(EventId::of(self.agent, "session", &[id.as_bytes()])),
            ts_us: created.map_or(self.modified_us, unix_us),
            ts_inferred: created.is_none(),
            event_type: EventType::SessionStart,
            cwd: (!self.cwd.is_empty()).then_some(&*self.cwd),
            session_id: Some(id),
            parent_session_id: parent.as_deref(),
            is_subagent: Some(parent.is_some()),
            completeness: unix_us(record.integer(4).unwrap_or(0)).saturating_mul(1000).saturating_add(grown),
            source_offset: record.offset(),
            ..EventRow::default()
        };
        rows.event(&EventRow { cost_nano_usd: own_cost, extra: extra.end(), ..row });
        if title.is_some() {
            let id = Some(EventId::of(self.agent, "title", &[id.as_bytes()]));
            rows.event(&EventRow { id, event_type: EventType::Title, text: title.as_deref(), ..row });
        }
        Taken::Rows
    }

    fn file(&mut self, id: &str, record: &Record<'_>, rows: &mut Rows) -> Taken {
        let created = record.integer(4);
        self.extra.begin().text("version", record.text(3).as_deref().unwrap_or_default());
        self.extra.number("version", record.value(3).bytes().is_none().then(|| record.integer(3)).flatten());
        self.extra.number("characters", record.integer(5));
        rows.event(&EventRow {
            id: Some(EventId::of(self.agent, "file", &[id.as_bytes()])),
            ts_us: created.map_or(self.modified_us, unix_us),
            ts_inferred: created.is_none(),
            event_type: EventType::Snapshot,
            cwd: (!self.cwd.is_empty()).then_some(&*self.cwd),
            session_id: record.text(1).as_deref(),
            file_path: record.text(2).as_deref(),
            source_offset: record.offset(),
            extra: self.extra.end(),
            ..EventRow::default()
        });
        Taken::Rows
    }

    fn message(&mut self, id: &str, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
        let session = record.text(1).unwrap_or_default();
        let role = record.text(2).unwrap_or_default();
        let turn = match record.integer(12) {
            Some(turn) => i32::try_from(turn).unwrap_or(i32::MAX),
            None => self.turn(&session, &role, provisional),
        };
        if let Some(parts) = record.value(13).bytes() {
            let calls = &mut self.calls;
            // Without them the results lack the names of their tools, no more.
            self.parser.each(parts, |json| Call::collect(json, calls)).unwrap_or_default();
        }
        let (model, provider, parent) = (record.text(6), record.text(7), record.text(10));
        let created = record.integer(4);
        let parts = record.value(3).bytes().unwrap_or_default();
        let message = Message {
            agent: self.agent,
            id,
            session: &session,
            parent: parent.as_deref(),
            role: &role,
            model: model.as_deref(),
            provider: provider.as_deref(),
            cwd: &self.cwd,
            created_us: created.map_or(self.modified_us, unix_us),
            inferred: created.is_none(),
            level: level(record.integer(5).unwrap_or(0), parts.len()),
            is_summary: record.integer(9) == Some(1),
            turn,
            provisional,
            offset: record.offset(),
        };
        self.gathered.begin();
        for (index, name) in ["prism_model_id", "prism_model_name"].into_iter().enumerate() {
            self.gathered.extra.text(name, record.text(14 + index).as_deref().unwrap_or_default());
        }
        let (gathered, calls) = (&mut self.gathered, &mut self.calls);
        let mut is_list = false;
        let read = self.parser.each(parts, |json| {
            is_list = json.is_array();
            message.write(json, gathered, calls, rows);
        });
        match read {
            Err(refused) => {
                rows.reject(record.offset(), parts.len() as u64, refused.reason, &refused.detail, parts);
                Taken::Rejected
            }
            Ok(_) if !is_list => {
                let detail = "the parts of a message must be a list";
                rows.reject(record.offset(), parts.len() as u64, RejectReason::WrongShape, detail, parts);
                Taken::Rejected
            }
            Ok(_) if self.gathered.unknown => Taken::Unknown,
            Ok(_) if self.gathered.rows == 0 => Taken::Ignored,
            Ok(_) => Taken::Rows,
        }
    }

    fn turn(&mut self, session: &str, role: &str, provisional: bool) -> i32 {
        let is_prompt = i32::from(role == "user");
        match self.turns.get_mut(session) {
            Some(turn) if provisional => *turn,
            Some(turn) => {
                *turn += is_prompt;
                *turn
            }
            None if provisional => is_prompt,
            None => {
                self.turns.insert(session.to_owned(), is_prompt);
                is_prompt
            }
        }
    }
}

/// Times are whole seconds: within one, the longer record is the later.
fn level(updated: i64, bytes: usize) -> i64 {
    let length = i64::try_from(bytes).unwrap_or(i64::MAX).min(999_999_999);
    unix_us(updated).saturating_mul(1000).saturating_add(length)
}
