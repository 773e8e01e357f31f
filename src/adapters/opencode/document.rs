//! Documents: the tree of JSON files of the time before the database, and exports.
//!
//! ```text
//! storage/session/<project>/ses_….json          info of a session
//! storage/message/<session>/msg_….json          info of a message; comes with its parts and session
//! storage/part/<message>/prt_….json             a part
//! project/<folder>/storage/session/{info,message/<session>,part/<session>/<message>}/…    the same, older
//! ```
//!
//! - a message's text is in its parts, so it is read with them; a part that is read by itself gives
//!   the same rows, less complete
//! - a message that its model is still writing is open
//! - an export is `{info, messages: [{info, parts}]}`; what the program printed before it is skipped

use super::message::{Ground, Message, Role, Scene, Session};
use super::part::{Gathered, PartStamp, part};
use super::session::SessionRow;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::line::Parser;
use crate::adapters::{Companion, Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, RejectReason, Rows};

/// Agent of these documents: its kin began with the database.
const AGENT: &str = "opencode";

/// What a document holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Session,
    Message,
    Part,
    Export,
}

/// What became of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Rows,
    Unknown,
    Nothing,
    Refused(RejectReason, String),
}

/// Decodes one document.
#[derive(Debug)]
pub(super) struct DocumentDecoder {
    kind: Kind,
    path: String,
    /// Contents of the small files beside it.
    beside: Vec<(String, String)>,
    modified_us: i64,
    read_to: u64,
    open: Option<(u64, Vec<u8>)>,
    last_us: Option<i64>,
}

impl DocumentDecoder {
    pub(super) fn new(kind: Kind, info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let owned = |companion: &Companion<'_>| (companion.name.to_owned(), companion.text.to_owned());
        Self {
            kind,
            path: info.path.replace('\\', "/"),
            beside: info.companions.iter().map(owned).collect(),
            modified_us: info.modified_us,
            read_to: checkpoint.filter(|c| !c.open).map_or(0, |c| c.high_water),
            open: None,
            last_us: checkpoint.and_then(|c| c.state.parse().ok()),
        }
    }

    /// Name of the folder that the document is in.
    fn folder(&self) -> &str {
        self.path.rsplit('/').nth(1).unwrap_or_default()
    }

    /// Makes the rows of the document.
    fn decode(&self, bytes: &[u8], offset: u64, provisional: bool, rows: &mut Rows) -> Outcome {
        let bytes = if self.kind == Kind::Export { without_log(bytes) } else { bytes };
        let mut work = Work {
            decoder: self,
            offset,
            provisional,
            gathered: Gathered::default(),
            extra: Extra::default(),
            unknown: false,
            made: 0,
        };
        let mut wrong = false;
        let read = Parser::default().each(bytes, |json| match self.kind {
            _ if !json.is_object() => wrong = true,
            Kind::Session => wrong |= !work.session(json, rows),
            Kind::Message => wrong |= !work.message(json, rows),
            Kind::Part => wrong |= !work.part(json, rows),
            Kind::Export => wrong |= !work.export(json, rows),
        });
        match read {
            Err(refused) => Outcome::Refused(refused.reason, refused.detail),
            Ok(_) if wrong => {
                Outcome::Refused(RejectReason::WrongShape, "it is not the kind of record its place says".to_owned())
            }
            Ok(_) if work.unknown => Outcome::Unknown,
            Ok(_) if work.made > 0 => Outcome::Rows,
            Ok(_) => Outcome::Nothing,
        }
    }

    /// Decodes and counts.
    fn close(&self, bytes: &[u8], offset: u64, rows: &mut Rows) {
        let outcome = self.decode(bytes, offset, false, rows);
        rows.counts().lines += 1;
        match outcome {
            Outcome::Rows => rows.counts().line_rows += 1,
            Outcome::Unknown => {
                rows.counts().line_rows += 1;
                rows.counts().unknown_types += 1;
            }
            Outcome::Nothing => rows.counts().ignored += 1,
            Outcome::Refused(reason, detail) => rows.reject(offset, bytes.len() as u64, reason, &detail, bytes),
        }
    }
}

