//! A thread: what is known of it, its messages, its ledger.

use super::AGENT;
use super::content::Message;
use crate::adapters::chat::{Calls, Facts, Outcome, Sink, Source, file_stem, local_path};
use crate::adapters::clean::content_json;
use crate::adapters::json::Json;
use crate::adapters::kit::extra::Extra;
use crate::adapters::money::nano;
use crate::adapters::time;
use crate::schema::{EventId, EventRow, EventType, UsageSource};

/// A thread while its document is read.
pub(super) struct Thread {
    pub(super) facts: Facts,
    pub(super) calls: Calls,
    pub(super) fields: Extra,
    pub(super) modified_us: i64,
    /// Id of the message before a result's.
    pub(super) asked_by: i64,
    pub(super) traces: Vec<Trace>,
    pub(super) ledger: Vec<Billed>,
}

/// One timed stretch of work.
pub(super) struct Trace {
    pub(super) tools: bool,
    pub(super) message: i64,
    pub(super) start_us: i64,
    pub(super) end_us: i64,
}

/// One event of the ledger.
pub(super) struct Billed {
    id: String,
    pub(super) message: Option<i64>,
    ts_us: Option<i64>,
    model: Option<String>,
    pub(super) nano_credits: Option<i64>,
    pub(super) input: Option<i64>,
    pub(super) output: Option<i64>,
    pub(super) total: Option<i64>,
}

impl Thread {
    /// Id of what the thread's message or block is called.
    pub(super) fn id(&self, kind: &str, parts: &[&[u8]]) -> EventId {
        let own = [self.facts.session().as_bytes()];
        let all: Vec<&[u8]> = own.into_iter().chain(parts.iter().copied()).collect();
        EventId::of(AGENT, kind, &all)
    }

    fn new(source: &Source, json: Json<'_, '_>) -> Self {
        let id = json.str_at("id").unwrap_or_else(|| file_stem(&source.path));
        let tree = json.path(&["env", "initial", "trees"]).and_then(|trees| trees.items().next());
        let repository = tree.and_then(|t| t.get("repository"));
        let text = |key: &str| repository.and_then(|r| r.str_at(key)).map(str::to_owned);
        let folder = tree.and_then(|t| t.str_at("uri")).map(|uri| local_path(uri).into_owned());
        let cwd = json.path(&["env", "initial", "cwd"]).and_then(Json::as_filled_str);
        let version = json.path(&["env", "initial", "platform", "clientVersion"]).and_then(Json::as_filled_str);
        let facts = Facts {
            session: Some(id.to_owned()),
            cwd: cwd.map(str::to_owned).or(folder),
            repo_url: text("url"),
            git_branch: text("ref").map(|r| r.strip_prefix("refs/heads/").map(str::to_owned).unwrap_or(r)),
            git_commit: text("sha"),
            version: version.map(str::to_owned),
            ..Facts::default()
        };
        Self {
            facts,
            calls: Calls::default(),
            fields: Extra::default(),
            modified_us: source.modified_us,
            asked_by: -1,
            traces: traces(json),
            ledger: ledger(json),
        }
    }

    fn begin(&mut self, json: Json<'_, '_>, sink: &mut Sink<'_>) {
        let at = self.facts.at(0, json.i64_at("created").map(time::unix_us), self.modified_us);
        self.fields.begin().rest(
            json,
            &["v", "id", "created", "title", "messages", "env", "meta", "~debug", "nextMessageId", "usageLedger"],
        );
        if let Some(initial) = json.path(&["env", "initial"]) {
            if let Some(trees) = initial.get("trees").and_then(without_urls) {
                self.fields.raw("trees", &trees);
            }
            self.fields.maybe("platform", initial.get("platform"));
            self.fields.maybe("tags", initial.get("tags"));
        }
        self.fields.end();
        let id = self.id("session", &[]);
        let extra = self.fields.get();
        sink.row(
            EventRow { id: Some(id), extra, completeness: 2, ..self.facts.row(EventType::SessionStart, at) },
            false,
        );
        if let Some(title) = json.str_at("title") {
            let id = self.id("title", &[title.as_bytes()]);
            let row = self.facts.row(EventType::Title, at);
            sink.row(EventRow { id: Some(id), text: Some(title), ts_inferred: true, completeness: 2, ..row }, false);
        }
    }

