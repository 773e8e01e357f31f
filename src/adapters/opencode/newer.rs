//! OpenCode 2: `session_v2` and `session_message` in the same database, beside what 1.x left there.
//!
//! - a record of `session_message` is a whole message: its kind in `type`, its parts in `data.content`, a call
//!   and its result in one part; its place in the session in `seq`
//! - one `assistant` record is one request of the model, with its own tokens and cost; a `compaction` is one too
//! - a fork has its origin in `fork_session_id`; what it copies is left to that session
//! - a message that the tables of 1.x have as well (both were written for a while, some were taken over) is
//!   read from there
//! - an early 2 wrote these messages for sessions of `session`

use super::message::{Ground, Message, Role, Scene, filled};
use super::part::{Gathered, PartStamp, part};
use super::store::{RECENT, SLACK_MS, StoreDecoder};
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::{Taken, time};
use crate::schema::{EventRow, EventType, Query, Record, RejectReason, Rows, Status, Tables};

/// Name of the query for messages of this generation.
pub(super) const MESSAGES: &str = "messages 2";

/// Name of the query for sessions of this generation.
pub(super) const SESSIONS: &str = "sessions 2";

/// Name of the query for tables of a generation that is not known.
pub(super) const UNKNOWN: &str = "unknown tables";

/// Longest time between the two records of one message in both generations.
const APART_MS: i64 = 2_000;

/// True when the messages of this generation can be read.
pub(super) fn is_known(tables: &Tables) -> bool {
    ["id", "session_id", "type", "data"].iter().all(|column| tables.has_column("session_message", column))
}

/// Tables of a generation that is not known here: newer ones, or those of this one without their columns.
pub(super) fn unknown_tables(tables: &Tables) -> Vec<String> {
    let is_new = |name: &str| {
        let version = ["session", "message", "part"].iter().find_map(|of| name.strip_prefix(of)?.strip_prefix("_v"));
        version.and_then(|v| v.parse::<u32>().ok()).is_some_and(|v| v > 2 || v == 2 && name != "session_v2")
    };
    let broken = tables.has("session_message") && !is_known(tables);
    let named = tables.names().filter(|name| is_new(name) || broken && *name == "session_message");
    named.map(str::to_owned).collect()
}

/// One record that names them.
pub(super) fn unknown_query(names: &[String]) -> Query {
    let list = names.join(", ").replace('\'', "");
    Query { name: UNKNOWN, sql: format!("SELECT 1, 0, '{list}' WHERE :rowid < 1"), anchor: None }
}

/// What of a session stands beside its messages; `session` of an early 2 has it too.
fn homes(tables: &Tables) -> String {
    let select = |table: &str| {
        let column = |name: &str| tables.column_or_null(table, "h", name);
        let columns = [
            "parent_id",
            "directory",
            "version",
            "workspace_id",
            "project_id",
            "revert",
            "time_updated",
            "time_created",
            "fork_session_id",
        ];
        let list: Vec<String> = columns.iter().map(|name| format!("{} AS {name}", column(name))).collect();
        format!("SELECT h.id, {} FROM {table} h", list.join(", "))
    };
    let (new, old) = (tables.has_column("session_v2", "id"), tables.has_column("session", "id"));
    match (new, old) {
        (true, true) => format!(
            "{} UNION ALL {} WHERE NOT EXISTS (SELECT 1 FROM session_v2 n WHERE n.id = h.id)",
            select("session_v2"),
            select("session")
        ),
        (true, false) => select("session_v2"),
        (false, true) => select("session"),
        (false, false) => {
            "SELECT NULL AS id, NULL AS parent_id, NULL AS directory, NULL AS version, NULL AS workspace_id, \
                           NULL AS project_id, NULL AS revert, NULL AS time_updated, NULL AS time_created, \
                           NULL AS fork_session_id WHERE 0"
                .to_owned()
        }
    }
}

