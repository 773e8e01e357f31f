//! `ItemTable`: chats of 2023 and 2024, lists of chats, prompts.
//!
//! - `workbench.panel.aichat.view.aichat.chatdata`: tabs with their bubbles (2023 and 2024)
//! - `composer.composerData`: chats with their bubbles (end of 2024); since 2025 only names
//! - `composer.composerHeaders`: the same list for all workspaces
//! - `aiService.prompts`, `aiService.generations`: what was typed, without and with its time. What is
//!   found in the chats of the same database is left out; prompts of chats that are in another database
//!   become `system` rows, so that no view counts them twice; the rest is `prompt_history`
//!
//! All five are handed over when one of them changed: they are few and read whole.

use std::collections::HashMap;

use super::AGENT;
use super::bubble::{self, Scene};
use super::composer::Composer;
use super::extra::{field, rest, scalars};
use super::place::{time_us, uri_path};
use super::state::{Said, anchor, inline, reject, wrong_shape};
use super::words::{named, words_of};
use crate::adapters::Taken;
use crate::adapters::json::{Json, ObjectWriter};
use crate::adapters::line::Parser;
use crate::schema::{EventId, EventRow, EventType, Query, Record, Rows, Status, hash64};

pub(super) const ITEMS: &str = "items";

const CHAT_DATA: &str = "workbench.panel.aichat.view.aichat.chatdata";
const COMPOSERS: &str = "composer.composerData";
const HEADERS: &str = "composer.composerHeaders";
const GENERATIONS: &str = "aiService.generations";
const PROMPTS: &str = "aiService.prompts";

/// What an editor's own tables say.
#[derive(Debug)]
pub(super) struct Items {
    cwd: Option<String>,
    workspace_id: Option<String>,
    modified_us: i64,
    said: Said,
    /// The chats of this workspace are in the editor's database.
    is_elsewhere: bool,
}

impl Items {
    pub(super) fn new(cwd: Option<String>, workspace_id: Option<String>, modified_us: i64) -> Self {
        Self { cwd, workspace_id, modified_us, said: Said::default(), is_elsewhere: false }
    }

    pub(super) fn query(&mut self) -> Query {
        self.said.clear();
        self.is_elsewhere = false;
        let keys = format!("'{CHAT_DATA}', '{COMPOSERS}', '{HEADERS}', '{GENERATIONS}', '{PROMPTS}'");
        let newest = format!("(SELECT max(rowid) FROM ItemTable WHERE key IN ({keys}))");
        let oldest = format!("(SELECT min(rowid) FROM ItemTable WHERE key IN ({keys}))");
        let sql = format!(
            "SELECT rowid, 0, key, value FROM ItemTable WHERE key IN ({keys}) AND {newest} > :rowid AND {oldest} <= :until
             ORDER BY CASE key WHEN '{CHAT_DATA}' THEN 1 WHEN '{COMPOSERS}' THEN 2 WHEN '{HEADERS}' THEN 3
                               WHEN '{GENERATIONS}' THEN 4 ELSE 5 END"
        );
        Query { name: ITEMS, sql, anchor: Some(anchor("ItemTable")) }
    }

    pub(super) fn record(
        &mut self,
        record: &Record<'_>,
        outer: &mut Parser,
        inner: &mut Parser,
        rows: &mut Rows,
    ) -> Taken {
        let (Some(key), Some(bytes)) = (record.text(0), record.value(1).bytes()) else { return Taken::Ignored };
        let offset = record.offset();
        let mut third = Parser::default();
        let (mut made, mut fits) = (false, true);
        let seen = outer.each(bytes, |json| match key.as_ref() {
            CHAT_DATA => {
                fits = json.is_object();
                made |= self.tabs(json, offset, inner, rows);
            }
            COMPOSERS | HEADERS => {
                fits = json.is_object();
                made |= self.composers(json, offset, &mut (&mut *inner, &mut third), rows);
            }
            GENERATIONS => {
                fits = json.is_array();
                made |= self.generations(json, offset, rows);
            }
            _ => {
                fits = json.is_array();
                made |= self.prompts(json, offset, rows);
            }
        });
        match seen {
            Err(refused) => reject(&refused, record, Some(bytes), rows),
            Ok(_) if !fits => wrong_shape("neither a list nor an object where one must be", record, bytes, rows),
            Ok(_) if made => Taken::Rows,
            Ok(_) => Taken::Ignored,
        }
    }