    /// Ledger events that belong to no message that is still there. The answer to a message that was
    /// removed is known by that message: a row made of it before stays.
    fn rest_of_ledger(&mut self, mut known: Vec<i64>, sink: &mut Sink<'_>) {
        for billed in std::mem::take(&mut self.ledger) {
            if billed.message.is_some_and(|id| known.contains(&id)) {
                continue;
            }
            known.extend(billed.message);
            let at = self.facts.at(0, billed.ts_us, self.modified_us);
            let id = match billed.message {
                Some(number) => self.id("message", &[&number.to_le_bytes()]),
                None => self.id("ledger", &[billed.id.as_bytes()]),
            };
            let number = billed.message.map(|number| number.to_string());
            let (event_type, completeness) =
                if number.is_some() { (EventType::LlmResponse, 0) } else { (EventType::System, 2) };
            self.fields.begin().text("record", "usage_ledger").end();
            sink.row(
                EventRow {
                    id: Some(id),
                    model: billed.model.as_deref(),
                    input_tokens: billed.input,
                    output_tokens: billed.output,
                    total_tokens: billed.total,
                    usage_source: (billed.input.is_some() || billed.total.is_some()).then_some(UsageSource::Reported),
                    nano_credits: billed.nano_credits,
                    role: number.as_ref().map(|_| "assistant"),
                    message_id: number.as_deref().or(Some(&billed.id)),
                    extra: self.fields.get(),
                    completeness,
                    ..self.facts.row(event_type, at)
                },
                false,
            );
        }
    }
}

/// The folders as JSON; addresses of their repositories, which may hold a password, are left to
/// `repo_url`.
fn without_urls(trees: Json<'_, '_>) -> Option<String> {
    fn remove(value: &mut serde_json::Value) {
        match value {
            serde_json::Value::Array(items) => items.iter_mut().for_each(remove),
            serde_json::Value::Object(fields) => {
                if let Some(serde_json::Value::Object(repository)) = fields.get_mut("repository") {
                    repository.remove("url");
                }
                fields.values_mut().for_each(remove);
            }
            _ => {}
        }
    }
    let mut value = serde_json::from_str(&content_json(trees)).ok()?;
    remove(&mut value);
    let is_empty = value.is_null() || value.as_array().is_some_and(Vec::is_empty);
    (!is_empty).then(|| value.to_string())
}

fn traces(json: Json<'_, '_>) -> Vec<Trace> {
    let list = json.path(&["meta", "traces"]).into_iter().flat_map(Json::items);
    let read = |trace: Json<'_, '_>| {
        Some(Trace {
            tools: match trace.str_at("name")? {
                "tools" => true,
                "inference" => false,
                _ => return None,
            },
            message: trace.path(&["context", "messageId"])?.as_i64()?,
            start_us: time::rfc3339_us(trace.str_at("startTime")?)?,
            end_us: time::rfc3339_us(trace.str_at("endTime")?)?,
        })
    };
    list.filter_map(read).collect()
}

fn ledger(json: Json<'_, '_>) -> Vec<Billed> {
    let events = json.path(&["usageLedger", "events"]).into_iter().flat_map(Json::items).filter(|e| e.is_object());
    let read = |(at, event): (usize, Json<'_, '_>)| {
        let id = event.get("id");
        let number = || id.and_then(Json::as_i64).map(|n| n.to_string());
        let tokens = |key: &str| event.path(&["tokens", key]).and_then(Json::as_i64).filter(|n| *n >= 0);
        Billed {
            id: id.and_then(Json::as_filled_str).map(str::to_owned).or_else(number).unwrap_or_else(|| at.to_string()),
            message: event.i64_at("toMessageId"),
            ts_us: event.str_at("timestamp").and_then(time::rfc3339_us),
            model: event.str_at("model").map(str::to_owned),
            nano_credits: event.get("credits").and_then(Json::as_f64).and_then(nano),
            input: tokens("input"),
            output: tokens("output"),
            total: tokens("total"),
        }
    };
    events.enumerate().map(read).collect()
}

/// Rows of one state of the document.
pub(super) fn decode(source: &Source, json: Json<'_, '_>, sink: &mut Sink<'_>) -> Outcome {
    let Some(messages) = json.get("messages").filter(|m| m.is_array() && json.is_object()) else {
        return Outcome::Wrong;
    };
    let mut thread = Thread::new(source, json);
    thread.begin(json, sink);
    let mut known = Vec::new();
    for (index, message) in messages.items().enumerate() {
        let index = i64::try_from(index).unwrap_or(i64::MAX);
        let number = message.i64_at("messageId").unwrap_or(index);
        known.push(number);
        if message.is_object() {
            Message { thread: &mut thread, sink, number, order: u64::try_from(index).unwrap_or(0) }.decode(message);
        }
    }
    thread.rest_of_ledger(known, sink);
    Outcome::Row
}