/// Whether the tables of 1.x have the message, or the session that its own is a fork of.
fn is_copy(tables: &Tables, created: &str) -> String {
    let known = ["id", "session_id", "time_created", "data"].iter().all(|column| tables.has_column("message", column));
    let mut either = Vec::new();
    if known {
        let of = |data: &str, key: &str| format!("json_extract({data}, '$.tokens.{key}')");
        either.push("EXISTS (SELECT 1 FROM message o WHERE o.id = m.id)".to_owned());
        either.push(format!(
            "EXISTS (SELECT 1 FROM message o WHERE o.session_id = m.session_id \
             AND o.time_created BETWEEN {created} - {APART_MS} AND {created} + {APART_MS} \
             AND CASE m.type WHEN 'user' THEN instr(o.data, '\"role\":\"user\"') > 0 \
             WHEN 'assistant' THEN instr(o.data, '\"role\":\"assistant\"') > 0 \
             AND CASE WHEN json_valid(o.data) AND json_valid(m.data) THEN {} = {} AND {} = {} ELSE 0 END ELSE 0 END)",
            of("o.data", "input"),
            of("m.data", "input"),
            of("o.data", "output"),
            of("m.data", "output"),
        ));
    }
    if tables.has_column("session_v2", "fork_session_id") && tables.has_column("session_message", "time_created") {
        either.push(format!(
            "(h.fork_session_id IS NOT NULL AND {created} < h.time_created AND EXISTS (SELECT 1 FROM session_message o \
             WHERE o.session_id = h.fork_session_id AND o.type = m.type AND o.time_created = {created}))"
        ));
    }
    if either.is_empty() { "0".to_owned() } else { either.join(" OR ") }
}

/// The messages that are new or may have changed.
pub(super) fn messages(tables: &Tables) -> Query {
    let column = |alias: &str, name: &str| tables.column_or_null("session_message", alias, name);
    let created = column("m", "time_created");
    let changed = format!("coalesce({}, {created}, 0)", column("m", "time_updated"));
    let order = if tables.has_column("session_message", "seq") { "seq" } else { "id" };
    let prompts = format!(
        "SELECT count(*) FROM session_message u WHERE u.session_id = m.session_id AND u.type = 'user' \
         AND u.{order} <= m.{order}"
    );
    let reverts = tables.has_column("session_v2", "revert");
    let (hidden, mark) = if reverts {
        let hidden = format!(
            " UNION SELECT x.rowid FROM (SELECT DISTINCT session_id FROM recent) r CROSS JOIN session_v2 v \
             ON v.id = r.session_id AND v.revert IS NOT NULL AND v.time_updated >= :mark - {SLACK_MS} \
             CROSS JOIN session_message x ON x.session_id = v.id \
             AND x.id >= CASE WHEN json_valid(v.revert) THEN json_extract(v.revert, '$.messageID') END"
        );
        (hidden, format!("max({changed}, CASE WHEN h.revert IS NULL THEN 0 ELSE h.time_updated END)"))
    } else {
        (String::new(), changed.clone())
    };
    let project = tables.has_column("project", "worktree") && tables.has_column("project", "id");
    let (tree, join) = match project {
        true => ("j.worktree", "LEFT JOIN project j ON j.id = h.project_id"),
        false => ("NULL", ""),
    };
    let sql = format!(
        "WITH home AS MATERIALIZED ({homes}), recent AS MATERIALIZED (SELECT m.rowid AS row, m.session_id, \
         {changed} AS changed FROM session_message m ORDER BY m.rowid DESC LIMIT {RECENT}), picked AS MATERIALIZED \
         (SELECT rowid FROM session_message WHERE rowid > :rowid UNION SELECT row FROM recent \
         WHERE changed >= :mark - {SLACK_MS}{hidden}) \
         SELECT m.rowid, {mark}, m.id, m.session_id, {created}, {changed}, m.data, m.type, \
         CASE WHEN m.type NOT IN ('assistant', 'shell', 'compaction') THEN 1 \
         WHEN instr(m.data, '\"completed\":') > 0 OR instr(m.data, '\"error\":{{') > 0 THEN 1 \
         WHEN m.type = 'compaction' THEN instr(m.data, '\"status\":\"running\"') = 0 \
         ELSE EXISTS (SELECT 1 FROM session_message n WHERE n.session_id = m.session_id AND n.{order} > m.{order}) END, \
         CASE WHEN :rowid < -9223372036854775807 THEN NULL ELSE ({prompts}) END, {copy}, \
         h.parent_id, h.directory, {tree}, h.version, h.workspace_id, h.project_id, h.revert, h.time_updated, \
         h.fork_session_id FROM session_message m LEFT JOIN home h ON h.id = m.session_id {join} \
         WHERE m.rowid IN (SELECT rowid FROM picked) ORDER BY m.rowid",
        homes = homes(tables),
        copy = is_copy(tables, &created),
    );
    Query { name: MESSAGES, sql, anchor: Some("SELECT id FROM session_message WHERE rowid = :rowid".to_owned()) }
}

