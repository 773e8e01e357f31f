//! The CLI's chats: `~/.cursor/chats/<md5 of the folder>/<chat>/store.db`.
//!
//! - `meta` has one row, key `0`: JSON, written as hex digits: `agentId`, `name`, `mode`, `createdAt`,
//!   `lastUsedModel`, `latestRootBlobId`
//! - `blobs(id, data)` never change, the id is the SHA-256 of the data: messages are JSON, nodes are
//!   protobuf and name their children by the 32 bytes of their ids. The chat is what the latest root
//!   leads to, in its order; what it does not lead to was left behind by an edit
//! - a database holds one chat. When it changed it is read whole: the order stands in the root alone.
//!   Blobs come first, the row of `meta` last: with it the chat is put together
//! - messages have no times: they are inferred from the chat's, rising with the order
//! - `meta.json` beside it, of newer versions, knows folder and title; else the agent was told its folder
//! - the root counts tokens of the context as it is now; that is no usage of a call and is not read

use std::collections::{HashMap, HashSet};

use super::AGENT;
use super::extra::scalars;
use super::message::{self, Made, Spot, Talk};
use super::place::{path_of, time_us};
use super::state::reject;
use crate::adapters::json::{Json, ObjectWriter};
use crate::adapters::line::Parser;
use crate::adapters::{DatabaseDecoder, SourceInfo, Taken, UnknownSchema};
use crate::schema::{EventId, EventRow, EventType, Query, Record, RejectReason, Rows, Tables};

/// Bytes of blobs that are kept at most: a longer chat is cut off.
const MOST_BYTES: usize = 96 << 20;

/// Deepest nesting of protobuf messages that is looked into.
const DEEPEST: usize = 8;

/// Field of the root that holds the folder.
const FOLDER_FIELD: u64 = 9;

/// Decodes a chat.
#[derive(Debug)]
pub(super) struct ChatDecoder {
    chat: String,
    sidecar: Option<String>,
    modified_us: i64,
    parser: Parser,
    blobs: HashMap<[u8; 32], Blob>,
    /// Ids of blobs in the order of their rows, for chats without a root.
    order: Vec<[u8; 32]>,
    bytes: usize,
}

#[derive(Debug)]
struct Blob {
    data: Vec<u8>,
    offset: u64,
}

/// One step of the chat: a message blob, or a message inside of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    blob: [u8; 32],
    /// Where the message lies in it.
    from: usize,
    to: usize,
}

/// What `meta` and `meta.json` say of the chat.
#[derive(Debug, Default)]
struct About {
    id: Option<String>,
    name: Option<String>,
    model: Option<String>,
    root: Option<[u8; 32]>,
    created_us: Option<i64>,
    cwd: Option<String>,
    parent: Option<String>,
    is_subagent: bool,
    extra: Option<String>,
}

impl About {
    fn learn(&mut self, json: Json<'_, '_>) {
        let text = |keys: &[&str]| keys.iter().find_map(|key| json.str_at(key)).map(str::to_owned);
        self.id = self.id.take().or_else(|| text(&["agentId"]));
        self.name = text(&["title", "name"]).or(self.name.take());
        self.model = self.model.take().or_else(|| text(&["lastUsedModel"]));
        self.root = self.root.or_else(|| json.str_at("latestRootBlobId").and_then(hash_of_hex));
        let created = ["createdAt", "createdAtMs"].iter().find_map(|key| json.get(key).and_then(time_us));
        self.created_us = self.created_us.or(created);
        self.cwd = self.cwd.take().or_else(|| path_of(json.str_at("cwd")?));
        let parent = ["parentAgentId", "parentConversationId", "parentComposerId"];
        let info = json.get("subagentInfo").filter(|info| info.is_object());
        self.parent = self.parent.take().or_else(|| parent.iter().find_map(|k| info?.str_at(k)).map(str::to_owned));
        self.is_subagent |= info.is_some() || json.get("isSubagent").and_then(Json::as_bool) == Some(true);
    }
}

