//! `state.vscdb`, of the editor or of one workspace.
//!
//! - both tables have `key TEXT UNIQUE ON CONFLICT REPLACE`: every write gives the key a new, largest
//!   row id, so what changed is what lies above the last one; the queries walk row ids and compare keys
//!   on the way (`NOT INDEXED`), and fetch values only of keys they want. The database may be of 5 GB
//! - programs that update a row where it stands leave its row id: of the rows handed out lately the reader
//!   watches the sizes, and asks for those again that changed (a change that keeps the size is not seen)
//! - a chat comes before its changed bubbles, whether it changed itself or not: bubbles get their order
//!   and number of turn from its list
//! - a bubble that the list does not name was left over by an edit when the list is younger than the
//!   bubble, and is ignored; when the bubble is younger, the list may name it in a moment: it is held
//!   until it is named or the agent falls silent, and ignored then

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::bubble::{self, Scene};
use super::composer::Composer;
use super::items::{ITEMS, Items};
use super::place::{workspace_folder, workspace_id};
use super::words::named;
use crate::adapters::json::Json;
use crate::adapters::line::{Parser, Refused};
use crate::adapters::{DatabaseDecoder, SourceInfo, Taken, UnknownSchema};
use crate::schema::{Query, Record, RejectReason, Rows, Tables};

const CHATS: &str = "chats";
const HEADS: &str = "heads";

/// Columns of the query [`CHATS`].
mod column {
    pub(super) const CHAT: usize = 0;
    pub(super) const BUBBLE: usize = 1;
    pub(super) const ROWID: usize = 2;
    pub(super) const VALUE: usize = 3;
    /// From here on the same as in the query [`super::HEADS`], behind its first.
    pub(super) const HEAD: usize = 4;
}

/// Decodes `state.vscdb`.
#[derive(Debug)]
pub(super) struct StateDecoder {
    cwd: Option<String>,
    workspace_id: Option<String>,
    modified_us: i64,
    outer: RefCell<Parser>,
    inner: Parser,
    third: Parser,
    current: Arc<Composer>,
    /// Chats of the bubbles that are held.
    held: RefCell<HashMap<String, Arc<Composer>>>,
    items: Items,
}

impl StateDecoder {
    pub(super) fn new(info: SourceInfo<'_>) -> Self {
        let cwd = info.companion("workspace.json").and_then(workspace_folder);
        let workspace_id = workspace_id(info.path).map(str::to_owned);
        Self {
            items: Items::new(cwd.clone(), workspace_id.clone(), info.modified_us),
            cwd,
            workspace_id,
            modified_us: info.modified_us,
            outer: RefCell::default(),
            inner: Parser::default(),
            third: Parser::default(),
            current: Arc::default(),
            held: RefCell::default(),
        }
    }

    /// The chat that a bubble's record belongs to.
    fn composer_of(&self, id: &str) -> Option<Arc<Composer>> {
        if self.current.id == id { Some(Arc::clone(&self.current)) } else { self.held.borrow().get(id).cloned() }
    }

    /// The entry of a chat in the table of chats: JSON, workspace, sub-agent, kind.
    fn learn_head(&mut self, record: &Record<'_>, at: usize, composer: &mut Composer) {
        if let Some(bytes) = record.value(at).bytes() {
            // An entry that is no JSON says nothing.
            drop(self.inner.each(bytes, |json| composer.learn(json)));
        }
        let (workspace, kind) = (record.text(at + 1), record.text(at + 3));
        if workspace.is_some() || kind.is_some() || record.integer(at + 2).is_some() {
            composer.learn_columns(workspace.as_deref(), record.integer(at + 2), kind.as_deref());
        }
    }

    fn chat(&mut self, id: &str, record: &Record<'_>, rows: &mut Rows) -> Taken {
        let mut composer = Composer::new(id, self.modified_us);
        self.learn_head(record, column::HEAD, &mut composer);
        let value = record.value(column::VALUE).bytes();
        let mut taken = Taken::Ignored;
        let mut parser = self.outer.take();
        let seen = value.map(|bytes| {
            parser.each(bytes, |json| {
                composer.rowid = record.integer(column::ROWID).unwrap_or(i64::MIN);
                composer.learn(json);
                composer.lies_in(self.cwd.as_deref(), self.workspace_id.as_deref());
                if json.is_object() && !record_is_repeated(record) {
                    taken = Taken::Rows;
                    composer.rows(json, record.offset(), rows);
                    let mut parsers = (&mut self.inner, &mut self.third);
                    inline(json, &composer, record.offset(), &mut parsers, rows);
                }
            })
        });
        self.outer.replace(parser);
        self.current = Arc::new(composer);
        match seen {
            Some(Err(refused)) => reject(&refused, record, value, rows),
            _ => taken,
        }
    }

