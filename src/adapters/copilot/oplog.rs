//! The log of changes to a session, `chatSessions/*.jsonl`.
//!
//! - `{"kind":0,"v"}` is a whole session: the first line, and the only one after the file was compacted.
//!   The last one counts
//! - `{"kind":1,"k","v"}` sets; without `v` it removes
//! - `{"kind":2,"k","v","i"}` cuts the array at `k` off at `i`, if that is there, and appends
//! - `{"kind":3,"k"}` removes
//!
//! Changes rewrite what was there: streaming text, states of tools. So the log is replayed into the
//! document, and a request's rows are handed out when it is finished and the next line is about
//! something else, or takes it out: a prompt that is asked again replaces the attempt before. After a
//! restart the log is replayed from its beginning.
//!
//! Drafts (`inputState`) and prompts that wait (`pendingRequests`) are never taken in.

use serde::{Deserialize, Serialize};

use super::ids::Store;
use super::request::{Spot, rows_of};
use super::session::{Session, is_final, request_id};
use super::tree::{Misfit, Node, Step, path};
use crate::adapters::json::Json;
use crate::adapters::line::Parser;
use crate::adapters::outcome::{Outcome, count};
use crate::adapters::{Decoder, Line, SourceInfo};
use crate::schema::{Checkpoint, Rows};

/// Members of a session that hold what has not been sent.
const UNSENT: [&str; 2] = ["inputState", "pendingRequests"];

/// Members of a request by which it is known.
const NAMING: [&str; 5] = ["requestId", "id", "message", "agent", "timestamp"];

/// One request of the document.
#[derive(Debug)]
struct Entry {
    node: Node,
    /// It has changed since its rows were handed out.
    dirty: bool,
    is_final: bool,
    /// Only what names it is left; the editor changes it no more.
    sealed: bool,
    /// Offset of the last line that changed it.
    offset: u64,
}

/// What a line was about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Touch {
    Nothing,
    Head,
    /// Requests from this one on, or only this one.
    From(usize),
    One(usize),
}

/// What is not handed out yet, for a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Held {
    requests: Vec<usize>,
    head: bool,
}

/// Decodes one log of changes.
#[derive(Debug)]
pub(super) struct OpLogDecoder {
    parser: Parser,
    core: Core,
    read_to: u64,
    /// Lines before this rebuild only.
    high_water: u64,
    held: Option<Held>,
}

#[derive(Debug)]
struct Core {
    session: Session,
    root: Node,
    entries: Vec<Entry>,
    sealed: usize,
    head_dirty: bool,
    head_offset: u64,
    inner: Parser,
}

impl OpLogDecoder {
    /// Starts at byte 0; `checkpoint` says from where on lines count.
    #[must_use]
    pub(super) fn new(info: SourceInfo<'_>, checkpoint: Option<&Checkpoint>) -> Self {
        let core = Core {
            session: Session::new(info, Store::Log),
            root: Node::object(),
            entries: Vec::new(),
            sealed: 0,
            head_dirty: false,
            head_offset: 0,
            inner: Parser::default(),
        };
        Self {
            parser: Parser::default(),
            core,
            read_to: 0,
            high_water: checkpoint.map_or(0, |c| c.high_water),
            held: checkpoint.map(|c| serde_json::from_str(&c.state).unwrap_or_default()),
        }
    }

    /// All lines that were handed out before have been replayed: what is dirty is what was then.
    fn caught_up(&mut self) {
        if let Some(held) = self.held.take() {
            for (index, entry) in self.core.entries.iter_mut().enumerate() {
                entry.dirty = held.requests.contains(&index);
            }
            self.core.head_dirty = held.head;
        }
    }
}

impl Core {
    fn take(&mut self, json: Json<'_, '_>, line: Line<'_>) -> Result<Touch, Misfit> {
        let value = json.get("v");
        let kind = json.i64_at("kind").ok_or(Misfit)?;
        let steps = if kind == 0 { Vec::new() } else { json.get("k").and_then(path).ok_or(Misfit)? };
        let Some((first, rest)) = steps.split_first() else {
            return self.replace(value.filter(|v| v.is_object()).ok_or(Misfit)?, line.offset);
        };
        let Step::Key(first) = first else { return Err(Misfit) };
        if UNSENT.contains(&first.as_str()) {
            return Ok(Touch::Nothing);
        }
        let from = json.i64_at("i").and_then(|i| usize::try_from(i).ok());
        if first == "requests" {
            return self.change_requests(kind, rest, value, from, line.offset);
        }
        change(&mut self.root, kind, &steps, value, from, &mut self.inner)?;
        self.head_offset = line.offset;
        self.set_head();
        Ok(Touch::Head)
    }

    fn replace(&mut self, document: Json<'_, '_>, offset: u64) -> Result<Touch, Misfit> {
        self.root = Node::object();
        if let Node::Object(members) = &mut self.root {
            let kept = document.entries().filter(|(key, _)| *key != "requests" && !UNSENT.contains(key));
            members.extend(kept.map(|(key, value)| (key.to_owned(), Node::Text(value.to_json()))));
        }
        self.head_offset = offset;
        self.set_head();
        self.append(0, document.get("requests"), offset);
        Ok(Touch::From(0))
    }

