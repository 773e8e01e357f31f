//! The database: `opencode.db`, `opencode-<channel>.db`, `kilo.db`, MiMoCode's.
//!
//! - one record a message, its parts beside it in one text: parts are separated by U+001E, what is
//!   known of a part by U+001F; neither stands in JSON as it is
//! - what changes is new, or among the [`RECENT`] newest messages: no look scans a table. Older
//!   records change only when a compaction clears outputs, which is no loss here
//! - a fork's session begins with copies of another's messages under ids of its own: a message that is
//!   older than its session is left to the session it is from, as long as that is in the database
//! - rows that a deletion takes away stay; SQLite gives their row ids to others then, which the anchors
//!   notice

use std::collections::HashMap;

use super::message::{Ground, Message, Role, Scene, Session, workspace};
use super::newer;
use super::part::{Gathered, PartStamp, broken, part};
use super::session::SessionRow;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::{DatabaseDecoder, SourceInfo, Taken, UnknownSchema};
use crate::schema::{Format, Query, Record, RejectReason, Rows, Tables};

/// Newest messages that are looked through for changes.
pub(super) const RECENT: usize = 512;

/// Changes that carry a time up to this much before the last one seen may have been committed later.
pub(super) const SLACK_MS: i64 = 2_000;

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Name of the query for sessions.
const SESSIONS: &str = "sessions";