impl ChatDecoder {
    pub(super) fn new(info: SourceInfo<'_>) -> Self {
        let folder = info.path.rsplit(['/', '\\']).nth(1).unwrap_or_default();
        Self {
            chat: folder.to_owned(),
            sidecar: info.companion("meta.json").map(str::to_owned),
            modified_us: info.modified_us,
            parser: Parser::default(),
            blobs: HashMap::new(),
            order: Vec::new(),
            bytes: 0,
        }
    }

    fn blob(&mut self, id: &str, record: &Record<'_>, rows: &mut Rows) -> Taken {
        let (Some(hash), Some(bytes)) = (hash_of_hex(id), record.value(1).bytes()) else { return Taken::Ignored };
        let data = bytes_of(bytes);
        if self.bytes + data.len() > MOST_BYTES {
            let length = data.len() as u64;
            rows.reject(record.offset(), length, RejectReason::TooLong, "the chat is too long to put together", &data);
            return Taken::Rejected;
        }
        self.bytes += data.len();
        self.order.push(hash);
        self.blobs.insert(hash, Blob { data, offset: record.offset() });
        Taken::Ignored
    }

    fn chat(&mut self, record: &Record<'_>, rows: &mut Rows) -> Taken {
        let (blobs, order) = (std::mem::take(&mut self.blobs), std::mem::take(&mut self.order));
        self.bytes = 0;
        let mut about = About::default();
        let mut parser = std::mem::take(&mut self.parser);
        let hex = record.value(1).bytes().unwrap_or_default();
        let json_text = hex_decoded(hex).unwrap_or_else(|| hex.to_vec());
        let seen = parser.each(&json_text, |json| {
            about.learn(json);
            let used = ["agentId", "name", "createdAt", "lastUsedModel", "latestRootBlobId"];
            let mut extra = String::new();
            let mut object = ObjectWriter::new(&mut extra);
            scalars(json, &used, &mut object);
            about.extra = object.end().then_some(extra);
        });
        let refused = seen.err();
        if let Some(sidecar) = &self.sidecar {
            // A sidecar that is no JSON says nothing.
            drop(parser.each(sidecar.as_bytes(), |json| about.learn(json)));
        }
        let steps = steps_of(&blobs, &order, &mut about);
        let made = self.rows(&about, &blobs, &steps, record, &mut parser, rows);
        self.parser = parser;
        match refused {
            Some(refused) => reject(&refused, record, Some(hex), rows),
            None if made == Made::Unknown => Taken::Unknown,
            None => Taken::Rows,
        }
    }