    fn set_head(&mut self) {
        let text = self.root.members(|_| true);
        let session = &mut self.session;
        // What the tree writes is JSON.
        let parsed = self.inner.each(text.as_bytes(), |json| session.set_head(json));
        debug_assert!(parsed.is_ok());
        self.head_dirty = true;
    }

    /// Cuts the requests off at `from` and appends the items of a list.
    fn append(&mut self, from: usize, list: Option<Json<'_, '_>>, offset: u64) {
        self.entries.truncate(from);
        self.session.forget_from(self.entries.len());
        self.sealed = self.sealed.min(self.entries.len());
        for item in list.into_iter().flat_map(Json::items) {
            let index = self.entries.len();
            self.pass_last();
            let node = if item.is_object() { Node::of(item) } else { Node::object() };
            self.session.note(index, item);
            self.entries.push(Entry { node, dirty: item.is_object(), is_final: is_final(item), sealed: false, offset });
        }
    }

    /// Another request follows: one that has no end until now gets none, and what of it waited for its
    /// end is to be handed out.
    fn pass_last(&mut self) {
        if let Some(last) = self.entries.last_mut().filter(|e| !e.is_final && !e.sealed) {
            last.dirty = true;
        }
    }

    fn change_requests(
        &mut self,
        kind: i64,
        steps: &[Step],
        value: Option<Json<'_, '_>>,
        from: Option<usize>,
        offset: u64,
    ) -> Result<Touch, Misfit> {
        let length = self.entries.len();
        let Some((first, rest)) = steps.split_first() else {
            let start = if kind == 2 { from.unwrap_or(length).min(length) } else { 0 };
            self.append(start, value, offset);
            return Ok(Touch::From(start));
        };
        let Step::Index(index) = *first else { return Err(Misfit) };
        if index > length {
            return Err(Misfit);
        }
        if index == length {
            self.pass_last();
            let node = Node::object();
            self.entries.push(Entry { node, dirty: false, is_final: false, sealed: false, offset });
        }
        let Some(entry) = self.entries.get_mut(index) else { return Err(Misfit) };
        if rest.is_empty() {
            entry.node = value.filter(|v| v.is_object() && kind != 3).map_or(Node::object(), Node::of);
            entry.sealed = false;
            self.sealed = self.sealed.min(index);
        } else if entry.sealed {
            return Ok(Touch::Nothing);
        } else {
            change(&mut entry.node, kind, rest, value, from, &mut self.inner)?;
        }
        entry.dirty = true;
        entry.offset = offset;
        let names = |key: &str| NAMING.contains(&key) || matches!(key, "result" | "modelState");
        if rest.first().is_none_or(|step| matches!(step, Step::Key(key) if names(key))) {
            let text = entry.node.members(names);
            let (session, mut ended) = (&mut self.session, false);
            let parsed = self.inner.each(text.as_bytes(), |json| {
                session.note(index, json);
                ended = is_final(json);
            });
            debug_assert!(parsed.is_ok());
            entry.is_final = ended;
        }
        Ok(Touch::One(index))
    }

    /// Hands out what has changed and that `wanted` lets go; without `rows` it only counts as handed
    /// out.
    fn flush(&mut self, wanted: impl Fn(usize, &Entry) -> bool, mut rows: Option<&mut Rows>) -> bool {
        let mut unknown = false;
        if self.head_dirty && !self.entries.is_empty() {
            self.head_dirty = false;
            self.session.note_title();
            if let Some(rows) = rows.as_deref_mut() {
                self.session.head_rows(self.head_offset, rows);
            }
        }
        for index in self.sealed..self.entries.len() {
            let Some(entry) = self.entries.get_mut(index).filter(|e| e.dirty) else { continue };
            if !wanted(index, entry) {
                continue;
            }
            entry.dirty = false;
            if let Some(rows) = rows.as_deref_mut() {
                unknown |= self.request(index, false, rows);
            }
        }
        while self.sealed + 1 < self.entries.len() {
            let Some(entry) = self.entries.get_mut(self.sealed).filter(|e| e.is_final && !e.dirty) else { break };
            if let Node::Object(members) = &mut entry.node {
                members.retain(|(key, _)| NAMING.contains(&key.as_str()));
            }
            entry.sealed = true;
            self.sealed += 1;
        }
        unknown
    }

    /// Hands out finished requests that a line takes out of the document, before it does.
    fn part_with(&mut self, json: Json<'_, '_>, rows: Option<&mut Rows>) -> bool {
        let Some((from, list)) = cut_of(json).filter(|(from, _)| *from < self.entries.len()) else { return false };
        let stays = |index: usize| {
            let id = self.session.request_at(index);
            id.is_some() && list.into_iter().flat_map(Json::items).any(|item| request_id(item) == id)
        };
        let leaving: Vec<usize> = (from..self.entries.len()).filter(|index| !stays(*index)).collect();
        self.flush(|index, entry| entry.is_final && leaving.contains(&index), rows)
    }