/// Decodes one database.
#[derive(Debug)]
pub(super) struct StoreDecoder {
    pub(super) agent: &'static str,
    pub(super) modified_ms: i64,
    pub(super) parser: Parser,
    pub(super) gathered: Gathered,
    extra: Extra,
    /// Prompts so far, of each session whose messages come from the first one on.
    pub(super) turns: HashMap<String, i32>,
    /// Settings of a session beside its columns: of 1.x, and of 2.
    settings: [Vec<&'static str>; 2],
}

/// Columns of `session` that go to `extra`, where they are.
const SETTINGS: [&str; 16] = [
    "slug",
    "path",
    "agent",
    "model",
    "cost",
    "tokens_input",
    "tokens_output",
    "tokens_reasoning",
    "tokens_cache_read",
    "tokens_cache_write",
    "summary_additions",
    "summary_deletions",
    "summary_files",
    "time_compacting",
    "time_archived",
    "metadata",
];

impl StoreDecoder {
    pub(super) fn new(format: Format, info: SourceInfo<'_>) -> Self {
        Self {
            agent: format.agent(),
            modified_ms: info.modified_us / 1000,
            parser: Parser::default(),
            gathered: Gathered::default(),
            extra: Extra::default(),
            turns: HashMap::new(),
            settings: Default::default(),
        }
    }
}

/// Select list of what messages and sessions need of a session and its project.
fn surroundings(tables: &Tables, session: &str) -> (String, String) {
    let project = tables.has("project") && tables.has_column(session, "project_id");
    let column = |name: &str| tables.column_or_null(session, "s", name);
    let list = format!(
        "{}, {}, {}, {}, {}, {}, {}, {}",
        column("parent_id"),
        column("directory"),
        if project { tables.column_or_null("project", "j", "worktree") } else { "NULL".to_owned() },
        column("version"),
        column("workspace_id"),
        column("project_id"),
        column("revert"),
        column("time_updated"),
    );
    let join = if project { "LEFT JOIN project j ON j.id = s.project_id" } else { "" };
    (list, join.to_owned())
}

/// The sessions in `table` that are new or have changed; `messages` are theirs.
fn sessions(tables: &Tables, (name, table, messages): (&'static str, &str, &str), settings: &[&'static str]) -> Query {
    let (list, join) = surroundings(tables, table);
    let column = |name: &str| tables.column_or_null(table, "s", name);
    let settings: String = settings.iter().map(|name| format!(", {}", column(name))).collect();
    let (changed, created, title) = (column("time_updated"), column("time_created"), column("title"));
    let sql = format!(
        "SELECT s.rowid, coalesce({changed}, 0), s.id, {created}, {title}, {list}{settings}, {} FROM {table} s {join} \
         WHERE s.rowid IN (SELECT rowid FROM {table} WHERE rowid > :rowid UNION \
         SELECT c.rowid FROM {table} c WHERE c.id IN \
         (SELECT session_id FROM {messages} ORDER BY rowid DESC LIMIT {RECENT}) AND {} >= :mark - {SLACK_MS}) \
         ORDER BY s.rowid",
        column("fork_session_id"),
        tables.column_or_null(table, "c", "time_updated"),
    );
    Query { name, sql, anchor: Some(format!("SELECT id FROM {table} WHERE rowid = :rowid")) }
}

/// Whether an older session of the project has the message too, as times of creation are copied as they are; and the
/// table that this needs.
///
/// Only what is older than its session is looked up, among sessions that were still in use a day before. The sessions
/// are read once in a look, and only if there is such a message.
fn is_copy(tables: &Tables) -> (String, String) {
    let known = |name: &&str| tables.has_column("session", name);
    if !["id", "project_id", "time_created", "time_updated"].iter().all(known) {
        return ("0".to_owned(), String::new());
    }
    let from_user = |message: &str| format!("instr({message}.data, '\"role\":\"user\"') > 0");
    let is_copy = format!(
        "CASE WHEN m.time_created < s.time_created THEN EXISTS (SELECT 1 FROM known o CROSS JOIN message c \
         ON c.session_id = o.id AND c.time_created = m.time_created WHERE o.project_id IS s.project_id \
         AND (o.time_created < s.time_created OR (o.time_created = s.time_created AND o.row < s.rowid)) \
         AND o.time_updated >= m.time_created - {DAY_MS} AND ({}) = ({})) ELSE 0 END",
        from_user("c"),
        from_user("m"),
    );
    let known =
        ", known AS MATERIALIZED (SELECT rowid AS row, id, project_id, time_created, time_updated FROM session)";
    (is_copy, known.to_owned())
}

fn messages(tables: &Tables) -> Query {
    let has_session = tables.has("session");
    let (list, join) = if has_session {
        let (list, join) = surroundings(tables, "session");
        (list, format!("LEFT JOIN session s ON s.id = m.session_id {join}"))
    } else {
        (["NULL"; 8].join(", "), String::new())
    };
    let reverts = has_session
        && tables.has_column("session", "revert")
        && tables.has_column("session", "time_updated")
        && tables.has_column("session", "id");
    let (hidden, hidden_mark) = if reverts {
        // Messages that a revert hides; a revert that is undone changes none of them.
        let hidden = format!(
            " UNION SELECT h.rowid FROM (SELECT DISTINCT session_id FROM recent) r \
             CROSS JOIN session v ON v.id = r.session_id AND v.revert IS NOT NULL \
             AND v.time_updated >= :mark - {SLACK_MS} CROSS JOIN message h ON h.session_id = v.id \
             AND h.id >= CASE WHEN json_valid(v.revert) THEN json_extract(v.revert, '$.messageID') END"
        );
        (hidden, ", CASE WHEN s.revert IS NULL THEN 0 ELSE s.time_updated END")
    } else {
        (String::new(), ", 0")
    };
    let prompts = "SELECT count(*) FROM message u WHERE u.session_id = m.session_id AND u.id <= m.id \
         AND instr(u.data, '\"role\":\"user\"') > 0 AND EXISTS (SELECT 1 FROM part q WHERE q.message_id = u.id AND \
         (instr(q.data, '\"type\":\"subtask\"') > 0 OR (instr(q.data, '\"type\":\"text\"') > 0 AND \
         instr(q.data, '\"synthetic\":true') = 0 AND instr(q.data, '\"ignored\":true') = 0)))";
    let (copy, known) = if has_session { is_copy(tables) } else { ("0".to_owned(), String::new()) };
    let sql = format!(
        "WITH recent AS MATERIALIZED (SELECT rowid AS row, id, session_id, time_updated FROM message \
         ORDER BY rowid DESC LIMIT {RECENT}), changed AS MATERIALIZED (SELECT rowid FROM message WHERE rowid > :rowid \
         UNION SELECT row FROM recent WHERE time_updated >= :mark - {SLACK_MS} \
         UNION SELECT r.row FROM recent r CROSS JOIN part p ON p.message_id = r.id WHERE p.time_updated >= :mark - {SLACK_MS}\
         {hidden}){known} \
         SELECT m.rowid, max(m.time_updated, coalesce(max(p.time_updated), 0){hidden_mark}), \
         m.id, m.session_id, m.time_created, m.time_updated, m.data, \
         group_concat(coalesce(p.id, m.id || '/' || p.rowid) || char(31) || coalesce(p.time_created, '') || char(31) \
         || coalesce(p.time_updated, '') || char(31) || p.data, char(30)), \
         CASE WHEN instr(m.data, '\"completed\":') > 0 THEN 1 \
         WHEN instr(m.data, '\"role\":\"user\"') > 0 AND count(p.data) > 0 THEN 1 \
         ELSE EXISTS (SELECT 1 FROM message n WHERE n.session_id = m.session_id AND n.id > m.id) END, \
         CASE WHEN :rowid < -9223372036854775807 THEN NULL ELSE ({prompts}) END, {copy}, \
         {list} FROM message m LEFT JOIN part p ON p.message_id = m.id {join} \
         WHERE m.rowid IN (SELECT rowid FROM changed) GROUP BY m.rowid ORDER BY m.rowid"
    );
    Query { name: "messages", sql, anchor: Some("SELECT id FROM message WHERE rowid = :rowid".to_owned()) }
}

impl DatabaseDecoder for StoreDecoder {
    fn queries(&mut self, tables: &Tables) -> Result<Vec<Query>, UnknownSchema> {
        let wanted = |table: &str, columns: &[&str]| columns.iter().all(|column| tables.has_column(table, column));
        let message = ["id", "session_id", "time_created", "time_updated", "data"];
        let part = ["id", "message_id", "time_created", "time_updated", "data"];
        let (older, newer) = (wanted("message", &message) && wanted("part", &part), newer::is_known(tables));
        let unknown = newer::unknown_tables(tables);
        if !older && !newer {
            let detail = "it has neither the tables `message` and `part` nor `session_message` as OpenCode's databases have \
                          them; if a newer OpenCode made it, update devlog";
            return Err(UnknownSchema { detail: detail.to_owned() });
        }
        self.turns.clear();
        let settings =
            |table: &str| SETTINGS.into_iter().filter(|name| tables.has_column(table, name)).collect::<Vec<_>>();
        self.settings = [settings("session"), settings("session_v2")];
        let known = ["id", "time_updated"];
        let mut queries = Vec::new();
        if older {
            if wanted("session", &known) {
                queries.push(sessions(tables, (SESSIONS, "session", "message"), &self.settings[0]));
            }
            queries.push(messages(tables));
        }
        if newer {
            if wanted("session_v2", &known) {
                queries.push(sessions(tables, (newer::SESSIONS, "session_v2", "session_message"), &self.settings[1]));
            } else if !older && wanted("session", &known) {
                queries.push(sessions(tables, (SESSIONS, "session", "session_message"), &self.settings[0]));
            }
            queries.push(newer::messages(tables));
        }
        if !unknown.is_empty() {
            queries.push(newer::unknown_query(&unknown));
        }
        Ok(queries)
    }