    fn rows(
        &self,
        about: &About,
        blobs: &HashMap<[u8; 32], Blob>,
        steps: &[Step],
        record: &Record<'_>,
        parser: &mut Parser,
        rows: &mut Rows,
    ) -> Made {
        let chat = about.id.as_deref().unwrap_or(&self.chat);
        let begun = about.created_us.unwrap_or(self.modified_us);
        let base = EventRow {
            ts_us: begun,
            ts_inferred: true,
            session_id: Some(chat),
            parent_session_id: about.parent.as_deref(),
            is_subagent: about.is_subagent.then_some(true),
            cwd: about.cwd.as_deref(),
            source_offset: record.offset(),
            completeness: 1,
            ..EventRow::default()
        };
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "session", &[chat.as_bytes()])),
            ts_inferred: about.created_us.is_none(),
            event_type: EventType::SessionStart,
            turn: Some(0),
            model: about.model.as_deref(),
            extra: about.extra.as_deref(),
            ..base
        });
        if let Some(name) = about.name.as_deref().filter(|name| !name.is_empty()) {
            let id = EventId::of(AGENT, "title", &[chat.as_bytes(), name.as_bytes()]);
            rows.event(&EventRow { id: Some(id), event_type: EventType::Title, text: Some(name), ..base });
        }
        let (mut talk, mut made, mut times) = (Talk::default(), Made::Nothing, HashMap::<&Step, u32>::new());
        for (number, step) in (1_i64..).zip(steps) {
            let Some(blob) = blobs.get(&step.blob) else { continue };
            let nth = times.entry(step).or_default();
            *nth += 1;
            let mut key = step.blob.to_vec();
            key.extend_from_slice(&u32::try_from(step.from).unwrap_or(u32::MAX).to_le_bytes());
            key.extend_from_slice(&nth.to_le_bytes());
            let hex: String = step.blob.iter().map(|byte| format!("{byte:02x}")).collect();
            let own = EventRow {
                ts_us: begun.saturating_add(number),
                model: about.model.as_deref(),
                message_id: Some(&hex),
                source_offset: blob.offset,
                ..base
            };
            let bytes = blob.data.get(step.from..step.to).unwrap_or_default();
            let seen = parser.each(bytes, |json| {
                // The message's own id is the same in whatever blob it is written.
                let spot_key = json.str_at("id").filter(|id| id.len() > 8).map(|id| id.as_bytes().to_vec());
                let completeness = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
                let spot = Spot {
                    key: [chat.as_bytes(), spot_key.as_deref().unwrap_or(&key)],
                    base: EventRow { completeness, ..own },
                    is_copy: false,
                    takes_back: false,
                };
                made = made.max(message::rows_of(json, spot, &mut talk, rows));
            });
            drop(seen);
        }
        made
    }
}

/// The messages of the chat in their order.
fn steps_of(blobs: &HashMap<[u8; 32], Blob>, order: &[[u8; 32]], about: &mut About) -> Vec<Step> {
    let mut walk = Walk { blobs, seen: HashSet::new(), steps: Vec::new(), folder: None };
    match about.root.filter(|root| blobs.contains_key(root)) {
        Some(root) => walk.node(root),
        // Without a root, every message in the order it was written.
        None => order.iter().for_each(|id| walk.message(*id)),
    }
    about.cwd = about.cwd.take().or(walk.folder);
    walk.steps
}

/// Follows the nodes of a chat.
struct Walk<'a> {
    blobs: &'a HashMap<[u8; 32], Blob>,
    seen: HashSet<[u8; 32]>,
    steps: Vec<Step>,
    folder: Option<String>,
}

impl Walk<'_> {
    /// Takes the blob as a message; false when it is none.
    fn message(&mut self, id: [u8; 32]) {
        if let Some(blob) = self.blobs.get(&id)
            && is_message(&blob.data)
        {
            self.steps.push(Step { blob: id, from: 0, to: blob.data.len() });
        }
    }

    /// Follows `root` and all below it, depth first. Nodes are visited once, so circles end; a stack of
    /// its own keeps long chains off the thread's.
    fn node(&mut self, root: [u8; 32]) {
        let mut waiting = vec![root];
        let mut is_root = true;
        while let Some(id) = waiting.pop() {
            let Some(blob) = self.blobs.get(&id) else { continue };
            if is_message(&blob.data) {
                self.message(id);
                continue;
            }
            if !self.seen.insert(id) {
                continue;
            }
            let mut found = Vec::new();
            self.fields(id, &blob.data, 0, (0, is_root), &mut found);
            is_root = false;
            waiting.extend(found.into_iter().rev());
        }
    }

    /// Collects the children that a protobuf message names, and takes the messages that stand in it.
    fn fields(&mut self, id: [u8; 32], data: &[u8], start: usize, at: (usize, bool), found: &mut Vec<[u8; 32]>) {
        let (depth, is_root) = at;
        let mut position = 0;
        while let Some((field, from, to)) = next_bytes(data, &mut position) {
            let Some(bytes) = data.get(from..to) else { return };
            let child = <[u8; 32]>::try_from(bytes).ok().filter(|hash| self.blobs.contains_key(hash));
            if let Some(child) = child {
                found.push(child);
            } else if is_message(bytes) {
                self.steps.push(Step { blob: id, from: start + from, to: start + to });
            } else if is_root && depth == 0 && field == FOLDER_FIELD {
                self.folder = std::str::from_utf8(bytes).ok().and_then(path_of);
            } else if depth < DEEPEST && is_protobuf(bytes) {
                self.fields(id, bytes, start + from, (depth + 1, is_root), found);
            }
        }
    }
}