    fn tabs(&mut self, json: Json<'_, '_>, offset: u64, parser: &mut Parser, rows: &mut Rows) -> bool {
        let before = rows.len();
        for tab in json.get("tabs").into_iter().flat_map(Json::items) {
            let Some(id) = tab.str_at("tabId") else { continue };
            let bubbles = tab.get("bubbles").filter(|list| !list.is_empty());
            let Some(bubbles) = bubbles else { continue };
            let mut composer = Composer::new(id, self.modified_us);
            composer.learn(tab);
            composer.list(bubbles, "id");
            composer.lies_in(self.cwd.as_deref(), self.workspace_id.as_deref());
            composer.rows(tab, offset, rows);
            for (id, bubble) in named(bubbles, "id") {
                self.hear(bubble);
                let place = composer.places.get(&*id).copied();
                let scene = Scene { composer: &composer, place, offset, provisional: false, is_open: false };
                bubble::rows_of(bubble, &id, scene, parser, rows);
            }
        }
        rows.len() > before
    }

    fn composers(
        &mut self,
        json: Json<'_, '_>,
        offset: u64,
        parsers: &mut (&mut Parser, &mut Parser),
        rows: &mut Rows,
    ) -> bool {
        let before = rows.len();
        self.is_elsewhere |= json.get("selectedComposerIds").is_some();
        for chat in json.get("allComposers").into_iter().flat_map(Json::items) {
            let Some(id) = chat.str_at("composerId") else { continue };
            let mut composer = Composer::new(id, self.modified_us);
            composer.learn(chat);
            composer.lies_in(self.cwd.as_deref(), self.workspace_id.as_deref());
            let conversation = chat.get("conversation").filter(|list| list.is_array());
            let Some(conversation) = conversation else {
                self.is_elsewhere = true;
                composer.belongs(chat, offset, rows);
                continue;
            };
            if conversation.is_empty() {
                continue;
            }
            conversation.items().for_each(|bubble| self.hear(bubble));
            composer.rows(chat, offset, rows);
            inline(chat, &composer, offset, parsers, rows);
            blocks(chat, conversation, &composer, offset, rows);
        }
        rows.len() > before
    }

    /// `[{unixMs, generationUUID, type, textDescription}]`.
    fn generations(&mut self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> bool {
        let before = rows.len();
        for generation in json.items() {
            let (Some(text), Some(id)) = (generation.str_at("textDescription"), generation.str_at("generationUUID"))
            else {
                continue;
            };
            if !self.said.insert(hash(text)) {
                continue;
            }
            let kind = generation.str_at("type").unwrap_or_default();
            let in_chat = self.is_elsewhere && kind != "cmdk";
            let at = generation.get("unixMs").and_then(time_us);
            let mut extra = String::new();
            let mut object = ObjectWriter::new(&mut extra);
            rest(generation, &["textDescription", "generationUUID", "unixMs"], &mut object);
            let filled = object.end();
            rows.event(&EventRow {
                id: Some(EventId::of(AGENT, "generation", &[id.as_bytes()])),
                ts_us: at.unwrap_or(self.modified_us),
                ts_inferred: at.is_none(),
                event_type: if in_chat || kind == "apply" { EventType::System } else { EventType::PromptHistory },
                request_id: Some(id),
                text: Some(text),
                extra: filled.then_some(extra.as_str()),
                ..self.typed(offset)
            });
        }
        rows.len() > before
    }

    /// `[{text, commandType}]`, the oldest first; the oldest fall out in time.
    fn prompts(&self, json: Json<'_, '_>, offset: u64, rows: &mut Rows) -> bool {
        /// Prompts of inline edits, which are in no chat.
        const INLINE: i64 = 1;
        let before = rows.len();
        let mut times = HashMap::<u64, u64>::new();
        for prompt in json.items() {
            let Some(text) = prompt.str_at("text").filter(|text| !self.said.contains(&hash(text))) else { continue };
            let nth = times.entry(hash(text)).or_default();
            *nth += 1;
            let command = prompt.i64_at("commandType");
            let in_chat = self.is_elsewhere && command != Some(INLINE);
            let mut extra = String::new();
            let mut object = ObjectWriter::new(&mut extra);
            scalars(prompt, &["text"], &mut object);
            let filled = object.end();
            let workspace = self.workspace_id.as_deref().or(self.cwd.as_deref()).unwrap_or_default();
            let parts = [workspace.as_bytes(), text.as_bytes(), &nth.to_le_bytes()];
            rows.event(&EventRow {
                id: Some(EventId::of(AGENT, "typed", &parts)),
                ts_us: self.modified_us,
                ts_inferred: true,
                event_type: if in_chat { EventType::System } else { EventType::PromptHistory },
                text: Some(text),
                extra: filled.then_some(extra.as_str()),
                ..self.typed(offset)
            });
        }
        rows.len() > before
    }

    fn typed(&self, offset: u64) -> EventRow<'_> {
        EventRow {
            role: Some("user"),
            cwd: self.cwd.as_deref(),
            workspace_id: self.workspace_id.as_deref(),
            source_offset: offset,
            completeness: 1,
            ..EventRow::default()
        }
    }

