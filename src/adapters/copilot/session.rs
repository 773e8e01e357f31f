//! What is known of a session outside of its requests, and of the requests as a sequence.

use std::cell::RefCell;

use super::clean::{extra, rest};
use super::ids::{self, FINISHED, Store};
use super::place::Place;
use super::{AGENT, text, uri};
use crate::adapters::json::Json;
use crate::adapters::line::Parser;
use crate::adapters::{SourceInfo, time};
use crate::schema::{EventId, EventRow, EventType, Rows};

/// Members of a session that are columns, stand in rows of their own, or are no content: drafts and
/// prompts that wait are not sent yet.
const USED: [&str; 18] = [
    "requests",
    "sessionId",
    "creationDate",
    "customTitle",
    "computedTitle",
    "workingDirectory",
    "inputState",
    "pendingRequests",
    "requesterAvatarIconUri",
    "responderAvatarIconUri",
    "requesterAvatarIcon",
    "responderAvatarIcon",
    "lastMessageDate",
    "hasPendingEdits",
    "selectedModel",
    "welcomeMessage",
    "input",
    "attachments",
];

/// What stands beside the requests.
#[derive(Debug, Default)]
struct Head {
    session: Option<String>,
    created_us: Option<i64>,
    title: Option<String>,
    cwd: Option<String>,
    repo_url: Option<String>,
    extra: Option<String>,
}

/// The title that was told last.
#[derive(Debug, Default)]
struct Titled {
    text: Option<String>,
    /// When it was given, at the earliest, and after the title before.
    ts_us: i64,
    /// How many titles there were.
    count: i64,
}

/// What must be known of every request to name the turns after it.
#[derive(Debug, Clone, Default)]
struct Noted {
    id: Option<String>,
    prompt: u128,
    /// How many requests before it had this prompt, those that are gone since included.
    nth: usize,
    ts_us: Option<i64>,
}

/// One session, as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) place: Place,
    pub(super) store: Store,
    head: Head,
    titled: Titled,
    /// The session as an export names it: only inside of answers.
    named: Option<String>,
    /// Id of the first request that has one: the name of a session that has none.
    first_request: Option<String>,
    noted: Vec<Noted>,
    /// Requests that were taken out: undone, or asked again.
    gone: Vec<Noted>,
    pub(super) last_us: Option<i64>,
    /// Parses JSON that stands inside strings.
    pub(super) inner: RefCell<Parser>,
}

impl Session {
    pub(super) fn new(info: SourceInfo<'_>, store: Store) -> Self {
        Self { place: Place::new(info), store, ..Self::default() }
    }

    /// Takes in what stands beside the requests.
    pub(super) fn set_head(&mut self, root: Json<'_, '_>) {
        let repo = root.get("repoData");
        self.head = Head {
            session: root.str_at("sessionId").map(str::to_owned),
            created_us: root.get("creationDate").and_then(when),
            title: root.str_at("customTitle").or_else(|| root.str_at("computedTitle")).map(str::to_owned),
            cwd: root.get("workingDirectory").and_then(uri::path_of),
            repo_url: repo.and_then(|r| r.str_at("remoteUrl")).map(str::to_owned),
            extra: extra(|writer| {
                rest(root, &USED, writer);
                let place = &self.place;
                for (key, value) in [
                    ("remote", &place.remote),
                    ("host_path", &place.host_path),
                    ("workspace_file", &place.workspace_file),
                ] {
                    value.iter().for_each(|v| writer.text(key, v));
                }
            }),
        };
        self.last_us = self.last_us.max(self.head.created_us);
    }

    /// Forgets the requests from `index` on, but not that they were asked: what they said has been
    /// handed out under their turns' names, and a transcript has it too.
    pub(super) fn forget_from(&mut self, index: usize) {
        let removed = self.noted.drain(index.min(self.noted.len())..);
        self.gone.extend(removed.filter(|n| n.id.is_some()));
    }

    /// Takes note of the request at `index`; those before it are known already.
    pub(super) fn note(&mut self, index: usize, request: Json<'_, '_>) {
        let prompt = request.get("message").map(text::prompt).unwrap_or_default();
        let prompt = ids::prompt_hash(&prompt);
        let ts_us = request.get("timestamp").and_then(when);
        let id = request_id(request).map(str::to_owned);
        if self.noted.len() <= index {
            self.noted.resize(index + 1, Noted::default());
        }
        let nth = self.nth(index, prompt, id.as_deref());
        self.noted[index] = Noted { id, prompt, nth, ts_us };
        let completed = request.path(&["modelState", "completedAt"]).and_then(when);
        self.last_us = self.last_us.max(ts_us).max(completed);
        if self.named.is_none() {
            let named = request.path(&["result", "metadata"]).and_then(|m| m.str_at("sessionId"));
            self.named = named.map(str::to_owned);
        }
        if self.first_request.is_none() {
            self.first_request = request_id(request).map(str::to_owned);
        }
    }

    /// How many requests had this prompt before the one that is at `index` now. It keeps its number
    /// as long as its prompt stays, also when it was taken out and is put back.
    fn nth(&mut self, index: usize, prompt: u128, id: Option<&str>) -> usize {
        let before = std::mem::take(&mut self.noted[index]);
        let same = before.id.is_none() || before.id.as_deref() == id;
        if same && before.prompt == prompt {
            return before.nth;
        }
        if !same {
            self.gone.push(before);
        }
        let back = id.and_then(|id| self.gone.iter().position(|g| g.id.as_deref() == Some(id)));
        let back = back.map(|at| self.gone.swap_remove(at)).filter(|g| g.prompt == prompt);
        let others = self.noted.iter().chain(&self.gone).filter(|n| n.prompt == prompt);
        back.map_or_else(|| others.map(|n| n.nth + 1).max().unwrap_or_default(), |g| g.nth)
    }