    fn is_settled(&self, record: &Record<'_>) -> bool {
        match record.query {
            SESSIONS | newer::SESSIONS | newer::UNKNOWN => true,
            newer::MESSAGES => newer::is_settled(record),
            _ => record.integer(MessageColumn::SETTLED) != Some(0),
        }
    }

    fn record(&mut self, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
        match record.query {
            SESSIONS => self.session(record, 0, rows),
            newer::SESSIONS => self.session(record, 1, rows),
            newer::MESSAGES => self.newer(record, provisional, rows),
            newer::UNKNOWN => Self::unknown_tables(record, rows),
            _ => self.message(record, provisional, rows),
        }
    }
}

/// Columns of a message's record.
struct MessageColumn;

impl MessageColumn {
    const ID: usize = 0;
    const SESSION: usize = 1;
    const CREATED: usize = 2;
    const CHANGED: usize = 3;
    const DATA: usize = 4;
    const PARTS: usize = 5;
    const SETTLED: usize = 6;
    const TURN: usize = 7;
    const COPY: usize = 8;
    const SURROUNDINGS: usize = 9;
}

impl StoreDecoder {
    /// The session whose surroundings stand from column `at` on.
    pub(super) fn surroundings(&mut self, id: &str, record: &Record<'_>, at: usize) -> Session {
        let text = |offset: usize| record.text(at + offset);
        // A session of the project "global" has its own directory; the worktree is "/" there.
        let directory = text(1).or_else(|| text(2).filter(|tree| tree.as_ref() != "/"));
        let mut session = Session {
            id: id.to_owned(),
            parent: text(0).unwrap_or_default().into_owned(),
            directory: directory.unwrap_or_default().into_owned(),
            version: text(3).unwrap_or_default().into_owned(),
            workspace: workspace(text(4).as_deref(), text(5).as_deref()),
            changed_ms: record.integer(at + 7).unwrap_or(0),
            ..Session::default()
        };
        if let Some(revert) = record.value(at + 6).bytes() {
            // What is no JSON hides nothing.
            self.parser.each(revert, |json| session.hide(json)).unwrap_or_default();
        }
        session
    }