    fn hear(&mut self, bubble: Json<'_, '_>) {
        let texts = ["text", "rawText"].iter().filter_map(|key| bubble.str_at(key));
        self.said.extend(texts.map(hash));
        self.said.extend(words_of(bubble).as_deref().map(hash));
    }
}

fn hash(text: &str) -> u64 {
    hash64(text.trim().as_bytes())
}

/// Edits of the chats of 2024: `codeBlockData` has the new text of each file, by version; the bubble that
/// made it names file and version.
fn blocks(chat: Json<'_, '_>, conversation: Json<'_, '_>, composer: &Composer, offset: u64, rows: &mut Rows) {
    let mut makers = HashMap::new();
    for bubble in conversation.items() {
        let Some(id) = bubble.str_at("bubbleId") else { continue };
        for block in bubble.get("codeBlocks").into_iter().flat_map(Json::items) {
            if let Some(uri) = block.path(&["uri", "external"]).and_then(Json::as_filled_str) {
                makers.insert((uri, block.i64_at("version")), id);
            }
        }
    }
    let files = chat.get("codeBlockData").into_iter().flat_map(Json::entries);
    for (uri, block) in files.flat_map(|(uri, list)| list.items().map(move |block| (uri, block))) {
        let version = block.i64_at("version");
        let maker = makers.get(&(uri, version)).copied();
        let place = maker.and_then(|id| composer.places.get(id).copied());
        let path = block.get("uri").and_then(uri_path).or_else(|| super::place::path_of(uri));
        let mut input = String::new();
        let mut object = ObjectWriter::new(&mut input);
        ["content", "languageId", "version"]
            .iter()
            .filter_map(|key| Some((*key, block.get(key)?)))
            .for_each(|(key, value)| field(key, value, &mut object));
        let filled = object.end();
        let status = block.str_at("status");
        let id = [composer.id.as_bytes(), uri.as_bytes(), &version.unwrap_or(-1).to_le_bytes()];
        rows.event(&EventRow {
            id: Some(EventId::of(AGENT, "block", &id)),
            ts_us: place.map(|p| p.ts_us).or(composer.created_us).unwrap_or_else(|| composer.row().ts_us),
            ts_inferred: true,
            event_type: EventType::FileModify,
            role: Some("assistant"),
            turn: place.map(|place| place.turn),
            message_id: maker,
            tool_name: Some("codeBlock"),
            tool_input: filled.then_some(input.as_str()),
            file_path: path.as_deref(),
            status: status.map(Status::of),
            source_offset: offset,
            completeness: 1 + i64::from(status.is_some_and(|s| s != "generating")),
            ..composer.row()
        });
    }
}