    fn request(&self, index: usize, provisional: bool, rows: &mut Rows) -> bool {
        let Some(entry) = self.entries.get(index) else { return false };
        let mut text = String::new();
        entry.node.write(&mut text);
        let spot = Spot { index, offset: entry.offset, provisional };
        let mut outcome = Outcome::Ignored;
        let parsed = Parser::default().each(text.as_bytes(), |json| {
            outcome = rows_of(&self.session, json, spot, rows);
        });
        debug_assert!(parsed.is_ok());
        outcome == Outcome::Unknown
    }

    fn has_dirty(&self) -> bool {
        self.entries.iter().any(|e| e.dirty)
    }
}

/// The request from which on a line replaces all, and what by.
fn cut_of<'t, 'i>(json: Json<'t, 'i>) -> Option<(usize, Option<Json<'t, 'i>>)> {
    let value = json.get("v");
    let kind = json.i64_at("kind")?;
    if kind == 0 {
        return Some((0, value?.get("requests")));
    }
    let path = json.get("k").filter(|k| k.len() == 1)?;
    path.items().next().filter(|step| step.as_str() == Some("requests"))?;
    match kind {
        1 | 3 => Some((0, value)),
        _ => Some((usize::try_from(json.i64_at("i")?).ok()?, value)),
    }
}

/// Changes a node.
fn change(
    node: &mut Node,
    kind: i64,
    steps: &[Step],
    value: Option<Json<'_, '_>>,
    from: Option<usize>,
    parser: &mut Parser,
) -> Result<(), Misfit> {
    match kind {
        1 => node.set(steps, value.map(|v| Node::Text(v.to_json())), parser),
        2 => {
            let values = value.into_iter().flat_map(Json::items).map(|v| Node::Text(v.to_json())).collect();
            node.push(steps, values, from, parser)
        }
        3 => node.delete(steps, parser),
        _ => Err(Misfit),
    }
}

impl Decoder for OpLogDecoder {
    fn line(&mut self, line: Line<'_>, rows: &mut Rows) {
        let replaying = line.offset < self.high_water;
        if !replaying {
            self.caught_up();
        }
        let mut outcome = Outcome::Ignored;
        let mut touched = Touch::Nothing;
        let mut unknown = false;
        let core = &mut self.core;
        let seen = self.parser.each(line.bytes, |json| {
            if json.i64_at("kind").is_some_and(|kind| !(0..=3).contains(&kind)) {
                outcome = outcome.max(Outcome::Unknown);
                if !replaying {
                    core.session.unknown_row(json, line.offset, rows);
                }
                return;
            }
            unknown |= core.part_with(json, (!replaying).then_some(&mut *rows));
            match core.take(json, line) {
                Ok(Touch::Nothing) => {}
                Ok(touch) => {
                    touched = touch;
                    outcome = outcome.max(Outcome::Row);
                }
                Err(Misfit) => outcome = outcome.max(Outcome::Wrong),
            }
        });
        let untouched = |index: usize| match touched {
            Touch::From(start) => index < start,
            Touch::One(one) => index != one,
            Touch::Nothing | Touch::Head => true,
        };
        unknown |= core.flush(|i, entry| entry.is_final && untouched(i), (!replaying).then_some(&mut *rows));
        self.read_to = line.end;
        if !replaying {
            rows.counts().unknown_types += u64::from(unknown);
            count(line, seen, outcome, rows);
        } else if line.end >= self.high_water {
            self.caught_up();
        }
    }

    fn settle(&mut self, rows: &mut Rows) {
        self.caught_up();
        let unknown = self.core.flush(|_, _| true, Some(&mut *rows));
        rows.counts().unknown_types += u64::from(unknown);
    }

    fn settle_finished(&mut self, rows: &mut Rows) {
        self.caught_up();
        let unknown = self.core.flush(|_, entry| entry.is_final, Some(&mut *rows));
        rows.counts().unknown_types += u64::from(unknown);
    }

    fn provisional(&self, rows: &mut Rows) {
        for (index, entry) in self.core.entries.iter().enumerate() {
            if self.held.as_ref().map_or(entry.dirty, |held| held.requests.contains(&index)) {
                self.core.request(index, true, rows);
            }
        }
    }

    fn is_open(&self) -> bool {
        self.held.as_ref().map_or_else(|| self.core.has_dirty(), |held| !held.requests.is_empty())
    }

    fn checkpoint(&self) -> Checkpoint {
        let dirty = self.core.entries.iter().enumerate().filter(|(_, e)| e.dirty);
        let now = Held { requests: dirty.map(|(index, _)| index).collect(), head: self.core.head_dirty };
        // Before the replay is over, what was held when it began is still held.
        let held = self.held.as_ref().unwrap_or(&now);
        Checkpoint {
            resume_at: 0,
            high_water: self.read_to.max(self.high_water),
            open: !held.requests.is_empty(),
            state: serde_json::to_string(held).unwrap_or_default(),
        }
    }

    fn last_us(&self) -> Option<i64> {
        self.core.session.last_us
    }
}