    /// The session's id; exports have none of their own.
    pub(super) fn id(&self) -> Option<&str> {
        let Self { head, place, named, first_request, .. } = self;
        [&head.session, &place.session, named, first_request].into_iter().find_map(Option::as_deref)
    }

    /// Id of the request at `index`.
    pub(super) fn request_at(&self, index: usize) -> Option<&str> {
        self.noted.get(index)?.id.as_deref()
    }

    /// True when another request was made after the one at `index`.
    pub(super) fn is_passed(&self, index: usize) -> bool {
        index + 1 < self.noted.len()
    }

    /// When the request at `index` was asked, if it says so itself.
    pub(super) fn asked(&self, index: usize) -> Option<i64> {
        self.noted.get(index)?.ts_us
    }

    /// Time of the request at `index`, and true when it is a neighbour's.
    pub(super) fn time(&self, index: usize) -> (i64, bool) {
        if let Some(ts_us) = self.asked(index) {
            return (ts_us, false);
        }
        let before = self.noted.iter().take(index).rev().find_map(|n| n.ts_us);
        (before.or(self.head.created_us).unwrap_or(self.place.modified_us), true)
    }

    /// Name of the turn of the request at `index`.
    pub(super) fn turn(&self, index: usize, request: Json<'_, '_>) -> String {
        let version = request.get("agent").and_then(|a| a.str_at("extensionVersion"));
        let session = self.id().unwrap_or_default();
        match (ids::keeps_transcripts(version), request_id(request)) {
            (false, Some(id)) => id.to_owned(),
            (false, None) => format!("{session}/{index}"),
            (true, _) => {
                let (prompt, nth) = self.noted.get(index).map(|n| (n.prompt, n.nth)).unwrap_or_default();
                ids::shared_turn(session, prompt, nth)
            }
        }
    }

    /// A row with what is the same for the whole session.
    pub(super) fn row(&self) -> EventRow<'_> {
        EventRow {
            session_id: self.id(),
            workspace_id: self.place.workspace_id.as_deref(),
            cwd: self.head.cwd.as_deref().or(self.place.cwd.as_deref()),
            repo_url: self.head.repo_url.as_deref().or(self.place.repo_url.as_deref()),
            completeness: self.store.rank(FINISHED),
            ..EventRow::default()
        }
    }

    /// Takes note of a title that is new. Logs do not say when it was given: after the newest request
    /// that is known, and after the title before.
    pub(super) fn note_title(&mut self) {
        let Some(title) = self.head.title.as_ref().filter(|t| self.titled.text.as_ref() != Some(t)) else { return };
        let known = self.last_us.unwrap_or(self.place.modified_us);
        let ts_us = known.max(self.titled.ts_us + 1);
        self.titled = Titled { text: Some(title.clone()), ts_us, count: self.titled.count + 1 };
    }

    /// The session's beginning and its title, which has been noted; a session without a request has neither.
    pub(super) fn head_rows(&self, offset: u64, rows: &mut Rows) {
        let (Some(id), false) = (self.id(), self.noted.is_empty()) else { return };
        let started = self.head.created_us.or_else(|| self.noted.iter().find_map(|n| n.ts_us));
        let ts_us = started.unwrap_or(self.place.modified_us);
        if self.head.session.is_some() || self.place.session.is_some() {
            rows.event(&EventRow {
                id: Some(EventId::of(AGENT, "session", &[id.as_bytes()])),
                event_type: EventType::SessionStart,
                ts_us,
                // A transcript of the session has its own time for it.
                ts_inferred: true,
                turn: Some(0),
                source_offset: offset,
                extra: self.head.extra.as_deref(),
                ..self.row()
            });
        }
        if let Some(title) = self.head.title.as_deref() {
            rows.event(&EventRow {
                id: Some(EventId::of(AGENT, "title", &[id.as_bytes(), title.as_bytes()])),
                event_type: EventType::Title,
                ts_us: self.titled.ts_us,
                ts_inferred: true,
                text: Some(title),
                source_offset: offset,
                // Of two titles at one time, and of a title that was given twice, the later look counts.
                completeness: self.place.modified_us + self.titled.count,
                ..self.row()
            });
        }
    }

    /// A change of a kind that this version does not know.
    pub(super) fn unknown_row(&self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) {
        let facts = extra(|writer| rest(json, &[], writer));
        rows.event(&EventRow {
            event_type: EventType::Unknown,
            ts_us: self.last_us.unwrap_or(self.place.modified_us),
            ts_inferred: true,
            source_offset: offset,
            extra: facts.as_deref(),
            ..self.row()
        });
    }
}

/// Id of a request; some exporters call it `id`.
pub(super) fn request_id<'i>(request: Json<'_, 'i>) -> Option<&'i str> {
    request.str_at("requestId").or_else(|| request.str_at("id"))
}

/// Microseconds since 1970 of a time: milliseconds as a number, RFC 3339 as text.
pub(super) fn when(value: Json<'_, '_>) -> Option<i64> {
    match value.as_str() {
        Some(text) => time::rfc3339_us(text),
        None => value.as_i64().filter(|n| *n > 0).map(time::unix_us),
    }
}

/// True when nothing more is to come of a request: it has a result, and its state is none that goes
/// on. A request that is still answered is *stored* as cancelled, but without a result.
pub(super) fn is_final(request: Json<'_, '_>) -> bool {
    let state = request.get("modelState").and_then(|s| s.i64_at("value").or_else(|| s.as_i64()));
    request.get("result").is_some_and(|r| !r.is_blank()) && !matches!(state, Some(0 | 4))
}