impl std::hash::Hash for Step {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.blob.hash(state);
        self.from.hash(state);
    }
}

/// True for the JSON of a message.
fn is_message(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'{') && memchr::memmem::find(bytes, b"\"role\"").is_some()
}

/// True when the bytes are protobuf fields from beginning to end.
fn is_protobuf(bytes: &[u8]) -> bool {
    let mut position = 0;
    while next_bytes(bytes, &mut position).is_some() {}
    position == bytes.len() && !bytes.is_empty()
}

/// The next field of a protobuf message that holds bytes: its number, and where they lie. Other fields are
/// skipped; `position` stays where the bytes are no protobuf.
fn next_bytes(data: &[u8], position: &mut usize) -> Option<(u64, usize, usize)> {
    loop {
        let mut at = *position;
        let tag = varint(data, &mut at)?;
        let length = match tag & 7 {
            0 => {
                varint(data, &mut at)?;
                0
            }
            1 => 8,
            2 => usize::try_from(varint(data, &mut at)?).ok()?,
            5 => 4,
            _ => return None,
        };
        let end = at.checked_add(length).filter(|end| *end <= data.len() && tag >> 3 != 0)?;
        *position = end;
        if tag & 7 == 2 {
            return Some((tag >> 3, at, end));
        }
    }
}

fn varint(data: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let byte = *data.get(*at)?;
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn hash_of_hex(text: &str) -> Option<[u8; 32]> {
    hex_decoded(text.trim().as_bytes())?.try_into().ok()
}

fn hex_decoded(text: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?);
    if text.is_empty() { None } else { text.chunks(2).map(pair).collect() }
}

/// A blob's bytes; some versions write them as decimal numbers with commas between.
fn bytes_of(value: &[u8]) -> Vec<u8> {
    let decimal = value.len() > 1 && value.iter().all(|b| b.is_ascii_digit() || *b == b',') && value.contains(&b',');
    let numbers = || std::str::from_utf8(value).ok()?.split(',').map(|n| n.parse().ok()).collect::<Option<Vec<u8>>>();
    if decimal { numbers().unwrap_or_else(|| value.to_vec()) } else { value.to_vec() }
}

impl DatabaseDecoder for ChatDecoder {
    fn queries(&mut self, tables: &Tables) -> Result<Vec<Query>, UnknownSchema> {
        self.blobs.clear();
        self.order.clear();
        self.bytes = 0;
        if !tables.has_column("blobs", "data") || !tables.has_column("meta", "value") {
            let detail = "it has no tables blobs and meta: it is no chat of the Cursor CLI";
            return Err(UnknownSchema { detail: detail.to_owned() });
        }
        // The row of meta has no id of a blob and comes last.
        let sql = "SELECT * FROM (SELECT b.rowid, 0, b.id, b.data FROM blobs b ORDER BY b.rowid LIMIT -1)
                   UNION ALL SELECT m.rowid, 0, NULL, m.value FROM meta m WHERE m.key IN ('0', 0)";
        Ok(vec![Query { name: "chat", sql: sql.to_owned(), anchor: None }])
    }

    fn record(&mut self, record: &Record<'_>, _provisional: bool, rows: &mut Rows) -> Taken {
        match record.text(0) {
            Some(id) => self.blob(&id, record, rows),
            None => self.chat(record, rows),
        }
    }
}