/// An export from its first line that is JSON on.
fn without_log(bytes: &[u8]) -> &[u8] {
    let starts = memchr::memchr_iter(b'{', bytes).filter(|at| *at == 0 || bytes.get(at - 1) == Some(&b'\n'));
    for start in starts.take(64) {
        let rest = bytes.get(start..).unwrap_or_default();
        if serde_json::from_slice::<serde::de::IgnoredAny>(rest).is_ok() {
            return rest;
        }
    }
    bytes
}

/// True when the model has not finished the message.
fn is_unfinished(bytes: &[u8]) -> bool {
    let mut unfinished = false;
    let read = Parser::default().each(bytes, |json| {
        let mut message = Message::default();
        message.read(json);
        unfinished = json.is_object() && !message.is_finished();
    });
    unfinished && read.is_ok()
}

/// True when the call that the part is has not ended.
fn is_running(bytes: &[u8]) -> bool {
    let mut running = false;
    let read = Parser::default().each(bytes, |json| {
        let status = json.path(&["state", "status"]).and_then(Json::as_str);
        running = matches!(status, Some("pending" | "running"));
    });
    running && read.is_ok()
}

/// One decoding of one document.
struct Work<'a> {
    decoder: &'a DocumentDecoder,
    offset: u64,
    provisional: bool,
    gathered: Gathered,
    extra: Extra,
    unknown: bool,
    made: usize,
}

impl Work<'_> {
    fn session(&mut self, info: Json<'_, '_>, rows: &mut Rows) -> bool {
        let session = Session::of_json(info);
        if session.id.is_empty() || info.get("time").is_none() {
            return false;
        }
        let used =
            ["id", "parentID", "directory", "version", "workspaceID", "projectID", "title", "time", "share", "revert"];
        let updated = info.path(&["time", "updated"]).and_then(Json::as_i64).unwrap_or(0);
        SessionRow {
            agent: AGENT,
            session: &session,
            title: info.str_at("title"),
            created_ms: info.path(&["time", "created"]).and_then(Json::as_i64),
            modified_ms: self.decoder.modified_us / 1000,
            extra: self.extra.begin().rest(info, &used).end(),
            // Below every time of change in a database.
            level: (updated / 1000).clamp(0, i64::from(u32::MAX)),
            offset: self.offset,
        }
        .write(rows);
        self.made += 1;
        true
    }

    fn message(&mut self, info: Json<'_, '_>, rows: &mut Rows) -> bool {
        let mut message = Message { session_id: self.decoder.folder().to_owned(), ..Message::default() };
        if let Some(own) = info.str_at("sessionID") {
            own.clone_into(&mut message.session_id);
        }
        message.read(info);
        if message.id.is_empty() || message.role == Role::Other {
            return false;
        }
        let mut session = Session { id: message.session_id.clone(), ..Session::default() };
        let mut parts: Vec<&(String, String)> = Vec::new();
        for beside in &self.decoder.beside {
            if beside.0.strip_suffix(".json") == Some(&message.session_id) {
                // A session that cannot be read leaves its columns null.
                Parser::default()
                    .each(beside.1.as_bytes(), |json| session = Session::of_json(json))
                    .unwrap_or_default();
            } else {
                parts.push(beside);
            }
        }
        parts.sort();
        self.gathered.begin();
        let (decoder, offset, provisional) = (self.decoder, self.offset, self.provisional);
        let scene = Scene {
            agent: AGENT,
            session: &session,
            message: &message,
            ground: Ground::Files,
            provisional,
            offset,
            modified_ms: decoder.modified_us / 1000,
        };
        for inline in info.get("parts").into_iter().flat_map(Json::items) {
            let id = format!("{}/{}", message.id, self.gathered.rows);
            part(&scene, inline, PartStamp { id: &id, ..PartStamp::default() }, &mut self.gathered, rows);
        }
        let mut parser = Parser::default();
        for (name, text) in parts {
            let stamp = PartStamp { id: name.strip_suffix(".json").unwrap_or(name), ..PartStamp::default() };
            let gathered = &mut self.gathered;
            // A part that is being written is left out; it comes with the next change of its message.
            parser.each(text.as_bytes(), |json| part(&scene, json, stamp, gathered, rows)).unwrap_or_default();
        }
        scene.close(&mut self.gathered, rows);
        self.made += self.gathered.rows;
        self.unknown |= self.gathered.unknown;
        true
    }

    /// A part without its message: its text is the message's, as far as one part tells.
    fn part(&mut self, json: Json<'_, '_>, rows: &mut Rows) -> bool {
        let message_id = json.str_at("messageID").unwrap_or_else(|| self.decoder.folder());
        if json.str_at("type").is_none() || json.str_at("id").is_none() {
            return false;
        }
        // Only a model's texts carry the time that it took to write them.
        let is_prompt = json.str_at("type") == Some("text") && json.get("time").is_none();
        let message = Message {
            id: message_id.to_owned(),
            session_id: json.str_at("sessionID").unwrap_or_default().to_owned(),
            role: if is_prompt { Role::User } else { Role::Assistant },
            created_ms: json.path(&["time", "start"]).and_then(Json::as_i64),
            ..Message::default()
        };
        let session = Session::default();
        self.gathered.begin();
        let scene = Scene {
            agent: AGENT,
            session: &session,
            message: &message,
            ground: Ground::Part,
            provisional: self.provisional,
            offset: self.offset,
            modified_ms: self.decoder.modified_us / 1000,
        };
        part(&scene, json, PartStamp::default(), &mut self.gathered, rows);
        if !self.gathered.text.is_empty() {
            scene.close(&mut self.gathered, rows);
        }
        self.made += self.gathered.rows;
        self.unknown |= self.gathered.unknown;
        true
    }

    fn export(&mut self, json: Json<'_, '_>, rows: &mut Rows) -> bool {
        let (Some(info), Some(messages)) = (json.get("info"), json.get("messages")) else { return false };
        if !self.session(info, rows) {
            return false;
        }
        let session = Session::of_json(info);
        let mut turn = 0;
        for item in messages.items() {
            let (Some(info), parts) = (item.get("info"), item.get("parts")) else {
                self.unknown = true;
                continue;
            };
            let mut message = Message { session_id: session.id.clone(), ..Message::default() };
            message.read(info);
            let says = |part: Json<'_, '_>| {
                let flag = |key: &str| part.get(key).and_then(Json::as_bool) == Some(true);
                match part.str_at("type") {
                    Some("subtask") => true,
                    Some("text") => !flag("synthetic") && !flag("ignored"),
                    _ => false,
                }
            };
            let is_prompt = message.role == Role::User && parts.into_iter().flat_map(Json::items).any(says);
            turn += i32::from(is_prompt);
            message.turn = Some(turn);
            self.gathered.begin();
            let scene = Scene {
                agent: AGENT,
                session: &session,
                message: &message,
                ground: Ground::Files,
                provisional: self.provisional,
                offset: self.offset,
                modified_ms: self.decoder.modified_us / 1000,
            };
            for json in parts.into_iter().flat_map(Json::items) {
                part(&scene, json, PartStamp::default(), &mut self.gathered, rows);
            }
            scene.close(&mut self.gathered, rows);
            self.made += self.gathered.rows;
            self.unknown |= self.gathered.unknown;
        }
        true
    }
}