    fn bubble(&mut self, chat: &str, id: &str, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
        // A deleted bubble leaves its key.
        let Some(bytes) = record.value(column::VALUE).bytes() else { return Taken::Ignored };
        let Some(composer) = self.composer_of(chat) else { return Taken::Ignored };
        let place = composer.places.get(id).copied();
        if place.is_none() && (composer.is_listed || !composer.is_known) {
            return Taken::Ignored;
        }
        let is_writing = composer.is_writing(id);
        let mut taken = Taken::Ignored;
        let mut parser = self.outer.take();
        let seen = parser.each(bytes, |json| {
            let is_open = is_writing || bubble::has_open_tool(json);
            let scene = Scene { composer: &composer, place, offset: record.offset(), provisional, is_open };
            if json.is_object() {
                taken = bubble::rows_of(json, id, scene, &mut self.inner, rows);
            }
        });
        self.outer.replace(parser);
        match seen {
            Ok(_) => taken,
            Err(refused) if provisional => {
                drop(refused);
                Taken::Ignored
            }
            Err(refused) => reject(&refused, record, Some(bytes), rows),
        }
    }

    fn head(&mut self, id: &str, record: &Record<'_>, rows: &mut Rows) -> Taken {
        let mut composer = Composer::new(id, self.modified_us);
        self.learn_head(record, 1, &mut composer);
        let mut made = false;
        let bytes = record.value(1).bytes();
        let seen =
            bytes.map(|bytes| self.inner.each(bytes, |json| made = composer.belongs(json, record.offset(), rows)));
        match seen {
            Some(Err(refused)) => reject(&refused, record, bytes, rows),
            _ if made => Taken::Rows,
            _ => Taken::Ignored,
        }
    }
}

/// True when the chat itself is older than the bubbles it is fetched for: its rows were handed out.
fn record_is_repeated(record: &Record<'_>) -> bool {
    record.integer(column::HEAD + 4) == Some(0)
}

/// Bubbles and tools that stand in the chat itself, as in versions 1 and 2.
pub(super) fn inline(
    json: Json<'_, '_>,
    composer: &Composer,
    offset: u64,
    parsers: &mut (&mut Parser, &mut Parser),
    rows: &mut Rows,
) {
    for (id, bubble) in json.get("conversation").into_iter().flat_map(|list| named(list, "bubbleId")) {
        let is_open = composer.is_writing(&id);
        let place = composer.places.get(&*id).copied();
        let scene = Scene { composer, place, offset, provisional: false, is_open };
        bubble::rows_of(bubble, &id, scene, parsers.0, rows);
    }
    bubble::capability_rows(json, composer, offset, (parsers.0, parsers.1), rows);
}

pub(super) fn reject(refused: &Refused, record: &Record<'_>, bytes: Option<&[u8]>, rows: &mut Rows) -> Taken {
    let bytes = bytes.unwrap_or_default();
    rows.reject(record.offset(), bytes.len() as u64, refused.reason, &refused.detail, bytes);
    Taken::Rejected
}

/// Identity of the row of a table of keys: the key, and the size of the value, which is known without
/// reading it.
pub(super) fn anchor(table: &str) -> String {
    format!("SELECT key || ':' || ifnull(octet_length(value), -1) FROM {table} WHERE rowid = :rowid")
}

/// The query of chats and their bubbles.
fn chats(tables: &Tables) -> Query {
    let head = |column: &str| tables.column_or_null("composerHeaders", "h", column);
    let has_heads = tables.has_column("composerHeaders", "composerId");
    let (columns, join) = if has_heads {
        let columns = ["value", "workspaceId", "isSubagent", "subagentTypeName"].map(head).join(", ");
        (columns, "LEFT JOIN composerHeaders h ON t.bubble IS NULL AND h.composerId = t.chat")
    } else {
        ("NULL, NULL, NULL, NULL".to_owned(), "")
    };
    // The list of what changed is small; LIMIT keeps its order, which puts each chat before its bubbles.
    let sql = format!(
        "WITH changed(chat, bubble, r) AS MATERIALIZED (
           SELECT substr(k.key, 14), NULL, k.rowid FROM cursorDiskKV k NOT INDEXED
           WHERE k.rowid > :rowid AND k.rowid <= :until AND k.key >= 'composerData:' AND k.key < 'composerData;'
           UNION ALL
           SELECT substr(k.key, 10, instr(substr(k.key, 10), ':') - 1),
                  substr(k.key, 10 + instr(substr(k.key, 10), ':')), k.rowid FROM cursorDiskKV k NOT INDEXED
           WHERE k.rowid > :rowid AND k.rowid <= :until AND k.key >= 'bubbleId:' AND k.key < 'bubbleId;'
             AND instr(substr(k.key, 10), ':') > 1
         ), todo(chat, bubble, r, own) AS MATERIALIZED (
           SELECT chat, NULL, max(r), max(bubble IS NULL) FROM changed GROUP BY chat
           UNION ALL SELECT chat, bubble, r, 1 FROM changed WHERE bubble IS NOT NULL
           ORDER BY 1, 2 LIMIT -1
         )
         SELECT ifnull(k.rowid, t.r), 0, t.chat, t.bubble, k.rowid, k.value, {columns}, t.own
         FROM todo t LEFT JOIN cursorDiskKV k
           ON k.key = CASE WHEN t.bubble IS NULL THEN 'composerData:' || t.chat
                           ELSE 'bubbleId:' || t.chat || ':' || t.bubble END {join}"
    );
    Query { name: CHATS, sql, anchor: Some(anchor("cursorDiskKV")) }
}