/// Columns of a message's record.
struct Column;

impl Column {
    const ID: usize = 0;
    const SESSION: usize = 1;
    const CREATED: usize = 2;
    const CHANGED: usize = 3;
    const DATA: usize = 4;
    const KIND: usize = 5;
    const SETTLED: usize = 6;
    const TURN: usize = 7;
    const COPY: usize = 8;
    const SURROUNDINGS: usize = 9;
    const FORK: usize = 17;
}

/// False while its agent may still change the message.
pub(super) fn is_settled(record: &Record<'_>) -> bool {
    record.integer(Column::SETTLED) != Some(0)
}

impl StoreDecoder {
    /// Says that tables were left unread.
    pub(super) fn unknown_tables(record: &Record<'_>, rows: &mut Rows) -> Taken {
        let names = record.text(0).unwrap_or_default();
        let detail = format!(
            "the tables {names} are of a generation of this database that this version does not know; if a newer devlog is \
             out, update it"
        );
        rows.reject(record.offset(), 0, RejectReason::WrongShape, &detail, names.as_bytes());
        Taken::Rejected
    }

    /// A message of this generation.
    pub(super) fn newer(&mut self, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
        let (Some(id), Some(data)) = (record.text(Column::ID), record.value(Column::DATA).bytes()) else {
            rows.reject(record.offset(), 0, RejectReason::WrongShape, "a message has no id or no data", b"");
            return Taken::Rejected;
        };
        if record.integer(Column::COPY) == Some(1) {
            return Taken::Ignored;
        }
        let session_id = record.text(Column::SESSION).unwrap_or_default();
        let mut session = self.surroundings(&session_id, record, Column::SURROUNDINGS);
        session.fork = record.text(Column::FORK).unwrap_or_default().into_owned();
        let kind = record.text(Column::KIND).unwrap_or_default();
        let mut message = Message {
            id: id.into_owned(),
            session_id: session_id.into_owned(),
            created_ms: record.integer(Column::CREATED),
            changed_ms: record.integer(Column::CHANGED).unwrap_or(0),
            ..Message::default()
        };
        message.turn = Some(self.newer_turn(record, &message.session_id, &kind, provisional));
        let (agent, offset, modified_ms) = (self.agent, record.offset(), self.modified_ms);
        let gathered = &mut self.gathered;
        gathered.begin();
        let mut is_object = false;
        let read = self.parser.each(data, |json| {
            is_object = json.is_object();
            message.read_newer(&kind, json);
            let scene = Scene {
                agent,
                session: &session,
                message: &message,
                ground: Ground::Store,
                provisional,
                offset,
                modified_ms,
            };
            tell(&scene, &kind, json, gathered, rows);
        });
        match read {
            Err(refused) => {
                rows.reject(offset, data.len() as u64, refused.reason, &refused.detail, data);
                Taken::Rejected
            }
            Ok(_) if !is_object => {
                let detail = "a message must be a JSON object";
                rows.reject(offset, data.len() as u64, RejectReason::WrongShape, detail, data);
                Taken::Rejected
            }
            Ok(_) if self.gathered.unknown => Taken::Unknown,
            Ok(_) if self.gathered.rows == 0 => Taken::Ignored,
            Ok(_) => Taken::Rows,
        }
    }

    /// Number of the prompt that the message is, or belongs to.
    fn newer_turn(&mut self, record: &Record<'_>, session: &str, kind: &str, provisional: bool) -> i32 {
        let more = i32::from(kind == "user");
        if let Some(turn) = record.integer(Column::TURN) {
            return i32::try_from(turn).unwrap_or(i32::MAX);
        }
        let known = self.turns.get(session).copied().unwrap_or(0);
        if !provisional {
            self.turns.insert(session.to_owned(), known + more);
        }
        known + more
    }
}

/// Fields that have a column, or a place of their own.
const USED: &[&str] = &[
    "id",
    "sessionID",
    "type",
    "time",
    "text",
    "content",
    "model",
    "agent",
    "tokens",
    "cost",
    "finish",
    "error",
    "snapshot",
    "files",
    "agents",
    "summary",
    "command",
    "output",
    "callID",
    "shellID",
    "exit",
    "native",
    "providerState",
    "providerContext",
];