impl Decoder for DocumentDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        self.read_to = line.end;
        let is_open = match self.kind {
            Kind::Message => is_unfinished(line.bytes),
            Kind::Part => is_running(line.bytes),
            Kind::Session | Kind::Export => false,
        };
        if is_open {
            self.open = Some((line.offset, line.bytes.to_vec()));
        } else {
            self.close(line.bytes, line.offset, rows);
        }
        self.last_us = Some(self.modified_us);
    }

    fn settle(&mut self, rows: &mut Rows) {
        if let Some((offset, bytes)) = self.open.take() {
            self.close(&bytes, offset, rows);
        }
    }

    fn provisional(&self, rows: &mut Rows) {
        if let Some((offset, bytes)) = &self.open {
            let counts = *rows.counts();
            self.decode(bytes, *offset, true, rows);
            *rows.counts() = counts;
        }
    }

    fn is_open(&self) -> bool {
        self.open.is_some()
    }

    fn checkpoint(&self) -> Checkpoint {
        let at = self.open.as_ref().map_or(self.read_to, |(offset, _)| *offset);
        let state = self.last_us.map(|us| us.to_string()).unwrap_or_default();
        Checkpoint { resume_at: at, high_water: at, open: self.open.is_some(), state }
    }

    fn last_us(&self) -> Option<i64> {
        self.last_us
    }
}