    fn session(&mut self, record: &Record<'_>, generation: usize, rows: &mut Rows) -> Taken {
        let Some(id) = record.text(0) else {
            rows.reject(record.offset(), 0, RejectReason::WrongShape, "a session has no id", b"");
            return Taken::Rejected;
        };
        let mut session = self.surroundings(&id, record, 3);
        let settings = std::mem::take(&mut self.settings[generation]);
        session.fork = record.text(11 + settings.len()).unwrap_or_default().into_owned();
        let extra = self.extra.begin();
        for (index, name) in settings.iter().enumerate() {
            let value = record.value(11 + index);
            match *name {
                "model" | "metadata" => {
                    let bytes = value.bytes().unwrap_or_default();
                    let read = self.parser.each(bytes, |json| {
                        extra.value(name, json);
                    });
                    if read.is_err() {
                        extra.text(name, &String::from_utf8_lossy(bytes));
                    }
                }
                "cost" => {
                    if let Some(cost) = value.real() {
                        extra.with(name, |out| out.push_str(&number(cost)));
                    }
                }
                _ => {
                    let text = if value.integer().is_some() { None } else { value.text() };
                    extra.number(name, value.integer()).text(name, text.as_deref().unwrap_or_default());
                }
            }
        }
        self.settings[generation] = settings;
        SessionRow {
            agent: self.agent,
            session: &session,
            title: record.text(2).as_deref(),
            created_ms: record.integer(1),
            modified_ms: self.modified_ms,
            extra: extra.end(),
            level: record.mark,
            offset: record.offset(),
        }
        .write(rows);
        Taken::Rows
    }