impl Message {
    /// Takes in what a message of this generation says.
    fn read_newer(&mut self, kind: &str, json: Json<'_, '_>) {
        self.read(json);
        self.role = match kind {
            "assistant" => Role::Assistant,
            "user" => Role::User,
            _ => Role::Other,
        };
        if let Some(model) = json.get("model") {
            let text = |key: &str| model.str_at(key).unwrap_or_default().to_owned();
            self.model = text("id");
            if self.provider.is_empty() {
                self.provider = text("providerID");
            }
        }
        if let Some(error) = json.get("error").filter(|error| error.is_object()) {
            let name = error.str_at("type").or_else(|| error.str_at("name")).unwrap_or("error");
            let said = error.str_at("message").or_else(|| error.path(&["data", "message"])?.as_filled_str());
            let name = if matches!(name, "aborted" | "interrupted") { "MessageAbortedError" } else { name };
            self.error = Some((name.to_owned(), said.unwrap_or_default().to_owned()));
        }
        let extra = self.extra.begin();
        extra.rest(json, USED);
        extra.text("variant", json.path(&["model", "variant"]).and_then(Json::as_str).unwrap_or_default());
    }
}

/// Makes the rows of a message.
fn tell(scene: &Scene<'_>, kind: &str, json: Json<'_, '_>, to: &mut Gathered, rows: &mut Rows) {
    let text = json.str_at("text");
    match kind {
        "user" => {
            to.text.push_str(text.unwrap_or_default());
            to.is_prompt = true;
            for (key, kind) in [("files", "file"), ("agents", "agent")] {
                for (number, item) in json.get(key).into_iter().flat_map(Json::items).enumerate() {
                    attachment(scene, kind, item, &format!("{}/{kind}{number}", scene.message.id), to, rows);
                }
            }
            scene.close(to, rows);
        }
        "assistant" => {
            if let Some(snapshot) = json.get("snapshot") {
                to.snapshot.push_str(snapshot.str_at("start").unwrap_or_default());
                to.snapshot_after.push_str(snapshot.str_at("end").unwrap_or_default());
            }
            content(scene, json, to, rows);
            if let Some(retry) = json.get("retry").filter(|retry| retry.is_object()) {
                retried(scene, retry, to, rows);
            }
            scene.close(to, rows);
        }
        "shell" => shell(scene, json, to, rows),
        "compaction" => compaction(scene, json, to, rows),
        "synthetic" | "skill" => plain(scene, EventType::Attachment, kind, text, to, rows),
        "system" | "agent-switched" | "model-switched" | "location-switched" | "idle" => {
            plain(scene, EventType::System, kind, text, to, rows);
        }
        _ => {
            plain(scene, EventType::Unknown, kind, text, to, rows);
            to.unknown = true;
        }
    }
}

/// The parts of an answer. They have no ids of their own, and a provider may give two calls the same one.
fn content(scene: &Scene<'_>, json: Json<'_, '_>, to: &mut Gathered, rows: &mut Rows) {
    let mut calls: Vec<&str> = Vec::new();
    for (number, item) in json.get("content").into_iter().flat_map(Json::items).enumerate() {
        let mut id = format!("{}/{number}", scene.message.id);
        if item.str_at("type") == Some("tool") {
            let call = item.str_at("id").unwrap_or_default();
            let before = calls.iter().filter(|known| **known == call).count();
            calls.push(call);
            id = format!("{}/{call}/{before}", scene.message.id);
        }
        let (created_ms, changed_ms) = (scene.message.created_ms, scene.message.changed_ms);
        part(scene, item, PartStamp { id: &id, created_ms, changed_ms, is_newer: true }, to, rows);
    }
}

fn row<'a>(scene: &Scene<'a>, kind: &str, own: i64) -> EventRow<'a> {
    EventRow {
        id: scene.id(kind, &scene.message.id),
        completeness: scene.level(scene.message.changed_ms, own),
        ..scene.row()
    }
}