/// The query of the table of chats: some hundred short rows.
fn heads(tables: &Tables) -> Query {
    let column = |name: &str| tables.column_or_null("composerHeaders", "h", name);
    let changed = tables.has_column("composerHeaders", "lastUpdatedAt");
    let (mark, newer) =
        if changed { ("ifnull(h.lastUpdatedAt, 0)", " OR ifnull(h.lastUpdatedAt, 0) > :mark") } else { ("0", "") };
    let columns = ["value", "workspaceId", "isSubagent", "subagentTypeName"].map(column).join(", ");
    let sql =
        format!("SELECT h.rowid, {mark}, h.composerId, {columns} FROM composerHeaders h WHERE h.rowid > :rowid{newer}");
    Query { name: HEADS, sql, anchor: Some("SELECT composerId FROM composerHeaders WHERE rowid = :rowid".to_owned()) }
}

impl DatabaseDecoder for StateDecoder {
    fn queries(&mut self, tables: &Tables) -> Result<Vec<Query>, UnknownSchema> {
        let keyed = |table: &str| tables.has_column(table, "key") && tables.has_column(table, "value");
        let mut queries = Vec::new();
        if keyed("ItemTable") {
            queries.push(self.items.query());
        }
        if tables.has_column("composerHeaders", "composerId") {
            queries.push(heads(tables));
        }
        if keyed("cursorDiskKV") {
            queries.push(chats(tables));
        }
        if queries.is_empty() {
            let detail = "it has neither a table ItemTable nor a table cursorDiskKV with key and value: it is no state.vscdb of Cursor; give its own path with --path if it lies elsewhere";
            return Err(UnknownSchema { detail: detail.to_owned() });
        }
        Ok(queries)
    }

    fn is_settled(&self, record: &Record<'_>) -> bool {
        if record.query != CHATS {
            return true;
        }
        let (Some(chat), Some(id)) = (record.text(column::CHAT), record.value(column::BUBBLE).text()) else {
            return true;
        };
        let Some(bytes) = record.value(column::VALUE).bytes() else { return true };
        let Some(composer) = self.composer_of(&chat) else { return true };
        let unnamed = composer.is_listed && !composer.places.contains_key(id.as_ref());
        let settled = if unnamed {
            record.rowid <= composer.rowid
        } else {
            !composer.is_writing(&id) && !is_tool_open(bytes, &mut self.outer.borrow_mut())
        };
        if !settled {
            self.held.borrow_mut().insert(chat.into_owned(), composer);
        }
        settled
    }

    fn record(&mut self, record: &Record<'_>, provisional: bool, rows: &mut Rows) -> Taken {
        if record.query == ITEMS {
            return self.items.record(record, &mut self.inner, &mut self.third, rows);
        }
        let Some(chat) = record.text(column::CHAT) else { return Taken::Ignored };
        // A bubble may be called "".
        match record.value(column::BUBBLE).text() {
            _ if record.query == HEADS => self.head(&chat, record, rows),
            None => self.chat(&chat, record, rows),
            Some(id) => self.bubble(&chat, &id, record, provisional, rows),
        }
    }
}

/// True when the bubble's tool is going on. Few bubbles have one of the words, so few are parsed twice.
fn is_tool_open(bytes: &[u8], parser: &mut Parser) -> bool {
    let words = ["\"loading\"", "\"running\"", "\"pending\"", "\"generating\"", "\"streaming\"", "\"in_progress\""];
    let mut open = false;
    words.iter().any(|word| memchr::memmem::find(bytes, word.as_bytes()).is_some())
        && parser.each(bytes, |json| open = bubble::has_open_tool(json)).is_ok()
        && open
}

/// A record whose JSON has the wrong shape.
pub(super) fn wrong_shape(detail: &str, record: &Record<'_>, bytes: &[u8], rows: &mut Rows) -> Taken {
    rows.reject(record.offset(), bytes.len() as u64, RejectReason::WrongShape, detail, bytes);
    Taken::Rejected
}

/// Texts that were said in chats, to tell them in the lists of prompts.
pub(super) type Said = HashSet<u64>;