    fn message(&mut self, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
        type Column = MessageColumn;
        let (Some(id), Some(data)) = (record.text(Column::ID), record.value(Column::DATA).bytes()) else {
            rows.reject(record.offset(), 0, RejectReason::WrongShape, "a message has no id or no data", b"");
            return Taken::Rejected;
        };
        let session_id = record.text(Column::SESSION).unwrap_or_default();
        let session = self.surroundings(&session_id, record, Column::SURROUNDINGS);
        let mut message = Message {
            id: id.into_owned(),
            session_id: session_id.into_owned(),
            created_ms: record.integer(Column::CREATED),
            changed_ms: record.integer(Column::CHANGED).unwrap_or(0),
            ..Message::default()
        };
        let mut is_object = false;
        let read = self.parser.each(data, |json| {
            is_object = json.is_object();
            message.read(json);
        });
        if let Err(refused) = read {
            rows.reject(record.offset(), data.len() as u64, refused.reason, &refused.detail, data);
            return Taken::Rejected;
        }
        if !is_object {
            let detail = "a message must be a JSON object";
            rows.reject(record.offset(), data.len() as u64, RejectReason::WrongShape, detail, data);
            return Taken::Rejected;
        }
        let parts = record.value(Column::PARTS).bytes().unwrap_or_default();
        message.turn = Some(self.turn(record, &message, parts, provisional));
        if record.integer(Column::COPY) == Some(1) {
            return Taken::Ignored;
        }
        let scene = Scene {
            agent: self.agent,
            session: &session,
            message: &message,
            ground: Ground::Store,
            provisional,
            offset: record.offset(),
            modified_ms: self.modified_ms,
        };
        self.parts(&scene, parts, rows);
        scene.close(&mut self.gathered, rows);
        match (self.gathered.unknown, self.gathered.rows) {
            (true, _) => Taken::Unknown,
            (false, 0) => Taken::Ignored,
            (false, _) => Taken::Rows,
        }
    }

    /// Takes in the parts. A broken one is a row of an unknown kind: the message around it is whole.
    fn parts(&mut self, scene: &Scene<'_>, parts: &[u8], rows: &mut Rows) {
        self.gathered.begin();
        let mut list: Vec<Part<'_>> =
            parts.split(|b| *b == 0x1e).filter(|part| !part.is_empty()).map(Part::of).collect();
        list.sort_by_key(|part| part.id);
        for piece in &list {
            let id = String::from_utf8_lossy(piece.id);
            let stamp =
                PartStamp { id: &id, created_ms: piece.created_ms, changed_ms: piece.changed_ms, is_newer: false };
            let gathered = &mut self.gathered;
            if self.parser.each(piece.data, |json| part(scene, json, stamp, gathered, rows)).is_err() {
                broken(scene, &String::from_utf8_lossy(piece.data), stamp, gathered, rows);
            }
        }
    }

    /// Number of the prompt that the message is, or belongs to.
    fn turn(&mut self, record: &Record<'_>, message: &Message, parts: &[u8], provisional: bool) -> i32 {
        if let Some(turn) = record.integer(MessageColumn::TURN) {
            return i32::try_from(turn).unwrap_or(i32::MAX);
        }
        let is_prompt = message.role == Role::User
            && parts.split(|b| *b == 0x1e).any(|part| {
                let has = |text: &str| memchr::memmem::find(part, text.as_bytes()).is_some();
                has("\"type\":\"subtask\"")
                    || (has("\"type\":\"text\"") && !has("\"synthetic\":true") && !has("\"ignored\":true"))
            });
        if provisional {
            return self.turns.get(&message.session_id).copied().unwrap_or(0) + i32::from(is_prompt);
        }
        if let Some(turn) = self.turns.get_mut(&message.session_id) {
            *turn += i32::from(is_prompt);
            return *turn;
        }
        self.turns.insert(message.session_id.clone(), i32::from(is_prompt));
        i32::from(is_prompt)
    }
}

/// A part as the query hands it over.
struct Part<'a> {
    id: &'a [u8],
    created_ms: Option<i64>,
    changed_ms: i64,
    data: &'a [u8],
}

impl<'a> Part<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        let mut fields = bytes.splitn(4, |b| *b == 0x1f);
        let mut next = || fields.next().unwrap_or_default();
        let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.parse::<i64>().ok();
        let (id, created, changed, data) = (next(), next(), next(), next());
        Self { id, created_ms: number(created), changed_ms: number(changed).unwrap_or(0), data }
    }
}

fn number(value: f64) -> String {
    serde_json::Number::from_f64(value).map_or_else(|| "null".to_owned(), |number| number.to_string())
}