fn plain(scene: &Scene<'_>, event_type: EventType, kind: &str, text: Option<&str>, to: &mut Gathered, rows: &mut Rows) {
    let mut extra: Extra = scene.message.extra.clone();
    let row = row(scene, "message", 1);
    rows.event(&EventRow {
        event_type,
        role: Some(if event_type == EventType::Attachment { "user" } else { "system" }),
        text,
        extra: extra.text("kind", kind).text("agent", &scene.message.agent).end(),
        ..row
    });
    to.rows += 1;
}

fn attachment(scene: &Scene<'_>, kind: &str, item: Json<'_, '_>, id: &str, to: &mut Gathered, rows: &mut Rows) {
    let mut extra = Extra::default();
    extra.text("kind", kind).rest(item, &["name", "filename", "path"]);
    let name = ["path", "filename", "name"].iter().find_map(|key| item.str_at(key));
    let row = scene.row();
    rows.event(&EventRow {
        id: scene.id("part", id),
        event_type: EventType::Attachment,
        role: Some("user"),
        file_path: name.filter(|_| kind == "file"),
        subagent_type: name.filter(|_| kind == "agent").or(row.subagent_type),
        completeness: scene.level(scene.message.changed_ms, 1),
        extra: extra.end(),
        ..row
    });
    to.rows += 1;
}

fn retried(scene: &Scene<'_>, retry: Json<'_, '_>, to: &mut Gathered, rows: &mut Rows) {
    let mut extra = Extra::default();
    extra.rest(retry, &["error", "at"]);
    let row = row(scene, "retry", 1);
    rows.event(&EventRow {
        event_type: EventType::ErrorEncountered,
        ts_us: retry.i64_at("at").map_or(row.ts_us, time::unix_us),
        text: retry.path(&["error", "message"]).and_then(Json::as_filled_str),
        is_error: Some(true),
        status: Some(Status::Retried),
        extra: extra.end(),
        ..row
    });
    to.rows += 1;
}

/// A command that the user ran.
fn shell(scene: &Scene<'_>, json: Json<'_, '_>, to: &mut Gathered, rows: &mut Rows) {
    let call = json.str_at("shellID").or_else(|| json.str_at("callID")).or(filled(&scene.message.id));
    let mut extra: Extra = scene.message.extra.clone();
    let base =
        EventRow { tool_call_id: call, command: json.str_at("command"), tool_name: Some("shell"), ..scene.row() };
    let is_done = scene.message.completed_ms.is_some();
    rows.event(&EventRow {
        id: scene.id("call", &scene.message.id),
        event_type: EventType::CommandExecution,
        role: Some("user"),
        completeness: scene.level(scene.message.changed_ms, 1 + i64::from(is_done)),
        extra: extra.end(),
        ..base
    });
    to.rows += 1;
    let output =
        json.get("output").and_then(|o| o.as_str().or_else(|| o.str_at("output")).or_else(|| o.str_at("text")));
    if !is_done && output.is_none() {
        return;
    }
    let exit = json.i64_at("exit").and_then(|code| i32::try_from(code).ok());
    rows.event(&EventRow {
        id: scene.id("result", &scene.message.id),
        event_type: EventType::ToolResult,
        role: Some("tool"),
        ts_us: scene.message.completed_ms.map_or(base.ts_us, time::unix_us),
        tool_output: output,
        exit_code: exit,
        is_error: exit.map(|code| code != 0),
        status: json.str_at("status").map(Status::of),
        duration_ms: scene.message.completed_ms.zip(scene.message.created_ms).map(|(to, from)| to.saturating_sub(from)),
        completeness: scene.level(scene.message.changed_ms, 2),
        ..base
    });
    to.rows += 1;
}

/// A summary of what was said, and the request that made it.
fn compaction(scene: &Scene<'_>, json: Json<'_, '_>, to: &mut Gathered, rows: &mut Rows) {
    let mut extra: Extra = scene.message.extra.clone();
    let row = row(scene, "message", 1 + i64::from(json.get("tokens").is_some()));
    let row = scene.message.tokens.usage().on(row);
    rows.event(&EventRow {
        event_type: EventType::Compaction,
        text: json.str_at("summary"),
        status: json.str_at("status").map(Status::of),
        is_error: scene.message.error.as_ref().map(|_| true),
        cost_nano_usd: scene.message.cost.filter(|cost| row.usage_source.is_some() || *cost > 0),
        extra: extra.end(),
        ..row
    });
    to.rows += 1;
}
